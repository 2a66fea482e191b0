//! Canonical forms of elementwise operators.

use super::{flipped, negated, not_operand};
use crate::lit::{Lit, exact_int_limit};
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::op::CompareDirection;
use kiln_ir::{DType, Op, TensorType, UnaryOp, Value};

/// `not` of a comparison is the opposite comparison.
pub fn unary(rw: &mut Rewriter, op: UnaryOp, x: Value) -> Option<Value> {
    if op != UnaryOp::Not {
        return None;
    }
    let (&Op::Compare(d), &[a, b]) = rw.op(x) else { return None };
    let d = negated(d, rw.dtype(a).is_float())?;
    if rw.fire("not of compare", Level::Exact) { rw.push(Op::Compare(d), &[a, b]) } else { None }
}

/// Constants to the right; comparisons that only test a bool become the bool.
pub fn compare(rw: &mut Rewriter, d: CompareDirection, a: Value, b: Value) -> Option<Value> {
    if rw.is_constant_like(a) && !rw.is_constant_like(b) {
        let swap = rw.fire("compare constant to the right", Level::Exact);
        return if swap { rw.push(Op::Compare(flipped(d)), &[b, a]) } else { None };
    }
    let lit = rw.lit(b)?;
    let flag = match rw.op(a) {
        // A bool converted to a number is 0 or 1.
        (Op::Convert(_), &[x]) if rw.dtype(x) == DType::Bool => x,
        _ if rw.dtype(a) == DType::Bool => a,
        _ => return None,
    };
    let equal = match d {
        CompareDirection::EQ => true,
        CompareDirection::NE => false,
        _ => return None,
    };
    let to_true = if lit.is_one() {
        equal
    } else if lit.is_zero() {
        !equal
    } else {
        return None;
    };
    match (rw.fire("compare of bool", Level::Exact), to_true) {
        (false, _) => None,
        (true, true) => Some(flag),
        (true, false) => rw.push(Op::Unary(UnaryOp::Not), &[flag]),
    }
}

/// No `not` in the predicate; a choice between true and false is the predicate.
pub fn select(rw: &mut Rewriter, p: Value, a: Value, b: Value) -> Option<Value> {
    if let Some(q) = not_operand(rw, p) {
        return if rw.fire("select of not", Level::Exact) { rw.push(Op::Select, &[q, b, a]) } else { None };
    }
    let (Lit::Bool(on_true), Lit::Bool(on_false)) = (rw.lit(a)?, rw.lit(b)?) else { return None };
    if on_true == on_false || !rw.fire("select of bools", Level::Exact) {
        return None;
    }
    let shape = rw.ty(a).shape.clone();
    let p = if rw.ty(p).shape == shape { p } else { rw.broadcast_scalar(p, &shape)? };
    if on_true { Some(p) } else { rw.push(Op::Unary(UnaryOp::Not), &[p]) }
}

/// Whether every value of `from` is a value of `to` (so that converting there loses nothing).
fn keeps_values(from: DType, to: DType) -> bool {
    if from == to {
        return true;
    }
    if from == DType::Bool {
        return true;
    }
    if to == DType::Bool {
        return false;
    }
    match (from.is_float(), to.is_float()) {
        (true, false) => false,
        (true, true) => from.compute_type() == DType::F32 && from != DType::F32 && to.size() > 2 || to == DType::F64,
        (false, true) => {
            exact_int_limit(to).is_some_and(|limit| limit >= 1 << (from.bits() - u32::from(from.is_signed_int())))
        }
        (false, false) => {
            let widened = to.bits() > from.bits();
            widened && (from.is_unsigned_int() || to.is_signed_int())
        }
    }
}

/// Conversions to the same type go; a detour over a type that loses nothing goes.
pub fn convert(rw: &mut Rewriter, x: Value, ty: &TensorType) -> Option<Value> {
    let to = ty.dtype;
    if rw.dtype(x) == to {
        return rw.exact("convert to the same type", x);
    }
    match rw.op(x) {
        (&Op::Convert(between), &[y]) => {
            let from = rw.dtype(y);
            // The detour must be exact, and the last step must treat the value as the direct way would: integers wrap
            // and floats saturate, so an integer that went over a float must fit where it lands.
            let same_way =
                from == DType::Bool || from.is_float() == between.is_float() || to.is_float() || keeps_values(from, to);
            if !keeps_values(from, between) || !same_way || !rw.fire("convert of convert", Level::Exact) {
                return None;
            }
            if from == to { Some(y) } else { rw.push(Op::Convert(to), &[y]) }
        }
        (Op::Iota { ty: counts, dim }, _) => {
            let n = i128::from(counts.shape[*dim].as_const()?);
            let fits = |d: DType| d != DType::Bool && exact_int_limit(d).is_some_and(|limit| n - 1 <= limit);
            let op = Op::Iota { ty: counts.with_dtype(to), dim: *dim };
            if !fits(counts.dtype) || !fits(to) || !rw.fire("convert of iota", Level::Exact) {
                return None;
            }
            rw.push(op, &[])
        }
        _ => None,
    }
}
