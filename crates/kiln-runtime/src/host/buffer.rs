//! Variables in the host's memory.

use crate::device::{Address, DeviceBuffer, DeviceError};
use kiln_ir::Tensor;
use std::cell::UnsafeCell;

/// One cache line that runs write through addresses, while nobody else looks.
#[repr(C, align(64))]
struct Line(UnsafeCell<[u8; 64]>);

// SAFETY: runs write only to variables that their callers hold exclusively (see `LoadedProgram::run`); everybody else reads.
unsafe impl Sync for Line {}

/// A variable of its own.
pub(super) struct Owned {
    lines: Vec<Line>,
    len: usize,
}

impl Owned {
    /// # Errors
    /// When memory runs out.
    pub(super) fn copy_of(value: &[u8]) -> Result<Owned, DeviceError> {
        let count = value.len().div_ceil(64);
        let mut lines = Vec::new();
        lines.try_reserve_exact(count).map_err(|_| DeviceError::Memory { bytes: value.len() as u64 })?;
        lines.resize_with(count, || Line(UnsafeCell::new([0; 64])));
        let mut owned = Owned { lines, len: value.len() };
        owned.bytes_mut().copy_from_slice(value);
        Ok(owned)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the lines are one initialized allocation of at least `len` bytes without padding; no run writes while the
        // variable is borrowed here.
        unsafe { std::slice::from_raw_parts(self.address().0, self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl DeviceBuffer for Owned {
    fn address(&self) -> Address {
        // Cells may be written through a pointer that comes from a shared borrow.
        Address(self.lines.as_ptr().cast::<u8>().cast_mut())
    }
    fn read(&self, into: &mut [u8]) -> Result<(), DeviceError> {
        into.copy_from_slice(self.bytes());
        Ok(())
    }
    fn write(&mut self, from: &[u8]) -> Result<(), DeviceError> {
        self.bytes_mut().copy_from_slice(from);
        Ok(())
    }
    fn host(&self) -> Option<&[u8]> {
        Some(self.bytes())
    }
}

/// A tensor's memory, which no run updates.
pub(super) struct Shared(pub(super) Tensor);

impl DeviceBuffer for Shared {
    fn address(&self) -> Address {
        Address(self.0.bytes().as_ptr().cast_mut())
    }
    fn read(&self, into: &mut [u8]) -> Result<(), DeviceError> {
        into.copy_from_slice(self.0.bytes());
        Ok(())
    }
    fn write(&mut self, _: &[u8]) -> Result<(), DeviceError> {
        Err(DeviceError::Shared)
    }
    fn host(&self) -> Option<&[u8]> {
        Some(self.0.bytes())
    }
}
