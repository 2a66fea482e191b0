//! `kiln check`: programs that know what they have to compute.
//!
//! A *case* is a file or folder, a *form* one of the files of a folder that hold the same program, a *variant* a way of compiling it. Each
//! form in each variant is a *unit*: it is judged by itself in one of several worker processes, so that a crash or a hang costs
//! one unit. A case passes when all of its units do.

pub mod artifact;
mod cases;
mod compare;
mod glob;
mod job;
mod pool;
mod report;
mod tolerance;
mod unit;
mod variant;
pub mod worker;

use crate::failure::{Done, Failure};
use crate::options::{Backend, CompileOptions};
use job::Job;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

const DETAILS: &str = "\
Cases are
  - folders with program.mlir, program.generic.mlir, program.mlirbc (each form that is there has to pass), inputs.npz, outputs.npz
    (arrays numbered by argument and result) and meta.json (rtol, atol, types of the results);
  - all other .mlir and .mlirbc files below the paths: a function without arguments that ends in check.expect_eq,
    check.expect_eq_const, check.expect_almost_eq, check.expect_almost_eq_const, check.expect_close, or in custom calls of these
    names.
Integers, booleans and data movement have to agree exactly. Floats are held to what the file asks for; a case that misses that, but not
the tolerance of its operators (see --tolerances), passes and is counted apart; --strict lets it fail.

Examples:
  kiln check tests/                                    everything below a folder
  kiln check a.mlir --backend interp --strict          the reference interpreter, nothing but the file's own demand
  kiln check tests/ --every-level --every-pass-off     every way of compiling
  kiln check tests/ --artifact --json result.jsonl     compile, export, load and run in another process; one JSON object a case

Exit codes: 0 no case failed, 1 a case failed, 2 the command line is wrong, 3 a path cannot be read";

/// Runs programs that check themselves, and folders of programs with inputs and outputs
#[derive(clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Files and folders
    #[arg(required_unless_present = "tolerances")]
    paths: Vec<PathBuf>,
    /// What executes the programs; the interpreter optimizes first when an option below asks for it
    #[arg(long, value_enum, default_value = "cpu")]
    backend: Backend,
    /// Writes one JSON object a case, each on a line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    options: CompileOptions,
    /// Checks every level of the optimizer
    #[arg(long)]
    every_level: bool,
    /// Checks with each pass turned off that can be, one at a time
    #[arg(long)]
    every_pass_off: bool,
    /// Exports each program, and loads and runs it in a process that compiles nothing
    #[arg(long)]
    artifact: bool,
    /// Leaves literals in the program; otherwise compiled code gets them as inputs, so that they are not folded away
    #[arg(long)]
    keep_literals: bool,
    /// Which files of a folder are checked
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMS", default_value = "text,generic,bytecode")]
    forms: Vec<cases::Form>,
    /// Skips cases whose name or path matches (`*` and `?` stand for characters; may be given several times)
    #[arg(long, value_name = "GLOB")]
    skip: Vec<String>,
    /// Only cases whose name or path matches (may be given several times)
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Lets floats fail that miss what the file asks for, even within the tolerance of their operators
    #[arg(long)]
    strict: bool,
    /// Worker processes [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Threads that each program runs on
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Seconds that one program may take to read, compile and run, in one variant
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u64,
    /// Prints every case, also those that pass
    #[arg(short, long)]
    verbose: bool,
    /// Prints the tolerances of the operators as a table, and does nothing else
    #[arg(long)]
    tolerances: bool,
    /// What goes wrong on purpose, for tests of the workers: `abort=NAME`, `hang=NAME`, `panic=NAME`
    #[arg(long, hide = true)]
    fault: Vec<String>,
}

/// Runs the cases, prints what went wrong, and counts.
pub fn check(args: &Args) -> Done {
    if args.tolerances {
        write!(std::io::stdout(), "{}", tolerance::table())?;
        return Ok(());
    }
    args.options.validate()?;
    if args.artifact && args.backend == Backend::Interp {
        return Err(Failure::Usage("an artifact is machine code; the interpreter cannot run it".into()));
    }
    let mut cases = Vec::new();
    for path in &args.paths {
        cases::find(path, &args.forms, &mut cases).map_err(|e| Failure::Input(format!("{}: {e}", path.display())))?;
    }
    if !args.only.is_empty() {
        cases.retain(|c| args.only.iter().any(|g| c.matches(g)));
    }
    if cases.is_empty() {
        return Err(Failure::Input("there is no case below these paths".into()));
    }
    let variants = variant::all(&args.options, args.every_level, args.every_pass_off);
    let plans: Vec<pool::Plan> = cases
        .into_iter()
        .map(|case| {
            let skipped = args.skip.iter().find(|g| case.matches(g)).map(|g| format!("--skip {g}"));
            let jobs = if skipped.is_some() { Vec::new() } else { jobs(args, &case, &variants) };
            pool::Plan { case, skipped, jobs }
        })
        .collect();
    let processes = args.jobs.map_or_else(kiln::runtime::available_parallelism, |n| n as usize);
    let mut report = report::Report::new(variants.iter().map(|v| v.name.clone()).collect(), processes, args.verbose);
    pool::run(&plans, processes, Duration::from_secs(args.timeout.max(1)), &mut |plan, outcomes| {
        report.add(&plan.case, plan.skipped.as_deref(), &plan.jobs, outcomes)
    })?;
    if let Some(path) = &args.json {
        std::fs::write(path, report.json()).map_err(|e| Failure::Input(format!("{}: {e}", path.display())))?;
    }
    report.finish()
}

/// The units of a case, the forms of one variant after the other.
fn jobs(args: &Args, case: &cases::Case, variants: &[variant::Variant]) -> Vec<Job> {
    let fault = args.fault.iter().filter_map(|f| f.split_once('=')).find(|(_, name)| *name == case.name);
    let mut jobs = Vec::new();
    for (form, file) in &case.files {
        for variant in variants {
            jobs.push(Job {
                folder: case.folder.clone(),
                file: file.clone(),
                form: *form,
                variant: variant.name.clone(),
                options: variant.options.clone(),
                backend: args.backend,
                optimize: args.every_level || args.every_pass_off || !args.options.is_default(),
                artifact: args.artifact,
                keep_literals: args.keep_literals,
                strict: args.strict,
                threads: args.threads,
                fault: fault.map(|(what, _)| what.to_owned()),
            });
        }
    }
    jobs
}
