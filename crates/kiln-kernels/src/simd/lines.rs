//! Moving lines of complex numbers between memory and blocks.
//!
//! A block has one index of all the lines of a group: the real parts, one per lane, then the imaginary parts. In which
//! order the lanes are is up to the vector type, the same in every block.

use super::{MAX_LANES, Real, Task, Vector};

/// The lines of a group in memory.
#[derive(Clone, Copy)]
pub(crate) struct Side<T> {
    pub(crate) base: *mut T,
    /// Offsets of the lines in elements.
    pub(crate) starts: [usize; MAX_LANES],
    pub(crate) count: usize,
    pub(crate) adjacent: bool,
    /// Elements between the numbers of a line.
    pub(crate) step: usize,
    pub(crate) n: usize,
    /// Whether real and imaginary parts are exchanged.
    pub(crate) swap: bool,
}

impl<T: Real> Side<T> {
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
        // SAFETY: `lane` is below a block's lanes, and the caller vouches for a block on both sides.
        unsafe {
            let from = from.add(2 * lane);
            let (a, b) = V::deinterleave(V::load(from), V::load(from.add(V::LANES)));
            a.store(to.add(first + lane));
            b.store(to.add(second + lane));
        }
    }
}

/// From lines to blocks.
pub(crate) struct Load<T> {
    pub(crate) side: Side<T>,
    pub(crate) to: *mut T,
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
pub(crate) struct Store<T> {
    pub(crate) side: Side<T>,
    pub(crate) from: *const T,
    pub(crate) scale: T,
    /// The factors of the group's first line, or null.
    pub(crate) twiddles: *const T,
    /// Elements between the factors of one index and those of the next.
    pub(crate) step: usize,
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
            // SAFETY: `lane` is below a block's lanes, and the caller vouches for a block on both sides.
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
        // SAFETY: `k` is below the number of factors, each of which the table holds for `count` lines.
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
