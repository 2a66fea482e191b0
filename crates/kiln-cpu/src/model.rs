//! The model of a CPU that programs are planned for.

use kiln_ir::CallShapes;
use kiln_kernels::{CpuCall, call_info};
use kiln_plan::model::{
    CallLibrary, FusionLimits, MachineModel, ParallelLimits, RowLimits, ScatterLimits, SortLimits, TwoStage, WorkModel,
};
use kiln_program::{Call, CallInfo};
use std::sync::Arc;

/// The kernels of `kiln-kernels`: one for each call.
#[derive(Debug)]
struct Kernels;

impl CallLibrary for Kernels {
    fn takes(&self, _: &Call) -> bool {
        true
    }
    fn tables(&self, call: &Call) -> Vec<u8> {
        CpuCall::tables(call)
    }
    fn site(&self, call: Call) -> CallInfo {
        call_info(call)
    }
}

/// The model of every CPU: it does not depend on the processor, so that a plan does not either.
pub fn machine() -> MachineModel {
    MachineModel {
        name: "cpu",
        // A cache line.
        arena_align: 64,
        work: WorkModel { grain_ns: 20_000.0, bytes_per_ns: 8.0, ops_per_ns: 8.0 },
        fusion: FusionLimits {
            max_nodes: 128,
            max_inputs: 32,
            max_row_reductions: 6,
            max_pieces: 4,
            max_window: 16,
            expensive: 8,
            few_full_rows: 8,
        },
        parallel: ParallelLimits {
            from_elements: 16384,
            chunk: 8192,
            few_outer: 16,
            short_outer: 8,
            enough_outer: 64,
            lanes: 16,
        },
        rows: RowLimits { short: 8, scratch_bytes: 16 << 10 },
        two_stage: TwoStage {
            few_rows: 32,
            long_row: 4096,
            long_column: 64,
            from_elements: 1 << 16,
            part_elements: 16384,
            max_parts: 64,
            min_part: 16,
        },
        sort: SortLimits { scratch_bytes: 8 << 10, long_row: 1 << 14, many_rows: 8 },
        scatter: ScatterLimits { max_blocks: 16, min_block: 64 },
        call_shapes: CallShapes::default(),
        library: Arc::new(Kernels),
    }
}
