//! Bytes of a file in memory, and parts of them in place.

use kiln_ir::TensorError;
use kiln_ir::tensor::{AlignedBytes, Storage};
use memmap2::Mmap;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// The bytes of a file, mapped or copied, beginning at a multiple of 64. Clones share them.
#[derive(Clone)]
pub struct FileBytes(Arc<Memory>);

enum Memory {
    Mapped(Mmap),
    Copied(AlignedBytes),
}

impl FileBytes {
    /// Maps a file: nothing is read before it is used, and processes that map the same file share its memory.
    ///
    /// # Errors
    /// When the system cannot map it.
    ///
    /// # Safety
    /// Nobody may change or cut the file while it is mapped. (Putting another one in its place by renaming is fine.)
    pub unsafe fn map(file: &File) -> std::io::Result<FileBytes> {
        // SAFETY: the caller's promise.
        Ok(FileBytes(Arc::new(Memory::Mapped(unsafe { Mmap::map(file)? }))))
    }

    /// A copy of the bytes of a file.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn copy_of(bytes: &[u8]) -> Result<FileBytes, TensorError> {
        let mut memory = AlignedBytes::try_zeroed(bytes.len())?;
        memory.bytes_mut().copy_from_slice(bytes);
        Ok(FileBytes(Arc::new(Memory::Copied(memory))))
    }

    /// All of them.
    pub fn bytes(&self) -> &[u8] {
        match &*self.0 {
            Memory::Mapped(map) => map,
            Memory::Copied(memory) => memory.as_bytes(),
        }
    }

    pub(crate) fn part(&self, range: Range<usize>) -> Part {
        Part { file: self.clone(), range }
    }
}

/// Part of a file in place: it keeps the file's memory alive.
pub(crate) struct Part {
    file: FileBytes,
    range: Range<usize>,
}

impl Storage for Part {
    fn bytes(&self) -> &[u8] {
        &self.file.bytes()[self.range.clone()]
    }
}
