//! Slicing, indexing, gathering and scattering.

use crate::expr::Expr;
use crate::operand::{IntoTensor, Operand, Side};
use kiln_ir::op::{Axes, CompareDirection, GatherDims, Ints, Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::{DType, Dim, Op, Shape};
use smallvec::SmallVec;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// One entry of a slice: what happens to one dimension. Made from integers and ranges by [`crate::s!`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SliceItem {
    /// Takes one index; the dimension vanishes.
    Index(i64),
    /// Takes `start..end` in steps; negative bounds count from the end, negative steps walk backwards from the last.
    Range {
        /// First index (the beginning if `None`).
        start: Option<i64>,
        /// End, excluded (the size if `None`).
        end: Option<i64>,
        /// Step, not 0.
        step: i64,
    },
    /// Inserts a dimension of size 1.
    NewAxis,
    /// Leaves as many dimensions alone as the other entries leave over.
    Ellipsis,
}

impl SliceItem {
    /// The same range in steps: `SliceItem::from(..).step(2)`.
    pub fn step(self, by: i64) -> SliceItem {
        match self {
            SliceItem::Range { start, end, .. } => SliceItem::Range { start, end, step: by },
            other @ (SliceItem::Index(_) | SliceItem::NewAxis | SliceItem::Ellipsis) => other,
        }
    }
}

fn wide<T: TryInto<i64>>(x: T) -> i64 {
    x.try_into().unwrap_or(i64::MAX)
}

impl From<RangeFull> for SliceItem {
    fn from(_: RangeFull) -> SliceItem {
        SliceItem::Range { start: None, end: None, step: 1 }
    }
}

macro_rules! slice_items {
    ($($t:ty),*) => {$(
        impl From<$t> for SliceItem {
            fn from(i: $t) -> SliceItem {
                SliceItem::Index(wide(i))
            }
        }
        impl From<Range<$t>> for SliceItem {
            fn from(r: Range<$t>) -> SliceItem {
                SliceItem::Range { start: Some(wide(r.start)), end: Some(wide(r.end)), step: 1 }
            }
        }
        impl From<RangeFrom<$t>> for SliceItem {
            fn from(r: RangeFrom<$t>) -> SliceItem {
                SliceItem::Range { start: Some(wide(r.start)), end: None, step: 1 }
            }
        }
        impl From<RangeTo<$t>> for SliceItem {
            fn from(r: RangeTo<$t>) -> SliceItem {
                SliceItem::Range { start: None, end: Some(wide(r.end)), step: 1 }
            }
        }
        impl From<RangeInclusive<$t>> for SliceItem {
            fn from(r: RangeInclusive<$t>) -> SliceItem {
                SliceItem::Range { start: Some(wide(*r.start())), end: after(wide(*r.end())), step: 1 }
            }
        }
        impl From<RangeToInclusive<$t>> for SliceItem {
            fn from(r: RangeToInclusive<$t>) -> SliceItem {
                SliceItem::Range { start: None, end: after(wide(r.end)), step: 1 }
            }
        }
    )*};
}
slice_items!(i32, i64, isize, usize);

/// The excluded end behind an included one; `..=-1` goes to the very end.
fn after(end: i64) -> Option<i64> {
    if end == -1 { None } else { Some(end.saturating_add(1)) }
}

/// Entries of [`Expr::slice`]: integers, ranges, `SliceItem::{NewAxis, Ellipsis}`.
///
/// ```
/// use kiln_builder::{Graph, dims, s, step};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims![4, 5, 6]);
/// assert_eq!(x.slice(s![1, .., 1..-1]).ty().to_string(), "f32[5, 4]");
/// assert_eq!(x.slice(s![.., .., step(.., 2)]).ty().to_string(), "f32[4, 5, 3]");
/// ```
#[macro_export]
macro_rules! s {
    ($($item:expr),* $(,)?) => {{
        // `1..-1` counts from the end here.
        #[allow(clippy::reversed_empty_ranges)]
        let items = [$($crate::SliceItem::from($item)),*];
        items
    }};
}

/// A range in steps, for [`crate::s!`].
pub fn step(range: impl Into<SliceItem>, by: i64) -> SliceItem {
    range.into().step(by)
}

/// Start, limit, stride of a range over a dimension, and whether it is walked backwards.
fn bounds(d: &Dim, start: Option<i64>, end: Option<i64>, step: i64) -> (Dim, Dim, i64, bool) {
    let place = |i: i64| -> Dim {
        match (d.as_const(), i < 0) {
            (Some(n), true) => Dim::Const((n + i).max(0)),
            (Some(n), false) => Dim::Const(i.min(n)),
            (None, true) => d.clone() + i,
            (None, false) => Dim::Const(i),
        }
    };
    let (low, high) = (start.map_or(Dim::Const(0), place), end.map_or(d.clone(), place));
    let high = match (low.as_const(), high.as_const()) {
        (Some(l), Some(h)) if h < l => low.clone(),
        _ => high,
    };
    if step >= 0 {
        return (low, high, step, false);
    }
    // Backwards from the last element: align the low end with it, then reverse.
    let stride = step.unsigned_abs().min(i64::MAX as u64) as i64;
    let low = match (low.as_const(), high.as_const()) {
        (Some(l), Some(h)) if h > l => Dim::Const(l + (h - l - 1) % stride),
        _ => low,
    };
    (low, high, stride, true)
}

impl Expr {
    /// Takes a part: see [`crate::s!`]. Missing trailing entries take all.
    #[track_caller]
    pub fn slice(&self, items: impl AsRef<[SliceItem]>) -> Expr {
        let _here = self.graph.here();
        let items = items.as_ref();
        if self.is_poisoned() {
            return self.clone();
        }
        let used = items.iter().filter(|i| matches!(i, SliceItem::Index(_) | SliceItem::Range { .. })).count();
        if used > self.rank() {
            let label = format!("{used} entries for {} dimensions", self.rank());
            return self.fail("slice.rank", "more entries than dimensions", label);
        }
        let own = self.shape();
        let (mut start, mut limit, mut strides) =
            (SmallVec::<[Dim; 4]>::new(), SmallVec::<[Dim; 4]>::new(), Ints::new());
        let (mut flips, mut kept) = (Axes::new(), Vec::new());
        let all = |n: usize, start: &mut SmallVec<[Dim; 4]>, limit: &mut SmallVec<[Dim; 4]>, strides: &mut Ints| {
            let from = start.len();
            start.extend((0..n).map(|_| Dim::Const(0)));
            limit.extend(own[from..from + n].iter().cloned());
            strides.extend((0..n).map(|_| 1));
        };
        for item in items {
            let axis = start.len();
            match *item {
                SliceItem::NewAxis => kept.push(None),
                SliceItem::Ellipsis => {
                    kept.extend((axis..axis + self.rank() - used).map(Some));
                    all(self.rank() - used, &mut start, &mut limit, &mut strides);
                }
                SliceItem::Index(i) => {
                    let d = &own[axis];
                    if d.as_const().is_some_and(|n| i >= n || i < -n) {
                        let label = format!("index {i} in dim {axis} of size {d}");
                        return self.fail("slice.index", "the index is out of range", label);
                    }
                    let at = if i < 0 { d.clone() + i } else { Dim::Const(i) };
                    limit.push(at.clone() + 1);
                    start.push(at);
                    strides.push(1);
                }
                SliceItem::Range { step: 0, .. } => {
                    return self.fail("slice.step", "a step of 0 goes nowhere", format!("in dim {axis}"));
                }
                SliceItem::Range { start: s, end, step } => {
                    let (low, high, stride, backwards) = bounds(&own[axis], s, end, step);
                    start.push(low);
                    limit.push(high);
                    strides.push(stride);
                    kept.push(Some(axis));
                    if backwards {
                        flips.push(axis);
                    }
                }
            }
        }
        let rest = self.rank() - start.len();
        kept.extend((start.len()..self.rank()).map(Some));
        all(rest, &mut start, &mut limit, &mut strides);
        let part = self.slice_general(&start, &limit, &strides).flip(&flips);
        if part.is_poisoned() {
            return part;
        }
        let sizes = part.shape();
        part.reshape(kept.into_iter().map(|k| k.map_or(Dim::Const(1), |a| sizes[a].clone())).collect::<Shape>())
    }

    /// StableHLO's `slice`: elements `start, start + stride, ...` below `limit`, per dimension.
    #[track_caller]
    pub fn slice_general(&self, start: &[Dim], limit: &[Dim], strides: &[i64]) -> Expr {
        let whole = start.iter().all(|d| *d == Dim::Const(0)) && limit == &self.shape()[..];
        if whole && start.len() == self.rank() && strides.iter().all(|&s| s == 1) {
            return self.clone();
        }
        let op = Op::Slice { start: start.into(), limit: limit.into(), strides: Ints::from_slice(strides) };
        self.graph.emit(op, &[self])
    }

    /// A part along one axis, in steps: `x.slice_axis(-1, 2.., 3)`.
    #[track_caller]
    pub fn slice_axis(&self, axis: i64, range: impl Into<SliceItem>, step: i64) -> Expr {
        let _here = self.graph.here();
        let Some(axis) = self.axis(axis, "slice") else { return self.graph.poisoned() };
        let mut items = vec![SliceItem::from(..); axis];
        items.push(range.into().step(step));
        self.slice(&items)
    }

    /// Equal parts along `axis`; the size must be a multiple of `parts`.
    #[track_caller]
    pub fn split(&self, parts: usize, axis: i64) -> Vec<Expr> {
        let _here = self.graph.here();
        let poisoned = vec![self.graph.poisoned(); parts];
        let Some(a) = self.axis(axis, "split") else { return poisoned };
        let size = self.shape()[a].clone();
        let Some(each) = size.checked_div(parts as i64) else {
            self.fail("split.size", format!("a size of {size} has no {parts} equal parts"), format!("dim {a}"));
            return poisoned;
        };
        (0..parts as i64).map(|i| self.between(a, each.clone() * i, each.clone() * (i + 1))).collect()
    }

    /// Parts of the given sizes along `axis`, from its beginning.
    #[track_caller]
    pub fn split_sizes(&self, sizes: &[i64], axis: i64) -> Vec<Expr> {
        let _here = self.graph.here();
        let Some(a) = self.axis(axis, "split") else { return vec![self.graph.poisoned(); sizes.len()] };
        let mut at = 0;
        let mut part = |n: &i64| {
            at += n;
            self.between(a, Dim::Const(at - n), Dim::Const(at))
        };
        sizes.iter().map(&mut part).collect()
    }

    #[track_caller]
    fn between(&self, axis: usize, low: Dim, high: Dim) -> Expr {
        let mut limit = self.shape();
        let mut start = vec![Dim::Const(0); limit.rank()];
        (start[axis], limit[axis]) = (low, high);
        self.slice_general(&start, &limit, &vec![1; limit.rank()])
    }

    /// A part of fixed size whose place is computed: scalar integer `starts`, clamped so that the part lies inside.
    #[track_caller]
    pub fn dynamic_slice(&self, starts: &[&Expr], sizes: impl Into<Shape>) -> Expr {
        let operands: Vec<&Expr> = [self].into_iter().chain(starts.iter().copied()).collect();
        self.graph.emit(Op::DynamicSlice { sizes: sizes.into() }, &operands)
    }

    /// A copy with `update` written at the clamped `starts`.
    #[track_caller]
    pub fn dynamic_update_slice(&self, update: &Expr, starts: &[&Expr]) -> Expr {
        let operands: Vec<&Expr> = [self, update].into_iter().chain(starts.iter().copied()).collect();
        self.graph.emit(Op::DynamicUpdateSlice, &operands)
    }

    /// The element (all other dimensions kept) at a computed index of the first dimension.
    #[track_caller]
    pub fn at(&self, index: &Expr) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || index.is_poisoned() || self.axis(0, "at").is_none() {
            return self.graph.poisoned();
        }
        let mut sizes = self.shape();
        sizes[0] = Dim::Const(1);
        let zero = index.literal(0.into());
        let starts: Vec<&Expr> = (0..self.rank()).map(|i| if i == 0 { index } else { &zero }).collect();
        let part = self.dynamic_slice(&starts, sizes);
        part.reshape(self.shape()[1..].iter().cloned().collect::<Shape>())
    }

    /// Picks whole slices along `axis`: the axis is replaced by the dimensions of the integer `indices`.
    ///
    /// Indices are clamped into range; negative ones do not count from the end.
    #[track_caller]
    pub fn take(&self, axis: i64, indices: &Expr) -> Expr {
        let _here = self.graph.here();
        let Some(axis) = self.axis(axis, "take") else { return self.graph.poisoned() };
        let mut slice_sizes = self.shape();
        slice_sizes[axis] = Dim::Const(1);
        let k = indices.rank();
        let dims = GatherDims {
            offset_dims: (0..self.rank() - 1).map(|i| if i < axis { i } else { i + k }).collect(),
            collapsed_slice_dims: [axis].into_iter().collect(),
            start_index_map: [axis].into_iter().collect(),
            index_vector_dim: k,
            slice_sizes,
            ..GatherDims::default()
        };
        self.gather(indices, dims)
    }

    /// Rows of this table `[rows, width...]` for integer `ids` of any shape: `[ids..., width...]`.
    #[track_caller]
    pub fn embedding(&self, ids: &Expr) -> Expr {
        self.take(0, ids)
    }

    /// For every element of `indices` the element of this tensor that has this index along `axis` and the same position
    /// otherwise. Equal ranks; sizes equal but along `axis`.
    #[track_caller]
    pub fn take_along_axis(&self, axis: i64, indices: &Expr) -> Expr {
        let _here = self.graph.here();
        let Some(axis) = self.axis(axis, "take_along_axis") else { return self.graph.poisoned() };
        let others: Axes = (0..self.rank()).filter(|&a| a != axis).collect();
        let dims = GatherDims {
            collapsed_slice_dims: [axis].into_iter().collect(),
            operand_batching_dims: others.clone(),
            start_indices_batching_dims: others,
            start_index_map: [axis].into_iter().collect(),
            index_vector_dim: indices.rank(),
            slice_sizes: (0..self.rank()).map(|_| Dim::Const(1)).collect(),
            ..GatherDims::default()
        };
        self.gather(indices, dims)
    }

    /// StableHLO's `gather`.
    #[track_caller]
    pub fn gather(&self, indices: &Expr, dims: GatherDims) -> Expr {
        self.graph.emit(Op::Gather(Box::new(dims)), &[self, indices])
    }

    /// StableHLO's `scatter`. Updates whose window leaves this tensor are skipped.
    #[track_caller]
    pub fn scatter(&self, indices: &Expr, updates: &Expr, dims: ScatterDims, update: ScatterUpdate) -> Expr {
        self.graph.emit(Op::Scatter { dims: Box::new(dims), update }, &[self, indices, updates])
    }

    /// Adds whole slices along `axis` at integer `indices`: the counterpart of [`Expr::take`].
    #[track_caller]
    pub fn scatter_add(&self, axis: i64, indices: &Expr, updates: impl Operand) -> Expr {
        self.scatter_axis(axis, indices, updates, ScatterUpdate::Combine(Reducer::Add))
    }

    /// Replaces whole slices along `axis` at integer `indices`; of several for one place the last wins.
    #[track_caller]
    pub fn scatter_set(&self, axis: i64, indices: &Expr, updates: impl Operand) -> Expr {
        self.scatter_axis(axis, indices, updates, ScatterUpdate::Assign)
    }

    /// Combines whole slices along `axis` at integer `indices` in any way.
    #[track_caller]
    pub fn scatter_axis(&self, axis: i64, indices: &Expr, updates: impl Operand, update: ScatterUpdate) -> Expr {
        let _here = self.graph.here();
        let Some(axis) = self.axis(axis, "scatter") else { return self.graph.poisoned() };
        if indices.is_poisoned() {
            return self.graph.poisoned();
        }
        let (own, k) = (self.shape(), indices.rank());
        let dims = ScatterDims {
            update_window_dims: (0..self.rank() - 1).map(|i| if i < axis { i } else { i + k }).collect(),
            inserted_window_dims: [axis].into_iter().collect(),
            scatter_dims_to_operand_dims: [axis].into_iter().collect(),
            index_vector_dim: k,
            ..ScatterDims::default()
        };
        let ids = indices.shape();
        let target: Shape = own[..axis].iter().chain(ids.iter()).chain(own[axis + 1..].iter()).cloned().collect();
        let updates = self.side(updates.into_side()).broadcast_to(target);
        self.scatter(indices, &updates, dims, update)
    }

    /// A new last dimension of size `depth` with a one at the index, zeros elsewhere (all zeros when out of range).
    #[track_caller]
    pub fn one_hot(&self, depth: impl Into<Dim>, dtype: DType) -> Expr {
        let _here = self.graph.here();
        self.one_hot_mask(depth.into()).cast_to(dtype)
    }

    /// [`Expr::one_hot`] as bools.
    #[track_caller]
    pub(crate) fn one_hot_mask(&self, depth: Dim) -> Expr {
        if self.is_poisoned() {
            return self.clone();
        }
        if !self.dtype().is_int() {
            let label = format!("the elements are {}", self.dtype());
            return self.fail("one_hot.dtype", "class indices must be integers", label);
        }
        // A narrow type might not count up to the depth.
        let ids = if self.dtype().size() < 4 { self.cast::<i32>() } else { self.clone() };
        let mut shape = self.shape();
        shape.push(depth);
        let classes = self.graph.iota(ids.dtype(), &shape, shape.rank() - 1);
        ids.expand_dims(-1).broadcast_to(shape).compare(CompareDirection::EQ, &classes)
    }
}

impl crate::Graph {
    /// Integer literals as indices: `g.indices([0, 2, 1])`.
    #[track_caller]
    pub fn indices(&self, values: impl IntoTensor) -> Expr {
        self.constant(values)
    }

    /// Elementwise choice: `on_true` where `pred`, otherwise `on_false`. See [`Expr::select`].
    #[track_caller]
    pub fn where_(&self, pred: &Expr, on_true: impl Operand, on_false: impl Operand) -> Expr {
        let (t, f): (Side, Side) = (on_true.into_side(), on_false.into_side());
        pred.select(t, f)
    }
}

impl Operand for Side {
    fn into_side(self) -> Side {
        self
    }
}
