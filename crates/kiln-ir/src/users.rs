//! Who uses what: the reverse of operand lists as one flat table, and what it comes to: use counts and liveness.

use crate::func::{Func, Node, NodeId, Value};
use smallvec::{SmallVec, smallvec};

/// One use of a node's result as an operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Use {
    /// The node that uses it.
    pub user: NodeId,
    /// Which of the user's operands it is.
    pub operand: u32,
    /// Which of the node's results is used.
    pub result: u32,
}

/// The uses of every node of a function, in the order of the users. Built in O(nodes + operands).
#[derive(Clone, Debug)]
pub struct Users {
    /// The uses of node `i` are `uses[offsets[i]..offsets[i + 1]]`.
    offsets: Vec<u32>,
    uses: Vec<Use>,
    outputs: Vec<Value>,
}

impl Users {
    /// The table of a function.
    pub fn new(func: &Func) -> Users {
        let n = func.nodes().len();
        let mut offsets = vec![0u32; n + 1];
        let operands = || func.iter().flat_map(|(id, node)| node.operands.iter().enumerate().map(move |o| (id, o)));
        for (_, (_, v)) in operands() {
            offsets[v.node.index() + 1] += 1;
        }
        for i in 0..n {
            offsets[i + 1] += offsets[i];
        }
        let mut next = offsets.clone();
        let unused = Use { user: NodeId(0), operand: 0, result: 0 };
        let mut uses = vec![unused; offsets[n] as usize];
        for (user, (operand, v)) in operands() {
            let slot = &mut next[v.node.index()];
            uses[*slot as usize] = Use { user, operand: operand as u32, result: v.result };
            *slot += 1;
        }
        let mut outputs: Vec<Value> = func.outputs.iter().map(|o| o.value).collect();
        outputs.sort();
        Users { offsets, uses, outputs }
    }

    /// All uses of a node's results as operands, in the order of the users.
    pub fn of(&self, id: NodeId) -> &[Use] {
        &self.uses[self.offsets[id.index()] as usize..self.offsets[id.index() + 1] as usize]
    }

    /// The uses of one value as an operand.
    pub fn of_value(&self, v: Value) -> impl Iterator<Item = Use> {
        self.of(v.node).iter().copied().filter(move |u| u.result == v.result)
    }

    /// How often the value is an output of the function.
    pub fn outputs(&self, v: Value) -> usize {
        self.outputs.partition_point(|o| *o <= v) - self.outputs.partition_point(|o| *o < v)
    }

    /// Uses as an operand and as an output.
    pub fn count(&self, v: Value) -> usize {
        self.of_value(v).count() + self.outputs(v)
    }

    /// True when nothing reads any result of the node.
    pub fn is_unused(&self, id: NodeId) -> bool {
        let first = Value { node: id, result: 0 };
        let at = self.outputs.partition_point(|o| *o < first);
        self.of(id).is_empty() && self.outputs.get(at).is_none_or(|o| o.node != id)
    }
}

impl Func {
    /// The uses of every node.
    pub fn users(&self) -> Users {
        Users::new(self)
    }

    /// Every use of a value: as an operand, in the order of the users, then as an output.
    fn used_values(&self) -> impl Iterator<Item = Value> {
        let operands = self.nodes().iter().flat_map(|n| &n.operands).copied();
        operands.chain(self.outputs.iter().map(|o| o.value))
    }

    /// How often the results of each node are used, as operands and as outputs.
    pub fn use_counts(&self) -> Vec<u32> {
        let mut uses = vec![0; self.nodes().len()];
        self.used_values().for_each(|v| uses[v.node.index()] += 1);
        uses
    }

    /// Which results are used, of those nodes that are asked for; others have an empty entry.
    pub fn used_results(&self, of: impl Fn(&Node) -> bool) -> Vec<SmallVec<[bool; 4]>> {
        let flags = |n: &Node| smallvec![false; if of(n) { n.types.len() } else { 0 }];
        let mut used: Vec<SmallVec<[bool; 4]>> = self.nodes().iter().map(flags).collect();
        for v in self.used_values() {
            if let Some(flag) = used[v.node.index()].get_mut(v.result as usize) {
                *flag = true;
            }
        }
        used
    }

    /// Which nodes the roots depend on, their own included.
    pub fn reachable(&self, roots: impl IntoIterator<Item = Value>) -> Vec<bool> {
        self.reachable_until(roots, |_| false)
    }

    /// [`Func::reachable`] that goes no further than nodes at which `stop` is true: they are reached, what only they depend on
    /// is not.
    pub fn reachable_until(&self, roots: impl IntoIterator<Item = Value>, stop: impl Fn(NodeId) -> bool) -> Vec<bool> {
        let mut reached = vec![false; self.nodes().len()];
        roots.into_iter().for_each(|v| reached[v.node.index()] = true);
        for (id, node) in self.iter().rev() {
            if reached[id.index()] && !stop(id) {
                node.operands.iter().for_each(|v| reached[v.node.index()] = true);
            }
        }
        reached
    }

    /// Which nodes the outputs depend on.
    pub fn live_nodes(&self) -> Vec<bool> {
        self.reachable(self.outputs.iter().map(|o| o.value))
    }
}
