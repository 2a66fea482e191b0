//! `kiln compile`: a program as an artifact.

use crate::failure::{Done, Failure};
use crate::options::CompileOptions;
use crate::program;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  kiln compile model.mlir -o model.kiln
  kiln compile model.mlirbc -o model.kiln --threads 8

The artifact holds machine code for this processor, and runs where the compiler is not: `kiln run model.kiln`, or
`Executable::load` of the runtime.";

/// Compiles a program to an artifact that runs without the compiler
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The program (.mlir, .mlirbc)
    file: PathBuf,
    /// The artifact to write (.kiln)
    #[arg(short, long, value_name = "OUT.kiln")]
    output: PathBuf,
    /// The function to compile (`main`, or else the first)
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Threads that the program may run on [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    options: CompileOptions,
}

/// Compiles and writes.
pub fn compile(args: &Args) -> Done {
    args.options.validate()?;
    if program::is_artifact(&args.file) {
        return Err(Failure::Usage(format!("{} is compiled already", args.file.display())));
    }
    let program = program::read(&args.file, args.function.as_deref())?;
    let threads = args.threads.unwrap_or_else(kiln::runtime::available_parallelism);
    let exe = args.options.compiler(threads).compile_func(program.func).map_err(Failure::input)?;
    exe.export(&args.output).map_err(Failure::input)?;
    let mut line = format!("{}:", args.output.display());
    let bytes = std::fs::metadata(&args.output)
        .map(|m| m.len())
        .map_err(|e| Failure::Input(format!("{}: {e}", args.output.display())))?;
    line += &format!(" {bytes} bytes");
    exe.inspect(|program, time| {
        let (kernels, calls) = (program.kernels.len(), program.calls.len());
        line += &format!(", {kernels} kernels, {calls} library calls, compiled in {:.1} ms", time.as_secs_f64() * 1e3);
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
