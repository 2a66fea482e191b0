//! Operators that work element by element.

use crate::dispatch;
use crate::error::Fault;
use crate::scalar::lane::{self, Lane, Wide};
use crate::scalar::{complex_math, precision};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, Complex, DType, Tensor, UnaryOp};

pub(super) fn unary(op: UnaryOp, x: &Tensor) -> Result<Tensor, Fault> {
    let shape = x.shape();
    if op == UnaryOp::Abs && x.dtype().is_complex() {
        return magnitude(x);
    }
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
    from_wide(to, x.shape(), widen(x)?)
}

/// The elements without their type.
pub(super) fn widen(x: &Tensor) -> Result<Vec<Wide>, Fault> {
    dispatch!(x.dtype(), T => Ok(x.as_slice::<T>()?.iter().map(|x| x.widen()).collect()))
}

/// A tensor of values, each converted to `dtype`.
pub(super) fn from_wide(
    dtype: DType,
    shape: &[usize],
    values: impl IntoIterator<Item = Wide>,
) -> Result<Tensor, Fault> {
    let values = values.into_iter();
    dispatch!(dtype, T => Ok(Tensor::from_vec(shape, values.map(<T as Lane>::narrow).collect())?))
}

/// The elements of a complex tensor.
fn complex_numbers(x: &Tensor) -> Result<Vec<Complex<f64>>, Fault> {
    if !x.dtype().is_complex() {
        return Err(Fault::Unsupported(x.dtype()));
    }
    Ok(widen(x)?.into_iter().map(Complex::narrow).collect())
}

fn magnitude(x: &Tensor) -> Result<Tensor, Fault> {
    let values = complex_numbers(x)?.into_iter().map(|z| Wide::F(complex_math::abs(z)));
    from_wide(x.dtype().real_type(), x.shape(), values)
}

/// Real or imaginary parts.
pub(super) fn part(x: &Tensor, imaginary: bool) -> Result<Tensor, Fault> {
    let values = complex_numbers(x)?.into_iter().map(|z| Wide::F(if imaginary { z.im } else { z.re }));
    from_wide(x.dtype().real_type(), x.shape(), values)
}

pub(super) fn complex(re: &Tensor, im: &Tensor) -> Result<Tensor, Fault> {
    let dtype = re.dtype().complex_type().ok_or(Fault::Unsupported(re.dtype()))?;
    let parts = widen(re)?.into_iter().zip(widen(im)?);
    let values = parts.map(|(re, im)| Wide::C(Complex::new(f64::narrow(re), f64::narrow(im))));
    from_wide(dtype, re.shape(), values)
}

pub(super) fn reduce_precision(x: &Tensor, exponent_bits: u32, mantissa_bits: u32) -> Result<Tensor, Fault> {
    let (dtype, size) = (x.dtype(), x.dtype().size());
    let mut bytes = Vec::with_capacity(x.bytes().len());
    for element in x.bytes().chunks_exact(size) {
        let bits = element.iter().rev().fold(0u64, |bits, &b| bits << 8 | u64::from(b));
        let rounded = precision::reduce_precision(dtype, bits, exponent_bits, mantissa_bits);
        bytes.extend(&rounded.ok_or(Fault::Unsupported(dtype))?.to_le_bytes()[..size]);
    }
    Ok(Tensor::from_bytes(dtype, x.shape(), &bytes)?)
}

/// The same bits, least significant first, in elements of another width.
pub(super) fn bitcast_convert(x: &Tensor, to: DType, shape: &[usize]) -> Result<Tensor, Fault> {
    let from = x.dtype();
    if from.bits() as usize == 8 * from.size() && to.bits() as usize == 8 * to.size() {
        return Ok(Tensor::from_bytes(to, shape, x.bytes())?);
    }
    let mut bytes = Vec::with_capacity(shape.iter().product::<usize>() * to.size());
    // Bits that came in and did not go out yet; never more than those of the wider element.
    let (mut held, mut count) = (0u128, 0);
    for element in x.bytes().chunks_exact(from.size()) {
        let bits = element.iter().rev().fold(0u128, |bits, &b| bits << 8 | u128::from(b));
        held |= (bits & mask(from.bits())) << count;
        count += from.bits();
        while count >= to.bits() {
            let element = held & mask(to.bits());
            held = held.checked_shr(to.bits()).unwrap_or(0);
            count -= to.bits();
            let negative = to.is_signed_int() && element >> (to.bits() - 1) == 1;
            let extended = if negative { element | !mask(to.bits()) } else { element };
            bytes.extend(&extended.to_le_bytes()[..to.size()]);
        }
    }
    Ok(Tensor::from_bytes(to, shape, &bytes)?)
}

/// So many low bits.
fn mask(bits: u32) -> u128 {
    u128::MAX >> (128 - bits)
}

pub(super) fn dimension_size(x: &Tensor, dim: usize) -> Result<Tensor, Fault> {
    let size = i32::try_from(x.shape()[dim]).map_err(|_| Fault::malformed("the size does not fit in i32"))?;
    Ok(Tensor::scalar(size))
}
