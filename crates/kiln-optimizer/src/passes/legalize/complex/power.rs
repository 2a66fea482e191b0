//! Powers and angles of complex numbers.

use super::super::build::{Build, BuiltPair, Pair};
use crate::lit::Lit;
use kiln_ir::op::CompareDirection::{EQ, GT, LT};
use kiln_ir::{BinaryOp, Op, Tensor, UnaryOp, Value};

impl Build {
    /// `a` to the power of `b`. Small whole exponents are products, as in XLA.
    pub(super) fn complex_power(&mut self, a: Pair, b: Pair) -> BuiltPair {
        let whole = self.number(b[1]).filter(|im| *im == 0.0).and_then(|_| self.number(b[0]));
        match whole {
            Some(0.0) => self.complex_num(a[0], 1.0),
            Some(1.0) => Ok(a),
            Some(2.0) => self.cmul(a, a),
            Some(3.0) => {
                let square = self.cmul(a, a)?;
                self.cmul(square, a)
            }
            Some(-1.0) => {
                let one = self.complex_num(a[0], 1.0)?;
                self.cdiv(one, a)
            }
            _ => self.in_f64(a, b, Build::cpow),
        }
    }

    /// The float that every element of a value is, if it is a literal.
    fn number(&self, v: Value) -> Option<f64> {
        let node = self.f.node(v.node);
        let literal = match (&node.op, node.operands.as_slice()) {
            (Op::BroadcastInDim { .. }, &[x]) => &self.f.node(x.node).op,
            (op, _) => op,
        };
        let Op::Constant(t) = literal else { return None };
        let one = Tensor::from_bytes(t.dtype(), [], t.splat()?).ok()?;
        match Lit::of(&one)? {
            Lit::Float(x) => Some(x),
            Lit::Bool(_) | Lit::Int(_) => None,
        }
    }

    /// `|a|^c e^(-d arg a)` at the angle `c arg a + d log |a|`, for exponents `c + i d`.
    pub(super) fn cpow(&mut self, a: Pair, [c, d]: Pair) -> BuiltPair {
        let [log, angle] = self.clog(a)?;
        let m = self.magnitude(a)?;
        let grown = self.bin(BinaryOp::Power, m, c)?;
        let turn = self.mul(d, angle)?;
        let turn = self.neg(turn)?;
        let shrunk = self.un(UnaryOp::Exponential, turn)?;
        let m2 = self.mul(grown, shrunk)?;
        // One factor may overflow or vanish where the product does not.
        let exponent = self.mul(c, log)?;
        let exponent = self.add(exponent, turn)?;
        let at_once = self.un(UnaryOp::Exponential, exponent)?;
        let (finite, zero) = (self.is_finite(m2)?, self.cmp_num(EQ, m2, 0.0)?);
        let good = self.not(zero)?;
        let good = self.and(good, finite)?;
        let m2 = self.sel(good, m2, at_once)?;
        let (p, q) = (self.mul(c, angle)?, self.mul(d, log)?);
        // A real exponent does not turn by the logarithm, which may be infinite.
        let real = self.cmp_num(EQ, d, 0.0)?;
        let q = self.replace(real, 0.0, q)?;
        let angle = self.add(p, q)?;
        let (cos, sin) = (self.un(UnaryOp::Cosine, angle)?, self.un(UnaryOp::Sine, angle)?);
        let (re, im) = (self.mul(m2, cos)?, self.mul(m2, sin)?);
        let im = {
            let straight = self.cmp_num(EQ, angle, 0.0)?;
            self.sel(straight, angle, im)?
        };
        self.power_specials(a, [c, d], [re, im])
    }

    /// Anything to the power of 0 is 1; 0 to a power with positive real part is 0, else NaN.
    fn power_specials(&mut self, a: Pair, [c, d]: Pair, z: Pair) -> BuiltPair {
        let (c0, d0) = (self.cmp_num(EQ, c, 0.0)?, self.cmp_num(EQ, d, 0.0)?);
        let none = self.both(c0, d0)?;
        let (x0, y0) = (self.cmp_num(EQ, a[0], 0.0)?, self.cmp_num(EQ, a[1], 0.0)?);
        let zero = self.both(x0, y0)?;
        let positive = self.cmp_num(GT, c, 0.0)?;
        let (nothing, nan) = (self.num(c, 0.0)?, self.num(c, f64::NAN)?);
        let of_zero = self.sel(positive, nothing, nan)?;
        let (re, im) = (self.sel(zero, of_zero, z[0])?, self.sel(zero, of_zero, z[1])?);
        Ok([self.replace(none, 1.0, re)?, self.replace(none, 0.0, im)?])
    }

    /// `-i log((x + i y) / sqrt(x^2 + y^2))`.
    pub(super) fn catan2(&mut self, y: Pair, x: Pair) -> BuiltPair {
        let (xx, yy) = (self.cmul(x, x)?, self.cmul(y, y)?);
        let sum = [self.add(xx[0], yy[0])?, self.add(xx[1], yy[1])?];
        let root = self.csqrt(sum)?;
        let top = [self.sub(x[0], y[1])?, self.add(x[1], y[0])?];
        let q = self.cdiv(top, root)?;
        let l = self.clog(q)?;
        let mut turned = [l[1], self.neg(l[0])?];
        // Far from the quarter turn that loses digits: atan w = (log1p(-i w) - log1p(i w)) i / 2 for w = y / x.
        let w = self.cdiv(y, x)?;
        let (minus_re, minus_im) = (self.neg(w[0])?, self.neg(w[1])?);
        let (p, q) = (self.clog1p([w[1], minus_re])?, self.clog1p([minus_im, w[0]])?);
        let (re, im) = (self.sub(q[1], p[1])?, self.sub(p[0], q[0])?);
        let near = [self.scale(re, 0.5)?, self.scale(im, 0.5)?];
        // Half a turn more where the root of x^2 + y^2 that counts is -x.
        let ww = self.cmul(w, w)?;
        let ww = [self.plus(ww[0], 1.0)?, ww[1]];
        let root = self.csqrt(ww)?;
        let root = self.cmul(x, root)?;
        let (half, back) = (self.num(x[0], std::f64::consts::PI)?, self.neg(near[0])?);
        let half = self.copysign(half, back)?;
        let (left, further) = (self.cmp_num(LT, root[0], 0.0)?, self.add(near[0], half)?);
        let near = [self.sel(left, further, near[0])?, near[1]];
        let size = self.magnitude(w)?;
        let small = self.cmp_num(LT, size, 0.5)?;
        turned = self.sel2(small, near, turned)?;
        // The angle of real numbers is that of the plane.
        let (x0, y0) = (self.cmp_num(EQ, x[1], 0.0)?, self.cmp_num(EQ, y[1], 0.0)?);
        let real = self.both(x0, y0)?;
        let flat = [self.bin(BinaryOp::Atan2, y[0], x[0])?, self.num(x[0], 0.0)?];
        self.sel2(real, flat, turned)
    }
}
