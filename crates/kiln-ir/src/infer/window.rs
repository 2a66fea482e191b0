//! Type rules of operators that slide a window.

use super::reduce::reducer_types;
use super::{Cx, surely_greater};
use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::DTypeSet;
use crate::op::{CompareDirection, ConvDims, Reducer, Window, WindowDim};
use crate::shape::{Shape, TensorType};

/// Number of windows over a dimension of size `n`. A symbolic size counts as large enough for one window.
fn num_windows(cx: &Cx, n: &Dim, w: &WindowDim) -> Result<Dim, Diagnostic> {
    let overflow = || cx.overflow();
    let window = dilated(&Dim::Const(w.size), w.window_dilation).ok_or_else(overflow)?;
    let pad = w.pad_low.checked_add(w.pad_high).map(Dim::Const).ok_or_else(overflow)?;
    let padded = dilated(n, w.base_dilation).and_then(|d| d.checked_add(&pad)).ok_or_else(overflow)?;
    let room = padded.checked_sub(&window).ok_or_else(overflow)?;
    if let (Dim::Const(padded), Dim::Const(room)) = (&padded, &room)
        && (*padded <= 0 || *room < 0)
    {
        return Ok(Dim::Const(0));
    }
    let steps = room
        .checked_floor_div(w.stride)
        .ok_or_else(|| cx.not_linear(n, "the number of windows").note("stride", w.stride.to_string()))?;
    steps.checked_add(&Dim::Const(1)).ok_or_else(overflow)
}

/// `n == 0 ? 0 : (n - 1) * dilation + 1`.
fn dilated(n: &Dim, dilation: i64) -> Option<Dim> {
    match n {
        Dim::Const(0) => Some(Dim::Const(0)),
        n => n.checked_sub(&Dim::Const(1))?.checked_scale(dilation)?.checked_add(&Dim::Const(1)),
    }
}

/// What every window must satisfy, with the labels of the operator for size, stride, base and window dilation.
fn check_window(cx: &Cx, i: usize, w: &WindowDim, labels: [&str; 4], least_size: i64) -> Result<(), Diagnostic> {
    let [size, stride, base, window] = labels;
    let positive = |ok: bool, label: &str, what: &str, n: i64| {
        if ok {
            return Ok(());
        }
        Err(cx.err(label, format!("{what} must be positive")).label(format!("found {n} in window {i}")))
    };
    positive(w.size >= least_size, size, "window sizes", w.size)?;
    positive(w.stride > 0, stride, "strides", w.stride)?;
    positive(w.base_dilation > 0, base, "base dilations", w.base_dilation)?;
    positive(w.window_dilation > 0, window, "window dilations", w.window_dilation)
}

pub fn reduce_window(cx: &Cx, window: &Window, reducer: Reducer) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    reducer_types(cx, "C13", reducer)?;
    cx.init(1, "C3")?;
    Ok(TensorType { dtype: cx.tys[0].dtype, shape: window_shape(cx, window)? })
}

/// The number of windows over operand 0 in every dimension.
pub fn window_shape(cx: &Cx, window: &Window) -> Result<Shape, Diagnostic> {
    let x = cx.tys[0];
    cx.len("C4", "the window", window.dims.len(), x.rank())?;
    let mut shape = Shape::scalar();
    for (i, w) in window.dims.iter().enumerate() {
        check_window(cx, i, w, ["C5", "C7", "C9", "C11"], 1)?;
        not_reversed(cx, "C17", i, w)?;
        shape.push(num_windows(cx, &x.shape[i], w)?);
    }
    Ok(shape)
}

fn not_reversed(cx: &Cx, label: &str, i: usize, w: &WindowDim) -> Result<(), Diagnostic> {
    cx.check(!w.reversed, label, "only convolutions reverse windows", || format!("window {i} is reversed"))
}

pub fn select_and_scatter(
    cx: &Cx,
    window: &Window,
    select: CompareDirection,
    scatter: Reducer,
) -> Result<TensorType, Diagnostic> {
    cx.count(3)?;
    cx.dtype(0, DTypeSet::INT.or(DTypeSet::FLOAT))?;
    scattered_windows(cx, window)?;
    let directions = matches!(select, CompareDirection::GE | CompareDirection::LE);
    cx.check(directions, "C9", "the selection must be GE or LE", || format!("found {select:?}"))?;
    reducer_types(cx, "C10", scatter)?;
    Ok(cx.tys[0].clone())
}

/// Operand, source (one element per window) and initial value fit together.
pub fn scattered_windows(cx: &Cx, window: &Window) -> Result<(), Diagnostic> {
    let x = cx.tys[0];
    cx.same_dtype("C1", 0, 1)?;
    cx.init(2, "C3")?;
    cx.len("C4", "the window", window.dims.len(), x.rank())?;
    let mut shape = Shape::scalar();
    for (i, w) in window.dims.iter().enumerate() {
        check_window(cx, i, w, ["C5", "C7", "C13", "C13"], 1)?;
        let plain = w.base_dilation == 1 && w.window_dilation == 1 && !w.reversed;
        cx.check(plain, "C13", "the windows must be dense", || format!("window {i} is dilated or reversed"))?;
        shape.push(num_windows(cx, &x.shape[i], w)?);
    }
    let source = cx.tys[1];
    cx.check(source.shape == shape, "C2", "the source needs one element per window", || {
        format!("there are {shape} windows, source is {source}")
    })
}

pub fn convolution(cx: &Cx, c: &ConvDims) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    cx.dtype(0, DTypeSet::INT.or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX))?;
    let (input, kernel) = (cx.tys[0], cx.tys[1]);
    let n = input.rank();
    cx.check(n == kernel.rank() && n >= 2, "C1", "input and kernel must have the same rank, at least 2", || {
        format!("input is {input}, kernel is {kernel}")
    })?;
    cx.same_dtype("C27", 0, 1)?;
    conv_numbers(cx, c, n)?;
    let window_shape = conv_windows(cx, c)?;
    let (features, batch) = conv_groups(cx, c)?;
    let mut shape = vec![Dim::Const(0); n];
    shape[c.output_batch] = batch;
    shape[c.output_feature] = features;
    for (&d, size) in c.output_spatial.iter().zip(window_shape) {
        shape[d] = size;
    }
    Ok(TensorType { dtype: input.dtype, shape: shape.into_iter().collect() })
}

/// The dimension numbers name every dimension of input, kernel and result once.
fn conv_numbers(cx: &Cx, c: &ConvDims, n: usize) -> Result<(), Diagnostic> {
    cx.len("C2", "the window", c.window.len(), n - 2)?;
    let sides = [
        (["C12", "C13"], "input", &c.input_spatial, [c.input_batch, c.input_feature]),
        (["C17", "C18"], "kernel", &c.kernel_spatial, [c.kernel_input_feature, c.kernel_output_feature]),
        (["C19", "C20"], "output", &c.output_spatial, [c.output_batch, c.output_feature]),
    ];
    for ([count, numbers], what, spatial, other) in sides {
        cx.len(count, &format!("the {what}'s spatial dimensions"), spatial.len(), n - 2)?;
        let all: Vec<usize> = spatial.iter().copied().chain(other).collect();
        cx.unique(numbers, &format!("the {what}'s dimension numbers"), &all)?;
        cx.in_range(numbers, &format!("one of the {what}'s dimension numbers is"), &all, n)?;
    }
    Ok(())
}

/// Checks the windows against the kernel and gives the spatial sizes of the result.
fn conv_windows(cx: &Cx, c: &ConvDims) -> Result<Vec<Dim>, Diagnostic> {
    let (input, kernel) = (cx.tys[0], cx.tys[1]);
    let mut shape = Vec::new();
    for (i, w) in c.window.iter().enumerate() {
        check_window(cx, i, w, ["C4", "C3", "C6", "C8"], 0)?;
        let size = &kernel.shape[c.kernel_spatial[i]];
        cx.check(*size == Dim::Const(w.size), "C4", "the window is not the kernel's size", || {
            let d = c.kernel_spatial[i];
            format!("window {i} has size {}, the kernel has size {size} in dim {d}", w.size)
        })?;
        shape.push(num_windows(cx, &input.shape[c.input_spatial[i]], w)?);
    }
    Ok(shape)
}

/// Checks the groups and gives the sizes of feature and batch dimension of the result.
fn conv_groups(cx: &Cx, c: &ConvDims) -> Result<(Dim, Dim), Diagnostic> {
    let (input, kernel) = (cx.tys[0], cx.tys[1]);
    let group = |label: &str, what: &str, n: usize| {
        let n = i64::try_from(n).ok().filter(|n| *n > 0);
        n.ok_or_else(|| cx.err(label, format!("{what} must be positive")))
    };
    let feature_groups = group("C21", "`feature_group_count`", c.feature_group_count)?;
    let batch_groups = group("C22", "`batch_group_count`", c.batch_group_count)?;
    cx.check(feature_groups == 1 || batch_groups == 1, "C23", "features and batch cannot both be grouped", || {
        format!("{feature_groups} feature groups and {batch_groups} batch groups")
    })?;
    let divide = |label: &str, what: &str, dim: &Dim, groups: i64| {
        dim.checked_div(groups).ok_or_else(|| {
            cx.err(label, format!("{what} must be a multiple of the groups"))
                .label(format!("size {dim} in {groups} groups"))
        })
    };
    let batch = divide("C10", "the input's batch", &input.shape[c.input_batch], batch_groups)?;
    let in_features = &input.shape[c.input_feature];
    let per_group = divide("C11", "the input's features", in_features, feature_groups)?;
    let kernel_in = &kernel.shape[c.kernel_input_feature];
    cx.check(*kernel_in == per_group, "C14", "input features differ", || {
        let (i, k) = (c.input_feature, c.kernel_input_feature);
        let of = if feature_groups > 1 { format!(" in {feature_groups} groups") } else { String::new() };
        format!("input has size {in_features} in dim {i}{of}, kernel has size {kernel_in} in dim {k}")
    })?;
    let features = kernel.shape[c.kernel_output_feature].clone();
    divide("C15", "the kernel's output features", &features, batch_groups)?;
    divide("C16", "the kernel's output features", &features, feature_groups)?;
    cx.check(!surely_greater(&Dim::Const(0), &features), "D2", "a size is negative", || format!("{features}"))?;
    Ok((features, batch))
}
