//! Operators that place elements without looking at them: copies between views, by element size.

use super::{build, by_size, index_values, known, sizes};
use crate::dispatch;
use crate::error::Fault;
use crate::index::{Dims, View, for_each2, strides};
use crate::scalar::lane::{Lane, Wide};
use kiln_ir::{Dim, Tensor, TensorType};

/// Copies the elements of `shape` from one view to another.
fn copy(elem: usize, shape: &[usize], src: &[u8], from: &View, dst: &mut [u8], to: &View) {
    fn run<const N: usize>(shape: &[usize], src: &[u8], from: &View, dst: &mut [u8], to: &View) {
        let (src, dst) = (src.as_chunks::<N>().0, dst.as_chunks_mut::<N>().0);
        for_each2(shape, from, to, |a, b| dst[b] = src[a]);
    }
    match elem {
        1 => run::<1>(shape, src, from, dst, to),
        2 => run::<2>(shape, src, from, dst, to),
        4 => run::<4>(shape, src, from, dst, to),
        8 => run::<8>(shape, src, from, dst, to),
        _ => run::<16>(shape, src, from, dst, to),
    }
}

/// The dense tensor of type `ty` that a view of `x` shows.
fn read(x: &Tensor, ty: &TensorType, from: &View) -> Result<Tensor, Fault> {
    build(ty, |shape, out| {
        copy(ty.dtype.size(), shape, x.bytes(), from, out, &View::dense(shape));
        Ok(())
    })
}

pub(super) fn iota(ty: &TensorType, dim: usize) -> Result<Tensor, Fault> {
    let shape = sizes(ty)?;
    let inner: usize = shape[dim + 1..].iter().product();
    dispatch!(ty.dtype, T => {
        let counted: Vec<T> = (0..shape[dim] as u64)
            .flat_map(|i| std::iter::repeat_n(<T as Lane>::narrow(Wide::U(i)), inner))
            .collect();
        Ok(Tensor::from_vec(&shape, counted.repeat(shape[..dim].iter().product()))?)
    })
}

pub(super) fn broadcast_in_dim(x: &Tensor, ty: &TensorType, dims: &[usize]) -> Result<Tensor, Fault> {
    let mut from = View { offset: 0, strides: Dims::from_elem(0, ty.rank()) };
    for ((&d, &n), &s) in dims.iter().zip(x.shape()).zip(&strides(x.shape())) {
        from.strides[d] = if n == 1 { 0 } else { s };
    }
    read(x, ty, &from)
}

pub(super) fn transpose(x: &Tensor, ty: &TensorType, permutation: &[usize]) -> Result<Tensor, Fault> {
    let s = strides(x.shape());
    read(x, ty, &View { offset: 0, strides: permutation.iter().map(|&p| s[p]).collect() })
}

pub(super) fn reverse(x: &Tensor, dims: &[usize]) -> Result<Tensor, Fault> {
    let mut from = View::dense(x.shape());
    for &d in dims {
        from.offset += from.strides[d] * (x.shape()[d] as isize - 1);
        from.strides[d] = -from.strides[d];
    }
    read(x, &x.ty(), &from)
}

pub(super) fn slice(x: &Tensor, ty: &TensorType, start: &[Dim], steps: &[i64]) -> Result<Tensor, Fault> {
    let mut from = View::dense(x.shape());
    for (d, s) in start.iter().enumerate() {
        from.offset += known(s)? as isize * from.strides[d];
        // A step past the end is never taken; it may be as large as it likes.
        from.strides[d] = from.strides[d].wrapping_mul(steps[d].min(x.shape()[d] as i64 + 1) as isize);
    }
    read(x, ty, &from)
}

/// The offset of a window of `window` elements at dynamic start indices, each clamped so that the window lies inside.
fn clamped_offset(shape: &[usize], window: &[usize], indices: &[Tensor]) -> Result<isize, Fault> {
    let s = strides(shape);
    let mut offset = 0;
    for d in 0..shape.len() {
        let at = index_values(&indices[d])?[0].clamp(0, (shape[d] - window[d]) as i64);
        offset += at as isize * s[d];
    }
    Ok(offset)
}

pub(super) fn dynamic_slice(x: &Tensor, ty: &TensorType, indices: &[Tensor]) -> Result<Tensor, Fault> {
    let offset = clamped_offset(x.shape(), &sizes(ty)?, indices)?;
    read(x, ty, &View { offset, strides: strides(x.shape()) })
}

pub(super) fn dynamic_update_slice(x: &Tensor, update: &Tensor, indices: &[Tensor]) -> Result<Tensor, Fault> {
    let offset = clamped_offset(x.shape(), update.shape(), indices)?;
    build(&x.ty(), |shape, out| {
        out.copy_from_slice(x.bytes());
        let to = View { offset, strides: strides(shape) };
        copy(x.dtype().size(), update.shape(), update.bytes(), &View::dense(update.shape()), out, &to);
        Ok(())
    })
}

pub(super) fn concatenate(x: &[Tensor], ty: &TensorType, dim: usize) -> Result<Tensor, Fault> {
    build(ty, |shape, out| {
        let mut to = View::dense(shape);
        for t in x {
            copy(ty.dtype.size(), t.shape(), t.bytes(), &View::dense(t.shape()), out, &to);
            to.offset += t.shape()[dim] as isize * to.strides[dim];
        }
        Ok(())
    })
}

pub(super) fn pad(x: &Tensor, value: &Tensor, ty: &TensorType, low: &[Dim], interior: &[i64]) -> Result<Tensor, Fault> {
    build(ty, |shape, out| {
        by_size!(ty.dtype, N => out.as_chunks_mut::<N>().0.fill(value.bytes().as_chunks::<N>().0[0]));
        let (mut from, mut to) = (View::dense(x.shape()), View::dense(shape));
        let mut count: Dims<usize> = x.shape().into();
        for d in 0..shape.len() {
            // Element i lands at low + i * step; keep those that land inside. 128 bits, for attributes may be anything.
            let (low, step) = (i128::from(known(&low[d])?), i128::from(interior[d]) + 1);
            let first = (-low + step - 1).div_euclid(step).max(0);
            let last = (shape[d] as i128 - 1 - low).div_euclid(step).min(x.shape()[d] as i128 - 1);
            if last < first {
                return Ok(());
            }
            count[d] = (last - first + 1) as usize;
            from.offset += from.strides[d] * first as isize;
            to.offset += to.strides[d] * (low + first * step) as isize;
            if count[d] > 1 {
                to.strides[d] *= step as isize;
            }
        }
        copy(ty.dtype.size(), &count, x.bytes(), &from, out, &to);
        Ok(())
    })
}
