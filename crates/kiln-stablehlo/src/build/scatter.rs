//! Scatter: standard combiners as the operator, any other region update by update in a loop.

use super::data::to_axes;
use super::windows::reducer_region;
use super::{Builder, Built, Scope};
use crate::ast::{Block, Operation};
use crate::error::Error;
use kiln_builder::{Expr, Shape};
use kiln_ir::op::{GatherDims, ScatterDims, ScatterUpdate};
use kiln_ir::{DType, Dim, Op};
use std::cell::RefCell;

/// A shape of known sizes.
pub(super) fn shape_of(sizes: impl IntoIterator<Item = i64>) -> Shape {
    sizes.into_iter().map(Dim::Const).collect()
}

impl Builder<'_> {
    pub(super) fn scatter(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let n = x.len().saturating_sub(1) / 2;
        if x.len() != 2 * n + 1 || n == 0 {
            return self.malformed(op, format!("{} operands", x.len()));
        }
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        if block.args.len() != 2 * n {
            return self.malformed(op, format!("the region takes {} values, not {}", block.args.len(), 2 * n));
        }
        let field = |f: &str| self.field(op, "scatter_dimension_numbers", f).map(|v| to_axes(&v));
        let dims = ScatterDims {
            update_window_dims: field("update_window_dims")?,
            inserted_window_dims: field("inserted_window_dims")?,
            input_batching_dims: field("input_batching_dims")?,
            scatter_indices_batching_dims: field("scatter_indices_batching_dims")?,
            scatter_dims_to_operand_dims: field("scatter_dims_to_operand_dims")?,
            index_vector_dim: field("index_vector_dim")?.first().copied().unwrap_or(0),
            indices_are_sorted: self.flag(op, "indices_are_sorted"),
            unique_indices: self.flag(op, "unique_indices"),
        };
        let assigns = |i: usize| {
            let [ret] = block.ops.as_slice() else { return false };
            ret.operands.get(i).is_some_and(|r| r.name == block.args[n + i].0)
        };
        let mut typed = x.to_vec();
        for (i, (_, ty)) in block.args.iter().enumerate() {
            let at = if i < n { i } else { i + 1 };
            typed[at] = x[at].cast_to(self.tensor_type(ty, &op.place)?.0);
        }
        let updates: Vec<Option<ScatterUpdate>> = (0..n)
            .map(|i| match reducer_region(block) {
                Some(r) if n == 1 => Some(ScatterUpdate::Combine(r)),
                _ if assigns(i) => Some(ScatterUpdate::Assign),
                _ => None,
            })
            .collect();
        match updates.into_iter().collect::<Option<Vec<_>>>() {
            Some(list) => Ok(list
                .into_iter()
                .enumerate()
                .map(|(i, update)| {
                    let op = Op::Scatter { dims: Box::new(dims.clone()), update };
                    self.graph.emit(op, &[&typed[i], &typed[n], &typed[n + 1 + i]])
                })
                .collect()),
            None => self.scatter_any(op, block, &typed, &dims, scope),
        }
    }

    /// The indices as `[updates, components]`, with a component for each batching dimension too, and their operand
    /// dimensions.
    fn flat_indices(&self, op: &Operation, indices: &Expr, d: &ScatterDims) -> Built<(Expr, Vec<usize>)> {
        let mut sizes = self.sizes(op, indices)?;
        let mut moved = indices.clone();
        if d.index_vector_dim == sizes.len() {
            sizes.push(1);
            moved = moved.reshape(shape_of(sizes.iter().copied()));
        } else if d.index_vector_dim < sizes.len() {
            let order = (0..sizes.len()).filter(|i| *i != d.index_vector_dim).chain([d.index_vector_dim]);
            let order: Vec<usize> = order.collect();
            moved = self.graph.emit(Op::Transpose(to_axes(&order)), &[&moved]);
            let components = sizes.remove(d.index_vector_dim);
            sizes.push(components);
        } else {
            return self.malformed(op, "`index_vector_dim` is beyond the indices");
        }
        let mut targets = d.scatter_dims_to_operand_dims.to_vec();
        let mut parts = vec![moved];
        for (&input, &batch) in d.input_batching_dims.iter().zip(&d.scatter_indices_batching_dims) {
            // The position of a batching dimension once the index vector is last.
            let at = if batch > d.index_vector_dim { batch - 1 } else { batch };
            if at + 1 >= sizes.len() {
                return self.malformed(op, "a batching dimension is beyond the indices");
            }
            let shape = shape_of(sizes[..sizes.len() - 1].iter().copied().chain([1]));
            parts.push(self.graph.iota(indices.dtype(), shape, at));
            targets.push(input);
        }
        let joined = self.graph.concat(&parts.iter().collect::<Vec<_>>(), -1);
        let count: i64 = sizes[..sizes.len() - 1].iter().product();
        Ok((joined.reshape(shape_of([count, targets.len() as i64])), targets))
    }

    /// `x` is operands, indices, updates.
    fn scatter_any(
        &mut self,
        op: &Operation,
        block: &Block,
        x: &[Expr],
        d: &ScatterDims,
        scope: &Scope,
    ) -> Built<Vec<Expr>> {
        let n = x.len() / 2;
        let g = self.graph.clone();
        // The operator's own rules hold here too: let them be checked on it.
        let check = Op::Scatter { dims: Box::new(d.clone()), update: ScatterUpdate::Assign };
        if g.emit(check, &[&x[0], &x[n], &x[n + 1]]).is_poisoned() {
            return Err(Error::Graph(g.diagnostics()));
        }
        let (indices, targets) = self.flat_indices(op, &x[n], d)?;
        let count = self.sizes(op, &indices)?[0];
        let operand_rank = self.sizes(op, &x[0])?.len();
        let inserted: Vec<usize> = (0..operand_rank)
            .filter(|i| d.inserted_window_dims.contains(i) || d.input_batching_dims.contains(i))
            .collect();
        let mut updates = Vec::with_capacity(n);
        let mut window = Vec::new();
        for e in &x[n + 1..] {
            let sizes = self.sizes(op, e)?;
            let order = (0..sizes.len()).filter(|i| !d.update_window_dims.contains(i));
            let order: Vec<usize> = order.chain(d.update_window_dims.iter().copied()).collect();
            window = d.update_window_dims.iter().map(|&i| sizes[i]).collect();
            let moved = g.emit(Op::Transpose(to_axes(&order)), &[e]);
            updates.push(moved.reshape(shape_of(std::iter::once(count).chain(window.iter().copied()))));
        }
        let window_axes: Vec<usize> = (0..window.len()).collect();
        let scatter = ScatterDims {
            update_window_dims: to_axes(&window_axes),
            inserted_window_dims: to_axes(&inserted),
            scatter_dims_to_operand_dims: to_axes(&targets),
            ..ScatterDims::default()
        };
        let mut sizes = window.iter().copied();
        let slice = (0..operand_rank).map(|i| if inserted.contains(&i) { 1 } else { sizes.next().unwrap_or(1) });
        let gather = GatherDims {
            offset_dims: to_axes(&window_axes),
            collapsed_slice_dims: to_axes(&inserted),
            start_index_map: to_axes(&targets),
            slice_sizes: shape_of(slice),
            ..GatherDims::default()
        };
        let failure: RefCell<Option<Error>> = RefCell::new(None);
        let this = RefCell::new(&mut *self);
        let components = targets.len() as i64;
        let Ok(count) = i32::try_from(count) else { return this.borrow().unsupported(op, "too many updates") };
        let init: Vec<Expr> = std::iter::once(g.constant(0i32)).chain(x[..n].iter().cloned()).collect();
        let done = g.while_loop(
            init,
            |s: Vec<Expr>| s[0].lt(count),
            |s: Vec<Expr>| {
                let zero = g.constant(0i32);
                let row = |e: &Expr, rest: &[i64]| {
                    let starts: Vec<&Expr> = std::iter::once(&s[0]).chain(rest.iter().map(|_| &zero)).collect();
                    let sizes = shape_of(std::iter::once(1).chain(rest.iter().copied()));
                    e.dynamic_slice(&starts, sizes).reshape(shape_of(rest.iter().copied()))
                };
                let index = row(&indices, &[components]);
                // Where the window leaves the operand, the gather reads elsewhere and the scatter writes nothing.
                let current = s[1..].iter().map(|e| e.gather(&index, gather.clone()));
                let args = current.chain(updates.iter().map(|u| row(u, &window))).collect();
                let combined = this.borrow_mut().combine(op, block, args, n, scope);
                let combined = combined.unwrap_or_else(|e| {
                    failure.borrow_mut().get_or_insert(e);
                    vec![g.poisoned(); n]
                });
                let next = s[1..]
                    .iter()
                    .zip(&combined)
                    .map(|(e, c)| e.scatter(&index, c, scatter.clone(), ScatterUpdate::Assign));
                std::iter::once(&s[0] + 1).chain(next).collect()
            },
        );
        match failure.into_inner() {
            Some(e) => Err(e),
            None => Ok(done[1..].to_vec()),
        }
    }

    /// Scatters `updates` (a list) to flat positions of `operand` (a list); positions outside are skipped.
    pub(super) fn scatter_flat(
        &mut self,
        op: &Operation,
        block: &Block,
        [operand, positions, updates]: [Expr; 3],
        scope: &Scope,
    ) -> Built<Expr> {
        let dims = ScatterDims {
            inserted_window_dims: to_axes(&[0]),
            scatter_dims_to_operand_dims: to_axes(&[0]),
            index_vector_dim: 1,
            ..ScatterDims::default()
        };
        debug_assert_eq!(positions.dtype(), DType::I32);
        if let Some(r) = reducer_region(block) {
            return Ok(operand.scatter(&positions, &updates, dims, ScatterUpdate::Combine(r)));
        }
        let mut results = self.scatter_any(op, block, &[operand, positions, updates], &dims, scope)?;
        Ok(results.swap_remove(0))
    }
}
