//! Judging one unit: a program in one form, compiled in one way.

use super::artifact::{self, run_once};
use super::compare::{Allowed, Distance, compare};
use super::job::{Job, Outcome, Status};
use super::tolerance;
use crate::arrays::{as_type, numpy_type, position, retype};
use crate::options::Backend;
use crate::program;
use kiln::ir::{DType, Func, Input, InputKind, NodeId, Op, OutputKind, Verified};
use kiln::prelude::*;
use kiln_stablehlo::{Block, Module, Program};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A program that was read, kept for its other variants.
pub struct Prepared {
    file: PathBuf,
    program: Program,
    operators: BTreeSet<String>,
    folder: Option<Folder>,
}

/// What a folder says about its program.
struct Folder {
    inputs: BTreeMap<usize, Tensor>,
    outputs: Vec<Tensor>,
    /// Types of the outputs as `meta.json` has them, where it has.
    types: Vec<Option<DType>>,
    allowed: Allowed,
}

/// What executing a program took and gave.
struct Execution {
    outputs: Vec<Tensor>,
    compile: Option<Duration>,
    run: Duration,
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Judges a unit. `cache` holds the program of the last one.
pub fn judge(job: &Job, cache: &mut Option<Prepared>) -> Outcome {
    match job.fault.as_deref() {
        Some("abort") => std::process::abort(),
        Some("hang") => std::thread::sleep(Duration::from_secs(1 << 30)),
        Some("panic") => panic!("asked to"),
        _ => {}
    }
    let mut outcome = Outcome::default();
    if cache.as_ref().is_none_or(|p| p.file != job.file) {
        let start = Instant::now();
        match prepare(job) {
            Ok(p) => *cache = Some(p),
            Err(e) => {
                *cache = None;
                return Outcome::failed(e);
            }
        }
        outcome.read_ms = Some(ms(start.elapsed()));
    }
    let prepared = cache.as_ref().expect("just filled");
    let mut distance = Distance::default();
    let verdict = match &prepared.folder {
        Some(folder) => judge_folder(job, prepared, folder, &mut outcome, &mut distance),
        None => judge_checks(job, prepared, &mut outcome, &mut distance),
    };
    match verdict {
        Ok(status) => outcome.status = status,
        Err(e) => outcome.reason = e,
    }
    if outcome.run_ms.is_some() {
        outcome.max_error = Some(distance.error).filter(|e| e.is_finite());
        outcome.max_ulps = Some(distance.ulps).filter(|_| distance.error.is_finite());
    }
    outcome
}

fn prepare(job: &Job) -> Result<Prepared, String> {
    let module = program::module(&job.file)?;
    let operators = operators(&module);
    let program = program::graph(&module, None)?;
    let folder = job.folder.as_deref().map(read_folder).transpose()?;
    Ok(Prepared { file: job.file.clone(), program, operators, folder })
}

/// The names of all operators of a module; of composites and custom calls also what they stand for.
fn operators(module: &Module) -> BTreeSet<String> {
    fn collect(block: &Block, names: &mut BTreeSet<String>) {
        for op in &block.ops {
            names.insert(op.name.clone());
            for attribute in ["name", "call_target_name"] {
                names.extend(op.attrs.get(attribute).and_then(|a| a.as_str()).map(str::to_owned));
            }
            op.regions.iter().for_each(|region| collect(region, names));
        }
    }
    let mut names = BTreeSet::new();
    module.functions.iter().for_each(|f| collect(&f.body, &mut names));
    names
}

fn numbered(path: &Path) -> Result<BTreeMap<usize, Tensor>, String> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let name = |n: &str| format!("{}: array {n} has no number", path.display());
    crate::arrays::read(path)?.into_iter().map(|(n, t)| position(&n).map(|i| (i, t)).ok_or_else(|| name(&n))).collect()
}

fn read_folder(folder: &Path) -> Result<Folder, String> {
    let path = folder.join("meta.json");
    let fault = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|e| fault(&e))?;
    let meta: serde_json::Value = serde_json::from_str(&text).map_err(|e| fault(&e))?;
    let number = |name: &str| meta.get(name).and_then(serde_json::Value::as_f64);
    let absolute = number("atol").ok_or_else(|| fault(&"there is no number atol"))?;
    let relative = number("rtol").ok_or_else(|| fault(&"there is no number rtol"))?;
    let described = meta.get("outputs").and_then(|o| o.as_array()).map(Vec::as_slice).unwrap_or_default();
    let types = described.iter().map(|o| o.get("dtype").and_then(|d| d.as_str()).and_then(numpy_type)).collect();
    let outputs = numbered(&folder.join("outputs.npz"))?;
    if outputs.keys().copied().ne(0..outputs.len()) {
        return Err(fault(&"the arrays of outputs.npz are not numbered from 0 on"));
    }
    Ok(Folder {
        inputs: numbered(&folder.join("inputs.npz"))?,
        outputs: outputs.into_values().collect(),
        types,
        allowed: Allowed::Near { absolute, relative },
    })
}

/// Compares the results of a program with what its folder says.
fn judge_folder(
    job: &Job,
    prepared: &Prepared,
    folder: &Folder,
    outcome: &mut Outcome,
    distance: &mut Distance,
) -> Result<Status, String> {
    let mut program = prepared.program.clone();
    program::without_checks(&mut program);
    let func = program.func;
    // Arguments that the program does not use are no inputs of the graph.
    let inputs = func
        .inputs
        .iter()
        .filter(|input| matches!(input.kind, InputKind::Feed))
        .map(|input| {
            let array = position(&input.name).and_then(|i| folder.inputs.get(&i));
            let array = array.ok_or_else(|| format!("inputs.npz has no array for argument {}", input.name))?;
            as_type(array, input.ty.dtype).map_err(|e| format!("argument {}: {e}", input.name))
        })
        .collect::<Result<Vec<_>, String>>()?;
    let mut results = execute(job, &func, &inputs, outcome)?;
    results.truncate(program.results);
    if results.len() != folder.outputs.len() {
        return Err(format!("{} results, outputs.npz has {}", results.len(), folder.outputs.len()));
    }
    for (i, (got, want)) in results.iter().zip(&folder.outputs).enumerate() {
        let dtype = folder.types.get(i).copied().flatten().unwrap_or_else(|| got.dtype());
        let want = as_type(want, dtype).map_err(|e| format!("result {i}: {e}"))?;
        let (far, message) = compare(got, &want, folder.allowed).map_err(|e| format!("result {i}: {e}"))?;
        *distance = distance.max(far);
        if let Some(message) = message {
            return Err(format!("result {i}: {message}"));
        }
    }
    Ok(Status::Passed)
}

/// Runs a program that checks itself.
fn judge_checks(
    job: &Job,
    prepared: &Prepared,
    outcome: &mut Outcome,
    distance: &mut Distance,
) -> Result<Status, String> {
    let program = &prepared.program;
    if program.checks.is_empty() {
        let bytes = std::fs::read(&job.file).map_err(|e| e.to_string())?;
        if bytes.windows(CHECK.len()).any(|w| w == CHECK) {
            return Err("the file has checks, but the reader found none".into());
        }
        outcome.reason = "the file checks nothing".into();
        return Ok(Status::Skipped);
    }
    if program.func.inputs.iter().any(|i| matches!(i.kind, InputKind::Feed)) {
        return Err("the function takes arguments: it needs a folder with inputs.npz".into());
    }
    let mut func = program.func.clone();
    let folded = job.keep_literals || job.backend == Backend::Interp && !job.optimize;
    let data = if folded { Vec::new() } else { literals_as_inputs(&mut func) };
    let outputs = execute(job, &func, &data, outcome)?;
    let mut status = Status::Passed;
    for check in &program.checks {
        let (got, want) = (&outputs[program.results + check.found], &outputs[program.results + check.expected]);
        let place = |e: String| format!("{}: {e}", check.place);
        let asked = tolerance::asked(check.kind);
        let (far, message) = compare(got, want, asked).map_err(place)?;
        *distance = distance.max(far);
        let Some(message) = message else { continue };
        let contract =
            if job.strict || asked == Allowed::Exact { None } else { tolerance::contract(&prepared.operators) };
        let Some(contract) = contract else { return Err(place(message)) };
        if let Some(message) = compare(got, want, contract).map_err(place)?.1 {
            return Err(place(message));
        }
        if status == Status::Passed {
            outcome.reason = place(message);
        }
        status = Status::Relaxed;
    }
    Ok(status)
}

/// What every spelling of a check contains.
const CHECK: &[u8] = b"check.expect_";

/// Makes inputs of all literals of more than one element, so that the case runs as compiled code rather than being folded
/// while it is compiled. Gives their values.
fn literals_as_inputs(func: &mut Func) -> Vec<Tensor> {
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

/// Runs a function on values of its feeds in their order (variables start as the program says), and notes the times.
fn execute(job: &Job, func: &Func, inputs: &[Tensor], outcome: &mut Outcome) -> Result<Vec<Tensor>, String> {
    let done = match (job.backend, job.optimize) {
        (Backend::Interp, false) => interpret(func, inputs, None),
        (Backend::Interp, true) => {
            let start = Instant::now();
            let optimized =
                Verified::new(func.clone()).and_then(|f| kiln::optimizer::optimize(f, &job.options.optimize()));
            let optimized = optimized.map_err(|e| e.to_string())?;
            interpret(&optimized.func, inputs, Some(start.elapsed()))
        }
        (Backend::Cpu, _) => compiled(job, func, inputs),
    }?;
    outcome.compile_ms = done.compile.map(ms);
    outcome.run_ms = Some(ms(done.run));
    // The optimizer keeps the bytes of what goes in and out, not always the type.
    done.outputs.iter().zip(&func.outputs).map(|(t, o)| retype(t, func.ty(o.value))).collect()
}

fn interpret(func: &Func, inputs: &[Tensor], compile: Option<Duration>) -> Result<Execution, String> {
    let ports = func.inputs.iter().filter(|i| matches!(i.kind, InputKind::Feed));
    let inputs = inputs
        .iter()
        .zip(ports)
        .map(|(t, i)| Ok((i.name.as_str(), retype(t, &i.ty)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let feeds: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
    let inputs = kiln::debug::inputs(func, &feeds).map_err(|e| e.to_string())?;
    let start = Instant::now();
    let outputs = kiln::interp::eval(func, &inputs).map_err(|e| e.to_string())?;
    Ok(Execution { outputs, compile, run: start.elapsed() })
}

fn compiled(job: &Job, func: &Func, inputs: &[Tensor]) -> Result<Execution, String> {
    let start = Instant::now();
    let exe = job.options.compiler(job.threads).compile_func(func.clone()).map_err(|e| e.to_string())?;
    let compile = Some(start.elapsed());
    let ports = func.inputs.iter().filter(|i| matches!(i.kind, InputKind::Feed));
    let feeds: Vec<(&str, &Tensor)> = ports.map(|i| i.name.as_str()).zip(inputs).collect();
    if job.artifact {
        let fetched = func.outputs.iter().filter(|o| matches!(o.kind, OutputKind::Fetch));
        let names: Vec<&str> = fetched.map(|o| o.name.as_str()).collect();
        let (outputs, run) = artifact::elsewhere(&exe, &feeds, &names)?;
        return Ok(Execution { outputs, compile, run });
    }
    let start = Instant::now();
    let outputs = run_once(&exe, &feeds).map_err(|e| e.to_string())?;
    Ok(Execution { outputs: outputs.into_vec(), compile, run: start.elapsed() })
}
