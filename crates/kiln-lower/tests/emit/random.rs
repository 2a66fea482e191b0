//! Random graphs, fused, against the reference interpreter.

use crate::driver::{Data, Rng, check_data};
use crate::graph::{G, rows_of};
use kiln_ir::op::{ArgKind, Axes, CompareDirection, GatherDims, Reducer, ScatterUpdate, Window, WindowDim};
use kiln_ir::{BinaryOp, DType, Op, Shape, UnaryOp, Value};

struct Random {
    g: G,
    rng: Rng,
    values: Vec<Value>,
}

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.rng.below(n)
    }

    fn dim(&mut self) -> usize {
        [0, 1, 1, 2, 3, 4, 5, 7, 8, 16, 33][self.below(11).max(usize::from(self.below(8) > 0))]
    }

    /// Mostly a recent value.
    fn pick(&mut self) -> Value {
        let n = self.values.len();
        let back = if self.below(3) == 0 { self.below(n) } else { self.below(n.min(4)) };
        self.values[n - 1 - back]
    }

    /// A value of this dtype and shape: an existing one, or a broadcast, or a new input.
    fn like(&mut self, v: Value) -> Value {
        let (ty, shape) = (self.g.f.ty(v).clone(), self.g.shape(v));
        let same: Vec<Value> = self.values.iter().copied().filter(|o| *self.g.f.ty(*o) == ty).collect();
        if self.below(3) > 0 {
            let k = self.below(same.len());
            return same[k];
        }
        let kept: Vec<usize> = (0..shape.len()).filter(|_| self.below(2) == 0).collect();
        let small: Vec<usize> = kept.iter().map(|d| shape[*d]).collect();
        let found =
            self.values.iter().copied().find(|o| self.g.f.ty(*o).dtype == ty.dtype && self.g.shape(*o) == small);
        let x = found.unwrap_or_else(|| self.g.input(ty.dtype, &small));
        self.g.bcast(x, &shape, &kept)
    }

    fn step(&mut self) {
        let v = self.pick();
        let (dtype, shape) = (self.g.f.ty(v).dtype, self.g.shape(v));
        let rank = shape.len();
        let axis = self.below(rank);
        let made = match self.below(25) {
            0 | 1 => self.unary(v, dtype),
            2..=4 => {
                let o = self.like(v);
                self.binary(v, o, dtype)
            }
            5 if dtype != DType::Bool => {
                let o = self.like(v);
                let i = self.g.iota(DType::I32, &shape_or_one(&shape), axis.min(rank.saturating_sub(1)));
                let k = self.g.scalar(2i32);
                let k = self.g.bcast(k, &shape_or_one(&shape), &[]);
                let p = self.g.cmp(CompareDirection::LT, i, k);
                let p = self.g.reshape(p, &shape);
                self.g.op(Op::Select, &[p, v, o])
            }
            6 => {
                let to = [DType::F32, DType::F32, DType::I32, DType::F16, DType::BF16, DType::U8][self.below(6)];
                let from_float = dtype.is_float() && !to.is_float();
                // A float near an integer may truncate either way.
                if from_float { v } else { self.g.op(Op::Convert(to), &[v]) }
            }
            7 if rank > 0 => {
                let mut perm: Vec<usize> = (0..rank).collect();
                let other = self.below(rank);
                perm.swap(axis, other);
                self.g.transpose(v, &perm)
            }
            8 => {
                let n: usize = shape.iter().product();
                let d = [2, 3, 4, 8].into_iter().find(|d| n > 0 && n.is_multiple_of(*d));
                match d {
                    Some(d) => self.g.reshape(v, &[d, n / d]),
                    None => self.g.reshape(v, &[n]),
                }
            }
            9 | 10 if rank > 0 && dtype != DType::Bool => {
                let kept = self.below(4) == 0;
                let axes: Vec<usize> = if kept { (0..rank).filter(|d| *d != axis).collect() } else { vec![rank - 1] };
                let r = [Reducer::Add, Reducer::Maximum, Reducer::Minimum][self.below(3)];
                if dtype.is_float() {
                    let s = self.g.reduce(v, &axes, r);
                    let dims: Vec<usize> = (0..rank).filter(|d| !axes.contains(d)).collect();
                    if self.below(2) == 0 { self.g.bcast(s, &shape, &dims) } else { s }
                } else {
                    let zero = self.g.scalar(0i32);
                    let zero = self.g.op(Op::Convert(dtype), &[zero]);
                    self.g.op(Op::Reduce { axes: Axes::from_slice(&axes), reducer: r }, &[v, zero])
                }
            }
            11 if rank > 0 && shape[axis] > 1 => {
                let mut start = vec![0; rank];
                let limit: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
                start[axis] = 1;
                let stride = 1 + self.below(2) as i64;
                let strides: Vec<i64> = (0..rank).map(|d| if d == axis { stride } else { 1 }).collect();
                self.g.slice(v, &start, &limit, &strides)
            }
            12 if rank > 0 => {
                let o = self.like(v);
                self.g.op(Op::Concatenate(axis), &[v, o])
            }
            13 if rank > 0 && dtype.is_float() => {
                let p = self.g.scalar(0.5f32);
                let p = self.g.op(Op::Convert(dtype), &[p]);
                let amounts: Vec<i64> = (0..rank).map(|_| self.below(4) as i64 - 1).collect();
                let high: Vec<i64> = amounts.iter().map(|a| (*a).max(0)).collect();
                if shape.contains(&0) {
                    v
                } else {
                    let interior: Vec<i64> = (0..rank).map(|_| i64::from(self.below(5) == 0)).collect();
                    self.g.pad(v, p, &amounts, &high, &interior)
                }
            }
            14 if rank > 0 => self.g.op(Op::Reverse(Axes::from_slice(&[axis])), &[v]),
            15 if rank > 0 && dtype.is_float() && !shape.contains(&0) => {
                let init = self.g.scalar(f32::NEG_INFINITY);
                let init = self.g.op(Op::Convert(dtype), &[init]);
                let size = 1 + self.below(shape[axis].min(3)) as i64;
                let w = WindowDim { size, stride: 1 + self.below(2) as i64, ..WindowDim::TRIVIAL };
                let dims = (0..rank).map(|d| if d == axis { w } else { WindowDim::TRIVIAL }).collect();
                let op = Op::ReduceWindow { window: Box::new(Window { dims }), reducer: Reducer::Maximum };
                self.g.op(op, &[v, init])
            }
            16 if rank > 0 && shape[axis] > 0 && dtype.is_int() => {
                self.g.op(Op::ArgReduce { axis, kind: ArgKind::Max, dtype: DType::I32 }, &[v])
            }
            17 if rank == 2 && dtype.is_float() => {
                let n = self.dim();
                let w = self.g.input(dtype, &[shape[1], n]);
                let d = self.g.dot(v, w);
                self.g.un(UnaryOp::Tanh, d)
            }
            18 if rank > 0 && shape[0] > 0 => {
                let n = self.dim();
                let i = self.g.input(DType::I32, &[n]);
                let mut slice = shape.clone();
                slice[0] = 1;
                let dims = GatherDims {
                    offset_dims: (1..rank).collect(),
                    collapsed_slice_dims: Axes::from_slice(&[0]),
                    start_index_map: Axes::from_slice(&[0]),
                    index_vector_dim: 1,
                    slice_sizes: Shape::from_sizes(&slice),
                    ..GatherDims::default()
                };
                self.g.op(Op::Gather(Box::new(dims)), &[v, i])
            }
            19 if rank > 0 && dtype.is_float() => {
                let (i, u) = self.rows_to_scatter(dtype, &shape);
                let dims = rows_of(rank);
                let update = ScatterUpdate::Combine(Reducer::Add);
                self.g.op(Op::Scatter { dims: Box::new(dims), update }, &[v, i, u])
            }
            20 if rank > 0 => {
                let i = self.g.input(DType::I32, &[]);
                let half: Vec<usize> = shape.iter().map(|n| n.div_ceil(2)).collect();
                let u = self.g.input(dtype, &half);
                let u = if dtype == DType::Bool { u } else { self.unary(u, dtype) };
                let starts = [v, u].into_iter().chain(std::iter::repeat_n(i, rank));
                let operands: Vec<Value> = starts.collect();
                self.g.op(Op::DynamicUpdateSlice, &operands)
            }
            21 if rank > 0 => self.sort(v, axis),
            22 if rank > 0 && dtype != DType::Bool => {
                let init = self.g.input(dtype, &[]);
                let axes: Vec<usize> = (0..rank).filter(|d| *d == axis || self.below(3) == 0).collect();
                self.g.op(Op::GenericReduce { axes: Axes::from_slice(&axes), body: fading(dtype) }, &[v, init])
            }
            23 if rank > 0 && dtype != DType::Bool => {
                let init = self.g.input(dtype, &[]);
                let size = 1 + self.below(3) as i64;
                let w = WindowDim { size, pad_low: 1, pad_high: size - 1, ..WindowDim::TRIVIAL };
                let dims = (0..rank).map(|d| if d == axis { w } else { WindowDim::TRIVIAL }).collect();
                let op = Op::GenericReduceWindow { window: Box::new(Window { dims }), body: fading(dtype) };
                self.g.op(op, &[v, init])
            }
            24 if rank > 0 && dtype != DType::Bool => {
                let (i, u) = self.rows_to_scatter(dtype, &shape);
                let dims = rows_of(rank);
                self.g.op(Op::GenericScatter { dims: Box::new(dims), body: fading(dtype) }, &[v, i, u])
            }
            _ => {
                let i = self.g.input(DType::I32, &[]);
                let half: Vec<usize> = shape.iter().map(|n| n.div_ceil(2)).collect();
                let starts = std::iter::once(v).chain(std::iter::repeat_n(i, rank));
                let operands: Vec<Value> = starts.collect();
                self.g.op(Op::DynamicSlice { sizes: Shape::from_sizes(&half) }, &operands)
            }
        };
        if self.g.f.ty(made).shape.num_elements().is_some_and(|n| n <= 4096) {
            self.values.push(made);
        }
    }

    /// Floats alone, by an order in which neither the sign of zero nor that of NaN counts; ints with their positions.
    fn sort(&mut self, v: Value, dim: usize) -> Value {
        let (dtype, shape) = (self.g.f.ty(v).dtype, self.g.shape(v));
        let stable = true;
        if dtype.is_float() {
            let comparator = G::nested(&[dtype; 2], |g, p| {
                let less = g.cmp(CompareDirection::LT, p[0], p[1]);
                let (number, nan) = (g.cmp(CompareDirection::EQ, p[0], p[0]), g.cmp(CompareDirection::NE, p[1], p[1]));
                let last = g.bin(BinaryOp::And, number, nan);
                vec![g.bin(BinaryOp::Or, less, last)]
            });
            return self.g.op(Op::Sort { dim, stable, comparator }, &[v]);
        }
        let i = self.g.iota(DType::I32, &shape, dim);
        let types = [dtype, dtype, DType::I32, DType::I32];
        let comparator = G::nested(&types, |g, p| vec![g.cmp(CompareDirection::GT, p[0], p[1])]);
        let sorted = self.g.ops(Op::Sort { dim, stable, comparator }, &[v, i]);
        sorted[self.below(2)]
    }

    /// Places along the first dimension, and a row for each.
    fn rows_to_scatter(&mut self, dtype: DType, shape: &[usize]) -> (Value, Value) {
        let n = self.dim();
        let i = self.g.input(DType::I32, &[n]);
        let mut window = shape.to_vec();
        window[0] = n;
        let u = self.g.input(dtype, &window);
        (i, self.unary(u, dtype))
    }

    fn unary(&mut self, v: Value, dtype: DType) -> Value {
        let op = if dtype == DType::Bool {
            UnaryOp::Not
        } else if dtype.is_float() {
            [UnaryOp::Tanh, UnaryOp::Negate, UnaryOp::Abs, UnaryOp::Logistic, UnaryOp::Cosine][self.below(5)]
        } else if dtype.is_signed_int() {
            [UnaryOp::Negate, UnaryOp::Abs, UnaryOp::Not][self.below(3)]
        } else {
            UnaryOp::Not
        };
        self.g.un(op, v)
    }

    fn binary(&mut self, v: Value, o: Value, dtype: DType) -> Value {
        use BinaryOp::{Add, And, Maximum, Minimum, Multiply, Or, Subtract, Xor};
        if dtype == DType::Bool {
            let op = [And, Or, Xor][self.below(3)];
            return self.g.bin(op, v, o);
        }
        let op = [Add, Subtract, Multiply, Maximum, Minimum][self.below(5)];
        let r = self.g.bin(op, v, o);
        // Keeps magnitudes and with them rounding errors small.
        if dtype.is_float() { self.g.un(UnaryOp::Tanh, r) } else { r }
    }
}

/// `(acc, x) -> max(acc / 2 + x / 4, x)`, of ints `acc / 2 + x`: what came last counts most.
fn fading(dtype: DType) -> Box<kiln_ir::Func> {
    G::nested(&[dtype; 2], |g, p| {
        let half = g.k(if dtype.is_float() { 0.5 } else { 2.0 }, p[0]);
        if !dtype.is_float() {
            let acc = g.bin(BinaryOp::Divide, p[0], half);
            return vec![g.add(acc, p[1])];
        }
        let (acc, x) = (g.mul(p[0], half), g.mul(p[1], half));
        let x = g.mul(x, half);
        let sum = g.add(acc, x);
        vec![g.bin(BinaryOp::Maximum, sum, p[1])]
    })
}

/// Scalars count along a dimension of size 1.
fn shape_or_one(shape: &[usize]) -> Vec<usize> {
    if shape.is_empty() { vec![1] } else { shape.to_vec() }
}

#[test]
fn random_graphs() {
    for seed in 0..300 {
        let mut r = Random { g: G::new(), rng: Rng(seed), values: Vec::new() };
        for _ in 0..2 {
            let rank = r.below(4);
            let shape: Vec<usize> = (0..rank).map(|_| r.dim()).collect();
            let dtype = [DType::F32, DType::F32, DType::F32, DType::I32, DType::BF16, DType::Bool][r.below(6)];
            let v = r.g.input(dtype, &shape);
            r.values.push(v);
        }
        for _ in 0..4 + r.below(24) {
            r.step();
        }
        let n = r.values.len();
        for k in 0..n {
            let last = k + 1 == n;
            if last || r.below(4) == 0 {
                let v = r.values[k];
                r.g.out(v);
            }
        }
        check_data(r.g, if seed % 3 == 0 { Data::Special } else { Data::Plain });
    }
}
