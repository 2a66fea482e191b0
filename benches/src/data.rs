//! The portable generator of weights and data: counter-based, the same bits in any language.
//!
//! `seed = fnv1a64("<workload>/<tensor>")`, `z_i` is the splitmix64 finaliser of `seed + (i + 1) * 0x9E3779B97F4A7C15`,
//! `u_i = f32(z_i >> 40) * 2^-24`, a uniform value is `(2 u_i - 1) * bound`, an integer `((z_i >> 32) * k) >> 32`.

use kiln::prelude::Tensor;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The 64-bit FNV-1a hash of a name.
pub fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01B3))
}

fn z(seed: u64, i: u64) -> u64 {
    let mut z = seed.wrapping_add((i + 1).wrapping_mul(GOLDEN));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn count(shape: &[usize]) -> u64 {
    shape.iter().product::<usize>() as u64
}

fn tensor<T: kiln::prelude::Element>(shape: &[usize], data: Vec<T>) -> Tensor {
    Tensor::from_vec(shape, data).expect("the generator makes as many elements as the shape has")
}

/// Uniform f32 in `[-bound, bound)`.
pub fn uniform(key: &str, shape: &[usize], bound: f64) -> Tensor {
    let (seed, bound) = (fnv1a64(key), bound as f32);
    let value = |i| ((z(seed, i) >> 40) as f32 * 2f32.powi(-24) * 2.0 - 1.0) * bound;
    tensor(shape, (0..count(shape)).map(value).collect())
}

/// Integers in `[0, k)` as i32.
pub fn randint(key: &str, shape: &[usize], k: u64) -> Vec<i32> {
    let seed = fnv1a64(key);
    (0..count(shape)).map(|i| (((z(seed, i) >> 32) * k) >> 32) as i32).collect()
}

/// [`randint`] as a tensor.
pub fn randint_tensor(key: &str, shape: &[usize], k: u64) -> Tensor {
    tensor(shape, randint(key, shape, k))
}

/// Every element this value.
pub fn full(shape: &[usize], value: f32) -> Tensor {
    tensor(shape, vec![value; count(shape) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values published with the definition of the generator.
    #[test]
    fn known_values() {
        assert_eq!(fnv1a64("T1/w0"), 0x0cb4_1cfd_9e86_3e7c);
        let w = uniform("T1/w0", &[784, 256], (6.0f64 / 784.0).sqrt());
        let first = &w.as_slice::<f32>().expect("f32")[..4];
        let expected = [0.033_518_72, 0.074_568_905, -0.030_440_0, -0.082_158_215];
        assert!(first.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-7), "{first:?}");
        assert_eq!(randint("T1/y0", &[64], 10)[..8], [0, 1, 9, 3, 4, 5, 3, 4]);
    }
}
