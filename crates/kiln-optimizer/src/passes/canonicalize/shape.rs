//! Canonical forms of reshapes, transposes and broadcasts.

use crate::options::Level;
use crate::rewrite::{Rewriter, Sizes, elements, inverse, is_ascending, is_identity, sizes_of};
use kiln_ir::op::Axes;
use kiln_ir::{Op, Shape, TensorType, Value};
use smallvec::SmallVec;

/// Same-type bitcasts go; two of equal width are one.
pub fn bitcast(rw: &mut Rewriter, x: Value, ty: &TensorType) -> Option<Value> {
    if rw.dtype(x) == ty.dtype {
        return rw.exact("bitcast to the same type", x);
    }
    let (&Op::BitcastConvert(between), &[y]) = rw.op(x) else { return None };
    let from = rw.dtype(y);
    if from.size() != between.size() || !rw.fire("bitcast of bitcast", Level::Exact) {
        return None;
    }
    if from == ty.dtype { Some(y) } else { rw.push(Op::BitcastConvert(ty.dtype), &[y]) }
}

/// Reshapes of reshapes, of constants, of broadcasts.
pub fn reshape(rw: &mut Rewriter, x: Value, ty: &TensorType) -> Option<Value> {
    if rw.ty(x) == ty {
        return rw.exact("reshape to the same shape", x);
    }
    let sizes = sizes_of(ty);
    match rw.op(x) {
        (Op::Reshape(_), &[y]) => {
            if rw.fire("reshape of reshape", Level::Exact) {
                rw.reshape(y, &sizes)
            } else {
                None
            }
        }
        (Op::Constant(t), _) => {
            let t = t.reshape(&sizes).ok()?;
            if rw.fire("reshape of constant", Level::Exact) { Some(rw.constant(t)) } else { None }
        }
        (Op::BroadcastInDim { dims, .. }, &[y]) => {
            let dims = dims.clone();
            let new_dims = if rw.ty(y).rank() == 0 { Axes::new() } else { renumbered(&rw.sizes(x), &sizes, &dims)? };
            if !rw.fire("reshape of broadcast", Level::Exact) {
                return None;
            }
            rw.push(Op::BroadcastInDim { shape: ty.shape.clone(), dims: new_dims }, &[y])
        }
        _ => None,
    }
}

/// Where dimensions `dims` of `old` end up in `new`, if the shapes differ by dimensions of size 1 only.
fn renumbered(old: &[usize], new: &[usize], dims: &[usize]) -> Option<Axes> {
    let real = |sizes: &[usize]| -> Sizes { (0..sizes.len()).filter(|&d| sizes[d] != 1).collect() };
    let (from, to) = (real(old), real(new));
    if from.len() != to.len() || from.iter().zip(&to).any(|(&f, &t)| old[f] != new[t]) {
        return None;
    }
    dims.iter().map(|d| from.iter().position(|f| f == d).map(|i| to[i])).collect()
}

/// Transposes of transposes, of broadcasts, of iotas; those that move only dimensions of size 1 are reshapes.
pub fn transpose(rw: &mut Rewriter, x: Value, permutation: &[usize]) -> Option<Value> {
    if is_identity(permutation) {
        return rw.exact("identity transpose", x);
    }
    let sizes = rw.sizes(x);
    match rw.op(x) {
        (Op::Transpose(inner), &[y]) => {
            let merged: Axes = permutation.iter().map(|&p| inner[p]).collect();
            return if rw.fire("transpose of transpose", Level::Exact) { rw.transpose(y, &merged) } else { None };
        }
        (Op::BroadcastInDim { dims, .. }, &[y]) => {
            let inv = inverse(permutation);
            let dims: Axes = dims.iter().map(|&d| inv[d]).collect();
            let shape = Shape::from_sizes(&permutation.iter().map(|&p| sizes[p]).collect::<Sizes>());
            if !rw.fire("transpose of broadcast", Level::Exact) {
                return None;
            }
            return rw.push(Op::BroadcastInDim { shape, dims }, &[y]);
        }
        (Op::Iota { ty, dim }, _) => {
            let shape = Shape::from_sizes(&permutation.iter().map(|&p| sizes[p]).collect::<Sizes>());
            let ty = TensorType::new(ty.dtype, shape);
            let dim = inverse(permutation)[*dim];
            return if rw.fire("transpose of iota", Level::Exact) { rw.push(Op::Iota { ty, dim }, &[]) } else { None };
        }
        _ => {}
    }
    let moved: Sizes = permutation.iter().copied().filter(|&p| sizes[p] != 1).collect();
    if is_ascending(&moved) && rw.fire("transpose of unit dimensions", Level::Exact) {
        let sizes: Sizes = permutation.iter().map(|&p| sizes[p]).collect();
        return rw.reshape(x, &sizes);
    }
    None
}

/// Broadcasts of broadcasts; dimension numbers ascending; no stretched dimensions.
pub fn broadcast(rw: &mut Rewriter, x: Value, shape: &Shape, dims: &[usize]) -> Option<Value> {
    let from = rw.sizes(x);
    let to = shape.as_sizes()?;
    if from == to && is_identity(dims) {
        return rw.exact("broadcast to the same shape", x);
    }
    if !is_ascending(dims) {
        if !rw.fire("broadcast dimensions in order", Level::Exact) {
            return None;
        }
        let mut order: Axes = (0..dims.len()).collect();
        order.sort_by_key(|&i| dims[i]);
        let x = rw.transpose(x, &order)?;
        let dims = order.iter().map(|&i| dims[i]).collect();
        return rw.push(Op::BroadcastInDim { shape: shape.clone(), dims }, &[x]);
    }
    // Only new dimensions of size 1.
    if elements(&from) == elements(&to) && elements(&to) != 0 {
        return if rw.fire("broadcast of unit dimensions", Level::Exact) { rw.reshape(x, &to) } else { None };
    }
    if let Some(v) = broadcast_of(rw, x, shape, dims) {
        return Some(v);
    }
    let stretched = dims.iter().zip(&from).any(|(&d, &n)| n == 1 && to[d] != 1);
    let over_reshape = matches!(rw.op(x).0, Op::Reshape(_)) && from.contains(&1);
    if (stretched || over_reshape) && rw.fire("broadcast without stretching", Level::Exact) {
        let kept: Sizes = (0..from.len()).filter(|&i| from[i] != 1).collect();
        let sizes: Sizes = kept.iter().map(|&i| from[i]).collect();
        let dims = kept.iter().map(|&i| dims[i]).collect();
        let x = rw.reshape(x, &sizes)?;
        return rw.push(Op::BroadcastInDim { shape: shape.clone(), dims }, &[x]);
    }
    None
}

/// A broadcast looks through another one, and through a reshape that adds dimensions of size 1.
fn broadcast_of(rw: &mut Rewriter, x: Value, shape: &Shape, dims: &[usize]) -> Option<Value> {
    let (y, dims): (Value, Axes) = match rw.op(x) {
        (Op::BroadcastInDim { dims: inner, .. }, &[y]) => (y, inner.iter().map(|&d| dims[d]).collect()),
        (Op::Reshape(_), &[y]) if rw.ty(y).rank() < rw.ty(x).rank() => {
            let all: SmallVec<[usize; 4]> = (0..rw.ty(y).rank()).collect();
            // Dimensions of `y` of size 1 have no one place in `x`; those are dropped by `stretching` first.
            let places = renumbered(&rw.sizes(y), &rw.sizes(x), &all)?;
            (y, places.iter().map(|&p| dims[p]).collect())
        }
        _ => return None,
    };
    if !rw.fire("broadcast of broadcast", Level::Exact) {
        return None;
    }
    rw.push(Op::BroadcastInDim { shape: shape.clone(), dims }, &[y])
}
