//! Cholesky factors and triangular systems.
//!
//! The rules of the Cholesky factor are those of I. Murray, "Differentiation of the Cholesky decomposition" (2016), for a matrix
//! whose lower triangle is read; the other forms are brought to these first.

use crate::emit::{Emit, Res};
use crate::forward::Forward;
use crate::reverse::Reverse;
use kiln_ir::op::{Axes, CompareDirection, DotDims, TransposeKind};
use kiln_ir::{DType, Node, Op, TensorType, Value};

/// `x y` of matrices in the last two dimensions; `y` may be read transposed.
fn product(e: &mut Emit, x: Value, y: Value, transpose_x: bool, transpose_y: bool) -> Res {
    let r = e.f.ty(x).rank();
    let batch: Axes = (0..r - 2).collect();
    let one = |last: bool| Axes::from_slice(&[if last { r - 1 } else { r - 2 }]);
    let dims = DotDims {
        lhs_batch: batch.clone(),
        rhs_batch: batch,
        lhs_contract: one(!transpose_x),
        rhs_contract: one(transpose_y),
        result: None,
    };
    e.op(Op::DotGeneral(dims), &[x, y])
}

fn transposed(e: &mut Emit, x: Value) -> Res {
    let r = e.f.ty(x).rank();
    let order: Axes = (0..r - 2).chain([r - 1, r - 2]).collect();
    e.op(Op::Transpose(order), &[x])
}

fn adjoint(e: &mut Emit, x: Value) -> Res {
    let x = transposed(e, x)?;
    e.conj(x)
}

/// Where the row compares so with the column.
fn mask(e: &mut Emit, like: Value, direction: CompareDirection) -> Res {
    let shape = e.f.ty(like).shape.clone();
    let r = shape.rank();
    let ty = TensorType { dtype: DType::I32, shape };
    let row = e.op(Op::Iota { ty: ty.clone(), dim: r - 2 }, &[])?;
    let column = e.op(Op::Iota { ty, dim: r - 1 }, &[])?;
    e.compare(direction, row, column)
}

/// The triangle below the diagonal times `below`, and the real part of the diagonal times `on`.
fn weighted_triangle(e: &mut Emit, x: Value, below: f64, on: f64) -> Res {
    let (strict, diagonal) = (mask(e, x, CompareDirection::GT)?, mask(e, x, CompareDirection::EQ)?);
    let mut own = e.real(x)?;
    if e.is_complex(x) {
        own = e.complex_of(own)?;
    }
    let (x, own) = (e.times(x, below)?, e.times(own, on)?);
    let own = e.keep(diagonal, own)?;
    e.select(strict, x, own)
}

fn solve(e: &mut Emit, l: Value, b: Value, left_side: bool, transpose_a: TransposeKind) -> Res {
    let op = Op::TriangularSolve { left_side, lower: true, unit_diagonal: false, transpose_a, interleaved: false };
    e.op(op, &[l, b])
}

/// The upper factor by way of the lower one: `a^H = l l^H` and `u = l^H`.
fn upper_by_lower(e: &mut Emit, a: Value) -> Res {
    let turned = adjoint(e, a)?;
    let l = e.op(Op::Cholesky { lower: true, interleaved: false }, &[turned])?;
    adjoint(e, l)
}

pub(crate) fn cholesky_forward(w: &mut Forward, node: &Node, lower: bool, l: Value) -> Res<Option<Value>> {
    let a = node.operands[0];
    let Some(t) = w.tangent(a) else { return Ok(None) };
    let e = &mut w.e;
    if !lower {
        let from = e.f.nodes().len();
        let u = upper_by_lower(e, a)?;
        return Ok(w.through(from, &[u], &[a])?.pop().flatten());
    }
    // l phi(l^-1 ta l^-H), with the Hermitian matrix that the lower triangle of the tangent stands for.
    let below = weighted_triangle(e, t, 1.0, 0.5)?;
    let above = adjoint(e, below)?;
    let ta = e.add(below, above)?;
    let x = solve(e, l, ta, true, TransposeKind::NoTranspose)?;
    let m = solve(e, l, x, false, TransposeKind::Adjoint)?;
    let phi = weighted_triangle(e, m, 1.0, 0.5)?;
    product(e, l, phi, false, false).map(Some)
}

pub(crate) fn cholesky_backward(r: &mut Reverse, node: &Node, lower: bool, l: Value, g: Value) -> Res<()> {
    let a = node.operands[0];
    let e = &mut r.e;
    if !lower {
        let from = e.f.nodes().len();
        let u = upper_by_lower(e, a)?;
        return r.through(from, &[(u, g)], &[a]);
    }
    // s = l^-H (p + p^H) / 2 l^-1 with p = phi(l^H g); an element below the diagonal stands for two.
    let g = e.conj(g)?;
    let turned = adjoint(e, l)?;
    let m = product(e, turned, g, false, false)?;
    let p = weighted_triangle(e, m, 0.5, 0.25)?;
    let above = adjoint(e, p)?;
    let p = e.add(p, above)?;
    let x = solve(e, l, p, true, TransposeKind::Adjoint)?;
    let s = solve(e, l, x, false, TransposeKind::NoTranspose)?;
    let ct = weighted_triangle(e, s, 2.0, 1.0)?;
    let ct = e.conj(ct)?;
    r.add(a, ct)
}

/// The attributes of a triangular system.
#[derive(Clone, Copy)]
pub(crate) struct System {
    pub(crate) left_side: bool,
    pub(crate) lower: bool,
    pub(crate) unit_diagonal: bool,
    pub(crate) transpose_a: TransposeKind,
}

impl System {
    fn op(self, transpose_a: TransposeKind) -> Op {
        Op::TriangularSolve {
            left_side: self.left_side,
            lower: self.lower,
            unit_diagonal: self.unit_diagonal,
            transpose_a,
            interleaved: false,
        }
    }

    /// What is read of a matrix like `a`.
    fn triangle(self, e: &mut Emit, a: Value) -> Res {
        use CompareDirection::{GE, GT, LE, LT};
        let direction = match (self.lower, self.unit_diagonal) {
            (true, false) => GE,
            (true, true) => GT,
            (false, false) => LE,
            (false, true) => LT,
        };
        let read = mask(e, a, direction)?;
        e.keep(read, a)
    }

    /// `x op(a) = b` as `op(a)^T x^T = b^T`.
    fn by_left_side(self, e: &mut Emit, a: Value, b: Value) -> Res {
        let (matrix, transpose_a) = match self.transpose_a {
            TransposeKind::NoTranspose => (a, TransposeKind::Transpose),
            TransposeKind::Transpose => (a, TransposeKind::NoTranspose),
            TransposeKind::Adjoint => (e.conj(a)?, TransposeKind::NoTranspose),
        };
        let right = transposed(e, b)?;
        let left = System { left_side: true, ..self };
        let x = e.op(left.op(transpose_a), &[matrix, right])?;
        transposed(e, x)
    }
}

pub(crate) fn solve_forward(w: &mut Forward, node: &Node, system: System, x: Value) -> Res<Option<Value>> {
    let (a, b) = (node.operands[0], node.operands[1]);
    if !system.left_side {
        let from = w.e.f.nodes().len();
        let y = system.by_left_side(&mut w.e, a, b)?;
        return Ok(w.through(from, &[y], &[a, b])?.pop().flatten());
    }
    // op(a)^-1 (tb - op(ta) x)
    let mut right = w.tangent_or_zeros(b)?;
    if let Some(ta) = w.tangent(a) {
        let e = &mut w.e;
        let mut ta = system.triangle(e, ta)?;
        if system.transpose_a == TransposeKind::Adjoint {
            ta = e.conj(ta)?;
        }
        let turn = system.transpose_a != TransposeKind::NoTranspose;
        let moved = product(e, ta, x, turn, false)?;
        right = e.sub(right, moved)?;
    }
    w.e.op(system.op(system.transpose_a), &[a, right]).map(Some)
}

pub(crate) fn solve_backward(r: &mut Reverse, node: &Node, system: System, x: Value, g: Value) -> Res<()> {
    let (a, b) = (node.operands[0], node.operands[1]);
    if !system.left_side {
        let from = r.e.f.nodes().len();
        let y = system.by_left_side(&mut r.e, a, b)?;
        return r.through(from, &[(y, g)], &[a, b]);
    }
    let e = &mut r.e;
    // op(a)^-T g
    let ct = match system.transpose_a {
        TransposeKind::NoTranspose => e.op(system.op(TransposeKind::Transpose), &[a, g])?,
        TransposeKind::Transpose => e.op(system.op(TransposeKind::NoTranspose), &[a, g])?,
        TransposeKind::Adjoint => {
            let turned = e.conj(g)?;
            let y = e.op(system.op(TransposeKind::NoTranspose), &[a, turned])?;
            e.conj(y)?
        }
    };
    if r.wants(a) {
        let e = &mut r.e;
        let outer = match system.transpose_a {
            TransposeKind::NoTranspose => product(e, ct, x, false, true)?,
            TransposeKind::Transpose => product(e, x, ct, false, true)?,
            TransposeKind::Adjoint => {
                let outer = product(e, x, ct, false, true)?;
                e.conj(outer)?
            }
        };
        let minus = e.neg(outer)?;
        let ct_a = system.triangle(e, minus)?;
        r.add(a, ct_a)?;
    }
    r.add(b, ct)
}
