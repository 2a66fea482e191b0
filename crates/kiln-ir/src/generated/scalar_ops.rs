//! Elementwise operators.

use crate::dtype::{DType, DTypeSet};
use serde::{Deserialize, Serialize};

/// Elementwise operators of one operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum UnaryOp {
    /// `abs`.
    Abs,
    /// `cbrt`.
    Cbrt,
    /// `ceil`.
    Ceil,
    /// `cosine`.
    Cosine,
    /// `count_leading_zeros`.
    CountLeadingZeros,
    /// `erf`.
    Erf,
    /// `exponential`.
    Exponential,
    /// `exponential_minus_one`.
    ExponentialMinusOne,
    /// `floor`.
    Floor,
    /// `is_finite`.
    IsFinite,
    /// `log`.
    Log,
    /// `log_plus_one`.
    LogPlusOne,
    /// `logistic`.
    Logistic,
    /// `negate`.
    Negate,
    /// `not`.
    Not,
    /// `popcnt`.
    Popcnt,
    /// `round_nearest_afz`.
    RoundNearestAfz,
    /// `round_nearest_even`.
    RoundNearestEven,
    /// `rsqrt`.
    Rsqrt,
    /// `sign`.
    Sign,
    /// `sine`.
    Sine,
    /// `sqrt`.
    Sqrt,
    /// `tan`.
    Tan,
    /// `tanh`.
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

    /// The StableHLO name.
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

    /// The element types that the operand may have.
    pub const fn operand_types(self) -> DTypeSet {
        match self {
            UnaryOp::Abs | UnaryOp::Sign => DTypeSet::SIGNED.or(DTypeSet::FLOAT),
            UnaryOp::Negate => DTypeSet::INT.or(DTypeSet::FLOAT),
            UnaryOp::Not => DTypeSet::BOOL.or(DTypeSet::INT),
            UnaryOp::CountLeadingZeros | UnaryOp::Popcnt => DTypeSet::INT,
            _ => DTypeSet::FLOAT,
        }
    }

    /// The element type of the result, if it is not the operand's.
    pub const fn result_dtype(self) -> Option<DType> {
        match self {
            UnaryOp::IsFinite => Some(DType::Bool),
            _ => None,
        }
    }
}

/// Elementwise operators of two operands of the same type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum BinaryOp {
    /// `add`.
    Add,
    /// `and`.
    And,
    /// `atan2`.
    Atan2,
    /// `divide`.
    Divide,
    /// `maximum`.
    Maximum,
    /// `minimum`.
    Minimum,
    /// `multiply`.
    Multiply,
    /// `or`.
    Or,
    /// `power`.
    Power,
    /// `remainder`.
    Remainder,
    /// `shift_left`.
    ShiftLeft,
    /// `shift_right_arithmetic`.
    ShiftRightArithmetic,
    /// `shift_right_logical`.
    ShiftRightLogical,
    /// `subtract`.
    Subtract,
    /// `xor`.
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

    /// The StableHLO name.
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

    /// The element types that both operands may have.
    pub const fn operand_types(self) -> DTypeSet {
        match self {
            BinaryOp::Add | BinaryOp::Multiply | BinaryOp::Maximum | BinaryOp::Minimum => DTypeSet::ALL,
            BinaryOp::Subtract | BinaryOp::Divide | BinaryOp::Remainder | BinaryOp::Power => {
                DTypeSet::INT.or(DTypeSet::FLOAT)
            }
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => DTypeSet::BOOL.or(DTypeSet::INT),
            BinaryOp::ShiftLeft | BinaryOp::ShiftRightArithmetic | BinaryOp::ShiftRightLogical => DTypeSet::INT,
            BinaryOp::Atan2 => DTypeSet::FLOAT,
        }
    }
}
