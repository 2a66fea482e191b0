//! Pads.

use super::slice::{Bounds, push_slice};
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::op::Ints;
use kiln_ir::{Dim, Op, TensorType, Value};

/// The amounts of a static pad.
#[derive(Clone, PartialEq, Debug)]
pub struct Padding {
    pub low: Ints,
    pub high: Ints,
    pub interior: Ints,
}

impl Padding {
    /// The amounts of a `pad` node.
    pub fn of(op: &Op) -> Option<Padding> {
        let Op::Pad { low, high, interior } = op else { return None };
        Some(Padding {
            low: low.iter().map(Dim::as_const).collect::<Option<_>>()?,
            high: high.iter().map(Dim::as_const).collect::<Option<_>>()?,
            interior: interior.clone(),
        })
    }
    /// The operator.
    pub fn op(&self) -> Op {
        Op::Pad {
            low: self.low.iter().map(|&n| Dim::Const(n)).collect(),
            high: self.high.iter().map(|&n| Dim::Const(n)).collect(),
            interior: self.interior.clone(),
        }
    }
}

/// Pads of nothing, that only cut, with what is there already, of pads.
pub fn pad(rw: &mut Rewriter, x: Value, value: Value, p: &Padding, ty: &TensorType) -> Option<Value> {
    let sizes = rw.sizes(x);
    let no_interior = (0..sizes.len()).all(|d| p.interior[d] == 0 || sizes[d] <= 1);
    if rw.ty(x) == ty && no_interior && p.low.iter().chain(&p.high).all(|&n| n == 0) {
        return rw.exact("pad of nothing", x);
    }
    if sizes.contains(&0) {
        return if rw.fire("pad of no elements", Level::Exact) { rw.broadcast_scalar(value, &ty.shape) } else { None };
    }
    if let (Some(a), Some(b)) = (rw.lit(x), rw.lit(value))
        && a.same(b)
    {
        let s = value;
        return if rw.fire("pad with the same value", Level::Exact) { rw.broadcast_scalar(s, &ty.shape) } else { None };
    }
    if no_interior && p.low.iter().chain(&p.high).all(|&n| n <= 0) {
        let mut b = Bounds::all(&sizes);
        for d in 0..sizes.len() {
            b.start[d] = p.low[d].checked_neg()?.min(sizes[d] as i64);
            b.limit[d] = (sizes[d] as i64 + p.high[d]).max(b.start[d]);
        }
        return if rw.fire("pad that cuts", Level::Exact) { push_slice(rw, x, &b) } else { None };
    }
    pad_of_pad(rw, x, value, p)
}

/// Two pads with the same value, without interior, that do not cut.
fn pad_of_pad(rw: &mut Rewriter, x: Value, value: Value, p: &Padding) -> Option<Value> {
    let (inner @ Op::Pad { .. }, &[y, inner_value]) = rw.op(x) else { return None };
    let q = Padding::of(inner)?;
    let plain = |p: &Padding| p.interior.iter().all(|&n| n == 0) && p.low.iter().chain(&p.high).all(|&n| n >= 0);
    let same = value == inner_value || matches!((rw.lit(value), rw.lit(inner_value)), (Some(a), Some(b)) if a.same(b));
    if !same || !plain(p) || !plain(&q) || !rw.fire("pad of pad", Level::Exact) {
        return None;
    }
    let sum = |a: &Ints, b: &Ints| -> Ints { a.iter().zip(b).map(|(m, n)| m + n).collect() };
    let merged = Padding { low: sum(&p.low, &q.low), high: sum(&p.high, &q.high), interior: q.interior };
    rw.push(merged.op(), &[y, value])
}
