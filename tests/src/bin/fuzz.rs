//! Random graphs, compiled against interpreted: `fuzz GRAPHS [FIRST_SEED]`. A failure prints its seed and graph.

use kiln_tests::random::generate;
use std::time::Instant;

fn main() -> std::process::ExitCode {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (graphs, first) = (args.first().copied().unwrap_or(10_000), args.get(1).copied().unwrap_or(0));
    let start = Instant::now();
    let mut failed = 0u64;
    std::panic::set_hook(Box::new(|_| {}));
    for seed in first..first + graphs {
        let outcome = std::panic::catch_unwind(|| kiln_tests::check_seed(seed)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(format!("panic: {}", text.or(panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()))
        });
        if let Err(e) = outcome {
            failed += 1;
            println!("seed {seed}: {e}");
            if failed <= 3
                && let Ok(case) = std::panic::catch_unwind(|| generate(seed, kiln_tests::size_of(seed)))
            {
                println!("{}", kiln::ir::text::print(&case.func));
            }
        }
    }
    println!("{} passed, {failed} failed ({:.1} s)", graphs - failed, start.elapsed().as_secs_f64());
    if failed == 0 { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
