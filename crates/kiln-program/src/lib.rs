//! Programs: what a compiled graph is, besides its machine code and weights.
//!
//! A [`Program`] lists steps (kernel launches, library calls, control flow) over buffers with known places, and the signature
//! of inputs, outputs and variables. It is plain data (serde): an artifact holds it, the CPU code generator turns its steps into
//! one entry function, a GPU backend would walk them. Slot pointers are laid out as [`Program::slot_index`] says.

pub mod call;
mod display;
mod nesting;
mod validate;

pub use call::{Call, CallInfo};
pub use validate::InvalidProgram;

use kiln_ir::dim::DimEnv;
use kiln_ir::{DType, Initializer, Shape};
use serde::{Deserialize, Serialize};

/// A compiled graph for concrete sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Name of the graph.
    pub name: String,
    /// What goes in and out.
    pub signature: Signature,
    /// Every buffer.
    pub buffers: Vec<Buffer>,
    /// What runs, in order.
    pub steps: Vec<Step>,
    /// The generated kernels; index = `Step::Launch::kernel`.
    pub kernels: Vec<KernelInfo>,
    /// Call sites; index = `Step::Call::call`.
    pub calls: Vec<CallInfo>,
    /// Contents of the constants slot.
    pub constants: Vec<u8>,
    /// Bytes of the arena slot.
    pub arena_bytes: u64,
    /// The liveness lower bound of the arena: the largest sum of bytes live at one step.
    pub lower_bound_bytes: u64,
    /// Threads that workspaces were planned for.
    pub threads: usize,
}

/// What goes in and out of a program.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Signature {
    /// Feeds, in order.
    pub inputs: Vec<Port>,
    /// Fetches, in order.
    pub outputs: Vec<Port>,
    /// Variables, in order.
    pub variables: Vec<Variable>,
    /// The named dimensions that this program was specialised for.
    pub dims: DimEnv,
}

/// A feed or fetch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Concrete sizes.
    pub shape: Vec<usize>,
    /// The shape as the user wrote it, with named dimensions.
    pub symbolic: Shape,
}

/// State kept between runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Initializer,
    /// True when a run writes it.
    pub updated: bool,
}

/// Index into [`Program::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BufferId(pub u32);

/// Where a buffer lies: `slot base pointer + offset`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// The planned arena of one run.
    Arena,
    /// The program's constants.
    Constants,
    /// The caller's feed.
    Input(u32),
    /// The caller's fetch.
    Output(u32),
    /// A variable's storage.
    Variable(u32),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// Runs a generated kernel over its parallel extent.
    Launch {
        /// Which kernel.
        kernel: u32,
        /// One buffer per kernel parameter.
        args: Vec<BufferId>,
    },
    /// Calls one of the target's own kernels.
    Call {
        /// Which call site.
        call: u32,
        /// Operands, outputs, then the tables and the workspace where the site has them.
        args: Vec<BufferId>,
    },
    /// Copies a whole buffer to another of the same size (no overlap).
    Copy {
        /// From.
        src: BufferId,
        /// To.
        dst: BufferId,
    },
    /// Runs `cond`, then, while `pred` holds 1, `body` and `cond` again.
    While {
        /// Computes `pred`.
        #[serde(deserialize_with = "nesting::bounded")]
        cond: Vec<Step>,
        /// One bool.
        pred: BufferId,
        /// The iteration.
        #[serde(deserialize_with = "nesting::bounded")]
        body: Vec<Step>,
    },
    /// Runs one branch.
    If {
        /// One bool.
        pred: BufferId,
        /// When 1.
        #[serde(deserialize_with = "nesting::bounded")]
        then: Vec<Step>,
        /// When 0.
        #[serde(deserialize_with = "nesting::bounded")]
        otherwise: Vec<Step>,
    },
    /// Runs the branch of this index; out of range: the last.
    Case {
        /// One i32.
        index: BufferId,
        /// At least one branch.
        #[serde(deserialize_with = "nesting::bounded")]
        branches: Vec<Vec<Step>>,
    },
}

/// Facts of a generated kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelInfo {
    /// Name.
    pub name: String,
    /// Number of buffer parameters.
    pub params: u32,
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
    /// Number of slots: arena, constants, inputs, outputs, variables.
    pub fn slot_count(&self) -> usize {
        2 + self.signature.inputs.len() + self.signature.outputs.len() + self.signature.variables.len()
    }
    /// Position of a slot's base pointer in `RunContext::buffers`.
    pub fn slot_index(&self, slot: Slot) -> usize {
        let (i, o) = (self.signature.inputs.len(), self.signature.outputs.len());
        match slot {
            Slot::Arena => 0,
            Slot::Constants => 1,
            Slot::Input(n) => 2 + n as usize,
            Slot::Output(n) => 2 + i + n as usize,
            Slot::Variable(n) => 2 + i + o + n as usize,
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

/// Position independent machine code without relocations: kernels call nothing, the entry function calls through the tables of
/// the run context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeObject {
    /// What it needs of the machine.
    pub target: Target,
    /// The code of all functions, each aligned to 64 bytes.
    pub bytes: Vec<u8>,
    /// Offset of the entry function.
    pub entry: u64,
    /// Offset of each kernel.
    pub kernels: Vec<u64>,
}

/// The machine that code was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Architecture as Rust names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// CPU features that the code uses, as Rust names them (`avx2`, `fma`), sorted.
    pub features: Vec<String>,
}
