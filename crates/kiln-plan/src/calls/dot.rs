//! `dot_general` as a batched matrix product with strides.

use super::layout;
use kiln_ir::layout::{Run, collapse, contraction, free_axes, strides};
use kiln_ir::op::DotDims;
use kiln_ir::{Func, Node};
use kiln_program::call::{BatchDim, DotParams};

/// The library parameters of a dot whose contraction is linear (the optimizer has seen to it).
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
    let c = strides(&out);
    let batches = dims.lhs_batch.len();
    let batch = collapse((0..batches).map(|i| {
        let (l, r) = (dims.lhs_batch[i], dims.rhs_batch[i]);
        Run { size: lhs[l], strides: [a[l], b[r], c[i]] }
    }));
    let mut rows =
        collapse(lhs_free.iter().enumerate().map(|(i, &d)| Run { size: lhs[d], strides: [a[d], c[batches + i]] }));
    let mut cols = collapse(
        rhs_free
            .iter()
            .enumerate()
            .map(|(i, &d)| Run { size: rhs[d], strides: [b[d], c[batches + lhs_free.len() + i]] }),
    );
    let m = rows.pop().unwrap_or(Run { size: 1, strides: [0, 0] });
    let n = cols.pop().unwrap_or(Run { size: 1, strides: [0, 0] });
    let contraction = contraction(dims, &lhs, &rhs);
    let k = contraction.last().copied().unwrap_or(Run { size: 1, strides: [0, 0] });
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
