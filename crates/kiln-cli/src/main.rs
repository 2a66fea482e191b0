//! The `kiln` command.
//!
//! ```text
//! kiln run FILE --inputs in.npz --outputs out.npz   arrays a0, a1, ... are the arguments of @main, r0, r1, ... its results
//! kiln compile FILE -o OUT.kiln                     an artifact that runs without the compiler
//! kiln inspect FILE                                 signature, kernels, operators, memory plan, compile times
//! kiln check PATH... --backend interp|cpu           self-checking files, and folders of program.mlir, inputs.npz, outputs.npz
//! ```

mod case;
mod check;
mod compare;
mod program;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks, runs, compiles and inspects programs.
#[derive(Parser)]
#[command(name = "kiln", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs self-checking StableHLO files and folders of JAX programs.
    Check(check::Args),
    /// Runs a program (.mlir, .kiln) on arrays from an .npz file.
    Run {
        /// The program.
        file: PathBuf,
        /// Arrays, by the names of the inputs.
        #[arg(long)]
        inputs: Option<PathBuf>,
        /// Where the results go.
        #[arg(long)]
        outputs: Option<PathBuf>,
    },
    /// Compiles a program to an artifact.
    Compile {
        /// The program (.mlir).
        file: PathBuf,
        /// The artifact (.kiln).
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Shows signature, operators, kernels, memory plan and compile times of a program or artifact.
    Inspect {
        /// The program (.mlir, .kiln).
        file: PathBuf,
        /// Prints the graph as a Graphviz drawing instead (.mlir).
        #[arg(long)]
        dot: bool,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Check(args) => return check::check(&args),
        Command::Run { file, inputs, outputs } => program::run(&file, inputs.as_deref(), outputs.as_deref()),
        Command::Compile { file, output } => program::compile(&file, &output),
        Command::Inspect { file, dot: false } => program::inspect(&file),
        Command::Inspect { file, dot: true } => program::draw(&file),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(e) if e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
