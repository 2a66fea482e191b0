//! Convolutions of any layout: as matrix products of windows, depthwise ones directly.

mod depthwise;
mod geometry;
mod im2col;

use core::ffi::c_void;

use kiln_program::call::{ConvDim, ConvParams, MAX_SPATIAL};

use crate::abi::{LibraryFn, RunContext};
use crate::call::CpuCall;
use crate::element::with_element;
use crate::gemm::problem::Operands;
use crate::gemm::tile::TileElement;
use crate::isa::Isa;
use crate::parallel::Threads;
use depthwise::Depthwise;
use geometry::Geometry;

impl CpuCall for ConvParams {
    fn function(&self) -> LibraryFn {
        run_convolution
    }

    fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        if let Some(depthwise) = Depthwise::new(self) {
            return with_element!(self.dtype, T => depthwise.workspace_bytes::<T>());
        }
        with_element!(self.dtype, T => Geometry::new(self).with_gemm::<T, _>(|gemm| gemm.workspace_bytes()))
    }
}

/// The convolution kernel: see [`ConvParams`].
///
/// # Safety
/// `params` points at a [`ConvParams`], and `bufs` at the operands that it passed
/// [`kiln_program::CallInfo::check_bounds`] for: lhs, rhs, out and, where needed, the workspace (64-byte aligned), the
/// others aligned to their element size. out overlaps none of the others. `ctx` is null or valid.
unsafe extern "C" fn run_convolution(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8) {
    // SAFETY: as above.
    unsafe {
        let params = &*params.cast::<ConvParams>();
        if params.is_empty() {
            return;
        }
        let threads = Threads::of(ctx);
        with_element!(params.dtype, T => run_typed::<T>(params, threads, bufs));
    }
}

/// # Safety
/// As for [`run_convolution`], with `T` the element type and out not empty.
unsafe fn run_typed<T: TileElement>(params: &ConvParams, threads: Threads<'_>, bufs: *const *mut u8) {
    if let Some(depthwise) = Depthwise::new(params) {
        // SAFETY: as above; the workspace operand is there exactly when it is needed.
        unsafe {
            let workspace =
                if depthwise.workspace_bytes::<T>() > 0 { (*bufs.add(3)).cast() } else { core::ptr::null_mut() };
            let operands = [(*bufs).cast::<T>().cast_const(), (*bufs.add(1)).cast::<T>().cast_const()];
            depthwise.run::<T>(threads, Isa::current(), operands, (*bufs.add(2)).cast(), workspace);
        }
        return;
    }
    let geometry = Geometry::new(params);
    geometry.with_gemm::<T, _>(|gemm| {
        // SAFETY: as above; the workspace operand is there when it is needed.
        unsafe {
            let lhs = (*bufs).cast::<T>().cast_const();
            let rhs = (*bufs.add(1)).cast::<T>().cast_const().wrapping_offset(geometry.rhs_start);
            let (a, b) = if geometry.features_are_rows { (rhs, lhs) } else { (lhs, rhs) };
            let workspace = bufs.wrapping_add(3);
            gemm.run(threads, Isa::current(), Operands { a, b, c: (*bufs.add(2)).cast(), workspace });
        }
    });
}
