//! Machine code as data, mapped executable.

use crate::device::DeviceError;
use kiln_kernels::{EntryFn, HostCode, KernelFn};
use kiln_program::{InvalidProgram, NativeCode};
use memmap2::{Mmap, MmapMut};

/// Code copied to pages that are executable and no longer writable.
struct MappedCode {
    entry: EntryFn,
    kernels: Vec<KernelFn>,
    _pages: Mmap,
}

// SAFETY: `map_code`'s caller vouches that the code belongs to its program; the pages live as long as `self`.
unsafe impl HostCode for MappedCode {
    fn entry(&self) -> EntryFn {
        self.entry
    }
    fn kernels(&self) -> &[KernelFn] {
        &self.kernels
    }
}

/// Maps code for this machine as executable memory.
///
/// # Errors
/// When a function lies outside of the code, or the system refuses the pages.
///
/// # Safety
/// The code must be what kiln compiled for the program that it will run with, and for a target that this machine has: it is
/// executed as it is.
pub(super) unsafe fn map_code(code: &NativeCode) -> Result<Box<dyn HostCode>, DeviceError> {
    code.check(0).map_err(|e| DeviceError::Program(InvalidProgram(e)))?;
    let mut pages = MmapMut::map_anon(code.bytes.len()).map_err(DeviceError::CodePages)?;
    pages.copy_from_slice(&code.bytes);
    let pages = pages.make_exec().map_err(DeviceError::CodePages)?;
    let address = |offset: u64| pages.as_ptr().wrapping_add(offset as usize);
    // SAFETY: the offsets are inside of the pages; the caller vouches that functions of these types begin there.
    let (entry, kernels) = unsafe {
        (
            std::mem::transmute::<*const u8, EntryFn>(address(code.entry)),
            code.kernels.iter().map(|&k| std::mem::transmute::<*const u8, KernelFn>(address(k))).collect(),
        )
    };
    Ok(Box::new(MappedCode { entry, kernels, _pages: pages }))
}
