//! `control_flow`: branches and loops whose course is known, and constants into nested functions.
//!
//! - `if` and `case` with a constant predicate, or with equal branches, are the branch;
//! - a `while` whose condition is false at the start is its initial state;
//! - state that a loop hands on unchanged is the initial value, behind the loop and, when constant, inside it;
//! - arguments of branches that are constant become constants of the branches.

use crate::context::Cx;
use crate::nested::{Known, bind};
use crate::options::Level;
use crate::pass::Pass;
use kiln_ir::rewrite::{Values, walk};
use kiln_ir::structural::same_func;
use kiln_ir::{DType, Func, Node, Op, Tensor, UnaryOp, Value};
use smallvec::{SmallVec, smallvec};

/// Larger constants stay arguments: every copy of a constant is stored.
const MAX_BYTES: usize = 1024;
/// A loop's condition of more nodes is not tried.
const MAX_CONDITION: usize = 64;

/// See the module.
pub(crate) const PASS: Pass =
    Pass::new("control_flow", rewrite).on(|op| matches!(op, Op::While { .. } | Op::If { .. } | Op::Case { .. }));

fn rewrite(old: Func, cx: &mut Cx) -> Func {
    let used = old.used_results(|n| n.op.has_functions());
    walk(old, |new, node| {
        cx.work += 1;
        let used = &used[new.old().index()];
        match &node.op {
            Op::While { .. } => while_loop(new, node, used, cx),
            Op::If { .. } | Op::Case { .. } => branches(new, node, used, cx),
            _ => new.keep(node),
        }
    })
}

fn known(f: &Func, v: Value) -> Option<Known> {
    let node = f.node(v.node);
    let constant = |v: Value| match &f.node(v.node).op {
        Op::Constant(t) if t.bytes().len() <= MAX_BYTES => Some(t.clone()),
        _ => None,
    };
    match (&node.op, node.operands.as_slice()) {
        (Op::BroadcastInDim { shape, .. }, &[x]) => {
            let value = constant(x).filter(|t| t.rank() == 0)?;
            Some(Known { value, broadcast: Some(shape.clone()) })
        }
        _ => Some(Known { value: constant(v)?, broadcast: None }),
    }
}

/// Per input: whether a node of the function uses it.
fn used_inputs(f: &Func) -> SmallVec<[bool; 8]> {
    let mut uses = f.use_counts();
    for o in &f.outputs {
        uses[o.value.node.index()] -= 1;
    }
    f.inputs.iter().map(|i| uses[i.node.index()] > 0).collect()
}

fn while_loop(new: &mut Func, mut node: Node, used: &[bool], cx: &mut Cx) -> Values {
    let Op::While { cond, body } = &mut node.op else { return SmallVec::new() };
    if never_runs(new, cond, &node.operands, cx) && cx.fire("loop that never runs", Level::Exact) {
        return node.operands.iter().copied().collect();
    }
    let unchanged: SmallVec<[bool; 8]> =
        body.inputs.iter().zip(&body.outputs).map(|(i, o)| o.value == Value::from(i.node)).collect();
    let mut constants: Vec<Option<Known>> =
        node.operands.iter().zip(&unchanged).map(|(v, same)| if *same { known(new, *v) } else { None }).collect();
    let (in_cond, in_body) = (used_inputs(cond), used_inputs(body));
    for (i, c) in constants.iter_mut().enumerate() {
        // The condition's output may be a parameter itself; nothing else than a node's use counts.
        if !(in_cond[i] || in_body[i]) {
            *c = None;
        }
    }
    if constants.iter().any(Option::is_some) && cx.fire("constant loop state", Level::Exact) {
        **cond = bind(std::mem::take(cond), &constants, false);
        **body = bind(std::mem::take(body), &constants, true);
    }
    **cond = rewrite(std::mem::take(cond), cx);
    **body = rewrite(std::mem::take(body), cx);
    let initial = node.operands.clone();
    let id = new.push_raw(node);
    let mut values: Values = new.results(id).collect();
    for i in 0..initial.len() {
        if unchanged[i] && used[i] && cx.fire("unchanged loop state", Level::Exact) {
            values[i] = initial[i];
        }
    }
    values
}

/// Evaluates a small scalar condition on the constants among the initial values.
fn never_runs(f: &Func, cond: &Func, initial: &[Value], cx: &mut Cx) -> bool {
    if cond.nodes().len() > MAX_CONDITION {
        return false;
    }
    let scalar = |n: &Node| n.types.len() == 1 && n.types[0].rank() == 0;
    let mut values: Vec<Option<Tensor>> = Vec::with_capacity(cond.nodes().len());
    for node in cond.nodes() {
        cx.work += 1;
        let value = match &node.op {
            Op::Parameter(i) => initial.get(*i as usize).and_then(|v| match &f.node(v.node).op {
                Op::Constant(t) if t.rank() == 0 => Some(t.clone()),
                _ => None,
            }),
            Op::Constant(t) => Some(t.clone()).filter(|t| t.rank() == 0),
            op if scalar(node) && op.is_elementwise() => {
                let args: Option<Vec<Tensor>> = node.operands.iter().map(|v| values[v.node.index()].clone()).collect();
                args.and_then(|a| kiln_interp::eval_op(op, &a).ok()?.into_iter().next())
            }
            _ => None,
        };
        values.push(value);
    }
    let output = cond.outputs[0].value;
    output.result == 0 && values[output.node.index()].as_ref().is_some_and(|t| t.item::<bool>() == Ok(false))
}

fn branches(new: &mut Func, mut node: Node, used_results: &[bool], cx: &mut Cx) -> Values {
    if let Some(taken) = taken_branch(new, &node, cx) {
        let branch = std::mem::take(node.op.regions_mut()[taken]);
        let branch = rewrite(branch, cx);
        return new.splice(branch, &node.operands[1..], None);
    }
    swap_negated(new, &mut node, cx);
    let mut constants: Vec<Option<Known>> = node.operands[1..].iter().map(|v| known(new, *v)).collect();
    let mut used: SmallVec<[bool; 8]> = smallvec![false; constants.len()];
    for branch in node.op.regions() {
        for (i, count) in branch.inputs.iter().zip(0..) {
            let reads = |v: Value| v == Value::from(i.node);
            used[count] |= branch.outputs.iter().any(|o| reads(o.value));
        }
        used_inputs(branch).iter().zip(&mut used).for_each(|(u, flag)| *flag |= u);
    }
    constants.iter_mut().zip(&used).filter(|(_, u)| !**u).for_each(|(c, _)| *c = None);
    let bound = constants.iter().any(Option::is_some) && cx.fire("constant branch argument", Level::Exact);
    for branch in node.op.regions_mut() {
        let f = std::mem::take(branch);
        let f = if bound { bind(f, &constants, false) } else { f };
        *branch = rewrite(f, cx);
    }
    let same = results_that_are_arguments(&node);
    let args: SmallVec<[Value; 4]> = node.operands[1..].into();
    let id = new.push_raw(node);
    let mut values: Values = new.results(id).collect();
    for (i, (v, argument)) in values.iter_mut().zip(same).enumerate() {
        if let Some(a) = argument
            && used_results[i]
            && cx.fire("branch result that is an argument", Level::Exact)
        {
            *v = args[a];
        }
    }
    values
}

/// The branch that is always taken: by a constant predicate, or because all do the same.
fn taken_branch(f: &Func, node: &Node, cx: &mut Cx) -> Option<usize> {
    let regions = node.op.regions();
    let last = regions.len() - 1;
    let predicate = node.operands[0];
    let known = match &f.node(predicate.node).op {
        Op::Constant(t) if t.dtype() == DType::Bool => t.item::<bool>().ok().map(|p| usize::from(!p)),
        Op::Constant(t) => t.item::<i32>().ok().map(|i| usize::try_from(i).map_or(last, |i| i.min(last))),
        _ => None,
    };
    if let Some(branch) = known {
        return cx.fire("known branch", Level::Exact).then_some(branch);
    }
    let equal = regions[1..].iter().all(|r| same_func(regions[0], r));
    (equal && cx.fire("equal branches", Level::Exact)).then_some(0)
}

/// `if not p` is `if p` with the branches exchanged.
fn swap_negated(f: &Func, node: &mut Node, cx: &mut Cx) {
    let Op::If { on_true, on_false } = &mut node.op else { return };
    let predicate = f.node(node.operands[0].node);
    if predicate.op == Op::Unary(UnaryOp::Not) && cx.fire("if not", Level::Exact) {
        std::mem::swap(on_true, on_false);
        node.operands[0] = predicate.operands[0];
    }
}

/// Results that every branch takes from the same argument.
fn results_that_are_arguments(node: &Node) -> SmallVec<[Option<usize>; 4]> {
    let regions = node.op.regions();
    let argument = |r: &Func, o: usize| match r.node(r.outputs[o].value.node).op {
        Op::Parameter(i) => Some(i as usize),
        _ => None,
    };
    (0..node.types.len())
        .map(|o| argument(regions[0], o).filter(|a| regions.iter().all(|r| argument(r, o) == Some(*a))))
        .collect()
}
