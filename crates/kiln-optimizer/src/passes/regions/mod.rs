//! `regions`: operators that apply a nested function of scalars to elements.
//!
//! - Reductions, windows and scatters whose function is one named operator take the named form, which other passes know;
//!   several such functions side by side are several reductions.
//! - A reduction of pairs that looks for the position of an extreme is an argmin or argmax (module `extreme`).
//! - Constants that a function takes besides are constants inside; what it does not use goes.
//! - Sorting one element and transforming one point change nothing.

mod extreme;

use super::dce::with_signature;
use crate::context::Cx;
use crate::options::Level;
use crate::rewrite::{Values, contains, mapped, set_signature, sizes_of, take_node};
use kiln_ir::op::{CompareDirection, FftKind, Reducer, ScatterUpdate};
use kiln_ir::{Func, Loc, Node, NodeId, Op, Value};
use smallvec::{SmallVec, smallvec};

/// See the module.
pub(crate) fn run(func: Func, cx: &mut Cx) -> Func {
    if contains(&func, applies) { rewrite(func, cx) } else { func }
}

fn applies(op: &Op) -> bool {
    matches!(
        op,
        Op::GenericReduce { .. }
            | Op::GenericReduceWindow { .. }
            | Op::GenericScatter { .. }
            | Op::GenericSelectAndScatter { .. }
            | Op::Sort { .. }
            | Op::Fft { .. }
    )
}

fn rewrite(mut old: Func, cx: &mut Cx) -> Func {
    let mut new = Func::new(old.name.clone());
    let mut map: Vec<Values> = Vec::with_capacity(old.nodes().len());
    let used = used_results(&old);
    for i in 0..old.nodes().len() {
        cx.work += 1;
        let mut node = take_node(&mut old, NodeId(i as u32));
        for v in &mut node.operands {
            *v = mapped(&map, *v);
        }
        for region in node.op.regions_mut() {
            *region = rewrite(std::mem::take(region), cx);
        }
        let values = if applies(&node.op) { simpler(&mut new, &mut node, &used[i], cx) } else { None };
        map.push(values.unwrap_or_else(|| {
            let id = new.push_raw(node);
            new.results(id).collect()
        }));
    }
    set_signature(&mut new, old.inputs, old.outputs, |v| mapped(&map, v));
    new
}

/// Which results of the nodes that this pass looks at are used.
fn used_results(f: &Func) -> Vec<SmallVec<[bool; 2]>> {
    let results = |n: &Node| if applies(&n.op) { n.types.len() } else { 0 };
    let mut used: Vec<SmallVec<[bool; 2]>> = f.nodes().iter().map(|n| smallvec![false; results(n)]).collect();
    let operands = f.nodes().iter().flat_map(|n| &n.operands).copied();
    for v in operands.chain(f.outputs.iter().map(|o| o.value)) {
        if let Some(flag) = used[v.node.index()].get_mut(v.result as usize) {
            *flag = true;
        }
    }
    used
}

/// What can stand for the node's results. Otherwise the node itself may have become simpler.
fn simpler(f: &mut Func, node: &mut Node, used: &[bool], cx: &mut Cx) -> Option<Values> {
    match &node.op {
        Op::Fft { kind: FftKind::Fft | FftKind::Ifft, length, .. } => {
            let trivial = length.iter().all(|&n| n == 1) && cx.fire("transform of one point", Level::Exact);
            return trivial.then(|| smallvec![node.operands[0]]);
        }
        Op::Fft { .. } => return None,
        Op::Sort { dim, .. } => {
            let trivial = sizes_of(&node.types[0])[*dim] <= 1 && cx.fire("sort of one element", Level::Exact);
            if trivial {
                return Some(node.operands[..node.types.len()].iter().copied().collect());
            }
        }
        _ => {}
    }
    captures(f, node, cx);
    let n = node.types.len();
    match &node.op {
        Op::GenericReduce { axes, body } => {
            if let Some(values) = extreme::position(f, node, axes, body, used, cx) {
                return Some(values);
            }
            let parts = reducers(body, n)?;
            if !cx.fire("reduction with a named function", Level::Exact) {
                return None;
            }
            let axes = axes.clone();
            Some(each(f, node, &parts, |reducer| Op::Reduce { axes: axes.clone(), reducer }))
        }
        Op::GenericReduceWindow { window, body } => {
            let parts = reducers(body, n)?;
            if !cx.fire("window with a named function", Level::Exact) {
                return None;
            }
            let window = window.clone();
            Some(each(f, node, &parts, |reducer| Op::ReduceWindow { window: window.clone(), reducer }))
        }
        Op::GenericScatter { dims, body } if n == 1 => {
            let update = match reducer(body, 0, 1) {
                Some(reducer) => ScatterUpdate::Combine(reducer),
                None if body.outputs[0].value == Value::from(body.inputs[1].node) => ScatterUpdate::Assign,
                None => return None,
            };
            let op = Op::Scatter { dims: dims.clone(), update };
            named(f, node, op, 3, "scatter with a named function", cx)
        }
        Op::GenericSelectAndScatter { window, select, scatter } => {
            let (select, scatter) = (selection(select)?, reducer(scatter, 0, 1)?);
            let op = Op::SelectAndScatter { window: window.clone(), select, scatter };
            named(f, node, op, 3, "select_and_scatter with named functions", cx)
        }
        _ => None,
    }
}

/// The named form of a node of one result, if its operands' types allow it.
fn named(f: &mut Func, node: &Node, op: Op, operands: usize, rule: &'static str, cx: &mut Cx) -> Option<Values> {
    let operands = &node.operands[..operands];
    let fits = {
        let types: SmallVec<[_; 3]> = operands.iter().map(|v| f.ty(*v)).collect();
        kiln_ir::infer::result_types(&op, &types).is_ok()
    };
    if !fits || !cx.fire(rule, Level::Exact) {
        return None;
    }
    Some(smallvec![push(f, node, op, operands)])
}

fn push(f: &mut Func, like: &Node, op: Op, operands: &[Value]) -> Value {
    let types = smallvec![like.types[0].clone()];
    f.push_raw(Node { op, operands: operands.into(), types, loc: like.loc.clone(), name: like.name.clone() }).into()
}

/// One reduction per result.
fn each(f: &mut Func, node: &Node, reducers: &[Reducer], op: impl Fn(Reducer) -> Op) -> Values {
    let n = reducers.len();
    let mut values = Values::new();
    for (i, &reducer) in reducers.iter().enumerate() {
        let operands = smallvec![node.operands[i], node.operands[n + i]];
        let types = smallvec![node.types[i].clone()];
        let name = node.name.clone().filter(|_| n == 1);
        let node = Node { op: op(reducer), operands, types, loc: node.loc.clone(), name };
        values.push(f.push_raw(node).into());
    }
    values
}

/// The named operator that every result `i` of a body is on its parameters `i` and `n + i`.
fn reducers(body: &Func, n: usize) -> Option<SmallVec<[Reducer; 2]>> {
    (0..n).map(|i| reducer(body, i, n)).collect()
}

fn reducer(body: &Func, i: usize, n: usize) -> Option<Reducer> {
    let out = body.outputs[i].value;
    let node = body.node(out.node);
    let Op::Binary(op) = node.op else { return None };
    let (a, b) = (Value::from(body.inputs[i].node), Value::from(body.inputs[n + i].node));
    // Every reducer is commutative.
    let fits = node.operands.as_slice() == [a, b] || node.operands.as_slice() == [b, a];
    Reducer::ALL.into_iter().find(|r| fits && r.binary() == op)
}

/// `selected >= candidate`, or `<=`.
fn selection(select: &Func) -> Option<CompareDirection> {
    let node = select.node(select.outputs[0].value.node);
    let Op::Compare(direction) = node.op else { return None };
    let (a, b) = (Value::from(select.inputs[0].node), Value::from(select.inputs[1].node));
    match (direction, node.operands.as_slice()) {
        (CompareDirection::GE, [x, y]) if [*x, *y] == [a, b] => Some(CompareDirection::GE),
        (CompareDirection::LE, [x, y]) if [*x, *y] == [b, a] => Some(CompareDirection::GE),
        (CompareDirection::LE, [x, y]) if [*x, *y] == [a, b] => Some(CompareDirection::LE),
        (CompareDirection::GE, [x, y]) if [*x, *y] == [b, a] => Some(CompareDirection::LE),
        _ => None,
    }
}

/// Scalars that the function takes besides: constants become its own, unused ones go.
fn captures(f: &Func, node: &mut Node, cx: &mut Cx) {
    let n = node.types.len();
    let first_operand = match &node.op {
        Op::GenericReduce { .. } | Op::GenericReduceWindow { .. } => 2 * n,
        Op::GenericScatter { .. } => 2 * n + 1,
        Op::Sort { .. } => n,
        _ => return,
    };
    if node.operands.len() == first_operand {
        return;
    }
    let constants: SmallVec<[Option<kiln_ir::Tensor>; 2]> = (node.operands[first_operand..].iter())
        .map(|v| match &f.node(v.node).op {
            Op::Constant(t) => Some(t.clone()),
            _ => None,
        })
        .collect();
    let count = constants.len();
    let Some(body) = node.op.regions_mut().into_iter().next() else { return };
    let first_input = body.inputs.len() - count;
    let mut needed: SmallVec<[bool; 8]> = smallvec![true; first_input];
    let mut uses = vec![false; body.nodes().len()];
    let operands = body.nodes().iter().flat_map(|n| &n.operands).map(|v| v.node);
    operands.chain(body.outputs.iter().map(|o| o.value.node)).for_each(|id| uses[id.index()] = true);
    needed.extend(body.inputs[first_input..].iter().zip(&constants).map(|(i, c)| uses[i.node.index()] && c.is_none()));
    if !needed.contains(&false) || !cx.fire("constant or unused capture", Level::Exact) {
        return;
    }
    let outputs: SmallVec<[bool; 2]> = smallvec![true; body.outputs.len()];
    let bound = bound(std::mem::take(body), first_input, &constants);
    *body = with_signature(bound, &needed, &outputs);
    let mut i = 0;
    node.operands.retain(|_| {
        i += 1;
        i <= first_operand || needed[first_input + i - 1 - first_operand]
    });
}

/// The function with constants in the place of parameters, which stay but are unused.
fn bound(mut old: Func, first: usize, constants: &[Option<kiln_ir::Tensor>]) -> Func {
    let mut new = Func::new(old.name.clone());
    let mut map: Vec<Values> = Vec::with_capacity(old.nodes().len());
    let mut parameters: Vec<Value> = Vec::new();
    for i in 0..old.nodes().len() {
        let mut node = take_node(&mut old, NodeId(i as u32));
        for v in &mut node.operands {
            *v = mapped(&map, *v);
        }
        let index = match node.op {
            Op::Parameter(p) => Some(p as usize),
            _ => None,
        };
        let id = new.push_raw(node);
        let constant = index.and_then(|p| constants.get(p.checked_sub(first)?)?.clone());
        parameters.push(id.into());
        map.push(match constant {
            Some(t) => smallvec![new.constant(t, Loc::UNKNOWN)],
            None => new.results(id).collect(),
        });
    }
    let inputs = std::mem::take(&mut old.inputs);
    let outputs = std::mem::take(&mut old.outputs);
    set_signature(&mut new, inputs, Vec::new(), |v| parameters[v.node.index()]);
    new.outputs = outputs.into_iter().map(|o| kiln_ir::Output { value: mapped(&map, o.value), ..o }).collect();
    new
}
