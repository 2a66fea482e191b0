//! Fourier transforms, Cholesky factors and triangular systems.

use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_ir::op::{FftKind, TransposeKind};
use kiln_ir::{DType, Op};

/// The type that factorizations of narrow floats are computed in.
fn wide(e: &Expr) -> Expr {
    if e.dtype().is_float() && e.dtype().bits() < 32 { e.cast_to(DType::F32) } else { e.clone() }
}

impl Builder<'_> {
    pub(super) fn fft(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let word = op.attrs.get("fft_type").or(op.attrs.get("type")).or(op.attrs.get("word")).and_then(Attr::as_str);
        let kind = match word {
            Some("FFT") => FftKind::Fft,
            Some("IFFT") => FftKind::Ifft,
            Some("RFFT") => FftKind::Rfft,
            Some("IRFFT") => FftKind::Irfft,
            other => return self.malformed(op, format!("unknown type {}", other.unwrap_or("(none)"))),
        };
        let key = if op.attrs.contains_key("length") { "length" } else { "fft_length" };
        let length = self.ints(op, key)?;
        Ok(a.fft(kind, &length))
    }

    pub(super) fn cholesky(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let factor = Op::Cholesky { lower: self.flag(op, "lower"), interleaved: false };
        Ok(self.graph.emit(factor, &[&wide(&a)]).cast_to(a.dtype()))
    }

    pub(super) fn triangular_solve(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, b] = self.operands(op, x)?;
        let transpose_a = match op.attrs.get("transpose_a").and_then(Attr::as_str) {
            Some("TRANSPOSE") => TransposeKind::Transpose,
            Some("ADJOINT") => TransposeKind::Adjoint,
            Some("NO_TRANSPOSE") | None => TransposeKind::NoTranspose,
            Some(other) => return self.malformed(op, format!("unknown `transpose_a` {other}")),
        };
        let solve = Op::TriangularSolve {
            left_side: self.flag(op, "left_side"),
            lower: self.flag(op, "lower"),
            unit_diagonal: self.flag(op, "unit_diagonal"),
            transpose_a,
            interleaved: false,
        };
        Ok(self.graph.emit(solve, &[&wide(&a), &wide(&b)]).cast_to(b.dtype()))
    }
}
