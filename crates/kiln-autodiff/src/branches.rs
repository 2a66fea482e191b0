//! `if`, `case` and `composite`.
//!
//! The gradient of a branching operator is the same operator whose branches run the original branch and its gradient: the
//! branch's values are computed again rather than kept, since each branch would keep other ones.

use crate::activity::differentiable;
use crate::emit::{Emit, Res};
use crate::forward::Forward;
use crate::nested::{Mode, give, gradient, nested};
use crate::reverse::Reverse;
use kiln_ir::{Func, Node, NodeId, Op, TensorType, Value};

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

/// The same operator on branches that compute derivatives: their arguments are the branch's own and what is `given`.
fn differentiated(e: &mut Emit, node: &Node, mode: Mode, given: &[(usize, Value)], wanted: &[usize]) -> Res<NodeId> {
    let operands: Vec<Value> = node.operands.iter().copied().chain(given.iter().map(|(_, v)| *v)).collect();
    let types: Vec<TensorType> = operands[1..].iter().map(|v| e.f.ty(*v).clone()).collect();
    let name = match mode {
        Mode::Reverse => "vjp",
        Mode::Forward => "jvp",
    };
    let mut branches = Vec::new();
    for branch in branches_of(&node.op) {
        let (mut f, params) = nested(name, types.iter().cloned(), &node.loc);
        let (own, derivatives) = params.split_at(node.operands.len() - 1);
        let results = f.inline(branch, own);
        let given = given.iter().zip(derivatives).map(|((i, _), v)| (*i, *v));
        let (outputs, replaced) = gradient(&mut f, mode, (own, &results), given, wanted, &node.loc)?;
        give(&mut f, outputs);
        branches.push(f.with_replaced(&replaced));
    }
    e.f.push(with_branches(&node.op, branches), &operands, node.loc.clone())
}

pub(crate) fn backward(r: &mut Reverse, id: NodeId, node: &Node) -> Res<()> {
    let args = &node.operands[1..];
    let given: Vec<(usize, Value)> = r.e.f.results(id).enumerate().filter_map(|(i, v)| Some((i, r.ct(v)?))).collect();
    let wanted: Vec<usize> = (0..args.len()).filter(|&i| r.wants(args[i])).collect();
    let new = differentiated(&mut r.e, node, Mode::Reverse, &given, &wanted)?;
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
    let floats: Vec<usize> = (0..node.types.len()).filter(|&i| differentiable(node.types[i].dtype)).collect();
    let new = differentiated(&mut w.e, node, Mode::Forward, &given, &floats)?;
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
