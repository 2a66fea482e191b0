//! Products of a vector and a matrix: limited by reading the matrix, so it is read once, in order, as it lies.

use super::isa::Isa;
use super::tile::Dots;
use crate::element::Packed;
use crate::parallel::Threads;

/// Most columns whose sums are kept at once.
const CHUNK: usize = 512;

/// Least columns per task.
const LEAST_CHUNK: usize = 32;

/// Elements of the matrix that a thread should read at least, to be worth waking.
const GRAIN: usize = 1 << 15;

/// `y[j] = sum_p x[p] * matrix[p, j]` for `j < n`, `p < k`.
#[derive(Clone, Copy)]
pub(crate) struct Gemv<P> {
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) x: *const P,
    pub(crate) x_stride: isize,
    pub(crate) matrix: *const P,
    /// Distance between the columns of the matrix.
    pub(crate) lane_stride: isize,
    /// Distance between the rows of the matrix.
    pub(crate) term_stride: isize,
    pub(crate) y: *mut P,
    pub(crate) y_stride: isize,
}

// SAFETY: threads write disjoint parts of y and only read the others.
unsafe impl<P> Sync for Gemv<P> {}

impl<P: Packed> Gemv<P> {
    /// Whether there is a kernel for these strides: either direction of the matrix is contiguous.
    pub(crate) fn is_supported(&self) -> bool {
        self.lane_stride == 1 || (self.term_stride == 1 && self.x_stride == 1)
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
        let (rows, dots) = (rows_kernel::<P>(isa), P::dots(isa));
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
                // SAFETY: columns of the product; the instructions are those `isa` stands for.
                unsafe { if self.lane_stride == 1 { rows(&part) } else { columns(&part, dots) } };
            }
        });
    }
}

/// The code for contiguous rows.
fn rows_kernel<P: Packed>(isa: Isa) -> unsafe fn(&Gemv<P>) {
    match isa {
        Isa::Portable => portable_rows::<P>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2_rows::<P>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512_rows::<P>,
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => portable_rows::<P>,
    }
}

unsafe fn portable_rows<P: Packed>(v: &Gemv<P>) {
    // SAFETY: passed on.
    unsafe { rows(v, P::mul_add) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_rows<P: Packed>(v: &Gemv<P>) {
    // SAFETY: passed on.
    unsafe { rows(v, P::fused) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f")]
unsafe fn avx512_rows<P: Packed>(v: &Gemv<P>) {
    // SAFETY: passed on.
    unsafe { rows(v, P::fused) }
}

/// Rows are contiguous: adds multiples of rows, four at a time, to sums that stay in the first-level cache.
#[inline(always)]
unsafe fn rows<P: Packed>(v: &Gemv<P>, mul_add: impl Fn(P, P, P) -> P) {
    let mut storage = [P::ZERO; CHUNK];
    let sums = &mut storage[..v.n];
    let n = sums.len();
    let row = |p: usize| {
        // SAFETY: row `p` of the matrix has `n` adjacent elements.
        unsafe { core::slice::from_raw_parts(v.matrix.wrapping_offset(p as isize * v.term_stride), n) }
    };
    // SAFETY: element `p` of the vector.
    let x = |p: usize| unsafe { *v.x.wrapping_offset(p as isize * v.x_stride) };
    let mut p = 0;
    while p + 4 <= v.k {
        let (r0, r1, r2, r3) = (row(p), row(p + 1), row(p + 2), row(p + 3));
        let (x0, x1, x2, x3) = (x(p), x(p + 1), x(p + 2), x(p + 3));
        for j in 0..n {
            let sum = mul_add(x1, r1[j], mul_add(x0, r0[j], sums[j]));
            sums[j] = mul_add(x3, r3[j], mul_add(x2, r2[j], sum));
        }
        p += 4;
    }
    while p < v.k {
        let (r0, x0) = (row(p), x(p));
        for j in 0..n {
            sums[j] = mul_add(x0, r0[j], sums[j]);
        }
        p += 1;
    }
    for (j, &sum) in sums.iter().enumerate() {
        // SAFETY: element `j` of the result.
        unsafe { *v.y.wrapping_offset(j as isize * v.y_stride) = sum };
    }
}

/// Columns are contiguous: dot products, four columns at a time.
unsafe fn columns<P: Packed>(v: &Gemv<P>, dots: Dots<P>) {
    for j in (0..v.n).step_by(4) {
        // Columns beyond the last repeat it.
        let cols = [0, 1, 2, 3].map(|i| v.matrix.wrapping_offset((j + i).min(v.n - 1) as isize * v.lane_stride));
        // SAFETY: the vector and the columns have `k` adjacent elements.
        let sums = unsafe { dots(v.k, v.x, cols) };
        for i in 0..4.min(v.n - j) {
            // SAFETY: element `j + i` of the result.
            unsafe { *v.y.wrapping_offset((j + i) as isize * v.y_stride) = sums[i] };
        }
    }
}
