//! Functions, control flow, random bits, debugging and errors.

mod common;

use common::{numbers, run, t, to};
use kiln_interp::{
    EvalError, EvalOptions, NodeEvent, NonFinite, Observer, Stepper, Trace, eval, eval_op, eval_with, threefry2x32,
};
use kiln_ir::op::{CompareDirection, RngAlgorithm};
use kiln_ir::{BinaryOp, DType, Dim, Func, InputKind, Loc, Op, Tensor, TensorType, UnaryOp, Value, dims};
use std::ops::ControlFlow;

fn feed(f: &mut Func, name: &str, ty: TensorType) -> Value {
    f.add_input(name, ty, InputKind::Feed, Loc::new("model.rs", 1, 1))
}

fn push(f: &mut Func, op: Op, operands: &[Value]) -> Value {
    let line = f.nodes().len() as u32 + 1;
    f.push1(op, operands, Loc::new("model.rs", line, 5)).unwrap_or_else(|d| panic!("{d}"))
}

fn named(f: &mut Func, v: Value, name: &str) -> Value {
    f.node_mut(v.node).name = Some(name.into());
    v
}

fn scalar_i32() -> TensorType {
    TensorType::scalar(DType::I32)
}

/// `(i, s) -> (i + 1, s + i)` while `i < n`.
fn sum_below(n: i32) -> Op {
    let mut cond = Func::new("cond");
    let i = feed(&mut cond, "i", scalar_i32());
    feed(&mut cond, "s", scalar_i32());
    let limit = cond.constant(Tensor::scalar(n), Loc::UNKNOWN);
    let go = push(&mut cond, Op::Compare(CompareDirection::LT), &[i, limit]);
    cond.add_output("go", go);
    let mut body = Func::new("body");
    let i = feed(&mut body, "i", scalar_i32());
    let s = feed(&mut body, "s", scalar_i32());
    let one = body.constant(Tensor::scalar(1), Loc::UNKNOWN);
    let next = push(&mut body, Op::Binary(BinaryOp::Add), &[i, one]);
    let sum = push(&mut body, Op::Binary(BinaryOp::Add), &[s, i]);
    named(&mut body, sum, "sum");
    body.add_output("i", next);
    body.add_output("s", sum);
    Op::While { cond: Box::new(cond), body: Box::new(body) }
}

/// A function without inputs that gives constants.
fn gives(values: &[i32]) -> Func {
    let mut f = Func::new("gives");
    for (i, v) in values.iter().enumerate() {
        let c = f.constant(Tensor::scalar(*v), Loc::UNKNOWN);
        f.add_output(i.to_string(), c);
    }
    f
}

#[test]
fn while_runs_until_the_condition_is_false() {
    let y = eval_op(&sum_below(10), &[Tensor::scalar(0), Tensor::scalar(0)]).unwrap();
    assert_eq!(y, [Tensor::scalar(10), Tensor::scalar(45)]);
    let y = eval_op(&sum_below(0), &[Tensor::scalar(3), Tensor::scalar(7)]).unwrap();
    assert_eq!(y, [Tensor::scalar(3), Tensor::scalar(7)]);
}

#[test]
fn while_stops_at_the_limit() {
    let mut f = Func::new("main");
    let zero = f.constant(Tensor::scalar(0), Loc::UNKNOWN);
    let id = f.push(sum_below(10), &[zero, zero], Loc::new("model.rs", 7, 3)).unwrap();
    f.add_output("s", Value { node: id, result: 1 });
    let with = |n| eval_with(&f, &[], &EvalOptions { max_iterations: Some(n), ..EvalOptions::default() }, &mut ());
    assert_eq!(with(10).unwrap(), [Tensor::scalar(45)]);
    match with(9) {
        Err(EvalError::IterationLimit { site, limit: 9 }) => {
            assert_eq!((site.op.as_str(), site.node, site.loc.line()), ("while", Some(id), Some(7)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn if_and_case_take_one_branch() {
    let branch = |p: bool| Op::If { on_true: Box::new(gives(&[1, 2])), on_false: Box::new(gives(&[3, 4])) }.pipe(p);
    assert_eq!(branch(true), [Tensor::scalar(1), Tensor::scalar(2)]);
    assert_eq!(branch(false), [Tensor::scalar(3), Tensor::scalar(4)]);
    let case =
        |i: i32| run(Op::Case { branches: vec![gives(&[10]), gives(&[11]), gives(&[12])] }, &[Tensor::scalar(i)]);
    assert_eq!(
        [-1, 0, 1, 2, 3, i32::MAX, i32::MIN].map(|i| case(i).item::<i32>().unwrap()),
        [12, 10, 11, 12, 12, 12, 12]
    );
}

trait Pipe {
    fn pipe(self, p: bool) -> Vec<Tensor>;
}
impl Pipe for Op {
    fn pipe(self, p: bool) -> Vec<Tensor> {
        eval_op(&self, &[Tensor::scalar(p)]).unwrap_or_else(|e| panic!("{e}"))
    }
}

#[test]
fn composites_run_their_body() {
    let mut body = Func::new("add_n");
    let x = feed(&mut body, "x", scalar_i32());
    let two = body.constant(Tensor::scalar(2), Loc::UNKNOWN);
    let y = push(&mut body, Op::Binary(BinaryOp::Add), &[x, two]);
    body.add_output("y", y);
    let op = Op::Composite { name: "add_n".into(), body: Box::new(body), vjp: None };
    assert_eq!(run(op, &[Tensor::scalar(1)]), Tensor::scalar(3));
}

#[test]
fn threefry_gives_the_known_answers() {
    // From the authors' test vectors (Random123, kat_vectors, threefry2x32 20).
    assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
    assert_eq!(threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb996fc, 0xbb002be7]);
    assert_eq!(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]), [0xc4923a9c, 0x483df7a0]);
}

#[test]
fn random_bits_are_those_of_xla() {
    // rng_bit_generator with THREE_FRY on XLA's CPU back end, by way of JAX 0.10.2; the first case is also in the specification.
    let bits = |state: [u64; 2], dtype: DType, shape: &[usize]| {
        let op = Op::RngBitGenerator { algorithm: RngAlgorithm::ThreeFry, ty: TensorType::new(dtype, shape) };
        let [next, value] = eval_op(&op, &[t(&[2], &state)]).unwrap().try_into().unwrap();
        assert_eq!(next.as_slice::<u64>().unwrap()[0], state[0]);
        assert_eq!(value.shape(), shape);
        (next.as_slice::<u64>().unwrap()[1].wrapping_sub(state[1]), value)
    };
    let u64s = |x: &Tensor| x.to_vec::<u64>().unwrap();
    let (taken, x) = bits([1, 2], DType::U64, &[2, 2]);
    assert_eq!(
        (taken, u64s(&x)),
        (4, vec![9236835810183407956, 16087790271692313299, 18212823393184779219, 2658481902456610144])
    );
    let (taken, x) = bits([7, u64::MAX - 1], DType::U64, &[4]);
    assert_eq!(
        (taken, u64s(&x)),
        (4, vec![11623698188067921303, 6868590399942727175, 13563526760692328810, 5731837475286458671])
    );
    let key = [0x0123456789abcdef, 0xfedcba9876543210];
    let (taken, x) = bits(key, DType::U64, &[]);
    assert_eq!((taken, u64s(&x)), (1, vec![1238719771404706687]));
    let cases: [(&[usize], u64, &[u32]); 6] = [
        (&[], 1, &[2933171071]),
        (&[5], 3, &[2933171071, 288411921, 3284946178, 2039365678, 2934253134]),
        (
            &[3, 4],
            6,
            &[
                2933171071, 288411921, 3284946178, 2039365678, 2934253134, 2961824378, 1236338088, 2936704409,
                3907330576, 3723051394, 4037253752, 3709374182,
            ],
        ),
        (
            &[3, 5],
            9,
            &[
                2933171071, 288411921, 3284946178, 2039365678, 2934253134, 1236338088, 2936704409, 3907330576,
                3723051394, 4037253752, 3802624568, 1077787540, 2900944550, 3285999743, 1456438002,
            ],
        ),
        (
            &[3, 3, 1],
            6,
            &[
                2933171071, 3284946178, 2934253134, 288411921, 2039365678, 2961824378, 1236338088, 3907330576,
                4037253752,
            ],
        ),
        (&[0, 3], 0, &[]),
    ];
    for (shape, blocks, want) in cases {
        let (taken, x) = bits(key, DType::U32, shape);
        assert_eq!((taken, x.as_slice::<u32>().unwrap()), (blocks, want), "{shape:?}");
    }
    let (taken, x) = bits(key, DType::U8, &[4]);
    assert_eq!((taken, x.as_slice::<u8>().unwrap()), (2, &[127, 17, 2, 46][..]));
    let (taken, x) = bits(key, DType::U16, &[3, 2]);
    assert_eq!((taken, x.as_slice::<u16>().unwrap()), (3, &[41855, 53521, 19714, 16430, 9806, 55930][..]));
    let (_, x) = bits(key, DType::I32, &[]);
    assert_eq!(x.item::<i32>().unwrap(), 2933171071u32 as i32);
}

#[test]
fn select_and_clamp() {
    let p = t(&[3], &[true, false, true]);
    let (a, b) = (t(&[3], &[2, 3, -1]), t(&[3], &[3, 7, -3]));
    assert_eq!(run(Op::Select, &[p, a.clone(), b.clone()]), t(&[3], &[2, 7, -1]));
    assert_eq!(run(Op::Select, &[Tensor::scalar(false), a.clone(), b.clone()]), b);
    assert_eq!(run(Op::Clamp, &[Tensor::scalar(0), a, t(&[3], &[1, 1, 4])]), t(&[3], &[1, 1, 0]));
    let y = run(Op::Clamp, &[Tensor::scalar(5.0f32), t(&[2], &[f32::NAN, 9.0]), Tensor::scalar(3.0f32)]);
    assert!(numbers(&y)[0].is_nan() && numbers(&y)[1] == 3.0);
}

#[test]
fn named_dimensions_bind_to_the_inputs() {
    let mut f = Func::new("f");
    let x = feed(&mut f, "x", TensorType::new(DType::F32, dims!["n", 2]));
    let y = feed(&mut f, "y", TensorType::new(DType::F32, dims![Dim::symbol("n") * 2 + 1]));
    let n = push(&mut f, Op::GetDimensionSize(0), &[x]);
    f.add_output("n", n);
    f.add_output("y", y);
    let zeros = |shape: &[usize]| Tensor::zeros(DType::F32, shape).unwrap();
    let out = eval(&f, &[zeros(&[3, 2]), zeros(&[7])]).unwrap();
    assert_eq!((out[0].item::<i32>().unwrap(), out[1].shape()), (3, &[7][..]));
    assert!(matches!(eval(&f, &[zeros(&[3, 2]), zeros(&[6])]), Err(EvalError::Invalid(_))));
    assert!(matches!(eval(&f, &[zeros(&[3, 2])]), Err(EvalError::InputCount { expected: 2, found: 1, .. })));
    match eval(&f, &[to(DType::I32, &zeros(&[3, 2])), zeros(&[7])]) {
        Err(EvalError::InputType { site, found, .. }) => {
            assert_eq!((site.name.as_deref(), site.loc.line(), found.dtype), (Some("x"), Some(1), DType::I32));
        }
        other => panic!("{other:?}"),
    }
}

/// `log(x) * 0`, then `exp`: NaN at a zero input.
fn nan_maker() -> Func {
    let mut f = Func::new("main");
    let ty = TensorType::new(DType::F32, [3]);
    let x = feed(&mut f, "x", ty);
    let log = push(&mut f, Op::Unary(UnaryOp::Log), &[x]);
    let zero = f.constant(t(&[3], &[0.0f32; 3]), Loc::UNKNOWN);
    let product = push(&mut f, Op::Binary(BinaryOp::Multiply), &[log, zero]);
    named(&mut f, product, "block/product");
    let y = push(&mut f, Op::Unary(UnaryOp::Exponential), &[product]);
    f.add_output("y", y);
    f
}

#[test]
fn the_first_nan_and_infinity_are_found() {
    let f = nan_maker();
    let x = [t(&[3], &[1.0f32, 2.0, 0.0])];
    let with = |nan, inf| {
        let options = EvalOptions { stop_at_first_nan: nan, stop_at_first_infinity: inf, ..EvalOptions::default() };
        eval_with(&f, &x, &options, &mut ())
    };
    assert!(with(false, false).is_ok());
    match with(true, false) {
        Err(ref e @ EvalError::NotFinite { ref site, value: NonFinite::NaN, result: 0, element: 2 }) => {
            assert_eq!(
                (site.op.as_str(), site.name.as_deref(), site.loc.line()),
                ("multiply", Some("block/product"), Some(4))
            );
            let text = e.to_string();
            assert!(text.contains("block/product") && text.contains("model.rs:4:5"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    match with(true, true) {
        Err(EvalError::NotFinite { site, value: NonFinite::Infinity, element: 2, .. }) => assert_eq!(site.op, "log"),
        other => panic!("{other:?}"),
    }
    let fine = EvalOptions { stop_at_first_nan: true, stop_at_first_infinity: true, ..EvalOptions::default() };
    assert!(eval_with(&f, &[t(&[3], &[1.0f32, 2.0, 3.0])], &fine, &mut ()).is_ok());
}

#[test]
fn a_stepper_shows_values_by_name() {
    let f = nan_maker();
    let mut s = Stepper::new(&f, &[t(&[3], &[1.0f32, 1.0, 1.0])], EvalOptions::default()).unwrap();
    assert!(s.named("block/product").is_none());
    assert!(s.run_to("block/product").unwrap());
    assert_eq!(numbers(s.named("block/product").unwrap()), [0.0; 3]);
    let next = s.next().unwrap();
    assert_eq!(s.func().node(next).op.name(), "exponential");
    assert!(s.results(next).is_empty());
    assert_eq!(numbers(&s.finish().unwrap()[0]), [1.0; 3]);
    assert_eq!((s.step().unwrap(), s.run_to("x").unwrap()), (None, false));
    assert_eq!(numbers(s.named("x").unwrap()), [1.0; 3]);
}

#[test]
fn a_trace_records_every_iteration() {
    let mut f = Func::new("main");
    let zero = f.constant(Tensor::scalar(0), Loc::UNKNOWN);
    let id = f.push(sum_below(3), &[zero, zero], Loc::UNKNOWN).unwrap();
    f.add_output("s", Value { node: id, result: 1 });
    let mut trace = Trace::default();
    eval_with(&f, &[], &EvalOptions::default(), &mut trace).unwrap();
    let sums: Vec<i32> = trace.named("sum").map(|e| e.results[0].item().unwrap()).collect();
    assert_eq!(sums, [0, 1, 3]);
    assert!(trace.named("sum").all(|e| e.depth == 1 && e.func == "body" && e.op == "add"));
    let last = trace.entries.last().unwrap();
    assert_eq!((last.id, last.depth, last.results.len()), (id, 0, 2));
    assert!(trace.to_string().contains("  %4 add \"sum\" i32[] = [3]"), "{trace}");
}

#[test]
fn an_observer_can_stop() {
    struct StopAtLog;
    impl Observer for StopAtLog {
        fn node(&mut self, e: &NodeEvent<'_>) -> ControlFlow<()> {
            if e.node.op == Op::Unary(UnaryOp::Log) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    let r = eval_with(&nan_maker(), &[t(&[3], &[1.0f32; 3])], &EvalOptions::default(), &mut StopAtLog);
    assert!(matches!(r, Err(EvalError::Stopped { site }) if site.op == "log"));
}

#[test]
fn bad_operands_and_huge_results_are_errors() {
    let add = Op::Binary(BinaryOp::Add);
    for operands in [vec![], vec![Tensor::scalar(1)], vec![Tensor::scalar(1), Tensor::scalar(1u8)]] {
        match eval_op(&add, &operands) {
            Err(EvalError::Operands { site, .. }) => assert_eq!(site.op, "add"),
            other => panic!("{other:?}"),
        }
    }
    let broadcast = |shape: [i64; 2]| Op::BroadcastInDim { shape: shape.into(), dims: [].into_iter().collect() };
    let huge = eval_op(&broadcast([1 << 40, 1 << 10]), &[Tensor::scalar(0u8)]);
    assert!(matches!(huge, Err(EvalError::TooLarge { .. })), "{huge:?}");
    assert!(matches!(eval_op(&broadcast([i64::MAX, 2]), &[Tensor::scalar(0u8)]), Err(EvalError::Operands { .. })));
    // Nothing is allocated for, or looped over, a tensor without elements.
    let empty = run(broadcast([1 << 40, 0]), &[Tensor::scalar(0u8)]);
    let y = run(
        Op::Reduce { axes: [0, 1].into_iter().collect(), reducer: kiln_ir::op::Reducer::Add },
        &[empty, Tensor::scalar(3u8)],
    );
    assert_eq!(y, Tensor::scalar(3u8));
    let small = EvalOptions { max_bytes: 10, ..EvalOptions::default() };
    let r = kiln_interp::eval_op_with(&broadcast([3, 4]), &[Tensor::scalar(0u8)], &small);
    assert!(matches!(r, Err(EvalError::TooLarge { ty, .. }) if ty == TensorType::new(DType::U8, [3, 4])));
}

#[test]
fn a_broken_function_is_an_error() {
    let mut f = nan_maker();
    f.outputs[0].value.result = 5;
    assert!(matches!(eval(&f, &[t(&[3], &[1.0f32; 3])]), Err(EvalError::Invalid(_))));
}

#[test]
fn variables_and_updates_go_by_position() {
    let mut f = Func::new("step");
    let ty = TensorType::new(DType::F32, [2]);
    let w = f.add_input("w", ty.clone(), InputKind::Variable(kiln_ir::Initializer::Zeros), Loc::UNKNOWN);
    let x = feed(&mut f, "x", ty);
    let next = push(&mut f, Op::Binary(BinaryOp::Add), &[w, x]);
    f.outputs.push(kiln_ir::Output { name: "w".into(), value: next, kind: kiln_ir::OutputKind::Update(0) });
    f.add_output("old", w);
    let out = eval(&f, &[t(&[2], &[1.0f32, 2.0]), t(&[2], &[10.0f32, 20.0])]).unwrap();
    assert_eq!((numbers(&out[0]), numbers(&out[1])), (vec![11.0, 22.0], vec![1.0, 2.0]));
}

/// A composite of a composite ... of `x + x`, this deep.
fn nested(depth: usize) -> Func {
    let mut f = Func::new(format!("level{depth}"));
    let x = feed(&mut f, "x", scalar_i32());
    let op = if depth == 0 {
        Op::Binary(BinaryOp::Add)
    } else {
        Op::Composite { name: "inner".into(), body: Box::new(nested(depth - 1)), vjp: None }
    };
    let operands = if depth == 0 { vec![x, x] } else { vec![x] };
    let y = push(&mut f, op, &operands);
    f.add_output("y", y);
    f
}

#[test]
fn deep_nesting_runs_up_to_the_verifiers_limit() {
    assert_eq!(eval(&nested(60), &[Tensor::scalar(21)]).unwrap(), [Tensor::scalar(42)]);
    assert!(matches!(eval(&nested(200), &[Tensor::scalar(21)]), Err(EvalError::Invalid(_))));
}

#[test]
fn summaries_show_complex_numbers() {
    let z = |n: usize| vec![kiln_ir::Complex::new(3.0f32, -4.0); n];
    let small = Tensor::from_vec([1], z(1)).unwrap();
    assert_eq!(kiln_interp::summary(&small), "c64[1] = [(3, -4)]");
    let large = Tensor::from_vec([10], z(10)).unwrap();
    assert_eq!(kiln_interp::summary(&large), "c64[10]: magnitudes 5 to 5, mean 5");
}
