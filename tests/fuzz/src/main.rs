//! Fuzzes the readers of programs with damaged files of a corpus, in a process of its own for each run of cases: a crash, a
//! hang (2 s) or a heap of memory (1 GiB) costs one case, which is written out with its seed.

mod alloc;
mod bytes;
mod cases;
mod compare;
mod supervisor;
mod text;
mod worker;

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: alloc::Counting = alloc::Counting;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

/// The form of the programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// StableHLO text.
    Text,
    /// MLIR bytecode of VHLO.
    Bytecode,
}

#[derive(clap::Args)]
struct Source {
    /// The form.
    #[arg(long)]
    format: Format,
    /// Folders of programs, searched through.
    #[arg(long, num_args = 1.., required = true)]
    corpus: Vec<PathBuf>,
    /// First seed; each case has the next one.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Subcommand)]
enum Task {
    /// Reads damaged programs for some time.
    Run {
        #[command(flatten)]
        source: Source,
        /// How long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Where to write what fails.
        #[arg(long, default_value = "target/fuzz")]
        out: PathBuf,
    },
    /// Reads some cases in this process; of use to the first.
    #[command(hide = true)]
    Work {
        #[command(flatten)]
        source: Source,
        /// How many cases.
        #[arg(long)]
        cases: u64,
    },
    /// Reads single files and says what comes of them, with time and memory.
    Files {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// Compares the graphs of all programs that are there as text (`.mlir`) and as bytecode (`.mlirbc`).
    Compare {
        /// Folders, searched through.
        folders: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Run { source, seconds, out } => supervisor::run(&source, seconds, &out),
        Task::Work { source, cases } => worker::work(&source, cases),
        Task::Files { files } => worker::files(&files),
        Task::Compare { folders } => compare::compare(&folders),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
