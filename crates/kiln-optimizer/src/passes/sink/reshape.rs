//! Reshapes behind elementwise nodes.

use super::{Operands, broadcast_scalar_source, is_scalar};
use crate::options::Level;
use crate::rewrite::{Rewriter, Sizes, sizes_of};
use kiln_ir::op::Axes;
use kiln_ir::{Node, Op, Shape, Value};

/// Operands that come from one other shape, or can be had in it for nothing (scalars, constants, some broadcasts).
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
                (Op::BroadcastInDim { dims, .. }, _) => same_dims(&target, &source, dims).is_some(),
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
        (Op::BroadcastInDim { dims, .. }, &[y]) => {
            let dims = same_dims(target, source, dims)?;
            rw.push(Op::BroadcastInDim { shape: shape.clone(), dims }, &[y])
        }
        _ => None,
    }
}

/// Where dimensions `dims` of shape `from` are in shape `to` of as many elements, if each is a dimension of its own
/// there: of the same size, with as many elements before it.
fn same_dims(from: &[usize], to: &[usize], dims: &[usize]) -> Option<Axes> {
    let before = |s: &[usize]| -> Sizes {
        s.iter()
            .scan(1usize, |product, &n| {
                let here = *product;
                *product = here.saturating_mul(n);
                Some(here)
            })
            .collect()
    };
    let (a, b) = (before(from), before(to));
    dims.iter()
        .map(|&d| (0..to.len()).find(|&e| from[d] != 1 && to[e] == from[d] && b[e] == a[d] && a[d] != 0))
        .collect()
}
