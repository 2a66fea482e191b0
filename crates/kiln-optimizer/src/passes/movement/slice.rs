//! Slices and reversals.

use crate::options::Level;
use crate::rewrite::{Rewriter, Sizes, sizes_of};
use kiln_ir::op::{Axes, Ints};
use kiln_ir::{Dim, Op, Shape, TensorType, Value};
use smallvec::smallvec;

/// The bounds of a static slice.
#[derive(Clone, PartialEq, Debug)]
pub struct Bounds {
    pub start: Ints,
    pub limit: Ints,
    pub strides: Ints,
}

impl Bounds {
    /// The bounds of a `slice` node.
    pub fn of(op: &Op) -> Option<Bounds> {
        let Op::Slice { start, limit, strides } = op else { return None };
        Some(Bounds {
            start: start.iter().map(Dim::as_const).collect::<Option<_>>()?,
            limit: limit.iter().map(Dim::as_const).collect::<Option<_>>()?,
            strides: strides.clone(),
        })
    }
    /// A slice of everything.
    pub fn all(sizes: &[usize]) -> Bounds {
        Bounds {
            start: smallvec![0; sizes.len()],
            limit: sizes.iter().map(|&n| n as i64).collect(),
            strides: smallvec![1; sizes.len()],
        }
    }
    /// The operator.
    pub fn op(&self) -> Op {
        Op::Slice {
            start: self.start.iter().map(|&n| Dim::Const(n)).collect(),
            limit: self.limit.iter().map(|&n| Dim::Const(n)).collect(),
            strides: self.strides.clone(),
        }
    }
    /// Whether dimension `d` of this size is taken whole.
    pub fn is_full(&self, d: usize, size: usize) -> bool {
        self.start[d] == 0 && self.limit[d] == size as i64 && (self.strides[d] == 1 || size <= 1)
    }
    /// Elements taken in dimension `d`.
    pub fn count(&self, d: usize) -> i64 {
        let extent = self.limit[d] - self.start[d];
        if extent <= 0 { 0 } else { (extent - 1) / self.strides[d] + 1 }
    }
}

/// Appends a slice unless it takes everything.
pub fn push_slice(rw: &mut Rewriter, x: Value, bounds: &Bounds) -> Option<Value> {
    let sizes = rw.sizes(x);
    if (0..sizes.len()).all(|d| bounds.is_full(d, sizes[d])) { Some(x) } else { rw.push(bounds.op(), &[x]) }
}

/// Slices of everything, of slices, of broadcasts, iotas, concatenations, pads, reversals and transposes.
pub fn slice(rw: &mut Rewriter, x: Value, b: &Bounds, ty: &TensorType) -> Option<Value> {
    let sizes = rw.sizes(x);
    if (0..sizes.len()).all(|d| b.is_full(d, sizes[d])) {
        return rw.exact("slice of everything", x);
    }
    if sizes_of(ty).contains(&0) {
        return None;
    }
    match rw.op(x) {
        (inner @ Op::Slice { .. }, &[y]) => {
            let a = Bounds::of(inner)?;
            let merged = slice_of_slice(&a, b);
            if rw.fire("slice of slice", Level::Exact) { push_slice(rw, y, &merged) } else { None }
        }
        (Op::BroadcastInDim { dims, .. }, &[y]) => {
            let dims = dims.clone();
            slice_of_broadcast(rw, y, &dims, b, ty)
        }
        (Op::Iota { ty: counts, dim }, _) => {
            let (counts, dim) = (counts.clone(), *dim);
            let from_zero = b.start[dim] == 0 && (b.strides[dim] == 1 || b.count(dim) == 1);
            let op = Op::Iota { ty: TensorType { dtype: counts.dtype, shape: ty.shape.clone() }, dim };
            if from_zero && rw.fire("slice of iota", Level::Exact) { rw.push(op, &[]) } else { None }
        }
        (&Op::Concatenate(dim), _) => slice_of_concat(rw, x, dim, b),
        (Op::Transpose(permutation), &[y]) if rw.single_use(x) => {
            let permutation = permutation.clone();
            let inv = crate::rewrite::inverse(&permutation);
            let pick = |v: &Ints| -> Ints { inv.iter().map(|&d| v[d]).collect() };
            let inner = Bounds { start: pick(&b.start), limit: pick(&b.limit), strides: pick(&b.strides) };
            if !rw.fire("slice of transpose", Level::Exact) {
                return None;
            }
            let y = push_slice(rw, y, &inner)?;
            rw.transpose(y, &permutation)
        }
        (Op::Reshape(_), &[y]) => slice_of_reshape(rw, x, y, b, ty),
        (Op::Pad { .. }, &[y, _]) => slice_of_pad(rw, x, y, b),
        _ => None,
    }
}

fn slice_of_slice(a: &Bounds, b: &Bounds) -> Bounds {
    let mut m = a.clone();
    for d in 0..a.start.len() {
        let count = b.count(d);
        m.start[d] = a.start[d] + b.start[d] * a.strides[d];
        m.strides[d] = if count <= 1 { 1 } else { a.strides[d] * b.strides[d] };
        m.limit[d] = if count == 0 { m.start[d] } else { m.start[d] + (count - 1) * m.strides[d] + 1 };
    }
    m
}

/// Slicing a broadcast is broadcasting a slice.
fn slice_of_broadcast(rw: &mut Rewriter, y: Value, dims: &[usize], b: &Bounds, ty: &TensorType) -> Option<Value> {
    let from = rw.sizes(y);
    let mut inner = Bounds::all(&from);
    for (i, &d) in dims.iter().enumerate() {
        if from[i] != 1 {
            (inner.start[i], inner.limit[i], inner.strides[i]) = (b.start[d], b.limit[d], b.strides[d]);
        }
    }
    if !rw.fire("slice of broadcast", Level::Exact) {
        return None;
    }
    let y = push_slice(rw, y, &inner)?;
    rw.push(Op::BroadcastInDim { shape: ty.shape.clone(), dims: dims.into() }, &[y])
}

/// A slice that lies in one part of a concatenation, or takes whole parts.
fn slice_of_concat(rw: &mut Rewriter, x: Value, dim: usize, b: &Bounds) -> Option<Value> {
    let parts = rw.def(x).operands.clone();
    let last = b.start[dim] + (b.count(dim) - 1) * b.strides[dim];
    let mut begin = 0;
    let mut kept = Vec::new();
    for &p in &parts {
        let end = begin + rw.sizes(p)[dim] as i64;
        if end > b.start[dim] && begin <= last {
            kept.push((p, begin, end));
        }
        begin = end;
    }
    match *kept.as_slice() {
        [(p, begin, _)] => {
            let mut inner = b.clone();
            inner.start[dim] -= begin;
            inner.limit[dim] = last + 1 - begin;
            if rw.fire("slice of one concatenated part", Level::Exact) { push_slice(rw, p, &inner) } else { None }
        }
        [(_, begin, _), .., (_, _, end)] if kept.len() < parts.len() => {
            let whole = b.start[dim] == begin && b.limit[dim] == end && b.strides[dim] == 1;
            if !whole || !rw.fire("slice of whole concatenated parts", Level::Exact) {
                return None;
            }
            let values: Vec<Value> = kept.iter().map(|k| k.0).collect();
            let joined = rw.push(Op::Concatenate(dim), &values)?;
            let mut rest = b.clone();
            (rest.start[dim], rest.limit[dim]) = (0, end - begin);
            push_slice(rw, joined, &rest)
        }
        _ => None,
    }
}

/// A slice of a reshape that only adds or removes dimensions of size 1.
fn slice_of_reshape(rw: &mut Rewriter, x: Value, y: Value, b: &Bounds, ty: &TensorType) -> Option<Value> {
    let (outer, inner) = (rw.sizes(x), rw.sizes(y));
    let real = |s: &[usize]| -> Sizes { (0..s.len()).filter(|&d| s[d] != 1).collect() };
    let (o, i) = (real(&outer), real(&inner));
    let unit_only = o.len() == i.len() && o.iter().zip(&i).all(|(&p, &q)| outer[p] == inner[q]);
    // Where the slice takes whole dimensions of size 1, which it does as it is not empty.
    if !unit_only || !rw.single_use(x) || !rw.fire("slice of reshape", Level::Exact) {
        return None;
    }
    let mut bounds = Bounds::all(&inner);
    for (&p, &q) in o.iter().zip(&i) {
        (bounds.start[q], bounds.limit[q], bounds.strides[q]) = (b.start[p], b.limit[p], b.strides[p]);
    }
    let y = push_slice(rw, y, &bounds)?;
    rw.reshape(y, &sizes_of(ty))
}

/// A slice that leaves all of a pad's padding away.
fn slice_of_pad(rw: &mut Rewriter, x: Value, y: Value, b: &Bounds) -> Option<Value> {
    let p = super::pad::Padding::of(rw.op(x).0)?;
    let sizes = rw.sizes(y);
    let mut inner = b.clone();
    for d in 0..sizes.len() {
        if p.interior[d] != 0 && sizes[d] > 1 {
            return None;
        }
        inner.start[d] -= p.low[d];
        inner.limit[d] -= p.low[d];
        if inner.start[d] < 0 || inner.limit[d] > sizes[d] as i64 {
            return None;
        }
    }
    if rw.fire("slice of pad", Level::Exact) { push_slice(rw, y, &inner) } else { None }
}

/// Reversing equal elements or one element is nothing; reversing twice too.
pub fn reverse(rw: &mut Rewriter, x: Value, dims: &[usize]) -> Option<Value> {
    let sizes = rw.sizes(x);
    let real: Axes = dims.iter().copied().filter(|&d| sizes[d] > 1).collect();
    if real.is_empty() {
        return rw.exact("reverse of one element", x);
    }
    if real.len() < dims.len() {
        return if rw.fire("reverse of one element", Level::Exact) { rw.push(Op::Reverse(real), &[x]) } else { None };
    }
    match rw.op(x) {
        (Op::Reverse(inner), &[y]) => {
            let mut both: Axes = dims.iter().copied().filter(|d| !inner.contains(d)).collect();
            both.extend(inner.iter().copied().filter(|d| !dims.contains(d)));
            both.sort_unstable();
            if !rw.fire("reverse of reverse", Level::Exact) {
                return None;
            }
            if both.is_empty() { Some(y) } else { rw.push(Op::Reverse(both), &[y]) }
        }
        (Op::BroadcastInDim { dims: places, .. }, &[y]) => {
            let (places, shape) = (places.clone(), Shape::from_sizes(&sizes));
            let from = rw.sizes(y);
            let inner: Axes = (0..from.len()).filter(|&i| from[i] > 1 && dims.contains(&places[i])).collect();
            if !rw.fire("reverse of broadcast", Level::Exact) {
                return None;
            }
            let y = if inner.is_empty() { y } else { rw.push(Op::Reverse(inner), &[y])? };
            rw.push(Op::BroadcastInDim { shape, dims: places }, &[y])
        }
        _ => None,
    }
}
