//! The machine that a program is planned for: every number of planning and lowering that is a machine's.

use kiln_ir::CallShapes;
use kiln_program::{Call, CallInfo};
use std::fmt;
use std::sync::Arc;

/// Which calls a machine has kernels for, and what each needs beside its operands.
pub trait CallLibrary: fmt::Debug + Send + Sync {
    /// True when a kernel of the machine computes the call.
    fn takes(&self, call: &Call) -> bool;
    /// Constants that the kernel reads, computed from the parameters; empty: none.
    fn tables(&self, call: &Call) -> Vec<u8>;
    /// The call with the bytes of its tables and of its workspace.
    fn site(&self, call: Call) -> CallInfo;
}

/// Numbers of a machine. They change which plans and kernels are made, never what these compute, but for the order of sums.
#[derive(Clone, Debug)]
pub struct MachineModel {
    /// Its name in printed plans.
    pub name: &'static str,
    /// Offsets in the arena are multiples of this many bytes, a power of two.
    pub arena_align: u64,
    /// How fast work is done.
    pub work: WorkModel,
    /// What may fuse.
    pub fusion: FusionLimits,
    /// When loops run in parallel, and in lanes.
    pub parallel: ParallelLimits,
    /// Kernels that run over rows.
    pub rows: RowLimits,
    /// Reductions in two stages.
    pub two_stage: TwoStage,
    /// Sorts.
    pub sort: SortLimits,
    /// Scatters.
    pub scatter: ScatterLimits,
    /// What calls want of their operands.
    pub call_shapes: CallShapes,
    /// The kernels for calls.
    pub library: Arc<dyn CallLibrary>,
}

/// A rough cost model of one thread.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WorkModel {
    /// Nanoseconds of work that make waking a thread worth while.
    pub grain_ns: f64,
    /// Bytes moved in a nanosecond.
    pub bytes_per_ns: f64,
    /// Scalar operations in a nanosecond.
    pub ops_per_ns: f64,
}

impl WorkModel {
    /// The fewest of `extent` iterations that are worth a thread, for a kernel that moves and computes this much in all.
    pub fn grain(&self, bytes_moved: u64, ops: u64, extent: u64) -> u64 {
        let ns = (bytes_moved as f64 / self.bytes_per_ns).max(ops as f64 / self.ops_per_ns) / extent.max(1) as f64;
        let grain = (self.grain_ns / ns.max(1e-3)).ceil() as u64;
        grain.clamp(1, extent.max(1))
    }
}

/// What may fuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FusionLimits {
    /// Most nodes in one kernel.
    pub max_nodes: usize,
    /// Most values that one kernel reads from memory.
    pub max_inputs: usize,
    /// Most reductions that join a row kernel one after the other: each is another loop over the row.
    pub max_row_reductions: usize,
    /// Most concatenations and paddings in one kernel: each divides it into more regions.
    pub max_pieces: u32,
    /// Windows of at most this many elements are computed inside of other kernels.
    pub max_window: i64,
    /// From this cost on (see the operator table) a node is not computed twice for an element.
    pub expensive: u32,
    /// With fewer rows than this, whole rows as output of a large row kernel would leave threads idle (for what is large, see
    /// [`TwoStage::from_elements`]).
    pub few_full_rows: usize,
}

/// When loops run in parallel, and in lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParallelLimits {
    /// From this many elements (or element-sized pieces of work) on a nest is made parallel.
    pub from_elements: i64,
    /// Preferred elements of one iteration of a parallel loop over a flat space.
    pub chunk: i64,
    /// With fewer iterations of outer loops than this, the inner one is cut into chunks.
    pub few_outer: i64,
    /// With fewer iterations of the outermost loop than this, another loop is made the parallel one ...
    pub short_outer: i64,
    /// ... and iterations beyond this many make none better.
    pub enough_outer: i64,
    /// Elements that lanes compute at once at most: a rest is cut off at a multiple.
    pub lanes: i64,
}

impl ParallelLimits {
    /// True when a space of this many elements is worth a parallel loop.
    pub fn worth(&self, elements: i64) -> bool {
        elements >= self.from_elements
    }

    /// A divisor of `n` near [`ParallelLimits::chunk`], if possible a multiple of the lanes.
    pub fn chunk_of(&self, n: i64) -> Option<i64> {
        let chunk = self.chunk;
        let find = |step: i64| {
            let down = (chunk / 4 / step..=chunk / step).rev();
            let up = chunk / step + 1..=chunk * 4 / step;
            down.chain(up).map(|k| k * step).find(|c| *c > 0 && *c < n && n % c == 0)
        };
        find(self.lanes).or_else(|| find(1))
    }
}

/// Kernels that run over rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowLimits {
    /// Rows shorter than this run in lanes side by side.
    pub short: i64,
    /// Most bytes of scratch of one row.
    pub scratch_bytes: i64,
}

/// Reductions in two stages: parts side by side, then their results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TwoStage {
    /// Fewer rows than this are reduced in two stages (which takes reductions that do not depend on each other) ...
    pub few_rows: i64,
    /// ... when they are at least this long.
    pub long_row: i64,
    /// Reductions over other than trailing dimensions: elements folded into each result from which two stages are better.
    pub long_column: i64,
    /// From this many elements in all on.
    pub from_elements: i64,
    /// Preferred elements of a part.
    pub part_elements: i64,
    /// Most parts.
    pub max_parts: i64,
    /// Fewest elements that a part folds into each result.
    pub min_part: i64,
}

/// Sorts: merge sorts of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SortLimits {
    /// Most bytes of scratch for one row on the stack.
    pub scratch_bytes: i64,
    /// Rows at least this long are sorted by a kernel per pass, if there are few of them.
    pub long_row: i64,
    /// So many rows keep the threads busy.
    pub many_rows: i64,
}

/// Scatters: one after the other, side by side in blocks of their windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScatterLimits {
    /// Most blocks that a window dimension is cut into.
    pub max_blocks: i64,
    /// Fewest elements of a block.
    pub min_block: i64,
}
