//! `data_movement`: operators that only move elements, of each other. All exact.

mod concat;
mod indexed;
mod pad;
mod slice;

use crate::pass::Pass;
use crate::rewrite::Rewriter;
use kiln_ir::{Node, Op, Value};

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("data_movement", rule);

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = &node.operands;
    let ty = &node.types[0];
    match &node.op {
        Op::Reverse(dims) => slice::reverse(rw, x[0], dims),
        Op::Slice { .. } => slice::slice(rw, x[0], &slice::Bounds::of(&node.op)?, ty),
        Op::DynamicSlice { .. } => indexed::dynamic_slice(rw, x, ty),
        Op::DynamicUpdateSlice => indexed::dynamic_update_slice(rw, x),
        Op::Concatenate(dim) => concat::concatenate(rw, x, *dim, ty),
        Op::Pad { .. } => pad::pad(rw, x[0], x[1], &pad::Padding::of(&node.op)?, ty),
        Op::Gather(dims) => indexed::gather(rw, x[0], x[1], dims, ty),
        Op::Scatter { .. } => indexed::scatter(rw, x),
        _ => None,
    }
}
