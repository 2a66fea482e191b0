//! What finished rows contribute to a block of rows: a product from the engine, subtracted.

use super::{Call, View};
use crate::gemm::map::DimMap;
use crate::gemm::pack::Strided;
use crate::gemm::problem::{Batches, Gemm, Operands, Side};
use crate::simd::Real;

/// `target -= t x` of a `rows x terms` by a `terms x lanes` matrix, where `t` may be conjugated. In one of its directions
/// `x` (and `target` like it) is dense.
#[derive(Clone, Copy)]
pub(super) struct Update<T> {
    pub(super) t: View<T>,
    pub(super) x: View<T>,
    pub(super) target: View<T>,
    pub(super) rows: usize,
    pub(super) terms: usize,
    pub(super) lanes: usize,
    pub(super) conjugate: bool,
}

/// A direction of a matrix as the engine walks it.
fn walk(count: usize, stride: isize) -> DimMap {
    DimMap::affine(count, stride)
}

/// Numbers as that many elements each.
fn elements<const P: usize>(count: usize, stride: isize) -> DimMap {
    if P == 1 { walk(count, stride) } else { DimMap::new(&[(count, stride), (P, 1)]) }
}

impl<T: Real> Update<T> {
    /// Whether the lanes of `x` are dense; its rows are if not.
    fn dense_lanes<const P: usize>(&self) -> bool {
        self.x.col == P as isize
    }

    /// The product of one part (real or imaginary) of the left operand with all parts of the right one: `t x`, or its
    /// transpose when the lanes are not dense.
    fn gemm<const P: usize>(&self) -> Gemm<'static, T> {
        let &Update { t, x, rows, terms, lanes, .. } = self;
        let (m, n, a, b) = if self.dense_lanes::<P>() {
            let a = Strided { lanes: walk(rows, t.row), terms: walk(terms, t.col) };
            (rows, lanes, a, Strided { lanes: elements::<P>(lanes, x.col), terms: walk(terms, x.row) })
        } else {
            let a = Strided { lanes: walk(lanes, x.col), terms: walk(terms, x.row) };
            (lanes, rows, a, Strided { lanes: elements::<P>(rows, t.row), terms: walk(terms, t.col) })
        };
        let n = n * P;
        let (a, b) = (Side::Strided(a), Side::Strided(b));
        let (c_rows, c_cols) = (walk(m, n as isize), walk(n, 1));
        Gemm { m, n, k: terms, batches: Batches::default(), a, b, c_rows, c_cols }
    }

    /// Elements of one product.
    fn product_len<const P: usize>(&self) -> usize {
        (self.rows * self.lanes * P).next_multiple_of(16)
    }

    /// Bytes of workspace, 64-byte aligned.
    pub(super) fn workspace_bytes<const P: usize>(&self) -> usize {
        P * self.product_len::<P>() * size_of::<T>() + self.gemm::<P>().workspace_bytes()
    }

    /// Computes and subtracts the product. What it writes is `target`.
    ///
    /// # Safety
    /// The matrices have the numbers; `target` overlaps none of the others; the workspace has its bytes.
    pub(super) unsafe fn run<const P: usize>(&self, call: Call<'_>, workspace: *mut u8) {
        if self.terms == 0 || self.rows == 0 || self.lanes == 0 {
            return;
        }
        let dense = self.dense_lanes::<P>();
        let (a, b) = if dense { (self.t.base, self.x.base) } else { (self.x.base, self.t.base) };
        let gemm = self.gemm::<P>();
        let product = workspace.cast::<T>();
        let rest = product.wrapping_add(P * self.product_len::<P>()).cast::<u8>();
        for part in 0..P {
            let operands = Operands::<T> {
                a: a.wrapping_add(part),
                b,
                c: product.wrapping_add(part * self.product_len::<P>()),
                workspace: &raw const rest,
            };
            // SAFETY: as the caller promises.
            unsafe { gemm.run(call.threads, call.isa, operands) };
        }
        // SAFETY: as the caller promises.
        unsafe { self.subtract::<P>(call, product) };
    }

    /// `target -= product`, row by row of the product.
    unsafe fn subtract<const P: usize>(&self, call: Call<'_>, product: *mut T) {
        let dense = self.dense_lanes::<P>();
        let target = if dense { self.target } else { self.target.transposed() };
        let (m, n) = if dense { (self.rows, self.lanes) } else { (self.lanes, self.rows) };
        let product = View { base: product, row: (n * P) as isize, col: P as isize };
        // Signs of what the imaginary part of the left operand gives, and of the other imaginary part.
        let left = if self.conjugate && dense { T::ONE.neg() } else { T::ONE };
        let right = if self.conjugate && !dense { T::ONE.neg() } else { T::ONE };
        let second = self.product_len::<P>();
        let reversed = target.col < 0;
        call.threads.run(m, (1usize << 14).div_ceil(n.max(1)), &|start, end| {
            for i in start..end {
                let from = product.at(i, 0).cast_const();
                // In the order of memory.
                let to = if reversed { target.at(i, n - 1) } else { target.at(i, 0) };
                for j in 0..n {
                    let at = if reversed { n - 1 - j } else { j } * P;
                    // SAFETY: rows and lanes are below those of target and products, and no other task has these
                    // rows.
                    unsafe {
                        let to = to.add(j * P);
                        if P == 1 {
                            *to = (*to).sub(*from.add(at));
                        } else {
                            let (rr, ri) = (*from.add(at), (*from.add(at + 1)).mul(right));
                            let ir = (*from.add(second + at)).mul(left);
                            let ii = (*from.add(second + at + 1)).mul(left).mul(right);
                            *to = (*to).sub(rr.sub(ii));
                            *to.add(1) = (*to.add(1)).sub(ri.add(ir));
                        }
                    }
                }
            }
        });
    }
}
