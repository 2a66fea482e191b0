//! Lines of real numbers: even lengths as complex lines of half the length, odd ones as complex lines.

use super::lanes::Lines;
use super::plan::{Plan, chunk_lines, padded};
use super::transform::{Call, Move, Shared};
use kiln_ir::op::FftKind;
use kiln_program::call::spectrum_length;

use crate::simd::Real;
use crate::trig::Roots;

/// The real dimension of a transform: always the last.
#[derive(Clone, Copy)]
pub(super) struct RealAxis {
    n: usize,
    lines: usize,
    /// For the complex lines that stand for the real ones.
    plan: Plan,
    /// Offset in bytes of the roots that take an even length apart.
    roots: usize,
}

impl RealAxis {
    /// The plan for `lines` lines of `n > 0` real numbers.
    pub(super) fn new<T: Real>(n: usize, lines: usize, end: &mut usize) -> RealAxis {
        let roots = *end;
        let length = if n.is_multiple_of(2) {
            *end += padded(2 * (n / 4 + 1) * size_of::<T>());
            n / 2
        } else {
            n
        };
        RealAxis { n, lines, plan: Plan::new::<T>(length, lines, true, end), roots }
    }

    pub(super) fn fill<T: Real>(&self, bytes: &mut [u8]) {
        self.plan.fill::<T>(bytes);
        if self.n.is_multiple_of(2) {
            let roots = Roots::new(self.n);
            for k in 0..=self.n / 4 {
                let value = roots.get(k);
                super::plan::write::<T>(bytes, self.roots + 2 * k * size_of::<T>(), value);
            }
        }
    }

    /// Numbers of a complex line.
    fn complex_length(&self) -> usize {
        if self.n.is_multiple_of(2) { self.n / 2 } else { self.n }
    }

    /// Lines that go through the workspace at a time.
    fn chunk<T: Real>(&self) -> usize {
        chunk_lines(2 * self.complex_length() * size_of::<T>(), self.lines)
    }

    /// Whether lines go through the workspace.
    fn detour(&self, transform: FftKind) -> bool {
        transform == FftKind::Irfft || !self.n.is_multiple_of(2)
    }

    fn detour_bytes<T: Real>(&self) -> usize {
        padded((2 * self.complex_length() * size_of::<T>()).saturating_mul(self.chunk::<T>()))
    }

    pub(super) fn workspace_bytes<T: Real>(&self, transform: FftKind) -> usize {
        let (lines, detour) =
            if self.detour(transform) { (self.chunk::<T>(), self.detour_bytes::<T>()) } else { (self.lines, 0) };
        detour.saturating_add(self.plan.workspace_bytes::<T>(lines, lines.div_ceil(T::LANES)))
    }
}

impl Call<'_> {
    fn roots<T>(&self, axis: &RealAxis) -> Shared<T> {
        Shared(self.tables.wrapping_add(axis.roots).cast_mut().cast())
    }

    /// Real lines to their spectra.
    ///
    /// # Safety
    /// Both operands have the lines; tables and workspace are those of the axis.
    pub(super) unsafe fn forward_real<T: Real>(
        &self,
        axis: &RealAxis,
        input: *const T,
        output: *mut T,
        workspace: *mut u8,
    ) {
        let (n, width) = (axis.n, spectrum_length(axis.n));
        if n.is_multiple_of(2) {
            let half = n / 2;
            let lines = Move {
                src: input,
                src_lines: Lines::rows(half),
                dst: output,
                dst_lines: Lines::rows(width),
                lines: axis.lines,
                inverse: false,
                scale: T::ONE,
            };
            let (out, roots) = (Shared(output), self.roots::<T>(axis));
            // SAFETY: a pair of real numbers is a complex one; spectra are longer than half a line.
            unsafe { self.transform(&axis.plan, lines, workspace) };
            self.each(axis.lines, half, &|start, end| {
                for line in start..end {
                    // SAFETY: the line is below the number of lines of the output, and no other task has it.
                    unsafe { untangle(out.get().add(2 * line * width), half, roots.get()) };
                }
            });
            return;
        }
        let chunk = axis.chunk::<T>();
        let middle = Shared(workspace.cast::<T>());
        let workspace = workspace.wrapping_add(axis.detour_bytes::<T>());
        for first in (0..axis.lines).step_by(chunk) {
            let count = chunk.min(axis.lines - first);
            let (src, dst) = (Shared(input.wrapping_add(first * n).cast_mut()), output.wrapping_add(2 * first * width));
            let dst = Shared(dst);
            self.each(count, n, &|start, end| {
                for i in start * n..end * n {
                    // SAFETY: numbers of the input and of the middle.
                    unsafe {
                        let to = middle.get().add(2 * i);
                        (*to, *to.add(1)) = (*src.get().add(i), T::ZERO);
                    }
                }
            });
            // SAFETY: the middle has room for the chunk.
            unsafe { self.in_place(axis, middle.get(), (n, count), false, workspace) };
            self.each(count, n, &|start, end| {
                for line in start..end {
                    // SAFETY: the middle holds whole lines of the chunk and the output a line for each of them; both
                    // indices are below.
                    unsafe {
                        let from = middle.get().add(2 * line * n).cast_const();
                        dst.get().add(2 * line * width).copy_from_nonoverlapping(from, 2 * width);
                    }
                }
            });
        }
    }

    /// Spectra to real lines.
    ///
    /// # Safety
    /// As for [`Call::forward_real`].
    pub(super) unsafe fn inverse_real<T: Real>(
        &self,
        axis: &RealAxis,
        input: *const T,
        output: *mut T,
        scale: T,
        workspace: *mut u8,
    ) {
        let (n, width, length) = (axis.n, spectrum_length(axis.n), axis.complex_length());
        let even = n.is_multiple_of(2);
        let chunk = axis.chunk::<T>();
        let (middle, roots) = (Shared(workspace.cast::<T>()), self.roots::<T>(axis));
        let workspace = workspace.wrapping_add(axis.detour_bytes::<T>());
        for first in (0..axis.lines).step_by(chunk) {
            let count = chunk.min(axis.lines - first);
            let src = Shared(input.wrapping_add(2 * first * width).cast_mut());
            let dst = Shared(output.wrapping_add(first * n));
            self.each(count, n, &|start, end| {
                for line in start..end {
                    let (from, to) = (2 * line * width, 2 * line * length);
                    // SAFETY: one line of the input and of the middle.
                    unsafe {
                        let (from, to) = (src.get().add(from).cast_const(), middle.get().add(to));
                        if even { tangle(from, to, length, roots.get()) } else { extend(from, to, n) }
                    }
                }
            });
            if even {
                let lines = Move {
                    src: middle.get().cast_const(),
                    src_lines: Lines::rows(length),
                    dst: dst.get(),
                    dst_lines: Lines::rows(length),
                    lines: count,
                    inverse: true,
                    scale,
                };
                // SAFETY: the lines lie in the chunk that this task alone has, and the workspace has the bytes that
                // the plan asks for.
                unsafe { self.transform(&axis.plan, lines, workspace) };
                continue;
            }
            // SAFETY: the middle has room for all lines of the chunk.
            unsafe { self.in_place(axis, middle.get(), (n, count), true, workspace) };
            self.each(count, n, &|start, end| {
                for i in start * n..end * n {
                    // SAFETY: the middle holds whole lines of the chunk and the output a line for each of them; both
                    // indices are below.
                    unsafe { *dst.get().add(i) = (*middle.get().add(2 * i)).mul(scale) };
                }
            });
        }
    }

    unsafe fn in_place<T: Real>(
        &self,
        axis: &RealAxis,
        values: *mut T,
        (n, lines): (usize, usize),
        inverse: bool,
        workspace: *mut u8,
    ) {
        let rows = Lines::rows(n);
        let moved = Move {
            src: values.cast_const(),
            src_lines: rows,
            dst: values,
            dst_lines: rows,
            lines,
            inverse,
            scale: T::ONE,
        };
        // SAFETY: as the caller promises.
        unsafe { self.transform(&axis.plan, moved, workspace) };
    }
}

/// A complex number.
type Pair<T> = [T; 2];

#[inline(always)]
unsafe fn read<T: Real>(from: *const T, k: usize) -> Pair<T> {
    // SAFETY: as the caller promises.
    unsafe { [*from.add(2 * k), *from.add(2 * k + 1)] }
}

#[inline(always)]
unsafe fn write<T: Real>(to: *mut T, k: usize, [re, im]: Pair<T>) {
    // SAFETY: as the caller promises.
    unsafe { (*to.add(2 * k), *to.add(2 * k + 1)) = (re, im) }
}

/// From the transform `z` of a line taken as complex numbers (of `half` of them) to the line's spectrum, in place:
/// `x[k] = e + w^k o`, `x[half - k] = conj(e - w^k o)` with `e` and `o` the spectra of the even and the odd elements.
unsafe fn untangle<T: Real>(row: *mut T, half: usize, roots: *const T) {
    let two = T::of(0.5);
    // SAFETY (the whole function): indices up to `half`; roots up to `half / 2`.
    unsafe {
        let [re, im] = read(row, 0);
        write(row, 0, [re.add(im), T::ZERO]);
        write(row, half, [re.sub(im), T::ZERO]);
        for k in 1..=half / 2 {
            let ([ar, ai], [br, bi], [c, s]) = (read(row, k), read(row, half - k), read(roots, k));
            let (er, ei) = (ar.add(br).mul(two), ai.sub(bi).mul(two));
            // -i (z[k] - conj z[half - k]) / 2
            let (or, oi) = (ai.add(bi).mul(two), br.sub(ar).mul(two));
            let (tr, ti) = (or.mul(c).sub(oi.mul(s)), or.mul(s).add(oi.mul(c)));
            write(row, k, [er.add(tr), ei.add(ti)]);
            write(row, half - k, [er.sub(tr), ti.sub(ei)]);
        }
    }
}

/// The reverse of [`untangle`], times two.
unsafe fn tangle<T: Real>(from: *const T, to: *mut T, half: usize, roots: *const T) {
    // SAFETY (the whole function): as in `untangle`.
    unsafe {
        let ([first, _], [last, _]) = (read(from, 0), read(from, half));
        write(to, 0, [first.add(last), first.sub(last)]);
        for k in 1..=half / 2 {
            let ([ar, ai], [br, bi], [c, s]) = (read(from, k), read(from, half - k), read(roots, k));
            let (er, ei) = (ar.add(br), ai.sub(bi));
            // i conj(w^k) (x[k] - conj x[half - k])
            let (dr, di) = (ar.sub(br), ai.add(bi));
            let (tr, ti) = (dr.mul(c).add(di.mul(s)), di.mul(c).sub(dr.mul(s)));
            write(to, k, [er.sub(ti), ei.add(tr)]);
            write(to, half - k, [er.add(ti), tr.sub(ei)]);
        }
    }
}

/// All `n` (odd) frequencies from the non-negative ones.
unsafe fn extend<T: Real>(from: *const T, to: *mut T, n: usize) {
    // SAFETY (the whole function): `n / 2 + 1` numbers of the one, `n` of the other.
    unsafe {
        write(to, 0, [read(from, 0)[0], T::ZERO]);
        for k in 1..=n / 2 {
            let [re, im] = read(from, k);
            write(to, k, [re, im]);
            write(to, n - k, [re, im.neg()]);
        }
    }
}
