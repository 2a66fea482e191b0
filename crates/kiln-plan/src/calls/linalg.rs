//! `cholesky` and `triangular_solve` on dense operands.

use super::sizes;
use kiln_ir::op::TransposeKind;
use kiln_ir::{Func, Node, Value};
use kiln_program::call::{CholeskyParams, TriangularSolveParams};

/// Number of matrices, rows and columns of a value whose last dimensions are a matrix (and the pair of a complex number).
fn matrices(func: &Func, v: Value, interleaved: bool) -> (usize, usize, usize) {
    let sizes = sizes(func, v);
    let rank = sizes.len() - usize::from(interleaved);
    (sizes[..rank - 2].iter().product(), sizes[rank - 2], sizes[rank - 1])
}

/// The library parameters of a Cholesky factorization.
pub(super) fn cholesky(func: &Func, node: &Node, lower: bool, interleaved: bool) -> CholeskyParams {
    let (batch, n, _) = matrices(func, node.operands[0], interleaved);
    CholeskyParams { dtype: node.types[0].dtype, interleaved, batch, n, lower }
}

/// What a triangular solve says of its matrix.
pub(super) struct Solve {
    pub(super) left_side: bool,
    pub(super) lower: bool,
    pub(super) unit_diagonal: bool,
    pub(super) transpose: TransposeKind,
    pub(super) interleaved: bool,
}

/// The library parameters of a triangular solve.
pub(super) fn triangular_solve(func: &Func, node: &Node, solve: &Solve) -> TriangularSolveParams {
    let &Solve { left_side, lower, unit_diagonal, interleaved, .. } = solve;
    let (batch, n, _) = matrices(func, node.operands[0], interleaved);
    let (_, rows, cols) = matrices(func, node.operands[1], interleaved);
    TriangularSolveParams {
        dtype: node.types[0].dtype,
        interleaved,
        batch,
        n,
        m: if left_side { cols } else { rows },
        left_side,
        lower,
        unit_diagonal,
        transpose: solve.transpose,
    }
}
