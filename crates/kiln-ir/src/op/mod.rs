//! The operators of the graph IR, named and defined as in StableHLO.
//!
//! [`Op`] is an operator with its attributes. What the operator table (`graph-spec/ops.toml`) knows of operators is in
//! [`OpKind`], [`UnaryOp`] and [`BinaryOp`], which are derived from it.

mod dims;
mod enums;
mod generated;
mod special;

pub use dims::{Axes, ConvDims, DotDims, GatherDims, Ints, ScatterDims, Window, WindowDim};
pub use enums::{ArgKind, CompareDirection, FftKind, Reducer, RngAlgorithm, ScatterUpdate, TransposeKind};
pub use generated::kind::{Class, Effects, OpKind};
pub use generated::scalar_ops::*;
pub use special::SpecialElement;

use crate::dim::Dim;
use crate::dtype::DType;
use crate::func::Func;
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;
use smallvec::SmallVec;

/// An operator with its attributes. Operands and result types are on the [`crate::Node`].
///
/// Each comment begins with the operands and results: `(operands) -> results`.
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

impl Op {
    /// The operator's name in the text form and in diagnostics.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The operator's class.
    pub fn class(&self) -> Class {
        self.kind().class()
    }

    /// What a pass may do with the operator.
    pub fn effects(&self) -> Effects {
        self.kind().effects()
    }

    /// Whether each element of the result depends on the elements at the same place of the operands only (and on scalars among
    /// them). Not so `bitcast_convert`, which can split elements and join them.
    pub fn is_elementwise(&self) -> bool {
        matches!(self.class(), Class::Unary | Class::Binary | Class::Elementwise)
            && !matches!(self, Op::BitcastConvert(_))
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
