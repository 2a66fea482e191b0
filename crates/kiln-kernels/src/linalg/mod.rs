//! Factorizations and solutions with triangular matrices, of real numbers or of complex ones stored as pairs.
//!
//! Both are done in blocks of [`BLOCK`] rows, left-looking: what the finished rows contribute to a block comes from the
//! matrix product engine ([`update`]), the block itself from substitution on many right-hand sides at once, one per
//! vector lane ([`substitute`]).

pub(crate) mod cholesky;
mod substitute;
pub(crate) mod triangular_solve;
mod update;

use crate::isa::Isa;
use crate::parallel::Threads;

/// Rows of a block.
const BLOCK: usize = kiln_program::call::MAX_BLOCK;

/// Bytes of workspace for matrices that are worked on at the same time.
const SLOTS_BYTES: usize = 8 << 20;

/// Most matrices that are worked on at the same time.
const MAX_SLOTS: usize = 32;

/// Operations that a thread should do at least, to be worth waking.
const GRAIN: usize = 1 << 16;

/// A matrix in memory, with distances in elements that may be negative. A number takes `P` elements.
#[derive(Clone, Copy)]
struct View<T> {
    base: *mut T,
    row: isize,
    col: isize,
}

// SAFETY: who dereferences it vouches for disjoint accesses.
unsafe impl<T> Sync for View<T> {}

impl<T> View<T> {
    /// Where a number is.
    fn at(&self, row: usize, col: usize) -> *mut T {
        self.base.wrapping_offset(row as isize * self.row).wrapping_offset(col as isize * self.col)
    }

    /// The matrix from a number on.
    fn from(&self, row: usize, col: usize) -> View<T> {
        View { base: self.at(row, col), ..*self }
    }

    fn transposed(&self) -> View<T> {
        View { base: self.base, row: self.col, col: self.row }
    }
}

/// What all parts of one call of a kernel have in common.
#[derive(Clone, Copy)]
struct Call<'a> {
    threads: Threads<'a>,
    isa: Isa,
}

/// Independent tasks with a workspace each.
struct Tasks {
    count: usize,
    slot_bytes: usize,
    /// Operations of one task, roughly.
    work: usize,
}

impl Tasks {
    fn slots(&self) -> usize {
        (SLOTS_BYTES / self.slot_bytes.max(1)).clamp(1, MAX_SLOTS).min(self.count.max(1))
    }

    fn workspace_bytes(&self) -> usize {
        self.slots().saturating_mul(self.slot_bytes)
    }

    /// Runs the tasks: each on a thread of its own when there are enough of them or they are short, or else one after the
    /// other on all threads. What a task computes does not depend on it.
    fn run(&self, call: Call<'_>, workspace: *mut u8, body: &(impl Fn(Call<'_>, usize, *mut u8) + Sync)) {
        let (slots, slot_bytes, count) = (self.slots(), self.slot_bytes, self.count);
        let threads = call.threads.count();
        if threads > 1 && slots < threads && self.work > 4 * GRAIN {
            (0..count).for_each(|task| body(call, task, workspace));
            return;
        }
        let workspace = View { base: workspace, row: 0, col: 0 };
        let isa = call.isa;
        let grain = GRAIN.div_ceil(self.work.saturating_mul(count / slots).max(1));
        call.threads.run(slots, grain, &|start, end| {
            let workspace = workspace.at(0, 0).wrapping_add(start * slot_bytes);
            for task in start * count / slots..end * count / slots {
                body(Call { threads: Threads::none(), isa }, task, workspace);
            }
        });
    }
}

/// Runs `$body` with the real type `$t` and the number of parts `$p` of an operand.
macro_rules! with_numbers {
    ($dtype:expr, $interleaved:expr, $t:ident, $p:ident => $body:expr) => {
        match ($dtype, $interleaved) {
            (kiln_ir::DType::F64, false) => {
                type $t = f64;
                const $p: usize = 1;
                $body
            }
            (kiln_ir::DType::F64, true) => {
                type $t = f64;
                const $p: usize = 2;
                $body
            }
            (_, false) => {
                type $t = f32;
                const $p: usize = 1;
                $body
            }
            (_, true) => {
                type $t = f32;
                const $p: usize = 2;
                $body
            }
        }
    };
}
use with_numbers;
