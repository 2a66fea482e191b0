//! `simplify`: algebra. Exact rules keep every bit (NaN payloads aside); the others name the level they need.

mod binary;
mod chain;
mod divide;
mod select;
mod unary;

use crate::pass::Pass;
use crate::rewrite::Rewriter;
use kiln_ir::{BinaryOp, Node, Op, Value};

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("simplify", rule);

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = &node.operands;
    let ty = &node.types[0];
    match &node.op {
        Op::Unary(op) => unary::unary(rw, *op, x[0], ty),
        Op::Binary(op) => {
            let (op, a, b) = (*op, x[0], x[1]);
            let special = match op {
                BinaryOp::Divide => divide::divide(rw, a, b, ty),
                BinaryOp::Remainder => divide::remainder(rw, a, b, ty),
                BinaryOp::Power => divide::power(rw, a, b, ty),
                _ => None,
            };
            special
                .or_else(|| binary::identities(rw, op, a, b, ty))
                .or_else(|| binary::same_operands(rw, op, a, b, ty))
                .or_else(|| binary::negations(rw, op, a, b))
                .or_else(|| chain::chain(rw, op, a, b, ty))
        }
        Op::Compare(direction) => select::compare(rw, *direction, x[0], x[1], ty),
        Op::Select => select::select(rw, x[0], x[1], x[2]),
        Op::Clamp => select::clamp(rw, x[0], x[1], x[2], ty),
        _ => None,
    }
}
