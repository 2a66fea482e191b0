//! Data movement, contractions, reductions, gather and scatter.

use super::{Entry, Gen, MAX_ELEMENTS, epsilon, magnitude, sums};
use kiln::ir::op::{ArgKind, Axes, DotDims, GatherDims, Ints, Reducer, ScatterDims, ScatterUpdate};
use kiln::ir::{DType, Dim, Op, Shape, Tensor};
use smallvec::SmallVec;

fn dims(v: impl IntoIterator<Item = i64>) -> SmallVec<[Dim; 4]> {
    v.into_iter().map(Dim::Const).collect()
}

fn axes(v: &[usize]) -> Axes {
    v.iter().copied().collect()
}

impl Gen {
    pub(super) fn broadcast(&mut self) -> Option<Entry> {
        let x = self.find(|_| true)?;
        let small = x.tensor.shape().to_vec();
        let extra = self.rng.below(3);
        let rank = small.len() + extra;
        if rank > 5 {
            return None;
        }
        let positions = self.rng.subset(rank, small.len());
        let mut shape: Vec<usize> = (0..rank).map(|_| 1 + self.rng.below(5)).collect();
        for (&at, &n) in positions.iter().zip(&small) {
            shape[at] = if n == 1 && self.rng.one_in(2) { 1 + self.rng.below(9) } else { n };
        }
        if shape.iter().product::<usize>() > MAX_ELEMENTS {
            return None;
        }
        // The order of the dimensions may change too.
        let op = Op::BroadcastInDim { shape: Shape::from_sizes(&shape), dims: axes(&positions) };
        self.emit_moved(op, &[&x])
    }

    pub(super) fn reshape(&mut self) -> Option<Entry> {
        let x = self.find(|_| true)?;
        let mut rest = x.tensor.len();
        let mut shape = Vec::new();
        if rest == 0 {
            shape = vec![self.rng.below(4), 0, 3];
        } else {
            for _ in 0..self.rng.below(4) {
                let divisors: Vec<usize> = (1..=rest.min(64)).filter(|d| rest.is_multiple_of(*d)).collect();
                let d = *self.rng.pick(&divisors);
                shape.push(d);
                rest /= d;
            }
            if rest > 1 || self.rng.one_in(3) {
                shape.push(rest);
            }
        }
        self.emit_moved(Op::Reshape(Shape::from_sizes(&shape)), &[&x])
    }

    pub(super) fn transpose_or_reverse(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0)?;
        let rank = x.tensor.rank();
        if self.rng.one_in(3) {
            let k = 1 + self.rng.below(rank);
            let list = self.rng.subset(rank, k);
            return self.emit_moved(Op::Reverse(axes(&list)), &[&x]);
        }
        let p = self.rng.permutation(rank);
        self.emit_moved(Op::Transpose(axes(&p)), &[&x])
    }

    pub(super) fn slice(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0)?;
        let (mut start, mut limit, mut strides) = (Vec::new(), Vec::new(), Ints::new());
        for &n in x.tensor.shape() {
            let a = self.rng.below(n + 1);
            let b = if self.rng.one_in(12) { a } else { (a + 1 + self.rng.below(n + 1)).min(n) };
            start.push(a.min(n) as i64);
            limit.push(b as i64);
            strides.push(if self.rng.one_in(3) { self.rng.range(1, 4) } else { 1 });
        }
        self.emit_moved(Op::Slice { start: dims(start), limit: dims(limit), strides }, &[&x])
    }

    /// Scalar start indices, sometimes out of range.
    fn starts(&mut self, shape: &[usize]) -> Vec<Entry> {
        let dtype = *self.rng.pick(&[DType::I32, DType::I64, DType::U8]);
        shape
            .iter()
            .map(|&n| {
                let low = if dtype == DType::U8 { 0 } else { -2 };
                let at = self.rng.range(low, n as i64 + 2);
                let e = self.scalar(dtype, at as f64);
                if self.rng.one_in(2) { self.input(e.tensor) } else { e }
            })
            .collect()
    }

    pub(super) fn dynamic_slice(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0)?;
        let shape = x.tensor.shape().to_vec();
        let sizes: Vec<usize> = shape.iter().map(|&n| if n == 0 { 0 } else { 1 + self.rng.below(n) }).collect();
        let starts = self.starts(&shape);
        if self.rng.one_in(2) {
            let operands: Vec<&Entry> = std::iter::once(&x).chain(&starts).collect();
            return self.emit_moved(Op::DynamicSlice { sizes: Shape::from_sizes(&sizes) }, &operands);
        }
        let update = self.tensor_of(x.tensor.dtype(), &sizes);
        let update = self.input(update);
        let operands: Vec<&Entry> = [&x, &update].into_iter().chain(&starts).collect();
        self.emit_moved(Op::DynamicUpdateSlice, &operands)
    }

    pub(super) fn concatenate(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0)?;
        let axis = self.rng.below(x.tensor.rank());
        let mut parts = vec![x.clone()];
        for _ in 0..self.rng.below(4) {
            let mut shape = x.tensor.shape().to_vec();
            let fits = |e: &Entry| {
                let s = e.tensor.shape();
                e.tensor.dtype() == x.tensor.dtype()
                    && s.len() == shape.len()
                    && (0..s.len()).all(|d| d == axis || s[d] == shape[d])
            };
            let part = match self.find(fits) {
                Some(p) => p,
                None => {
                    shape[axis] = self.rng.below(5);
                    let t = self.tensor_of(x.tensor.dtype(), &shape);
                    self.constant(t)
                }
            };
            parts.push(part);
        }
        if parts.iter().map(|p| p.tensor.len()).sum::<usize>() > MAX_ELEMENTS {
            return None;
        }
        self.emit_moved(Op::Concatenate(axis), &parts.iter().collect::<Vec<_>>())
    }

    pub(super) fn pad(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0)?;
        let value = self.tensor_of(x.tensor.dtype(), &[]);
        let value = self.constant(value);
        let (mut low, mut high, mut interior) = (Vec::new(), Vec::new(), Ints::new());
        let mut total = 1;
        for &n in x.tensor.shape() {
            let (l, h) = (self.rng.range(-2, 4), self.rng.range(-2, 4));
            let i = if self.rng.one_in(3) { self.rng.range(0, 2) } else { 0 };
            let n = n as i64;
            let size = n + l + h + i * (n - 1).max(0);
            if size < 0 {
                return None;
            }
            total *= size as usize;
            low.push(l);
            high.push(h);
            interior.push(i);
        }
        if total > MAX_ELEMENTS {
            return None;
        }
        self.emit_moved(Op::Pad { low: dims(low), high: dims(high), interior }, &[&x, &value])
    }

    pub(super) fn dot(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0 && e.tensor.len() <= 600 && sums(e.tensor.dtype()))?;
        let dtype = x.tensor.dtype();
        let rank = x.tensor.rank();
        let x = if dtype.is_float() { self.clamped(&x, -8.0, 8.0)? } else { x };
        let contract_count = self.rng.below(rank.min(2) + 1);
        let mut order = self.rng.permutation(rank);
        let contract: Vec<usize> = order.drain(..contract_count).collect();
        let batch_count = self.rng.below(order.len().min(2) + 1);
        let batch: Vec<usize> = order.drain(..batch_count).collect();
        // The right side: the same dimensions in random places among free ones.
        let free: Vec<usize> = (0..self.rng.below(3)).map(|_| 1 + self.rng.below(9)).collect();
        let s = x.tensor.shape();
        let sizes: Vec<usize> = contract.iter().chain(&batch).map(|&d| s[d]).chain(free.iter().copied()).collect();
        let order = self.rng.permutation(sizes.len());
        let shape: Vec<usize> = order.iter().map(|&i| sizes[i]).collect();
        let place = |i: usize| order.iter().position(|&o| o == i);
        let k: usize = contract.iter().map(|&d| s[d]).product();
        let result: usize = (0..rank).filter(|d| !contract.contains(d)).map(|d| s[d]).product::<usize>()
            * free.iter().product::<usize>();
        if result > MAX_ELEMENTS || shape.iter().product::<usize>() > MAX_ELEMENTS {
            return None;
        }
        let y = self.tensor_of(dtype, &shape);
        let y = self.input(y);
        let y = if dtype.is_float() { self.clamped(&y, -8.0, 8.0)? } else { y };
        let c = contract.len();
        let op = Op::DotGeneral(DotDims {
            lhs_batch: axes(&batch),
            rhs_batch: (0..batch.len()).map(|i| place(c + i)).collect::<Option<Axes>>()?,
            lhs_contract: axes(&contract),
            rhs_contract: (0..c).map(place).collect::<Option<Axes>>()?,
            result: None,
        });
        let error = self.sum_of_products(&x, &y, k);
        self.emit(op, &[&x, &y], error)
    }

    /// The error of a sum of `k` products: the operands' own, the rounding of the sum, that of the result.
    pub(super) fn sum_of_products(&self, x: &Entry, y: &Entry, k: usize) -> impl Fn(&Tensor) -> f64 + use<> {
        let (mx, my, ex, ey) = (magnitude(&x.tensor), magnitude(&y.tensor), x.error, y.error);
        let eps = epsilon(x.tensor.dtype());
        let (k, sum_eps) = (k as f64, eps.min(f64::from(f32::EPSILON)));
        // The sign of a zero sum is not kept: a little more than nothing is allowed.
        move |r| {
            let carried = k * (mx * ey + my * ex + ex * ey);
            carried + (k + 2.0) * sum_eps * k * mx * my + eps * magnitude(r) + f64::MIN_POSITIVE
        }
    }

    pub(super) fn reduce(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0 && sums(e.tensor.dtype()))?;
        let dtype = x.tensor.dtype();
        let rank = x.tensor.rank();
        let count = 1 + self.rng.below(rank);
        let list = self.rng.subset(rank, count);
        let n: usize = list.iter().map(|&d| x.tensor.shape()[d]).product();
        let reducer = *self.rng.pick(&Reducer::ALL);
        let op = Op::Reduce { axes: axes(&list), reducer };
        let eps = epsilon(dtype);
        match reducer {
            Reducer::Add if dtype.is_float() => {
                let x = self.clamped(&x, -16.0, 16.0)?;
                let init = self.scalar(dtype, 0.5);
                let (m, e, n) = (magnitude(&x.tensor), x.error, n as f64);
                let sum_eps = eps.min(f64::from(f32::EPSILON));
                self.emit(op, &[&x, &init], |r| n * e + (n + 2.0) * sum_eps * (n * m + 1.0) + eps * magnitude(r))
            }
            Reducer::Multiply if dtype.is_float() => {
                let x = self.clamped(&x, -1.0, 1.0)?;
                let init = self.scalar(dtype, 2.0);
                let (e, n) = (x.error, n as f64);
                self.emit(op, &[&x, &init], |r| {
                    2.0 * n * e + (n + 2.0) * eps * magnitude(r) + f64::from(f32::MIN_POSITIVE)
                })
            }
            _ => {
                let init = self.tensor_of(dtype, &[]);
                let init = self.constant(init);
                self.emit_moved(op, &[&x, &init])
            }
        }
    }

    pub(super) fn arg_reduce(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0 && e.error == 0.0 && !e.tensor.is_empty())?;
        let axis = self.rng.below(x.tensor.rank());
        let kind = *self.rng.pick(&[ArgKind::Min, ArgKind::Max]);
        let dtype = *self.rng.pick(&[DType::I32, DType::I64, DType::U32]);
        self.emit_moved(Op::ArgReduce { axis, kind, dtype }, &[&x])
    }

    pub(super) fn gather_or_scatter(&mut self) -> Option<Entry> {
        let x = self.find(|e| e.tensor.rank() > 0 && !e.tensor.is_empty())?;
        let shape = x.tensor.shape().to_vec();
        let rank = shape.len();
        let components = 1 + self.rng.below(rank);
        let index_map: Vec<usize> = self.rng.permutation(rank)[..components].to_vec();
        let sizes: Vec<usize> = (0..rank)
            .map(|d| if index_map.contains(&d) { 1 + self.rng.below(shape[d].min(3)) } else { shape[d] })
            .collect();
        let collapsible: Vec<usize> = (0..rank).filter(|&d| sizes[d] == 1).collect();
        let collapsed: Vec<usize> = collapsible.into_iter().filter(|_| self.rng.one_in(2)).collect();
        let batch: Vec<usize> = (0..self.rng.below(3)).map(|_| 1 + self.rng.below(6)).collect();
        let window: Vec<usize> = (0..rank).filter(|d| !collapsed.contains(d)).map(|d| sizes[d]).collect();
        if batch.iter().chain(&window).product::<usize>() > MAX_ELEMENTS {
            return None;
        }
        let indices = self.index_tensor(&shape, &index_map, &batch);
        let offsets = self.rng.subset(batch.len() + window.len(), window.len());
        let index_vector_dim = batch.len();
        if self.rng.one_in(2) {
            let op = Op::Gather(Box::new(GatherDims {
                offset_dims: axes(&offsets),
                collapsed_slice_dims: axes(&collapsed),
                start_index_map: axes(&index_map),
                index_vector_dim,
                slice_sizes: Shape::from_sizes(&sizes),
                ..GatherDims::default()
            }));
            return self.emit_moved(op, &[&x, &indices]);
        }
        let mut updates_shape = vec![0; batch.len() + window.len()];
        let (mut b, mut w) = (batch.iter(), window.iter());
        for (d, n) in updates_shape.iter_mut().enumerate() {
            *n = *if offsets.contains(&d) { w.next()? } else { b.next()? };
        }
        self.scatter(&x, &indices, &updates_shape, &offsets, &collapsed, &index_map, index_vector_dim)
    }

    /// Start indices `[batch..., components]`, now and then out of range.
    fn index_tensor(&mut self, shape: &[usize], map: &[usize], batch: &[usize]) -> Entry {
        let count: usize = batch.iter().product();
        let mut data = Vec::with_capacity(count * map.len());
        for _ in 0..count {
            for &d in map {
                let n = shape[d] as i64;
                data.push(if self.rng.one_in(8) { self.rng.range(-2, n + 2) } else { self.rng.range(0, n - 1) } as i32);
            }
        }
        let shape: Vec<usize> = batch.iter().copied().chain([map.len()]).collect();
        let indices = Tensor::from_vec(shape, data).expect("as many as the shape has");
        if self.rng.one_in(3) { self.constant(indices) } else { self.input(indices) }
    }

    fn scatter(
        &mut self,
        x: &Entry,
        indices: &Entry,
        updates_shape: &[usize],
        window: &[usize],
        inserted: &[usize],
        map: &[usize],
        index_vector_dim: usize,
    ) -> Option<Entry> {
        let dtype = x.tensor.dtype();
        let updates = self.tensor_of(dtype, updates_shape);
        let updates = self.input(updates);
        let combine =
            [ScatterUpdate::Combine(Reducer::Add), ScatterUpdate::Combine(Reducer::Maximum), ScatterUpdate::Assign];
        let update = if sums(dtype) { *self.rng.pick(&combine) } else { ScatterUpdate::Assign };
        let dims = Box::new(ScatterDims {
            update_window_dims: axes(window),
            inserted_window_dims: axes(inserted),
            scatter_dims_to_operand_dims: axes(map),
            index_vector_dim,
            ..ScatterDims::default()
        });
        let op = Op::Scatter { dims, update };
        if update != ScatterUpdate::Combine(Reducer::Add) || !dtype.is_float() {
            return self.emit_moved(op, &[x, indices, &updates]);
        }
        let (x, updates) = (self.clamped(x, -16.0, 16.0)?, self.clamped(&updates, -16.0, 16.0)?);
        let (error, eps, n) = (x.error, epsilon(dtype), updates.tensor.len() as f64);
        self.emit(op, &[&x, indices, &updates], |r| error + eps * (n + 1.0) * magnitude(r).max(16.0 * n))
    }
}
