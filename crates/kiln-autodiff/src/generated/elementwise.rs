//! Derivatives of elementwise operators, used by both modes: the derivative of an elementwise operator is a diagonal
//! map, so one rule serves tangents and cotangents alike. Derived from `graph-spec/ops.toml`.

use crate::elementwise::is_literal;
use crate::emit::{Emit, Res};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, UnaryOp, Value};

/// `t * dr/dx` of `r = op(x)`; `None` where the derivative is zero almost everywhere.
pub(crate) fn unary(e: &mut Emit, op: UnaryOp, x: Value, r: Value, t: Value) -> Res<Option<Value>> {
    let value = match op {
        UnaryOp::Abs => {
            let v0 = e.unary(UnaryOp::Sign, x)?;
            e.binary(BinaryOp::Multiply, t, v0)?
        }
        UnaryOp::Cbrt => {
            let v0 = e.binary(BinaryOp::Multiply, r, r)?;
            let v1 = e.full_like(x, 3.0)?;
            let v2 = e.binary(BinaryOp::Multiply, v0, v1)?;
            e.binary(BinaryOp::Divide, t, v2)?
        }
        UnaryOp::Cosine => {
            let v0 = e.unary(UnaryOp::Sine, x)?;
            let v1 = e.binary(BinaryOp::Multiply, t, v0)?;
            e.unary(UnaryOp::Negate, v1)?
        }
        UnaryOp::Erf => {
            let v0 = e.binary(BinaryOp::Multiply, x, x)?;
            let v1 = e.unary(UnaryOp::Negate, v0)?;
            let v2 = e.unary(UnaryOp::Exponential, v1)?;
            let v3 = e.full_like(x, std::f64::consts::FRAC_2_SQRT_PI)?;
            let v4 = e.binary(BinaryOp::Multiply, v2, v3)?;
            e.binary(BinaryOp::Multiply, t, v4)?
        }
        UnaryOp::Exponential => e.binary(BinaryOp::Multiply, t, r)?,
        UnaryOp::ExponentialMinusOne => {
            let v0 = e.full_like(x, 1.0)?;
            let v1 = e.binary(BinaryOp::Add, r, v0)?;
            e.binary(BinaryOp::Multiply, t, v1)?
        }
        UnaryOp::Log => e.binary(BinaryOp::Divide, t, x)?,
        UnaryOp::LogPlusOne => {
            let v0 = e.full_like(x, 1.0)?;
            let v1 = e.binary(BinaryOp::Add, x, v0)?;
            e.binary(BinaryOp::Divide, t, v1)?
        }
        UnaryOp::Logistic => {
            let v0 = e.full_like(x, 1.0)?;
            let v1 = e.binary(BinaryOp::Subtract, v0, r)?;
            let v2 = e.binary(BinaryOp::Multiply, r, v1)?;
            e.binary(BinaryOp::Multiply, t, v2)?
        }
        UnaryOp::Negate => e.unary(UnaryOp::Negate, t)?,
        UnaryOp::Rsqrt => {
            let v0 = e.binary(BinaryOp::Divide, r, x)?;
            let v1 = e.full_like(x, -0.5)?;
            let v2 = e.binary(BinaryOp::Multiply, v0, v1)?;
            e.binary(BinaryOp::Multiply, t, v2)?
        }
        UnaryOp::Sine => {
            let v0 = e.unary(UnaryOp::Cosine, x)?;
            e.binary(BinaryOp::Multiply, t, v0)?
        }
        UnaryOp::Sqrt => {
            let v0 = e.full_like(x, 0.5)?;
            let v1 = e.binary(BinaryOp::Multiply, t, v0)?;
            e.binary(BinaryOp::Divide, v1, r)?
        }
        UnaryOp::Tan => {
            let v0 = e.binary(BinaryOp::Multiply, r, r)?;
            let v1 = e.full_like(x, 1.0)?;
            let v2 = e.binary(BinaryOp::Add, v1, v0)?;
            e.binary(BinaryOp::Multiply, t, v2)?
        }
        UnaryOp::Tanh => {
            let v0 = e.binary(BinaryOp::Multiply, r, r)?;
            let v1 = e.full_like(x, 1.0)?;
            let v2 = e.binary(BinaryOp::Subtract, v1, v0)?;
            e.binary(BinaryOp::Multiply, t, v2)?
        }
        UnaryOp::Ceil
        | UnaryOp::CountLeadingZeros
        | UnaryOp::Floor
        | UnaryOp::IsFinite
        | UnaryOp::Not
        | UnaryOp::Popcnt
        | UnaryOp::RoundNearestAfz
        | UnaryOp::RoundNearestEven
        | UnaryOp::Sign => return Ok(None),
    };
    Ok(Some(value))
}

/// `t * dr/dx` (for `which == 0`) or `t * dr/dy` (for 1) of `r = op(x, y)`; `None` where it is zero.
pub(crate) fn binary(
    e: &mut Emit,
    op: BinaryOp,
    which: usize,
    [x, y]: [Value; 2],
    r: Value,
    t: Value,
) -> Res<Option<Value>> {
    let value = match (op, which) {
        (BinaryOp::Add, 0) => t,
        (BinaryOp::Add, _) => t,
        (BinaryOp::Atan2, 0) => {
            let v0 = e.binary(BinaryOp::Multiply, x, x)?;
            let v1 = e.binary(BinaryOp::Multiply, y, y)?;
            let v2 = e.binary(BinaryOp::Add, v0, v1)?;
            let v3 = e.binary(BinaryOp::Divide, y, v2)?;
            e.binary(BinaryOp::Multiply, t, v3)?
        }
        (BinaryOp::Atan2, _) => {
            let v0 = e.binary(BinaryOp::Multiply, x, x)?;
            let v1 = e.binary(BinaryOp::Multiply, y, y)?;
            let square = e.binary(BinaryOp::Add, v0, v1)?;
            let v2 = e.unary(UnaryOp::Negate, x)?;
            let v3 = e.binary(BinaryOp::Divide, v2, square)?;
            e.binary(BinaryOp::Multiply, t, v3)?
        }
        (BinaryOp::Divide, 0) => e.binary(BinaryOp::Divide, t, y)?,
        (BinaryOp::Divide, _) => {
            let v0 = e.binary(BinaryOp::Multiply, t, r)?;
            let v1 = e.binary(BinaryOp::Divide, v0, y)?;
            e.unary(UnaryOp::Negate, v1)?
        }
        (BinaryOp::Maximum, 0) => {
            if is_literal(e.f, y) {
                let v0 = e.compare(CompareDirection::GT, r, y)?;
                let v1 = e.full_like(x, 0.0)?;
                e.select(v0, t, v1)?
            } else {
                let v2 = e.compare(CompareDirection::GT, x, y)?;
                let v3 = e.compare(CompareDirection::EQ, x, y)?;
                let v4 = e.full_like(x, 0.5)?;
                let v5 = e.binary(BinaryOp::Multiply, t, v4)?;
                let v6 = e.full_like(x, 0.0)?;
                let v7 = e.select(v3, v5, v6)?;
                e.select(v2, t, v7)?
            }
        }
        (BinaryOp::Maximum, _) => {
            if is_literal(e.f, x) {
                let v0 = e.compare(CompareDirection::GT, r, x)?;
                let v1 = e.full_like(x, 0.0)?;
                e.select(v0, t, v1)?
            } else {
                let v2 = e.compare(CompareDirection::GT, y, x)?;
                let v3 = e.compare(CompareDirection::EQ, y, x)?;
                let v4 = e.full_like(x, 0.5)?;
                let v5 = e.binary(BinaryOp::Multiply, t, v4)?;
                let v6 = e.full_like(x, 0.0)?;
                let v7 = e.select(v3, v5, v6)?;
                e.select(v2, t, v7)?
            }
        }
        (BinaryOp::Minimum, 0) => {
            if is_literal(e.f, y) {
                let v0 = e.compare(CompareDirection::LT, r, y)?;
                let v1 = e.full_like(x, 0.0)?;
                e.select(v0, t, v1)?
            } else {
                let v2 = e.compare(CompareDirection::LT, x, y)?;
                let v3 = e.compare(CompareDirection::EQ, x, y)?;
                let v4 = e.full_like(x, 0.5)?;
                let v5 = e.binary(BinaryOp::Multiply, t, v4)?;
                let v6 = e.full_like(x, 0.0)?;
                let v7 = e.select(v3, v5, v6)?;
                e.select(v2, t, v7)?
            }
        }
        (BinaryOp::Minimum, _) => {
            if is_literal(e.f, x) {
                let v0 = e.compare(CompareDirection::LT, r, x)?;
                let v1 = e.full_like(x, 0.0)?;
                e.select(v0, t, v1)?
            } else {
                let v2 = e.compare(CompareDirection::LT, y, x)?;
                let v3 = e.compare(CompareDirection::EQ, y, x)?;
                let v4 = e.full_like(x, 0.5)?;
                let v5 = e.binary(BinaryOp::Multiply, t, v4)?;
                let v6 = e.full_like(x, 0.0)?;
                let v7 = e.select(v3, v5, v6)?;
                e.select(v2, t, v7)?
            }
        }
        (BinaryOp::Multiply, 0) => e.binary(BinaryOp::Multiply, t, y)?,
        (BinaryOp::Multiply, _) => e.binary(BinaryOp::Multiply, t, x)?,
        (BinaryOp::Power, 0) => {
            let zero = e.full_like(x, 0.0)?;
            let one = e.full_like(x, 1.0)?;
            let v0 = e.compare(CompareDirection::EQ, y, zero)?;
            let safe = e.select(v0, one, y)?;
            let v1 = e.binary(BinaryOp::Subtract, safe, one)?;
            let v2 = e.binary(BinaryOp::Power, x, v1)?;
            let v3 = e.binary(BinaryOp::Multiply, y, v2)?;
            e.binary(BinaryOp::Multiply, t, v3)?
        }
        (BinaryOp::Power, _) => {
            let zero = e.full_like(x, 0.0)?;
            let one = e.full_like(x, 1.0)?;
            let v0 = e.compare(CompareDirection::EQ, x, zero)?;
            let safe = e.select(v0, one, x)?;
            let v1 = e.unary(UnaryOp::Log, safe)?;
            let v2 = e.binary(BinaryOp::Multiply, v1, r)?;
            e.binary(BinaryOp::Multiply, t, v2)?
        }
        (BinaryOp::Remainder, 0) => t,
        (BinaryOp::Remainder, _) => {
            let quotient = e.binary(BinaryOp::Divide, x, y)?;
            let v0 = e.unary(UnaryOp::Abs, quotient)?;
            let whole = e.unary(UnaryOp::Floor, v0)?;
            let v1 = e.unary(UnaryOp::Sign, quotient)?;
            let v2 = e.binary(BinaryOp::Multiply, v1, whole)?;
            let v3 = e.binary(BinaryOp::Multiply, t, v2)?;
            e.unary(UnaryOp::Negate, v3)?
        }
        (BinaryOp::Subtract, 0) => t,
        (BinaryOp::Subtract, _) => e.unary(UnaryOp::Negate, t)?,
        (BinaryOp::And, _)
        | (BinaryOp::Or, _)
        | (BinaryOp::ShiftLeft, _)
        | (BinaryOp::ShiftRightArithmetic, _)
        | (BinaryOp::ShiftRightLogical, _)
        | (BinaryOp::Xor, _) => return Ok(None),
    };
    Ok(Some(value))
}
