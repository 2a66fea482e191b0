//! Conversions that are not basic: f16 and bf16 by bit operations, bool by select and comparison.

use super::is_half;
use super::seq::Seq;
use crate::ir::Var;
use kiln_ir::DType;

/// A value of type `to`, or `None` when the conversion is basic.
pub(super) fn convert(s: &mut Seq<'_>, to: DType, x: Var) -> Option<Var> {
    let from = s.dtype(x);
    if from == to {
        return Some(x);
    }
    let native = |a: DType, b: DType| a == DType::F32 && is_half(b) || b == DType::F32 && is_half(a);
    if s.options.native_half && native(from, to) {
        return None;
    }
    let middle = match (from, to) {
        (DType::Bool, t) if !is_half(t) => {
            let (zero, one) = (s.c(t, 0.0), s.c(t, 1.0));
            return Some(s.select(x, one, zero));
        }
        (t, DType::Bool) if !is_half(t) => {
            let zero = s.c(t, 0.0);
            return Some(s.ne(x, zero));
        }
        (DType::F16, DType::F32) => return Some(widen_f16(s, x)),
        (DType::BF16, DType::F32) => return Some(widen_bf16(s, x)),
        (DType::F32, DType::F16) => return Some(narrow_f16(s, x)),
        (DType::F32, DType::BF16) => return Some(narrow_bf16(s, x)),
        (DType::F64, t) if is_half(t) => narrow_to_odd(s, x),
        (a, b) if is_half(a) || is_half(b) => step(s, DType::F32, x),
        _ => return None,
    };
    Some(step(s, to, middle))
}

/// [`convert`], with the basic case emitted.
fn step(s: &mut Seq<'_>, to: DType, x: Var) -> Var {
    match convert(s, to, x) {
        Some(v) => v,
        None => s.convert(to, x),
    }
}

/// The exponent is rebiased by a multiplication, which also normalizes subnormals.
fn widen_f16(s: &mut Seq<'_>, x: Var) -> Var {
    let u = DType::U32;
    let h = s.cast(DType::U16, x);
    let h = s.convert(u, h);
    let (low, top) = (s.bits(u, 0x7fff), s.bits(u, 0x8000));
    let magnitude = s.and(h, low);
    let sign = s.and(h, top);
    let sign = s.shl(sign, 16);
    let placed = s.shl(magnitude, 13);
    let placed = s.cast(DType::F32, placed);
    let rebias = s.c(DType::F32, 2f64.powi(112));
    let value = s.mul(placed, rebias);
    let value = s.cast(u, value);
    let largest = s.bits(u, 0x7bff);
    let special = s.lt(largest, magnitude);
    let exponent = s.bits(u, 0x7f80_0000);
    let saturated = s.or(value, exponent);
    let value = s.select(special, saturated, value);
    let value = s.or(value, sign);
    s.cast(DType::F32, value)
}

fn widen_bf16(s: &mut Seq<'_>, x: Var) -> Var {
    let h = s.cast(DType::U16, x);
    let h = s.convert(DType::U32, h);
    let h = s.shl(h, 16);
    s.cast(DType::F32, h)
}

/// Nearest even: normal results by integer rounding, subnormal ones by adding 1/2, whose last place is theirs.
fn narrow_f16(s: &mut Seq<'_>, x: Var) -> Var {
    let u = DType::U32;
    let bits = s.cast(u, x);
    let low = s.bits(u, 0x7fff_ffff);
    let magnitude = s.and(bits, low);
    let sign = s.xor(bits, magnitude);
    let sign = s.shr(sign, 16);
    let odd = s.shr(magnitude, 13);
    let one = s.bits(u, 1);
    let odd = s.and(odd, one);
    // Exponent bias 15 instead of 127, and half of the last place less the even bit.
    let adjust = s.bits(u, 0xc800_0fff);
    let normal = s.add(magnitude, adjust);
    let normal = s.add(normal, odd);
    let normal = s.shr(normal, 13);
    let half = s.c(DType::F32, 0.5);
    let value = s.cast(DType::F32, magnitude);
    let raised = s.add(value, half);
    let raised = s.cast(u, raised);
    let half_bits = s.bits(u, 0x3f00_0000);
    let subnormal = s.sub(raised, half_bits);
    let least = s.bits(u, 0x3880_0000);
    let is_small = s.lt(magnitude, least);
    let r = s.select(is_small, subnormal, normal);
    // 65520 and more round to infinity.
    let (last, inf16) = (s.bits(u, 0x477f_efff), s.bits(u, 0x7c00));
    let over = s.lt(last, magnitude);
    let r = s.select(over, inf16, r);
    let (inf, nan16) = (s.bits(u, 0x7f80_0000), s.bits(u, 0x7e00));
    let is_nan = s.lt(inf, magnitude);
    let r = s.select(is_nan, nan16, r);
    let r = s.or(r, sign);
    let r = s.convert(DType::U16, r);
    s.cast(DType::F16, r)
}

fn narrow_bf16(s: &mut Seq<'_>, x: Var) -> Var {
    let u = DType::U32;
    let bits = s.cast(u, x);
    let upper = s.shr(bits, 16);
    let (one, below_half, quiet) = (s.bits(u, 1), s.bits(u, 0x7fff), s.bits(u, 0x40));
    let odd = s.and(upper, one);
    let r = s.add(bits, below_half);
    let r = s.add(r, odd);
    let r = s.shr(r, 16);
    let nan = s.or(upper, quiet);
    let is_nan = s.ne(x, x);
    let r = s.select(is_nan, nan, r);
    let r = s.convert(DType::U16, r);
    s.cast(DType::BF16, r)
}

/// f64 to f32 rounded to odd (towards zero, last bit set when inexact), so that rounding again to 16 bits rounds once.
fn narrow_to_odd(s: &mut Seq<'_>, x: Var) -> Var {
    let u = DType::U32;
    let nearest = s.convert(DType::F32, x);
    let back = s.convert(DType::F64, nearest);
    let inexact = s.ne(back, x);
    let (a, b) = (s.abs(back), s.abs(x));
    let away = s.lt(b, a);
    let (zero, one) = (s.bits(u, 0), s.bits(u, 1));
    let bits = s.cast(u, nearest);
    let down = s.select(away, one, zero);
    let bits = s.sub(bits, down);
    let sticky = s.select(inexact, one, zero);
    let bits = s.or(bits, sticky);
    s.cast(DType::F32, bits)
}
