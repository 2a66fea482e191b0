//! `dce`: what no output needs goes: nodes, state of loops, arguments and results of branches, tensors of sorts and reductions.
//! The inputs of the function itself stay, used or not: they are its signature.

use crate::context::Cx;
use crate::options::Level;
use crate::pass::Pass;
use kiln_ir::rewrite::{Values, walk};
use kiln_ir::{Func, Node, NodeId, Op, Value};
use smallvec::{SmallVec, smallvec};

/// One flag per input, output or result.
type Flags = SmallVec<[bool; 8]>;

/// See the module.
pub(crate) const PASS: Pass = Pass::new("dce", run);

fn run(mut func: Func, cx: &mut Cx) -> Func {
    let mut live: Vec<Flags> = func.nodes().iter().map(|n| smallvec![false; n.types.len()]).collect();
    let mut kept: Vec<bool> = vec![false; live.len()];
    for o in &func.outputs {
        live[o.value.node.index()][o.value.result as usize] = true;
    }
    // Which results of a node remain, where some do not.
    let mut renumbered: Vec<Option<Flags>> = vec![None; live.len()];
    for i in (0..live.len()).rev() {
        cx.work += 1;
        let node = func.node_mut(NodeId(i as u32));
        let used = live[i].contains(&true);
        if !matches!(node.op, Op::Parameter(_)) && !used && cx.fire("unused node", Level::Exact) {
            // Nor does it use anything.
            node.operands.clear();
            continue;
        }
        kept[i] = true;
        if used {
            renumbered[i] = match &node.op {
                Op::While { .. } => trim_while(node, &live[i], cx),
                Op::If { .. } | Op::Case { .. } => trim_branches(node, &live[i], cx),
                Op::Sort { .. } => trim_sort(node, &live[i], cx),
                Op::GenericReduce { .. } | Op::GenericReduceWindow { .. } => trim_fold(node, &live[i], 0, cx),
                Op::GenericScatter { .. } => trim_fold(node, &live[i], 1, cx),
                _ => None,
            };
        }
        node.map_regions(|region| run(region, cx));
        for v in &node.operands {
            live[v.node.index()][v.result as usize] = true;
        }
    }
    compact(func, &kept, &renumbered)
}

/// Moves the kept nodes; results move to the places that are left.
fn compact(old: Func, kept: &[bool], renumbered: &[Option<Flags>]) -> Func {
    walk(old, |new, node| {
        let at = new.old().index();
        if !kept[at] {
            return Values::new();
        }
        let values = new.keep(node);
        let Some(flags) = &renumbered[at] else { return values };
        // What stands for a result that went is never asked for.
        let mut next = 0;
        (flags.iter())
            .map(|&stays| {
                next += usize::from(stays);
                values[next.max(1) - 1]
            })
            .collect()
    })
}

fn retain<T, A: smallvec::Array<Item = T>>(items: &mut SmallVec<A>, keep: &[bool]) {
    let mut i = 0;
    items.retain(|_| {
        i += 1;
        keep[i - 1]
    });
}

/// Marks what a value of a nested function needs; gives the inputs reached for the first time. Every node is visited
/// once, however often this is called with the same `seen`.
fn reach(f: &Func, from: Value, seen: &mut [bool], cx: &mut Cx) -> SmallVec<[usize; 4]> {
    let mut inputs = SmallVec::new();
    let mut stack = vec![from.node];
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut seen[id.index()], true) {
            continue;
        }
        cx.work += 1;
        let node = f.node(id);
        if let Op::Parameter(i) = node.op {
            inputs.push(i as usize);
        }
        stack.extend(node.operands.iter().map(|v| v.node));
    }
    inputs
}

/// Removes state that neither the condition nor a used result depends on.
fn trim_while(node: &mut Node, live: &[bool], cx: &mut Cx) -> Option<Flags> {
    let Op::While { cond, body } = &mut node.op else { return None };
    let mut keep: Flags = live.into();
    let mut seen = vec![false; cond.nodes().len()];
    for i in reach(cond, cond.outputs[0].value, &mut seen, cx) {
        keep[i] = true;
    }
    let mut todo: Vec<usize> = (0..keep.len()).filter(|&i| keep[i]).collect();
    let mut seen = vec![false; body.nodes().len()];
    while let Some(i) = todo.pop() {
        for j in reach(body, body.outputs[i].value, &mut seen, cx) {
            if !std::mem::replace(&mut keep[j], true) {
                todo.push(j);
            }
        }
    }
    if !keep.contains(&false) || !cx.fire("unused loop state", Level::Exact) {
        return None;
    }
    **cond = with_signature(std::mem::take(cond), &keep, &[true]);
    **body = with_signature(std::mem::take(body), &keep, &keep);
    retain(&mut node.operands, &keep);
    retain(&mut node.types, &keep);
    Some(keep)
}

/// Removes results that nothing uses and arguments that no branch uses for the others.
fn trim_branches(node: &mut Node, live: &[bool], cx: &mut Cx) -> Option<Flags> {
    let mut used: Flags = smallvec![false; node.operands.len() - 1];
    for branch in node.op.regions() {
        let mut seen = vec![false; branch.nodes().len()];
        for (o, _) in branch.outputs.iter().zip(live).filter(|(_, l)| **l) {
            for i in reach(branch, o.value, &mut seen, cx) {
                used[i] = true;
            }
        }
    }
    let all = !live.contains(&false) && !used.contains(&false);
    if all || !cx.fire("unused branch argument or result", Level::Exact) {
        return None;
    }
    for branch in node.op.regions_mut() {
        *branch = with_signature(std::mem::take(branch), &used, live);
    }
    let operands: Flags = std::iter::once(true).chain(used).collect();
    retain(&mut node.operands, &operands);
    retain(&mut node.types, live);
    Some(live.into())
}

/// Removes tensors of a sort that nothing uses and that the order does not depend on.
fn trim_sort(node: &mut Node, live: &[bool], cx: &mut Cx) -> Option<Flags> {
    let n = node.types.len();
    let Op::Sort { comparator, .. } = &mut node.op else { return None };
    let mut keep: Flags = live.into();
    let mut seen = vec![false; comparator.nodes().len()];
    for i in reach(comparator, comparator.outputs[0].value, &mut seen, cx) {
        if let Some(flag) = keep.get_mut(i / 2) {
            *flag = true;
        }
    }
    if !keep.contains(&false) || !cx.fire("unused tensor of a sort", Level::Exact) {
        return None;
    }
    let captures = node.operands.len() - n;
    let inputs: Flags = keep.iter().flat_map(|&k| [k, k]).chain((0..captures).map(|_| true)).collect();
    **comparator = with_signature(std::mem::take(comparator), &inputs, &[true]);
    let operands: Flags = keep.iter().copied().chain((0..captures).map(|_| true)).collect();
    retain(&mut node.operands, &operands);
    retain(&mut node.types, &keep);
    Some(keep)
}

/// Removes tensors of a reduction, window or scatter with a function that no used result depends on. `between` operands
/// stand between the first tensors and the second ones (initial values, updates).
fn trim_fold(node: &mut Node, live: &[bool], between: usize, cx: &mut Cx) -> Option<Flags> {
    let n = node.types.len();
    let mut regions = node.op.regions_mut();
    let body = regions.first_mut()?;
    let mut keep: Flags = live.into();
    let mut todo: Vec<usize> = (0..n).filter(|&i| keep[i]).collect();
    let mut seen = vec![false; body.nodes().len()];
    while let Some(i) = todo.pop() {
        for j in reach(body, body.outputs[i].value, &mut seen, cx) {
            if j < 2 * n && !std::mem::replace(&mut keep[j % n], true) {
                todo.push(j % n);
            }
        }
    }
    if !keep.contains(&false) || !cx.fire("unused tensor of a reduction", Level::Exact) {
        return None;
    }
    let captures = node.operands.len() - 2 * n - between;
    let all = |count: usize| (0..count).map(|_| true);
    let inputs: Flags = keep.iter().chain(&keep).copied().chain(all(captures)).collect();
    **body = with_signature(std::mem::take(*body), &inputs, &keep);
    let operands: Flags =
        (keep.iter().copied()).chain(all(between)).chain(keep.iter().copied()).chain(all(captures)).collect();
    drop(regions);
    retain(&mut node.operands, &operands);
    retain(&mut node.types, &keep);
    Some(keep)
}

/// A nested function with only these inputs and outputs, and the nodes they need.
fn with_signature(mut old: Func, inputs: &[bool], outputs: &[bool]) -> Func {
    let mut keep = outputs.iter();
    old.outputs.retain(|_| keep.next().is_some_and(|k| *k));
    old.with_inputs(inputs)
}
