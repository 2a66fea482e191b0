//! Building test graphs with few words.

use kiln_ir::op::{Axes, CompareDirection, DotDims, Reducer, ScatterDims, Window, WindowDim};
use kiln_ir::{BinaryOp, DType, Func, InputKind, Loc, Op, Shape, Tensor, TensorType, UnaryOp, Value};
use smallvec::SmallVec;

pub struct G {
    pub f: Func,
}

impl G {
    pub fn new() -> G {
        G { f: Func::new("test") }
    }
    pub fn input(&mut self, dtype: DType, shape: &[usize]) -> Value {
        let name = format!("x{}", self.f.inputs.len());
        self.f.add_input(name, TensorType::new(dtype, shape), InputKind::Feed, Loc::UNKNOWN)
    }
    pub fn x(&mut self, shape: &[usize]) -> Value {
        self.input(DType::F32, shape)
    }
    pub fn op(&mut self, op: Op, operands: &[Value]) -> Value {
        let name = op.name().to_owned();
        self.f.push1(op, operands, Loc::UNKNOWN).unwrap_or_else(|d| panic!("{name}: {d}"))
    }
    /// A node of several results.
    pub fn ops(&mut self, op: Op, operands: &[Value]) -> Vec<Value> {
        let name = op.name().to_owned();
        let id = self.f.push(op, operands, Loc::UNKNOWN).unwrap_or_else(|d| panic!("{name}: {d}"));
        self.f.results(id).collect()
    }
    /// A function of scalars of these types.
    pub fn nested(types: &[DType], build: impl FnOnce(&mut G, &[Value]) -> Vec<Value>) -> Box<Func> {
        let mut g = G::new();
        let params: Vec<Value> = types.iter().map(|t| g.input(*t, &[])).collect();
        let results = build(&mut g, &params);
        results.into_iter().for_each(|v| g.out(v));
        Box::new(g.f)
    }
    pub fn out(&mut self, v: Value) {
        let name = format!("y{}", self.f.outputs.len());
        self.f.add_output(name, v);
    }
    pub fn shape(&self, v: Value) -> Vec<usize> {
        self.f.ty(v).shape.as_sizes().unwrap().to_vec()
    }
    pub fn un(&mut self, op: UnaryOp, x: Value) -> Value {
        self.op(Op::Unary(op), &[x])
    }
    pub fn bin(&mut self, op: BinaryOp, x: Value, y: Value) -> Value {
        self.op(Op::Binary(op), &[x, y])
    }
    pub fn add(&mut self, x: Value, y: Value) -> Value {
        self.bin(BinaryOp::Add, x, y)
    }
    pub fn sub(&mut self, x: Value, y: Value) -> Value {
        self.bin(BinaryOp::Subtract, x, y)
    }
    pub fn mul(&mut self, x: Value, y: Value) -> Value {
        self.bin(BinaryOp::Multiply, x, y)
    }
    pub fn div(&mut self, x: Value, y: Value) -> Value {
        self.bin(BinaryOp::Divide, x, y)
    }
    /// A constant of the shape and dtype of `like`.
    pub fn k(&mut self, v: f32, like: Value) -> Value {
        let (shape, dtype) = (self.shape(like), self.f.ty(like).dtype);
        let c = self.f.constant(Tensor::scalar(v), Loc::UNKNOWN);
        let c = self.op(Op::Convert(dtype), &[c]);
        self.bcast(c, &shape, &[])
    }
    pub fn scalar<T: kiln_ir::Element>(&mut self, v: T) -> Value {
        self.f.constant(Tensor::scalar(v), Loc::UNKNOWN)
    }
    pub fn bcast(&mut self, x: Value, shape: &[usize], dims: &[usize]) -> Value {
        self.op(Op::BroadcastInDim { shape: Shape::from_sizes(shape), dims: dims.into() }, &[x])
    }
    /// Repeats a row value along the last dimension of `like`.
    pub fn rowwise(&mut self, x: Value, like: Value) -> Value {
        let shape = self.shape(like);
        let dims: Vec<usize> = (0..shape.len() - 1).collect();
        self.bcast(x, &shape, &dims)
    }
    /// Repeats a vector over all but the last dimension of `like`.
    pub fn colwise(&mut self, x: Value, like: Value) -> Value {
        let shape = self.shape(like);
        self.bcast(x, &shape, &[shape.len() - 1])
    }
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Value {
        self.op(Op::Reshape(Shape::from_sizes(shape)), &[x])
    }
    pub fn transpose(&mut self, x: Value, perm: &[usize]) -> Value {
        self.op(Op::Transpose(perm.into()), &[x])
    }
    pub fn reduce(&mut self, x: Value, axes: &[usize], reducer: Reducer) -> Value {
        let dtype = self.f.ty(x).dtype;
        let init = match reducer {
            Reducer::Maximum => f32::NEG_INFINITY,
            Reducer::Minimum => f32::INFINITY,
            Reducer::Multiply | Reducer::And => 1.0,
            Reducer::Add | Reducer::Or | Reducer::Xor => 0.0,
        };
        let init = self.scalar(init);
        let init = self.op(Op::Convert(dtype), &[init]);
        self.op(Op::Reduce { axes: axes.into(), reducer }, &[x, init])
    }
    pub fn sum(&mut self, x: Value, axes: &[usize]) -> Value {
        self.reduce(x, axes, Reducer::Add)
    }
    pub fn last(&self, x: Value) -> usize {
        self.shape(x).len() - 1
    }
    pub fn mean_rows(&mut self, x: Value) -> Value {
        let last = self.last(x);
        let n = self.shape(x)[last] as f32;
        let s = self.sum(x, &[last]);
        let n = self.k(n, s);
        self.div(s, n)
    }
    pub fn cmp(&mut self, d: CompareDirection, x: Value, y: Value) -> Value {
        self.op(Op::Compare(d), &[x, y])
    }
    pub fn slice(&mut self, x: Value, start: &[i64], limit: &[i64], strides: &[i64]) -> Value {
        let dims = |v: &[i64]| v.iter().map(|&n| n.into()).collect::<SmallVec<_>>();
        self.op(Op::Slice { start: dims(start), limit: dims(limit), strides: strides.into() }, &[x])
    }
    pub fn pad(&mut self, x: Value, v: Value, low: &[i64], high: &[i64], interior: &[i64]) -> Value {
        let dims = |v: &[i64]| v.iter().map(|&n| n.into()).collect::<SmallVec<_>>();
        self.op(Op::Pad { low: dims(low), high: dims(high), interior: interior.into() }, &[x, v])
    }
    pub fn iota(&mut self, dtype: DType, shape: &[usize], dim: usize) -> Value {
        self.op(Op::Iota { ty: TensorType::new(dtype, shape), dim }, &[])
    }
    /// `[m, k] x [k, n]`.
    pub fn dot(&mut self, x: Value, y: Value) -> Value {
        let dims = DotDims {
            lhs_contract: Axes::from_slice(&[1]),
            rhs_contract: Axes::from_slice(&[0]),
            ..DotDims::default()
        };
        self.op(Op::DotGeneral(dims), &[x, y])
    }
    pub fn softmax(&mut self, x: Value) -> Value {
        let last = self.last(x);
        let m = self.reduce(x, &[last], Reducer::Maximum);
        let m = self.rowwise(m, x);
        let d = self.sub(x, m);
        let e = self.un(UnaryOp::Exponential, d);
        let s = self.sum(e, &[last]);
        let s = self.rowwise(s, x);
        self.div(e, s)
    }
    /// `(y, normalized, 1 / deviation as [rows])`.
    pub fn layernorm(&mut self, x: Value, gamma: Value, beta: Value) -> (Value, Value, Value) {
        let m = self.mean_rows(x);
        let m = self.rowwise(m, x);
        let d = self.sub(x, m);
        let sq = self.mul(d, d);
        let v = self.mean_rows(sq);
        let eps = self.k(1e-5, v);
        let v = self.add(v, eps);
        let r = self.un(UnaryOp::Rsqrt, v);
        let rb = self.rowwise(r, x);
        let n = self.mul(d, rb);
        let g = self.colwise(gamma, x);
        let b = self.colwise(beta, x);
        let y = self.mul(n, g);
        (self.add(y, b), n, r)
    }
    pub fn gelu_tanh(&mut self, x: Value) -> Value {
        let x2 = self.mul(x, x);
        let x3 = self.mul(x2, x);
        let a = self.k(0.044715, x);
        let t = self.mul(a, x3);
        let t = self.add(x, t);
        let c = self.k(0.797_884_6, x);
        let t = self.mul(c, t);
        let t = self.un(UnaryOp::Tanh, t);
        let one = self.k(1.0, x);
        let t = self.add(t, one);
        let half = self.k(0.5, x);
        let h = self.mul(half, x);
        self.mul(h, t)
    }
}

/// Windows over three dimensions, as [`windows`] takes them: with gaps, padding, holes, negative padding.
pub const WINDOWS: [[(i64, i64, i64, i64, i64, i64); 3]; 5] = [
    [(1, 1, 0, 0, 1, 1), (2, 2, 0, 0, 1, 1), (2, 2, 0, 0, 1, 1)],
    [(1, 1, 0, 0, 1, 1), (3, 2, 1, 1, 1, 1), (3, 1, 1, 2, 1, 1)],
    [(2, 1, 0, 1, 1, 1), (5, 1, 2, 2, 1, 1), (5, 3, 2, 2, 1, 1)],
    [(1, 1, 0, 0, 1, 1), (2, 1, 0, 1, 2, 1), (2, 1, 1, 0, 1, 3)],
    [(1, 1, -1, 0, 1, 1), (3, 1, -1, 2, 1, 2), (1, 2, 0, 0, 3, 1)],
];

/// A window of dimensions given as size, stride, padding below and above, dilation of the base and of the window.
pub fn windows(dims: &[(i64, i64, i64, i64, i64, i64)]) -> Box<Window> {
    let dim = |&(size, stride, pad_low, pad_high, base_dilation, window_dilation): &(i64, i64, i64, i64, i64, i64)| {
        WindowDim { size, stride, pad_low, pad_high, base_dilation, window_dilation, reversed: false }
    };
    Box::new(Window { dims: dims.iter().map(dim).collect() })
}

/// Scatters to whole rows, of which the indices give the first dimension.
pub fn rows_of(rank: usize) -> ScatterDims {
    ScatterDims {
        update_window_dims: (1..rank).collect(),
        inserted_window_dims: [0].as_slice().into(),
        scatter_dims_to_operand_dims: [0].as_slice().into(),
        index_vector_dim: 1,
        ..ScatterDims::default()
    }
}
