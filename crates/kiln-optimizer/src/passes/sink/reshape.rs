//! Reshapes behind elementwise nodes.

use super::{Operands, broadcast_scalar_source, is_scalar};
use crate::options::Level;
use crate::rewrite::{Rewriter, Sizes, regrouped, sizes_of};
use kiln_ir::{Node, Op, Shape, Value};

/// Operands that come from one other shape, or can be had in it for nothing (scalars, constants, broadcasts of whole groups
/// of dimensions).
pub fn elementwise(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let source = node.operands.iter().find_map(|&v| match rw.op(v) {
        (Op::Reshape(_), &[y]) if !is_scalar(rw, v) => Some(rw.sizes(y)),
        _ => None,
    })?;
    let target = sizes_of(&node.types[0]);
    for &v in &node.operands {
        let fits = is_scalar(rw, v)
            || match rw.op(v) {
                (Op::Reshape(_), &[y]) => rw.sizes(y) == source,
                (Op::Constant(_), _) => true,
                (Op::BroadcastInDim { .. }, _) => broadcast_dims(rw, v, &target, &source).is_some(),
                _ => false,
            };
        if !fits {
            return None;
        }
    }
    if !rw.fire("reshape behind elementwise", Level::Exact) {
        return None;
    }
    let shape = Shape::from_sizes(&source);
    let mut operands = Operands::new();
    for &v in &node.operands {
        operands.push(if is_scalar(rw, v) { v } else { in_shape(rw, v, &target, &source, &shape)? });
    }
    let y = rw.push(node.op.clone(), &operands)?;
    rw.reshape(y, &target)
}

fn in_shape(rw: &mut Rewriter, v: Value, target: &[usize], source: &[usize], shape: &Shape) -> Option<Value> {
    if let Some(s) = broadcast_scalar_source(rw, v) {
        return rw.broadcast_scalar(s, shape);
    }
    match rw.op(v) {
        (Op::Reshape(_), &[y]) => Some(y),
        (Op::Constant(t), _) => {
            let t = t.reshape(source).ok()?;
            Some(rw.constant(t))
        }
        (Op::BroadcastInDim { .. }, &[y]) => {
            let dims = broadcast_dims(rw, v, target, source)?;
            let y = rw.reshape(y, &dims.iter().map(|&d| source[d]).collect::<Sizes>())?;
            rw.broadcast(y, shape, &dims)
        }
        _ => None,
    }
}

/// The dimension numbers in shape `source` of a broadcast that has shape `target`, if it covers whole groups of dimensions.
fn broadcast_dims(rw: &Rewriter, v: Value, target: &[usize], source: &[usize]) -> Option<Sizes> {
    let (Op::BroadcastInDim { dims, .. }, &[y]) = rw.op(v) else { return None };
    let stretched = dims.iter().zip(rw.sizes(y)).any(|(&d, n)| target[d] != n);
    if stretched { None } else { regrouped(target, source, dims) }
}
