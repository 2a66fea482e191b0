//! Reductions with any region: a balanced tree of vectorized applications.

use super::data::to_axes;
use super::{Builder, Built, Scope};
use crate::ast::{Block, Operation};
use kiln_builder::{Expr, Shape};
use kiln_ir::op::WindowDim;
use kiln_ir::{Dim, Op};
use smallvec::SmallVec;

/// Most elements of a window that is folded with an arbitrary region.
const MAX_WINDOW: i64 = 2048;

/// One dimension of a slice over another.
pub(super) fn strided(e: &Expr, start: i64, limit: i64, stride: i64) -> Expr {
    let shape = e.shape();
    let rest = (1..e.rank()).map(|d| shape[d].clone());
    let starts: Vec<Dim> = std::iter::once(Dim::Const(start)).chain((1..e.rank()).map(|_| Dim::Const(0))).collect();
    let limits: Vec<Dim> = std::iter::once(Dim::Const(limit)).chain(rest).collect();
    let strides: Vec<i64> = std::iter::once(stride).chain((1..e.rank()).map(|_| 1)).collect();
    e.slice_general(&starts, &limits, &strides)
}

impl Builder<'_> {
    /// Sizes of a tensor; all are known in such programs.
    pub(super) fn sizes(&self, op: &Operation, e: &Expr) -> Built<Vec<i64>> {
        if e.is_poisoned() {
            // What went wrong is on record, and is all that counts.
            return Err(crate::error::Error::Graph(self.graph.diagnostics()));
        }
        match e.shape().iter().map(|d| d.as_const()).collect() {
            Some(sizes) => Ok(sizes),
            None => self.unsupported(op, "a dimension of unknown size"),
        }
    }

    /// Folds the leading dimension of all tensors together, in order: neighbours are combined until one is left, and
    /// that with the initial values (scalars).
    pub(super) fn fold(
        &mut self,
        op: &Operation,
        block: &Block,
        x: Vec<Expr>,
        inits: &[Expr],
        scope: &Scope,
    ) -> Built<Vec<Expr>> {
        let Some(first) = x.first() else { return self.malformed(op, "no operands") };
        let sizes = self.sizes(op, first)?;
        let (Some(&count), n) = (sizes.first(), x.len()) else { return self.malformed(op, "nothing to fold") };
        let kept: Shape = sizes[1..].iter().map(|&s| Dim::Const(s)).collect();
        let start: Vec<Expr> = inits.iter().map(|e| e.broadcast_to(&kept)).collect();
        if count == 0 {
            return Ok(start);
        }
        let (mut x, mut count) = (x, count);
        while count > 1 {
            let even = count / 2 * 2;
            let left = x.iter().map(|e| strided(e, 0, even, 2));
            let right = x.iter().map(|e| strided(e, 1, even, 2));
            let args = left.chain(right).collect();
            let mut joined = self.combine(op, block, args, n, scope)?;
            if even < count {
                let graph = self.graph.clone();
                for (j, e) in joined.iter_mut().zip(&x) {
                    let last = strided(e, even, count, 1).cast_to(j.dtype());
                    *j = graph.concat(&[j, &last], 0);
                }
            }
            x = joined;
            count = (count + 1) / 2;
        }
        let last = x.iter().map(|e| e.reshape(&kept));
        let args = start.into_iter().chain(last).collect();
        self.combine(op, block, args, n, scope)
    }

    /// One application of a reducer of `n` pairs.
    pub(super) fn combine(
        &mut self,
        op: &Operation,
        block: &Block,
        args: Vec<Expr>,
        n: usize,
        scope: &Scope,
    ) -> Built<Vec<Expr>> {
        let results = self.lifted(op, block, args, scope)?;
        if results.len() != n {
            return self.malformed(op, format!("the region gives {} values, not {n}", results.len()));
        }
        Ok(results)
    }

    /// `reduce` with any region.
    pub(super) fn reduce_any(&mut self, op: &Operation, x: &[Expr], axes: &[usize], scope: &Scope) -> Built<Vec<Expr>> {
        let n = x.len() / 2;
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        let mut leading = Vec::with_capacity(n);
        for e in &x[..n] {
            let sizes = self.sizes(op, e)?;
            if axes.iter().any(|&a| a >= sizes.len()) {
                return self.malformed(op, "a dimension beyond the operand's");
            }
            let kept = (0..sizes.len()).filter(|d| !axes.contains(d));
            let order: Vec<usize> = axes.iter().copied().chain(kept.clone()).collect();
            let folded: i64 = axes.iter().map(|&a| sizes[a]).product();
            let shape: Shape = std::iter::once(folded).chain(kept.map(|d| sizes[d])).map(Dim::Const).collect();
            let moved = self.graph.emit(Op::Transpose(to_axes(&order)), &[e]);
            leading.push(moved.reshape(&shape));
        }
        self.fold(op, block, leading, &x[n..], scope)
    }

    /// For each place in the window, the elements that the windows have there, one tensor for each operand: all of the
    /// same shape, that of the result. What lies in the padding is that operand's padding value.
    pub(super) fn window_slices(
        &mut self,
        op: &Operation,
        x: &[Expr],
        padding: &[Expr],
        dims: &[WindowDim],
    ) -> Built<Vec<Vec<Expr>>> {
        let volume = dims.iter().try_fold(1i64, |a, d| a.checked_mul(d.size)).filter(|v| (0..=MAX_WINDOW).contains(v));
        let Some(volume) = volume else {
            return self
                .unsupported(op, format!("a window of more than {MAX_WINDOW} elements with an arbitrary region"));
        };
        let Some(first) = x.first() else { return self.malformed(op, "no operands") };
        let sizes = self.sizes(op, first)?;
        if sizes.len() != dims.len()
            || dims.iter().any(|d| d.stride < 1 || d.base_dilation < 1 || d.window_dilation < 1)
        {
            return self.malformed(op, "windows that do not fit the operand");
        }
        let pad = |e: &Expr, value: &Expr| {
            let low: Vec<Dim> = dims.iter().map(|d| Dim::Const(d.pad_low)).collect();
            let high: Vec<Dim> = dims.iter().map(|d| Dim::Const(d.pad_high)).collect();
            let interior: Vec<i64> = dims.iter().map(|d| d.base_dilation - 1).collect();
            e.pad_general(value, &low, &high, &interior)
        };
        let padded: Vec<Expr> = x.iter().zip(padding).map(|(e, v)| pad(e, v)).collect();
        let outputs: Vec<i64> = dims.iter().zip(&sizes).map(|(d, &n)| d.output_size(n)).collect();
        let mut slices = Vec::new();
        for place in 0..volume {
            let mut rest = place;
            let mut start: SmallVec<[Dim; 4]> = dims.iter().map(|_| Dim::Const(0)).collect();
            let mut limit = start.clone();
            for (d, dim) in dims.iter().enumerate().rev() {
                let at = rest % dim.size * dim.window_dilation;
                rest /= dim.size;
                start[d] = Dim::Const(at);
                limit[d] = Dim::Const(if outputs[d] == 0 { at } else { at + (outputs[d] - 1) * dim.stride + 1 });
            }
            let strides: Vec<i64> = dims.iter().map(|d| d.stride).collect();
            slices.push(padded.iter().map(|e| e.slice_general(&start, &limit, &strides)).collect());
        }
        Ok(slices)
    }

    /// `reduce_window` with any region.
    pub(super) fn reduce_window_any(
        &mut self,
        op: &Operation,
        x: &[Expr],
        dims: &[WindowDim],
        scope: &Scope,
    ) -> Built<Vec<Expr>> {
        let n = x.len() / 2;
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        let slices = self.window_slices(op, &x[..n], &x[n..], dims)?;
        if slices.is_empty() {
            return self.unsupported(op, "an empty window");
        }
        let graph = self.graph.clone();
        let stacked = (0..n).map(|i| graph.stack(&slices.iter().map(|s| &s[i]).collect::<Vec<_>>(), 0)).collect();
        self.fold(op, block, stacked, &x[n..], scope)
    }
}
