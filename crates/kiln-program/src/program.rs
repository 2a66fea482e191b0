//! A program: steps over buffers with known places.

use crate::{BoundSignature, CallInfo, Step};
use kiln_ir::DType;

/// A compiled graph for concrete sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Name of the graph.
    pub name: String,
    /// What goes in and out.
    pub signature: BoundSignature,
    /// Every buffer.
    pub buffers: Vec<Buffer>,
    /// What runs, in order.
    pub steps: Vec<Step>,
    /// The generated kernels; index = `Step::Launch::kernel`.
    pub kernels: Vec<KernelInfo>,
    /// Call sites; index = `Step::Call::call`.
    pub calls: Vec<CallInfo>,
    /// Bytes of each block of constants: small literals together, large ones each by itself, so that programs can share them.
    /// Their contents stand beside the program ([`crate::CompiledProgram`]).
    pub constants: Vec<u64>,
    /// Bytes of the arena slot.
    pub arena_bytes: u64,
    /// The liveness lower bound of the arena: the largest sum of bytes live at one step.
    pub lower_bound_bytes: u64,
}

/// Index into [`Program::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// Where a buffer lies: `slot base pointer + offset`.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Name for people: the graph value's name or operator.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Size in bytes.
    pub bytes: u64,
    /// Base.
    pub slot: Slot,
    /// Bytes from the base; a multiple of 64 in the arena and the constants.
    pub offset: u64,
    /// First and last step (in the flattened order of the steps) at which the contents matter.
    pub live: (u32, u32),
}

/// The memory that a buffer lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The planned arena of one run.
    Arena,
    /// One of the program's blocks of constants.
    Constants(u32),
    /// The caller's feed.
    Input(u32),
    /// The caller's fetch.
    Output(u32),
    /// A variable's storage.
    Variable(u32),
}

/// Facts of a generated kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelInfo {
    /// Name.
    pub name: String,
    /// Bytes of each buffer parameter.
    pub params: Vec<u64>,
    /// Iterations of the parallel axis (1 = serial kernel).
    pub extent: u64,
    /// Fewest iterations worth a thread; `extent` or more means: never split.
    pub grain: u64,
    /// Bytes loaded and stored.
    pub bytes_moved: u64,
    /// Floating point operations.
    pub flops: u64,
}

impl Program {
    /// Number of slots: arena, blocks of constants, inputs, outputs, variables.
    pub fn slot_count(&self) -> usize {
        1 + self.constants.len()
            + self.signature.inputs.len()
            + self.signature.outputs.len()
            + self.signature.variables.len()
    }
    /// Position of a slot's base pointer in `RunContext::buffers`.
    pub fn slot_index(&self, slot: Slot) -> usize {
        let (c, i, o) = (self.constants.len(), self.signature.inputs.len(), self.signature.outputs.len());
        match slot {
            Slot::Arena => 0,
            Slot::Constants(n) => 1 + n as usize,
            Slot::Input(n) => 1 + c + n as usize,
            Slot::Output(n) => 1 + c + i + n as usize,
            Slot::Variable(n) => 1 + c + i + o + n as usize,
        }
    }
    /// The buffer of an id.
    ///
    /// # Panics
    /// When the id is not of this program.
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0 as usize]
    }
}
