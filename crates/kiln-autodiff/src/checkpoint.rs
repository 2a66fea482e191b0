//! Reverse mode through a `while` whose number of iterations only running it tells.
//!
//! The iterations are counted by running the loop. The reverse loop needs the state at the beginning of iteration `n - 1`, then
//! `n - 2`, and so on; a stack of checkpoints keeps some of them: to get to iteration `i` from the last checkpoint `p` before
//! it, the loop runs from `p` to the middle between `p` and `i`, leaves a checkpoint there, and goes on from it. So `n` iterations
//! take `n log2(n) / 2` further ones and `log2(n)` checkpoints: recursive bisection, as in Griewank, "Achieving logarithmic growth
//! of temporal and spatial complexity in reverse automatic differentiation" (1992).

use crate::emit::{Emit, Res};
use crate::loops::{invariants, reverse_step};
use crate::nested::{cond_among, give, nested, while_less};
use crate::reverse::Reverse;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Dim, Func, Loc, Node, Op, Shape, TensorType, Value};

/// Checkpoints at most. When they are used up, the loop runs from the last one without leaving further ones.
const CHECKPOINTS: i64 = 32;

/// What the functions of the reverse loop are made from.
struct Plan<'a> {
    body: &'a Func,
    /// States that the body changes, which checkpoints keep.
    kept: Vec<usize>,
    /// The others.
    fixed: Vec<usize>,
    /// Types of all states.
    states: Vec<TensorType>,
    loc: Loc,
}

/// The state of the loop that goes forward to a target: position of the last checkpoint, its place in the stack, the target, the
/// positions of all checkpoints, their states, and the states that never change.
struct Stack {
    position: Value,
    top: Value,
    positions: Value,
    rows: Vec<Value>,
}

pub(crate) fn backward(
    r: &mut Reverse,
    node: &Node,
    (cond, body): (&Func, &Func),
    active: &[usize],
    cts: Vec<Value>,
) -> Res<Vec<Value>> {
    let step = reverse_step(node, body, active, false)?;
    let unchanged = invariants(body);
    let (fixed, kept) = (0..unchanged.len()).partition(|&i| unchanged[i]);
    let states: Vec<TensorType> = node.operands.iter().map(|v| r.e.f.ty(*v).clone()).collect();
    let plan = Plan { body, kept, fixed, states, loc: node.loc.clone() };
    let trips = plan.count(r, node, cond)?;

    // State: iterations done, their number, the cotangents, the stack of checkpoints, the states that never change.
    let zero = r.e.scalar(DType::I64, 0.0);
    let positions = r.e.zeros(&TensorType::new(DType::I64, [CHECKPOINTS]))?;
    let mut init = vec![zero, trips];
    init.extend(&cts);
    let top_at = init.len();
    init.extend([zero, positions]);
    for &i in &plan.kept {
        let empty = r.e.zeros(&stacked(&plan.states[i]))?;
        init.push(r.e.set_row(empty, node.operands[i], zero)?);
    }
    let fixed_at = init.len();
    init.extend(plan.fixed.iter().map(|&i| node.operands[i]));
    let types: Vec<TensorType> = init.iter().map(|v| r.e.f.ty(*v).clone()).collect();
    let rc = while_less(&types, 0, 1, &plan.loc)?;
    let (mut rb, state) = nested("body", types.iter().cloned(), &plan.loc);
    let mut e = Emit { f: &mut rb, loc: plan.loc.clone() };
    let one = e.scalar(DType::I64, 1.0);
    let last = e.sub(state[1], one)?;
    let target = e.sub(last, state[0])?;
    // The checkpoint of the iteration that was dealt with last has done its duty.
    let position = e.row(state[top_at + 1], state[top_at])?;
    let used = e.compare(CompareDirection::GT, position, target)?;
    let below = e.sub(state[top_at], one)?;
    let top = e.select(used, below, state[top_at])?;
    let position = e.row(state[top_at + 1], top)?;
    let rows = state[top_at + 2..fixed_at].to_vec();
    let stack = Stack { position, top, positions: state[top_at + 1], rows };
    let stack = plan.advance(&mut e, stack, target, &state[fixed_at..])?;
    let mut args = vec![target; plan.states.len()];
    for (k, &i) in plan.kept.iter().enumerate() {
        args[i] = e.row(stack.rows[k], stack.top)?;
    }
    plan.fixed.iter().zip(&state[fixed_at..]).for_each(|(&i, v)| args[i] = *v);
    args.extend(&state[2..top_at]);
    let next = e.add(state[0], one)?;
    let back = rb.inline(&step.func, &args);
    let checkpoints = [stack.top, stack.positions].into_iter().chain(stack.rows);
    let passed = state[fixed_at..].iter().copied();
    give(&mut rb, [next, state[1]].into_iter().chain(back).chain(checkpoints).chain(passed));
    let op = Op::While { cond: Box::new(rc), body: Box::new(rb) };
    let done = r.e.f.push(op, &init, plan.loc.clone())?;
    Ok((0..cts.len()).map(|k| Value { node: done, result: k as u32 + 2 }).collect())
}

/// A stack of checkpoints of this state.
fn stacked(ty: &TensorType) -> TensorType {
    let shape: Shape = [Dim::Const(CHECKPOINTS)].into_iter().chain(ty.shape.iter().cloned()).collect();
    TensorType { dtype: ty.dtype, shape }
}

impl Plan<'_> {
    /// The number of iterations, by running the loop.
    fn count(&self, r: &mut Reverse, node: &Node, cond: &Func) -> Res {
        let types = [&[TensorType::scalar(DType::I64)], self.states.as_slice()].concat();
        let cc = cond_among(cond, &types, 1, &self.loc);
        let (mut cb, state) = nested("body", types, &self.loc);
        let next = increment(&mut cb, state[0], &self.loc)?;
        let new = cb.inline(self.body, &state[1..]);
        give(&mut cb, [next].into_iter().chain(new));
        let zero = r.e.scalar(DType::I64, 0.0);
        let operands: Vec<Value> = [zero].into_iter().chain(node.operands.iter().copied()).collect();
        let op = Op::While { cond: Box::new(cc), body: Box::new(cb) };
        Ok(r.e.f.push(op, &operands, self.loc.clone())?.into())
    }

    /// Runs from the last checkpoint to `target`, leaving checkpoints in the middle of what is left.
    fn advance(&self, e: &mut Emit, stack: Stack, target: Value, fixed: &[Value]) -> Res<Stack> {
        let mut init = vec![stack.position, stack.top, target, stack.positions];
        init.extend(&stack.rows);
        init.extend(fixed);
        let types: Vec<TensorType> = init.iter().map(|v| e.f.ty(*v).clone()).collect();
        let oc = while_less(&types, 0, 2, &self.loc)?;
        let (mut ob, state) = nested("body", types.iter().cloned(), &self.loc);
        let mut b = Emit { f: &mut ob, loc: self.loc.clone() };
        let (position, top, target, positions) = (state[0], state[1], state[2], state[3]);
        let (rows, fixed) = state[4..].split_at(self.kept.len());
        let (one, two) = (b.scalar(DType::I64, 1.0), b.scalar(DType::I64, 2.0));
        let next_top = b.add(top, one)?;
        let gap = b.sub(target, position)?;
        let half = b.div(gap, two)?;
        let rest = b.sub(gap, half)?;
        let middle = b.add(position, rest)?;
        let last = b.scalar(DType::I64, (CHECKPOINTS - 1) as f64);
        let full = b.compare(CompareDirection::GE, next_top, last)?;
        let stop = b.select(full, target, middle)?;
        let mut start = Vec::new();
        for row in rows {
            start.push(b.row(*row, top)?);
        }
        let new = self.run(&mut b, position, stop, &start, fixed)?;
        let mut filled = Vec::new();
        for (row, v) in rows.iter().zip(new) {
            filled.push(b.set_row(*row, v, next_top)?);
        }
        let positions = b.set_row(positions, stop, next_top)?;
        let head = [stop, next_top, target, positions];
        give(&mut ob, head.into_iter().chain(filled).chain(fixed.iter().copied()));
        let op = Op::While { cond: Box::new(oc), body: Box::new(ob) };
        let done = e.f.push(op, &init, self.loc.clone())?;
        let result = |i: usize| Value { node: done, result: i as u32 };
        let rows = (0..self.kept.len()).map(|k| result(4 + k)).collect();
        Ok(Stack { position: result(0), top: result(1), positions: result(3), rows })
    }

    /// Iterations `from..to` of the loop itself: the new values of the states that change.
    fn run(&self, e: &mut Emit, from: Value, to: Value, start: &[Value], fixed: &[Value]) -> Res<Vec<Value>> {
        let mut init = vec![from, to];
        init.extend(start);
        init.extend(fixed);
        let types: Vec<TensorType> = init.iter().map(|v| e.f.ty(*v).clone()).collect();
        let ic = while_less(&types, 0, 1, &self.loc)?;
        let (mut ib, state) = nested("body", types.iter().cloned(), &self.loc);
        let next = increment(&mut ib, state[0], &self.loc)?;
        let mut args = vec![state[0]; self.states.len()];
        let places = self.kept.iter().chain(&self.fixed);
        places.zip(&state[2..]).for_each(|(&i, v)| args[i] = *v);
        let new = ib.inline(self.body, &args);
        let changed = self.kept.iter().map(|&i| new[i]);
        let passed = state[2 + self.kept.len()..].iter().copied();
        give(&mut ib, [next, state[1]].into_iter().chain(changed).chain(passed));
        let op = Op::While { cond: Box::new(ic), body: Box::new(ib) };
        let done = e.f.push(op, &init, self.loc.clone())?;
        Ok((0..self.kept.len()).map(|k| Value { node: done, result: k as u32 + 2 }).collect())
    }
}

fn increment(f: &mut Func, i: Value, loc: &Loc) -> Res {
    let mut e = Emit { f, loc: loc.clone() };
    let one = e.scalar(DType::I64, 1.0);
    e.binary(BinaryOp::Add, i, one)
}
