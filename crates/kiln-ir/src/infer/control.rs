//! Type rules of operators that hold functions, and of the random bit generator.

use super::{Cx, ResultTypes};
use crate::diag::Diagnostic;
use crate::dtype::{DType, DTypeSet};
use crate::func::{Func, InputKind, OutputKind};
use crate::op::RngAlgorithm;
use crate::shape::TensorType;
use smallvec::{SmallVec, smallvec};

/// Types of a nested function's outputs. Nested functions have no state: feeds in, fetches out.
pub(super) fn output_types(cx: &Cx, what: &str, f: &Func) -> Result<ResultTypes, Diagnostic> {
    let stateless =
        f.inputs.iter().all(|i| i.kind == InputKind::Feed) && f.outputs.iter().all(|o| o.kind == OutputKind::Fetch);
    cx.check(stateless, "R1", "a nested function cannot have variables or updates", || what.to_string())?;
    let type_of = |v: crate::Value| f.nodes().get(v.node.index()).and_then(|n| n.types.get(v.result as usize));
    let types: Option<ResultTypes> = f.outputs.iter().map(|o| type_of(o.value).cloned()).collect();
    types.ok_or_else(|| cx.err("R2", "an output of a nested function does not exist").label(what.to_string()))
}

fn list<'a>(types: impl IntoIterator<Item = &'a TensorType>) -> String {
    let names: Vec<String> = types.into_iter().map(TensorType::to_string).collect();
    format!("({})", names.join(", "))
}

/// The nested function takes exactly these types.
pub(super) fn takes(cx: &Cx, label: &str, what: &str, f: &Func, types: &[&TensorType]) -> Result<(), Diagnostic> {
    let ok = f.inputs.len() == types.len() && f.inputs.iter().zip(types).all(|(i, t)| i.ty == **t);
    cx.check(ok, label, &format!("{what} takes other parameters"), || {
        let found = list(f.inputs.iter().map(|i| &i.ty));
        format!("expected {}, {what} takes {found}", list(types.iter().copied()))
    })
}

/// The nested function gives exactly these types.
pub(super) fn gives<'a>(
    cx: &Cx,
    label: &str,
    what: &str,
    found: &ResultTypes,
    expected: impl IntoIterator<Item = &'a TensorType>,
) -> Result<(), Diagnostic> {
    let expected: SmallVec<[&TensorType; 4]> = expected.into_iter().collect();
    let ok = found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| a == *b);
    cx.check(ok, label, &format!("{what} gives other results"), || {
        format!("expected {}, {what} gives {}", list(expected.iter().copied()), list(found))
    })
}

pub fn while_op(cx: &Cx, cond: &Func, body: &Func) -> Result<ResultTypes, Diagnostic> {
    let bool_scalar = TensorType::scalar(DType::Bool);
    takes(cx, "C1", "the condition", cond, cx.tys)?;
    gives(cx, "C1", "the condition", &output_types(cx, "the condition", cond)?, [&bool_scalar])?;
    takes(cx, "C2", "the body", body, cx.tys)?;
    gives(cx, "C2", "the body", &output_types(cx, "the body", body)?, cx.tys.iter().copied())?;
    Ok(cx.tys.iter().map(|t| (*t).clone()).collect())
}

pub fn if_op(cx: &Cx, on_true: &Func, on_false: &Func) -> Result<ResultTypes, Diagnostic> {
    cx.count_at_least(1)?;
    cx.scalar(0, DTypeSet::BOOL)?;
    takes(cx, "C1", "the true branch", on_true, &cx.tys[1..])?;
    takes(cx, "C1", "the false branch", on_false, &cx.tys[1..])?;
    let results = output_types(cx, "the true branch", on_true)?;
    gives(cx, "C2", "the false branch", &output_types(cx, "the false branch", on_false)?, &results)?;
    Ok(results)
}

pub fn case(cx: &Cx, branches: &[Func]) -> Result<ResultTypes, Diagnostic> {
    cx.count_at_least(1)?;
    cx.scalar(0, DTypeSet::of(&[DType::I32]))?;
    let Some(first) = branches.first() else {
        return Err(cx.err("C1", "a case needs at least one branch"));
    };
    let results = output_types(cx, "branch 0", first)?;
    for (i, b) in branches.iter().enumerate() {
        let what = format!("branch {i}");
        takes(cx, "C2", &what, b, &cx.tys[1..])?;
        gives(cx, "C3", &what, &output_types(cx, &what, b)?, &results)?;
    }
    Ok(results)
}

pub fn composite(cx: &Cx, body: &Func, vjp: Option<&Func>) -> Result<ResultTypes, Diagnostic> {
    takes(cx, "C3", "the body", body, cx.tys)?;
    let results = output_types(cx, "the body", body)?;
    if let Some(vjp) = vjp {
        let types: Vec<&TensorType> = cx.tys.iter().copied().chain(&results).chain(&results).collect();
        takes(cx, "C5", "the derivative", vjp, &types)?;
        gives(cx, "C5", "the derivative", &output_types(cx, "the derivative", vjp)?, cx.tys.iter().copied())?;
    }
    Ok(results)
}

pub fn rng_bit_generator(cx: &Cx, algorithm: RngAlgorithm, ty: &TensorType) -> Result<ResultTypes, Diagnostic> {
    cx.count(1)?;
    let sizes = algorithm.state_sizes();
    let fits = |n: &i64| *cx.tys[0] == TensorType::new(DType::U64, [*n]);
    cx.check(sizes.iter().any(fits), "C2", "the state has another type", || {
        let expected: Vec<String> = sizes.iter().map(|n| format!("u64[{n}]")).collect();
        format!("expected {}, found {}", expected.join(" or "), cx.tys[0])
    })?;
    cx.check(ty.dtype.is_int(), "C3", "random bits are integers", || format!("the result is asked to be {ty}"))?;
    Ok(smallvec![cx.tys[0].clone(), ty.clone()])
}
