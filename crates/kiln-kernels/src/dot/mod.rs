//! Matrix products with arbitrary strides: `C[b, i, j] = sum_p A[b, i, p] * B[b, p, j]`.

use core::ffi::c_void;

use serde::{Deserialize, Serialize};

use crate::abi::RunContext;
use crate::dtype::KernelDType;
use crate::span::{byte_size, check_distinct, checked_product, span};

/// One batch dimension of a [`DotParams`]. Strides are in elements; 0 on an input broadcasts it.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BatchDim {
    /// Number of products along this dimension.
    pub extent: usize,
    /// Distance between products in A.
    pub a_stride: isize,
    /// Distance between products in B (0 or any nonzero value when B is prepacked: see
    /// [`DotParams::prepacked_b`]).
    pub b_stride: isize,
    /// Distance between products in C.
    pub c_stride: isize,
}

/// A batched matrix product `C = A x B` of an `m x k` by a `k x n` matrix.
///
/// All strides are in elements and may be anything that stays inside the operand, so transposed and sliced operands
/// need no copy; a stride of 0 on an input broadcasts. C's elements must be distinct.
/// The kernel's operands are a, b, c and, where [`DotParams::workspace_bytes`] is not 0, the workspace; c must not
/// overlap the others. `k == 0` gives zeros.
///
/// Sums run over `p` in an order that depends on the parameters only, never on the threads. f32 and f64: fused
/// multiply-add where the processor has it; `|error| <= (k + 1) * eps * sum |a * b|`. f16 and bf16 accumulate in f32
/// and round once. Integers wrap. Bool: `or` of `and`s.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
pub struct DotParams {
    /// Element type of all three operands.
    pub dtype: KernelDType,
    /// Batch dimensions, outermost first; may be empty.
    pub batch: Vec<BatchDim>,
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A and rows of B.
    pub k: usize,
    /// Distance between rows of A.
    pub a_row: isize,
    /// Distance between columns of A.
    pub a_col: isize,
    /// Distance between rows of B.
    pub b_row: isize,
    /// Distance between columns of B.
    pub b_col: isize,
    /// Distance between rows of C.
    pub c_row: isize,
    /// Distance between columns of C.
    pub c_col: isize,
    /// Whether operand b is in the packed form of [`DotParams::pack_b`] (a constant packed at compile time) instead
    /// of the strided one. `b_row`, `b_col` and the batch `b_stride`s still describe the source that was packed; a
    /// zero `b_stride` means that the packed matrix is shared along that dimension.
    pub prepacked_b: bool,
}

impl DotParams {
    /// A product of contiguous row-major matrices, without batch.
    pub fn row_major(dtype: KernelDType, m: usize, n: usize, k: usize) -> DotParams {
        DotParams {
            dtype,
            batch: Vec::new(),
            m,
            n,
            k,
            a_row: k as isize,
            a_col: 1,
            b_row: n as isize,
            b_col: 1,
            c_row: n as isize,
            c_col: 1,
            prepacked_b: false,
        }
    }

    /// Number of arithmetic operations: two per term, saturating.
    pub fn flops(&self) -> u64 {
        let sizes = [2, self.m, self.n, self.k];
        let batch = self.batch.iter().map(|dim| dim.extent);
        sizes.into_iter().chain(batch).fold(1, |product, size| product.saturating_mul(size as u64))
    }

    /// Checks that the sizes can be computed with, that no access is before the start of an operand and that C's
    /// elements are distinct.
    ///
    /// # Errors
    /// Says which parameter is wrong.
    pub fn validate(&self) -> Result<(), String> {
        self.operand_bytes()?;
        check_distinct("c", &self.dims(|dim| dim.c_stride, (self.m, self.c_row), (self.n, self.c_col)))
    }

    /// Whether C has no elements.
    fn is_empty(&self) -> bool {
        self.m == 0 || self.n == 0 || self.batch.iter().any(|dim| dim.extent == 0)
    }

    /// Checks that sizes can be multiplied.
    fn check_sizes(&self) -> Result<(), String> {
        let mut sizes = vec![self.m, self.n, self.k.max(1)];
        sizes.extend(self.batch.iter().map(|dim| dim.extent));
        checked_product("batch, m, n, k", &sizes)?;
        let batch_dims = self.batch.iter().filter(|dim| dim.extent != 1).count();
        if batch_dims > MAX_BATCH_DIMS {
            return Err(format!("{batch_dims} batch dimensions; at most {MAX_BATCH_DIMS} are supported"));
        }
        Ok(())
    }

    /// Name and bytes of each operand as far as it is accessed: a, b, c.
    pub(crate) fn operand_bytes(&self) -> Result<[(&'static str, usize); 3], String> {
        self.check_sizes()?;
        let size = self.dtype.size();
        let a = span("a", &self.dims(|dim| dim.a_stride, (self.m, self.a_row), (self.k, self.a_col)))?;
        let b = span("b", &self.dims(|dim| dim.b_stride, (self.k, self.b_row), (self.n, self.b_col)))?;
        let c = span("c", &self.dims(|dim| dim.c_stride, (self.m, self.c_row), (self.n, self.c_col)))?;
        let b = if self.prepacked_b { self.checked_packed_b_bytes()? } else { byte_size("b", b, size)? };
        Ok([("a", byte_size("a", a, size)?), ("b", b), ("c", byte_size("c", c, size)?)])
    }

    /// The dimensions of one operand: batch, then the two of the matrix.
    fn dims(
        &self,
        batch_stride: impl Fn(&BatchDim) -> isize,
        row: (usize, isize),
        col: (usize, isize),
    ) -> Vec<(usize, isize)> {
        self.batch.iter().map(|dim| (dim.extent, batch_stride(dim))).chain([row, col]).collect()
    }
}

mod canonical;

use crate::element::{Element, with_element};
use crate::gemm::isa::Isa;
use crate::gemm::problem::{MAX_BATCH_DIMS, Operands};
use crate::parallel::Threads;
use canonical::Canonical;

impl DotParams {
    /// Bytes of workspace that the kernel needs as its last operand, 64-byte aligned; 0: none is passed. The same
    /// for every number of threads and every processor. Meaningful for parameters that pass
    /// [`DotParams::validate`].
    pub fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_element!(self.dtype, T => Canonical::<T>::new(self).gemm.workspace_bytes())
    }

    /// Bytes of operand b in packed form. Meaningful for parameters that pass [`DotParams::validate`].
    pub fn packed_b_bytes(&self) -> usize {
        self.checked_packed_b_bytes().unwrap_or(usize::MAX)
    }

    fn checked_packed_b_bytes(&self) -> Result<usize, String> {
        if self.is_empty() {
            return Ok(0);
        }
        with_element!(self.dtype, T => Canonical::<T>::new(self).packed_bytes())
            .ok_or_else(|| "b: the packed operand is too large".into())
    }

    /// Packs operand b, laid out as the strides say in `src`, into `dst` for a kernel with
    /// [`DotParams::prepacked_b`]. The format is the same on every processor; it changes only with the version of
    /// this crate.
    ///
    /// # Errors
    /// The parameters are invalid, `src` is too small, or `dst` is not [`DotParams::packed_b_bytes`] long.
    pub fn pack_b(&self, src: &[u8], dst: &mut [u8]) -> Result<(), String> {
        let strided = DotParams { prepacked_b: false, ..self.clone() };
        strided.validate()?;
        let [_, (_, needed), _] = strided.operand_bytes()?;
        if src.len() < needed {
            return Err(format!("pack_b: the operand has {} bytes, {needed} are needed", src.len()));
        }
        let packed = self.checked_packed_b_bytes()?;
        if dst.len() != packed {
            return Err(format!("pack_b: the destination has {} bytes, {packed} are needed", dst.len()));
        }
        if !self.is_empty() {
            with_element!(self.dtype, T => Canonical::<T>::new(&strided).pack(src, dst));
        }
        Ok(())
    }
}

/// The dot kernel: see [`DotParams`].
///
/// # Safety
/// `params` points at a [`DotParams`], and `bufs` at the operands that it passed
/// [`crate::LibraryOp::check_bounds`] for: a, b, c and, where needed, the workspace (64-byte aligned), the others
/// aligned to their element size. c overlaps none of the others. `ctx` is null or valid.
pub unsafe extern "C" fn run_dot(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8) {
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
unsafe fn run_typed<T: Element>(params: &DotParams, threads: Threads<'_>, bufs: *const *mut u8) {
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
