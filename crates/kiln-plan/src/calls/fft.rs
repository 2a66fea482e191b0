//! `fft` on dense operands.

use super::sizes;
use kiln_ir::op::FftKind;
use kiln_ir::{Func, Node};
use kiln_program::call::FftParams;

/// The library parameters of a transform in legalized form: complex tensors are pairs of floats.
pub(super) fn params(func: &Func, node: &Node, kind: FftKind, length: &[i64]) -> FftParams {
    let x = sizes(func, node.operands[0]);
    // Behind the batch dimensions come the transformed ones and, on a complex operand, the pair.
    let pair = usize::from(kind != FftKind::Rfft);
    let batch = x.len() - length.len() - pair;
    FftParams {
        dtype: node.types[0].dtype,
        transform: kind,
        batch: x[..batch].iter().product(),
        // Checked to be the sizes of dimensions.
        length: length.iter().map(|&n| n as usize).collect(),
    }
}
