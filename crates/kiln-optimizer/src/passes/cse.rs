//! `cse`: nodes of equal operator and operands are one node. Nested functions are compared structurally.
//!
//! Hash consing in one walk. Parameters are distinct by definition, and an `optimization_barrier` is there to keep what
//! stands behind it apart (rematerialization relies on that).

use crate::context::Cx;
use crate::options::Level;
use crate::pass::Pass;
use kiln_ir::rewrite::walk;
use kiln_ir::structural::{hash_op, same_op};
use kiln_ir::{Func, Node, NodeId, Op};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// See the module.
pub(crate) const PASS: Pass = Pass::new("cse", run);

fn run(old: Func, cx: &mut Cx) -> Func {
    // Nodes of the new function by hash. Only looked up, never iterated.
    let mut seen: HashMap<u64, SmallVec<[NodeId; 1]>> = HashMap::with_capacity(old.nodes().len());
    walk(old, |new, mut node| {
        cx.work += 1;
        node.map_regions(|region| run(region, cx));
        if matches!(node.op, Op::Parameter(_) | Op::OptimizationBarrier) {
            return new.keep(node);
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
        new.results(id).collect()
    })
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
