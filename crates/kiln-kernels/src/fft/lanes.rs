//! Transforming a group of lines: into blocks, through the passes, out of blocks.

use super::passes::Pass;
use super::plan::Smooth;
use crate::isa::Isa;
use crate::simd::lines::{Load, Side, Store};
use crate::simd::{MAX_LANES, Real, vectorize};

/// Where a set of lines lies, in complex numbers: line `t` begins at
/// `(t / inner) * outer_step + (t % inner) * inner_step`, and its numbers are `step` apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    pub(super) inner: usize,
    pub(super) outer_step: usize,
    pub(super) inner_step: usize,
    pub(super) step: usize,
}

impl Lines {
    /// Lines without gaps, `distance` apart.
    pub(super) fn rows(distance: usize) -> Lines {
        Lines { inner: 1, outer_step: distance, inner_step: 0, step: 1 }
    }

    /// The columns of matrices of `n` by `width`.
    pub(super) fn columns(n: usize, width: usize) -> Lines {
        Lines { inner: width, outer_step: n * width, inner_step: 1, step: width }
    }

    /// Where a line begins.
    pub(super) fn start(&self, line: usize) -> usize {
        line / self.inner * self.outer_step + line % self.inner * self.inner_step
    }

    /// Whether `count` lines from `first` on begin one number after the other.
    fn adjacent(&self, first: usize, count: usize) -> bool {
        self.inner_step == 1 && first % self.inner + count <= self.inner
    }
}

/// A set of lines to transform.
#[derive(Clone, Copy)]
pub(super) struct Job<'a, T> {
    pub(super) plan: &'a Smooth,
    /// The tables of the whole kernel.
    pub(super) tables: *const u8,
    pub(super) src: *const T,
    pub(super) src_lines: Lines,
    pub(super) dst: *mut T,
    pub(super) dst_lines: Lines,
    pub(super) lines: usize,
    /// Whether to compute the inverse: the forward transform with real and imaginary parts exchanged.
    pub(super) inverse: bool,
    /// What to multiply the results by.
    pub(super) scale: T,
    /// Factors to multiply index `k` of line `t` by, at `k * lines + t`; null: none.
    pub(super) twiddles: *const T,
}

// SAFETY: groups write disjoint lines; a line is read before it is written.
unsafe impl<T> Sync for Job<'_, T> {}

/// Groups of lines; none contains lines of two rows of `inner` when these are long.
#[derive(Clone, Copy)]
pub(super) struct Groups {
    lines: usize,
    inner: usize,
    per_row: usize,
    lanes: usize,
}

impl Groups {
    pub(super) fn new<T: Real>(lines: usize, inner: usize) -> Groups {
        let inner = if inner < T::LANES { lines.max(1) } else { inner };
        Groups { lines, inner, per_row: inner.div_ceil(T::LANES), lanes: T::LANES }
    }

    pub(super) fn count(&self) -> usize {
        self.lines.div_ceil(self.inner) * self.per_row
    }

    /// First line and number of lines.
    fn range(&self, group: usize) -> (usize, usize) {
        let at = group % self.per_row * self.lanes;
        (group / self.per_row * self.inner + at, self.lanes.min(self.inner - at))
    }
}

impl<T: Real> Job<'_, T> {
    pub(super) fn groups(&self) -> Groups {
        Groups::new::<T>(self.lines, self.src_lines.inner.max(self.dst_lines.inner))
    }

    /// Transforms one group, with `slot` for the two copies.
    ///
    /// # Safety
    /// Lines and tables are where the job says; the slot has `plan.slot_bytes()` bytes.
    pub(super) unsafe fn run(&self, isa: Isa, group: usize, slot: *mut T) {
        let (first, count) = self.groups().range(group);
        let half = 2 * T::LANES * self.plan.n;
        let (mut x, mut y) = (slot, slot.wrapping_add(half));
        // SAFETY: as the caller promises.
        unsafe {
            let from = side(self.src.cast_mut(), &self.src_lines, first, count, self.plan.n, self.inverse);
            vectorize(isa, Load { side: from, to: x });
            let tables = self.tables.wrapping_add(self.plan.table()).cast::<T>();
            for shape in self.plan.shapes() {
                let (twiddles, roots) = (tables.wrapping_add(shape.twiddles), tables.wrapping_add(shape.roots));
                let pass = Pass { x: x.cast_const(), y, m: shape.m, s: shape.s, twiddles, roots, radix: shape.radix };
                pass.run(isa);
                core::mem::swap(&mut x, &mut y);
            }
            let to = side(self.dst, &self.dst_lines, first, count, self.plan.n, self.inverse);
            let twiddles = if self.twiddles.is_null() { self.twiddles } else { self.twiddles.wrapping_add(2 * first) };
            let step = 2 * self.lines;
            vectorize(isa, Store { side: to, from: x.cast_const(), scale: self.scale, twiddles, step });
        }
    }
}

/// The lines of a group.
fn side<T: Real>(base: *mut T, lines: &Lines, first: usize, count: usize, n: usize, swap: bool) -> Side<T> {
    let mut starts = [0; MAX_LANES];
    for (lane, start) in starts.iter_mut().enumerate().take(count) {
        *start = 2 * lines.start(first + lane);
    }
    let full = count == T::LANES;
    Side { base, starts, count, adjacent: full && lines.adjacent(first, count), step: 2 * lines.step, n, swap }
}
