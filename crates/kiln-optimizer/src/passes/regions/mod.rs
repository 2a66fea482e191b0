//! `regions`: operators that apply a nested function of scalars to elements.
//!
//! - Reductions, windows and scatters whose function is one named operator take the named form, which other passes know;
//!   several such functions side by side are several reductions.
//! - A reduction of pairs that looks for the position of an extreme is an argmin or argmax (module `extreme`).
//! - Constants that a function takes besides are constants inside; what it does not use goes.
//! - Sorting one element and transforming one point change nothing.

mod extreme;

use crate::context::Cx;
use crate::nested::{Known, bind};
use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::sizes_of;
use kiln_ir::op::{CompareDirection, FftKind, Reducer, ScatterUpdate};
use kiln_ir::rewrite::{Values, walk};
use kiln_ir::{Func, Node, Op, Value};
use smallvec::{SmallVec, smallvec};

/// See the module.
pub(crate) const PASS: Pass = Pass::new("regions", rewrite).on(applies);

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

fn rewrite(old: Func, cx: &mut Cx) -> Func {
    let used = old.used_results(|n| applies(&n.op));
    walk(old, |new, mut node| {
        cx.work += 1;
        node.map_regions(|region| rewrite(region, cx));
        let used = &used[new.old().index()];
        let values = if applies(&node.op) { simpler(new, &mut node, used, cx) } else { None };
        values.unwrap_or_else(|| new.keep(node))
    })
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
    let captured = node.operands[first_operand..].iter().map(|v| match &f.node(v.node).op {
        Op::Constant(t) => Some(Known { value: t.clone(), broadcast: None }),
        _ => None,
    });
    // Per input: the tensors' elements vary.
    let Some(body) = node.op.regions().first().copied() else { return };
    let first_input = body.inputs.len() - captured.len();
    let constants: SmallVec<[Option<Known>; 4]> = (0..first_input).map(|_| None).chain(captured).collect();
    let uses = body.use_counts();
    let needed: SmallVec<[bool; 8]> = (body.inputs.iter().zip(&constants).enumerate())
        .map(|(i, (input, known))| i < first_input || uses[input.node.index()] > 0 && known.is_none())
        .collect();
    if !needed.contains(&false) || !cx.fire("constant or unused capture", Level::Exact) {
        return;
    }
    node.map_regions(|body| bind(body, &constants, false).with_inputs(&needed));
    let mut i = 0;
    node.operands.retain(|_| {
        i += 1;
        i <= first_operand || needed[first_input + i - 1 - first_operand]
    });
}
