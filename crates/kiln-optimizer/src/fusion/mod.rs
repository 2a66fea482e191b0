//! Fusion: which nodes become one kernel.

use kiln_ir::{NodeId, Value};

/// The nodes of one function, partitioned into units of execution.
#[derive(Clone, Debug, Default)]
pub struct FusionPlan {
    /// The groups, in an order in which they can run.
    pub groups: Vec<Group>,
}

/// What executes a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupKind {
    /// Generated kernels.
    Kernel,
    /// One `dot_general` or `convolution`, by a library kernel.
    Library,
    /// One `while`, `if` or `case`.
    Control,
    /// One node whose result has the bytes of its first operand (reshape, bitcast of equal width, barrier): no code.
    Alias,
}

/// One unit of execution.
#[derive(Clone, Debug)]
pub struct Group {
    /// What executes it.
    pub kind: GroupKind,
    /// The nodes evaluated inside, ascending. Cheap producers may occur in several groups (recomputed in each).
    pub nodes: Vec<NodeId>,
    /// The values written to memory; each value is an output of at most one group.
    pub outputs: Vec<Value>,
    /// The values read from memory (inputs, constants that are not inlined, outputs of other groups), ascending.
    pub inputs: Vec<Value>,
}
