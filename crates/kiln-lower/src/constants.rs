//! The constants slot of a program: literals, each stored once.

use kiln_ir::{DType, Tensor};
use std::collections::HashMap;

/// Alignment of every literal.
const ALIGN: usize = 64;

/// Words of a literal that its key is made of: weights are large, and to hash all their bytes takes longer than to copy them.
const SAMPLES: usize = 16;

/// What equal literals have in common; others rarely.
type Key = (DType, usize, [u64; SAMPLES]);

/// Literals laid out one after the other; equal ones share their place.
#[derive(Default)]
pub(crate) struct ConstantPool {
    bytes: Vec<u8>,
    /// Literals with their offsets. Only looked up, never iterated.
    places: HashMap<Key, Vec<(Tensor, u64)>>,
}

fn key(value: &Tensor) -> Key {
    let bytes = value.bytes();
    let mut samples = [0; SAMPLES];
    for (i, sample) in samples.iter_mut().enumerate() {
        let at = bytes.len().saturating_sub(8) * i / (SAMPLES - 1);
        let mut word = [0; 8];
        let from = &bytes[at..bytes.len().min(at + 8)];
        word[..from.len()].copy_from_slice(from);
        *sample = u64::from_le_bytes(word);
    }
    (value.dtype(), bytes.len(), samples)
}

impl ConstantPool {
    /// The offset of a literal's bytes.
    pub(crate) fn place(&mut self, value: &Tensor) -> u64 {
        let known = self.places.entry(key(value)).or_default();
        if let Some((_, offset)) = known.iter().find(|(t, _)| t == value) {
            return *offset;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(value.bytes());
        known.push((value.clone(), offset));
        offset
    }

    /// The contents of the slot.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_literals_share_a_place() {
        let mut pool = ConstantPool::default();
        let of = |data: Vec<i32>| Tensor::from_vec([data.len()], data).expect("fits");
        let mut large: Vec<i32> = (0..1000).collect();
        let (a, b, empty) = (of(large.clone()), of(vec![7]), of(vec![]));
        // A difference between the samples.
        large[5] = -1;
        let c = of(large);
        assert_eq!(key(&a), key(&c));
        let offsets: Vec<u64> = [&a, &b, &c, &a, &b, &c, &empty, &empty].map(|t| pool.place(t)).into();
        assert_eq!(offsets, [0, 4032, 4096, 0, 4032, 4096, 8128, 8128]);
        let bytes = pool.into_bytes();
        assert!(bytes[..4000] == *a.bytes() && bytes[4096..8096] == *c.bytes() && bytes.len() == 8128);
    }
}
