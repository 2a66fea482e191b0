//! Matrix products with arbitrary strides.

mod canonical;

use core::ffi::c_void;

use kiln_program::call::DotParams;

use crate::abi::{LibraryFn, RunContext};
use crate::call::CpuCall;
use crate::element::with_element;
use crate::gemm::problem::Operands;
use crate::gemm::tile::TileElement;
use crate::isa::Isa;
use crate::parallel::Threads;
use canonical::Canonical;

impl CpuCall for DotParams {
    fn function(&self) -> LibraryFn {
        run_dot
    }

    fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_element!(self.dtype, T => Canonical::<T>::new(self).gemm.workspace_bytes())
    }
}

/// The dot kernel: see [`DotParams`].
///
/// # Safety
/// `params` points at a [`DotParams`], and `bufs` at the operands that it passed
/// [`kiln_program::CallInfo::check_bounds`] for: a, b, c and, where needed, the workspace (64-byte aligned), the others
/// aligned to their element size. c overlaps none of the others. `ctx` is null or valid.
unsafe extern "C" fn run_dot(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8) {
    // SAFETY: as above.
    unsafe {
        let params = &*params.cast::<DotParams>();
        if params.is_empty() {
            return;
        }
        let threads = Threads::of(ctx);
        with_element!(params.dtype, T => run_typed::<T>(params, threads, bufs));
    }
}

/// # Safety
/// As for [`run_dot`], with `T` the element type.
unsafe fn run_typed<T: TileElement>(params: &DotParams, threads: Threads<'_>, bufs: *const *mut u8) {
    let canonical = Canonical::<T>::new(params);
    let isa = Isa::current();
    // SAFETY: as above; the workspace operand is there when it is needed.
    unsafe {
        let [a, b, c] = [*bufs, *bufs.add(1), *bufs.add(2)];
        let (a, b) = if canonical.swapped { (b, a) } else { (a, b) };
        let operands = Operands::<T> { a: a.cast(), b: b.cast(), c: c.cast(), workspace: bufs.wrapping_add(3) };
        if !canonical.run_as_gemv(threads, isa, operands) {
            canonical.gemm.run(threads, isa, operands);
        }
    }
}
