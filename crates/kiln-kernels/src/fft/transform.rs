//! Transforms of sets of lines in memory: by groups, as matrices, or as convolutions.

use super::lanes::{Job, Lines};
use super::plan::{Direct, Plan, Smooth, chirp_lines, padded};
use crate::isa::Isa;
use crate::parallel::Threads;
use crate::simd::Real;

/// Numbers that a thread should transform at least, to be worth waking.
const GRAIN: usize = 1 << 12;

/// What all parts of one call of the kernel have in common.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) threads: Threads<'a>,
    pub(super) isa: Isa,
    pub(super) tables: *const u8,
}

// SAFETY: threads only read the tables.
unsafe impl Sync for Call<'_> {}

/// A pointer that threads share.
#[derive(Clone, Copy)]
pub(super) struct Shared<P>(pub(super) *mut P);

// SAFETY: who dereferences it vouches for disjoint accesses.
unsafe impl<P> Sync for Shared<P> {}

impl<P> Shared<P> {
    pub(super) fn get(&self) -> *mut P {
        self.0
    }
}

/// Lines to transform, from one place to another (or the same).
#[derive(Clone, Copy)]
pub(super) struct Move<T> {
    pub(super) src: *const T,
    pub(super) src_lines: Lines,
    pub(super) dst: *mut T,
    pub(super) dst_lines: Lines,
    pub(super) lines: usize,
    pub(super) inverse: bool,
    pub(super) scale: T,
}

// SAFETY: as for `Shared`.
unsafe impl<T> Sync for Move<T> {}

impl<T: Real> Move<T> {
    /// From a line on.
    fn starting_at(self, line: usize) -> Move<T> {
        Move {
            src: self.src.wrapping_add(2 * self.src_lines.start(line)),
            dst: self.dst.wrapping_add(2 * self.dst_lines.start(line)),
            lines: self.lines - line,
            ..self
        }
    }

    fn job<'a>(&self, plan: &'a Smooth, tables: *const u8) -> Job<'a, T> {
        Job {
            plan,
            tables,
            src: self.src,
            src_lines: self.src_lines,
            dst: self.dst,
            dst_lines: self.dst_lines,
            lines: self.lines,
            inverse: self.inverse,
            scale: self.scale,
            twiddles: core::ptr::null(),
        }
    }
}

impl Call<'_> {
    /// Runs `body` over pieces of `0..count`.
    pub(super) fn each(&self, count: usize, work: usize, body: &(impl Fn(usize, usize) + Sync)) {
        self.threads.run(count, GRAIN.div_ceil(work.max(1)), body);
    }

    /// Transforms the groups of a job.
    ///
    /// # Safety
    /// Lines and tables are where the job says; `workspace` has room for the slots.
    unsafe fn groups<T: Real>(&self, job: &Job<'_, T>, workspace: *mut u8) {
        let groups = job.groups().count();
        let slots = job.plan.slots(groups);
        let workspace = Shared(workspace);
        let work = job.plan.n * job.lines / slots;
        // A piece takes its groups one after the other through the slot of its first share.
        self.each(slots, work, &|start, end| {
            let slot = workspace.get().wrapping_add(start * job.plan.slot_bytes());
            for group in start * groups / slots..end * groups / slots {
                // SAFETY: as the caller promises; pieces have their own groups and slots.
                unsafe { job.run(self.isa, group, slot.cast()) };
            }
        });
    }

    /// Transforms lines of smooth length.
    ///
    /// # Safety
    /// Lines and tables are where they are said to be; `workspace` has the plan's bytes.
    pub(super) unsafe fn direct<T: Real>(&self, plan: &Direct, lines: Move<T>, workspace: *mut u8) {
        match plan {
            // SAFETY: as the caller promises.
            Direct::Lanes(smooth) => unsafe { self.groups(&lines.job(smooth, self.tables), workspace) },
            Direct::Matrix { columns, rows, twiddles } => {
                for line in 0..lines.lines {
                    // SAFETY: as the caller promises.
                    unsafe { self.matrix(columns, rows, *twiddles, lines.starting_at(line), workspace) };
                }
            }
        }
    }

    /// Transforms one contiguous line as a matrix.
    unsafe fn matrix<T: Real>(
        &self,
        columns: &Smooth,
        rows: &Smooth,
        twiddles: usize,
        line: Move<T>,
        workspace: *mut u8,
    ) {
        let (height, width) = (columns.n, rows.n);
        let middle = workspace.cast::<T>();
        let workspace = workspace.wrapping_add(padded(2 * height * width * size_of::<T>()));
        let matrix = Lines::columns(height, width);
        let first = Job {
            twiddles: self.tables.wrapping_add(twiddles).cast(),
            src_lines: matrix,
            dst: middle,
            dst_lines: matrix,
            lines: width,
            scale: T::ONE,
            ..line.job(columns, self.tables)
        };
        let second = Job {
            src: middle,
            src_lines: Lines::rows(width),
            dst_lines: Lines::columns(width, height),
            lines: height,
            ..line.job(rows, self.tables)
        };
        // SAFETY: as for `direct`; the middle has room for the line.
        unsafe {
            self.groups(&first, workspace);
            self.groups(&second, workspace);
        }
    }

    /// Transforms lines of any length.
    ///
    /// # Safety
    /// As for [`Call::direct`].
    pub(super) unsafe fn transform<T: Real>(&self, plan: &Plan, lines: Move<T>, workspace: *mut u8) {
        match plan {
            // SAFETY: as the caller promises.
            Plan::Direct(direct) => unsafe { self.direct(direct, lines, workspace) },
            Plan::Chirp { m, .. } => {
                let chunk = chirp_lines(*m, lines.lines);
                for first in (0..lines.lines).step_by(chunk) {
                    let range = (first, chunk.min(lines.lines - first));
                    // SAFETY: as the caller promises.
                    unsafe { self.chirp(plan, &lines, range, workspace) };
                }
            }
        }
    }

    /// Transforms a chunk of lines by a convolution with a chirp.
    unsafe fn chirp<T: Real>(&self, plan: &Plan, lines: &Move<T>, (first, count): (usize, usize), workspace: *mut u8) {
        let &Plan::Chirp { n, m, chirp, filter, ref inner } = plan else { return };
        let table = |at: usize| Shared(self.tables.wrapping_add(at).cast_mut().cast::<[f64; 2]>());
        let (chirp, filter) = (table(chirp), table(filter));
        let values = Shared(workspace.cast::<[f64; 2]>());
        let workspace = workspace.wrapping_add(padded(16 * m * chirp_lines(m, lines.lines)));
        let work = Move {
            src: values.get().cast_const().cast(),
            src_lines: Lines::rows(m),
            dst: values.get().cast(),
            dst_lines: Lines::rows(m),
            lines: count,
            inverse: false,
            scale: 1.0,
        };
        // SAFETY (all blocks): the lines and tables have the numbers they should have; rows of `values` are disjoint.
        self.each(count, m, &|start, end| {
            for line in start..end {
                // SAFETY: see above.
                unsafe { chirp_in(lines, first + line, (n, m), chirp.get(), values.get().add(line * m)) };
            }
        });
        // SAFETY: see above.
        unsafe { self.direct(inner, work, workspace) };
        self.each(count, m, &|start, end| {
            for line in start..end {
                for k in 0..m {
                    // SAFETY: see above.
                    unsafe {
                        let value = values.get().add(line * m + k);
                        *value = product(*value, *filter.get().add(k));
                    }
                }
            }
        });
        // SAFETY: see above.
        unsafe { self.direct(inner, Move { inverse: true, ..work }, workspace) };
        self.each(count, m, &|start, end| {
            for line in start..end {
                // SAFETY: see above.
                unsafe { chirp_out(lines, first + line, n, chirp.get(), values.get().add(line * m)) };
            }
        });
    }
}

fn product([a, b]: [f64; 2], [c, d]: [f64; 2]) -> [f64; 2] {
    [a * c - b * d, a * d + b * c]
}

/// One line times the chirp, with zeros behind.
unsafe fn chirp_in<T: Real>(
    lines: &Move<T>,
    line: usize,
    (n, m): (usize, usize),
    chirp: *const [f64; 2],
    to: *mut [f64; 2],
) {
    let from = lines.src.wrapping_add(2 * lines.src_lines.start(line));
    for j in 0..n {
        // SAFETY: as the caller promises.
        unsafe {
            let at = from.add(2 * j * lines.src_lines.step);
            let (mut re, mut im) = ((*at).to_f64(), (*at.add(1)).to_f64());
            if lines.inverse {
                core::mem::swap(&mut re, &mut im);
            }
            *to.add(j) = product([re, im], *chirp.add(j));
        }
    }
    for j in n..m {
        // SAFETY: as the caller promises.
        unsafe { *to.add(j) = [0.0; 2] };
    }
}

/// The results of one line.
unsafe fn chirp_out<T: Real>(lines: &Move<T>, line: usize, n: usize, chirp: *const [f64; 2], from: *const [f64; 2]) {
    let to = lines.dst.wrapping_add(2 * lines.dst_lines.start(line));
    let scale = lines.scale.to_f64();
    for k in 0..n {
        // SAFETY: as the caller promises.
        unsafe {
            let [mut re, mut im] = product(*from.add(k), *chirp.add(k)).map(|part| part * scale);
            if lines.inverse {
                core::mem::swap(&mut re, &mut im);
            }
            let at = to.add(2 * k * lines.dst_lines.step);
            (*at, *at.add(1)) = (T::of(re), T::of(im));
        }
    }
}

/// Transforms one line in place, with memory of its own: for making tables. The same on every processor.
pub(super) fn whole(plan: &Direct, tables: &[u8], values: &mut [[f64; 2]]) {
    let mut workspace = vec![0u64; plan.workspace_bytes::<f64>(1).div_ceil(8)];
    let call = Call { threads: Threads::none(), isa: Isa::Portable, tables: tables.as_ptr() };
    let lines = Move {
        src: values.as_ptr().cast(),
        src_lines: Lines::rows(values.len()),
        dst: values.as_mut_ptr().cast(),
        dst_lines: Lines::rows(values.len()),
        lines: 1,
        inverse: false,
        scale: 1.0,
    };
    // SAFETY: one line of the plan's length; the tables of the plan were filled before; the workspace has its bytes.
    unsafe { call.direct::<f64>(plan, lines, workspace.as_mut_ptr().cast()) };
}
