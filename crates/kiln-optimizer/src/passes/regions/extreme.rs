//! Reductions of (value, index) pairs that look for the position of an extreme.
//!
//! There are many ways to write the function. What it does is found out by trying: a function of comparisons and selections
//! only sees the order of its operands, so a few values of every order, and NaN, show all it can do.

use crate::context::Cx;
use crate::lit::{Lit, identity};
use crate::options::Level;
use kiln_ir::op::{ArgKind, Axes, Reducer};
use kiln_ir::rewrite::Values;
use kiln_ir::{BinaryOp, DType, Func, Node, Op, Tensor, TensorType, UnaryOp, Value};
use smallvec::smallvec;

/// Functions of more nodes are not tried.
const MAX_NODES: usize = 32;

/// The results of such a reduction: the position, and the extreme where it is used.
pub(super) fn position(
    f: &mut Func,
    node: &Node,
    axes: &Axes,
    body: &Func,
    used: &[bool],
    cx: &mut Cx,
) -> Option<Values> {
    let (&[axis], &[x, index, init, first]) = (axes.as_slice(), node.operands.as_slice()) else { return None };
    let (value_type, index_type) = (f.ty(x).dtype, f.ty(index).dtype);
    let counts = counts_along(f, index, axis) && scalar(f, first)? == Lit::Int(0);
    if !counts || !index_type.is_int() || f.ty(x).shape[axis].as_const()? == 0 || body.outputs.len() != 2 {
        return None;
    }
    let kind = [ArgKind::Max, ArgKind::Min].into_iter().find(|k| {
        let reducer = reducer(*k);
        let starts = identity(reducer, value_type).zip(scalar(f, init)).is_some_and(|(a, b)| a.same(b));
        starts && only_orders(body) && finds(body, *k, value_type, index_type) == Some(true)
    })?;
    // Which of two zeros the function keeps is not what `maximum` gives.
    let level = if used[0] && value_type.is_float() { Level::Contract } else { Level::Exact };
    let op = Op::ArgReduce { axis, kind, dtype: index_type };
    let operand = TensorType { dtype: position_operand(value_type), shape: f.ty(x).shape.clone() };
    kiln_ir::infer::result_types(&op, &[&operand]).ok()?;
    if !cx.fire("position of an extreme", level) {
        return None;
    }
    let mut push = |op: Op, operands: &[Value], ty: &TensorType, name: bool| -> Value {
        let name = node.name.clone().filter(|_| name);
        let node = Node { op, operands: operands.into(), types: smallvec![ty.clone()], loc: node.loc.clone(), name };
        f.push_raw(node).into()
    };
    let searched =
        if operand.dtype == value_type { x } else { push(Op::Convert(operand.dtype), &[x], &operand, false) };
    let at = push(op, &[searched], &node.types[1], true);
    let reduce = Op::Reduce { axes: axes.clone(), reducer: reducer(kind) };
    // Unused, it goes.
    let value = push(reduce, &[x, init], &node.types[0], false);
    Some(smallvec![value, at])
}

/// Positions are looked for among numbers.
fn position_operand(dtype: DType) -> DType {
    if dtype == DType::Bool { DType::U8 } else { dtype }
}

fn reducer(kind: ArgKind) -> Reducer {
    match kind {
        ArgKind::Max => Reducer::Maximum,
        ArgKind::Min => Reducer::Minimum,
    }
}

/// 0, 1, ... along a dimension.
fn counts_along(f: &Func, v: Value, axis: usize) -> bool {
    let node = f.node(v.node);
    match (&node.op, node.operands.as_slice()) {
        (Op::Iota { dim, .. }, _) => *dim == axis,
        (Op::BroadcastInDim { dims, .. }, &[x]) => match f.node(x.node).op {
            Op::Iota { dim, .. } => dims.get(dim) == Some(&axis) && f.ty(x).shape[dim] == f.ty(v).shape[axis],
            _ => false,
        },
        _ => false,
    }
}

fn scalar(f: &Func, v: Value) -> Option<Lit> {
    match &f.node(v.node).op {
        Op::Constant(t) if t.len() == 1 => Lit::of(t),
        _ => None,
    }
}

/// What a value of such a function is made of.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Extreme,
    Index,
    Truth,
}

/// Whether a function only sees how the two values and the two indices are ordered.
fn only_orders(body: &Func) -> bool {
    if body.nodes().len() > MAX_NODES || body.inputs.len() != 4 {
        return false;
    }
    // Of truth values the trials are all there are.
    let values_are_truth = body.inputs[0].ty.dtype == DType::Bool;
    let mut kinds: Vec<Kind> = Vec::with_capacity(body.nodes().len());
    for node in body.nodes() {
        let of = |i: usize| kinds[node.operands[i].node.index()];
        let kind = match node.op {
            Op::Parameter(i) if i % 2 == 1 => Some(Kind::Index),
            Op::Parameter(_) if values_are_truth => Some(Kind::Truth),
            Op::Parameter(_) => Some(Kind::Extreme),
            Op::Compare(_) => (of(0) == of(1)).then_some(Kind::Truth),
            Op::Select => (of(1) == of(2)).then(|| of(1)),
            Op::Binary(BinaryOp::Maximum | BinaryOp::Minimum) => (of(0) == of(1)).then(|| of(0)),
            Op::Binary(BinaryOp::And | BinaryOp::Or | BinaryOp::Xor) | Op::Unary(UnaryOp::Not) => {
                (of(0) == Kind::Truth).then_some(Kind::Truth)
            }
            _ => None,
        };
        match kind {
            Some(kind) => kinds.push(kind),
            None => return false,
        }
    }
    true
}

/// Whether the function, on a pair found so far and a pair that comes later, gives the first extreme, or the first NaN.
fn finds(body: &Func, kind: ArgKind, value_type: DType, index_type: DType) -> Option<bool> {
    let number = |x: f64| Tensor::scalar_of(value_type, x);
    let nan = value_type.is_float().then(|| number(f64::NAN));
    let (low, high) = (number(0.0), number(1.0));
    let (worse, better) = match kind {
        ArgKind::Max => (low, high),
        ArgKind::Min => (high, low),
    };
    let indices = [Tensor::scalar_of(index_type, 1.0), Tensor::scalar_of(index_type, 2.0)];
    // (so far, later, whether the later one wins)
    let mut cases = vec![(&worse, &better, true), (&better, &worse, false), (&worse, &worse, false)];
    cases.push((&better, &better, false));
    if let Some(nan) = &nan {
        cases.extend([(nan, nan, false), (nan, &better, false), (nan, &worse, false)]);
        cases.extend([(&better, nan, true), (&worse, nan, true)]);
    }
    let same = |x: &Tensor, y: &Tensor| x == y || (Some(x) == nan.as_ref() && is_nan(y));
    for (a, b, later) in cases {
        for (i, j) in [(&indices[0], &indices[1]), (&indices[0], &indices[0])] {
            let found = kiln_interp::eval(body, &[a.clone(), i.clone(), b.clone(), j.clone()]).ok()?;
            let (value, index) = if later { (b, j) } else { (a, i) };
            if !same(value, &found[0]) || *index != found[1] {
                return Some(false);
            }
        }
    }
    Some(true)
}

fn is_nan(t: &Tensor) -> bool {
    matches!(Lit::of(t), Some(Lit::Float(x)) if x.is_nan())
}
