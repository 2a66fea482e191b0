//! `reduce_window` and `select_and_scatter`.
//!
//! Padding and the holes of dilated inputs take no part: each window folds the initial value once with the elements that it
//! covers (as XLA does; StableHLO leaves open how often the initial value is used).

use super::reduce::combiner;
use super::sizes;
use crate::dispatch;
use crate::error::Fault;
use crate::index::{for_each_index, strides, taps};
use crate::scalar::lane::{self, Lane};
use kiln_ir::op::{CompareDirection, Reducer, Window};
use kiln_ir::{Tensor, TensorType};

/// Calls `f` for every window in row-major order with the offsets of the elements that it covers, in row-major order.
pub(crate) fn for_each_window(x: &[usize], window: &Window, windows: &[usize], mut f: impl FnMut(&[usize])) {
    let s = strides(x);
    // The offsets per dimension change rarely in the outer dimensions: keep them while the index stays.
    let mut lines: Vec<(usize, Vec<usize>)> = vec![(usize::MAX, Vec::new()); x.len()];
    let (mut covered, mut next) = (Vec::new(), Vec::new());
    for_each_index(windows, |at| {
        covered.clear();
        covered.push(0);
        for (d, line) in lines.iter_mut().enumerate() {
            if line.0 != at[d] {
                let offsets = taps(&window.dims[d], x[d], at[d]).into_iter().map(|(_, i)| i * s[d] as usize);
                *line = (at[d], offsets.collect());
            }
            next.clear();
            next.extend(covered.iter().flat_map(|&o| line.1.iter().map(move |&i| o + i)));
            std::mem::swap(&mut covered, &mut next);
        }
        f(&covered);
    });
}

pub(super) fn reduce_window(
    x: &Tensor,
    init: &Tensor,
    ty: &TensorType,
    window: &Window,
    reducer: Reducer,
) -> Result<Tensor, Fault> {
    let shape = sizes(ty)?;
    dispatch!(x.dtype(), T => {
        let f = combiner::<T>(reducer)?;
        let (v, init) = (x.as_slice::<T>()?, init.item::<T>()?.up());
        let mut out: Vec<T> = Vec::with_capacity(shape.iter().product());
        for_each_window(x.shape(), window, &shape, |covered| {
            out.push(T::down(covered.iter().fold(init, |acc, &o| f(acc, v[o].up()))));
        });
        Ok(Tensor::from_vec(shape, out)?)
    })
}

/// Sources meet in row-major order and are rounded to the element type at every step; a window that covers no element
/// drops its source.
pub(super) fn select_and_scatter(
    x: &Tensor,
    source: &Tensor,
    init: &Tensor,
    window: &Window,
    select: CompareDirection,
    scatter: Reducer,
) -> Result<Tensor, Fault> {
    dispatch!(x.dtype(), T => {
        let f = <T as Lane>::binary(scatter.binary()).ok_or(Fault::Unsupported(x.dtype()))?;
        let (v, src) = (x.as_slice::<T>()?, source.as_slice::<T>()?);
        let mut out = vec![init.item::<T>()?; v.len()];
        let mut sources = src.iter();
        for_each_window(x.shape(), window, source.shape(), |covered| {
            let keep = |best: usize, o: usize| if lane::compare(select, v[best], v[o]) { best } else { o };
            let chosen = covered.iter().copied().reduce(keep);
            if let (Some(&s), Some(o)) = (sources.next(), chosen) {
                out[o] = f(out[o], s);
            }
        });
        Ok(Tensor::from_vec(x.shape(), out)?)
    })
}
