//! Sorting with any comparator.

use super::{Builder, Built, Scope};
use crate::ast::Operation;
use kiln_builder::Expr;
use kiln_ir::DType;

impl Builder<'_> {
    pub(super) fn sort(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        let Some(first) = x.first() else { return self.malformed(op, "no operands") };
        let rank = first.rank() as i64;
        let dim = op.attrs.get("dimension").and_then(|a| a.as_int()).unwrap_or(-1);
        if !(-rank..rank).contains(&dim) {
            return self.malformed(op, "no such dimension");
        }
        let (graph, operands) = (self.graph.clone(), x.iter().collect::<Vec<_>>());
        self.with_region(block, scope, 1, |apply| {
            graph.sort_by(&operands, dim, |a, b| {
                let pairs: Vec<Expr> = a.iter().zip(b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
                apply(&pairs, &[]).swap_remove(0)
            })
        })
    }

    /// `chlo.top_k`: the largest elements of the last dimension and their positions.
    pub(super) fn top_k(&mut self, op: &Operation, x: &[Expr]) -> Built<Vec<Expr>> {
        let [a] = self.operands(op, x)?;
        let sizes = self.sizes(op, &a)?;
        let k = self.axis(op, &["k"])? as i64;
        match sizes.last() {
            Some(n) if k <= *n => {}
            Some(n) => return self.malformed(op, format!("k = {k} of {n} elements")),
            None => return self.malformed(op, "a scalar has no elements to choose"),
        }
        let (values, positions) = a.top_k(k);
        let dtype = match op.result_types.len() {
            2 => self.result_dtype(op, 1)?,
            _ => DType::I32,
        };
        Ok(vec![values, positions.cast_to(dtype)])
    }
}
