//! Shared bytes: literals, machine code, weights.

use kiln_ir::Tensor;
use kiln_ir::tensor::{AlignedBytes, Storage};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Bytes that nobody changes: on the heap, or mapped from a file. Cloning shares them.
#[derive(Clone)]
pub struct Blob(Arc<dyn Storage>);

impl Blob {
    /// Bytes that something keeps.
    pub fn new(storage: Arc<dyn Storage>) -> Blob {
        Blob(storage)
    }

    /// The bytes of a tensor, without a copy where they begin at a multiple of 64.
    pub fn of(value: &Tensor) -> Blob {
        match value.bytes().as_ptr().align_offset(64) {
            0 => Blob(Arc::new(value.clone())),
            _ => Blob::from(value.bytes()),
        }
    }
}

impl Default for Blob {
    fn default() -> Blob {
        Blob::from(&[][..])
    }
}

impl From<&[u8]> for Blob {
    /// A copy that is aligned to a cache line.
    fn from(bytes: &[u8]) -> Blob {
        Blob(Arc::new(AlignedBytes::copy_of(bytes)))
    }
}

impl Deref for Blob {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Blob) -> bool {
        **self == **other
    }
}
impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.len())
    }
}
