//! Slices, updates, gathers and scatters at indices that are known.

use super::slice::{Bounds, push_slice};
use crate::lit::Lit;
use crate::options::Level;
use crate::rewrite::{Rewriter, numel, sizes_of};
use kiln_ir::op::{GatherDims, Ints};
use kiln_ir::{Op, Tensor, TensorType, Value};

/// The start indices, if all are constants, clamped so that a window of these sizes lies inside.
fn known_starts(rw: &Rewriter, indices: &[Value], sizes: &[usize], window: &[usize]) -> Option<Ints> {
    let mut starts = Ints::new();
    for (d, &i) in indices.iter().enumerate() {
        let room = sizes[d].checked_sub(window[d])?;
        // With no room to move, the index does not matter.
        let start = if room == 0 {
            0
        } else {
            let Lit::Int(n) = rw.lit(i)? else { return None };
            n.clamp(0, room as i128) as i64
        };
        starts.push(start);
    }
    Some(starts)
}

fn window_at(starts: Ints, window: &[usize]) -> Bounds {
    let mut b = Bounds::all(window);
    b.limit = starts.iter().zip(window).map(|(s, &n)| s + n as i64).collect();
    b.start = starts;
    b
}

/// At constant indices: a static slice.
pub fn dynamic_slice(rw: &mut Rewriter, operands: &[Value], ty: &TensorType) -> Option<Value> {
    let (&x, indices) = operands.split_first()?;
    let window = sizes_of(ty);
    let starts = known_starts(rw, indices, &rw.sizes(x), &window)?;
    let b = window_at(starts, &window);
    if rw.fire("dynamic_slice at constant indices", Level::Exact) { push_slice(rw, x, &b) } else { None }
}

/// Updates of everything and of nothing. Others stay: they happen in place.
pub fn dynamic_update_slice(rw: &mut Rewriter, operands: &[Value]) -> Option<Value> {
    let (&x, &update) = (operands.first()?, operands.get(1)?);
    if rw.ty(x) == rw.ty(update) {
        return rw.exact("update of everything", update);
    }
    if numel(rw.ty(update)) == 0 {
        return rw.exact("update of nothing", x);
    }
    None
}

/// One window at constant indices: a static slice, without its collapsed dimensions.
pub fn gather(rw: &mut Rewriter, x: Value, indices: Value, dims: &GatherDims, ty: &TensorType) -> Option<Value> {
    let index_sizes = rw.sizes(indices);
    let components = index_sizes.get(dims.index_vector_dim).copied().unwrap_or(1);
    if !dims.operand_batching_dims.is_empty() || index_sizes.iter().product::<usize>() != components {
        return None;
    }
    let values = index_components(rw, indices)?;
    if values.len() != components {
        return None;
    }
    let sizes = rw.sizes(x);
    let window = dims.slice_sizes.as_sizes()?;
    let mut starts: Ints = sizes.iter().map(|_| 0).collect();
    for (&d, &n) in dims.start_index_map.iter().zip(&values) {
        starts[d] = n.clamp(0, sizes[d].checked_sub(window[d])? as i128) as i64;
    }
    // All dimensions but the window's are of size 1, and the window's keep their order: a reshape remains.
    if !crate::rewrite::is_ascending(&dims.offset_dims) || !rw.fire("gather of one constant window", Level::Exact) {
        return None;
    }
    let slice = push_slice(rw, x, &window_at(starts, &window))?;
    rw.reshape(slice, &sizes_of(ty))
}

/// The integers of a small constant index vector.
fn index_components(rw: &Rewriter, indices: Value) -> Option<Vec<i128>> {
    const MAX: usize = 16;
    let n = numel(rw.ty(indices));
    if n > MAX {
        return None;
    }
    if let Some(Lit::Int(one)) = rw.lit(indices) {
        return Some(vec![one; n]);
    }
    let Op::Constant(t) = rw.op(indices).0 else { return None };
    let size = t.dtype().size();
    let element = |bytes: &[u8]| match Lit::of(&Tensor::from_bytes(t.dtype(), [], bytes).ok()?)? {
        Lit::Int(n) => Some(n),
        Lit::Bool(_) | Lit::Float(_) => None,
    };
    t.bytes().chunks_exact(size).map(element).collect()
}

/// Scatters of nothing.
pub fn scatter(rw: &mut Rewriter, operands: &[Value]) -> Option<Value> {
    let (&x, &updates) = (operands.first()?, operands.get(2)?);
    if numel(rw.ty(updates)) == 0 { rw.exact("scatter of nothing", x) } else { None }
}
