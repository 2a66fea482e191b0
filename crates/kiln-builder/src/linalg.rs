//! Fourier transforms and linear algebra.

use crate::expr::Expr;
use kiln_ir::Op;
use kiln_ir::op::Ints;

impl Expr {
    /// Discrete Fourier transform over the last axes (one to three lengths, on the real side); see [`kiln_ir::op::FftKind`].
    #[track_caller]
    pub fn fft(&self, kind: kiln_ir::op::FftKind, length: &[i64]) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::Fft { kind, length: Ints::from_slice(length), interleaved: false }, &[self])
    }

    /// Cholesky factors of positive definite matrices in the last two axes: lower triangular `l` with `x = l l^H`.
    #[track_caller]
    pub fn cholesky(&self) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::Cholesky { lower: true, interleaved: false }, &[self])
    }

    /// Solves `op(self) x = b` for triangular matrices in the last two axes; only the named triangle is read.
    #[track_caller]
    pub fn triangular_solve(&self, b: &Expr, lower: bool, transpose_a: kiln_ir::op::TransposeKind) -> Expr {
        let _here = self.graph.here();
        let op = Op::TriangularSolve { left_side: true, lower, unit_diagonal: false, transpose_a, interleaved: false };
        self.graph.emit(op, &[self, b])
    }
}
