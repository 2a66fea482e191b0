//! Matrix products with arbitrary strides: `C[b, i, j] = sum_p A[b, i, p] * B[b, p, j]`.

use super::span::{byte_size, check_distinct, checked_product, span};
use super::{CallParams, Operands, check_native};
use kiln_ir::DType;

/// Most batch dimensions (of more than one product) of a [`DotParams`].
pub const MAX_BATCH_DIMS: usize = 8;

/// One batch dimension of a [`DotParams`]. Strides are in elements; 0 on an input broadcasts it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BatchDim {
    /// Number of products along this dimension.
    pub extent: usize,
    /// Distance between products in A.
    pub a_stride: isize,
    /// Distance between products in B.
    pub b_stride: isize,
    /// Distance between products in C.
    pub c_stride: isize,
}

/// A batched matrix product `C = A x B` of an `m x k` by a `k x n` matrix.
///
/// All strides are in elements and may be anything that stays inside the operand, so transposed and sliced operands
/// need no copy; a stride of 0 on an input broadcasts. C's elements must be distinct.
/// The operands are a, b, c and, where the target needs one, the workspace; c must not overlap the others. `k == 0` gives zeros.
///
/// Sums run over `p` in an order that depends on the parameters only, never on the threads. f32 and f64: fused
/// multiply-add where the processor has it; `|error| <= (k + 1) * eps * sum |a * b|`. f16 and bf16 accumulate in f32
/// and round once. Integers wrap. Bool: `or` of `and`s.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DotParams {
    /// Element type of all three operands.
    pub dtype: DType,
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
}

impl DotParams {
    /// A product of contiguous row-major matrices, without batch.
    pub fn row_major(dtype: DType, m: usize, n: usize, k: usize) -> DotParams {
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
        }
    }

    /// Whether C has no elements.
    pub fn is_empty(&self) -> bool {
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

impl CallParams for DotParams {
    fn name(&self) -> &'static str {
        "dot_general"
    }

    fn operand_bytes(&self) -> Result<Operands, String> {
        self.check_sizes()?;
        let size = self.dtype.size();
        let a = span("a", &self.dims(|dim| dim.a_stride, (self.m, self.a_row), (self.k, self.a_col)))?;
        let b = span("b", &self.dims(|dim| dim.b_stride, (self.k, self.b_row), (self.n, self.b_col)))?;
        let c = span("c", &self.dims(|dim| dim.c_stride, (self.m, self.c_row), (self.n, self.c_col)))?;
        Ok(vec![("a", byte_size("a", a, size)?), ("b", byte_size("b", b, size)?), ("c", byte_size("c", c, size)?)])
    }

    fn validate(&self) -> Result<(), String> {
        check_native(self.dtype)?;
        self.operand_bytes()?;
        check_distinct("c", &self.dims(|dim| dim.c_stride, (self.m, self.c_row), (self.n, self.c_col)))
    }

    fn flops(&self) -> u64 {
        let sizes = [2, self.m, self.n, self.k];
        let batch = self.batch.iter().map(|dim| dim.extent);
        sizes.into_iter().chain(batch).fold(1, |product, size| product.saturating_mul(size as u64))
    }
}
