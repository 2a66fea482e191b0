//! Machine code from an artifact, mapped executable.

use crate::error::RunError;
use kiln_artifact::check_target;
use kiln_kernels::{EntryFn, HostCode, KernelFn};
use kiln_program::{NativeCode, Target};
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

/// Maps a code object as executable memory, after checking that this machine can run it.
///
/// # Errors
/// When the target does not fit, a function lies outside of the code, or the system refuses the pages.
///
/// # Safety
/// The code must be what kiln compiled for the program that it will run with: it is executed as it is.
pub unsafe fn map_code(object: &NativeCode) -> Result<Box<dyn HostCode>, RunError> {
    check_target(&Target::Cpu(object.target.clone()))?;
    object.check(0).map_err(RunError::System)?;
    let len = object.bytes.len();
    let no_pages = |e: std::io::Error| RunError::System(format!("executable memory: {e}"));
    let mut pages = MmapMut::map_anon(len).map_err(no_pages)?;
    pages.copy_from_slice(&object.bytes);
    let pages = pages.make_exec().map_err(no_pages)?;
    let address = |offset: u64| pages.as_ptr().wrapping_add(offset as usize);
    // SAFETY: the offsets are inside of the pages; the caller vouches that functions of these types begin there.
    let (entry, kernels) = unsafe {
        (
            std::mem::transmute::<*const u8, EntryFn>(address(object.entry)),
            object.kernels.iter().map(|&k| std::mem::transmute::<*const u8, KernelFn>(address(k))).collect(),
        )
    };
    Ok(Box::new(MappedCode { entry, kernels, _pages: pages }))
}
