//! The same bits whatever the number of threads, however often compiled, and from many threads at once.

use crate::support::{TempFile, bits, floats, labels, trainer};
use kiln::builder::{Conv, Pool};
use kiln::prelude::*;

/// A graph of one input, large enough that threads share the work.
struct Case {
    name: &'static str,
    shape: &'static [usize],
    build: fn(&Graph, &Expr) -> Expr,
}

const CASES: [Case; 8] = [
    Case { name: "elementwise", shape: &[300, 257], build: |_, x| x.exp() * x.tanh() + 0.5 },
    Case { name: "reduce", shape: &[300, 257], build: |_, x| x.sum(1) },
    Case { name: "reduce_columns", shape: &[300, 257], build: |_, x| x.sum(0) },
    Case { name: "reduce_all", shape: &[300, 257], build: |_, x| (x * x).sum(..) },
    Case { name: "softmax", shape: &[300, 257], build: |_, x| x.softmax(-1) },
    Case {
        name: "dot",
        shape: &[130, 300],
        build: |g, x| x.dot(&g.variable("w", init::normal([300, 170], 1.0).seed(3))),
    },
    Case {
        name: "conv",
        shape: &[3, 8, 31, 33],
        build: |g, x| {
            x.conv(&g.variable("k", init::normal([16, 8, 3, 3], 1.0).seed(4)), &Conv::nchw().pad([(1, 1); 2]))
        },
    },
    Case { name: "pool", shape: &[3, 8, 31, 33], build: |_, x| x.max_pool(&[3, 3], &Pool::nchw().stride([2, 2])) },
];

fn compile(case: &Case, threads: usize) -> Executable {
    let g = Graph::new(case.name);
    let x = g.placeholder::<f32>("x", case.shape);
    let y = (case.build)(&g, &x);
    let exe = Compiler::cpu().threads(threads).compile(&g.function([&y]));
    exe.unwrap_or_else(|e| panic!("{}: {e}", case.name))
}

#[test]
fn threads_do_not_change_results() {
    for case in &CASES {
        let x = floats(7, case.shape);
        let of = |threads| bits(compile(case, threads).run(&[("x", &x)]).expect("runs"));
        let one = of(1);
        for threads in [2, 3] {
            assert!(of(threads) == one, "{} on {threads} threads differs", case.name);
        }
    }
}

/// Losses and weights after three steps.
fn train(threads: usize) -> Vec<Vec<u8>> {
    let exe = Compiler::cpu().threads(threads).compile(&trainer(64)).expect("compiles");
    let mut session = Session::new(&exe).expect("a session");
    let (x, y) = (floats(1, &[64, 1, 8, 8]), labels(2, &[64], 10));
    let mut all = Vec::new();
    for _ in 0..3 {
        let out = session.run(&[("x", TensorView::from(&x)), ("y", TensorView::from(&y))]).expect("runs");
        all.extend(bits(out));
    }
    let names: Vec<String> = session.variables().map(str::to_owned).collect();
    all.extend(names.iter().map(|n| session.get(n).expect("it is a variable").bytes().to_vec()));
    all
}

#[test]
fn threads_do_not_change_training() {
    let one = train(1);
    assert!(train(1) == one, "another run differs");
    assert!(train(2) == one, "2 threads differ");
    assert!(train(3) == one, "3 threads differ");
}

#[test]
fn compiling_twice_gives_the_same_artifact() {
    let export = |spec: &FunctionSpec, name: &str| {
        let file = TempFile::new(name);
        Compiler::cpu().threads(2).compile(spec).expect("compiles").export(file.path()).expect("written");
        file.bytes()
    };
    // From the first line on: graph, gradients, optimizer, kernels, code.
    assert!(export(&trainer(8), "twice-a") == export(&trainer(8), "twice-b"), "two builds of one graph differ");
    let spec = trainer(8);
    assert!(export(&spec, "twice-c") == export(&spec, "twice-d"), "two compilations of one graph differ");
}

#[test]
fn many_threads_share_an_executable() {
    for threads in [1, 2] {
        for case in [&CASES[4], &CASES[5], &CASES[6]] {
            let exe = compile(case, threads);
            let inputs: Vec<Tensor> = (0..4).map(|i| floats(i, case.shape)).collect();
            let expected: Vec<_> = inputs.iter().map(|x| bits(exe.run(&[("x", x)]).expect("runs"))).collect();
            std::thread::scope(|scope| {
                for (x, expected) in inputs.iter().zip(&expected) {
                    let exe = exe.clone();
                    scope.spawn(move || {
                        for _ in 0..6 {
                            let found = bits(exe.run(&[("x", x)]).expect("runs"));
                            assert!(found == *expected, "{} with {threads} threads", case.name);
                        }
                    });
                }
            });
        }
    }
}

#[test]
fn many_threads_compile_new_sizes() {
    let exe = Compiler::cpu().threads(1).compile(&crate::support::predictor()).expect("compiles");
    let run = |exe: &Executable, n: usize| bits(exe.run(&[("x", &floats(n as u64, &[n, 1, 8, 8]))]).expect("runs"));
    let fresh = Compiler::cpu().threads(1).compile(&crate::support::predictor()).expect("compiles");
    let expected: Vec<_> = (1..4).map(|n| run(&fresh, n)).collect();
    std::thread::scope(|scope| {
        for i in 0..4 {
            let (exe, expected, run) = (exe.clone(), &expected, &run);
            scope.spawn(move || {
                for k in 0..6 {
                    let n = 1 + (i + k) % 3;
                    assert!(run(&exe, n) == expected[n - 1], "batch {n}");
                }
            });
        }
    });
    assert_eq!(exe.memory().len(), 3, "each size is kept once");
}
