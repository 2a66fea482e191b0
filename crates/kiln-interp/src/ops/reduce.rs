//! `reduce`, `argmin`, `argmax`.

use super::elementwise::from_wide;
use super::sizes;
use crate::dispatch;
use crate::error::Fault;
use crate::index::{complement, offsets};
use crate::scalar::lane::{Fn2, Lane, Wide, compare};
use kiln_ir::op::{ArgKind, CompareDirection, Reducer};
use kiln_ir::{Tensor, TensorType};

/// The combiner on the accumulator of `T`.
pub(super) fn combiner<T: Lane>(reducer: Reducer) -> Result<Fn2<T::Acc>, Fault> {
    <T::Acc as Lane>::binary(reducer.binary()).ok_or(Fault::Unsupported(T::DTYPE))
}

/// Folds in row-major order from the initial value; floats accumulate in f64 and are rounded once.
pub(super) fn reduce(
    x: &Tensor,
    init: &Tensor,
    ty: &TensorType,
    axes: &[usize],
    reducer: Reducer,
) -> Result<Tensor, Fault> {
    let kept = offsets(x.shape(), &complement(x.rank(), axes));
    let folded = offsets(x.shape(), axes);
    dispatch!(x.dtype(), T => {
        let f = combiner::<T>(reducer)?;
        let (v, init) = (x.as_slice::<T>()?, init.item::<T>()?.up());
        let sums = kept.iter().map(|k| T::down(folded.iter().fold(init, |acc, o| f(acc, v[k + o].up()))));
        Ok(Tensor::from_vec(sizes(ty)?, sums.collect())?)
    })
}

/// The first extreme along an axis; the first NaN before everything.
pub(super) fn arg_reduce(x: &Tensor, ty: &TensorType, axis: usize, kind: ArgKind) -> Result<Tensor, Fault> {
    let kept = offsets(x.shape(), &complement(x.rank(), &[axis]));
    let along = offsets(x.shape(), &[axis]);
    let positions: Vec<u64> = dispatch!(x.dtype(), T => {
        let v = x.as_slice::<T>()?;
        let direction = match kind {
            ArgKind::Min => CompareDirection::LT,
            ArgKind::Max => CompareDirection::GT,
        };
        let better = |a: T, b: T| !Lane::is_nan(b) && (Lane::is_nan(a) || compare(direction, a, b));
        kept.iter()
            .map(|k| (1..along.len()).fold(0, |best, i| if better(v[k + along[i]], v[k + along[best]]) { i } else { best }) as u64)
            .collect()
    });
    from_wide(ty.dtype, &sizes(ty)?, positions.into_iter().map(Wide::U))
}
