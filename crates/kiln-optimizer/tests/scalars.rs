//! Exhaustive tests of elementwise rules: every operator, and every pair of operators, with every constant that a rule looks
//! for, on every kind of number (infinities, NaN, zeros of both signs, subnormal numbers, the ends of integer ranges). At
//! level exact nothing may change by a bit.

mod support;

use half::f16;
use kiln_interp::eval;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Func, InputKind, Loc, Op, Tensor, TensorType, UnaryOp, Value, Verified};
use kiln_optimizer::{Level, OptimizeOptions, Optimized, PassLog, optimize, run_pass};
use support::{Tolerance, difference, retyped};

const COMPARES: [CompareDirection; 6] = [
    CompareDirection::EQ,
    CompareDirection::NE,
    CompareDirection::GE,
    CompareDirection::GT,
    CompareDirection::LE,
    CompareDirection::LT,
];

const FLOATS: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    -0.5,
    3.0,
    4.0,
    0.1,
    -7.3,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e-7,
    -6e-8,
    1e-40,
    -1e-45,
    65504.0,
    3e38,
    -1e20,
];
const CONSTANTS: [f64; 13] =
    [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, -4.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-40, 0.1];
const INTS: [i128; 14] = [0, 1, -1, 2, 3, 4, 7, 8, 100, 127, -128, 255, i32::MAX as i128, i32::MIN as i128];

/// The function with the proof that it follows the rules.
fn verified(f: Func) -> Verified {
    Verified::new(f).unwrap_or_else(|d| panic!("{d}"))
}

/// The numbers as a tensor of this dtype.
fn numbers(dtype: DType, floats: &[f64], ints: &[i128]) -> Tensor {
    let (n, m) = (floats.len(), ints.len());
    match dtype {
        DType::F16 => Tensor::from_vec([n], floats.iter().map(|&x| f16::from_f32(x as f32)).collect()),
        DType::F32 => Tensor::from_vec([n], floats.iter().map(|&x| x as f32).collect()),
        DType::F64 => Tensor::from_vec([n], floats.to_vec()),
        DType::Bool => Tensor::from_vec([2], vec![false, true]),
        DType::I8 => Tensor::from_vec([m], ints.iter().map(|&i| i as i8).collect()),
        DType::U8 => Tensor::from_vec([m], ints.iter().map(|&i| i as u8).collect()),
        DType::I32 => Tensor::from_vec([m], ints.iter().map(|&i| i as i32).collect()),
        DType::U32 => Tensor::from_vec([m], ints.iter().map(|&i| i as u32).collect()),
        other => panic!("no numbers of {other}"),
    }
    .expect("the length fits")
}

/// Every pair of two numbers: the left sides and the right sides.
fn pairs(t: &Tensor) -> (Tensor, Tensor) {
    let (size, n) = (t.dtype().size(), t.len());
    let element = |i: usize| &t.bytes()[i * size..(i + 1) * size];
    let left: Vec<u8> = (0..n * n).flat_map(|i| element(i / n).to_vec()).collect();
    let right: Vec<u8> = (0..n * n).flat_map(|i| element(i % n).to_vec()).collect();
    let tensor = |bytes: &[u8]| Tensor::from_bytes(t.dtype(), [n * n], bytes).expect("n * n elements");
    (tensor(&left), tensor(&right))
}

/// A function of two inputs under construction, with everything of interest as an output.
struct Table {
    f: Func,
    x: Value,
    y: Value,
    constants: Vec<Value>,
    inputs: [Tensor; 2],
}

impl Table {
    fn new(dtype: DType, constants: usize) -> Table {
        let (left, right) = pairs(&numbers(dtype, &FLOATS, &INTS));
        let mut f = Func::new("table");
        let ty = left.ty();
        let x = f.add_input("x", ty.clone(), InputKind::Feed, Loc::UNKNOWN);
        let y = f.add_input("y", ty.clone(), InputKind::Feed, Loc::UNKNOWN);
        let scalars = numbers(dtype, &CONSTANTS, &INTS);
        let size = dtype.size();
        let constants = scalars.bytes().chunks_exact(size).take(constants).map(|bytes| {
            let s = Tensor::from_bytes(dtype, [], bytes).expect("one element");
            let s = f.constant(s, Loc::UNKNOWN);
            let op = Op::BroadcastInDim { shape: ty.shape.clone(), dims: Default::default() };
            f.push1(op, &[s], Loc::UNKNOWN).expect("a scalar broadcasts")
        });
        let constants = constants.collect();
        Table { f, x, y, constants, inputs: [left, right] }
    }

    /// The value of an operator where it is defined on this dtype.
    fn push(&mut self, op: Op, operands: &[Value]) -> Option<Value> {
        self.f.push1(op, operands, Loc::UNKNOWN).ok()
    }

    fn output(&mut self, v: Value) {
        let name = format!("y{}", self.f.outputs.len());
        self.f.add_output(name, v);
    }

    /// Every unary operator of a value, every binary operator and comparison of it with the other values, both ways.
    fn apply_all(&mut self, x: Value, others: &[Value]) -> Vec<Value> {
        let mut results = vec![];
        for op in UnaryOp::ALL {
            results.extend(self.push(Op::Unary(*op), &[x]));
        }
        let f64 = self.f.ty(x).dtype == DType::F64;
        for &c in others {
            // `power` promises a few ULP, and a multiplication in its place is better than that: in f64 one can see it.
            for op in BinaryOp::ALL.iter().filter(|op| **op != BinaryOp::Power || !f64) {
                results.extend(self.push(Op::Binary(*op), &[x, c]));
                results.extend(self.push(Op::Binary(*op), &[c, x]));
            }
            for d in COMPARES {
                results.extend(self.push(Op::Compare(d), &[x, c]));
                results.extend(self.push(Op::Compare(d), &[c, x]));
            }
        }
        results
    }

    fn check(self, what: &str) -> Vec<PassLog> {
        let options = OptimizeOptions { dump: None, verify: false, ..OptimizeOptions::default() };
        let expected = eval(&self.f, &self.inputs).unwrap_or_else(|e| panic!("{e}"));
        let mut logs = Vec::new();
        for pass in ["canonicalize", "simplify", "fold_constants", "optimize"] {
            let done = match pass {
                "optimize" => optimize(verified(self.f.clone()), &options).map(Optimized::into_func),
                _ => run_pass(self.f.clone(), pass, &options),
            };
            let done = done.unwrap_or_else(|d| panic!("{d}"));
            assert_eq!(done.log.level_needed(), Level::Exact);
            let found = eval(&done.func, &self.inputs).unwrap_or_else(|e| panic!("{e}"));
            for (i, (e, f)) in expected.iter().zip(&found).enumerate() {
                if let Some(d) = difference(e, f, Tolerance::Bits) {
                    let outputs = vec![self.f.outputs[i].clone()];
                    let before = self.f.clone().with_outputs(outputs, kiln_ir::UnusedInputs::Keep);
                    let after =
                        done.func.clone().with_outputs(vec![done.func.outputs[i].clone()], kiln_ir::UnusedInputs::Keep);
                    let text = |f: &Func| kiln_ir::text::print(f);
                    panic!("{what}, {pass}: {d}\nbefore:\n{}\nafter:\n{}", text(&before), text(&after));
                }
            }
            logs.push(done.log);
        }
        logs
    }
}

const DTYPES: [DType; 8] =
    [DType::F32, DType::F16, DType::F64, DType::Bool, DType::I8, DType::U8, DType::I32, DType::U32];

#[test]
fn one_operator() {
    for dtype in DTYPES {
        let mut t = Table::new(dtype, usize::MAX);
        let (x, y, constants) = (t.x, t.y, t.constants.clone());
        let others: Vec<Value> = constants.iter().copied().chain([x, y]).collect();
        for v in t.apply_all(x, &others) {
            t.output(v);
        }
        t.check(&format!("{dtype}"));
    }
}

#[test]
fn two_operators() {
    let mut rules = std::collections::BTreeSet::new();
    for dtype in DTYPES {
        let mut t = Table::new(dtype, 7);
        let (x, y, constants) = (t.x, t.y, t.constants.clone());
        let others: Vec<Value> = constants.iter().copied().chain([x, y]).collect();
        let first = t.apply_all(x, &others);
        // The second operators in portions: tables of all of them would not fit in memory.
        for (k, part) in first.chunks(40).enumerate() {
            // One in so many of the rest is enough: constants and operators come round in all of them.
            if k % 8 != 0 && k > 3 {
                continue;
            }
            let mut u = Table { f: t.f.clone(), inputs: t.inputs.clone(), ..Table::new(dtype, 0) };
            for &v in part {
                let same = |w: &Value| t.f.ty(*w) == t.f.ty(v);
                let others: Vec<Value> = constants.iter().step_by(2).chain([&x, &y]).copied().filter(same).collect();
                for w in u.apply_all(v, &others) {
                    u.output(w);
                }
            }
            let outputs = u.f.outputs.clone();
            u.f = u.f.with_outputs(outputs, kiln_ir::UnusedInputs::Keep);
            let logs = u.check(&format!("{dtype}, portion {k}"));
            rules.extend(logs.iter().flat_map(|l| &l.runs).flat_map(|r| r.rules.keys().copied()));
        }
    }
    for rule in ["negated operand", "constants of a chain", "involution", "x op not x"] {
        assert!(rules.contains(rule), "no `{rule}` in {rules:?}");
    }
}

#[test]
fn conversions() {
    // Of the types that are legalized first, one of each kind: `legalize.rs` has the others.
    let legalized = [DType::C64, DType::I4, DType::F8E4M3FN];
    let wide = |d: &DType| !d.is_complex() && (d.bits() >= 8 && d.mini_format().is_none());
    let all: Vec<DType> = DType::ALL.into_iter().filter(|d| wide(d) || legalized.contains(d)).collect();
    for dtype in DTYPES {
        let t = numbers(dtype, &FLOATS, &INTS);
        let mut f = Func::new("conversions");
        let x = f.add_input("x", t.ty(), InputKind::Feed, Loc::UNKNOWN);
        let convert = |f: &mut Func, to: DType, v: Value| f.push1(Op::Convert(to), &[v], Loc::UNKNOWN).expect("valid");
        for &between in &all {
            let y = convert(&mut f, between, x);
            for &to in &all {
                let z = convert(&mut f, to, y);
                f.add_output(format!("{between}.{to}"), z);
                let c = f.constant(Tensor::zeros(to, []).expect("small"), Loc::UNKNOWN);
                let zero = Op::BroadcastInDim { shape: t.ty().shape, dims: Default::default() };
                let c = f.push1(zero, &[c], Loc::UNKNOWN).expect("valid");
                let d = f.push1(Op::Compare(CompareDirection::NE), &[z, c], Loc::UNKNOWN).expect("valid");
                f.add_output(format!("{between}.{to}.bool"), d);
            }
        }
        let options = OptimizeOptions { dump: None, ..OptimizeOptions::default() };
        let done = optimize(verified(f.clone()), &options).unwrap_or_else(|d| panic!("{d}"));
        // Nothing holds all of f64.
        assert_eq!(done.log.count("convert of convert") > 0, dtype != DType::F64);
        let inputs = [t];
        let (before, after) = (eval(&f, &inputs).expect("valid"), eval(&done.func, &inputs).expect("valid"));
        for (i, (a, b)) in before.iter().zip(&after).enumerate() {
            let d = difference(a, &retyped(b, &a.ty()), Tolerance::Bits);
            assert_eq!(d, None, "{dtype} over {}", f.outputs[i].name);
        }
    }
}

/// Counters of every type, converted to every type.
#[test]
fn counters() {
    let options = OptimizeOptions { dump: None, ..OptimizeOptions::default() };
    for from in DType::ALL.into_iter().filter(|d| *d != DType::Bool) {
        let mut f = Func::new("counters");
        for to in DType::ALL {
            // What is legalized counts no further than its storage.
            let sizes: &[usize] = if to.bits() < 16 { &[3, 300] } else { &[3, 300, 3000] };
            for &n in sizes {
                let ty = TensorType::new(from, [n]);
                let Ok(x) = f.push1(Op::Iota { ty, dim: 0 }, &[], Loc::UNKNOWN) else { continue };
                let y = f.push1(Op::Convert(to), &[x], Loc::UNKNOWN).expect("valid");
                f.add_output(format!("{to}.{n}"), y);
            }
        }
        let done = optimize(verified(f.clone()), &options).unwrap_or_else(|d| panic!("{d}")).func;
        let (before, after) = (eval(&f, &[]).expect("valid"), eval(&done, &[]).expect("valid"));
        for (i, (a, b)) in before.iter().zip(&after).enumerate() {
            assert_eq!(difference(a, &retyped(b, &a.ty()), Tolerance::Bits), None, "{from} to {}", f.outputs[i].name);
        }
    }
}
