//! `rng_bit_generator`: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
//! 1, 2, 3", SC 2011), counters and words laid out as XLA's `THREE_FRY` algorithm does.

use super::{Results, sizes};
use crate::dispatch;
use crate::error::Fault;
use crate::index::{for_each_index, offset_of, strides};
use crate::scalar::lane::{Lane, Wide};
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

/// `state` is (key, counter). 64-bit results take one block each, at consecutive counters in row-major order. Narrower ones
/// halve a dimension, take one block per element of the halved shape, and give the two words to neighbours in that dimension
/// (8- and 16-bit results keep the low bits of a word).
pub(super) fn rng_bit_generator(state: &Tensor, ty: &TensorType) -> Result<Results, Fault> {
    let &[key, counter] = state.as_slice::<u64>()? else {
        return Err(Fault::malformed("the state is not u64[2]"));
    };
    let shape = sizes(ty)?;
    let block = |i: u64| threefry2x32(words(key), words(counter.wrapping_add(i)));
    let (bits, blocks) = if ty.dtype.size() == 8 {
        let n = shape.iter().product::<usize>() as u64;
        let bits = (0..n).map(|i| {
            let [low, high] = block(i);
            u64::from(low) | u64::from(high) << 32
        });
        (bits.collect(), n)
    } else {
        halved(&shape, block)
    };
    let next = Tensor::from_vec([2], vec![key, counter.wrapping_add(blocks)])?;
    let value = dispatch!(ty.dtype, T => {
        Tensor::from_vec(&shape, bits.into_iter().map(|b| <T as Lane>::narrow(Wide::U(b))).collect())?
    });
    Ok(smallvec![next, value])
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
