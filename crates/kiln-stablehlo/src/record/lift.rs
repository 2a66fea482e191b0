//! Regions written for scalars, applied to whole tensors: each operator acts on every element at once.
//!
//! This turns any reducer, comparator or combiner into vectorized operators, whatever it computes.

use super::{Builder, Built, Scope, Slot};
use crate::ast::{Block, Operation, Type};
use kiln_builder::{Expr, Shape};

impl Builder<'_> {
    /// Applies a region of scalars to tensors of one shape, element by element. All results have that shape.
    pub(super) fn lifted(&mut self, op: &Operation, block: &Block, args: Vec<Expr>, scope: &Scope) -> Built<Vec<Expr>> {
        let Some(shape) = args.first().map(Expr::shape) else {
            return self.malformed(op, "a region without arguments");
        };
        if block.args.len() != args.len() {
            return self.malformed(op, format!("the region takes {} values, not {}", block.args.len(), args.len()));
        }
        // Operands may be narrower than what the region computes with.
        let mut typed = Vec::with_capacity(args.len());
        for ((_, ty), arg) in block.args.iter().zip(args) {
            if !matches!(ty, Type::Tensor { dims, .. } if dims.is_empty()) {
                return self.unsupported(op, "a region on other values than scalars");
            }
            let (dtype, _) = self.tensor_type(ty, &op.place)?;
            typed.push(Slot::One(arg.cast_to(dtype)));
        }
        let outer = self.lift.replace(shape.clone());
        let results = self.block(block, typed, scope);
        self.lift = outer;
        let results: Vec<Expr> = results?.into_iter().flat_map(Slot::leaves).collect();
        Ok(results.into_iter().map(|e| if e.rank() == 0 { e.broadcast_to(&shape) } else { e }).collect())
    }

    /// An operation of such a region. Values of scalars only (constants, captures) stay scalars.
    pub(super) fn compute_lifted(&mut self, op: &Operation, x: &[Expr], shape: &Shape) -> Built<Vec<Expr>> {
        let spread: Vec<Expr> = match x.iter().any(|e| e.rank() > 0) {
            true => x.iter().map(|e| if e.rank() == 0 { e.broadcast_to(shape) } else { e.clone() }).collect(),
            false => x.to_vec(),
        };
        if spread.iter().any(|e| !e.is_poisoned() && e.rank() > 0 && e.shape() != *shape) {
            return self.unsupported(op, "a tensor inside of a region on scalars");
        }
        let name = op.name.as_str();
        if let Some(short) = name.strip_prefix("chlo.")
            && !matches!(short, "top_k" | "scan" | "ragged_dot")
        {
            return self.chlo(op, short, &spread).map(|e| vec![e]);
        }
        let short = name.strip_prefix("stablehlo.").unwrap_or(name);
        if matches!(short, "reshape" | "broadcast_in_dim" | "transpose") && spread.len() == 1 {
            // From scalar to scalar.
            return Ok(spread);
        }
        if short == "optimization_barrier" {
            return Ok(self.optimization_barrier(&spread));
        }
        match self.elementwise(op, short, &spread)? {
            Some(e) => Ok(vec![e]),
            None => self.unsupported(op, "this operator inside of a region that combines scalars"),
        }
    }
}
