//! One case: a self-checking file, or a folder with program, inputs and outputs.

use crate::compare::{Tolerance, compare};
use crate::program::{as_type, read};
use clap::ValueEnum;
use kiln::ir::{Func, Input, InputKind, NodeId, Op};
use kiln::prelude::*;
use kiln::runtime::npy::read_npz;
use kiln_stablehlo::CheckKind;
use std::path::{Path, PathBuf};

/// What runs the cases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Backend {
    /// The reference interpreter.
    Interp,
    /// Compiled code.
    Cpu,
}

impl Backend {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Interp => "interp",
            Backend::Cpu => "cpu",
        }
    }
}

/// Floats of self-checking files pass within this too, whatever the file asks for: sums may be reordered, functions differ
/// within the numerics contract, and the values written there are a few units in the last place off themselves.
const RELATIVE: f64 = 2e-6;
/// The same for solutions of linear systems, whose error grows with the condition of the matrix.
const RELATIVE_SOLVED: f64 = 1e-5;

/// The cases below a path: folders that hold `program.mlir`, and `.mlir` files elsewhere.
pub fn find(path: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_file() {
        if path.extension().is_some_and(|e| e == "mlir") {
            out.push(path.to_owned());
        }
        return Ok(());
    }
    if path.join("program.mlir").is_file() {
        out.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    entries.iter().try_for_each(|e| find(e, out))
}

fn execute(func: kiln::ir::Func, inputs: &[Tensor], backend: Backend) -> Result<Vec<Tensor>, String> {
    match backend {
        Backend::Interp => kiln::interp::eval(&func, inputs).map_err(|e| e.to_string()),
        Backend::Cpu => {
            let exe = Compiler::cpu().threads(1).compile_func(func).map_err(|e| e.to_string())?;
            let names: Vec<String> = exe.signature().inputs.iter().map(|p| p.name.clone()).collect();
            let feeds: Vec<(&str, &Tensor)> = names
                .iter()
                .map(|n| {
                    let i: usize = n.trim_start_matches('a').parse().map_err(|_| format!("input {n}"))?;
                    Ok((n.as_str(), inputs.get(i).ok_or_else(|| format!("no data for input {n}"))?))
                })
                .collect::<Result<_, String>>()?;
            exe.run(&feeds).map(|o| o.into_vec()).map_err(|e| e.to_string())
        }
    }
}

/// Runs a case.
///
/// # Errors
/// The first difference, or why it did not run.
pub fn run(path: &Path, backend: Backend) -> Result<(), String> {
    if path.is_dir() { run_program(path, backend) } else { run_checks(path, backend) }
}

/// Makes inputs of all literals of more than one element, so that the case runs as compiled code rather than being folded
/// while it is compiled. Gives their values.
fn constants_as_inputs(func: &mut Func) -> Vec<Tensor> {
    let literals: Vec<(NodeId, Tensor)> = func
        .iter()
        .filter_map(|(id, node)| match &node.op {
            Op::Constant(t) if t.len() > 1 => Some((id, t.clone())),
            _ => None,
        })
        .collect();
    for (id, value) in &literals {
        let index = func.inputs.len();
        let (name, node) = (format!("a{index}"), func.node_mut(*id));
        node.op = Op::Parameter(index as u32);
        node.name = Some(name.as_str().into());
        let loc = node.loc.clone();
        func.inputs.push(Input { name, ty: value.ty(), kind: InputKind::Feed, node: *id, loc });
    }
    literals.into_iter().map(|(_, t)| t).collect()
}

fn run_checks(path: &Path, backend: Backend) -> Result<(), String> {
    let mut program = read(path).map_err(|e| e.to_string())?;
    if !program.func.inputs.is_empty() {
        return Err("the function takes arguments; give it a folder with inputs.npz".into());
    }
    let data = match backend {
        Backend::Cpu => constants_as_inputs(&mut program.func),
        Backend::Interp => Vec::new(),
    };
    let results = program.results;
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let solves = text.contains("stablehlo.triangular_solve") || text.contains("stablehlo.cholesky");
    let relaxed = Tolerance::Near { absolute: 1e-6, relative: if solves { RELATIVE_SOLVED } else { RELATIVE } };
    let outputs = execute(program.func, &data, backend)?;
    for check in &program.checks {
        let (found, expected) = (&outputs[results + check.found], &outputs[results + check.expected]);
        let tolerance = match check.kind {
            CheckKind::Equal => Tolerance::Exact,
            CheckKind::Almost { tolerance } => Tolerance::Near { absolute: tolerance, relative: 0.0 },
            CheckKind::Close { ulps } => Tolerance::Ulps(ulps),
        };
        if compare(found, expected, tolerance).is_err() {
            let last = if check.kind == CheckKind::Equal { tolerance } else { relaxed };
            compare(found, expected, last).map_err(|e| format!("{}: {e}", check.place))?;
        }
    }
    if program.checks.is_empty() { Err("the file checks nothing".into()) } else { Ok(()) }
}

fn arrays(path: &Path) -> Result<Vec<Tensor>, String> {
    let mut named = read_npz(path).map_err(|e| e.to_string())?;
    let number = |name: &str| name.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse::<usize>();
    named.sort_by_key(|(n, _)| number(n).unwrap_or(usize::MAX));
    Ok(named.into_iter().map(|(_, t)| t).collect())
}

fn run_program(path: &Path, backend: Backend) -> Result<(), String> {
    let program = read(&path.join("program.mlir")).map_err(|e| e.to_string())?;
    let meta = std::fs::read_to_string(path.join("meta.json")).map_err(|e| e.to_string())?;
    let meta: serde_json::Value = serde_json::from_str(&meta).map_err(|e| e.to_string())?;
    let number = |name: &str| meta.get(name).and_then(serde_json::Value::as_f64);
    let tolerance = Tolerance::Near {
        absolute: number("atol").ok_or("meta.json has no atol")?,
        relative: number("rtol").ok_or("meta.json has no rtol")?,
    };
    let func = &program.func;
    let data = arrays(&path.join("inputs.npz"))?;
    // Unused arguments are no inputs of the graph.
    let inputs: Vec<Tensor> = match backend {
        Backend::Cpu => {
            let mut typed = data.clone();
            for input in &func.inputs {
                if let Ok(i) = input.name.trim_start_matches('a').parse::<usize>()
                    && let Some(t) = data.get(i)
                {
                    typed[i] = as_type(t, input.ty.dtype)?;
                }
            }
            typed
        }
        Backend::Interp => func
            .inputs
            .iter()
            .map(|input| {
                let i: usize = input.name.trim_start_matches('a').parse().map_err(|_| "a strange input".to_owned())?;
                as_type(data.get(i).ok_or("an input is missing")?, input.ty.dtype)
            })
            .collect::<Result<_, String>>()?,
    };
    let expected = arrays(&path.join("outputs.npz"))?;
    let found = execute(program.func, &inputs, backend)?;
    if found.len() != expected.len() {
        return Err(format!("{} results, expected {}", found.len(), expected.len()));
    }
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        compare(f, &as_type(e, f.dtype())?, tolerance).map_err(|e| format!("result {i}: {e}"))?;
    }
    Ok(())
}
