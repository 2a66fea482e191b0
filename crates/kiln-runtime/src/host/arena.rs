//! Arenas: the working memory of runs, kept for reuse.

use crate::device::DeviceError;
use kiln_ir::tensor::AlignedBytes;
use std::sync::{Mutex, PoisonError};

/// Free arenas of one program. A run takes one and gives it back, so there are as many as there were runs at the same time.
pub(super) struct ArenaPool {
    bytes: usize,
    free: Mutex<Vec<AlignedBytes>>,
}

impl ArenaPool {
    pub(super) fn new(bytes: usize) -> ArenaPool {
        ArenaPool { bytes, free: Mutex::new(Vec::with_capacity(1)) }
    }

    /// Runs `f` with an arena.
    ///
    /// # Errors
    /// When a new arena is needed and memory runs out.
    pub(super) fn with<R>(&self, f: impl FnOnce(*mut u8) -> R) -> Result<R, DeviceError> {
        if self.bytes == 0 {
            return Ok(f(std::ptr::NonNull::<AlignedBytes>::dangling().as_ptr().cast()));
        }
        let lock = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lock().pop();
        let mut arena = match taken {
            Some(arena) => arena,
            None => AlignedBytes::try_zeroed(self.bytes).map_err(DeviceError::memory(self.bytes))?,
        };
        let result = f(arena.bytes_mut().as_mut_ptr());
        lock().push(arena);
        Ok(result)
    }
}
