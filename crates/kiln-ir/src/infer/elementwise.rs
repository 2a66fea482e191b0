//! Type rules of elementwise operators.

use super::Cx;
use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::{DType, DTypeSet};
use crate::op::{BinaryOp, UnaryOp};
use crate::shape::TensorType;

pub fn unary(cx: &Cx, op: UnaryOp) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.dtype(0, op.operand_types())?;
    let x = cx.tys[0];
    Ok(match (op, op.result_dtype()) {
        (_, Some(dtype)) => x.with_dtype(dtype),
        // The absolute value of a complex number is real.
        (UnaryOp::Abs, None) => x.with_dtype(x.dtype.real_type()),
        (_, None) => x.clone(),
    })
}

pub fn complex(cx: &Cx) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    cx.dtype(0, DTypeSet::of(&[DType::F32, DType::F64]))?;
    cx.same_dtype("C1", 0, 1)?;
    cx.same_shape("C1", 0, 1)?;
    let x = cx.tys[0];
    Ok(x.with_dtype(x.dtype.complex_type().unwrap_or(x.dtype)))
}

/// Real or imaginary part.
pub fn part(cx: &Cx) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.dtype(0, DTypeSet::COMPLEX)?;
    Ok(cx.tys[0].with_dtype(cx.tys[0].dtype.real_type()))
}

pub fn reduce_precision(cx: &Cx, exponent_bits: u32) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.dtype(0, DTypeSet::FLOAT)?;
    cx.check(exponent_bits >= 1, "C2", "a float needs a bit of exponent", || "found 0".into())?;
    Ok(cx.tys[0].clone())
}

pub fn binary(cx: &Cx, op: BinaryOp) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    cx.dtype(0, op.operand_types())?;
    cx.same_dtype("C1", 0, 1)?;
    cx.same_shape("C1", 0, 1)?;
    Ok(cx.tys[0].clone())
}

pub fn compare(cx: &Cx) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    cx.same_dtype("C1", 0, 1)?;
    cx.same_shape("C2", 0, 1)?;
    Ok(cx.tys[0].with_dtype(DType::Bool))
}

pub fn select(cx: &Cx) -> Result<TensorType, Diagnostic> {
    cx.count(3)?;
    cx.dtype(0, DTypeSet::BOOL)?;
    if cx.tys[0].rank() > 0 {
        cx.same_shape("C1", 0, 1)?;
    }
    cx.same_dtype("C2", 1, 2)?;
    cx.same_shape("C2", 1, 2)?;
    Ok(cx.tys[1].clone())
}

pub fn clamp(cx: &Cx) -> Result<TensorType, Diagnostic> {
    cx.count(3)?;
    if cx.tys[0].rank() > 0 {
        cx.same_shape("C1", 0, 1)?;
    }
    if cx.tys[2].rank() > 0 {
        cx.same_shape("C2", 2, 1)?;
    }
    cx.same_dtype("C3", 0, 1)?;
    cx.same_dtype("C3", 2, 1)?;
    Ok(cx.tys[1].clone())
}

pub fn convert(cx: &Cx, to: DType) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    Ok(cx.tys[0].with_dtype(to))
}

pub fn bitcast_convert(cx: &Cx, to: DType) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.dtype(0, DTypeSet::INT.or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX))?;
    cx.check(to != DType::Bool, "C3", "bits cannot be read as bool", || "compare with zero instead".into())?;
    let x = cx.tys[0];
    let (from_bits, to_bits) = (x.dtype.bits() as usize, to.bits() as usize);
    cx.check(
        from_bits.max(to_bits).is_multiple_of(from_bits.min(to_bits)),
        "C1",
        "the wider element is no whole number of the narrower ones",
        || format!("{} has {from_bits} bits, {to} has {to_bits}", x.dtype),
    )?;
    let mut result = x.with_dtype(to);
    if to_bits < from_bits {
        result.shape.push(Dim::from(from_bits / to_bits));
    } else if to_bits > from_bits {
        let ratio = to_bits / from_bits;
        let last = x.shape.last();
        cx.check(
            last == Some(&Dim::from(ratio)),
            "C1",
            "the last dimension must hold the parts of one wider element",
            || format!("{} to {to} needs a last dimension of size {ratio}, found {x}", x.dtype),
        )?;
        result.shape.remove(x.rank() - 1);
    }
    Ok(result)
}
