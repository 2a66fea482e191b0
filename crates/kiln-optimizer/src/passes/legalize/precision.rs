//! `reduce_precision` as integer arithmetic on bits, after XLA's `ReducePrecision`.

use super::build::{Build, Built, uint_of};
use kiln_ir::op::CompareDirection::{GT, LE};
use kiln_ir::{DType, MiniFormat, Value};

/// Bits of exponent and mantissa.
fn layout(dtype: DType) -> (u32, u32) {
    match dtype {
        DType::F16 => (5, 10),
        DType::BF16 => (8, 7),
        DType::F64 => (11, 52),
        _ => (8, 23),
    }
}

impl Build {
    pub fn reduce_precision(&mut self, x: Value, exponent_bits: u32, mantissa_bits: u32) -> Built {
        let dtype = self.dtype(x);
        let (own_exponent, own_mantissa) = layout(dtype);
        if exponent_bits >= own_exponent && mantissa_bits >= own_mantissa {
            return Ok(x);
        }
        let bits = self.bitcast(x, uint_of(dtype))?;
        let top = 1u64 << (dtype.bits() - 1);
        let infinity = ((1u64 << own_exponent) - 1) << own_mantissa;
        let (sign, old) = (self.mask(bits, top)?, self.mask(bits, top - 1)?);
        let mut magnitude = old;
        if mantissa_bits < own_mantissa {
            // Half of what is dropped, to even; a carry goes to the exponent, where it belongs.
            let dropped = own_mantissa - mantissa_bits;
            let odd = self.shr(magnitude, dropped)?;
            let odd = self.mask(odd, 1)?;
            let half = self.bits(magnitude, (1 << (dropped - 1)) - 1)?;
            let sum = self.add(magnitude, half)?;
            let sum = self.add(sum, odd)?;
            let low = self.shr(sum, dropped)?;
            magnitude = self.shl(low, dropped)?;
        }
        if exponent_bits < own_exponent {
            let (bias, reduced) = ((1u64 << (own_exponent - 1)) - 1, (1u64 << (exponent_bits.max(1) - 1)) - 1);
            let exponent = self.shr(magnitude, own_mantissa)?;
            let (over, under) =
                (self.cmp_bits(GT, exponent, bias + reduced)?, self.cmp_bits(LE, exponent, bias - reduced)?);
            let (infinite, zero) = (self.bits(magnitude, infinity)?, self.bits(magnitude, 0)?);
            magnitude = self.sel(over, infinite, magnitude)?;
            magnitude = self.sel(under, zero, magnitude)?;
        }
        let result = self.or(magnitude, sign)?;
        let nan = self.cmp_bits(GT, old, infinity)?;
        let result = self.sel(nan, bits, result)?;
        self.bitcast(result, dtype)
    }

    /// The same of a float of at most 8 bits: as f32, then rounded to the type.
    pub fn reduce_mini_precision(
        &mut self,
        x: Value,
        format: MiniFormat,
        exponent_bits: u32,
        mantissa_bits: u32,
    ) -> Built {
        let value = self.decode(x, format)?;
        let reduced = self.reduce_precision(value, exponent_bits, mantissa_bits)?;
        let encoded = self.encode(reduced, format)?;
        let nan = self.is_nan(value)?;
        self.sel(nan, x, encoded)
    }
}
