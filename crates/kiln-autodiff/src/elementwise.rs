//! Elementwise operators of three operands, and what the generated derivatives of the others ask.

use crate::emit::{Emit, Res};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, Func, Op, Value};

/// True for a literal, also one that was broadcast or converted.
pub(crate) fn is_literal(f: &Func, v: Value) -> bool {
    let node = f.node(v.node);
    match &node.op {
        Op::Constant(_) => true,
        Op::BroadcastInDim { .. } | Op::Reshape(_) | Op::Convert(_) => is_literal(f, node.operands[0]),
        _ => false,
    }
}

/// The part of `t` that flows to operand `which` of `clamp(min, x, max)`, of the result's shape.
pub(crate) fn clamp(e: &mut Emit, which: usize, operands: &[Value], t: Value) -> Res {
    let x = operands[1];
    let low = e.spread_like(operands[0], x)?;
    let high = e.spread_like(operands[2], x)?;
    let mask = match which {
        0 => {
            // The lower bound shows where it exceeds x and does not exceed the upper bound.
            let above = e.compare(CompareDirection::GT, low, x)?;
            let shown = e.compare(CompareDirection::LT, low, high)?;
            e.binary(BinaryOp::And, above, shown)?
        }
        1 => {
            let above = e.compare(CompareDirection::GT, x, low)?;
            let below = e.compare(CompareDirection::LT, x, high)?;
            e.binary(BinaryOp::And, above, below)?
        }
        _ => {
            let raised = e.binary(BinaryOp::Maximum, x, low)?;
            e.compare(CompareDirection::LT, high, raised)?
        }
    };
    e.keep(mask, t)
}
