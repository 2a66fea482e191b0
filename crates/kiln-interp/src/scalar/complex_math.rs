//! Functions of complex numbers as pairs of `f64`, each without avoidable overflow or cancellation.
//!
//! Branch cuts are those of C99 Annex G (signed zeros tell the sides apart). Special values are those of XLA, which are Annex
//! G's but for NaN where a rule would recover an infinity or zero: in products, and in functions that are products of an
//! exponential and a sine of an infinity.

use kiln_ir::Complex;
use std::f64::consts::{LN_2, PI};

type C = Complex<f64>;

const ONE: C = C::new(1.0, 0.0);

/// `x * 2^k`.
fn scale(mut x: f64, mut k: i32) -> f64 {
    while k > 1023 {
        x *= 2f64.powi(1023);
        k -= 1023;
    }
    while k < -1022 {
        x *= 2f64.powi(-1022);
        k += 1022;
    }
    x * 2f64.powi(k)
}

/// Both parts times `2^k`.
fn scaled(z: C, k: i32) -> C {
    C::new(scale(z.re, k), scale(z.im, k))
}

/// The `k` with `2^k <= larger part of z < 2^(k + 1)`; 0 for zero, infinities and NaN.
fn exponent(z: C) -> i32 {
    let field = |x: f64| (x.to_bits() >> 52) as i32 - 1023;
    let larger = z.re.abs().max(z.im.abs());
    match larger {
        _ if !is_finite(z) || larger == 0.0 => 0,
        subnormal if subnormal < f64::MIN_POSITIVE => field(scale(subnormal, 64)) - 64,
        normal => field(normal),
    }
}

fn is_finite(z: C) -> bool {
    z.re.is_finite() && z.im.is_finite()
}

fn is_zero(z: C) -> bool {
    z.re == 0.0 && z.im == 0.0
}

/// `a * b + c * d` to about one unit in the last place (Kahan; see Jeannerod, Louvet, Muller, "Further analysis of Kahan's
/// algorithm for the accurate computation of 2x2 determinants", 2013).
fn sum_of_products(a: f64, b: f64, c: f64, d: f64) -> f64 {
    let p = c * d;
    let rest = c.mul_add(d, -p);
    let sum = a.mul_add(b, p);
    let best = if rest == 0.0 { sum } else { sum + rest };
    // Infinities and NaN as the plain formula has them.
    if best.is_finite() { best } else { a * b + p }
}

/// The sum and what rounding it lost (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let other = sum - a;
    (sum, (a - (sum - other)) + (b - other))
}

/// `first + x^2 + y^2`, good also where the terms cancel.
fn plus_squares(first: f64, x: f64, y: f64) -> f64 {
    let (p, q) = (x * x, y * y);
    let (sum, lost) = two_sum(first, p);
    let (sum, more) = two_sum(sum, q);
    sum + (lost + more + x.mul_add(x, -p) + y.mul_add(y, -q))
}

/// `exact * y`; an exact zero stays zero even against an infinity or NaN.
fn times(exact: f64, y: f64) -> f64 {
    if exact == 0.0 { exact * 1.0f64.copysign(y) } else { exact * y }
}

/// The product.
pub fn mul(x: C, y: C) -> C {
    C::new(sum_of_products(x.re, y.re, -x.im, y.im), sum_of_products(x.re, y.im, x.im, y.re))
}

/// The quotient.
pub fn div(x: C, y: C) -> C {
    if is_finite(x) && is_finite(y) && !is_zero(y) {
        if is_zero(x) {
            return C::new(x.re * y.re + x.im * y.im, x.im * y.re - x.re * y.im);
        }
        let (i, j) = (exponent(x), exponent(y));
        let (x, y) = (scaled(x, -i), scaled(y, -j));
        let norm = y.re * y.re + y.im * y.im;
        let re = sum_of_products(x.re, y.re, x.im, y.im) / norm;
        let im = sum_of_products(x.im, y.re, -x.re, y.im) / norm;
        return scaled(C::new(re, im), i - j);
    }
    let norm = y.re * y.re + y.im * y.im;
    let plain = C::new((x.re * y.re + x.im * y.im) / norm, (x.im * y.re - x.re * y.im) / norm);
    if !plain.re.is_nan() || !plain.im.is_nan() {
        return plain;
    }
    // Annex G recovers infinities and zeros where both parts became NaN.
    let unit = |v: f64| if v.is_infinite() { 1.0f64.copysign(v) } else { 0.0f64.copysign(v) };
    let turned = |x: C, y: C, by: f64| C::new(by * (x.re * y.re + x.im * y.im), by * (x.im * y.re - x.re * y.im));
    let infinite = |z: C| z.re.is_infinite() || z.im.is_infinite();
    if is_zero(y) && (!x.re.is_nan() || !x.im.is_nan()) {
        let infinity = f64::INFINITY.copysign(y.re);
        C::new(infinity * x.re, infinity * x.im)
    } else if infinite(x) && is_finite(y) {
        turned(C::new(unit(x.re), unit(x.im)), y, f64::INFINITY)
    } else if infinite(y) && is_finite(x) {
        turned(x, C::new(unit(y.re), unit(y.im)), 0.0)
    } else {
        plain
    }
}

/// `e^z`.
pub fn exp(z: C) -> C {
    if z.im == 0.0 {
        return C::new(z.re.exp(), z.im);
    }
    if !z.im.is_finite() {
        return C::new(f64::NAN, f64::NAN);
    }
    let (sin, cos) = z.im.sin_cos();
    if z.re > 709.0 {
        // The exponential may overflow where its product with a small sine does not.
        let half = (0.5 * z.re).exp();
        return C::new(half * cos * half, half * sin * half);
    }
    let e = z.re.exp();
    C::new(e * cos, e * sin)
}

/// `e^z - 1`.
pub fn expm1(z: C) -> C {
    if z.im == 0.0 {
        return C::new(z.re.exp_m1(), z.im);
    }
    if !is_finite(z) || z.re > 709.0 {
        return exp(z) - ONE;
    }
    // e^x cos y - 1 = (e^x - 1) cos y - 2 sin^2(y / 2)
    let s = (0.5 * z.im).sin();
    C::new(sum_of_products(z.re.exp_m1(), z.im.cos(), -2.0 * s, s), z.re.exp() * z.im.sin())
}

/// `ln |z|`.
fn log_abs(z: C) -> f64 {
    let h = z.re.hypot(z.im);
    if !is_finite(z) || is_zero(z) {
        return h.ln();
    }
    if h > 0.5 && h < 1.5 {
        let (small, large) = (z.re.abs().min(z.im.abs()), z.re.abs().max(z.im.abs()));
        return 0.5 * plus_squares(-1.0, large, small).ln_1p();
    }
    if (1e-290..=1e290).contains(&h) {
        return h.ln();
    }
    let k = exponent(z);
    let z = scaled(z, -k);
    z.re.hypot(z.im).ln() + f64::from(k) * LN_2
}

/// The natural logarithm with imaginary part in [-pi, pi].
pub fn log(z: C) -> C {
    C::new(log_abs(z), z.im.atan2(z.re))
}

/// `ln(1 + z)`.
pub fn log1p(z: C) -> C {
    // Between -2 and -1/2 the sum is exact.
    let exact = (-2.0..=-0.5).contains(&z.re);
    if z.re.abs().max(z.im.abs()) <= 4.0 && !exact {
        // |1 + z|^2 - 1 = 2 x + x^2 + y^2
        let re = 0.5 * plus_squares(2.0 * z.re, z.re, z.im).ln_1p();
        C::new(re, z.im.atan2(1.0 + z.re))
    } else {
        log(C::new(1.0 + z.re, z.im))
    }
}

/// `1 / (1 + e^-z)`.
pub fn logistic(z: C) -> C {
    if !is_finite(z) {
        return match z.re {
            f64::INFINITY => ONE,
            f64::NEG_INFINITY => C::new(0.0, 0.0),
            _ => div(ONE, exp(-z) + ONE),
        };
    }
    // With s = -|x|: 1 + e^s cos y = 2 e^s cos^2(y / 2) - (e^s - 1), two terms of one sign.
    let s = -z.re.abs();
    let (e, c) = (s.exp(), (0.5 * z.im).cos());
    let re = 2.0 * e * c * c - s.exp_m1();
    if z.re >= 0.0 { div(ONE, C::new(re, -e * z.im.sin())) } else { div(exp(z), C::new(re, e * z.im.sin())) }
}

/// The square root with non-negative real part.
pub fn sqrt(z: C) -> C {
    if is_zero(z) {
        return C::new(0.0, z.im);
    }
    if z.im.is_infinite() {
        return C::new(f64::INFINITY, z.im);
    }
    if z.re.is_infinite() {
        let other = if z.im.is_nan() { f64::NAN } else { 0.0 };
        return if z.re > 0.0 {
            C::new(f64::INFINITY, other.copysign(z.im))
        } else {
            C::new(other, f64::INFINITY.copysign(z.im))
        };
    }
    if !is_finite(z) {
        return C::new(f64::NAN, f64::NAN);
    }
    let k = exponent(z) & !1;
    let z = scaled(z, -k);
    let t = (0.5 * (z.re.abs() + z.re.hypot(z.im))).sqrt();
    let other = z.im.abs() / (2.0 * t);
    let (re, im) = if z.re >= 0.0 { (t, other) } else { (other, t) };
    scaled(C::new(re, im.copysign(z.im)), k / 2)
}

/// `1 / sqrt(z)`.
pub fn rsqrt(z: C) -> C {
    div(ONE, sqrt(z))
}

/// The principal cube root, of an argument within a third of pi.
pub fn cbrt(z: C) -> C {
    if is_zero(z) {
        return z;
    }
    let k = exponent(z).div_euclid(3);
    let angle = z.im.atan2(z.re) / 3.0;
    let z = scaled(z, -3 * k);
    let r = super::math::cbrt(z.re.hypot(z.im));
    scaled(C::new(times(angle.cos(), r), times(angle.sin(), r)), k)
}

/// `x cosh y` and `x' sinh y` for exact `x` and `x'`, without overflow on the way.
fn times_hyperbolic(cosh_factor: f64, sinh_factor: f64, y: f64) -> (f64, f64) {
    if y.abs() > 709.0 && y.is_finite() {
        let half = (0.5 * y.abs()).exp();
        let grown = |x: f64| 0.5 * x * half * half;
        return (grown(cosh_factor), grown(sinh_factor).copysign(sinh_factor * y.signum()));
    }
    (times(cosh_factor, y.cosh()), if y == 0.0 { times(y, sinh_factor) } else { times(sinh_factor, y.sinh()) })
}

/// The sine.
pub fn sin(z: C) -> C {
    let (sin, cos) = z.re.sin_cos();
    let (re, im) = times_hyperbolic(sin, cos, z.im);
    C::new(re, im)
}

/// The cosine.
pub fn cos(z: C) -> C {
    let (sin, cos) = z.re.sin_cos();
    let (re, im) = times_hyperbolic(cos, -sin, z.im);
    C::new(re, im)
}

/// The hyperbolic tangent (Kahan, "Branch cuts for complex elementary functions", 1987).
pub fn tanh(z: C) -> C {
    if z.re.abs() > 22.0 && (z.im.is_finite() || z.re.is_infinite()) {
        // 1 up to rounding. The imaginary part is 4 sin y cos y e^-2|x|.
        let (sin, cos) = if z.im.is_finite() { z.im.sin_cos() } else { (0.0f64.copysign(z.im), 1.0) };
        let e = (-z.re.abs()).exp();
        return C::new(1.0f64.copysign(z.re), 4.0 * sin * cos * e * e);
    }
    if z.im == 0.0 {
        return C::new(z.re.tanh(), z.im);
    }
    if !is_finite(z) {
        return C::new(f64::NAN, f64::NAN);
    }
    let (t, s) = (z.im.tan(), z.re.sinh());
    let (beta, rho) = (t.mul_add(t, 1.0), s.hypot(1.0));
    let norm = beta.mul_add(s * s, 1.0);
    C::new(beta * rho * s / norm, t / norm)
}

/// The tangent, `-i tanh(i z)`.
pub fn tan(z: C) -> C {
    let t = tanh(C::new(-z.im, z.re));
    C::new(t.im, -t.re)
}

/// `z / |z|`; zeros stay.
pub fn sign(z: C) -> C {
    if is_zero(z) {
        return z;
    }
    let z = scaled(z, -exponent(z));
    let r = z.re.hypot(z.im);
    C::new(z.re / r, z.im / r)
}

/// `z` to a whole power by repeated products.
fn whole_power(z: C, n: u32) -> C {
    let (mut base, mut n, mut r) = (z, n, ONE);
    while n > 0 {
        if n & 1 == 1 {
            r = mul(r, base);
        }
        base = mul(base, base);
        n >>= 1;
    }
    r
}

/// `e^(w ln z)`; 1 for `w = 0`. For `z = 0`: 0 if the real part of `w` is positive, else NaN.
pub fn pow(z: C, w: C) -> C {
    if is_zero(w) {
        return ONE;
    }
    if is_zero(z) {
        return if w.re > 0.0 { C::new(0.0, 0.0) } else { C::new(f64::NAN, f64::NAN) };
    }
    if w.im == 0.0 && w.re.fract() == 0.0 && w.re.abs() <= 64.0 {
        let p = whole_power(z, w.re.abs() as u32);
        let p = if w.re < 0.0 { div(ONE, p) } else { p };
        if is_finite(p) && !is_zero(p) {
            return p;
        }
    }
    let (ln, angle) = (log_abs(z), z.im.atan2(z.re));
    let mut r = z.re.hypot(z.im).powf(w.re) * (-w.im * angle).exp();
    if !r.is_finite() || r < f64::MIN_POSITIVE {
        r = (w.re * ln - w.im * angle).exp();
    }
    let turn = if w.im == 0.0 { w.re * angle } else { sum_of_products(w.re, angle, w.im, ln) };
    C::new(times(turn.cos(), r), times(turn.sin(), r))
}

/// `-i ln((x + i y) / sqrt(x^2 + y^2))`: the angle of (x, y) continued to complex numbers.
pub fn atan2(y: C, x: C) -> C {
    if y.im == 0.0 && x.im == 0.0 {
        return C::new(y.re.atan2(x.re), 0.0);
    }
    let times_i = |z: C| C::new(-z.im, z.re);
    let size = |z: C| z.re.abs().max(z.im.abs());
    let k = if is_finite(x) && is_finite(y) { exponent(C::new(size(x), size(y))) } else { 0 };
    let (y, x) = (scaled(y, -k), scaled(x, -k));
    let w = div(y, x);
    if w.re.hypot(w.im) < 0.5 {
        // Far from the quarter turn: atan w = (ln(1 - i w) - ln(1 + i w)) i / 2, and half a turn more where the root is -x.
        let (a, b) = (log1p(-times_i(w)), log1p(times_i(w)));
        let atan = times_i((a - b) * 0.5);
        let root = mul(x, sqrt(ONE + mul(w, w)));
        let half_turn = if root.re >= 0.0 { 0.0 } else { PI.copysign(-atan.re) };
        return C::new(atan.re + half_turn, atan.im);
    }
    // x^2 + y^2 = (x + i y) (x - i y)
    let (p, q) = (x + times_i(y), x - times_i(y));
    let l = log(div(p, sqrt(mul(p, q))));
    C::new(l.im, -l.re)
}

/// The absolute value.
pub fn abs(z: C) -> f64 {
    z.re.hypot(z.im)
}
