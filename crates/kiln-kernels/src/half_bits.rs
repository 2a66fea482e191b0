//! Conversions between f32 and the bits of f16 and bf16, rounding to nearest, ties to even.
//!
//! Written as integer arithmetic without branches on the data where that is possible, so that loops over them
//! vectorize.

/// The f32 with the value of a binary16. NaNs keep their sign and payload but become quiet.
#[inline(always)]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = (bits as u32 & 0x8000) << 16;
    let magnitude = bits as u32 & 0x7fff;
    // Shifted into f32's fields, the exponent is too small by 112; a multiplication by 2^112 corrects it and
    // normalizes subnormals on the way. Infinities and NaNs need the largest exponent instead.
    let scaled = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
    let quiet = if magnitude > 0x7c00 { 0x0040_0000 } else { 0 };
    let special = 0x7f80_0000 | (magnitude << 13) | quiet;
    let value = if magnitude >= 0x7c00 { special } else { scaled.to_bits() };
    f32::from_bits(sign | value)
}

/// The bits of the binary16 nearest to `value`; too large values become infinite, NaNs stay (quiet) NaNs with the
/// upper bits of their payload.
#[inline(always)]
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    let result = if magnitude > 0x7f80_0000 {
        0x7e00 | (magnitude >> 13) as u16 & 0x3ff
    } else if magnitude >= 0x4780_0000 {
        // 2^16 and above. Values from 65520 up to there round up to infinity by carry below.
        0x7c00
    } else if magnitude < 0x3880_0000 {
        // Subnormal results: adding 0.5 puts the units of 2^-24 at the end of the mantissa, rounded by the hardware.
        (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits()) as u16
    } else {
        let odd = (magnitude >> 13) & 1;
        ((magnitude - (112 << 23) + 0xfff + odd) >> 13) as u16
    };
    sign | result
}

/// The f32 with the value of a bfloat16; every bit pattern is kept.
#[inline(always)]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits((bits as u32) << 16)
}

/// The bits of the bfloat16 nearest to `value`; NaNs stay (quiet) NaNs with the upper bits of their payload.
#[inline(always)]
pub fn f32_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let quiet = (bits >> 16) | 0x0040;
    let is_nan = bits & 0x7fff_ffff > 0x7f80_0000;
    (if is_nan { quiet } else { rounded }) as u16
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    #[test]
    fn widening_agrees_with_half_on_all_bits() {
        for bits in 0..=u16::MAX {
            let ours = f16_to_f32(bits);
            let theirs = f16::from_bits(bits).to_f32();
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "f16 {bits:#x}");
            let ours = bf16_to_f32(bits);
            let theirs = bf16::from_bits(bits).to_f32();
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "bf16 {bits:#x}");
        }
    }

    /// All values of the upper 20 bits with lower bits around every rounding decision.
    #[test]
    fn narrowing_agrees_with_half_on_all_rounding_cases() {
        let check = |bits: u32| {
            let value = f32::from_bits(bits);
            let (ours, theirs) = (f32_to_f16(value), f16::from_f32(value));
            assert!(ours == theirs.to_bits() || value.is_nan() && f16::from_bits(ours).is_nan(), "f16 {bits:#x}");
            let (ours, theirs) = (f32_to_bf16(value), bf16::from_f32(value));
            assert!(ours == theirs.to_bits() || value.is_nan() && bf16::from_bits(ours).is_nan(), "bf16 {bits:#x}");
        };
        for high in 0..=u16::MAX as u32 {
            for low in [0, 1, 0xfff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x3000, 0x7fff, 0x8000, 0x8001, 0xffff] {
                check(high << 16 | low);
            }
        }
    }

    #[test]
    fn narrowing_keeps_signs_and_limits() {
        assert_eq!(f32_to_f16(65504.0), 0x7bff);
        assert_eq!(f32_to_f16(65519.99), 0x7bff);
        assert_eq!(f32_to_f16(65520.0), 0x7c00);
        assert_eq!(f32_to_f16(-0.0), 0x8000);
        assert_eq!(f32_to_bf16(f32::MAX), 0x7f80);
        assert_eq!(f32_to_bf16(f32::NEG_INFINITY), 0xff80);
    }
}
