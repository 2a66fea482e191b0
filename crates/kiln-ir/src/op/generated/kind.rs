//! Every operator and what kind of operator it is. Derived from `graph-spec/ops.toml`.

use crate::op::{ArgKind, BinaryOp, Op, UnaryOp};

/// What kind of operator it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Class {
    /// Makes a value of none.
    Source,
    /// Elementwise, one operand.
    Unary,
    /// Elementwise, two operands of one type.
    Binary,
    /// Elementwise in another way.
    Elementwise,
    /// Moves, repeats or drops elements.
    Movement,
    /// Sums of products.
    Contraction,
    /// Folds elements.
    Reduction,
    /// Reads or writes at computed places.
    Indexing,
    /// Holds functions.
    Control,
    /// Random bits.
    Random,
    /// Stops rewrites.
    Barrier,
}

/// What a pass may do with an operator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Effects {
    /// May be removed, duplicated, moved.
    Pure,
    /// Holds functions; pure if they are, but `while` may not end.
    Control,
    /// Rewrites stop here.
    Barrier,
}

/// An operator of the table, without its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum OpKind {
    /// Absolute value. The smallest signed integer has no positive counterpart and stays as it is; NaN stays NaN.
    Abs,
    /// x + y. Integers wrap; on bool the logical or.
    Add,
    /// Bitwise and; logical on bool.
    And,
    /// Position of the maximum along a dimension: the first on ties; the first NaN wins over any number.
    Argmax,
    /// Position of the minimum along a dimension: the first on ties; the first NaN wins over any number.
    Argmin,
    /// Angle in (-pi, pi\] of the point with ordinate x and abscissa y.
    Atan2,
    /// The bits read as another element type. To a narrower type a dimension of the parts is appended (least significant first); to a wider one the last dimension vanishes.
    BitcastConvert,
    /// Repeats: dimension i of operand becomes dimension dims\[i\] of the result, all other dimensions and those of size 1 repeat.
    BroadcastInDim,
    /// The results of the branch of this index; an index out of range takes the last. Only that branch runs.
    Case,
    /// Cube root.
    Cbrt,
    /// Smallest integer not below x.
    Ceil,
    /// Cholesky factor of (Hermitian) positive definite matrices: l with a = l l^H, or u with a = u^H u. One triangle is read, the other is zero in the result. NaN where a matrix is not positive definite.
    Cholesky,
    /// minimum(maximum(operand, min), max).
    Clamp,
    /// Compares element by element. Floats as IEEE 754: with NaN everything is false but NE. bool: false < true.
    Compare,
    /// The complex tensor of these real and imaginary parts.
    Complex,
    /// The results of body; a unit for people and for derivatives. The optimizer inlines it.
    Composite,
    /// The operands one after the other along a dimension.
    Concatenate,
    /// A literal.
    Constant,
    /// The value in another element type. To a narrower float: round to nearest even. Float to int: truncated, saturated, NaN to 0. Int to int: wraps. To bool: x != 0. From bool: 0 or 1.
    Convert,
    /// Sums of products of windows of the input with the kernel (cross-correlation, unless the window is reversed).
    Convolution,
    /// Cosine of x in radians; NaN for infinities.
    Cosine,
    /// Number of zero bits before the first one bit; the width for 0.
    CountLeadingZeros,
    /// x / y. Integer division truncates; x / 0 is all ones (-1 if signed); the smallest signed integer divided by -1 is itself.
    Divide,
    /// Sums of products over the contracted dimensions, for every batch index. An empty sum is 0.
    DotGeneral,
    /// A slice of fixed size at start indices that are computed; they are clamped so that the slice lies inside.
    DynamicSlice,
    /// operand with update written at start indices, which are clamped so that the update lies inside.
    DynamicUpdateSlice,
    /// Error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
    Erf,
    /// e to the power of x; infinity on overflow, 0 for -infinity.
    Exponential,
    /// e to the power of x, minus 1, accurate near 0.
    ExponentialMinusOne,
    /// Discrete Fourier transform over the last one to three dimensions: y\[k\] is the sum of x\[j\] exp(-2 pi i j k / n). The inverse kinds have the other sign and divide by the number of points.
    Fft,
    /// Largest integer not above x.
    Floor,
    /// Slices of operand at computed start indices, which are clamped so that slices lie inside.
    Gather,
    /// Folds dimensions of n tensors away with any associative function of scalars, beginning with the initial values. The order of combination is that of the dimensions; it may be regrouped where the function says nothing of floats.
    GenericReduce,
    /// Folds each window of n tensors with any associative function of scalars, beginning with the initial values. Padding and the holes of dilation take no part, as in reduce_window.
    GenericReduceWindow,
    /// Scatter of n tensors at the same places with any function of scalars; updates are applied in row-major order, those whose window leaves the operand are skipped.
    GenericScatter,
    /// select_and_scatter with any selection and any combiner.
    GenericSelectAndScatter,
    /// The size of a dimension. Specialization turns it into a constant.
    GetDimensionSize,
    /// The results of on_true or of on_false; only the one taken runs.
    If,
    /// The imaginary part.
    Imag,
    /// Counts 0, 1, ... along one dimension; the other dimensions repeat.
    Iota,
    /// True unless x is an infinity or NaN.
    IsFinite,
    /// Natural logarithm; -infinity for 0, NaN below 0.
    Log,
    /// Natural logarithm of 1 + x, accurate near 0; -infinity for -1, NaN below.
    LogPlusOne,
    /// The sigmoid, 1 / (1 + exp(-x)).
    Logistic,
    /// The larger one; NaN if one is NaN; +0 is larger than -0; on bool the logical or.
    Maximum,
    /// The smaller one; NaN if one is NaN; -0 is smaller than +0; on bool the logical and.
    Minimum,
    /// x * y. Integers wrap; on bool the logical and.
    Multiply,
    /// -x. Integers wrap: the smallest signed integer stays as it is, unsigned x becomes 2^width - x.
    Negate,
    /// Complement of every bit; logical not on bool.
    Not,
    /// operand; no rewrite looks through it.
    OptimizationBarrier,
    /// Bitwise or; logical on bool.
    Or,
    /// Padding before, after and between elements; negative amounts before or after remove elements.
    Pad,
    /// The input of the function with this index.
    Parameter,
    /// Number of one bits.
    Popcnt,
    /// x to the power of y, as C pow: 1 for y = 0, NaN for negative x and y that is no integer. Integers wrap; a negative exponent gives 1 for x = 1, 1 or -1 for x = -1, -1 for x = 0 (a division by 0), otherwise 0.
    Power,
    /// The real part.
    Real,
    /// Folds dimensions away with an associative combiner, beginning with init. The order of combination is free.
    Reduce,
    /// Rounds to the nearest value, ties to even, that a float with these many bits can hold; overflow gives infinity, what is subnormal there becomes zero. NaN stays NaN.
    ReducePrecision,
    /// Folds each window with an associative combiner, beginning with init. Padding counts as init.
    ReduceWindow,
    /// Remainder of the truncated quotient, with the sign of x (C fmod). Integers: x % 0 is x; the smallest signed integer % -1 is 0.
    Remainder,
    /// The same elements in row-major order under another shape.
    Reshape,
    /// Reverses the order along these dimensions.
    Reverse,
    /// Random bits from a counter-based generator: threefry-2x32 with 20 rounds, or philox-4x32 with 10, on a key and a counter. Equal states give equal bits, on every target.
    RngBitGenerator,
    /// Nearest integer, halves away from zero.
    RoundNearestAfz,
    /// Nearest integer, halves to the even one.
    RoundNearestEven,
    /// 1 / sqrt(x); infinity for 0 (of the sign of the zero), NaN below 0.
    Rsqrt,
    /// operand with updates combined at computed indices. A window of updates that does not lie inside of operand is skipped as a whole. With assign the last update in row-major order wins.
    Scatter,
    /// on_true where pred is true, on_false elsewhere. The branch not taken has no influence, NaN or not.
    Select,
    /// For each window the selected element of operand (the first on ties) receives the element of source; what meets combines, beginning with init. Padding is never selected. The gradient of maximum pooling.
    SelectAndScatter,
    /// x shifted left by y bits, zeros coming in; 0 when y is at least the width (or negative).
    ShiftLeft,
    /// x shifted right by y bits, copies of the sign bit coming in; all sign bits when y is at least the width (or negative).
    ShiftRightArithmetic,
    /// x shifted right by y bits, zeros coming in; 0 when y is at least the width (or negative).
    ShiftRightLogical,
    /// -1, 0 or 1 as x is negative, zero or positive; -0 and NaN stay as they are.
    Sign,
    /// Sine of x in radians; NaN for infinities.
    Sine,
    /// Elements start, start + stride, ... below limit of every dimension.
    Slice,
    /// Sorts along a dimension; all operands are reordered alike. Elements that the comparator calls equal keep their order.
    Sort,
    /// Square root, correctly rounded; NaN below 0, -0 stays.
    Sqrt,
    /// x - y. Integers wrap.
    Subtract,
    /// Tangent of x in radians; NaN for infinities.
    Tan,
    /// Hyperbolic tangent.
    Tanh,
    /// Dimension i of the result is dimension permutation\[i\] of operand.
    Transpose,
    /// Solves op(a) x = b (or x op(a) = b) for x with triangular matrices a. Only one triangle of a is read.
    TriangularSolve,
    /// Runs body on the state as long as cond gives true.
    While,
    /// Bitwise exclusive or; logical on bool.
    Xor,
}

impl OpKind {
    /// Every operator.
    pub const ALL: &'static [OpKind] = &[
        OpKind::Abs,
        OpKind::Add,
        OpKind::And,
        OpKind::Argmax,
        OpKind::Argmin,
        OpKind::Atan2,
        OpKind::BitcastConvert,
        OpKind::BroadcastInDim,
        OpKind::Case,
        OpKind::Cbrt,
        OpKind::Ceil,
        OpKind::Cholesky,
        OpKind::Clamp,
        OpKind::Compare,
        OpKind::Complex,
        OpKind::Composite,
        OpKind::Concatenate,
        OpKind::Constant,
        OpKind::Convert,
        OpKind::Convolution,
        OpKind::Cosine,
        OpKind::CountLeadingZeros,
        OpKind::Divide,
        OpKind::DotGeneral,
        OpKind::DynamicSlice,
        OpKind::DynamicUpdateSlice,
        OpKind::Erf,
        OpKind::Exponential,
        OpKind::ExponentialMinusOne,
        OpKind::Fft,
        OpKind::Floor,
        OpKind::Gather,
        OpKind::GenericReduce,
        OpKind::GenericReduceWindow,
        OpKind::GenericScatter,
        OpKind::GenericSelectAndScatter,
        OpKind::GetDimensionSize,
        OpKind::If,
        OpKind::Imag,
        OpKind::Iota,
        OpKind::IsFinite,
        OpKind::Log,
        OpKind::LogPlusOne,
        OpKind::Logistic,
        OpKind::Maximum,
        OpKind::Minimum,
        OpKind::Multiply,
        OpKind::Negate,
        OpKind::Not,
        OpKind::OptimizationBarrier,
        OpKind::Or,
        OpKind::Pad,
        OpKind::Parameter,
        OpKind::Popcnt,
        OpKind::Power,
        OpKind::Real,
        OpKind::Reduce,
        OpKind::ReducePrecision,
        OpKind::ReduceWindow,
        OpKind::Remainder,
        OpKind::Reshape,
        OpKind::Reverse,
        OpKind::RngBitGenerator,
        OpKind::RoundNearestAfz,
        OpKind::RoundNearestEven,
        OpKind::Rsqrt,
        OpKind::Scatter,
        OpKind::Select,
        OpKind::SelectAndScatter,
        OpKind::ShiftLeft,
        OpKind::ShiftRightArithmetic,
        OpKind::ShiftRightLogical,
        OpKind::Sign,
        OpKind::Sine,
        OpKind::Slice,
        OpKind::Sort,
        OpKind::Sqrt,
        OpKind::Subtract,
        OpKind::Tan,
        OpKind::Tanh,
        OpKind::Transpose,
        OpKind::TriangularSolve,
        OpKind::While,
        OpKind::Xor,
    ];

    /// The name in the text form and in diagnostics.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Abs => "abs",
            OpKind::Add => "add",
            OpKind::And => "and",
            OpKind::Argmax => "argmax",
            OpKind::Argmin => "argmin",
            OpKind::Atan2 => "atan2",
            OpKind::BitcastConvert => "bitcast_convert",
            OpKind::BroadcastInDim => "broadcast_in_dim",
            OpKind::Case => "case",
            OpKind::Cbrt => "cbrt",
            OpKind::Ceil => "ceil",
            OpKind::Cholesky => "cholesky",
            OpKind::Clamp => "clamp",
            OpKind::Compare => "compare",
            OpKind::Complex => "complex",
            OpKind::Composite => "composite",
            OpKind::Concatenate => "concatenate",
            OpKind::Constant => "constant",
            OpKind::Convert => "convert",
            OpKind::Convolution => "convolution",
            OpKind::Cosine => "cosine",
            OpKind::CountLeadingZeros => "count_leading_zeros",
            OpKind::Divide => "divide",
            OpKind::DotGeneral => "dot_general",
            OpKind::DynamicSlice => "dynamic_slice",
            OpKind::DynamicUpdateSlice => "dynamic_update_slice",
            OpKind::Erf => "erf",
            OpKind::Exponential => "exponential",
            OpKind::ExponentialMinusOne => "exponential_minus_one",
            OpKind::Fft => "fft",
            OpKind::Floor => "floor",
            OpKind::Gather => "gather",
            OpKind::GenericReduce => "generic_reduce",
            OpKind::GenericReduceWindow => "generic_reduce_window",
            OpKind::GenericScatter => "generic_scatter",
            OpKind::GenericSelectAndScatter => "generic_select_and_scatter",
            OpKind::GetDimensionSize => "get_dimension_size",
            OpKind::If => "if",
            OpKind::Imag => "imag",
            OpKind::Iota => "iota",
            OpKind::IsFinite => "is_finite",
            OpKind::Log => "log",
            OpKind::LogPlusOne => "log_plus_one",
            OpKind::Logistic => "logistic",
            OpKind::Maximum => "maximum",
            OpKind::Minimum => "minimum",
            OpKind::Multiply => "multiply",
            OpKind::Negate => "negate",
            OpKind::Not => "not",
            OpKind::OptimizationBarrier => "optimization_barrier",
            OpKind::Or => "or",
            OpKind::Pad => "pad",
            OpKind::Parameter => "parameter",
            OpKind::Popcnt => "popcnt",
            OpKind::Power => "power",
            OpKind::Real => "real",
            OpKind::Reduce => "reduce",
            OpKind::ReducePrecision => "reduce_precision",
            OpKind::ReduceWindow => "reduce_window",
            OpKind::Remainder => "remainder",
            OpKind::Reshape => "reshape",
            OpKind::Reverse => "reverse",
            OpKind::RngBitGenerator => "rng_bit_generator",
            OpKind::RoundNearestAfz => "round_nearest_afz",
            OpKind::RoundNearestEven => "round_nearest_even",
            OpKind::Rsqrt => "rsqrt",
            OpKind::Scatter => "scatter",
            OpKind::Select => "select",
            OpKind::SelectAndScatter => "select_and_scatter",
            OpKind::ShiftLeft => "shift_left",
            OpKind::ShiftRightArithmetic => "shift_right_arithmetic",
            OpKind::ShiftRightLogical => "shift_right_logical",
            OpKind::Sign => "sign",
            OpKind::Sine => "sine",
            OpKind::Slice => "slice",
            OpKind::Sort => "sort",
            OpKind::Sqrt => "sqrt",
            OpKind::Subtract => "subtract",
            OpKind::Tan => "tan",
            OpKind::Tanh => "tanh",
            OpKind::Transpose => "transpose",
            OpKind::TriangularSolve => "triangular_solve",
            OpKind::While => "while",
            OpKind::Xor => "xor",
        }
    }

    /// What kind of operator it is.
    pub const fn class(self) -> Class {
        match self {
            OpKind::Abs
            | OpKind::Cbrt
            | OpKind::Ceil
            | OpKind::Cosine
            | OpKind::CountLeadingZeros
            | OpKind::Erf
            | OpKind::Exponential
            | OpKind::ExponentialMinusOne
            | OpKind::Floor
            | OpKind::IsFinite
            | OpKind::Log
            | OpKind::LogPlusOne
            | OpKind::Logistic
            | OpKind::Negate
            | OpKind::Not
            | OpKind::Popcnt
            | OpKind::RoundNearestAfz
            | OpKind::RoundNearestEven
            | OpKind::Rsqrt
            | OpKind::Sign
            | OpKind::Sine
            | OpKind::Sqrt
            | OpKind::Tan
            | OpKind::Tanh => Class::Unary,
            OpKind::Add
            | OpKind::And
            | OpKind::Atan2
            | OpKind::Divide
            | OpKind::Maximum
            | OpKind::Minimum
            | OpKind::Multiply
            | OpKind::Or
            | OpKind::Power
            | OpKind::Remainder
            | OpKind::ShiftLeft
            | OpKind::ShiftRightArithmetic
            | OpKind::ShiftRightLogical
            | OpKind::Subtract
            | OpKind::Xor => Class::Binary,
            OpKind::Argmax
            | OpKind::Argmin
            | OpKind::GenericReduce
            | OpKind::GenericReduceWindow
            | OpKind::GenericSelectAndScatter
            | OpKind::Reduce
            | OpKind::ReduceWindow
            | OpKind::SelectAndScatter => Class::Reduction,
            OpKind::BitcastConvert
            | OpKind::Clamp
            | OpKind::Compare
            | OpKind::Complex
            | OpKind::Convert
            | OpKind::Imag
            | OpKind::Real
            | OpKind::ReducePrecision
            | OpKind::Select => Class::Elementwise,
            OpKind::BroadcastInDim
            | OpKind::Concatenate
            | OpKind::DynamicSlice
            | OpKind::DynamicUpdateSlice
            | OpKind::Pad
            | OpKind::Reshape
            | OpKind::Reverse
            | OpKind::Slice
            | OpKind::Sort
            | OpKind::Transpose => Class::Movement,
            OpKind::Case | OpKind::Composite | OpKind::If | OpKind::While => Class::Control,
            OpKind::Cholesky | OpKind::Convolution | OpKind::DotGeneral | OpKind::Fft | OpKind::TriangularSolve => {
                Class::Contraction
            }
            OpKind::Constant | OpKind::GetDimensionSize | OpKind::Iota | OpKind::Parameter => Class::Source,
            OpKind::Gather | OpKind::GenericScatter | OpKind::Scatter => Class::Indexing,
            OpKind::OptimizationBarrier => Class::Barrier,
            OpKind::RngBitGenerator => Class::Random,
        }
    }

    /// What a pass may do with it.
    pub const fn effects(self) -> Effects {
        match self {
            OpKind::Abs
            | OpKind::Add
            | OpKind::And
            | OpKind::Argmax
            | OpKind::Argmin
            | OpKind::Atan2
            | OpKind::BitcastConvert
            | OpKind::BroadcastInDim
            | OpKind::Cbrt
            | OpKind::Ceil
            | OpKind::Cholesky
            | OpKind::Clamp
            | OpKind::Compare
            | OpKind::Complex
            | OpKind::Concatenate
            | OpKind::Constant
            | OpKind::Convert
            | OpKind::Convolution
            | OpKind::Cosine
            | OpKind::CountLeadingZeros
            | OpKind::Divide
            | OpKind::DotGeneral
            | OpKind::DynamicSlice
            | OpKind::DynamicUpdateSlice
            | OpKind::Erf
            | OpKind::Exponential
            | OpKind::ExponentialMinusOne
            | OpKind::Fft
            | OpKind::Floor
            | OpKind::Gather
            | OpKind::GenericReduce
            | OpKind::GenericReduceWindow
            | OpKind::GenericScatter
            | OpKind::GenericSelectAndScatter
            | OpKind::GetDimensionSize
            | OpKind::Imag
            | OpKind::Iota
            | OpKind::IsFinite
            | OpKind::Log
            | OpKind::LogPlusOne
            | OpKind::Logistic
            | OpKind::Maximum
            | OpKind::Minimum
            | OpKind::Multiply
            | OpKind::Negate
            | OpKind::Not
            | OpKind::Or
            | OpKind::Pad
            | OpKind::Parameter
            | OpKind::Popcnt
            | OpKind::Power
            | OpKind::Real
            | OpKind::Reduce
            | OpKind::ReducePrecision
            | OpKind::ReduceWindow
            | OpKind::Remainder
            | OpKind::Reshape
            | OpKind::Reverse
            | OpKind::RngBitGenerator
            | OpKind::RoundNearestAfz
            | OpKind::RoundNearestEven
            | OpKind::Rsqrt
            | OpKind::Scatter
            | OpKind::Select
            | OpKind::SelectAndScatter
            | OpKind::ShiftLeft
            | OpKind::ShiftRightArithmetic
            | OpKind::ShiftRightLogical
            | OpKind::Sign
            | OpKind::Sine
            | OpKind::Slice
            | OpKind::Sort
            | OpKind::Sqrt
            | OpKind::Subtract
            | OpKind::Tan
            | OpKind::Tanh
            | OpKind::Transpose
            | OpKind::TriangularSolve
            | OpKind::Xor => Effects::Pure,
            OpKind::Case | OpKind::Composite | OpKind::If | OpKind::While => Effects::Control,
            OpKind::OptimizationBarrier => Effects::Barrier,
        }
    }

    /// The names of the operands in diagnostics, up to the first of which there may be several.
    pub const fn operand_names(self) -> &'static [&'static str] {
        match self {
            OpKind::Abs
            | OpKind::Argmax
            | OpKind::Argmin
            | OpKind::BitcastConvert
            | OpKind::BroadcastInDim
            | OpKind::Cbrt
            | OpKind::Ceil
            | OpKind::Convert
            | OpKind::Cosine
            | OpKind::CountLeadingZeros
            | OpKind::DynamicSlice
            | OpKind::Erf
            | OpKind::Exponential
            | OpKind::ExponentialMinusOne
            | OpKind::Fft
            | OpKind::Floor
            | OpKind::GetDimensionSize
            | OpKind::Imag
            | OpKind::IsFinite
            | OpKind::Log
            | OpKind::LogPlusOne
            | OpKind::Logistic
            | OpKind::Negate
            | OpKind::Not
            | OpKind::OptimizationBarrier
            | OpKind::Popcnt
            | OpKind::Real
            | OpKind::ReducePrecision
            | OpKind::Reshape
            | OpKind::Reverse
            | OpKind::RoundNearestAfz
            | OpKind::RoundNearestEven
            | OpKind::Rsqrt
            | OpKind::Sign
            | OpKind::Sine
            | OpKind::Slice
            | OpKind::Sqrt
            | OpKind::Tan
            | OpKind::Tanh
            | OpKind::Transpose => &["operand"],
            OpKind::Add
            | OpKind::And
            | OpKind::Atan2
            | OpKind::Compare
            | OpKind::Divide
            | OpKind::DotGeneral
            | OpKind::Maximum
            | OpKind::Minimum
            | OpKind::Multiply
            | OpKind::Or
            | OpKind::Power
            | OpKind::Remainder
            | OpKind::ShiftLeft
            | OpKind::ShiftRightArithmetic
            | OpKind::ShiftRightLogical
            | OpKind::Subtract
            | OpKind::Xor => &["left", "right"],
            OpKind::Case => &["index"],
            OpKind::Cholesky => &["a"],
            OpKind::Clamp => &["min", "operand", "max"],
            OpKind::Complex => &["real part", "imaginary part"],
            OpKind::Composite
            | OpKind::Concatenate
            | OpKind::Constant
            | OpKind::GenericReduce
            | OpKind::GenericReduceWindow
            | OpKind::GenericScatter
            | OpKind::Iota
            | OpKind::Parameter
            | OpKind::Sort
            | OpKind::While => &[],
            OpKind::Convolution => &["input", "kernel"],
            OpKind::DynamicUpdateSlice => &["operand", "update"],
            OpKind::Gather => &["operand", "indices"],
            OpKind::GenericSelectAndScatter | OpKind::SelectAndScatter => &["operand", "source", "init"],
            OpKind::If => &["pred"],
            OpKind::Pad => &["operand", "padding value"],
            OpKind::Reduce | OpKind::ReduceWindow => &["operand", "init"],
            OpKind::RngBitGenerator => &["state"],
            OpKind::Scatter => &["operand", "indices", "updates"],
            OpKind::Select => &["pred", "on_true", "on_false"],
            OpKind::TriangularSolve => &["a", "b"],
        }
    }

    /// The operator of this name.
    pub fn from_name(name: &str) -> Option<OpKind> {
        Some(match name {
            "abs" => OpKind::Abs,
            "add" => OpKind::Add,
            "and" => OpKind::And,
            "argmax" => OpKind::Argmax,
            "argmin" => OpKind::Argmin,
            "atan2" => OpKind::Atan2,
            "bitcast_convert" => OpKind::BitcastConvert,
            "broadcast_in_dim" => OpKind::BroadcastInDim,
            "case" => OpKind::Case,
            "cbrt" => OpKind::Cbrt,
            "ceil" => OpKind::Ceil,
            "cholesky" => OpKind::Cholesky,
            "clamp" => OpKind::Clamp,
            "compare" => OpKind::Compare,
            "complex" => OpKind::Complex,
            "composite" => OpKind::Composite,
            "concatenate" => OpKind::Concatenate,
            "constant" => OpKind::Constant,
            "convert" => OpKind::Convert,
            "convolution" => OpKind::Convolution,
            "cosine" => OpKind::Cosine,
            "count_leading_zeros" => OpKind::CountLeadingZeros,
            "divide" => OpKind::Divide,
            "dot_general" => OpKind::DotGeneral,
            "dynamic_slice" => OpKind::DynamicSlice,
            "dynamic_update_slice" => OpKind::DynamicUpdateSlice,
            "erf" => OpKind::Erf,
            "exponential" => OpKind::Exponential,
            "exponential_minus_one" => OpKind::ExponentialMinusOne,
            "fft" => OpKind::Fft,
            "floor" => OpKind::Floor,
            "gather" => OpKind::Gather,
            "generic_reduce" => OpKind::GenericReduce,
            "generic_reduce_window" => OpKind::GenericReduceWindow,
            "generic_scatter" => OpKind::GenericScatter,
            "generic_select_and_scatter" => OpKind::GenericSelectAndScatter,
            "get_dimension_size" => OpKind::GetDimensionSize,
            "if" => OpKind::If,
            "imag" => OpKind::Imag,
            "iota" => OpKind::Iota,
            "is_finite" => OpKind::IsFinite,
            "log" => OpKind::Log,
            "log_plus_one" => OpKind::LogPlusOne,
            "logistic" => OpKind::Logistic,
            "maximum" => OpKind::Maximum,
            "minimum" => OpKind::Minimum,
            "multiply" => OpKind::Multiply,
            "negate" => OpKind::Negate,
            "not" => OpKind::Not,
            "optimization_barrier" => OpKind::OptimizationBarrier,
            "or" => OpKind::Or,
            "pad" => OpKind::Pad,
            "parameter" => OpKind::Parameter,
            "popcnt" => OpKind::Popcnt,
            "power" => OpKind::Power,
            "real" => OpKind::Real,
            "reduce" => OpKind::Reduce,
            "reduce_precision" => OpKind::ReducePrecision,
            "reduce_window" => OpKind::ReduceWindow,
            "remainder" => OpKind::Remainder,
            "reshape" => OpKind::Reshape,
            "reverse" => OpKind::Reverse,
            "rng_bit_generator" => OpKind::RngBitGenerator,
            "round_nearest_afz" => OpKind::RoundNearestAfz,
            "round_nearest_even" => OpKind::RoundNearestEven,
            "rsqrt" => OpKind::Rsqrt,
            "scatter" => OpKind::Scatter,
            "select" => OpKind::Select,
            "select_and_scatter" => OpKind::SelectAndScatter,
            "shift_left" => OpKind::ShiftLeft,
            "shift_right_arithmetic" => OpKind::ShiftRightArithmetic,
            "shift_right_logical" => OpKind::ShiftRightLogical,
            "sign" => OpKind::Sign,
            "sine" => OpKind::Sine,
            "slice" => OpKind::Slice,
            "sort" => OpKind::Sort,
            "sqrt" => OpKind::Sqrt,
            "subtract" => OpKind::Subtract,
            "tan" => OpKind::Tan,
            "tanh" => OpKind::Tanh,
            "transpose" => OpKind::Transpose,
            "triangular_solve" => OpKind::TriangularSolve,
            "while" => OpKind::While,
            "xor" => OpKind::Xor,
            _ => return None,
        })
    }
}

impl UnaryOp {
    /// The operator's kind.
    pub const fn kind(self) -> OpKind {
        match self {
            UnaryOp::Abs => OpKind::Abs,
            UnaryOp::Cbrt => OpKind::Cbrt,
            UnaryOp::Ceil => OpKind::Ceil,
            UnaryOp::Cosine => OpKind::Cosine,
            UnaryOp::CountLeadingZeros => OpKind::CountLeadingZeros,
            UnaryOp::Erf => OpKind::Erf,
            UnaryOp::Exponential => OpKind::Exponential,
            UnaryOp::ExponentialMinusOne => OpKind::ExponentialMinusOne,
            UnaryOp::Floor => OpKind::Floor,
            UnaryOp::IsFinite => OpKind::IsFinite,
            UnaryOp::Log => OpKind::Log,
            UnaryOp::LogPlusOne => OpKind::LogPlusOne,
            UnaryOp::Logistic => OpKind::Logistic,
            UnaryOp::Negate => OpKind::Negate,
            UnaryOp::Not => OpKind::Not,
            UnaryOp::Popcnt => OpKind::Popcnt,
            UnaryOp::RoundNearestAfz => OpKind::RoundNearestAfz,
            UnaryOp::RoundNearestEven => OpKind::RoundNearestEven,
            UnaryOp::Rsqrt => OpKind::Rsqrt,
            UnaryOp::Sign => OpKind::Sign,
            UnaryOp::Sine => OpKind::Sine,
            UnaryOp::Sqrt => OpKind::Sqrt,
            UnaryOp::Tan => OpKind::Tan,
            UnaryOp::Tanh => OpKind::Tanh,
        }
    }
}

impl BinaryOp {
    /// The operator's kind.
    pub const fn kind(self) -> OpKind {
        match self {
            BinaryOp::Add => OpKind::Add,
            BinaryOp::And => OpKind::And,
            BinaryOp::Atan2 => OpKind::Atan2,
            BinaryOp::Divide => OpKind::Divide,
            BinaryOp::Maximum => OpKind::Maximum,
            BinaryOp::Minimum => OpKind::Minimum,
            BinaryOp::Multiply => OpKind::Multiply,
            BinaryOp::Or => OpKind::Or,
            BinaryOp::Power => OpKind::Power,
            BinaryOp::Remainder => OpKind::Remainder,
            BinaryOp::ShiftLeft => OpKind::ShiftLeft,
            BinaryOp::ShiftRightArithmetic => OpKind::ShiftRightArithmetic,
            BinaryOp::ShiftRightLogical => OpKind::ShiftRightLogical,
            BinaryOp::Subtract => OpKind::Subtract,
            BinaryOp::Xor => OpKind::Xor,
        }
    }
}

impl Op {
    /// Which operator it is.
    pub const fn kind(&self) -> OpKind {
        match self {
            Op::Unary(op) => op.kind(),
            Op::Binary(op) => op.kind(),
            Op::ArgReduce { kind: ArgKind::Max, .. } => OpKind::Argmax,
            Op::ArgReduce { kind: ArgKind::Min, .. } => OpKind::Argmin,
            Op::BitcastConvert(..) => OpKind::BitcastConvert,
            Op::BroadcastInDim { .. } => OpKind::BroadcastInDim,
            Op::Case { .. } => OpKind::Case,
            Op::Cholesky { .. } => OpKind::Cholesky,
            Op::Clamp => OpKind::Clamp,
            Op::Compare(..) => OpKind::Compare,
            Op::Complex => OpKind::Complex,
            Op::Composite { .. } => OpKind::Composite,
            Op::Concatenate(..) => OpKind::Concatenate,
            Op::Constant(..) => OpKind::Constant,
            Op::Convert(..) => OpKind::Convert,
            Op::Convolution(..) => OpKind::Convolution,
            Op::DotGeneral(..) => OpKind::DotGeneral,
            Op::DynamicSlice { .. } => OpKind::DynamicSlice,
            Op::DynamicUpdateSlice => OpKind::DynamicUpdateSlice,
            Op::Fft { .. } => OpKind::Fft,
            Op::Gather(..) => OpKind::Gather,
            Op::GenericReduce { .. } => OpKind::GenericReduce,
            Op::GenericReduceWindow { .. } => OpKind::GenericReduceWindow,
            Op::GenericScatter { .. } => OpKind::GenericScatter,
            Op::GenericSelectAndScatter { .. } => OpKind::GenericSelectAndScatter,
            Op::GetDimensionSize(..) => OpKind::GetDimensionSize,
            Op::If { .. } => OpKind::If,
            Op::Imag => OpKind::Imag,
            Op::Iota { .. } => OpKind::Iota,
            Op::OptimizationBarrier => OpKind::OptimizationBarrier,
            Op::Pad { .. } => OpKind::Pad,
            Op::Parameter(..) => OpKind::Parameter,
            Op::Real => OpKind::Real,
            Op::Reduce { .. } => OpKind::Reduce,
            Op::ReducePrecision { .. } => OpKind::ReducePrecision,
            Op::ReduceWindow { .. } => OpKind::ReduceWindow,
            Op::Reshape(..) => OpKind::Reshape,
            Op::Reverse(..) => OpKind::Reverse,
            Op::RngBitGenerator { .. } => OpKind::RngBitGenerator,
            Op::Scatter { .. } => OpKind::Scatter,
            Op::Select => OpKind::Select,
            Op::SelectAndScatter { .. } => OpKind::SelectAndScatter,
            Op::Slice { .. } => OpKind::Slice,
            Op::Sort { .. } => OpKind::Sort,
            Op::Transpose(..) => OpKind::Transpose,
            Op::TriangularSolve { .. } => OpKind::TriangularSolve,
            Op::While { .. } => OpKind::While,
        }
    }
}
