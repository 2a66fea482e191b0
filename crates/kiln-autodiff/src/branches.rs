//! `if`, `case` and `composite`.
//!
//! The gradient of a branching operator is the same operator whose branches run the original branch and its gradient: the
//! branch's values are computed again rather than kept, since each branch would keep other ones.

use crate::activity::differentiable;
use crate::emit::{Emit, Res};
use crate::forward::{self, Forward};
use crate::reverse::{self, Reverse};
use kiln_ir::{Func, InputKind, Loc, Node, NodeId, Op, TensorType, Value};

/// A nested function with parameters of these types, without outputs yet.
pub(crate) fn nested(name: &str, params: impl IntoIterator<Item = TensorType>, loc: &Loc) -> (Func, Vec<Value>) {
    let mut f = Func::new(name);
    let values = params
        .into_iter()
        .enumerate()
        .map(|(i, ty)| f.add_input(format!("p{i}"), ty, InputKind::Feed, loc.clone()))
        .collect();
    (f, values)
}

/// Declares the outputs of a nested function.
pub(crate) fn give(f: &mut Func, outputs: impl IntoIterator<Item = Value>) {
    for (i, v) in outputs.into_iter().enumerate() {
        f.add_output(format!("r{i}"), v);
    }
}

/// Declares the derivatives of values as outputs: the given ones, zeros where there is none.
pub(crate) fn give_or_zeros(f: &mut Func, of: &[Value], given: Vec<Option<Value>>, loc: &Loc) -> Res<()> {
    let outputs = Emit { f, loc: loc.clone() }.all_or_zeros(of, given)?;
    give(f, outputs);
    Ok(())
}

/// The branches of an `if` or `case`.
fn branches_of(op: &Op) -> Vec<&Func> {
    match op {
        Op::If { .. } | Op::Case { .. } => op.regions().into_vec(),
        _ => Vec::new(),
    }
}

/// The same kind of operator with other branches.
fn with_branches(op: &Op, mut branches: Vec<Func>) -> Op {
    match op {
        Op::If { .. } if branches.len() == 2 => {
            let on_false = Box::new(branches.pop().unwrap_or_default());
            Op::If { on_true: Box::new(branches.pop().unwrap_or_default()), on_false }
        }
        _ => Op::Case { branches },
    }
}

/// Parameter types of a branch: those of the operands behind the selector.
fn arg_types(e: &Emit, node: &Node) -> Vec<TensorType> {
    node.operands[1..].iter().map(|v| e.f.ty(*v).clone()).collect()
}

pub(crate) fn backward(r: &mut Reverse, id: NodeId, node: &Node) -> Res<()> {
    let args = &node.operands[1..];
    let given: Vec<(usize, Value)> = r.e.f.results(id).enumerate().filter_map(|(i, v)| Some((i, r.ct(v)?))).collect();
    let wanted: Vec<usize> = (0..args.len()).filter(|&i| r.wants(args[i])).collect();
    let types: Vec<TensorType> =
        arg_types(&r.e, node).into_iter().chain(given.iter().map(|(_, ct)| r.e.f.ty(*ct).clone())).collect();
    let mut branches = Vec::new();
    for branch in branches_of(&node.op) {
        let (mut f, params) = nested("vjp", types.iter().cloned(), &node.loc);
        let (own, cts) = params.split_at(args.len());
        let outs = f.inline(branch, own);
        let seeds: Vec<(Value, Value)> = given.iter().zip(cts).map(|((i, _), ct)| (outs[*i], *ct)).collect();
        let wrt: Vec<Value> = wanted.iter().map(|&i| own[i]).collect();
        let walked = reverse::walk(&mut f, 0, &seeds, &wrt)?;
        give_or_zeros(&mut f, &wrt, walked.cts, &node.loc)?;
        branches.push(f.with_replaced(&walked.replaced));
    }
    let operands: Vec<Value> = node.operands.iter().copied().chain(given.iter().map(|(_, ct)| *ct)).collect();
    let new = r.e.f.push(with_branches(&node.op, branches), &operands, node.loc.clone())?;
    for (k, &i) in wanted.iter().enumerate() {
        r.add(args[i], Value { node: new, result: k as u32 })?;
    }
    Ok(())
}

pub(crate) fn forward(w: &mut Forward, id: NodeId, node: &Node) -> Res<()> {
    let args = &node.operands[1..];
    let given: Vec<(usize, Value)> = (0..args.len()).filter_map(|i| Some((i, w.tangent(args[i])?))).collect();
    if given.is_empty() {
        return Ok(());
    }
    let types: Vec<TensorType> =
        arg_types(&w.e, node).into_iter().chain(given.iter().map(|(_, t)| w.e.f.ty(*t).clone())).collect();
    let floats: Vec<usize> = (0..node.types.len()).filter(|&i| differentiable(node.types[i].dtype)).collect();
    let mut branches = Vec::new();
    for branch in branches_of(&node.op) {
        let (mut f, params) = nested("jvp", types.iter().cloned(), &node.loc);
        let (own, ts) = params.split_at(args.len());
        let outs = f.inline(branch, own);
        let seeds: Vec<(Value, Value)> = given.iter().zip(ts).map(|((i, _), t)| (own[*i], *t)).collect();
        let wanted: Vec<Value> = floats.iter().map(|&i| outs[i]).collect();
        let pushed = forward::walk(&mut f, 0, &wanted, &seeds)?;
        give_or_zeros(&mut f, &wanted, pushed.tangents, &node.loc)?;
        branches.push(f.with_replaced(&pushed.replaced));
    }
    let operands: Vec<Value> = node.operands.iter().copied().chain(given.iter().map(|(_, t)| *t)).collect();
    let new = w.e.f.push(with_branches(&node.op, branches), &operands, node.loc.clone())?;
    for (k, &i) in floats.iter().enumerate() {
        w.set(Value { node: id, result: i as u32 }, Value { node: new, result: k as u32 });
    }
    Ok(())
}

/// The user's derivative if there is one, otherwise that of the body.
pub(crate) fn composite_backward(r: &mut Reverse, id: NodeId, node: &Node, body: &Func, vjp: Option<&Func>) -> Res<()> {
    let results: Vec<Value> = r.e.f.results(id).collect();
    if let Some(vjp) = vjp {
        let mut args: Vec<Value> = node.operands.iter().chain(&results).copied().collect();
        for v in results {
            args.push(r.ct_or_zeros(v)?);
        }
        let cts = r.e.f.inline(vjp, &args);
        for (v, ct) in node.operands.iter().zip(cts) {
            r.add(*v, ct)?;
        }
        return Ok(());
    }
    let from = r.e.f.nodes().len();
    let outs = r.e.f.inline(body, &node.operands);
    let seeds: Vec<(Value, Value)> = results.iter().zip(outs).filter_map(|(v, out)| Some((out, r.ct(*v)?))).collect();
    r.through(from, &seeds, &node.operands)
}

/// Through the body: a user's derivative is for the reverse mode only.
pub(crate) fn composite_forward(w: &mut Forward, id: NodeId, node: &Node, body: &Func) -> Res<()> {
    let from = w.e.f.nodes().len();
    let outs = w.e.f.inline(body, &node.operands);
    let tangents = w.through(from, &outs, &node.operands)?;
    let results: Vec<Value> = w.e.f.results(id).collect();
    for (v, t) in results.into_iter().zip(tangents) {
        if let Some(t) = t {
            w.set(v, t);
        }
    }
    Ok(())
}
