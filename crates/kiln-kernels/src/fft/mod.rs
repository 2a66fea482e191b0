//! Discrete Fourier transforms: over one to three trailing dimensions, of any length, complex or real on one side.
//!
//! Several lines are transformed at once, one per vector lane, with mixed radices (modules `lanes`, `passes`). Long lines are
//! treated as matrices, lengths with large prime factors as convolutions (`transform`), real lines as complex ones of
//! half the length (`real`). All roots of unity come from tables that the compiler makes ([`FftParams::tables`]).

mod lanes;
mod passes;
mod plan;
mod real;
mod transform;

use core::ffi::c_void;

use serde::{Deserialize, Serialize};

use crate::abi::RunContext;
use crate::dtype::KernelDType;
use crate::gemm::isa::Isa;
use crate::parallel::Threads;
use crate::simd::Real;
use crate::span::checked_product;
use lanes::Lines;
use plan::{Plan, padded};
use real::RealAxis;
use transform::{Call, Move};

/// Longest dimension: enough for any memory, small enough for the arithmetic of angles.
const MAX_LENGTH: usize = 1 << 40;

/// The direction of a transform and what is real.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FftTransform {
    /// Complex to complex, with `e^(-2 pi i j k / n)`.
    Fft,
    /// Complex to complex, with `e^(2 pi i j k / n)`, divided by the number of elements.
    Ifft,
    /// Real to the non-negative frequencies of the last dimension (`n / 2 + 1` of them).
    Rfft,
    /// The inverse of `Rfft`. Imaginary parts that no real signal has (of frequency 0, and of the highest when the
    /// length is even) are ignored.
    Irfft,
}

/// Fourier transforms of dense row-major operands `[batch, length...]`. Complex numbers are pairs, real part first.
///
/// With `x` having `length` and `y` having it too, but for `Rfft` and `Irfft` the complex side having
/// `length.last() / 2 + 1` numbers in the last dimension. The kernel's operands are the input, the output, the tables
/// ([`FftParams::tables`]) where there are any, and the workspace where there is one; the output must not overlap the
/// input.
///
/// The root mean square error is about `0.3 * sqrt(log2 n)` units in the last place of the root mean square result, twice
/// that for f64 lengths with prime factors above 61; for f32 such lengths are computed in f64.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
pub struct FftParams {
    /// Type of a real number: [`KernelDType::F32`] or [`KernelDType::F64`].
    pub dtype: KernelDType,
    /// What to compute.
    pub transform: FftTransform,
    /// Number of transforms.
    pub batch: usize,
    /// The lengths of the transformed dimensions, one to three.
    pub length: Vec<usize>,
}

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
        if params.transform == FftTransform::Irfft && rank > 1 {
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

/// Non-negative frequencies of a real line.
fn spectrum_length(n: usize) -> usize {
    if n == 0 { 0 } else { n / 2 + 1 }
}

macro_rules! with_real {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            KernelDType::F64 => {
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

impl FftParams {
    /// Whether one side is real.
    fn is_real(&self) -> bool {
        matches!(self.transform, FftTransform::Rfft | FftTransform::Irfft)
    }

    /// Whether there is nothing to compute.
    fn is_empty(&self) -> bool {
        self.batch == 0 || self.length.contains(&0)
    }

    /// Complex numbers of the complex side.
    fn spectrum(&self) -> usize {
        let (last, outer) = self.length.split_last().expect("one to three dimensions");
        let last = if self.is_real() { spectrum_length(*last) } else { *last };
        outer.iter().product::<usize>() * last * self.batch
    }

    /// Checks that the parameters are consistent and small enough to compute with.
    ///
    /// # Errors
    /// Says which parameter is wrong.
    pub fn validate(&self) -> Result<(), String> {
        if !matches!(self.dtype, KernelDType::F32 | KernelDType::F64) {
            return Err(format!("elements of type {} are not supported", self.dtype));
        }
        let rank = self.length.len();
        if !(1..=3).contains(&rank) {
            return Err(format!("{rank} dimensions; one to three are supported"));
        }
        if let Some(length) = self.length.iter().find(|&&length| length > MAX_LENGTH) {
            return Err(format!("length {length} is too large"));
        }
        // Any real side is smaller than twice the complex numbers, and so is n / 2 + 1 than 2 n.
        let mut sizes = vec![self.batch, 4];
        sizes.extend(&self.length);
        checked_product("batch, length", &sizes)?;
        Ok(())
    }

    /// Name and bytes of the input and the output.
    pub(crate) fn operand_bytes(&self) -> Result<Vec<(&'static str, usize)>, String> {
        let size = self.dtype.size();
        let complex = if self.is_empty() { 0 } else { self.spectrum() * 2 };
        let reals = if self.is_empty() { 0 } else { self.batch * self.length.iter().product::<usize>() };
        let (input, output) = match self.transform {
            FftTransform::Fft | FftTransform::Ifft => (complex, complex),
            FftTransform::Rfft => (reals, complex),
            FftTransform::Irfft => (complex, reals),
        };
        Ok(vec![
            ("operand", checked_product("operand", &[input, size])?),
            ("result", checked_product("result", &[output, size])?),
        ])
    }

    /// Bytes of [`FftParams::tables`]. Meaningful for parameters that pass [`FftParams::validate`].
    pub fn table_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_real!(self.dtype, T => Layout::new::<T>(self).table_bytes)
    }

    /// Bytes of workspace that the kernel needs as its last operand, 64-byte aligned; 0: none is passed. The same for
    /// every number of threads and every processor. Meaningful for parameters that pass [`FftParams::validate`].
    pub fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_real!(self.dtype, T => Layout::new::<T>(self).workspace_bytes())
    }

    /// The tables that the kernel reads as its third operand, 64-byte aligned: roots of unity, rounded correctly. Empty:
    /// none is passed. The same on every processor. Meaningful for parameters that pass [`FftParams::validate`].
    pub fn tables(&self) -> Vec<u8> {
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

    /// Number of arithmetic operations by the usual estimate (`5 n log2 n` for complex numbers), saturating.
    pub fn flops(&self) -> u64 {
        let points = self.length.iter().fold(self.batch as u64, |n, &length| n.saturating_mul(length as u64));
        let bits: u64 = self.length.iter().map(|&length| u64::from(length.max(1).ilog2())).sum();
        let each = if self.is_real() { 5 * bits / 2 } else { 5 * bits };
        points.saturating_mul(each)
    }
}

/// The Fourier transform kernel: see [`FftParams`].
///
/// # Safety
/// `params` points at an [`FftParams`], and `bufs` at the operands that it passed [`crate::LibraryOp::check_bounds`] for:
/// input, output, and where needed the tables and the workspace (64-byte aligned), the others aligned to their element
/// size. The output overlaps none of the others. `ctx` is null or valid.
pub unsafe extern "C" fn run_fft(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8) {
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
            (FftTransform::Rfft, Some(real)) => {
                call.forward_real(real, input, output, work);
                call.axes(&layout, output, output, (false, T::ONE), work);
            }
            (FftTransform::Irfft, Some(real)) => {
                let several = layout.spectrum_bytes > 0;
                let middle = workspace.cast::<T>();
                if several {
                    call.axes(&layout, input, middle, (true, T::ONE), work);
                }
                call.inverse_real(real, if several { middle.cast_const() } else { input }, output, scale, work);
            }
            (FftTransform::Ifft, _) => call.axes(&layout, input, output, (true, scale), work),
            (FftTransform::Fft | FftTransform::Rfft | FftTransform::Irfft, _) => {
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
