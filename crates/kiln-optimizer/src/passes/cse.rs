//! `cse`: nodes of equal operator and operands are one node. Nested functions are compared structurally.
//!
//! Hash consing in one walk. Parameters are distinct by definition, and an `optimization_barrier` is there to keep what
//! stands behind it apart (rematerialization relies on that).

use crate::context::Cx;
use crate::options::Level;
use crate::rewrite::{Values, mapped, set_signature, take_node};
use crate::structural::{hash_op, same_op};
use kiln_ir::{Func, Node, NodeId, Op};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// See the module.
pub(crate) fn run(mut old: Func, cx: &mut Cx) -> Func {
    let mut new = Func::new(old.name.clone());
    new.reserve(old.nodes().len());
    let mut map: Vec<Values> = Vec::with_capacity(old.nodes().len());
    // Nodes of the new function by hash. Only looked up, never iterated.
    let mut seen: HashMap<u64, SmallVec<[NodeId; 1]>> = HashMap::with_capacity(old.nodes().len());
    for i in 0..old.nodes().len() {
        cx.work += 1;
        let mut node = take_node(&mut old, NodeId(i as u32));
        for v in &mut node.operands {
            *v = mapped(&map, *v);
        }
        for region in node.op.regions_mut() {
            *region = run(std::mem::take(region), cx);
        }
        if matches!(node.op, Op::Parameter(_) | Op::OptimizationBarrier) {
            let id = new.push_raw(node);
            map.push(new.results(id).collect());
            continue;
        }
        let bucket = seen.entry(hash(&node)).or_default();
        let twin = bucket.iter().copied().find(|&id| same(new.node(id), &node));
        let id = match twin {
            Some(id) if cx.fire("equal nodes", Level::Exact) => {
                if let Some(name) = node.name {
                    new.node_mut(id).name.get_or_insert(name);
                }
                id
            }
            _ => {
                let id = new.push_raw(node);
                bucket.push(id);
                id
            }
        };
        map.push(new.results(id).collect());
    }
    set_signature(&mut new, old.inputs, old.outputs, |v| mapped(&map, v));
    new
}

fn hash(node: &Node) -> u64 {
    // Fixed keys: the same function is treated the same way in every process.
    let mut h = DefaultHasher::new();
    hash_op(&node.op, &mut h);
    node.operands.hash(&mut h);
    h.finish()
}

fn same(a: &Node, b: &Node) -> bool {
    a.operands == b.operands && a.types == b.types && same_op(&a.op, &b.op)
}
