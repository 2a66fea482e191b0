//! Random functions of complex numbers, 2- and 4-bit integers and small floats: legalizing them, and optimizing what comes
//! out at every level and without any one pass, keeps every bit.
//!
//! Only operators that are exact on complex numbers: products and functions of them are compared in `legalize.rs`, within
//! bounds.

mod support;

use kiln_ir::op::{Axes, CompareDirection, Reducer, ScatterDims};
use kiln_ir::{BinaryOp, DType, Dim, Func, InputKind, Loc, Op, Shape, TensorType, UnaryOp, Value, Verified};
use kiln_optimizer::{OptimizeOptions, PASSES, optimize, run_pass};
use smallvec::{SmallVec, smallvec};
use support::{Draw, Rng, Tolerance, assert_same, has_float_sum};

/// NaN of the finite formats is a zero whose sign is that of the NaN, which is nobody's business: they are left out.
const DTYPES: [DType; 14] = [
    DType::C64,
    DType::C64,
    DType::C128,
    DType::I2,
    DType::I4,
    DType::I4,
    DType::U2,
    DType::U4,
    DType::F8E5M2,
    DType::F8E4M3FN,
    DType::F8E4M3FNUZ,
    DType::F32,
    DType::I32,
    DType::Bool,
];

/// The function with the proof that it follows the rules.
fn verified(f: Func) -> Verified {
    Verified::new(f).unwrap_or_else(|d| panic!("{d}"))
}

fn options() -> OptimizeOptions {
    OptimizeOptions { dump: None, verify: true, ..OptimizeOptions::default() }
}

struct Gen {
    rng: Rng,
    f: Func,
    values: Vec<Value>,
}

impl Gen {
    fn new(seed: u64, nested: bool) -> Gen {
        let mut g = Gen { rng: Rng::new(seed), f: Func::new("random"), values: Vec::new() };
        let dtypes: &[DType] = if nested { &[] } else { &DTYPES };
        for (i, dtype) in dtypes.iter().enumerate() {
            let shape = g.shape();
            let v = g.f.add_input(format!("x{i}"), TensorType::new(*dtype, shape), InputKind::Feed, Loc::UNKNOWN);
            g.values.push(v);
        }
        g
    }

    fn shape(&mut self) -> Shape {
        let rank = self.rng.below(3);
        (0..rank).map(|_| Dim::from(*self.rng.pick(&[1usize, 2, 2, 4]))).collect()
    }

    fn any(&mut self) -> Value {
        let n = self.values.len();
        let back = self.rng.below(n).min(self.rng.below(n));
        self.values[n - 1 - back]
    }

    fn push(&mut self, op: Op, operands: &[Value]) {
        if let Ok(id) = self.f.push(op, operands, Loc::UNKNOWN) {
            self.values.extend(self.f.results(id).collect::<Vec<_>>());
        }
    }

    /// An old value of this type, or one converted and broadcast.
    fn of_type(&mut self, ty: &TensorType) -> Value {
        let same: Vec<Value> = self.values.iter().copied().filter(|v| self.f.ty(*v) == ty).collect();
        if !same.is_empty() && self.rng.below(4) > 0 {
            return *self.rng.pick(&same);
        }
        let scalars: Vec<Value> = self.values.iter().copied().filter(|v| self.f.ty(*v).rank() == 0).collect();
        let x = match scalars.is_empty() {
            true => self.f.constant(kiln_ir::Tensor::scalar_of(ty.dtype, 1.0), Loc::UNKNOWN),
            false => *self.rng.pick(&scalars),
        };
        let x = self.f.push1(Op::Convert(ty.dtype), &[x], Loc::UNKNOWN).expect("everything converts");
        let op = Op::BroadcastInDim { shape: ty.shape.clone(), dims: Axes::new() };
        self.f.push1(op, &[x], Loc::UNKNOWN).expect("a scalar broadcasts")
    }

    fn step(&mut self, depth: u32) {
        let x = self.any();
        let ty = self.f.ty(x).clone();
        let sizes: SmallVec<[usize; 4]> = ty.shape.as_sizes().expect("static");
        let d = ty.dtype;
        match self.rng.below(14) {
            0 => {
                use UnaryOp::{Abs, CountLeadingZeros, Negate, Not, Popcnt, Sign};
                let op = *self.rng.pick(&[Abs, CountLeadingZeros, Negate, Not, Popcnt, Sign]);
                if !(d.is_complex() && matches!(op, Abs | Sign)) {
                    self.push(Op::Unary(op), &[x]);
                }
            }
            1..=3 => {
                let op = *self.rng.pick(BinaryOp::ALL);
                use BinaryOp::{Add, Maximum, Minimum, Subtract};
                let exact = matches!(op, Add | Subtract | Maximum | Minimum);
                let y = self.of_type(&ty);
                if exact || d.is_int() {
                    self.push(Op::Binary(op), &[x, y]);
                }
            }
            4 => {
                use CompareDirection::{EQ, GE, GT, LE, LT, NE};
                let (direction, y) = (*self.rng.pick(&[EQ, GE, GT, LE, LT, NE]), self.of_type(&ty));
                self.push(Op::Compare(direction), &[x, y]);
            }
            5 => {
                let (p, y) = (self.of_type(&ty.with_dtype(DType::Bool)), self.of_type(&ty));
                self.push(Op::Select, &[p, x, y]);
            }
            6 => {
                let to = *self.rng.pick(&DTYPES);
                self.push(Op::Convert(to), &[x]);
            }
            7 => {
                let to = *self.rng.pick(&[DType::U4, DType::I4, DType::U2, DType::I2, DType::U8, DType::I32]);
                if d.is_int() {
                    self.push(Op::BitcastConvert(to), &[x]);
                }
            }
            8 => match d {
                DType::F32 => {
                    let y = self.of_type(&ty);
                    self.push(Op::Complex, &[x, y]);
                }
                _ if d.is_complex() => {
                    let op = if self.rng.below(2) == 0 { Op::Real } else { Op::Imag };
                    self.push(op, &[x]);
                }
                _ => {}
            },
            9 if ty.rank() > 0 => {
                let dim = self.rng.below(ty.rank());
                let y = self.of_type(&ty);
                match self.rng.below(3) {
                    0 => self.push(Op::Concatenate(dim), &[x, y]),
                    1 => self.push(Op::Reverse(smallvec![dim]), &[x]),
                    _ => self.push(Op::Transpose((0..ty.rank()).rev().collect()), &[x]),
                }
            }
            10 if ty.rank() > 0 => {
                let mut limit: SmallVec<[Dim; 4]> = sizes.iter().map(|&n| Dim::from(n)).collect();
                let dim = self.rng.below(ty.rank());
                limit[dim] = Dim::from(sizes[dim].div_ceil(2));
                let start = sizes.iter().map(|_| Dim::Const(0)).collect();
                self.push(Op::Slice { start, limit, strides: smallvec![1; sizes.len()] }, &[x]);
            }
            11 => {
                let init = self.of_type(&TensorType::scalar(d));
                let reducer = *self.rng.pick(&Reducer::ALL);
                // Several terms of a float sum are rounded in another order.
                let order_is_free = d.is_int() || matches!(reducer, Reducer::Maximum | Reducer::Minimum);
                if order_is_free && ty.rank() > 0 {
                    self.push(Op::Reduce { axes: smallvec![0], reducer }, &[x, init]);
                }
            }
            12 if depth == 0 => self.branch(&[x]),
            13 if depth == 0 && ty.rank() > 0 => match self.rng.below(3) {
                0 => self.sort(x, &ty),
                1 => self.fold(x, &ty),
                _ => self.scatter(x, &ty),
            },
            _ => {}
        }
    }

    /// A branch on some values.
    fn branch(&mut self, args: &[Value]) {
        let p = self.of_type(&TensorType::scalar(DType::Bool));
        let types: Vec<TensorType> = args.iter().map(|v| self.f.ty(*v).clone()).collect();
        let mut arm = |steps: usize| {
            let mut g = Gen::new(self.rng.bits(), true);
            for (i, t) in types.iter().enumerate() {
                let v = g.f.add_input(format!("a{i}"), t.clone(), InputKind::Feed, Loc::UNKNOWN);
                g.values.push(v);
            }
            (0..steps).for_each(|_| g.step(1));
            for (i, t) in types.iter().enumerate() {
                let v = g.of_type(t);
                g.f.add_output(format!("y{i}"), v);
            }
            Box::new(g.f)
        };
        let (on_true, on_false) = (arm(4), arm(2));
        let operands: Vec<Value> = std::iter::once(p).chain(args.iter().copied()).collect();
        self.push(Op::If { on_true, on_false }, &operands);
    }

    /// Sorts two tensors by the first one.
    fn sort(&mut self, x: Value, ty: &TensorType) {
        let other = ty.with_dtype(*self.rng.pick(&DTYPES));
        let y = self.of_type(&other);
        let mut c = Func::new("less");
        let scalars = [ty, ty, &other, &other].map(|t| TensorType::scalar(t.dtype));
        let params: Vec<Value> = (scalars.iter().enumerate())
            .map(|(i, t)| c.add_input(format!("p{i}"), t.clone(), InputKind::Feed, Loc::UNKNOWN))
            .collect();
        let less = c.push1(Op::Compare(CompareDirection::LT), &params[..2], Loc::UNKNOWN).expect("compares");
        c.add_output("less", less);
        self.push(Op::Sort { dim: 0, stable: true, comparator: Box::new(c) }, &[x, y]);
    }
}

/// A nested function of scalars: these parameters, and results of the first `n` types.
fn scalar_function(rng: &mut Rng, params: &[DType], n: usize) -> Box<Func> {
    let mut g = Gen::new(rng.bits(), true);
    for (i, d) in params.iter().enumerate() {
        let v = g.f.add_input(format!("a{i}"), TensorType::scalar(*d), InputKind::Feed, Loc::UNKNOWN);
        g.values.push(v);
    }
    (0..g.rng.below(5)).for_each(|_| g.step(1));
    for (i, d) in params[..n].iter().enumerate() {
        let v = g.of_type(&TensorType::scalar(*d));
        g.f.add_output(format!("y{i}"), v);
    }
    Box::new(g.f)
}

impl Gen {
    /// Folds two tensors with a random function, which takes a third scalar besides.
    fn fold(&mut self, x: Value, ty: &TensorType) {
        let (d, other, capture) = (ty.dtype, *self.rng.pick(&DTYPES), *self.rng.pick(&DTYPES));
        let y = self.of_type(&ty.with_dtype(other));
        let scalars = [d, other, capture].map(|d| self.of_type(&TensorType::scalar(d)));
        let body = scalar_function(&mut self.rng, &[d, other, d, other, capture], 2);
        self.push(Op::GenericReduce { axes: smallvec![0], body }, &[x, y, scalars[0], scalars[1], scalars[2]]);
    }

    /// Scatters into the rows of a tensor with a random function.
    fn scatter(&mut self, x: Value, ty: &TensorType) {
        let mut updates = ty.clone();
        updates.shape[0] = Dim::Const(3);
        let (updates, indices) = (self.of_type(&updates), self.of_type(&TensorType::new(DType::I32, [3, 1])));
        let body = scalar_function(&mut self.rng, &[ty.dtype, ty.dtype], 1);
        let dims = ScatterDims {
            update_window_dims: (1..ty.rank()).collect(),
            inserted_window_dims: smallvec![0],
            scatter_dims_to_operand_dims: smallvec![0],
            index_vector_dim: 1,
            ..ScatterDims::default()
        };
        self.push(Op::GenericScatter { dims: Box::new(dims), body }, &[x, indices, updates]);
    }
}

fn random(seed: u64) -> Func {
    let mut g = Gen::new(seed, false);
    (0..40).for_each(|_| g.step(0));
    let n = g.values.len();
    for (i, v) in g.values[n.saturating_sub(10)..].iter().copied().enumerate() {
        g.f.add_output(format!("y{i}"), v);
    }
    g.f
}

/// Bits; sums of floats that a rewrite may add in another order are not made. `has_float_sum` is for the zeros' signs.
fn tolerance(f: &Func) -> Tolerance {
    if has_float_sum(f) { Tolerance::Numbers } else { Tolerance::Bits }
}

#[test]
fn legalizing_keeps_results() {
    for seed in 0..200 {
        let f = random(seed);
        let legal = run_pass(f.clone(), "legalize", &options()).unwrap_or_else(|d| panic!("{d}"));
        assert_same(&format!("seed {seed}"), &f, &legal.func, seed, Draw::Whole, tolerance(&f));
    }
}

#[test]
fn optimizing_what_was_legalized_keeps_results() {
    for seed in 200..260 {
        let f = random(seed);
        for level in 0..3 {
            let done = optimize(verified(f.clone()), &OptimizeOptions { level, ..options() })
                .unwrap_or_else(|d| panic!("{d}"));
            assert_same(&format!("seed {seed} at level {level}"), &f, &done.func, seed, Draw::Whole, tolerance(&f));
        }
    }
}

/// The functions must hold what this tests.
#[test]
fn random_functions_are_varied() {
    let mut names = std::collections::BTreeSet::new();
    for seed in 0..260 {
        for node in random(seed).nodes() {
            names.extend(node.types.iter().map(|t| format!("{} {}", node.op.name(), t.dtype)));
        }
    }
    for wanted in ["sort c64", "if i4", "generic_reduce c64", "generic_scatter u4", "select f8E5M2", "divide i4"] {
        assert!(names.contains(wanted), "{wanted} is not in {names:?}");
    }
}

#[test]
fn any_pass_may_be_left_out() {
    for seed in 300..310 {
        let f = random(seed);
        for pass in PASSES {
            let options = OptimizeOptions { disable: vec![pass.into()], ..options() };
            let done = optimize(verified(f.clone()), &options).unwrap_or_else(|d| panic!("{d}"));
            assert_same(&format!("seed {seed} without {pass}"), &f, &done.func, seed, Draw::Whole, tolerance(&f));
        }
    }
}
