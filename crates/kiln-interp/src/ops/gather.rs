//! `gather` and `scatter`.

use super::{build, by_size, index_values};
use crate::dispatch;
use crate::error::Fault;
use crate::index::{Dims, View, complement, for_each_index, for_each2, strides};
use crate::scalar::lane::{Fn2, Lane};
use kiln_ir::op::{GatherDims, ScatterDims, ScatterUpdate};
use kiln_ir::{Tensor, TensorType};

/// What gather and scatter share: how indices point into the operand.
struct Pointers<'a> {
    values: Vec<i64>,
    shape: &'a [usize],
    /// Operand dimension of each index component.
    map: &'a [usize],
    /// Pairs of (operand dimension, indices dimension) that run together.
    batching: Vec<(usize, usize)>,
    vector_dim: usize,
    rank: usize,
}

impl Pointers<'_> {
    /// Sizes of the batch: the indices without the dimension of the components.
    fn batch_shape(&self) -> Dims<usize> {
        complement(self.shape.len(), &[self.vector_dim]).iter().map(|&d| self.shape[d]).collect()
    }

    /// The unclamped start per operand dimension for one index of the batch.
    fn start(&self, batch: &[usize]) -> Dims<i64> {
        let s = strides(self.shape);
        let dims = complement(self.shape.len(), &[self.vector_dim]);
        let base: usize = dims.iter().zip(batch).map(|(&d, &i)| i * s[d] as usize).sum();
        let step = s.get(self.vector_dim).map_or(0, |&s| s as usize);
        let mut start: Dims<i64> = Dims::from_elem(0, self.rank);
        for (k, &d) in self.map.iter().enumerate() {
            start[d] = self.values[base + k * step];
        }
        for &(operand, index) in &self.batching {
            start[operand] = batch[index - usize::from(index > self.vector_dim)] as i64;
        }
        start
    }
}

/// The windows of all indices as they lie in the tensor that has batch and window dimensions side by side.
struct Side {
    batch: View,
    window: View,
    window_shape: Dims<usize>,
}

/// `shape` is the gather's result or the scatter's updates; `operand_dims` are the operand dimensions of its window dimensions.
fn side(shape: &[usize], window_dims: &[usize]) -> Side {
    let s = strides(shape);
    let pick = |dims: &[usize]| View { offset: 0, strides: dims.iter().map(|&d| s[d]).collect() };
    Side {
        batch: pick(&complement(shape.len(), window_dims)),
        window: pick(window_dims),
        window_shape: window_dims.iter().map(|&d| shape[d]).collect(),
    }
}

/// A view of the operand's window dimensions that starts at `start`.
fn window_at(operand: &Dims<isize>, start: &[i64], dims: &[usize]) -> View {
    let offset = start.iter().zip(operand).map(|(&i, &s)| i as isize * s).sum();
    View { offset, strides: dims.iter().map(|&d| operand[d]).collect() }
}

/// Start indices are clamped so that every slice lies inside. The result has elements (the caller's care).
pub(super) fn gather(x: &Tensor, indices: &Tensor, ty: &TensorType, g: &GatherDims) -> Result<Tensor, Fault> {
    let batching = g.operand_batching_dims.iter().copied().zip(g.start_indices_batching_dims.iter().copied());
    let pointers = Pointers {
        values: index_values(indices)?,
        shape: indices.shape(),
        map: &g.start_index_map,
        batching: batching.collect(),
        vector_dim: g.index_vector_dim,
        rank: x.rank(),
    };
    let slice = g.slice_sizes.as_sizes().ok_or_else(|| Fault::malformed("the slice sizes are not known"))?;
    let dropped: Vec<usize> = g.collapsed_slice_dims.iter().chain(&g.operand_batching_dims).copied().collect();
    if dropped.iter().any(|&d| slice[d] == 0) {
        return Err(Fault::malformed("a slice of size 0 in a dropped dimension leaves nothing to gather"));
    }
    let window_dims = complement(x.rank(), &dropped);
    let s = strides(x.shape());
    build(ty, |shape, out| {
        let to = side(shape, &g.offset_dims);
        by_size!(ty.dtype, N => {
            let (src, dst) = (x.bytes().as_chunks::<N>().0, out.as_chunks_mut::<N>().0);
            for_each_index(&pointers.batch_shape(), |batch| {
                let mut start = pointers.start(batch);
                for d in 0..start.len() {
                    start[d] = start[d].clamp(0, (x.shape()[d] - slice[d]) as i64);
                }
                let from = window_at(&s, &start, &window_dims);
                let at: isize = batch.iter().zip(&to.batch.strides).map(|(&i, &s)| i as isize * s).sum();
                let target = View { offset: at, strides: to.window.strides.clone() };
                for_each2(&to.window_shape, &from, &target, |a, b| dst[b] = src[a]);
            });
        });
        Ok(())
    })
}

/// Results are rounded to the element type at every update; see [`for_each_update`] for their order.
pub(super) fn scatter(
    x: &Tensor,
    indices: &Tensor,
    updates: &Tensor,
    s: &ScatterDims,
    update: ScatterUpdate,
) -> Result<Tensor, Fault> {
    dispatch!(x.dtype(), T => {
        let f: Fn2<T> = match update {
            ScatterUpdate::Assign => |_, new| new,
            ScatterUpdate::Combine(r) => <T as Lane>::binary(r.binary()).ok_or(Fault::Unsupported(x.dtype()))?,
        };
        let mut out = x.to_vec::<T>()?;
        let updated = updates.as_slice::<T>()?;
        for_each_update(x.shape(), indices, updates.shape(), s, |a, b| out[a] = f(out[a], updated[b]))?;
        Ok(Tensor::from_vec(x.shape(), out)?)
    })
}

/// Calls `f` with the offsets of an element and of the update that meets it, in row-major order of the batch, then of the
/// window. A window that leaves the operand is skipped whole.
pub(crate) fn for_each_update(
    shape: &[usize],
    indices: &Tensor,
    updates: &[usize],
    s: &ScatterDims,
    mut f: impl FnMut(usize, usize),
) -> Result<(), Fault> {
    if updates.contains(&0) {
        return Ok(());
    }
    let batching = s.input_batching_dims.iter().copied().zip(s.scatter_indices_batching_dims.iter().copied());
    let pointers = Pointers {
        values: index_values(indices)?,
        shape: indices.shape(),
        map: &s.scatter_dims_to_operand_dims,
        batching: batching.collect(),
        vector_dim: s.index_vector_dim,
        rank: shape.len(),
    };
    let dropped: Vec<usize> = s.inserted_window_dims.iter().chain(&s.input_batching_dims).copied().collect();
    let window_dims = complement(shape.len(), &dropped);
    let from = side(updates, &s.update_window_dims);
    let mut window: Dims<usize> = Dims::from_elem(1, shape.len());
    for (&d, &n) in window_dims.iter().zip(&from.window_shape) {
        window[d] = n;
    }
    let operand = strides(shape);
    for_each_index(&pointers.batch_shape(), |batch| {
        let start = pointers.start(batch);
        let inside = (0..shape.len()).all(|d| {
            let last = i128::from(start[d]) + window[d] as i128;
            start[d] >= 0 && last <= shape[d] as i128
        });
        if inside {
            let at: isize = batch.iter().zip(&from.batch.strides).map(|(&i, &s)| i as isize * s).sum();
            let source = View { offset: at, strides: from.window.strides.clone() };
            let target = window_at(&operand, &start, &window_dims);
            for_each2(&from.window_shape, &source, &target, |a, b| f(b, a));
        }
    });
    Ok(())
}
