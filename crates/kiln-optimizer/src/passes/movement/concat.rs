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
    /// Parts that become one: the first, and the source and bounds of all together if they are slices.
    struct Run {
        first: Value,
        parts: usize,
        slice: Option<(Value, Bounds)>,
    }
    let mut runs: Vec<Run> = Vec::with_capacity(parts.len());
    for &p in parts {
        let slice = match rw.op(p) {
            (op @ Op::Slice { .. }, &[source]) => Bounds::of(op).map(|b| (source, b)),
            _ => None,
        };
        if let (Some((source, b)), Some(Run { parts, slice: Some((run_source, run)), .. })) = (&slice, runs.last_mut())
            && source == run_source
            && continues(run, b, dim)
        {
            run.limit[dim] = b.limit[dim];
            *parts += 1;
            continue;
        }
        runs.push(Run { first: p, parts: 1, slice });
    }
    if runs.len() == parts.len() || !rw.fire("concatenation of neighbouring slices", Level::Exact) {
        return None;
    }
    let joined: Vec<Value> = runs
        .into_iter()
        .map(|run| match run.slice {
            Some((source, bounds)) if run.parts > 1 => push_slice(rw, source, &bounds),
            _ => Some(run.first),
        })
        .collect::<Option<_>>()?;
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
