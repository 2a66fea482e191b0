//! The developer's command: `cargo xtask ci`, `codegen`, `bench`, `accuracy`, `fuzz`, `dump`, `ptx-check`, `stablehlo-roundtrip`.

mod ci;
mod codegen;
mod ptx;
mod run;
mod stablehlo;

use clap::{Parser, Subcommand};
use run::cargo;

/// Tasks of kiln's developers.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that has to hold on main: format, clippy, generated code, tests, docs, the README's main job.
    Ci,
    /// Derives code and reference pages from the operator table.
    Codegen {
        /// Only compare with what is committed.
        #[arg(long)]
        check: bool,
    },
    /// Measures the workloads: see `cargo xtask bench -- --help`.
    Bench {
        /// Arguments of the benchmark program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measures the accuracy of every function and writes `docs/accuracy.md`; fails when a bound of the specification is
    /// exceeded.
    Accuracy {
        /// Only measure; the page stays as it is.
        #[arg(long)]
        check: bool,
        /// All 2^32 arguments of functions of one f32 (hours); the page stays as it is.
        #[arg(long)]
        exhaustive: bool,
        /// Only functions whose name contains this; the page stays as it is.
        #[arg(long)]
        only: Option<String>,
    },
    /// Random graphs: compiled against interpreted. `fuzz readers`: damaged programs.
    #[command(args_conflicts_with_subcommands = true)]
    Fuzz {
        #[command(subcommand)]
        what: Option<Fuzzed>,
        /// Number of graphs.
        #[arg(long, default_value_t = 10_000)]
        graphs: u64,
        /// First seed.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Writes every stage of a workload's compilation (graph after each pass, kernels, program) to a directory.
    Dump {
        /// The workload's key.
        workload: String,
        /// The directory.
        #[arg(default_value = "target/dump")]
        dir: String,
    },
    /// Assembles the PTX of a training step's kernels with ptxas for sm_80 and sm_90; any warning is a failure.
    PtxCheck,
    /// Writes graphs as StableHLO, lets XLA's CPU compiler run them, and compares with compiled code.
    StablehloRoundtrip {
        /// A Python with JAX; without it an environment is made below `target/`.
        #[arg(long)]
        python: Option<std::path::PathBuf>,
        /// Number of random graphs beside the written ones.
        #[arg(long, default_value_t = 200)]
        random: u64,
        /// Only cases whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
}

#[derive(Subcommand)]
enum Fuzzed {
    /// Damaged programs for the readers: `readers run --format text|bytecode --corpus DIR... --seconds N`, or `--help`.
    Readers {
        /// Arguments of the program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> std::process::ExitCode {
    let result = match Args::parse().task {
        Task::Ci => ci::ci(),
        Task::Codegen { check } => codegen::codegen(check),
        Task::Bench { args } => {
            let mut all = vec!["run", "--release", "--quiet", "-p", "kiln-benches", "--bin", "workloads", "--"];
            all.extend(args.iter().map(String::as_str));
            cargo(&all)
        }
        Task::Accuracy { check, exhaustive, only } => {
            let mut all = vec!["run", "--release", "--quiet", "-p", "kiln-tests", "--bin", "accuracy", "--"];
            if exhaustive {
                all.push("--exhaustive");
            }
            if let Some(name) = &only {
                all.extend(["--only", name]);
            }
            if !check && !exhaustive && only.is_none() {
                all.extend(["--out", "docs/accuracy.md"]);
            }
            cargo(&all)
        }
        Task::Fuzz { what: Some(Fuzzed::Readers { args }), .. } => {
            let mut all = vec!["run", "--release", "--quiet", "-p", "kiln-fuzz", "--"];
            all.extend(args.iter().map(String::as_str));
            cargo(&all)
        }
        Task::Fuzz { graphs, seed, what: None } => {
            let (graphs, seed) = (graphs.to_string(), seed.to_string());
            cargo(&["run", "--release", "--quiet", "-p", "kiln-tests", "--bin", "fuzz", "--", &graphs, &seed])
        }
        Task::Dump { workload, dir } => {
            cargo(&["run", "--release", "--quiet", "-p", "kiln-benches", "--bin", "dump", "--", &workload, &dir])
        }
        Task::PtxCheck => ptx::check(),
        Task::StablehloRoundtrip { python, random, only } => {
            stablehlo::roundtrip(&stablehlo::Roundtrip { python, random, only })
        }
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}
