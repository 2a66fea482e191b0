//! Discrete Fourier transforms: over one to three trailing dimensions, of any length, complex or real on one side.

use super::span::checked_product;
use super::{CallParams, Operands, check_real};
use kiln_ir::DType;
use kiln_ir::op::FftKind;

/// Longest dimension: enough for any memory, small enough for the arithmetic of angles.
const MAX_LENGTH: usize = 1 << 40;

/// Fourier transforms of dense row-major operands `[batch, length...]`. Complex numbers are pairs, real part first.
///
/// Input and output have `length`, but the complex side of `Rfft` and `Irfft` has `length.last() / 2 + 1` numbers in the last
/// dimension; of those, `Irfft` ignores imaginary parts that no real signal has (of frequency 0, and of the highest when the
/// length is even). `Ifft` and `Irfft` divide by the number of elements. The operands are the input, the output, then
/// whatever tables and workspace the target needs; the output must not overlap the input.
///
/// The root mean square error is about `0.3 * sqrt(log2 n)` units in the last place of the root mean square result, twice
/// that for f64 lengths with prime factors above 61; for f32 such lengths are computed in f64.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FftParams {
    /// Type of a real number: [`DType::F32`] or [`DType::F64`].
    pub dtype: DType,
    /// What to compute.
    pub transform: FftKind,
    /// Number of transforms.
    pub batch: usize,
    /// The lengths of the transformed dimensions, one to three.
    pub length: Vec<usize>,
}

/// Non-negative frequencies of a real line.
pub fn spectrum_length(n: usize) -> usize {
    if n == 0 { 0 } else { n / 2 + 1 }
}

impl FftParams {
    /// Whether one side is real.
    pub fn is_real(&self) -> bool {
        matches!(self.transform, FftKind::Rfft | FftKind::Irfft)
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.batch == 0 || self.length.contains(&0)
    }

    /// Complex numbers of the complex side.
    ///
    /// # Panics
    /// When there is no dimension, which [`CallParams::validate`] refuses.
    pub fn spectrum(&self) -> usize {
        let (last, outer) = self.length.split_last().expect("one to three dimensions");
        let last = if self.is_real() { spectrum_length(*last) } else { *last };
        outer.iter().product::<usize>() * last * self.batch
    }
}

impl CallParams for FftParams {
    fn name(&self) -> &'static str {
        "fft"
    }

    fn operand_bytes(&self) -> Result<Operands, String> {
        let size = self.dtype.size();
        let complex = if self.is_empty() { 0 } else { self.spectrum() * 2 };
        let reals = if self.is_empty() { 0 } else { self.batch * self.length.iter().product::<usize>() };
        let (input, output) = match self.transform {
            FftKind::Fft | FftKind::Ifft => (complex, complex),
            FftKind::Rfft => (reals, complex),
            FftKind::Irfft => (complex, reals),
        };
        Ok(vec![
            ("operand", checked_product("operand", &[input, size])?),
            ("result", checked_product("result", &[output, size])?),
        ])
    }

    fn validate(&self) -> Result<(), String> {
        check_real(self.dtype)?;
        let rank = self.length.len();
        if !(1..=3).contains(&rank) {
            return Err(format!("{rank} dimensions; one to three are supported"));
        }
        if let Some(length) = self.length.iter().find(|&&length| length > MAX_LENGTH) {
            return Err(format!("length {length} is too large"));
        }
        // Any real side is smaller than twice the complex numbers, and so is n / 2 + 1 than 2 n.
        let mut sizes = vec![self.batch, 4];
        sizes.extend(&self.length);
        checked_product("batch, length", &sizes)?;
        Ok(())
    }

    /// By the usual estimate (`5 n log2 n` for complex numbers).
    fn flops(&self) -> u64 {
        let points = self.length.iter().fold(self.batch as u64, |n, &length| n.saturating_mul(length as u64));
        let bits: u64 = self.length.iter().map(|&length| u64::from(length.max(1).ilog2())).sum();
        let each = if self.is_real() { 5 * bits / 2 } else { 5 * bits };
        points.saturating_mul(each)
    }
}
