//! Complex numbers.
//!
//! The convention is JAX's: cotangent and tangent pair as `Re(ct * t)`, without conjugation. So the rules of holomorphic functions
//! are those of real ones, and the gradient of a real loss in `z = x + i y` is `dL/dx - i dL/dy`.

use crate::emit::{Emit, Res};
use kiln_ir::{Op, UnaryOp, Value};

impl Emit<'_> {
    pub(crate) fn is_complex(&self, v: Value) -> bool {
        self.f.ty(v).dtype.is_complex()
    }
    /// The real part; of a real value itself.
    pub(crate) fn real(&mut self, v: Value) -> Res {
        if self.is_complex(v) { self.op(Op::Real, &[v]) } else { Ok(v) }
    }
    /// The complex conjugate; of a real value itself.
    pub(crate) fn conj(&mut self, v: Value) -> Res {
        if !self.is_complex(v) {
            return Ok(v);
        }
        let (re, im) = (self.op(Op::Real, &[v])?, self.op(Op::Imag, &[v])?);
        let minus = self.neg(im)?;
        self.op(Op::Complex, &[re, minus])
    }
    /// `re + 0 i`.
    pub(crate) fn complex_of(&mut self, re: Value) -> Res {
        let zero = self.zeros_like(re)?;
        self.op(Op::Complex, &[re, zero])
    }
}

/// The cotangent of a complex value whose real (or imaginary) part has the cotangent `g`.
pub(crate) fn part_backward(e: &mut Emit, imaginary: bool, g: Value) -> Res {
    if !imaginary {
        return e.complex_of(g);
    }
    let (zero, minus) = (e.zeros_like(g)?, e.neg(g)?);
    e.op(Op::Complex, &[zero, minus])
}

/// The cotangents of both parts of a complex value.
pub(crate) fn parts_of_cotangent(e: &mut Emit, g: Value) -> Res<[Value; 2]> {
    let (re, im) = (e.op(Op::Real, &[g])?, e.op(Op::Imag, &[g])?);
    Ok([re, e.neg(im)?])
}

/// `Re(conj(sign(x)) t)`.
pub(crate) fn abs_forward(e: &mut Emit, x: Value, t: Value) -> Res {
    let sign = e.unary(UnaryOp::Sign, x)?;
    let turned = e.conj(sign)?;
    let product = e.mul(turned, t)?;
    e.real(product)
}

/// `g conj(sign(x))`.
pub(crate) fn abs_backward(e: &mut Emit, x: Value, g: Value) -> Res {
    let sign = e.unary(UnaryOp::Sign, x)?;
    let (turned, g) = (e.conj(sign)?, e.complex_of(g)?);
    e.mul(g, turned)
}

/// `(t - s Re(conj(s) t)) / |x|`, and the other way round `(g - conj(s) Re(s g)) / |x|`.
pub(crate) fn sign(e: &mut Emit, x: Value, s: Value, t: Value, forward: bool) -> Res {
    let turned = e.conj(s)?;
    let (outer, inner) = if forward { (s, turned) } else { (turned, s) };
    let along = e.mul(inner, t)?;
    let along = e.real(along)?;
    let along = e.complex_of(along)?;
    let along = e.mul(outer, along)?;
    let across = e.sub(t, along)?;
    let size = e.unary(UnaryOp::Abs, x)?;
    let size = e.complex_of(size)?;
    e.div(across, size)
}
