//! Initial values of variables: recipes to tensors, the same on every machine.

use kiln_ir::{DType, Initializer, Tensor, TensorError};

/// Random bits by counter: Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1BD1_1BDA];
    let mut x = [counter[0].wrapping_add(keys[0]), counter[1].wrapping_add(keys[1])];
    for round in 0..5usize {
        for r in ROTATIONS[round % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(r) ^ x[0];
        }
        x[0] = x[0].wrapping_add(keys[(round + 1) % 3]);
        x[1] = x[1].wrapping_add(keys[(round + 2) % 3]).wrapping_add(round as u32 + 1);
    }
    x
}

/// The `i`th pair of uniform numbers in [0, 1) of a stream, of 53 and 11 + 32 random bits.
fn uniform_pair(seed: u64, stream: u32, i: u64) -> (f64, f64) {
    let key = [seed as u32, (seed >> 32) as u32];
    let at = |n: u64| {
        let [a, b] = threefry2x32(key, [n as u32, (n >> 32) as u32 ^ stream.rotate_left(16)]);
        ((u64::from(a) << 32 | u64::from(b)) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    };
    (at(2 * i), at(2 * i + 1))
}

/// A standard normal number by the Box-Muller transform.
fn normal(seed: u64, stream: u32, i: u64) -> f64 {
    let (u, v) = uniform_pair(seed, stream, i);
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn truncated_normal(seed: u64, i: u64) -> f64 {
    // Redraws from further streams; the chance of 64 draws all outside of two deviations is below 1e-85.
    (0..64).map(|stream| normal(seed, stream, i)).find(|x| x.abs() <= 2.0).unwrap_or(0.0)
}

/// The initial value of a variable of this type.
///
/// # Errors
/// When the size overflows, a random recipe is asked for a type that is not float, or a given value has another type (the
/// message says which).
pub fn initial_value(init: &Initializer, dtype: DType, shape: &[usize]) -> Result<Tensor, String> {
    let text = |e: TensorError| e.to_string();
    let random = |f: &dyn Fn(u64) -> f64| {
        if !dtype.is_float() {
            return Err(format!("a random initial value is a float, the variable is {dtype}"));
        }
        fill(dtype, shape, f).map_err(text)
    };
    match *init {
        Initializer::Zeros => Tensor::zeros(dtype, shape).map_err(text),
        Initializer::Constant(c) => fill(dtype, shape, &|_| c).map_err(text),
        Initializer::Uniform { low, high, seed } => random(&|i| low + (high - low) * uniform_pair(seed, 0, i).0),
        Initializer::Normal { std, seed } => random(&|i| std * normal(seed, 0, i)),
        Initializer::TruncatedNormal { std, seed } => random(&|i| std * truncated_normal(seed, i)),
        Initializer::Value(ref value) => {
            if value.dtype() == dtype && value.shape() == shape {
                Ok(value.clone())
            } else {
                Err(format!("expected {dtype}{shape:?}, found {}", value.ty()))
            }
        }
    }
}

fn fill(dtype: DType, shape: &[usize], f: &dyn Fn(u64) -> f64) -> Result<Tensor, TensorError> {
    let n = shape.iter().try_fold(1usize, |a, &d| a.checked_mul(d)).ok_or(TensorError::TooLarge)? as u64;
    Tensor::from_numbers(dtype, shape, (0..n).map(f))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (threefry2x32, 20 rounds).
    #[test]
    fn threefry_known_answers() {
        assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry2x32([!0, !0], [!0, !0]), [0x1cb9_96fc, 0xbb00_2be7]);
        assert_eq!(threefry2x32([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3]), [0xc492_3a9c, 0x483d_f7a0]);
    }

    #[test]
    fn distributions_have_their_moments() {
        let n = 100_000;
        let moments = |init: Initializer| {
            let v: Vec<f64> = initial_value(&init, DType::F64, &[n]).expect("made").to_vec().expect("f64");
            let mean = v.iter().sum::<f64>() / n as f64;
            let max = v.iter().fold(0.0f64, |a, x| a.max(x.abs()));
            (mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64, max)
        };
        // Five standard errors of the mean and variance of 100,000 draws.
        let (mean, var, _) = moments(Initializer::Normal { std: 2.0, seed: 3 });
        assert!(mean.abs() < 0.032 && (var - 4.0).abs() < 0.09, "{mean} {var}");
        let (mean, var, max) = moments(Initializer::Uniform { low: -1.0, high: 3.0, seed: 3 });
        assert!((mean - 1.0).abs() < 0.02 && (var - 16.0 / 12.0).abs() < 0.03 && max < 3.0, "{mean} {var} {max}");
        let (mean, var, max) = moments(Initializer::TruncatedNormal { std: 1.0, seed: 3 });
        assert!(mean.abs() < 0.02 && (var - 0.7737).abs() < 0.02 && max <= 2.0, "{mean} {var} {max}");
    }

    #[test]
    fn wrong_types_are_refused() {
        let normal = Initializer::Normal { std: 1.0, seed: 0 };
        assert!(initial_value(&normal, DType::I32, &[2]).is_err());
        assert!(initial_value(&Initializer::Value(Tensor::scalar(1.0f32)), DType::F64, &[]).is_err());
    }
}
