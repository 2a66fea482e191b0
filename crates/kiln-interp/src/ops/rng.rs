//! `rng_bit_generator`: Threefry-2x32 with 20 rounds and Philox-4x32 with 10 (Salmon, Moraes, Dror, Shaw: "Parallel random
//! numbers: as easy as 1, 2, 3", SC 2011), counters and words laid out as XLA's `THREE_FRY` and `PHILOX` algorithms do.

use super::elementwise::from_wide;
use super::{Results, sizes};
use crate::error::Fault;
use crate::index::{for_each_index, offset_of, strides};
use crate::scalar::lane::Wide;
use kiln_ir::op::RngAlgorithm;
use kiln_ir::{Tensor, TensorType};
use smallvec::{SmallVec, smallvec};

/// One block of Threefry-2x32-20: two words of random bits for a key and a counter.
///
/// ```
/// // The first known answer of the authors' test vectors.
/// assert_eq!(kiln_interp::threefry2x32([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
/// ```
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    const PARITY: u32 = 0x1bd1_1bda;
    let keys = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    let mut x = [counter[0].wrapping_add(keys[0]), counter[1].wrapping_add(keys[1])];
    for group in 0..5usize {
        for r in ROTATIONS[group % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(r) ^ x[0];
        }
        let i = group + 1;
        x[0] = x[0].wrapping_add(keys[i % 3]);
        x[1] = x[1].wrapping_add(keys[(i + 1) % 3]).wrapping_add(i as u32);
    }
    x
}

fn words(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// One block of Philox-4x32-10: four words of random bits for a key and a counter.
///
/// ```
/// // The first known answer of the authors' test vectors.
/// assert_eq!(kiln_interp::philox4x32([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
/// ```
pub fn philox4x32(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    const STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
    const FACTORS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
    let (mut k, mut x) = (key, counter);
    for _ in 0..10 {
        let [low0, high0] = words(FACTORS[0] * u64::from(x[0]));
        let [low1, high1] = words(FACTORS[1] * u64::from(x[2]));
        x = [high1 ^ x[1] ^ k[0], low1, high0 ^ x[3] ^ k[1], low0];
        k = [k[0].wrapping_add(STEPS[0]), k[1].wrapping_add(STEPS[1])];
    }
    x
}

/// The new state, and random bits of type `ty`.
pub(super) fn rng_bit_generator(state: &Tensor, ty: &TensorType, algorithm: RngAlgorithm) -> Result<Results, Fault> {
    let shape = sizes(ty)?;
    let wide = ty.dtype.size() == 8;
    let (next, bits) = match algorithm {
        RngAlgorithm::ThreeFry => threefry(state, &shape, wide)?,
        RngAlgorithm::Philox => philox(state, &shape, wide)?,
    };
    let next = Tensor::from_vec([next.len()], next)?;
    // Types of less than 32 bits keep the low ones.
    Ok(smallvec![next, from_wide(ty.dtype, &shape, bits.into_iter().map(Wide::U))?])
}

/// `state` is (key, counter) or (key, low half of the counter, high half); in the short form the key is the high half, too.
/// Blocks take consecutive counters; the words of a block go to consecutive elements, two to one of 64 bits.
fn philox(state: &Tensor, shape: &[usize], wide: bool) -> Result<(Vec<u64>, Vec<u64>), Fault> {
    let (key, low, high, long) = match *state.as_slice::<u64>()? {
        [key, low] => (key, low, key, false),
        [key, low, high] => (key, low, high, true),
        _ => return Err(Fault::malformed("the state is neither u64[2] nor u64[3]")),
    };
    let counter = u128::from(high) << 64 | u128::from(low);
    let n: usize = shape.iter().product();
    let blocks = if wide { n.div_ceil(2) } else { n.div_ceil(4) };
    let mut bits = Vec::with_capacity(4 * blocks);
    for i in 0..blocks as u128 {
        let c = counter.wrapping_add(i);
        let [a, b] = [words(c as u64), words((c >> 64) as u64)];
        let x = philox4x32(words(key), [a[0], a[1], b[0], b[1]]).map(u64::from);
        if wide {
            bits.extend([x[0] | x[1] << 32, x[2] | x[3] << 32]);
        } else {
            bits.extend(x);
        }
    }
    bits.truncate(n);
    let next = counter.wrapping_add(blocks as u128);
    let next = if long { vec![key, next as u64, (next >> 64) as u64] } else { vec![key, next as u64] };
    Ok((next, bits))
}

/// `state` is (key, counter). 64-bit results take one block each, at consecutive counters in row-major order. Narrower ones
/// halve a dimension, take one block per element of the halved shape, and give the two words to neighbours in that dimension
/// (results of less than 32 bits keep the low bits of a word).
fn threefry(state: &Tensor, shape: &[usize], wide: bool) -> Result<(Vec<u64>, Vec<u64>), Fault> {
    let &[key, counter] = state.as_slice::<u64>()? else {
        return Err(Fault::malformed("the state is not u64[2]"));
    };
    let block = |i: u64| threefry2x32(words(key), words(counter.wrapping_add(i)));
    let (bits, blocks) = if wide {
        let n = shape.iter().product::<usize>() as u64;
        let bits = (0..n).map(|i| {
            let [low, high] = block(i);
            u64::from(low) | u64::from(high) << 32
        });
        (bits.collect(), n)
    } else {
        halved(shape, block)
    };
    Ok((vec![key, counter.wrapping_add(blocks)], bits))
}

/// 32 bits per element, and the number of blocks taken.
fn halved(shape: &[usize], block: impl Fn(u64) -> [u32; 2]) -> (Vec<u64>, u64) {
    let Some(split) = split_dim(shape) else {
        return (vec![block(0)[0].into()], 1);
    };
    let mut half: SmallVec<[usize; 4]> = shape.into();
    half[split] = shape[split].div_ceil(2);
    let s = strides(&half);
    let mut bits = Vec::with_capacity(shape.iter().product());
    for_each_index(shape, |index| {
        let mut at: SmallVec<[usize; 4]> = index.into();
        at[split] /= 2;
        bits.push(block(offset_of(&at, &s) as u64)[index[split] % 2].into());
    });
    (bits, half.iter().product::<usize>() as u64)
}

/// The first dimension of even size, otherwise the first of the largest size; none for scalars.
fn split_dim(shape: &[usize]) -> Option<usize> {
    let even = shape.iter().position(|n| n % 2 == 0);
    even.or_else(|| (0..shape.len()).max_by_key(|&d| (shape[d], std::cmp::Reverse(d))))
}
