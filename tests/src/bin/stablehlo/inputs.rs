//! Data for the cases.

use kiln::ir::{DType, Op};
use kiln::prelude::*;
use kiln_testing::Rng;

/// These numbers as a tensor of a type.
pub fn numbers(dtype: DType, shape: &[usize], values: Vec<f64>) -> Tensor {
    let wide = Tensor::from_vec(shape, values).expect("as many values as the shape has");
    let mut converted = kiln::interp::eval_op(&Op::Convert(dtype), &[wide]).expect("numbers convert to any type");
    converted.swap_remove(0)
}

/// Random data of a type: floats in [-2, 2), integers of a few dozen values around 0 (or from 0 on), fair bools.
pub fn random(rng: &mut Rng, dtype: DType, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let mut value = || match dtype {
        DType::Bool => rng.below(2) as f64,
        d if d.is_int() => {
            let bits = d.bits().min(6);
            match d.is_signed_int() {
                true => rng.range(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) as f64,
                false => rng.below(1 << bits) as f64,
            }
        }
        _ => rng.unit() * 4.0 - 2.0,
    };
    if dtype.is_complex() {
        let parts = numbers(dtype.real_type(), &[2 * n], (0..2 * n).map(|_| value()).collect());
        return Tensor::from_bytes(dtype, shape, parts.bytes()).expect("pairs of parts");
    }
    numbers(dtype, shape, (0..n).map(|_| value()).collect())
}

/// Numbers at which functions do something special, none subnormal in f16 or larger types.
pub const SPECIAL: [f64; 28] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.0,
    2.5,
    -2.5,
    3.0,
    -3.0,
    0.1,
    -0.1,
    10.0,
    -10.0,
    0.001,
    100.5,
    -100.5,
    1000.0,
    -1000.0,
    30000.0,
    -30000.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    7.0,
];

/// All pairs of special numbers, as the two operands of something.
pub fn special_pairs(dtype: DType) -> (Tensor, Tensor) {
    let n = SPECIAL.len();
    let left = (0..n * n).map(|i| SPECIAL[i / n]).collect();
    let right = (0..n * n).map(|i| SPECIAL[i % n]).collect();
    (numbers(dtype, &[n, n], left), numbers(dtype, &[n, n], right))
}

/// All pairs of integers at which arithmetic does something special.
pub fn special_integers(dtype: DType) -> (Tensor, Tensor) {
    let bits = dtype.bits();
    let (low, high) = match dtype.is_signed_int() {
        true => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        false => (0, (1i128 << bits) - 1),
    };
    let candidates = [low, low + 1, -7, -3, -2, -1, 0, 1, 2, 3, 5, 7, 31, 32, 63, 64, 100, high - 1, high];
    let mut values: Vec<i128> = candidates.into_iter().filter(|v| (low..=high).contains(v)).collect();
    values.dedup();
    let n = values.len();
    let bytes = |pick: &dyn Fn(usize) -> i128| -> Vec<u8> {
        (0..n * n).flat_map(|i| pick(i).to_le_bytes()[..dtype.size()].to_vec()).collect()
    };
    let left = bytes(&|i| values[i / n]);
    let right = bytes(&|i| values[i % n]);
    let tensor = |b: &[u8]| Tensor::from_bytes(dtype, [n, n], b).expect("elements of the type");
    (tensor(&left), tensor(&right))
}
