//! Row kernels: the rows run in parallel, each keeps to its own elements, and several loops over one row find it in cache.

use super::builder::{Context, Emitter, unsupported};
use super::elemental::Emit;
use super::index::{self, Idx, Sizes};
use super::reduce::two_stage;
use super::{Emitted, launch};
use kiln_ir::{DType, Node, NodeId, Op, Value};
use kiln_loops::{AxisId, Buf, Index, Var};
use std::collections::BTreeMap;

/// Elements of expensive values that a later loop over the same row needs again.
#[derive(Default)]
pub(super) struct Spill {
    entries: BTreeMap<NodeId, Entry>,
    /// The loop being emitted: the level of its reductions.
    phase: u32,
    /// Elements of a row.
    cols: i64,
    /// Number of the row.
    row: Index,
    row_axes: Vec<AxisId>,
}

struct Entry {
    buf: Buf,
    /// The buffer holds one row; otherwise all.
    one_row: bool,
    /// The loop that fills it.
    phase: u32,
    stored: bool,
    ready: bool,
}

impl Spill {
    /// Enters the loop of a batch of reductions; returns what [`Spill::end`] wants.
    pub fn begin(&mut self, phase: u32) -> u32 {
        std::mem::replace(&mut self.phase, phase)
    }
    /// Leaves the loop: what it stored can be loaded from now on.
    pub fn end(&mut self, outer: u32) {
        let phase = std::mem::replace(&mut self.phase, outer);
        self.entries.values_mut().filter(|e| e.phase == phase && e.stored).for_each(|e| e.ready = true);
    }
    /// The position in the row of an element number, when it is of the current row.
    fn column(&self, linear: &Index) -> Option<Index> {
        let rest = index::sub(linear, &index::scale(&self.row, self.cols));
        let outside = !rest.dynamic.is_empty() || self.row_axes.iter().any(|a| rest.stride(*a) != 0);
        if outside { None } else { Some(rest) }
    }
}

impl Emitter<'_> {
    /// The element of a spilled value, loaded.
    pub fn spilled(&mut self, v: Value, idx: &[Index]) -> Option<Var> {
        let entry = self.spill.entries.get(&v.node).filter(|e| e.ready)?;
        let linear = index::linearize(idx, &self.cx.sizes(v));
        let column = self.spill.column(&linear).filter(|c| self.in_row(c))?;
        let at = if entry.one_row { column } else { linear };
        let buf = entry.buf;
        Some(self.load(buf, at))
    }

    /// Stores the element of a value just computed if a later loop wants it.
    pub fn spill(&mut self, v: Value, idx: &[Index], var: Var) {
        let phase = self.spill.phase;
        let Some(entry) = self.spill.entries.get(&v.node).filter(|e| e.phase == phase && !e.stored) else { return };
        let linear = index::linearize(idx, &self.cx.sizes(v));
        let Some(column) = self.spill.column(&linear).filter(|c| self.in_row(c)) else { return };
        let (buf, at) = (entry.buf, if entry.one_row { column } else { linear });
        self.store(buf, at, var);
        if let Some(e) = self.spill.entries.get_mut(&v.node) {
            e.stored = true;
        }
    }

    /// True when a column index runs over the whole row.
    fn in_row(&self, column: &Index) -> bool {
        self.range(column) == (0, self.spill.cols - 1)
    }
}

/// Kernels of a row group.
pub(super) fn rows(cx: &Context<'_>, rows: i64, cols: i64, out: &mut Emitted) -> Emit<()> {
    let some: Vec<Value> = cx.group.outputs.iter().copied().filter(|v| cx.count(*v) > 0).collect();
    if some.is_empty() {
        return Ok(());
    }
    if let Some(v) = some.iter().find(|v| ![rows, rows * cols].contains(&cx.count(**v))) {
        return Err(unsupported(cx.node(v.node), "it has neither an element per row nor whole rows of its group"));
    }
    let (row_outputs, full_outputs): (Vec<Value>, Vec<Value>) = some.iter().partition(|v| cx.count(**v) == rows);
    let stages = cx.machine.two_stage;
    let partials = if full_outputs.is_empty() && rows < stages.few_rows {
        two_stage(cx, stages.long_row, out)?
    } else {
        BTreeMap::new()
    };
    let shape = row_shape(cx, rows, cols).unwrap_or_else(|| [rows, cols].into_iter().collect());
    let split = split_at(&shape, rows);
    let short = cols < cx.machine.rows.short && rows > cols;
    launch(cx, out, |e, _| {
        e.partials = partials;
        let (total, strides) = (rows * cols, index::strides(&shape));
        let (mut axes, mut idx) = (Vec::new(), Idx::new());
        for d in 0..split {
            let (a, ix) = e.dim_axes(0, &e.cx.factors(total, strides[d], shape[d]));
            axes.extend(a);
            idx.push(ix);
        }
        let outer: Sizes = shape[..split].iter().copied().collect();
        let row = index::linearize(&idx, &outer);
        if !short && e.partials.is_empty() {
            e.plan_spills(&full_outputs, cols, &row, &axes);
        }
        e.root_nest(axes, short, cx.machine.parallel.worth(rows * cols), |e| {
            e.reduce_rows(rows, cols, &outer, &idx)?;
            if !full_outputs.is_empty() {
                let level = e.top() + 1;
                let (mut inner, mut full) = (Vec::new(), idx.clone());
                for d in split..shape.len() {
                    let (a, ix) = e.dim_axes(level, &e.cx.factors(total, strides[d], shape[d]));
                    inner.extend(a);
                    full.push(ix);
                }
                let linear = index::linearize(&full, &shape);
                e.inner_nest(inner, true, |e| {
                    e.spill.begin(u32::MAX);
                    e.store_all(&full_outputs, &linear, &shape, &full)
                })?;
            }
            e.store_all(&row_outputs, &row, &outer, &idx)
        })
    })
}

/// The shape of an operand of a reduction of the group: leading dimensions are rows, trailing ones columns.
fn row_shape(cx: &Context<'_>, rows: i64, cols: i64) -> Option<Sizes> {
    let reduced = cx.group.nodes.iter().filter_map(|n| match &cx.node(*n).op {
        Op::Reduce { .. } | Op::ArgReduce { .. } => Some(cx.sizes(cx.node(*n).operands[0])),
        _ => None,
    });
    let fits = |s: &Sizes| index::count(s) == rows * cols && s[..split_at(s, rows)].iter().product::<i64>() == rows;
    reduced.filter(fits).max_by_key(|s| s.len())
}

/// Number of leading dimensions whose product is `rows` (as few as possible).
fn split_at(shape: &[i64], rows: i64) -> usize {
    let mut p = 1;
    for (d, n) in shape.iter().enumerate() {
        if p == rows {
            return d;
        }
        p *= n;
    }
    shape.len()
}

/// From this cost on a value is better stored than computed again.
const STORED_COST: u32 = 20;

/// True for operators that are better stored than computed again.
fn is_expensive(node: &Node) -> bool {
    let cost = match &node.op {
        Op::Unary(u) => u.cost(node.types[0].dtype),
        Op::Binary(b) => b.cost(node.types[0].dtype),
        _ => 0,
    };
    cost >= STORED_COST
}

impl Emitter<'_> {
    /// Emits the loops of all reductions of the rows, in order, so that what they keep is there when it is needed.
    fn reduce_rows(&mut self, rows: i64, cols: i64, outer: &Sizes, idx: &Idx) -> Emit<()> {
        let cx = self.cx;
        for &id in &cx.group.nodes {
            let node = cx.node(id);
            let is_reduction = matches!(node.op, Op::Reduce { .. } | Op::ArgReduce { .. });
            if is_reduction && cx.count(id.into()) == rows && cx.count(node.operands[0]) == rows * cols {
                let at = self.reshape(idx, outer, &cx.sizes(id.into()));
                self.elem(id.into(), &at)?;
            }
        }
        Ok(())
    }

    /// Decides which values of a row are kept for later loops. `phases[n]` is the set of loops that need node `n`.
    fn plan_spills(&mut self, full_outputs: &[Value], cols: i64, row: &Index, row_axes: &[AxisId]) {
        let cx = self.cx;
        let mut phases: BTreeMap<NodeId, u64> = BTreeMap::new();
        let last = 63;
        full_outputs.iter().for_each(|v| *phases.entry(v.node).or_default() |= 1 << last);
        self.spill = Spill { cols, row: row.clone(), row_axes: row_axes.to_vec(), ..Spill::default() };
        let full = |v: Value| cx.count(v) > 1 && cx.count(v) % cols == 0 && !cx.is_memory(v);
        let mut budget = cx.machine.rows.scratch_bytes;
        let mut free_rows: Vec<Value> = full_outputs.to_vec();
        for &id in cx.group.nodes.iter().rev() {
            let node = cx.node(id);
            let level = u64::from(cx.batches.level(id)).min(62);
            let mut mask = phases.get(&id).copied().unwrap_or(0);
            match &node.op {
                Op::Reduce { .. } => mask = 1 << level,
                Op::ArgReduce { .. } => mask = 1 << (level - 1) | 1 << level,
                _ => {}
            }
            if mask.count_ones() > 1 && is_expensive(node) && full(id.into()) {
                let dtype = cx.dtype(id.into()).compute_type();
                let bytes = cols * dtype.size() as i64;
                let phase = mask.trailing_zeros();
                let home = if bytes <= budget {
                    budget -= bytes;
                    Some((self.local(dtype, cols), true))
                } else {
                    self.output_row(&mut free_rows, dtype).map(|b| (b, false))
                };
                if let Some((buf, one_row)) = home {
                    self.volatile.insert(buf);
                    let entry = Entry { buf, one_row, phase, stored: false, ready: false };
                    self.spill.entries.insert(id, entry);
                    mask = 1 << phase;
                }
            }
            for v in &node.operands {
                if !cx.is_memory(*v) {
                    *phases.entry(v.node).or_default() |= mask;
                }
            }
        }
    }

    /// An output of this dtype whose rows can hold intermediate values until they are stored for good.
    fn output_row(&mut self, free: &mut Vec<Value>, dtype: DType) -> Option<Buf> {
        let at = free.iter().position(|v| self.cx.dtype(*v) == dtype)?;
        let v = free.remove(at);
        Some(self.buffer(v))
    }
}
