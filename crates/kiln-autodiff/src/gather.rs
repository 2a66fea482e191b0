//! `gather` and `scatter`: each the transpose of the other.
//!
//! A gather clamps its indices and a scatter skips updates that do not fit, so going from one to the other the indices are
//! clamped, and what does not fit is masked.

use crate::emit::{Emit, Res};
use crate::forward::Forward;
use crate::reduce::int_vector;
use crate::reverse::Reverse;
use kiln_ir::op::{Axes, CompareDirection, GatherDims, Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::{DType, Diagnostic, Dim, Node, Op, Shape, TensorType, Value};

/// The scatter that undoes a gather.
fn scatter_of(d: &GatherDims) -> ScatterDims {
    ScatterDims {
        update_window_dims: d.offset_dims.clone(),
        inserted_window_dims: d.collapsed_slice_dims.clone(),
        input_batching_dims: d.operand_batching_dims.clone(),
        scatter_indices_batching_dims: d.start_indices_batching_dims.clone(),
        scatter_dims_to_operand_dims: d.start_index_map.clone(),
        index_vector_dim: d.index_vector_dim,
        indices_are_sorted: d.indices_are_sorted,
        unique_indices: false,
    }
}

/// The gather that reads where a scatter writes.
fn gather_of(d: &ScatterDims, operand: &Shape, updates: &Shape) -> GatherDims {
    let mut window = d.update_window_dims.iter();
    let slice_sizes = (0..operand.rank())
        .map(|i| {
            let one = d.inserted_window_dims.contains(&i) || d.input_batching_dims.contains(&i);
            if one { None } else { window.next() }.map_or(Dim::Const(1), |&u| updates[u].clone())
        })
        .collect();
    GatherDims {
        offset_dims: d.update_window_dims.clone(),
        collapsed_slice_dims: d.inserted_window_dims.clone(),
        operand_batching_dims: d.input_batching_dims.clone(),
        start_indices_batching_dims: d.scatter_indices_batching_dims.clone(),
        start_index_map: d.scatter_dims_to_operand_dims.clone(),
        index_vector_dim: d.index_vector_dim,
        slice_sizes,
        indices_are_sorted: false,
    }
}

/// Indices moved to where the whole slice lies inside of `operand`, with the indices they came from (widened if need be).
fn clamped(e: &mut Emit, operand: Value, indices: Value, d: &GatherDims) -> Res<(Value, Value)> {
    let shape = e.f.ty(operand).shape.clone();
    let room: Vec<Dim> = d.start_index_map.iter().map(|&a| shape[a].clone() - d.slice_sizes[a].clone()).collect();
    let constant: Option<Vec<i64>> = room.iter().map(Dim::as_const).collect();
    let mut indices = indices;
    let limits = match constant {
        Some(values) => int_vector(e, e.f.ty(indices).dtype, &values)?,
        None => {
            if e.f.ty(indices).dtype.size() < 4 {
                indices = e.convert(indices, DType::I32)?;
            }
            symbolic_limits(e, operand, e.f.ty(indices).dtype, &room, d)?
        }
    };
    let ty = e.f.ty(indices).clone();
    let high = if d.index_vector_dim == ty.rank() {
        let one = e.reshape(limits, &Shape::scalar())?;
        e.spread(one, &ty.shape)?
    } else {
        let dims: Axes = [d.index_vector_dim].into_iter().collect();
        e.op(Op::BroadcastInDim { shape: ty.shape.clone(), dims }, &[limits])?
    };
    let low = e.zeros(&ty)?;
    let moved = e.op(Op::Clamp, &[low, indices, high])?;
    Ok((moved, indices))
}

/// The last valid start per index component, as a vector, for symbolic sizes.
fn symbolic_limits(e: &mut Emit, operand: Value, dtype: DType, room: &[Dim], d: &GatherDims) -> Res {
    let mut parts = Vec::new();
    for (room, &a) in room.iter().zip(&d.start_index_map) {
        let limit = match (room.as_const(), d.slice_sizes[a].as_const()) {
            (Some(n), _) => e.scalar(DType::I32, n as f64),
            (None, Some(n)) => {
                let whole = e.op(Op::GetDimensionSize(a), &[operand])?;
                let slice = e.scalar(DType::I32, n as f64);
                e.sub(whole, slice)?
            }
            (None, None) => {
                return Err(Diagnostic::new("autodiff.gather", "a gather of symbolic slices cannot be differentiated")
                    .label(format!("the slice has size {} in dim {a}", d.slice_sizes[a])));
            }
        };
        let limit = e.convert(limit, dtype)?;
        parts.push(e.reshape(limit, &Shape::from([1usize]))?);
    }
    if parts.len() == 1 { Ok(parts[0]) } else { e.op(Op::Concatenate(0), &parts) }
}

pub(crate) fn gather_backward(r: &mut Reverse, node: &Node, d: &GatherDims, g: Value) -> Res<()> {
    let x = node.operands[0];
    if !r.wants(x) {
        return Ok(());
    }
    let (indices, _) = clamped(&mut r.e, x, node.operands[1], d)?;
    r.add_scattered(x, g, indices, scatter_of(d))
}

/// A scatter taken apart: its operands, the gather that reads where it writes, and where updates fit.
struct Parts {
    x: Value,
    indices: Value,
    updates: Value,
    gather: GatherDims,
    /// Clamped indices.
    inside: Value,
    /// Which elements of the updates are written, of the updates' shape.
    fits: Value,
}

impl Parts {
    fn new(e: &mut Emit, node: &Node, d: &ScatterDims) -> Res<Parts> {
        let (x, indices, updates) = (node.operands[0], node.operands[1], node.operands[2]);
        let shape = e.f.ty(updates).shape.clone();
        let gather = gather_of(d, &e.f.ty(x).shape.clone(), &shape);
        let (inside, own) = clamped(e, x, indices, &gather)?;
        let same = e.compare(CompareDirection::EQ, inside, own)?;
        // One answer per window: all components have to fit.
        let per_window = if d.index_vector_dim == e.f.ty(own).rank() {
            same
        } else {
            let yes = e.scalar(DType::Bool, 1.0);
            let axes: Axes = [d.index_vector_dim].into_iter().collect();
            e.op(Op::Reduce { axes, reducer: Reducer::And }, &[same, yes])?
        };
        let dims: Axes = (0..shape.rank()).filter(|u| !d.update_window_dims.contains(u)).collect();
        let fits = e.op(Op::BroadcastInDim { shape, dims }, &[per_window])?;
        Ok(Parts { x, indices, updates, gather, inside, fits })
    }

    /// What `v`, shaped like the operand, holds where each update goes; zero where none goes.
    fn read(&self, e: &mut Emit, v: Value) -> Res {
        let there = e.op(Op::Gather(Box::new(self.gather.clone())), &[v, self.inside])?;
        e.keep(self.fits, there)
    }

    /// Updates combined into `base`.
    fn write(&self, e: &mut Emit, d: &ScatterDims, base: Value, updates: Value, how: ScatterUpdate) -> Res {
        e.op(Op::Scatter { dims: Box::new(d.clone()), update: how }, &[base, self.indices, updates])
    }

    fn add_into_zeros(&self, e: &mut Emit, d: &ScatterDims, updates: Value) -> Res {
        let zeros = e.zeros_like(self.x)?;
        self.write(e, d, zeros, updates, ScatterUpdate::Combine(Reducer::Add))
    }

    /// For assignments: which updates are the last at their place.
    fn last(&self, e: &mut Emit, d: &ScatterDims) -> Res {
        if d.unique_indices {
            return Ok(self.fits);
        }
        let ids_ty = e.f.ty(self.updates).with_dtype(DType::I64);
        let ids = numbered(e, &ids_ty)?;
        let none = e.full(&e.f.ty(self.x).with_dtype(DType::I64), -1.0)?;
        let written = self.write(e, d, none, ids, ScatterUpdate::Assign)?;
        let there = e.op(Op::Gather(Box::new(self.gather.clone())), &[written, self.inside])?;
        let own = e.compare(CompareDirection::EQ, there, ids)?;
        e.binary(kiln_ir::BinaryOp::And, own, self.fits)
    }

    /// For products: the derivative of the result at each update's place by that update: the operand times all other updates
    /// that meet there.
    fn other_factors(&self, e: &mut Emit, d: &ScatterDims) -> Res {
        let x_there = self.read(e, self.x)?;
        if d.unique_indices {
            return Ok(x_there);
        }
        let zero = e.zeros_like(self.updates)?;
        let one = e.full_like(self.updates, 1.0)?;
        let is_zero = e.compare(CompareDirection::EQ, self.updates, zero)?;
        let nonzero = e.select(is_zero, one, self.updates)?;
        let flags = e.select(is_zero, one, zero)?;
        let ones = e.full_like(self.x, 1.0)?;
        let product = self.write(e, d, ones, nonzero, ScatterUpdate::Combine(Reducer::Multiply))?;
        let zeros = self.add_into_zeros(e, d, flags)?;
        let (product, zeros) = (self.read(e, product)?, self.read(e, zeros)?);
        let others = e.div(product, nonzero)?;
        let other_zeros = e.sub(zeros, flags)?;
        let clean = e.compare(CompareDirection::EQ, other_zeros, zero)?;
        let others = e.keep(clean, others)?;
        e.mul(x_there, others)
    }

    /// For extremes: where the operand and the updates are the result, and how many share each place.
    fn winners(&self, e: &mut Emit, d: &ScatterDims, y: Value) -> Res<(Value, Value, Value)> {
        let x_wins = e.compare(CompareDirection::EQ, self.x, y)?;
        let there = e.op(Op::Gather(Box::new(self.gather.clone())), &[y, self.inside])?;
        let same = e.compare(CompareDirection::EQ, self.updates, there)?;
        let u_wins = e.binary(kiln_ir::BinaryOp::And, same, self.fits)?;
        let dtype = e.f.ty(self.x).dtype;
        let (xs, us) = (e.convert(x_wins, dtype)?, e.convert(u_wins, dtype)?);
        let count = self.write(e, d, xs, us, ScatterUpdate::Combine(Reducer::Add))?;
        Ok((x_wins, u_wins, count))
    }
}

/// Numbers all elements in row-major order; symbolic sizes are read at run time.
fn numbered(e: &mut Emit, ty: &TensorType) -> Res {
    let mut total: Option<Value> = None;
    let mut weight: Option<Value> = None;
    for dim in (0..ty.rank()).rev() {
        let iota = e.op(Op::Iota { ty: ty.clone(), dim }, &[])?;
        let part = match weight {
            Some(w) => {
                let wide = e.spread(w, &ty.shape)?;
                e.mul(iota, wide)?
            }
            None => iota,
        };
        total = Some(match total {
            Some(t) => e.add(t, part)?,
            None => part,
        });
        let size = match ty.shape[dim].as_const() {
            Some(n) => e.scalar(DType::I64, n as f64),
            None => {
                let s = e.op(Op::GetDimensionSize(dim), &[iota])?;
                e.convert(s, DType::I64)?
            }
        };
        weight = Some(match weight {
            Some(w) => e.mul(w, size)?,
            None => size,
        });
    }
    match total {
        Some(t) => Ok(t),
        None => e.zeros(ty),
    }
}

fn no_rule(e: &Emit, node: &Node, how: Reducer) -> Diagnostic {
    e.error(node, format!("`{}` has no derivative on floats", how.name()))
}

pub(crate) fn scatter_backward(
    r: &mut Reverse,
    node: &Node,
    d: &ScatterDims,
    update: ScatterUpdate,
    y: Value,
    g: Value,
) -> Res<()> {
    let p = Parts::new(&mut r.e, node, d)?;
    match update {
        ScatterUpdate::Combine(Reducer::Add) => {
            r.add(p.x, g)?;
            if r.wants(p.updates) {
                let ct = p.read(&mut r.e, g)?;
                r.add(p.updates, ct)?;
            }
        }
        ScatterUpdate::Assign => {
            if r.wants(p.x) {
                let zeros = r.e.zeros_like(p.updates)?;
                let ct = p.write(&mut r.e, d, g, zeros, ScatterUpdate::Assign)?;
                r.add(p.x, ct)?;
            }
            if r.wants(p.updates) {
                let last = p.last(&mut r.e, d)?;
                let there = p.read(&mut r.e, g)?;
                let ct = r.e.keep(last, there)?;
                r.add(p.updates, ct)?;
            }
        }
        ScatterUpdate::Combine(Reducer::Multiply) => {
            if r.wants(p.x) {
                let ct = p.write(&mut r.e, d, g, p.updates, update)?;
                r.add(p.x, ct)?;
            }
            if r.wants(p.updates) {
                let factors = p.other_factors(&mut r.e, d)?;
                let there = p.read(&mut r.e, g)?;
                let ct = r.e.mul(there, factors)?;
                r.add(p.updates, ct)?;
            }
        }
        ScatterUpdate::Combine(Reducer::Minimum | Reducer::Maximum) => {
            let (x_wins, u_wins, count) = p.winners(&mut r.e, d, y)?;
            let share = r.e.div(g, count)?;
            if r.wants(p.x) {
                let ct = r.e.keep(x_wins, share)?;
                r.add(p.x, ct)?;
            }
            if r.wants(p.updates) {
                let there = p.read(&mut r.e, share)?;
                let ct = r.e.keep(u_wins, there)?;
                r.add(p.updates, ct)?;
            }
        }
        ScatterUpdate::Combine(how @ (Reducer::And | Reducer::Or | Reducer::Xor)) => {
            return Err(no_rule(&r.e, node, how));
        }
    }
    Ok(())
}

pub(crate) fn scatter_forward(
    w: &mut Forward,
    node: &Node,
    d: &ScatterDims,
    update: ScatterUpdate,
    y: Value,
) -> Res<Option<Value>> {
    let (x, updates) = (node.operands[0], node.operands[2]);
    if w.tangent(x).is_none() && w.tangent(updates).is_none() {
        return Ok(None);
    }
    let (tx, tu) = (w.tangent_or_zeros(x)?, w.tangent_or_zeros(updates)?);
    let e = &mut w.e;
    let p = Parts::new(e, node, d)?;
    let t = match update {
        ScatterUpdate::Combine(Reducer::Add) | ScatterUpdate::Assign => p.write(e, d, tx, tu, update)?,
        ScatterUpdate::Combine(Reducer::Multiply) => {
            let by_x = p.write(e, d, tx, updates, update)?;
            let factors = p.other_factors(e, d)?;
            let moved = e.mul(tu, factors)?;
            let by_updates = p.add_into_zeros(e, d, moved)?;
            e.add(by_x, by_updates)?
        }
        ScatterUpdate::Combine(Reducer::Minimum | Reducer::Maximum) => {
            let (x_wins, u_wins, count) = p.winners(e, d, y)?;
            let (tx, tu) = (e.keep(x_wins, tx)?, e.keep(u_wins, tu)?);
            let sum = p.write(e, d, tx, tu, ScatterUpdate::Combine(Reducer::Add))?;
            e.div(sum, count)?
        }
        ScatterUpdate::Combine(how @ (Reducer::And | Reducer::Or | Reducer::Xor)) => return Err(no_rule(e, node, how)),
    };
    Ok(Some(t))
}
