//! Reductions: loops opened where their result is first needed, sibling reductions in one loop, two stages for large ones.

use super::builder::{Context, Emitter, unsupported};
use super::elemental::Emit;
use super::index::{self, Idx, Sizes};
use super::loops::{Fold, Nest};
use super::{Emitted, Temp, launch};
use kiln_ir::op::{ArgKind, Axes, CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, Func, Node, NodeId, Op, Value};
use kiln_loops::{AxisId, Const, Index, Stmt, Var};
use kiln_plan::fusion::Group;
use std::collections::BTreeMap;

/// The reductions of a group, in batches that one loop computes: same operand shape, same dimensions, none depending on
/// another.
#[derive(Default)]
pub(super) struct Batches {
    /// Of each node of the group: how many reductions lie on the longest path to it (itself included).
    levels: BTreeMap<NodeId, u32>,
    of: BTreeMap<NodeId, usize>,
    list: Vec<Vec<NodeId>>,
}

impl Batches {
    pub fn new(func: &Func, group: &Group) -> Batches {
        let mut out = Batches::default();
        let mut keys: BTreeMap<(u32, Vec<Option<i64>>, Axes), usize> = BTreeMap::new();
        for &id in &group.nodes {
            let node = func.node(id);
            let below = node
                .operands
                .iter()
                .filter(|v| group.inputs.binary_search(v).is_err())
                .filter_map(|v| out.levels.get(&v.node).copied())
                .max()
                .unwrap_or(0);
            let own = match &node.op {
                Op::Reduce { axes, .. } => {
                    let sizes = func.ty(node.operands[0]).shape.iter().map(|d| d.as_const()).collect();
                    let batch = *keys.entry((below + 1, sizes, axes.clone())).or_insert_with(|| {
                        out.list.push(Vec::new());
                        out.list.len() - 1
                    });
                    out.list[batch].push(id);
                    out.of.insert(id, batch);
                    1
                }
                Op::ArgReduce { .. } => 2,
                _ => 0,
            };
            out.levels.insert(id, below + own);
        }
        out
    }

    /// Number of reductions on the longest path to a node, itself included.
    pub fn level(&self, id: NodeId) -> u32 {
        self.levels.get(&id).copied().unwrap_or(0)
    }

    /// The only batch, if the group has exactly one and no other reduction.
    fn only(&self) -> Option<&[NodeId]> {
        let deepest = self.levels.values().max().copied().unwrap_or(0);
        if self.list.len() == 1 && deepest == 1 { Some(&self.list[0]) } else { None }
    }
}

impl Emitter<'_> {
    /// Folds `body`'s values over axes of the level after `level`, in the scope of `level`.
    pub fn fold(
        &mut self,
        level: usize,
        axes: Vec<AxisId>,
        vector: bool,
        folds: &[(Reducer, Var)],
        body: impl FnOnce(&mut Self) -> Emit<Vec<Var>>,
    ) -> Emit<Vec<Var>> {
        if axes.is_empty() {
            let values = body(self)?;
            return Ok(folds.iter().zip(values).map(|(&(op, i), v)| self.binary(op.binary(), i, v)).collect());
        }
        self.at_level(level, |e| {
            let vector = vector && !e.in_vector();
            e.open(axes, vector);
            let values = body(e)?;
            let scope = e.close();
            let mut results = Vec::new();
            let mut list = Vec::new();
            for (&(op, init), value) in folds.iter().zip(values) {
                let dtype = e.dtype(init);
                let result = e.fresh(dtype, level);
                results.push(result);
                list.push(Fold { op, init, value, result });
            }
            let stmts: Vec<Stmt> = e.nest(scope, Nest::Inner { vector }, &list);
            e.scopes[level].stmts.extend(stmts);
            Ok(results)
        })
    }

    /// The element of a `reduce` node.
    pub fn reduce(&mut self, id: NodeId, idx: &Idx) -> Emit<Var> {
        let cx = self.cx;
        let node = cx.node(id);
        let Op::Reduce { axes, reducer } = &node.op else { return Err(unsupported(node, "not a reduction")) };
        if let Some(&(temp, parts)) = self.partials.get(&id) {
            return self.sum_parts(id, temp, parts, *reducer, idx);
        }
        let sizes = cx.sizes(node.operands[0]);
        if index::count(&sizes) == 0 {
            return self.scalar(node.operands[1]);
        }
        let batch = cx.batches.of.get(&id).map_or_else(|| vec![id], |b| cx.batches.list[*b].clone());
        let level = self.place(idx);
        let mut folds = Vec::new();
        for &m in &batch {
            let Op::Reduce { reducer, .. } = &cx.node(m).op else { continue };
            let init = self.scalar(cx.node(m).operands[1])?;
            folds.push((*reducer, init));
        }
        let (inner, full) = self.reduced_axes(level + 1, &sizes, axes, idx, None);
        let phase = cx.batches.level(id);
        let results = self.fold(level, inner, true, &folds, |e| {
            let outer = e.spill.begin(phase);
            let values: Emit<Vec<Var>> = batch.iter().map(|m| e.elem(cx.node(*m).operands[0], &full)).collect();
            e.spill.end(outer);
            values
        })?;
        let mut own = None;
        for (&m, r) in batch.iter().zip(results) {
            let r = self.rounded(dtype_of(cx.node(m)), r);
            self.remember((m.into(), idx.clone()), r);
            if m == id {
                own = Some(r);
            }
        }
        Ok(own.expect("a batch holds its members"))
    }

    /// Axes for the reduced dimensions, and the operand's index. `part`: first index and size of the part of the first of
    /// `reduced` to run over.
    fn reduced_axes(
        &mut self,
        level: usize,
        sizes: &Sizes,
        reduced: &[usize],
        idx: &[Index],
        part: Option<(&Index, i64)>,
    ) -> (Vec<AxisId>, Idx) {
        let (total, strides) = (index::count(sizes), index::strides(sizes));
        let (mut axes, mut full) = (Vec::new(), Idx::new());
        let mut kept = idx.iter();
        for d in 0..sizes.len() {
            if !reduced.contains(&d) {
                full.push(kept.next().cloned().unwrap_or_default());
                continue;
            }
            let (a, ix) = match part {
                Some((start, n)) if Some(&d) == reduced.first() => {
                    let (a, ix) = self.dim_axes(level, &[n]);
                    (a, index::add(&ix, start))
                }
                _ => self.dim_axes(level, &self.cx.factors(total, strides[d], sizes[d])),
            };
            axes.extend(a);
            full.push(ix);
        }
        (axes, full)
    }

    /// The element of an argmin or argmax: first the extreme, then the first position that holds it (or the first NaN).
    pub fn arg_reduce(&mut self, id: NodeId, idx: &Idx) -> Emit<Var> {
        let node = self.cx.node(id);
        let Op::ArgReduce { axis, kind, dtype } = &node.op else { return Err(unsupported(node, "not an argmin")) };
        let operand = node.operands[0];
        let sizes = self.cx.sizes(operand);
        if sizes[*axis] == 0 {
            return Ok(self.int(*dtype, 0));
        }
        let t = self.cx.dtype(operand).compute_type();
        let op = match kind {
            ArgKind::Min => Reducer::Minimum,
            ArgKind::Max => Reducer::Maximum,
        };
        let level = self.place(idx);
        let start = self.constant(Const::identity(op, t));
        let (axes, full) = self.reduced_axes(level + 1, &sizes, &[*axis], idx, None);
        let extreme = self.fold(level, axes, true, &[(op, start)], |e| Ok(vec![e.elem(operand, &full)?]))?[0];
        let (axes, full) = self.reduced_axes(level + 1, &sizes, &[*axis], idx, None);
        let it = if i32::try_from(sizes[*axis]).is_ok() { DType::I32 } else { DType::I64 };
        let none = self.int(it, sizes[*axis]);
        let found = self.fold(level, axes, true, &[(Reducer::Minimum, none)], |e| {
            let x = e.elem(operand, &full)?;
            let mut hit = e.compare(CompareDirection::EQ, x, extreme);
            if t.is_float() {
                let nan = e.compare(CompareDirection::NE, x, x);
                hit = e.binary(BinaryOp::Or, hit, nan);
            }
            let at = e.materialize(&full[*axis], it);
            Ok(vec![e.select(hit, at, none)])
        })?[0];
        Ok(self.cast(*dtype, found))
    }

    /// A reduction whose partial results lie in a temporary of `parts` rows.
    fn sum_parts(&mut self, id: NodeId, temp: u32, parts: i64, op: Reducer, idx: &Idx) -> Emit<Var> {
        let cx = self.cx;
        let (t, count) = (dtype_of(cx.node(id)).compute_type(), cx.count(id.into()));
        let linear = index::linearize(idx, &cx.sizes(id.into()));
        let init = self.scalar(cx.node(id).operands[1])?;
        let level = self.place(idx);
        let (axes, part) = self.dim_axes(level + 1, &[parts]);
        let buf = self.temp(temp, t, parts * count);
        let at = index::add(&linear, &index::scale(&part, count));
        let r = self.fold(level, axes, true, &[(op, init)], |e| Ok(vec![e.load(buf, at)]))?[0];
        Ok(self.rounded(dtype_of(cx.node(id)), r))
    }
}

fn dtype_of(node: &Node) -> DType {
    node.types[0].dtype
}

/// Kernels of a group of reductions over other than the trailing dimensions.
pub(super) fn reduction(cx: &Context<'_>, out: &mut Emitted) -> Emit<()> {
    let outputs: Vec<Value> = cx.group.outputs.iter().copied().filter(|v| cx.count(*v) > 0).collect();
    let Some(&first) = outputs.first() else { return Ok(()) };
    let partials = two_stage(cx, cx.machine.two_stage.long_column, out)?;
    let lanes = kept_in_lanes(cx) || !partials.is_empty();
    let work = cx.group.nodes.iter().flat_map(|n| cx.node(*n).operands.iter()).map(|v| cx.count(*v)).max();
    launch(cx, out, |e, _| {
        e.partials = partials;
        let shape = e.cx.sizes(first);
        let (axes, idx) = e.space(first, 0..shape.len());
        let linear = index::linearize(&idx, &shape);
        e.root_nest(axes, lanes, cx.machine.parallel.worth(work.unwrap_or(0)), |e| {
            e.store_all(&outputs, &linear, &shape, &idx)
        })
    })
}

/// True when the innermost dimension of what is reduced is kept, so that lanes run over results.
fn kept_in_lanes(cx: &Context<'_>) -> bool {
    cx.group.nodes.iter().all(|id| {
        let node = cx.node(*id);
        let innermost = |v: Value| cx.sizes(v).iter().rposition(|n| *n != 1);
        match &node.op {
            Op::Reduce { axes, .. } => innermost(node.operands[0]).is_none_or(|d| !axes.contains(&d)),
            Op::ArgReduce { axis, .. } => innermost(node.operands[0]) != Some(*axis),
            _ => true,
        }
    })
}

/// First stage of a large reduction to few results: partial results of parts of the largest reduced dimension, one row of a
/// temporary per part. Returns what the second stage needs; nothing when one stage is better. The parts depend on sizes only.
pub(super) fn two_stage(cx: &Context<'_>, least: i64, out: &mut Emitted) -> Emit<BTreeMap<NodeId, (u32, i64)>> {
    let none = BTreeMap::new();
    let Some(batch) = cx.batches.only() else { return Ok(none) };
    let node = cx.node(batch[0]);
    let Op::Reduce { axes, .. } = &node.op else { return Ok(none) };
    let sizes = cx.sizes(node.operands[0]);
    let (total, kept) = (index::count(&sizes), cx.count(batch[0].into()));
    let Some(&first) = axes.iter().max_by_key(|d| (sizes[**d], std::cmp::Reverse(**d))) else { return Ok(none) };
    let limits = cx.machine.two_stage;
    if total < limits.from_elements || kept == 0 || total / kept < least {
        return Ok(none);
    }
    let n = sizes[first];
    let wanted =
        (total / limits.part_elements).clamp(2, limits.max_parts).min(total / kept / limits.min_part).min(n / 2);
    if wanted < 2 {
        return Ok(none);
    }
    let least_size = (n + wanted - 1) / wanted;
    let size = (least_size..2 * least_size).find(|s| n % s == 0).unwrap_or(least_size);
    let (parts, rest) = (n / size, n % size);
    let rows = parts + i64::from(rest > 0);
    let mut partials = BTreeMap::new();
    for &id in batch {
        let dtype = dtype_of(cx.node(id)).compute_type();
        out.temps.push(Temp { dtype, len: (rows * kept) as u64 });
        partials.insert(id, (out.temps.len() as u32 - 1, rows));
    }
    let stage = Stage { batch, first, kept, rows, partials: &partials };
    launch(cx, out, |e, _| stage.emit(e, 0, parts, size))?;
    if rest > 0 {
        launch(cx, out, |e, _| stage.emit(e, parts, 1, rest))?;
    }
    Ok(partials)
}

struct Stage<'s> {
    batch: &'s [NodeId],
    /// The dimension that is cut into parts.
    first: usize,
    kept: i64,
    rows: i64,
    partials: &'s BTreeMap<NodeId, (u32, i64)>,
}

impl Stage<'_> {
    /// Partial results of `parts` parts of `size` elements, the first of them the one of number `from`.
    fn emit(&self, e: &mut Emitter<'_>, from: i64, parts: i64, size: i64) -> Emit<()> {
        let cx = e.cx;
        let node = cx.node(self.batch[0]);
        let Op::Reduce { axes: dims, .. } = &node.op else { return Ok(()) };
        let sizes = cx.sizes(node.operands[0]);
        let (mut axes, part) = e.dim_axes(0, &[parts]);
        let value: Value = self.batch[0].into();
        let shape = cx.sizes(value);
        let (more, idx) = e.space(value, 0..shape.len());
        axes.extend(more);
        let whole = cx.count(node.operands[0]) / self.rows.max(1);
        // A part always starts at a multiple of the size of the equal parts.
        let equal = if from == 0 { size } else { (sizes[self.first] - size) / from };
        let start = index::scale(&index::offset(&part, from), equal);
        let lanes = kept_in_lanes(cx);
        e.root_nest(axes, lanes, parts > 1 && cx.machine.parallel.worth(whole * parts), |e| {
            let level = e.top();
            let mut folds = Vec::new();
            for &m in self.batch {
                let Op::Reduce { reducer, .. } = &cx.node(m).op else { continue };
                let init = e.constant(Const::identity(*reducer, dtype_of(cx.node(m)).compute_type()));
                folds.push((*reducer, init));
            }
            let others = dims.iter().copied().filter(|d| *d != self.first);
            let reduced: Axes = std::iter::once(self.first).chain(others).collect();
            let (inner, full) = e.reduced_axes(level + 1, &sizes, &reduced, &idx, Some((&start, size)));
            let values = e.fold(level, inner, true, &folds, |e| {
                self.batch.iter().map(|m| e.elem(cx.node(*m).operands[0], &full)).collect()
            })?;
            let row = index::offset(&part, from);
            let at = index::add(&index::scale(&row, self.kept), &index::linearize(&idx, &shape));
            for (m, v) in self.batch.iter().zip(values) {
                let t = dtype_of(cx.node(*m)).compute_type();
                let buf = e.temp(self.partials[m].0, t, self.rows * self.kept);
                if self.rows != parts {
                    e.partial.insert(buf);
                }
                e.store(buf, at.clone(), v);
            }
            Ok(())
        })
    }
}
