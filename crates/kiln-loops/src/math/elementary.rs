//! exp, expm1, logistic, tanh.

use super::seq::{Format, Seq};
use crate::ir::Var;
use kiln_ir::DType;

/// `(exp(r) - 1 - r) / r^2` on |r| <= ln 2 / 2: relative error of expm1 2^-25.8 (f32), 2^-59.7 (f64).
const EXP_F32: [f64; 5] = [0.49999997, 0.16666523, 0.041667607, 0.008369242, 0.0013855944];
const EXP_F64: [f64; 11] = [
    0.5,
    0.16666666666666677,
    0.041666666666666505,
    0.008333333333321608,
    0.0013888888888962919,
    0.00019841269886206384,
    2.4801587171808305e-05,
    2.755724410576295e-06,
    2.7557402974656375e-07,
    2.5109080840178623e-08,
    2.0875316219438115e-09,
];
/// `(tanh(x) - x) / x^3` in x^2 on |x| <= 0.55: relative error of tanh 2^-29.8.
const TANH_F32: [f64; 5] = [-0.3333332, 0.13332637, -0.053856842, 0.021088231, -0.006295469];
/// The same for |x| < 0.625 as P/Q: Cephes `tanh.c` (S. L. Moshier), relative error 2^-56. Q is monic.
const TANH_P: [f64; 3] = [-1.614_687_684_417_084_5e3, -9.928_772_310_019_185e1, -9.643_991_794_250_523e-1];
const TANH_Q: [f64; 4] = [4.844_063_053_251_255e3, 2.235_488_390_601_004_6e3, 1.128_116_784_916_329_3e2, 1.0];

const LOG2_E: f64 = std::f64::consts::LOG2_E;

/// `ln 2` in two parts; the first has few enough bits that its products with the exponent are exact.
pub(super) fn ln2(f: Format) -> (f64, f64) {
    if f.float == DType::F32 {
        (0.693145751953125, 1.4286068203094172e-06)
    } else {
        (0.6931471805592082, 7.371002565167799e-13)
    }
}

/// `x + low = n ln 2 + r`, |r| <= ln 2 / 2. Gives `exp(r) - 1`, and a float whose low bits are `n + bias`.
fn reduced(s: &mut Seq<'_>, f: Format, x: Var, low: Option<Var>, bias: u64) -> (Var, Var) {
    let t = f.float;
    let (c1, c2) = ln2(f);
    // The bias rides in the magic number: it ends where the exponent field is made from.
    let magic = s.c(t, f.magic + bias as f64);
    let k = s.c(t, LOG2_E);
    let rounded = s.fma(x, k, magic);
    let n = s.sub(rounded, magic);
    let (c1, c2) = (s.c(t, -c1), s.c(t, -c2));
    let r = s.fma(n, c1, x);
    let mut r = s.fma(n, c2, r);
    if let Some(low) = low {
        r = s.add(r, low);
    }
    let q = if t == DType::F32 { s.poly(r, &EXP_F32) } else { s.poly(r, &EXP_F64) };
    let r2 = s.mul(r, r);
    (s.fma(r2, q, r), rounded)
}

/// The float whose exponent field is the low bits of `field`.
fn power_of_two(s: &mut Seq<'_>, f: Format, field: Var) -> Var {
    let bits = s.shl(field, f.mantissa);
    s.cast(f.float, bits)
}

/// `exp(x + low)` for x in [`exp_range`] (or a little outside): the power of two is applied in two factors, so that overflow
/// and gradual underflow come out right without cases.
pub(super) fn exp_core(s: &mut Seq<'_>, f: Format, x: Var, low: Option<Var>) -> Var {
    let (u, rounded) = reduced(s, f, x, low, 2 * f.bias);
    let field = s.cast(f.int, rounded);
    let first = s.shr(field, 1);
    let second = s.sub(field, first);
    let first = power_of_two(s, f, first);
    let second = power_of_two(s, f, second);
    let p = s.fma(u, first, first);
    s.mul(p, second)
}

/// `exp(x)` where `2^(x / ln 2)` is a normal number: one factor.
fn exp_normal(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let (u, rounded) = reduced(s, f, x, None, f.bias);
    let field = s.cast(f.int, rounded);
    let scale = power_of_two(s, f, field);
    s.fma(u, scale, scale)
}

/// Below this exp rounds to 0, above the other it overflows.
pub(super) fn exp_range(f: Format) -> (f64, f64) {
    if f.float == DType::F32 { (-104.0, 89.0) } else { (-746.0, 710.0) }
}

/// `exp(x)`.
pub(super) fn exp(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let (low, high) = exp_range(f);
    let (low, high) = (s.c(f.float, low), s.c(f.float, high));
    let x = s.min_or_second(high, x);
    let x = s.max_or_second(low, x);
    exp_core(s, f, x, None)
}

/// `exp(x) - 1` as `2 (2^(n-1) u + (2^(n-1) r + 2^(n-1) - 1/2))` with `exp(r) = 1 + r + u`: halved, so that it overflows only
/// where the result does.
pub(super) fn expm1(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let t = f.float;
    let (low, high, tiny) =
        if t == DType::F32 { (-20.0, 89.0, 2f64.powi(-25)) } else { (-40.0, 710.0, 2f64.powi(-54)) };
    let (low, high) = (s.c(t, low), s.c(t, high));
    let a = s.min_or_second(high, x);
    let a = s.max_or_second(low, a);
    let (c1, c2) = ln2(f);
    let magic = s.c(t, f.magic + (f.bias - 1) as f64);
    let k = s.c(t, LOG2_E);
    let rounded = s.fma(a, k, magic);
    let n = s.sub(rounded, magic);
    let (c1, c2) = (s.c(t, -c1), s.c(t, -c2));
    let r1 = s.fma(n, c1, a);
    let r = s.fma(n, c2, r1);
    // What rounding r lost.
    let lost = s.sub(r1, r);
    let lost = s.fma(n, c2, lost);
    let q = if t == DType::F32 { s.poly(r, &EXP_F32) } else { s.poly(r, &EXP_F64) };
    let r2 = s.mul(r, r);
    let u = s.fma(r2, q, lost);
    let bits = s.cast(f.int, rounded);
    let bits = s.shl(bits, f.mantissa);
    let scale = s.cast(t, bits);
    let half = s.c(t, 0.5);
    let base = s.sub(scale, half);
    let inner = s.fma(scale, r, base);
    let y = s.fma(scale, u, inner);
    let y = s.add(y, y);
    // Keeps -0 and subnormals.
    let magnitude = s.abs(x);
    let tiny = s.c(t, tiny);
    let small = s.lt(magnitude, tiny);
    s.select(small, x, y)
}

/// `1 / (1 + exp(-x))` from `e = exp(-|x|)`: `1 / (1 + e)` or `e / (1 + e)`, so that neither end loses digits.
pub(super) fn logistic(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let t = f.float;
    let magnitude = s.abs(x);
    let minus = s.neg(magnitude);
    let low = s.c(t, exp_range(f).0);
    let a = s.max_or_second(low, minus);
    let e = exp_core(s, f, a, None);
    let (zero, one) = (s.c(t, 0.0), s.c(t, 1.0));
    let negative = s.lt(x, zero);
    let numerator = s.select(negative, e, one);
    let denominator = s.add(e, one);
    let q = s.div(numerator, denominator);
    // What rounding the denominator added goes back in (to first order, for denominators near 1, where it matters).
    let kept = s.sub(denominator, one);
    let excess = s.sub(kept, e);
    s.fma(q, excess, q)
}

/// `tanh(x)`: an odd polynomial (f64: rational) near 0, else `1 - 2 / (exp(2|x|) + 1)`. (One rational function over the whole
/// range is half as long, but in f32 its rounding errors reach 5 ULP near saturation, whatever its degree.)
pub(super) fn tanh(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let t = f.float;
    let (saturated, switch) = if t == DType::F32 { (9.5, 0.55) } else { (20.0, 0.625) };
    let magnitude = s.abs(x);
    let z = s.mul(magnitude, magnitude);
    let p = if t == DType::F32 {
        s.poly(z, &TANH_F32)
    } else {
        let p = s.poly(z, &TANH_P);
        let q = s.poly(z, &TANH_Q);
        s.div(p, q)
    };
    let cube = s.mul(magnitude, z);
    let small = s.fma(cube, p, magnitude);
    let bound = s.c(t, saturated);
    let a = s.min_or_second(bound, magnitude);
    let a2 = s.add(a, a);
    let e = exp_normal(s, f, a2);
    let (one, two) = (s.c(t, 1.0), s.c(t, 2.0));
    let d = s.add(e, one);
    let q = s.div(two, d);
    let large = s.sub(one, q);
    let switch = s.c(t, switch);
    let near = s.lt(magnitude, switch);
    let r = s.select(near, small, large);
    s.copy_sign(f, r, x)
}
