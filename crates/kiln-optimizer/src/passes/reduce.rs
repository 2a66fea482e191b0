//! `reduce`: canonical forms of reductions.
//!
//! - dimensions of size 1 are not reduced; nothing reduced is the operand combined with the initial value;
//! - reductions of reductions merge; reductions of broadcasts shrink;
//! - windows that tile are reductions of a reshape.

use crate::lit::{Lit, exact_int_limit, is_identity};
use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::{Rewriter, Sizes, elements, regrouped, sizes_of};
use kiln_ir::op::{Axes, Reducer, Window};
use kiln_ir::{BinaryOp, Dim, Node, Op, TensorType, Value};
use smallvec::smallvec;

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("reduce", rule)
    .on(|op| matches!(op, Op::Reduce { .. } | Op::ReduceWindow { .. } | Op::ArgReduce { .. }));

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = &node.operands;
    let ty = &node.types[0];
    match &node.op {
        Op::Reduce { axes, reducer } => {
            let r = Reduction { x: x[0], init: x[1], axes, reducer: *reducer, ty };
            r.of_nothing(rw)
                .or_else(|| r.unit_axes(rw))
                .or_else(|| r.of_reduce(rw))
                .or_else(|| r.of_broadcast(rw))
                .or_else(|| r.of_reshape(rw))
        }
        Op::ReduceWindow { window, reducer } => tiles(rw, x[0], x[1], window, *reducer, ty),
        Op::ArgReduce { axis, .. } if rw.sizes(x[0])[*axis] == 1 => {
            let zero = Lit::whole(ty.dtype, 0);
            if rw.fire("argmax of one element", Level::Exact) { rw.splat(ty, zero) } else { None }
        }
        _ => None,
    }
}

struct Reduction<'a> {
    x: Value,
    init: Value,
    axes: &'a Axes,
    reducer: Reducer,
    ty: &'a TensorType,
}

impl Reduction<'_> {
    fn init_is_identity(&self, rw: &Rewriter) -> bool {
        rw.lit(self.init).is_some_and(|l| is_identity(self.reducer, self.ty.dtype, l))
    }

    /// `x` combined with the initial value.
    fn combined(&self, rw: &mut Rewriter, x: Value) -> Option<Value> {
        if self.init_is_identity(rw) {
            return Some(x);
        }
        let init = rw.broadcast_scalar(self.init, &self.ty.shape)?;
        rw.push(Op::Binary(self.reducer.binary()), &[x, init])
    }

    fn of_nothing(&self, rw: &mut Rewriter) -> Option<Value> {
        let sizes = rw.sizes(self.x);
        if self.axes.iter().any(|&a| sizes[a] == 0) {
            let s = self.init;
            return if rw.fire("reduce of nothing", Level::Exact) {
                rw.broadcast_scalar(s, &self.ty.shape)
            } else {
                None
            };
        }
        if self.axes.is_empty() && rw.fire("reduce of no dimension", Level::Exact) {
            return self.combined(rw, self.x);
        }
        None
    }

    /// Dimensions of size 1 go by reshaping.
    fn unit_axes(&self, rw: &mut Rewriter) -> Option<Value> {
        let sizes = rw.sizes(self.x);
        let unit: Axes = self.axes.iter().copied().filter(|&a| sizes[a] == 1).collect();
        if unit.is_empty() || !rw.fire("reduce of dimensions of size 1", Level::Exact) {
            return None;
        }
        let left: Sizes = (0..sizes.len()).filter(|d| !unit.contains(d)).map(|d| sizes[d]).collect();
        let x = rw.reshape(self.x, &left)?;
        let axes: Axes = (self.axes.iter())
            .filter(|a| !unit.contains(a))
            .map(|&a| a - unit.iter().filter(|u| **u < a).count())
            .collect();
        if axes.is_empty() { self.combined(rw, x) } else { self.again(rw, x, axes) }
    }

    fn again(&self, rw: &mut Rewriter, x: Value, axes: Axes) -> Option<Value> {
        rw.push(Op::Reduce { axes, reducer: self.reducer }, &[x, self.init])
    }

    /// A reduction of a reduction of the same kind that started from nothing. f16 and bf16 round between the two.
    fn of_reduce(&self, rw: &mut Rewriter) -> Option<Value> {
        let (Op::Reduce { axes: inner, reducer }, &[y, init]) = rw.op(self.x) else { return None };
        if *reducer != self.reducer || !rw.single_use(self.x) {
            return None;
        }
        let start = rw.lit(init)?;
        let dtype = self.ty.dtype;
        let rounds = dtype.is_float() && dtype.size() == 2 && matches!(reducer, Reducer::Add | Reducer::Multiply);
        let level = if rounds { Level::Contract } else { Level::Exact };
        let kept: Axes = (0..rw.ty(y).rank()).filter(|d| !inner.contains(d)).collect();
        let mut axes: Axes = inner.iter().copied().chain(self.axes.iter().map(|&a| kept[a])).collect();
        axes.sort_unstable();
        if !is_identity(self.reducer, dtype, start) || !rw.fire("reduce of reduce", level) {
            return None;
        }
        self.again(rw, y, axes)
    }

    /// Reducing dimensions that a broadcast made.
    fn of_broadcast(&self, rw: &mut Rewriter) -> Option<Value> {
        let (Op::BroadcastInDim { dims, .. }, &[y]) = rw.op(self.x) else { return None };
        let (dims, from, sizes) = (dims.clone(), rw.sizes(y), rw.sizes(self.x));
        let made = |d: &usize| dims.iter().position(|p| p == d).is_none_or(|i| from[i] == 1 && sizes[*d] != 1);
        let gone: Axes = self.axes.iter().copied().filter(|d| made(d)).collect();
        if gone.is_empty() {
            return None;
        }
        let count = elements(&gone.iter().map(|&d| sizes[d]).collect::<Sizes>());
        let dtype = self.ty.dtype;
        let factor = match self.reducer {
            Reducer::Maximum | Reducer::Minimum | Reducer::And | Reducer::Or => None,
            Reducer::Add if dtype.is_float() => Some(Lit::Float(count as f64)),
            Reducer::Add if dtype.is_int() => Some(Lit::Int(count as i128)),
            Reducer::Add | Reducer::Multiply | Reducer::Xor => return None,
        };
        let level = if factor.is_some() && dtype.is_float() { self.sum_level(rw, y, count) } else { Level::Exact };
        if !rw.cx.may(level) || !rw.fire("reduce of broadcast", level) {
            return None;
        }
        self.shrunk(rw, y, &dims, &gone, factor)
    }

    /// Adding one value often is multiplying it: exactly, when that value is a small whole number.
    fn sum_level(&self, rw: &Rewriter, y: Value, count: usize) -> Level {
        let Some(Lit::Float(v)) = rw.lit(y) else { return Level::Contract };
        let limit = exact_int_limit(self.ty.dtype.compute_type()).unwrap_or(0) as f64;
        // The factor itself must be a value of the type as well.
        let factor = exact_int_limit(self.ty.dtype).is_some_and(|l| count as i128 <= l);
        if v.fract() == 0.0 && v.abs() * count as f64 <= limit && factor { Level::Exact } else { Level::Contract }
    }

    /// The reduction without the dimensions `gone`, which the broadcast of `y` made.
    fn shrunk(&self, rw: &mut Rewriter, y: Value, dims: &Axes, gone: &Axes, factor: Option<Lit>) -> Option<Value> {
        let sizes = rw.sizes(self.x);
        let left: Axes = (0..sizes.len()).filter(|d| !gone.contains(d)).collect();
        // Dimensions of size 1 that were stretched along a reduced dimension go.
        let from = rw.sizes(y);
        let kept: Sizes = (0..from.len()).filter(|&i| !gone.contains(&dims[i])).collect();
        let y = rw.reshape(y, &kept.iter().map(|&i| from[i]).collect::<Sizes>())?;
        let new_dims: Axes = kept.iter().map(|&i| left.iter().position(|l| *l == dims[i])).collect::<Option<_>>()?;
        let shape = left.iter().map(|&d| Dim::from(sizes[d])).collect();
        let mut x = rw.broadcast(y, &shape, &new_dims)?;
        if let Some(n) = factor {
            let ty = rw.ty(x).clone();
            let n = rw.splat(&ty, n)?;
            x = rw.push(Op::Binary(BinaryOp::Multiply), &[x, n])?;
        }
        let axes: Axes = (self.axes.iter())
            .filter(|a| !gone.contains(a))
            .map(|a| left.iter().position(|l| l == a))
            .collect::<Option<_>>()?;
        if axes.is_empty() { self.combined(rw, x) } else { self.again(rw, x, axes) }
    }

    /// A reduction of a reshape, over whole groups of dimensions: the reduction comes first.
    fn of_reshape(&self, rw: &mut Rewriter) -> Option<Value> {
        let (Op::Reshape(_), &[y]) = rw.op(self.x) else { return None };
        // No reduced dimension is of size 1: those went before.
        let axes = regrouped(&rw.sizes(self.x), &rw.sizes(y), self.axes)?;
        if !rw.fire("reduce of reshape", Level::Exact) {
            return None;
        }
        let y = self.again(rw, y, axes)?;
        rw.reshape(y, &sizes_of(self.ty))
    }
}

/// `reduce_window` with windows side by side, without padding: every dimension splits in two, and one is reduced.
fn tiles(
    rw: &mut Rewriter,
    x: Value,
    init: Value,
    window: &Window,
    reducer: Reducer,
    ty: &TensorType,
) -> Option<Value> {
    let sizes = rw.sizes(x);
    let out = sizes_of(ty);
    let side_by_side = window.dims.iter().zip(&sizes).zip(&out).all(|((w, &n), &m)| {
        w.pad_low == 0
            && w.pad_high == 0
            && (w.base_dilation == 1 || n <= 1)
            && (w.window_dilation == 1 || w.size == 1)
            && w.size >= 1
            && (w.stride == w.size || m <= 1 || w.size == 1)
            && m >= 1
    });
    if !side_by_side || !rw.fire("reduce_window of tiles", Level::Exact) {
        return None;
    }
    let x = tiled_part(rw, x, window, &out)?;
    let (mut split, mut axes) = (Sizes::new(), Axes::new());
    for (w, &m) in window.dims.iter().zip(&out) {
        split.push(m);
        if w.size > 1 {
            axes.push(split.len());
            split.push(w.size as usize);
        }
    }
    let x = rw.reshape(x, &split)?;
    if axes.is_empty() {
        let none = Axes::new();
        return Reduction { x, init, axes: &none, reducer, ty }.combined(rw, x);
    }
    rw.push(Op::Reduce { axes, reducer }, &[x, init])
}

/// The elements that some window covers.
fn tiled_part(rw: &mut Rewriter, x: Value, window: &Window, out: &[usize]) -> Option<Value> {
    let sizes = rw.sizes(x);
    let (mut limit, mut strides) = (smallvec![], smallvec![]);
    for (w, &m) in window.dims.iter().zip(out) {
        let stride = if w.size == 1 && m > 1 { w.stride } else { 1 };
        let last = if w.size == 1 { (m as i64 - 1) * stride + 1 } else { m as i64 * w.size };
        limit.push(Dim::Const(last));
        strides.push(stride);
    }
    let whole = sizes.iter().zip(&limit).all(|(&n, l)| *l == Dim::from(n)) && strides.iter().all(|&s| s == 1);
    if whole {
        return Some(x);
    }
    let start = sizes.iter().map(|_| Dim::Const(0)).collect();
    rw.push(Op::Slice { start, limit, strides }, &[x])
}
