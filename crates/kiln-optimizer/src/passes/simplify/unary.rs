//! Unary operators of each other.

use crate::lit::Lit;
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::{BinaryOp, Op, TensorType, UnaryOp, Value};

/// Involutions, idempotent operators, signs.
pub fn unary(rw: &mut Rewriter, op: UnaryOp, x: Value, ty: &TensorType) -> Option<Value> {
    if let (&Op::Unary(inner), &[y]) = rw.op(x)
        && let Some(v) = of_unary(rw, op, inner, (x, y))
    {
        return Some(v);
    }
    match op {
        UnaryOp::Negate => negate(rw, x, ty),
        UnaryOp::Ceil | UnaryOp::Floor | UnaryOp::RoundNearestAfz | UnaryOp::RoundNearestEven => match rw.op(x) {
            (Op::Unary(UnaryOp::Ceil | UnaryOp::Floor | UnaryOp::RoundNearestAfz | UnaryOp::RoundNearestEven), _) => {
                rw.exact("rounding of a whole number", x)
            }
            (&Op::Convert(_), &[y]) if !rw.dtype(y).is_float() => rw.exact("rounding of a whole number", x),
            _ => None,
        },
        _ => None,
    }
}

/// `op(inner(y))`, by what the operator table knows of `op`; `x` is `inner(y)`.
fn of_unary(rw: &mut Rewriter, op: UnaryOp, inner: UnaryOp, (x, y): (Value, Value)) -> Option<Value> {
    if op == inner && op.is_involution() {
        return rw.exact("involution", y);
    }
    if op == inner && op.is_idempotent() {
        return rw.exact("idempotent operator", x);
    }
    let sign = matches!(inner, UnaryOp::Negate | UnaryOp::Abs) && rw.dtype(x) == rw.dtype(y);
    match op {
        _ if sign && op.is_even() && rw.fire("even function of a sign change", Level::Exact) => {
            rw.push(Op::Unary(op), &[y])
        }
        // NaN becomes NaN, infinities infinities, and a finite number a finite one.
        UnaryOp::IsFinite if sign && rw.fire("is_finite of a sign change", Level::Exact) => {
            rw.push(Op::Unary(op), &[y])
        }
        // Results that have no sign bit, or NaN.
        UnaryOp::Abs if matches!(inner, UnaryOp::Exponential | UnaryOp::Logistic) => {
            rw.exact("abs of a positive number", x)
        }
        _ => None,
    }
}

fn negate(rw: &mut Rewriter, x: Value, ty: &TensorType) -> Option<Value> {
    let float = ty.dtype.is_float();
    match rw.op(x) {
        // -(a - b) is b - a but for the sign of a zero.
        (Op::Binary(BinaryOp::Subtract), &[a, b]) => {
            let level = if float { Level::Contract } else { Level::Exact };
            if rw.fire("negate of subtract", level) { rw.push(Op::Binary(BinaryOp::Subtract), &[b, a]) } else { None }
        }
        (&Op::Binary(op @ (BinaryOp::Multiply | BinaryOp::Divide)), &[a, b])
            if (float || op == BinaryOp::Multiply) && rw.single_use(x) =>
        {
            let c = negated(rw.lit(b)?)?;
            if !rw.fire("negate of a product with a constant", Level::Exact) {
                return None;
            }
            let c = rw.splat(ty, c)?;
            rw.push(Op::Binary(op), &[a, c])
        }
        _ => None,
    }
}

/// The literal with the other sign.
pub fn negated(l: Lit) -> Option<Lit> {
    match l {
        Lit::Bool(_) => None,
        Lit::Int(n) => Some(Lit::Int(n.wrapping_neg())),
        Lit::Float(x) => Some(Lit::Float(-x)),
    }
}
