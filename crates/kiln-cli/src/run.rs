//! `kiln run`: a program on arrays.

use crate::arrays::{self, as_type};
use crate::elements::Elements;
use crate::failure::{Done, Failure};
use crate::options::{Backend, CompileOptions};
use crate::program;
use kiln::ir::{DType, Func, InputKind, OutputKind};
use kiln::prelude::*;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  kiln run model.mlir --inputs in.npz --outputs out.npz
  kiln run model.kiln --inputs in.npz --repeat 100
  kiln run model.mlirbc --inputs in.npz --backend interp

The arrays a0, a1, ... of a StableHLO program are the arguments of its function, r0, r1, ... its results; an artifact uses the names of
its graph. bf16 and smaller floats are stored as unsigned integers of the same width (their bits), 4- and 2-bit integers as
int8 and uint8, since NumPy has no such types. Results of at most 16 elements are printed.";

/// Runs a program on arrays from an .npz file
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The program (.mlir, .mlirbc) or artifact (.kiln)
    file: PathBuf,
    /// The arguments
    #[arg(long, value_name = "IN.npz")]
    inputs: Option<PathBuf>,
    /// Where the results go
    #[arg(long, value_name = "OUT.npz")]
    outputs: Option<PathBuf>,
    /// What executes the program
    #[arg(long, value_enum, default_value = "cpu")]
    backend: Backend,
    /// The function to run (`main`, or else the first)
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Threads to run on [default: all; artifacts: 1]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Runs so often, and prints the median and the shortest time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    #[command(flatten)]
    options: CompileOptions,
}

/// Results of at most this many elements are printed.
const SHOWN: usize = 16;

/// Runs and prints.
pub fn run(args: &Args) -> Done {
    args.options.validate()?;
    let (results, times) = match (program::is_artifact(&args.file), args.backend) {
        (true, Backend::Interp) => {
            return Err(Failure::Usage("an artifact is machine code; the interpreter needs the program itself".into()));
        }
        (true, Backend::Cpu) => {
            if !args.options.is_default() || args.function.is_some() {
                return Err(Failure::Usage(format!(
                    "{} is compiled already; no option can change it",
                    args.file.display()
                )));
            }
            let exe = program::load_artifact(&args.file, args.threads.unwrap_or(1))?;
            execute(args, &exe)?
        }
        (false, Backend::Cpu) => {
            let func = program::read(&args.file, args.function.as_deref())?.func;
            let threads = args.threads.unwrap_or_else(kiln::runtime::available_parallelism);
            let exe = args.options.compiler(threads).compile_func(func).map_err(Failure::input)?;
            execute(args, &exe)?
        }
        (false, Backend::Interp) => interpret(args, &program::read(&args.file, args.function.as_deref())?.func)?,
    };
    let mut out = std::io::stdout().lock();
    for (name, tensor) in &results {
        writeln!(out, "{name}: {}{}", tensor.ty(), shown(tensor))?;
    }
    if args.repeat > 1 {
        writeln!(out, "{} runs: {}", args.repeat, summary(times))?;
    }
    if let Some(path) = &args.outputs {
        let named: Vec<(&str, &Tensor)> = results.iter().map(|(n, t)| (n.as_str(), t)).collect();
        kiln::runtime::npy::write_npz(path, &named).map_err(Failure::input)?;
    }
    Ok(())
}

type Results = (Vec<(String, Tensor)>, Vec<Duration>);

/// The arrays of the inputs (names and types), in their order.
fn feeds(args: &Args, inputs: &[(String, DType)]) -> Done<Vec<(String, Tensor)>> {
    let Some(path) = &args.inputs else {
        return match inputs.first() {
            None => Ok(Vec::new()),
            Some((name, dtype)) => {
                Err(Failure::Usage(format!("the program takes input {name} ({dtype}): give arrays with --inputs")))
            }
        };
    };
    let file = path.display();
    let arrays = arrays::read(path).map_err(Failure::Input)?;
    // Arrays for arguments that the program does not use are no inputs; anything else is a mistake.
    let argument = |n: &str| n.strip_prefix('a').is_some_and(|i| i.parse::<usize>().is_ok());
    if let Some((n, _)) = arrays.iter().find(|(n, _)| !argument(n) && inputs.iter().all(|(m, _)| m != n)) {
        return Err(Failure::Input(format!("{file}: the program has no input {n}")));
    }
    inputs
        .iter()
        .map(|(name, dtype)| match arrays.iter().find(|(n, _)| n == name) {
            Some((_, t)) => match as_type(t, *dtype) {
                Ok(t) => Ok((name.clone(), t)),
                Err(e) => Err(Failure::Input(format!("{file}: {name}: {e}"))),
            },
            None => Err(Failure::Input(format!("{file}: there is no array for input {name} ({dtype})"))),
        })
        .collect()
}

fn execute(args: &Args, exe: &Executable) -> Done<Results> {
    let signature = exe.signature();
    let inputs: Vec<(String, DType)> = signature.inputs.iter().map(|p| (p.name.clone(), p.dtype)).collect();
    let owned = feeds(args, &inputs)?;
    let feeds: Vec<(&str, &Tensor)> = owned.iter().map(|(n, t)| (n.as_str(), t)).collect();
    // A graph that updates variables starts from their initial values.
    let mut session = match signature.variables.iter().any(|v| v.updated) {
        true => Some(exe.session().map_err(Failure::input)?),
        false => None,
    };
    repeat(args.repeat, || {
        let outputs = match &mut session {
            Some(session) => session.run(&feeds),
            None => exe.run(&feeds),
        };
        let outputs = outputs.map_err(Failure::input)?;
        Ok(outputs.iter().map(|(n, t)| (n.to_owned(), t.clone())).collect())
    })
}

fn interpret(args: &Args, func: &Func) -> Done<Results> {
    if !args.options.is_default() || args.threads.is_some() {
        return Err(Failure::Usage("the interpreter runs the program as it is, on one thread".into()));
    }
    let inputs: Vec<(String, DType)> = func
        .inputs
        .iter()
        .filter(|i| matches!(i.kind, InputKind::Feed))
        .map(|i| (i.name.clone(), i.ty.dtype))
        .collect();
    let owned = feeds(args, &inputs)?;
    let feeds: Vec<(&str, &Tensor)> = owned.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let mut values = kiln::debug::inputs(func, &feeds).map_err(Failure::input)?;
    repeat(args.repeat, || {
        let results = kiln::interp::eval(func, &values).map_err(Failure::input)?;
        let mut fetched = Vec::new();
        for (output, value) in func.outputs.iter().zip(results) {
            match output.kind {
                OutputKind::Fetch => fetched.push((output.name.clone(), value)),
                // The next run goes on from here, as a session does.
                OutputKind::Update(input) => values[input] = value,
            }
        }
        Ok(fetched)
    })
}

/// The last results, and the time of every run.
fn repeat(times: u32, mut once: impl FnMut() -> Done<Vec<(String, Tensor)>>) -> Done<Results> {
    let mut taken = Vec::new();
    loop {
        let start = Instant::now();
        let results = once()?;
        taken.push(start.elapsed());
        if taken.len() >= times as usize {
            return Ok((results, taken));
        }
    }
}

fn summary(mut times: Vec<Duration>) -> String {
    times.sort();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    format!("median {:.4} ms, shortest {:.4} ms", ms(times[times.len() / 2]), ms(times[0]))
}

/// The elements of a small tensor, as ` = ...`.
fn shown(t: &Tensor) -> String {
    if t.len() > SHOWN {
        return String::new();
    }
    let elements = Elements::new(t);
    let words: Vec<String> = (0..t.len()).map(|i| elements.text(i)).collect();
    match t.rank() {
        0 => format!(" = {}", words.concat()),
        _ => format!(" = [{}]", words.join(", ")),
    }
}
