//! Evaluation of the basic scalar operators on bit patterns (see [`crate::math`] for the basic set).
//!
//! A value is the zero-extended bit pattern of its dtype, as in [`Const::bits`](crate::Const).

use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use std::fmt;

/// Keeps the low bits that a dtype has.
pub fn truncate(dtype: DType, bits: u64) -> u64 {
    match dtype {
        DType::Bool => bits & 1,
        t if t.size() == 8 => bits,
        t => bits & ((1 << t.bits()) - 1),
    }
}

fn f32_of(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn of_f32(v: f32) -> u64 {
    u64::from(v.to_bits())
}

macro_rules! float_min_max {
    ($max:ident, $min:ident, $t:ty) => {
        fn $max(a: $t, b: $t) -> $t {
            if a.is_nan() || b.is_nan() {
                <$t>::NAN
            } else if a == b {
                if a.is_sign_negative() { b } else { a }
            } else if a > b {
                a
            } else {
                b
            }
        }
        fn $min(a: $t, b: $t) -> $t {
            if a.is_nan() || b.is_nan() {
                <$t>::NAN
            } else if a == b {
                if a.is_sign_negative() { a } else { b }
            } else if a < b {
                a
            } else {
                b
            }
        }
    };
}
float_min_max!(max32, min32, f32);
float_min_max!(max64, min64, f64);

/// Why an operator cannot be evaluated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorError {
    /// It is not basic on this type (see [`crate::math`]).
    NotBasic(&'static str, DType),
    /// The operands of this type are such that a machine may trap, or give anything.
    Traps(&'static str, [i128; 2], DType, &'static str),
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperatorError::NotBasic(op, t) => write!(f, "{op} on {t} is not a basic operator"),
            OperatorError::Traps(op, [a, b], t, what) => write!(f, "{op} of {a} and {b} ({t}) {what}"),
        }
    }
}
impl std::error::Error for OperatorError {}

/// `op(x)` for a basic operator.
///
/// # Errors
/// [`OperatorError::NotBasic`].
pub fn unary(op: UnaryOp, t: DType, x: u64) -> Result<u64, OperatorError> {
    let refuse = || Err(OperatorError::NotBasic(op.name(), t));
    if t == DType::Bool {
        return if op == UnaryOp::Not { Ok(x ^ 1) } else { refuse() };
    }
    if t.is_int() {
        let v = t.decode_int(x);
        let r = match op {
            UnaryOp::Abs => v.abs(),
            UnaryOp::Negate => -v,
            UnaryOp::Not => !v,
            UnaryOp::Popcnt => i128::from(x.count_ones()),
            UnaryOp::CountLeadingZeros => i128::from(x.leading_zeros() - (64 - t.bits())),
            _ => return refuse(),
        };
        return Ok(truncate(t, r as u64));
    }
    match t {
        DType::F32 => {
            let v = f32_of(x);
            Ok(of_f32(match op {
                UnaryOp::Abs => v.abs(),
                UnaryOp::Negate => -v,
                UnaryOp::Sqrt => v.sqrt(),
                UnaryOp::Floor => v.floor(),
                UnaryOp::Ceil => v.ceil(),
                UnaryOp::RoundNearestEven => v.round_ties_even(),
                _ => return refuse(),
            }))
        }
        DType::F64 => {
            let v = f64::from_bits(x);
            Ok(match op {
                UnaryOp::Abs => v.abs(),
                UnaryOp::Negate => -v,
                UnaryOp::Sqrt => v.sqrt(),
                UnaryOp::Floor => v.floor(),
                UnaryOp::Ceil => v.ceil(),
                UnaryOp::RoundNearestEven => v.round_ties_even(),
                _ => return refuse(),
            }
            .to_bits())
        }
        _ => refuse(),
    }
}

fn int_binary(op: BinaryOp, t: DType, x: u64, y: u64) -> Result<u64, OperatorError> {
    let (a, b) = (t.decode_int(x), t.decode_int(y));
    let trap = |what| Err(OperatorError::Traps(op.name(), [a, b], t, what));
    let overflows = t.is_signed_int() && b == -1 && a == -(1i128 << (t.bits() - 1));
    let r = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Subtract => a - b,
        BinaryOp::Multiply => a.wrapping_mul(b),
        BinaryOp::Maximum => a.max(b),
        BinaryOp::Minimum => a.min(b),
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Divide | BinaryOp::Remainder if b == 0 => return trap("divides by zero"),
        BinaryOp::Divide | BinaryOp::Remainder if overflows => return trap("overflows"),
        BinaryOp::Divide => a / b,
        BinaryOp::Remainder => a % b,
        BinaryOp::ShiftLeft | BinaryOp::ShiftRightArithmetic | BinaryOp::ShiftRightLogical
            if y >= u64::from(t.bits()) =>
        {
            return trap("shifts by the width or more");
        }
        BinaryOp::ShiftLeft => a << b,
        BinaryOp::ShiftRightLogical => i128::from(x >> y),
        BinaryOp::ShiftRightArithmetic => {
            let sign = 64 - t.bits();
            i128::from(((x << sign) as i64 >> sign) >> y)
        }
        BinaryOp::Power | BinaryOp::Atan2 => return Err(OperatorError::NotBasic(op.name(), t)),
    };
    Ok(truncate(t, r as u64))
}

/// `op(x, y)` for a basic operator.
///
/// # Errors
/// The operator is not basic on the type, a division would trap, or a shift is out of range.
pub fn binary(op: BinaryOp, t: DType, x: u64, y: u64) -> Result<u64, OperatorError> {
    let refuse = || Err(OperatorError::NotBasic(op.name(), t));
    match t {
        DType::Bool => Ok(match op {
            BinaryOp::And => x & y,
            BinaryOp::Or => x | y,
            BinaryOp::Xor => x ^ y,
            _ => return refuse(),
        }),
        DType::F32 => {
            let (a, b) = (f32_of(x), f32_of(y));
            Ok(of_f32(match op {
                BinaryOp::Add => a + b,
                BinaryOp::Subtract => a - b,
                BinaryOp::Multiply => a * b,
                BinaryOp::Divide => a / b,
                BinaryOp::Maximum => max32(a, b),
                BinaryOp::Minimum => min32(a, b),
                _ => return refuse(),
            }))
        }
        DType::F64 => {
            let (a, b) = (f64::from_bits(x), f64::from_bits(y));
            Ok(match op {
                BinaryOp::Add => a + b,
                BinaryOp::Subtract => a - b,
                BinaryOp::Multiply => a * b,
                BinaryOp::Divide => a / b,
                BinaryOp::Maximum => max64(a, b),
                BinaryOp::Minimum => min64(a, b),
                _ => return refuse(),
            }
            .to_bits())
        }
        DType::F16 | DType::BF16 => refuse(),
        _ => int_binary(op, t, x, y),
    }
}

/// `x ? y`: IEEE for floats, by value for ints, false < true for bool.
pub fn compare(direction: CompareDirection, t: DType, x: u64, y: u64) -> bool {
    fn decide<T: PartialOrd>(d: CompareDirection, a: T, b: T) -> bool {
        match d {
            CompareDirection::EQ => a == b,
            CompareDirection::NE => a != b,
            CompareDirection::GE => a >= b,
            CompareDirection::GT => a > b,
            CompareDirection::LE => a <= b,
            CompareDirection::LT => a < b,
        }
    }
    if t.is_float() {
        decide(direction, t.decode(x), t.decode(y))
    } else {
        decide(direction, t.decode_int(x), t.decode_int(y))
    }
}

/// Value conversion: ints wrap, floats round to nearest even, float to int truncates and saturates with NaN to 0, bool is
/// 0 or 1, and a number is true unless it is zero.
pub fn convert(to: DType, from: DType, x: u64) -> u64 {
    if from.is_float() {
        let v = from.decode(x);
        return match to {
            DType::F32 if from == DType::F32 => x,
            to => truncate(to, to.encode(v)),
        };
    }
    let v = from.decode_int(x);
    match to {
        DType::F32 => of_f32(v as f32),
        DType::F64 => (v as f64).to_bits(),
        DType::F16 => u64::from(half::f16::from_f32(v as f32).to_bits()),
        DType::BF16 => u64::from(half::bf16::from_f32(v as f32).to_bits()),
        DType::Bool => u64::from(v != 0),
        t => truncate(t, v as u64),
    }
}

/// `x * y + z` on f32 or f64, rounded once when `fused`.
pub fn fma(t: DType, x: u64, y: u64, z: u64, fused: bool) -> u64 {
    if t == DType::F32 {
        let (a, b, c) = (f32_of(x), f32_of(y), f32_of(z));
        of_f32(if fused { a.mul_add(b, c) } else { a * b + c })
    } else {
        let (a, b, c) = (f64::from_bits(x), f64::from_bits(y), f64::from_bits(z));
        (if fused { a.mul_add(b, c) } else { a * b + c }).to_bits()
    }
}
