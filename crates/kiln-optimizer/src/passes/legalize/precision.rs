//! `reduce_precision` as integer arithmetic on bits, after XLA's `ReducePrecision`.

use super::build::{Build, Built, uint_of};
use super::storage;
use kiln_ir::op::CompareDirection::{EQ, GT, LE};
use kiln_ir::{DType, MiniSpecials, Value};

/// How the bits of a float are laid out, and its patterns of special values without sign.
struct Layout {
    exponent: u32,
    mantissa: u32,
    bias: i64,
    /// The largest finite value.
    largest: u64,
    /// What lies beyond.
    overflow: u64,
    /// Zero; NaN where there is none.
    zero: u64,
    sign: u64,
    /// The pattern of -0 is NaN.
    one_zero: bool,
}

impl Layout {
    fn of(dtype: DType) -> Layout {
        if let Some(f) = dtype.mini_format() {
            return Layout {
                exponent: f.exponent_bits,
                mantissa: f.mantissa_bits,
                bias: f.bias.into(),
                largest: f.largest().into(),
                overflow: f.encode(f32::INFINITY).into(),
                zero: f.encode(0.0).into(),
                sign: if f.specials == MiniSpecials::PowersOfTwo { 0 } else { 1 << (f.bits() - 1) },
                one_zero: f.specials == MiniSpecials::NegativeZeroNan,
            };
        }
        let (exponent, mantissa) = match dtype {
            DType::F16 => (5, 10),
            DType::BF16 => (8, 7),
            DType::F64 => (11, 52),
            _ => (8, 23),
        };
        let infinity = ((1u64 << exponent) - 1) << mantissa;
        Layout {
            exponent,
            mantissa,
            bias: (1 << (exponent - 1)) - 1,
            largest: infinity - 1,
            overflow: infinity,
            zero: 0,
            sign: 1 << (exponent + mantissa),
            one_zero: false,
        }
    }
}

impl Build {
    /// `x` is the stored form of a float of type `dtype`.
    pub fn reduce_precision(&mut self, x: Value, dtype: DType, exponent_bits: u32, mantissa_bits: u32) -> Built {
        let l = Layout::of(dtype);
        if exponent_bits >= l.exponent && mantissa_bits >= l.mantissa {
            return Ok(x);
        }
        let bits = self.bitcast(x, uint_of(storage(dtype)))?;
        let sign = self.mask(bits, l.sign)?;
        let old = self.mask(bits, (1 << (l.exponent + l.mantissa)) - 1)?;
        let mut magnitude = old;
        if mantissa_bits < l.mantissa {
            // Half of what is dropped, to even; a carry goes to the exponent, where it belongs.
            let dropped = l.mantissa - mantissa_bits;
            let odd = self.shr(magnitude, dropped)?;
            let odd = self.mask(odd, 1)?;
            let half = self.bits(magnitude, (1 << (dropped - 1)) - 1)?;
            let sum = self.add(magnitude, half)?;
            let sum = self.add(sum, odd)?;
            let low = self.shr(sum, dropped)?;
            magnitude = self.shl(low, dropped)?;
        }
        let rounded = magnitude;
        let over = self.cmp_bits(GT, rounded, l.largest)?;
        let overflow = self.bits(rounded, l.overflow)?;
        magnitude = self.sel(over, overflow, magnitude)?;
        let mut result = self.or(magnitude, sign)?;
        if exponent_bits < l.exponent {
            result = self.fewer_exponents(&l, exponent_bits, rounded, sign, result)?;
        }
        // NaN and infinities stay.
        let mut special = self.cmp_bits(GT, old, l.largest)?;
        if l.one_zero {
            let zero = self.cmp_bits(EQ, old, 0)?;
            special = self.or(special, zero)?;
        }
        let result = self.sel(special, bits, result)?;
        self.bitcast(result, storage(dtype))
    }

    /// Infinity above the largest exponent of so many bits, zero below the smallest.
    fn fewer_exponents(&mut self, l: &Layout, bits: u32, rounded: Value, sign: Value, result: Value) -> Built {
        let reduced = (1i64 << (bits.max(1) - 1)) - 1;
        let exponent = self.shr(rounded, l.mantissa)?;
        let highest = (1i64 << l.exponent) - 1;
        let mut result = result;
        if l.bias + reduced < highest {
            let over = self.cmp_bits(GT, exponent, (l.bias + reduced) as u64)?;
            let overflow = self.bits(sign, l.overflow)?;
            let overflow = self.or(overflow, sign)?;
            result = self.sel(over, overflow, result)?;
        }
        if l.bias - reduced >= 0 {
            let under = self.cmp_bits(LE, exponent, (l.bias - reduced) as u64)?;
            let zero = self.bits(sign, l.zero)?;
            let zero = if l.one_zero { zero } else { self.or(zero, sign)? };
            result = self.sel(under, zero, result)?;
        }
        Ok(result)
    }
}
