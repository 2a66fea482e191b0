//! Reference values of the exponential family, logarithms, roots and powers: series in double-double after reduction of the
//! argument, relative error below 2^-90.

use super::dd::{Dd, Exact, exponent, ldexp};

/// ln 2 in pieces: the first two have 40 bits, so that small multiples of them are exact.
const LN2: [f64; 4] = [0.6931471805592082, 7.371002565161996e-13, 5.8029889835956905e-25, 1.0908259040173159e-41];
/// Below this magnitude the functions with f(0) = 0, f'(0) = 1 are their argument (to 2^-110).
pub(super) const TINY: f64 = 7.703719777548943e-34;

/// `n ln 2`.
fn ln2_times(n: i32) -> Dd {
    let n = f64::from(n);
    Dd::from(n * LN2[0]) + Dd::from(n * LN2[1]) + Dd::new(LN2[2], LN2[3]) * n
}

/// `exp(r) - 1` for |r| <= 0.36: the series at r / 64, then six times `e (e + 2)`.
fn expm1_small(r: Dd) -> Dd {
    let r = r.scale(-6);
    let mut p = Dd::ONE;
    for k in (2..=14).rev() {
        p = Dd::ONE + r * p / f64::from(k);
    }
    let mut e = r * p;
    for _ in 0..6 {
        e = e * (e + 2.0);
    }
    e
}

/// `exp(x)`.
pub fn exp_dd(x: Dd) -> Exact {
    if x.hi.abs() > 3000.0 {
        return Exact::new(Dd::ONE, if x.hi > 0.0 { 6000 } else { -6000 });
    }
    let n = (x.hi * std::f64::consts::LOG2_E).round() as i32;
    Exact::new(expm1_small(x - ln2_times(n)) + 1.0, n)
}

/// `exp(x) - 1`.
fn expm1_dd(x: Dd) -> Exact {
    if x.hi.abs() < 0.35 {
        return expm1_small(x).into();
    }
    let e = exp_dd(x);
    match e.exponent {
        120.. => e,
        ..-120 => Dd::new(-1.0, e.dd().hi).into(),
        _ => (e.dd() - 1.0).into(),
    }
}

/// `log(1 + d)` for d in [-0.3, 0.42]: `2 artanh(d / (2 + d))`.
fn log1p_small(d: Dd) -> Dd {
    let s = d / (d + 2.0);
    let z = s * s;
    let mut p = Dd::from(1.0) / 51.0;
    for k in (0..25).rev() {
        p = p * z + Dd::ONE / f64::from(2 * k + 1);
    }
    (s * p).scale(1)
}

/// `log(x)` of a positive number in the normal range.
pub fn log_dd(x: Dd) -> Dd {
    let mut k = exponent(x.hi);
    if ldexp(x.hi, -k) > std::f64::consts::SQRT_2 {
        k += 1;
    }
    ln2_times(k) + log1p_small(x.scale(-k) - 1.0)
}

/// `log(1 + d)` of any d above -1.
pub(super) fn log1p_dd(d: Dd) -> Dd {
    if d.hi > -0.25 && d.hi < 0.4 { log1p_small(d) } else { log_dd(d + 1.0) }
}

/// True for 0, infinities, NaN: there the platform's f64 function is exact.
pub(super) fn special(x: f64) -> bool {
    x == 0.0 || !x.is_finite()
}

/// `exp(x)`.
pub fn exp(x: f64) -> Exact {
    if special(x) { x.exp().into() } else { exp_dd(x.into()) }
}

/// `exp(x) - 1`.
pub fn expm1(x: f64) -> Exact {
    if special(x) {
        return x.exp_m1().into();
    }
    if x.abs() < TINY { x.into() } else { expm1_dd(x.into()) }
}

/// `log(x)`.
pub fn log(x: f64) -> Exact {
    if special(x) || x < 0.0 {
        return x.ln().into();
    }
    let k = if x < 1e-290 { 64 } else { 0 };
    (log_dd(ldexp(x, k).into()) - ln2_times(k)).into()
}

/// `log(1 + x)`.
pub fn log1p(x: f64) -> Exact {
    if special(x) || x <= -1.0 {
        return x.ln_1p().into();
    }
    if x.abs() < TINY { x.into() } else { log1p_dd(x.into()).into() }
}

/// `1 / (1 + exp(-x))`.
pub fn logistic(x: f64) -> Exact {
    if !x.is_finite() {
        return if x.is_nan() { x } else { f64::from(x > 0.0) }.into();
    }
    if x >= 0.0 {
        return (Dd::ONE / (exp_dd(Dd::from(-x)).dd() + 1.0)).into();
    }
    let e = exp_dd(x.into());
    Exact::new(e.value / (e.dd() + 1.0), e.exponent)
}

/// The hyperbolic tangent.
pub fn tanh(x: f64) -> Exact {
    if special(x) || x.abs() < TINY {
        return if special(x) { x.tanh() } else { x }.into();
    }
    let a = x.abs();
    let t = if a > 50.0 {
        Dd::new(1.0, -2.0 * (-2.0 * a).exp())
    } else {
        let e = expm1_dd(Dd::from(2.0 * a)).dd();
        e / (e + 2.0)
    };
    Exact::from(if x < 0.0 { -t } else { t })
}

/// The hyperbolic sine.
pub fn sinh(x: f64) -> Exact {
    if special(x) || x.abs() < TINY {
        return x.into();
    }
    let a = Dd::from(x.abs());
    let r = if a.hi > 40.0 {
        let e = exp_dd(a);
        Exact::new(
            e.value - if a.hi > 200.0 { Dd::from(0.0) } else { exp_dd(-a).dd().scale(-e.exponent) },
            e.exponent - 1,
        )
    } else {
        let e = expm1_dd(a).dd();
        (e + e / (e + 1.0)).scale(-1).into()
    };
    if x < 0.0 { -r } else { r }
}

/// The hyperbolic cosine.
pub fn cosh(x: f64) -> Exact {
    if special(x) {
        return x.cosh().into();
    }
    let a = Dd::from(x.abs());
    let e = exp_dd(a);
    let back = if a.hi > 200.0 { Dd::from(0.0) } else { exp_dd(-a).dd().scale(-e.exponent) };
    Exact::new(e.value + back, e.exponent - 1)
}

/// The inverse hyperbolic sine.
pub fn asinh(x: f64) -> Exact {
    if special(x) || x.abs() < TINY {
        return x.into();
    }
    let a = Dd::from(x.abs());
    let r = if a.hi > 1e40 {
        log_dd(a) + ln2_times(1)
    } else {
        let square = a * a;
        log1p_dd(a + square / ((square + 1.0).sqrt() + 1.0))
    };
    Exact::from(if x < 0.0 { -r } else { r })
}

/// The inverse hyperbolic cosine.
pub fn acosh(x: f64) -> Exact {
    if x.is_nan() || x <= 1.0 || x.is_infinite() {
        return if x == 1.0 {
            0.0
        } else if x > 1.0 {
            x
        } else {
            f64::NAN
        }
        .into();
    }
    if x > 1e40 {
        return (log_dd(x.into()) + ln2_times(1)).into();
    }
    let t = Dd::from(x) - 1.0;
    log1p_dd(t + (t * (t + 2.0)).sqrt()).into()
}

/// The inverse hyperbolic tangent.
pub fn atanh(x: f64) -> Exact {
    let a = x.abs();
    if special(x) || !(TINY..1.0).contains(&a) {
        return if x.is_nan() || a > 1.0 {
            f64::NAN
        } else if a == 1.0 {
            x * f64::INFINITY
        } else {
            x
        }
        .into();
    }
    let r = log1p_dd(Dd::from(2.0 * a) / (Dd::ONE - Dd::from(a))).scale(-1);
    Exact::from(if x < 0.0 { -r } else { r })
}

/// The square root.
pub fn sqrt(x: f64) -> Exact {
    if special(x) || x < 0.0 {
        return x.sqrt().into();
    }
    let k = exponent(x) & !1;
    Exact::new(Dd::from(ldexp(x, -k)).sqrt(), k / 2)
}

/// `1 / sqrt(x)`.
pub fn rsqrt(x: f64) -> Exact {
    if special(x) || x < 0.0 {
        return (1.0 / x.sqrt()).into();
    }
    let r = sqrt(x);
    Exact::new(Dd::ONE / r.value, -r.exponent)
}

/// The cube root: Newton's iteration from the platform's value.
pub fn cbrt(x: f64) -> Exact {
    if special(x) {
        return x.into();
    }
    let k = exponent(x).div_euclid(3);
    let m = Dd::from(ldexp(ldexp(x, -2 * k), -k));
    let mut y = Dd::from(m.hi.cbrt());
    for _ in 0..2 {
        y = y - (y * y * y - m) / (y * y * 3.0);
    }
    Exact::new(y, k)
}

/// C `pow`.
pub fn pow(x: f64, y: f64) -> Exact {
    let whole = y.floor() == y;
    if special(x) || special(y) || x == 1.0 || (x < 0.0 && !whole) {
        return x.powf(y).into();
    }
    let a = x.abs();
    let k = if a < 1e-290 { 64 } else { 0 };
    let log = log_dd(ldexp(a, k).into()) - ln2_times(k);
    let e = if log.hi == 0.0 {
        Exact::from(1.0)
    } else if (log.hi * y).abs() > 3000.0 {
        exp_dd(Dd::from(if log.hi * y > 0.0 { 1e9 } else { -1e9 }))
    } else {
        exp_dd(log * y)
    };
    let odd = whole && (y * 0.5).floor() != y * 0.5;
    if x < 0.0 && odd { -e } else { e }
}
