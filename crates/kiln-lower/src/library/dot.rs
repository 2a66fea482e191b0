//! `dot_general` as a batched matrix product with strides.

use super::layout;
use kiln_ir::op::{Axes, DotDims};
use kiln_ir::rewrite::New;
use kiln_ir::{Diagnostic, Func, Node, Op, Shape, Value};
use kiln_program::call::{BatchDim, DotParams};
use smallvec::SmallVec;

/// A run of dimensions walked as one: size, and stride in each operand concerned.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Walk<const N: usize> {
    size: usize,
    strides: [isize; N],
}

/// Joins neighbours (outer, inner) whose strides nest in every operand, and drops dimensions of size 1.
fn collapse<const N: usize>(dims: impl IntoIterator<Item = Walk<N>>) -> SmallVec<[Walk<N>; 4]> {
    let mut out: SmallVec<[Walk<N>; 4]> = SmallVec::new();
    for d in dims.into_iter().filter(|d| d.size != 1) {
        match out.last_mut() {
            Some(last) if (0..N).all(|i| last.strides[i] == d.strides[i] * d.size as isize) => {
                *last = Walk { size: last.size * d.size, strides: d.strides };
            }
            _ => out.push(d),
        }
    }
    out
}

fn free_axes(rank: usize, batch: &Axes, contract: &Axes) -> Axes {
    (0..rank).filter(|d| !batch.contains(d) && !contract.contains(d)).collect()
}

/// The contracted dimensions in the order in which the left side stores them.
fn contraction(func: &Func, node: &Node, dims: &DotDims) -> SmallVec<[Walk<2>; 4]> {
    let (sizes, a) = layout(func, node.operands[0]);
    let (_, b) = layout(func, node.operands[1]);
    let mut pairs: Vec<(usize, usize)> =
        dims.lhs_contract.iter().copied().zip(dims.rhs_contract.iter().copied()).collect();
    pairs.sort_unstable();
    collapse(pairs.into_iter().map(|(l, r)| Walk { size: sizes[l], strides: [a[l], b[r]] }))
}

/// The library parameters of a dot whose contraction is linear (see [`make_contraction_linear`]).
///
/// The innermost run of free dimensions of each side becomes the matrix dimension; further free dimensions become batch
/// dimensions along which the other operand is repeated (stride 0).
pub(super) fn params(func: &Func, node: &Node, dims: &DotDims) -> DotParams {
    let (lhs, a) = layout(func, node.operands[0]);
    let (rhs, b) = layout(func, node.operands[1]);
    let lhs_free = free_axes(lhs.len(), &dims.lhs_batch, &dims.lhs_contract);
    let rhs_free = free_axes(rhs.len(), &dims.rhs_batch, &dims.rhs_contract);
    let out: Vec<usize> = dims
        .lhs_batch
        .iter()
        .map(|&d| lhs[d])
        .chain(lhs_free.iter().map(|&d| lhs[d]))
        .chain(rhs_free.iter().map(|&d| rhs[d]))
        .collect();
    let mut c = vec![1isize; out.len()];
    for i in (1..out.len()).rev() {
        c[i - 1] = c[i] * out[i].max(1) as isize;
    }
    let batches = dims.lhs_batch.len();
    let batch = collapse((0..batches).map(|i| {
        let (l, r) = (dims.lhs_batch[i], dims.rhs_batch[i]);
        Walk { size: lhs[l], strides: [a[l], b[r], c[i]] }
    }));
    let mut rows =
        collapse(lhs_free.iter().enumerate().map(|(i, &d)| Walk { size: lhs[d], strides: [a[d], c[batches + i]] }));
    let mut cols = collapse(
        rhs_free
            .iter()
            .enumerate()
            .map(|(i, &d)| Walk { size: rhs[d], strides: [b[d], c[batches + lhs_free.len() + i]] }),
    );
    let m = rows.pop().unwrap_or(Walk { size: 1, strides: [0, 0] });
    let n = cols.pop().unwrap_or(Walk { size: 1, strides: [0, 0] });
    let contraction = contraction(func, node, dims);
    let k = contraction.last().copied().unwrap_or(Walk { size: 1, strides: [0, 0] });
    debug_assert!(contraction.len() <= 1, "the contraction was made linear before");
    let batch = batch
        .iter()
        .map(|w| BatchDim { extent: w.size, a_stride: w.strides[0], b_stride: w.strides[1], c_stride: w.strides[2] })
        .chain(rows.iter().map(|w| BatchDim {
            extent: w.size,
            a_stride: w.strides[0],
            b_stride: 0,
            c_stride: w.strides[1],
        }))
        .chain(cols.iter().map(|w| BatchDim {
            extent: w.size,
            a_stride: 0,
            b_stride: w.strides[0],
            c_stride: w.strides[1],
        }))
        .collect();
    DotParams {
        dtype: node.types[0].dtype,
        batch,
        m: m.size,
        n: n.size,
        k: k.size,
        a_row: m.strides[0],
        a_col: k.strides[0],
        b_row: k.strides[1],
        b_col: n.strides[0],
        c_row: m.strides[1],
        c_col: n.strides[1],
    }
}

/// When the contracted dimensions cannot be walked with one stride per operand, transposes both operands to
/// `[batch..., free..., contracted...]` and `[batch..., contracted..., free...]` with the contraction merged.
pub(super) fn make_contraction_linear(new: &mut New, node: &mut Node) -> Result<(), Diagnostic> {
    let Op::DotGeneral(dims) = &node.op else { return Ok(()) };
    if contraction(new, node, dims).len() <= 1 {
        return Ok(());
    }
    let dims = dims.clone();
    let mut side = |v: Value, batch: &Axes, contract: &Axes, last: bool| -> Result<(Value, usize), Diagnostic> {
        let (sizes, _) = layout(new, v);
        let free = free_axes(sizes.len(), batch, contract);
        let order: Axes = match last {
            true => batch.iter().chain(&free).chain(contract).copied().collect(),
            false => batch.iter().chain(contract).chain(&free).copied().collect(),
        };
        let v = new.push1(Op::Transpose(order), &[v], node.loc.clone())?;
        let product: usize = contract.iter().map(|&d| sizes[d]).product();
        let pick = |axes: &Axes| axes.iter().map(|&d| sizes[d]).collect::<Vec<_>>();
        let shape = match last {
            true => [pick(batch), pick(&free), vec![product]].concat(),
            false => [pick(batch), vec![product], pick(&free)].concat(),
        };
        let at = if last { shape.len() - 1 } else { batch.len() };
        Ok((new.push1(Op::Reshape(Shape::from(shape)), &[v], node.loc.clone())?, at))
    };
    let (lhs, l) = side(node.operands[0], &dims.lhs_batch, &dims.lhs_contract, true)?;
    let (rhs, r) = side(node.operands[1], &dims.rhs_batch, &dims.rhs_contract, false)?;
    let leading: Axes = (0..dims.lhs_batch.len()).collect();
    node.operands = SmallVec::from_slice(&[lhs, rhs]);
    node.op = Op::DotGeneral(DotDims {
        lhs_batch: leading.clone(),
        rhs_batch: leading,
        lhs_contract: Axes::from_slice(&[l]),
        rhs_contract: Axes::from_slice(&[r]),
        result: dims.result,
    });
    Ok(())
}
