//! Type rules of operators that apply a nested function of scalars to elements.

use super::control::{gives, output_types, takes};
use super::{Cx, ResultTypes, gather_scatter, reduce, window};
use crate::diag::Diagnostic;
use crate::dtype::DType;
use crate::func::Func;
use crate::op::{ScatterDims, Window};
use crate::shape::TensorType;

/// Operands in groups: `n` tensors, `between` others, `n` more, and what the nested function takes besides (scalars).
struct Groups {
    n: usize,
    captures: usize,
}

impl Groups {
    fn of(cx: &Cx, body: &Func, between: usize) -> Result<Groups, Diagnostic> {
        let n = body.outputs.len();
        cx.check(n > 0, "C6", "the nested function gives nothing", || "expected one result per operand".into())?;
        let captures = 2 * n + between;
        cx.count_at_least(captures)?;
        for (i, ty) in cx.tys.iter().enumerate().skip(captures) {
            cx.check(
                ty.rank() == 0,
                &format!("I{}", i + 1),
                "what the nested function takes besides is scalar",
                || format!("operand {i} is {ty}"),
            )?;
        }
        Ok(Groups { n, captures })
    }
}

/// `body` is `(acc..., elem..., captures...) -> (acc...)` on the element types of the first `n` operands.
fn check_body(cx: &Cx, label: &str, groups: &Groups, body: &Func) -> Result<(), Diagnostic> {
    let scalars: Vec<TensorType> = cx.tys[..groups.n].iter().map(|t| TensorType::scalar(t.dtype)).collect();
    let captures = cx.tys[groups.captures..].iter().copied();
    let params: Vec<&TensorType> = scalars.iter().chain(&scalars).chain(captures).collect();
    takes(cx, label, "the nested function", body, &params)?;
    gives(cx, label, "the nested function", &output_types(cx, "the nested function", body)?, &scalars)
}

fn equal_shapes(cx: &Cx, label: &str, range: std::ops::Range<usize>) -> Result<(), Diagnostic> {
    let first = range.start;
    range.skip(1).try_for_each(|i| cx.same_shape(label, first, i))
}

/// Operand `n + i` is the initial value of operand `i`.
fn inits(cx: &Cx, label: &str, n: usize) -> Result<(), Diagnostic> {
    (0..n).try_for_each(|i| {
        let (x, init) = (cx.tys[i], cx.tys[n + i]);
        let fine = init.rank() == 0 && init.dtype == x.dtype;
        cx.check(fine, label, "an initial value has another type", || {
            format!("expected {}, found {init}", TensorType::scalar(x.dtype))
        })
    })
}

pub fn reduce(cx: &Cx, axes: &[usize], body: &Func) -> Result<ResultTypes, Diagnostic> {
    let groups = Groups::of(cx, body, 0)?;
    equal_shapes(cx, "C1", 0..groups.n)?;
    inits(cx, "C2", groups.n)?;
    check_body(cx, "C6", &groups, body)?;
    let shape = reduce::reduced_shape(cx, axes)?;
    Ok(cx.tys[..groups.n].iter().map(|t| TensorType { dtype: t.dtype, shape: shape.clone() }).collect())
}

pub fn reduce_window(cx: &Cx, w: &Window, body: &Func) -> Result<ResultTypes, Diagnostic> {
    let groups = Groups::of(cx, body, 0)?;
    equal_shapes(cx, "C2", 0..groups.n)?;
    inits(cx, "C3", groups.n)?;
    check_body(cx, "C13", &groups, body)?;
    let shape = window::window_shape(cx, w)?;
    Ok(cx.tys[..groups.n].iter().map(|t| TensorType { dtype: t.dtype, shape: shape.clone() }).collect())
}

pub fn select_and_scatter(cx: &Cx, w: &Window, select: &Func, scatter: &Func) -> Result<TensorType, Diagnostic> {
    cx.count(3)?;
    window::scattered_windows(cx, w)?;
    let x = TensorType::scalar(cx.tys[0].dtype);
    takes(cx, "C9", "the selection", select, &[&x, &x])?;
    let bool_scalar = TensorType::scalar(DType::Bool);
    gives(cx, "C9", "the selection", &output_types(cx, "the selection", select)?, [&bool_scalar])?;
    takes(cx, "C10", "the combiner", scatter, &[&x, &x])?;
    gives(cx, "C10", "the combiner", &output_types(cx, "the combiner", scatter)?, [&x])?;
    Ok(cx.tys[0].clone())
}

pub fn scatter(cx: &Cx, dims: &ScatterDims, body: &Func) -> Result<ResultTypes, Diagnostic> {
    let groups = Groups::of(cx, body, 1)?;
    let n = groups.n;
    equal_shapes(cx, "C1", 0..n)?;
    equal_shapes(cx, "C3", n + 1..2 * n + 1)?;
    for i in 0..n {
        cx.same_dtype("C6", i, n + 1 + i)?;
    }
    check_body(cx, "C23", &groups, body)?;
    // The rules of one operand, its indices and its updates.
    let one = Cx { op: cx.op, tys: &[cx.tys[0], cx.tys[n], cx.tys[n + 1]] };
    gather_scatter::scatter_dims(&one, dims)?;
    Ok(cx.tys[..n].iter().map(|t| (*t).clone()).collect())
}

pub fn sort(cx: &Cx, dim: usize, comparator: &Func) -> Result<ResultTypes, Diagnostic> {
    let params = comparator.inputs.len();
    // Two parameters per operand and one per capture; captures are the operands that are left.
    let n = params.checked_sub(cx.tys.len()).filter(|n| (1..=cx.tys.len()).contains(n));
    let Some(n) = n else {
        return Err(cx
            .err("C5", "the comparator takes other parameters")
            .label(format!("expected two per operand, found {params} for {} operands", cx.tys.len())));
    };
    equal_shapes(cx, "C2", 0..n)?;
    cx.in_range("C4", "the dimension is", &[dim], cx.tys[0].rank())?;
    let scalars: Vec<TensorType> = cx.tys[..n].iter().map(|t| TensorType::scalar(t.dtype)).collect();
    let captures = cx.tys[n..].iter().copied();
    let params: Vec<&TensorType> = scalars.iter().flat_map(|t| [t, t]).chain(captures).collect();
    takes(cx, "C5", "the comparator", comparator, &params)?;
    let bool_scalar = TensorType::scalar(DType::Bool);
    gives(cx, "C5", "the comparator", &output_types(cx, "the comparator", comparator)?, [&bool_scalar])?;
    Ok(cx.tys[..n].iter().map(|t| (*t).clone()).collect())
}
