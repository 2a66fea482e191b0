//! The attributes of every operator. Derived from `graph-spec/ops.toml`.

use crate::op::attribute::{Attribute, AttributeMut, AttributeSource, AttributeValue, Labels};
use crate::op::*;
use crate::shape::Shape;
use smallvec::SmallVec;

impl Op {
    /// Calls `visit` with every attribute, in the order of the text form.
    pub fn attributes<'a>(&'a self, visit: &mut impl FnMut(Attribute<'a>)) {
        match self {
            Op::ArgReduce { axis, kind: _, dtype } => {
                visit(Attribute::new("axis", AttributeValue::Int(*axis as u64)));
                visit(Attribute::new("dtype", AttributeValue::DType(*dtype)).annotated());
            }
            Op::BitcastConvert(dtype) => {
                visit(Attribute::new("dtype", AttributeValue::DType(*dtype)).annotated());
            }
            Op::BroadcastInDim { shape, dims } => {
                visit(Attribute::new("shape", AttributeValue::Sizes(shape)).annotated());
                visit(Attribute::new("dims", AttributeValue::Axes(dims)));
            }
            Op::Case { branches } => {
                visit(Attribute::new("branches", AttributeValue::Functions(branches)));
            }
            Op::Cholesky { lower, interleaved } => {
                visit(Attribute::new("lower", AttributeValue::Flag(*lower)));
                visit(Attribute::new("interleaved", AttributeValue::Flag(*interleaved)));
            }
            Op::Compare(direction) => {
                visit(Attribute::new("direction", AttributeValue::Word(direction.name())));
            }
            Op::Composite { name, body, vjp } => {
                visit(Attribute::new("name", AttributeValue::String(name)));
                visit(Attribute::new("body", AttributeValue::Function(body)));
                if let Some(vjp) = vjp {
                    visit(Attribute::new("vjp", AttributeValue::Function(vjp)));
                }
            }
            Op::Concatenate(dim) => {
                visit(Attribute::new("dim", AttributeValue::Int(*dim as u64)));
            }
            Op::Constant(value) => {
                visit(Attribute::new("value", AttributeValue::Tensor(value)));
            }
            Op::Convert(dtype) => {
                visit(Attribute::new("dtype", AttributeValue::DType(*dtype)).annotated());
            }
            Op::Convolution(dims) => {
                visit_conv_dims(dims, visit);
            }
            Op::DotGeneral(dims) => {
                visit_dot_dims(dims, visit);
            }
            Op::DynamicSlice { sizes } => {
                visit(Attribute::new("sizes", AttributeValue::Sizes(sizes)).annotated());
            }
            Op::Fft { kind, length, interleaved } => {
                visit(Attribute::new("kind", AttributeValue::Word(kind.name())));
                visit(Attribute::new("length", AttributeValue::Ints(length)));
                visit(Attribute::new("interleaved", AttributeValue::Flag(*interleaved)));
            }
            Op::Gather(dims) => {
                visit_gather_dims(dims, visit);
            }
            Op::GenericReduce { axes, body } => {
                visit(Attribute::new("axes", AttributeValue::Axes(axes)));
                visit(Attribute::new("body", AttributeValue::Function(body)));
            }
            Op::GenericReduceWindow { window, body } => {
                visit_window(window, visit);
                visit(Attribute::new("body", AttributeValue::Function(body)));
            }
            Op::GenericScatter { dims, body } => {
                visit_scatter_dims(dims, visit);
                visit(Attribute::new("body", AttributeValue::Function(body)));
            }
            Op::GenericSelectAndScatter { window, select, scatter } => {
                visit_window(window, visit);
                visit(Attribute::new("select", AttributeValue::Function(select)));
                visit(Attribute::new("scatter", AttributeValue::Function(scatter)));
            }
            Op::GetDimensionSize(dim) => {
                visit(Attribute::new("dim", AttributeValue::Int(*dim as u64)));
            }
            Op::If { on_true, on_false } => {
                visit(Attribute::new("on_true", AttributeValue::Function(on_true)));
                visit(Attribute::new("on_false", AttributeValue::Function(on_false)));
            }
            Op::Iota { ty, dim } => {
                visit(Attribute::new("ty", AttributeValue::Type(ty)).annotated());
                visit(Attribute::new("dim", AttributeValue::Int(*dim as u64)));
            }
            Op::Pad { low, high, interior } => {
                visit(Attribute::new("low", AttributeValue::Sizes(low)));
                visit(Attribute::new("high", AttributeValue::Sizes(high)));
                visit(
                    Attribute::new("interior", AttributeValue::Ints(interior)).unless(interior.iter().all(|n| *n == 0)),
                );
            }
            Op::Parameter(index) => {
                visit(Attribute::new("index", AttributeValue::Int(*index as u64)));
            }
            Op::Reduce { reducer, axes } => {
                visit(Attribute::new("reducer", AttributeValue::Word(reducer.name())));
                visit(Attribute::new("axes", AttributeValue::Axes(axes)));
            }
            Op::ReducePrecision { exponent_bits, mantissa_bits } => {
                visit(Attribute::new("exponent_bits", AttributeValue::Int(*exponent_bits as u64)));
                visit(Attribute::new("mantissa_bits", AttributeValue::Int(*mantissa_bits as u64)));
            }
            Op::ReduceWindow { reducer, window } => {
                visit(Attribute::new("reducer", AttributeValue::Word(reducer.name())));
                visit_window(window, visit);
            }
            Op::Reshape(shape) => {
                visit(Attribute::new("shape", AttributeValue::Sizes(shape)).annotated());
            }
            Op::Reverse(dims) => {
                visit(Attribute::new("dims", AttributeValue::Axes(dims)));
            }
            Op::RngBitGenerator { algorithm, ty } => {
                visit(Attribute::new("algorithm", AttributeValue::Word(algorithm.name())));
                visit(Attribute::new("ty", AttributeValue::Type(ty)).annotated());
            }
            Op::Scatter { update, dims } => {
                visit(Attribute::new("update", AttributeValue::Word(update.name())));
                visit_scatter_dims(dims, visit);
            }
            Op::SelectAndScatter { select, scatter, window } => {
                visit(Attribute::new("select", AttributeValue::Word(select.name())));
                visit(Attribute::new("scatter", AttributeValue::Word(scatter.name())));
                visit_window(window, visit);
            }
            Op::Slice { start, limit, strides } => {
                visit(Attribute::new("bounds", AttributeValue::Bounds { start, limit, strides }));
            }
            Op::Sort { dim, stable, comparator } => {
                visit(Attribute::new("dim", AttributeValue::Int(*dim as u64)));
                visit(Attribute::new("stable", AttributeValue::Flag(*stable)).inert());
                visit(Attribute::new("comparator", AttributeValue::Function(comparator)));
            }
            Op::Transpose(permutation) => {
                visit(Attribute::new("permutation", AttributeValue::Axes(permutation)));
            }
            Op::TriangularSolve { transpose_a, left_side, lower, unit_diagonal, interleaved } => {
                visit(Attribute::new("transpose_a", AttributeValue::Word(transpose_a.name())));
                visit(Attribute::new("left_side", AttributeValue::Flag(*left_side)));
                visit(Attribute::new("lower", AttributeValue::Flag(*lower)));
                visit(Attribute::new("unit_diagonal", AttributeValue::Flag(*unit_diagonal)));
                visit(Attribute::new("interleaved", AttributeValue::Flag(*interleaved)));
            }
            Op::While { cond, body } => {
                visit(Attribute::new("cond", AttributeValue::Function(cond)));
                visit(Attribute::new("body", AttributeValue::Function(body)));
            }
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Clamp
            | Op::Complex
            | Op::DynamicUpdateSlice
            | Op::Imag
            | Op::OptimizationBarrier
            | Op::Real
            | Op::Select => {}
        }
    }

    /// Whether there are nested functions: passes ask it of every node.
    pub const fn has_functions(&self) -> bool {
        matches!(
            self,
            Op::Case { .. }
                | Op::Composite { .. }
                | Op::GenericReduce { .. }
                | Op::GenericReduceWindow { .. }
                | Op::GenericScatter { .. }
                | Op::GenericSelectAndScatter { .. }
                | Op::If { .. }
                | Op::Sort { .. }
                | Op::While { .. }
        )
    }

    /// Calls `visit` with the sizes and functions in the attributes, in the order of the text form.
    pub fn attributes_mut<'a>(&'a mut self, visit: &mut impl FnMut(AttributeMut<'a>)) {
        match self {
            Op::BroadcastInDim { shape, .. } => {
                visit(AttributeMut::Sizes(shape));
            }
            Op::Case { branches } => {
                branches.iter_mut().for_each(|f| visit(AttributeMut::Function(f)));
            }
            Op::Composite { body, vjp, .. } => {
                visit(AttributeMut::Function(body));
                if let Some(f) = vjp {
                    visit(AttributeMut::Function(f));
                }
            }
            Op::DynamicSlice { sizes } => {
                visit(AttributeMut::Sizes(sizes));
            }
            Op::Gather(dims) => {
                visit_gather_dims_mut(dims, visit);
            }
            Op::GenericReduce { body, .. } => {
                visit(AttributeMut::Function(body));
            }
            Op::GenericReduceWindow { body, .. } => {
                visit(AttributeMut::Function(body));
            }
            Op::GenericScatter { body, .. } => {
                visit(AttributeMut::Function(body));
            }
            Op::GenericSelectAndScatter { select, scatter, .. } => {
                visit(AttributeMut::Function(select));
                visit(AttributeMut::Function(scatter));
            }
            Op::If { on_true, on_false } => {
                visit(AttributeMut::Function(on_true));
                visit(AttributeMut::Function(on_false));
            }
            Op::Iota { ty, .. } => {
                visit(AttributeMut::Sizes(&mut ty.shape));
            }
            Op::Pad { low, high, .. } => {
                visit(AttributeMut::Sizes(low));
                visit(AttributeMut::Sizes(high));
            }
            Op::Reshape(shape) => {
                visit(AttributeMut::Sizes(shape));
            }
            Op::RngBitGenerator { ty, .. } => {
                visit(AttributeMut::Sizes(&mut ty.shape));
            }
            Op::Slice { start, limit, .. } => {
                visit(AttributeMut::Sizes(start));
                visit(AttributeMut::Sizes(limit));
            }
            Op::Sort { comparator, .. } => {
                visit(AttributeMut::Function(comparator));
            }
            Op::While { cond, body } => {
                visit(AttributeMut::Function(cond));
                visit(AttributeMut::Function(body));
            }
            Op::Unary(_)
            | Op::Binary(_)
            | Op::ArgReduce { .. }
            | Op::BitcastConvert(..)
            | Op::Cholesky { .. }
            | Op::Clamp
            | Op::Compare(..)
            | Op::Complex
            | Op::Concatenate(..)
            | Op::Constant(..)
            | Op::Convert(..)
            | Op::Convolution(..)
            | Op::DotGeneral(..)
            | Op::DynamicUpdateSlice
            | Op::Fft { .. }
            | Op::GetDimensionSize(..)
            | Op::Imag
            | Op::OptimizationBarrier
            | Op::Parameter(..)
            | Op::Real
            | Op::Reduce { .. }
            | Op::ReducePrecision { .. }
            | Op::ReduceWindow { .. }
            | Op::Reverse(..)
            | Op::Scatter { .. }
            | Op::Select
            | Op::SelectAndScatter { .. }
            | Op::Transpose(..)
            | Op::TriangularSolve { .. } => {}
        }
    }
}

impl OpKind {
    /// The operator of this kind with the attributes of a source.
    ///
    /// # Errors
    /// What the source lacks, or has in another form.
    pub fn build(self, source: &mut impl AttributeSource) -> Result<Op, String> {
        Ok(match self {
            OpKind::Abs => Op::Unary(UnaryOp::Abs),
            OpKind::Add => Op::Binary(BinaryOp::Add),
            OpKind::And => Op::Binary(BinaryOp::And),
            OpKind::Argmax => {
                let axis = source.int("axis")?;
                let dtype = source.result_type(0)?.dtype;
                Op::ArgReduce { axis, kind: ArgKind::Max, dtype }
            }
            OpKind::Argmin => {
                let axis = source.int("axis")?;
                let dtype = source.result_type(0)?.dtype;
                Op::ArgReduce { axis, kind: ArgKind::Min, dtype }
            }
            OpKind::Atan2 => Op::Binary(BinaryOp::Atan2),
            OpKind::BitcastConvert => {
                let dtype = source.result_type(0)?.dtype;
                Op::BitcastConvert(dtype)
            }
            OpKind::BroadcastInDim => {
                let shape = source.result_type(0)?.shape;
                let dims = source.axes("dims")?;
                Op::BroadcastInDim { shape, dims }
            }
            OpKind::Case => {
                let branches = source.functions("branches")?;
                Op::Case { branches }
            }
            OpKind::Cbrt => Op::Unary(UnaryOp::Cbrt),
            OpKind::Ceil => Op::Unary(UnaryOp::Ceil),
            OpKind::Cholesky => {
                let lower = source.flag("lower")?;
                let interleaved = source.flag("interleaved")?;
                Op::Cholesky { lower, interleaved }
            }
            OpKind::Clamp => Op::Clamp,
            OpKind::Compare => {
                let direction = source.word("direction")?;
                Op::Compare(direction)
            }
            OpKind::Complex => Op::Complex,
            OpKind::Composite => {
                let name = source.string("name")?;
                let body = source.function("body")?;
                let vjp = if source.has("vjp") { Some(source.function("vjp")?) } else { None };
                Op::Composite { name, body, vjp }
            }
            OpKind::Concatenate => {
                let dim = source.int("dim")?;
                Op::Concatenate(dim)
            }
            OpKind::Constant => {
                let value = source.tensor("value")?;
                Op::Constant(value)
            }
            OpKind::Convert => {
                let dtype = source.result_type(0)?.dtype;
                Op::Convert(dtype)
            }
            OpKind::Convolution => {
                let dims = Box::new(build_conv_dims(source)?);
                Op::Convolution(dims)
            }
            OpKind::Cosine => Op::Unary(UnaryOp::Cosine),
            OpKind::CountLeadingZeros => Op::Unary(UnaryOp::CountLeadingZeros),
            OpKind::Divide => Op::Binary(BinaryOp::Divide),
            OpKind::DotGeneral => {
                let dims = build_dot_dims(source)?;
                Op::DotGeneral(dims)
            }
            OpKind::DynamicSlice => {
                let sizes = source.result_type(0)?.shape;
                Op::DynamicSlice { sizes }
            }
            OpKind::DynamicUpdateSlice => Op::DynamicUpdateSlice,
            OpKind::Erf => Op::Unary(UnaryOp::Erf),
            OpKind::Exponential => Op::Unary(UnaryOp::Exponential),
            OpKind::ExponentialMinusOne => Op::Unary(UnaryOp::ExponentialMinusOne),
            OpKind::Fft => {
                let kind = source.word("kind")?;
                let length = source.ints("length")?;
                let interleaved = source.flag("interleaved")?;
                Op::Fft { kind, length, interleaved }
            }
            OpKind::Floor => Op::Unary(UnaryOp::Floor),
            OpKind::Gather => {
                let dims = Box::new(build_gather_dims(source)?);
                Op::Gather(dims)
            }
            OpKind::GenericReduce => {
                let axes = source.axes("axes")?;
                let body = source.function("body")?;
                Op::GenericReduce { axes, body }
            }
            OpKind::GenericReduceWindow => {
                let window = Box::new(build_window(source)?);
                let body = source.function("body")?;
                Op::GenericReduceWindow { window, body }
            }
            OpKind::GenericScatter => {
                let dims = Box::new(build_scatter_dims(source)?);
                let body = source.function("body")?;
                Op::GenericScatter { dims, body }
            }
            OpKind::GenericSelectAndScatter => {
                let window = Box::new(build_window(source)?);
                let select = source.function("select")?;
                let scatter = source.function("scatter")?;
                Op::GenericSelectAndScatter { window, select, scatter }
            }
            OpKind::GetDimensionSize => {
                let dim = source.int("dim")?;
                Op::GetDimensionSize(dim)
            }
            OpKind::If => {
                let on_true = source.function("on_true")?;
                let on_false = source.function("on_false")?;
                Op::If { on_true, on_false }
            }
            OpKind::Imag => Op::Imag,
            OpKind::Iota => {
                let ty = source.result_type(0)?;
                let dim = source.int("dim")?;
                Op::Iota { ty, dim }
            }
            OpKind::IsFinite => Op::Unary(UnaryOp::IsFinite),
            OpKind::Log => Op::Unary(UnaryOp::Log),
            OpKind::LogPlusOne => Op::Unary(UnaryOp::LogPlusOne),
            OpKind::Logistic => Op::Unary(UnaryOp::Logistic),
            OpKind::Maximum => Op::Binary(BinaryOp::Maximum),
            OpKind::Minimum => Op::Binary(BinaryOp::Minimum),
            OpKind::Multiply => Op::Binary(BinaryOp::Multiply),
            OpKind::Negate => Op::Unary(UnaryOp::Negate),
            OpKind::Not => Op::Unary(UnaryOp::Not),
            OpKind::OptimizationBarrier => Op::OptimizationBarrier,
            OpKind::Or => Op::Binary(BinaryOp::Or),
            OpKind::Pad => {
                let low = source.sizes("low")?;
                let high = source.sizes("high")?;
                let interior =
                    if source.has("interior") { source.ints("interior")? } else { SmallVec::from_elem(0, low.len()) };
                Op::Pad { low, high, interior }
            }
            OpKind::Parameter => {
                let index = source.int("index")?;
                Op::Parameter(index)
            }
            OpKind::Popcnt => Op::Unary(UnaryOp::Popcnt),
            OpKind::Power => Op::Binary(BinaryOp::Power),
            OpKind::Real => Op::Real,
            OpKind::Reduce => {
                let reducer = source.word("reducer")?;
                let axes = source.axes("axes")?;
                Op::Reduce { reducer, axes }
            }
            OpKind::ReducePrecision => {
                let exponent_bits = source.int("exponent_bits")?;
                let mantissa_bits = source.int("mantissa_bits")?;
                Op::ReducePrecision { exponent_bits, mantissa_bits }
            }
            OpKind::ReduceWindow => {
                let reducer = source.word("reducer")?;
                let window = Box::new(build_window(source)?);
                Op::ReduceWindow { reducer, window }
            }
            OpKind::Remainder => Op::Binary(BinaryOp::Remainder),
            OpKind::Reshape => {
                let shape = source.result_type(0)?.shape;
                Op::Reshape(shape)
            }
            OpKind::Reverse => {
                let dims = source.axes("dims")?;
                Op::Reverse(dims)
            }
            OpKind::RngBitGenerator => {
                let algorithm = source.word("algorithm")?;
                let ty = source.result_type(1)?;
                Op::RngBitGenerator { algorithm, ty }
            }
            OpKind::RoundNearestAfz => Op::Unary(UnaryOp::RoundNearestAfz),
            OpKind::RoundNearestEven => Op::Unary(UnaryOp::RoundNearestEven),
            OpKind::Rsqrt => Op::Unary(UnaryOp::Rsqrt),
            OpKind::Scatter => {
                let update = source.word("update")?;
                let dims = Box::new(build_scatter_dims(source)?);
                Op::Scatter { update, dims }
            }
            OpKind::Select => Op::Select,
            OpKind::SelectAndScatter => {
                let select = source.word("select")?;
                let scatter = source.word("scatter")?;
                let window = Box::new(build_window(source)?);
                Op::SelectAndScatter { select, scatter, window }
            }
            OpKind::ShiftLeft => Op::Binary(BinaryOp::ShiftLeft),
            OpKind::ShiftRightArithmetic => Op::Binary(BinaryOp::ShiftRightArithmetic),
            OpKind::ShiftRightLogical => Op::Binary(BinaryOp::ShiftRightLogical),
            OpKind::Sign => Op::Unary(UnaryOp::Sign),
            OpKind::Sine => Op::Unary(UnaryOp::Sine),
            OpKind::Slice => {
                let (start, limit, strides) = source.bounds("bounds")?;
                Op::Slice { start, limit, strides }
            }
            OpKind::Sort => {
                let dim = source.int("dim")?;
                let stable = source.flag("stable")?;
                let comparator = source.function("comparator")?;
                Op::Sort { dim, stable, comparator }
            }
            OpKind::Sqrt => Op::Unary(UnaryOp::Sqrt),
            OpKind::Subtract => Op::Binary(BinaryOp::Subtract),
            OpKind::Tan => Op::Unary(UnaryOp::Tan),
            OpKind::Tanh => Op::Unary(UnaryOp::Tanh),
            OpKind::Transpose => {
                let permutation = source.axes("permutation")?;
                Op::Transpose(permutation)
            }
            OpKind::TriangularSolve => {
                let transpose_a = source.word("transpose_a")?;
                let left_side = source.flag("left_side")?;
                let lower = source.flag("lower")?;
                let unit_diagonal = source.flag("unit_diagonal")?;
                let interleaved = source.flag("interleaved")?;
                Op::TriangularSolve { transpose_a, left_side, lower, unit_diagonal, interleaved }
            }
            OpKind::While => {
                let cond = source.function("cond")?;
                let body = source.function("body")?;
                Op::While { cond, body }
            }
            OpKind::Xor => Op::Binary(BinaryOp::Xor),
        })
    }
}

fn visit_conv_dims<'a>(record: &'a ConvDims, visit: &mut impl FnMut(Attribute<'a>)) {
    let ConvDims {
        input_batch,
        input_feature,
        input_spatial,
        kernel_input_feature,
        kernel_output_feature,
        kernel_spatial,
        output_batch,
        output_feature,
        output_spatial,
        window,
        feature_group_count,
        batch_group_count,
    } = record;
    visit(Attribute::new(
        "dims",
        AttributeValue::Labels([
            Labels { named: [*input_batch, *input_feature], spatial: input_spatial },
            Labels { named: [*kernel_input_feature, *kernel_output_feature], spatial: kernel_spatial },
            Labels { named: [*output_batch, *output_feature], spatial: output_spatial },
        ]),
    ));
    visit(Attribute::new("window", AttributeValue::Windows(window)));
    visit(
        Attribute::new("feature_group_count", AttributeValue::Int(*feature_group_count as u64))
            .unless(*feature_group_count == 1),
    );
    visit(
        Attribute::new("batch_group_count", AttributeValue::Int(*batch_group_count as u64))
            .unless(*batch_group_count == 1),
    );
}

fn build_conv_dims(source: &mut impl AttributeSource) -> Result<ConvDims, String> {
    let [
        Labels { named: [input_batch, input_feature], spatial: input_spatial },
        Labels { named: [kernel_input_feature, kernel_output_feature], spatial: kernel_spatial },
        Labels { named: [output_batch, output_feature], spatial: output_spatial },
    ] = source.labels("dims")?;
    let window = source.windows("window")?;
    let feature_group_count = if source.has("feature_group_count") { source.int("feature_group_count")? } else { 1 };
    let batch_group_count = if source.has("batch_group_count") { source.int("batch_group_count")? } else { 1 };
    Ok(ConvDims {
        input_batch,
        input_feature,
        input_spatial,
        kernel_input_feature,
        kernel_output_feature,
        kernel_spatial,
        output_batch,
        output_feature,
        output_spatial,
        window,
        feature_group_count,
        batch_group_count,
    })
}

fn visit_dot_dims<'a>(record: &'a DotDims, visit: &mut impl FnMut(Attribute<'a>)) {
    let DotDims { lhs_batch, rhs_batch, lhs_contract, rhs_contract, result } = record;
    visit(
        Attribute::new("batch", AttributeValue::AxesPair([lhs_batch, rhs_batch]))
            .unless(lhs_batch.is_empty() && rhs_batch.is_empty()),
    );
    visit(Attribute::new("contract", AttributeValue::AxesPair([lhs_contract, rhs_contract])));
    if let Some(result) = result {
        visit(Attribute::new("result", AttributeValue::DType(*result)));
    }
}

fn build_dot_dims(source: &mut impl AttributeSource) -> Result<DotDims, String> {
    let [lhs_batch, rhs_batch] = if source.has("batch") { source.axes_pair("batch")? } else { Default::default() };
    let [lhs_contract, rhs_contract] = source.axes_pair("contract")?;
    let result = if source.has("result") { Some(source.dtype("result")?) } else { None };
    Ok(DotDims { lhs_batch, rhs_batch, lhs_contract, rhs_contract, result })
}

fn visit_gather_dims<'a>(record: &'a GatherDims, visit: &mut impl FnMut(Attribute<'a>)) {
    let GatherDims {
        offset_dims,
        collapsed_slice_dims,
        operand_batching_dims,
        start_indices_batching_dims,
        start_index_map,
        index_vector_dim,
        slice_sizes,
        indices_are_sorted,
    } = record;
    visit(Attribute::new("offset_dims", AttributeValue::Axes(offset_dims)));
    visit(Attribute::new("collapsed_slice_dims", AttributeValue::Axes(collapsed_slice_dims)));
    visit(
        Attribute::new("operand_batching_dims", AttributeValue::Axes(operand_batching_dims))
            .unless(operand_batching_dims.is_empty()),
    );
    visit(
        Attribute::new("start_indices_batching_dims", AttributeValue::Axes(start_indices_batching_dims))
            .unless(start_indices_batching_dims.is_empty()),
    );
    visit(Attribute::new("start_index_map", AttributeValue::Axes(start_index_map)));
    visit(Attribute::new("index_vector_dim", AttributeValue::Int(*index_vector_dim as u64)));
    visit(Attribute::new("slice_sizes", AttributeValue::Sizes(slice_sizes)));
    visit(Attribute::new("indices_are_sorted", AttributeValue::Flag(*indices_are_sorted)));
}

fn visit_gather_dims_mut<'a>(record: &'a mut GatherDims, visit: &mut impl FnMut(AttributeMut<'a>)) {
    visit(AttributeMut::Sizes(&mut record.slice_sizes));
}

fn build_gather_dims(source: &mut impl AttributeSource) -> Result<GatherDims, String> {
    let offset_dims = source.axes("offset_dims")?;
    let collapsed_slice_dims = source.axes("collapsed_slice_dims")?;
    let operand_batching_dims =
        if source.has("operand_batching_dims") { source.axes("operand_batching_dims")? } else { Default::default() };
    let start_indices_batching_dims = if source.has("start_indices_batching_dims") {
        source.axes("start_indices_batching_dims")?
    } else {
        Default::default()
    };
    let start_index_map = source.axes("start_index_map")?;
    let index_vector_dim = source.int("index_vector_dim")?;
    let slice_sizes = Shape::new(source.sizes("slice_sizes")?);
    let indices_are_sorted = source.flag("indices_are_sorted")?;
    Ok(GatherDims {
        offset_dims,
        collapsed_slice_dims,
        operand_batching_dims,
        start_indices_batching_dims,
        start_index_map,
        index_vector_dim,
        slice_sizes,
        indices_are_sorted,
    })
}

fn visit_scatter_dims<'a>(record: &'a ScatterDims, visit: &mut impl FnMut(Attribute<'a>)) {
    let ScatterDims {
        update_window_dims,
        inserted_window_dims,
        input_batching_dims,
        scatter_indices_batching_dims,
        scatter_dims_to_operand_dims,
        index_vector_dim,
        indices_are_sorted,
        unique_indices,
    } = record;
    visit(Attribute::new("update_window_dims", AttributeValue::Axes(update_window_dims)));
    visit(Attribute::new("inserted_window_dims", AttributeValue::Axes(inserted_window_dims)));
    visit(
        Attribute::new("input_batching_dims", AttributeValue::Axes(input_batching_dims))
            .unless(input_batching_dims.is_empty()),
    );
    visit(
        Attribute::new("scatter_indices_batching_dims", AttributeValue::Axes(scatter_indices_batching_dims))
            .unless(scatter_indices_batching_dims.is_empty()),
    );
    visit(Attribute::new("scatter_dims_to_operand_dims", AttributeValue::Axes(scatter_dims_to_operand_dims)));
    visit(Attribute::new("index_vector_dim", AttributeValue::Int(*index_vector_dim as u64)));
    visit(Attribute::new("indices_are_sorted", AttributeValue::Flag(*indices_are_sorted)));
    visit(Attribute::new("unique_indices", AttributeValue::Flag(*unique_indices)));
}

fn build_scatter_dims(source: &mut impl AttributeSource) -> Result<ScatterDims, String> {
    let update_window_dims = source.axes("update_window_dims")?;
    let inserted_window_dims = source.axes("inserted_window_dims")?;
    let input_batching_dims =
        if source.has("input_batching_dims") { source.axes("input_batching_dims")? } else { Default::default() };
    let scatter_indices_batching_dims = if source.has("scatter_indices_batching_dims") {
        source.axes("scatter_indices_batching_dims")?
    } else {
        Default::default()
    };
    let scatter_dims_to_operand_dims = source.axes("scatter_dims_to_operand_dims")?;
    let index_vector_dim = source.int("index_vector_dim")?;
    let indices_are_sorted = source.flag("indices_are_sorted")?;
    let unique_indices = source.flag("unique_indices")?;
    Ok(ScatterDims {
        update_window_dims,
        inserted_window_dims,
        input_batching_dims,
        scatter_indices_batching_dims,
        scatter_dims_to_operand_dims,
        index_vector_dim,
        indices_are_sorted,
        unique_indices,
    })
}

fn visit_window<'a>(record: &'a Window, visit: &mut impl FnMut(Attribute<'a>)) {
    let Window { dims } = record;
    visit(Attribute::new("window", AttributeValue::Windows(dims)));
}

fn build_window(source: &mut impl AttributeSource) -> Result<Window, String> {
    let dims = source.windows("window")?;
    Ok(Window { dims })
}
