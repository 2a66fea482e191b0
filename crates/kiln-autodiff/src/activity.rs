//! Which values depend differentiably on given ones.

use crate::STOP_GRADIENT;
use kiln_ir::{DType, Func, Node, NodeId, Op, Value};
use std::collections::HashSet;

/// True for dtypes that have derivatives: floats and complex numbers.
pub(crate) fn differentiable(dtype: DType) -> bool {
    dtype.is_float() || dtype.is_complex()
}

/// The values among nodes `from..` that depend on `seeds` through differentiable operators, the seeds included.
pub(crate) fn active_values(func: &Func, from: usize, seeds: impl IntoIterator<Item = Value>) -> HashSet<Value> {
    let mut active: HashSet<Value> = seeds.into_iter().filter(|v| differentiable(func.ty(*v).dtype)).collect();
    if active.is_empty() {
        return active;
    }
    for (id, node) in func.iter().skip(from) {
        if !node.operands.iter().any(|v| active.contains(v)) {
            continue;
        }
        let flags = results(node, |i| active.contains(&node.operands[i]));
        for (r, _) in flags.iter().enumerate().filter(|(_, f)| **f) {
            active.insert(Value { node: id, result: r as u32 });
        }
    }
    active
}

/// Which results of a node are active.
fn results(node: &Node, active: impl Fn(usize) -> bool) -> Vec<bool> {
    let floats = || node.types.iter().map(|t| differentiable(t.dtype)).collect::<Vec<bool>>();
    match &node.op {
        Op::While { body, .. } => loop_states(body, (0..node.operands.len()).map(active).collect()),
        Op::Composite { name, .. } if name == STOP_GRADIENT => vec![false; node.types.len()],
        _ => floats(),
    }
}

/// Which states of a loop are active, given those that start so: a fixed point over the body.
pub(crate) fn loop_states(body: &Func, mut states: Vec<bool>) -> Vec<bool> {
    loop {
        let seeds = body.inputs.iter().zip(&states).filter(|(_, a)| **a).map(|(i, _)| Value::from(i.node));
        let inside = active_values(body, 0, seeds);
        let mut grown = false;
        for (state, output) in states.iter_mut().zip(&body.outputs) {
            if !*state && inside.contains(&output.value) {
                *state = true;
                grown = true;
            }
        }
        if !grown {
            for (state, input) in states.iter_mut().zip(&body.inputs) {
                *state &= differentiable(input.ty.dtype);
            }
            return states;
        }
    }
}

/// The id of a node by position.
pub(crate) fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("functions have fewer than 2^32 nodes"))
}
