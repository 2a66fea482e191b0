//! Derivatives of elementwise operators, used by both modes: the derivative of an elementwise operator is a diagonal map,
//! so `t * dy/dx` serves tangents and cotangents alike.

use crate::emit::{Emit, Res};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, Func, Op, UnaryOp, Value};

/// `t * dy/dx` of `y = op(x)`; `None` where the derivative is zero almost everywhere.
pub(crate) fn unary(e: &mut Emit, op: UnaryOp, x: Value, y: Value, t: Value) -> Res<Option<Value>> {
    use UnaryOp as U;
    let value = match op {
        // sign(x)
        U::Abs => {
            let s = e.unary(U::Sign, x)?;
            e.mul(t, s)?
        }
        // 1 / (3 y^2)
        U::Cbrt => {
            let y2 = e.mul(y, y)?;
            let d = e.times(y2, 3.0)?;
            e.div(t, d)?
        }
        // -sin(x)
        U::Cosine => {
            let s = e.unary(U::Sine, x)?;
            let ts = e.mul(t, s)?;
            e.neg(ts)?
        }
        // 2 / sqrt(pi) * exp(-x^2)
        U::Erf => {
            let x2 = e.mul(x, x)?;
            let m = e.neg(x2)?;
            let bell = e.unary(U::Exponential, m)?;
            let d = e.times(bell, std::f64::consts::FRAC_2_SQRT_PI)?;
            e.mul(t, d)?
        }
        U::Exponential => e.mul(t, y)?,
        // y + 1
        U::ExponentialMinusOne => {
            let one = e.full_like(y, 1.0)?;
            let d = e.add(y, one)?;
            e.mul(t, d)?
        }
        U::Log => e.div(t, x)?,
        // 1 / (1 + x)
        U::LogPlusOne => {
            let one = e.full_like(x, 1.0)?;
            let d = e.add(x, one)?;
            e.div(t, d)?
        }
        // y (1 - y)
        U::Logistic => {
            let one = e.full_like(y, 1.0)?;
            let rest = e.sub(one, y)?;
            let d = e.mul(y, rest)?;
            e.mul(t, d)?
        }
        U::Negate => e.neg(t)?,
        // -y / (2 x)
        U::Rsqrt => {
            let q = e.div(y, x)?;
            let d = e.times(q, -0.5)?;
            e.mul(t, d)?
        }
        U::Sine => {
            let c = e.unary(U::Cosine, x)?;
            e.mul(t, c)?
        }
        // 1 / (2 y)
        U::Sqrt => {
            let half = e.times(t, 0.5)?;
            e.div(half, y)?
        }
        // 1 + y^2
        U::Tan => {
            let y2 = e.mul(y, y)?;
            let one = e.full_like(y, 1.0)?;
            let d = e.add(one, y2)?;
            e.mul(t, d)?
        }
        // 1 - y^2
        U::Tanh => {
            let y2 = e.mul(y, y)?;
            let one = e.full_like(y, 1.0)?;
            let d = e.sub(one, y2)?;
            e.mul(t, d)?
        }
        U::Ceil | U::Floor | U::RoundNearestAfz | U::RoundNearestEven | U::Sign => return Ok(None),
        U::CountLeadingZeros | U::IsFinite | U::Not | U::Popcnt => return Ok(None),
    };
    Ok(Some(value))
}

/// `t * dz/dx` (for `which == 0`) or `t * dz/dy` (for 1) of `z = op(x, y)`; `None` where it is zero.
pub(crate) fn binary(
    e: &mut Emit,
    op: BinaryOp,
    which: usize,
    (x, y): (Value, Value),
    z: Value,
    t: Value,
) -> Res<Option<Value>> {
    use BinaryOp as B;
    let value = match (op, which) {
        (B::Add, _) | (B::Subtract, 0) => t,
        (B::Subtract, _) => e.neg(t)?,
        (B::Multiply, 0) => e.mul(t, y)?,
        (B::Multiply, _) => e.mul(t, x)?,
        (B::Divide, 0) => e.div(t, y)?,
        // -z / y
        (B::Divide, _) => {
            let tz = e.mul(t, z)?;
            let q = e.div(tz, y)?;
            e.neg(q)?
        }
        // y / (x^2 + y^2) and -x / (x^2 + y^2)
        (B::Atan2, _) => {
            let (x2, y2) = (e.mul(x, x)?, e.mul(y, y)?);
            let r2 = e.add(x2, y2)?;
            let side = if which == 0 { y } else { e.neg(x)? };
            let d = e.div(side, r2)?;
            e.mul(t, d)?
        }
        (B::Maximum | B::Minimum, _) => extreme(e, op, which, (x, y), z, t)?,
        // y x^(y-1), and 0 where y = 0
        (B::Power, 0) => {
            let zero = e.zeros_like(y)?;
            let one = e.full_like(y, 1.0)?;
            let flat = e.compare(CompareDirection::EQ, y, zero)?;
            let safe = e.select(flat, one, y)?;
            let less = e.sub(safe, one)?;
            let p = e.binary(B::Power, x, less)?;
            let d = e.mul(y, p)?;
            e.mul(t, d)?
        }
        // log(x) z, and 0 where x = 0
        (B::Power, _) => {
            let zero = e.zeros_like(x)?;
            let one = e.full_like(x, 1.0)?;
            let at_zero = e.compare(CompareDirection::EQ, x, zero)?;
            let safe = e.select(at_zero, one, x)?;
            let l = e.unary(UnaryOp::Log, safe)?;
            let d = e.mul(l, z)?;
            e.mul(t, d)?
        }
        (B::Remainder, 0) => t,
        // -trunc(x / y)
        (B::Remainder, _) => {
            let q = e.div(x, y)?;
            let size = e.unary(UnaryOp::Abs, q)?;
            let whole = e.unary(UnaryOp::Floor, size)?;
            let sign = e.unary(UnaryOp::Sign, q)?;
            let trunc = e.mul(sign, whole)?;
            let tt = e.mul(t, trunc)?;
            e.neg(tt)?
        }
        (B::And | B::Or | B::Xor, _) => return Ok(None),
        (B::ShiftLeft | B::ShiftRightArithmetic | B::ShiftRightLogical, _) => return Ok(None),
    };
    Ok(Some(value))
}

/// Maximum and minimum. Ties share equally; against a literal the tie counts for the literal (as `relu` wants it), and the
/// mask is read off the result, so that the operand need not be kept.
fn extreme(e: &mut Emit, op: BinaryOp, which: usize, (x, y): (Value, Value), z: Value, t: Value) -> Res {
    let (own, other) = if which == 0 { (x, y) } else { (y, x) };
    let beyond = if op == BinaryOp::Maximum { CompareDirection::GT } else { CompareDirection::LT };
    if is_literal(e.f, other) {
        let mask = e.compare(beyond, z, other)?;
        return e.keep(mask, t);
    }
    let wins = e.compare(beyond, own, other)?;
    let ties = e.compare(CompareDirection::EQ, own, other)?;
    let half = e.times(t, 0.5)?;
    let shared = e.keep(ties, half)?;
    e.select(wins, t, shared)
}

/// True for a literal, also one that was broadcast or converted.
pub(crate) fn is_literal(f: &Func, v: Value) -> bool {
    let node = f.node(v.node);
    match &node.op {
        Op::Constant(_) => true,
        Op::BroadcastInDim { .. } | Op::Reshape(_) | Op::Convert(_) => is_literal(f, node.operands[0]),
        _ => false,
    }
}

/// The part of `t` that flows to operand `which` of `clamp(min, x, max)`, of the result's shape.
pub(crate) fn clamp(e: &mut Emit, which: usize, operands: &[Value], t: Value) -> Res {
    let x = operands[1];
    let low = e.spread_like(operands[0], x)?;
    let high = e.spread_like(operands[2], x)?;
    let mask = match which {
        0 => {
            // The lower bound shows where it exceeds x and does not exceed the upper bound.
            let above = e.compare(CompareDirection::GT, low, x)?;
            let shown = e.compare(CompareDirection::LT, low, high)?;
            e.binary(BinaryOp::And, above, shown)?
        }
        1 => {
            let above = e.compare(CompareDirection::GT, x, low)?;
            let below = e.compare(CompareDirection::LT, x, high)?;
            e.binary(BinaryOp::And, above, below)?
        }
        _ => {
            let raised = e.binary(BinaryOp::Maximum, x, low)?;
            e.compare(CompareDirection::LT, high, raised)?
        }
    };
    e.keep(mask, t)
}
