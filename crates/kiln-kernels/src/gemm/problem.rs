//! A batched product: its operands, where their panels come from, and where its result goes.

use kiln_program::call::MAX_BATCH_DIMS;

use super::blocking::{Blocks, Shape};
use super::driver::Run;
use super::map::DimMap;
use super::pack::{PanelSource, Strided};
use super::tile::TileElement;
use crate::element::{Element, Packed};
use crate::isa::Isa;
use crate::parallel::Threads;

/// Where the panels of one operand come from.
#[derive(Clone, Copy)]
pub(crate) enum Side<'a, T: Element> {
    /// A matrix in memory.
    Strided(Strided),
    /// Anything that can fill panels.
    Computed(&'a dyn PanelSource<T>),
}

/// One batch dimension: extent and the distances in the operands.
#[derive(Clone, Copy, Default)]
pub(crate) struct Batch {
    pub(crate) extent: usize,
    pub(crate) a: isize,
    pub(crate) b: isize,
    pub(crate) c: isize,
}

/// The batch dimensions, outermost first.
#[derive(Clone, Copy, Default)]
pub(crate) struct Batches {
    len: usize,
    dims: [Batch; MAX_BATCH_DIMS],
}

impl Batches {
    /// Adds a dimension inside the others; [`MAX_BATCH_DIMS`] fit.
    pub(crate) fn push_inner(&mut self, dim: Batch) {
        if dim.extent != 1 {
            self.dims[self.len] = dim;
            self.len += 1;
        }
    }

    /// Number of products.
    pub(crate) fn count(&self) -> usize {
        self.dims[..self.len].iter().map(|dim| dim.extent).product()
    }

    /// Offsets in a, b and c of one product.
    pub(crate) fn offsets(&self, index: usize) -> [isize; 3] {
        let mut rest = index;
        let mut offsets = [0isize; 3];
        for dim in self.dims[..self.len].iter().rev() {
            let digit = (rest % dim.extent) as isize;
            rest /= dim.extent;
            for (offset, stride) in offsets.iter_mut().zip([dim.a, dim.b, dim.c]) {
                *offset = digit.wrapping_mul(stride).wrapping_add(*offset);
            }
        }
        offsets
    }
}

/// A batched product, oriented so that the columns of C are adjacent in memory if either direction is.
pub(crate) struct Gemm<'a, T: Element> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) batches: Batches,
    pub(crate) a: Side<'a, T>,
    pub(crate) b: Side<'a, T>,
    pub(crate) c_rows: DimMap,
    pub(crate) c_cols: DimMap,
}

/// The memory of a product.
#[derive(Clone, Copy)]
pub(crate) struct Operands<T> {
    pub(crate) a: *const T,
    pub(crate) b: *const T,
    pub(crate) c: *mut T,
    /// Where the pointer to the workspace is; read only if there is one.
    pub(crate) workspace: *const *mut u8,
}

// SAFETY: threads write disjoint parts of c and of the workspace, and only read a and b.
unsafe impl<T> Sync for Operands<T> {}

impl<T: TileElement> Gemm<'_, T> {
    fn shape(&self) -> Shape {
        // Whether the micro-kernel could read an operand where it is.
        let readable = |side: &Side<'_, T>, unit_lanes: bool| match side {
            Side::Strided(matrix) => {
                T::IN_PLACE
                    && matrix.terms.single_stride().is_some()
                    && matrix
                        .lanes
                        .single_stride()
                        .is_some_and(|stride| !unit_lanes || stride == 1 || matrix.lanes.size() == 1)
            }
            Side::Computed(_) => false,
        };
        Shape {
            m: self.m,
            n: self.n,
            k: self.k,
            batches: self.batches.count(),
            size: size_of::<T::Packed>(),
            wide: size_of::<T::Packed>() != size_of::<T>(),
            a_readable: readable(&self.a, false),
            b_readable: readable(&self.b, true),
        }
    }

    fn is_empty(&self) -> bool {
        self.m == 0 || self.n == 0 || self.batches.count() == 0
    }

    /// Bytes of workspace that [`Gemm::run`] uses.
    pub(crate) fn workspace_bytes(&self) -> usize {
        if self.is_empty() || self.k == 0 { 0 } else { Blocks::new(&self.shape()).bytes }
    }

    /// Computes the product.
    ///
    /// # Safety
    /// The operands hold the elements that the maps reach, c overlaps none of the others, and the workspace has
    /// [`Gemm::workspace_bytes`] bytes at an address aligned for the packed type (if that is 0, there need be none).
    pub(crate) unsafe fn run(&self, threads: Threads<'_>, isa: Isa, operands: Operands<T>) {
        if self.is_empty() {
            return;
        }
        if self.k == 0 {
            // SAFETY: as the caller promises.
            unsafe { self.fill_zero(operands.c) };
            return;
        }
        let blocks = Blocks::new(&self.shape());
        // SAFETY: as the caller promises.
        unsafe {
            let workspace = if blocks.bytes > 0 { *operands.workspace } else { core::ptr::null_mut() };
            Run::new(self, blocks, operands, workspace, threads, isa).all_blocks();
        }
    }

    unsafe fn fill_zero(&self, c: *mut T) {
        let zero = T::narrow(T::Packed::ZERO);
        for batch in 0..self.batches.count() {
            let [_, _, offset] = self.batches.offsets(batch);
            for i in 0..self.m {
                let row = offset + self.c_rows.offset(i);
                for j in 0..self.n {
                    // SAFETY: the maps of rows and columns reach only elements of c, which nobody else writes here.
                    unsafe { *c.offset(row + self.c_cols.offset(j)) = zero };
                }
            }
        }
    }
}
