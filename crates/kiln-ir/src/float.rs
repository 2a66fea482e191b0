//! Rounding to the short floats, and elements as numbers.

use crate::dtype::{DType, DTypeClass};
use half::{bf16, f16};

/// The f16 nearest to `x`, ties to even, rounded once. (`half`'s own conversion drops the low bits of an f64.)
pub fn f16_from_f64(x: f64) -> f16 {
    f16::from_f32(round_to_odd(x))
}

/// The bf16 nearest to `x`, ties to even, rounded once.
pub fn bf16_from_f64(x: f64) -> bf16 {
    bf16::from_f32(round_to_odd(x))
}

/// `x` as f32 rounded to odd: what is lost leaves its mark in the last bit, so that rounding the result to fewer bits is as good
/// as rounding `x` (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
pub fn round_to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    if f64::from(nearest) == x || !nearest.is_finite() || nearest.to_bits() & 1 == 1 {
        return nearest;
    }
    // The neighbour on the other side of `x` has an odd last bit.
    let away = (f64::from(nearest).abs() < x.abs()) as u32;
    f32::from_bits(if away == 1 { nearest.to_bits() + 1 } else { nearest.to_bits() - 1 })
}

/// The f32 of the bits of an f16; those of a NaN are kept as they are. (`half` makes them quiet.)
pub fn f32_of_f16(bits: u16) -> f32 {
    let value = f16::from_bits(bits);
    match value.is_nan() {
        true => f32::from_bits(u32::from(bits >> 15) << 31 | 0x7f80_0000 | u32::from(bits & 1023) << 13),
        false => value.to_f32(),
    }
}

impl DType {
    /// Exponent bits of a float; none for other types.
    pub const fn exponent_bits(self) -> Option<u32> {
        match self.mantissa_bits() {
            Some(mantissa) => match self.mini_format() {
                Some(format) => Some(format.exponent_bits),
                None => Some(self.bits() - 1 - mantissa),
            },
            None => None,
        }
    }

    /// Mantissa bits of a float after the implicit leading one; none for other types.
    pub const fn mantissa_bits(self) -> Option<u32> {
        match self {
            DType::F16 => Some(10),
            DType::BF16 => Some(7),
            DType::F32 => Some(23),
            DType::F64 => Some(52),
            other => match other.mini_format() {
                Some(format) => Some(format.mantissa_bits),
                None => None,
            },
        }
    }

    /// The signed integer of as many bits, if there is one.
    pub fn to_signed(self) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.is_signed_int() && d.bits() == self.bits())
    }

    /// The unsigned integer of as many bits, if there is one.
    pub fn to_unsigned(self) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.is_unsigned_int() && d.bits() == self.bits())
    }

    /// The number of an element that is not complex, given as the low bytes of a word: exact but for integers beyond 2^53.
    ///
    /// ```
    /// use kiln_ir::DType;
    /// assert_eq!(DType::I8.decode(0xff), -1.0);
    /// assert_eq!(DType::BF16.decode(0x3f80), 1.0);
    /// ```
    pub fn decode(self, bits: u64) -> f64 {
        match self {
            DType::F16 => f16::from_bits(bits as u16).to_f64(),
            DType::BF16 => bf16::from_bits(bits as u16).to_f64(),
            DType::F32 => f64::from(f32::from_bits(bits as u32)),
            DType::F64 => f64::from_bits(bits),
            _ => match self.mini_format() {
                Some(format) => f64::from(format.decode(bits as u8)),
                None => self.decode_int(bits) as f64,
            },
        }
    }

    /// The value of an integer or truth value, given as the low bytes of a word.
    pub const fn decode_int(self, bits: u64) -> i128 {
        let unused = 64 - 8 * self.size() as u32;
        match self.class() {
            DTypeClass::Signed => ((bits << unused) as i64 >> unused) as i128,
            _ => (bits << unused >> unused) as i128,
        }
    }

    /// The element nearest to `x` as the low bytes of a word: floats rounded once to nearest even, integers truncated and
    /// saturated (NaN gives 0), truth values true unless `x` is 0. Of complex types it is a part.
    ///
    /// ```
    /// use kiln_ir::DType;
    /// assert_eq!(DType::U8.encode(300.5), 255);
    /// assert_eq!(DType::F16.encode(1.0), 0x3c00);
    /// ```
    pub fn encode(self, x: f64) -> u64 {
        match self.real_type() {
            DType::F16 => f16_from_f64(x).to_bits().into(),
            DType::BF16 => bf16_from_f64(x).to_bits().into(),
            DType::F32 => (x as f32).to_bits().into(),
            DType::F64 => x.to_bits(),
            DType::Bool => (x != 0.0).into(),
            other => match other.mini_format() {
                Some(format) => format.encode_f64(x).into(),
                None => other.encode_int((x as i128).clamp(other.lowest_int(), other.highest_int())),
            },
        }
    }

    /// An integer of this type, wrapped, as the low bytes of a word.
    pub const fn encode_int(self, n: i128) -> u64 {
        let (unused, above) = (64 - self.bits(), 64 - 8 * self.size() as u32);
        let high = (n as u64) << unused;
        let wrapped = if self.is_signed_int() { (high as i64 >> unused) as u64 } else { high >> unused };
        wrapped << above >> above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_numbers() {
        for d in DType::ALL.into_iter().filter(|d| d.is_int()) {
            for n in [d.lowest_int(), d.highest_int(), 0, 1] {
                assert_eq!(d.decode_int(d.encode_int(n)), n, "{d}");
            }
            assert_eq!(d.decode_int(d.encode_int(d.highest_int() + 1)), d.lowest_int(), "{d} wraps");
            assert_eq!(d.decode_int(d.encode(1e30)), d.highest_int(), "{d} saturates");
            assert_eq!(d.encode(f64::NAN), 0, "{d}");
            assert_eq!(d.to_signed().map(DType::bits), Some(d.bits()));
        }
        for d in DType::ALL.into_iter().filter(|d| d.is_float()) {
            assert_eq!(d.decode(d.encode(1.0)), 1.0, "{d}");
            let sign = u32::from(d != DType::F8E8M0FNU);
            let layout = d.exponent_bits().zip(d.mantissa_bits()).map(|(e, m)| sign + e + m);
            assert_eq!(layout, Some(d.bits()), "{d}");
        }
    }

    #[test]
    fn narrow_floats_round_once() {
        // Just above the middle of two neighbours: rounding to f32 first would lose what breaks the tie.
        let tie = f64::from(f16::ONE.to_f32()) + 2f64.powi(-11);
        assert_eq!(f16_from_f64(tie), f16::ONE);
        assert_eq!(f16_from_f64(tie + 2f64.powi(-40)), f16::from_f32(1.0 + 2f32.powi(-10)));
        assert_eq!(f16_from_f64(-tie - 2f64.powi(-40)), f16::from_f32(-1.0 - 2f32.powi(-10)));
        let tie = 1.0 + 2f64.powi(-8);
        assert_eq!(bf16_from_f64(tie), bf16::ONE);
        assert_eq!(bf16_from_f64(tie + 2f64.powi(-45)), bf16::from_f32(1.0 + 2f32.powi(-7)));
        assert_eq!(bf16_from_f64(1.0 + 3.0 * 2f64.powi(-8) - 2f64.powi(-45)), bf16::from_f32(1.0 + 2f32.powi(-7)));
        for special in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e-300] {
            assert_eq!(f16_from_f64(special), f16::from_f32(special as f32));
        }
        assert!(bf16_from_f64(f64::NAN).is_nan());
    }
}
