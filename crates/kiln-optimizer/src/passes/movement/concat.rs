//! Concatenations.

use super::slice::{Bounds, push_slice};
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::{Op, TensorType, Value};

/// Bound on the operands of a flattened concatenation, so that chains of them stay linear.
const MAX_PARTS: usize = 1024;

/// Concatenations of one part, of nothing, of concatenations, of neighbouring slices, of equal elements.
pub fn concatenate(rw: &mut Rewriter, parts: &[Value], dim: usize, ty: &TensorType) -> Option<Value> {
    if let &[x] = parts {
        return rw.exact("concatenation of one", x);
    }
    if parts.iter().any(|&p| rw.sizes(p)[dim] == 0) && rw.sizes(parts[0]).len() == ty.rank() {
        let rest: Vec<Value> = parts.iter().copied().filter(|&p| rw.sizes(p)[dim] != 0).collect();
        if rest.is_empty() || !rw.fire("concatenation of nothing", Level::Exact) {
            return None;
        }
        return rw.push(Op::Concatenate(dim), &rest);
    }
    all_equal(rw, parts, ty).or_else(|| flatten(rw, parts, dim)).or_else(|| join_slices(rw, parts, dim))
}

/// Parts of one and the same value.
fn all_equal(rw: &mut Rewriter, parts: &[Value], ty: &TensorType) -> Option<Value> {
    let first = rw.lit(parts[0])?;
    let same = parts.iter().all(|&p| rw.lit(p).is_some_and(|l| l.same(first)));
    if same && rw.fire("concatenation of equal elements", Level::Exact) { rw.splat(ty, first) } else { None }
}

/// The parts of a part are parts.
fn flatten(rw: &mut Rewriter, parts: &[Value], dim: usize) -> Option<Value> {
    let inner = |rw: &Rewriter, p: Value| matches!(rw.op(p).0, Op::Concatenate(d) if *d == dim) && rw.single_use(p);
    if !parts.iter().any(|&p| inner(rw, p)) {
        return None;
    }
    let mut flat = Vec::new();
    for &p in parts {
        if inner(rw, p) {
            flat.extend_from_slice(&rw.def(p).operands);
        } else {
            flat.push(p);
        }
    }
    if flat.len() > MAX_PARTS || !rw.fire("concatenation of concatenation", Level::Exact) {
        return None;
    }
    rw.push(Op::Concatenate(dim), &flat)
}

/// Neighbouring slices of one value are one slice.
fn join_slices(rw: &mut Rewriter, parts: &[Value], dim: usize) -> Option<Value> {
    let mut joined: Vec<Value> = Vec::with_capacity(parts.len());
    let mut open: Option<(Value, Bounds)> = None;
    let mut merges = 0;
    for &p in parts {
        let this = match rw.op(p) {
            (op @ Op::Slice { .. }, &[source]) => Bounds::of(op).map(|b| (source, b)),
            _ => None,
        };
        if let (Some((source, b)), Some((open_source, open_b))) = (&this, &mut open)
            && source == open_source
            && continues(open_b, b, dim)
        {
            // The part merges into the last one; the slice is built when the run ends.
            open_b.limit[dim] = b.limit[dim];
            merges += 1;
            continue;
        }
        if let Some(slice) = open.take() {
            joined.push(close(rw, slice, &mut merges)?);
        }
        match this {
            Some(slice) => open = Some(slice),
            None => joined.push(p),
        }
    }
    if let Some(slice) = open {
        joined.push(close(rw, slice, &mut merges)?);
    }
    if joined.len() == parts.len() {
        return None;
    }
    match joined.as_slice() {
        &[x] => Some(x),
        many => rw.push(Op::Concatenate(dim), many),
    }
}

/// Whether slice `b` starts where `a` ends along `dim`, and equals it elsewhere.
fn continues(a: &Bounds, b: &Bounds, dim: usize) -> bool {
    let elsewhere = (0..a.start.len())
        .filter(|&d| d != dim)
        .all(|d| (a.start[d], a.limit[d], a.strides[d]) == (b.start[d], b.limit[d], b.strides[d]));
    elsewhere && a.strides[dim] == 1 && b.strides[dim] == 1 && a.limit[dim] == b.start[dim]
}

fn close(rw: &mut Rewriter, (source, bounds): (Value, Bounds), merges: &mut usize) -> Option<Value> {
    if *merges > 0 && !rw.fire("concatenation of neighbouring slices", Level::Exact) {
        return None;
    }
    *merges = 0;
    push_slice(rw, source, &bounds)
}
