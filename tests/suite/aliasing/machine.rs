//! Random state machines: functions whose variables, loops and branches share and overwrite memory in many ways. All
//! arithmetic is on wrapping integers, so results are exact.

use kiln::ir::op::{CompareDirection, DotDims, GatherDims, Reducer, ScatterDims, ScatterUpdate};
use kiln::ir::{BinaryOp, DType, Dim, Func, Initializer, InputKind, Loc, Op, Output, OutputKind, Shape};
use kiln::ir::{TensorType, Value};
use kiln::prelude::Tensor;
use kiln_testing::Rng;
use smallvec::smallvec;

/// A function under construction; `values` all have the type `i32[2m]`.
struct Body {
    func: Func,
    values: Vec<Value>,
    m: usize,
}

impl Body {
    fn new(name: &str, m: usize) -> Body {
        Body { func: Func::new(name), values: Vec::new(), m }
    }
    fn ty(&self) -> TensorType {
        TensorType::new(DType::I32, [2 * self.m].as_slice())
    }
    fn push(&mut self, op: Op, operands: &[Value]) -> Value {
        self.func.push1(op, operands, Loc::UNKNOWN).unwrap_or_else(|e| panic!("{e}"))
    }
    fn scalar(&mut self, x: i32) -> Value {
        self.func.constant(Tensor::scalar(x), Loc::UNKNOWN)
    }
    fn reshape(&mut self, v: Value, shape: &[usize]) -> Value {
        self.push(Op::Reshape(Shape::from_sizes(shape)), &[v])
    }
    fn slice(&mut self, v: Value, start: usize, limit: usize) -> Value {
        let dim = |n: usize| smallvec![Dim::from(n as i64)];
        self.push(Op::Slice { start: dim(start), limit: dim(limit), strides: smallvec![1] }, &[v])
    }
    /// An element as a scalar.
    fn element(&mut self, v: Value, i: usize) -> Value {
        let one = self.slice(v, i, i + 1);
        self.reshape(one, &[])
    }
    fn pick(&self, rng: &mut Rng) -> Value {
        let n = self.values.len();
        self.values[n - 1 - rng.below(n).min(rng.below(n))]
    }

    /// Positions `[2m, 1]`: a permutation, or computed from a value.
    fn indices(&mut self, rng: &mut Rng) -> Value {
        let n = 2 * self.m;
        if rng.one_in(3) {
            let (zero, last) = (self.scalar(-1), self.scalar(n as i32));
            let v = self.pick(rng);
            let v = self.push(Op::Clamp, &[zero, v, last]);
            return self.reshape(v, &[n, 1]);
        }
        let data: Vec<i32> = rng.permutation(n).into_iter().map(|i| i as i32).collect();
        self.func.constant(Tensor::from_vec([n, 1], data).expect("as many"), Loc::UNKNOWN)
    }

    /// One more value.
    fn step(&mut self, rng: &mut Rng, depth: usize) {
        let (m, n) = (self.m, 2 * self.m);
        let (x, y) = (self.pick(rng), self.pick(rng));
        let v = match rng.below(if depth > 0 { 20 } else { 14 }) {
            0..=2 => {
                let op = *rng.pick(&[BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply, BinaryOp::Maximum]);
                self.push(Op::Binary(op), &[x, y])
            }
            3 => self.push(Op::Reverse(smallvec![0]), &[x]),
            4 => {
                let t = self.reshape(x, &[2, m]);
                let t = self.push(Op::Transpose(smallvec![1, 0]), &[t]);
                self.reshape(t, &[n])
            }
            5 => self.push(Op::OptimizationBarrier, &[x]),
            6 => {
                let (a, b) = (self.reshape(x, &[2, m]), self.reshape(y, &[2, m]));
                let b = if rng.one_in(2) { self.push(Op::OptimizationBarrier, &[b]) } else { b };
                let r = self.push(Op::Binary(BinaryOp::Add), &[a, b]);
                self.reshape(r, &[n])
            }
            7 => {
                let update = self.slice(y, m, n);
                let start = if rng.one_in(2) { self.scalar(rng.below(n) as i32) } else { self.element(y, 0) };
                self.push(Op::DynamicUpdateSlice, &[x, update, start])
            }
            8 => {
                let idx = self.indices(rng);
                let dims = ScatterDims {
                    inserted_window_dims: smallvec![0],
                    scatter_dims_to_operand_dims: smallvec![0],
                    index_vector_dim: 1,
                    ..ScatterDims::default()
                };
                let update = if rng.one_in(2) { ScatterUpdate::Assign } else { ScatterUpdate::Combine(Reducer::Add) };
                self.push(Op::Scatter { dims: Box::new(dims), update }, &[x, idx, y])
            }
            9 => {
                let idx = self.indices(rng);
                let dims = GatherDims {
                    collapsed_slice_dims: smallvec![0],
                    start_index_map: smallvec![0],
                    index_vector_dim: 1,
                    slice_sizes: Shape::from_sizes(&[1]),
                    ..GatherDims::default()
                };
                self.push(Op::Gather(Box::new(dims)), &[x, idx])
            }
            10 => {
                let (a, b) = (self.reshape(x, &[m, 2]), self.slice(y, 0, 4.min(n)));
                let b = if m == 1 { self.push(Op::Concatenate(0), &[b, b]) } else { b };
                let b = self.reshape(b, &[2, 2]);
                let dims =
                    DotDims { lhs_contract: smallvec![1], rhs_contract: smallvec![rng.below(2)], ..DotDims::default() };
                let r = self.push(Op::DotGeneral(dims), &[a, b]);
                self.reshape(r, &[n])
            }
            11 => {
                let a = self.reshape(x, &[2, m]);
                let zero = self.scalar(0);
                let axis = rng.below(2);
                let r = self.push(Op::Reduce { axes: smallvec![axis], reducer: Reducer::Add }, &[a, zero]);
                let shape = Shape::from_sizes(&[2, m]);
                let r = self.push(Op::BroadcastInDim { shape, dims: smallvec![1 - axis] }, &[r]);
                let r = self.reshape(r, &[n]);
                self.push(Op::Binary(BinaryOp::Subtract), &[x, r])
            }
            12 => {
                let (a, b) = (self.slice(x, m, n), self.slice(y, 0, m));
                self.push(Op::Concatenate(0), &[a, b])
            }
            13 => {
                let data: Vec<i32> = (0..n).map(|_| rng.range(-5, 5) as i32).collect();
                self.func.constant(Tensor::from_vec([n], data).expect("as many"), Loc::UNKNOWN)
            }
            14..=16 => return self.while_loop(rng, depth),
            _ => return self.branches(rng, depth),
        };
        self.values.push(v);
    }

    /// A nested function of `args` values with `results` results, after a scalar parameter if `counter`.
    fn nested(&self, rng: &mut Rng, depth: usize, args: usize, results: usize, counter: bool) -> Func {
        let mut inner = Body::new("nested", self.m);
        if counter {
            let ty = TensorType::scalar(DType::I32);
            let i = inner.func.add_input("i", ty, InputKind::Feed, Loc::UNKNOWN);
            let one = inner.scalar(1);
            let next = inner.push(Op::Binary(BinaryOp::Add), &[i, one]);
            inner.func.add_output("next", next);
        }
        for i in 0..args {
            let v = inner.func.add_input(format!("a{i}"), inner.ty(), InputKind::Feed, Loc::UNKNOWN);
            inner.values.push(v);
        }
        let params = inner.values.clone();
        for _ in 0..rng.below(5) {
            inner.step(rng, depth - 1);
        }
        for r in 0..results {
            let v = match rng.below(6) {
                0 => *rng.pick(&params),
                1 if r < args => params[r],
                _ => inner.pick(rng),
            };
            inner.func.add_output(format!("r{r}"), v);
        }
        inner.func
    }

    fn while_loop(&mut self, rng: &mut Rng, depth: usize) {
        let count = 1 + rng.below(4);
        let args: Vec<Value> = (0..count).map(|_| self.pick(rng)).collect();
        let mut cond = Body::new("cond", self.m);
        let i = cond.func.add_input("i", TensorType::scalar(DType::I32), InputKind::Feed, Loc::UNKNOWN);
        for a in 0..count {
            let _ = cond.func.add_input(format!("a{a}"), cond.ty(), InputKind::Feed, Loc::UNKNOWN);
        }
        let limit = cond.scalar(rng.below(4) as i32);
        let go = cond.push(Op::Compare(CompareDirection::LT), &[i, limit]);
        cond.func.add_output("go", go);
        let body = self.nested(rng, depth, count, count, true);
        let start = self.scalar(0);
        let op = Op::While { cond: Box::new(cond.func), body: Box::new(body) };
        self.push_all(op, &[&[start], args.as_slice()].concat(), 1);
    }

    fn branches(&mut self, rng: &mut Rng, depth: usize) {
        let (args, results) = (1 + rng.below(3), 1 + rng.below(3));
        let operands: Vec<Value> = (0..args).map(|_| self.pick(rng)).collect();
        let v = self.pick(rng);
        let v = self.element(v, rng.below(2 * self.m));
        let branch = |rng: &mut Rng| self.nested(rng, depth, args, results, false);
        if rng.one_in(2) {
            let (on_true, on_false) = (Box::new(branch(rng)), Box::new(branch(rng)));
            let zero = self.scalar(0);
            let pred = self.push(Op::Compare(CompareDirection::LT), &[v, zero]);
            self.push_all(Op::If { on_true, on_false }, &[&[pred], operands.as_slice()].concat(), 0);
        } else {
            let branches = (0..1 + rng.below(3)).map(|_| branch(rng)).collect();
            self.push_all(Op::Case { branches }, &[&[v], operands.as_slice()].concat(), 0);
        }
    }

    fn push_all(&mut self, op: Op, operands: &[Value], skip: usize) {
        let node = self.func.push(op, operands, Loc::UNKNOWN).unwrap_or_else(|e| panic!("{e}"));
        let results: Vec<Value> = self.func.results(node).skip(skip).collect();
        self.values.extend(results);
    }
}

/// The state machine of a seed: one to four variables and a feed `x`, all `i32[n]`.
pub fn machine(seed: u64) -> Func {
    let mut rng = Rng::new(seed);
    let m = *rng.pick(&[1, 3, 3, 20, 2500]);
    let mut b = Body::new("machine", m);
    let variables = 1 + rng.below(4);
    for i in 0..variables {
        let data: Vec<i32> = (0..2 * m).map(|_| rng.range(-9, 9) as i32).collect();
        let init = Initializer::Value(Tensor::from_vec([2 * m], data).expect("as many"));
        let v = b.func.add_input(format!("v{i}"), b.ty(), InputKind::Variable(init), Loc::UNKNOWN);
        b.values.push(v);
    }
    let x = b.func.add_input("x", b.ty(), InputKind::Feed, Loc::UNKNOWN);
    b.values.push(x);
    let inputs = b.values.clone();
    let depth = rng.below(3);
    for _ in 0..1 + rng.below(12) {
        b.step(&mut rng, depth);
    }
    let result = |rng: &mut Rng| if rng.one_in(4) { *rng.pick(&inputs) } else { b.pick(rng) };
    let mut outputs = Vec::new();
    for i in 0..rng.below(4) {
        outputs.push(Output { name: format!("y{i}"), value: result(&mut rng), kind: OutputKind::Fetch });
    }
    for i in 0..variables {
        if !rng.one_in(5) {
            let at = rng.below(outputs.len() + 1);
            let update = Output { name: String::new(), value: result(&mut rng), kind: OutputKind::Update(i) };
            outputs.insert(at, update);
        }
    }
    b.func.outputs = outputs;
    b.func
}
