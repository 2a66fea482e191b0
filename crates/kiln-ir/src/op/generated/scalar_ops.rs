//! Elementwise operators and what is known of them. Derived from `graph-spec/ops.toml`.

use crate::dtype::{DType, DTypeSet};
use crate::op::SpecialElement;
use serde::{Deserialize, Serialize};

/// Elementwise operators of one operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum UnaryOp {
    /// `abs`: Absolute value. The smallest signed integer has no positive counterpart and stays as it is; NaN stays NaN.
    Abs,
    /// `cbrt`: Cube root.
    Cbrt,
    /// `ceil`: Smallest integer not below x.
    Ceil,
    /// `cosine`: Cosine of x in radians; NaN for infinities.
    Cosine,
    /// `count_leading_zeros`: Number of zero bits before the first one bit; the width for 0.
    CountLeadingZeros,
    /// `erf`: Error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
    Erf,
    /// `exponential`: e to the power of x; infinity on overflow, 0 for -infinity.
    Exponential,
    /// `exponential_minus_one`: e to the power of x, minus 1, accurate near 0.
    ExponentialMinusOne,
    /// `floor`: Largest integer not above x.
    Floor,
    /// `is_finite`: True unless x is an infinity or NaN.
    IsFinite,
    /// `log`: Natural logarithm; -infinity for 0, NaN below 0.
    Log,
    /// `log_plus_one`: Natural logarithm of 1 + x, accurate near 0; -infinity for -1, NaN below.
    LogPlusOne,
    /// `logistic`: The sigmoid, 1 / (1 + exp(-x)).
    Logistic,
    /// `negate`: -x. Integers wrap: the smallest signed integer stays as it is, unsigned x becomes 2^width - x.
    Negate,
    /// `not`: Complement of every bit; logical not on bool.
    Not,
    /// `popcnt`: Number of one bits.
    Popcnt,
    /// `round_nearest_afz`: Nearest integer, halves away from zero.
    RoundNearestAfz,
    /// `round_nearest_even`: Nearest integer, halves to the even one.
    RoundNearestEven,
    /// `rsqrt`: 1 / sqrt(x); infinity for 0 (of the sign of the zero), NaN below 0.
    Rsqrt,
    /// `sign`: -1, 0 or 1 as x is negative, zero or positive; -0 and NaN stay as they are.
    Sign,
    /// `sine`: Sine of x in radians; NaN for infinities.
    Sine,
    /// `sqrt`: Square root, correctly rounded; NaN below 0, -0 stays.
    Sqrt,
    /// `tan`: Tangent of x in radians; NaN for infinities.
    Tan,
    /// `tanh`: Hyperbolic tangent.
    Tanh,
}

impl UnaryOp {
    /// Every operator, in declaration order.
    pub const ALL: &'static [UnaryOp] = &[
        UnaryOp::Abs,
        UnaryOp::Cbrt,
        UnaryOp::Ceil,
        UnaryOp::Cosine,
        UnaryOp::CountLeadingZeros,
        UnaryOp::Erf,
        UnaryOp::Exponential,
        UnaryOp::ExponentialMinusOne,
        UnaryOp::Floor,
        UnaryOp::IsFinite,
        UnaryOp::Log,
        UnaryOp::LogPlusOne,
        UnaryOp::Logistic,
        UnaryOp::Negate,
        UnaryOp::Not,
        UnaryOp::Popcnt,
        UnaryOp::RoundNearestAfz,
        UnaryOp::RoundNearestEven,
        UnaryOp::Rsqrt,
        UnaryOp::Sign,
        UnaryOp::Sine,
        UnaryOp::Sqrt,
        UnaryOp::Tan,
        UnaryOp::Tanh,
    ];

    /// The name in the text form, that of StableHLO where it has the operator.
    pub const fn name(self) -> &'static str {
        match self {
            UnaryOp::Abs => "abs",
            UnaryOp::Cbrt => "cbrt",
            UnaryOp::Ceil => "ceil",
            UnaryOp::Cosine => "cosine",
            UnaryOp::CountLeadingZeros => "count_leading_zeros",
            UnaryOp::Erf => "erf",
            UnaryOp::Exponential => "exponential",
            UnaryOp::ExponentialMinusOne => "exponential_minus_one",
            UnaryOp::Floor => "floor",
            UnaryOp::IsFinite => "is_finite",
            UnaryOp::Log => "log",
            UnaryOp::LogPlusOne => "log_plus_one",
            UnaryOp::Logistic => "logistic",
            UnaryOp::Negate => "negate",
            UnaryOp::Not => "not",
            UnaryOp::Popcnt => "popcnt",
            UnaryOp::RoundNearestAfz => "round_nearest_afz",
            UnaryOp::RoundNearestEven => "round_nearest_even",
            UnaryOp::Rsqrt => "rsqrt",
            UnaryOp::Sign => "sign",
            UnaryOp::Sine => "sine",
            UnaryOp::Sqrt => "sqrt",
            UnaryOp::Tan => "tan",
            UnaryOp::Tanh => "tanh",
        }
    }

    /// The element types that operands may have.
    pub const fn operand_types(self) -> DTypeSet {
        match self {
            UnaryOp::Abs | UnaryOp::Sign => DTypeSet::SIGNED.or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX),
            UnaryOp::Cbrt
            | UnaryOp::Cosine
            | UnaryOp::Exponential
            | UnaryOp::ExponentialMinusOne
            | UnaryOp::Log
            | UnaryOp::LogPlusOne
            | UnaryOp::Logistic
            | UnaryOp::Rsqrt
            | UnaryOp::Sine
            | UnaryOp::Sqrt
            | UnaryOp::Tan
            | UnaryOp::Tanh => DTypeSet::FLOAT.or(DTypeSet::COMPLEX),
            UnaryOp::Ceil
            | UnaryOp::Erf
            | UnaryOp::Floor
            | UnaryOp::IsFinite
            | UnaryOp::RoundNearestAfz
            | UnaryOp::RoundNearestEven => DTypeSet::FLOAT,
            UnaryOp::CountLeadingZeros | UnaryOp::Popcnt => DTypeSet::INT,
            UnaryOp::Negate => DTypeSet::INT.or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX),
            UnaryOp::Not => DTypeSet::BOOL.or(DTypeSet::INT),
        }
    }

    /// The element type of the result, if it is not that of the operands.
    pub const fn result_dtype(self) -> Option<DType> {
        match self {
            UnaryOp::Abs
            | UnaryOp::Cbrt
            | UnaryOp::Ceil
            | UnaryOp::Cosine
            | UnaryOp::CountLeadingZeros
            | UnaryOp::Erf
            | UnaryOp::Exponential
            | UnaryOp::ExponentialMinusOne
            | UnaryOp::Floor
            | UnaryOp::Log
            | UnaryOp::LogPlusOne
            | UnaryOp::Logistic
            | UnaryOp::Negate
            | UnaryOp::Not
            | UnaryOp::Popcnt
            | UnaryOp::RoundNearestAfz
            | UnaryOp::RoundNearestEven
            | UnaryOp::Rsqrt
            | UnaryOp::Sign
            | UnaryOp::Sine
            | UnaryOp::Sqrt
            | UnaryOp::Tan
            | UnaryOp::Tanh => None,
            UnaryOp::IsFinite => Some(DType::Bool),
        }
    }

    /// `f(-x)` is `f(x)`, bit for bit.
    pub const fn is_even(self) -> bool {
        matches!(self, UnaryOp::Abs | UnaryOp::Cosine)
    }

    /// `f(f(x))` is `x`, bit for bit.
    pub const fn is_involution(self) -> bool {
        matches!(self, UnaryOp::Negate | UnaryOp::Not)
    }

    /// `f(f(x))` is `f(x)`, bit for bit.
    pub const fn is_idempotent(self) -> bool {
        matches!(
            self,
            UnaryOp::Abs
                | UnaryOp::Ceil
                | UnaryOp::Floor
                | UnaryOp::RoundNearestAfz
                | UnaryOp::RoundNearestEven
                | UnaryOp::Sign
        )
    }

    /// What an element costs to compute, in units of a simple vector instruction.
    pub const fn cost(self, _dtype: DType) -> u32 {
        match self {
            UnaryOp::Abs
            | UnaryOp::Ceil
            | UnaryOp::Floor
            | UnaryOp::IsFinite
            | UnaryOp::Negate
            | UnaryOp::Not
            | UnaryOp::RoundNearestEven
            | UnaryOp::Sign => 1,
            UnaryOp::Cbrt
            | UnaryOp::Cosine
            | UnaryOp::Erf
            | UnaryOp::Exponential
            | UnaryOp::ExponentialMinusOne
            | UnaryOp::Log
            | UnaryOp::LogPlusOne
            | UnaryOp::Logistic
            | UnaryOp::Sine
            | UnaryOp::Tan
            | UnaryOp::Tanh => 20,
            UnaryOp::CountLeadingZeros | UnaryOp::Popcnt | UnaryOp::RoundNearestAfz => 3,
            UnaryOp::Rsqrt => 6,
            UnaryOp::Sqrt => 4,
        }
    }

    /// Floating-point operations of an element in f32, about those of its expansion.
    pub const fn flops(self) -> u64 {
        match self {
            UnaryOp::Abs
            | UnaryOp::Ceil
            | UnaryOp::Floor
            | UnaryOp::Negate
            | UnaryOp::RoundNearestEven
            | UnaryOp::Sqrt => 1,
            UnaryOp::Cbrt | UnaryOp::Tanh => 34,
            UnaryOp::Cosine | UnaryOp::Sine | UnaryOp::Tan => 50,
            UnaryOp::CountLeadingZeros | UnaryOp::IsFinite | UnaryOp::Not | UnaryOp::Popcnt | UnaryOp::Sign => 0,
            UnaryOp::Erf => 44,
            UnaryOp::Exponential => 18,
            UnaryOp::ExponentialMinusOne | UnaryOp::Log => 24,
            UnaryOp::LogPlusOne | UnaryOp::Logistic => 26,
            UnaryOp::RoundNearestAfz | UnaryOp::Rsqrt => 2,
        }
    }

    /// Units in the last place of f32 that a result may be off; 0 where one bit pattern is right.
    pub const fn ulps(self) -> u32 {
        match self {
            UnaryOp::Abs
            | UnaryOp::Ceil
            | UnaryOp::CountLeadingZeros
            | UnaryOp::Floor
            | UnaryOp::IsFinite
            | UnaryOp::Negate
            | UnaryOp::Not
            | UnaryOp::Popcnt
            | UnaryOp::RoundNearestAfz
            | UnaryOp::RoundNearestEven
            | UnaryOp::Sign
            | UnaryOp::Sqrt => 0,
            UnaryOp::Cbrt
            | UnaryOp::Cosine
            | UnaryOp::Erf
            | UnaryOp::Exponential
            | UnaryOp::ExponentialMinusOne
            | UnaryOp::Log
            | UnaryOp::LogPlusOne
            | UnaryOp::Logistic
            | UnaryOp::Rsqrt
            | UnaryOp::Sine
            | UnaryOp::Tan
            | UnaryOp::Tanh => 2,
        }
    }

    /// Whether the result in f32 of operands of a smaller float type must be rounded to be of that type.
    pub const fn rounds_half(self) -> bool {
        matches!(
            self,
            UnaryOp::Cbrt
                | UnaryOp::Cosine
                | UnaryOp::Erf
                | UnaryOp::Exponential
                | UnaryOp::ExponentialMinusOne
                | UnaryOp::Log
                | UnaryOp::LogPlusOne
                | UnaryOp::Logistic
                | UnaryOp::Rsqrt
                | UnaryOp::Sine
                | UnaryOp::Sqrt
                | UnaryOp::Tan
                | UnaryOp::Tanh
        )
    }

    /// The names in StableHLO, with their dialect; the first one is written. Empty where it has no such operator.
    pub const fn stablehlo_names(self) -> &'static [&'static str] {
        match self {
            UnaryOp::Abs => &["stablehlo.abs"],
            UnaryOp::Cbrt => &["stablehlo.cbrt"],
            UnaryOp::Ceil => &["stablehlo.ceil"],
            UnaryOp::Cosine => &["stablehlo.cosine"],
            UnaryOp::CountLeadingZeros => &["stablehlo.count_leading_zeros"],
            UnaryOp::Erf => &["chlo.erf"],
            UnaryOp::Exponential => &["stablehlo.exponential"],
            UnaryOp::ExponentialMinusOne => &["stablehlo.exponential_minus_one"],
            UnaryOp::Floor => &["stablehlo.floor"],
            UnaryOp::IsFinite => &["stablehlo.is_finite"],
            UnaryOp::Log => &["stablehlo.log"],
            UnaryOp::LogPlusOne => &["stablehlo.log_plus_one"],
            UnaryOp::Logistic => &["stablehlo.logistic"],
            UnaryOp::Negate => &["stablehlo.negate"],
            UnaryOp::Not => &["stablehlo.not"],
            UnaryOp::Popcnt => &["stablehlo.popcnt"],
            UnaryOp::RoundNearestAfz => &["stablehlo.round_nearest_afz"],
            UnaryOp::RoundNearestEven => &["stablehlo.round_nearest_even"],
            UnaryOp::Rsqrt => &["stablehlo.rsqrt"],
            UnaryOp::Sign => &["stablehlo.sign"],
            UnaryOp::Sine => &["stablehlo.sine"],
            UnaryOp::Sqrt => &["stablehlo.sqrt"],
            UnaryOp::Tan => &["stablehlo.tan", "chlo.tan"],
            UnaryOp::Tanh => &["stablehlo.tanh"],
        }
    }
}

/// Elementwise operators of two operands of the same type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum BinaryOp {
    /// `add`: x + y. Integers wrap; on bool the logical or.
    Add,
    /// `and`: Bitwise and; logical on bool.
    And,
    /// `atan2`: Angle in (-pi, pi] of the point with ordinate x and abscissa y.
    Atan2,
    /// `divide`: x / y. Integer division truncates; x / 0 is all ones (-1 if signed); the smallest signed integer divided by -1 is itself.
    Divide,
    /// `maximum`: The larger one; NaN if one is NaN; +0 is larger than -0; on bool the logical or.
    Maximum,
    /// `minimum`: The smaller one; NaN if one is NaN; -0 is smaller than +0; on bool the logical and.
    Minimum,
    /// `multiply`: x * y. Integers wrap; on bool the logical and.
    Multiply,
    /// `or`: Bitwise or; logical on bool.
    Or,
    /// `power`: x to the power of y, as C pow: 1 for y = 0, NaN for negative x and y that is no integer. Integers wrap; a negative exponent gives 1 for x = 1, 1 or -1 for x = -1, -1 for x = 0 (a division by 0), otherwise 0.
    Power,
    /// `remainder`: Remainder of the truncated quotient, with the sign of x (C fmod). Integers: x % 0 is x; the smallest signed integer % -1 is 0.
    Remainder,
    /// `shift_left`: x shifted left by y bits, zeros coming in; 0 when y is at least the width (or negative).
    ShiftLeft,
    /// `shift_right_arithmetic`: x shifted right by y bits, copies of the sign bit coming in; all sign bits when y is at least the width (or negative).
    ShiftRightArithmetic,
    /// `shift_right_logical`: x shifted right by y bits, zeros coming in; 0 when y is at least the width (or negative).
    ShiftRightLogical,
    /// `subtract`: x - y. Integers wrap.
    Subtract,
    /// `xor`: Bitwise exclusive or; logical on bool.
    Xor,
}

impl BinaryOp {
    /// Every operator, in declaration order.
    pub const ALL: &'static [BinaryOp] = &[
        BinaryOp::Add,
        BinaryOp::And,
        BinaryOp::Atan2,
        BinaryOp::Divide,
        BinaryOp::Maximum,
        BinaryOp::Minimum,
        BinaryOp::Multiply,
        BinaryOp::Or,
        BinaryOp::Power,
        BinaryOp::Remainder,
        BinaryOp::ShiftLeft,
        BinaryOp::ShiftRightArithmetic,
        BinaryOp::ShiftRightLogical,
        BinaryOp::Subtract,
        BinaryOp::Xor,
    ];

    /// The name in the text form, that of StableHLO where it has the operator.
    pub const fn name(self) -> &'static str {
        match self {
            BinaryOp::Add => "add",
            BinaryOp::And => "and",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Divide => "divide",
            BinaryOp::Maximum => "maximum",
            BinaryOp::Minimum => "minimum",
            BinaryOp::Multiply => "multiply",
            BinaryOp::Or => "or",
            BinaryOp::Power => "power",
            BinaryOp::Remainder => "remainder",
            BinaryOp::ShiftLeft => "shift_left",
            BinaryOp::ShiftRightArithmetic => "shift_right_arithmetic",
            BinaryOp::ShiftRightLogical => "shift_right_logical",
            BinaryOp::Subtract => "subtract",
            BinaryOp::Xor => "xor",
        }
    }

    /// The element types that operands may have.
    pub const fn operand_types(self) -> DTypeSet {
        match self {
            BinaryOp::Add | BinaryOp::Maximum | BinaryOp::Minimum | BinaryOp::Multiply => DTypeSet::ALL,
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => DTypeSet::BOOL.or(DTypeSet::INT),
            BinaryOp::Atan2 => DTypeSet::FLOAT.or(DTypeSet::COMPLEX),
            BinaryOp::Divide | BinaryOp::Power | BinaryOp::Subtract => {
                DTypeSet::INT.or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX)
            }
            BinaryOp::Remainder => DTypeSet::INT.or(DTypeSet::FLOAT),
            BinaryOp::ShiftLeft | BinaryOp::ShiftRightArithmetic | BinaryOp::ShiftRightLogical => DTypeSet::INT,
        }
    }

    /// The element type of the result, if it is not that of the operands.
    pub const fn result_dtype(self) -> Option<DType> {
        match self {
            BinaryOp::Add
            | BinaryOp::And
            | BinaryOp::Atan2
            | BinaryOp::Divide
            | BinaryOp::Maximum
            | BinaryOp::Minimum
            | BinaryOp::Multiply
            | BinaryOp::Or
            | BinaryOp::Power
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract
            | BinaryOp::Xor => None,
        }
    }

    /// `f(x, y)` is `f(y, x)`, bit for bit (NaN payloads aside).
    pub const fn is_commutative(self) -> bool {
        matches!(
            self,
            BinaryOp::Add
                | BinaryOp::And
                | BinaryOp::Maximum
                | BinaryOp::Minimum
                | BinaryOp::Multiply
                | BinaryOp::Or
                | BinaryOp::Xor
        )
    }

    /// `f(x, x)` is `x`, bit for bit.
    pub const fn is_idempotent(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Maximum | BinaryOp::Minimum | BinaryOp::Or)
    }

    /// The element types on which `f(f(x, y), z)` is `f(x, f(y, z))`, bit for bit.
    pub const fn associative_types(self) -> DTypeSet {
        match self {
            BinaryOp::Add | BinaryOp::Multiply => DTypeSet::BOOL.or(DTypeSet::INT),
            BinaryOp::And | BinaryOp::Maximum | BinaryOp::Minimum | BinaryOp::Or | BinaryOp::Xor => DTypeSet::ALL,
            BinaryOp::Atan2
            | BinaryOp::Divide
            | BinaryOp::Power
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract => DTypeSet::of(&[]),
        }
    }

    /// The element `e` for which `f(x, e)` and `f(e, x)` are `x`, bit for bit, if there is one.
    pub const fn identity(self) -> Option<SpecialElement> {
        match self {
            BinaryOp::Add => Some(SpecialElement::NegativeZero),
            BinaryOp::And => Some(SpecialElement::AllOnes),
            BinaryOp::Atan2
            | BinaryOp::Divide
            | BinaryOp::Power
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract => None,
            BinaryOp::Maximum => Some(SpecialElement::Lowest),
            BinaryOp::Minimum => Some(SpecialElement::Highest),
            BinaryOp::Multiply => Some(SpecialElement::One),
            BinaryOp::Or | BinaryOp::Xor => Some(SpecialElement::Zero),
        }
    }

    /// The element `e` of a type for which `f(x, e)` and `f(e, x)` are `e`, if there is one.
    pub const fn absorbing(self, dtype: DType) -> Option<SpecialElement> {
        match self {
            BinaryOp::Add => {
                if DTypeSet::BOOL.contains(dtype) {
                    Some(SpecialElement::One)
                } else {
                    None
                }
            }
            BinaryOp::And => Some(SpecialElement::Zero),
            BinaryOp::Atan2
            | BinaryOp::Divide
            | BinaryOp::Power
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract
            | BinaryOp::Xor => None,
            BinaryOp::Maximum => {
                if DTypeSet::BOOL.or(DTypeSet::INT).contains(dtype) {
                    Some(SpecialElement::Highest)
                } else {
                    None
                }
            }
            BinaryOp::Minimum => {
                if DTypeSet::BOOL.or(DTypeSet::INT).contains(dtype) {
                    Some(SpecialElement::Lowest)
                } else {
                    None
                }
            }
            BinaryOp::Multiply => {
                if DTypeSet::BOOL.or(DTypeSet::INT).contains(dtype) {
                    Some(SpecialElement::Zero)
                } else {
                    None
                }
            }
            BinaryOp::Or => Some(SpecialElement::AllOnes),
        }
    }

    /// What an element costs to compute, in units of a simple vector instruction.
    pub const fn cost(self, dtype: DType) -> u32 {
        match self {
            BinaryOp::Add
            | BinaryOp::And
            | BinaryOp::Maximum
            | BinaryOp::Minimum
            | BinaryOp::Multiply
            | BinaryOp::Or
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract
            | BinaryOp::Xor => 1,
            BinaryOp::Atan2 | BinaryOp::Power | BinaryOp::Remainder => 20,
            BinaryOp::Divide => {
                if DTypeSet::FLOAT.contains(dtype) {
                    4
                } else {
                    16
                }
            }
        }
    }

    /// Floating-point operations of an element in f32, about those of its expansion.
    pub const fn flops(self) -> u64 {
        match self {
            BinaryOp::Add
            | BinaryOp::Divide
            | BinaryOp::Maximum
            | BinaryOp::Minimum
            | BinaryOp::Multiply
            | BinaryOp::Subtract => 1,
            BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Xor => 0,
            BinaryOp::Atan2 => 30,
            BinaryOp::Power => 60,
            BinaryOp::Remainder => 50,
        }
    }

    /// Units in the last place of f32 that a result may be off; 0 where one bit pattern is right.
    pub const fn ulps(self) -> u32 {
        match self {
            BinaryOp::Add
            | BinaryOp::And
            | BinaryOp::Divide
            | BinaryOp::Maximum
            | BinaryOp::Minimum
            | BinaryOp::Multiply
            | BinaryOp::Or
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract
            | BinaryOp::Xor => 0,
            BinaryOp::Atan2 | BinaryOp::Power => 2,
        }
    }

    /// Whether the result in f32 of operands of a smaller float type must be rounded to be of that type.
    pub const fn rounds_half(self) -> bool {
        matches!(
            self,
            BinaryOp::Add
                | BinaryOp::Atan2
                | BinaryOp::Divide
                | BinaryOp::Multiply
                | BinaryOp::Power
                | BinaryOp::Subtract
        )
    }

    /// The names in StableHLO, with their dialect; the first one is written. Empty where it has no such operator.
    pub const fn stablehlo_names(self) -> &'static [&'static str] {
        match self {
            BinaryOp::Add => &["stablehlo.add"],
            BinaryOp::And => &["stablehlo.and"],
            BinaryOp::Atan2 => &["stablehlo.atan2"],
            BinaryOp::Divide => &["stablehlo.divide"],
            BinaryOp::Maximum => &["stablehlo.maximum"],
            BinaryOp::Minimum => &["stablehlo.minimum"],
            BinaryOp::Multiply => &["stablehlo.multiply"],
            BinaryOp::Or => &["stablehlo.or"],
            BinaryOp::Power => &["stablehlo.power"],
            BinaryOp::Remainder => &["stablehlo.remainder"],
            BinaryOp::ShiftLeft => &["stablehlo.shift_left"],
            BinaryOp::ShiftRightArithmetic => &["stablehlo.shift_right_arithmetic"],
            BinaryOp::ShiftRightLogical => &["stablehlo.shift_right_logical"],
            BinaryOp::Subtract => &["stablehlo.subtract"],
            BinaryOp::Xor => &["stablehlo.xor"],
        }
    }
}
