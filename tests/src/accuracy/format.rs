//! Float formats and errors in units of the last place.

use super::dd::{Exact, exponent, ldexp};
use kiln::ir::DType;

/// A binary float format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// The element type.
    pub dtype: DType,
    /// Its name in kiln and in StableHLO.
    pub name: &'static str,
    /// Digits of a normal number, the leading one included.
    pub digits: i32,
    /// Exponent of the smallest normal number.
    pub least: i32,
    /// Exponent of the largest numbers.
    pub most: i32,
    /// Bytes of an element.
    pub bytes: usize,
}

/// binary16.
pub const F16: Format = Format { dtype: DType::F16, name: "f16", digits: 11, least: -14, most: 15, bytes: 2 };
/// bfloat16.
pub const BF16: Format = Format { dtype: DType::BF16, name: "bf16", digits: 8, least: -126, most: 127, bytes: 2 };
/// binary32.
pub const F32: Format = Format { dtype: DType::F32, name: "f32", digits: 24, least: -126, most: 127, bytes: 4 };
/// binary64.
pub const F64: Format = Format { dtype: DType::F64, name: "f64", digits: 53, least: -1022, most: 1023, bytes: 8 };

impl Format {
    /// Bits of an element.
    pub fn width(self) -> u32 {
        8 * self.bytes as u32
    }

    /// The value of a bit pattern.
    pub fn decode(self, bits: u64) -> f64 {
        if self.bytes == 8 {
            return f64::from_bits(bits);
        }
        if self.bytes == 4 {
            return f64::from(f32::from_bits(bits as u32));
        }
        let m = self.digits - 1;
        let fraction = (bits & ((1 << m) - 1)) as f64;
        let field = (bits >> m) as i32 & (2 * self.most + 1);
        let size = match field {
            0 => ldexp(fraction, self.least - m),
            f if f == 2 * self.most + 1 => {
                if fraction == 0.0 {
                    f64::INFINITY
                } else {
                    f64::NAN
                }
            }
            f => ldexp(fraction + ldexp(1.0, m), f - self.most - m),
        };
        if bits >> (self.width() - 1) & 1 == 1 { -size } else { size }
    }

    /// The bits of the nearest number.
    pub fn encode(self, x: f64) -> u64 {
        match self.bytes {
            8 => x.to_bits(),
            4 => u64::from((x as f32).to_bits()),
            _ => {
                let sign = u64::from(x.is_sign_negative()) << (self.width() - 1);
                let a = x.abs();
                let m = self.digits - 1;
                let infinity = ((2 * self.most + 1) as u64) << m;
                if a.is_nan() {
                    return infinity | 1 << (m - 1);
                }
                if a.is_infinite() {
                    return sign | infinity;
                }
                let e = if a == 0.0 { self.least } else { exponent(a).max(self.least) };
                // The leading digit of a normal number, and a carry, add to the exponent field.
                let units = ldexp(a, m - e).round_ties_even() as u64;
                sign | (units + (((e - self.least) as u64) << m)).min(infinity)
            }
        }
    }

    /// The error of a result in units of the last place of the exact result: the distance of the two numbers around it. An
    /// infinity counts as the number after the largest one; a NaN, an infinite value, or the sign of a zero that is wrong is
    /// an infinite error. The unit is never taken smaller than that of numbers of exponent `floor`.
    pub fn error(self, found: f64, exact: Exact, floor: i32) -> f64 {
        let floor = floor.max(self.least);
        let (hi, lo) = (exact.value.hi, exact.value.lo);
        let same = |ok: bool| if ok { 0.0 } else { f64::INFINITY };
        if hi.is_nan() || found.is_nan() {
            return same(hi.is_nan() && found.is_nan());
        }
        if hi.is_infinite() {
            return same(found == hi);
        }
        if found == 0.0 && found.is_sign_negative() != hi.is_sign_negative() {
            return if floor > self.least { 0.0 } else { f64::INFINITY };
        }
        if hi == 0.0 {
            return if found == 0.0 { 0.0 } else { ldexp(found.abs(), self.digits - 1 - floor) };
        }
        let e = exponent(hi) + exact.exponent;
        let unit = e.clamp(floor, self.most) - (self.digits - 1);
        let limit = ldexp(1.0, self.most + 1 - unit);
        let scaled = if found.is_infinite() { limit.copysign(found) } else { ldexp(found, -unit) };
        if e > self.most {
            return (scaled - limit.copysign(hi)).abs();
        }
        let shift = exact.exponent - unit;
        ((scaled - ldexp(hi, shift)) - ldexp(lo, shift)).abs()
    }
}
