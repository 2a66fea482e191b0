//! Integers and bool: shifts and divisions made total, integer power, sign, logic.

use super::seq::Seq;
use crate::ir::Var;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, UnaryOp};

/// Unary operators on ints and bool; `None` when basic.
pub(super) fn unary(s: &mut Seq<'_>, op: UnaryOp, x: Var) -> Option<Var> {
    let t = s.dtype(x);
    match op {
        UnaryOp::Abs if t.is_unsigned_int() => Some(x),
        UnaryOp::Sign => {
            let (zero, one) = (s.bits(t, 0), s.bits(t, 1));
            let minus = if t.is_signed_int() {
                let m = s.c(t, -1.0);
                let negative = s.lt(x, zero);
                s.select(negative, m, zero)
            } else {
                zero
            };
            let positive = s.lt(zero, x);
            Some(s.select(positive, one, minus))
        }
        _ => None,
    }
}

/// Bool has no arithmetic: add and maximum are or, multiply and minimum are and.
pub(super) fn bool_binary(s: &mut Seq<'_>, op: BinaryOp, x: Var, y: Var) -> Option<Var> {
    match op {
        BinaryOp::Add | BinaryOp::Maximum => Some(s.or(x, y)),
        BinaryOp::Multiply | BinaryOp::Minimum => Some(s.and(x, y)),
        _ => None,
    }
}

/// Comparison of bools, false < true.
pub(super) fn compare_bool(s: &mut Seq<'_>, d: CompareDirection, x: Var, y: Var) -> Var {
    match d {
        CompareDirection::NE => s.xor(x, y),
        CompareDirection::EQ => {
            let r = s.xor(x, y);
            s.not(r)
        }
        CompareDirection::GT => {
            let n = s.not(y);
            s.and(x, n)
        }
        CompareDirection::LT => {
            let n = s.not(x);
            s.and(n, y)
        }
        CompareDirection::GE => {
            let n = s.not(y);
            s.or(x, n)
        }
        CompareDirection::LE => {
            let n = s.not(x);
            s.or(n, y)
        }
    }
}

/// Binary operators on ints; `None` when basic.
pub(super) fn binary(s: &mut Seq<'_>, op: BinaryOp, x: Var, y: Var) -> Option<Var> {
    match op {
        BinaryOp::ShiftLeft | BinaryOp::ShiftRightLogical | BinaryOp::ShiftRightArithmetic => shift(s, op, x, y),
        BinaryOp::Divide | BinaryOp::Remainder => divide(s, op, x, y),
        BinaryOp::Power => Some(power(s, x, y)),
        _ => None,
    }
}

/// Amounts of the width or more (taken as unsigned) give 0, or the sign for the arithmetic shift.
fn shift(s: &mut Seq<'_>, op: BinaryOp, x: Var, y: Var) -> Option<Var> {
    let t = s.dtype(x);
    let width = u64::from(t.bits());
    if s.known.get(&y).is_some_and(|c| c.bits < width) {
        return None;
    }
    let last = s.bits(t, width - 1);
    let masked = s.and(y, last);
    let inside = s.eq(masked, y);
    if op == BinaryOp::ShiftRightArithmetic {
        let amount = s.select(inside, y, last);
        return Some(s.binary(op, x, amount));
    }
    let shifted = s.binary(op, x, masked);
    let zero = s.bits(t, 0);
    Some(s.select(inside, shifted, zero))
}

/// `x / 0` is all ones, `x % 0` is `x`; the least value over -1 is itself with remainder 0.
fn divide(s: &mut Seq<'_>, op: BinaryOp, x: Var, y: Var) -> Option<Var> {
    let t = s.dtype(x);
    let ones = u64::MAX >> (64 - t.bits());
    if s.known.get(&y).is_some_and(|c| c.bits != 0 && (c.bits != ones || t.is_unsigned_int())) {
        return None;
    }
    let (zero, one, minus) = (s.bits(t, 0), s.bits(t, 1), s.bits(t, ones));
    let by_zero = s.eq(y, zero);
    let mut bad = by_zero;
    if t.is_signed_int() {
        let least = s.bits(t, 1 << (t.bits() - 1));
        let a = s.eq(x, least);
        let b = s.eq(y, minus);
        let overflow = s.and(a, b);
        bad = s.or(bad, overflow);
    }
    let divisor = s.select(bad, one, y);
    let r = s.binary(op, x, divisor);
    let at_zero = if op == BinaryOp::Divide { minus } else { x };
    Some(s.select(by_zero, at_zero, r))
}

/// Square and multiply over all bits of the exponent. A negative exponent gives `1 / x^n` in integer division: 0 unless the
/// base is 1, -1, or 0 (where the division by zero gives all ones).
fn power(s: &mut Seq<'_>, x: Var, y: Var) -> Var {
    let t = s.dtype(x);
    let (zero, one) = (s.bits(t, 0), s.bits(t, 1));
    let bits = if t.is_signed_int() { t.bits() - 1 } else { t.bits() };
    let (mut base, mut result) = (x, one);
    for i in 0..bits {
        let mask = s.bits(t, 1 << i);
        let bit = s.and(y, mask);
        let set = s.ne(bit, zero);
        let product = s.mul(result, base);
        result = s.select(set, product, result);
        if i + 1 < bits {
            base = s.mul(base, base);
        }
    }
    if !t.is_signed_int() {
        return result;
    }
    let minus = s.bits(t, u64::MAX >> (64 - t.bits()));
    let low = s.and(y, one);
    let odd = s.ne(low, zero);
    let of_minus_one = s.select(odd, minus, one);
    let is_minus_one = s.eq(x, minus);
    let is_one = s.eq(x, one);
    let is_zero = s.eq(x, zero);
    let r = s.select(is_zero, minus, zero);
    let r = s.select(is_one, one, r);
    let inverse = s.select(is_minus_one, of_minus_one, r);
    let negative = s.lt(y, zero);
    s.select(negative, inverse, result)
}
