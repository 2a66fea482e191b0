//! `sort`: the permutation is found by sorting positions along; derivatives move by it.

use crate::emit::{Emit, Res};
use crate::forward::Forward;
use crate::nested::{give, nested};
use crate::reverse::Reverse;
use kiln_ir::op::{Axes, GatherDims, ScatterDims, ScatterUpdate};
use kiln_ir::{DType, Dim, Func, Node, NodeId, Op, TensorType, Value};

/// The same sort with the positions (i32) as a last operand; the result of that is the permutation.
fn with_positions(e: &mut Emit, node: &Node, dim: usize, stable: bool, comparator: &Func) -> Res<(NodeId, Value)> {
    let n = node.types.len();
    let position = TensorType::scalar(DType::I32);
    let types: Vec<TensorType> = comparator.inputs.iter().map(|i| i.ty.clone()).collect();
    let (own, captures) = types.split_at(2 * n);
    let params = own.iter().cloned().chain([position.clone(), position]).chain(captures.iter().cloned());
    let (mut f, params) = nested(&comparator.name, params, &node.loc);
    let args: Vec<Value> = params[..2 * n].iter().chain(&params[2 * n + 2..]).copied().collect();
    let before = f.inline(comparator, &args);
    give(&mut f, before);
    let ty = TensorType { dtype: DType::I32, shape: node.types[0].shape.clone() };
    let positions = e.op(Op::Iota { ty, dim }, &[])?;
    let operands: Vec<Value> =
        node.operands[..n].iter().chain([&positions]).chain(&node.operands[n..]).copied().collect();
    let sorted = e.f.push(Op::Sort { dim, stable, comparator: Box::new(f) }, &operands, node.loc.clone())?;
    Ok((sorted, Value { node: sorted, result: n as u32 }))
}

/// Dimension `dim` is addressed, all others are batched.
fn others(rank: usize, dim: usize) -> Axes {
    (0..rank).filter(|&d| d != dim).collect()
}

/// The elements of `x` at these positions along `dim`.
fn take(e: &mut Emit, x: Value, positions: Value, dim: usize) -> Res {
    let rank = e.f.ty(x).rank();
    let dims = GatherDims {
        collapsed_slice_dims: Axes::from_slice(&[dim]),
        operand_batching_dims: others(rank, dim),
        start_indices_batching_dims: others(rank, dim),
        start_index_map: Axes::from_slice(&[dim]),
        index_vector_dim: rank,
        slice_sizes: (0..rank).map(|_| Dim::Const(1)).collect(),
        ..GatherDims::default()
    };
    e.op(Op::Gather(Box::new(dims)), &[x, positions])
}

/// The elements of `g` moved to these positions along `dim`, which are a permutation.
fn put(e: &mut Emit, g: Value, positions: Value, dim: usize) -> Res {
    let rank = e.f.ty(g).rank();
    let dims = ScatterDims {
        inserted_window_dims: Axes::from_slice(&[dim]),
        input_batching_dims: others(rank, dim),
        scatter_indices_batching_dims: others(rank, dim),
        scatter_dims_to_operand_dims: Axes::from_slice(&[dim]),
        index_vector_dim: rank,
        unique_indices: true,
        ..ScatterDims::default()
    };
    let zeros = e.zeros_like(g)?;
    e.op(Op::Scatter { dims: Box::new(dims), update: ScatterUpdate::Assign }, &[zeros, positions, g])
}

pub(crate) fn backward(r: &mut Reverse, id: NodeId, node: &Node) -> Res<()> {
    let Op::Sort { dim, stable, comparator } = &node.op else { return Ok(()) };
    let given: Vec<(usize, Value)> = r.e.f.results(id).enumerate().filter_map(|(i, y)| Some((i, r.ct(y)?))).collect();
    if given.is_empty() {
        return Ok(());
    }
    let (sorted, positions) = with_positions(&mut r.e, node, *dim, *stable, comparator)?;
    r.replaced.push((id, sorted));
    for (i, g) in given {
        let ct = put(&mut r.e, g, positions, *dim)?;
        r.add(node.operands[i], ct)?;
    }
    Ok(())
}

pub(crate) fn forward(w: &mut Forward, id: NodeId, node: &Node) -> Res<()> {
    let Op::Sort { dim, stable, comparator } = &node.op else { return Ok(()) };
    let given: Vec<(usize, Value)> =
        (0..node.types.len()).filter_map(|i| Some((i, w.tangent(node.operands[i])?))).collect();
    if given.is_empty() {
        return Ok(());
    }
    let (sorted, positions) = with_positions(&mut w.e, node, *dim, *stable, comparator)?;
    w.replaced.push((id, sorted));
    for (i, t) in given {
        let tangent = take(&mut w.e, t, positions, *dim)?;
        w.set(Value { node: id, result: i as u32 }, tangent);
    }
    Ok(())
}
