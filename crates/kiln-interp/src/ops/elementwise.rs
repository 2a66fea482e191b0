//! Operators that work element by element.

use crate::dispatch;
use crate::error::Fault;
use crate::scalar::lane::{self, Lane};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Tensor, UnaryOp};

pub(super) fn unary(op: UnaryOp, x: &Tensor) -> Result<Tensor, Fault> {
    let shape = x.shape();
    dispatch!(x.dtype(), T => {
        let v = x.as_slice::<T>()?;
        if op == UnaryOp::IsFinite {
            return Ok(Tensor::from_vec(shape, v.iter().map(|&x| Lane::is_finite(x)).collect::<Vec<bool>>())?);
        }
        let f = <T as Lane>::unary(op).ok_or(Fault::Unsupported(x.dtype()))?;
        Ok(Tensor::from_vec(shape, v.iter().map(|&x| f(x)).collect())?)
    })
}

pub(super) fn binary(op: BinaryOp, x: &Tensor, y: &Tensor) -> Result<Tensor, Fault> {
    dispatch!(x.dtype(), T => {
        let f = <T as Lane>::binary(op).ok_or(Fault::Unsupported(x.dtype()))?;
        let pairs = x.as_slice::<T>()?.iter().zip(y.as_slice::<T>()?);
        Ok(Tensor::from_vec(x.shape(), pairs.map(|(&a, &b)| f(a, b)).collect())?)
    })
}

pub(super) fn compare(direction: CompareDirection, x: &Tensor, y: &Tensor) -> Result<Tensor, Fault> {
    dispatch!(x.dtype(), T => {
        let pairs = x.as_slice::<T>()?.iter().zip(y.as_slice::<T>()?);
        let bits: Vec<bool> = pairs.map(|(&a, &b)| lane::compare(direction, a, b)).collect();
        Ok(Tensor::from_vec(x.shape(), bits)?)
    })
}

pub(super) fn select(pred: &Tensor, on_true: &Tensor, on_false: &Tensor) -> Result<Tensor, Fault> {
    let p = pred.as_slice::<bool>()?;
    if pred.rank() == 0 {
        return Ok(if p[0] { on_true.clone() } else { on_false.clone() });
    }
    dispatch!(on_true.dtype(), T => {
        let pairs = on_true.as_slice::<T>()?.iter().zip(on_false.as_slice::<T>()?);
        Ok(Tensor::from_vec(on_true.shape(), p.iter().zip(pairs).map(|(&p, (&a, &b))| if p { a } else { b }).collect())?)
    })
}

pub(super) fn clamp(lo: &Tensor, x: &Tensor, hi: &Tensor) -> Result<Tensor, Fault> {
    dispatch!(x.dtype(), T => {
        let max = <T as Lane>::binary(BinaryOp::Maximum).ok_or(Fault::Unsupported(x.dtype()))?;
        let min = <T as Lane>::binary(BinaryOp::Minimum).ok_or(Fault::Unsupported(x.dtype()))?;
        let (l, h) = (lo.as_slice::<T>()?, hi.as_slice::<T>()?);
        // A scalar bound holds for every element.
        let at = |bound: &[T], scalar: bool, i: usize| bound[if scalar { 0 } else { i }];
        let (ls, hs) = (lo.rank() == 0, hi.rank() == 0);
        let v = x.as_slice::<T>()?.iter().enumerate().map(|(i, &x)| min(max(x, at(l, ls, i)), at(h, hs, i)));
        Ok(Tensor::from_vec(x.shape(), v.collect())?)
    })
}

pub(super) fn convert(x: &Tensor, to: DType) -> Result<Tensor, Fault> {
    if x.dtype() == to {
        return Ok(x.clone());
    }
    dispatch!(x.dtype(), A => {
        let wide = x.as_slice::<A>()?.iter().map(|x| x.widen());
        dispatch!(to, B => Ok(Tensor::from_vec(x.shape(), wide.map(<B as Lane>::narrow).collect())?))
    })
}

pub(super) fn dimension_size(x: &Tensor, dim: usize) -> Result<Tensor, Fault> {
    let size = i32::try_from(x.shape()[dim]).map_err(|_| Fault::malformed("the size does not fit in i32"))?;
    Ok(Tensor::scalar(size))
}
