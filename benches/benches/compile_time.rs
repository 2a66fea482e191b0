//! Compile time against graph size, and of the workloads: `cargo bench -p kiln-benches --bench compile_time [-- MAX_NODES]`.
//!
//! Each family of graphs is compiled at 1 k, 10 k and 100 k nodes, one thread; the exponent is that of a power law through
//! the points (least squares of the logarithms): 1 is linear.

use kiln::ir::Func;
use kiln::ir::dim::DimEnv;
use kiln::prelude::*;
use kiln_benches::{models, table};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// Elements along each side of the values.
const SIDE: usize = 16;

/// A family of graphs: builds one of about `n` nodes.
type Family = (&'static str, fn(&Graph, usize) -> Expr);

const FAMILIES: [Family; 4] = [("chain", chain), ("tree", tree), ("web", web), ("mix", mix)];

fn input(g: &Graph, i: usize) -> Expr {
    g.placeholder::<f32>(&format!("x{i}"), [SIDE, SIDE])
}

/// One operator after the other, none of which simplifies away.
fn chain(g: &Graph, n: usize) -> Expr {
    let (x, b) = (input(g, 0), input(g, 1));
    (0..n).fold(x, |x, i| match i % 4 {
        0 => x * &b,
        1 => x + &b,
        2 => x.tanh(),
        _ => x.maximum(&b),
    })
}

/// Pairs of values become one until one is left.
fn tree(g: &Graph, n: usize) -> Expr {
    let inputs: Vec<Expr> = (0..32).map(|i| input(g, i)).collect();
    // A leaf of its own for each pair of inputs: half of the nodes.
    let leaf = |i: usize| {
        let (a, b) = (&inputs[i % 32], &inputs[(i / 32 + i + 1) % 32]);
        if i.is_multiple_of(2) { a * b } else { a - b }
    };
    let mut level: Vec<Expr> = (0..n / 2).map(leaf).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .enumerate()
            .map(|(i, pair)| match pair {
                [a, b] if i.is_multiple_of(2) => a + b,
                [a, b] => a.minimum(b),
                rest => rest[0].clone(),
            })
            .collect();
    }
    level.pop().unwrap_or_else(|| inputs[0].clone())
}

/// Every value uses two of the last hundred.
fn web(g: &Graph, n: usize) -> Expr {
    let mut values: Vec<Expr> = (0..8).map(|i| input(g, i)).collect();
    let mut state = 1u64;
    let mut draw = |len: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        len - 1 - (state >> 33) as usize % len.min(100)
    };
    for i in 0..n {
        let (a, b) = (&values[draw(values.len())], &values[draw(values.len())]);
        let next = match i % 3 {
            0 => a + b,
            1 => a * b,
            _ => a.maximum(b),
        };
        values.push(next);
    }
    let last = values.len().saturating_sub(100);
    values[last..].iter().skip(1).fold(values[last].clone(), |a, b| a + b)
}

/// Residual layers: a product, a bias, an activation, a sum.
fn mix(g: &Graph, n: usize) -> Expr {
    let w = g.placeholder::<f32>("w", [SIDE, SIDE]);
    let b = g.placeholder::<f32>("b", [SIDE]);
    (0..n / 6).fold(input(g, 0), |x, _| (x.dot(&w) + &b).tanh() * 0.5 + &x)
}

/// Times of one compilation.
struct Times {
    nodes: usize,
    build: Duration,
    stages: kiln::CompileReport,
    kernels: usize,
    calls: usize,
}

fn compile(func: &Func, build: Duration) -> Result<Times, Failure> {
    let compiled = Compiler::cpu().threads(1).stages(func, &DimEnv::new())?;
    let program = &compiled.lowered.program;
    let (kernels, calls) = (program.kernels.len(), program.calls.len());
    Ok(Times { nodes: func.nodes().len(), build, stages: compiled.report, kernels, calls })
}

/// The fastest of some compilations.
fn best(make: impl Fn() -> Result<Func, Failure>, repeat: usize) -> Result<Times, Failure> {
    let mut best: Option<Times> = None;
    for _ in 0..repeat.max(1) {
        let start = Instant::now();
        let func = make()?;
        let times = compile(&func, start.elapsed())?;
        if best.as_ref().is_none_or(|b| times.stages.total() < b.stages.total()) {
            best = Some(times);
        }
    }
    best.ok_or_else(|| "nothing was compiled".into())
}

fn row(name: &str, t: &Times) {
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let s = &t.stages;
    println!(
        "{name:<8} {:>8} {:>9.1} {:>10.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>8.1} {:>8} {:>8}",
        t.nodes,
        ms(t.build),
        ms(s.specialize),
        ms(s.optimize),
        ms(s.lower),
        ms(s.codegen),
        ms(s.total()),
        ms(s.total()) * 1e3 / t.nodes as f64,
        t.kernels,
        t.calls
    );
}

/// Slope of log y against log x.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.max(1e-6).ln())).collect();
    let (mx, my) = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    let (xy, xx) = logs.iter().fold((0.0, 0.0), |a, p| (a.0 + (p.0 - mx) * (p.1 - my), a.1 + (p.0 - mx).powi(2)));
    xy / xx
}

/// The largest exponent that counts as near-linear.
const NEAR_LINEAR: f64 = 1.15;
/// Milliseconds that workloads may take on one thread.
const LIMITS: [(&str, f64); 2] = [("T1", 50.0), ("T3", 500.0)];

/// Prints the rows of a family; gives what is wrong with them.
fn family((name, build): Family, max: usize) -> Result<Option<String>, Failure> {
    let mut all = Vec::new();
    for n in [1_000, 10_000, 100_000].into_iter().filter(|n| *n <= max) {
        let make = || {
            let g = Graph::new(name);
            let y = build(&g, n);
            Ok(g.function([&y]).finish()?)
        };
        let t = best(make, (30_000 / n).clamp(2, 20))?;
        row(name, &t);
        all.push(t);
    }
    let slope = |of: fn(&Times) -> Duration| {
        exponent(&all.iter().map(|t| (t.nodes as f64, of(t).as_secs_f64())).collect::<Vec<_>>())
    };
    if all.len() > 1 {
        println!(
            "{name:<8} exponent {:>8.2} {:>10.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}\n",
            slope(|t| t.build),
            slope(|t| t.stages.specialize),
            slope(|t| t.stages.optimize),
            slope(|t| t.stages.lower),
            slope(|t| t.stages.codegen),
            slope(|t| t.stages.total())
        );
    }
    let total = slope(|t| t.stages.total());
    let wrong = all.len() > 2 && total > NEAR_LINEAR;
    Ok(wrong.then(|| format!("{name}: exponent {total:.2}, at most {NEAR_LINEAR}")))
}

fn main() -> Result<(), Failure> {
    let max = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(100_000);
    println!(
        "{:<8} {:>8} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8}   (ms, one thread)",
        "graph", "nodes", "build", "specialize", "optimize", "lower", "codegen", "total", "us/node", "kernels", "calls"
    );
    let mut wrong = Vec::new();
    for key in ["T1", "T2", "T3", "I1.b1", "I2.b1", "I3"] {
        let workload = table::make(key).ok_or("the table lists it")?;
        let t = best(|| Ok(models::function(&workload).finish()?), 3)?;
        row(key, &t);
        let ms = t.stages.total().as_secs_f64() * 1e3;
        let limit = LIMITS.iter().find(|(k, limit)| *k == key && ms > *limit);
        wrong.extend(limit.map(|(_, limit)| format!("{key}: {ms:.0} ms, at most {limit}")));
    }
    println!();
    for f in FAMILIES {
        wrong.extend(family(f, max)?);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
}
