//! Sizes, shapes and dimension numbers.

use super::{Builder, Built};
use crate::ast::Operation;
use crate::error::Error;
use kiln_builder::{Expr, Shape};
use kiln_ir::Dim;
use kiln_ir::op::Axes;
use smallvec::SmallVec;

/// Dimension numbers as operators hold them.
pub(super) fn to_axes(list: &[usize]) -> Axes {
    list.iter().copied().collect()
}

/// A shape of known sizes.
pub(super) fn shape_of(sizes: impl IntoIterator<Item = i64>) -> Shape {
    sizes.into_iter().map(Dim::Const).collect()
}

/// Known sizes or positions.
pub(super) fn dims(list: &[i64]) -> SmallVec<[Dim; 4]> {
    list.iter().map(|&n| Dim::Const(n)).collect()
}

impl Builder<'_> {
    /// Sizes of a tensor; all are known in such programs.
    pub(super) fn sizes(&self, op: &Operation, e: &Expr) -> Built<Vec<i64>> {
        if e.is_poisoned() {
            // What went wrong is on record, and is all that counts.
            return Err(Error::Graph(self.graph.diagnostics()));
        }
        match e.shape().iter().map(|d| d.as_const()).collect() {
            Some(sizes) => Ok(sizes),
            None => self.unsupported(op, "a dimension of unknown size"),
        }
    }
}
