//! Products of a vector and a matrix: limited by reading the matrix, so it is read once, in order, as it lies.

use super::tile::{Dots, TileElement, Tiled};
use crate::element::Packed;
use crate::isa::Isa;
use crate::parallel::Threads;

/// Most columns whose sums are kept at once.
const CHUNK: usize = 512;

/// Least columns per task.
const LEAST_CHUNK: usize = 32;

/// Elements of the matrix that a thread should read at least, to be worth waking.
const GRAIN: usize = 1 << 15;

/// `y[j] = sum_p x[p] * matrix[p, j]` for `j < n`, `p < k`.
#[derive(Clone, Copy)]
pub(crate) struct Gemv<T> {
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) x: *const T,
    pub(crate) x_stride: isize,
    pub(crate) matrix: *const T,
    /// Distance between the columns of the matrix.
    pub(crate) lane_stride: isize,
    /// Distance between the rows of the matrix.
    pub(crate) term_stride: isize,
    pub(crate) y: *mut T,
    pub(crate) y_stride: isize,
}

// SAFETY: threads write disjoint parts of y and only read the others.
unsafe impl<T> Sync for Gemv<T> {}

impl<T: TileElement> Gemv<T> {
    /// Whether there is a kernel for these strides: rows of the matrix are contiguous, or else its columns and the
    /// vector, of elements that are computed with as they are.
    pub(crate) fn is_supported(&self) -> bool {
        self.lane_stride == 1 || (T::IN_PLACE && self.term_stride == 1 && self.x_stride == 1)
    }

    /// Columns per task: any division gives the same results.
    fn chunk(&self, threads: usize) -> usize {
        if threads == 1 {
            CHUNK
        } else {
            (self.n / (2 * threads)).next_multiple_of(LEAST_CHUNK).clamp(LEAST_CHUNK, CHUNK)
        }
    }

    /// Computes the product.
    ///
    /// # Safety
    /// The pointers reach all elements; y overlaps none of the others; [`Gemv::is_supported`].
    pub(crate) unsafe fn run(&self, threads: Threads<'_>, isa: Isa) {
        let chunk = self.chunk(threads.count());
        let (rows, dots) = (rows_kernel::<T>(isa), T::Packed::dots(isa));
        let grain = GRAIN.div_ceil(chunk * self.k.max(1));
        threads.run(self.n.div_ceil(chunk), grain, &|start, end| {
            for task in start..end {
                let first = task * chunk;
                let part = Gemv {
                    n: chunk.min(self.n - first),
                    matrix: self.matrix.wrapping_offset(first as isize * self.lane_stride),
                    y: self.y.wrapping_offset(first as isize * self.y_stride),
                    ..*self
                };
                // SAFETY: the part is some columns of the product that the caller vouches for, no other task has
                // them, and `isa` is available.
                unsafe { if self.lane_stride == 1 { rows(&part) } else { columns(&part, dots) } };
            }
        });
    }
}

/// The code for contiguous rows.
fn rows_kernel<T: TileElement>(isa: Isa) -> unsafe fn(&Gemv<T>) {
    match isa {
        Isa::Portable => portable_rows::<T>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2_rows::<T>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512_rows::<T>,
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => portable_rows::<T>,
    }
}

unsafe fn portable_rows<T: TileElement>(v: &Gemv<T>) {
    // SAFETY: passed on.
    unsafe { rows(v, T::Packed::mul_add) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_rows<T: TileElement>(v: &Gemv<T>) {
    // SAFETY: passed on.
    unsafe { rows(v, T::Packed::fused) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f")]
unsafe fn avx512_rows<T: TileElement>(v: &Gemv<T>) {
    // SAFETY: passed on.
    unsafe { rows(v, T::Packed::fused) }
}

/// Rows are contiguous: adds multiples of rows, four at a time, to sums that stay in the first-level cache.
#[inline(always)]
unsafe fn rows<T: TileElement>(v: &Gemv<T>, mul_add: impl Fn(T::Packed, T::Packed, T::Packed) -> T::Packed) {
    let mut storage = [T::Packed::ZERO; CHUNK];
    let sums = &mut storage[..v.n];
    let n = sums.len();
    let row = |p: usize| {
        // SAFETY: row `p` of the matrix has `n` adjacent elements.
        unsafe { core::slice::from_raw_parts(v.matrix.wrapping_offset(p as isize * v.term_stride), n) }
    };
    // SAFETY: called with `p` below `k`, so inside the vector.
    let x = |p: usize| unsafe { (*v.x.wrapping_offset(p as isize * v.x_stride)).widen() };
    let mut p = 0;
    while p + 4 <= v.k {
        let (r0, r1, r2, r3) = (row(p), row(p + 1), row(p + 2), row(p + 3));
        let (x0, x1, x2, x3) = (x(p), x(p + 1), x(p + 2), x(p + 3));
        for j in 0..n {
            let sum = mul_add(x1, r1[j].widen(), mul_add(x0, r0[j].widen(), sums[j]));
            sums[j] = mul_add(x3, r3[j].widen(), mul_add(x2, r2[j].widen(), sum));
        }
        p += 4;
    }
    while p < v.k {
        let (r0, x0) = (row(p), x(p));
        for j in 0..n {
            sums[j] = mul_add(x0, r0[j].widen(), sums[j]);
        }
        p += 1;
    }
    for (j, &sum) in sums.iter().enumerate() {
        // SAFETY: `j` is below `n`, so inside the result, and no other task writes it.
        unsafe { *v.y.wrapping_offset(j as isize * v.y_stride) = T::narrow(sum) };
    }
}

/// Columns are contiguous: dot products, four columns at a time.
unsafe fn columns<T: TileElement>(v: &Gemv<T>, dots: Dots<T::Packed>) {
    for j in (0..v.n).step_by(4) {
        // Columns beyond the last repeat it.
        let cols = [0, 1, 2, 3].map(|i| v.matrix.wrapping_offset((j + i).min(v.n - 1) as isize * v.lane_stride).cast());
        // SAFETY: the vector and the columns have `k` adjacent elements.
        let sums = unsafe { dots(v.k, v.x.cast(), cols) };
        for i in 0..4.min(v.n - j) {
            // SAFETY: element `j + i` of the result.
            unsafe { *v.y.wrapping_offset((j + i) as isize * v.y_stride) = T::narrow(sums[i]) };
        }
    }
}
