use crate::check::Case;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Func, InputKind, Loc, Op, Tensor, TensorType, UnaryOp, Value, dims};

fn func(name: &str, params: &[TensorType], make: impl FnOnce(&mut Func, &[Value]) -> Vec<Value>) -> Box<Func> {
    let mut f = Func::new(name);
    let ps: Vec<Value> = params
        .iter()
        .enumerate()
        .map(|(i, t)| f.add_input(format!("p{i}"), t.clone(), InputKind::Feed, Loc::UNKNOWN))
        .collect();
    let outs = make(&mut f, &ps);
    outs.into_iter().enumerate().for_each(|(i, v)| f.add_output(format!("o{i}"), v));
    Box::new(f)
}

fn un(f: &mut Func, op: UnaryOp, x: Value) -> Value {
    f.push1(Op::Unary(op), &[x], Loc::UNKNOWN).unwrap()
}
fn bin(f: &mut Func, op: BinaryOp, x: Value, y: Value) -> Value {
    f.push1(Op::Binary(op), &[x, y], Loc::UNKNOWN).unwrap()
}
fn less(f: &mut Func, x: Value, y: Value) -> Value {
    f.push1(Op::Compare(CompareDirection::LT), &[x, y], Loc::UNKNOWN).unwrap()
}
fn int(f: &mut Func, n: i32) -> Value {
    f.constant(Tensor::scalar(n), Loc::UNKNOWN)
}

fn vec3() -> TensorType {
    TensorType::new(DType::F64, [3])
}
fn i32s() -> TensorType {
    TensorType::scalar(DType::I32)
}

/// x <- sin(x) * w for `start, start + step, ...` below a literal limit; w is handed through.
fn counted(start: i32, step: i32, limit: i32) -> Case {
    let types = [i32s(), vec3(), vec3()];
    let cond = func("cond", &types, |f, p| {
        let n = int(f, limit);
        vec![less(f, p[0], n)]
    });
    let body = func("body", &types, |f, p| {
        let k = int(f, step);
        let i = bin(f, BinaryOp::Add, p[0], k);
        let s = un(f, UnaryOp::Sine, p[1]);
        let x = bin(f, BinaryOp::Multiply, s, p[2]);
        // The counter takes part in the value, too.
        let c = f.push1(Op::Convert(DType::F64), &[p[0]], Loc::UNKNOWN).unwrap();
        let c = f.push1(Op::BroadcastInDim { shape: dims![3], dims: Default::default() }, &[c], Loc::UNKNOWN).unwrap();
        let x = bin(f, BinaryOp::Add, x, c);
        vec![i, x, p[2]]
    });
    let mut c = Case::new();
    let (x, w) = (c.x(&[3]), c.x(&[3]));
    let i = c.f.constant(Tensor::scalar(start), Loc::UNKNOWN);
    let node = c.f.push(Op::While { cond, body }, &[i, x, w], Loc::caller()).unwrap();
    c.out(Value { node, result: 1 });
    c
}

#[test]
fn counted_loops() {
    counted(0, 1, 4).check();
    counted(2, 3, 12).check();
    counted(0, 1, 0).check();
    counted(5, 1, 2).check();
}

#[test]
fn counted_loops_take_linear_work() {
    // The gradient of a counted loop holds two loops (forward with stacks, reverse) and no loop inside of a loop.
    let g = counted(0, 1, 4).gradient();
    let whiles: Vec<&Op> = g.f.nodes().iter().map(|n| &n.op).filter(|o| matches!(o, Op::While { .. })).collect();
    assert_eq!(whiles.len(), 3, "original, saving, reverse");
    let nested =
        whiles.iter().flat_map(|o| o.regions()).flat_map(|f| f.nodes()).any(|n| matches!(n.op, Op::While { .. }));
    assert!(!nested);
}

#[test]
fn data_dependent_loops() {
    // Doubles until the first element exceeds a bound: the trip count depends on the data.
    let types = [vec3(), vec3()];
    let first = |f: &mut Func, v: Value| {
        let op = Op::Slice {
            start: [0.into()].into_iter().collect(),
            limit: [1.into()].into_iter().collect(),
            strides: [1].into_iter().collect(),
        };
        let s = f.push1(op, &[v], Loc::UNKNOWN).unwrap();
        f.push1(Op::Reshape(dims![]), &[s], Loc::UNKNOWN).unwrap()
    };
    let cond = func("cond", &types, |f, p| {
        let x = first(f, p[0]);
        let bound = f.constant(Tensor::scalar(10.0f64), Loc::UNKNOWN);
        vec![less(f, x, bound)]
    });
    let body = func("body", &types, |f, p| {
        let s = un(f, UnaryOp::Sine, p[0]);
        let x = bin(f, BinaryOp::Add, p[0], p[0]);
        let x = bin(f, BinaryOp::Add, x, s);
        let x = bin(f, BinaryOp::Multiply, x, p[1]);
        vec![x, p[1]]
    });
    let mut c = Case::new();
    let (x, w) = (c.input(&[3], 0.5, 1.0), c.input(&[3], 0.9, 1.1));
    let node = c.f.push(Op::While { cond, body }, &[x, w], Loc::caller()).unwrap();
    c.out(Value { node, result: 0 });
    c.out(Value { node, result: 1 });
    c.check();
}

/// A scan as the builder makes it: running products of rows, stacked, over a symbolic or fixed length.
fn scan(symbolic: bool) -> Case {
    let mut c = Case::new();
    let (xs, n) = if symbolic {
        let xs = c.symbolic(dims!["n", 3], &[4, 3]);
        (xs, c.op(Op::GetDimensionSize(0), &[xs]))
    } else {
        (c.x(&[4, 3]), c.f.constant(Tensor::scalar(4i32), Loc::UNKNOWN))
    };
    let xs_ty = c.f.ty(xs).clone();
    let types = [i32s(), vec3(), xs_ty.clone(), i32s(), xs_ty.clone()];
    let cond = func("cond", &types, |f, p| vec![less(f, p[0], p[3])]);
    let body = func("body", &types, |f, p| {
        let zero = int(f, 0);
        let row = f.push1(Op::DynamicSlice { sizes: dims![1, 3] }, &[p[4], p[0], zero], Loc::UNKNOWN).unwrap();
        let x = f.push1(Op::Reshape(dims![3]), &[row], Loc::UNKNOWN).unwrap();
        let s = un(f, UnaryOp::Sine, x);
        let carry = bin(f, BinaryOp::Multiply, p[1], s);
        let y = un(f, UnaryOp::Exponential, carry);
        let y = f.push1(Op::Reshape(dims![1, 3]), &[y], Loc::UNKNOWN).unwrap();
        let ys = f.push1(Op::DynamicUpdateSlice, &[p[2], y, p[0], zero], Loc::UNKNOWN).unwrap();
        let one = int(f, 1);
        let i = bin(f, BinaryOp::Add, p[0], one);
        vec![i, carry, ys, p[3], p[4]]
    });
    let init = c.input(&[3], 0.5, 1.0);
    let zero = c.f.constant(Tensor::scalar(0i32), Loc::UNKNOWN);
    let empty = c.scalar(0.0);
    let buffer = c.op(Op::BroadcastInDim { shape: xs_ty.shape.clone(), dims: Default::default() }, &[empty]);
    let node = c.f.push(Op::While { cond, body }, &[zero, init, buffer, n, xs], Loc::caller()).unwrap();
    c.out(Value { node, result: 1 });
    c.out(Value { node, result: 2 });
    c
}

#[test]
fn scans() {
    scan(false).check();
    scan(true).check();
}

#[test]
fn a_scan_does_not_stack_its_buffers() {
    // Neither the buffer being filled nor the scanned input is saved per iteration: no state has four dimensions' worth of it.
    let g = scan(false).gradient();
    let widest = g.f.nodes().iter().flat_map(|n| &n.types).map(|t| t.rank()).max();
    assert_eq!(widest, Some(2));
}

#[test]
fn costly_values_are_saved_not_computed_again() {
    // x <- tanh(w x): the reverse loop has the two products of the gradient, and neither the tanh nor the product again.
    let mat = TensorType::new(DType::F64, [3, 3]);
    let types = [i32s(), vec3(), mat];
    let cond = func("cond", &types, |f, p| {
        let n = int(f, 5);
        vec![less(f, p[0], n)]
    });
    let body = func("body", &types, |f, p| {
        let dims = kiln_ir::op::DotDims {
            lhs_contract: [1].into_iter().collect(),
            rhs_contract: [0].into_iter().collect(),
            ..Default::default()
        };
        let x = f.push1(Op::DotGeneral(dims), &[p[2], p[1]], Loc::UNKNOWN).unwrap();
        let one = int(f, 1);
        vec![bin(f, BinaryOp::Add, p[0], one), un(f, UnaryOp::Tanh, x), p[2]]
    });
    let mut c = Case::new();
    let (x, w) = (c.x(&[3]), c.x(&[3, 3]));
    let zero = c.f.constant(Tensor::scalar(0i32), Loc::UNKNOWN);
    let node = c.f.push(Op::While { cond, body }, &[zero, x, w], Loc::caller()).unwrap();
    c.out(Value { node, result: 1 });
    let g = c.gradient();
    let last = g.f.nodes().iter().rev().find(|n| matches!(n.op, Op::While { .. })).unwrap();
    let names: Vec<&str> = last.op.regions()[1].nodes().iter().map(|n| n.op.name()).collect();
    assert_eq!(names.iter().filter(|n| **n == "dot_general").count(), 2);
    assert!(!names.contains(&"tanh"), "{names:?}");
    c.check();
}

#[test]
fn users_move_to_the_saving_loop() {
    let c = counted(0, 1, 4);
    let mut g = c.f.clone();
    let ct = g.add_input("ct", vec3(), InputKind::Feed, Loc::UNKNOWN);
    let (y, x) = (g.outputs[0].value, Value::from(g.inputs[0].node));
    let d = kiln_autodiff::vjp_with(&mut g, &[(y, ct)], &[x]).unwrap();
    let inputs: Vec<_> = g.inputs.iter().map(kiln_ir::NewInput::of).collect();
    let count = |roots: &[Value]| {
        let e = g.extract("x", &inputs, roots, &d.replaced);
        e.func.nodes().iter().filter(|n| matches!(n.op, Op::While { .. })).count()
    };
    // With the gradient: the saving loop serves the value as well. Without: the plain loop.
    assert_eq!(count(&[y, d.values[0].unwrap()]), 2);
    assert_eq!(count(&[y]), 1);
}

#[test]
fn branches() {
    for flag in [true, false] {
        let types = [vec3(), vec3()];
        let on_true = func("t", &types, |f, p| {
            let s = un(f, UnaryOp::Sine, p[0]);
            vec![bin(f, BinaryOp::Multiply, s, p[1]), p[0]]
        });
        // One side does not use the first argument.
        let on_false = func("f", &types, |f, p| {
            let e = un(f, UnaryOp::Exponential, p[1]);
            vec![e, p[1]]
        });
        let mut c = Case::new();
        let p = c.bools(&[], vec![flag]);
        let (x, y) = (c.x(&[3]), c.x(&[3]));
        let node = c.f.push(Op::If { on_true, on_false }, &[p, x, y], Loc::caller()).unwrap();
        c.out(Value { node, result: 0 });
        c.out(Value { node, result: 1 });
        c.check();
    }
    for index in [0, 1, 2, 7, -1] {
        let ops = [UnaryOp::Sine, UnaryOp::Exponential, UnaryOp::Tanh];
        let branches = ops.iter().map(|&op| *func("b", &[vec3()], |f, p| vec![un(f, op, p[0])])).collect();
        let mut c = Case::new();
        let i = c.ints(&[], vec![index]);
        let x = c.x(&[3]);
        let node = c.f.push(Op::Case { branches }, &[i, x], Loc::caller()).unwrap();
        c.done(node.into());
    }
}

#[test]
fn a_branch_inside_of_a_loop_inside_of_a_loop() {
    let inner_types = [i32s(), vec3()];
    let inner_cond = func("c", &inner_types, |f, p| {
        let n = int(f, 2);
        vec![less(f, p[0], n)]
    });
    let inner_body = func("b", &inner_types, |f, p| {
        let one = int(f, 1);
        let even = less(f, p[0], one);
        let t = func("t", &[vec3()], |f, p| vec![un(f, UnaryOp::Sine, p[0])]);
        let e = func("e", &[vec3()], |f, p| vec![bin(f, BinaryOp::Multiply, p[0], p[0])]);
        let x = f.push(Op::If { on_true: t, on_false: e }, &[even, p[1]], Loc::UNKNOWN).unwrap();
        vec![bin(f, BinaryOp::Add, p[0], one), x.into()]
    });
    let outer_cond = func("c", &inner_types, |f, p| {
        let n = int(f, 3);
        vec![less(f, p[0], n)]
    });
    let outer_body = func("b", &inner_types, |f, p| {
        let (zero, one) = (int(f, 0), int(f, 1));
        let op = Op::While { cond: inner_cond.clone(), body: inner_body.clone() };
        let inner = f.push(op, &[zero, p[1]], Loc::UNKNOWN).unwrap();
        let x = bin(f, BinaryOp::Add, Value { node: inner, result: 1 }, p[1]);
        vec![bin(f, BinaryOp::Add, p[0], one), x]
    });
    let mut c = Case::new();
    let x = c.input(&[3], 0.1, 0.4);
    let zero = c.f.constant(Tensor::scalar(0i32), Loc::UNKNOWN);
    let node = c.f.push(Op::While { cond: outer_cond, body: outer_body }, &[zero, x], Loc::caller()).unwrap();
    c.done(Value { node, result: 1 });
}

#[test]
fn composites() {
    // Through the body.
    let body = func("body", &[vec3(), vec3()], |f, p| {
        let s = un(f, UnaryOp::Sine, p[0]);
        vec![bin(f, BinaryOp::Multiply, s, p[1]), s]
    });
    let mut c = Case::new();
    let (x, y) = (c.x(&[3]), c.x(&[3]));
    let op = Op::Composite { name: "sin_times".into(), body: body.clone(), vjp: None };
    let node = c.f.push(op, &[x, y], Loc::caller()).unwrap();
    c.out(Value { node, result: 0 });
    c.out(Value { node, result: 1 });
    c.check();

    // With a derivative of its own, twice the true one.
    let one = func("one", &[vec3()], |f, p| vec![un(f, UnaryOp::Sine, p[0])]);
    let vjp = func("vjp", &[vec3(), vec3(), vec3()], |f, p| {
        let d = un(f, UnaryOp::Cosine, p[0]);
        let d = bin(f, BinaryOp::Multiply, d, p[2]);
        vec![bin(f, BinaryOp::Add, d, d)]
    });
    let mut c = Case::new();
    let x = c.x(&[3]);
    let y = c.op(Op::Composite { name: "odd".into(), body: one, vjp: Some(vjp) }, &[x]);
    c.out(y);
    let g = c.gradient();
    let (xs, ct) = (g.inputs[0].as_slice::<f64>().unwrap(), g.inputs[1].as_slice::<f64>().unwrap());
    for (i, v) in g.eval()[0].as_slice::<f64>().unwrap().iter().enumerate() {
        assert!((v - 2.0 * xs[i].cos() * ct[i]).abs() < 1e-15);
    }
}

#[test]
fn stop_gradient_stops() {
    let mut c = Case::new();
    let x = c.x(&[3]);
    let body = func("stop_gradient", &[vec3()], |_, p| vec![p[0]]);
    let stopped = c.op(Op::Composite { name: kiln_autodiff::STOP_GRADIENT.into(), body, vjp: None }, &[x]);
    let y = c.bin(BinaryOp::Multiply, stopped, x);
    c.out(y);
    let g = c.gradient();
    let (xs, ct) = (g.inputs[0].as_slice::<f64>().unwrap(), g.inputs[1].as_slice::<f64>().unwrap());
    for (i, v) in g.eval()[0].as_slice::<f64>().unwrap().iter().enumerate() {
        assert_eq!(*v, xs[i] * ct[i]);
    }
    let one = c.f.constant(Tensor::from_vec([3], vec![1.0f64; 3]).unwrap(), Loc::UNKNOWN);
    let t = kiln_autodiff::jvp(&mut c.f, &[stopped, y], &[(x, one)]).unwrap();
    assert!(t[0].is_none() && t[1].is_some());
}

/// The gradient of `sin(sin(... sin(x)))`, `n` times, by a loop whose number of iterations is an input.
fn gradient_of_iterated_sine(x: f64, n: usize) -> f64 {
    let scalar = TensorType::scalar(DType::F64);
    let types = [scalar.clone(), scalar.clone(), scalar];
    let cond = func("cond", &types, |f, p| vec![less(f, p[1], p[2])]);
    let body = func("body", &types, |f, p| {
        let one = f.constant(Tensor::scalar(1.0f64), Loc::UNKNOWN);
        let s = un(f, UnaryOp::Sine, p[0]);
        vec![s, bin(f, BinaryOp::Add, p[1], one), p[2]]
    });
    let mut c = Case::new();
    let (x, i, bound) = (c.input_of(&[], vec![x]), c.input_of(&[], vec![0.0]), c.input_of(&[], vec![n as f64]));
    let node = c.f.push(Op::While { cond, body }, &[x, i, bound], Loc::caller()).unwrap();
    let one = c.scalar(1.0);
    let cts = kiln_autodiff::vjp(&mut c.f, &[(node.into(), one)], &[x]).unwrap();
    c.out(cts[0].unwrap());
    c.eval()[0].item().unwrap()
}

#[test]
fn data_dependent_loops_take_few_further_iterations() {
    // With the state of each iteration computed from the start, the longest would take 200 million iterations.
    for n in [0, 1, 2, 3, 4, 7, 8, 64, 1000, 20_000] {
        let start = 0.8f64;
        let (mut x, mut product) = (start, 1.0);
        for _ in 0..n {
            product *= x.cos();
            x = x.sin();
        }
        let d = gradient_of_iterated_sine(start, n);
        assert!((d - product).abs() <= 1e-9 * product.abs(), "{n} iterations: {d}, expected {product}");
    }
}
