//! Discrete Fourier transforms: over one to three trailing dimensions, of any length, complex or real on one side.
//!
//! Several lines are transformed at once, one per vector lane, with mixed radices (modules `lanes`, `passes`). Long lines are
//! treated as matrices, lengths with large prime factors as convolutions (`transform`), real lines as complex ones of
//! half the length (`real`). All roots of unity come from tables that the compiler makes ([`CpuCall::tables`]).

mod lanes;
mod passes;
mod plan;
mod real;
mod transform;

use core::ffi::c_void;

use kiln_ir::DType;
use kiln_ir::op::FftKind;
use kiln_program::call::{FftParams, spectrum_length};

use crate::abi::{LibraryFn, RunContext};
use crate::call::CpuCall;
use crate::isa::Isa;
use crate::parallel::Threads;
use crate::simd::Real;
use lanes::Lines;
use plan::{Plan, padded};
use real::RealAxis;
use transform::{Call, Move};

/// One complex dimension of a transform.
#[derive(Clone, Copy)]
struct Axis {
    n: usize,
    /// Product of the inner dimensions.
    width: usize,
    /// Number of lines.
    lines: usize,
    plan: Plan,
    /// Where its tables begin.
    table: usize,
}

/// All that follows from parameters.
struct Layout {
    /// The complex dimensions, innermost first.
    axes: [Option<Axis>; 3],
    real: Option<RealAxis>,
    table_bytes: usize,
    /// Bytes of the complex operand that an `Irfft` of several dimensions needs before its last step.
    spectrum_bytes: usize,
    /// Bytes of workspace behind that.
    work_bytes: usize,
}

impl Layout {
    /// The layout of valid parameters that are not empty.
    fn new<T: Real>(params: &FftParams) -> Layout {
        let mut layout = Layout { axes: [None; 3], real: None, table_bytes: 0, spectrum_bytes: 0, work_bytes: 0 };
        let rank = params.length.len();
        let numbers = params.spectrum();
        let mut last = params.length[rank - 1];
        let mut done = 0;
        if params.is_real() {
            let rows = numbers / spectrum_length(last);
            let axis = RealAxis::new::<T>(last, rows, &mut layout.table_bytes);
            layout.work_bytes = axis.workspace_bytes::<T>(params.transform);
            layout.real = Some(axis);
            last = spectrum_length(last);
            done = 1;
        }
        let mut width = if done == 1 { last } else { 1 };
        for index in (0..rank - done).rev() {
            let n = params.length[index];
            let (lines, contiguous) = (numbers / n, width == 1);
            let (plan, table) = layout.plan::<T>(n, lines, contiguous);
            let inner = if contiguous { 1 } else { width };
            let groups = lanes::Groups::new::<T>(lines, inner).count();
            layout.work_bytes = layout.work_bytes.max(plan.workspace_bytes::<T>(lines, groups));
            layout.axes[rank - 1 - index] = Some(Axis { n, width, lines, plan, table });
            width *= n;
        }
        if params.transform == FftKind::Irfft && rank > 1 {
            layout.spectrum_bytes = padded(numbers.saturating_mul(2 * size_of::<T>()));
        }
        layout
    }

    /// The plan for lines of a length, sharing the tables of another dimension if they are the same.
    fn plan<T: Real>(&mut self, n: usize, lines: usize, contiguous: bool) -> (Plan, usize) {
        for axis in self.axes.iter().flatten().filter(|axis| axis.n == n) {
            if Plan::new::<T>(n, lines, contiguous, &mut { axis.table }) == axis.plan {
                return (axis.plan, axis.table);
            }
        }
        let table = self.table_bytes;
        (Plan::new::<T>(n, lines, contiguous, &mut self.table_bytes), table)
    }

    fn workspace_bytes(&self) -> usize {
        padded(self.spectrum_bytes.saturating_add(self.work_bytes))
    }
}

macro_rules! with_real {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            DType::F64 => {
                type $t = f64;
                $body
            }
            _ => {
                type $t = f32;
                $body
            }
        }
    };
}

impl CpuCall for FftParams {
    fn function(&self) -> LibraryFn {
        run_fft
    }

    fn table_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_real!(self.dtype, T => Layout::new::<T>(self).table_bytes)
    }

    fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_real!(self.dtype, T => Layout::new::<T>(self).workspace_bytes())
    }

    fn tables(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        with_real!(self.dtype, T => {
            let layout = Layout::new::<T>(self);
            let mut words = vec![0u64; layout.table_bytes.div_ceil(8)];
            // SAFETY: the same memory as bytes.
            let bytes = unsafe {
                core::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), words.len() * 8)
            };
            for axis in layout.axes.iter().flatten() {
                axis.plan.fill::<T>(bytes);
            }
            if let Some(real) = &layout.real {
                real.fill::<T>(bytes);
            }
            bytes[..layout.table_bytes].to_vec()
        })
    }
}

/// The Fourier transform kernel: see [`FftParams`].
///
/// # Safety
/// `params` points at an [`FftParams`], and `bufs` at the operands that it passed [`kiln_program::CallInfo::check_bounds`] for:
/// input, output, and where needed the tables and the workspace (64-byte aligned), the others aligned to their element
/// size. The output overlaps none of the others. `ctx` is null or valid.
unsafe extern "C" fn run_fft(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8) {
    // SAFETY: as above.
    unsafe {
        let params = &*params.cast::<FftParams>();
        if params.is_empty() {
            return;
        }
        let threads = Threads::of(ctx);
        with_real!(params.dtype, T => run_typed::<T>(params, threads, bufs));
    }
}

/// # Safety
/// As for [`run_fft`], with `T` the element type and something to compute.
unsafe fn run_typed<T: Real>(params: &FftParams, threads: Threads<'_>, bufs: *const *mut u8) {
    let layout = Layout::new::<T>(params);
    // SAFETY: as above; operands are there when they are needed.
    unsafe {
        let (input, output) = ((*bufs).cast::<T>().cast_const(), (*bufs.add(1)).cast::<T>());
        let mut next = 2;
        let mut optional = |bytes: usize| {
            next += usize::from(bytes > 0);
            if bytes > 0 { *bufs.add(next - 1) } else { core::ptr::null_mut() }
        };
        let tables = optional(layout.table_bytes).cast_const();
        let workspace = optional(layout.workspace_bytes());
        let work = workspace.wrapping_add(layout.spectrum_bytes);
        let call = Call { threads, isa: Isa::current(), tables };
        let count = params.length.iter().product::<usize>();
        let scale = T::of(1.0 / count as f64);
        match (params.transform, &layout.real) {
            (FftKind::Rfft, Some(real)) => {
                call.forward_real(real, input, output, work);
                call.axes(&layout, output, output, (false, T::ONE), work);
            }
            (FftKind::Irfft, Some(real)) => {
                let several = layout.spectrum_bytes > 0;
                let middle = workspace.cast::<T>();
                if several {
                    call.axes(&layout, input, middle, (true, T::ONE), work);
                }
                call.inverse_real(real, if several { middle.cast_const() } else { input }, output, scale, work);
            }
            (FftKind::Ifft, _) => call.axes(&layout, input, output, (true, scale), work),
            (FftKind::Fft | FftKind::Rfft | FftKind::Irfft, _) => {
                call.axes(&layout, input, output, (false, T::ONE), work);
            }
        }
    }
}

impl Call<'_> {
    /// The complex dimensions, one after the other; the last one scales.
    unsafe fn axes<T: Real>(
        &self,
        layout: &Layout,
        input: *const T,
        output: *mut T,
        (inverse, scale): (bool, T),
        work: *mut u8,
    ) {
        let mut src = input;
        let count = layout.axes.iter().flatten().count();
        for (index, axis) in layout.axes.iter().flatten().enumerate() {
            let lines = if axis.width == 1 { Lines::rows(axis.n) } else { Lines::columns(axis.n, axis.width) };
            let scale = if index + 1 == count { scale } else { T::ONE };
            let moved =
                Move { src, src_lines: lines, dst: output, dst_lines: lines, lines: axis.lines, inverse, scale };
            // SAFETY: as the caller promises.
            unsafe { self.transform(&axis.plan, moved, work) };
            src = output;
        }
    }
}
