//! log, log1p, and the splitting of a float into exponent and mantissa.

use super::elementary::ln2;
use super::seq::{Format, Seq};
use crate::ir::Var;
use kiln_ir::DType;

/// `(log1p(f) - f + f^2/2) / f^3` for 1 + f in [sqrt(1/2), sqrt 2]: relative error of log1p 2^-25.9.
const LOG_F32: [f64; 8] =
    [0.33333316, -0.2500081, 0.20002313, -0.16624562, 0.14181137, -0.1312513, 0.12898126, -0.0792242];
/// `(log(1+f) - 2s) / s^3` in s^2, with s = f / (2 + f): relative error of log1p 2^-57.4. The form is that of fdlibm `e_log.c`.
const LOG_F64: [f64; 7] = [
    0.6666666666666711,
    0.39999999999513836,
    0.28571428730928544,
    0.22222198897562512,
    0.18183582591502365,
    0.15312861272693726,
    0.1481371700455033,
];

/// Bits of sqrt(1/2).
fn sqrt_half(f: Format) -> u64 {
    if f.float == DType::F32 { 0x3f35_04f3 } else { 0x3fe6_a09e_667f_3bcd }
}

/// `x = m * 2^k` with m in [sqrt(1/2), sqrt 2), for positive normal x: k as int, and m.
pub(super) fn split(s: &mut Seq<'_>, f: Format, x: Var) -> (Var, Var) {
    let bits = s.cast(f.int, x);
    let low = s.bits(f.int, sqrt_half(f));
    let above = s.sub(bits, low);
    let k = s.sar(above, f.mantissa);
    let exponent = s.shl(k, f.mantissa);
    let m = s.sub(bits, exponent);
    (k, s.cast(f.float, m))
}

/// A small int as float by the magic number, minus `offset` (a float literal added to the magic number).
pub(super) fn small_int_to_float(s: &mut Seq<'_>, f: Format, k: Var, magic: Var) -> Var {
    let bits = if f.float == DType::F32 { u64::from((f.magic as f32).to_bits()) } else { f.magic.to_bits() };
    let base = s.bits(f.int, bits);
    let sum = s.add(k, base);
    let sum = s.cast(f.float, sum);
    s.sub(sum, magic)
}

/// `k ln 2 + log(1 + v)` for 1 + v in [sqrt(1/2), sqrt 2].
fn log_core(s: &mut Seq<'_>, f: Format, k: Var, v: Var) -> Var {
    let t = f.float;
    let (hi, lo) = ln2(f);
    let (hi, lo) = (s.c(t, hi), s.c(t, lo));
    if t == DType::F32 {
        let z = s.mul(v, v);
        let p = s.poly(v, &LOG_F32);
        let cube = s.mul(z, v);
        let u = s.mul(cube, p);
        let u = s.fma(k, lo, u);
        let half = s.c(t, -0.5);
        let u = s.fma(z, half, u);
        let r = s.add(v, u);
        return s.fma(k, hi, r);
    }
    let two = s.c(t, 2.0);
    let d = s.add(v, two);
    let q = s.div(v, d);
    let z = s.mul(q, q);
    let p = s.poly(z, &LOG_F64);
    let r = s.mul(z, p);
    let half = s.c(t, 0.5);
    let h = s.mul(v, half);
    let h = s.mul(h, v);
    let a = s.add(h, r);
    let b = s.mul(k, lo);
    let a = s.fma(q, a, b);
    let a = s.sub(h, a);
    let a = s.sub(a, v);
    let minus = s.neg(a);
    s.fma(k, hi, minus)
}

/// Replaces the result outside of `lowest < x < inf`: -inf at `lowest`, NaN below it and for NaN, inf for inf.
fn special_values(s: &mut Seq<'_>, f: Format, x: Var, lowest: f64, result: Var) -> Var {
    let t = f.float;
    let lowest = s.c(t, lowest);
    let inf = s.bits(t, f.inf);
    let (minus_inf, nan) = (s.bits(t, f.inf | f.sign), s.bits(t, f.inf | 1 << (f.mantissa - 1)));
    let above = s.lt(lowest, x);
    let below = s.lt(x, inf);
    let inside = s.and(above, below);
    let r = s.select(above, x, nan);
    let at = s.eq(x, lowest);
    let r = s.select(at, minus_inf, r);
    s.select(inside, result, r)
}

/// `log(x)`.
pub(super) fn log(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let t = f.float;
    let least_normal = s.bits(t, 1 << f.mantissa);
    let up = f64::from(f.mantissa + 2);
    let subnormal = s.lt(x, least_normal);
    let factor = s.c(t, 2f64.powi(f.mantissa as i32 + 2));
    let scaled = s.mul(x, factor);
    let scaled = s.select(subnormal, scaled, x);
    let (k, m) = split(s, f, scaled);
    let (plain, shifted) = (s.c(t, f.magic), s.c(t, f.magic + up));
    let magic = s.select(subnormal, shifted, plain);
    let k = small_int_to_float(s, f, k, magic);
    let one = s.c(t, 1.0);
    let v = s.sub(m, one);
    let r = log_core(s, f, k, v);
    special_values(s, f, x, 0.0, r)
}

/// `log(1 + x)`: what `1 + x` loses goes back in after scaling by the power of two.
pub(super) fn log1p(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let t = f.float;
    let one = s.c(t, 1.0);
    let u = s.add(x, one);
    let back = s.sub(u, one);
    let lost = s.sub(x, back);
    let (k, m) = split(s, f, u);
    // 2^(1-k), which is 0 for the largest k (where nothing was lost).
    let top = s.bits(f.int, f.bias + 1);
    let e = s.sub(top, k);
    let e = s.shl(e, f.mantissa);
    let scale = s.cast(t, e);
    let half = s.c(t, 0.5);
    let lost = s.mul(lost, half);
    let v = s.sub(m, one);
    let v = s.fma(lost, scale, v);
    let magic = s.c(t, f.magic);
    let k = small_int_to_float(s, f, k, magic);
    let r = log_core(s, f, k, v);
    let r = special_values(s, f, x, -1.0, r);
    let magnitude = s.abs(x);
    let tiny = s.c(t, if t == DType::F32 { 2f64.powi(-25) } else { 2f64.powi(-54) });
    let small = s.lt(magnitude, tiny);
    s.select(small, x, r)
}
