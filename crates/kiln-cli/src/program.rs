//! `kiln run`, `kiln compile`, `kiln inspect`.

use kiln::ir::dim::DimEnv;
use kiln::prelude::*;
use kiln::runtime::npy::{read_npz, write_npz};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

type Done = Result<(), Box<dyn std::error::Error>>;

fn is_artifact(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "kiln")
}

/// What MLIR bytecode begins with.
const BYTECODE: &[u8] = b"ML\xefR";
/// Results of at most this many elements are printed.
const SHOWN: usize = 16;

/// The `main` function of a StableHLO file, or its only one.
pub fn read(file: &Path) -> Result<kiln_stablehlo::Program, Box<dyn std::error::Error>> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    if bytes.starts_with(BYTECODE) {
        return Err(format!("{name}: MLIR bytecode is not supported; write the program as text").into());
    }
    let text = String::from_utf8(bytes).map_err(|e| format!("{name}: the file is no text: {e}"))?;
    let module = kiln_stablehlo::read_text(&text, &name)?;
    let main = if module.functions.iter().any(|f| f.name == "main") { "main" } else { "" };
    Ok(kiln_stablehlo::build(&module, main)?)
}

fn load(file: &Path) -> Result<Executable, Box<dyn std::error::Error>> {
    if is_artifact(file) {
        return Ok(Executable::load(file)?);
    }
    Ok(Compiler::cpu().compile_func(read(file)?.func)?)
}

/// The array as this type: NumPy has no bf16, so such arrays are stored as unsigned integers of the same width.
pub fn as_type(t: &Tensor, dtype: DType) -> Result<Tensor, String> {
    if t.dtype() == dtype || t.dtype().size() != dtype.size() {
        return Ok(t.clone());
    }
    if !matches!(dtype, DType::BF16 | DType::F16) || !t.dtype().is_unsigned_int() {
        return Ok(t.clone());
    }
    Tensor::from_bytes(dtype, t.shape(), t.bytes()).map_err(|e| e.to_string())
}

pub fn run(file: &Path, inputs: Option<&Path>, outputs: Option<&Path>) -> Done {
    let exe = load(file)?;
    let arrays = inputs.map(read_npz).transpose()?.unwrap_or_default();
    let mut typed: Vec<(&str, Tensor)> = Vec::new();
    for port in &exe.signature().inputs {
        match arrays.iter().find(|(n, _)| *n == port.name) {
            Some((n, t)) => typed.push((n.as_str(), as_type(t, port.dtype)?)),
            None => return Err(format!("there is no array for input {} ({})", port.name, port.dtype).into()),
        }
    }
    // Arrays for arguments that the program does not use are no inputs; anything else is a mistake.
    let argument = |n: &str| n.strip_prefix('a').is_some_and(|i| i.parse::<usize>().is_ok());
    if let Some((n, _)) = arrays.iter().find(|(n, _)| !argument(n) && typed.iter().all(|(m, _)| m != n)) {
        return Err(format!("the program has no input {n}").into());
    }
    let feeds: Vec<(&str, &Tensor)> = typed.iter().map(|(n, t)| (*n, t)).collect();
    let results = exe.run(&feeds)?;
    let mut out = std::io::stdout().lock();
    for (name, tensor) in results.iter() {
        writeln!(out, "{name}: {}{}", tensor.ty(), shown(tensor))?;
    }
    if let Some(path) = outputs {
        write_npz(path, &results.iter().collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The elements of a small tensor, as ` = ...`.
fn shown(t: &Tensor) -> String {
    if t.len() > SHOWN {
        return String::new();
    }
    let wide = kiln::interp::eval_op(&kiln::ir::Op::Convert(DType::F64), std::slice::from_ref(t));
    let values = wide.ok().and_then(|w| w[0].to_vec::<f64>().ok()).unwrap_or_default();
    let words: Vec<String> = values.iter().map(|v| v.to_string()).collect();
    format!(" = [{}]", words.join(", "))
}

pub fn compile(file: &Path, output: &Path) -> Done {
    if is_artifact(file) {
        return Err(format!("{} is compiled already", file.display()).into());
    }
    let exe = load(file)?;
    exe.export(output)?;
    writeln!(std::io::stdout(), "{}", output.display())?;
    Ok(())
}

/// Prints the graph of a StableHLO file for Graphviz.
pub fn draw(file: &Path) -> Done {
    let func = read(file)?.func;
    writeln!(std::io::stdout().lock(), "{}", kiln::ir::graph::to_dot(&func))?;
    Ok(())
}

pub fn inspect(file: &Path) -> Done {
    let mut out = std::io::stdout().lock();
    if is_artifact(file) {
        let exe = Executable::load(file)?;
        let mut text = String::new();
        exe.inspect(|program, _| {
            text = format!("{program}\n{}\n{}", program.memory_table(), program.arena_picture());
        });
        writeln!(out, "{text}")?;
        return Ok(());
    }
    let func = read(file)?.func;
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    func.nodes().iter().for_each(|n| *operators.entry(n.op.name().to_owned()).or_default() += 1);
    let compiled = Compiler::cpu().threads(1).stages(&func, &DimEnv::new())?;
    let program = &compiled.lowered.program;
    writeln!(out, "{program}\noperators:")?;
    for (name, count) in operators {
        writeln!(out, "  {count:>6} {name}")?;
    }
    writeln!(out, "\n{}\n{}\n{}", program.memory_table(), program.arena_picture(), compiled.optimized.log)?;
    writeln!(out, "compiled in {}", compiled.report)?;
    Ok(())
}
