//! The planner.

use super::{FusionOptions, FusionPlan, Group, GroupKind, form_of, is_inline, kind_of};
use kiln_ir::{Func, NodeId, Op, Value};
use std::collections::BTreeSet;

pub(super) fn plan(func: &Func, options: &FusionOptions) -> FusionPlan {
    let _ = options;
    singletons(func)
}

/// The nodes that outputs depend on.
fn needed(func: &Func) -> Vec<bool> {
    let mut live = vec![false; func.nodes().len()];
    for o in &func.outputs {
        live[o.value.node.index()] = true;
    }
    for (id, node) in func.iter().rev() {
        if live[id.index()] {
            node.operands.iter().for_each(|v| live[v.node.index()] = true);
        }
    }
    live
}

/// Every node its own group; inline nodes go along with their users.
fn singletons(func: &Func) -> FusionPlan {
    let live = needed(func);
    let mut groups = Vec::new();
    for (id, node) in func.iter() {
        if !live[id.index()] || matches!(node.op, Op::Parameter(_) | Op::Constant(_)) {
            continue;
        }
        let kind = kind_of(func, id);
        let mut nodes = vec![id];
        let mut inputs = BTreeSet::new();
        for &v in &node.operands {
            if kind == GroupKind::Kernel && is_inline(func.node(v.node)) {
                nodes.push(v.node);
            } else {
                inputs.insert(v);
            }
        }
        groups.push(Group {
            kind,
            nodes: sorted(nodes),
            outputs: func.results(id).collect(),
            inputs: inputs.into_iter().collect(),
            form: form_of(func, id),
        });
    }
    FusionPlan { groups }
}

fn sorted(mut nodes: Vec<NodeId>) -> Vec<NodeId> {
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// True when the value lies in memory whatever the plan is.
pub(super) fn in_memory(func: &Func, v: Value) -> bool {
    let node = func.node(v.node);
    match node.op {
        Op::Parameter(_) => true,
        Op::Constant(_) => !is_inline(node),
        _ => false,
    }
}
