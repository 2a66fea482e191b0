//! Sizes, shapes and dimension numbers.

use super::{Builder, Built, MAX_ELEMENTS};
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

/// True for sizes of no more elements than the bound, an empty dimension counted as one element.
pub(super) fn bounded(mut sizes: impl Iterator<Item = Option<i64>>) -> bool {
    let product = sizes.try_fold(1i64, |a, n| match n {
        Some(n) if (0..=MAX_ELEMENTS).contains(&n) => a.checked_mul(n.max(1)).filter(|p| *p <= MAX_ELEMENTS),
        Some(_) => None,
        None => Some(a),
    });
    product.is_some()
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
