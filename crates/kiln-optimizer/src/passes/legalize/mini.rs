//! Floats of at most 8 bits: their bytes as f32 and back, in integer arithmetic on the bits of f32.

use super::build::{Build, Built};
use kiln_ir::op::CompareDirection::{self, EQ, GE, GT, LE, LT, NE};
use kiln_ir::{BinaryOp, DType, MiniFormat, MiniSpecials, Value};

const F32_NAN: u64 = 0x7fc0_0000;
const F32_INF: u64 = 0x7f80_0000;

/// The bits of a power of two as f32.
fn power_of_two(exponent: i32) -> f64 {
    2f64.powi(exponent)
}

impl Build {
    /// The values of elements stored as u8; exact.
    pub fn decode(&mut self, x: Value, format: MiniFormat) -> Built {
        let byte = self.convert(x, DType::U32)?;
        if format.specials == MiniSpecials::PowersOfTwo {
            let (bits, nan) = (self.shl(byte, 23)?, self.cmp_bits(EQ, byte, 0xff)?);
            let (zero, least) = (self.cmp_bits(EQ, byte, 0)?, self.bits(byte, 0x0040_0000)?);
            let bits = self.sel(zero, least, bits)?;
            let quiet = self.bits(byte, F32_NAN)?;
            let bits = self.sel(nan, quiet, bits)?;
            return self.bitcast(bits, DType::F32);
        }
        let top = format.bits() - 1;
        let magnitude = self.mask(byte, (1 << top) - 1)?;
        // Exponent and mantissa in the places of f32's: too small by the difference of the biases. Elements that are
        // subnormal in their own format are subnormal f32 here, so that the product is right for them, too.
        let small = self.shl(magnitude, 23 - format.mantissa_bits)?;
        let small = self.bitcast(small, DType::F32)?;
        let value = self.scale(small, power_of_two(127 - format.bias))?;
        let mut bits = self.bitcast(value, DType::U32)?;
        let infinity = u64::from(format.largest()) + 1;
        match format.specials {
            MiniSpecials::Ieee => {
                let inf = self.bits(bits, F32_INF)?;
                let is_inf = self.cmp_bits(EQ, magnitude, infinity)?;
                bits = self.sel(is_inf, inf, bits)?;
                bits = self.nan_where(magnitude, GT, infinity, bits)?;
            }
            MiniSpecials::AllOnesNan => bits = self.nan_where(magnitude, EQ, (1 << top) - 1, bits)?,
            MiniSpecials::NegativeZeroNan | MiniSpecials::Finite | MiniSpecials::PowersOfTwo => {}
        }
        let sign = self.shr(byte, top)?;
        let sign = self.shl(sign, 31)?;
        let mut bits = self.or(bits, sign)?;
        if format.specials == MiniSpecials::NegativeZeroNan {
            bits = self.nan_where(byte, EQ, 0x80, bits)?;
        }
        self.bitcast(bits, DType::F32)
    }

    fn nan_where(&mut self, x: Value, is: CompareDirection, code: u64, otherwise: Value) -> Built {
        let (nan, p) = (self.bits(otherwise, F32_NAN)?, self.cmp_bits(is, x, code)?);
        self.sel(p, nan, otherwise)
    }

    /// The elements nearest to f32 values, ties to even, as u8: what [`MiniFormat::encode`] gives.
    pub fn encode(&mut self, x: Value, format: MiniFormat) -> Built {
        let bits = self.bitcast(x, DType::U32)?;
        let magnitude = self.mask(bits, 0x7fff_ffff)?;
        let sign = self.shr(bits, 31)?;
        if format.specials == MiniSpecials::PowersOfTwo {
            return self.encode_power_of_two(x, magnitude);
        }
        let code = self.encode_magnitude(magnitude, format)?;
        let nan = self.cmp_bits(GT, magnitude, F32_INF)?;
        let top = format.bits() - 1;
        let signed = match format.nan() {
            Some(n) => {
                let n = self.bits(code, n.into())?;
                let code = self.sel(nan, n, code)?;
                let sign = self.shl(sign, top)?;
                let signed = self.or(code, sign)?;
                match format.specials {
                    // There is no -0: its pattern is NaN.
                    MiniSpecials::NegativeZeroNan => {
                        let zero = self.cmp_bits(EQ, code, 0)?;
                        self.sel(zero, code, signed)?
                    }
                    _ => signed,
                }
            }
            None => {
                // NaN becomes a zero of the opposite sign.
                let one = self.bits(sign, 1)?;
                let other = self.bin(BinaryOp::Xor, sign, one)?;
                let (sign, other) = (self.shl(sign, top)?, self.shl(other, top)?);
                let signed = self.or(code, sign)?;
                self.sel(nan, other, signed)?
            }
        };
        self.convert(signed, DType::U8)
    }

    /// The code of a positive value, or of the overflow; anything for NaN.
    fn encode_magnitude(&mut self, magnitude: Value, format: MiniFormat) -> Built {
        let dropped = 23 - format.mantissa_bits;
        // Ordinary numbers: round the bits, which carries into the exponent, and move it to the other bias.
        let half = self.bits(magnitude, (1 << (dropped - 1)) - 1)?;
        let odd = self.shr(magnitude, dropped)?;
        let odd = self.mask(odd, 1)?;
        let rounded = self.add(magnitude, half)?;
        let rounded = self.add(rounded, odd)?;
        let normal = self.shr(rounded, dropped)?;
        let rebias = self.bits(normal, ((127 - format.bias) as u64) << format.mantissa_bits)?;
        let normal = self.sub(normal, rebias)?;
        // Subnormal ones: adding a number whose last bit is worth the smallest element rounds to multiples of that.
        let anchor = power_of_two(1 - format.bias - format.mantissa_bits as i32 + 23);
        let value = self.bitcast(magnitude, DType::F32)?;
        let sum = self.plus(value, anchor)?;
        let sum = self.bitcast(sum, DType::U32)?;
        let anchor = self.bits(sum, u64::from((anchor as f32).to_bits()))?;
        let subnormal = self.sub(sum, anchor)?;
        let least = ((1 - format.bias + 127) as u64) << 23;
        let small = self.cmp_bits(LT, magnitude, least)?;
        let code = self.sel(small, subnormal, normal)?;
        let overflow = self.bits(code, format.encode(f32::INFINITY).into())?;
        let large = self.cmp_bits(GT, code, format.largest().into())?;
        let code = self.sel(large, overflow, code)?;
        // An infinity that is far above every element may have wrapped above.
        let infinite = self.cmp_bits(GE, magnitude, F32_INF)?;
        self.sel(infinite, overflow, code)
    }

    fn encode_power_of_two(&mut self, x: Value, magnitude: Value) -> Built {
        let half = self.bits(magnitude, 0x0040_0000)?;
        let code = self.add(magnitude, half)?;
        let code = self.shr(code, 23)?;
        // Below 2^-126: 2^-127, or 2^-126 from the middle on.
        let one = self.cmp_bits(GE, magnitude, 0x0060_0000)?;
        let one = self.convert(one, DType::U32)?;
        let tiny = self.cmp_bits(LT, magnitude, 0x0080_0000)?;
        let code = self.sel(tiny, one, code)?;
        let nan = self.bits(code, 0xff)?;
        let (unordered, not_positive) = (self.is_nan(x)?, self.cmp_num(LE, x, 0.0)?);
        let none = self.or(unordered, not_positive)?;
        let code = self.sel(none, nan, code)?;
        self.convert(code, DType::U8)
    }

    /// f64 to f32 rounded to odd, so that rounding once more is as good as rounding once: as `kiln_ir` does it.
    pub fn round_to_odd(&mut self, x: Value) -> Built {
        let nearest = self.convert(x, DType::F32)?;
        let back = self.convert(nearest, DType::F64)?;
        let bits = self.bitcast(nearest, DType::U32)?;
        let (exact, finite) = (self.cmp(EQ, back, x)?, self.is_finite(nearest)?);
        let odd = self.mask(bits, 1)?;
        let odd = self.cmp_bits(NE, odd, 0)?;
        let (back, size) = (self.abs(back)?, self.abs(x)?);
        let below = self.cmp(LT, back, size)?;
        let (up, down) = (self.bits(bits, 1)?, self.bits(bits, u32::MAX.into())?);
        let step = self.sel(below, up, down)?;
        let other = self.add(bits, step)?;
        let infinite = self.not(finite)?;
        let stays = self.or(exact, odd)?;
        let stays = self.or(stays, infinite)?;
        let bits = self.sel(stays, bits, other)?;
        self.bitcast(bits, DType::F32)
    }
}
