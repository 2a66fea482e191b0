//! `kiln run`, `kiln compile`, `kiln inspect`.

use kiln::ir::dim::DimEnv;
use kiln::prelude::*;
use kiln::runtime::npy::{read_npz, write_npz};
use std::collections::BTreeMap;
use std::path::Path;

type Done = Result<(), Box<dyn std::error::Error>>;

fn is_artifact(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "kiln")
}

/// The `main` function of a StableHLO file.
pub fn read(file: &Path) -> Result<kiln_stablehlo::Program, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let name = file.display().to_string();
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

pub fn run(file: &Path, inputs: Option<&Path>, outputs: Option<&Path>) -> Done {
    let exe = load(file)?;
    let arrays = inputs.map(read_npz).transpose()?.unwrap_or_default();
    let feeds: Vec<(&str, &Tensor)> = arrays.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let results = exe.run(&feeds)?;
    for (name, tensor) in results.iter() {
        println!("{name}: {}", tensor.ty());
    }
    if let Some(path) = outputs {
        write_npz(path, &results.iter().collect::<Vec<_>>())?;
    }
    Ok(())
}

pub fn compile(file: &Path, output: &Path) -> Done {
    let exe = load(file)?;
    exe.export(output)?;
    println!("{}", output.display());
    Ok(())
}

pub fn inspect(file: &Path) -> Done {
    if is_artifact(file) {
        let exe = Executable::load(file)?;
        exe.inspect(|program, _| println!("{program}\n{}\n{}", program.memory_table(), program.arena_picture()));
        return Ok(());
    }
    let func = read(file)?.func;
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    func.nodes().iter().for_each(|n| *operators.entry(n.op.name().to_owned()).or_default() += 1);
    let compiled = Compiler::cpu().threads(1).stages(&func, &DimEnv::new())?;
    let program = &compiled.lowered.program;
    println!("{program}\noperators:");
    for (name, count) in operators {
        println!("  {count:>6} {name}");
    }
    println!("\n{}\n{}\n{}", program.memory_table(), program.arena_picture(), compiled.optimized.log);
    println!("compiled in {}", compiled.report);
    Ok(())
}
