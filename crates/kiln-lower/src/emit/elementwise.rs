//! Kernels of groups whose outputs have one element per iteration.

use super::builder::{Context, Emitter, unsupported};
use super::elemental::Emit;
use super::index::{self, Idx};
use super::{Emitted, launch};
use kiln_ir::{Op, Value};
use kiln_plan::model::ParallelLimits;
use std::collections::BTreeSet;

/// A box of the iteration space: start and size per dimension.
type Region = Vec<(i64, i64)>;

/// Kernels of a group whose outputs all have one element per iteration.
pub(super) fn elementwise(cx: &Context<'_>, out: &mut Emitted) -> Emit<()> {
    let outputs: Vec<Value> = cx.group.outputs.iter().copied().filter(|v| cx.count(*v) > 0).collect();
    let Some(&first) = outputs.iter().max_by_key(|v| (cx.func.ty(**v).rank(), std::cmp::Reverse(**v))) else {
        return Ok(());
    };
    let shape = cx.sizes(first);
    if let Some(v) = outputs.iter().find(|v| cx.count(**v) != index::count(&shape)) {
        return Err(unsupported(cx.node(v.node), "it has not as many elements as the other outputs of its group"));
    }
    let regions = regions(cx, &outputs, &shape);
    let parallel = cx.machine.parallel.worth(index::count(&shape));
    let regions = if parallel { divisible(&cx.machine.parallel, regions, &shape) } else { regions };
    let whole = regions.len() == 1;
    let body = |e: &mut Emitter<'_>, region: &Region| {
        // Axes are split as suits values of the region's size: operands of a concatenation or padding.
        let sizes: index::Sizes = region.iter().map(|r| r.1).collect();
        let (total, strides) = (index::count(&sizes), index::strides(&sizes));
        let (mut axes, mut idx) = (Vec::new(), Idx::new());
        for (d, &(start, size)) in region.iter().enumerate() {
            let (a, ix) = e.dim_axes(0, &e.cx.factors(total, strides[d], size));
            axes.extend(a);
            idx.push(index::offset(&ix, start));
        }
        let linear = index::linearize(&idx, &shape);
        e.root_nest(axes, true, parallel, |e| e.store_all(&outputs, &linear, &shape, &idx))?;
        if !whole {
            for &v in &outputs {
                let buf = e.buffer(v);
                e.partial.insert(buf);
            }
        }
        Ok(())
    };
    if whole || !parallel {
        return launch(cx, out, |e, _| {
            regions.iter().try_for_each(|r| body(e, r))?;
            // All regions together cover the outputs.
            e.partial.clear();
            Ok(())
        });
    }
    regions.iter().try_for_each(|r| launch(cx, out, |e, _| body(e, r)))
}

/// Cuts a rest off a space that does not divide into equal chunks for threads.
fn divisible(limits: &ParallelLimits, regions: Vec<Region>, shape: &[i64]) -> Vec<Region> {
    let lanes = limits.lanes;
    let splits = regions.len() == 1 && shape[0] >= 2 * lanes && limits.chunk_of(index::count(shape)).is_none();
    if !splits {
        return regions;
    }
    let main = shape[0] - shape[0] % lanes;
    let part = |start, size| {
        let mut r = regions[0].clone();
        r[0] = (start, size);
        r
    };
    [part(0, main), part(main, shape[0] - main)].into_iter().filter(|r| r[0].1 > 0).collect()
}

/// Divides the space where a concatenation or padding at the root changes from one operand to the next.
fn regions(cx: &Context<'_>, outputs: &[Value], shape: &[i64]) -> Vec<Region> {
    let mut cuts: Vec<BTreeSet<i64>> = shape.iter().map(|&n| BTreeSet::from([0, n])).collect();
    let mut seen = BTreeSet::new();
    let mut work: Vec<Value> = outputs.to_vec();
    while let Some(v) = work.pop() {
        if cx.is_memory(v) || cx.sizes(v).as_slice() != shape || !seen.insert(v) {
            continue;
        }
        let node = cx.node(v.node);
        match &node.op {
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Clamp | Op::Convert(_) => {
                work.extend(node.operands.iter().copied());
            }
            Op::Concatenate(dim) => {
                let mut at = 0;
                for &o in &node.operands {
                    at += cx.sizes(o)[*dim];
                    cuts[*dim].insert(at);
                }
            }
            Op::Pad { low, interior, .. } => {
                let sizes = cx.sizes(node.operands[0]);
                for d in 0..shape.len() {
                    let low = low[d].as_const().unwrap_or(0);
                    let end = low + (sizes[d] - 1).max(0) * (interior[d] + 1) + i64::from(sizes[d] > 0);
                    cuts[d].extend([low, end].iter().filter(|c| **c > 0 && **c < shape[d]));
                }
            }
            _ => {}
        }
    }
    const MOST: usize = 27;
    let count: usize = cuts.iter().map(|c| c.len() - 1).product();
    if count > MOST {
        return vec![shape.iter().map(|&n| (0, n)).collect()];
    }
    let mut out: Vec<Region> = vec![Vec::new()];
    for c in &cuts {
        let ends: Vec<i64> = c.iter().copied().collect();
        out = out
            .iter()
            .flat_map(|r| ends.windows(2).map(move |w| r.iter().copied().chain([(w[0], w[1] - w[0])]).collect()))
            .collect();
    }
    out
}
