//! Sorting with any comparator.
//!
//! Short rows are sorted by counting ranks: the comparator is applied to all pairs at once. Long rows are sorted by a
//! bitonic network (Batcher 1968) over the positions, one vectorized step at a time, in a loop. Both are stable: elements
//! that the comparator does not tell apart keep their order.

use super::data::to_axes;
use super::{Builder, Built, Scope};
use crate::ast::{Block, Operation};
use crate::error::Error;
use kiln_builder::{Expr, Shape};
use kiln_ir::op::{CompareDirection, GatherDims, Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::{DType, Dim, Op};
use std::cell::RefCell;

/// Longest row that is sorted by comparing all pairs.
const MAX_RANKED: i64 = 256;
/// Most pairs over all rows.
const MAX_PAIRS: i64 = 1 << 22;
/// Longest row at all.
const MAX_ROW: i64 = 1 << 24;

/// What orders the elements.
#[derive(Clone, Copy)]
enum Order<'a> {
    /// A region: true when its first values come before its second.
    Region(&'a Block, &'a Scope),
    /// From the largest to the smallest in the total order of floats.
    Descending,
}

/// Rows of equal length.
#[derive(Clone, Copy)]
struct Rows {
    rows: i64,
    length: i64,
}

impl Rows {
    fn shape(self) -> Shape {
        [self.rows, self.length].into_iter().map(Dim::Const).collect()
    }
}

impl Builder<'_> {
    pub(super) fn sort(&mut self, op: &Operation, x: &[Expr], scope: &Scope) -> Built<Vec<Expr>> {
        let Some(block) = op.regions.first() else { return self.malformed(op, "a region is missing") };
        let Some(first) = x.first() else { return self.malformed(op, "no operands") };
        let rank = first.rank() as i64;
        let dim = op.attrs.get("dimension").and_then(|a| a.as_int()).unwrap_or(-1);
        let dim = if dim < 0 { dim + rank } else { dim };
        if !(0..rank).contains(&dim) {
            return self.malformed(op, "no such dimension");
        }
        self.sort_by(op, x, dim as usize, Order::Region(block, scope))
    }

    /// `chlo.top_k`: the largest elements of the last dimension and their positions.
    pub(super) fn top_k(&mut self, op: &Operation, x: &[Expr]) -> Built<Vec<Expr>> {
        let [a] = self.operands(op, x)?;
        let sizes = self.sizes(op, &a)?;
        let k = self.axis(op, &["k"])? as i64;
        let Some((&n, before)) = sizes.split_last() else {
            return self.malformed(op, "a scalar has no elements to choose");
        };
        if k > n {
            return self.malformed(op, format!("k = {k} of {n} elements"));
        }
        let positions = self.graph.iota(DType::I32, a.shape(), before.len());
        let sorted = self.sort_by(op, &[a, positions], before.len(), Order::Descending)?;
        let limit: Vec<Dim> = before.iter().copied().chain([k]).map(Dim::Const).collect();
        let (start, strides) = (vec![Dim::Const(0); limit.len()], vec![1; limit.len()]);
        Ok(sorted.iter().map(|e| e.slice_general(&start, &limit, &strides)).collect())
    }

    fn sort_by(&mut self, op: &Operation, x: &[Expr], dim: usize, order: Order<'_>) -> Built<Vec<Expr>> {
        let sizes = self.sizes(op, &x[0])?;
        for e in x {
            if self.sizes(op, e)? != sizes {
                return self.malformed(op, "operands of different shapes");
            }
        }
        let length = sizes[dim];
        let rows = Rows { rows: sizes.iter().enumerate().filter(|(d, _)| *d != dim).map(|(_, n)| n).product(), length };
        if length < 2 || rows.rows == 0 {
            return Ok(x.to_vec());
        }
        // The sorted dimension becomes the last, the others one.
        let axes: Vec<usize> = (0..sizes.len()).filter(|d| *d != dim).chain([dim]).collect();
        let moved: Vec<Expr> = x.iter().map(|e| self.graph.emit(Op::Transpose(to_axes(&axes)), &[e])).collect();
        let flat: Vec<Expr> = moved.iter().map(|e| e.reshape(rows.shape())).collect();
        let pairs = rows.rows.checked_mul(length).and_then(|n| n.checked_mul(length));
        let sorted = if length <= MAX_RANKED && pairs.is_some_and(|n| n <= MAX_PAIRS) {
            self.sort_by_rank(op, &flat, rows, order)?
        } else if length <= MAX_ROW {
            self.sort_by_network(op, &flat, rows, order)?
        } else {
            return self.unsupported(op, format!("sorting rows of more than {MAX_ROW} elements"));
        };
        let mut back = vec![0; axes.len()];
        axes.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        let restore = |(e, m): (Expr, &Expr)| self.graph.emit(Op::Transpose(to_axes(&back)), &[&e.reshape(m.shape())]);
        Ok(sorted.into_iter().zip(&moved).map(restore).collect())
    }

    /// True where the left values come before the right ones.
    fn before(&mut self, op: &Operation, left: &[Expr], right: &[Expr], order: Order<'_>) -> Built<Expr> {
        match order {
            Order::Descending => Ok(self.compare_total(&left[0], &right[0], CompareDirection::GT)),
            Order::Region(block, scope) => {
                let args = left.iter().zip(right).flat_map(|(l, r)| [l.clone(), r.clone()]).collect();
                let mut results = self.lifted(op, block, args, scope)?;
                match results.pop() {
                    Some(e) if results.is_empty() && e.dtype() == DType::Bool => Ok(e),
                    _ => self.malformed(op, "the comparator has to give one bool"),
                }
            }
        }
    }

    /// The rank of an element is the number of elements before it; each goes to its rank.
    fn sort_by_rank(&mut self, op: &Operation, x: &[Expr], r: Rows, order: Order<'_>) -> Built<Vec<Expr>> {
        let g = self.graph.clone();
        let cube: Shape = [r.rows, r.length, r.length].into_iter().map(Dim::Const).collect();
        let own: Vec<Expr> = x.iter().map(|e| e.broadcast_in_dim(&cube, &[0, 1])).collect();
        let other: Vec<Expr> = x.iter().map(|e| e.broadcast_in_dim(&cube, &[0, 2])).collect();
        let other_first = self.before(op, &other, &own, order)?;
        let own_first = self.before(op, &own, &other, order)?;
        let earlier = g.iota(DType::I32, &cube, 2).lt(g.iota(DType::I32, &cube, 1));
        let tie = own_first.eq(&other_first);
        let counts = tie.select(&earlier, &other_first);
        let rank = counts.cast::<i32>().reduce(Reducer::Add, [2]);
        let indices = rank.reshape([r.rows, r.length, 1].into_iter().map(Dim::Const).collect::<Shape>());
        let dims = ScatterDims {
            inserted_window_dims: to_axes(&[1]),
            input_batching_dims: to_axes(&[0]),
            scatter_indices_batching_dims: to_axes(&[0]),
            scatter_dims_to_operand_dims: to_axes(&[1]),
            index_vector_dim: 2,
            unique_indices: true,
            ..ScatterDims::default()
        };
        let place = |e: &Expr| e.scatter(&indices, e, dims.clone(), ScatterUpdate::Assign);
        Ok(x.iter().map(place).collect())
    }

    /// Values of each row at these positions of it.
    fn pick(&self, x: &Expr, positions: &Expr, r: Rows) -> Expr {
        let shape = positions.shape();
        let with_vector: Shape = shape.iter().cloned().chain([Dim::Const(1)]).collect();
        let dims = GatherDims {
            collapsed_slice_dims: to_axes(&[1]),
            operand_batching_dims: to_axes(&[0]),
            start_indices_batching_dims: to_axes(&[0]),
            start_index_map: to_axes(&[1]),
            index_vector_dim: 2,
            slice_sizes: [1, 1].into_iter().map(Dim::Const).collect(),
            ..GatherDims::default()
        };
        debug_assert_eq!(shape.first(), Some(&Dim::Const(r.rows)));
        x.gather(&positions.reshape(&with_vector), dims)
    }

    /// Sorts the positions; those beyond the row's end fill it up to a power of two and come last.
    fn sort_by_network(&mut self, op: &Operation, x: &[Expr], r: Rows, order: Order<'_>) -> Built<Vec<Expr>> {
        let g = self.graph.clone();
        let width = (r.length as u64).next_power_of_two() as i64;
        let full = Rows { rows: r.rows, length: width };
        let lane = g.iota(DType::I32, full.shape(), 1);
        let (length, last) = (r.length as i32, width as i32);
        let failure: RefCell<Option<Error>> = RefCell::new(None);
        let this = RefCell::new(&mut *self);
        let init = vec![g.constant(2i32), g.constant(1i32), lane.clone()];
        let done = g.while_loop(
            init,
            |s: Vec<Expr>| s[0].le(last),
            |s: Vec<Expr>| {
                let (span, step, own) = (&s[0], &s[1], &s[2]);
                let mut this = this.borrow_mut();
                let partner_lane = &lane ^ step;
                let partner = this.pick(own, &partner_lane, full);
                let values = |p: &Expr, this: &Self| -> Vec<Expr> {
                    x.iter().map(|e| this.pick(e, &p.clamp(0, length - 1), full)).collect()
                };
                let (mine, theirs) = (values(own, &this), values(&partner, &this));
                let compared = this
                    .before(op, &mine, &theirs, order)
                    .and_then(|a| Ok((a, this.before(op, &theirs, &mine, order)?)));
                let first = match compared {
                    Ok((a, b)) => a.eq(&b).select(own.lt(&partner), a),
                    Err(e) => {
                        failure.borrow_mut().get_or_insert(e);
                        g.poisoned()
                    }
                };
                let padded = own.ge(length) | partner.ge(length);
                let first = padded.select(own.lt(&partner), first);
                let low = (&lane & step).eq(0);
                let up = (&lane & span).eq(0);
                let next = first.eq(low.eq(&up)).select(own, &partner);
                let finished = step.le(1);
                let wider = span * 2;
                let span = finished.select(&wider, span);
                let step = finished.select(&wider / 2, step / 2);
                vec![span, step, next]
            },
        );
        if let Some(e) = failure.into_inner() {
            return Err(e);
        }
        let limit: Vec<Dim> = vec![Dim::Const(r.rows), Dim::Const(r.length)];
        let positions = done[2].slice_general(&[Dim::Const(0), Dim::Const(0)], &limit, &[1, 1]);
        Ok(x.iter().map(|e| self.pick(e, &positions, r)).collect())
    }
}
