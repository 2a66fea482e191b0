//! Floats of at most 8 bits: how they are laid out, and conversion from and to f32.

use crate::dtype::DType;

/// Which special values a [`MiniFormat`] has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MiniSpecials {
    /// Infinities and NaNs in the highest exponent, as in IEEE 754.
    Ieee,
    /// No infinity; NaN is all ones but the sign (`FN`).
    AllOnesNan,
    /// No infinity, no -0: its pattern is the only NaN (`FNUZ`).
    NegativeZeroNan,
    /// Only finite values (`FN` of 4 and 6 bits): what is too large becomes the largest, NaN becomes a zero of the opposite sign.
    Finite,
    /// Powers of two without sign (`E8M0FNU`): no zero; all ones are NaN.
    PowersOfTwo,
}

/// The layout of a float of at most 8 bits: sign, exponent, mantissa from the highest bit down.
///
/// Formats and conversions are those of Micikevicius et al., "FP8 Formats for Deep Learning" (2022), Noune et al., "8-bit Numerical
/// Formats for Deep Neural Networks" (2022) for `FNUZ`, and the OCP Microscaling Formats specification 1.0 (2023).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MiniFormat {
    /// Bits of the exponent.
    pub exponent_bits: u32,
    /// Bits of the mantissa after the implicit leading one.
    pub mantissa_bits: u32,
    /// What is added to the exponent.
    pub bias: i32,
    /// Infinities and NaNs.
    pub specials: MiniSpecials,
}

impl MiniFormat {
    /// The layout of a dtype, if it is one of these floats.
    pub const fn of(dtype: DType) -> Option<MiniFormat> {
        use MiniSpecials::{AllOnesNan, Finite, Ieee, NegativeZeroNan, PowersOfTwo};
        let (exponent_bits, mantissa_bits, bias, specials) = match dtype {
            DType::F4E2M1FN => (2, 1, 1, Finite),
            DType::F6E2M3FN => (2, 3, 1, Finite),
            DType::F6E3M2FN => (3, 2, 3, Finite),
            DType::F8E3M4 => (3, 4, 3, Ieee),
            DType::F8E4M3 => (4, 3, 7, Ieee),
            DType::F8E4M3B11FNUZ => (4, 3, 11, NegativeZeroNan),
            DType::F8E4M3FN => (4, 3, 7, AllOnesNan),
            DType::F8E4M3FNUZ => (4, 3, 8, NegativeZeroNan),
            DType::F8E5M2 => (5, 2, 15, Ieee),
            DType::F8E5M2FNUZ => (5, 2, 16, NegativeZeroNan),
            DType::F8E8M0FNU => (8, 0, 127, PowersOfTwo),
            _ => return None,
        };
        Some(MiniFormat { exponent_bits, mantissa_bits, bias, specials })
    }

    /// Bits of one element.
    pub const fn bits(self) -> u32 {
        let sign = !matches!(self.specials, MiniSpecials::PowersOfTwo) as u32;
        sign + self.exponent_bits + self.mantissa_bits
    }

    /// The bits of a positive NaN, if there is one.
    pub const fn nan(self) -> Option<u8> {
        let exponent = ((1u32 << self.exponent_bits) - 1) << self.mantissa_bits;
        match self.specials {
            MiniSpecials::Ieee => Some((exponent | 1 << (self.mantissa_bits - 1)) as u8),
            MiniSpecials::AllOnesNan => Some((exponent | ((1 << self.mantissa_bits) - 1)) as u8),
            MiniSpecials::NegativeZeroNan => Some(0x80),
            MiniSpecials::PowersOfTwo => Some(0xff),
            MiniSpecials::Finite => None,
        }
    }

    /// The bits of the largest finite value.
    pub const fn largest(self) -> u8 {
        let ones = (1u32 << (self.exponent_bits + self.mantissa_bits)) - 1;
        match self.specials {
            MiniSpecials::Ieee => (ones - (1 << self.mantissa_bits)) as u8,
            MiniSpecials::AllOnesNan | MiniSpecials::PowersOfTwo => (ones - 1) as u8,
            MiniSpecials::NegativeZeroNan | MiniSpecials::Finite => ones as u8,
        }
    }

    /// What values beyond the largest become: an infinity, NaN, or the largest.
    const fn overflow(self) -> u8 {
        match self.specials {
            MiniSpecials::Ieee => self.largest() + 1,
            MiniSpecials::Finite => self.largest(),
            _ => match self.nan() {
                Some(nan) => nan,
                None => self.largest(),
            },
        }
    }

    /// The value of an element; exact.
    pub fn decode(self, byte: u8) -> f32 {
        if self.specials == MiniSpecials::PowersOfTwo {
            return if byte == 0xff { f32::NAN } else { 2f32.powi(i32::from(byte) - 127) };
        }
        let magnitude = u32::from(byte) & ((1 << (self.bits() - 1)) - 1);
        let sign = if byte >> (self.bits() - 1) & 1 == 1 { -1.0f32 } else { 1.0 };
        let (exponent, mantissa) = (magnitude >> self.mantissa_bits, magnitude & ((1 << self.mantissa_bits) - 1));
        let all_ones = exponent == (1 << self.exponent_bits) - 1;
        match self.specials {
            MiniSpecials::Ieee if all_ones && mantissa == 0 => return sign * f32::INFINITY,
            MiniSpecials::Ieee if all_ones => return f32::NAN.copysign(sign),
            MiniSpecials::AllOnesNan if all_ones && mantissa == (1 << self.mantissa_bits) - 1 => {
                return f32::NAN.copysign(sign);
            }
            MiniSpecials::NegativeZeroNan if byte == 0x80 => return f32::NAN,
            _ => {}
        }
        let scale = 2f32.powi(exponent.max(1) as i32 - self.bias - self.mantissa_bits as i32);
        let leading = if exponent > 0 { 1 << self.mantissa_bits } else { 0 };
        sign * (leading + mantissa) as f32 * scale
    }

    /// The element nearest to `x`, ties to even (upwards for powers of two, which have no even).
    ///
    /// Too large values become infinity, else NaN, else the largest. Negative values and zeros have no power of two: NaN.
    pub fn encode(self, x: f32) -> u8 {
        if self.specials == MiniSpecials::PowersOfTwo {
            return encode_power_of_two(x);
        }
        let negative = x.is_sign_negative();
        let sign = u8::from(negative) << (self.bits() - 1);
        if x.is_nan() {
            return match self.nan() {
                Some(nan) => nan | sign,
                // As a zero of the opposite sign, the way ml_dtypes and XLA have it.
                None => u8::from(!negative) << (self.bits() - 1),
            };
        }
        let magnitude = self.encode_magnitude(x.abs());
        match self.specials {
            // The pattern of -0 is NaN.
            MiniSpecials::NegativeZeroNan if magnitude == 0 => 0,
            MiniSpecials::NegativeZeroNan if magnitude == 0x80 => 0x80,
            _ => magnitude | sign,
        }
    }

    /// [`MiniFormat::encode`] of an f64, rounded once.
    pub fn encode_f64(self, x: f64) -> u8 {
        self.encode(crate::float::round_to_odd(x))
    }

    fn encode_magnitude(self, x: f32) -> u8 {
        if x == 0.0 {
            return 0;
        }
        if x.is_infinite() {
            return self.overflow();
        }
        // In f64 every step below is exact: x = significand * 2^(exponent - mantissa_bits), the significand in [0, 2^(bits + 1)).
        let x = f64::from(x);
        let exponent = ((x.to_bits() >> 52) as i32 - 1023).max(1 - self.bias);
        let significand = (x * 2f64.powi(self.mantissa_bits as i32 - exponent)).round_ties_even() as u32;
        // A significand that rounds up to the next power of two carries into the exponent by itself.
        let code = (((exponent + self.bias - 1) as u32) << self.mantissa_bits) + significand;
        if code > u32::from(self.largest()) { self.overflow() } else { code as u8 }
    }
}

fn encode_power_of_two(x: f32) -> u8 {
    if x.is_nan() || x <= 0.0 {
        return 0xff;
    }
    let bits = x.to_bits();
    if bits < 0x0080_0000 {
        // Below 2^-126: 2^-127, or 2^-126 from the middle on.
        return u8::from(bits >= 0x0060_0000);
    }
    ((bits + 0x0040_0000) >> 23) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_comes_back() {
        for dtype in DType::ALL {
            let Some(format) = dtype.mini_format() else { continue };
            for code in 0..(1u32 << format.bits()) {
                let value = format.decode(code as u8);
                if !value.is_nan() {
                    assert_eq!(format.encode(value), code as u8, "{dtype} {code:#x} {value}");
                }
            }
        }
    }

    #[test]
    fn rounds_to_the_nearest_ties_to_even() {
        for dtype in DType::ALL {
            let Some(format) = dtype.mini_format() else { continue };
            for code in 0..format.largest() {
                let (low, high) = (format.decode(code), format.decode(code + 1));
                let middle = (f64::from(low) + f64::from(high)) / 2.0;
                let even = if dtype == DType::F8E8M0FNU || code % 2 == 1 { code + 1 } else { code };
                assert_eq!(format.encode(middle as f32), even, "{dtype} {code:#x}");
                assert_eq!(format.encode((middle * 0.999) as f32), code, "{dtype} {code:#x}");
                assert_eq!(format.encode((middle * 1.001) as f32), code + 1, "{dtype} {code:#x}");
            }
        }
    }

    #[test]
    fn beyond_the_largest() {
        let f = |d: DType| d.mini_format().expect("a small float");
        assert_eq!(f(DType::F8E5M2).encode(1e30), 0x7c);
        assert_eq!(f(DType::F8E4M3FN).encode(-1e30), 0xff);
        assert_eq!(f(DType::F8E4M3FN).encode(464.0), 0x7e);
        assert_eq!(f(DType::F8E4M3FN).encode(465.0), 0x7f);
        assert_eq!(f(DType::F8E4M3FNUZ).encode(f32::NEG_INFINITY), 0x80);
        assert_eq!(f(DType::F8E4M3FNUZ).encode(-0.0), 0);
        assert_eq!(f(DType::F6E2M3FN).encode(f32::INFINITY), 0x1f);
        assert_eq!(f(DType::F4E2M1FN).encode(f32::NAN), 0x8);
        assert_eq!(f(DType::F4E2M1FN).encode(-f32::NAN), 0x0);
        assert_eq!(f(DType::F8E8M0FNU).encode(0.0), 0xff);
        assert_eq!(f(DType::F8E8M0FNU).encode(f32::INFINITY), 0xff);
    }
}
