//! Type rule of `dot_general`.

use super::Cx;
use crate::diag::Diagnostic;
use crate::dtype::{DType, DTypeSet};
use crate::op::DotDims;
use crate::shape::{Shape, TensorType};

pub fn dot_general(cx: &Cx, dims: &DotDims) -> Result<TensorType, Diagnostic> {
    cx.count(2)?;
    cx.dtype(0, DTypeSet::INT.or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX))?;
    let (lhs, rhs) = (cx.tys[0], cx.tys[1]);
    cx.check(dims.lhs_batch.len() == dims.rhs_batch.len(), "C1", "the sides have different batch dimensions", || {
        format!("left has {:?}, right has {:?}", dims.lhs_batch, dims.rhs_batch)
    })?;
    cx.check(dims.lhs_contract.len() == dims.rhs_contract.len(), "C2", "the sides contract unequally", || {
        format!("left contracts {:?}, right contracts {:?}", dims.lhs_contract, dims.rhs_contract)
    })?;
    let lhs_used: Vec<usize> = dims.lhs_batch.iter().chain(&dims.lhs_contract).copied().collect();
    let rhs_used: Vec<usize> = dims.rhs_batch.iter().chain(&dims.rhs_contract).copied().collect();
    cx.unique("C3", "batch and contracting dimensions of the left side", &lhs_used)?;
    cx.unique("C4", "batch and contracting dimensions of the right side", &rhs_used)?;
    cx.in_range("C5", "a batch dimension of the left side is", &dims.lhs_batch, lhs.rank())?;
    cx.in_range("C6", "a contracting dimension of the left side is", &dims.lhs_contract, lhs.rank())?;
    cx.in_range("C7", "a batch dimension of the right side is", &dims.rhs_batch, rhs.rank())?;
    cx.in_range("C8", "a contracting dimension of the right side is", &dims.rhs_contract, rhs.rank())?;
    paired(cx, "C9", "batch dimensions differ", &dims.lhs_batch, &dims.rhs_batch)?;
    paired(cx, "C10", "contracting dimensions differ", &dims.lhs_contract, &dims.rhs_contract)?;
    cx.same_dtype("C13", 0, 1)?;
    let dtype = dims.result.unwrap_or(lhs.dtype);
    let kind = |d: DType| (d.is_float(), d.is_int(), d.is_complex());
    let wide_enough = kind(dtype) == kind(lhs.dtype);
    cx.check(
        wide_enough && dtype.bits() >= lhs.dtype.bits(),
        "C25",
        "the result cannot have this element type",
        || format!("operands are {}, the result is asked to be {dtype}", lhs.dtype),
    )
    .map_err(|d| d.help("accumulate in the same or a wider type of the same kind, then convert"))?;
    let batch = dims.lhs_batch.iter().map(|&d| lhs.shape[d].clone());
    let shape: Shape = batch.chain(free(&lhs.shape, &lhs_used)).chain(free(&rhs.shape, &rhs_used)).collect();
    Ok(TensorType { dtype, shape })
}

/// The sizes of dimensions that are neither batch nor contracted.
fn free(shape: &Shape, used: &[usize]) -> impl Iterator<Item = crate::Dim> {
    super::without(shape, used).to_vec().into_iter()
}

fn paired(cx: &Cx, label: &str, message: &str, lhs_dims: &[usize], rhs_dims: &[usize]) -> Result<(), Diagnostic> {
    let (lhs, rhs) = (cx.tys[0], cx.tys[1]);
    for (&l, &r) in lhs_dims.iter().zip(rhs_dims) {
        let (a, b) = (&lhs.shape[l], &rhs.shape[r]);
        if a != b {
            return Err(cx
                .err(label, message)
                .label(format!("left has size {a} in dim {l}, right has size {b} in dim {r}"))
                .help("transpose or reshape one side, or check the sizes"));
        }
    }
    Ok(())
}
