//! Taking parts out of functions: what outputs need, without the rest.

use crate::func::{Func, Input, InputKind, Node, NodeId, Output, OutputKind, Value};
use crate::loc::Loc;
use crate::op::Op;
use crate::shape::TensorType;
use std::collections::HashMap;

/// What [`Func::with_outputs`] does with inputs that no output needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnusedInputs {
    /// They stay: the signature is the same.
    Keep,
    /// They go, unless they are variables that an output updates.
    Drop,
}

/// Nodes for which others stand: (old node, new node whose first results equal the old one's). Of the results of the old
/// node, users move to the new one.
pub type Replaced = [(NodeId, NodeId)];

/// An input of an extracted function.
#[derive(Clone, Debug)]
pub struct NewInput {
    /// The value in the old function that it stands for: a parameter's, or that of a node of one result, which is then not
    /// copied.
    pub old: Option<Value>,
    /// Name in the new function.
    pub name: String,
    /// Type.
    pub ty: TensorType,
    /// Feed or variable.
    pub kind: InputKind,
    /// Where the user declared it.
    pub loc: Loc,
}

impl NewInput {
    /// The same input in another function.
    pub fn of(input: &Input) -> NewInput {
        NewInput {
            old: Some(input.node.into()),
            name: input.name.clone(),
            ty: input.ty.clone(),
            kind: input.kind.clone(),
            loc: input.loc.clone(),
        }
    }
}

/// What [`Func::extract`] gives.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// The new function, without outputs.
    pub func: Func,
    /// The parameters, one for each input asked for.
    pub params: Vec<Value>,
    /// The roots in the new function.
    pub roots: Vec<Value>,
}

impl Func {
    /// The function with these outputs (values of this function, updates by the index of the input), without dead nodes.
    pub fn with_outputs(mut self, outputs: Vec<Output>, unused: UnusedInputs) -> Func {
        self.outputs = outputs;
        let live = self.live_nodes();
        let updated = |i: usize| self.outputs.iter().any(|o| o.kind == OutputKind::Update(i));
        let keep: Vec<bool> = (self.inputs.iter().enumerate())
            .map(|(i, input)| unused == UnusedInputs::Keep || live[input.node.index()] || updated(i))
            .collect();
        self.with_inputs(&keep)
    }

    /// The function without the nodes that no output needs; the signature is the same. Nested functions stay as they are.
    pub fn without_dead_nodes(self) -> Func {
        let all = vec![true; self.inputs.len()];
        self.with_inputs(&all)
    }

    /// The function with only those of its inputs for which `keep` is true, which come first, and the nodes that its outputs
    /// need.
    ///
    /// # Panics
    /// When an output needs an input that is not kept, or updates it.
    pub fn with_inputs(self, keep: &[bool]) -> Func {
        let live = self.live_nodes();
        let (name, inputs, mut outputs, nodes) = self.into_parts();
        let mut new = Func::new(name);
        new.reserve(nodes.len());
        // The new index of every input that stays.
        let mut index = vec![usize::MAX; inputs.len()];
        for (i, input) in inputs.into_iter().enumerate().filter(|(i, _)| keep[*i]) {
            index[i] = new.inputs.len();
            let op = Op::Parameter(index[i] as u32);
            let node = new.push_raw(Node { op, ..nodes[input.node.index()].clone() });
            new.inputs.push(Input { node, ..input });
        }
        let map =
            new.append(nodes.into_iter().zip(live).map(|(n, live)| live.then_some(n)), |new, node| match node.op {
                Op::Parameter(i) => [new.inputs[index[i as usize]].node.into()].into(),
                _ => new.keep(node),
            });
        for o in &mut outputs {
            o.value = map[o.value.node.index()][o.value.result as usize];
            if let OutputKind::Update(i) = &mut o.kind {
                *i = index[*i];
            }
        }
        new.outputs = outputs;
        new
    }

    /// Copies what `roots` need into a new function with these inputs, which come first, and carries out replacements of nodes
    /// that are needed anyway.
    ///
    /// # Panics
    /// When the roots need a parameter that no input stands for.
    pub fn extract(&self, name: &str, inputs: &[NewInput], roots: &[Value], replaced: &Replaced) -> Extracted {
        let mut new = Func::new(name);
        let mut map: Vec<Option<NodeId>> = vec![None; self.nodes().len()];
        let mut params = Vec::with_capacity(inputs.len());
        for input in inputs {
            let p = new.add_input(input.name.clone(), input.ty.clone(), input.kind.clone(), input.loc.clone());
            if let Some(old) = input.old {
                map[old.node.index()] = Some(p.node);
            }
            params.push(p);
        }
        let (nodes, swaps) = order(self, roots, replaced);
        let moved = |map: &[Option<NodeId>], v: &Value| {
            let target = swaps.get(&v.node).copied().unwrap_or(v.node);
            Value { node: map[target.index()].expect("operands come before their users"), result: v.result }
        };
        for id in nodes {
            if map[id.index()].is_some() {
                continue;
            }
            let node = self.node(id);
            assert!(!matches!(node.op, Op::Parameter(_)), "an input stands for every parameter in use");
            let operands = node.operands.iter().map(|v| moved(&map, v)).collect();
            map[id.index()] = Some(new.push_raw(Node { operands, ..node.clone() }));
        }
        let roots = roots.iter().map(|v| moved(&map, v)).collect();
        Extracted { func: new, params, roots }
    }

    /// The function with replacements carried out, without dead nodes; the signature is the same, with all outputs fetches.
    pub fn with_replaced(&self, replaced: &Replaced) -> Func {
        let inputs: Vec<NewInput> = self.inputs.iter().map(NewInput::of).collect();
        let roots: Vec<Value> = self.outputs.iter().map(|o| o.value).collect();
        let Extracted { func: mut new, roots, .. } = self.extract(&self.name, &inputs, &roots, replaced);
        for (o, value) in self.outputs.iter().zip(roots) {
            new.add_output(o.name.clone(), value);
        }
        new
    }
}

/// The nodes that the roots need once replacements have been made, in an order in which operands come first, and the
/// replacements that take part: those whose new node is needed anyway.
fn order(func: &Func, roots: &[Value], replaced: &Replaced) -> (Vec<NodeId>, HashMap<NodeId, NodeId>) {
    let live = func.reachable(roots.iter().copied());
    let mut swaps: HashMap<NodeId, NodeId> = replaced.iter().filter(|(_, new)| live[new.index()]).copied().collect();
    // A replaced node may itself be a replacement: follow the chain to its end.
    for (old, _) in replaced {
        let mut at = *old;
        while let Some(&next) = swaps.get(&at) {
            at = next;
        }
        if at != *old {
            swaps.insert(*old, at);
        }
    }
    if swaps.is_empty() {
        return (func.iter().map(|(id, _)| id).filter(|id| live[id.index()]).collect(), swaps);
    }
    let target = |n: NodeId| swaps.get(&n).copied().unwrap_or(n);
    let mut done = vec![false; func.nodes().len()];
    let mut list = Vec::new();
    let mut starts: Vec<NodeId> = roots.iter().map(|v| target(v.node)).collect();
    starts.sort_unstable();
    for start in starts {
        // (node, operands already visited)
        let mut stack = vec![(start, 0usize)];
        while let Some((id, next)) = stack.pop() {
            if done[id.index()] {
                continue;
            }
            match func.node(id).operands.get(next) {
                Some(v) => {
                    stack.push((id, next + 1));
                    stack.push((target(v.node), 0));
                }
                None => {
                    done[id.index()] = true;
                    list.push(id);
                }
            }
        }
    }
    (list, swaps)
}
