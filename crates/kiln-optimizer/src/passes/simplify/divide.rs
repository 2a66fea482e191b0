//! Divisions, remainders and powers.

use crate::lit::Lit;
use crate::options::Level;
use crate::rewrite::{Rewriter, numel};
use kiln_ir::{BinaryOp, DType, Op, TensorType, UnaryOp, Value};

/// The reciprocal, if it is exact: of powers of two whose reciprocal is a normal number of the type.
fn exact_reciprocal(c: f64, dtype: DType) -> Option<f64> {
    let (low, high) = match dtype {
        DType::F16 => (-14, 14),
        DType::BF16 | DType::F32 => (-126, 126),
        DType::F64 => (-1022, 1022),
        _ => return None,
    };
    let exponent = (c.to_bits() >> 52 & 0x7ff) as i64 - 1023;
    let power_of_two = c.to_bits() & ((1 << 52) - 1) == 0;
    (power_of_two && (low..=high).contains(&exponent)).then_some(1.0 / c)
}

/// The exponent of a positive power of two.
fn log2(n: i128) -> Option<u32> {
    (n > 0 && n & (n - 1) == 0).then(|| n.trailing_zeros())
}

/// Division by constants, by square roots, by broadcasts.
pub fn divide(rw: &mut Rewriter, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    match rw.lit(b) {
        Some(c) if c.is_one() => None,
        Some(Lit::Int(n)) if ty.dtype.is_unsigned_int() => {
            let shift = log2(n)?;
            if !rw.fire("division by a power of two", Level::Exact) {
                return None;
            }
            let s = rw.splat(ty, Lit::Int(shift.into()))?;
            rw.push(Op::Binary(BinaryOp::ShiftRightLogical), &[a, s])
        }
        Some(Lit::Float(c)) => {
            let (reciprocal, rule, level) = match exact_reciprocal(c, ty.dtype) {
                Some(r) => (r, "division by a power of two", Level::Exact),
                None if c.is_finite() && c != 0.0 && (1.0 / c).abs() < 1e30 && c.abs() < 1e30 => {
                    (1.0 / c, "division by a constant", Level::Contract)
                }
                None => return None,
            };
            // A reciprocal outside of the normal range of f16 would lose digits.
            if level != Level::Exact && ty.dtype == DType::F16 && !(6.2e-5..6.0e4).contains(&reciprocal.abs()) {
                return None;
            }
            if !rw.fire(rule, level) {
                return None;
            }
            let r = rw.splat(ty, Lit::Float(reciprocal))?;
            rw.push(Op::Binary(BinaryOp::Multiply), &[a, r])
        }
        Some(Lit::Int(_) | Lit::Bool(_)) => None,
        None if ty.dtype.is_float() => divide_by_computed(rw, a, b, ty),
        None => None,
    }
}

fn divide_by_computed(rw: &mut Rewriter, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    let one_over = rw.lit(a).is_some_and(Lit::is_one);
    match rw.op(b) {
        (Op::Unary(UnaryOp::Sqrt), &[y]) if rw.single_use(b) => {
            if !rw.fire("division by a square root", Level::Contract) {
                return None;
            }
            let r = rw.push(Op::Unary(UnaryOp::Rsqrt), &[y])?;
            if one_over { Some(r) } else { rw.push(Op::Binary(BinaryOp::Multiply), &[a, r]) }
        }
        // One division per element of the small side.
        (Op::BroadcastInDim { shape, dims }, &[y]) if numel(rw.ty(y)) < numel(ty) && !one_over => {
            let op = Op::BroadcastInDim { shape: shape.clone(), dims: dims.clone() };
            if !rw.fire("division by a broadcast", Level::Contract) {
                return None;
            }
            let small = rw.ty(y).clone();
            let one = rw.splat(&small, Lit::Float(1.0))?;
            let r = rw.push(Op::Binary(BinaryOp::Divide), &[one, y])?;
            let r = rw.push(op, &[r])?;
            rw.push(Op::Binary(BinaryOp::Multiply), &[a, r])
        }
        _ => None,
    }
}

/// Remainders by powers of two of unsigned integers, and by one.
pub fn remainder(rw: &mut Rewriter, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    let Some(Lit::Int(n)) = rw.lit(b) else { return None };
    if n == 1 {
        return if rw.fire("remainder by 1", Level::Exact) { rw.splat(ty, Lit::Int(0)) } else { None };
    }
    if !ty.dtype.is_unsigned_int() || log2(n).is_none() || !rw.fire("remainder by a power of two", Level::Exact) {
        return None;
    }
    let mask = rw.splat(ty, Lit::Int(n - 1))?;
    rw.push(Op::Binary(BinaryOp::And), &[a, mask])
}

/// Powers with small constant exponents. `power` promises a few ULP; one multiplication or division is better than that.
pub fn power(rw: &mut Rewriter, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    let float = ty.dtype.is_float();
    let n = match rw.lit(b)? {
        Lit::Float(x) => x,
        Lit::Int(n) => i32::try_from(n).ok()?.into(),
        Lit::Bool(_) => return None,
    };
    let multiply = Op::Binary(BinaryOp::Multiply);
    if n == 0.0 {
        return if rw.fire("power 0", Level::Exact) { rw.splat(ty, Lit::whole(ty.dtype, 1)) } else { None };
    } else if n == 1.0 {
        return rw.exact("power 1", a);
    } else if n == 2.0 {
        return if rw.fire("power 2", Level::Exact) { rw.push(multiply, &[a, a]) } else { None };
    } else if n == 3.0 || n == 4.0 {
        let level = if float { Level::Contract } else { Level::Exact };
        if !rw.fire("power 3 or 4", level) {
            return None;
        }
        let square = rw.push(multiply.clone(), &[a, a])?;
        return rw.push(multiply, &[square, if n == 3.0 { a } else { square }]);
    } else if n == -1.0 && float {
        if !rw.fire("power -1", Level::Exact) {
            return None;
        }
        let one = rw.splat(ty, Lit::Float(1.0))?;
        return rw.push(Op::Binary(BinaryOp::Divide), &[one, a]);
    }
    // Right but for -0 and minus infinity, where power gives 0 and infinity.
    let root = if n == 0.5 {
        UnaryOp::Sqrt
    } else if n == -0.5 {
        UnaryOp::Rsqrt
    } else {
        return None;
    };
    if rw.fire("power 1/2", Level::Fast) { rw.push(Op::Unary(root), &[a]) } else { None }
}
