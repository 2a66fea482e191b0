//! `chlo.ragged_dot`: one dot for each group of a ragged dimension, masked.

use super::sizes::to_axes;
use super::{Builder, Built};
use crate::ast::Operation;
use kiln_builder::Expr;
use kiln_ir::op::DotDims;
use kiln_ir::{DType, Dim, Op};

impl Builder<'_> {
    pub(super) fn ragged_dot(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [lhs, rhs, groups] = self.operands(op, x)?;
        let dtype = self.result_dtype(op, 0)?;
        let key = "ragged_dot_dimension_numbers";
        let field = |f: &str| self.field(op, key, f);
        let dims = DotDims {
            lhs_batch: to_axes(&field("lhs_batching_dimensions")?),
            rhs_batch: to_axes(&field("rhs_batching_dimensions")?),
            lhs_contract: to_axes(&field("lhs_contracting_dimensions")?),
            rhs_contract: to_axes(&field("rhs_contracting_dimensions")?),
            result: Some(dtype),
        };
        let ragged = field("lhs_ragged_dimensions")?;
        let group_dims = field("rhs_group_dimensions")?;
        let group_sizes = self.sizes(op, &groups)?;
        let ([ragged], [count]) = (ragged.as_slice(), group_sizes.as_slice()) else {
            return self.unsupported(op, "several ragged dimensions, or group sizes for each batch");
        };
        let (ragged, count) = (*ragged, *count);
        let lhs_sizes = self.sizes(op, &lhs)?;
        if ragged >= lhs_sizes.len() || count > 1 << 12 {
            return self.unsupported(op, "such a number of groups, or a ragged dimension beyond the operand");
        }
        if dims.lhs_batch.contains(&ragged) {
            return Ok(self.graph.emit(Op::DotGeneral(dims), &[&lhs, &rhs]));
        }
        let contracted = dims.lhs_contract.contains(&ragged);
        let g = self.graph.clone();
        let mut start = g.constant(0i64);
        let mut parts: Vec<Expr> = Vec::new();
        for group in 0..count {
            let size = groups.slice_general(&[Dim::Const(group)], &[Dim::Const(group + 1)], &[1]);
            let end = &start + &size.reshape(kiln_builder::Shape::scalar()).cast_to(DType::I64);
            // Rows of other groups count as zero.
            let place = g.iota(DType::I64, lhs.shape(), ragged);
            let inside = place.ge(&start) & place.lt(&end);
            let masked = inside.select(&lhs, lhs.zeros_like());
            let rhs_group = match group_dims.as_slice() {
                [] if contracted => rhs.clone(),
                [dim] if !contracted => {
                    let sizes = self.sizes(op, &rhs)?;
                    if sizes.get(*dim) != Some(&count) {
                        return self.malformed(op, "the right side has not one slice for each group");
                    }
                    rhs.slice_axis(*dim as i64, group..group + 1, 1).squeeze([*dim as i64])
                }
                _ => return self.malformed(op, "the group dimensions do not fit the ragged dimension"),
            };
            let mut dims = dims.clone();
            if let ([dim], false) = (group_dims.as_slice(), contracted) {
                // The right side has lost its group dimension.
                for axis in dims.rhs_batch.iter_mut().chain(&mut dims.rhs_contract) {
                    *axis -= usize::from(*axis > *dim);
                }
            }
            parts.push(g.emit(Op::DotGeneral(dims), &[&masked, &rhs_group]));
            start = end;
        }
        let Some(first) = parts.first().cloned() else { return self.unsupported(op, "no groups") };
        if contracted {
            return Ok(g.stack(&parts.iter().collect::<Vec<_>>(), 0));
        }
        Ok(parts[1..].iter().fold(first, |sum, p| sum + p))
    }
}
