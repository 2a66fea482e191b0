//! Type rules of `reduce`, `argmin` and `argmax`.

use super::{Cx, without};
use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::{DType, DTypeSet};
use crate::op::Reducer;
use crate::shape::{Shape, TensorType};

pub fn reduce(cx: &Cx, axes: &[usize], reducer: Reducer) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    reducer_types(cx, "C6", reducer)?;
    cx.init(1, "C2")?;
    Ok(TensorType { dtype: cx.tys[0].dtype, shape: reduced_shape(cx, axes)? })
}

/// The shape of operand 0 without the reduced dimensions.
pub fn reduced_shape(cx: &Cx, axes: &[usize]) -> Result<Shape, Diagnostic> {
    let x = cx.tys[0];
    cx.in_range("C4", "a reduced dimension is", axes, x.rank())?;
    cx.unique("C5", "reduced dimensions", axes)?;
    cx.ascending("C5", "reduced dimensions", axes)?;
    Ok(without(&x.shape, axes))
}

/// The combiner is defined on the elements of operand 0.
pub fn reducer_types(cx: &Cx, label: &str, reducer: Reducer) -> Result<(), Diagnostic> {
    let (allowed, found) = (reducer.binary().operand_types(), cx.tys[0].dtype);
    cx.check(allowed.contains(found), label, "the combiner is not defined on the elements", || {
        format!("`{}` combines {allowed}, found {found}", reducer.name())
    })
}

pub fn arg_reduce(cx: &Cx, axis: usize, dtype: DType) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.dtype(0, DTypeSet::INT.or(DTypeSet::FLOAT))?;
    let x = cx.tys[0];
    cx.in_range("C1", "the dimension is", &[axis], x.rank())?;
    cx.check(dtype.is_int(), "C2", "positions are integers", || format!("the result is asked to be {dtype}"))?;
    let size = &x.shape[axis];
    cx.check(*size != Dim::Const(0), "C3", "an empty dimension has no extreme", || format!("dim {axis} of {x}"))?;
    let (bits, sign) = (dtype.bits(), u32::from(dtype.is_signed_int()));
    let fits = size.as_const().is_none_or(|n| i128::from(n) <= 1i128 << (bits - sign));
    cx.check(fits, "C4", "positions do not fit in the result type", || {
        format!("dim {axis} has size {size}, the result is {dtype}")
    })?;
    Ok(TensorType { dtype, shape: without(&x.shape, &[axis]) })
}
