//! `generic_reduce` and `generic_reduce_window`: serial loops that carry the accumulators, in lanes and in parallel over results.

use super::builder::{Context, Emitter, unsupported};
use super::elemental::Emit;
use super::index::{self, Idx, Sizes};
use super::{Emitted, launch};
use kiln_ir::op::{Axes, Window};
use kiln_ir::{Func, Node, NodeId, Op, Value};
use kiln_loops::{Index, Var};
use smallvec::SmallVec;

/// The operands of a node by role: as many tensors as `body` has results, their initial values, captures.
struct Parts<'a> {
    tensors: &'a [Value],
    inits: &'a [Value],
    captures: &'a [Value],
    body: &'a Func,
}

impl<'a> Parts<'a> {
    fn of(node: &'a Node, body: &'a Func) -> Parts<'a> {
        let n = body.outputs.len();
        let (tensors, rest) = node.operands.split_at(n);
        let (inits, captures) = rest.split_at(n);
        Parts { tensors, inits, captures, body }
    }
}

impl Emitter<'_> {
    /// Scalar operands.
    pub fn scalars(&mut self, list: &[Value]) -> Emit<Vec<Var>> {
        list.iter().map(|v| self.scalar(*v)).collect()
    }

    /// Stores one element of each result of a node.
    pub fn store_results(&mut self, id: NodeId, at: &Index, values: &[Var]) {
        for (result, &value) in values.iter().enumerate() {
            let buf = self.buffer(Value { node: id, result: result as u32 });
            self.store(buf, at.clone(), value);
        }
    }

    /// Combines accumulators with the elements of one position.
    fn combined(&mut self, parts: &Parts<'_>, accs: &[Var], elements: &[Var], captures: &[Var]) -> Emit<Vec<Var>> {
        let args: Vec<Var> = accs.iter().chain(elements).chain(captures).copied().collect();
        self.nested(parts.body, &args)
    }
}

/// Kernels of a `generic_reduce`.
pub(super) fn reduce(cx: &Context<'_>, id: NodeId, out: &mut Emitted) -> Emit<()> {
    let node = cx.node(id);
    let Op::GenericReduce { axes, body } = &node.op else { return Err(unsupported(node, "not a reduction")) };
    let parts = Parts::of(node, body);
    let (shape, sizes) = (cx.sizes(id.into()), cx.sizes(parts.tensors[0]));
    if index::count(&shape) == 0 {
        return Ok(());
    }
    // Lanes run over results where these lie side by side.
    let lanes = sizes.iter().rposition(|n| *n != 1).is_none_or(|d| !axes.contains(&d));
    launch(cx, out, |e, _| {
        let (space, idx) = e.space(id.into(), 0..shape.len());
        let linear = index::linearize(&idx, &shape);
        e.root_nest(space, lanes, cx.machine.parallel.worth(index::count(&sizes)), |e| {
            let (inits, captures) = (e.scalars(parts.inits)?, e.scalars(parts.captures)?);
            if index::count(&sizes) == 0 {
                e.store_results(id, &linear, &inits);
                return Ok(());
            }
            let runs = runs(cx, &parts, &sizes, axes);
            let extents: Sizes = runs.iter().map(|r| r.0).collect();
            let results = e.carry_nest(&extents, inits, &mut |e, at, accs| {
                let elements: Emit<Vec<Var>> = match &runs[..] {
                    [] => parts.tensors.iter().map(|v| e.elem(*v, &idx)).collect(),
                    _ => parts.tensors.iter().map(|v| e.reduced_element(*v, axes, &sizes, &idx, &runs, at)).collect(),
                };
                e.combined(&parts, accs, &elements?, &captures)
            })?;
            e.store_results(id, &linear, &results);
            Ok(())
        })
    })
}

/// The loops over the reduced dimensions: size and stride in the operands. Adjacent dimensions are one loop when all operands lie
/// in memory.
fn runs(cx: &Context<'_>, parts: &Parts<'_>, sizes: &Sizes, axes: &Axes) -> Vec<(i64, i64)> {
    let joined = parts.tensors.iter().all(|v| cx.is_memory(*v));
    let strides = index::strides(sizes);
    let mut out: Vec<(i64, i64)> = Vec::new();
    let mut last = None;
    for &d in axes {
        match out.last_mut() {
            Some(run) if joined && last == Some(d - 1) => *run = (run.0 * sizes[d], strides[d]),
            _ => out.push((sizes[d], strides[d])),
        }
        last = Some(d);
    }
    out
}

impl Emitter<'_> {
    /// The element of an operand of a reduction at a position of the kept and one of the reduced dimensions.
    fn reduced_element(
        &mut self,
        v: Value,
        axes: &Axes,
        sizes: &Sizes,
        kept: &[Index],
        runs: &[(i64, i64)],
        at: &[Index],
    ) -> Emit<Var> {
        if self.cx.is_memory(v) {
            let strides = index::strides(sizes);
            let others = (0..sizes.len()).filter(|d| !axes.contains(d));
            let outer = kept.iter().zip(others).map(|(i, d)| index::scale(i, strides[d]));
            let inner = at.iter().zip(runs).map(|(i, r)| index::scale(i, r.1));
            let linear = outer.chain(inner).fold(Index::default(), |a, b| index::add(&a, &b));
            let buf = self.buffer(v);
            return Ok(self.load(buf, linear));
        }
        // A loop for each dimension.
        let (mut kept, mut at) = (kept.iter(), at.iter());
        let full: Idx = (0..sizes.len())
            .map(|d| if axes.contains(&d) { at.next() } else { kept.next() }.cloned().unwrap_or_default())
            .collect();
        self.elem(v, &full)
    }
}

/// Kernels of a `generic_reduce_window`. Padding and the gaps of dilated operands take no part.
pub(super) fn reduce_window(cx: &Context<'_>, id: NodeId, out: &mut Emitted) -> Emit<()> {
    let node = cx.node(id);
    let Op::GenericReduceWindow { window, body } = &node.op else { return Err(unsupported(node, "not a window")) };
    let parts = Parts::of(node, body);
    let (shape, sizes) = (cx.sizes(id.into()), cx.sizes(parts.tensors[0]));
    if index::count(&shape) == 0 {
        return Ok(());
    }
    let window: &Window = window;
    let extents: SmallVec<[i64; 6]> = window.dims.iter().map(|w| w.size).collect();
    launch(cx, out, |e, _| {
        let (space, idx) = e.space(id.into(), 0..shape.len());
        let linear = index::linearize(&idx, &shape);
        let work = index::count(&shape).saturating_mul(index::count(&extents));
        e.root_nest(space, true, cx.machine.parallel.worth(work), |e| {
            let (inits, captures) = (e.scalars(parts.inits)?, e.scalars(parts.captures)?);
            if index::count(&sizes) == 0 {
                e.store_results(id, &linear, &inits);
                return Ok(());
            }
            let results = e.carry_nest(&extents, inits, &mut |e, at, accs| {
                let (place, valid) = e.window_element(&window.dims, &sizes, &idx, at);
                let elements: Emit<Vec<Var>> = parts.tensors.iter().map(|v| e.elem(*v, &place)).collect();
                let next = e.combined(&parts, accs, &elements?, &captures)?;
                Ok(match valid {
                    None => next,
                    Some(valid) => next.into_iter().zip(accs).map(|(n, a)| e.select(valid, n, *a)).collect(),
                })
            })?;
            e.store_results(id, &linear, &results);
            Ok(())
        })
    })
}
