//! sign, is_finite, round_nearest_afz, rsqrt, cbrt, erf.

use super::elementary::exp_core;
use super::logs::small_int_to_float;
use super::seq::{Format, Seq};
use crate::ir::Var;
use kiln_ir::{DType, UnaryOp};

/// `erf(x)/x - 1` in x^2 on |x| <= 0.93: relative error of erf 2^-29.9 (f32), 2^-55.9 (f64).
const ERF_SMALL_F32: [f64; 7] =
    [0.12837917, -0.3761263, 0.11283624, -0.026855595, 0.005191994, -0.0008044723, 7.974993e-05];
const ERF_SMALL_F64: [f64; 12] = [
    0.1283791670955126,
    -0.3761263890318371,
    0.11283791670952671,
    -0.026866170644598453,
    0.005223977619464489,
    -0.0008548326627394572,
    0.00012055316322518662,
    -1.4925187985929576e-05,
    1.6453519686075926e-06,
    -1.6259572711053579e-07,
    1.3961900111705136e-08,
    -8.290015175784607e-10,
];
/// `log(erfc(x))` on [0.92, 4] (f32) and [0.92, 6] (f64): relative error of erf 2^-26.5 and 2^-53.2.
const ERF_LARGE_F32: [f64; 8] =
    [-0.00010929964, -1.1281048, -0.6361929, -0.10528293, 0.023369785, -0.0036226592, 0.0003554301, -1.8160194e-05];
const ERF_LARGE_F64: [f64; 23] = [
    -7.926845152340013e-08,
    -1.1283784561158674,
    -0.6366225718083043,
    -0.10276655483255746,
    0.019121999955783574,
    0.00020681202647772326,
    -0.001673991530022978,
    0.0005449078035575347,
    3.301606978355032e-05,
    -0.00012110268186026112,
    7.185484898669366e-05,
    -2.8038380367526858e-05,
    8.351798782438674e-06,
    -1.9890697454058876e-06,
    3.8490551039718856e-07,
    -6.066437508791177e-08,
    7.73815936364457e-09,
    -7.876711745523257e-10,
    6.25071524801491e-11,
    -3.7267115668208224e-12,
    1.5699209017228688e-13,
    -4.1649471905146e-15,
    5.2314003443763463e-17,
];

/// The cube root on [1/2, 4]: relative error 2^-7.5.
const CBRT_GUESS: [f64; 4] = [0.540925, 0.578941, -0.137642, 0.0147068];

/// `-1`, `1`, or the argument when it is a zero or NaN.
pub(super) fn sign(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let (zero, one) = (s.c(f.float, 0.0), s.c(f.float, 1.0));
    let unit = s.copy_sign(f, one, x);
    let magnitude = s.abs(x);
    let other = s.lt(zero, magnitude);
    s.select(other, unit, x)
}

/// True unless infinite or NaN.
pub(super) fn is_finite(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let magnitude = s.abs(x);
    let inf = s.bits(f.float, f.inf);
    s.lt(magnitude, inf)
}

/// `floor(|x| + (largest number below 1/2))` with the sign of x.
pub(super) fn round_nearest_afz(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let below_half = if f.float == DType::F32 { 0x3eff_ffff } else { 0x3fdf_ffff_ffff_ffff };
    let h = s.bits(f.float, below_half);
    let magnitude = s.abs(x);
    let r = s.add(magnitude, h);
    let r = s.unary(UnaryOp::Floor, r);
    s.copy_sign(f, r, x)
}

/// `1 / sqrt(x)`.
pub(super) fn rsqrt(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let r = s.unary(UnaryOp::Sqrt, x);
    let one = s.c(f.float, 1.0);
    s.div(one, r)
}

/// `erf(x)`: x times an even polynomial near 0, else `1 - exp(polynomial)`.
pub(super) fn erf(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let t = f.float;
    let single = t == DType::F32;
    let magnitude = s.abs(x);
    let z = s.mul(x, x);
    let p = if single { s.poly(z, &ERF_SMALL_F32) } else { s.poly(z, &ERF_SMALL_F64) };
    let small = s.fma(x, p, x);
    let bound = s.c(t, if single { 4.0 } else { 6.0 });
    let a = s.min_or_second(bound, magnitude);
    let l = if single { s.poly(a, &ERF_LARGE_F32) } else { s.poly(a, &ERF_LARGE_F64) };
    let e = exp_core(s, f, l, None);
    let one = s.c(t, 1.0);
    let large = s.sub(one, e);
    let large = s.copy_sign(f, large, x);
    let switch = s.c(t, 0.925);
    let near = s.lt(magnitude, switch);
    s.select(near, small, large)
}

/// `cbrt(x)`: a guess for the mantissa in [1/2, 4) and two steps of Halley's iteration.
pub(super) fn cbrt(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let t = f.float;
    let magnitude = s.abs(x);
    // Subnormals: scaled up by 2^(3k), the result down by 2^k.
    let k = if t == DType::F32 { 8 } else { 18 };
    let least = s.bits(t, 1 << f.mantissa);
    let subnormal = s.lt(magnitude, least);
    let (up, down, one) = (s.c(t, 2f64.powi(3 * k)), s.c(t, 2f64.powi(-k)), s.c(t, 1.0));
    let scaled = s.mul(magnitude, up);
    let a = s.select(subnormal, scaled, magnitude);
    let unscale = s.select(subnormal, down, one);
    let bits = s.cast(f.int, a);
    let field = s.shr(bits, f.mantissa);
    let bias = s.bits(f.int, f.bias);
    let e = s.sub(field, bias);
    // n = round(e / 3), remainder -1, 0 or 1.
    let magic = s.c(t, f.magic);
    let ef = small_int_to_float(s, f, e, magic);
    let biased = s.c(t, f.magic + f.bias as f64);
    let third = s.c(t, 1.0 / 3.0);
    let rounded = s.fma(ef, third, biased);
    let n = s.sub(rounded, biased);
    let minus3 = s.c(t, -3.0);
    let rest = s.fma(n, minus3, ef);
    let scale = s.cast(f.int, rounded);
    let scale = s.shl(scale, f.mantissa);
    let scale = s.cast(t, scale);
    let mask = s.bits(f.int, (1 << f.mantissa) - 1);
    let m = s.and(bits, mask);
    let unit = s.bits(f.int, f.bias << f.mantissa);
    let m = s.or(m, unit);
    let m = s.cast(t, m);
    // m * 2^rest by selects: rest is -1, 0 or 1.
    let (zero, half, two) = (s.c(t, 0.0), s.c(t, 0.5), s.c(t, 2.0));
    let below = s.lt(rest, zero);
    let factor = s.select(below, half, one);
    let above = s.lt(zero, rest);
    let factor = s.select(above, two, factor);
    let m = s.mul(m, factor);
    let mut g = s.poly(m, &CBRT_GUESS);
    for _ in 0..2 {
        let g2 = s.mul(g, g);
        let g3 = s.mul(g2, g);
        let minus = s.neg(g2);
        let missing = s.fma(minus, g, m);
        let d = s.fma(g3, two, m);
        let step = s.mul(g, missing);
        let step = s.div(step, d);
        g = s.add(g, step);
    }
    let r = s.mul(g, scale);
    let r = s.mul(r, unscale);
    let r = s.copy_sign(f, r, x);
    // 0, infinity and NaN are their own roots.
    let inf = s.bits(t, f.inf);
    let finite = s.lt(magnitude, inf);
    let positive = s.lt(zero, magnitude);
    let plain = s.and(finite, positive);
    s.select(plain, r, x)
}
