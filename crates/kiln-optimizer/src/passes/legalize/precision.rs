//! `reduce_precision` as integer arithmetic on bits, after XLA's `ReducePrecision`.

use super::build::{Build, Built, uint_of};
use kiln_ir::op::CompareDirection::{GT, LE};
use kiln_ir::{DType, Value};

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
        let (fewer_exponent, fewer_mantissa) = (exponent_bits < own_exponent, mantissa_bits < own_mantissa);
        if !fewer_exponent && !fewer_mantissa {
            return Ok(x);
        }
        let mut bits = self.bitcast(x, uint_of(dtype))?;
        let width = dtype.bits();
        let ones = u64::MAX >> (64 - width);
        if fewer_mantissa {
            // Half of what is dropped, to even; a carry goes to the exponent, where it belongs.
            let dropped = own_mantissa - mantissa_bits;
            let odd = self.shr(bits, dropped)?;
            let odd = self.mask(odd, 1)?;
            let half = self.bits(bits, (1 << (dropped - 1)) - 1)?;
            let sum = self.add(bits, half)?;
            let sum = self.add(sum, odd)?;
            bits = self.mask(sum, ones & !((1 << dropped) - 1))?;
        }
        if fewer_exponent {
            let mask = ((1u64 << own_exponent) - 1) << own_mantissa;
            let (bias, reduced) = ((1u64 << (own_exponent - 1)) - 1, (1u64 << (exponent_bits - 1)) - 1);
            let exponent = self.mask(bits, mask)?;
            let over = self.cmp_bits(GT, exponent, (bias + reduced) << own_mantissa)?;
            let under = self.cmp_bits(LE, exponent, (bias - reduced) << own_mantissa)?;
            let sign = self.mask(bits, 1 << (width - 1))?;
            let infinity = self.bits(sign, mask)?;
            let infinity = self.or(infinity, sign)?;
            bits = self.sel(over, infinity, bits)?;
            bits = self.sel(under, sign, bits)?;
        }
        let rounded = self.bitcast(bits, dtype)?;
        let nan = self.is_nan(x)?;
        self.sel(nan, x, rounded)
    }
}
