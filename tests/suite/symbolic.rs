//! Named dimensions: programs compiled when first met, a bounded number of them, sizes checked.

use crate::support::{bits, floats, predictor};
use kiln::prelude::*;

fn dims_of(exe: &Executable) -> Vec<i64> {
    let mut all = Vec::new();
    exe.programs().iter().for_each(|p| all.extend(p.program().signature.dims.values().copied()));
    all
}

#[test]
fn a_size_is_compiled_when_first_met() {
    let exe = Compiler::cpu().threads(1).compile(&predictor()).expect("compiles");
    assert!(dims_of(&exe).is_empty());
    let mut times = Vec::new();
    for n in [5, 1, 5, 1, 0] {
        let out = exe.run(&[("x", &floats(1, &[n, 1, 8, 8]))]).expect("runs");
        assert_eq!(out["probs"].shape(), [n, 10]);
        for row in out["probs"].as_slice::<f32>().expect("f32").chunks(10) {
            // Ten roundings of a sum of one.
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
        }
    }
    assert_eq!(dims_of(&exe), [5, 1, 0]);
    times.extend(exe.programs().iter().map(|p| p.compile_time()));
    assert!(times.iter().all(|t| !t.is_zero()), "compile time is reported: {times:?}");
}

/// Every row is computed alone, so the rows of a batch are those of smaller batches.
#[test]
fn sizes_agree_with_each_other() {
    let exe = Compiler::cpu().threads(1).compile(&predictor()).expect("compiles");
    let x = floats(3, &[7, 1, 8, 8]);
    let all = exe.run(&[("x", &x)]).expect("runs")["probs"].to_vec::<f32>().expect("f32");
    for n in [1, 2, 3] {
        let part = Tensor::from_slice([n, 1, 8, 8], &x.as_slice::<f32>().expect("f32")[..n * 64]).expect("fits");
        let some = exe.run(&[("x", &part)]).expect("runs")["probs"].to_vec::<f32>().expect("f32");
        for (a, b) in all.iter().zip(&some) {
            // Products of other sizes may sum in another order: 384 terms.
            assert!((a - b).abs() < 1e-4, "{a} and {b} for batch {n}");
        }
    }
}

#[test]
fn sizes_given_ahead_are_compiled_at_once() {
    let compiler = Compiler::cpu().threads(1).sizes(&[("batch", 2)]).sizes(&[("batch", 3)]);
    let exe = compiler.compile(&predictor()).expect("compiles");
    assert_eq!(dims_of(&exe), [2, 3]);
    exe.run(&[("x", &floats(1, &[3, 1, 8, 8]))]).expect("runs");
    assert_eq!(dims_of(&exe), [2, 3]);
    exe.prepare(&[("batch", 4)]).expect("compiles");
    assert_eq!(dims_of(&exe), [2, 3, 4]);
}

#[test]
fn the_cache_is_bounded() {
    let exe = Compiler::cpu().threads(1).capacity(2).compile(&predictor()).expect("compiles");
    let run = |n: usize| bits(exe.run(&[("x", &floats(1, &[n, 1, 8, 8]))]).expect("runs"));
    let first = run(1);
    run(2);
    assert_eq!(dims_of(&exe), [1, 2]);
    run(3);
    assert_eq!(dims_of(&exe), [2, 3]);
    // What was dropped is compiled again, to the same bits.
    assert!(run(1) == first);
    assert_eq!(dims_of(&exe), [3, 1]);
}

#[test]
fn several_names_and_linear_expressions() {
    let g = Graph::new("shift");
    let n = Dim::symbol("n");
    let x = g.placeholder::<f32>("x", dims!["n", "m"]);
    let long = g.placeholder::<f32>("long", [n.clone() * 2 + 1]);
    let y = (x.sum(1) + long.slice_general(&[0i64.into()], std::slice::from_ref(&n), &[1])).named("y");
    let z = g.concat(&[&long, &x.sum(1)], 0).named("z");
    let exe = Compiler::cpu().threads(1).compile(&g.function([&y, &z])).expect("compiles");
    for (n, m) in [(3usize, 2usize), (1, 5), (4, 0)] {
        let (x, long) = (floats(1, &[n, m]), floats(2, &[2 * n + 1]));
        let out = exe.run(&[("x", &x), ("long", &long)]).expect("runs");
        assert_eq!((out["y"].shape(), out["z"].shape()), (&[n][..], &[3 * n + 1][..]));
        let rows = x.as_slice::<f32>().expect("f32");
        for (i, y) in out["y"].as_slice::<f32>().expect("f32").iter().enumerate() {
            let expected: f32 = rows[i * m..(i + 1) * m].iter().sum::<f32>() + long.as_slice::<f32>().expect("f32")[i];
            // Up to six terms below 1.
            assert!((y - expected).abs() < 1e-5, "{y} and {expected}");
        }
    }
    let error = exe.run(&[("x", &floats(1, &[3, 2])), ("long", &floats(1, &[8]))]).expect_err("8 is no 2n + 1 of 3");
    assert!(error.to_string().contains("`2*n+1` is 8 in \"long\" but must be 7"), "{error}");
}

/// A session trains with batches of several sizes on one set of variables.
#[test]
fn training_with_changing_batches() {
    let g = Graph::new("fit");
    let x = g.placeholder::<f32>("x", dims!["batch", 3]);
    let y = g.placeholder::<f32>("y", dims!["batch"]);
    let w = g.variable("w", init::zeros([3]));
    let loss = (x.dot(&w) - y).square().mean(..).named("loss");
    let step = optim::Sgd::new(0.2).minimize(&loss);
    let exe = Compiler::cpu().threads(1).compile(&g.function([&loss]).updates(step)).expect("compiles");
    let mut session = Session::new(&exe).expect("a session");
    let truth = [1.0f32, -2.0, 0.5];
    let mut last = f32::MAX;
    for i in 0..240 {
        let n = [4, 9, 16][i % 3];
        let xs = floats(i as u64, &[n, 3]);
        let rows = xs.as_slice::<f32>().expect("f32").chunks(3);
        let ys = rows.map(|r| r.iter().zip(truth).map(|(a, b)| a * b).sum()).collect::<Vec<f32>>();
        let ys = Tensor::from_vec([n], ys).expect("fits");
        last = session.run(&[("x", &xs), ("y", &ys)]).expect("runs")["loss"].item().expect("a scalar");
    }
    assert!(last < 1e-6, "the loss is still {last}");
    let found = session.get("w").expect("it is a variable").to_vec::<f32>().expect("f32");
    assert!(found.iter().zip(truth).all(|(a, b)| (a - b).abs() < 1e-2), "{found:?}");
}

/// A size that no input tells has to be given, and given once: a run could not choose between two.
#[test]
fn sizes_that_no_input_determines() {
    let func = kiln::ir::text::parse(
        "func @f(%x: f32[2]) -> (y: f32[n], z: f32[2]) { %i = iota dim = 0 : f32[n] return %i, %x }",
    )
    .expect("parses");
    let x = Tensor::from_vec([2], vec![1.0f32, 2.0]).expect("two");
    let exe = Compiler::cpu().threads(1).compile_func(func.clone()).expect("compiles");
    let error = exe.run(&[("x", &x)]).expect_err("unknown size").to_string();
    assert!(error.contains("`n` has no size"), "{error}");
    exe.prepare(&[("n", 3)]).expect("compiles");
    assert_eq!(exe.run(&[("x", &x)]).expect("runs")[0].len(), 3);
    let error = exe.prepare(&[("n", 5)]).expect_err("a second size").to_string();
    assert!(error.contains("do not tell"), "{error}");
    let twice = Compiler::cpu().threads(1).sizes(&[("n", 3)]).sizes(&[("n", 5)]).compile_func(func);
    assert!(twice.is_err());
}
