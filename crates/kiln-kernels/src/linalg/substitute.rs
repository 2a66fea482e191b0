//! Substitution in one block: `t x = b` with a lower triangular `t` of at most [`BLOCK`] rows, one right-hand side per
//! vector lane.

use super::{BLOCK, Call, GRAIN, View};
use crate::isa::Isa;
use crate::simd::lines::{Load, Side, Store};
use crate::simd::{MAX_LANES, Real, Task, Vector, vectorize};

/// Rows that are computed together.
const ROWS: usize = 8;

/// A triangular block, copied: row `j` begins at `j * rows * P`. What the diagonal holds is prepared for division.
#[derive(Clone, Copy)]
pub(super) struct Triangle<T> {
    base: *mut T,
    rows: usize,
    unit: bool,
}

// SAFETY: threads only read it.
unsafe impl<T> Sync for Triangle<T> {}

/// Elements of a [`Triangle`].
pub(super) const fn triangle_len<const P: usize>() -> usize {
    BLOCK * BLOCK * P + BLOCK
}

impl<T: Real> Triangle<T> {
    /// Copies the lower triangle of the first `rows` rows of `t`; the diagonal is left out when it is taken to be one.
    ///
    /// # Safety
    /// `base` has [`triangle_len`] elements, `t` the triangle.
    pub(super) unsafe fn copy<const P: usize>(
        base: *mut T,
        t: View<T>,
        rows: usize,
        conjugate: bool,
        unit: bool,
    ) -> Triangle<T> {
        let copied = Triangle { base, rows, unit };
        for j in 0..rows {
            for k in 0..j + usize::from(!unit) {
                // SAFETY: as the caller promises.
                unsafe {
                    let (from, to) = (t.at(j, k), copied.at::<P>(j, k));
                    *to = *from;
                    if P == 2 {
                        let im = *from.add(1);
                        *to.add(1) = if conjugate { im.neg() } else { im };
                    }
                }
            }
            if P == 2 && !unit {
                // SAFETY: as the caller promises.
                unsafe { copied.prepare(j) };
            }
        }
        copied
    }

    fn at<const P: usize>(&self, j: usize, k: usize) -> *mut T {
        self.base.wrapping_add((j * self.rows + k) * P)
    }

    /// Which part of a complex number on the diagonal is the larger.
    fn flag(&self, j: usize) -> *mut T {
        self.base.wrapping_add(self.rows * self.rows * 2 + j)
    }

    /// Replaces a complex number on the diagonal by the ratio and the divisor of Smith's method (R. L. Smith, "Algorithm
    /// 116: Complex division", 1962), which does not overflow.
    unsafe fn prepare(&self, j: usize) {
        // SAFETY: as for `copy`.
        unsafe {
            let at = self.at::<2>(j, j);
            let (re, im) = (*at, *at.add(1));
            let real = re.abs() >= im.abs();
            let (large, small) = if real { (re, im) } else { (im, re) };
            let ratio = if large == T::ZERO { T::ZERO } else { small.div(large) };
            (*at, *at.add(1)) = (ratio, large.add(small.mul(ratio)));
            *self.flag(j) = if real { T::ONE } else { T::ZERO };
        }
    }
}

/// Solves `t x = b` for `lanes` right-hand sides in `x`, in place. In one of its directions `x` is dense.
///
/// # Safety
/// `x` has the numbers.
pub(super) unsafe fn solve<T: Real, const P: usize>(call: Call<'_>, t: Triangle<T>, x: View<T>, lanes: usize) {
    let groups = lanes.div_ceil(T::LANES);
    let grain = GRAIN.div_ceil(t.rows * t.rows * T::LANES);
    let isa = call.isa;
    call.threads.run(groups, grain, &|start, end| {
        let mut tile = [T::ZERO; BLOCK * MAX_LANES * 2];
        let tile = tile.as_mut_ptr();
        for group in start..end {
            let lane = group * T::LANES;
            let part = Tile::<T, P> { x: x.from(0, lane), rows: t.rows, lanes: T::LANES.min(lanes - lane), tile };
            let step = (P * T::LANES) as isize;
            let (first, row) = match x.row < 0 {
                true => (tile.wrapping_offset((t.rows as isize - 1) * step), -step),
                false => (tile, step),
            };
            // SAFETY: a group of lanes; the tile has room for a block of rows.
            unsafe {
                part.load(isa);
                vectorize(isa, Substitute::<T, P> { t, x: first, row });
                part.store(isa);
            }
        }
    });
}

/// A group of lanes of a block, in memory and as a tile. The tile's rows are in the order of memory.
struct Tile<T, const P: usize> {
    x: View<T>,
    rows: usize,
    lanes: usize,
    tile: *mut T,
}

impl<T: Real, const P: usize> Tile<T, P> {
    /// The first number in memory.
    fn base(&self) -> *mut T {
        if self.x.row < 0 { self.x.at(self.rows - 1, 0) } else { self.x.base }
    }

    /// The lines that are moved as complex numbers: rows of complex numbers, complex numbers of lines, or pairs of real
    /// numbers of lines.
    fn side(&self) -> Side<T> {
        let adjacent = self.x.col == P as isize && self.lanes == T::LANES;
        let mut starts = [0; MAX_LANES];
        for (lane, start) in starts.iter_mut().enumerate().take(self.lanes) {
            *start = lane * self.x.col as usize;
        }
        let dense_rows = self.x.row.unsigned_abs() == P;
        Side {
            base: self.base(),
            starts,
            count: self.lanes,
            adjacent,
            step: if dense_rows { 2 } else { self.x.row.unsigned_abs() },
            n: if P == 2 { self.rows } else { self.rows / 2 },
            swap: false,
        }
    }

    /// Calls `f` with every number's place in memory and its place in the tile; real numbers only.
    unsafe fn each(&self, f: impl Fn(*mut T, *mut T)) {
        let step = self.x.row.unsigned_abs();
        for row in 0..self.rows {
            for lane in 0..self.lanes {
                let at = self.base().wrapping_add(row * step).wrapping_offset(lane as isize * self.x.col);
                f(at, self.tile.wrapping_add(row * T::LANES + lane));
            }
        }
    }

    /// Whether numbers are moved one by one: rows lie in memory as they do in the tile, or one of them has no partner.
    fn simple(&self) -> bool {
        P == 1 && (self.x.col == 1 || !self.rows.is_multiple_of(2))
    }

    unsafe fn load(&self, isa: Isa) {
        // SAFETY: the group has as many lanes as `self` says, and the tile has room for all of them.
        unsafe {
            if self.simple() {
                self.each(|at, to| *to = *at);
            } else {
                vectorize(isa, Load { side: self.side(), to: self.tile });
            }
        }
    }

    unsafe fn store(&self, isa: Isa) {
        // SAFETY: the group has as many lanes as `self` says, and the tile has room for all of them.
        unsafe {
            if self.simple() {
                self.each(|at, from| *at = *from);
            } else {
                let (none, from) = (core::ptr::null(), self.tile.cast_const());
                vectorize(isa, Store { side: self.side(), from, scale: T::ONE, twiddles: none, step: 0 });
            }
        }
    }
}

/// A number per lane.
#[derive(Clone, Copy)]
struct Num<V, const P: usize>([V; P]);

impl<V: Vector, const P: usize> Num<V, P> {
    #[inline(always)]
    unsafe fn load(from: *const V::Elem) -> Num<V, P> {
        let mut parts = [V::splat(V::Elem::ZERO); P];
        for part in 0..P {
            // SAFETY: as the caller promises.
            parts[part] = unsafe { V::load(from.add(part * V::Elem::LANES)) };
        }
        Num(parts)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut V::Elem) {
        for part in 0..P {
            // SAFETY: as the caller promises.
            unsafe { self.0[part].store(to.add(part * V::Elem::LANES)) };
        }
    }

    /// `self - t x`.
    #[inline(always)]
    unsafe fn sub_product(self, t: *const V::Elem, x: Num<V, P>) -> Num<V, P> {
        let mut out = self;
        // SAFETY: the caller passes the place of a number of the triangle, and tiles hold a number for each lane.
        unsafe {
            let re = V::splat(*t);
            for part in 0..P {
                out.0[part] = re.neg_mul_add(x.0[part], out.0[part]);
            }
            if P == 2 {
                let im = V::splat(*t.add(1));
                out.0[0] = im.mul_add(x.0[1], out.0[0]);
                out.0[1] = im.neg_mul_add(x.0[0], out.0[1]);
            }
        }
        out
    }
}

/// The substitution in a tile.
struct Substitute<T, const P: usize> {
    t: Triangle<T>,
    x: *mut T,
    /// Elements between rows of the tile.
    row: isize,
}

impl<T: Real, const P: usize> Task<T> for Substitute<T, P> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let whole = self.t.rows - self.t.rows % ROWS;
        for lane in (0..T::LANES).step_by(V::LANES) {
            let x = self.x.wrapping_add(lane);
            // SAFETY: rows of the triangle and of the tile.
            unsafe {
                for j in (0..whole).step_by(ROWS) {
                    self.rows::<V, ROWS>(x, j);
                }
                for j in whole..self.t.rows {
                    self.rows::<V, 1>(x, j);
                }
            }
        }
    }
}

impl<T: Real, const P: usize> Substitute<T, P> {
    #[inline(always)]
    unsafe fn rows<V: Vector<Elem = T>, const R: usize>(&self, x: *mut T, j: usize) {
        let at = |row: usize| x.wrapping_offset(row as isize * self.row);
        let t = |row: usize, k: usize| self.t.at::<P>(row, k).cast_const();
        // SAFETY: as the caller promises.
        unsafe {
            let mut sums = [Num::<V, P>([V::splat(T::ZERO); P]); R];
            for r in 0..R {
                sums[r] = Num::load(at(j + r).cast_const());
            }
            for k in 0..j {
                let known = Num::load(at(k).cast_const());
                for r in 0..R {
                    sums[r] = sums[r].sub_product(t(j + r, k), known);
                }
            }
            for r in 0..R {
                for k in 0..r {
                    sums[r] = sums[r].sub_product(t(j + r, j + k), sums[k]);
                }
                if !self.t.unit {
                    sums[r] = self.divide(sums[r], j + r);
                }
                sums[r].store(at(j + r));
            }
        }
    }

    /// Divides by a number of the diagonal.
    #[inline(always)]
    unsafe fn divide<V: Vector<Elem = T>>(&self, x: Num<V, P>, j: usize) -> Num<V, P> {
        let mut out = x;
        // SAFETY: as the caller promises.
        unsafe {
            let diagonal = self.t.at::<P>(j, j);
            if P == 1 {
                out.0[0] = x.0[0].div(V::splat(*diagonal));
                return out;
            }
            let (ratio, divisor) = (V::splat(*diagonal), V::splat(*diagonal.add(1)));
            let (re, im) = (x.0[0], x.0[P - 1]);
            let (re, im) = if *self.t.flag(j) == T::ONE {
                (im.mul_add(ratio, re), re.neg_mul_add(ratio, im))
            } else {
                (re.mul_add(ratio, im), im.mul(ratio).sub(re))
            };
            (out.0[0], out.0[P - 1]) = (re.div(divisor), im.div(divisor));
        }
        out
    }
}
