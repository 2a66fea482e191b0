//! Groups governed by one node: those that write into a copy of their operands (`scatter` in both forms,
//! `dynamic_update_slice`, `select_and_scatter`), sorts, and generic reductions.

use super::builder::{Context, Emitter, unsupported};
use super::elemental::Emit;
use super::index::{self, Idx};
use super::sort::sort;
use super::structural::indices_index;
use super::window::select_and_scatter;
use super::{Emitted, generic, launch};
use kiln_ir::op::{CompareDirection, ScatterDims, ScatterUpdate};
use kiln_ir::{DType, Func, NodeId, Op, Value};
use kiln_loops::{AxisId, Const, Index, Stmt, Var};
use kiln_plan::MachineModel;

/// Kernels of a group of form `Root`.
pub(super) fn root(cx: &Context<'_>, id: NodeId, out: &mut Emitted) -> Emit<()> {
    let node = cx.node(id);
    match &node.op {
        Op::Scatter { dims, update } => scatter(cx, id, dims, Meeting::Update(*update), out),
        Op::GenericScatter { dims, body } => scatter(cx, id, dims, Meeting::Nested(body), out),
        Op::DynamicUpdateSlice => dynamic_update_slice(cx, id, out),
        Op::SelectAndScatter { .. } | Op::GenericSelectAndScatter { .. } => select_and_scatter(cx, id, out),
        Op::Sort { .. } => sort(cx, id, out),
        Op::GenericReduce { .. } => generic::reduce(cx, id, out),
        Op::GenericReduceWindow { .. } => generic::reduce_window(cx, id, out),
        _ => Err(unsupported(node, "it does not govern a group of its own")),
    }
}

/// The first `n` results start as copies of the operands.
fn copied(cx: &Context<'_>, id: NodeId, n: usize, out: &mut Emitted) -> Emit<()> {
    for (result, &operand) in cx.node(id).operands[..n].iter().enumerate() {
        if !cx.is_memory(operand) {
            return Err(unsupported(cx.node(id), "its operand is not in memory"));
        }
        out.copy_in.push((operand, Value { node: id, result: result as u32 }));
    }
    Ok(())
}

fn dynamic_update_slice(cx: &Context<'_>, id: NodeId, out: &mut Emitted) -> Emit<()> {
    copied(cx, id, 1, out)?;
    let node = cx.node(id);
    let (operand, update) = (node.operands[0], node.operands[1]);
    let (sizes, window) = (cx.sizes(operand), cx.sizes(update));
    if index::count(&window) == 0 {
        return Ok(());
    }
    launch(cx, out, |e, _| {
        let (axes, idx) = e.space(update, 0..window.len());
        e.root_nest(axes, true, cx.machine.parallel.worth(index::count(&window)), |e| {
            let mut at = Idx::new();
            for d in 0..sizes.len() {
                let x = e.scalar(node.operands[2 + d])?;
                let start = e.start_index(x, sizes[d] - window[d]);
                at.push(index::add(&idx[d], &start));
            }
            let x = e.elem(update, &idx)?;
            let buf = e.buffer(id.into());
            e.partial.insert(buf);
            e.store(buf, index::linearize(&at, &sizes), x);
            Ok(())
        })
    })
}

/// The dimensions of the updates, by what a kernel does with them.
struct Plan {
    /// Independent of each other: batching dimensions, and window dimensions that no index moves.
    free: Vec<usize>,
    /// In order.
    ordered: Vec<usize>,
    /// Window dimensions that an index moves.
    moved: Vec<usize>,
    /// Operand dimension of each window dimension of the updates.
    window: Vec<(usize, usize)>,
    /// Dimensions of the updates that enumerate start indices.
    batch: Vec<usize>,
}

fn plan(dims: &ScatterDims, operand_rank: usize, updates_rank: usize) -> Plan {
    let batch: Vec<usize> = (0..updates_rank).filter(|d| !dims.update_window_dims.contains(d)).collect();
    let kept =
        (0..operand_rank).filter(|d| !dims.inserted_window_dims.contains(d) && !dims.input_batching_dims.contains(d));
    let window: Vec<(usize, usize)> = dims.update_window_dims.iter().copied().zip(kept).collect();
    let is_moved = |o: &usize| dims.scatter_dims_to_operand_dims.contains(o);
    // A batching dimension of the indices is the matching batch dimension of the updates.
    let batching: Vec<usize> =
        dims.scatter_indices_batching_dims.iter().map(|&b| batch[b - usize::from(b > dims.index_vector_dim)]).collect();
    let mut free = batching.clone();
    free.extend(window.iter().filter(|w| !is_moved(&w.1)).map(|w| w.0));
    free.sort_unstable();
    let moved = window.iter().filter(|w| is_moved(&w.1)).map(|w| w.0).collect();
    let ordered = batch.iter().copied().filter(|d| !batching.contains(d)).collect();
    Plan { free, ordered, moved, window, batch }
}

/// How updates combine with what is there.
#[derive(Clone, Copy)]
enum Meeting<'a> {
    Update(ScatterUpdate),
    /// A nested function of the old elements, the updates and captures.
    Nested(&'a Func),
}

fn scatter(cx: &Context<'_>, id: NodeId, dims: &ScatterDims, meeting: Meeting<'_>, out: &mut Emitted) -> Emit<()> {
    let n = match meeting {
        Meeting::Update(_) => 1,
        Meeting::Nested(body) => body.outputs.len(),
    };
    copied(cx, id, n, out)?;
    let node = cx.node(id);
    let (indices, updates) = (node.operands[n], node.operands[n + 1]);
    let (sizes, shape) = (cx.sizes(node.operands[0]), cx.sizes(updates));
    if index::count(&shape) == 0 || index::count(&sizes) == 0 {
        return Ok(());
    }
    let plan = plan(dims, sizes.len(), shape.len());
    // Lanes run over the innermost window dimension; without one the updates go one by one.
    let lane = plan.window.iter().map(|w| w.0).filter(|d| shape[*d] > 1).max();
    launch(cx, out, |e, _| {
        for v in cx.func.results(id) {
            let buf = e.buffer(v);
            e.partial.insert(buf);
            if !matches!(meeting, Meeting::Update(ScatterUpdate::Assign)) {
                e.volatile.insert(buf);
            }
        }
        let mut idx: Idx = smallvec::SmallVec::from_elem(Index::default(), shape.len());
        let mut outer: Vec<AxisId> = Vec::new();
        let mut window: Vec<AxisId> = Vec::new();
        for &d in &plan.free {
            if lane == Some(d) {
                let blocks = lane_blocks(cx.machine, shape[d], index::count(&shape));
                let (block, ix) = e.dim_axes(0, &[blocks]);
                outer.extend(block);
                // In the nest within the `If` within the serial loops.
                let (a, inner) = e.dim_axes(3, &[shape[d] / blocks]);
                window.extend(a);
                idx[d] = index::add(&index::scale(&ix, shape[d] / blocks), &inner);
            } else {
                let (a, ix) = e.dim_axes(0, &[shape[d]]);
                outer.extend(a);
                idx[d] = ix;
            }
        }
        let mut serial: Vec<AxisId> = Vec::new();
        for &d in &plan.ordered {
            let (a, ix) = e.dim_axes(1, &[shape[d]]);
            serial.extend(a);
            idx[d] = ix;
        }
        e.root_nest(outer, false, cx.machine.parallel.worth(index::count(&shape)), |e| {
            e.inner_nest(serial, false, |e| {
                let level = e.top();
                let (mut at, inside) = e.window_start(dims, &plan, indices, (&sizes, &shape), &idx)?;
                let cond = match inside {
                    Some(c) => c,
                    None => e.constant(Const { dtype: DType::Bool, bits: 1 }),
                };
                e.open_if();
                for &d in &plan.moved {
                    let (a, ix) = e.dim_axes(level + 2, &[shape[d]]);
                    window.extend(a);
                    idx[d] = ix;
                }
                for &(u, o) in &plan.window {
                    at[o] = index::add(&at[o], &idx[u]);
                }
                let linear = index::linearize(&at, &sizes);
                e.inner_nest(window, true, |e| e.combine(id, linear, meeting, &idx))?;
                let then = e.close().stmts;
                let top = e.top();
                e.scopes[top].stmts.push(Stmt::If { cond, then });
                Ok(())
            })
        })
    })
}

/// Into how many blocks a window dimension is cut for parallel execution.
fn lane_blocks(machine: &MachineModel, n: i64, work: i64) -> i64 {
    if !machine.parallel.worth(work) {
        return 1;
    }
    let limits = machine.scatter;
    (1..=limits.max_blocks).rev().find(|b| n % b == 0 && n / b >= limits.min_block).unwrap_or(1)
}

impl Emitter<'_> {
    /// Where the window of the update at `idx` begins, and whether it lies inside of the operand; none when it always does.
    fn window_start(
        &mut self,
        dims: &ScatterDims,
        plan: &Plan,
        indices: Value,
        (sizes, shape): (&[i64], &[i64]),
        idx: &Idx,
    ) -> Emit<(Idx, Option<Var>)> {
        let batch: Idx = plan.batch.iter().map(|d| idx[*d].clone()).collect();
        let mut start: Idx = smallvec::SmallVec::from_elem(Index::default(), sizes.len());
        let mut inside = None;
        for (k, &d) in dims.scatter_dims_to_operand_dims.iter().enumerate() {
            let at = indices_index(&batch, dims.index_vector_dim, k, self.cx.func.ty(indices).rank());
            let x = self.elem(indices, &at)?;
            let x = self.convert(DType::I64, x);
            let extent = plan.window.iter().find(|w| w.1 == d).map_or(1, |w| shape[w.0]);
            let (zero, last) = (self.int(DType::I64, 0), self.int(DType::I64, sizes[d] - extent));
            let above = self.compare(CompareDirection::GE, x, zero);
            let below = self.compare(CompareDirection::LE, x, last);
            inside = self.both(inside, Some(above));
            inside = self.both(inside, Some(below));
            // Addresses stay inside even where the condition keeps them from being used: a literal index may be out of range.
            let clamped = self.start_index(x, (sizes[d] - extent).max(0));
            start[d] = index::add(&start[d], &clamped);
        }
        for (&d, &b) in dims.input_batching_dims.iter().zip(&dims.scatter_indices_batching_dims) {
            start[d] = batch[b - usize::from(b > dims.index_vector_dim)].clone();
        }
        Ok((start, inside))
    }

    /// Combines the elements at `at` with the updates at `idx`.
    fn combine(&mut self, id: NodeId, at: Index, meeting: Meeting<'_>, idx: &Idx) -> Emit<()> {
        let node = self.cx.node(id);
        let buf = self.buffer(id.into());
        let body = match meeting {
            Meeting::Update(update) => {
                let new = self.elem(node.operands[2], idx)?;
                let new = match update {
                    ScatterUpdate::Assign => new,
                    ScatterUpdate::Combine(r) => {
                        let old = self.load(buf, at.clone());
                        self.apply_binary(r.binary(), node.types[0].dtype, old, new)
                    }
                };
                self.store(buf, at, new);
                return Ok(());
            }
            Meeting::Nested(body) => body,
        };
        let n = body.outputs.len();
        let mut args = Vec::with_capacity(body.inputs.len());
        for v in self.cx.func.results(id) {
            let buf = self.buffer(v);
            args.push(self.load(buf, at.clone()));
        }
        for &v in &node.operands[n + 1..2 * n + 1] {
            args.push(self.elem(v, idx)?);
        }
        args.extend(self.scalars(&node.operands[2 * n + 1..])?);
        let new = self.nested(body, &args)?;
        self.store_results(id, &at, &new);
        Ok(())
    }
}
