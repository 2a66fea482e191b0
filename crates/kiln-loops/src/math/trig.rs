//! sin, cos, tan with exact argument reduction for every magnitude (Payne and Hanek 1983), and atan2.

use super::seq::{F64, Format, Seq};
use crate::ir::Var;
use kiln_ir::{BinaryOp, DType};

/// `(sin(r) - r) / r^3` and `(cos(r) - 1 + r^2/2) / r^4` in r^2 on |r| <= pi/4: relative errors 2^-57.1 and 2^-59.8.
const SIN: [f64; 6] = [
    -0.16666666666666632,
    0.008333333333322387,
    -0.0001984126982978283,
    2.7557313681850263e-06,
    -2.5050756343282153e-08,
    1.5896683028437176e-10,
];
const COS: [f64; 6] = [
    0.0416666666666666,
    -0.0013888888888874073,
    2.480158728944677e-05,
    -2.7557314341362826e-07,
    2.0875721694690547e-09,
    -1.1359562059479675e-11,
];
/// The same for results in f32: 2^-37.6 and 2^-43.2.
const SIN_SHORT: [f64; 4] =
    [-0.16666666641541272, 0.008333329374799968, -0.00019839331047252545, 2.718274083749977e-06];
const COS_SHORT: [f64; 4] =
    [0.0416666666226566, -0.0013888883738266125, 2.4799515937233933e-05, -2.7209896155715874e-07];
/// `(atan(q) - q) / q^3` in q^2 on [0, 1]: relative error 2^-27.
const ATAN_F32: [f64; 9] = [
    -0.33333313,
    0.19998842,
    -0.14266346,
    0.10958583,
    -0.08410656,
    0.057913557,
    -0.030991305,
    0.010748508,
    -0.0017437029,
];
/// The same on [0, sqrt 2 - 1]: relative error 2^-58.5.
const ATAN_F64: [f64; 11] = [
    -0.333333333333332,
    0.1999999999995405,
    -0.1428571428024485,
    0.11111110785941299,
    -0.09090897830461181,
    0.0769206152527398,
    -0.0666311905772669,
    0.05847998901632788,
    -0.05039798869925659,
    0.038077100133441746,
    -0.0179209057126231,
];

/// The binary digits of 2/pi after the point.
const TWO_OVER_PI: [u64; 20] = [
    0xa2f9_836e_4e44_1529,
    0xfc27_57d1_f534_ddc0,
    0xdb62_9599_3c43_9041,
    0xfe51_63ab_debb_c561,
    0xb724_6e3a_424d_d2e0,
    0x0649_2eea_09d1_921c,
    0xfe1d_eb1c_b129_a73e,
    0xe882_35f5_2ebb_4484,
    0xe99c_7026_b45f_7e41,
    0x3991_d639_8353_39f4,
    0x9c84_5f8b_bdf9_283b,
    0x1ff8_97ff_de05_980f,
    0xef2f_118b_5a0a_6d1f,
    0x6d36_7ecf_27cb_09b7,
    0x4f46_3f66_9e5f_ea2d,
    0x7527_bac7_ebe5_f17b,
    0x3d07_39f7_8a52_92ea,
    0x6bfb_5fb1_1f8d_5d08,
    0x5603_3046_fc7b_6bab,
    0xf0cf_bc20_9af4_361d,
];

/// The argument as `quadrant * pi/2 + (r + low)`, |r| <= pi/4, in f64.
struct Reduced {
    r: Var,
    low: Option<Var>,
    /// u64; its low two bits count.
    quadrant: Var,
}

/// `count` words of the digits from bit `at` (u64) of `words`: a select tree over the bits of the word number, then one shift.
fn window(s: &mut Seq<'_>, words: &[u64], at: Var, count: usize) -> Vec<Var> {
    let u = DType::U64;
    let mut level: Vec<Var> = words.iter().map(|w| s.bits(u, *w)).collect();
    let number = s.shr(at, 6);
    let zero = s.bits(u, 0);
    for bit in (0..5u32).rev() {
        let step = 1usize << bit;
        if step >= words.len() {
            continue;
        }
        let needed = count + step;
        let mask = s.bits(u, step as u64);
        let digit = s.and(number, mask);
        let set = s.ne(digit, zero);
        let kept = needed.min(level.len());
        level = (0..kept)
            .map(|i| match level.get(i + step) {
                Some(&far) => s.select(set, far, level[i]),
                None => level[i],
            })
            .collect();
    }
    let low = s.bits(u, 63);
    let shift = s.and(at, low);
    let rest = s.sub(low, shift);
    (0..count)
        .map(|i| {
            let a = s.binary(BinaryOp::ShiftLeft, level[i], shift);
            let b = s.shr(level[i + 1], 1);
            let b = s.binary(BinaryOp::ShiftRightLogical, b, rest);
            s.or(a, b)
        })
        .collect()
}

/// The signed fraction and the nearest quadrant of a fixed-point number with two integer bits.
fn quadrant(s: &mut Seq<'_>, v: Var) -> (Var, Var) {
    let u = DType::U64;
    let whole = s.shr(v, 62);
    let half = s.shr(v, 61);
    let one = s.bits(u, 1);
    let half = s.and(half, one);
    (s.shl(v, 2), s.add(whole, half))
}

/// Mantissa (with its leading bit) and exponent field of a positive float, both u64.
fn fields(s: &mut Seq<'_>, f: Format, magnitude: Var) -> (Var, Var) {
    let u = DType::U64;
    let bits = s.cast(f.uint, magnitude);
    let bits = if f.uint == u { bits } else { s.convert(u, bits) };
    let exponent = s.shr(bits, f.mantissa);
    let mask = s.bits(u, (1 << f.mantissa) - 1);
    let m = s.and(bits, mask);
    let lead = s.bits(u, 1 << f.mantissa);
    (s.or(m, lead), exponent)
}

/// With x = m 2^e, the digits of 2/pi of weight 4 and more in x 2/pi do not count: the product with a window of those after
/// them, modulo 4, in fixed point.
fn reduce_f32(s: &mut Seq<'_>, f: Format, magnitude: Var) -> Reduced {
    let (u, t) = (DType::U64, DType::F64);
    let (m, exponent) = fields(s, f, magnitude);
    // Digit number e - 152 with 64 zeros in front; from 38 on for the arguments that come here.
    let base = s.bits(u, 88);
    let at = s.sub(exponent, base);
    let last = s.bits(u, 255);
    let at = s.and(at, last);
    let words = [&[0], &TWO_OVER_PI[..4]].concat();
    let w = window(s, &words, at, 2);
    // m * (96-bit window), the upper 64 bits modulo 2^64.
    let low32 = s.bits(u, 0xffff_ffff);
    let (w0, w1, w2) = (s.shr(w[0], 32), s.and(w[0], low32), s.shr(w[1], 32));
    let p0 = s.mul(m, w0);
    let p0 = s.shl(p0, 32);
    let p1 = s.mul(m, w1);
    let p2 = s.mul(m, w2);
    let p2 = s.shr(p2, 32);
    let v = s.add(p0, p1);
    let v = s.add(v, p2);
    let (fraction, q) = quadrant(s, v);
    let fraction = s.cast(DType::I64, fraction);
    let r = s.convert(t, fraction);
    let scale = s.c(t, std::f64::consts::FRAC_PI_2 * 2f64.powi(-64));
    let r = s.mul(r, scale);
    let near = s.c(f.float, std::f64::consts::FRAC_PI_4);
    let small = s.lt(magnitude, near);
    let wide = s.convert(t, magnitude);
    let r = s.select(small, wide, r);
    let zero = s.bits(u, 0);
    Reduced { r, low: None, quadrant: s.select(small, zero, q) }
}

/// High and low half of a 64 by 64 bit product, by 32-bit halves.
fn wide_product(s: &mut Seq<'_>, a: Var, b: Var) -> (Var, Var) {
    let mask = s.bits(DType::U64, 0xffff_ffff);
    let (al, ah) = (s.and(a, mask), s.shr(a, 32));
    let (bl, bh) = (s.and(b, mask), s.shr(b, 32));
    let ll = s.mul(al, bl);
    let lh = s.mul(al, bh);
    let hl = s.mul(ah, bl);
    let hh = s.mul(ah, bh);
    let carry = s.shr(ll, 32);
    let mid = s.add(hl, carry);
    let mid_low = s.and(mid, mask);
    let mid2 = s.add(lh, mid_low);
    let mid_high = s.shr(mid, 32);
    let hi = s.add(hh, mid_high);
    let mid2_high = s.shr(mid2, 32);
    let hi = s.add(hi, mid2_high);
    let lo = s.mul(a, b);
    (hi, lo)
}

fn reduce_f64(s: &mut Seq<'_>, magnitude: Var) -> Reduced {
    let (u, t) = (DType::U64, DType::F64);
    let (m, exponent) = fields(s, F64, magnitude);
    let base = s.bits(u, 1013);
    let at = s.sub(exponent, base);
    let last = s.bits(u, 2047);
    let at = s.and(at, last);
    let words = [&[0], &TWO_OVER_PI[..]].concat();
    let w = window(s, &words, at, 3);
    let top = s.mul(m, w[0]);
    let (h1, l1) = wide_product(s, m, w[1]);
    let (h2, _) = wide_product(s, m, w[2]);
    let low = s.add(l1, h2);
    let carried = s.lt(low, l1);
    let (zero, one) = (s.bits(u, 0), s.bits(u, 1));
    let carry = s.select(carried, one, zero);
    let v = s.add(top, h1);
    let v = s.add(v, carry);
    let (fraction, q) = quadrant(s, v);
    let next = s.shr(low, 62);
    let fraction = s.or(fraction, next);
    // Three exact pieces: the upper 53 bits, the next 11, and what follows.
    let mask = s.bits(u, 0x7ff);
    let piece = s.and(fraction, mask);
    let head = s.sub(fraction, piece);
    let head = s.cast(DType::I64, head);
    let head = s.convert(t, head);
    let piece = s.convert(t, piece);
    let tail = s.shl(low, 2);
    let tail = s.convert(t, tail);
    let down = s.c(t, 2f64.powi(-64));
    let piece = s.fma(tail, down, piece);
    let (a, al) = s.fast_two_sum(head, piece);
    let (pi, pi_low) = (std::f64::consts::FRAC_PI_2, 6.123233995736766e-17);
    let (pi, pi_low) = (s.c(t, pi * 2f64.powi(-64)), s.c(t, pi_low * 2f64.powi(-64)));
    let (r, e) = s.two_product(F64, a, pi);
    let e = s.fma(a, pi_low, e);
    let e = s.fma(al, pi, e);
    let near = s.c(t, std::f64::consts::FRAC_PI_4);
    let small = s.lt(magnitude, near);
    let none = s.c(t, 0.0);
    Reduced {
        r: s.select(small, magnitude, r),
        low: Some(s.select(small, none, e)),
        quadrant: s.select(small, zero, q),
    }
}

fn reduce(s: &mut Seq<'_>, f: Format, magnitude: Var) -> Reduced {
    if f.float == DType::F32 { reduce_f32(s, f, magnitude) } else { reduce_f64(s, magnitude) }
}

/// `sin(r + low)` as leading term and correction.
fn sin_parts(s: &mut Seq<'_>, d: &Reduced, z: Var) -> (Var, Var) {
    let cube = s.mul(z, d.r);
    match d.low {
        None => {
            let p = s.poly(z, &SIN_SHORT);
            (d.r, s.mul(cube, p))
        }
        Some(low) => {
            let p = s.poly(z, &SIN);
            // sin'(r) ~ 1 - z/2
            let half = s.c(DType::F64, -0.5);
            let lz = s.mul(low, z);
            let low = s.fma(lz, half, low);
            (d.r, s.fma(cube, p, low))
        }
    }
}

/// `cos(r + low)` as leading term and correction.
fn cos_parts(s: &mut Seq<'_>, d: &Reduced, z: Var) -> (Var, Var) {
    let t = DType::F64;
    let (one, half) = (s.c(t, 1.0), s.c(t, 0.5));
    let hz = s.mul(z, half);
    let lead = s.sub(one, hz);
    let z2 = s.mul(z, z);
    let p = if d.low.is_some() { s.poly(z, &COS) } else { s.poly(z, &COS_SHORT) };
    let back = s.sub(one, lead);
    let lost = s.sub(back, hz);
    let mut rest = s.fma(z2, p, lost);
    if let Some(low) = d.low {
        let cross = s.mul(d.r, low);
        rest = s.sub(rest, cross);
    }
    (lead, rest)
}

/// sin or cos of the magnitude: `turn` quarter turns are added. The sign (u64 bit 63) comes apart.
fn sin_or_cos(s: &mut Seq<'_>, f: Format, magnitude: Var, turn: u64) -> (Var, Var) {
    let u = DType::U64;
    let d = reduce(s, f, magnitude);
    let z = s.mul(d.r, d.r);
    let (a, al) = sin_parts(s, &d, z);
    let (b, bl) = cos_parts(s, &d, z);
    let (sin, cos) = (s.add(a, al), s.add(b, bl));
    let turn = s.bits(u, turn);
    let q = s.add(d.quadrant, turn);
    let (zero, one) = (s.bits(u, 0), s.bits(u, 1));
    let low = s.and(q, one);
    let odd = s.ne(low, zero);
    let r = s.select(odd, cos, sin);
    let high = s.shr(q, 1);
    (r, s.shl(high, 63))
}

/// Narrows an f64 result, and makes it NaN where the argument was not finite.
fn finish(s: &mut Seq<'_>, f: Format, magnitude: Var, r: Var) -> Var {
    let r = if f.float == DType::F64 { r } else { s.convert(f.float, r) };
    let (inf, nan) = (s.bits(f.float, f.inf), s.bits(f.float, f.inf | 1 << (f.mantissa - 1)));
    let finite = s.lt(magnitude, inf);
    s.select(finite, r, nan)
}

/// `sin(x)`.
pub(super) fn sine(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let magnitude = s.abs(x);
    let (r, sign) = sin_or_cos(s, f, magnitude, 0);
    let r = s.flip_sign(F64, r, sign);
    let r = finish(s, f, magnitude, r);
    let sign = s.sign_bit(f, x);
    s.flip_sign(f, r, sign)
}

/// `cos(x)`.
pub(super) fn cosine(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let magnitude = s.abs(x);
    let (r, sign) = sin_or_cos(s, f, magnitude, 1);
    let r = s.flip_sign(F64, r, sign);
    finish(s, f, magnitude, r)
}

/// `tan(x)`: the quotient of sine and cosine, in f64 with one correction of the quotient.
pub(super) fn tan(s: &mut Seq<'_>, f: Format, x: Var) -> Var {
    let u = DType::U64;
    let magnitude = s.abs(x);
    let d = reduce(s, f, magnitude);
    let z = s.mul(d.r, d.r);
    let (a, al) = sin_parts(s, &d, z);
    let (b, bl) = cos_parts(s, &d, z);
    let (zero, one) = (s.bits(u, 0), s.bits(u, 1));
    let low = s.and(d.quadrant, one);
    let odd = s.ne(low, zero);
    let sign = s.shl(d.quadrant, 63);
    let r = if d.low.is_none() {
        let (sin, cos) = (s.add(a, al), s.add(b, bl));
        let n = s.select(odd, cos, sin);
        let m = s.select(odd, sin, cos);
        s.div(n, m)
    } else {
        let (sin, sin_low) = s.fast_two_sum(a, al);
        let (cos, cos_low) = s.fast_two_sum(b, bl);
        let n = s.select(odd, cos, sin);
        let nl = s.select(odd, cos_low, sin_low);
        let m = s.select(odd, sin, cos);
        let ml = s.select(odd, sin_low, cos_low);
        let q = s.div(n, m);
        let (p, e) = s.two_product(F64, q, m);
        let rest = s.sub(n, p);
        let rest = s.sub(rest, e);
        let cross = s.mul(q, ml);
        let rest = s.sub(rest, cross);
        let rest = s.add(rest, nl);
        let correction = s.div(rest, m);
        let corrected = s.add(q, correction);
        // Where sin(r) is so small that the product underflows, tan(r) is r.
        let tiny = s.c(DType::F64, 2f64.powi(-28));
        let small = s.lt(magnitude, tiny);
        s.select(small, magnitude, corrected)
    };
    let r = s.flip_sign(F64, r, sign);
    let r = finish(s, f, magnitude, r);
    let sign = s.sign_bit(f, x);
    s.flip_sign(f, r, sign)
}

/// `atan2(y, x)`: the arctangent of the smaller over the larger magnitude, then the octant.
pub(super) fn atan2(s: &mut Seq<'_>, f: Format, y: Var, x: Var) -> Var {
    let t = f.float;
    let (ay, ax) = (s.abs(y), s.abs(x));
    let (zero, one) = (s.c(t, 0.0), s.c(t, 1.0));
    let steep = s.lt(ax, ay);
    let n = s.select(steep, ax, ay);
    let d = s.select(steep, ay, ax);
    // 0/0 and inf/inf: the limits along the axis and the diagonal.
    let equal = s.eq(n, d);
    let origin = s.eq(d, zero);
    let r = if t == DType::F32 {
        let limit = s.select(origin, zero, one);
        let q = s.div(n, d);
        let q = s.select(equal, limit, q);
        atan_poly(s, q, &ATAN_F32)
    } else {
        let quarter = s.c(t, std::f64::consts::FRAC_PI_4);
        let limit = s.select(origin, zero, quarter);
        let r = atan_ratio(s, n, d);
        s.select(equal, limit, r)
    };
    let pi = std::f64::consts::PI;
    let (half_pi, half_low) = if t == DType::F32 {
        (f64::from(std::f32::consts::FRAC_PI_2), std::f64::consts::FRAC_PI_2 - f64::from(std::f32::consts::FRAC_PI_2))
    } else {
        (pi / 2.0, 6.123233995736766e-17)
    };
    let (h, hl) = (s.c(t, half_pi), s.c(t, half_low));
    let turned = s.sub(r, hl);
    let turned = s.sub(h, turned);
    let r = s.select(steep, turned, r);
    let (p, pl) = (s.c(t, 2.0 * half_pi), s.c(t, 2.0 * half_low));
    let turned = s.sub(r, pl);
    let turned = s.sub(p, turned);
    let bits = s.cast(f.int, x);
    let none = s.bits(f.int, 0);
    let left = s.lt(bits, none);
    let r = s.select(left, turned, r);
    let signed = s.copy_sign(f, r, y);
    // NaN: the sign of a NaN in x must not pass for a direction.
    let nan = s.bits(t, f.inf | 1 << (f.mantissa - 1));
    let (x_ok, y_ok) = (s.eq(x, x), s.eq(y, y));
    let ok = s.and(x_ok, y_ok);
    s.select(ok, signed, nan)
}

fn atan_poly(s: &mut Seq<'_>, q: Var, coefficients: &[f64]) -> Var {
    let z = s.mul(q, q);
    let p = s.poly(z, coefficients);
    let cube = s.mul(q, z);
    s.fma(cube, p, q)
}

/// `atan(n / d)` for 0 <= n < d in f64: beyond sqrt 2 - 1 as `pi/4 + atan((n - d) / (n + d))`. What the sums and the quotient
/// lose to rounding goes back in through the derivative, `1 / (1 + q^2)`.
fn atan_ratio(s: &mut Seq<'_>, n: Var, d: Var) -> Var {
    let t = DType::F64;
    let (zero, one) = (s.c(t, 0.0), s.c(t, 1.0));
    // Away from the ends of the range, so that sums do not overflow and products do not underflow.
    let (large, down) = (s.c(t, 2f64.powi(1000)), s.c(t, 2f64.powi(-100)));
    let (little, up) = (s.c(t, 2f64.powi(-700)), s.c(t, 2f64.powi(300)));
    let huge = s.lt(large, d);
    let scale = s.select(huge, down, one);
    let tiny = s.lt(d, little);
    let scale = s.select(tiny, up, scale);
    let (n, d) = (s.mul(n, scale), s.mul(d, scale));
    let bound = s.c(t, std::f64::consts::SQRT_2 - 1.0);
    let edge = s.mul(bound, d);
    let far = s.lt(edge, n);
    let minus = s.neg(d);
    let (difference, difference_low) = s.fast_two_sum(minus, n);
    let (sum, sum_low) = s.fast_two_sum(d, n);
    let a = s.select(far, difference, n);
    let al = s.select(far, difference_low, zero);
    let b = s.select(far, sum, d);
    let bl = s.select(far, sum_low, zero);
    let q = s.div(a, b);
    let z = s.mul(q, q);
    let (p, e) = s.two_product(F64, q, b);
    let rest = s.sub(a, p);
    let rest = s.sub(rest, e);
    let rest = s.add(rest, al);
    let cross = s.mul(q, bl);
    let rest = s.sub(rest, cross);
    let slope = s.fma(b, z, b);
    let lost = s.div(rest, slope);
    // Of tiny quotients (that of an infinite divisor is 0) there is nothing to mend.
    let (size, least) = (s.abs(q), s.c(t, 2f64.powi(-100)));
    let usable = s.lt(least, size);
    let lost = s.select(usable, lost, zero);
    let p = s.poly(z, &ATAN_F64);
    let cube = s.mul(q, z);
    let low = s.fma(cube, p, lost);
    let (quarter, quarter_low) = (s.c(t, std::f64::consts::FRAC_PI_4), s.c(t, 3.061616997868383e-17));
    let moved = s.add(low, quarter_low);
    let low = s.select(far, moved, low);
    let r = s.add(q, low);
    let moved = s.add(quarter, r);
    s.select(far, moved, r)
}
