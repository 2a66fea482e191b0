//! Binary operators with identities, with equal operands, with negated operands.

use super::unary::negated;
use crate::lit::{Lit, identity, int_range};
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::op::Reducer;
use kiln_ir::{BinaryOp, DType, Op, TensorType, UnaryOp, Value};

/// The reduction that folds with this operator.
pub fn reducer_of(op: BinaryOp) -> Option<Reducer> {
    Reducer::ALL.into_iter().find(|r| r.binary() == op)
}

/// `x + 0`, `x * 1`, `x and true` and so on; canonicalization put the constant to the right.
pub fn identities(rw: &mut Rewriter, op: BinaryOp, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    let dtype = ty.dtype;
    let float = dtype.is_float();
    let c = rw.lit(b)?;
    if let Some(r) = reducer_of(op) {
        if identity(r, dtype).is_some_and(|id| id.same(c)) {
            return rw.exact("identity", a);
        }
        if op == BinaryOp::Add && float && c.is_zero() && rw.fire("x + 0", Level::Contract) {
            return Some(a);
        }
        if absorbs(op, dtype, c) {
            return rw.exact("absorbing constant", b);
        }
    }
    match op {
        BinaryOp::Multiply if float && c.is_zero() && rw.fire("x * 0", Level::Fast) => Some(b),
        BinaryOp::Multiply if c == Lit::whole(dtype, -1) && dtype != DType::Bool && !dtype.is_unsigned_int() => {
            if rw.fire("x * -1", Level::Exact) { rw.push(Op::Unary(UnaryOp::Negate), &[a]) } else { None }
        }
        BinaryOp::Subtract if c.is_zero() && c.same(Lit::whole(dtype, 0)) => rw.exact("x - 0", a),
        // x - c is x + (-c) to the bit; sums have more rules.
        BinaryOp::Subtract if float || dtype.is_signed_int() => {
            let minus = negated(c)?;
            if !rw.fire("subtraction of a constant", Level::Exact) {
                return None;
            }
            let c = rw.splat(ty, minus)?;
            rw.push(Op::Binary(BinaryOp::Add), &[a, c])
        }
        BinaryOp::Divide if c.is_one() => rw.exact("x / 1", a),
        BinaryOp::ShiftLeft | BinaryOp::ShiftRightArithmetic | BinaryOp::ShiftRightLogical if c.is_zero() => {
            rw.exact("shift by 0", a)
        }
        BinaryOp::ShiftLeft | BinaryOp::ShiftRightLogical => match c {
            Lit::Int(n) if !(0..i128::from(dtype.bits())).contains(&n) => {
                if rw.fire("shift by the width", Level::Exact) { rw.splat(ty, Lit::Int(0)) } else { None }
            }
            _ => None,
        },
        BinaryOp::Xor if c == Lit::Bool(true) || (c == all_ones(dtype) && dtype != DType::Bool) => {
            if rw.fire("xor with ones", Level::Exact) { rw.push(Op::Unary(UnaryOp::Not), &[a]) } else { None }
        }
        _ => None,
    }
}

fn all_ones(dtype: DType) -> Lit {
    match int_range(dtype) {
        Some((0, high)) => Lit::Int(high),
        Some(_) => Lit::Int(-1),
        None => Lit::Bool(true),
    }
}

/// Whether `x op c` is `c` for every `x`. Not for floats: NaN is stronger.
fn absorbs(op: BinaryOp, dtype: DType, c: Lit) -> bool {
    if dtype.is_float() {
        return false;
    }
    let (low, high) = match int_range(dtype) {
        Some((low, high)) => (Lit::Int(low), Lit::Int(high)),
        None => (Lit::Bool(false), Lit::Bool(true)),
    };
    match op {
        BinaryOp::Multiply | BinaryOp::And => c.is_zero(),
        BinaryOp::Or => c == all_ones(dtype),
        BinaryOp::Maximum => c == high,
        BinaryOp::Minimum => c == low,
        BinaryOp::Add if dtype == DType::Bool => c.is_one(),
        _ => false,
    }
}

/// `x op x`, and `x and not x`.
pub fn same_operands(rw: &mut Rewriter, op: BinaryOp, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    let float = ty.dtype.is_float();
    if a != b {
        return complement(rw, op, a, b, ty);
    }
    match op {
        BinaryOp::Maximum | BinaryOp::Minimum | BinaryOp::And | BinaryOp::Or => rw.exact("x op x", a),
        BinaryOp::Xor => {
            if rw.fire("x xor x", Level::Exact) {
                rw.splat(ty, Lit::whole(ty.dtype, 0))
            } else {
                None
            }
        }
        BinaryOp::Subtract => {
            let level = if float { Level::Fast } else { Level::Exact };
            if rw.fire("x - x", level) { rw.splat(ty, Lit::whole(ty.dtype, 0)) } else { None }
        }
        BinaryOp::Divide if float => {
            if rw.fire("x / x", Level::Fast) {
                rw.splat(ty, Lit::Float(1.0))
            } else {
                None
            }
        }
        _ => None,
    }
}

fn complement(rw: &mut Rewriter, op: BinaryOp, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    let is_not = |x: Value, y: Value| matches!(rw.op(x), (Op::Unary(UnaryOp::Not), &[z]) if z == y);
    if !is_not(a, b) && !is_not(b, a) {
        return None;
    }
    let value = match op {
        BinaryOp::And => Lit::whole(ty.dtype, 0),
        BinaryOp::Or | BinaryOp::Xor => all_ones(ty.dtype),
        _ => return None,
    };
    if rw.fire("x op not x", Level::Exact) { rw.splat(ty, value) } else { None }
}

/// Negated operands of sums, differences and products.
pub fn negations(rw: &mut Rewriter, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
    let minus = |v: Value| match rw.op(v) {
        (Op::Unary(UnaryOp::Negate), &[x]) => Some(x),
        _ => None,
    };
    let float = rw.dtype(a).is_float();
    let (op, x, y) = match (op, minus(a), minus(b)) {
        (BinaryOp::Add, _, Some(y)) => (BinaryOp::Subtract, a, y),
        (BinaryOp::Add, Some(x), None) => (BinaryOp::Subtract, b, x),
        (BinaryOp::Subtract, _, Some(y)) => (BinaryOp::Add, a, y),
        (BinaryOp::Multiply, Some(x), Some(y)) => (op, x, y),
        (BinaryOp::Divide, Some(x), Some(y)) if float => (op, x, y),
        (BinaryOp::Multiply, Some(x), None) => {
            let c = rw.lit(b).and_then(negated)?;
            if !rw.fire("product of a negation", Level::Exact) {
                return None;
            }
            let ty = rw.ty(a).clone();
            let c = rw.splat(&ty, c)?;
            return rw.push(Op::Binary(op), &[x, c]);
        }
        _ => return None,
    };
    if rw.fire("negated operand", Level::Exact) { rw.push(Op::Binary(op), &[x, y]) } else { None }
}
