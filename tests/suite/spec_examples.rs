//! The operator table against the implementation: every example by the interpreter and compiled, every derivative against
//! automatic differentiation and finite differences of the interpreter.

use kiln::builder::grad;
use kiln::interp::EvalOptions;
use kiln::ir::{BinaryOp, Op, UnaryOp, text};
use kiln::prelude::*;
use kiln_spec::{Accuracy, Operator};

/// Numbers as a tensor. Integers wrap, so that `4294967295` is a u32.
fn tensor(dtype: DType, shape: &[usize], numbers: &[kiln_spec::Number]) -> Tensor {
    if dtype.is_float() {
        let data = Tensor::from_vec(shape, numbers.iter().map(|n| n.0).collect::<Vec<f64>>()).expect("fits the shape");
        return kiln::interp::eval_op(&Op::Convert(dtype), &[data]).expect("converts").swap_remove(0);
    }
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| (n.0 as i128).to_le_bytes()[..dtype.size()].to_vec()).collect();
    Tensor::from_bytes(dtype, shape, &bytes).expect("fits the shape")
}

/// One unit in the last place at `x`.
fn ulp(dtype: DType, x: f64) -> f64 {
    let (digits, lowest) = match dtype {
        DType::F64 => (52, -1074),
        DType::F32 => (23, -149),
        DType::F16 => (10, -24),
        DType::BF16 => (7, -133),
        _ => return 0.0,
    };
    let exponent = if x == 0.0 || !x.is_finite() { lowest } else { x.abs().log2().floor() as i32 - digits };
    2f64.powi(exponent.max(lowest))
}

/// The stated result is rounded, and so are the inputs: one ulp more than the operator may be off.
fn allowed(accuracy: Accuracy) -> f64 {
    match accuracy {
        Accuracy::Exact | Accuracy::Rounded | Accuracy::AsNested => 0.0,
        Accuracy::Ulp(n) | Accuracy::NormUlp(n) => f64::from(n) + 1.0,
        Accuracy::ViaF32 => 1.0,
        // A handful of small integers: every sum of them is exact.
        Accuracy::Reduction => 0.0,
    }
}

fn check(name: &str, how: &str, found: &Tensor, expected: &Tensor, ulps: f64) {
    assert_eq!(found.ty(), expected.ty(), "{name}, {how}");
    let (f, e) = (found.numbers(), expected.numbers());
    for i in 0..f.len() {
        let same = f[i] == e[i] && f[i].is_sign_negative() == e[i].is_sign_negative();
        let near = (f[i] - e[i]).abs() <= ulps * ulp(found.dtype(), e[i]);
        let fine = same || (f[i].is_nan() && e[i].is_nan()) || (ulps > 0.0 && near);
        assert!(fine, "{name}, {how}: element {i} is {:?}, the table says {:?} within {ulps} ulp", f[i], e[i]);
    }
}

#[test]
fn every_example_holds() {
    let spec = kiln_spec::load();
    let mut checked = 0;
    for (name, op) in spec.ops() {
        let (Some(example), Some(source)) = (&op.example, op.example_function(name)) else { continue };
        let func = text::parse(&source).unwrap_or_else(|e| panic!("{name}: {e}\n{source}"));
        let sizes = |ty: &kiln::ir::TensorType| ty.shape.as_sizes().expect("examples are static").to_vec();
        let inputs: Vec<Tensor> = func
            .inputs
            .iter()
            .zip(&example.inputs_data)
            .map(|(input, data)| tensor(input.ty.dtype, &sizes(&input.ty), data))
            .collect();
        let ty = func.ty(func.outputs[0].value).clone();
        let expected = tensor(ty.dtype, &sizes(&ty), &example.outputs_data[0]);
        let accuracy =
            op.accuracy(ty.dtype.name()).or(op.accuracy(func.inputs.first().map_or("f32", |i| i.ty.dtype.name())));
        let ulps = allowed(accuracy.unwrap_or_else(|| panic!("{name} has no accuracy for its example")));
        let interpreted = kiln::interp::eval(&func, &inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
        check(name, "interpreted", &interpreted[0], &expected, ulps);
        let names: Vec<String> = func.inputs.iter().map(|i| i.name.clone()).collect();
        let feeds: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&inputs).collect();
        for level in [0, 2] {
            let optimize = kiln::optimizer::OptimizeOptions { level, ..Default::default() };
            let exe = Compiler::cpu().threads(1).optimize(optimize).compile_func(func.clone());
            let out = exe.unwrap_or_else(|e| panic!("{name}: {e}")).run(&feeds).expect("runs");
            check(name, &format!("compiled at level {level}"), &out[0], &expected, ulps);
        }
        checked += 1;
    }
    assert!(checked >= 65, "only {checked} examples");
}

#[test]
fn every_elementwise_operator_has_an_entry() {
    let spec = kiln_spec::load();
    for name in UnaryOp::ALL.iter().map(|u| u.name()).chain(BinaryOp::ALL.iter().map(|b| b.name())) {
        let op = spec.op(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert!(op.example.is_some() && op.scalar.is_some(), "{name} lacks an example or its meaning");
    }
}

/// Points away from kinks and poles.
const POINTS: [f64; 6] = [-1.83, -0.64, -0.21, 0.37, 0.93, 2.19];

/// Where an expression is evaluated, with a tangent of 1.
fn at(x: f64, y: f64, r: f64) -> kiln_spec::expr::Point {
    kiln_spec::expr::Point { x, y, r, t: 1.0, literal: false }
}

/// Every pair of points (x, y), those of the operator's domain.
fn points(op: &Operator) -> (Vec<f64>, Vec<f64>) {
    let scalar = op.scalar_expr().expect("elementwise operators have one");
    let pairs = POINTS.iter().flat_map(|&x| POINTS.map(|y| (x, y * 1.07)));
    pairs.filter(|&(x, y)| scalar.eval(&at(x, y, 0.0)).is_some_and(f64::is_finite)).unzip()
}

fn elementwise(name: &str) -> Op {
    let unary = UnaryOp::ALL.iter().find(|u| u.name() == name).map(|u| Op::Unary(*u));
    unary.or(BinaryOp::ALL.iter().find(|b| b.name() == name).map(|b| Op::Binary(*b))).expect("it is elementwise")
}

fn gradients(op: &Op, arity: usize, x: &Tensor, y: &Tensor) -> Vec<Tensor> {
    let g = Graph::new("derivative");
    let operands = [g.placeholder::<f64>("x", [x.len()]), g.placeholder::<f64>("y", [y.len()])];
    let refs: Vec<&Expr> = operands[..arity].iter().collect();
    let derivatives = grad(&g.emit(op.clone(), &refs).sum(..), &refs);
    let spec = g.function(&derivatives);
    let found = kiln::debug::eval(&spec, &[("x", x), ("y", y)], &EvalOptions::default());
    found.unwrap_or_else(|e| panic!("{}: {e}", op.name()))
}

#[test]
fn derivatives_are_what_the_table_says() {
    let spec = kiln_spec::load();
    let mut checked = 0;
    for (name, entry) in spec.ops().filter(|(_, o)| !o.deriv.is_empty()) {
        let (op, arity) = (elementwise(name), entry.arity().expect("elementwise"));
        let (xs, ys) = points(entry);
        let vector = |v: &[f64]| Tensor::from_vec([v.len()], v.to_vec()).expect("fits");
        let value = |xs: &[f64], ys: &[f64]| {
            let operands = [vector(xs), vector(ys)];
            kiln::interp::eval_op(&op, &operands[..arity]).unwrap_or_else(|e| panic!("{name}: {e}"))[0].numbers()
        };
        let results = value(&xs, &ys);
        let by_autodiff = gradients(&op, arity, &vector(&xs), &vector(&ys));
        for (operand, expr) in entry.deriv_exprs().iter().enumerate() {
            let shifted = |h: f64| {
                let moved = |v: &[f64], yes: bool| v.iter().map(|a| if yes { a + h } else { *a }).collect::<Vec<_>>();
                value(&moved(&xs, operand == 0), &moved(&ys, operand == 1))
            };
            let h = 1e-5;
            let (above, below) = (shifted(h), shifted(-h));
            let found = by_autodiff[operand].numbers();
            for i in 0..xs.len() {
                let stated = expr.eval(&at(xs[i], ys[i], results[i])).expect("real");
                let at = format!("{name}, operand {operand} at ({}, {})", xs[i], ys[i]);
                if !stated.is_finite() {
                    continue;
                }
                // Both are a few operations in f64.
                assert!((found[i] - stated).abs() <= 1e-12 * stated.abs().max(1.0), "{at}: {} and {stated}", found[i]);
                // Error of the difference: h^2 times a third derivative, and rounding of about 1e-16 / h.
                let difference = (above[i] - below[i]) / (2.0 * h);
                let scale = stated.abs().max(results[i].abs()).max(1.0);
                assert!((difference - stated).abs() <= 1e-6 * scale, "{at}: {difference} and {stated}");
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "only {checked} derivatives");
}
