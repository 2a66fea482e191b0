//! From parameters to the form that the engine computes.

use kiln_program::call::{DotParams, MAX_BATCH_DIMS};

use crate::gemm::gemv::Gemv;
use crate::gemm::map::DimMap;
use crate::gemm::pack::Strided;
use crate::gemm::problem::{Batch, Batches, Gemm, Operands, Side};
use crate::gemm::tile::TileElement;
use crate::isa::Isa;
use crate::parallel::Threads;

/// A product with its orientation chosen and shared operands recognized.
pub(super) struct Canonical<T: TileElement> {
    /// Whether the transposed problem is computed: rows and columns, a and b change places.
    pub(super) swapped: bool,
    /// The product to compute; its operand a is the row side (b of the parameters when swapped).
    pub(super) gemm: Gemm<'static, T>,
}

impl<T: TileElement> Canonical<T> {
    /// The form of parameters that passed validation.
    pub(super) fn new(params: &DotParams) -> Canonical<T> {
        // Columns of C must be adjacent for the micro-kernel to store its vectors.
        let swapped = (params.c_col != 1 || params.n == 1) && params.c_row == 1 && params.m > 1;
        let (k, a_terms, b_terms) =
            (params.k, DimMap::affine(params.k, params.a_col), DimMap::affine(params.k, params.b_row));
        let a = Strided { lanes: DimMap::affine(params.m, params.a_row), terms: a_terms };
        let b = Strided { lanes: DimMap::affine(params.n, params.b_col), terms: b_terms };
        let (mut rows, cols) = if swapped { (b, a) } else { (a, b) };
        let (m_stride, n_stride) = (params.c_row, params.c_col);
        let c_maps = (DimMap::affine(params.m, m_stride), DimMap::affine(params.n, n_stride));
        let (mut c_rows, c_cols) = if swapped { (c_maps.1, c_maps.0) } else { c_maps };

        // A batch dimension along which the column side is shared is just more rows. Folded from the inside out.
        let mut kept = [Batch::default(); MAX_BATCH_DIMS];
        let mut count = 0;
        for dim in params.batch.iter().rev().filter(|dim| dim.extent != 1) {
            let (row_stride, col_stride) =
                if swapped { (dim.b_stride, dim.a_stride) } else { (dim.a_stride, dim.b_stride) };
            if col_stride == 0 && rows.lanes.has_room() && c_rows.has_room() {
                rows.lanes.push_outer(dim.extent, row_stride);
                c_rows.push_outer(dim.extent, dim.c_stride);
            } else {
                kept[count] = Batch { extent: dim.extent, a: row_stride, b: col_stride, c: dim.c_stride };
                count += 1;
            }
        }
        let mut batches = Batches::default();
        kept[..count].iter().rev().for_each(|&dim| batches.push_inner(dim));
        let (m, n) = (rows.lanes.size(), cols.lanes.size());
        let gemm = Gemm { m, n, k, batches, a: Side::Strided(rows), b: Side::Strided(cols), c_rows, c_cols };
        Canonical { swapped, gemm }
    }

    /// Computes the product as a vector times a matrix, if it is one in a form that is supported.
    ///
    /// # Safety
    /// As for [`Gemm::run`], except for the workspace, which is not used.
    pub(super) unsafe fn run_as_gemv(&self, threads: Threads<'_>, isa: Isa, operands: Operands<T>) -> bool {
        let gemm = &self.gemm;
        let (Side::Strided(rows), Side::Strided(cols)) = (&gemm.a, &gemm.b) else { return false };
        if (gemm.m != 1 && gemm.n != 1) || gemm.k == 0 {
            return false;
        }
        // The vector's side has one lane; the matrix is the other.
        let vector_is_a = gemm.m == 1;
        let (vector, matrix, result) = if vector_is_a { (rows, cols, gemm.c_cols) } else { (cols, rows, gemm.c_rows) };
        let strides = (
            vector.terms.single_stride(),
            matrix.lanes.single_stride(),
            matrix.terms.single_stride(),
            result.single_stride(),
        );
        let (Some(x_stride), Some(lane_stride), Some(term_stride), Some(y_stride)) = strides else { return false };
        let product = |batch: usize| {
            // As a whole: only the structure may be shared between threads.
            let operands = &operands;
            let [a, b, c] = gemm.batches.offsets(batch);
            let (x, matrix) = (operands.a.wrapping_offset(a), operands.b.wrapping_offset(b));
            let (x, matrix) = if vector_is_a { (x, matrix) } else { (matrix, x) };
            Gemv::<T> {
                n: if vector_is_a { gemm.n } else { gemm.m },
                k: gemm.k,
                x,
                x_stride,
                matrix,
                lane_stride,
                term_stride,
                y: operands.c.wrapping_offset(c),
                y_stride,
            }
        };
        if !product(0).is_supported() {
            return false;
        }
        let batches = gemm.batches.count();
        if batches == 1 {
            // SAFETY: as the caller promises.
            unsafe { product(0).run(threads, isa) };
            return true;
        }
        // Inside a piece of a parallel loop the products run serially.
        let grain = (1usize << 15).div_ceil((gemm.m * gemm.n * gemm.k).max(1));
        threads.run(batches, grain, &|start, end| {
            for batch in start..end {
                // SAFETY: as the caller promises; products have disjoint results.
                unsafe { product(batch).run(Threads::none(), isa) };
            }
        });
        true
    }
}
