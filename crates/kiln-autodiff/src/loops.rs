//! `while`.
//!
//! Reverse mode has two ways through a loop:
//!
//! - When the number of iterations is known before it runs (a counter from a literal in literal steps against a literal, or
//!   from 0 in steps of 1 against the size of a dimension: what `fori_loop` and `scan` make), the loop is built again with
//!   stacks as further states: of the states that the gradient needs, as they are at the beginning of every iteration, and of
//!   what the gradient needs of the body's products, reductions and transcendental functions. The reverse loop reads the
//!   stacks from the end and computes the rest, which is cheap, again. Linear time; memory is iterations times what is saved.
//!   States that only pass through (captured values) are not stacked, nor are those whose values the gradient does not need,
//!   such as the buffers that a scan fills.
//! - Otherwise the iterations are counted by running the loop, and states come from checkpoints; see `checkpoint.rs`.

use crate::activity::loop_states;
use crate::checkpoint;
use crate::emit::{Emit, Res, int_literal};
use crate::forward::Forward;
use crate::nested::{Mode, cond_among, give, gradient, nested};
use crate::reverse::Reverse;
use kiln_ir::op::CompareDirection;
use kiln_ir::rewrite::Values;
use kiln_ir::{
    BinaryOp, DType, Dim, Func, InputKind, NewInput, Node, NodeId, Op, Replaced, TensorType, UnaryOp, Value,
};
use std::collections::HashMap;

/// A loop whose number of iterations is known before it runs.
struct Counted {
    /// The state that counts.
    counter: usize,
    start: i64,
    step: i64,
    /// Iterations.
    trips: Dim,
    /// The state that holds the number of iterations, when that is symbolic.
    trips_state: Option<usize>,
}

/// True for states that the body hands through unchanged.
pub(crate) fn invariants(body: &Func) -> Vec<bool> {
    body.inputs.iter().zip(&body.outputs).map(|(i, o)| o.value == Value::from(i.node)).collect()
}

/// The state that a value inside of `func` is, if it is one.
fn state_of(func: &Func, v: Value) -> Option<usize> {
    match func.node(v.node).op {
        Op::Parameter(i) => Some(i as usize),
        _ => None,
    }
}

/// Recognizes a counting loop.
fn counted(f: &Func, node: &Node, cond: &Func, body: &Func) -> Option<Counted> {
    let fixed = invariants(body);
    // An integer literal, inside or as the initial value of a state that never changes.
    let literal = |func: &Func, v: Value| match state_of(func, v) {
        Some(s) if fixed[s] => int_literal(&f.node(node.operands[s].node).op),
        Some(_) => None,
        None => int_literal(&func.node(v.node).op),
    };
    let test = cond.node(cond.outputs.first()?.value.node);
    let Op::Compare(CompareDirection::LT) = test.op else { return None };
    let counter = state_of(cond, test.operands[0]).filter(|&s| !fixed[s])?;
    let bound = test.operands[1];
    let next = body.node(body.outputs[counter].value.node);
    let Op::Binary(BinaryOp::Add) = next.op else { return None };
    let is_counter = |v: Value| state_of(body, v) == Some(counter);
    let by = match (is_counter(next.operands[0]), is_counter(next.operands[1])) {
        (true, false) => next.operands[1],
        (false, true) => next.operands[0],
        _ => return None,
    };
    let step = literal(body, by).filter(|&s| s > 0)?;
    let start = int_literal(&f.node(node.operands[counter].node).op)?;
    if let Some(limit) = literal(cond, bound) {
        // The counter must reach the limit without wrapping around.
        let top = largest(body.inputs[counter].ty.dtype)?;
        limit.checked_add(step).filter(|&t| t <= top)?;
        let trips = if limit > start { (limit - start + step - 1) / step } else { 0 };
        return Some(Counted { counter, start, step, trips: Dim::Const(trips), trips_state: None });
    }
    let state = state_of(cond, bound).filter(|&s| fixed[s])?;
    let mut source = f.node(node.operands[state].node);
    if let Op::Convert(to) = source.op {
        if to.size() < 4 {
            return None;
        }
        source = f.node(source.operands[0].node);
    }
    let Op::GetDimensionSize(d) = source.op else { return None };
    let trips = f.ty(source.operands[0]).shape[d].clone();
    let trips_state = trips.is_symbolic().then_some(state);
    (start == 0 && step == 1).then_some(Counted { counter, start, step, trips, trips_state })
}

fn largest(dtype: DType) -> Option<i64> {
    dtype.is_int().then(|| i64::try_from(dtype.highest_int()).unwrap_or(i64::MAX))
}

/// The gradient of one iteration: `(states..., cotangents of active results..., saved values...) -> cotangents of active
/// states`, and which states it needs.
pub(crate) struct Step {
    pub(crate) func: Func,
    needs: Vec<bool>,
    /// Nodes of the body whose results are to be saved by the forward loop, not computed again.
    saved: Vec<NodeId>,
}

pub(crate) fn reverse_step(node: &Node, body: &Func, active: &[usize], save: bool) -> Res<Step> {
    let types = body.inputs.iter().map(|i| i.ty.clone());
    let ct_types = active.iter().map(|&i| body.inputs[i].ty.clone());
    let (mut f, params) = nested("vjp_step", types.chain(ct_types), &node.loc);
    let (states, cts) = params.split_at(body.inputs.len());
    let (inside, outs) = f.inline_all(body, states);
    let given = active.iter().copied().zip(cts.iter().copied());
    let (outputs, replaced) = gradient(&mut f, Mode::Reverse, (states, &outs), given, active, &node.loc)?;
    give(&mut f, outputs);
    let (func, saved) = if save { save_costly(&f, body, &inside, &replaced) } else { (f, Vec::new()) };
    let func = func.with_replaced(if save { &[] } else { &replaced });
    let live = func.live_nodes();
    let needs = (0..body.inputs.len()).map(|i| live[func.inputs[i].node.index()]).collect();
    Ok(Step { func, needs, saved })
}

/// True for operators that are better saved than computed again: much work for each element of the result.
fn costly(op: &Op) -> bool {
    match op {
        Op::DotGeneral(_) | Op::Convolution(_) | Op::Reduce { .. } | Op::ReduceWindow { .. } => true,
        Op::Unary(u) => !matches!(
            u,
            UnaryOp::Abs
                | UnaryOp::Ceil
                | UnaryOp::Floor
                | UnaryOp::IsFinite
                | UnaryOp::Negate
                | UnaryOp::Not
                | UnaryOp::RoundNearestAfz
                | UnaryOp::RoundNearestEven
                | UnaryOp::Sign
        ),
        Op::Binary(b) => matches!(b, BinaryOp::Power | BinaryOp::Atan2),
        _ => false,
    }
}

/// Turns the costly values of the body that the gradient needs into further parameters. `inside` tells what stands in `f` for
/// each node of the body.
fn save_costly(f: &Func, body: &Func, inside: &[Values], replaced: &Replaced) -> (Func, Vec<NodeId>) {
    let mut body_node: HashMap<NodeId, NodeId> = HashMap::new();
    for (id, node) in body.iter() {
        if costly(&node.op) {
            body_node.insert(inside[id.index()][0].node, id);
        }
    }
    // Walk back from the outputs; a costly value ends the walk.
    let roots: Vec<Value> = f.outputs.iter().map(|o| o.value).collect();
    let needed = f.reachable_until(roots.iter().copied(), |id| body_node.contains_key(&id));
    let cut: Vec<(NodeId, NodeId)> = (f.iter().filter(|(id, _)| needed[id.index()]))
        .filter_map(|(id, _)| Some((id, *body_node.get(&id)?)))
        .collect();
    let mut inputs: Vec<NewInput> = f.inputs.iter().map(NewInput::of).collect();
    for (k, (id, _)) in cut.iter().enumerate() {
        let node = f.node(*id);
        inputs.push(NewInput {
            old: Some((*id).into()),
            name: format!("saved{k}"),
            ty: node.types[0].clone(),
            kind: InputKind::Feed,
            loc: node.loc.clone(),
        });
    }
    let made = f.extract(&f.name, &inputs, &roots, replaced);
    let mut func = made.func;
    give(&mut func, made.roots);
    (func, cut.into_iter().map(|(_, b)| b).collect())
}

/// Of the active states those whose cotangents matter: that have one after the loop, or flow into such a state.
fn useful(body: &Func, active: Vec<bool>, has_ct: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut useful: Vec<bool> = (0..active.len()).map(|i| active[i] && has_ct(i)).collect();
    loop {
        let roots = (0..useful.len()).filter(|&i| useful[i]).map(|i| body.outputs[i].value);
        let live = body.reachable(roots);
        let grown: Vec<bool> =
            (0..active.len()).map(|i| useful[i] || active[i] && live[body.inputs[i].node.index()]).collect();
        if grown == useful {
            return (0..useful.len()).filter(|&i| useful[i]).collect();
        }
        useful = grown;
    }
}

pub(crate) fn backward(r: &mut Reverse, id: NodeId, node: &Node, cond: &Func, body: &Func) -> Res<()> {
    let starts: Vec<bool> = node.operands.iter().map(|v| r.wants(*v)).collect();
    let has_ct = |i: usize| r.ct(Value { node: id, result: i as u32 }).is_some();
    let active = useful(body, loop_states(body, starts), has_ct);
    let mut cts = Vec::new();
    for &i in &active {
        cts.push(r.ct_or_zeros(Value { node: id, result: i as u32 })?);
    }
    let counted = counted(r.e.f, node, cond, body);
    let back = match counted {
        Some(c) if c.trips == Dim::Const(0) => cts,
        Some(c) => counted_backward(r, id, node, (cond, body), &active, cts, &c)?,
        None => checkpoint::backward(r, node, (cond, body), &active, cts)?,
    };
    for (&i, ct) in active.iter().zip(back) {
        r.add(node.operands[i], ct)?;
    }
    Ok(())
}

/// How the reverse loop gets the value that a state had in an iteration.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    /// From the iteration's number.
    Counter,
    /// It never changes: the value of the state after the loop.
    Invariant,
    /// From a stack.
    Stack,
    /// The gradient does not need it.
    Unneeded,
}

fn counted_backward(
    r: &mut Reverse,
    id: NodeId,
    node: &Node,
    (cond, body): (&Func, &Func),
    active: &[usize],
    cts: Vec<Value>,
    c: &Counted,
) -> Res<Vec<Value>> {
    let step = reverse_step(node, body, active, true)?;
    let fixed = invariants(body);
    let source = |i: usize| match step.needs[i] {
        _ if i == c.counter => Source::Counter,
        false => Source::Unneeded,
        true if fixed[i] => Source::Invariant,
        true => Source::Stack,
    };
    let sources: Vec<Source> = (0..body.inputs.len()).map(source).collect();
    let stacked: Vec<usize> = (0..sources.len()).filter(|&i| sources[i] == Source::Stack).collect();
    let (saving, stacks) = saving_loop(r, node, (cond, body), (&stacked, &step.saved), c)?;
    if let Some(new) = saving {
        r.replaced.push((id, new));
    }

    // State of the reverse loop: the iterations done, the cotangents, the number of iterations if symbolic, values that never
    // change, the stacks.
    let passed: Vec<usize> = (0..sources.len()).filter(|&i| sources[i] == Source::Invariant).collect();
    let zero = r.e.scalar(body.inputs[c.counter].ty.dtype, 0.0);
    let mut init = vec![zero];
    init.extend(&cts);
    let trips_at = init.len();
    init.extend(c.trips_state.map(|s| node.operands[s]));
    let passed_at = init.len();
    init.extend(passed.iter().map(|&i| node.operands[i]));
    let stacks_at = init.len();
    init.extend(&stacks);
    let types: Vec<TensorType> = init.iter().map(|v| r.e.f.ty(*v).clone()).collect();

    let trips = |e: &mut Emit, state: &[Value]| match c.trips.as_const() {
        Some(n) => e.scalar(e.f.ty(state[0]).dtype, n as f64),
        None => state[trips_at],
    };
    let (mut rc, state) = nested("cond", types.iter().cloned(), &node.loc);
    let mut e = Emit { f: &mut rc, loc: node.loc.clone() };
    let n = trips(&mut e, &state);
    let more = e.compare(CompareDirection::LT, state[0], n)?;
    give(&mut rc, [more]);

    let (mut rb, state) = nested("body", types.iter().cloned(), &node.loc);
    let mut e = Emit { f: &mut rb, loc: node.loc.clone() };
    let one = e.scalar(types[0].dtype, 1.0);
    let n = trips(&mut e, &state);
    let last = e.sub(n, one)?;
    let at = e.sub(last, state[0])?;
    let mut args = Vec::new();
    for (i, source) in sources.iter().enumerate() {
        let place = |list: &[usize]| list.iter().position(|&k| k == i).unwrap_or(0);
        args.push(match source {
            Source::Counter => count_at(&mut e, at, c)?,
            Source::Invariant => state[passed_at + place(&passed)],
            Source::Stack => e.row(state[stacks_at + place(&stacked)], at)?,
            // Its parameter has no users, so any value will do.
            Source::Unneeded => at,
        });
    }
    args.extend(&state[1..1 + cts.len()]);
    for k in 0..step.saved.len() {
        args.push(e.row(state[stacks_at + stacked.len() + k], at)?);
    }
    let next = e.add(state[0], one)?;
    let back = rb.inline(&step.func, &args);
    give(&mut rb, [next].into_iter().chain(back).chain(state[trips_at..].iter().copied()));

    let op = Op::While { cond: Box::new(rc), body: Box::new(rb.with_replaced(&[])) };
    let done = r.e.f.push(op, &init, node.loc.clone())?;
    Ok((0..cts.len()).map(|k| Value { node: done, result: k as u32 + 1 }).collect())
}

/// The counter's value in iteration `at`.
fn count_at(e: &mut Emit, at: Value, c: &Counted) -> Res {
    let dtype = e.f.ty(at).dtype;
    let scaled = if c.step == 1 {
        at
    } else {
        let k = e.scalar(dtype, c.step as f64);
        e.mul(at, k)?
    };
    if c.start == 0 {
        return Ok(scaled);
    }
    let start = e.scalar(dtype, c.start as f64);
    e.add(scaled, start)
}

/// The loop once more, with a stack of each of these states' values at the beginning of every iteration, and of what these
/// nodes of the body compute in it.
fn saving_loop(
    r: &mut Reverse,
    node: &Node,
    (cond, body): (&Func, &Func),
    (stacked, saved): (&[usize], &[NodeId]),
    c: &Counted,
) -> Res<(Option<NodeId>, Vec<Value>)> {
    if stacked.is_empty() && saved.is_empty() {
        return Ok((None, Vec::new()));
    }
    let m = body.inputs.len();
    let mut init = node.operands.to_vec();
    let state_types = stacked.iter().map(|&i| &body.inputs[i].ty);
    for ty in state_types.chain(saved.iter().map(|id| &body.node(*id).types[0])) {
        let mut ty = ty.clone();
        ty.shape.insert(0, c.trips.clone());
        init.push(r.e.zeros(&ty)?);
    }
    let types: Vec<TensorType> = init.iter().map(|v| r.e.f.ty(*v).clone()).collect();
    let sc = cond_among(cond, &types, 0, &node.loc);
    let (mut sb, state) = nested("body", types.iter().cloned(), &node.loc);
    let (inside, new) = sb.inline_all(body, &state[..m]);
    let mut e = Emit { f: &mut sb, loc: node.loc.clone() };
    let dtype = types[c.counter].dtype;
    let mut at = state[c.counter];
    if c.start != 0 {
        let start = e.scalar(dtype, c.start as f64);
        at = e.sub(at, start)?;
    }
    if c.step != 1 {
        let step = e.scalar(dtype, c.step as f64);
        at = e.div(at, step)?;
    }
    let mut filled = Vec::new();
    let rows = stacked.iter().map(|&i| state[i]).chain(saved.iter().map(|id| inside[id.index()][0]));
    for (k, row) in rows.enumerate() {
        filled.push(e.set_row(state[m + k], row, at)?);
    }
    give(&mut sb, new.into_iter().chain(filled));
    let op = Op::While { cond: Box::new(sc), body: Box::new(sb) };
    let done = r.e.f.push(op, &init, node.loc.clone())?;
    let stacks = (m..init.len()).map(|k| Value { node: done, result: k as u32 }).collect();
    Ok((Some(done), stacks))
}

/// The loop once more, with the tangents of the active states as further states.
pub(crate) fn forward(w: &mut Forward, id: NodeId, node: &Node, cond: &Func, body: &Func) -> Res<()> {
    let starts: Vec<bool> = node.operands.iter().map(|v| w.tangent(*v).is_some()).collect();
    let active: Vec<usize> =
        loop_states(body, starts).iter().enumerate().filter(|(_, a)| **a).map(|(i, _)| i).collect();
    if active.is_empty() {
        return Ok(());
    }
    let m = body.inputs.len();
    let mut init = node.operands.to_vec();
    for &i in &active {
        init.push(w.tangent_or_zeros(node.operands[i])?);
    }
    let types: Vec<TensorType> = init.iter().map(|v| w.e.f.ty(*v).clone()).collect();
    let fc = cond_among(cond, &types, 0, &node.loc);
    let (mut fb, state) = nested("body", types.iter().cloned(), &node.loc);
    let new = fb.inline(body, &state[..m]);
    let given = active.iter().copied().zip(state[m..].iter().copied());
    let (tangents, replaced) = gradient(&mut fb, Mode::Forward, (&state[..m], &new), given, &active, &node.loc)?;
    give(&mut fb, new.into_iter().chain(tangents));
    let op = Op::While { cond: Box::new(fc), body: Box::new(fb.with_replaced(&replaced)) };
    let done = w.e.f.push(op, &init, node.loc.clone())?;
    w.replaced.push((id, done));
    for (k, &i) in active.iter().enumerate() {
        w.set(Value { node: id, result: i as u32 }, Value { node: done, result: (m + k) as u32 });
    }
    Ok(())
}
