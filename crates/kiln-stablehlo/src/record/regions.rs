//! Operators with regions that stay regions: control flow; and scatter, whose region becomes a combiner.

use super::{Builder, Built, Scope, Slot};
use crate::ast::{Block, Operation};
use crate::error::Error;
use kiln_builder::Expr;
use kiln_ir::op::RngAlgorithm;
use kiln_ir::{DType, Op, TensorType};
use std::cell::RefCell;

impl Builder<'_> {
    pub(super) fn regions(&mut self, op: &Operation, name: &str, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        match name {
            "while" => self.while_loop(op, x, scope),
            "if" | "case" => self.branches(op, name, x, scope),
            "scatter" => self.scatter(op, x, scope),
            "sort" => self.sort(op, x, scope),
            "cholesky" => self.cholesky(op, x).map(|e| vec![e]),
            "triangular_solve" => self.triangular_solve(op, x).map(|e| vec![e]),
            "map" => match op.regions.first() {
                Some(block) => self.lifted(op, block, x.to_vec(), scope),
                None => self.malformed(op, "a region is missing"),
            },
            "fft" => self.fft(op, x).map(|e| vec![e]),
            "rng" => self.rng(op, x).map(|e| vec![e]),
            "rng_bit_generator" => self.random_bits(op, x),
            "optimization_barrier" => Ok(x.iter().map(|e| self.graph.emit(Op::OptimizationBarrier, &[e])).collect()),
            // Of several devices or of the host; a program for one device has none.
            "all_gather"
            | "all_reduce"
            | "all_to_all"
            | "collective_broadcast"
            | "collective_permute"
            | "cross-replica-sum"
            | "infeed"
            | "outfeed"
            | "partition_id"
            | "recv"
            | "reduce_scatter"
            | "replica_id"
            | "send" => self.unsupported(op, "a distributed operator; kiln compiles for one device"),
            "after_all" | "create_token" => {
                self.unsupported(op, "tokens; operators here have no order but their operands")
            }
            _ => self.unsupported(op, "kiln has no such operator"),
        }
    }

    /// The values that a region returns; an error inside is kept for the caller, since closures cannot fail.
    pub(super) fn region(
        &mut self,
        block: &Block,
        args: Vec<Expr>,
        scope: &Scope,
        expected: usize,
        failure: &mut Option<Error>,
    ) -> Vec<Expr> {
        let args = args.into_iter().map(Slot::One).collect();
        let values = match self.block(block, args, scope) {
            Ok(slots) => slots.into_iter().flat_map(Slot::leaves).collect(),
            Err(e) => {
                failure.get_or_insert(e);
                Vec::new()
            }
        };
        if values.len() == expected { values } else { vec![self.graph.poisoned(); expected] }
    }

    fn while_loop(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let [cond, body] = op.regions.as_slice() else { return self.malformed(op, "two regions are needed") };
        let n = x.len();
        let graph = self.graph.clone();
        let failure = RefCell::new(None);
        let this = RefCell::new(self);
        let results = graph.while_loop(
            x.to_vec(),
            |state| {
                let mut values = this.borrow_mut().region(cond, state, scope, 1, &mut failure.borrow_mut());
                values.swap_remove(0)
            },
            |state| this.borrow_mut().region(body, state, scope, n, &mut failure.borrow_mut()),
        );
        match failure.into_inner() {
            Some(e) => Err(e),
            None => Ok(results),
        }
    }

    fn branches(&mut self, op: &Operation, name: &str, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let [index] = self.operands(op, x)?;
        let n = op.result_types.len();
        let graph = self.graph.clone();
        let failure = RefCell::new(None);
        let this = RefCell::new(self);
        let run = |block: &Block| this.borrow_mut().region(block, Vec::new(), scope, n, &mut failure.borrow_mut());
        let results = match (name, op.regions.as_slice()) {
            ("if", [on_true, on_false]) => graph.cond(&index, || run(on_true), || run(on_false)),
            ("case", blocks) if !blocks.is_empty() => {
                let run = &run;
                let list = blocks.iter().map(|b| Box::new(move || run(b)) as Box<dyn FnOnce() -> Vec<Expr> + '_>);
                graph.switch(&index, list.collect()).unwrap_or_default()
            }
            _ => return this.borrow().malformed(op, "regions are missing"),
        };
        match failure.into_inner() {
            Some(e) => Err(e),
            None => Ok(results),
        }
    }

    fn random_bits(&mut self, op: &Operation, x: &[Expr]) -> Built<Vec<Expr>> {
        let [state] = self.operands(op, x)?;
        let algorithm = op.attrs.get("algorithm").or(op.attrs.get("rng_algorithm")).and_then(|a| a.as_str());
        let algorithm = match algorithm {
            Some("THREE_FRY") => RngAlgorithm::ThreeFry,
            // What XLA's CPU and GPU compilers choose by default.
            Some("PHILOX" | "DEFAULT") => RngAlgorithm::Philox,
            other => return self.unsupported(op, format!("algorithm {}", other.unwrap_or("(none)"))),
        };
        let (dtype, shape) = self.result_type(op, 1)?;
        let ty = TensorType::new(dtype, shape);
        Ok(self.graph.emit_n(Op::RngBitGenerator { algorithm, ty }, &[&state], 2))
    }

    /// `rng`: uniform or normal numbers from a generator of the program's own, whose state is a variable: every run draws
    /// others.
    fn rng(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, b, _shape] = self.operands(op, x)?;
        let (dtype, shape) = self.result_type(op, 0)?;
        let word = op.attrs.get("rng_distribution").or(op.attrs.get("distribution")).and_then(|a| a.as_str());
        if self.graph.in_closure() {
            return self.unsupported(op, "random numbers without a state inside of a region (use rng_bit_generator)");
        }
        let source = match &self.random {
            Some(source) => source.clone(),
            None => self.random.insert(std::rc::Rc::new(self.graph.rng_state("rng", 0))).clone(),
        };
        match word {
            Some("UNIFORM") if dtype == DType::Bool || dtype.is_int() => {
                // As floats of the bounds, truncated: exact for all ranges below 2^53.
                let (low, high) = (a.cast::<f64>(), b.cast::<f64>());
                let unit = source.uniform(DType::F64, shape.clone());
                let value = low.broadcast_to(&shape) + unit * (high - low).broadcast_to(&shape);
                Ok(value.floor().cast_to(dtype))
            }
            Some("UNIFORM") => {
                let unit = source.uniform(dtype, shape.clone());
                Ok(a.broadcast_to(&shape) + unit * (&b - &a).broadcast_to(&shape))
            }
            Some("NORMAL") => {
                let normal = source.normal(dtype, shape.clone());
                Ok(a.broadcast_to(&shape) + normal * b.broadcast_to(&shape))
            }
            other => self.malformed(op, format!("unknown distribution {}", other.unwrap_or("(none)"))),
        }
    }
}
