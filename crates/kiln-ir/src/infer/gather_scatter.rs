//! Type rules of `gather` and `scatter`.

use super::reduce::reducer_types;
use super::{Cx, surely_greater, without};
use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::DTypeSet;
use crate::op::{GatherDims, ScatterDims, ScatterUpdate};
use crate::shape::{Shape, TensorType};

/// The shape of `indices` without the dimension that holds the components of one index.
fn batch_sizes(indices: &Shape, index_vector_dim: usize) -> Shape {
    without(indices, &[index_vector_dim])
}

/// `batch` and `window` sizes in one shape: window sizes at `window_dims` (ascending), batch sizes elsewhere.
fn combine(batch: &Shape, window: &Shape, window_dims: &[usize]) -> Shape {
    let (mut batch, mut window) = (batch.iter(), window.iter());
    let rank = batch.len() + window.len();
    (0..rank).filter_map(|d| if window_dims.contains(&d) { window.next() } else { batch.next() }).cloned().collect()
}

/// The number of components of one index equals the length of the map to operand dimensions.
fn components(cx: &Cx, label: &str, what: &str, map: usize, index_vector_dim: usize) -> Result<(), Diagnostic> {
    let indices = cx.tys[1];
    let one = Dim::Const(1);
    let found = indices.shape.get(index_vector_dim).unwrap_or(&one);
    cx.check(*found == Dim::from(map), label, "indices have the wrong number of components", || {
        format!("{what} has {map} entries, indices {indices} hold {found} in dim {index_vector_dim}")
    })
}

/// Batching dimensions of operand and indices pair up with equal sizes.
fn batching(cx: &Cx, label: &str, operand_dims: &[usize], index_dims: &[usize]) -> Result<(), Diagnostic> {
    for (&o, &i) in operand_dims.iter().zip(index_dims) {
        let (a, b) = (&cx.tys[0].shape[o], &cx.tys[1].shape[i]);
        cx.check(a == b, label, "batching dimensions differ", || {
            format!("operand has size {a} in dim {o}, indices have size {b} in dim {i}")
        })?;
    }
    Ok(())
}

fn joined(a: &[usize], b: &[usize]) -> Vec<usize> {
    a.iter().chain(b).copied().collect()
}

pub fn gather(cx: &Cx, g: &GatherDims) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    cx.dtype(1, DTypeSet::INT)?;
    let (x, indices) = (cx.tys[0], cx.tys[1]);
    let listed = g.offset_dims.len() + g.collapsed_slice_dims.len() + g.operand_batching_dims.len();
    cx.check(listed == x.rank(), "C1", "the dimension numbers do not cover the operand", || {
        format!("offset, collapsed and batching dimensions are {listed}, operand is {x}")
    })?;
    cx.check(g.index_vector_dim <= indices.rank(), "C2", "`index_vector_dim` is out of range", || {
        format!("dim {} of indices {indices}", g.index_vector_dim)
    })?;
    components(cx, "C3", "`start_index_map`", g.start_index_map.len(), g.index_vector_dim)?;
    cx.unique("C4", "`offset_dims`", &g.offset_dims)?;
    cx.ascending("C4", "`offset_dims`", &g.offset_dims)?;
    let batch = batch_sizes(&indices.shape, g.index_vector_dim);
    cx.in_range("C5", "`offset_dims` is", &g.offset_dims, batch.rank() + g.offset_dims.len())?;
    cx.unique("C6", "collapsed and batching dimensions", &joined(&g.collapsed_slice_dims, &g.operand_batching_dims))?;
    cx.ascending("C7", "`collapsed_slice_dims`", &g.collapsed_slice_dims)?;
    cx.in_range("C8", "`collapsed_slice_dims` is", &g.collapsed_slice_dims, x.rank())?;
    cx.len("C20", "`slice_sizes`", g.slice_sizes.rank(), x.rank())?;
    at_most_one(cx, "C9", "`collapsed_slice_dims`", &g.collapsed_slice_dims, &g.slice_sizes)?;
    cx.ascending("C10", "`operand_batching_dims`", &g.operand_batching_dims)?;
    cx.in_range("C11", "`operand_batching_dims` is", &g.operand_batching_dims, x.rank())?;
    at_most_one(cx, "C12", "`operand_batching_dims`", &g.operand_batching_dims, &g.slice_sizes)?;
    cx.unique("C13", "`start_indices_batching_dims`", &g.start_indices_batching_dims)?;
    cx.in_range("C14", "`start_indices_batching_dims` is", &g.start_indices_batching_dims, indices.rank())?;
    cx.check(
        !g.start_indices_batching_dims.contains(&g.index_vector_dim),
        "C15",
        "`index_vector_dim` cannot be a batching dimension",
        || format!("dim {}", g.index_vector_dim),
    )?;
    let (a, b) = (g.operand_batching_dims.len(), g.start_indices_batching_dims.len());
    cx.len("C16", "`start_indices_batching_dims`", b, a)?;
    batching(cx, "C17", &g.operand_batching_dims, &g.start_indices_batching_dims)?;
    cx.unique("C18", "mapped and batching dimensions", &joined(&g.start_index_map, &g.operand_batching_dims))?;
    cx.in_range("C19", "`start_index_map` is", &g.start_index_map, x.rank())?;
    for (i, (size, of)) in g.slice_sizes.iter().zip(x.shape.iter()).enumerate() {
        let bad = surely_greater(&Dim::Const(0), size) || surely_greater(size, of);
        cx.check(!bad, "C21", "the slice is larger than the operand", || {
            format!("{size} elements of dim {i}, which has size {of}")
        })?;
    }
    let offset = without(&g.slice_sizes, &joined(&g.collapsed_slice_dims, &g.operand_batching_dims));
    Ok(TensorType { dtype: x.dtype, shape: combine(&batch, &offset, &g.offset_dims) })
}

fn at_most_one(cx: &Cx, label: &str, what: &str, dims: &[usize], sizes: &Shape) -> Result<(), Diagnostic> {
    for &d in dims {
        let ok = matches!(sizes[d], Dim::Const(n) if n <= 1);
        cx.check(ok, label, &format!("the slice must have size 1 in {what}"), || {
            format!("slice size {} in dim {d}", sizes[d])
        })?;
    }
    Ok(())
}

pub fn scatter(cx: &Cx, s: &ScatterDims, update: ScatterUpdate) -> Result<TensorType, Diagnostic> {
    cx.count(3)?;
    cx.same_dtype("C6", 0, 2)?;
    if let ScatterUpdate::Combine(reducer) = update {
        reducer_types(cx, "C23", reducer)?;
    }
    scatter_dims(cx, s)?;
    Ok(cx.tys[0].clone())
}

/// Operand, indices and updates fit the dimension numbers.
pub fn scatter_dims(cx: &Cx, s: &ScatterDims) -> Result<(), Diagnostic> {
    cx.dtype(1, DTypeSet::INT)?;
    let (x, indices, updates) = (cx.tys[0], cx.tys[1], cx.tys[2]);
    let listed = s.update_window_dims.len() + s.inserted_window_dims.len() + s.input_batching_dims.len();
    cx.check(listed == x.rank(), "C2", "the dimension numbers do not cover the operand", || {
        format!("window, inserted and batching dimensions are {listed}, operand is {x}")
    })?;
    cx.unique("C7", "`update_window_dims`", &s.update_window_dims)?;
    cx.ascending("C7", "`update_window_dims`", &s.update_window_dims)?;
    cx.in_range("C8", "`update_window_dims` is", &s.update_window_dims, updates.rank())?;
    cx.unique("C9", "inserted and batching dimensions", &joined(&s.inserted_window_dims, &s.input_batching_dims))?;
    cx.ascending("C10", "`inserted_window_dims`", &s.inserted_window_dims)?;
    cx.in_range("C11", "`inserted_window_dims` is", &s.inserted_window_dims, x.rank())?;
    cx.ascending("C12", "`input_batching_dims`", &s.input_batching_dims)?;
    cx.in_range("C13", "`input_batching_dims` is", &s.input_batching_dims, x.rank())?;
    cx.unique("C14", "`scatter_indices_batching_dims`", &s.scatter_indices_batching_dims)?;
    cx.in_range("C15", "`scatter_indices_batching_dims` is", &s.scatter_indices_batching_dims, indices.rank())?;
    cx.check(
        !s.scatter_indices_batching_dims.contains(&s.index_vector_dim),
        "C16",
        "`index_vector_dim` cannot be a batching dimension",
        || format!("dim {}", s.index_vector_dim),
    )?;
    let (a, b) = (s.input_batching_dims.len(), s.scatter_indices_batching_dims.len());
    cx.len("C17", "`scatter_indices_batching_dims`", b, a)?;
    batching(cx, "C18", &s.input_batching_dims, &s.scatter_indices_batching_dims)?;
    cx.check(s.index_vector_dim <= indices.rank(), "C22", "`index_vector_dim` is out of range", || {
        format!("dim {} of indices {indices}", s.index_vector_dim)
    })?;
    let map = &s.scatter_dims_to_operand_dims;
    components(cx, "C19", "`scatter_dims_to_operand_dims`", map.len(), s.index_vector_dim)?;
    cx.unique("C20", "mapped and batching dimensions", &joined(map, &s.input_batching_dims))?;
    cx.in_range("C21", "`scatter_dims_to_operand_dims` is", map, x.rank())?;
    check_updates(cx, s)
}

/// C4: the updates are one window for every index.
fn check_updates(cx: &Cx, s: &ScatterDims) -> Result<(), Diagnostic> {
    let (x, indices, updates) = (cx.tys[0], cx.tys[1], cx.tys[2]);
    let batch = batch_sizes(&indices.shape, s.index_vector_dim);
    let expected = batch.rank() + s.update_window_dims.len();
    cx.check(updates.rank() == expected, "C4", "the updates have the wrong rank", || {
        format!("{} batch and {} window dimensions, updates are {updates}", batch.rank(), s.update_window_dims.len())
    })?;
    let window: Shape = s.update_window_dims.iter().map(|&d| updates.shape[d].clone()).collect();
    let room = without(&x.shape, &joined(&s.inserted_window_dims, &s.input_batching_dims));
    for (i, (size, of)) in window.iter().zip(room.iter()).enumerate() {
        cx.check(!surely_greater(size, of), "C4", "the update window is larger than the operand", || {
            format!("window dimension {i} has size {size}, operand has size {of}")
        })?;
    }
    let wanted = combine(&batch, &window, &s.update_window_dims);
    cx.check(wanted == updates.shape, "C4", "the updates do not match the indices", || {
        format!("expected {wanted}, updates are {updates}")
    })
}
