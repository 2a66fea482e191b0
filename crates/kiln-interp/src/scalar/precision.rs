//! `reduce_precision`, on bits.

use kiln_ir::{DType, MiniSpecials};

/// How the bits of a float are laid out, and its patterns of special values without sign.
struct Layout {
    exponent_bits: u32,
    mantissa_bits: u32,
    bias: i64,
    /// The largest finite value.
    largest: u64,
    /// What lies beyond.
    overflow: u64,
    /// Zero; NaN in a format that has no zero.
    zero: u64,
    has_sign: bool,
}

impl Layout {
    fn of(dtype: DType) -> Option<Layout> {
        let ieee = |exponent_bits: u32, mantissa_bits: u32| {
            let infinity = ((1u64 << exponent_bits) - 1) << mantissa_bits;
            let bias = (1 << (exponent_bits - 1)) - 1;
            Layout {
                exponent_bits,
                mantissa_bits,
                bias,
                largest: infinity - 1,
                overflow: infinity,
                zero: 0,
                has_sign: true,
            }
        };
        if let Some(format) = dtype.mini_format() {
            return Some(Layout {
                exponent_bits: format.exponent_bits,
                mantissa_bits: format.mantissa_bits,
                bias: format.bias.into(),
                largest: format.largest().into(),
                overflow: format.encode(f32::INFINITY).into(),
                zero: format.encode(0.0).into(),
                has_sign: format.specials != MiniSpecials::PowersOfTwo,
            });
        }
        match dtype {
            DType::F16 => Some(ieee(5, 10)),
            DType::BF16 => Some(ieee(8, 7)),
            DType::F32 => Some(ieee(8, 23)),
            DType::F64 => Some(ieee(11, 52)),
            _ => None,
        }
    }
}

/// The bits of a float of type `dtype` rounded to the nearest value, ties to even, that so many bits of exponent and mantissa
/// can hold; none for types that are no floats.
///
/// Too large values become infinite (or what the type has for it). What would be subnormal in fewer bits of exponent becomes a
/// zero of its sign. NaN stays as it is. A number of bits that the type does not have changes nothing.
///
/// ```
/// use kiln_interp::scalar::precision::reduce_precision;
/// let rounded = reduce_precision(kiln_ir::DType::F32, 1.3f32.to_bits().into(), 8, 2);
/// assert_eq!(rounded, Some(1.25f32.to_bits().into()));
/// ```
pub fn reduce_precision(dtype: DType, bits: u64, exponent_bits: u32, mantissa_bits: u32) -> Option<u64> {
    let l = Layout::of(dtype)?;
    let sign = if l.has_sign { bits & 1 << (l.exponent_bits + l.mantissa_bits) } else { 0 };
    let mut magnitude = bits ^ sign;
    let nan_at_minus_zero = dtype.mini_format().is_some_and(|f| f.specials == MiniSpecials::NegativeZeroNan);
    if magnitude > l.largest || (nan_at_minus_zero && magnitude == 0) {
        return Some(bits);
    }
    if mantissa_bits < l.mantissa_bits {
        let dropped = l.mantissa_bits - mantissa_bits;
        let odd = magnitude >> dropped & 1;
        magnitude = (magnitude + (1 << (dropped - 1)) - 1 + odd) >> dropped << dropped;
    }
    // A value that rounded up has carried into the exponent.
    let mut overflows = magnitude > l.largest;
    if exponent_bits < l.exponent_bits {
        let bias = (1i64 << (exponent_bits.max(1) - 1)) - 1;
        let exponent = (magnitude >> l.mantissa_bits) as i64 - l.bias;
        overflows |= exponent > bias;
        if exponent <= -bias {
            return Some(if nan_at_minus_zero { 0 } else { sign | l.zero });
        }
    }
    Some(sign | if overflows { l.overflow } else { magnitude })
}
