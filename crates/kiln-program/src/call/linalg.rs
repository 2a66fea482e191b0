//! Factorizations and solutions with triangular matrices, of real numbers or of complex ones stored as pairs.

use super::span::checked_product;
use super::{CallParams, Operands, check_real};
use kiln_ir::DType;
use kiln_ir::op::TransposeKind;

/// Largest matrix: enough for any memory.
const MAX_ROWS: usize = 1 << 20;

/// Rows of the blocks in which implementations work at most: sizes leave room for workspaces of whole blocks.
pub const MAX_BLOCK: usize = 64;

/// Right-hand sides that implementations solve together at most.
pub const MAX_CHUNK: usize = 256;

/// Checks what both calls have in common.
fn check(dtype: DType, n: usize) -> Result<(), String> {
    check_real(dtype)?;
    if n > MAX_ROWS { Err(format!("a matrix of {n} rows is too large")) } else { Ok(()) }
}

/// Elements of a number.
fn parts(interleaved: bool) -> usize {
    if interleaved { 2 } else { 1 }
}

/// Factors Hermitian positive definite matrices: `a = l l^H` with lower triangular `l`, or `a = u^H u` with upper
/// triangular `u`. Operands are dense and row-major, `[batch, n, n]`. Only the named triangle of `a` is read (of its
/// diagonal, the real part), the other one of the result is zero.
///
/// The operands are a, the result and, where the target needs one, the workspace; the result must not overlap the others. A
/// matrix that turns out not to be positive definite gives a triangle of NaNs; the others of the batch do not suffer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CholeskyParams {
    /// Type of a real number: [`DType::F32`] or [`DType::F64`].
    pub dtype: DType,
    /// Whether a number is complex: a pair, real part first.
    pub interleaved: bool,
    /// Number of matrices.
    pub batch: usize,
    /// Rows and columns.
    pub n: usize,
    /// Whether the lower triangle is named (or else the upper one).
    pub lower: bool,
}

impl CholeskyParams {
    /// Elements of a number.
    pub fn parts(&self) -> usize {
        parts(self.interleaved)
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.batch == 0 || self.n == 0
    }
}

impl CallParams for CholeskyParams {
    fn name(&self) -> &'static str {
        "cholesky"
    }

    fn operand_bytes(&self) -> Result<Operands, String> {
        let size = self.dtype.size() * self.parts();
        // With room for the workspace: copies of a block of columns.
        checked_product("batch, n", &[self.batch, self.n.max(MAX_BLOCK), self.n.max(MAX_BLOCK), 4 * size])?;
        let bytes = checked_product("a", &[self.batch, self.n, self.n, size])?;
        Ok(vec![("a", bytes), ("result", bytes)])
    }

    fn validate(&self) -> Result<(), String> {
        check(self.dtype, self.n)?;
        self.operand_bytes().map(|_| ())
    }

    fn flops(&self) -> u64 {
        let n = self.n as u64;
        let each = n.saturating_mul(n).saturating_mul(n) / 3;
        each.saturating_mul(if self.interleaved { 4 } else { 1 }).saturating_mul(self.batch as u64)
    }
}

/// Solves `op(a) x = b` or `x op(a) = b` for `x`, with a triangular `a`. All operands are dense and row-major: `a`
/// `[batch, n, n]`, `b` and `x` `[batch, n, m]` when `a` stands on the left, `[batch, m, n]` otherwise. Only the named
/// triangle of `a` is read, without its diagonal when that is taken to be one.
///
/// The operands are a, b, x (output) and, where the target needs one, the workspace; x must not overlap the others. By
/// substitution in blocks, with true divisions: the solution is exact for a slightly different matrix, `|error in a| <= about
/// n * eps * |a|`. A zero on the diagonal gives infinities and NaNs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TriangularSolveParams {
    /// Type of a real number: [`DType::F32`] or [`DType::F64`].
    pub dtype: DType,
    /// Whether a number is complex: a pair, real part first.
    pub interleaved: bool,
    /// Number of systems.
    pub batch: usize,
    /// Rows and columns of a.
    pub n: usize,
    /// Right-hand sides.
    pub m: usize,
    /// Whether a stands on the left of x.
    pub left_side: bool,
    /// Whether the lower triangle of a is named (or else the upper one).
    pub lower: bool,
    /// Whether the diagonal of a is taken to be one.
    pub unit_diagonal: bool,
    /// What is done to a first.
    pub transpose: TransposeKind,
}

impl TriangularSolveParams {
    /// Elements of a number.
    pub fn parts(&self) -> usize {
        parts(self.interleaved)
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.batch == 0 || self.n == 0 || self.m == 0
    }
}

impl CallParams for TriangularSolveParams {
    fn name(&self) -> &'static str {
        "triangular_solve"
    }

    fn operand_bytes(&self) -> Result<Operands, String> {
        let size = self.dtype.size() * self.parts();
        // The workspace is limited by this, too: it holds copies of parts of b of at most a block of rows.
        checked_product("batch, n, m", &[self.batch, self.n.max(MAX_BLOCK), self.m.max(MAX_CHUNK), 4 * size])?;
        let a = checked_product("a", &[self.batch, self.n, self.n, size])?;
        let b = checked_product("b", &[self.batch, self.n, self.m, size])?;
        Ok(vec![("a", a), ("b", b), ("x", b)])
    }

    fn validate(&self) -> Result<(), String> {
        check(self.dtype, self.n)?;
        self.operand_bytes().map(|_| ())
    }

    fn flops(&self) -> u64 {
        let each = if self.interleaved { 4 } else { 1 };
        [self.n, self.n, self.m]
            .iter()
            .fold((self.batch as u64).saturating_mul(each), |product, &factor| product.saturating_mul(factor as u64))
    }
}
