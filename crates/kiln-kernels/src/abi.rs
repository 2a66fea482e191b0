//! The C ABI between generated code, library kernels and the runtime.
//!
//! Generated code reads the structures of this module by byte offset: the `*_OFFSET` constants are the offsets, and
//! a test compares them with the layouts.

use core::ffi::c_void;
use core::mem::size_of;

use crate::pool::ThreadPool;

/// Body of one generated kernel: computes rows `[start, end)` of its outermost parallel axis.
/// `bufs` holds one base pointer per kernel parameter.
pub type KernelFn = unsafe extern "C" fn(bufs: *const *mut u8, start: u64, end: u64);

/// One library kernel. `params` points at its parameter structure ([`kiln_program::call::DotParams`], ...) living in the loaded
/// program; `bufs` holds the operand pointers, then the output(s), then the workspace where one is needed.
pub type LibraryFn = unsafe extern "C" fn(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8);

/// The entry point of a compiled program: runs everything in order. Returns 0 when all went well.
pub type EntryFn = unsafe extern "C" fn(ctx: *const RunContext) -> u64;

/// Runs `kernel(bufs, start, end)` over pieces of `[0, extent)`, each at least `grain` long except the last.
pub type ParallelForFn =
    unsafe extern "C" fn(ctx: *const RunContext, kernel: KernelFn, bufs: *const *mut u8, extent: u64, grain: u64);

/// Callable machine code of a program.
///
/// # Safety
/// The functions must be the code of the program that it is run with, and stay mapped while `self` lives.
pub unsafe trait HostCode: Send + Sync {
    /// The entry function.
    fn entry(&self) -> EntryFn;
    /// The kernels, in the program's order.
    fn kernels(&self) -> &[KernelFn];
}

/// What one run of a program sees: its memory, its code tables and its threads.
#[repr(C)]
#[derive(Debug)]
pub struct RunContext {
    /// Slot base pointers: slot 0 is the arena, then the blocks of constants, inputs, outputs and variables as the
    /// program says.
    pub buffers: *const *mut u8,
    /// Table of generated kernels.
    pub kernels: *const KernelFn,
    /// Table of library call sites.
    pub calls: *const LibraryCallSite,
    /// How generated code runs a kernel on many threads; normally [`parallel_for`].
    pub parallel_for: ParallelForFn,
    /// The threads; null means the calling thread alone.
    pub pool: *const ThreadPool,
}

/// One call of a library kernel: the function with its parameters.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LibraryCallSite {
    /// The kernel, from [`crate::CpuCall::function`].
    pub function: LibraryFn,
    /// Its parameters, from [`crate::CpuCall::params_ptr`].
    pub params: *const c_void,
}

/// Byte offset of [`RunContext::buffers`].
pub const BUFFERS_OFFSET: usize = 0;
/// Byte offset of [`RunContext::kernels`].
pub const KERNELS_OFFSET: usize = size_of::<usize>();
/// Byte offset of [`RunContext::calls`].
pub const CALLS_OFFSET: usize = 2 * size_of::<usize>();
/// Byte offset of [`RunContext::parallel_for`].
pub const PARALLEL_FOR_OFFSET: usize = 3 * size_of::<usize>();
/// Byte offset of [`RunContext::pool`].
pub const POOL_OFFSET: usize = 4 * size_of::<usize>();
/// Byte offset of [`LibraryCallSite::function`].
pub const CALL_FUNCTION_OFFSET: usize = 0;
/// Byte offset of [`LibraryCallSite::params`].
pub const CALL_PARAMS_OFFSET: usize = size_of::<usize>();
/// Size in bytes of one [`LibraryCallSite`]: the distance between entries of the call table.
pub const CALL_SITE_SIZE: usize = 2 * size_of::<usize>();

/// The standard [`RunContext::parallel_for`]: divides `[0, extent)` among the threads of `ctx.pool`, or runs the
/// kernel once over all of it when there is no pool.
///
/// # Safety
/// `ctx` points at a valid context whose `pool` is null or a live pool. `kernel` must be sound to call concurrently
/// over disjoint pieces of `[0, extent)` with these `bufs`.
pub unsafe extern "C" fn parallel_for(
    ctx: *const RunContext,
    kernel: KernelFn,
    bufs: *const *mut u8,
    extent: u64,
    grain: u64,
) {
    /// The pointer crosses to the workers; the caller vouches for what it points at.
    struct Shared(*const *mut u8);
    // SAFETY: the caller promises that the kernel may use `bufs` from many threads at once.
    unsafe impl Sync for Shared {}
    impl Shared {
        fn get(&self) -> *const *mut u8 {
            self.0
        }
    }

    // SAFETY: `ctx` and its pool are valid by the contract above.
    let pool = unsafe { (*ctx).pool.as_ref() };
    match pool {
        Some(pool) => {
            let bufs = Shared(bufs);
            // SAFETY: disjoint pieces of the range, as the contract allows.
            pool.parallel_for(extent, grain, &|start, end| unsafe { kernel(bufs.get(), start, end) });
        }
        None if extent > 0 => {
            // SAFETY: the whole range on this thread.
            unsafe { kernel(bufs, 0, extent) }
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use core::mem::offset_of;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn offsets_match_the_layout() {
        assert_eq!(offset_of!(RunContext, buffers), BUFFERS_OFFSET);
        assert_eq!(offset_of!(RunContext, kernels), KERNELS_OFFSET);
        assert_eq!(offset_of!(RunContext, calls), CALLS_OFFSET);
        assert_eq!(offset_of!(RunContext, parallel_for), PARALLEL_FOR_OFFSET);
        assert_eq!(offset_of!(RunContext, pool), POOL_OFFSET);
        assert_eq!(offset_of!(LibraryCallSite, function), CALL_FUNCTION_OFFSET);
        assert_eq!(offset_of!(LibraryCallSite, params), CALL_PARAMS_OFFSET);
        assert_eq!(size_of::<LibraryCallSite>(), CALL_SITE_SIZE);
    }

    unsafe extern "C" fn add_range(bufs: *const *mut u8, start: u64, end: u64) {
        // SAFETY: the test passes one pointer to an atomic.
        let sum = unsafe { &*(*bufs).cast::<AtomicU64>() };
        sum.fetch_add((start..end).sum(), Ordering::Relaxed);
    }

    #[test]
    fn parallel_for_covers_the_range_once_with_and_without_pool() {
        let pool = ThreadPool::new(3).expect("threads");
        for pool in [core::ptr::null(), &raw const pool] {
            for extent in [0, 1, 1000] {
                let sum = AtomicU64::new(0);
                let bufs = [(&raw const sum).cast_mut().cast::<u8>()];
                let ctx = RunContext {
                    buffers: core::ptr::null(),
                    kernels: core::ptr::null(),
                    calls: core::ptr::null(),
                    parallel_for,
                    pool,
                };
                // SAFETY: `add_range` only touches the atomic.
                unsafe { (ctx.parallel_for)(&ctx, add_range, bufs.as_ptr(), extent, 7) };
                assert_eq!(sum.into_inner(), (0..extent).sum());
            }
        }
    }
}
