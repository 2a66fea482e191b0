//! Comparisons, selections and clamps.

use crate::lit::{Lit, int_range};
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, Op, TensorType, Value};

/// Comparisons of a value with itself (not of floats: NaN) and of integers with the end of their range.
pub fn compare(rw: &mut Rewriter, d: CompareDirection, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    use CompareDirection::{EQ, GE, GT, LE, LT, NE};
    let dtype = rw.dtype(a);
    if dtype.is_float() {
        return None;
    }
    if a == b {
        let value = Lit::Bool(matches!(d, EQ | GE | LE));
        return if rw.fire("compare with itself", Level::Exact) { rw.splat(ty, value) } else { None };
    }
    let Some(Lit::Int(c)) = rw.lit(b) else { return None };
    let (low, high) = int_range(dtype)?;
    let value = match d {
        LT if c == low => false,
        GE if c == low => true,
        GT if c == high => false,
        LE if c == high => true,
        EQ | NE | LT | GE | GT | LE => return None,
    };
    if rw.fire("compare with the end of the range", Level::Exact) { rw.splat(ty, Lit::Bool(value)) } else { None }
}

/// Known or irrelevant predicates; selections of selections by the same predicate.
pub fn select(rw: &mut Rewriter, p: Value, a: Value, b: Value) -> Option<Value> {
    if let Some(Lit::Bool(p)) = rw.lit(p) {
        return rw.exact("select by a constant", if p { a } else { b });
    }
    let same_constant = matches!((rw.lit(a), rw.lit(b)), (Some(x), Some(y)) if x.same(y));
    if a == b || same_constant {
        return rw.exact("select of equal values", a);
    }
    let inner = |v: Value| match rw.op(v) {
        (Op::Select, &[q, x, y]) if q == p => Some((x, y)),
        _ => None,
    };
    let (x, y) = match (inner(a), inner(b)) {
        (Some((x, _)), Some((_, y))) => (x, y),
        (Some((x, _)), None) => (x, b),
        (None, Some((_, y))) => (a, y),
        (None, None) => return None,
    };
    if rw.fire("select of select", Level::Exact) { rw.push(Op::Select, &[p, x, y]) } else { None }
}

/// Clamps whose bounds bind nothing.
pub fn clamp(rw: &mut Rewriter, low: Value, x: Value, high: Value, ty: &TensorType) -> Option<Value> {
    let (min, max) = match int_range(ty.dtype) {
        Some((min, max)) => (Lit::Int(min), Lit::Int(max)),
        None if ty.dtype.is_float() => (Lit::Float(f64::NEG_INFINITY), Lit::Float(f64::INFINITY)),
        None => return None,
    };
    let no_low = rw.lit(low).is_some_and(|l| l == min);
    let no_high = rw.lit(high).is_some_and(|h| h == max);
    let (op, bound) = match (no_low, no_high) {
        (true, true) => return rw.exact("clamp without bounds", x),
        (true, false) => (BinaryOp::Minimum, high),
        (false, true) => (BinaryOp::Maximum, low),
        (false, false) => return None,
    };
    if !rw.fire("clamp with one bound", Level::Exact) {
        return None;
    }
    let bound = if rw.ty(bound) == ty { bound } else { rw.broadcast_scalar(bound, &ty.shape)? };
    rw.push(Op::Binary(op), &[x, bound])
}
