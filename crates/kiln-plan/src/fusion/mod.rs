//! Fusion: which nodes become one kernel.
//!
//! [`plan`] partitions a function into groups. With fusion off every node is a group of its own. With fusion on, nodes are
//! visited from the last to the first; a node joins the groups of its consumers when the cost model (module `cost`) says that
//! the bytes saved outweigh what is computed again. Values are followed through index maps (module `rows`), so that a
//! reduction whose result is used once per row makes its consumers' group a row kernel (softmax, layer norm).
//!
//! Order and acyclicity: every group has a position, at first the id of the node that opened it. A producer joins the *earliest*
//! of its consumers (the others read it from memory, or have a copy of it): no path leads from a later consumer to an earlier one,
//! so no cycle can arise, and nothing needs to be searched. Where another choice is better, groups without an early reader
//! are moved back first (module `siblings`). Planning is linear in the number of nodes.

mod cost;
mod draft;
mod plan;
mod rows;
mod siblings;

use crate::model::MachineModel;
pub use cost::windows_tile;
use kiln_ir::{Func, Node, NodeId, Op, Value};
use kiln_program::CallInfo;

/// The nodes of one function, partitioned into units of execution.
#[derive(Clone, Debug, Default)]
pub struct FusionPlan {
    /// The groups, in an order in which they can run.
    pub groups: Vec<Group>,
}

/// What executes a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum GroupKind {
    /// Generated kernels.
    #[default]
    Kernel,
    /// One `dot_general`, `convolution`, `fft`, `cholesky` or `triangular_solve`, by a library kernel.
    Library,
    /// One `while`, `if` or `case`.
    Control,
    /// One node whose result has the bytes of its first operand (reshape, bitcast of equal width, barrier): no code.
    Alias,
}

impl Default for Form {
    fn default() -> Form {
        Form::Elementwise { elements: 0 }
    }
}

/// The iteration space of a group of kind [`GroupKind::Kernel`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Every output has this many elements; each is computed by itself.
    Elementwise {
        /// Elements of each output.
        elements: usize,
    },
    /// Reductions over trailing dimensions and whatever is computed from them: outputs have `rows` or `rows * cols` elements,
    /// and row `r` of every one depends only on the elements of row `r` of the operands of the reductions.
    Rows {
        /// Product of the kept (leading) dimensions.
        rows: usize,
        /// Product of the reduced (trailing) dimensions.
        cols: usize,
    },
    /// Reductions over other dimensions than the trailing ones, with an epilogue: every output has this many elements.
    Reduction {
        /// Elements of each output.
        elements: usize,
    },
    /// Governed by this node: `scatter`, `dynamic_update_slice`, `select_and_scatter`, `sort` or an operator with a nested
    /// function of scalars. What follows in the group (only after a `select_and_scatter` of which [`windows_tile`] holds) has
    /// its shape and is elementwise.
    Root(NodeId),
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
    /// The iteration space of a kernel (anything for other kinds).
    pub form: Form,
    /// The call of a library group, once that is known; none when its result has no elements.
    pub call: Option<CallInfo>,
}

/// Partitions the nodes that the outputs of `func` need. `func` is optimized and has constant sizes only. Parameters and
/// constants (see [`is_inline`]) belong to no group: they lie in memory.
///
/// With `fuse` off every node is a group of its own.
pub fn plan(func: &Func, fuse: bool, machine: &MachineModel) -> FusionPlan {
    plan::plan(func, fuse, machine)
}

/// True for nodes that every consumer recomputes instead of reading them from memory: literals whose elements are all
/// equal, and sizes. (Library calls, control flow and outputs still read literals from the program's constants.)
pub fn is_inline(node: &Node) -> bool {
    match &node.op {
        Op::Constant(t) => t.splat().is_some(),
        _ => false,
    }
}

/// The iteration space of a kernel that computes this node.
pub fn form_of(func: &Func, id: NodeId) -> Form {
    let node = func.node(id);
    let elements = elements(func, id.into());
    match &node.op {
        Op::Reduce { .. } | Op::ArgReduce { .. } => {
            let operand = node.operands[0];
            let total = self::elements(func, operand);
            if elements > 0 && cost::reduces_trailing(func, node) {
                Form::Rows { rows: elements, cols: total / elements }
            } else {
                Form::Reduction { elements }
            }
        }
        Op::Scatter { .. }
        | Op::DynamicUpdateSlice
        | Op::SelectAndScatter { .. }
        | Op::Sort { .. }
        | Op::GenericReduce { .. }
        | Op::GenericReduceWindow { .. }
        | Op::GenericScatter { .. }
        | Op::GenericSelectAndScatter { .. } => Form::Root(id),
        _ => Form::Elementwise { elements },
    }
}

/// What executes a node when it is alone.
pub fn kind_of(func: &Func, id: NodeId) -> GroupKind {
    let node = func.node(id);
    match &node.op {
        Op::DotGeneral(_) | Op::Convolution(_) | Op::Fft { .. } | Op::Cholesky { .. } | Op::TriangularSolve { .. } => {
            GroupKind::Library
        }
        Op::While { .. } | Op::If { .. } | Op::Case { .. } => GroupKind::Control,
        _ if cost::is_alias(func, node) => GroupKind::Alias,
        _ => GroupKind::Kernel,
    }
}

/// Number of elements of a value; 0 when it is symbolic (which the optimizer has excluded).
pub(crate) fn elements(func: &Func, v: Value) -> usize {
    func.ty(v).shape.num_elements().unwrap_or(0)
}

impl FusionPlan {
    /// The plan as text, for people and tests: one line per group with the operators inside, reads and writes.
    pub fn describe(&self, func: &Func) -> String {
        self.groups.iter().map(|g| crate::text::group(func, g) + "\n").collect()
    }
}
