//! Windows: `reduce_window` element by element, `select_and_scatter` window by window.

use super::builder::{Context, Emitter, unsupported};
use super::elemental::Emit;
use super::index::{self, Idx, Sizes};
use super::{Emitted, launch};
use kiln_ir::op::{CompareDirection, Reducer, WindowDim};
use kiln_ir::{BinaryOp, DType, Func, Node, NodeId, Op, Value};
use kiln_loops::{Const, Index, Var};
use kiln_plan::fusion::windows_tile;
use smallvec::SmallVec;

/// Windows of at most this many elements are unrolled.
const UNROLLED: i64 = 16;
/// The same for `select_and_scatter`, whose general form costs two loops.
const UNROLLED_SELECT: i64 = 64;

/// An element of a window: where it lies in the operand (clamped), and whether it does (`None`: always).
type Place = (Idx, Option<Var>);

/// How a `select_and_scatter` selects: what is true keeps the element selected so far.
#[derive(Clone, Copy)]
enum Selection<'a> {
    Direction(CompareDirection),
    /// A nested function of the element selected so far and a candidate.
    Nested(&'a Func),
}

/// How values that meet combine.
#[derive(Clone, Copy)]
enum Combiner<'a> {
    Reducer(Reducer),
    /// A nested function of the old value and the new one.
    Nested(&'a Func),
}

/// Selection and combiner of a `select_and_scatter` of either form, with its windows.
fn scattered<'a>(node: &'a Node) -> Emit<(&'a [WindowDim], Selection<'a>, Combiner<'a>)> {
    match &node.op {
        Op::SelectAndScatter { window, select, scatter } => {
            Ok((&window.dims, Selection::Direction(*select), Combiner::Reducer(*scatter)))
        }
        Op::GenericSelectAndScatter { window, select, scatter } => {
            Ok((&window.dims, Selection::Nested(select), Combiner::Nested(scatter)))
        }
        _ => Err(unsupported(node, "not a select_and_scatter")),
    }
}

impl Emitter<'_> {
    /// The operand's element at position `at` of the window of result index `idx`.
    pub fn window_element(&mut self, dims: &[WindowDim], sizes: &Sizes, idx: &[Index], at: &[Index]) -> Place {
        let (mut place, mut valid) = (Idx::new(), None);
        for (d, w) in dims.iter().enumerate() {
            let start = index::offset(&index::scale(&idx[d], w.stride), -w.pad_low);
            let pos = index::add(&start, &index::scale(&at[d], w.window_dilation));
            let (ix, ok) = self.undilate(&pos, w.base_dilation, sizes[d]);
            place.push(ix);
            valid = self.both(valid, ok);
        }
        (place, valid)
    }

    /// The element of a `reduce_window`.
    pub fn reduce_window(&mut self, id: NodeId, idx: &Idx) -> Emit<Var> {
        let node = self.cx.node(id);
        let Op::ReduceWindow { window, reducer } = &node.op else { return Err(unsupported(node, "not a window")) };
        let dtype = node.types[0].dtype;
        let (operand, init) = (node.operands[0], self.scalar(node.operands[1])?);
        let sizes = self.cx.sizes(operand);
        if index::count(&sizes) == 0 {
            return Ok(init);
        }
        // Padding and the gaps of dilated operands take no part.
        let none = self.constant(Const::identity(*reducer, dtype.compute_type()));
        let value = |e: &mut Self, at: &[Index]| -> Emit<Var> {
            let (place, valid) = e.window_element(&window.dims, &sizes, idx, at);
            let x = e.elem(operand, &place)?;
            Ok(valid.map_or(x, |v| e.select(v, x, none)))
        };
        let extents: SmallVec<[i64; 6]> = window.dims.iter().map(|w| w.size).collect();
        let count = index::count(&extents);
        let result = if count <= UNROLLED {
            let mut acc = init;
            for k in 0..count {
                let x = value(self, &constant_index(k, &extents))?;
                acc = self.binary(reducer.binary(), acc, x);
            }
            acc
        } else {
            let level = self.top();
            let (mut axes, mut at) = (Vec::new(), Idx::new());
            for &n in &extents {
                let (a, ix) = self.dim_axes(level + 1, &[n]);
                axes.extend(a);
                at.push(ix);
            }
            self.fold(level, axes, false, &[(*reducer, init)], |e| Ok(vec![value(e, &at)?]))?[0]
        };
        Ok(self.rounded(dtype, result))
    }

    /// Which element of a window is selected: its number in the window, and whether any element lies in the operand
    /// (`None`: always).
    fn selected(
        &mut self,
        operand: Value,
        dims: &[WindowDim],
        select: Selection<'_>,
        idx: &[Index],
    ) -> Emit<(Var, Option<Var>)> {
        let sizes = self.cx.sizes(operand);
        let extents: SmallVec<[i64; 6]> = dims.iter().map(|w| w.size).collect();
        let count = index::count(&extents);
        match select {
            Selection::Direction(d) if count > UNROLLED_SELECT => {
                return self.selected_by_loops(operand, dims, d, idx, &extents);
            }
            Selection::Nested(f) if count > UNROLLED => {
                return self.selected_by_function(operand, dims, f, idx, &extents);
            }
            Selection::Direction(_) | Selection::Nested(_) => {}
        }
        // The best so far: value, number, whether there is one.
        let mut best: Option<(Var, Var, Option<Var>)> = None;
        for k in 0..count {
            let (place, valid) = self.window_element(dims, &sizes, idx, &constant_index(k, &extents));
            let x = self.elem(operand, &place)?;
            let number = self.int(DType::I32, k);
            best = Some(match best {
                None => (x, number, valid),
                Some((y, n, any)) => {
                    let mut keep = self.keeps(select, y, x)?;
                    if let Some(any) = any {
                        keep = self.binary(BinaryOp::And, keep, any);
                    }
                    if let Some(valid) = valid {
                        // What lies outside is never taken.
                        let yes = self.constant(kiln_loops::Const { dtype: DType::Bool, bits: 1 });
                        keep = self.select(valid, keep, yes);
                    }
                    let (y, n) = (self.select(keep, y, x), self.select(keep, n, number));
                    let any = match (any, valid) {
                        (Some(a), Some(v)) => Some(self.binary(BinaryOp::Or, a, v)),
                        _ => None,
                    };
                    (y, n, any)
                }
            });
        }
        let (_, number, any) = best.expect("windows are not empty");
        Ok((number, any))
    }

    /// Whether what is selected so far stays.
    fn keeps(&mut self, select: Selection<'_>, y: Var, x: Var) -> Emit<Var> {
        match select {
            Selection::Direction(d) => Ok(self.compare(d, y, x)),
            Selection::Nested(f) => Ok(self.nested(f, &[y, x])?[0]),
        }
    }

    fn combined_with(&mut self, scatter: Combiner<'_>, dtype: DType, old: Var, new: Var) -> Emit<Var> {
        match scatter {
            Combiner::Reducer(r) => Ok(self.apply_binary(r.binary(), dtype, old, new)),
            Combiner::Nested(f) => Ok(self.nested(f, &[old, new])?[0]),
        }
    }

    /// [`Emitter::selected`] for large windows and any function: a loop that carries the element selected so far, its number and
    /// whether there is one.
    fn selected_by_function(
        &mut self,
        operand: Value,
        dims: &[WindowDim],
        select: &Func,
        idx: &[Index],
        extents: &[i64],
    ) -> Emit<(Var, Option<Var>)> {
        let sizes = self.cx.sizes(operand);
        let nothing = self.constant(Const { dtype: self.cx.dtype(operand).compute_type(), bits: 0 });
        let (zero, no) = (self.int(DType::I32, 0), self.constant(Const { dtype: DType::Bool, bits: 0 }));
        let last = self.carry_nest(extents, vec![nothing, zero, no], &mut |e, at, best| {
            let (place, valid) = e.window_element(dims, &sizes, idx, at);
            let x = e.elem(operand, &place)?;
            let keep = e.keeps(Selection::Nested(select), best[0], x)?;
            let mut keep = e.binary(BinaryOp::And, keep, best[2]);
            let yes = e.constant(Const { dtype: DType::Bool, bits: 1 });
            if let Some(valid) = valid {
                keep = e.select(valid, keep, yes);
            }
            let number = e.materialize(&index::linearize(at, extents), DType::I32);
            let any = e.binary(BinaryOp::Or, best[2], valid.unwrap_or(yes));
            Ok(vec![e.select(keep, best[0], x), e.select(keep, best[1], number), any])
        })?;
        Ok((last[1], Some(last[2])))
    }

    /// [`Emitter::selected`] for large windows: first the extreme, then its first position. A NaN counts as the extreme.
    fn selected_by_loops(
        &mut self,
        operand: Value,
        dims: &[WindowDim],
        select: CompareDirection,
        idx: &[Index],
        extents: &[i64],
    ) -> Emit<(Var, Option<Var>)> {
        let sizes = self.cx.sizes(operand);
        let t = self.cx.dtype(operand).compute_type();
        let op = match select {
            CompareDirection::LE | CompareDirection::LT => Reducer::Minimum,
            CompareDirection::GE | CompareDirection::GT | CompareDirection::EQ | CompareDirection::NE => {
                Reducer::Maximum
            }
        };
        let none = self.constant(Const::identity(op, t));
        let level = self.top();
        let window_axes = |e: &mut Self| {
            let (mut axes, mut at) = (Vec::new(), Idx::new());
            for &n in extents {
                let (a, ix) = e.dim_axes(level + 1, &[n]);
                axes.extend(a);
                at.push(ix);
            }
            (axes, at)
        };
        let (axes, at) = window_axes(self);
        let extreme = self.fold(level, axes, false, &[(op, none)], |e| {
            let (place, valid) = e.window_element(dims, &sizes, idx, &at);
            let x = e.elem(operand, &place)?;
            Ok(vec![valid.map_or(x, |v| e.select(v, x, none))])
        })?[0];
        let (axes, at) = window_axes(self);
        let count = index::count(extents);
        let missing = self.int(DType::I32, count);
        let number = self.fold(level, axes, false, &[(Reducer::Minimum, missing)], |e| {
            let (place, valid) = e.window_element(dims, &sizes, idx, &at);
            let x = e.elem(operand, &place)?;
            let mut hit = e.compare(CompareDirection::EQ, x, extreme);
            if t.is_float() {
                let nan = e.compare(CompareDirection::NE, x, x);
                hit = e.binary(BinaryOp::Or, hit, nan);
            }
            let hit = e.both(Some(hit), valid).unwrap_or(hit);
            let k = e.materialize(&index::linearize(&at, extents), DType::I32);
            Ok(vec![e.select(hit, k, missing)])
        })?[0];
        let any = self.compare(CompareDirection::LT, number, missing);
        let last = self.int(DType::I32, count - 1);
        Ok((self.binary(BinaryOp::Minimum, number, last), Some(any)))
    }
}

/// The multi-dimensional index of element number `k`.
fn constant_index(mut k: i64, extents: &[i64]) -> Idx {
    let mut at: Idx = SmallVec::from_elem(Index::default(), extents.len());
    for d in (0..extents.len()).rev() {
        at[d] = Index::constant(k % extents[d]);
        k /= extents[d];
    }
    at
}

/// Kernels of a `select_and_scatter`.
pub(super) fn select_and_scatter(cx: &Context<'_>, id: NodeId, out: &mut Emitted) -> Emit<()> {
    let node = cx.node(id);
    let (dims, select, scatter) = scattered(node)?;
    let (operand, source, init) = (node.operands[0], node.operands[1], node.operands[2]);
    let value: Value = id.into();
    let (sizes, windows) = (cx.sizes(operand), cx.sizes(source));
    if index::count(&sizes) == 0 {
        return Ok(());
    }
    let count: i64 = dims.iter().map(|w| w.size).product();
    if windows_tile(cx.func, node, &cx.machine.fusion) {
        return tiled_windows(cx, id, out);
    }
    launch(cx, out, |e, _| {
        let (axes, idx) = e.space(value, 0..sizes.len());
        let linear = index::linearize(&idx, &sizes);
        e.root_nest(axes, true, cx.machine.parallel.worth(index::count(&sizes)), |e| {
            let x = e.scalar(init)?;
            let buf = e.buffer(value);
            e.store(buf, linear, x);
            Ok(())
        })
    })?;
    if index::count(&windows) == 0 {
        return Ok(());
    }
    launch(cx, out, |e, _| {
        let buf = e.buffer(value);
        e.volatile.insert(buf);
        e.partial.insert(buf);
        // Dimensions without windows are independent of each other; windows run in order.
        let free = |d: usize| dims[d] == WindowDim::TRIVIAL;
        let (mut outer, mut inner, mut idx) = (Vec::new(), Vec::new(), Idx::new());
        for d in 0..windows.len() {
            let (a, ix) = e.dim_axes(usize::from(!free(d)), &[windows[d]]);
            if free(d) {
                outer.extend(a)
            } else {
                inner.extend(a)
            }
            idx.push(ix);
        }
        let work = index::count(&windows) * count;
        e.root_nest(outer, true, cx.machine.parallel.worth(work), |e| {
            e.inner_nest(inner, false, |e| {
                let (number, any) = e.selected(operand, dims, select, &idx)?;
                let at = e.selected_place(dims, &sizes, &idx, number);
                let s = e.elem(source, &idx)?;
                let linear = index::linearize(&at, &sizes);
                let old = e.load(buf, linear.clone());
                let new = e.combined_with(scatter, node.types[0].dtype, old, s)?;
                let new = any.map_or(new, |any| e.select(any, new, old));
                e.store(buf, linear, new);
                Ok(())
            })
        })
    })
}

impl Emitter<'_> {
    /// The index in the operand of element `number` of a window.
    fn selected_place(&mut self, dims: &[WindowDim], sizes: &Sizes, idx: &[Index], number: Var) -> Idx {
        let count: i64 = dims.iter().map(|w| w.size).product();
        let extents: Sizes = dims.iter().map(|w| w.size).collect();
        let linear = self.dynamic(number, 0, count - 1);
        let at = self.delinearize(&linear, &extents);
        // A window that has no element in the operand is not used: any place will do.
        self.window_element(dims, sizes, idx, &at).0
    }
}

/// Windows that tile the operand: each writes all of its elements.
fn tiled_windows(cx: &Context<'_>, id: NodeId, out: &mut Emitted) -> Emit<()> {
    let node = cx.node(id);
    let (dims, select, scatter) = scattered(node)?;
    let (operand, source) = (node.operands[0], node.operands[1]);
    let (sizes, windows) = (cx.sizes(operand), cx.sizes(source));
    let extents: Sizes = dims.iter().map(|w| w.size).collect();
    let dtype = node.types[0].dtype;
    launch(cx, out, |e, _| {
        let (mut axes, mut idx) = (Vec::new(), Idx::new());
        for &n in &windows {
            let (a, ix) = e.dim_axes(0, &[n]);
            axes.extend(a);
            idx.push(ix);
        }
        e.root_nest(axes, true, cx.machine.parallel.worth(index::count(&sizes)), |e| {
            let (number, _) = e.selected(operand, dims, select, &idx)?;
            let s = e.elem(source, &idx)?;
            let init = e.scalar(node.operands[2])?;
            let new = e.combined_with(scatter, dtype, init, s)?;
            let mut places = Vec::new();
            for k in 0..index::count(&extents) {
                let this = e.int(DType::I32, k);
                let here = e.compare(CompareDirection::EQ, number, this);
                let x = e.select(here, new, init);
                let at = constant_index(k, &extents);
                let (place, _) = e.window_element(dims, &sizes, &idx, &at);
                e.remember((id.into(), place.clone()), x);
                places.push(place);
            }
            // All values before the first store.
            let mut stores = Vec::new();
            for &v in &cx.group.outputs {
                for place in &places {
                    stores.push((v, index::linearize(place, &sizes), e.elem(v, place)?));
                }
            }
            for (v, at, x) in stores {
                let buf = e.buffer(v);
                e.store(buf, at, x);
            }
            Ok(())
        })
    })
}
