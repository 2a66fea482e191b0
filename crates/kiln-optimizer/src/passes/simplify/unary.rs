//! Unary operators of each other.

use crate::lit::Lit;
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::{BinaryOp, Op, TensorType, UnaryOp, Value};

/// Involutions, idempotent operators, signs.
pub fn unary(rw: &mut Rewriter, op: UnaryOp, x: Value, ty: &TensorType) -> Option<Value> {
    match op {
        UnaryOp::Negate => negate(rw, x, ty),
        UnaryOp::Not => match rw.op(x) {
            (Op::Unary(UnaryOp::Not), &[y]) => rw.exact("not of not", y),
            _ => None,
        },
        UnaryOp::Abs => abs(rw, x),
        UnaryOp::Ceil | UnaryOp::Floor | UnaryOp::RoundNearestAfz | UnaryOp::RoundNearestEven => match rw.op(x) {
            (Op::Unary(UnaryOp::Ceil | UnaryOp::Floor | UnaryOp::RoundNearestAfz | UnaryOp::RoundNearestEven), _) => {
                rw.exact("rounding of a whole number", x)
            }
            (&Op::Convert(_), &[y]) if !rw.dtype(y).is_float() => rw.exact("rounding of a whole number", x),
            _ => None,
        },
        UnaryOp::Sign => match rw.op(x) {
            (Op::Unary(UnaryOp::Sign), _) => rw.exact("sign of sign", x),
            _ => None,
        },
        UnaryOp::IsFinite => match rw.op(x) {
            // NaN becomes NaN, infinities infinities, and a finite number a finite one.
            (Op::Unary(UnaryOp::Negate | UnaryOp::Abs), &[y]) => {
                if rw.fire("is_finite of a sign change", Level::Exact) {
                    rw.push(Op::Unary(UnaryOp::IsFinite), &[y])
                } else {
                    None
                }
            }
            _ => None,
        },
        UnaryOp::Cosine => match rw.op(x) {
            (Op::Unary(UnaryOp::Negate | UnaryOp::Abs), &[y]) => {
                if rw.fire("cosine is even", Level::Exact) {
                    rw.push(Op::Unary(UnaryOp::Cosine), &[y])
                } else {
                    None
                }
            }
            _ => None,
        },
        _ => None,
    }
}

fn negate(rw: &mut Rewriter, x: Value, ty: &TensorType) -> Option<Value> {
    let float = ty.dtype.is_float();
    match rw.op(x) {
        (Op::Unary(UnaryOp::Negate), &[y]) => rw.exact("negate of negate", y),
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

fn abs(rw: &mut Rewriter, x: Value) -> Option<Value> {
    match rw.op(x) {
        (Op::Unary(UnaryOp::Negate), &[y]) => {
            if rw.fire("abs of negate", Level::Exact) {
                rw.push(Op::Unary(UnaryOp::Abs), &[y])
            } else {
                None
            }
        }
        // Results that have no sign bit, or NaN (and abs of an integer's minimum is itself).
        (Op::Unary(UnaryOp::Abs | UnaryOp::Exponential | UnaryOp::Logistic), _) => {
            rw.exact("abs of a positive number", x)
        }
        _ => None,
    }
}
