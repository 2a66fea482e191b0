//! Groups under construction.

use super::rows::{At, operand_at};
use super::{Form, Group, GroupKind, form_of, is_inline, kind_of};
use kiln_ir::{Func, NodeId, Op, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A group under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub kind: GroupKind,
    pub form: Form,
    /// Order of execution.
    pub pos: u64,
    /// The nodes inside and where the kernel needs their elements.
    pub nodes: BTreeMap<NodeId, At>,
    pub outputs: BTreeSet<Value>,
    pub inputs: BTreeSet<Value>,
    /// Concatenations and paddings: the kernel is divided where they change from one operand to the next.
    pub pieces: u32,
    /// Holds a window.
    pub window: bool,
}

impl Draft {
    pub fn new(func: &Func, id: NodeId, pos: u64) -> Draft {
        let form = form_of(func, id);
        let at = match form {
            Form::Elementwise { elements } | Form::Reduction { elements } => At::Lead(elements),
            Form::Rows { rows, .. } => At::Lead(rows),
            Form::Root(_) => At::Once,
        };
        Draft {
            kind: kind_of(func, id),
            form,
            pos,
            nodes: BTreeMap::from([(id, at)]),
            outputs: func.results(id).collect(),
            inputs: func.node(id).operands.iter().copied().collect(),
            pieces: pieces(&func.node(id).op),
            window: matches!(func.node(id).op, Op::ReduceWindow { .. }),
        }
    }

    /// Takes in the literals that need not be read from memory.
    pub fn absorb_inline(&mut self, func: &Func) {
        if self.kind != GroupKind::Kernel {
            return;
        }
        let inline: Vec<Value> = self.inputs.iter().copied().filter(|v| is_inline(func.node(v.node))).collect();
        for v in inline {
            let free = self.nodes.iter().all(|(id, at)| {
                let node = func.node(*id);
                (0..node.operands.len()).all(|i| node.operands[i] != v || operand_at(func, node, *at, i).is_some())
            });
            if free {
                self.inputs.remove(&v);
                self.nodes.insert(v.node, At::Lead(1));
            }
        }
    }

    pub fn group(self) -> Group {
        Group {
            kind: self.kind,
            nodes: self.nodes.into_keys().collect(),
            outputs: self.outputs.into_iter().collect(),
            inputs: self.inputs.into_iter().collect(),
            form: self.form,
            call: None,
        }
    }
}

/// True for reductions, arguments of extremes included.
pub(super) fn is_reduction(op: &Op) -> bool {
    matches!(op, Op::Reduce { .. } | Op::ArgReduce { .. })
}

/// 1 for operators that divide a kernel into regions.
pub(super) fn pieces(op: &Op) -> u32 {
    u32::from(matches!(op, Op::Concatenate(_) | Op::Pad { .. }))
}
