//! Attributes that are one word of a few. Derived from `graph-spec/ops.toml`.

use crate::op::Word;
use serde::{Deserialize, Serialize};

/// Which extreme a search looks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ArgKind {
    /// Position of the minimum.
    Min,
    /// Position of the maximum.
    Max,
}

impl ArgKind {
    /// Every value.
    pub const ALL: [ArgKind; 2] = [ArgKind::Min, ArgKind::Max];

    /// The word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            ArgKind::Min => "min",
            ArgKind::Max => "max",
        }
    }
}

impl Word for ArgKind {
    const WHAT: &'static str = "extreme";
    const WORDS: &'static [ArgKind] = &ArgKind::ALL;
    fn word(self) -> &'static str {
        self.name()
    }
}

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

impl CompareDirection {
    /// Every value.
    pub const ALL: [CompareDirection; 6] = [
        CompareDirection::EQ,
        CompareDirection::NE,
        CompareDirection::GE,
        CompareDirection::GT,
        CompareDirection::LE,
        CompareDirection::LT,
    ];

    /// The word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            CompareDirection::EQ => "EQ",
            CompareDirection::NE => "NE",
            CompareDirection::GE => "GE",
            CompareDirection::GT => "GT",
            CompareDirection::LE => "LE",
            CompareDirection::LT => "LT",
        }
    }
}

impl Word for CompareDirection {
    const WHAT: &'static str = "direction";
    const WORDS: &'static [CompareDirection] = &CompareDirection::ALL;
    fn word(self) -> &'static str {
        self.name()
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
    /// Every value.
    pub const ALL: [FftKind; 4] = [FftKind::Fft, FftKind::Ifft, FftKind::Rfft, FftKind::Irfft];

    /// The word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            FftKind::Fft => "fft",
            FftKind::Ifft => "ifft",
            FftKind::Rfft => "rfft",
            FftKind::Irfft => "irfft",
        }
    }
}

impl Word for FftKind {
    const WHAT: &'static str = "kind";
    const WORDS: &'static [FftKind] = &FftKind::ALL;
    fn word(self) -> &'static str {
        self.name()
    }
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
    /// Every value.
    pub const ALL: [Reducer; 7] =
        [Reducer::Add, Reducer::Multiply, Reducer::Minimum, Reducer::Maximum, Reducer::And, Reducer::Or, Reducer::Xor];

    /// The word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Reducer::Add => "add",
            Reducer::Multiply => "multiply",
            Reducer::Minimum => "minimum",
            Reducer::Maximum => "maximum",
            Reducer::And => "and",
            Reducer::Or => "or",
            Reducer::Xor => "xor",
        }
    }
}

impl Word for Reducer {
    const WHAT: &'static str = "combiner";
    const WORDS: &'static [Reducer] = &Reducer::ALL;
    fn word(self) -> &'static str {
        self.name()
    }
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
    /// Every value.
    pub const ALL: [RngAlgorithm; 2] = [RngAlgorithm::ThreeFry, RngAlgorithm::Philox];

    /// The word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            RngAlgorithm::ThreeFry => "three_fry",
            RngAlgorithm::Philox => "philox",
        }
    }
}

impl Word for RngAlgorithm {
    const WHAT: &'static str = "algorithm";
    const WORDS: &'static [RngAlgorithm] = &RngAlgorithm::ALL;
    fn word(self) -> &'static str {
        self.name()
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

impl ScatterUpdate {
    /// Every value.
    pub const ALL: [ScatterUpdate; 8] = [
        ScatterUpdate::Assign,
        ScatterUpdate::Combine(Reducer::Add),
        ScatterUpdate::Combine(Reducer::Multiply),
        ScatterUpdate::Combine(Reducer::Minimum),
        ScatterUpdate::Combine(Reducer::Maximum),
        ScatterUpdate::Combine(Reducer::And),
        ScatterUpdate::Combine(Reducer::Or),
        ScatterUpdate::Combine(Reducer::Xor),
    ];

    /// The word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            ScatterUpdate::Assign => "assign",
            ScatterUpdate::Combine(word) => word.name(),
        }
    }
}

impl Word for ScatterUpdate {
    const WHAT: &'static str = "combiner";
    const WORDS: &'static [ScatterUpdate] = &ScatterUpdate::ALL;
    fn word(self) -> &'static str {
        self.name()
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
    /// Every value.
    pub const ALL: [TransposeKind; 3] = [TransposeKind::NoTranspose, TransposeKind::Transpose, TransposeKind::Adjoint];

    /// The word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            TransposeKind::NoTranspose => "no_transpose",
            TransposeKind::Transpose => "transpose",
            TransposeKind::Adjoint => "adjoint",
        }
    }
}

impl Word for TransposeKind {
    const WHAT: &'static str = "transpose_a";
    const WORDS: &'static [TransposeKind] = &TransposeKind::ALL;
    fn word(self) -> &'static str {
        self.name()
    }
}
