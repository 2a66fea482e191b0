//! Cholesky factors and triangular systems, by loops over the columns or rows; all batches at once.

use super::data::to_axes;
use super::scatter::shape_of;
use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_ir::op::DotDims;
use kiln_ir::{DType, Op};

impl Builder<'_> {
    /// The operand as `[batch, n, m]`, with its sizes.
    fn matrices(&self, op: &Operation, a: &Expr) -> Built<(Expr, [i64; 3])> {
        let sizes = self.sizes(op, a)?;
        let [batch @ .., n, m] = sizes.as_slice() else {
            return self.malformed(op, "operands of rank 2 or more are needed");
        };
        let flat = [batch.iter().product(), *n, *m];
        if *n > i64::from(i32::MAX) {
            return self.unsupported(op, "a matrix of so many rows");
        }
        if !a.dtype().is_float() {
            return self.unsupported(op, format!("matrices of {}", a.dtype()));
        }
        Ok((a.reshape(shape_of(flat)), flat))
    }

    fn swapped(&self, a: &Expr) -> Expr {
        self.graph.emit(Op::Transpose(to_axes(&[0, 2, 1])), &[a])
    }

    /// `[b, n, k] . [b, k, m]`.
    fn batched_dot(&self, l: &Expr, r: &Expr) -> Expr {
        let dims = DotDims {
            lhs_batch: to_axes(&[0]),
            rhs_batch: to_axes(&[0]),
            lhs_contract: to_axes(&[2]),
            rhs_contract: to_axes(&[1]),
            result: None,
        };
        self.graph.emit(Op::DotGeneral(dims), &[l, r])
    }

    /// Below the diagonal, with it or without.
    fn lower_mask(&self, shape: [i64; 3], strict: bool) -> Expr {
        let place = |dim| self.graph.iota(DType::I32, shape_of(shape), dim);
        if strict { place(1).gt(place(2)) } else { place(1).ge(place(2)) }
    }

    /// Column by column: the rest of a column under the columns before it, over the root of its diagonal element. The
    /// other triangle is zero.
    pub(super) fn cholesky(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let dtype = a.dtype();
        let narrow = matches!(dtype, DType::F16 | DType::BF16);
        let wide = if narrow { a.cast::<f32>() } else { a.clone() };
        let (m, [batch, n, columns]) = self.matrices(op, &wide)?;
        if n != columns {
            return self.malformed(op, "the matrices are not square");
        }
        let lower = self.flag(op, "lower");
        let m = if lower { m } else { self.swapped(&m) };
        let g = self.graph.clone();
        let state = vec![g.constant(0i32), m.zeros_like()];
        let column = shape_of([batch, n, 1]);
        let done = g.while_loop(
            state,
            |s: Vec<Expr>| s[0].lt(n as i32),
            |s: Vec<Expr>| {
                let (j, factor, zero) = (&s[0], &s[1], g.constant(0i32));
                let row = self.swapped(&factor.dynamic_slice(&[&zero, j, &zero], shape_of([batch, 1, n])));
                let wanted = m.dynamic_slice(&[&zero, &zero, j], column.clone());
                let rest = wanted - self.batched_dot(factor, &row);
                let pivot = rest.dynamic_slice(&[&zero, j, &zero], shape_of([batch, 1, 1])).sqrt();
                let scaled = rest / pivot.broadcast_to(&column);
                let below = g.iota(DType::I32, &column, 1);
                let diagonal = pivot.broadcast_to(&column);
                let solved = below.eq(j).select(diagonal, below.gt(j).select(scaled, 0.0));
                vec![j + 1, factor.dynamic_update_slice(&solved, &[&zero, &zero, j])]
            },
        );
        let factor = if lower { done[1].clone() } else { self.swapped(&done[1]) };
        Ok(factor.reshape(a.shape()).cast_to(dtype))
    }

    /// Row by row: each row of the solution from those before it.
    pub(super) fn triangular_solve(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, b] = self.operands(op, x)?;
        let dtype = a.dtype();
        let narrow = matches!(dtype, DType::F16 | DType::BF16);
        let widen = |e: &Expr| if narrow { e.cast::<f32>() } else { e.clone() };
        let left = self.flag(op, "left_side");
        let transposed = match op.attrs.get("transpose_a").and_then(Attr::as_str) {
            Some("TRANSPOSE" | "ADJOINT") => true,
            Some("NO_TRANSPOSE") | None => false,
            Some(other) => return self.malformed(op, format!("unknown `transpose_a` {other}")),
        };
        let unit = self.flag(op, "unit_diagonal");
        let (m, [batch, n, columns]) = self.matrices(op, &widen(&a))?;
        let (rhs, [rhs_batch, ..]) = self.matrices(op, &widen(&b))?;
        if n != columns || batch != rhs_batch {
            return self.malformed(op, "the matrices are not square, or not as many as right sides");
        }
        // X op(A) = B is op(A)^T X^T = B^T.
        let flip = transposed == left;
        let lower = self.flag(op, "lower") != flip;
        let given = self.lower_mask([batch, n, n], false);
        let given = if self.flag(op, "lower") { given } else { !self.lower_mask([batch, n, n], true) };
        let m = given.select(&m, 0.0);
        let m = if flip { self.swapped(&m) } else { m };
        let rhs = if left { rhs } else { self.swapped(&rhs) };
        let [_, rows, width] = <[i64; 3]>::try_from(self.sizes(op, &rhs)?).unwrap_or_default();
        if rows != n {
            return self.malformed(op, format!("{n} equations, but {rows} right sides"));
        }
        let g = self.graph.clone();
        let row_shape = shape_of([batch, 1, width]);
        let state = vec![g.constant(0i32), rhs.zeros_like()];
        let done = g.while_loop(
            state,
            |s: Vec<Expr>| s[0].lt(n as i32),
            |s: Vec<Expr>| {
                let (step, solution, zero) = (&s[0], &s[1], g.constant(0i32));
                let j = if lower { step.clone() } else { (n as i32 - 1) - step };
                let row = m.dynamic_slice(&[&zero, &j, &zero], shape_of([batch, 1, n]));
                let wanted = rhs.dynamic_slice(&[&zero, &j, &zero], row_shape.clone());
                let rest = wanted - self.batched_dot(&row, solution);
                let solved = if unit {
                    rest
                } else {
                    let pivot = m.dynamic_slice(&[&zero, &j, &j], shape_of([batch, 1, 1]));
                    rest / pivot.broadcast_to(&row_shape)
                };
                vec![step + 1, solution.dynamic_update_slice(&solved, &[&zero, &j, &zero])]
            },
        );
        let solution = if left { done[1].clone() } else { self.swapped(&done[1]) };
        Ok(solution.reshape(b.shape()).cast_to(dtype))
    }
}
