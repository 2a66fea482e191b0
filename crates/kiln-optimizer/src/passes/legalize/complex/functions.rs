//! Exponential, logarithmic and trigonometric functions of complex numbers.

use super::super::build::{Build, Built, BuiltPair, Pair};
use kiln_ir::op::CompareDirection::{EQ, GE, GT, LE, LT};
use kiln_ir::{BinaryOp, DType, UnaryOp, Value};

impl Build {
    fn exp(&mut self, x: Value) -> Built {
        self.un(UnaryOp::Exponential, x)
    }

    /// Cosine and sine.
    fn cos_sin(&mut self, x: Value) -> BuiltPair {
        Ok([self.un(UnaryOp::Cosine, x)?, self.un(UnaryOp::Sine, x)?])
    }

    /// `e^x * z`, which may be an ordinary number where `e^x` overflows.
    fn times_exp(&mut self, x: Value, z: Pair) -> BuiltPair {
        let e = self.exp(x)?;
        let half = self.scale(x, 0.5)?;
        let h = self.exp(half)?;
        let infinite = self.cmp_num(EQ, e, f64::INFINITY)?;
        let first = self.sel(infinite, h, e)?;
        let z = [self.mul(z[0], first)?, self.mul(z[1], first)?];
        let again = [self.mul(z[0], h)?, self.mul(z[1], h)?];
        self.sel2(infinite, again, z)
    }

    pub(super) fn cexp(&mut self, [x, y]: Pair) -> BuiltPair {
        let turn = self.cos_sin(y)?;
        let z = self.times_exp(x, turn)?;
        Ok([z[0], self.zero_where_zero(y, z[1])?])
    }

    /// `v`, but `x` where that is a zero.
    fn zero_where_zero(&mut self, x: Value, v: Value) -> Built {
        let zero = self.cmp_num(EQ, x, 0.0)?;
        self.sel(zero, x, v)
    }

    /// `expm1(x) cos y - 2 sin(y/2)^2`, `e^x sin y`.
    pub(super) fn cexpm1(&mut self, [x, y]: Pair) -> BuiltPair {
        let e = self.cexp([x, y])?;
        let m = self.un(UnaryOp::ExponentialMinusOne, x)?;
        let (c, half) = (self.un(UnaryOp::Cosine, y)?, self.scale(y, 0.5)?);
        let s = self.un(UnaryOp::Sine, half)?;
        let s2 = self.mul(s, s)?;
        let s2 = self.scale(s2, 2.0)?;
        let near = self.mul(m, c)?;
        let near = self.sub(near, s2)?;
        // Far from 0 the 1 does not matter, and the product above may be inf - inf.
        let far = self.beyond(x, 40.0)?;
        let re = self.plus(e[0], -1.0)?;
        Ok([self.sel(far, re, near)?, e[1]])
    }

    /// `log |z|` of the parts in order of magnitude.
    fn log_magnitude(&mut self, parts: Pair, infinite: Value) -> Built {
        let [large, small] = parts;
        // Near 1: log1p(|z|^2 - 1) / 2 with the difference taken exactly.
        let (less, more) = (self.plus(large, -1.0)?, self.plus(large, 1.0)?);
        let (difference, square) = (self.mul(less, more)?, self.mul(small, small)?);
        let excess = self.add(difference, square)?;
        let near = self.un(UnaryOp::LogPlusOne, excess)?;
        let near = self.scale(near, 0.5)?;
        let r = self.ratio(parts)?;
        let r2 = self.mul(r, r)?;
        let tail = self.un(UnaryOp::LogPlusOne, r2)?;
        let tail = self.scale(tail, 0.5)?;
        let log = self.un(UnaryOp::Log, large)?;
        let far = self.add(log, tail)?;
        let (low, high) = (self.cmp_num(GE, large, 0.5)?, self.cmp_num(LE, large, 2.0)?);
        let mid = self.and(low, high)?;
        let result = self.sel(mid, near, far)?;
        self.replace(infinite, f64::INFINITY, result)
    }

    pub(super) fn clog(&mut self, z: Pair) -> BuiltPair {
        let (parts, infinite) = (self.ordered(z)?, self.any_inf(z)?);
        let re = self.log_magnitude(parts, infinite)?;
        Ok([re, self.bin(BinaryOp::Atan2, z[1], z[0])?])
    }

    pub(super) fn clog1p(&mut self, [x, y]: Pair) -> BuiltPair {
        let moved = [self.plus(x, 1.0)?, y];
        let far = self.clog(moved)?;
        // Near 0: log1p(x (2 + x) + y^2) / 2.
        let two = self.plus(x, 2.0)?;
        let (a, b) = (self.mul(x, two)?, self.mul(y, y)?);
        let excess = self.add(a, b)?;
        let near = self.un(UnaryOp::LogPlusOne, excess)?;
        let near = self.scale(near, 0.5)?;
        let large = self.ordered([x, y])?[0];
        let small = self.cmp_num(LT, large, 0.5)?;
        Ok([self.sel(small, near, far[0])?, far[1]])
    }

    /// `1 / (1 + e^-z)`. With `s = -|x|` the sum `1 + e^s cos y` is `2 e^s cos(y/2)^2 - expm1(s)`, two terms of one sign.
    pub(super) fn clogistic(&mut self, [x, y]: Pair) -> BuiltPair {
        let size = self.abs(x)?;
        let s = self.neg(size)?;
        let (e, half) = (self.exp(s)?, self.scale(y, 0.5)?);
        let c = self.un(UnaryOp::Cosine, half)?;
        let c2 = self.mul(c, c)?;
        let c2 = self.mul(e, c2)?;
        let c2 = self.scale(c2, 2.0)?;
        let m = self.un(UnaryOp::ExponentialMinusOne, s)?;
        let re = self.sub(c2, m)?;
        let sine = self.un(UnaryOp::Sine, y)?;
        let im = self.mul(e, sine)?;
        let right = self.cmp_num(GE, x, 0.0)?;
        let minus = self.neg(im)?;
        let below = [re, self.sel(right, minus, im)?];
        let (one, turn) = (self.complex_num(x, 1.0)?, self.cos_sin(y)?);
        let grown = [self.mul(e, turn[0])?, self.mul(e, turn[1])?];
        let top = self.sel2(right, one, grown)?;
        let z = self.cdiv(top, below)?;
        // Far out, whatever the angle: 1 or 0.
        let infinite = self.is_inf(x)?;
        let (nothing, limit) = (self.num(x, 0.0)?, self.num(x, 1.0)?);
        let limit = self.sel(right, limit, nothing)?;
        self.sel2(infinite, [limit, nothing], z)
    }

    /// The principal root: `t = sqrt((|x| + |z|) / 2)` and `y / 2t`, on numbers scaled by a power of 4.
    pub(super) fn csqrt(&mut self, z: Pair) -> BuiltPair {
        let [x, y] = z;
        let (down, up, scale_down, scale_up) = match self.dtype(x) {
            DType::F64 => (2f64.powi(1000), 2f64.powi(-900), -4, 200),
            _ => (2f64.powi(120), 2f64.powi(-90), -4, 48),
        };
        let large = self.ordered(z)?[0];
        let (one, huge, tiny) = (self.num(x, 1.0)?, self.cmp_num(GT, large, down)?, self.cmp_num(LT, large, up)?);
        let factor = |b: &mut Build, e: [i32; 2]| {
            let s = b.replace(huge, 2f64.powi(e[0]), one)?;
            b.replace(tiny, 2f64.powi(e[1]), s)
        };
        let s = factor(self, [scale_down, scale_up])?;
        let back = factor(self, [-scale_down / 2, -scale_up / 2])?;
        let scaled = [self.mul(x, s)?, self.mul(y, s)?];
        let (ax, ay) = (self.abs(scaled[0])?, self.abs(scaled[1])?);
        let m = self.magnitude(scaled)?;
        let sum = self.add(ax, m)?;
        let sum = self.scale(sum, 0.5)?;
        let t = self.un(UnaryOp::Sqrt, sum)?;
        let twice = self.add(t, t)?;
        let u = self.div(ay, twice)?;
        let zero = self.cmp_num(EQ, large, 0.0)?;
        let u = self.replace(zero, 0.0, u)?;
        let (t, u) = (self.mul(t, back)?, self.mul(u, back)?);
        let right = self.cmp_num(GE, x, 0.0)?;
        let re = self.sel(right, t, u)?;
        let im = self.sel(right, u, t)?;
        self.sqrt_specials(z, [re, im])
    }

    fn sqrt_specials(&mut self, z: Pair, [re, im]: Pair) -> BuiltPair {
        let [x, y] = z;
        let nan = self.num(x, f64::NAN)?;
        let ([left, right], y_inf) =
            ([self.cmp_num(EQ, x, f64::NEG_INFINITY)?, self.cmp_num(EQ, x, f64::INFINITY)?], self.is_inf(y)?);
        let y_nan = self.is_nan(y)?;
        // x infinite: the other part is zero, or NaN where y is.
        let beside = {
            let zero = self.num(x, 0.0)?;
            self.sel(y_nan, nan, zero)?
        };
        let inf = self.num(x, f64::INFINITY)?;
        let re = self.sel(right, inf, re)?;
        let im = self.sel(right, beside, im)?;
        let re = self.sel(left, beside, re)?;
        let im = self.sel(left, inf, im)?;
        let re = self.sel(y_inf, inf, re)?;
        let im = self.sel(y_inf, inf, im)?;
        let im = self.copysign(im, y)?;
        let (x_nan, y_is) = (self.is_nan(x)?, self.not(y_inf)?);
        let lost = self.and(x_nan, y_is)?;
        Ok([self.sel(lost, nan, re)?, self.sel(lost, nan, im)?])
    }

    /// `cbrt |z|` at a third of the angle.
    pub(super) fn ccbrt(&mut self, z: Pair) -> BuiltPair {
        let m = self.magnitude(z)?;
        let m = self.un(UnaryOp::Cbrt, m)?;
        let angle = self.bin(BinaryOp::Atan2, z[1], z[0])?;
        let three = self.num(angle, 3.0)?;
        let angle = self.div(angle, three)?;
        let turn = self.cos_sin(angle)?;
        let im = self.mul(m, turn[1])?;
        Ok([self.mul(m, turn[0])?, self.zero_where_zero(angle, im)?])
    }

    /// `a cosh y`, `b sinh y` without overflow in between.
    fn hyperbolic(&mut self, y: Value, [a, b]: Pair) -> BuiltPair {
        let limit = if self.dtype(y) == DType::F64 { 40.0 } else { 20.0 };
        let size = self.abs(y)?;
        let m = self.un(UnaryOp::ExponentialMinusOne, size)?;
        let e = self.plus(m, 1.0)?;
        // sinh = (m + m / e) / 2, cosh = 1 + m^2 / 2e.
        let q = self.div(m, e)?;
        let sinh = self.add(m, q)?;
        let sinh = self.scale(sinh, 0.5)?;
        let mq = self.mul(m, q)?;
        let cosh = self.scale(mq, 0.5)?;
        let cosh = self.plus(cosh, 1.0)?;
        let near = [self.mul(a, cosh)?, self.mul(b, sinh)?];
        let half = self.scale(size, 0.5)?;
        let h = self.exp(half)?;
        let k = self.scale(h, 0.5)?;
        let far = [self.mul(a, k)?, self.mul(b, k)?];
        let far = [self.mul(far[0], h)?, self.mul(far[1], h)?];
        let big = self.cmp_num(GT, size, limit)?;
        let z = self.sel2(big, far, near)?;
        // sinh is odd.
        let minus = self.neg(z[1])?;
        let negative = self.cmp_num(LT, y, 0.0)?;
        Ok([z[0], self.sel(negative, minus, z[1])?])
    }

    pub(super) fn csin(&mut self, [x, y]: Pair) -> BuiltPair {
        let [c, s] = self.cos_sin(x)?;
        let z = self.hyperbolic(y, [s, c])?;
        Ok([self.zero_where_zero(x, z[0])?, self.zero_where_zero(y, z[1])?])
    }

    pub(super) fn ccos(&mut self, [x, y]: Pair) -> BuiltPair {
        let [c, s] = self.cos_sin(x)?;
        let z = self.hyperbolic(y, [c, s])?;
        // Zero on both axes, with the sign of the product.
        let (x0, y0) = (self.cmp_num(EQ, x, 0.0)?, self.cmp_num(EQ, y, 0.0)?);
        let axis = self.or(x0, y0)?;
        let nothing = self.num(x, 0.0)?;
        let (p, q) = (self.copysign(nothing, x)?, self.num(y, 1.0)?);
        let q = self.copysign(q, y)?;
        let zero = self.mul(p, q)?;
        let im = self.sel(axis, zero, z[1])?;
        Ok([z[0], self.neg(im)?])
    }

    /// After Kahan, "Branch cuts for complex elementary functions" (1987).
    pub(super) fn ctanh(&mut self, [x, y]: Pair) -> BuiltPair {
        let limit = if self.dtype(x) == DType::F64 { 177.0 } else { 22.0 };
        let t = self.un(UnaryOp::Tan, y)?;
        let t2 = self.mul(t, t)?;
        let beta = self.plus(t2, 1.0)?;
        let one = self.num(x, 1.0)?;
        let nothing = self.num(x, 0.0)?;
        let s = self.hyperbolic(x, [nothing, one])?[1];
        let s2 = self.mul(s, s)?;
        let r = self.plus(s2, 1.0)?;
        let r = self.un(UnaryOp::Sqrt, r)?;
        let d = self.mul(beta, s2)?;
        let d = self.plus(d, 1.0)?;
        let top = self.mul(beta, r)?;
        let top = self.mul(top, s)?;
        let near = [self.div(top, d)?, self.div(t, d)?];
        // Far out: +-1, and 4 sin y cos y e^(-2|x|).
        let size = self.abs(x)?;
        let minus = self.scale(size, -2.0)?;
        let e = self.exp(minus)?;
        let e = self.scale(e, 4.0)?;
        let turn = self.div(t, beta)?;
        let finite = self.is_finite(y)?;
        let turn = self.sel(finite, turn, nothing)?;
        let far = [self.copysign(one, x)?, self.mul(turn, e)?];
        // An angle that is not finite matters unless the real part is infinite.
        let (big, infinite) = (self.cmp_num(GT, size, limit)?, self.is_inf(x)?);
        let known = self.or(finite, infinite)?;
        let big = self.and(big, known)?;
        let z = self.sel2(big, far, near)?;
        // The tangent of an infinite angle is NaN.
        let zero = self.cmp_num(EQ, x, 0.0)?;
        let zero = self.and(zero, finite)?;
        let re = self.sel(zero, x, z[0])?;
        Ok([re, self.zero_where_zero(y, z[1])?])
    }
}
