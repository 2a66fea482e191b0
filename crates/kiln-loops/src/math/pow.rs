//! power on floats: C `pow`.

use super::elementary::{exp_core, ln2};
use super::logs::{small_int_to_float, split};
use super::seq::{F32, F64, Format, Seq};
use crate::ir::Var;
use kiln_ir::{DType, UnaryOp};

/// `log2(m) / s` in s^2 with s = (m - 1) / (m + 1), m in [sqrt(1/2), sqrt 2]: relative error 2^-50.5.
const LOG2: [f64; 7] = [
    2.885390081777927,
    0.9617966939242967,
    0.5770780172625244,
    0.41219839952700327,
    0.32061656469560157,
    0.26143857469821263,
    0.24298421990782956,
];
/// `2^v` on |v| <= 1/2: relative error 2^-34.5.
const EXP2: [f64; 8] = [
    0.999999999961082,
    0.6931471807311683,
    0.24022651204098958,
    0.05550410347222582,
    0.009618026446914493,
    0.0013333925494066594,
    0.00015469552105425917,
    1.5201721343582597e-05,
];
/// `(log(m) - 2s - 2s^3/3) / s^5` in s^2: relative error 2^-51.6.
const TAIL: [f64; 7] = [
    0.4000000000000003,
    0.2857142857133646,
    0.22222222271975012,
    0.18181808111972722,
    0.153855842733085,
    0.1328565334096116,
    0.12917263681198274,
];
/// 2/3 and ln 2 beyond their leading doubles.
const TWO_THIRDS_LOW: f64 = 3.700743415417188e-17;
const LN2_LOWEST: f64 = 1.94704509238075e-31;

/// In f64: `2^(y log2 |x|)`, rounded to f32 once.
pub(super) fn pow_f32(s: &mut Seq<'_>, x: Var, y: Var) -> Var {
    let t = DType::F64;
    let magnitude = s.abs(x);
    let a = s.convert(t, magnitude);
    let (k, m) = split(s, F64, a);
    let magic = s.c(t, F64.magic);
    let k = small_int_to_float(s, F64, k, magic);
    let one = s.c(t, 1.0);
    let (n, d) = (s.sub(m, one), s.add(m, one));
    let q = s.div(n, d);
    let z = s.mul(q, q);
    let p = s.poly(z, &LOG2);
    let l = s.fma(q, p, k);
    let l = log_ends(s, a, l);
    let wide = s.convert(t, y);
    let e = s.mul(wide, l);
    let (low, high) = (s.c(t, -200.0), s.c(t, 200.0));
    let e = s.min_or_second(high, e);
    let e = s.max_or_second(low, e);
    let biased = s.c(t, F64.magic + F64.bias as f64);
    let rounded = s.add(e, biased);
    let whole = s.sub(rounded, biased);
    let v = s.sub(e, whole);
    let p = s.poly(v, &EXP2);
    let bits = s.cast(DType::I64, rounded);
    let bits = s.shl(bits, 52);
    let scale = s.cast(t, bits);
    let r = s.mul(p, scale);
    let r = s.convert(DType::F32, r);
    special_cases(s, F32, x, y, r)
}

/// The logarithm of 0 and of infinity.
fn log_ends(s: &mut Seq<'_>, magnitude: Var, l: Var) -> Var {
    let t = DType::F64;
    let (zero, inf, minus) = (s.c(t, 0.0), s.bits(t, F64.inf), s.bits(t, F64.inf | F64.sign));
    let at_inf = s.eq(magnitude, inf);
    let l = s.select(at_inf, inf, l);
    let at_zero = s.eq(magnitude, zero);
    s.select(at_zero, minus, l)
}

/// `log(x)` of a positive finite f64 as an unevaluated sum with relative error of about 2^-64. It needs exact products.
fn log_twice(s: &mut Seq<'_>, x: Var) -> (Var, Var) {
    let t = DType::F64;
    let least = s.bits(t, 1 << 52);
    let subnormal = s.lt(x, least);
    let up = s.c(t, 2f64.powi(54));
    let scaled = s.mul(x, up);
    let scaled = s.select(subnormal, scaled, x);
    let (k, m) = split(s, F64, scaled);
    let (plain, shifted) = (s.c(t, F64.magic), s.c(t, F64.magic + 54.0));
    let magic = s.select(subnormal, shifted, plain);
    let k = small_int_to_float(s, F64, k, magic);
    let (one, two) = (s.c(t, 1.0), s.c(t, 2.0));
    // s = v / (2 + v) in two parts.
    let v = s.sub(m, one);
    let (d, dl) = s.fast_two_sum(two, v);
    let q = s.div(v, d);
    let (p, e) = s.two_product(F64, q, d);
    let rest = s.sub(v, p);
    let rest = s.sub(rest, e);
    let cross = s.mul(q, dl);
    let rest = s.sub(rest, cross);
    let ql = s.div(rest, d);
    // z = s^2 and c = (2/3) s^3 in two parts.
    let (z, zl) = s.two_product(F64, q, q);
    let q2 = s.add(q, q);
    let zl = s.fma(q2, ql, zl);
    let (b, bl) = s.two_product(F64, z, q);
    let bl = s.fma(zl, q, bl);
    let bl = s.fma(z, ql, bl);
    let (third, third_low) = (s.c(t, 2.0 / 3.0), s.c(t, TWO_THIRDS_LOW));
    let (c, cl) = s.two_product(F64, b, third);
    let cl = s.fma(bl, third, cl);
    let cl = s.fma(b, third_low, cl);
    let tail = s.poly(z, &TAIL);
    let fifth = s.mul(b, z);
    let cl = s.fma(fifth, tail, cl);
    // k ln 2 + 2s + c, largest first.
    let (hi, lo) = ln2(F64);
    let (hi, lo, lowest) = (s.c(t, hi), s.c(t, lo), s.c(t, LN2_LOWEST));
    let (r, rl) = s.fast_two_sum(q2, c);
    let ql2 = s.add(ql, ql);
    let cl = s.add(cl, ql2);
    let rl = s.add(rl, cl);
    let a = s.mul(k, hi);
    let (kl, kll) = s.two_product(F64, k, lo);
    let (h, hl) = s.fast_two_sum(a, r);
    let (h2, h2l) = two_sum(s, h, kl);
    let kll = s.fma(k, lowest, kll);
    let low = s.add(rl, kll);
    let low = s.add(low, hl);
    let low = s.add(low, h2l);
    s.fast_two_sum(h2, low)
}

/// `a + b` and its rounding error, in any order of magnitude.
fn two_sum(s: &mut Seq<'_>, a: Var, b: Var) -> (Var, Var) {
    let sum = s.add(a, b);
    let bb = s.sub(sum, a);
    let aa = s.sub(sum, bb);
    let (da, db) = (s.sub(a, aa), s.sub(b, bb));
    (sum, s.add(da, db))
}

/// `exp(y log |x|)` with the logarithm and the product in two parts.
pub(super) fn pow_f64(s: &mut Seq<'_>, x: Var, y: Var) -> Var {
    let t = DType::F64;
    let magnitude = s.abs(x);
    let (l, ll) = log_twice(s, magnitude);
    let l = log_ends(s, magnitude, l);
    let (e, el) = s.two_product(F64, y, l);
    let el = s.fma(y, ll, el);
    let (low, high) = (s.c(t, -800.0), s.c(t, 800.0));
    let size = s.abs(e);
    let usable = s.lt(size, high);
    let zero = s.c(t, 0.0);
    let el = s.select(usable, el, zero);
    let e = s.min_or_second(high, e);
    let e = s.max_or_second(low, e);
    // Halved range: exp_core takes up to 1022 ln 2 in either direction.
    let r = exp_core(s, F64, e, Some(el));
    special_cases(s, F64, x, y, r)
}

/// The cases of C99 F.9.4.4, from the power of the magnitude.
fn special_cases(s: &mut Seq<'_>, f: Format, x: Var, y: Var, r: Var) -> Var {
    let t = f.float;
    let (zero, half, one) = (s.c(t, 0.0), s.c(t, 0.5), s.c(t, 1.0));
    let (inf, minus_inf) = (s.bits(t, f.inf), s.bits(t, f.inf | f.sign));
    let nan = s.bits(t, f.inf | 1 << (f.mantissa - 1));
    let floor = s.unary(UnaryOp::Floor, y);
    let whole = s.eq(floor, y);
    let h = s.mul(y, half);
    let h_floor = s.unary(UnaryOp::Floor, h);
    let h_odd = s.ne(h_floor, h);
    let odd = s.and(whole, h_odd);
    let sign = s.sign_bit(f, x);
    let none = s.bits(f.uint, 0);
    let sign = s.select(odd, sign, none);
    let r = s.flip_sign(f, r, sign);
    // Finite negative base, exponent no integer.
    let negative = s.lt(x, zero);
    let finite = s.ne(x, minus_inf);
    let bad = s.and(negative, finite);
    let fraction = s.not(whole);
    let bad = s.and(bad, fraction);
    let (x_nan, y_nan) = (s.ne(x, x), s.ne(y, y));
    let bad = s.or(bad, x_nan);
    let bad = s.or(bad, y_nan);
    let r = s.select(bad, nan, r);
    // 1^y, x^0, (-1)^(+-inf).
    let x_one = s.eq(x, one);
    let y_zero = s.eq(y, zero);
    let (ax, ay) = (s.abs(x), s.abs(y));
    let (ax_one, ay_inf) = (s.eq(ax, one), s.eq(ay, inf));
    let both = s.and(ax_one, ay_inf);
    let is_one = s.or(x_one, y_zero);
    let is_one = s.or(is_one, both);
    s.select(is_one, one, r)
}
