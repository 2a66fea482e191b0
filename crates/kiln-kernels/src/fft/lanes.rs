//! Transforming a group of lines: into blocks, through the passes, out of blocks.

use super::passes::Pass;
use super::plan::Smooth;
use crate::gemm::isa::Isa;
use crate::simd::{MAX_LANES, Real, Task, Vector, vectorize};

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
            let from = Side::new(self.src.cast_mut(), &self.src_lines, first, count, self.plan.n, self.inverse);
            vectorize(isa, Load { side: from, to: x });
            let tables = self.tables.wrapping_add(self.plan.table()).cast::<T>();
            for shape in self.plan.shapes() {
                let (twiddles, roots) = (tables.wrapping_add(shape.twiddles), tables.wrapping_add(shape.roots));
                let pass = Pass { x: x.cast_const(), y, m: shape.m, s: shape.s, twiddles, roots, radix: shape.radix };
                pass.run(isa);
                core::mem::swap(&mut x, &mut y);
            }
            let to = Side::new(self.dst, &self.dst_lines, first, count, self.plan.n, self.inverse);
            let twiddles = if self.twiddles.is_null() { self.twiddles } else { self.twiddles.wrapping_add(2 * first) };
            let step = 2 * self.lines;
            vectorize(isa, Store { side: to, from: x.cast_const(), scale: self.scale, twiddles, step });
        }
    }
}

/// The lines of a group in memory.
#[derive(Clone, Copy)]
struct Side<T> {
    base: *mut T,
    /// Offsets of the lines in elements.
    starts: [usize; MAX_LANES],
    count: usize,
    adjacent: bool,
    /// Elements between the numbers of a line.
    step: usize,
    n: usize,
    /// Whether real and imaginary parts are exchanged.
    swap: bool,
}

impl<T: Real> Side<T> {
    fn new(base: *mut T, lines: &Lines, first: usize, count: usize, n: usize, swap: bool) -> Side<T> {
        let mut starts = [0; MAX_LANES];
        for (lane, start) in starts.iter_mut().enumerate().take(count) {
            *start = 2 * lines.start(first + lane);
        }
        let full = count == T::LANES;
        Side { base, starts, count, adjacent: full && lines.adjacent(first, count), step: 2 * lines.step, n, swap }
    }

    /// Whether whole squares of numbers can be moved.
    fn transposes(&self) -> bool {
        self.count == T::LANES && self.step == 2 && !self.adjacent
    }

    /// Offsets in a block of what memory has first and second.
    fn parts(&self) -> (usize, usize) {
        if self.swap { (T::LANES, 0) } else { (0, T::LANES) }
    }
}

/// Complex numbers of index `k` in lane order, from memory to a block.
#[inline(always)]
unsafe fn split<V: Vector>(from: *const V::Elem, to: *mut V::Elem, (first, second): (usize, usize)) {
    for lane in (0..V::Elem::LANES).step_by(V::LANES) {
        // SAFETY: a block's worth of elements on both sides.
        unsafe {
            let from = from.add(2 * lane);
            let (a, b) = V::deinterleave(V::load(from), V::load(from.add(V::LANES)));
            a.store(to.add(first + lane));
            b.store(to.add(second + lane));
        }
    }
}

/// From lines to blocks.
struct Load<T> {
    side: Side<T>,
    to: *mut T,
}

impl<T: Real> Task<T> for Load<T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let Load { side, to } = self;
        let (block, parts) = (2 * T::LANES, side.parts());
        let square = V::LANES / 2;
        let mut k = 0;
        // SAFETY (all blocks): the numbers of the group's lines, and blocks below `n`.
        if side.adjacent {
            while k < side.n {
                // SAFETY: see above.
                unsafe { split::<V>(side.base.add(side.starts[0] + k * side.step), to.add(k * block), parts) };
                k += 1;
            }
        } else if side.transposes() {
            while k + square <= side.n {
                for lane in (0..T::LANES).step_by(V::LANES) {
                    // SAFETY: see above.
                    unsafe {
                        let (low, high) = (rows::<V>(&side, lane, k), rows::<V>(&side, lane + square, k));
                        let (low, high) = (V::transpose(low), V::transpose(high));
                        for i in 0..square {
                            let (a, b) = V::deinterleave(low[i], high[i]);
                            let to = to.add((k + i) * block + lane);
                            a.store(to.add(parts.0));
                            b.store(to.add(parts.1));
                        }
                    }
                }
                k += square;
            }
        }
        let mut buffer = [T::ZERO; 2 * MAX_LANES];
        while k < side.n {
            for lane in 0..side.count {
                // SAFETY: see above.
                unsafe {
                    let from = side.base.add(side.starts[lane] + k * side.step);
                    (buffer[2 * lane], buffer[2 * lane + 1]) = (*from, *from.add(1));
                }
            }
            // SAFETY: see above.
            unsafe { split::<V>(buffer.as_ptr(), to.add(k * block), parts) };
            k += 1;
        }
    }
}

/// The numbers from `k` on of as many lines as make a square.
#[inline(always)]
unsafe fn rows<V: Vector>(side: &Side<V::Elem>, lane: usize, k: usize) -> [V; 8] {
    let mut rows = [V::splat(V::Elem::ZERO); 8];
    for i in 0..V::LANES / 2 {
        // SAFETY: the lines have these numbers.
        rows[i] = unsafe { V::load(side.base.add(side.starts[lane + i] + 2 * k)) };
    }
    rows
}

/// From blocks to lines.
struct Store<T> {
    side: Side<T>,
    from: *const T,
    scale: T,
    /// The factors of the group's first line, or null.
    twiddles: *const T,
    /// Elements between the factors of one index and those of the next.
    step: usize,
}

impl<T: Real> Store<T> {
    /// The numbers of lanes `lane..` at index `k` as pairs, scaled and multiplied by their factors.
    #[inline(always)]
    unsafe fn pairs<V: Vector<Elem = T>>(&self, lane: usize, k: usize, twiddles: *const T) -> (V, V) {
        // SAFETY: blocks below `n`; factors for all lanes.
        unsafe {
            let from = self.from.add(k * 2 * T::LANES + lane);
            let (mut re, mut im) = (V::load(from), V::load(from.add(T::LANES)));
            let scale = V::splat(self.scale);
            (re, im) = (re.mul(scale), im.mul(scale));
            if !twiddles.is_null() {
                let from = twiddles.add(2 * lane);
                let (c, s) = V::deinterleave(V::load(from), V::load(from.add(V::LANES)));
                (re, im) = (im.neg_mul_add(s, re.mul(c)), re.mul_add(s, im.mul(c)));
            }
            if self.side.swap { V::interleave(im, re) } else { V::interleave(re, im) }
        }
    }

    /// Index `k` of all lanes in lane order.
    #[inline(always)]
    unsafe fn join<V: Vector<Elem = T>>(&self, k: usize, twiddles: *const T, to: *mut T) {
        for lane in (0..T::LANES).step_by(V::LANES) {
            // SAFETY: a block's worth of elements on both sides.
            unsafe {
                let (a, b) = self.pairs::<V>(lane, k, twiddles);
                a.store(to.add(2 * lane));
                b.store(to.add(2 * lane + V::LANES));
            }
        }
    }

    /// The factors of index `k`, brought to a place where there are some for each lane.
    #[inline(always)]
    unsafe fn factors(&self, k: usize, buffer: &mut [T; 2 * MAX_LANES]) -> *const T {
        if self.twiddles.is_null() {
            return self.twiddles;
        }
        // SAFETY: factors for `count` lines.
        unsafe {
            let from = self.twiddles.add(k * self.step);
            if self.side.count == T::LANES {
                return from;
            }
            buffer.as_mut_ptr().copy_from_nonoverlapping(from, 2 * self.side.count);
        }
        buffer.as_ptr()
    }
}

impl<T: Real> Task<T> for Store<T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let side = &self.side;
        let square = V::LANES / 2;
        let mut factors = [T::ZERO; 2 * MAX_LANES];
        let mut k = 0;
        // SAFETY (all blocks): the numbers of the group's lines, and blocks below `n`.
        if side.adjacent {
            while k < side.n {
                // SAFETY: see above.
                unsafe {
                    let twiddles = self.factors(k, &mut factors);
                    self.join::<V>(k, twiddles, side.base.add(side.starts[0] + k * side.step));
                }
                k += 1;
            }
        } else if side.transposes() && self.twiddles.is_null() {
            while k + square <= side.n {
                for lane in (0..T::LANES).step_by(V::LANES) {
                    let zero = V::splat(T::ZERO);
                    let (mut low, mut high) = ([zero; 8], [zero; 8]);
                    // SAFETY: see above.
                    unsafe {
                        for i in 0..square {
                            (low[i], high[i]) = self.pairs::<V>(lane, k + i, core::ptr::null());
                        }
                        let (low, high) = (V::transpose(low), V::transpose(high));
                        for i in 0..square {
                            low[i].store(side.base.add(side.starts[lane + i] + 2 * k));
                            high[i].store(side.base.add(side.starts[lane + square + i] + 2 * k));
                        }
                    }
                }
                k += square;
            }
        }
        let mut buffer = [T::ZERO; 2 * MAX_LANES];
        while k < side.n {
            // SAFETY: see above.
            unsafe {
                let twiddles = self.factors(k, &mut factors);
                self.join::<V>(k, twiddles, buffer.as_mut_ptr());
                for lane in 0..side.count {
                    let to = side.base.add(side.starts[lane] + k * side.step);
                    (*to, *to.add(1)) = (buffer[2 * lane], buffer[2 * lane + 1]);
                }
            }
            k += 1;
        }
    }
}
