//! `sink`: broadcasts, reshapes and transposes move behind elementwise nodes (and transposes behind reductions), where
//! they meet others and cancel, or are taken in by a `dot_general` or a convolution.
//!
//! - Broadcasts move when all operands are broadcast alike: the elementwise work happens on the small side.
//! - Reshapes move when all operands can be had in the source's shape for nothing.
//! - Transposes move when no more of them are left than before.

mod reshape;

use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::{Rewriter, Sizes, inverse, is_ascending, numel};
use kiln_ir::op::Axes;
use kiln_ir::{Node, Op, Shape, Value};
use smallvec::SmallVec;

/// The operands of an elementwise node.
type Operands = SmallVec<[Value; 3]>;

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("sink", rule);

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    match &node.op {
        op if op.is_elementwise() && node.types[0].rank() > 0 => {
            broadcasts(rw, node).or_else(|| reshape::elementwise(rw, node)).or_else(|| transposes(rw, node))
        }
        Op::Reduce { axes, .. } => reduce(rw, node, axes),
        _ => None,
    }
}

/// A scalar operand of a node of higher rank: the predicate of a select, the bounds of a clamp.
fn is_scalar(rw: &Rewriter, v: Value) -> bool {
    rw.ty(v).rank() == 0
}

/// The scalar that is broadcast to a value.
fn broadcast_scalar_source(rw: &Rewriter, v: Value) -> Option<Value> {
    match rw.op(v) {
        (Op::BroadcastInDim { .. }, &[y]) if rw.ty(y).rank() == 0 => Some(y),
        _ => None,
    }
}

/// Operands that are all broadcast alike (or are scalars): elementwise first, then one broadcast.
fn broadcasts(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let mut alike: Option<(Shape, Axes)> = None;
    let mut from_scalar = false;
    for &v in &node.operands {
        if is_scalar(rw, v) || rw.splat_tensor(v).is_some() {
            continue;
        }
        let (Op::BroadcastInDim { dims, .. }, &[y]) = rw.op(v) else { return None };
        let source = (rw.ty(y).shape.clone(), dims.clone());
        match &alike {
            // A scalar fits every shape.
            _ if source.0.rank() == 0 => from_scalar = true,
            Some(other) if *other != source => return None,
            Some(_) => {}
            None => alike = Some(source),
        }
    }
    let (shape, dims) = alike.or_else(|| from_scalar.then(Default::default))?;
    let small = shape.num_elements()? < numel(&node.types[0]);
    if !small || !rw.fire("broadcast behind elementwise", Level::Exact) {
        return None;
    }
    let mut operands = Operands::new();
    for &v in &node.operands {
        let (op, inputs) = rw.op(v);
        operands.push(match (op, inputs) {
            _ if is_scalar(rw, v) => v,
            (Op::BroadcastInDim { .. }, &[y]) if rw.ty(y).rank() > 0 && rw.ty(y).shape == shape => y,
            (Op::BroadcastInDim { .. }, &[y]) if rw.ty(y).rank() == 0 => rw.broadcast_scalar(y, &shape)?,
            _ => {
                let s = rw.lit(v)?;
                let ty = kiln_ir::TensorType { dtype: rw.dtype(v), shape: shape.clone() };
                rw.splat(&ty, s)?
            }
        });
    }
    let y = rw.push(node.op.clone(), &operands)?;
    rw.push(Op::BroadcastInDim { shape: node.types[0].shape.clone(), dims }, &[y])
}

/// Operands that are transposed alike: elementwise first, then one transpose.
fn transposes(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let permutation = node.operands.iter().find_map(|&v| match rw.op(v).0 {
        Op::Transpose(p) if !is_scalar(rw, v) => Some(p.clone()),
        _ => None,
    })?;
    let mut saved = 0;
    for &v in &node.operands {
        match rw.op(v) {
            (Op::Transpose(p), _) if *p == permutation => {
                let all_here = node.operands.iter().filter(|o| **o == v).count() > 1 || rw.single_use(v);
                saved += usize::from(all_here);
            }
            _ if is_scalar(rw, v) => {}
            _ => {
                untransposed_dims(rw, v, &permutation)?;
            }
        }
    }
    if saved == 0 || !rw.fire("transpose behind elementwise", Level::Exact) {
        return None;
    }
    let sizes = rw.sizes(*node.operands.iter().find(|v| !is_scalar(rw, **v))?);
    let inv = inverse(&permutation);
    let source: Sizes = inv.iter().map(|&d| sizes[d]).collect();
    let mut operands = Operands::new();
    for &v in &node.operands {
        operands.push(match rw.op(v) {
            _ if is_scalar(rw, v) => v,
            (Op::Transpose(_), &[y]) => y,
            (Op::BroadcastInDim { .. }, &[y]) => {
                let dims = untransposed_dims(rw, v, &permutation)?;
                rw.push(Op::BroadcastInDim { shape: Shape::from_sizes(&source), dims }, &[y])?
            }
            _ => return None,
        });
    }
    let y = rw.push(node.op.clone(), &operands)?;
    rw.transpose(y, &permutation)
}

/// The dimension numbers of a broadcast such that transposing it gives the value `v`, which is a broadcast.
fn untransposed_dims(rw: &Rewriter, v: Value, permutation: &[usize]) -> Option<Axes> {
    let Op::BroadcastInDim { dims, .. } = rw.op(v).0 else { return None };
    let dims: Axes = dims.iter().map(|&d| permutation[d]).collect();
    is_ascending(&dims).then_some(dims)
}

/// A reduction of a transpose reduces other dimensions; only what is left may have to be transposed.
fn reduce(rw: &mut Rewriter, node: &Node, axes: &Axes) -> Option<Value> {
    let (x, init) = (node.operands[0], node.operands[1]);
    let (Op::Transpose(permutation), &[y]) = rw.op(x) else { return None };
    let permutation = permutation.clone();
    let mut inner: Axes = axes.iter().map(|&a| permutation[a]).collect();
    inner.sort_unstable();
    // Kept dimensions in the order of the result, then their places among the kept ones of the source.
    let kept: Axes = (0..permutation.len()).filter(|d| !axes.contains(d)).map(|d| permutation[d]).collect();
    if !is_ascending(&kept) && !rw.single_use(x) {
        return None;
    }
    if !rw.fire("reduce of transpose", Level::Exact) {
        return None;
    }
    let Op::Reduce { reducer, .. } = node.op else { return None };
    let y = rw.push(Op::Reduce { axes: inner, reducer }, &[y, init])?;
    let rank_of = |d: usize| kept.iter().filter(|k| **k < d).count();
    let order: Axes = kept.iter().map(|&d| rank_of(d)).collect();
    rw.transpose(y, &order)
}
