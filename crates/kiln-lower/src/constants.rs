//! The constants of a program: literals, each stored once.

use kiln_ir::{DType, Tensor};
use kiln_program::Blob;
use std::collections::HashMap;

/// Alignment of every literal.
const ALIGN: usize = 64;

/// Words of a literal that its key is made of: weights are large, and to hash all their bytes takes longer than to copy them.
const SAMPLES: usize = 16;

/// What equal literals have in common; others rarely.
type Key = (DType, usize, [u64; SAMPLES]);

/// Bytes of literals that get a block of their own: programs for other sizes and targets have them too, and an artifact holds
/// equal blocks once.
const LARGE: usize = 1024;

/// Where a literal lies: its block, and the offset in it.
pub(crate) type Place = (u32, u64);

/// Literals in blocks: the first has the small ones one after the other. Equal ones share their place.
#[derive(Default)]
pub(crate) struct ConstantPool {
    small: Vec<u8>,
    large: Vec<Tensor>,
    /// Literals with their places. Only looked up, never iterated.
    places: HashMap<Key, Vec<(Tensor, Place)>>,
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
    /// The place of a literal's bytes.
    pub(crate) fn place(&mut self, value: &Tensor) -> Place {
        let known = self.places.entry(key(value)).or_default();
        if let Some((_, place)) = known.iter().find(|(t, _)| t == value) {
            return *place;
        }
        let place = if value.bytes().len() >= LARGE {
            self.large.push(value.clone());
            (self.large.len() as u32, 0)
        } else {
            self.small.resize(self.small.len().next_multiple_of(ALIGN), 0);
            let offset = self.small.len() as u64;
            self.small.extend_from_slice(value.bytes());
            (0, offset)
        };
        known.push((value.clone(), place));
        place
    }

    /// The contents of the blocks.
    pub(crate) fn into_blocks(self) -> Vec<Blob> {
        // A literal without elements has a place as well.
        if self.places.is_empty() {
            return Vec::new();
        }
        std::iter::once(Blob::from(&self.small[..])).chain(self.large.iter().map(Blob::of)).collect()
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
        let places: Vec<Place> = [&a, &b, &c, &a, &b, &c, &empty, &empty].map(|t| pool.place(t)).into();
        assert_eq!(places, [(1, 0), (0, 0), (2, 0), (1, 0), (0, 0), (2, 0), (0, 64), (0, 64)]);
        let blocks = pool.into_blocks();
        assert!(blocks.iter().all(|b| b.as_ptr().align_offset(ALIGN) == 0));
        let bytes: Vec<&[u8]> = blocks.iter().map(|b| &**b).collect();
        assert!(bytes[0].len() == 64 && bytes[0][..4] == *b.bytes() && bytes[1..] == [a.bytes(), c.bytes()]);
        assert!(ConstantPool::default().into_blocks().is_empty());
    }

    #[test]
    fn a_literal_without_elements_has_a_block() {
        let mut pool = ConstantPool::default();
        assert!(std::mem::take(&mut pool).into_blocks().is_empty());
        let empty = Tensor::from_vec([0], Vec::<f32>::new()).expect("no elements");
        assert_eq!(pool.place(&empty), (0, 0));
        assert_eq!(pool.into_blocks().len(), 1);
    }
}
