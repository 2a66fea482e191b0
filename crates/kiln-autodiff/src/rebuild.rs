//! Copying parts of functions: what outputs need, under new inputs; or a whole function into another.

use kiln_ir::{Func, Input, InputKind, Loc, Node, NodeId, Op, TensorType, Value};
use std::collections::HashMap;

/// Loops that were built again with saved states: (old node, new node whose first results equal the old one's).
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

/// What [`extract`] gives.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// The new function, without outputs.
    pub func: Func,
    /// The parameters, one for each input asked for.
    pub params: Vec<Value>,
    /// The roots in the new function.
    pub roots: Vec<Value>,
}

/// Which nodes the roots depend on, the roots' own included.
pub fn reachable(func: &Func, roots: impl IntoIterator<Item = Value>) -> Vec<bool> {
    let mut live = vec![false; func.nodes().len()];
    for v in roots {
        live[v.node.index()] = true;
    }
    for (id, node) in func.iter().rev() {
        if live[id.index()] {
            for v in &node.operands {
                live[v.node.index()] = true;
            }
        }
    }
    live
}

/// The nodes that the roots need once replacements have been made, in an order in which operands come first, and the
/// replacements that take part: those whose new node is needed anyway.
fn order(func: &Func, roots: &[Value], replaced: &Replaced) -> (Vec<NodeId>, HashMap<NodeId, NodeId>) {
    let live = reachable(func, roots.iter().copied());
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
    let target = |n: NodeId| swaps.get(&n).copied().unwrap_or(n);
    let mut done = vec![false; func.nodes().len()];
    let mut list = Vec::new();
    let mut starts: Vec<NodeId> = roots.iter().map(|v| target(v.node)).collect();
    starts.sort_unstable();
    if swaps.is_empty() {
        return (func.iter().map(|(id, _)| id).filter(|id| live[id.index()]).collect(), swaps);
    }
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

/// Copies what `roots` need into a new function with these inputs, which come first.
///
/// # Panics
/// When the roots need a parameter that no input stands for.
pub fn extract(func: &Func, name: &str, inputs: &[NewInput], roots: &[Value], replaced: &Replaced) -> Extracted {
    let mut new = Func::new(name);
    let mut map: HashMap<NodeId, NodeId> = HashMap::new();
    let mut params = Vec::with_capacity(inputs.len());
    for input in inputs {
        let p = new.add_input(input.name.clone(), input.ty.clone(), input.kind.clone(), input.loc.clone());
        if let Some(old) = input.old {
            map.insert(old.node, p.node);
        }
        params.push(p);
    }
    let (nodes, swaps) = order(func, roots, replaced);
    let target = |n: NodeId| swaps.get(&n).copied().unwrap_or(n);
    for id in nodes {
        let node = func.node(id);
        if map.contains_key(&id) {
            continue;
        }
        assert!(!matches!(node.op, Op::Parameter(_)), "an input stands for every parameter in use");
        let operands = node.operands.iter().map(|v| Value { node: map[&target(v.node)], result: v.result }).collect();
        map.insert(id, new.push_raw(Node { operands, ..node.clone() }));
    }
    let roots = roots.iter().map(|v| Value { node: map[&target(v.node)], result: v.result }).collect();
    Extracted { func: new, params, roots }
}

/// Appends the nodes of `src` to `dst` with `args` for its parameters, and gives the outputs of `src` in `dst`.
///
/// # Panics
/// When there are fewer arguments than parameters.
pub fn inline(dst: &mut Func, src: &Func, args: &[Value]) -> Vec<Value> {
    inline_all(dst, src, args).1
}

/// [`inline`], with what stands in `dst` for the first result of every node of `src`.
pub(crate) fn inline_all(dst: &mut Func, src: &Func, args: &[Value]) -> (Vec<Value>, Vec<Value>) {
    let mut map: Vec<Value> = Vec::with_capacity(src.nodes().len());
    let at = |map: &[Value], v: &Value| {
        let new = map[v.node.index()];
        Value { node: new.node, result: new.result + v.result }
    };
    for (_, node) in src.iter() {
        let new = match node.op {
            Op::Parameter(i) => args[i as usize],
            _ => {
                let operands = node.operands.iter().map(|v| at(&map, v)).collect();
                dst.push_raw(Node { operands, ..node.clone() }).into()
            }
        };
        map.push(new);
    }
    let outputs = src.outputs.iter().map(|o| at(&map, &o.value)).collect();
    (map, outputs)
}

/// Drops the nodes of a nested function that its outputs do not need and carries out replacements. Inputs stay.
pub(crate) fn cleaned(func: &Func, replaced: &Replaced) -> Func {
    let inputs: Vec<NewInput> = func.inputs.iter().map(NewInput::of).collect();
    let roots: Vec<Value> = func.outputs.iter().map(|o| o.value).collect();
    let Extracted { func: mut new, roots, .. } = extract(func, &func.name, &inputs, &roots, replaced);
    for (o, value) in func.outputs.iter().zip(roots) {
        new.add_output(o.name.clone(), value);
    }
    new
}
