//! `dot`: canonical forms of `dot_general`.
//!
//! - dimensions of size 1 are neither batch nor contracted; neighbouring contracted dimensions are one;
//! - transposes of operands and of the result become dimension numbers, unless that would tear apart dimensions that a
//!   kernel can treat as one;
//! - a product without a sum is a multiplication of broadcasts; one with an empty sum is zero.
//!
//! Batch and free dimensions are not merged: that would put reshapes between a product and what is fused to it, and a
//! kernel sees from the strides which of them are one.

use crate::lit::Lit;
use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::{Rewriter, Sizes, is_ascending, sizes_of};
use kiln_ir::op::{Axes, DotDims};
use kiln_ir::{BinaryOp, Node, Op, TensorType, Value};

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("dot", rule).on(|op| matches!(op, Op::DotGeneral(_)));

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    match &node.op {
        Op::DotGeneral(d) => {
            let (a, b, ty) = (node.operands[0], node.operands[1], &node.types[0]);
            empty_sum(rw, a, d, ty)
                .or_else(|| unit_dimensions(rw, a, b, d, ty))
                .or_else(|| no_sum(rw, a, b, d, ty))
                .or_else(|| order_contracted(rw, a, b, d))
                .or_else(|| merge_contracted(rw, a, b, d))
                .or_else(|| absorb_lhs(rw, a, b, d))
                .or_else(|| absorb_rhs(rw, a, b, d))
        }
        Op::Transpose(p) => transposed_result(rw, node.operands[0], p),
        _ => None,
    }
}

fn empty_sum(rw: &mut Rewriter, a: Value, d: &DotDims, ty: &TensorType) -> Option<Value> {
    let sizes = rw.sizes(a);
    let empty = d.lhs_contract.iter().any(|&i| sizes[i] == 0);
    if empty && rw.fire("dot of nothing", Level::Exact) { rw.splat(ty, Lit::whole(ty.dtype, 0)) } else { None }
}

/// Batch and contracted dimensions of size 1 go by reshaping.
fn unit_dimensions(rw: &mut Rewriter, a: Value, b: Value, d: &DotDims, ty: &TensorType) -> Option<Value> {
    let (sa, sb) = (rw.sizes(a), rw.sizes(b));
    let units = |sizes: &[usize], dims: &[&Axes]| -> Axes {
        dims.iter().flat_map(|l| l.iter().copied()).filter(|&i| sizes[i] == 1).collect()
    };
    let gone_a = units(&sa, &[&d.lhs_batch, &d.lhs_contract]);
    let gone_b = units(&sb, &[&d.rhs_batch, &d.rhs_contract]);
    if gone_a.is_empty() || !rw.fire("dot with dimensions of size 1", Level::Exact) {
        return None;
    }
    let keep = |dims: &Axes, gone: &Axes| -> Axes {
        dims.iter().filter(|i| !gone.contains(i)).map(|&i| i - gone.iter().filter(|g| **g < i).count()).collect()
    };
    let without = |sizes: &Sizes, gone: &Axes| -> Sizes {
        (0..sizes.len()).filter(|i| !gone.contains(i)).map(|i| sizes[i]).collect()
    };
    let dims = DotDims {
        lhs_batch: keep(&d.lhs_batch, &gone_a),
        rhs_batch: keep(&d.rhs_batch, &gone_b),
        lhs_contract: keep(&d.lhs_contract, &gone_a),
        rhs_contract: keep(&d.rhs_contract, &gone_b),
        result: d.result,
    };
    let a = rw.reshape(a, &without(&sa, &gone_a))?;
    let b = rw.reshape(b, &without(&sb, &gone_b))?;
    let y = rw.push(Op::DotGeneral(dims), &[a, b])?;
    rw.reshape(y, &sizes_of(ty))
}

/// The dimensions of an operand that are neither batch nor contracted.
fn free(rank: usize, batch: &Axes, contract: &Axes) -> Axes {
    (0..rank).filter(|i| !batch.contains(i) && !contract.contains(i)).collect()
}

/// Nothing is summed: a multiplication. (The sign of a zero product may differ from that of the sum of one term.)
fn no_sum(rw: &mut Rewriter, a: Value, b: Value, d: &DotDims, ty: &TensorType) -> Option<Value> {
    if !d.lhs_contract.is_empty() || !rw.fire("dot without a sum", Level::Exact) {
        return None;
    }
    let batches = d.lhs_batch.len();
    let free_a = free(rw.ty(a).rank(), &d.lhs_batch, &d.lhs_contract);
    let free_b = free(rw.ty(b).rank(), &d.rhs_batch, &d.rhs_contract);
    let place = |i: usize, batch: &Axes, free: &Axes, first: usize| {
        batch.iter().position(|&b| b == i).or_else(|| free.iter().position(|&f| f == i).map(|p| first + p))
    };
    let places_a: Axes =
        (0..rw.ty(a).rank()).map(|i| place(i, &d.lhs_batch, &free_a, batches)).collect::<Option<_>>()?;
    let first = batches + free_a.len();
    let places_b: Axes = (0..rw.ty(b).rank()).map(|i| place(i, &d.rhs_batch, &free_b, first)).collect::<Option<_>>()?;
    let mut spread = |v: Value, dims: Axes| {
        let v = if rw.dtype(v) == ty.dtype { v } else { rw.push(Op::Convert(ty.dtype), &[v])? };
        rw.broadcast(v, &ty.shape, &dims)
    };
    let (a, b) = (spread(a, places_a)?, spread(b, places_b)?);
    rw.push(Op::Binary(BinaryOp::Multiply), &[a, b])
}

/// Contracted dimensions ascend on the left.
fn order_contracted(rw: &mut Rewriter, a: Value, b: Value, d: &DotDims) -> Option<Value> {
    if is_ascending(&d.lhs_contract) || !rw.fire("contracted dimensions in order", Level::Exact) {
        return None;
    }
    let mut order: Axes = (0..d.lhs_contract.len()).collect();
    order.sort_by_key(|&i| d.lhs_contract[i]);
    let pick = |v: &Axes| -> Axes { order.iter().map(|&i| v[i]).collect() };
    let dims = DotDims { lhs_contract: pick(&d.lhs_contract), rhs_contract: pick(&d.rhs_contract), ..d.clone() };
    rw.push(Op::DotGeneral(dims), &[a, b])
}

/// Two contracted dimensions that are neighbours on both sides are one.
fn merge_contracted(rw: &mut Rewriter, a: Value, b: Value, d: &DotDims) -> Option<Value> {
    let (l, r) = (&d.lhs_contract, &d.rhs_contract);
    let at = (1..l.len()).find(|&i| l[i] == l[i - 1] + 1 && r[i] == r[i - 1] + 1)?;
    if !rw.fire("neighbouring contracted dimensions", Level::Exact) {
        return None;
    }
    let merge = |sizes: Sizes, at: usize| -> Sizes {
        let mut sizes = sizes;
        sizes[at - 1] *= sizes[at];
        sizes.remove(at);
        sizes
    };
    let shift = |dims: &Axes, gone: usize| -> Axes {
        dims.iter().filter(|i| **i != gone).map(|&i| if i > gone { i - 1 } else { i }).collect()
    };
    let dims = DotDims {
        lhs_batch: shift(&d.lhs_batch, l[at]),
        rhs_batch: shift(&d.rhs_batch, r[at]),
        lhs_contract: shift(l, l[at]),
        rhs_contract: shift(r, r[at]),
        result: d.result,
    };
    let (sa, sb) = (merge(rw.sizes(a), l[at]), merge(rw.sizes(b), r[at]));
    let a = rw.reshape(a, &sa)?;
    let b = rw.reshape(b, &sb)?;
    rw.push(Op::DotGeneral(dims), &[a, b])
}

/// One side of a product after taking in a transpose: its new batch and contracted dimensions, if its free dimensions
/// keep their order and nothing is torn apart.
fn absorbed(sizes: &[usize], permutation: &Axes, batch: &Axes, contract: &Axes) -> Option<(Axes, Axes)> {
    let free = free(sizes.len(), batch, contract);
    let map = |dims: &Axes| -> Axes { dims.iter().map(|&i| permutation[i]).collect() };
    let (new_free, new_contract) = (map(&free), map(contract));
    if !is_ascending(&new_free) {
        return None;
    }
    let mut source: Sizes = sizes.into();
    for (i, &p) in permutation.iter().enumerate() {
        source[p] = sizes[i];
    }
    let whole = |dims: &Axes, sizes: &[usize]| {
        let real: Axes = dims.iter().copied().filter(|&i| sizes[i] != 1).collect();
        real.windows(2).all(|w| w[0] < w[1] && (w[0] + 1..w[1]).all(|between| sizes[between] == 1))
    };
    let before = whole(&free, sizes) && whole(contract, sizes);
    let after = whole(&new_free, &source) && whole(&new_contract, &source);
    (after || !before).then(|| (map(batch), new_contract))
}

fn absorb_lhs(rw: &mut Rewriter, a: Value, b: Value, d: &DotDims) -> Option<Value> {
    let (Op::Transpose(p), &[y]) = rw.op(a) else { return None };
    let (lhs_batch, lhs_contract) = absorbed(&rw.sizes(a), p, &d.lhs_batch, &d.lhs_contract)?;
    let dims = DotDims { lhs_batch, lhs_contract, ..d.clone() };
    if rw.fire("dot of transpose", Level::Exact) { rw.push(Op::DotGeneral(dims), &[y, b]) } else { None }
}

fn absorb_rhs(rw: &mut Rewriter, a: Value, b: Value, d: &DotDims) -> Option<Value> {
    let (Op::Transpose(p), &[y]) = rw.op(b) else { return None };
    let (rhs_batch, rhs_contract) = absorbed(&rw.sizes(b), p, &d.rhs_batch, &d.rhs_contract)?;
    let dims = DotDims { rhs_batch, rhs_contract, ..d.clone() };
    if rw.fire("dot of transpose", Level::Exact) { rw.push(Op::DotGeneral(dims), &[a, y]) } else { None }
}

/// A transposed product is the product of the sides exchanged, or with its batch dimensions in another order.
fn transposed_result(rw: &mut Rewriter, x: Value, permutation: &Axes) -> Option<Value> {
    let (Op::DotGeneral(d), &[a, b]) = rw.op(x) else { return None };
    if !rw.single_use(x) {
        return None;
    }
    let d = d.clone();
    let batches = d.lhs_batch.len();
    let rows = rw.ty(a).rank() - batches - d.lhs_contract.len();
    let rank = permutation.len();
    let (batch, rest) = permutation.split_at(batches);
    if batch.iter().any(|&p| p >= batches) {
        return None;
    }
    let in_place = rest.iter().copied().eq(batches..rank);
    let exchanged = rest.iter().copied().eq((batches + rows..rank).chain(batches..batches + rows));
    let pick = |dims: &Axes| -> Axes { batch.iter().map(|&p| dims[p]).collect() };
    let (lhs_batch, rhs_batch) = (pick(&d.lhs_batch), pick(&d.rhs_batch));
    if !(in_place || exchanged) || !rw.fire("transpose of dot", Level::Exact) {
        return None;
    }
    if in_place {
        return rw.push(Op::DotGeneral(DotDims { lhs_batch, rhs_batch, ..d }), &[a, b]);
    }
    let dims = DotDims {
        lhs_batch: rhs_batch,
        rhs_batch: lhs_batch,
        lhs_contract: d.rhs_contract,
        rhs_contract: d.lhs_contract,
        result: d.result,
    };
    rw.push(Op::DotGeneral(dims), &[b, a])
}
