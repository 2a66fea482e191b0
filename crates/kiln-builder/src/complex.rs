//! Complex numbers and their parts.

use crate::expr::Expr;
use kiln_ir::Op;

impl Expr {
    /// The complex tensor of this real and that imaginary part.
    #[track_caller]
    pub fn complex(&self, imag: &Expr) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::Complex, &[self, imag])
    }

    /// The real part; of a tensor that is not complex itself.
    #[track_caller]
    pub fn real(&self) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || !self.dtype().is_complex() { self.clone() } else { self.graph.emit(Op::Real, &[self]) }
    }

    /// The imaginary part; of a tensor that is not complex zeros.
    #[track_caller]
    pub fn imag(&self) -> Expr {
        let _here = self.graph.here();
        match self.is_poisoned() {
            true => self.clone(),
            false if self.dtype().is_complex() => self.graph.emit(Op::Imag, &[self]),
            false => self.zeros_like(),
        }
    }

    /// The complex conjugate; of a tensor that is not complex itself.
    #[track_caller]
    pub fn conj(&self) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || !self.dtype().is_complex() {
            return self.clone();
        }
        self.real().complex(&(-self.imag()))
    }
}
