//! `select_and_scatter` with regions that the operator cannot say.

use super::scatter::shape_of;
use super::{Builder, Built, Scope};
use crate::ast::Operation;
use kiln_builder::Expr;
use kiln_ir::DType;
use kiln_ir::op::WindowDim;

impl Builder<'_> {
    /// Goes through the places of the windows in order and keeps, for all windows at once, the value selected so far and
    /// its position in the operand; then scatters the source to these positions.
    pub(super) fn select_and_scatter_any(
        &mut self,
        op: &Operation,
        [x, source, init]: [Expr; 3],
        dims: &[WindowDim],
        scope: &Scope,
    ) -> Built<Expr> {
        let [select, scatter] = op.regions.as_slice() else { return self.malformed(op, "two regions are needed") };
        let g = self.graph.clone();
        let sizes = self.sizes(op, &x)?;
        let Some(total) = sizes.iter().try_fold(1i64, |a, &n| a.checked_mul(n)).filter(|n| *n < 1 << 31) else {
            return self.unsupported(op, "an operand of so many elements");
        };
        let positions = g.iota(DType::I32, shape_of([total]), 0).reshape(x.shape());
        let nowhere = g.constant(-1i32);
        let slices = self.window_slices(op, &[x.clone(), positions], &[init.clone(), nowhere], dims)?;
        let mut selected: Option<(Expr, Expr)> = None;
        for slice in slices {
            let [value, position] = self.operands(op, &slice)?;
            selected = Some(match selected {
                None => (value, position),
                Some((best, at)) => {
                    let mut keep = self.lifted(op, select, vec![best.clone(), value.clone()], scope)?;
                    let Some(keep) = keep.pop().filter(|e| e.dtype() == DType::Bool) else {
                        return self.malformed(op, "the selection has to give a bool");
                    };
                    // What lies in the padding is never selected.
                    let keep = (keep & at.ge(0)) | position.lt(0);
                    (keep.select(&best, &value), keep.select(&at, &position))
                }
            });
        }
        let Some((_, at)) = selected else { return self.unsupported(op, "an empty window") };
        let count: i64 = self.sizes(op, &source)?.iter().product();
        if self.sizes(op, &at)?.iter().product::<i64>() != count {
            return self.malformed(op, "the source has not one element for each window");
        }
        let list = shape_of([count]);
        let start = init.broadcast_to(shape_of([total]));
        let result = self.scatter_flat(op, scatter, [start, at.reshape(&list), source.reshape(&list)], scope)?;
        Ok(result.reshape(x.shape()))
    }
}
