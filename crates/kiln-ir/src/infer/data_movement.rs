//! Type rules of operators that make, move or drop elements without computing with them.

use super::{Cx, operand_name, surely_greater};
use crate::diag::Diagnostic;
use crate::dim::Dim;
use crate::dtype::{DType, DTypeSet};
use crate::shape::{Shape, TensorType};

pub fn iota(cx: &Cx, ty: &TensorType, dim: usize) -> Result<TensorType, Diagnostic> {
    cx.count(0)?;
    cx.in_range("C1", "the dimension is", &[dim], ty.rank())?;
    let allowed = DTypeSet::INT.or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX);
    cx.check(allowed.contains(ty.dtype), "C2", "`iota` counts in numbers", || format!("found {ty}"))?;
    Ok(ty.clone())
}

pub fn get_dimension_size(cx: &Cx, dim: usize) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.in_range("C1", "the dimension is", &[dim], cx.tys[0].rank())?;
    let size = &cx.tys[0].shape[dim];
    let fits = size.as_const().is_none_or(|n| i32::try_from(n).is_ok());
    cx.check(fits, "C2", "the size does not fit in i32", || format!("dim {dim} has size {size}"))?;
    Ok(TensorType::scalar(DType::I32))
}

pub fn broadcast_in_dim(cx: &Cx, shape: &Shape, dims: &[usize]) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    let x = cx.tys[0];
    cx.len("C2", "`dims`", dims.len(), x.rank())?;
    cx.in_range("C3", "`dims` is", dims, shape.rank())?;
    cx.unique("C4", "`dims`", dims)?;
    for (i, &d) in dims.iter().enumerate() {
        let (from, to) = (&x.shape[i], &shape[d]);
        if *from != Dim::Const(1) && from != to {
            return Err(cx
                .err("C5", "a dimension can only be broadcast from size 1")
                .label(format!("operand has size {from} in dim {i}, the result has size {to} in dim {d}")));
        }
    }
    Ok(TensorType::new(x.dtype, shape.clone()))
}

/// The number of elements as a polynomial in factored form: a constant and the sorted primitive symbolic factors.
fn element_count(shape: &Shape) -> Option<(i128, Vec<Dim>)> {
    let (mut constant, mut factors) = (1i128, Vec::new());
    for d in shape.iter() {
        let (content, primitive) = d.content();
        if content == 0 {
            return Some((0, Vec::new()));
        }
        constant = constant.checked_mul(content)?;
        if primitive.is_symbolic() {
            factors.push(primitive);
        }
    }
    factors.sort();
    Some((constant, factors))
}

pub fn reshape(cx: &Cx, shape: &Shape) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    let x = cx.tys[0];
    let (Some(from), Some(to)) = (element_count(&x.shape), element_count(shape)) else {
        return Err(cx.overflow());
    };
    if from != to {
        let count = |(c, f): &(i128, Vec<Dim>)| match f.as_slice() {
            [] => format!("{c}"),
            f => {
                let factor = |d: &Dim| if d.as_symbol().is_some() { d.to_string() } else { format!("({d})") };
                let constant = (*c != 1).then(|| c.to_string());
                constant.into_iter().chain(f.iter().map(factor)).collect::<Vec<_>>().join(" * ")
            }
        };
        return Err(cx.err("C2", "the number of elements changes").label(format!(
            "operand {} has {} elements, {shape} has {}",
            x.shape,
            count(&from),
            count(&to)
        )));
    }
    Ok(TensorType::new(x.dtype, shape.clone()))
}

pub fn transpose(cx: &Cx, permutation: &[usize]) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    let x = cx.tys[0];
    cx.len("C2", "the permutation", permutation.len(), x.rank())?;
    cx.in_range("C2", "the permutation is", permutation, x.rank())?;
    cx.unique("C2", "the permutation", permutation)?;
    Ok(TensorType { dtype: x.dtype, shape: permutation.iter().map(|&p| x.shape[p].clone()).collect() })
}

pub fn reverse(cx: &Cx, dims: &[usize]) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    cx.unique("C2", "the dimensions", dims)?;
    cx.in_range("C3", "a dimension is", dims, cx.tys[0].rank())?;
    Ok(cx.tys[0].clone())
}

pub fn slice(cx: &Cx, start: &[Dim], limit: &[Dim], strides: &[i64]) -> Result<TensorType, Diagnostic> {
    cx.count(1)?;
    let x = cx.tys[0];
    cx.len("C2", "`start`", start.len(), x.rank())?;
    cx.len("C2", "`limit`", limit.len(), x.rank())?;
    cx.len("C2", "`strides`", strides.len(), x.rank())?;
    let mut shape = Shape::scalar();
    for i in 0..x.rank() {
        let (s, l, stride, size) = (&start[i], &limit[i], strides[i], &x.shape[i]);
        cx.check(stride > 0, "C4", "strides must be positive", || format!("stride {stride} in dim {i}"))?;
        let bad = surely_greater(&Dim::Const(0), s) || surely_greater(s, l) || surely_greater(l, size);
        cx.check(!bad, "C3", "the slice leaves the operand", || {
            format!("elements {s} to {l} of dim {i}, which has size {size}")
        })?;
        let extent = l.checked_sub(s).ok_or_else(|| cx.overflow())?;
        shape.push(extent.checked_ceil_div(stride).ok_or_else(|| cx.not_linear(&extent, "the size of the slice"))?);
    }
    Ok(TensorType { dtype: x.dtype, shape })
}

/// Scalar integer start indices of one type, from operand `first` on.
fn start_indices(cx: &Cx, first: usize, count_label: &str, same_label: &str) -> Result<(), Diagnostic> {
    let found = cx.tys.len() - first;
    let rank = cx.tys[0].rank();
    cx.check(found == rank, count_label, "one start index per dimension is needed", || {
        format!("operand has rank {rank}, found {found} start indices")
    })?;
    for i in first..cx.tys.len() {
        cx.scalar(i, DTypeSet::INT)?;
        cx.same_dtype(same_label, first, i)?;
    }
    Ok(())
}

pub fn dynamic_slice(cx: &Cx, sizes: &Shape) -> Result<TensorType, Diagnostic> {
    cx.count_at_least(1)?;
    let x = cx.tys[0];
    cx.len("C2", "`sizes`", sizes.rank(), x.rank())?;
    start_indices(cx, 1, "C2", "C3")?;
    for (i, (size, of)) in sizes.iter().zip(x.shape.iter()).enumerate() {
        let bad = surely_greater(&Dim::Const(0), size) || surely_greater(size, of);
        cx.check(!bad, "C4", "the slice is larger than the operand", || {
            format!("{size} elements of dim {i}, which has size {of}")
        })?;
    }
    Ok(TensorType::new(x.dtype, sizes.clone()))
}

pub fn dynamic_update_slice(cx: &Cx) -> Result<TensorType, Diagnostic> {
    cx.count_at_least(2)?;
    let (x, update) = (cx.tys[0], cx.tys[1]);
    cx.same_dtype("C2", 0, 1)?;
    cx.check(x.rank() == update.rank(), "C3", "the update has another rank", || {
        format!("operand is {x}, update is {update}")
    })?;
    start_indices(cx, 2, "C4", "C5")?;
    for (i, (size, of)) in update.shape.iter().zip(x.shape.iter()).enumerate() {
        cx.check(!surely_greater(size, of), "C6", "the update is larger than the operand", || {
            format!("update has size {size} in dim {i}, operand has size {of}")
        })?;
    }
    Ok(x.clone())
}

pub fn concatenate(cx: &Cx, dim: usize) -> Result<TensorType, Diagnostic> {
    cx.check(!cx.tys.is_empty(), "C3", "nothing to concatenate", || "expected at least one operand".into())?;
    let mut result = cx.tys[0].clone();
    cx.in_range("C4", "the dimension is", &[dim], result.rank())?;
    for (i, t) in cx.tys.iter().enumerate().skip(1) {
        cx.same_dtype("C1", 0, i)?;
        cx.check(t.rank() == result.rank(), "C2", "ranks differ", || {
            format!("operand 0 is {}, operand {i} is {t}", cx.tys[0])
        })?;
        for d in (0..t.rank()).filter(|d| *d != dim) {
            cx.check(t.shape[d] == result.shape[d], "C2", "sizes differ outside of the joined dimension", || {
                let (a, b) = (operand_name(cx.op, 0), operand_name(cx.op, i));
                format!("{a} has size {} in dim {d}, {b} has size {}", result.shape[d], t.shape[d])
            })?;
        }
        result.shape[dim] = result.shape[dim].checked_add(&t.shape[dim]).ok_or_else(|| cx.overflow())?;
    }
    Ok(result)
}

pub fn pad(cx: &Cx, low: &[Dim], high: &[Dim], interior: &[i64]) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    let x = cx.tys[0];
    cx.init(1, "C1")?;
    cx.len("C2", "`low`", low.len(), x.rank())?;
    cx.len("C2", "`high`", high.len(), x.rank())?;
    cx.len("C2", "`interior`", interior.len(), x.rank())?;
    let mut shape = Shape::scalar();
    for i in 0..x.rank() {
        let between = interior[i];
        cx.check(between >= 0, "C3", "interior padding must not be negative", || {
            format!("{between} elements between two in dim {i}")
        })?;
        let size = padded(&x.shape[i], &low[i], &high[i], between).ok_or_else(|| cx.overflow())?;
        cx.check(!surely_greater(&Dim::Const(0), &size), "C4", "more is removed than there is", || {
            format!("dim {i} of size {} would get size {size}", x.shape[i])
        })?;
        shape.push(size);
    }
    Ok(TensorType { dtype: x.dtype, shape })
}

/// `low + n + max(n - 1, 0) * interior + high`; a symbolic `n` counts as at least 1.
fn padded(n: &Dim, low: &Dim, high: &Dim, interior: i64) -> Option<Dim> {
    let between = match n {
        Dim::Const(n) => Dim::Const((*n - 1).max(0).checked_mul(interior)?),
        Dim::Expr(_) => n.checked_sub(&Dim::Const(1))?.checked_scale(interior)?,
    };
    n.checked_add(&between)?.checked_add(low)?.checked_add(high)
}
