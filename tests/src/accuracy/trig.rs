//! Reference values of the trigonometric functions and their inverses, relative error below 2^-90 (of the magnitude of the
//! value, also next to the zeros of sine and cosine).

use super::dd::{Dd, Exact, exponent, ldexp};
use super::elementary::{TINY, special};

/// pi / 2.
pub(super) const HALF_PI: Dd = Dd::new(std::f64::consts::FRAC_PI_2, 6.123233995736766e-17);
/// The binary digits of 2/pi after the point, behind 64 zeros (computed with mpmath in 2600 bits).
const TWO_OVER_PI: [u64; 24] = [
    0,
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
    0xf0cfbc209af4361d,
    0xa9e391615ee61b08,
    0x6599855f14a06840,
    0x8dffd8804d732731,
];

/// The argument as `q pi/2 + r` with |r| <= pi/4. With x = m 2^e, the digits of 2/pi that weigh 4 or more in x 2/pi are left
/// out, and the next 256 multiplied with m modulo 4 (M. Payne, R. Hanek, "Radian reduction for trigonometric functions", 1983).
fn reduce(x: f64) -> (Dd, u64) {
    if x < 0.785 {
        return (x.into(), 0);
    }
    let bits = x.to_bits();
    let m = (bits & ((1 << 52) - 1)) | 1 << 52;
    let first = ((bits >> 52) as i32 - 1075 - 1 + 63) as usize;
    let word = |i: usize| {
        let (w, s) = (i / 64, i % 64);
        TWO_OVER_PI[w] << s | if s == 0 { 0 } else { TWO_OVER_PI[w + 1] >> (64 - s) }
    };
    // m times the window, least word first, modulo 2^256: two digits before the point.
    let mut v = [0u64; 4];
    let mut carry = 0u128;
    for (j, limb) in v.iter_mut().enumerate() {
        let p = u128::from(m) * u128::from(word(first + 64 * (3 - j))) + carry;
        *limb = p as u64;
        carry = p >> 64;
    }
    let mut quadrant = v[3] >> 62;
    let mut fraction: Vec<u64> = (0..4).map(|j| v[j] << 2 | if j == 0 { 0 } else { v[j - 1] >> 62 }).collect();
    let negative = fraction[3] >> 63 == 1;
    if negative {
        quadrant += 1;
        let mut borrow = true;
        for limb in &mut fraction {
            let (flipped, over) = (!*limb).overflowing_add(u64::from(borrow));
            (*limb, borrow) = (flipped, over);
        }
    }
    let mut r = Dd::from(0.0);
    for (j, limb) in fraction.iter().enumerate() {
        let place = -64 * (4 - j as i32);
        r = r + ldexp((limb & 0xffff_ffff) as f64, place) + ldexp((limb >> 32) as f64, place + 32);
    }
    let r = r * HALF_PI;
    (if negative { -r } else { r }, quadrant)
}

fn sin_series(r: Dd) -> Dd {
    let z = r * r;
    let mut p = Dd::ONE;
    for k in (1..=14).rev() {
        p = Dd::ONE - z * p / f64::from(2 * k * (2 * k + 1));
    }
    r * p
}

fn cos_series(r: Dd) -> Dd {
    let z = r * r;
    let mut p = Dd::ONE;
    for k in (1..=14).rev() {
        p = Dd::ONE - z * p / f64::from((2 * k - 1) * 2 * k);
    }
    p
}

/// Sine and cosine of a finite number.
pub(super) fn sin_cos(x: f64) -> (Dd, Dd) {
    let (r, q) = reduce(x.abs());
    let (s, c) = if r.hi.abs() < TINY { (r, Dd::ONE) } else { (sin_series(r), cos_series(r)) };
    let (s, c) = match q % 4 {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    };
    (if x < 0.0 { -s } else { s }, c)
}

/// Sine and cosine of a number in two parts.
pub(super) fn sin_cos_dd(x: Dd) -> (Dd, Dd) {
    let (s, c) = sin_cos(x.hi);
    (s + c * x.lo, c - s * x.lo)
}

/// The sine.
pub fn sin(x: f64) -> Exact {
    if special(x) { x.sin().into() } else { sin_cos(x).0.into() }
}

/// The cosine.
pub fn cos(x: f64) -> Exact {
    if special(x) { x.cos().into() } else { sin_cos(x).1.into() }
}

/// The tangent.
pub fn tan(x: f64) -> Exact {
    if special(x) || x.abs() < TINY {
        return if special(x) { x.tan() } else { x }.into();
    }
    let (s, c) = sin_cos(x);
    (s / c).into()
}

/// The angle of a point whose coordinates are of ordinary size: the platform's value and one Newton step.
pub(super) fn atan2_dd(y: Dd, x: Dd) -> Dd {
    let t = y.hi.atan2(x.hi);
    let (s, c) = sin_cos(t);
    Dd::from(t) + (y * c - x * s) / (x * c + y * s)
}

/// C `atan2`.
pub fn atan2(y: f64, x: f64) -> Exact {
    if special(x) || special(y) {
        let t = y.atan2(x);
        // What the platform rounds here is a multiple of pi/4.
        let eighths = (t / std::f64::consts::FRAC_PI_4).round();
        return if t == 0.0 || t.is_nan() { t.into() } else { (HALF_PI * (eighths * 0.5)).into() };
    }
    let (ey, ex) = (exponent(y), exponent(x));
    let sign = if y < 0.0 { -1.0 } else { 1.0 };
    match ey - ex {
        121.. => (HALF_PI * sign).into(),
        ..=-121 if x < 0.0 => (HALF_PI * (2.0 * sign)).into(),
        ..=-121 => Exact::new(Dd::from(unit(y, ey)) / Dd::from(unit(x, ex)), ey - ex),
        d => atan2_dd(Dd::from(ldexp(unit(y, ey), d)), Dd::from(unit(x, ex))).into(),
    }
}

/// `x / 2^e`, without overflow of the factor.
fn unit(x: f64, e: i32) -> f64 {
    ldexp(ldexp(x, -e / 2), -e - -e / 2)
}

/// The arctangent.
pub fn atan(x: f64) -> Exact {
    atan2(x, 1.0)
}

/// The length of the other leg: `sqrt(1 - x^2)`.
fn leg(x: f64) -> Dd {
    ((Dd::ONE - Dd::from(x)) * (Dd::ONE + Dd::from(x))).sqrt()
}

/// The arcsine.
pub fn asin(x: f64) -> Exact {
    if x.is_nan() || x.abs() > 1.0 {
        return f64::NAN.into();
    }
    if x.abs() < TINY { x.into() } else { atan2_dd(x.into(), leg(x)).into() }
}

/// The arccosine.
pub fn acos(x: f64) -> Exact {
    if x.is_nan() || x.abs() > 1.0 {
        return f64::NAN.into();
    }
    if x == 1.0 { 0.0.into() } else { atan2_dd(leg(x), x.into()).into() }
}
