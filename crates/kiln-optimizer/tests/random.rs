//! Random functions: every pass alone, and all of them, keep what a function computes, bit for bit.
//!
//! Float sums and products over several terms are left out here (their order is free); sums are tested on integers,
//! which wrap, so that any order gives the same.

mod support;

use kiln_ir::op::{ArgKind, Axes, CompareDirection, DotDims, Reducer, Window, WindowDim};
use kiln_ir::{
    BinaryOp, CallShapes, DType, Dim, Func, InputKind, Loc, Op, Shape, Tensor, TensorType, UnaryOp, Value, Verified,
};
use kiln_optimizer::{Level, OptimizeOptions, PASSES, REQUIRED, optimize, run_pass};
use smallvec::SmallVec;
use support::{Draw, Rng, Tolerance, assert_same, tensor};

const DTYPES: [DType; 6] = [DType::F32, DType::F32, DType::I32, DType::U8, DType::Bool, DType::F16];

/// The function with the proof that it follows the rules.
fn verified(f: Func) -> Verified {
    Verified::new(f).unwrap_or_else(|d| panic!("{d}"))
}

fn options() -> OptimizeOptions {
    OptimizeOptions { dump: None, verify: true, ..OptimizeOptions::default() }
}

/// A function under construction.
struct Gen {
    rng: Rng,
    f: Func,
    values: Vec<Value>,
}

impl Gen {
    fn new(seed: u64) -> Gen {
        let mut g = Gen { rng: Rng::new(seed), f: Func::new("random"), values: Vec::new() };
        for (i, dtype) in DTYPES.into_iter().enumerate() {
            let shape = g.shape();
            let v = g.f.add_input(format!("x{i}"), TensorType::new(dtype, shape), InputKind::Feed, Loc::UNKNOWN);
            g.values.push(v);
        }
        g
    }

    fn shape(&mut self) -> Shape {
        let rank = self.rng.below(4);
        (0..rank).map(|_| Dim::from(*self.rng.pick(&[1usize, 2, 2, 3, 4]))).collect()
    }

    fn any(&mut self) -> Value {
        // Recent values more often: deeper functions.
        let n = self.values.len();
        let back = self.rng.below(n).min(self.rng.below(n));
        self.values[n - 1 - back]
    }

    fn sizes(&self, v: Value) -> SmallVec<[usize; 4]> {
        self.f.ty(v).shape.as_sizes().expect("static")
    }

    /// Pushes a node if it is valid.
    fn push(&mut self, op: Op, operands: &[Value]) -> Option<Value> {
        let v = self.f.push1(op, operands, Loc::UNKNOWN).ok()?;
        self.values.push(v);
        Some(v)
    }

    /// A value of this type: an old one, a constant, a splat, or whatever can be turned into it.
    fn of_type(&mut self, ty: &TensorType) -> Value {
        let same: Vec<Value> = self.values.iter().copied().filter(|v| self.f.ty(*v) == ty).collect();
        if !same.is_empty() && self.rng.below(3) > 0 {
            return *self.rng.pick(&same);
        }
        match self.rng.below(3) {
            0 => {
                let t = tensor(&mut self.rng, ty, Draw::Special);
                self.f.constant(t, Loc::UNKNOWN)
            }
            1 => self.splat(ty),
            _ => {
                let x = self.any();
                let converted = Op::Convert(ty.dtype);
                let x = self.f.push1(converted, &[x], Loc::UNKNOWN).expect("everything converts");
                if self.f.ty(x) == ty {
                    return x;
                }
                let wanted = ty.shape.num_elements();
                if self.f.ty(x).shape.num_elements() == wanted {
                    return self.f.push1(Op::Reshape(ty.shape.clone()), &[x], Loc::UNKNOWN).expect("same elements");
                }
                self.broadcast_to(x, &ty.shape).unwrap_or_else(|| self.splat(ty))
            }
        }
    }

    /// Zero, one, minus one and other values that rules look for.
    fn splat(&mut self, ty: &TensorType) -> Value {
        let scalar = TensorType::scalar(ty.dtype);
        let whole = self.rng.below(3) > 0;
        let s = if whole && ty.dtype != DType::Bool {
            let n = *self.rng.pick(&[0i32, 1, 2, 4, -1, 3]);
            let t = Tensor::scalar(n);
            kiln_interp::eval_op(&Op::Convert(ty.dtype), &[t]).expect("an int converts").remove(0)
        } else {
            tensor(&mut self.rng, &scalar, Draw::Special)
        };
        let s = self.f.constant(s, Loc::UNKNOWN);
        let op = Op::BroadcastInDim { shape: ty.shape.clone(), dims: Axes::new() };
        if ty.rank() == 0 { s } else { self.f.push1(op, &[s], Loc::UNKNOWN).expect("a scalar broadcasts") }
    }

    /// Broadcasts along the first dimensions that fit.
    fn broadcast_to(&mut self, x: Value, shape: &Shape) -> Option<Value> {
        let (from, to) = (self.sizes(x), shape.as_sizes()?);
        let mut dims = Axes::new();
        for &n in &from {
            let first = dims.last().map_or(0, |d| d + 1);
            dims.push((first..to.len()).find(|&d| to[d] == n || n == 1)?);
        }
        self.f.push1(Op::BroadcastInDim { shape: shape.clone(), dims }, &[x], Loc::UNKNOWN).ok()
    }

    fn step(&mut self) {
        let x = self.any();
        let ty = self.f.ty(x).clone();
        let sizes = self.sizes(x);
        let rank = sizes.len();
        let _ = match self.rng.below(20) {
            0 | 1 => {
                let op = *self.rng.pick(UnaryOp::ALL);
                self.push(Op::Unary(op), &[x])
            }
            2..=6 => {
                use BinaryOp::{Add, Divide, Maximum, Multiply, Subtract};
                let common = [Add, Add, Subtract, Multiply, Divide, Maximum];
                let op = if self.rng.below(2) == 0 { *self.rng.pick(&common) } else { *self.rng.pick(BinaryOp::ALL) };
                let y = if self.rng.below(2) == 0 { self.splat(&ty) } else { self.of_type(&ty) };
                let pair = if self.rng.below(2) == 0 { [x, y] } else { [y, x] };
                self.push(Op::Binary(op), &pair)
            }
            7 => {
                use CompareDirection::{EQ, GE, GT, LE, LT, NE};
                let d = *self.rng.pick(&[EQ, GE, GT, LE, LT, NE]);
                let y = self.of_type(&ty);
                self.push(Op::Compare(d), &[x, y])
            }
            8 => {
                let p =
                    if self.rng.below(2) == 0 { ty.with_dtype(DType::Bool) } else { TensorType::scalar(DType::Bool) };
                let (p, y) = (self.of_type(&p), self.of_type(&ty));
                self.push(Op::Select, &[p, x, y])
            }
            9 => {
                let to = *self.rng.pick(&DTYPES);
                self.push(Op::Convert(to), &[x])
            }
            10 => {
                let mut shape = self.shape();
                shape.iter_mut().zip(&sizes).for_each(|(d, &n)| *d = Dim::from(n));
                let v = self.broadcast_to(x, &shape);
                self.values.extend(v);
                v
            }
            11 => {
                let n: usize = sizes.iter().product();
                let shapes = [vec![n], vec![1, n], vec![n, 1], vec![n / 2, 2], vec![2, n / 2]];
                let shape = Shape::from(self.rng.pick(&shapes).clone());
                self.push(Op::Reshape(shape), &[x])
            }
            12 => {
                let mut p: Axes = (0..rank).collect();
                for i in 1..rank {
                    p.swap(i, self.rng.below(i + 1));
                }
                self.push(Op::Transpose(p), &[x])
            }
            13 => self.slice(x, &sizes),
            14 => {
                let dim = self.rng.below(rank.max(1));
                let y = self.of_type(&ty);
                self.push(Op::Concatenate(dim), &[x, y])
            }
            15 => {
                let value = self.of_type(&TensorType::scalar(ty.dtype));
                let mut amounts = |choices: &[i64]| sizes.iter().map(|_| Dim::Const(*self.rng.pick(choices))).collect();
                let (low, high) = (amounts(&[0, 0, 1, -1]), amounts(&[0, 0, 2]));
                let interior = sizes.iter().map(|_| *self.rng.pick(&[0, 0, 1])).collect();
                self.push(Op::Pad { low, high, interior }, &[x, value])
            }
            16 => {
                let dims: Axes = (0..rank).filter(|_| self.rng.below(2) == 0).collect();
                self.push(Op::Reverse(dims), &[x])
            }
            17 => self.reduce(x, &ty, rank),
            18 => self.dot(x, &ty, rank),
            _ => match self.rng.below(4) {
                0 => self.dynamic_slice(x, &sizes),
                1 if rank > 0 => {
                    let ty = TensorType::new(*self.rng.pick(&[DType::I32, DType::F32]), ty.shape);
                    let dim = self.rng.below(rank);
                    self.push(Op::Iota { ty, dim }, &[])
                }
                2 if rank > 0 => {
                    let axis = self.rng.below(rank);
                    self.push(Op::ArgReduce { axis, kind: ArgKind::Max, dtype: DType::I32 }, &[x])
                }
                _ => self.branch(x, &ty),
            },
        };
    }

    fn slice(&mut self, x: Value, sizes: &[usize]) -> Option<Value> {
        let (mut start, mut limit, mut strides) = (SmallVec::new(), SmallVec::new(), SmallVec::new());
        for &n in sizes {
            let s = self.rng.below(n + 1);
            let l = s + self.rng.below(n - s + 1);
            let whole = self.rng.below(2) == 0;
            start.push(Dim::from(if whole { 0 } else { s }));
            limit.push(Dim::from(if whole { n } else { l }));
            strides.push(*self.rng.pick(&[1, 1, 2]));
        }
        self.push(Op::Slice { start, limit, strides }, &[x])
    }

    fn dynamic_slice(&mut self, x: Value, sizes: &[usize]) -> Option<Value> {
        let window: Shape = sizes.iter().map(|&n| Dim::from(n - self.rng.below(n.max(1)))).collect();
        let mut operands = vec![x];
        for _ in sizes {
            operands.push(self.of_type(&TensorType::scalar(DType::I32)));
        }
        self.push(Op::DynamicSlice { sizes: window }, &operands)
    }

    /// Reductions whose order does not matter.
    fn reduce(&mut self, x: Value, ty: &TensorType, rank: usize) -> Option<Value> {
        let reducer = match ty.dtype {
            d if d.is_float() => *self.rng.pick(&[Reducer::Maximum, Reducer::Minimum]),
            _ => *self.rng.pick(&Reducer::ALL),
        };
        let init = self.of_type(&TensorType::scalar(ty.dtype));
        if self.rng.below(3) == 0 {
            let window = |rng: &mut Rng| {
                let size = *rng.pick(&[1, 1, 2, 3]);
                WindowDim { size, stride: if rng.below(3) == 0 { 1 } else { size }, ..WindowDim::TRIVIAL }
            };
            let dims = (0..rank).map(|_| window(&mut self.rng)).collect();
            return self.push(Op::ReduceWindow { window: Box::new(Window { dims }), reducer }, &[x, init]);
        }
        let axes: Axes = (0..rank).filter(|_| self.rng.below(2) == 0).collect();
        self.push(Op::Reduce { axes, reducer }, &[x, init])
    }

    fn dot(&mut self, x: Value, ty: &TensorType, rank: usize) -> Option<Value> {
        if !ty.dtype.is_int() || rank == 0 {
            return None;
        }
        // The other side has the same shape, so that any dimensions can be paired.
        let y = self.of_type(ty);
        let mut d = DotDims::default();
        for i in 0..rank {
            match self.rng.below(4) {
                0 => {
                    d.lhs_batch.push(i);
                    d.rhs_batch.push(i);
                }
                1 | 2 => {
                    d.lhs_contract.push(i);
                    d.rhs_contract.push(i);
                }
                _ => {}
            }
        }
        let v = self.push(Op::DotGeneral(d), &[x, y])?;
        if self.sizes(v).iter().product::<usize>() > 4096 {
            self.values.pop();
        }
        Some(v)
    }

    /// An `if` on a scalar, whose branches are elementwise.
    fn branch(&mut self, x: Value, ty: &TensorType) -> Option<Value> {
        let p = self.of_type(&TensorType::scalar(DType::Bool));
        let y = self.of_type(ty);
        let mut branch = |name: &str| {
            let mut f = Func::new(name);
            let a = f.add_input("a", ty.clone(), InputKind::Feed, Loc::UNKNOWN);
            let b = f.add_input("b", ty.clone(), InputKind::Feed, Loc::UNKNOWN);
            let op = *self.rng.pick(BinaryOp::ALL);
            let r = f.push1(Op::Binary(op), &[a, b], Loc::UNKNOWN).unwrap_or(a);
            f.add_output("r", if self.rng.below(4) == 0 { b } else { r });
            Box::new(f)
        };
        let (on_true, on_false) = (branch("t"), branch("e"));
        self.push(Op::If { on_true, on_false }, &[p, x, y])
    }

    /// Everything that nothing else uses is an output: no computation goes unseen.
    fn finish(mut self) -> Func {
        let users = self.f.users();
        let unused: Vec<Value> = self.values.iter().copied().filter(|v| users.is_unused(v.node)).collect();
        for (i, v) in unused.into_iter().enumerate() {
            self.f.add_output(format!("y{i}"), v);
        }
        self.f
    }
}

fn random(seed: u64) -> Func {
    let mut g = Gen::new(seed);
    while g.f.nodes().len() < 40 {
        g.step();
    }
    g.finish()
}

/// A loop of three iterations around a random function: some state changes, some is handed on, some starts constant.
fn random_loop(seed: u64) -> Func {
    let mut g = Gen::new(seed);
    let counter_type = TensorType::scalar(DType::I32);
    let i = g.f.add_input("i", counter_type.clone(), InputKind::Feed, Loc::UNKNOWN);
    g.values.push(i);
    while g.f.nodes().len() < 30 {
        g.step();
    }
    let one = g.f.constant(Tensor::scalar(1i32), Loc::UNKNOWN);
    let next = g.f.push1(Op::Binary(BinaryOp::Add), &[i, one], Loc::UNKNOWN).expect("i32 + i32");
    let states: Vec<TensorType> = g.f.inputs.iter().map(|i| i.ty.clone()).collect();
    for (k, ty) in states.iter().enumerate().take(states.len() - 1) {
        let unchanged: Value = g.f.inputs[k].node.into();
        let same: Vec<Value> = g.values.iter().copied().filter(|v| g.f.ty(*v) == ty).collect();
        let value = if g.rng.below(3) == 0 { unchanged } else { *g.rng.pick(&same) };
        g.f.add_output(format!("s{k}"), value);
    }
    g.f.add_output("n", next);

    let mut cond = Func::new("cond");
    let params: Vec<Value> = (states.iter().enumerate())
        .map(|(k, ty)| cond.add_input(format!("s{k}"), ty.clone(), InputKind::Feed, Loc::UNKNOWN))
        .collect();
    let limit = cond.constant(Tensor::scalar(3i32), Loc::UNKNOWN);
    let last = params[params.len() - 1];
    let go = cond.push1(Op::Compare(CompareDirection::LT), &[last, limit], Loc::UNKNOWN).expect("i32 < i32");
    cond.add_output("go", go);

    let mut f = Func::new("looped");
    let mut initial = Vec::new();
    for (k, ty) in states.iter().enumerate().take(states.len() - 1) {
        let x = f.add_input(format!("x{k}"), ty.clone(), InputKind::Feed, Loc::UNKNOWN);
        let constant = tensor(&mut g.rng, ty, Draw::Special);
        initial.push(if g.rng.below(4) == 0 { f.constant(constant, Loc::UNKNOWN) } else { x });
    }
    let start = if g.rng.below(10) == 0 { 3i32 } else { 0 };
    initial.push(f.constant(Tensor::scalar(start), Loc::UNKNOWN));
    let op = Op::While { cond: Box::new(cond), body: Box::new(g.f) };
    let node = f.push(op, &initial, Loc::UNKNOWN).expect("a valid loop");
    for (k, v) in f.results(node).enumerate() {
        if g.rng.below(3) > 0 {
            f.add_output(format!("y{k}"), v);
        }
    }
    f
}

#[test]
fn loops_keep_results() {
    let mut rules = std::collections::BTreeSet::new();
    for seed in 0..functions() {
        let f = random_loop(seed);
        for pass in PASSES {
            let done = run_pass(f.clone(), pass, &options()).unwrap_or_else(|d| panic!("seed {seed}: {d}"));
            let what = format!("seed {seed} after {pass}\n{}", done.log);
            assert_same(&what, &f, &done.func, seed, Draw::Special, Tolerance::Bits);
        }
        let done = optimize(verified(f.clone()), &options()).unwrap_or_else(|d| panic!("seed {seed}: {d}"));
        rules.extend(done.log.runs.iter().flat_map(|r| r.rules.keys().copied()));
        let what = format!("seed {seed}\n{}", done.log);
        assert_same(&what, &f, &done.func, seed, Draw::Special, Tolerance::Bits);
        let again = optimize(done.func.clone().into(), &options()).unwrap_or_else(|d| panic!("{d}"));
        assert_eq!(again.log.rewrites(), 0, "seed {seed}: not done\n{}", again.log);
    }
    let expected = [
        "loop-invariant node",
        "unused loop state",
        "constant loop state",
        "unchanged loop state",
        "loop that never runs",
    ];
    for rule in expected {
        assert!(rules.contains(rule), "no `{rule}`");
    }
}

/// `KILN_RANDOM_FUNCTIONS` asks for more than the usual number.
fn functions() -> u64 {
    std::env::var("KILN_RANDOM_FUNCTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(500)
}

#[test]
fn every_pass_keeps_results() {
    for seed in 0..functions() {
        let f = random(seed);
        for pass in PASSES {
            let done = run_pass(f.clone(), pass, &options()).unwrap_or_else(|d| panic!("seed {seed}: {d}"));
            let what = format!("seed {seed} after {pass}\n{}", done.log);
            assert_same(&what, &f, &done.func, seed, Draw::Special, Tolerance::Bits);
        }
    }
}

#[test]
fn all_passes_keep_results() {
    let mut rules = std::collections::BTreeSet::new();
    for seed in 0..functions() {
        let f = random(seed);
        for level in 0..3 {
            let done = optimize(verified(f.clone()), &OptimizeOptions { level, ..options() })
                .unwrap_or_else(|d| panic!("{d}"));
            assert_eq!(done.log.level_needed(), Level::Exact);
            rules.extend(done.log.runs.iter().flat_map(|r| r.rules.keys().copied()));
            let what = format!("seed {seed} at level {level}\n{}", done.log);
            for draw in [Draw::Special, Draw::Whole] {
                assert_same(&what, &f, &done.func, seed + 7, draw, Tolerance::Bits);
            }
        }
    }
    // The functions must reach the rules, or this tests nothing.
    assert!(rules.len() >= 80, "only {} rules applied: {rules:?}", rules.len());
}

#[test]
fn every_pass_can_be_disabled() {
    for seed in 0..40 {
        let f = random(seed);
        for pass in PASSES.into_iter().filter(|p| !REQUIRED.contains(p)) {
            let options = OptimizeOptions { disable: vec![pass.into()], ..options() };
            let done = optimize(verified(f.clone()), &options).unwrap_or_else(|d| panic!("{d}"));
            let what = format!("seed {seed} without {pass}");
            assert!(done.log.runs.iter().all(|r| r.pass != pass));
            assert_same(&what, &f, &done.func, seed, Draw::Special, Tolerance::Bits);
        }
    }
}

/// Stopping anywhere leaves a function that computes the same: rewrites are atomic.
#[test]
fn stopping_after_any_rewrite_keeps_results() {
    for seed in 0..12 {
        let f = random(seed);
        let all = optimize(verified(f.clone()), &options()).unwrap_or_else(|d| panic!("{d}"));
        let total = all.log.rewrites();
        assert!(!all.log.stopped);
        for n in (0..total).step_by(3) {
            let options = OptimizeOptions { stop_after_n_rewrites: Some(n), ..options() };
            let done = optimize(verified(f.clone()), &options).unwrap_or_else(|d| panic!("{d}"));
            assert_eq!((done.log.rewrites(), done.log.stopped), (n, true));
            assert_same(&format!("seed {seed}, {n} rewrites"), &f, &done.func, seed, Draw::Special, Tolerance::Bits);
        }
    }
}

#[test]
fn optimizing_is_deterministic_and_reaches_a_fixpoint() {
    for seed in 0..functions() {
        let f = random(seed);
        let a = optimize(verified(f.clone()), &options()).unwrap_or_else(|d| panic!("{d}"));
        let b = optimize(verified(f.clone()), &options()).unwrap_or_else(|d| panic!("{d}"));
        assert_eq!(a.func, b.func);
        // What shapes the operands of calls comes behind the fixpoint, and is not simplified.
        let calls = CallShapes { one_dtype: false, linear_contraction: false };
        let options = OptimizeOptions { calls, ..options() };
        let a = optimize(verified(f), &options).unwrap_or_else(|d| panic!("{d}"));
        let again = optimize(a.func.clone().into(), &options).unwrap_or_else(|d| panic!("{d}"));
        assert_eq!(again.log.rewrites(), 0, "seed {seed}: not done\n{}\n{}", again.log, kiln_ir::text::print(&a.func));
    }
}
