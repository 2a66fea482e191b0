//! `canonicalize`: one form for things that have several, so that later rules have one case to look at.
//!
//! - tensors of equal elements are a scalar constant with a `broadcast_in_dim`;
//! - constants stand on the right of commutative operators and of comparisons;
//! - `broadcast_in_dim` has ascending dimension numbers and stretches no dimension of size 1;
//! - reshapes, transposes, broadcasts and conversions of each other are one node or none;
//! - tensors without elements are broadcast constants.

mod scalar;
mod shape;

use crate::lit::Lit;
use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::{Rewriter, numel};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, Node, Op, Tensor, UnaryOp, Value};

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("canonicalize", rule);

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    if let Some(v) = no_elements(rw, node) {
        return Some(v);
    }
    let x = &node.operands;
    match &node.op {
        Op::Constant(t) => splat_constant(rw, t),
        Op::Iota { ty, dim } => match ty.shape[*dim].as_const() {
            Some(1) if rw.fire("iota of size 1", Level::Exact) => rw.splat(ty, Lit::whole(ty.dtype, 0)),
            _ => None,
        },
        Op::Unary(op) => scalar::unary(rw, *op, x[0]),
        Op::Binary(op) => constant_right(rw, *op, x[0], x[1]),
        Op::Compare(direction) => scalar::compare(rw, *direction, x[0], x[1]),
        Op::Select => scalar::select(rw, x[0], x[1], x[2]),
        Op::Convert(_) => scalar::convert(rw, x[0], &node.types[0]),
        Op::BitcastConvert(_) => shape::bitcast(rw, x[0], &node.types[0]),
        Op::GetDimensionSize(dim) => {
            let n = i32::try_from(rw.sizes(x[0])[*dim]).ok()?;
            if rw.fire("dimension size", Level::Exact) { Some(rw.constant(Tensor::scalar(n))) } else { None }
        }
        Op::Reshape(_) => shape::reshape(rw, x[0], &node.types[0]),
        Op::Transpose(permutation) => shape::transpose(rw, x[0], permutation),
        Op::BroadcastInDim { shape, dims } => shape::broadcast(rw, x[0], shape, dims),
        _ => None,
    }
}

/// A tensor without elements is as good as any other of its type.
fn no_elements(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let ty = node.types.first()?;
    let canonical = match &node.op {
        Op::BroadcastInDim { .. } => rw.splat_tensor(node.operands[0]).is_some() && rw.ty(node.operands[0]).rank() == 0,
        Op::Parameter(_) | Op::OptimizationBarrier => true,
        _ => false,
    };
    if canonical || node.types.len() != 1 || numel(ty) != 0 {
        return None;
    }
    if rw.fire("no elements", Level::Exact) { rw.splat(ty, Lit::whole(ty.dtype, 0)) } else { None }
}

/// A constant of equal elements: a scalar and a broadcast. One element is a constant of whatever shape.
fn splat_constant(rw: &mut Rewriter, t: &Tensor) -> Option<Value> {
    if t.len() <= 1 {
        return None;
    }
    let size = t.dtype().size();
    let (first, bytes) = (&t.bytes()[..size], t.bytes());
    // All elements equal the first one exactly when the bytes equal themselves shifted by one element.
    if bytes[size..] != bytes[..bytes.len() - size] || !rw.fire("splat constant", Level::Exact) {
        return None;
    }
    let s = rw.constant(Tensor::from_bytes(t.dtype(), [], first).ok()?);
    rw.broadcast_scalar(s, &t.ty().shape)
}

fn constant_right(rw: &mut Rewriter, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
    let swap = op.is_commutative() && rw.is_constant_like(a) && !rw.is_constant_like(b);
    if swap && rw.fire("constant to the right", Level::Exact) { rw.push(Op::Binary(op), &[b, a]) } else { None }
}

/// The same comparison with the sides exchanged.
pub(crate) fn flipped(d: CompareDirection) -> CompareDirection {
    match d {
        CompareDirection::EQ => CompareDirection::EQ,
        CompareDirection::NE => CompareDirection::NE,
        CompareDirection::GE => CompareDirection::LE,
        CompareDirection::GT => CompareDirection::LT,
        CompareDirection::LE => CompareDirection::GE,
        CompareDirection::LT => CompareDirection::GT,
    }
}

/// The comparison that holds exactly when the other does not, where there is one (NaN spoils the order of floats).
fn negated(d: CompareDirection, float: bool) -> Option<CompareDirection> {
    match d {
        CompareDirection::EQ => Some(CompareDirection::NE),
        CompareDirection::NE => Some(CompareDirection::EQ),
        _ if float => None,
        CompareDirection::GE => Some(CompareDirection::LT),
        CompareDirection::GT => Some(CompareDirection::LE),
        CompareDirection::LE => Some(CompareDirection::GT),
        CompareDirection::LT => Some(CompareDirection::GE),
    }
}

/// The operand of a logical not.
fn not_operand(rw: &Rewriter, v: Value) -> Option<Value> {
    match rw.op(v) {
        (Op::Unary(UnaryOp::Not), &[x]) if rw.dtype(x) == kiln_ir::DType::Bool => Some(x),
        _ => None,
    }
}
