//! Systems of equations with a triangular matrix.

use core::ffi::c_void;

use kiln_ir::op::TransposeKind;
use kiln_program::call::{MAX_CHUNK, TriangularSolveParams};

use super::substitute::{Triangle, solve, triangle_len};
use super::update::Update;
use super::{BLOCK, Call, Tasks, View, with_numbers};
use crate::abi::{LibraryFn, RunContext};
use crate::call::CpuCall;
use crate::isa::Isa;
use crate::parallel::Threads;
use crate::simd::Real;

/// Right-hand sides that are solved together.
const CHUNK: usize = MAX_CHUNK;

impl CpuCall for TriangularSolveParams {
    fn function(&self) -> LibraryFn {
        run_triangular_solve
    }

    fn workspace_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        with_numbers!(self.dtype, self.interleaved, T, P => Solve::<T>::new::<P>(self, [core::ptr::null_mut(); 3]).tasks.workspace_bytes())
    }
}

/// The triangular solve kernel: see [`TriangularSolveParams`].
///
/// # Safety
/// `params` points at a [`TriangularSolveParams`], and `bufs` at the operands that it passed
/// [`kiln_program::CallInfo::check_bounds`] for: a, b, x and, where needed, the workspace (64-byte aligned), the others aligned
/// to their element size. x overlaps none of the others. `ctx` is null or valid.
unsafe extern "C" fn run_triangular_solve(ctx: *const RunContext, params: *const c_void, bufs: *const *mut u8) {
    // SAFETY: as above.
    unsafe {
        let params = &*params.cast::<TriangularSolveParams>();
        if params.is_empty() {
            return;
        }
        let call = Call { threads: Threads::of(ctx), isa: Isa::current() };
        with_numbers!(params.dtype, params.interleaved, T, P => {
            let solve = Solve::<T>::new::<P>(params, [*bufs, *bufs.add(1), *bufs.add(2)].map(|operand| operand.cast::<T>()));
            let workspace = if solve.tasks.workspace_bytes() > 0 { *bufs.add(3) } else { core::ptr::null_mut() };
            solve.tasks.run(call, workspace, &|call, task, workspace| solve.run::<P>(call, task, workspace));
        });
    }
}

/// A solve in canonical form: `t x = b` with lower triangular `t`, got by exchanging strides and counting from the end.
struct Solve<T> {
    tasks: Tasks,
    /// Tasks of one system.
    chunks: usize,
    n: usize,
    m: usize,
    t: View<T>,
    b: View<T>,
    x: View<T>,
    /// Elements between systems in a, and in b and x.
    steps: [usize; 2],
    conjugate: bool,
    unit: bool,
}

impl<T: Real> Solve<T> {
    fn new<const P: usize>(params: &TriangularSolveParams, [a, b, x]: [*mut T; 3]) -> Solve<T> {
        let &TriangularSolveParams { n, m, left_side, .. } = params;
        let part = P as isize;
        let row_major = |base: *mut T, cols: usize| View { base, row: cols as isize * part, col: part };
        let transposed = params.transpose != TransposeKind::NoTranspose;
        // x op(a) = b is op(a)^T x^T = b^T.
        let (mut t, mut lower) = (row_major(a, n), params.lower);
        if transposed == left_side {
            (t, lower) = (t.transposed(), !lower);
        }
        let (mut b, mut x) = match left_side {
            true => (row_major(b, m), row_major(x, m)),
            false => (row_major(b, n).transposed(), row_major(x, n).transposed()),
        };
        if !lower {
            let backwards = |view: View<T>| View { row: -view.row, ..view.from(n - 1, 0) };
            t = backwards(t);
            t = View { base: t.at(0, n - 1), col: -t.col, ..t };
            (b, x) = (backwards(b), backwards(x));
        }
        let chunks = m.div_ceil(CHUNK);
        let mut solve = Solve {
            tasks: Tasks { count: params.batch * chunks, slot_bytes: 0, work: n.saturating_mul(n * m.min(CHUNK) * P) },
            chunks,
            n,
            m,
            t,
            b,
            x,
            steps: [n * n * P, n * m * P],
            conjugate: params.transpose == TransposeKind::Adjoint,
            unit: params.unit_diagonal,
        };
        let updates = (BLOCK..n).step_by(BLOCK).map(|row| solve.update(x, row, m.min(CHUNK)).workspace_bytes::<P>());
        let triangle = (triangle_len::<P>() * size_of::<T>()).next_multiple_of(64);
        solve.tasks.slot_bytes = triangle + updates.max().unwrap_or(0);
        solve
    }

    /// What the rows before `row` contribute to the block there.
    fn update(&self, x: View<T>, row: usize, lanes: usize) -> Update<T> {
        Update {
            t: self.t.from(row, 0),
            x,
            target: x.from(row, 0),
            rows: BLOCK.min(self.n - row),
            terms: row,
            lanes,
            conjugate: self.conjugate,
        }
    }

    unsafe fn run<const P: usize>(&self, call: Call<'_>, task: usize, workspace: *mut u8) {
        let (system, first) = (task / self.chunks, task % self.chunks * CHUNK);
        let lanes = CHUNK.min(self.m - first);
        let of = |view: View<T>, step: usize| View { base: view.base.wrapping_add(system * step), ..view };
        let part = Solve { t: of(self.t, self.steps[0]), tasks: Tasks { ..self.tasks }, ..*self };
        let (b, x) = (of(self.b, self.steps[1]).from(0, first), of(self.x, self.steps[1]).from(0, first));
        let triangle = workspace.cast::<T>();
        let rest = workspace.wrapping_add((triangle_len::<P>() * size_of::<T>()).next_multiple_of(64));
        // SAFETY: as for the kernel; tasks have their own columns of x.
        unsafe {
            copy::<T, P>(b, x, self.n, lanes);
            for row in (0..self.n).step_by(BLOCK) {
                let update = part.update(x, row, lanes);
                update.run::<P>(call, rest);
                let t = Triangle::copy::<P>(triangle, part.t.from(row, row), update.rows, self.conjugate, self.unit);
                solve::<T, P>(call, t, update.target, lanes);
            }
        }
    }
}

/// Copies a matrix of `rows` by `lanes` to one of the same strides.
unsafe fn copy<T: Real, const P: usize>(from: View<T>, to: View<T>, rows: usize, lanes: usize) {
    // Along what is dense, in the order of memory.
    let (outer, inner, from, to) = if from.col == P as isize {
        (rows, lanes, from, to)
    } else {
        (lanes, rows, from.transposed(), to.transposed())
    };
    for i in 0..outer {
        let first = if from.col < 0 { inner - 1 } else { 0 };
        // SAFETY: as the caller promises: `inner` numbers without gaps.
        unsafe { to.at(i, first).copy_from_nonoverlapping(from.at(i, first), inner * P) };
    }
}
