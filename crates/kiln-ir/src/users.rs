//! Who uses what: the reverse of operand lists, as one flat table.

use crate::func::{Func, NodeId, Value};

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
}
