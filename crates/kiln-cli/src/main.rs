//! The `kiln` command: runs, checks, compiles and inspects programs.
//!
//! Programs are StableHLO, as text (`.mlir`) or as MLIR bytecode (`.mlirbc`), or compiled artifacts (`.kiln`). Which of the first two a
//! file is shows in its first bytes, whatever its name.

mod arrays;
mod check;
mod compile;
mod elements;
mod failure;
mod inspect;
mod options;
mod program;
mod run;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; with `check`: no case failed
  1  `check`: at least one case failed
  2  the command line is wrong
  3  a program, artifact or array file cannot be read, is not supported, does not compile or does not run";

/// Compiles and runs tensor programs: StableHLO text (.mlir), MLIR bytecode (.mlirbc), compiled artifacts (.kiln).
#[derive(Parser)]
#[command(name = "kiln", version, after_help = EXIT_CODES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    Compile(compile::Args),
    Inspect(inspect::Args),
    /// Runs cases that come in on standard input (started by `kiln check`).
    #[command(hide = true)]
    CheckWorker,
    /// Runs an artifact in a process that compiles nothing (started by `kiln check --artifact`).
    #[command(hide = true)]
    RunArtifact(check::artifact::Args),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Compile(args) => compile::compile(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::CheckWorker => check::worker::serve(),
        Command::RunArtifact(args) => check::artifact::run(&args),
    };
    match done {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Cases) => ExitCode::from(1),
        Err(Failure::Usage(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
        Err(Failure::Input(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(3)
        }
    }
}
