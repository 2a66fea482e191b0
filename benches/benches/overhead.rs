//! What a call costs besides the computation: `cargo bench -p kiln-benches --bench overhead`.

use kiln::prelude::*;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// Calls in a sample, and samples.
const CALLS: u32 = 10_000;
const SAMPLES: usize = 51;

/// Median and minimum of the nanoseconds of a call.
fn measure(mut call: impl FnMut() -> Result<(), RunError>) -> Result<(f64, f64), Failure> {
    for _ in 0..CALLS {
        call()?;
    }
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let start = Instant::now();
        for _ in 0..CALLS {
            call()?;
        }
        samples.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
    }
    samples.sort_by(f64::total_cmp);
    Ok((samples[SAMPLES / 2], samples[0]))
}

fn row(name: &str, (median, min): (f64, f64)) {
    println!("{name:<58} {median:>9.0} {min:>9.0}");
}

fn graph(threads: usize, symbolic: bool, operators: usize) -> Result<Executable, Failure> {
    let g = Graph::new("tiny");
    let x = if symbolic { g.placeholder::<f32>("x", dims!["n"]) } else { g.placeholder::<f32>("x", [4]) };
    // Barriers keep the operators in kernels of their own.
    let y = (1..operators).fold(&x + 1.0, |y, _| y.optimization_barrier() * 1.5).named("y");
    Ok(Compiler::cpu().threads(threads).compile(&g.function([&y]))?)
}

fn step() -> Result<Executable, Failure> {
    let g = Graph::new("step");
    let x = g.placeholder::<f32>("x", [4]);
    let w = g.variable("w", init::zeros([4]));
    let loss = (&x - &w).square().mean(..).named("loss");
    let update = optim::Sgd::new(0.1).minimize(&loss);
    Ok(Compiler::cpu().threads(1).compile(&g.function([&loss]).updates(update))?)
}

fn main() -> Result<(), Failure> {
    println!("{:<58} {:>9} {:>9}", "nanoseconds of a call", "median", "min");
    let (shape, data, mut out) = ([4usize], [1.0f32; 4], [0.0f32; 4]);
    let inputs = [TensorView::new(&shape, &data)?];
    for (name, threads, symbolic, operators) in [
        ("run_into, f32[4] + 1", 1, false, 1),
        ("run_into, f32[n] + 1", 1, true, 1),
        ("run_into, f32[4] + 1, executable of 2 threads", 2, false, 1),
        ("run_into, 10 kernels on f32[4]", 1, false, 10),
    ] {
        let exe = graph(threads, symbolic, operators)?;
        row(name, measure(|| exe.run_into(&inputs, &mut [TensorViewMut::new(&shape, &mut out)?]))?);
    }
    let exe = graph(1, false, 1)?;
    let x = Tensor::from_slice(shape, &data)?;
    row("run by name with fresh outputs, f32[4] + 1", measure(|| exe.run(&[("x", &x)]).map(drop))?);
    let mut session = step()?.session()?;
    let mut loss = [0.0f32];
    let call = || session.run_into(&inputs, &mut [TensorViewMut::new(&[], &mut loss)?]);
    row("Session::run_into, an SGD step on f32[4]", measure(call)?);
    Ok(())
}
