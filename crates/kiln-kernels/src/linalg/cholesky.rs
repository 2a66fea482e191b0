//! Cholesky factorization.

use core::ffi::c_void;

use kiln_program::call::CholeskyParams;

use super::substitute::{Triangle, solve, triangle_len};
use super::update::Update;
use super::{BLOCK, Call, Tasks, View, with_numbers};
use crate::abi::{LibraryFn, RunContext};
use crate::call::CpuCall;
use crate::isa::Isa;
use crate::parallel::Threads;
use crate::simd::{Real, Task, Vector, vectorize};

impl CpuCall for CholeskyParams {
    fn function(&self) -> LibraryFn {
        run_cholesky
    }

    fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_numbers!(self.dtype, self.interleaved, T, P => {
            let null = core::ptr::null_mut();
            Factor::<T>::new::<P>(self, null, null).tasks.workspace_bytes()
        })
    }
}

/// The Cholesky kernel: see [`CholeskyParams`].
///
/// # Safety
/// `params` points at a [`CholeskyParams`], and `bufs` at the operands that it passed
/// [`kiln_program::CallInfo::check_bounds`] for: a, result and, where needed, the workspace (64-byte aligned), the others aligned
/// to their element size. The result overlaps none of the others. `ctx` is null or valid.
unsafe extern "C" fn run_cholesky(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8) {
    // SAFETY: as above.
    unsafe {
        let params = &*params.cast::<CholeskyParams>();
        if params.is_empty() {
            return;
        }
        let call = Call { threads: Threads::of(ctx), isa: Isa::current() };
        with_numbers!(params.dtype, params.interleaved, T, P => {
            let factor = Factor::<T>::new::<P>(params, (*bufs).cast::<T>(), (*bufs.add(1)).cast::<T>());
            let workspace = if factor.tasks.workspace_bytes() > 0 { *bufs.add(2) } else { core::ptr::null_mut() };
            factor.tasks.run(call, workspace, &|call, task, workspace| factor.run::<P>(call, task, workspace));
        });
    }
}

/// A factorization of the lower triangle. The upper one is that of the transposed matrix: the strides exchanged.
struct Factor<T> {
    tasks: Tasks,
    n: usize,
    a: View<T>,
    l: View<T>,
    /// Elements between matrices.
    step: usize,
}

impl<T: Real> Factor<T> {
    fn new<const P: usize>(params: &CholeskyParams, a: *mut T, l: *mut T) -> Factor<T> {
        let n = params.n;
        let view = |base: *mut T| {
            let view = View { base, row: (n * P) as isize, col: P as isize };
            if params.lower { view } else { view.transposed() }
        };
        let work = n.saturating_mul(n * n * P * P / 3);
        let mut factor = Factor {
            tasks: Tasks { count: params.batch, slot_bytes: 0, work },
            n,
            a: view(a),
            l: view(l),
            step: n * n * P,
        };
        let updates = (BLOCK..n).step_by(BLOCK).map(|at| factor.update(factor.l, at).workspace_bytes::<P>());
        factor.tasks.slot_bytes = blocks_bytes::<T, P>() + updates.max().unwrap_or(0);
        factor
    }

    /// What the columns before `at` contribute to the block of columns there: the block transposed is
    /// `conj(l[block]) l[rest]^T`.
    fn update(&self, l: View<T>, at: usize) -> Update<T> {
        let x = l.from(at, 0).transposed();
        Update {
            t: l.from(at, 0),
            x,
            target: x.from(at, 0),
            rows: BLOCK.min(self.n - at),
            terms: at,
            lanes: self.n - at,
            conjugate: true,
        }
    }

    unsafe fn run<const P: usize>(&self, call: Call<'_>, task: usize, workspace: *mut u8) {
        let of = |view: View<T>| View { base: view.base.wrapping_add(task * self.step), ..view };
        let (a, l, n) = (of(self.a), of(self.l), self.n);
        let block = workspace.cast::<T>();
        let triangle = block.wrapping_add(BLOCK * BLOCK * P);
        let rest = workspace.wrapping_add(blocks_bytes::<T, P>());
        // SAFETY: as for the kernel; tasks have their own matrices.
        unsafe {
            copy_triangle::<T, P>(a, l, n);
            for at in (0..n).step_by(BLOCK) {
                let update = self.update(l, at);
                update.run::<P>(call, rest);
                let diagonal = l.from(at, at);
                if !factor_block::<T, P>(call, diagonal, update.rows, block) {
                    return fill_nan::<T, P>(l, n);
                }
                if at + update.rows < n {
                    let t = Triangle::copy::<P>(triangle, diagonal, update.rows, true, false);
                    let below = l.from(at + update.rows, at).transposed();
                    solve::<T, P>(call, t, below, n - at - update.rows);
                }
            }
        }
    }
}

/// Bytes of the copies of the diagonal block.
fn blocks_bytes<T, const P: usize>() -> usize {
    ((BLOCK * BLOCK * P + triangle_len::<P>()) * size_of::<T>()).next_multiple_of(64)
}

/// Copies the lower triangle and zeroes the rest.
unsafe fn copy_triangle<T: Real, const P: usize>(a: View<T>, l: View<T>, n: usize) {
    // Along memory: rows of the lower triangle, or of the upper one when the strides are exchanged.
    let transposed = a.col != P as isize;
    let (a, l) = if transposed { (a.transposed(), l.transposed()) } else { (a, l) };
    for i in 0..n {
        let (first, count) = if transposed { (i, n - i) } else { (0, i + 1) };
        // SAFETY: as the caller promises.
        unsafe {
            l.at(i, 0).write_bytes(0, n * P);
            l.at(i, first).copy_from_nonoverlapping(a.at(i, first), count * P);
        }
    }
}

/// The result for a matrix that is not positive definite: a triangle of NaNs, without imaginary parts.
unsafe fn fill_nan<T: Real, const P: usize>(l: View<T>, n: usize) {
    for i in 0..n {
        for j in 0..n {
            // SAFETY: as the caller promises.
            unsafe {
                l.at(i, j).write_bytes(0, P);
                if j <= i {
                    *l.at(i, j) = T::NAN;
                }
            }
        }
    }
}

/// Factors a block of at most [`BLOCK`] rows in place; what is above its diagonal becomes zero. False when it is not
/// positive definite.
unsafe fn factor_block<T: Real, const P: usize>(call: Call<'_>, l: View<T>, rows: usize, block: *mut T) -> bool {
    let mut definite = true;
    // SAFETY: the matrix and its copy have these rows.
    unsafe {
        // As u = l^H, whose rows are contiguous: first the real parts of a row, then the imaginary ones.
        for i in 0..rows {
            for k in 0..=i {
                let (from, to) = (l.at(i, k), block.wrapping_add(k * P * BLOCK + i));
                *to = *from;
                if P == 2 {
                    *to.add(BLOCK) = (*from.add(1)).neg();
                }
            }
        }
        vectorize(call.isa, FactorBlock::<T, P> { block, rows, definite: &mut definite });
        for i in 0..rows {
            for k in 0..=i {
                let (from, to) = (block.wrapping_add(k * P * BLOCK + i), l.at(i, k));
                *to = *from;
                if P == 2 {
                    *to.add(1) = (*from.add(BLOCK)).neg();
                }
            }
            (i + 1..rows).for_each(|k| l.at(i, k).write_bytes(0, P));
        }
    }
    definite
}

/// The factorization `u^H u` of the upper triangle in `block`, row by row. What is below the diagonal is overwritten.
struct FactorBlock<'a, T, const P: usize> {
    block: *mut T,
    rows: usize,
    definite: &'a mut bool,
}

/// Vectors of a row that are computed together.
const VECTORS: usize = 4;

impl<T: Real, const P: usize> Task<T> for FactorBlock<'_, T, P> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        for i in 0..self.rows {
            let first = i - i % V::LANES;
            // SAFETY: rows of the block, which are longer than the matrix where that does not fill vectors.
            unsafe {
                let mut at = first;
                while at + (VECTORS - 1) * V::LANES < self.rows {
                    self.subtract::<V, VECTORS>(i, at);
                    at += VECTORS * V::LANES;
                }
                while at < self.rows {
                    self.subtract::<V, 1>(i, at);
                    at += V::LANES;
                }
                let row = self.block.wrapping_add(i * P * BLOCK);
                let pivot = *row.add(i);
                // NaNs are not positive either.
                if pivot.partial_cmp(&T::ZERO) != Some(core::cmp::Ordering::Greater) {
                    *self.definite = false;
                    return;
                }
                let root = pivot.sqrt();
                for part in 0..P {
                    for at in (first..self.rows).step_by(V::LANES) {
                        let to = row.add(part * BLOCK + at);
                        V::load(to).div(V::splat(root)).store(to);
                    }
                }
                *row.add(i) = root;
                if P == 2 {
                    *row.add(BLOCK + i) = T::ZERO;
                }
            }
        }
    }
}

impl<T: Real, const P: usize> FactorBlock<'_, T, P> {
    /// `row[at..] -= conj(u[k][i]) u[k][at..]` for the rows `k` before, for `N` vectors.
    #[inline(always)]
    unsafe fn subtract<V: Vector<Elem = T>, const N: usize>(&self, i: usize, at: usize) {
        let row = |k: usize| self.block.wrapping_add(k * P * BLOCK);
        // SAFETY: as the caller promises.
        unsafe {
            let mut sums = [[V::splat(T::ZERO); N]; P];
            for part in 0..P {
                for v in 0..N {
                    sums[part][v] = V::load(row(i).add(part * BLOCK + at + v * V::LANES));
                }
            }
            for k in 0..i {
                let from = row(k).cast_const();
                let re = V::splat(*from.add(i));
                for v in 0..N {
                    let x = V::load(from.add(at + v * V::LANES));
                    sums[0][v] = re.neg_mul_add(x, sums[0][v]);
                    if P == 2 {
                        let im = V::splat(*from.add(BLOCK + i));
                        let y = V::load(from.add(BLOCK + at + v * V::LANES));
                        sums[0][v] = im.neg_mul_add(y, sums[0][v]);
                        sums[P - 1][v] = re.neg_mul_add(y, im.mul_add(x, sums[P - 1][v]));
                    }
                }
            }
            for part in 0..P {
                for v in 0..N {
                    sums[part][v].store(row(i).add(part * BLOCK + at + v * V::LANES));
                }
            }
        }
    }
}
