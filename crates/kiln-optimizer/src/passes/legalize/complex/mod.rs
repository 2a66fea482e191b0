//! Arithmetic of complex numbers on pairs of real tensors.
//!
//! The formulas keep their precision for parts of any size: nothing is squared before it is scaled. Errors are small against
//! the larger part of the result. Infinities and NaN follow C99 (annex G) where a formula does not do better by itself, but
//! for products, which are the plain formula as in XLA.

mod functions;
mod power;

use super::build::{Build, Built, BuiltPair, Pair, internal, uint_of};
use kiln_ir::op::CompareDirection::{self, EQ, GE, GT, LE, LT, NE};
use kiln_ir::{BinaryOp, DType, Op, UnaryOp, Value};

/// Bits of the mantissa, and mask of the exponent in place.
fn layout(dtype: DType) -> (u32, u64) {
    match dtype {
        DType::F64 => (52, 0x7ff0_0000_0000_0000),
        _ => (23, 0x7f80_0000),
    }
}

impl Build {
    /// A unary operator; `abs`, which is real, gives itself twice.
    pub fn complex_unary(&mut self, op: UnaryOp, z: Pair) -> BuiltPair {
        match op {
            UnaryOp::Abs => self.magnitude(z).map(|v| [v, v]),
            UnaryOp::Negate => Ok([self.neg(z[0])?, self.neg(z[1])?]),
            UnaryOp::Exponential => self.cexp(z),
            UnaryOp::ExponentialMinusOne => self.cexpm1(z),
            UnaryOp::Log => self.clog(z),
            UnaryOp::LogPlusOne => self.clog1p(z),
            UnaryOp::Logistic => self.clogistic(z),
            UnaryOp::Sqrt => self.csqrt(z),
            UnaryOp::Rsqrt => {
                let root = self.csqrt(z)?;
                let one = self.complex_num(z[0], 1.0)?;
                self.cdiv(one, root)
            }
            UnaryOp::Cbrt => self.ccbrt(z),
            UnaryOp::Sine => self.csin(z),
            UnaryOp::Cosine => self.ccos(z),
            UnaryOp::Tan => {
                // tan z = -i tanh(i z)
                let turned = [self.neg(z[1])?, z[0]];
                let t = self.ctanh(turned)?;
                Ok([t[1], self.neg(t[0])?])
            }
            UnaryOp::Tanh => self.ctanh(z),
            UnaryOp::Sign => self.csign(z),
            _ => Err(internal(format!("`{}` is not defined on complex", op.name()))),
        }
    }

    pub fn complex_binary(&mut self, op: BinaryOp, a: Pair, b: Pair) -> BuiltPair {
        match op {
            BinaryOp::Add | BinaryOp::Subtract => Ok([self.bin(op, a[0], b[0])?, self.bin(op, a[1], b[1])?]),
            BinaryOp::Multiply => self.cmul(a, b),
            BinaryOp::Divide => self.cdiv(a, b),
            // The first one with a NaN, otherwise the second where it is better.
            BinaryOp::Maximum | BinaryOp::Minimum => {
                let better = self.complex_compare(if op == BinaryOp::Maximum { LT } else { GT }, a, b)?;
                let (a_nan, b_nan) = (self.any_nan(a)?, self.any_nan(b)?);
                let second = self.or(better, b_nan)?;
                let first = self.not(a_nan)?;
                let second = self.and(first, second)?;
                self.sel2(second, b, a)
            }
            BinaryOp::Power => self.complex_power(a, b),
            BinaryOp::Atan2 => self.in_f64(a, b, Build::catan2),
            _ => Err(internal(format!("`{}` is not defined on complex", op.name()))),
        }
    }

    /// By the real parts, then by the imaginary parts.
    pub fn complex_compare(&mut self, direction: CompareDirection, a: Pair, b: Pair) -> Built {
        let strict = match direction {
            EQ | NE => {
                let (re, im) = (self.cmp(direction, a[0], b[0])?, self.cmp(direction, a[1], b[1])?);
                return if direction == EQ { self.and(re, im) } else { self.or(re, im) };
            }
            GE | GT => GT,
            LE | LT => LT,
        };
        let (first, tie) = (self.cmp(strict, a[0], b[0])?, self.cmp(EQ, a[0], b[0])?);
        let second = self.cmp(direction, a[1], b[1])?;
        let second = self.and(tie, second)?;
        self.or(first, second)
    }

    pub fn cmul(&mut self, a: Pair, b: Pair) -> BuiltPair {
        let (ac, bd) = (self.mul(a[0], b[0])?, self.mul(a[1], b[1])?);
        let (ad, bc) = (self.mul(a[0], b[1])?, self.mul(a[1], b[0])?);
        Ok([self.sub(ac, bd)?, self.add(ad, bc)?])
    }

    fn scale2(&mut self, z: Pair, by: Value) -> BuiltPair {
        Ok([self.mul(z[0], by)?, self.mul(z[1], by)?])
    }

    /// The larger and the smaller magnitude of the parts; NaN if one is NaN.
    fn ordered(&mut self, z: Pair) -> BuiltPair {
        let (x, y) = (self.abs(z[0])?, self.abs(z[1])?);
        Ok([self.bin(BinaryOp::Maximum, x, y)?, self.bin(BinaryOp::Minimum, x, y)?])
    }

    /// Either part infinite.
    fn any_inf(&mut self, z: Pair) -> Built {
        let (x, y) = (self.is_inf(z[0])?, self.is_inf(z[1])?);
        self.or(x, y)
    }

    /// Either part NaN.
    fn any_nan(&mut self, z: Pair) -> Built {
        let (x, y) = (self.is_nan(z[0])?, self.is_nan(z[1])?);
        self.or(x, y)
    }

    /// A function whose intermediate results need more digits than its result.
    fn in_f64(&mut self, a: Pair, b: Pair, f: fn(&mut Build, Pair, Pair) -> BuiltPair) -> BuiltPair {
        let dtype = self.dtype(a[0]);
        let wide =
            |b: &mut Build, z: Pair| -> BuiltPair { Ok([b.convert(z[0], DType::F64)?, b.convert(z[1], DType::F64)?]) };
        let (a, b) = (wide(self, a)?, wide(self, b)?);
        let z = f(self, a, b)?;
        Ok([self.convert(z[0], dtype)?, self.convert(z[1], dtype)?])
    }

    /// Both parts finite.
    fn all_finite(&mut self, z: Pair) -> Built {
        let (x, y) = (self.is_finite(z[0])?, self.is_finite(z[1])?);
        self.and(x, y)
    }

    /// The smaller magnitude over the larger: from 0 to 1, and 1 for equal ones (zeros and infinities, too).
    fn ratio(&mut self, [large, small]: Pair) -> Built {
        let (q, one) = (self.div(small, large)?, self.num(large, 1.0)?);
        let equal = self.cmp(EQ, small, large)?;
        self.sel(equal, one, q)
    }

    /// `sqrt(x^2 + y^2)` without overflow; infinite when a part is.
    pub fn magnitude(&mut self, z: Pair) -> Built {
        let parts = self.ordered(z)?;
        let r = self.ratio(parts)?;
        let r2 = self.mul(r, r)?;
        let r2 = self.plus(r2, 1.0)?;
        let root = self.un(UnaryOp::Sqrt, r2)?;
        let m = self.mul(parts[0], root)?;
        let (inf, infinite) = (self.num(m, f64::INFINITY)?, self.any_inf(z)?);
        self.sel(infinite, inf, m)
    }

    /// A power of two `s` such that `s * m` is about 1 for a finite magnitude `m`, and its inverse.
    fn power_scale(&mut self, m: Value) -> BuiltPair {
        let dtype = self.dtype(m);
        let (mantissa, exponent) = layout(dtype);
        let bits = self.bitcast(m, uint_of(dtype))?;
        let e = self.mask(bits, exponent)?;
        // The extremes of the exponent have no inverse that is an ordinary number.
        let (one, last) = (self.bits(e, 1 << mantissa)?, self.bits(e, exponent - (2 << mantissa))?);
        let e = self.bin(BinaryOp::Maximum, e, one)?;
        let e = self.bin(BinaryOp::Minimum, e, last)?;
        let inverse = self.bits(e, exponent - (1 << mantissa))?;
        let s = self.sub(inverse, e)?;
        Ok([self.bitcast(s, dtype)?, self.bitcast(e, dtype)?])
    }

    /// Quotient: both sides are scaled to about 1, exactly, so that neither squares nor products overflow.
    pub fn cdiv(&mut self, a: Pair, b: Pair) -> BuiltPair {
        let (large_a, large_b) = (self.ordered(a)?[0], self.ordered(b)?[0]);
        let ([sa, back], [sb, _]) = (self.power_scale(large_a)?, self.power_scale(large_b)?);
        let (p, q) = (self.scale2(a, sa)?, self.scale2(b, sb)?);
        let (u2, v2) = (self.mul(q[0], q[0])?, self.mul(q[1], q[1])?);
        let norm = self.add(u2, v2)?;
        let conjugate = [q[0], self.neg(q[1])?];
        let product = self.cmul(p, conjugate)?;
        let raw = [self.div(product[0], norm)?, self.div(product[1], norm)?];
        // Both scales at once where that is an ordinary number, so that the result is rounded once.
        let both = self.mul(sb, back)?;
        let (finite, zero) = (self.is_finite(both)?, self.cmp_num(EQ, both, 0.0)?);
        let ordinary = self.not(zero)?;
        let ordinary = self.and(ordinary, finite)?;
        let once = self.scale2(raw, both)?;
        let twice = self.scale2(raw, sb)?;
        let twice = self.scale2(twice, back)?;
        let result = self.sel2(ordinary, once, twice)?;
        self.recover_quotient(a, b, result)
    }

    /// Where both parts of a quotient are NaN: the cases of C99, annex G, that have a better answer.
    fn recover_quotient(&mut self, a: Pair, b: Pair, result: Pair) -> BuiltPair {
        let (n0, n1) = (self.is_nan(result[0])?, self.is_nan(result[1])?);
        let lost = self.and(n0, n1)?;
        // Anything by zero: infinity with the sign of the zero's real part.
        let (z0, z1) = (self.cmp_num(EQ, b[0], 0.0)?, self.cmp_num(EQ, b[1], 0.0)?);
        let zero = self.and(z0, z1)?;
        let inf = self.num(b[0], f64::INFINITY)?;
        let signed = self.copysign(inf, b[0])?;
        let by_zero = self.scale2(a, signed)?;
        // Infinite by finite: infinity; finite by infinite: zero. The infinite parts count as 1, the others as 0.
        let (a_inf, b_inf) = (self.any_inf(a)?, self.any_inf(b)?);
        let (a_fin, b_fin) = (self.all_finite(a)?, self.all_finite(b)?);
        let to_inf = self.and(a_inf, b_fin)?;
        let to_zero = self.and(b_inf, a_fin)?;
        let boxed_a = self.boxed(a)?;
        let boxed_b = self.boxed(b)?;
        let left = self.sel2(to_inf, boxed_a, a)?;
        let right = self.sel2(to_inf, b, boxed_b)?;
        let conjugate = [right[0], self.neg(right[1])?];
        let product = self.cmul(left, conjugate)?;
        let nothing = self.num(inf, 0.0)?;
        let factor = self.sel(to_inf, inf, nothing)?;
        let directed = self.scale2(product, factor)?;
        let special = self.or(to_inf, to_zero)?;
        let special = self.and(lost, special)?;
        let by_zero_lost = self.and(lost, zero)?;
        let result = self.sel2(special, directed, result)?;
        self.sel2(by_zero_lost, by_zero, result)
    }

    /// 1 for infinite parts and 0 for others, with their signs.
    fn boxed(&mut self, z: Pair) -> BuiltPair {
        let mut part = |x: Value| {
            let p = self.is_inf(x)?;
            let (one, zero) = (self.num(x, 1.0)?, self.num(x, 0.0)?);
            let v = self.sel(p, one, zero)?;
            self.copysign(v, x)
        };
        Ok([part(z[0])?, part(z[1])?])
    }

    /// `z / |z|`, 0 for 0.
    fn csign(&mut self, z: Pair) -> BuiltPair {
        let large = self.ordered(z)?[0];
        let [s, _] = self.power_scale(large)?;
        let scaled = self.scale2(z, s)?;
        let m = self.magnitude(scaled)?;
        let unit = [self.div(scaled[0], m)?, self.div(scaled[1], m)?];
        let zero = self.cmp_num(EQ, large, 0.0)?;
        self.sel2(zero, z, unit)
    }

    /// `a` in the place of an infinite or NaN value where `p`.
    fn replace(&mut self, p: Value, x: f64, otherwise: Value) -> Built {
        let x = self.num(otherwise, x)?;
        self.sel(p, x, otherwise)
    }

    /// A real number.
    pub fn complex_num(&mut self, like: Value, re: f64) -> BuiltPair {
        Ok([self.num(like, re)?, self.num(like, 0.0)?])
    }

    /// `|x| > limit`.
    fn beyond(&mut self, x: Value, limit: f64) -> Built {
        let x = self.abs(x)?;
        self.cmp_num(GT, x, limit)
    }

    /// `p && q`, for reading.
    fn both(&mut self, p: Value, q: Value) -> Built {
        self.push(Op::Binary(BinaryOp::And), &[p, q])
    }
}
