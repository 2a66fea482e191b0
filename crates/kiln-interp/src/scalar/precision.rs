//! `reduce_precision`, on bits.

use kiln_ir::DType;

/// The bits of a float of type `dtype` rounded to the nearest value, ties to even, that so many bits of exponent and mantissa
/// can hold; none for types that are no floats.
///
/// Too large values become infinite (or what the type has for it). What would be subnormal in fewer bits of exponent becomes a
/// zero of its sign. NaN stays as it is. A number of bits that the type does not have changes nothing; floats of at most 8
/// bits count as f32 here.
///
/// ```
/// use kiln_interp::scalar::precision::reduce_precision;
/// let rounded = reduce_precision(kiln_ir::DType::F32, 1.3f32.to_bits().into(), 8, 2);
/// assert_eq!(rounded, Some(1.25f32.to_bits().into()));
/// ```
pub fn reduce_precision(dtype: DType, bits: u64, exponent_bits: u32, mantissa_bits: u32) -> Option<u64> {
    if let Some(format) = dtype.mini_format() {
        let x = format.decode(bits as u8);
        let wide = reduce_precision(DType::F32, x.to_bits().into(), exponent_bits, mantissa_bits)?;
        return Some(if x.is_nan() { bits } else { format.encode(f32::from_bits(wide as u32)).into() });
    }
    // Bits of exponent and mantissa.
    let (e, m) = match dtype {
        DType::F16 => (5, 10),
        DType::BF16 => (8, 7),
        DType::F32 => (8, 23),
        DType::F64 => (11, 52),
        _ => return None,
    };
    let infinity = ((1u64 << e) - 1) << m;
    let sign = bits & 1 << (e + m);
    let mut magnitude = bits ^ sign;
    if magnitude > infinity {
        return Some(bits);
    }
    if mantissa_bits < m {
        // A value that rounds up carries into the exponent by itself, and from the largest one to infinity.
        let dropped = m - mantissa_bits;
        let odd = magnitude >> dropped & 1;
        magnitude = (magnitude + (1 << (dropped - 1)) - 1 + odd) >> dropped << dropped;
    }
    if exponent_bits < e {
        let bias = |bits: u32| (1i64 << (bits - 1)) - 1;
        let exponent = (magnitude >> m) as i64 - bias(e);
        let limit = bias(exponent_bits.max(1));
        if exponent > limit {
            magnitude = infinity;
        } else if exponent <= -limit {
            magnitude = 0;
        }
    }
    Some(sign | magnitude)
}
