//! `kiln compile`: a program as an artifact.

use crate::failure::{Done, Failure};
use crate::options::CompileOptions;
use crate::program;
use kiln::program::CpuTarget;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  kiln compile model.mlir -o model.kiln
  kiln compile model.mlirbc -o model.kiln --threads 8
  kiln compile model.mlir -o model.kiln --target x86-64-v2 --target x86-64-v3

The artifact holds machine code for this processor, or for those that --target names, and runs where the compiler is not: `kiln run model.kiln`, or
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
    /// A CPU to compile for: `host` (the default), a level of x86-64 (`x86-64-v2`, `x86-64-v3`, `x86-64-v4`) or features joined
    /// by `+`; given several times, the artifact runs by the best that fits the machine
    #[arg(long, value_name = "TARGET", value_parser = CpuTarget::parse)]
    target: Vec<CpuTarget>,
    /// Values of named dimensions to compile for, as `batch=8,n=3`; given several times, the artifact has all
    #[arg(long, value_name = "SIZES", value_parser = sizes)]
    sizes: Vec<Sizes>,
    #[command(flatten)]
    options: CompileOptions,
}

/// Values of named dimensions.
#[derive(Clone)]
struct Sizes(Vec<(String, i64)>);

fn sizes(text: &str) -> Result<Sizes, String> {
    let one = |part: &str| {
        let (name, value) = part.split_once('=').ok_or(format!("`{part}` is not of the form name=size"))?;
        let value = value.parse().map_err(|e| format!("`{value}` is no size: {e}"))?;
        Ok((name.to_owned(), value))
    };
    text.split(',').map(one).collect::<Result<_, String>>().map(Sizes)
}

/// Compiles and writes.
pub fn compile(args: &Args) -> Done {
    args.options.validate()?;
    if program::is_artifact(&args.file) {
        return Err(Failure::Usage(format!("{} is compiled already", args.file.display())));
    }
    let program = program::read(&args.file, args.function.as_deref())?;
    let threads = args.threads.unwrap_or_else(kiln::runtime::available_parallelism);
    let mut compiler = args.options.compiler(threads).targets(args.target.iter().cloned());
    for Sizes(sizes) in &args.sizes {
        compiler = compiler.sizes(&sizes.iter().map(|(name, size)| (name.as_str(), *size)).collect::<Vec<_>>());
    }
    let exe = compiler.compile_func(program.func).map_err(Failure::input)?;
    exe.export(&args.output).map_err(Failure::input)?;
    let mut line = format!("{}:", args.output.display());
    let bytes = std::fs::metadata(&args.output)
        .map(|m| m.len())
        .map_err(|e| Failure::Input(format!("{}: {e}", args.output.display())))?;
    line += &format!(" {bytes} bytes");
    for compiled in exe.programs() {
        let (program, ms) = (compiled.program(), compiled.compile_time().as_secs_f64() * 1e3);
        let (kernels, calls, targets) = (program.kernels.len(), program.calls.len(), compiled.targets().len());
        let targets = if targets > 1 { format!(" for {targets} targets") } else { String::new() };
        line += &format!(", {kernels} kernels, {calls} library calls, compiled in {ms:.1} ms{targets}");
    }
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
