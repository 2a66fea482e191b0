//! Type rules of elementwise operators.

use super::Cx;
use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::{DType, DTypeSet};
use crate::generated::scalar_ops::{BinaryOp, UnaryOp};
use crate::shape::TensorType;

pub fn unary(cx: &Cx, op: UnaryOp) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.dtype(0, op.operand_types())?;
    Ok(match op.result_dtype() {
        Some(dtype) => cx.tys[0].with_dtype(dtype),
        None => cx.tys[0].clone(),
    })
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
    cx.dtype(0, DTypeSet::INT.or(DTypeSet::FLOAT))?;
    cx.check(to != DType::Bool, "C3", "bits cannot be read as bool", || "compare with zero instead".into())?;
    let x = cx.tys[0];
    let (from_bits, to_bits) = (x.dtype.size(), to.size());
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
