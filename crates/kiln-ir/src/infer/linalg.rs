//! Type rules of Fourier transforms and matrix factorizations.

use super::Cx;
use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::{DType, DTypeSet};
use crate::op::FftKind;
use crate::shape::TensorType;

const REAL: DTypeSet = DTypeSet::of(&[DType::F32, DType::F64]);

/// The type of operand `index` read as a complex tensor: from the legalized form, the last dimension of size 2 is dropped.
fn as_complex(cx: &Cx, index: usize, interleaved: bool) -> Result<TensorType, Diagnostic> {
    let ty = cx.tys[index];
    if !interleaved {
        return Ok(ty.clone());
    }
    let label = format!("I{}", index + 1);
    let pair = ty.shape.last() == Some(&Dim::Const(2));
    cx.check(pair && REAL.contains(ty.dtype), &label, "interleaved complex numbers are pairs of floats", || {
        format!("expected f32 or f64 with a last dimension of size 2, found {ty}")
    })?;
    let mut complex = ty.with_dtype(ty.dtype.complex_type().unwrap_or(ty.dtype));
    complex.shape.remove(ty.rank() - 1);
    Ok(complex)
}

/// The other way round.
fn from_complex(mut ty: TensorType, interleaved: bool) -> TensorType {
    if interleaved && ty.dtype.is_complex() {
        ty.dtype = ty.dtype.real_type();
        ty.shape.push(Dim::Const(2));
    }
    ty
}

pub fn fft(cx: &Cx, kind: FftKind, length: &[i64], interleaved: bool) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    let x = as_complex(cx, 0, interleaved && kind != FftKind::Rfft)?;
    let allowed = if kind == FftKind::Rfft { REAL } else { DTypeSet::COMPLEX };
    cx.check(allowed.contains(x.dtype), "C2", "the transform is not defined on these elements", || {
        format!("`{}` takes {allowed}, found {}", kind.name(), x.dtype)
    })?;
    let n = length.len();
    cx.check((1..=3).contains(&n), "C3", "one to three dimensions are transformed", || format!("found {n} lengths"))?;
    cx.check(n <= x.rank(), "C1", "more dimensions are transformed than there are", || {
        format!("{n} lengths for operand {x}")
    })?;
    if let Some(l) = length.iter().find(|l| **l < 0) {
        return Err(cx.err("C4", "a length is negative").label(format!("found {l}")));
    }
    let first = x.rank() - n;
    let mut result = x.clone();
    for (i, &l) in length.iter().enumerate() {
        let (d, last) = (first + i, i + 1 == n);
        let half = if l == 0 { 0 } else { l / 2 + 1 };
        let expected = if last && kind == FftKind::Irfft { half } else { l };
        cx.check(x.shape[d] == Dim::Const(expected), "C4", "a length does not fit the operand", || {
            format!("length {l} needs size {expected} in dim {d}, operand is {x}")
        })?;
        result.shape[d] = Dim::Const(if last && kind == FftKind::Rfft { half } else { l });
    }
    result.dtype = match kind {
        FftKind::Fft | FftKind::Ifft => x.dtype,
        FftKind::Rfft => x.dtype.complex_type().unwrap_or(x.dtype),
        FftKind::Irfft => x.dtype.real_type(),
    };
    Ok(from_complex(result, interleaved))
}

/// The last two dimensions of operand `index` are a square matrix.
fn square(cx: &Cx, label: &str, ty: &TensorType) -> Result<(), Diagnostic> {
    let r = ty.rank();
    cx.check(r >= 2 && ty.shape[r - 1] == ty.shape[r - 2], label, "expected square matrices", || {
        format!("the last two dimensions of {ty}")
    })
}

pub fn cholesky(cx: &Cx, interleaved: bool) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    let a = as_complex(cx, 0, interleaved)?;
    if !interleaved {
        cx.dtype(0, REAL.or(DTypeSet::COMPLEX))?;
    }
    square(cx, "C3", &a)?;
    Ok(cx.tys[0].clone())
}

pub fn triangular_solve(cx: &Cx, left_side: bool, interleaved: bool) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    let (a, b) = (as_complex(cx, 0, interleaved)?, as_complex(cx, 1, interleaved)?);
    if !interleaved {
        cx.dtype(0, REAL.or(DTypeSet::COMPLEX))?;
    }
    cx.same_dtype("C1", 0, 1)?;
    square(cx, "C4", &a)?;
    let r = a.rank();
    let batched = b.rank() == r && a.shape[..r - 2] == b.shape[..r - 2];
    cx.check(batched, "C3", "the batch dimensions differ", || format!("a is {a}, b is {b}"))?;
    let side = if left_side { r - 2 } else { r - 1 };
    cx.check(b.shape[side] == a.shape[r - 1], "C3", "the matrices do not fit", || {
        format!("b has size {} in dim {side}, a is {a}", b.shape[side])
    })?;
    Ok(cx.tys[1].clone())
}
