//! `licm`: loop-invariant code motion. What the body of a `while` computes from state that it hands on unchanged is
//! computed once, before the loop, and becomes unchanged state itself.
//!
//! Not everything that could move does: broadcasts, reshapes and counters are free where they are used but cost memory
//! as state, and a cheap elementwise node on a big tensor saves nothing. Control flow stays (it may not end).

use crate::context::Cx;
use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::numel;
use kiln_ir::op::Effects;
use kiln_ir::rewrite::walk;
use kiln_ir::{Func, InputKind, Node, NodeId, Op, Output, OutputKind, Value};
use smallvec::smallvec;

/// Cheap nodes move when their result has at most this many elements.
const SMALL: usize = 1024;

/// See the module.
pub(crate) const PASS: Pass = Pass::new("licm", rewrite).on(|op| matches!(op, Op::While { .. }));

fn rewrite(old: Func, cx: &mut Cx) -> Func {
    walk(old, |new, mut node| {
        cx.work += 1;
        // Inner loops first: what leaves them may leave this one too.
        node.map_regions(|region| rewrite(region, cx));
        let results = node.types.len();
        if matches!(node.op, Op::While { .. }) {
            hoist(new, &mut node, cx);
        }
        let mut values = new.keep(node);
        values.truncate(results);
        values
    })
}

/// What a node costs each time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// A way of looking at its operand, or a literal: part of whatever uses it.
    Free,
    /// One or two instructions per element.
    Cheap,
    /// More.
    High,
    /// Does not move.
    Fixed,
}

/// Elementwise operators of at least this cost are worth keeping a big result for.
const HIGH: u32 = 4;

fn priced(cost: u32) -> Cost {
    if cost < HIGH { Cost::Cheap } else { Cost::High }
}

fn cost(node: &Node) -> Cost {
    match &node.op {
        Op::Parameter(_) => Cost::Fixed,
        op if op.effects() != Effects::Pure => Cost::Fixed,
        Op::Constant(_)
        | Op::Iota { .. }
        | Op::BroadcastInDim { .. }
        | Op::Reshape(_)
        | Op::BitcastConvert(_)
        | Op::GetDimensionSize(_)
        | Op::Real
        | Op::Imag => Cost::Free,
        Op::Unary(u) => priced(u.cost(node.types[0].dtype)),
        Op::Binary(b) => priced(b.cost(node.types[0].dtype)),
        Op::Compare(_) | Op::Select | Op::Clamp | Op::Convert(_) => Cost::Cheap,
        Op::Slice { .. } | Op::Reverse(_) | Op::Pad { .. } | Op::DynamicSlice { .. } | Op::Complex => Cost::Cheap,
        _ => Cost::High,
    }
}

/// Moves nodes of the body in front of the loop, which is about to be pushed to `outer`.
fn hoist(outer: &mut Func, node: &mut Node, cx: &mut Cx) {
    let Op::While { body, .. } = &node.op else { return };
    let invariant = invariant_nodes(body, cx);
    let roots: Vec<NodeId> =
        roots(body, &invariant).into_iter().filter(|_| cx.fire("loop-invariant node", Level::Exact)).collect();
    if roots.is_empty() {
        return;
    }
    let values = outer.inline_values(body, &node.operands, &roots.iter().map(|r| (*r).into()).collect::<Vec<_>>());
    let Op::While { cond, body } = &mut node.op else { return };
    let root_nodes: Vec<Node> = roots.iter().map(|r| body.node(*r).clone()).collect();
    for (i, root) in root_nodes.iter().enumerate() {
        add_input(cond, root, i);
        node.operands.push(values[i]);
        node.types.push(root.types[0].clone());
    }
    **body = replace_roots(std::mem::take(body), &roots);
}

/// The nodes that have the same value in every iteration, and the highest cost of what they come from.
fn invariant_nodes(body: &Func, cx: &mut Cx) -> Vec<Option<Cost>> {
    let mut invariant: Vec<Option<Cost>> = Vec::with_capacity(body.nodes().len());
    let unchanged: Vec<bool> =
        body.inputs.iter().zip(&body.outputs).map(|(i, o)| o.value == Value::from(i.node)).collect();
    for node in body.nodes() {
        cx.work += 1;
        let state = match &node.op {
            Op::Parameter(i) => unchanged[*i as usize].then_some(Cost::Free),
            _ if cost(node) == Cost::Fixed || node.types.len() != 1 => None,
            _ => node
                .operands
                .iter()
                .try_fold(cost(node), |c, v| invariant[v.node.index()].map(|operand| c.max(operand))),
        };
        invariant.push(state);
    }
    invariant
}

/// The nodes to move: as far down as moving pays. Ascending.
fn roots(body: &Func, invariant: &[Option<Cost>]) -> Vec<NodeId> {
    let mut needed = vec![false; body.nodes().len()];
    body.outputs.iter().for_each(|o| needed[o.value.node.index()] = true);
    let mut roots = Vec::new();
    for (id, node) in body.iter().rev() {
        let moves = match invariant[id.index()] {
            Some(_) if !needed[id.index()] => continue,
            Some(_) if cost(node) == Cost::Free || matches!(node.op, Op::Parameter(_)) => false,
            Some(all) => all == Cost::High || numel(&node.types[0]) <= SMALL,
            None => false,
        };
        if moves {
            roots.push(id);
        } else {
            node.operands.iter().for_each(|v| needed[v.node.index()] = true);
        }
    }
    roots.reverse();
    roots
}

fn add_input(f: &mut Func, like: &Node, number: usize) -> Value {
    let base = like.name.as_deref().unwrap_or("invariant");
    let mut name = format!("{base}.{number}");
    while f.inputs.iter().any(|i| i.name == name) || f.outputs.iter().any(|o| o.name == name) {
        name.push('\'');
    }
    f.add_input(name, like.types[0].clone(), InputKind::Feed, like.loc.clone())
}

/// The body with parameters in the place of the roots.
fn replace_roots(mut old: Func, roots: &[NodeId]) -> Func {
    let mut new = Func::new(std::mem::take(&mut old.name));
    // Declared next to the old inputs and outputs, so that names stay unique and parameters are numbered after them.
    new.inputs = std::mem::take(&mut old.inputs);
    new.outputs = std::mem::take(&mut old.outputs);
    let old_inputs = new.inputs.len();
    let parameters: Vec<Value> = roots.iter().enumerate().map(|(i, r)| add_input(&mut new, old.node(*r), i)).collect();
    let mut rest = roots.iter().zip(&parameters).peekable();
    let map = new.append(old.into_nodes().into_iter().map(Some), |new, node| {
        match rest.next_if(|(root, _)| **root == new.old()) {
            Some((_, parameter)) => smallvec![*parameter],
            None => new.keep(node),
        }
    });
    let mapped = |v: Value| map[v.node.index()][v.result as usize];
    for input in &mut new.inputs[..old_inputs] {
        input.node = mapped(input.node.into()).node;
    }
    new.outputs.iter_mut().for_each(|o| o.value = mapped(o.value));
    for (input, v) in new.inputs[old_inputs..].iter().zip(&parameters) {
        new.outputs.push(Output { name: input.name.clone(), value: *v, kind: OutputKind::Fetch });
    }
    new
}
