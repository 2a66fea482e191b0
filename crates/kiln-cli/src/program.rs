//! Reading programs.

use crate::failure::{Done, Failure};
use kiln::ir::OutputKind;
use kiln::prelude::*;
use kiln::runtime::{LoadOptions, Trust};
use kiln_stablehlo::{Module, Program};
use std::path::Path;

/// True for files that hold compiled artifacts, by their name.
pub fn is_artifact(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "kiln")
}

/// The module in a file of StableHLO text or MLIR bytecode.
///
/// # Errors
/// What is wrong with it, with file, line and column (in bytecode: the position).
pub fn module(file: &Path) -> Result<Module, String> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    kiln_stablehlo::read(&bytes, &name).map_err(|e| e.to_string())
}

/// A function of a module as a graph: the one of this name, without a name `main` or else the first.
///
/// # Errors
/// What is not supported or does not fit together, with its place.
pub fn graph(module: &Module, function: Option<&str>) -> Result<Program, String> {
    let name = match function {
        Some(name) => name,
        None if module.functions.iter().any(|f| f.name == "main") => "main",
        None => "",
    };
    kiln_stablehlo::build(module, name).map_err(|e| e.to_string())
}

/// The program of a file without what its checks look at.
///
/// # Errors
/// As [`module`] and [`graph`].
pub fn read(file: &Path, function: Option<&str>) -> Done<Program> {
    let mut program = module(file).and_then(|m| graph(&m, function)).map_err(Failure::Input)?;
    without_checks(&mut program);
    Ok(program)
}

/// Takes out what only checks look at; results and new values of variables stay.
pub fn without_checks(program: &mut Program) {
    let mut index = 0;
    program.func.outputs.retain(|output| {
        index += 1;
        index <= program.results || matches!(output.kind, OutputKind::Update(_))
    });
    program.checks.clear();
}

/// Loads an artifact for this many threads.
///
/// # Errors
/// When it is none, damaged, or for another machine.
pub fn load_artifact(file: &Path, threads: usize) -> Done<Executable> {
    Executable::load_with(file, &LoadOptions::new(Trust::RunsItsCode).threads(threads))
        .map_err(|e| Failure::Input(format!("{}: {e}", file.display())))
}
