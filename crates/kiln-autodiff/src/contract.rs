//! `dot_general` and `convolution`: linear in each side.
//!
//! The transposed convolutions follow from writing the convolution as a sum over kernel taps: towards the input the cotangent
//! is convolved with the reversed kernel, strides and input dilation trading places; towards the kernel the input is
//! convolved with the cotangent, strides and kernel dilation trading places.

use crate::emit::{Emit, Res};
use crate::forward::Forward;
use crate::reverse::Reverse;
use kiln_ir::op::{Axes, ConvDims, DotDims, WindowDim};
use kiln_ir::{Dim, Node, Op, Shape, Value};
use smallvec::SmallVec;

/// The product rule: each side's tangent with the other side's value.
pub(crate) fn forward(w: &mut Forward, node: &Node) -> Res<Option<Value>> {
    let (x, y) = (node.operands[0], node.operands[1]);
    let left = w.tangent(x).map(|t| w.e.op(node.op.clone(), &[t, y])).transpose()?;
    let right = w.tangent(y).map(|t| w.e.op(node.op.clone(), &[x, t])).transpose()?;
    match (left, right) {
        (Some(l), Some(r)) => w.e.add(l, r).map(Some),
        (l, r) => Ok(l.or(r)),
    }
}

/// Dimensions of a side that are neither batch nor contracted, ascending.
fn free(rank: usize, batch: &[usize], contract: &[usize]) -> Axes {
    (0..rank).filter(|d| !batch.contains(d) && !contract.contains(d)).collect()
}

pub(crate) fn dot_backward(r: &mut Reverse, node: &Node, dims: &DotDims, g: Value) -> Res<()> {
    let (x, y) = (node.operands[0], node.operands[1]);
    let (x_rank, y_rank) = (r.e.f.ty(x).rank(), r.e.f.ty(y).rank());
    let x_free = free(x_rank, &dims.lhs_batch, &dims.lhs_contract);
    let y_free = free(y_rank, &dims.rhs_batch, &dims.rhs_contract);
    let nb = dims.lhs_batch.len();
    // The result is [batch, x_free, y_free].
    if r.wants(x) {
        let g_free = nb + x_free.len()..nb + x_free.len() + y_free.len();
        let side = Side { own: x, other: y, g_contract: g_free.collect(), own_free: &x_free };
        let ct = dot_side(
            &mut r.e,
            g,
            side,
            &dims.lhs_batch,
            &dims.lhs_contract,
            (&dims.rhs_batch, &dims.rhs_contract, &y_free),
        )?;
        r.add(x, ct)?;
    }
    if r.wants(y) {
        let side = Side { own: y, other: x, g_contract: (nb..nb + x_free.len()).collect(), own_free: &y_free };
        let ct = dot_side(
            &mut r.e,
            g,
            side,
            &dims.rhs_batch,
            &dims.rhs_contract,
            (&dims.lhs_batch, &dims.lhs_contract, &x_free),
        )?;
        r.add(y, ct)?;
    }
    Ok(())
}

/// One side of a product that is being transposed.
struct Side<'a> {
    own: Value,
    other: Value,
    /// Dimensions of the cotangent that belong to the other side.
    g_contract: Axes,
    own_free: &'a Axes,
}

/// The cotangent of one side: `g` with the other side, contracted over the other side's free dimensions.
fn dot_side(
    e: &mut Emit,
    g: Value,
    side: Side,
    own_batch: &Axes,
    own_contract: &Axes,
    (other_batch, other_contract, other_free): (&Axes, &Axes, &Axes),
) -> Res {
    let own_ty = e.f.ty(side.own).clone();
    let wide = e.f.ty(g).dtype;
    let other = e.convert(side.other, wide)?;
    let product = DotDims {
        lhs_batch: (0..own_batch.len()).collect(),
        rhs_batch: other_batch.clone(),
        lhs_contract: side.g_contract,
        rhs_contract: other_free.clone(),
        result: None,
    };
    let dot = e.op(Op::DotGeneral(product), &[g, other])?;
    // The product is [batch, own free, own contracted in the order of the other side's ascending dimensions].
    let mut by_other: Vec<usize> = (0..other_contract.len()).collect();
    by_other.sort_unstable_by_key(|&i| other_contract[i]);
    let layout: Vec<usize> =
        own_batch.iter().chain(side.own_free).copied().chain(by_other.into_iter().map(|i| own_contract[i])).collect();
    let mut order = vec![0; layout.len()];
    layout.iter().enumerate().for_each(|(at, &d)| order[d] = at);
    let back = e.transpose(dot, &order)?;
    e.convert(back, own_ty.dtype)
}

/// The difference of two sizes, when it is a number.
pub(crate) fn gap(a: Dim, b: Dim) -> Option<i64> {
    (a - b).as_const()
}

/// Extent of `n` elements `spacing` apart.
pub(crate) fn dilated(n: &Dim, spacing: i64) -> Dim {
    match n {
        Dim::Const(0) => Dim::Const(0),
        n => (n.clone() - 1) * spacing + 1,
    }
}

/// The window that pulls a cotangent back to the input: strides and input dilation trade places. `None` when a padding
/// depends on a symbolic size.
pub(crate) fn transposed_window(w: &WindowDim, input: &Dim, output: &Dim) -> Option<WindowDim> {
    let window = w.dilated_size();
    let pad_low = window - w.pad_low - 1;
    let input = dilated(input, w.base_dilation);
    let pad_high = gap(input + window - 1, dilated(output, w.stride))? - pad_low;
    Some(WindowDim { stride: w.base_dilation, base_dilation: w.stride, pad_low, pad_high, reversed: !w.reversed, ..*w })
}

/// Splits `count` groups off the front of a dimension: `[.., n, ..] -> [.., count, n / count, ..]`.
fn split(e: &mut Emit, v: Value, axis: usize, count: usize) -> Res {
    let mut shape = e.f.ty(v).shape.clone();
    let each = shape[axis].checked_div(count as i64).unwrap_or(Dim::Const(0));
    shape[axis] = each;
    shape.insert(axis, Dim::from(count));
    e.reshape(v, &shape)
}

/// Moves dimension `from` in front of what is dimension `to` without it, and merges the two.
fn merge(e: &mut Emit, v: Value, from: usize, to: usize) -> Res {
    let shape = e.f.ty(v).shape.clone();
    let mut order: Vec<usize> = (0..shape.rank()).filter(|&d| d != from).collect();
    let mut merged: Shape = order.iter().map(|&d| shape[d].clone()).collect();
    order.insert(to, from);
    let moved = e.transpose(v, &order)?;
    if let Some(product) = shape[from].checked_mul(&merged[to]) {
        merged[to] = product;
    }
    e.reshape(moved, &merged)
}

pub(crate) fn conv_backward(r: &mut Reverse, node: &Node, d: &ConvDims, g: Value) -> Res<()> {
    let (x, k) = (node.operands[0], node.operands[1]);
    if d.feature_group_count > 1 && d.batch_group_count > 1 {
        return Err(r.e.error(node, "groups of features and of the batch at once"));
    }
    let symbolic = |r: &Reverse| {
        r.e.error(node, "the padding of the transposed convolution depends on a symbolic spatial size")
            .help("give the spatial dimensions numbers, or use stride 1")
    };
    if r.wants(x) {
        let ct = conv_input(&mut r.e, (x, k, g), d)?.ok_or_else(|| symbolic(r))?;
        r.add(x, ct)?;
    }
    if r.wants(k) {
        let ct = conv_kernel(&mut r.e, (x, k, g), d)?.ok_or_else(|| symbolic(r))?;
        r.add(k, ct)?;
    }
    Ok(())
}

/// The cotangent of the input.
fn conv_input(e: &mut Emit, (x, k, g): (Value, Value, Value), d: &ConvDims) -> Res<Option<Value>> {
    let (input, output) = (e.f.ty(x).shape.clone(), e.f.ty(g).shape.clone());
    let groups = d.feature_group_count.max(d.batch_group_count);
    let mut kernel = k;
    if groups > 1 {
        let (o, i) = (d.kernel_output_feature, d.kernel_input_feature);
        kernel = split(e, kernel, o, groups)?;
        kernel = merge(e, kernel, o, i)?;
    }
    let windows: Option<SmallVec<[WindowDim; 4]>> = (0..d.window.len())
        .map(|i| transposed_window(&d.window[i], &input[d.input_spatial[i]], &output[d.output_spatial[i]]))
        .collect();
    let Some(window) = windows else { return Ok(None) };
    let dims = ConvDims {
        input_batch: d.output_batch,
        input_feature: d.output_feature,
        input_spatial: d.output_spatial.clone(),
        kernel_input_feature: d.kernel_output_feature,
        kernel_output_feature: d.kernel_input_feature,
        kernel_spatial: d.kernel_spatial.clone(),
        output_batch: d.input_batch,
        output_feature: d.input_feature,
        output_spatial: d.input_spatial.clone(),
        window,
        feature_group_count: groups,
        batch_group_count: 1,
    };
    let mut ct = e.op(Op::Convolution(Box::new(dims)), &[g, kernel])?;
    if d.batch_group_count > 1 {
        ct = split(e, ct, d.input_feature, d.batch_group_count)?;
        ct = merge(e, ct, d.input_feature, d.input_batch)?;
    }
    Ok(Some(ct))
}

/// The cotangent of the kernel: batch and features trade places on all sides.
fn conv_kernel(e: &mut Emit, (x, k, g): (Value, Value, Value), d: &ConvDims) -> Res<Option<Value>> {
    let (input, output) = (e.f.ty(x).shape.clone(), e.f.ty(g).shape.clone());
    if input.num_elements() == Some(0) || output.num_elements() == Some(0) {
        return e.zeros_like(k).map(Some);
    }
    let window = |i: usize| {
        let w = &d.window[i];
        let (n, out) = (&input[d.input_spatial[i]], &output[d.output_spatial[i]]);
        let extra = gap(dilated(out, w.stride), dilated(n, w.base_dilation))?;
        Some(WindowDim {
            size: out.as_const()?,
            stride: w.window_dilation,
            window_dilation: w.stride,
            base_dilation: w.base_dilation,
            pad_low: w.pad_low,
            pad_high: extra + w.dilated_size() - w.pad_low - 1,
            reversed: false,
        })
    };
    let Some(windows) = (0..d.window.len()).map(window).collect::<Option<SmallVec<[WindowDim; 4]>>>() else {
        return Ok(None);
    };
    let dims = ConvDims {
        input_batch: d.input_feature,
        input_feature: d.input_batch,
        input_spatial: d.input_spatial.clone(),
        kernel_output_feature: d.output_feature,
        kernel_input_feature: d.output_batch,
        kernel_spatial: d.output_spatial.clone(),
        output_batch: d.kernel_input_feature,
        output_feature: d.kernel_output_feature,
        output_spatial: d.kernel_spatial.clone(),
        window: windows,
        feature_group_count: d.batch_group_count,
        batch_group_count: d.feature_group_count,
    };
    let ct = e.op(Op::Convolution(Box::new(dims)), &[x, g])?;
    let reversed: Axes = (0..d.window.len()).filter(|&i| d.window[i].reversed).map(|i| d.kernel_spatial[i]).collect();
    if reversed.is_empty() { Ok(Some(ct)) } else { e.op(Op::Reverse(reversed), &[ct]).map(Some) }
}
