//! Reference values of the error functions and the gamma family.

use super::dd::{Dd, Exact, exponent, ldexp};
use super::elementary::{TINY, exp_dd, log_dd, log1p_dd, special};
use super::trig::{HALF_PI, sin_cos};

const TWO_OVER_SQRT_PI: Dd = Dd::new(std::f64::consts::FRAC_2_SQRT_PI, 1.533545961316588e-17);
const HALF_LOG_TWO_PI: Dd = Dd::new(0.9189385332046728, -3.8782941580672414e-17);
const LOG_PI: Dd = Dd::new(1.1447298858494002, 1.0265951162707826e-17);
const EULER: Dd = Dd::new(0.5772156649015329, -4.942915152430645e-18);
/// zeta(2), zeta(3) ...
const ZETA: [Dd; 14] = [
    Dd::new(1.6449340668482264, 3.040672350398476e-17),
    Dd::new(1.2020569031595942, 4.875891010379532e-17),
    Dd::new(1.0823232337111381, 4.748512042855365e-17),
    Dd::new(1.03692775514337, -6.276789020377768e-17),
    Dd::new(1.0173430619844492, -9.758599166441531e-17),
    Dd::new(1.008349277381923, -9.91714730971456e-17),
    Dd::new(1.0040773561979444, -2.0171748307737844e-17),
    Dd::new(1.0020083928260821, 9.730706638450415e-17),
    Dd::new(1.000994575127818, 1.0936913170647002e-16),
    Dd::new(1.0004941886041194, 3.6892951619089984e-17),
    Dd::new(1.000246086553308, 3.556599124383171e-18),
    Dd::new(1.0001227133475785, -2.8892675017121097e-17),
    Dd::new(1.0000612481350588, -1.0638574497072141e-16),
    Dd::new(1.000030588236307, 4.844379113994946e-17),
];
/// Bernoulli numbers B_2, B_4 ... as fractions.
const BERNOULLI: [(f64, f64); 15] = [
    (1.0, 6.0),
    (-1.0, 30.0),
    (1.0, 42.0),
    (-1.0, 30.0),
    (5.0, 66.0),
    (-691.0, 2730.0),
    (7.0, 6.0),
    (-3617.0, 510.0),
    (43867.0, 798.0),
    (-174611.0, 330.0),
    (854513.0, 138.0),
    (-236364091.0, 2730.0),
    (8553103.0, 6.0),
    (-23749461029.0, 870.0),
    (8615841276005.0, 14322.0),
];

/// `exp(-x^2)`.
fn exp_minus_square(x: Dd) -> Exact {
    exp_dd(-(x * x))
}

/// `erf(x)` for 0 < x < 6.5: `2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 5 ... (2n+1))`, all of one sign (DLMF 7.6.2).
fn erf_series(x: Dd) -> Dd {
    let z = (x * x).scale(1);
    let (mut term, mut sum) = (x, x);
    let mut n = 1.0;
    while term.hi > sum.hi * 1e-33 {
        term = term * z / (2.0 * n + 1.0);
        sum = sum + term;
        n += 1.0;
    }
    sum * exp_minus_square(x).dd() * TWO_OVER_SQRT_PI
}

/// `erfc(x)` for x >= 3: Laplace's continued fraction (DLMF 7.9.1), evaluated backwards.
fn erfc_fraction(x: Dd) -> Exact {
    let mut f = x;
    for k in (1..=(1200.0 / (x.hi * x.hi)) as i32 + 12).rev() {
        f = x + Dd::from(f64::from(k) * 0.5) / f;
    }
    let e = exp_minus_square(x);
    Exact::new((e.value / f * TWO_OVER_SQRT_PI).scale(-1), e.exponent)
}

fn erf_dd(x: Dd) -> Dd {
    if x.hi < 3.0 { erf_series(x) } else { Dd::ONE - erfc_fraction(x).dd() }
}

fn erfc_dd(x: Dd) -> Exact {
    if x.hi < 3.0 { (Dd::ONE - erf_series(x)).into() } else { erfc_fraction(x) }
}

/// The error function.
pub fn erf(x: f64) -> Exact {
    if special(x) {
        return if x.is_infinite() { x.signum() } else { x }.into();
    }
    let a = x.abs();
    let r = if a < TINY {
        let k = exponent(a);
        Exact::new(TWO_OVER_SQRT_PI * Dd::from(ldexp(ldexp(a, -k / 2), -k - -k / 2)), k)
    } else if a > 40.0 {
        1.0.into()
    } else {
        erf_dd(a.into()).into()
    };
    if x < 0.0 { -r } else { r }
}

/// `1 - erf(x)`.
pub fn erfc(x: f64) -> Exact {
    if x.is_nan() || x == f64::INFINITY {
        return if x.is_nan() { x } else { 0.0 }.into();
    }
    if x.abs() < TINY {
        return 1.0.into();
    }
    if x > 50.0 {
        return Exact::new(Dd::ONE, -6000);
    }
    if x < 0.0 { if x < -40.0 { 2.0.into() } else { (erf_dd(Dd::from(-x)) + 1.0).into() } } else { erfc_dd(x.into()) }
}

/// The inverse of the error function: Newton's iteration on erf or erfc.
pub fn erf_inv(x: f64) -> Exact {
    let a = x.abs();
    if special(x) || a >= 1.0 {
        return if a == 1.0 {
            x * f64::INFINITY
        } else if x == 0.0 {
            x
        } else {
            f64::NAN
        }
        .into();
    }
    if a < TINY {
        let k = exponent(a);
        let r = Dd::from(ldexp(ldexp(x, -k / 2), -k - -k / 2)) / TWO_OVER_SQRT_PI;
        return Exact::new(r, k);
    }
    let rest = Dd::ONE - Dd::from(a);
    // S. Winitzki's approximation (2008), then steps of third order.
    let l = (rest * (Dd::ONE + Dd::from(a))).hi.ln();
    let t = 2.0 / (std::f64::consts::PI * 0.147) + l / 2.0;
    let mut y = Dd::from(if a < 1e-4 { a / TWO_OVER_SQRT_PI.hi } else { ((t * t - l / 0.147).sqrt() - t).sqrt() });
    for _ in 0..5 {
        let missing = if a < 0.5 { erf_dd(y) - Dd::from(a) } else { rest - erfc_dd(y).dd() };
        let slope = exp_minus_square(y).dd() * TWO_OVER_SQRT_PI;
        let step = missing / slope;
        y = y - step / (Dd::ONE + y * step);
    }
    Exact::from(if x < 0.0 { -y } else { y })
}

/// `log(gamma(x))` for x >= 1/2 (Stirling's series beyond 40), absolute error about 2^-94.
fn lgamma_right(x: Dd) -> Dd {
    let near_one = x - 1.0;
    if near_one.hi.abs() < 1e-3 {
        // -gamma e + sum zeta(k) (-e)^k / k
        let mut sum = Dd::from(0.0);
        for k in (2..=14).rev() {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            sum = sum * near_one + ZETA[k - 2] * sign / k as f64;
        }
        return near_one * (near_one * sum - EULER);
    }
    let near_two = x - 2.0;
    if near_two.hi.abs() < 1e-3 {
        return lgamma_right(x - 1.0) + log1p_dd(near_two);
    }
    let (mut product, mut z) = (Dd::ONE, x);
    while z.hi < 40.0 {
        product = product * z;
        z = z + 1.0;
    }
    let inverse = Dd::ONE / z;
    let square = inverse * inverse;
    let (mut sum, mut power) = (Dd::from(0.0), inverse);
    for (i, (n, d)) in BERNOULLI.iter().enumerate() {
        let k = 2.0 * (i as f64 + 1.0);
        sum = sum + power * *n / (d * k * (k - 1.0));
        power = power * square;
    }
    (z - 0.5) * log_dd(z) - z + HALF_LOG_TWO_PI + sum - log_dd(product)
}

/// Distance of x from the nearest integer (exact), and whether that is odd.
fn from_integer(x: f64) -> (f64, bool) {
    let n = x.round_ties_even();
    (x - n, (n * 0.5).floor() != n * 0.5)
}

/// `log(|gamma(x)|)`; next to its zeros below 0 the error is absolute.
pub fn lgamma(x: f64) -> Exact {
    if !x.is_finite() || (x <= 0.0 && x.floor() == x) {
        return if x.is_nan() { x } else { f64::INFINITY }.into();
    }
    if x > 1e60 {
        let k = exponent(x);
        return Exact::new(Dd::from(ldexp(x, -k)) * (log_dd(x.into()) - 1.0), k);
    }
    if x >= 0.5 {
        return lgamma_right(x.into()).into();
    }
    if x.abs() < TINY {
        return -super::elementary::log(x.abs());
    }
    let (d, _) = from_integer(x);
    let sine = sin_pi(d).abs();
    (LOG_PI - log_dd(sine) - lgamma_right(Dd::ONE - Dd::from(x))).into()
}

/// `sin(pi d)` for |d| <= 1/2.
fn sin_pi(d: f64) -> Dd {
    // sin(a + b) with the product with pi in two parts.
    let t = HALF_PI.scale(1) * d;
    let (s, c) = sin_cos(t.hi);
    s + c * t.lo
}

fn cos_pi(d: f64) -> Dd {
    let t = HALF_PI.scale(1) * d;
    let (s, c) = sin_cos(t.hi);
    c - s * t.lo
}

/// The logarithmic derivative of the gamma function; next to its zeros the error is absolute.
pub fn digamma(x: f64) -> Exact {
    if !x.is_finite() || (x <= 0.0 && x.floor() == x) {
        return if x == f64::INFINITY { x } else { f64::NAN }.into();
    }
    if x < 0.5 {
        if x.abs() < 1e-290 {
            return Exact::new(Dd::ONE / Dd::from(-ldexp(x, 200)), 200);
        }
        let (d, _) = from_integer(x);
        let cotangent = cos_pi(d) / sin_pi(d);
        return (digamma_right(Dd::ONE - Dd::from(x)) - cotangent * HALF_PI.scale(1)).into();
    }
    digamma_right(x.into()).into()
}

fn digamma_right(x: Dd) -> Dd {
    let (mut shift, mut z) = (Dd::from(0.0), x);
    while z.hi < 40.0 {
        shift = shift + Dd::ONE / z;
        z = z + 1.0;
    }
    if z.hi > 1e60 {
        return log_dd(z);
    }
    let square = Dd::ONE / (z * z);
    let (mut sum, mut power) = (Dd::from(0.0), square);
    for (i, (n, d)) in BERNOULLI.iter().enumerate() {
        sum = sum + power * *n / (d * 2.0 * (i as f64 + 1.0));
        power = power * square;
    }
    log_dd(z) - Dd::from(0.5) / z - sum - shift
}
