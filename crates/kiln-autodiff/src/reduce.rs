//! `reduce`.

use crate::emit::{Emit, Res};
use crate::forward::Forward;
use crate::reverse::Reverse;
use kiln_ir::op::{Axes, CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, Dim, Node, Op, Shape, Tensor, Value};

/// The value that changes nothing under a reducer of floats.
pub(crate) fn float_identity(reducer: Reducer) -> f64 {
    match reducer {
        Reducer::Add | Reducer::Or | Reducer::Xor => 0.0,
        Reducer::Multiply | Reducer::And => 1.0,
        Reducer::Minimum => f64::INFINITY,
        Reducer::Maximum => f64::NEG_INFINITY,
    }
}

/// True when `init` is a literal that changes nothing under `reducer`.
pub(crate) fn is_identity(e: &Emit, init: Value, reducer: Reducer) -> bool {
    let Op::Constant(t) = &e.f.node(init.node).op else { return false };
    *t == kiln_ir::Tensor::scalar_of(t.dtype(), float_identity(reducer))
}

pub(crate) fn backward(r: &mut Reverse, node: &Node, axes: &Axes, reducer: Reducer, y: Value, g: Value) -> Res<()> {
    let (x, init) = (node.operands[0], node.operands[1]);
    let shape = r.e.f.ty(x).shape.clone();
    match reducer {
        Reducer::Add => {
            let ct = r.e.unreduce(g, &shape, axes)?;
            r.add(x, ct)?;
            if r.wants(init) {
                let ct = r.e.sum_all(g)?;
                r.add(init, ct)?;
            }
            Ok(())
        }
        Reducer::Minimum | Reducer::Maximum if is_identity(&r.e, init, reducer) => {
            let (mask, count) = winners(&mut r.e, x, y, &shape, axes)?;
            let share = r.e.div(g, count)?;
            let wide = r.e.unreduce(share, &shape, axes)?;
            let ct = r.e.keep(mask, wide)?;
            r.add(x, ct)
        }
        Reducer::Minimum | Reducer::Maximum | Reducer::Multiply => {
            let from = r.e.f.nodes().len();
            let out = expanded(&mut r.e, node, axes, reducer)?;
            r.through(from, &[(out, g)], &[x, init])
        }
        Reducer::And | Reducer::Or | Reducer::Xor => Ok(()),
    }
}

pub(crate) fn forward(w: &mut Forward, node: &Node, axes: &Axes, reducer: Reducer, y: Value) -> Res<Option<Value>> {
    let (x, init) = (node.operands[0], node.operands[1]);
    let shape = w.e.f.ty(x).shape.clone();
    match reducer {
        Reducer::Add => {
            let t = w.tangent_or_zeros(x)?;
            let start = match w.tangent(init) {
                Some(t) => t,
                None => w.e.scalar(w.e.f.ty(x).dtype, 0.0),
            };
            w.e.op(Op::Reduce { axes: axes.clone(), reducer }, &[t, start]).map(Some)
        }
        Reducer::Minimum | Reducer::Maximum if is_identity(&w.e, init, reducer) => {
            let (mask, count) = winners(&mut w.e, x, y, &shape, axes)?;
            let t = w.tangent_or_zeros(x)?;
            let kept = w.e.keep(mask, t)?;
            let sum = w.e.sum(kept, axes)?;
            w.e.div(sum, count).map(Some)
        }
        Reducer::Minimum | Reducer::Maximum | Reducer::Multiply => {
            let from = w.e.f.nodes().len();
            let out = expanded(&mut w.e, node, axes, reducer)?;
            Ok(w.through(from, &[out], &[x, init])?.pop().flatten())
        }
        Reducer::And | Reducer::Or | Reducer::Xor => Ok(None),
    }
}

/// Where `x` equals its extreme `y`, and in how many places.
fn winners(e: &mut Emit, x: Value, y: Value, shape: &Shape, axes: &Axes) -> Res<(Value, Value)> {
    let dtype = e.f.ty(x).dtype;
    let wide = e.unreduce(y, shape, axes)?;
    let mask = e.compare(CompareDirection::EQ, x, wide)?;
    let ones = e.convert(mask, dtype)?;
    let count = e.sum(ones, axes)?;
    Ok((mask, count))
}

/// The same reduction in steps that have derivatives of their own: a product as a tree of products (exact also where factors
/// are zero), an extreme with a start value as an extreme and a binary operator.
fn expanded(e: &mut Emit, node: &Node, axes: &Axes, reducer: Reducer) -> Res {
    let (x, init) = (node.operands[0], node.operands[1]);
    let folded = if reducer == Reducer::Multiply {
        product_tree(e, node, x, axes)?
    } else {
        let identity = e.scalar(e.f.ty(x).dtype, float_identity(reducer));
        e.op(Op::Reduce { axes: axes.clone(), reducer }, &[x, identity])?
    };
    let start = e.spread_like(init, folded)?;
    e.binary(reducer.binary(), start, folded)
}

/// Product over `axes` by halving.
fn product_tree(e: &mut Emit, node: &Node, x: Value, axes: &Axes) -> Res {
    let shape = e.f.ty(x).shape.clone();
    let kept: Vec<usize> = (0..shape.rank()).filter(|a| !axes.contains(a)).collect();
    let count = axes.iter().try_fold(1i64, |n, &a| shape[a].as_const().and_then(|d| n.checked_mul(d)));
    let Some(mut n) = count else {
        return Err(e.error(node, "a product over a symbolic dimension").help("give the dimension a number"));
    };
    let order: Vec<usize> = axes.iter().chain(&kept).copied().collect();
    let moved = e.transpose(x, &order)?;
    let result: Shape = kept.iter().map(|&a| shape[a].clone()).collect();
    let mut flat = result.clone();
    flat.insert(0, Dim::Const(n));
    let mut v = e.reshape(moved, &flat)?;
    if n == 0 {
        let ty = e.f.ty(v).clone();
        return e.full(&kiln_ir::TensorType::new(ty.dtype, &result), 1.0);
    }
    while n > 1 {
        let half = n / 2;
        let part = |e: &mut Emit, v, low: i64, high: i64| {
            let mut start = vec![Dim::Const(0); flat.rank()];
            let mut limit = flat.to_vec();
            (start[0], limit[0]) = (Dim::Const(low), Dim::Const(high));
            e.slice(v, start, limit, (0..flat.rank()).map(|_| 1).collect())
        };
        let (low, high) = (part(e, v, 0, half)?, part(e, v, half, 2 * half)?);
        let product = e.binary(BinaryOp::Multiply, low, high)?;
        let rest = if n % 2 == 1 { Some(part(e, v, n - 1, n)?) } else { None };
        v = match rest {
            Some(rest) => e.op(Op::Concatenate(0), &[product, rest])?,
            None => product,
        };
        n = half + n % 2;
        flat[0] = Dim::Const(n);
    }
    e.reshape(v, &result)
}

/// A bool tensor that is true at the first extreme along `axis` of `x`.
pub(crate) fn first_extreme(e: &mut Emit, x: Value, axis: usize, kind: kiln_ir::op::ArgKind) -> Res {
    let shape = e.f.ty(x).shape.clone();
    let index = e.op(Op::ArgReduce { axis, kind, dtype: DType::I32 }, &[x])?;
    let wide = e.unreduce(index, &shape, &[axis])?;
    let places = e.op(Op::Iota { ty: kiln_ir::TensorType::new(DType::I32, &shape), dim: axis }, &[])?;
    e.compare(CompareDirection::EQ, wide, places)
}

/// A literal vector of integers in this dtype.
pub(crate) fn int_vector(e: &mut Emit, dtype: DType, values: &[i64]) -> Res {
    let n = values.len();
    let largest = dtype.highest_int();
    let t = Tensor::from_ints(dtype, [n], values.iter().map(|&v| i128::from(v).min(largest)));
    Ok(e.tensor(t.expect("as many elements as the vector is long")))
}
