//! Attributes that are one word of a few.

use super::BinaryOp;
use serde::{Deserialize, Serialize};

/// Direction of a comparison. Floats compare by IEEE 754: any comparison with NaN is false but `NE`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum CompareDirection {
    /// Equal.
    EQ,
    /// Not equal.
    NE,
    /// Greater or equal.
    GE,
    /// Greater.
    GT,
    /// Less or equal.
    LE,
    /// Less.
    LT,
}

/// An associative combiner of a reduction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Reducer {
    /// Sum.
    Add,
    /// Product.
    Multiply,
    /// Minimum; NaN propagates.
    Minimum,
    /// Maximum; NaN propagates.
    Maximum,
    /// Bitwise or logical and.
    And,
    /// Bitwise or logical or.
    Or,
    /// Bitwise or logical exclusive or.
    Xor,
}

impl Reducer {
    /// Every reducer.
    pub const ALL: [Reducer; 7] =
        [Reducer::Add, Reducer::Multiply, Reducer::Minimum, Reducer::Maximum, Reducer::And, Reducer::Or, Reducer::Xor];

    /// The binary operator that combines two values.
    pub const fn binary(self) -> BinaryOp {
        match self {
            Reducer::Add => BinaryOp::Add,
            Reducer::Multiply => BinaryOp::Multiply,
            Reducer::Minimum => BinaryOp::Minimum,
            Reducer::Maximum => BinaryOp::Maximum,
            Reducer::And => BinaryOp::And,
            Reducer::Or => BinaryOp::Or,
            Reducer::Xor => BinaryOp::Xor,
        }
    }
    /// The name in the text form: the binary operator's.
    pub const fn name(self) -> &'static str {
        self.binary().name()
    }
}

/// What a scatter does where an update lands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ScatterUpdate {
    /// The update replaces; the last one in row-major order of the updates wins.
    Assign,
    /// The update combines with what is there.
    Combine(Reducer),
}

/// Which extreme an `ArgReduce` looks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ArgKind {
    /// Position of the minimum.
    Min,
    /// Position of the maximum.
    Max,
}

/// A random bit generator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum RngAlgorithm {
    /// Threefry-2x32 with 20 rounds (Salmon et al. 2011), bits laid out as XLA's `THREE_FRY`.
    ThreeFry,
    /// Philox-4x32 with 10 rounds (Salmon et al. 2011), bits laid out as XLA's `PHILOX`.
    Philox,
}

impl RngAlgorithm {
    /// Every generator.
    pub const ALL: [RngAlgorithm; 2] = [RngAlgorithm::ThreeFry, RngAlgorithm::Philox];

    /// The name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            RngAlgorithm::ThreeFry => "three_fry",
            RngAlgorithm::Philox => "philox",
        }
    }
    /// How many u64 a state may have: threefry takes key and counter; philox a counter of one or two words.
    pub const fn state_sizes(self) -> &'static [i64] {
        match self {
            RngAlgorithm::ThreeFry => &[2],
            RngAlgorithm::Philox => &[2, 3],
        }
    }
}

/// A discrete Fourier transform.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum FftKind {
    /// Complex to complex.
    Fft,
    /// Complex to complex, backwards and divided by the number of points.
    Ifft,
    /// Real to the non-negative half of the last dimension's frequencies: n to n/2 + 1.
    Rfft,
    /// Backwards: n/2 + 1 frequencies to n real points.
    Irfft,
}

impl FftKind {
    /// Every kind.
    pub const ALL: [FftKind; 4] = [FftKind::Fft, FftKind::Ifft, FftKind::Rfft, FftKind::Irfft];

    /// The name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            FftKind::Fft => "fft",
            FftKind::Ifft => "ifft",
            FftKind::Rfft => "rfft",
            FftKind::Irfft => "irfft",
        }
    }
}

/// How a matrix is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TransposeKind {
    /// As it is.
    NoTranspose,
    /// Transposed.
    Transpose,
    /// Transposed and conjugated.
    Adjoint,
}

impl TransposeKind {
    /// Every kind.
    pub const ALL: [TransposeKind; 3] = [TransposeKind::NoTranspose, TransposeKind::Transpose, TransposeKind::Adjoint];

    /// The name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            TransposeKind::NoTranspose => "no_transpose",
            TransposeKind::Transpose => "transpose",
            TransposeKind::Adjoint => "adjoint",
        }
    }
}
