//! The pipeline itself: errors, logs, dumps, budgets, and how the work grows.

use kiln_ir::{BinaryOp, DType, Func, InputKind, Loc, Op, Tensor, TensorType, UnaryOp, Value, Verified, dims, text};
use kiln_optimizer::{FoldBudget, Level, OptimizeOptions, Optimized, PASSES, optimize, run_pass};

/// The function with the proof that it follows the rules.
fn verified(f: Func) -> Verified {
    Verified::new(f).unwrap_or_else(|d| panic!("{d}"))
}

fn options() -> OptimizeOptions {
    OptimizeOptions { dump: None, ..OptimizeOptions::default() }
}

fn parse(body: &str) -> Func {
    text::parse(body).unwrap_or_else(|d| panic!("{d}"))
}

#[test]
fn symbolic_dimensions_are_an_error_that_names_the_node() {
    let mut f = Func::new("f");
    let x = f.add_input("x", TensorType::new(DType::F32, dims!["n"]), InputKind::Feed, Loc::new("model.rs", 7, 3));
    f.add_output("y", x);
    let error = optimize(verified(f), &options()).expect_err("symbolic").0.remove(0);
    assert_eq!((error.code.as_str(), error.loc.line()), ("optimize.static", Some(7)));
    assert!(error.message.contains("\"x\""), "{error}");
}

#[test]
fn symbolic_dimensions_in_nested_functions_are_found() {
    let f = "func @f(%p: bool[], %x: f32[n]) -> (f32[n]) {\n  %0 = if %p, %x, on_true = (%a: f32[n]) -> (f32[n]) {\n    \
             return %a\n  }, on_false = (%a: f32[n]) -> (f32[n]) {\n    return %a\n  } : f32[n]\n  return %0\n}\n";
    let errors = optimize(verified(parse(f)), &options()).expect_err("symbolic").0;
    assert!(errors.len() >= 4 && errors.iter().all(|d| d.code == "optimize.static"));
}

#[test]
fn unknown_passes_are_an_error() {
    let f = Func::new("f");
    let disabled = OptimizeOptions { disable: vec!["folding".into()], ..options() };
    for result in
        [optimize(verified(f.clone()), &disabled).map(Optimized::into_func), run_pass(f, "folding", &options())]
    {
        let error = result.expect_err("unknown").0.remove(0);
        assert_eq!(error.code, "optimize.options");
        assert!(error.help.unwrap_or_default().contains("fold_constants"));
    }
}

#[test]
fn pass_names_are_unique() {
    let mut names = PASSES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), PASSES.len());
}

#[test]
fn the_log_counts_rules_and_says_the_level() {
    let f = parse(
        "func @f(%x: f32[2]) -> (f32[2]) {\n  %0 = constant dense<0.0> : f32[2]\n  %1 = add %x, %0 : f32[2]\n  \
         %2 = negate %1 : f32[2]\n  %3 = negate %2 : f32[2]\n  return %3\n}\n",
    );
    let exact = optimize(verified(f.clone()), &options()).expect("valid").log;
    assert_eq!((exact.count("involution"), exact.count("x + 0")), (1, 0));
    assert_eq!(exact.level_needed(), Level::Exact);
    let contract = optimize(verified(f), &OptimizeOptions { numerics: Level::Contract, ..options() }).expect("valid");
    assert_eq!((contract.log.count("x + 0"), contract.log.level_needed()), (1, Level::Contract));
    assert_eq!(contract.func.nodes().len(), 1);
    let table = contract.log.to_string();
    assert!(table.contains("simplify") && table.contains("1 x x + 0 (contract)"), "{table}");
    assert!(table.ends_with("highest level contract"), "{table}");
}

#[test]
fn dumps_are_numbered_text_that_parses() {
    let dir = std::env::temp_dir().join(format!("kiln-optimizer-dump-{}", std::process::id()));
    let f = parse("func @f(%x: f32[2]) -> (f32[2]) {\n  %0 = negate %x : f32[2]\n  return %0\n}\n");
    optimize(verified(f), &OptimizeOptions { dump: Some(dir.clone()), ..options() }).expect("valid");
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .expect("the dump")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names[0], "f.000.input.kir");
    assert_eq!(names[1], "f.001.inline_composites.kir");
    for name in names {
        parse(&std::fs::read_to_string(dir.join(name)).expect("readable"));
    }
    std::fs::remove_dir_all(&dir).expect("removable");
}

#[test]
fn a_dump_that_cannot_be_written_is_an_error() {
    let f = Func::new("f");
    let dump = Some(std::path::PathBuf::from("/proc/no/such/place"));
    let error = optimize(verified(f), &OptimizeOptions { dump, ..options() }).expect_err("not writable").0.remove(0);
    assert_eq!(error.code, "optimize.dump");
}

#[test]
fn folding_never_exceeds_its_budget() {
    let mut f = Func::new("f");
    let c = f.constant(Tensor::from_vec([64], (0..64).map(|i| i as f32).collect()).expect("64"), Loc::UNKNOWN);
    for k in 0..10 {
        let d = f.constant(Tensor::from_vec([64], (k..k + 64).map(|i| i as f32).collect()).expect("64"), Loc::UNKNOWN);
        let y = f.push1(Op::Binary(BinaryOp::Add), &[c, d], Loc::UNKNOWN).expect("valid");
        f.add_output(format!("y{k}"), y);
    }
    let bytes = |n| FoldBudget { bytes: n, ..FoldBudget::default() };
    for (budget, expected) in [(bytes(255), 0), (bytes(256), 1), (bytes(1000), 3), (bytes(1 << 20), 10)] {
        let log =
            optimize(verified(f.clone()), &OptimizeOptions { fold_budget: budget, ..options() }).expect("valid").log;
        assert_eq!(log.count("fold constants"), expected, "{budget:?}");
    }
}

#[test]
fn provenance_survives() {
    let mut f = Func::new("f");
    let x = f.add_input("x", TensorType::new(DType::F32, [2usize, 3]), InputKind::Feed, Loc::UNKNOWN);
    let c = f.constant(Tensor::from_vec([2, 3], vec![4f32; 6]).expect("6"), Loc::new("m.rs", 1, 1));
    let y = f.push1(Op::Binary(BinaryOp::Divide), &[x, c], Loc::new("m.rs", 2, 1)).expect("valid");
    f.node_mut(y.node).name = Some("scaled".into());
    f.add_output("y", y);
    let done = optimize(verified(f), &options()).expect("valid").func;
    let y = done.node(done.outputs[0].value.node);
    assert_eq!(y.op, Op::Binary(BinaryOp::Multiply));
    assert_eq!((y.loc.line(), y.name.as_deref()), (Some(2), Some("scaled")));
    assert!(done.nodes().iter().skip(1).all(|n| n.loc.line().is_some()));
}

/// A graph of about `n` nodes that gives every pass something to do: layers, long chains, duplicates, dead nodes.
fn layers(n: usize) -> Func {
    let mut f = Func::new("layers");
    let ty = TensorType::new(DType::F32, [4usize, 4]);
    let mut x = f.add_input("x", ty.clone(), InputKind::Feed, Loc::UNKNOWN);
    let w = f.add_input("w", ty, InputKind::Feed, Loc::UNKNOWN);
    let push = |f: &mut Func, op: Op, v: &[Value]| f.push1(op, v, Loc::UNKNOWN).expect("valid");
    let one = f.constant(Tensor::from_vec([4, 4], vec![1f32; 16]).expect("16"), Loc::UNKNOWN);
    let half = f.constant(Tensor::from_vec([4, 4], vec![0.5f32; 16]).expect("16"), Loc::UNKNOWN);
    let two = f.constant(Tensor::from_vec([4, 4], vec![2f32; 16]).expect("16"), Loc::UNKNOWN);
    while f.nodes().len() < n {
        let t = push(&mut f, Op::Transpose([1, 0].into_iter().collect()), &[w]);
        let d = kiln_ir::op::DotDims {
            lhs_contract: [1].into_iter().collect(),
            rhs_contract: [0].into_iter().collect(),
            ..Default::default()
        };
        let y = push(&mut f, Op::DotGeneral(d), &[x, t]);
        let y = push(&mut f, Op::Binary(BinaryOp::Multiply), &[one, y]);
        let c = push(&mut f, Op::Binary(BinaryOp::Maximum), &[y, half]);
        let c = push(&mut f, Op::Binary(BinaryOp::Maximum), &[c, half]);
        let a = push(&mut f, Op::Reshape([16usize].into()), &[c]);
        let a = push(&mut f, Op::Unary(UnaryOp::Tanh), &[a]);
        let a = push(&mut f, Op::Reshape([4usize, 4].into()), &[a]);
        push(&mut f, Op::Unary(UnaryOp::Exponential), &[a]);
        let b = push(&mut f, Op::Binary(BinaryOp::Divide), &[a, two]);
        let b2 = push(&mut f, Op::Binary(BinaryOp::Divide), &[a, two]);
        let p = f.constant(Tensor::scalar(true), Loc::UNKNOWN);
        x = push(&mut f, Op::Select, &[p, b, b2]);
    }
    f.add_output("y", x);
    f
}

/// A chain of `n` nodes of one kind: what is quadratic in depth shows here.
fn chain(n: usize, mut step: impl FnMut(&mut Func, Value, usize) -> Value) -> Func {
    let mut f = Func::new("chain");
    let mut x = f.add_input("x", TensorType::new(DType::I32, [2usize, 3]), InputKind::Feed, Loc::UNKNOWN);
    for i in 0..n {
        x = step(&mut f, x, i);
    }
    f.add_output("y", x);
    f
}

fn work(f: Func) -> u64 {
    optimize(verified(f), &OptimizeOptions { verify: false, ..options() }).expect("valid").log.work()
}

/// The work of every pass together grows with the size of the graph and no faster.
#[test]
fn work_is_linear() {
    let push = |f: &mut Func, op: Op, v: &[Value]| f.push1(op, v, Loc::UNKNOWN).expect("valid");
    let constant = |f: &mut Func, i: usize| {
        let t = Tensor::from_vec([2, 3], vec![i as i32; 6]).expect("6");
        f.constant(t, Loc::UNKNOWN)
    };
    let graphs: [(&str, &dyn Fn(usize) -> Func); 6] = [
        ("layers", &layers),
        ("transposes", &|n| {
            chain(n, |f, x, i| {
                let x = push(f, Op::Transpose([1, 0].into_iter().collect()), &[x]);
                if i % 3 == 0 { push(f, Op::Unary(UnaryOp::Negate), &[x]) } else { x }
            })
        }),
        ("sums with constants", &|n| {
            chain(n, |f, x, i| {
                let c = constant(f, i);
                push(f, Op::Binary(BinaryOp::Add), &[c, x])
            })
        }),
        ("sums of sums with constants", &|n| {
            chain(n, |f, x, i| {
                let c = constant(f, i);
                let y = push(f, Op::Unary(UnaryOp::Popcnt), &[x]);
                let y = push(f, Op::Binary(BinaryOp::Add), &[y, c]);
                push(f, Op::Binary(BinaryOp::Add), &[x, y])
            })
        }),
        ("broadcast chain", &|n| {
            chain(n, |f, x, _| {
                let op = Op::BroadcastInDim { shape: [2usize, 2, 3].into(), dims: [1, 2].into_iter().collect() };
                let y = push(f, op, &[x]);
                let y = push(f, Op::Unary(UnaryOp::Not), &[y]);
                let zero = f.constant(Tensor::scalar(i32::MIN), Loc::UNKNOWN);
                let reduce = Op::Reduce { axes: [0].into_iter().collect(), reducer: kiln_ir::op::Reducer::Maximum };
                push(f, reduce, &[y, zero])
            })
        }),
        ("concatenations", &|n| {
            chain(n, |f, x, _| {
                let y = push(f, Op::Concatenate(0), &[x, x]);
                let bounds = |l: [usize; 2]| l.into_iter().map(kiln_ir::Dim::from).collect();
                let strides = [1, 1].into_iter().collect();
                let slice = Op::Slice { start: bounds([1, 0]), limit: bounds([3, 3]), strides };
                push(f, slice, &[y])
            })
        }),
    ];
    for (name, graph) in graphs {
        let (small, large) = (work(graph(500)), work(graph(4000)));
        assert!(large <= small * 8 * 5 / 4, "{name}: work {small} for 500, {large} for 4000");
        assert!(large <= 4000 * 400, "{name}: {large} visits");
    }
}

/// Deep nesting is a matter of the nodes in it, not of a power of the depth.
#[test]
fn nesting_is_linear() {
    fn nested(depth: usize) -> Func {
        let mut f = Func::new("f");
        let x = f.add_input("x", TensorType::new(DType::F32, [2usize]), InputKind::Feed, Loc::UNKNOWN);
        let p = f.add_input("p", TensorType::scalar(DType::Bool), InputKind::Feed, Loc::UNKNOWN);
        let mut y = f.push1(Op::Unary(UnaryOp::Tanh), &[x], Loc::UNKNOWN).expect("valid");
        if depth > 0 {
            let on_true = Box::new(nested(depth - 1));
            let mut on_false = Func::new("e");
            let a = on_false.add_input("x", TensorType::new(DType::F32, [2usize]), InputKind::Feed, Loc::UNKNOWN);
            on_false.add_input("p", TensorType::scalar(DType::Bool), InputKind::Feed, Loc::UNKNOWN);
            on_false.add_output("y", a);
            let op = Op::If { on_true, on_false: Box::new(on_false) };
            y = f.push1(op, &[p, y, p], Loc::UNKNOWN).expect("valid");
        }
        f.add_output("y", y);
        f
    }
    let (small, large) = (work(nested(6)), work(nested(60)));
    assert!(large <= small * 10 * 3 / 2, "{small} for depth 6, {large} for depth 60");
}
