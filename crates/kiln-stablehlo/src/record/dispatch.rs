//! Which function records which operator.

use super::{Builder, Built, Scope};
use crate::ast::Operation;
use kiln_builder::Expr;
use kiln_ir::Op;

impl Builder<'_> {
    /// An operation on tensors.
    pub(super) fn compute(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        if let Some(shape) = self.lift.clone() {
            return self.compute_lifted(op, x, &shape);
        }
        match op.name.split_once('.') {
            Some(("stablehlo", name)) => self.stablehlo(op, name, x, scope),
            Some(("chlo", "top_k")) => self.top_k(op, x),
            Some(("chlo", "scan")) => self.scan(op, x, scope),
            Some(("chlo", "ragged_dot")) => self.ragged_dot(op, x).map(|e| vec![e]),
            Some(("chlo", name)) => self.chlo(op, name, x).map(|e| vec![e]),
            _ => self.unsupported(op, "the operator is unknown"),
        }
    }

    fn stablehlo(&mut self, op: &Operation, name: &str, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let one = match name {
            // Of several results, or with regions.
            "while" => return self.while_loop(op, x, scope),
            "if" | "case" => return self.branches(op, name, x, scope),
            "map" => return self.map(op, x, scope),
            "reduce" => return self.reduce(op, x, scope),
            "reduce_window" => return self.reduce_window(op, x, scope),
            "scatter" => return self.scatter(op, x, scope),
            "sort" => return self.sort(op, x, scope),
            "rng_bit_generator" => return self.random_bits(op, x),
            "optimization_barrier" => return Ok(self.optimization_barrier(x)),
            "batch_norm_inference" | "batch_norm_training" | "batch_norm_grad" => {
                return self.normalization(op, name, x);
            }
            "select_and_scatter" => self.select_and_scatter(op, x, scope)?,
            "convolution" => self.convolution(op, x)?,
            "dot_general" | "dot" => self.dot(op, name, x)?,
            "rng" => self.rng(op, x)?,
            "cholesky" => self.cholesky(op, x)?,
            "triangular_solve" => self.triangular_solve(op, x)?,
            "fft" => self.fft(op, x)?,
            "iota" => self.iota(op)?,
            "broadcast_in_dim" => self.broadcast_in_dim(op, x)?,
            "broadcast" => self.broadcast(op, x)?,
            "reshape" => self.reshape(op, x)?,
            "transpose" => self.transpose(op, x)?,
            "reverse" => self.reverse(op, x)?,
            "slice" => self.slice(op, x)?,
            "dynamic_slice" => self.dynamic_slice(op, x)?,
            "dynamic_update_slice" => self.dynamic_update_slice(x),
            "concatenate" => self.concatenate(op, x)?,
            "pad" => self.pad(op, x)?,
            "gather" => self.gather(op, x)?,
            "get_dimension_size" => self.dimension_size(op, x)?,
            "dynamic_broadcast_in_dim" => self.dynamic_broadcast_in_dim(op, x)?,
            "dynamic_reshape" => self.dynamic_reshape(op, x)?,
            "dynamic_iota" => self.dynamic_iota(op, x)?,
            "dynamic_pad" => self.dynamic_pad(op, x)?,
            "real_dynamic_slice" => self.real_dynamic_slice(op, x)?,
            "dynamic_gather" => self.dynamic_gather(op, x)?,
            "dynamic_conv" => self.dynamic_conv(op, x)?,
            name => match self.elementwise(op, name, x)? {
                Some(e) => e,
                None => return self.unsupported(op, why_not(name)),
            },
        };
        Ok(vec![one])
    }

    /// A barrier for each operand.
    pub(super) fn optimization_barrier(&self, x: &[Expr]) -> Vec<Expr> {
        x.iter().map(|e| self.graph.emit(Op::OptimizationBarrier, &[e])).collect()
    }
}

/// Why kiln has not an operator of this name.
fn why_not(name: &str) -> &'static str {
    match name {
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
        | "send" => "a distributed operator; kiln compiles for one device",
        "after_all" | "create_token" => "tokens; operators here have no order but their operands",
        _ => "kiln has no such operator",
    }
}
