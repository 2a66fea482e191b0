//! The constants slot of a program: literals, each stored once.

use kiln_ir::Tensor;
use std::collections::HashMap;

/// Alignment of every literal.
const ALIGN: usize = 64;

/// Literals laid out one after the other; equal ones share their place.
#[derive(Default)]
pub(crate) struct ConstantPool {
    bytes: Vec<u8>,
    places: HashMap<Tensor, u64>,
}

impl ConstantPool {
    /// The offset of a literal's bytes.
    pub(crate) fn place(&mut self, value: &Tensor) -> u64 {
        if let Some(&offset) = self.places.get(value) {
            return offset;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(value.bytes());
        self.places.insert(value.clone(), offset);
        offset
    }

    /// The contents of the slot.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
