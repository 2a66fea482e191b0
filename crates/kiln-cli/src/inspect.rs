//! `kiln inspect`: what a program is, and what became of it.

use crate::failure::{Done, Failure};
use crate::options::CompileOptions;
use crate::program as programs;
use clap::ValueEnum;
use kiln::Compiled;
use kiln::ir::dim::DimEnv;
use kiln::ir::{Func, Verified};
use kiln::lower::Lowered;
use kiln::program::{Program, Step};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  kiln inspect model.mlir                       signature, operators, kernels, library calls, memory plan, compile times
  kiln inspect model.mlir --ir plan             what runs together, in which order
  kiln inspect model.mlir --ir kernels          the loop IR of every kernel
  kiln inspect model.mlir --dot | dot -Tsvg     the graph as a drawing
  kiln inspect model.kiln                       what is in an artifact";

/// Shows signature, operators, kernels, memory plan and compile times of a program or artifact
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The program (.mlir, .mlirbc) or artifact (.kiln)
    file: PathBuf,
    /// Prints the graph for Graphviz instead (with `--ir plan` the graph of groups)
    #[arg(long)]
    dot: bool,
    /// Prints one of the program's intermediate forms instead
    #[arg(long, value_enum, value_name = "STAGE")]
    ir: Option<Stage>,
    /// The function to look at (`main`, or else the first)
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    #[command(flatten)]
    options: CompileOptions,
}

/// An intermediate form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Stage {
    /// The graph as it was read.
    Graph,
    /// The same as StableHLO text.
    Stablehlo,
    /// The graph after the optimizer.
    Optimized,
    /// The log of the optimizer's passes.
    Passes,
    /// The groups in the order in which they run; with --dot their graph.
    Plan,
    /// The loop IR of the kernels.
    Kernels,
    /// Steps and buffers.
    Program,
    /// Cranelift's IR and the assembly of the kernels.
    Code,
}

/// Prints what was asked for.
pub fn inspect(args: &Args) -> Done {
    args.options.validate()?;
    let text = if programs::is_artifact(&args.file) { artifact(args)? } else { module(args)? };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())?;
    Ok(())
}

fn artifact(args: &Args) -> Done<String> {
    let compiled = |what: &str| Failure::Usage(format!("{} is compiled: {what}", args.file.display()));
    if args.dot || args.function.is_some() || !args.options.is_default() {
        return Err(compiled("it holds no graph, and no option can change it"));
    }
    let exe = programs::load_artifact(&args.file, 1)?;
    let mut out = String::new();
    match args.ir {
        None => {
            for report in exe.programs() {
                let (program, targets) = (report.program(), report.targets());
                out += &signature(program);
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                out += &format!("  targets  {}\n", names.join("; "));
                out += &kernels(program, None);
                out += &calls(program);
                out += &plan(program, report.memory().code);
            }
        }
        Some(Stage::Program) => exe.programs().iter().for_each(|p| out += &format!("{}\n", p.program())),
        Some(_) => return Err(compiled("it holds its program (--ir program), nothing before that")),
    }
    Ok(out)
}

fn module(args: &Args) -> Done<String> {
    let start = Instant::now();
    let func = programs::read(&args.file, args.function.as_deref())?.func;
    let read = start.elapsed();
    if args.dot && args.ir.is_some_and(|stage| stage != Stage::Plan) {
        return Err(Failure::Usage("--dot draws the graph, or with --ir plan the graph of groups".to_owned()));
    }
    if args.dot && args.ir.is_none() {
        return Ok(kiln::ir::petgraph::to_dot(&func));
    }
    match args.ir {
        None => {
            let compiler = args.options.compiler(1);
            let compiled = compiler.stages(&func, &DimEnv::new()).map_err(Failure::input)?;
            summary(&args.file, &func, &compiled, read)
        }
        Some(stage) => intermediate(args, stage, func),
    }
}

/// One intermediate form, made without the stages after it.
fn intermediate(args: &Args, stage: Stage, func: Func) -> Done<String> {
    match stage {
        Stage::Graph => return Ok(kiln::ir::text::print(&func)),
        Stage::Stablehlo => {
            let options = kiln_stablehlo::WriteOptions::default();
            return kiln_stablehlo::write(&func, &options).map_err(Failure::input);
        }
        Stage::Optimized | Stage::Passes | Stage::Plan | Stage::Kernels | Stage::Program | Stage::Code => {}
    }
    let optimized = Verified::new(func)
        .and_then(|f| kiln::optimizer::optimize(f, &args.options.optimize()))
        .map_err(|d| Failure::input(kiln::CompileError::from(d)))?;
    match stage {
        Stage::Optimized => return Ok(kiln::ir::text::print(&optimized.func)),
        Stage::Passes => return Ok(optimized.log.to_string()),
        _ => {}
    }
    let failed = |d| Failure::input(kiln::CompileError::from(d));
    let planned = kiln::plan::plan(optimized.func, &kiln::cpu::machine(), &args.options.plan()).map_err(failed)?;
    if stage == Stage::Plan {
        return Ok(if args.dot { planned.to_dot() } else { planned.to_string() });
    }
    let lowered = kiln::lower::lower(&planned).map_err(failed)?;
    match stage {
        Stage::Kernels => Ok(lowered.kernels.iter().map(|k| kiln::loops::text::print(k)).collect()),
        Stage::Program => Ok(lowered.program.to_string()),
        _ => code(args, &lowered),
    }
}

fn code(args: &Args, lowered: &Lowered) -> Done<String> {
    let options = kiln::cpu::CpuOptions { dump: true, ..args.options.codegen() };
    let (_, report) = kiln::cpu::compile(&lowered.program, &lowered.kernels, &options).map_err(Failure::input)?;
    let mut out = String::new();
    for (i, kernel) in report.kernels.iter().enumerate() {
        out += &format!("; kernel #{i} {}, {} bytes, by {}\n", kernel.name, kernel.bytes, kernel.emitter);
        out += kernel.dump.as_deref().unwrap_or_default();
        out.push('\n');
    }
    Ok(out)
}

fn summary(file: &Path, func: &Func, compiled: &Compiled, read: Duration) -> Done<String> {
    let program = &compiled.lowered.program;
    let mut out = format!("{}\n", file.display());
    out += &signature(program);
    out += &operators(func, &compiled.planned.func);
    out += &kernels(program, Some(&compiled.lowered.fused));
    out += &calls(program);
    out += &plan(program, compiled.code[0].code.bytes.len() as u64);
    out += &times(compiled, read);
    Ok(out)
}

fn signature(program: &Program) -> String {
    let s = &program.signature;
    let mut out = format!("program {}\n", program.name);
    for p in &s.inputs {
        out += &format!("  input    {}: {}{:?}\n", p.name, p.dtype, p.shape);
    }
    for v in &s.variables {
        let updated = if v.updated { " (updated)" } else { "" };
        out += &format!("  variable {}: {}{:?}{updated}\n", v.name, v.dtype, v.shape);
    }
    for p in &s.outputs {
        out += &format!("  output   {}: {}{:?}\n", p.name, p.dtype, p.shape);
    }
    if !s.dims.is_empty() {
        let dims: Vec<String> = s.dims.iter().map(|(n, v)| format!("{n} = {v}")).collect();
        out += &format!("  compiled for {}\n", dims.join(", "));
    }
    out
}

/// How often each operator occurs, nested functions included.
fn histogram(func: &Func, out: &mut BTreeMap<String, usize>) {
    for node in func.nodes() {
        *out.entry(node.op.name().to_owned()).or_default() += 1;
        node.op.regions().into_iter().for_each(|r| histogram(r, out));
    }
}

fn operators(read: &Func, optimized: &Func) -> String {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    histogram(read, &mut before);
    histogram(optimized, &mut after);
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let mut out = format!("\noperators\n  {:>8} {:>9}\n", "read", "optimized");
    for name in names {
        let count = |map: &BTreeMap<String, usize>| map.get(name).copied().unwrap_or(0);
        out += &format!("  {:>8} {:>9}  {name}\n", count(&before), count(&after));
    }
    let total = |map: &BTreeMap<String, usize>| map.values().sum::<usize>();
    out += &format!("  {:>8} {:>9}  in all\n", total(&before), total(&after));
    out
}

/// Names with their number: `add x2, exponential`.
fn counted(names: &[String]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match counts.iter_mut().find(|(n, _)| n == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let words = counts.iter().map(|(n, c)| if *c > 1 { format!("{n} x{c}") } else { (*n).to_owned() });
    words.collect::<Vec<_>>().join(", ")
}

fn kernels(program: &Program, fused: Option<&[Vec<String>]>) -> String {
    let mut launches = vec![0; program.kernels.len()];
    kiln::program::walk(&program.steps, &mut |step| {
        if let Step::Launch { kernel, .. } = step {
            launches[*kernel as usize] += 1;
        }
    });
    let mut out = format!("\nkernels: {} in {} launches\n", launches.len(), launches.iter().sum::<usize>());
    for (i, (kernel, launches)) in program.kernels.iter().zip(launches).enumerate() {
        let work = format!("{} bytes, {} flops, extent {}", kernel.bytes_moved, kernel.flops, kernel.extent);
        out += &format!("  #{i:<3} {}: {work}, launched at {launches} place(s)\n", kernel.name);
        if let Some(operators) = fused.and_then(|f| f.get(i)) {
            out += &format!("       {}\n", counted(operators));
        }
    }
    out
}

fn calls(program: &Program) -> String {
    use kiln::program::call::CallParams;
    let mut out = format!("\nlibrary calls: {}\n", program.calls.len());
    for (i, site) in program.calls.iter().enumerate() {
        let workspace = match site.workspace {
            0 => String::new(),
            bytes => format!(", {bytes} bytes of workspace"),
        };
        out += &format!("  #{i:<3} {}: {} flops{workspace}\n", site.call.name(), site.call.flops());
    }
    out
}

fn plan(program: &Program, code: u64) -> String {
    let bytes = |ports: &[kiln::program::BoundPort]| -> u64 { ports.iter().map(kiln::program::BoundPort::bytes).sum() };
    let s = &program.signature;
    let variables: u64 = s.variables.iter().map(kiln::program::BoundVariable::bytes).sum();
    let ratio = match program.lower_bound_bytes {
        0 => String::new(),
        bound => format!(", {:.3} of it", program.arena_bytes as f64 / bound as f64),
    };
    format!(
        "\nmemory\n  {:>12} bytes of arena: the planned peak of intermediate values\n  {:>12} bytes lower bound of the arena{ratio}\n  \
         {:>12} bytes of constants\n  {:>12} bytes of variables\n  {:>12} bytes of inputs\n  {:>12} bytes of outputs\n  {code:>12} bytes of code\n\n{}\n{}",
        program.arena_bytes,
        program.lower_bound_bytes,
        program.constant_bytes,
        variables,
        bytes(&s.inputs),
        bytes(&s.outputs),
        program.memory_table(),
        program.arena_picture()
    )
}

fn times(compiled: &Compiled, read: Duration) -> String {
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let r = &compiled.report;
    let stages = [
        ("read", read),
        ("specialize", r.specialize),
        ("optimize", r.optimize),
        ("plan", r.plan),
        ("lower", r.lower),
        ("codegen", r.codegen),
    ];
    let mut out = "\ncompile time\n".to_owned();
    for (name, time) in stages {
        out += &format!("  {:>10.3} ms {name}\n", ms(time));
    }
    out + &format!("  {:>10.3} ms in all, reading apart\n", ms(r.total()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_counted_in_order() {
        let names = ["multiply", "add", "multiply"].map(str::to_owned);
        assert_eq!(counted(&names), "multiply x2, add");
    }
}
