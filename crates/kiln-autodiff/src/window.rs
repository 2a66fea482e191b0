//! `reduce_window` and `select_and_scatter`.
//!
//! Padding and the holes of dilated inputs take no part: each window folds the start value once with the elements it sees.

use crate::contract::transposed_window;
use crate::emit::{Emit, Res};
use crate::forward::Forward;
use crate::reduce::{first_extreme, float_identity, is_identity};
use crate::reverse::Reverse;
use kiln_ir::op::{ArgKind, CompareDirection, Ints, Reducer, Window, WindowDim};
use kiln_ir::{Dim, Node, Op, Shape, Value};
use smallvec::SmallVec;

/// The most window elements that are taken apart one by one.
const MAX_PATCHES: i64 = 4096;

pub(crate) fn backward(r: &mut Reverse, node: &Node, window: &Window, reducer: Reducer, y: Value, g: Value) -> Res<()> {
    let (x, init) = (node.operands[0], node.operands[1]);
    let simple = is_identity(&r.e, init, reducer);
    match reducer {
        Reducer::Add => {
            if r.wants(init) {
                let ct = r.e.sum_all(g)?;
                r.add(init, ct)?;
            }
            if !r.wants(x) {
                return Ok(());
            }
            let Some(window) = transposed(&r.e, window, x, y) else { return Err(symbolic(&r.e, node)) };
            let zero = r.e.scalar(r.e.f.ty(g).dtype, 0.0);
            let ct = r.e.op(Op::ReduceWindow { window: Box::new(window), reducer }, &[g, zero])?;
            r.add(x, ct)
        }
        Reducer::Maximum | Reducer::Minimum if simple && undilated(window) => {
            let select = if reducer == Reducer::Maximum { CompareDirection::GE } else { CompareDirection::LE };
            let zero = r.e.scalar(r.e.f.ty(g).dtype, 0.0);
            let op = Op::SelectAndScatter { window: Box::new(window.clone()), select, scatter: Reducer::Add };
            let ct = r.e.op(op, &[x, g, zero])?;
            r.add(x, ct)
        }
        Reducer::Multiply | Reducer::Maximum | Reducer::Minimum => {
            let from = r.e.f.nodes().len();
            let out = expanded(&mut r.e, node, window, reducer)?;
            r.through(from, &[(out, g)], &[x, init])
        }
        Reducer::And | Reducer::Or | Reducer::Xor => Ok(()),
    }
}

pub(crate) fn forward(w: &mut Forward, node: &Node, window: &Window, reducer: Reducer) -> Res<Option<Value>> {
    let (x, init) = (node.operands[0], node.operands[1]);
    match reducer {
        Reducer::Add => {
            let (t, start) = (w.tangent_or_zeros(x)?, w.tangent_or_zeros(init)?);
            w.e.op(node.op.clone(), &[t, start]).map(Some)
        }
        Reducer::Maximum | Reducer::Minimum if undilated(window) && is_identity(&w.e, init, reducer) => {
            let t = w.tangent_or_zeros(x)?;
            picked(&mut w.e, node, window, (x, t), reducer).map(Some)
        }
        Reducer::Multiply | Reducer::Maximum | Reducer::Minimum => {
            let from = w.e.f.nodes().len();
            let out = expanded(&mut w.e, node, window, reducer)?;
            Ok(w.through(from, &[out], &[x, init])?.pop().flatten())
        }
        Reducer::And | Reducer::Or | Reducer::Xor => Ok(None),
    }
}

fn undilated(window: &Window) -> bool {
    window.dims.iter().all(|d| d.base_dilation == 1 && d.window_dilation == 1)
}

fn symbolic(e: &Emit, node: &Node) -> kiln_ir::Diagnostic {
    e.error(node, "the windows of the gradient depend on a symbolic size").help("give the windowed dimensions numbers")
}

/// The windows that spread a cotangent of `y` over `x`.
fn transposed(e: &Emit, window: &Window, x: Value, y: Value) -> Option<Window> {
    let (input, output) = (&e.f.ty(x).shape, &e.f.ty(y).shape);
    let dims: Option<SmallVec<[WindowDim; 4]>> = window
        .dims
        .iter()
        .enumerate()
        .map(|(i, w)| transposed_window(w, &input[i], &output[i]).map(|w| WindowDim { reversed: false, ..w }))
        .collect();
    dims.map(|dims| Window { dims })
}

/// All windows taken apart: one strided slice per window element, stacked along a new first dimension, in row-major order of
/// the window. Padding and the spaces of dilated inputs hold `fill`.
fn patches(e: &mut Emit, node: &Node, x: Value, fill: Value, window: &Window, output: &Shape) -> Res {
    let count = window.dims.iter().try_fold(1i64, |n, w| n.checked_mul(w.size)).unwrap_or(i64::MAX);
    if count > MAX_PATCHES {
        return Err(e.error(node, format!("windows of {count} elements; at most {MAX_PATCHES} can be taken apart")));
    }
    let low = window.dims.iter().map(|w| Dim::Const(w.pad_low)).collect();
    let high = window.dims.iter().map(|w| Dim::Const(w.pad_high)).collect();
    let interior: Ints = window.dims.iter().map(|w| w.base_dilation - 1).collect();
    let padded = e.op(Op::Pad { low, high, interior }, &[x, fill])?;
    let strides: Ints = window.dims.iter().map(|w| w.stride).collect();
    let mut row = output.clone();
    row.insert(0, Dim::Const(1));
    let mut rows = Vec::new();
    let mut offset: Vec<i64> = vec![0; window.dims.len()];
    for _ in 0..count {
        let start: Vec<Dim> = offset.iter().zip(&window.dims).map(|(o, w)| Dim::Const(o * w.window_dilation)).collect();
        let limit = start
            .iter()
            .zip(output.iter())
            .zip(&window.dims)
            .map(|((s, n), w)| if *n == Dim::Const(0) { s.clone() } else { s.clone() + (n.clone() - 1) * w.stride + 1 })
            .collect();
        let part = e.slice(padded, start, limit, strides.clone())?;
        rows.push(e.reshape(part, &row)?);
        for d in (0..offset.len()).rev() {
            offset[d] += 1;
            if offset[d] < window.dims[d].size {
                break;
            }
            offset[d] = 0;
        }
    }
    if rows.len() == 1 { Ok(rows[0]) } else { e.op(Op::Concatenate(0), &rows) }
}

/// The same result from stacked window elements and an ordinary reduction.
fn expanded(e: &mut Emit, node: &Node, window: &Window, reducer: Reducer) -> Res {
    let (x, init) = (node.operands[0], node.operands[1]);
    let output = node.types[0].shape.clone();
    let fill = e.scalar(e.f.ty(x).dtype, float_identity(reducer));
    let stack = patches(e, node, x, fill, window, &output)?;
    e.op(Op::Reduce { axes: [0].into_iter().collect(), reducer }, &[stack, init])
}

/// Of each window of `x` the extreme's place, and what `t` holds there.
fn picked(e: &mut Emit, node: &Node, window: &Window, (x, t): (Value, Value), reducer: Reducer) -> Res {
    let output = node.types[0].shape.clone();
    let mask = selection(e, node, x, window, &output, reducer)?;
    picked_by(e, node, t, mask, window, &output)
}

/// Which element of each window is the first extreme, stacked as [`patches`] does.
fn selection(e: &mut Emit, node: &Node, x: Value, window: &Window, output: &Shape, reducer: Reducer) -> Res {
    let fill = e.scalar(e.f.ty(x).dtype, float_identity(reducer));
    let stack = patches(e, node, x, fill, window, output)?;
    let kind = if reducer == Reducer::Maximum { ArgKind::Max } else { ArgKind::Min };
    first_extreme(e, stack, 0, kind)
}

fn picked_by(e: &mut Emit, node: &Node, t: Value, mask: Value, window: &Window, output: &Shape) -> Res {
    let zero = e.scalar(e.f.ty(t).dtype, 0.0);
    let parts = patches(e, node, t, zero, window, output)?;
    let kept = e.keep(mask, parts)?;
    e.sum(kept, &[0])
}

fn selects(node: &Node) -> Option<(&Window, Reducer)> {
    match &node.op {
        Op::SelectAndScatter { window, select: CompareDirection::GE | CompareDirection::GT, .. } => {
            Some((window, Reducer::Maximum))
        }
        Op::SelectAndScatter { window, select: CompareDirection::LE | CompareDirection::LT, .. } => {
            Some((window, Reducer::Minimum))
        }
        _ => None,
    }
}

/// The cotangent of the source is what the cotangent of the result holds at the selected places.
pub(crate) fn select_and_scatter_backward(r: &mut Reverse, node: &Node, g: Value) -> Res<()> {
    let (x, source, init) = (node.operands[0], node.operands[1], node.operands[2]);
    let Op::SelectAndScatter { scatter, .. } = &node.op else { return Ok(()) };
    let Some((window, reducer)) = selects(node) else {
        return Err(r.e.error(node, "windows select by GE or LE only"));
    };
    if *scatter != Reducer::Add {
        return Err(r
            .e
            .error(node, format!("values that meet combine by `{}`; only `add` is differentiable", scatter.name())));
    }
    if r.wants(source) {
        let output = r.e.f.ty(source).shape.clone();
        let mask = selection(&mut r.e, node, x, window, &output, reducer)?;
        let ct = picked_by(&mut r.e, node, g, mask, window, &output)?;
        r.add(source, ct)?;
    }
    if r.wants(init) {
        let ct = r.e.sum_all(g)?;
        r.add(init, ct)?;
    }
    Ok(())
}

pub(crate) fn select_and_scatter_forward(w: &mut Forward, node: &Node, scatter: Reducer) -> Res<Option<Value>> {
    let (x, source, init) = (node.operands[0], node.operands[1], node.operands[2]);
    if w.tangent(source).is_none() && w.tangent(init).is_none() {
        return Ok(None);
    }
    if scatter != Reducer::Add {
        return Err(w
            .e
            .error(node, format!("values that meet combine by `{}`; only `add` is differentiable", scatter.name())));
    }
    let (ts, ti) = (w.tangent_or_zeros(source)?, w.tangent_or_zeros(init)?);
    w.e.op(node.op.clone(), &[x, ts, ti]).map(Some)
}
