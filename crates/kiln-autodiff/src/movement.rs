//! Operators that move data: linear in their data operands, so the tangent takes the same operator and the cotangent the
//! transposed one.

use crate::emit::Res;
use crate::forward::Forward;
use crate::reverse::Reverse;
use kiln_ir::op::{Axes, Ints};
use kiln_ir::{Dim, Node, Op, Shape, Value};

/// How many leading operands carry data (the others are indices).
fn data_operands(node: &Node) -> usize {
    match node.op {
        Op::DynamicSlice { .. } => 1,
        Op::DynamicUpdateSlice => 2,
        _ => node.operands.len(),
    }
}

/// The same operator on tangents.
pub(crate) fn forward(w: &mut Forward, node: &Node) -> Res<Option<Value>> {
    let data = data_operands(node);
    if !node.operands[..data].iter().any(|v| w.tangent(*v).is_some()) {
        return Ok(None);
    }
    let mut operands = Vec::with_capacity(node.operands.len());
    for (i, v) in node.operands.iter().enumerate() {
        operands.push(if i < data { w.tangent_or_zeros(*v)? } else { *v });
    }
    w.e.op(node.op.clone(), &operands).map(Some)
}

/// Pulls `g` back through the operator.
pub(crate) fn backward(r: &mut Reverse, node: &Node, g: Value) -> Res<()> {
    let x = &node.operands[..];
    let own = r.e.f.ty(x[0]).shape.clone();
    match &node.op {
        Op::BroadcastInDim { shape, dims } => {
            let ct = unbroadcast(r, g, &own, shape, dims)?;
            r.add(x[0], ct)
        }
        Op::Reshape(_) => {
            let ct = r.e.reshape(g, &own)?;
            r.add(x[0], ct)
        }
        Op::Transpose(p) => {
            let mut inverse: Axes = p.clone();
            p.iter().enumerate().for_each(|(i, &a)| inverse[a] = i);
            let ct = r.e.transpose(g, &inverse)?;
            r.add(x[0], ct)
        }
        Op::Reverse(_) => {
            let ct = r.e.op(node.op.clone(), &[g])?;
            r.add(x[0], ct)
        }
        Op::Slice { start, strides, .. } => {
            let ct = unslice(r, g, &own, start, strides)?;
            r.add(x[0], ct)
        }
        Op::DynamicSlice { .. } => r.add_part(x[0], g, &x[1..]),
        Op::DynamicUpdateSlice => {
            if r.wants(x[0]) {
                let zeros = r.e.zeros_like(x[1])?;
                let operands: Vec<Value> = [g, zeros].iter().chain(&x[2..]).copied().collect();
                let ct = r.e.op(Op::DynamicUpdateSlice, &operands)?;
                r.add(x[0], ct)?;
            }
            if r.wants(x[1]) {
                let sizes = r.e.f.ty(x[1]).shape.clone();
                let operands: Vec<Value> = [g].iter().chain(&x[2..]).copied().collect();
                let ct = r.e.op(Op::DynamicSlice { sizes }, &operands)?;
                r.add(x[1], ct)?;
            }
            Ok(())
        }
        Op::Concatenate(axis) => unconcatenate(r, g, x, *axis),
        Op::Pad { low, high, interior } => unpad(r, node, g, (low, high, interior)),
        _ => Ok(()),
    }
}

/// Sums over what the broadcast repeated.
fn unbroadcast(r: &mut Reverse, g: Value, own: &Shape, shape: &Shape, dims: &[usize]) -> Res {
    let stretched = |i: usize| own[i] == Dim::Const(1) && shape[dims[i]] != Dim::Const(1);
    let kept: Vec<usize> = (0..own.rank()).filter(|&i| !stretched(i)).map(|i| dims[i]).collect();
    let summed: Vec<usize> = (0..shape.rank()).filter(|a| !kept.contains(a)).collect();
    let sum = r.e.sum(g, &summed)?;
    // The kept dimensions are now in the result's order; put them in the operand's.
    let mut ascending = kept.clone();
    ascending.sort_unstable();
    let order: Vec<usize> = kept.iter().map(|k| ascending.iter().position(|a| a == k).unwrap_or(0)).collect();
    let ordered = r.e.transpose(sum, &order)?;
    r.e.reshape(ordered, own)
}

/// Puts the slice back among zeros.
fn unslice(r: &mut Reverse, g: Value, own: &Shape, start: &[Dim], strides: &[i64]) -> Res {
    let taken = r.e.f.ty(g).shape.clone();
    let high = (0..own.rank())
        .map(|i| match taken[i] {
            Dim::Const(0) => own[i].clone() - start[i].clone(),
            _ => own[i].clone() - (start[i].clone() + (taken[i].clone() - 1) * strides[i] + 1),
        })
        .collect();
    let interior: Ints = strides.iter().map(|s| s - 1).collect();
    r.e.pad_zero(g, start.to_vec(), high, interior)
}

fn unconcatenate(r: &mut Reverse, g: Value, operands: &[Value], axis: usize) -> Res<()> {
    let whole = r.e.f.ty(g).shape.clone();
    let mut at = Dim::Const(0);
    for v in operands {
        let end = at.clone() + r.e.f.ty(*v).shape[axis].clone();
        if r.wants(*v) {
            let mut start = vec![Dim::Const(0); whole.rank()];
            let mut limit = whole.to_vec();
            (start[axis], limit[axis]) = (at, end.clone());
            let strides = (0..whole.rank()).map(|_| 1).collect();
            let ct = r.e.slice(g, start, limit, strides)?;
            r.add(*v, ct)?;
        }
        at = end;
    }
    Ok(())
}

fn unpad(r: &mut Reverse, node: &Node, g: Value, (low, high, interior): (&[Dim], &[Dim], &[i64])) -> Res<()> {
    let (x, value) = (node.operands[0], node.operands[1]);
    let none: Ints = interior.iter().map(|_| 0).collect();
    if r.wants(x) {
        let negated = |d: &[Dim]| d.iter().map(|d| -d.clone()).collect::<Vec<Dim>>();
        let even = |d: &[Dim]| d.iter().all(|d| *d == Dim::Const(0));
        let whole =
            if even(low) && even(high) { g } else { r.e.pad_zero(g, negated(low), negated(high), none.clone())? };
        let limit = r.e.f.ty(whole).shape.to_vec();
        let strides: Ints = interior.iter().map(|i| i + 1).collect();
        let ct = r.e.slice(whole, vec![Dim::Const(0); limit.len()], limit, strides)?;
        r.add(x, ct)?;
    }
    if r.wants(value) {
        // Ones exactly where the padding went.
        let ty = r.e.f.ty(x).with_dtype(kiln_ir::DType::Bool);
        let data = r.e.zeros(&ty)?;
        let padding = r.e.scalar(kiln_ir::DType::Bool, 1.0);
        let mask = r.e.op(node.op.clone(), &[data, padding])?;
        let part = r.e.keep(mask, g)?;
        let ct = r.e.sum_all(part)?;
        r.add(value, ct)?;
    }
    Ok(())
}
