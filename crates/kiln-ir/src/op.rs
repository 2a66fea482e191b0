//! The operators of the graph IR, named and defined as in StableHLO.

use crate::dim::Dim;
use crate::dtype::DType;
use crate::func::Func;
use crate::generated::scalar_ops::{BinaryOp, UnaryOp};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// A list of dimension numbers.
pub type Axes = SmallVec<[usize; 4]>;
/// A list of integers, one per dimension.
pub type Ints = SmallVec<[i64; 4]>;

/// An operator with its attributes. Operands and result types are on the [`crate::Node`].
///
/// `(operands) -> results` in each comment; "static" operands are the only ones unless said otherwise.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    /// `() -> T`: the function's input of this index.
    Parameter(u32),
    /// `() -> T`: a literal.
    Constant(Tensor),
    /// `() -> T`: counts 0, 1, ... along `dim`.
    Iota {
        /// Result type (int or float).
        ty: TensorType,
        /// Dimension that counts.
        dim: usize,
    },
    /// `(x) -> T` elementwise; `is_finite` gives bool.
    Unary(UnaryOp),
    /// `(x, y) -> T` elementwise on equal types.
    Binary(BinaryOp),
    /// `(x, y) -> bool` elementwise.
    Compare(CompareDirection),
    /// `(pred, on_true, on_false) -> T`; `pred` is bool of the same shape or a scalar.
    Select,
    /// `(min, x, max) -> T`; bounds of the same shape or scalars: `minimum(maximum(x, min), max)`.
    Clamp,
    /// `(x) -> x as this dtype`, value conversion (see the numerics contract for float to int).
    Convert(DType),
    /// `(x) -> bits of x as this dtype`; widths may differ as StableHLO says (a trailing dimension appears or vanishes).
    BitcastConvert(DType),
    /// `(re, im) -> complex`: f32 parts give c64, f64 parts c128.
    Complex,
    /// `(x) -> real part` of a complex tensor.
    Real,
    /// `(x) -> imaginary part` of a complex tensor.
    Imag,
    /// `(x) -> T`: floats rounded to what this many bits of exponent and mantissa can hold.
    ReducePrecision {
        /// At least 1.
        exponent_bits: u32,
        /// Without the leading one.
        mantissa_bits: u32,
    },
    /// `(x) -> i32 scalar`: the size of this dimension.
    GetDimensionSize(usize),
    /// `(x) -> T`: operand dimension `i` becomes result dimension `dims[i]`; sizes are equal or 1.
    BroadcastInDim {
        /// Result shape.
        shape: Shape,
        /// Result dimension of each operand dimension.
        dims: Axes,
    },
    /// `(x) -> T`: same elements in row-major order.
    Reshape(Shape),
    /// `(x) -> T`: result dimension `i` is operand dimension `permutation[i]`.
    Transpose(Axes),
    /// `(x) -> T`: reverses these dimensions.
    Reverse(Axes),
    /// `(x) -> T`: elements `start, start + stride, ...` below `limit`.
    Slice {
        /// First index per dimension.
        start: SmallVec<[Dim; 4]>,
        /// End (excluded) per dimension.
        limit: SmallVec<[Dim; 4]>,
        /// Step per dimension, at least 1.
        strides: Ints,
    },
    /// `(x, i0, i1, ...) -> T`: scalar integer start indices, clamped so that the slice lies inside.
    DynamicSlice {
        /// Result shape.
        sizes: Shape,
    },
    /// `(x, update, i0, i1, ...) -> T`: `x` with `update` written at the clamped start indices.
    DynamicUpdateSlice,
    /// `(x0, x1, ...) -> T` joined along this dimension.
    Concatenate(usize),
    /// `(x, value) -> T`: edge padding (negative removes) and `interior` elements between.
    Pad {
        /// Before, per dimension.
        low: SmallVec<[Dim; 4]>,
        /// After, per dimension.
        high: SmallVec<[Dim; 4]>,
        /// Between two elements, at least 0.
        interior: Ints,
    },
    /// `(lhs, rhs) -> T[batch..., lhs free..., rhs free...]`.
    DotGeneral(DotDims),
    /// `(x, init) -> T`: folds `axes` away; `init` is a scalar.
    Reduce {
        /// Dimensions reduced, ascending.
        axes: Axes,
        /// How two values combine.
        reducer: Reducer,
    },
    /// `(x0, x1, ..., init0, init1, ..., captures...) -> (T0, T1, ...)`: folds `axes` away with any associative function. The
    /// `n` operands have one shape; `n` is the number of results of `body`.
    GenericReduce {
        /// Dimensions reduced, ascending.
        axes: Axes,
        /// `(acc0, ..., elem0, ..., captures...) -> (acc0, ...)` on scalars.
        body: Box<Func>,
    },
    /// `(x) -> index`: position of the extreme along `axis` (removed); the first on ties; the first NaN wins.
    ArgReduce {
        /// Dimension searched.
        axis: usize,
        /// Minimum or maximum.
        kind: ArgKind,
        /// Integer type of the result.
        dtype: DType,
    },
    /// `(lhs, rhs) -> T`.
    Convolution(Box<ConvDims>),
    /// `(x, init) -> T`: folds each window.
    ReduceWindow {
        /// The windows, one entry per dimension.
        window: Box<Window>,
        /// How two values combine.
        reducer: Reducer,
    },
    /// `(x0, x1, ..., init0, init1, ..., captures...) -> (T0, T1, ...)`: folds each window with any associative function;
    /// operands as of `GenericReduce`.
    GenericReduceWindow {
        /// The windows, one entry per dimension.
        window: Box<Window>,
        /// `(acc0, ..., elem0, ..., captures...) -> (acc0, ...)` on scalars.
        body: Box<Func>,
    },
    /// `(x, source, init) -> T like x`: each window's selected element receives the source's value.
    SelectAndScatter {
        /// The windows (without dilations).
        window: Box<Window>,
        /// `GE` selects the (first) maximum, `LE` the (first) minimum.
        select: CompareDirection,
        /// How values that meet combine.
        scatter: Reducer,
    },
    /// `(x, source, init) -> T like x`: `SelectAndScatter` with any selection and combiner.
    GenericSelectAndScatter {
        /// The windows (without dilations).
        window: Box<Window>,
        /// `(selected so far, candidate) -> bool`: true keeps what is selected.
        select: Box<Func>,
        /// `(acc, source element) -> acc`.
        scatter: Box<Func>,
    },
    /// `(x, indices) -> T`.
    Gather(Box<GatherDims>),
    /// `(x, indices, updates) -> T like x`; updates whose window leaves `x` are skipped.
    Scatter {
        /// Dimension numbers.
        dims: Box<ScatterDims>,
        /// How an update combines with what is there.
        update: ScatterUpdate,
    },
    /// `(x0, x1, ..., indices, updates0, updates1, ..., captures...) -> (T0, T1, ...)`: `Scatter` of several operands at the same
    /// places, with any function.
    GenericScatter {
        /// Dimension numbers.
        dims: Box<ScatterDims>,
        /// `(old0, ..., update0, ..., captures...) -> (new0, ...)` on scalars; updates come in row-major order.
        body: Box<Func>,
    },
    /// `(x0, x1, ..., captures...) -> (T0, T1, ...)`: sorts along `dim`, all operands by one order.
    Sort {
        /// Dimension sorted.
        dim: usize,
        /// Equal elements keep their order. (They always do; kept for what is written out.)
        stable: bool,
        /// `(a0, b0, a1, b1, ..., captures...) -> bool` on scalars: true when `a` comes before `b`.
        comparator: Box<Func>,
    },
    /// `(x) -> T`: discrete Fourier transform over the last dimensions.
    Fft {
        /// Direction, and which side is real.
        kind: FftKind,
        /// Number of points of the last 1 to 3 dimensions, on the real side.
        length: Ints,
        /// Complex tensors are floats with a last dimension of real and imaginary part (legalized form).
        interleaved: bool,
    },
    /// `(a: [..., n, n]) -> [..., n, n]`: Cholesky factor of positive definite (Hermitian) matrices. Only the `lower` (or
    /// upper) triangle is read; the other triangle of the result is zero. NaN where `a` is not positive definite.
    Cholesky {
        /// Give `l` with `a = l l^H`; otherwise `u` with `a = u^H u`.
        lower: bool,
        /// As in `Fft`.
        interleaved: bool,
    },
    /// `(a: [..., n, n], b: [..., m, k]) -> x like b` with `op(a) x = b`, or `x op(a) = b`.
    TriangularSolve {
        /// `a` stands on the left.
        left_side: bool,
        /// The lower triangle of `a` is read, otherwise the upper.
        lower: bool,
        /// The diagonal of `a` counts as ones.
        unit_diagonal: bool,
        /// What `op` is.
        transpose_a: TransposeKind,
        /// As in `Fft`.
        interleaved: bool,
    },
    /// `(state...) -> (state...)`: runs `body` while `cond` gives true.
    While {
        /// `(state...) -> bool scalar`.
        cond: Box<Func>,
        /// `(state...) -> (state...)`.
        body: Box<Func>,
    },
    /// `(pred, args...) -> results` of the branch taken.
    If {
        /// `(args...) -> results` when true.
        on_true: Box<Func>,
        /// `(args...) -> results` when false.
        on_false: Box<Func>,
    },
    /// `(index i32, args...) -> results`; an index out of range takes the last branch.
    Case {
        /// `(args...) -> results`, at least one.
        branches: Vec<Func>,
    },
    /// `(state) -> (state, bits: T)`: counter-based random bits; the state is u64: key, then counter.
    RngBitGenerator {
        /// Which generator.
        algorithm: RngAlgorithm,
        /// Type of the bits (unsigned int, or int).
        ty: TensorType,
    },
    /// `(x) -> x` that no rewrite looks through.
    OptimizationBarrier,
    /// `(args...) -> results` of `body`; inlined by the optimizer. Carries a user's derivative.
    Composite {
        /// Name for people.
        name: String,
        /// `(args...) -> results`.
        body: Box<Func>,
        /// `(args..., results..., cotangents of results...) -> cotangents of args`, if the user gave one.
        vjp: Option<Box<Func>>,
    },
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

/// Dimension numbers of `dot_general`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct DotDims {
    /// Batch dimensions of the left side.
    pub lhs_batch: Axes,
    /// Batch dimensions of the right side, in the same order.
    pub rhs_batch: Axes,
    /// Contracted dimensions of the left side.
    pub lhs_contract: Axes,
    /// Contracted dimensions of the right side, in the same order.
    pub rhs_contract: Axes,
    /// Result element type if not the operands'.
    pub result: Option<DType>,
}

/// One spatial dimension of a window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct WindowDim {
    /// Elements in the window (for convolutions: the kernel's size in this dimension).
    pub size: i64,
    /// Step between windows.
    pub stride: i64,
    /// Padding before (may be negative).
    pub pad_low: i64,
    /// Padding after (may be negative).
    pub pad_high: i64,
    /// Spacing of the input's elements (1 = dense): `base_dilations` / `lhs_dilation`.
    pub base_dilation: i64,
    /// Spacing of the window's elements: `window_dilations` / `rhs_dilation`.
    pub window_dilation: i64,
    /// Convolutions only: the window is read backwards.
    pub reversed: bool,
}

impl WindowDim {
    /// A window of one element that covers a dimension as it is.
    pub const TRIVIAL: WindowDim = WindowDim {
        size: 1,
        stride: 1,
        pad_low: 0,
        pad_high: 0,
        base_dilation: 1,
        window_dilation: 1,
        reversed: false,
    };

    /// Extent of the dilated window.
    pub fn dilated_size(&self) -> i64 {
        if self.size == 0 { 0 } else { (self.size - 1) * self.window_dilation + 1 }
    }
    /// Extent of the dilated and padded input of size `n`.
    pub fn padded_input(&self, n: i64) -> i64 {
        let dilated = if n == 0 { 0 } else { (n - 1) * self.base_dilation + 1 };
        dilated + self.pad_low + self.pad_high
    }
    /// Number of windows over an input of size `n`.
    pub fn output_size(&self, n: i64) -> i64 {
        let (padded, window) = (self.padded_input(n), self.dilated_size());
        if padded < window || padded <= 0 { 0 } else { (padded - window) / self.stride + 1 }
    }
}

/// Windows of `reduce_window` and `select_and_scatter`: one entry for every dimension.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Per dimension.
    pub dims: SmallVec<[WindowDim; 4]>,
}

/// Dimension numbers and windows of `convolution`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ConvDims {
    /// Batch dimension of the input.
    pub input_batch: usize,
    /// Feature dimension of the input.
    pub input_feature: usize,
    /// Spatial dimensions of the input.
    pub input_spatial: Axes,
    /// Input-feature dimension of the kernel.
    pub kernel_input_feature: usize,
    /// Output-feature dimension of the kernel.
    pub kernel_output_feature: usize,
    /// Spatial dimensions of the kernel.
    pub kernel_spatial: Axes,
    /// Batch dimension of the result.
    pub output_batch: usize,
    /// Feature dimension of the result.
    pub output_feature: usize,
    /// Spatial dimensions of the result.
    pub output_spatial: Axes,
    /// One window per spatial dimension; `size` equals the kernel's size there.
    pub window: SmallVec<[WindowDim; 4]>,
    /// Groups of input features.
    pub feature_group_count: usize,
    /// Groups of the batch.
    pub batch_group_count: usize,
}

/// Dimension numbers of `gather` (StableHLO names).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct GatherDims {
    /// Result dimensions that run over the slice.
    pub offset_dims: Axes,
    /// Operand dimensions of slice size 1 that the result lacks.
    pub collapsed_slice_dims: Axes,
    /// Operand dimensions that are batched with the indices.
    pub operand_batching_dims: Axes,
    /// The matching dimensions of the indices.
    pub start_indices_batching_dims: Axes,
    /// Operand dimension of each index component.
    pub start_index_map: Axes,
    /// Dimension of the indices that holds the components.
    pub index_vector_dim: usize,
    /// Slice size per operand dimension.
    pub slice_sizes: Shape,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
}

/// Dimension numbers of `scatter` (StableHLO names).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ScatterDims {
    /// Dimensions of the updates that run over the window.
    pub update_window_dims: Axes,
    /// Operand dimensions of size 1 that the window lacks.
    pub inserted_window_dims: Axes,
    /// Operand dimensions that are batched with the indices.
    pub input_batching_dims: Axes,
    /// The matching dimensions of the indices.
    pub scatter_indices_batching_dims: Axes,
    /// Operand dimension of each index component.
    pub scatter_dims_to_operand_dims: Axes,
    /// Dimension of the indices that holds the components.
    pub index_vector_dim: usize,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
    /// A promise that no two indices are equal.
    pub unique_indices: bool,
}

impl Op {
    /// The operator's name in the text form and in diagnostics.
    pub fn name(&self) -> &str {
        match self {
            Op::Parameter(_) => "parameter",
            Op::Constant(_) => "constant",
            Op::Iota { .. } => "iota",
            Op::Unary(u) => u.name(),
            Op::Binary(b) => b.name(),
            Op::Compare(_) => "compare",
            Op::Select => "select",
            Op::Clamp => "clamp",
            Op::Convert(_) => "convert",
            Op::BitcastConvert(_) => "bitcast_convert",
            Op::Complex => "complex",
            Op::Real => "real",
            Op::Imag => "imag",
            Op::ReducePrecision { .. } => "reduce_precision",
            Op::GetDimensionSize(_) => "get_dimension_size",
            Op::BroadcastInDim { .. } => "broadcast_in_dim",
            Op::Reshape(_) => "reshape",
            Op::Transpose(_) => "transpose",
            Op::Reverse(_) => "reverse",
            Op::Slice { .. } => "slice",
            Op::DynamicSlice { .. } => "dynamic_slice",
            Op::DynamicUpdateSlice => "dynamic_update_slice",
            Op::Concatenate(_) => "concatenate",
            Op::Pad { .. } => "pad",
            Op::DotGeneral(_) => "dot_general",
            Op::Reduce { .. } => "reduce",
            Op::GenericReduce { .. } => "generic_reduce",
            Op::ArgReduce { kind: ArgKind::Min, .. } => "argmin",
            Op::ArgReduce { kind: ArgKind::Max, .. } => "argmax",
            Op::Convolution(_) => "convolution",
            Op::ReduceWindow { .. } => "reduce_window",
            Op::GenericReduceWindow { .. } => "generic_reduce_window",
            Op::SelectAndScatter { .. } => "select_and_scatter",
            Op::GenericSelectAndScatter { .. } => "generic_select_and_scatter",
            Op::Gather(_) => "gather",
            Op::Scatter { .. } => "scatter",
            Op::GenericScatter { .. } => "generic_scatter",
            Op::Sort { .. } => "sort",
            Op::Fft { .. } => "fft",
            Op::Cholesky { .. } => "cholesky",
            Op::TriangularSolve { .. } => "triangular_solve",
            Op::While { .. } => "while",
            Op::If { .. } => "if",
            Op::Case { .. } => "case",
            Op::RngBitGenerator { .. } => "rng_bit_generator",
            Op::OptimizationBarrier => "optimization_barrier",
            Op::Composite { .. } => "composite",
        }
    }

    /// The functions nested in the operator, in order.
    pub fn regions(&self) -> SmallVec<[&Func; 2]> {
        match self {
            Op::While { cond, body } => SmallVec::from_slice(&[&**cond, &**body]),
            Op::GenericReduce { body, .. }
            | Op::GenericReduceWindow { body, .. }
            | Op::GenericScatter { body, .. }
            | Op::Sort { comparator: body, .. } => SmallVec::from_slice(&[&**body]),
            Op::GenericSelectAndScatter { select, scatter, .. } => SmallVec::from_slice(&[&**select, &**scatter]),
            Op::If { on_true, on_false } => SmallVec::from_slice(&[&**on_true, &**on_false]),
            Op::Case { branches } => branches.iter().collect(),
            Op::Composite { body, vjp, .. } => std::iter::once(&**body).chain(vjp.as_deref()).collect(),
            _ => SmallVec::new(),
        }
    }

    /// The functions nested in the operator, for rewriting in place.
    pub fn regions_mut(&mut self) -> SmallVec<[&mut Func; 2]> {
        match self {
            Op::While { cond, body } => [&mut **cond, &mut **body].into_iter().collect(),
            Op::GenericReduce { body, .. }
            | Op::GenericReduceWindow { body, .. }
            | Op::GenericScatter { body, .. }
            | Op::Sort { comparator: body, .. } => std::iter::once(&mut **body).collect(),
            Op::GenericSelectAndScatter { select, scatter, .. } => {
                [&mut **select, &mut **scatter].into_iter().collect()
            }
            Op::If { on_true, on_false } => [&mut **on_true, &mut **on_false].into_iter().collect(),
            Op::Case { branches } => branches.iter_mut().collect(),
            Op::Composite { body, vjp, .. } => std::iter::once(&mut **body).chain(vjp.as_deref_mut()).collect(),
            _ => SmallVec::new(),
        }
    }
}
