//! Scatter: standard combiners by name, any other region as a function.

use super::sizes::to_axes;
use super::windows::reducer_region;
use super::{Builder, Built, Scope};
use crate::ast::Operation;
use kiln_builder::Expr;
use kiln_ir::Op;
use kiln_ir::op::{ScatterDims, ScatterUpdate};

impl Builder<'_> {
    pub(super) fn scatter(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let n = x.len().saturating_sub(1) / 2;
        if x.len() != 2 * n + 1 || n == 0 {
            return self.malformed(op, format!("{} operands", x.len()));
        }
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        if block.args.len() != 2 * n {
            return self.malformed(op, format!("the region takes {} values, not {}", block.args.len(), 2 * n));
        }
        let field = |f: &str| self.field(op, "scatter_dimension_numbers", f).map(|v| to_axes(&v));
        let dims = ScatterDims {
            update_window_dims: field("update_window_dims")?,
            inserted_window_dims: field("inserted_window_dims")?,
            input_batching_dims: field("input_batching_dims")?,
            scatter_indices_batching_dims: field("scatter_indices_batching_dims")?,
            scatter_dims_to_operand_dims: field("scatter_dims_to_operand_dims")?,
            index_vector_dim: field("index_vector_dim")?.first().copied().unwrap_or(0),
            indices_are_sorted: self.flag(op, "indices_are_sorted"),
            unique_indices: self.flag(op, "unique_indices"),
        };
        let assigns = |i: usize| {
            let [ret] = block.ops.as_slice() else { return false };
            ret.operands.get(i).is_some_and(|r| r.name == block.args[n + i].0)
        };
        let mut typed = x.to_vec();
        for (i, (_, ty)) in block.args.iter().enumerate() {
            let at = if i < n { i } else { i + 1 };
            typed[at] = x[at].cast_to(self.tensor_type(ty, &op.place)?.0);
        }
        let updates: Vec<Option<ScatterUpdate>> = (0..n)
            .map(|i| match reducer_region(block) {
                Some(r) if n == 1 => Some(ScatterUpdate::Combine(r)),
                _ if assigns(i) => Some(ScatterUpdate::Assign),
                _ => None,
            })
            .collect();
        match updates.into_iter().collect::<Option<Vec<_>>>() {
            Some(list) => Ok(list
                .into_iter()
                .enumerate()
                .map(|(i, update)| {
                    let op = Op::Scatter { dims: Box::new(dims.clone()), update };
                    self.graph.emit(op, &[&typed[i], &typed[n], &typed[n + 1 + i]])
                })
                .collect()),
            None => {
                let (graph, operands) = (self.graph.clone(), typed.iter().collect::<Vec<_>>());
                self.with_region(block, scope, n, |apply| {
                    let (operands, rest) = operands.split_at(n);
                    graph.generic_scatter(operands, rest[0], &rest[1..], dims, |old, update| apply(old, update))
                })
            }
        }
    }
}
