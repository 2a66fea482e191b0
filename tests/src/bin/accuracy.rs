//! Measures accuracy: `accuracy [--quick] [--exhaustive] [--only NAME] [--threads N] [--out FILE]`.

use kiln_tests::accuracy::evaluate::Backend;
use kiln_tests::accuracy::sweep::Density;
use kiln_tests::accuracy::{Plan, report, run};
use std::time::Instant;

fn measure() -> Result<bool, String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        density: if flag("--quick") { Density::Quick } else { Density::Dense },
        exhaustive: flag("--exhaustive"),
        only: value("--only"),
        backends: if flag("--exhaustive") { vec![Backend::Compiled] } else { Backend::all() },
        threads: value("--threads").and_then(|t| t.parse().ok()).unwrap_or(cores),
    };
    let start = Instant::now();
    let results = run(&plan)?;
    if plan.only.is_some() || plan.exhaustive {
        results.real.iter().for_each(|r| println!("{r}"));
        results.complex.iter().for_each(|r| println!("{r}"));
    }
    let exceeded = results.exceeded();
    exceeded.iter().for_each(|r| println!("EXCEEDED {r}"));
    let rows = results.real.len() + results.complex.len();
    println!("{rows} rows, {} above their bound ({:.0} s)", exceeded.len(), start.elapsed().as_secs_f64());
    if let Some(path) = value("--out") {
        std::fs::write(&path, report::markdown(&results)).map_err(|e| format!("{path}: {e}"))?;
    }
    Ok(exceeded.is_empty())
}

fn main() -> std::process::ExitCode {
    match measure() {
        Ok(true) => std::process::ExitCode::SUCCESS,
        Ok(false) => std::process::ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}
