//! Every graph of a file test means the same under its own pass, every other pass and every level.

use crate::commands::{function, opt};
use crate::file::TestFile;
use crate::support::{Draw, Tolerance, assert_same, difference, eval, has_float_sum, inputs};
use kiln::prelude::*;
use kiln_ir::{DType, Func, InputKind, OutputKind, Tensor, Verified};
use kiln_optimizer::{Level, OptimizeOptions, PASSES, optimize, run_pass};
use std::path::Path;

/// Elements of all inputs up to which a function is interpreted under every pass.
const SMALL: usize = 1 << 13;

fn elements(func: &Func) -> usize {
    func.inputs.iter().filter_map(|i| i.ty.shape.num_elements()).sum()
}

/// Checks a file. One whose errors are expected, or whose sizes are open, has no meaning to keep.
///
/// # Errors
/// What changed: the pass, the inputs, the outputs.
pub fn check(path: &Path) -> Result<(), String> {
    let file = TestFile::read(path)?;
    let Ok(func) = function(&file) else { return Ok(()) };
    if !func.symbols().is_empty() {
        return Ok(());
    }
    if file.commands[0].name == "opt" {
        own_pass(&file)?;
    }
    if elements(&func) <= SMALL {
        every_pass(path, &func)?;
    }
    compiled(path, &func)
}

/// The compiled program computes what the interpreter does.
fn compiled(path: &Path, func: &Func) -> Result<(), String> {
    let inputs = inputs(func, 13, Draw::Whole);
    let Some(expected) = eval(func, &inputs) else { return Ok(()) };
    let found = run(func, &inputs).map_err(|e| format!("{} compiled: {e}", path.display()))?;
    for (i, (e, f)) in expected.iter().zip(&found).enumerate() {
        // Sums in another order, differences of which are taken; functions within some ULP.
        let half = matches!(e.dtype(), DType::F16 | DType::BF16) || e.dtype().size() == 1;
        let tolerance = Tolerance::Relative(if half { 2e-2 } else { 1e-4 });
        if let Some(d) = difference(e, f, tolerance) {
            return Err(format!("{} compiled: output {i}: {d}", path.display()));
        }
    }
    Ok(())
}

/// The outputs of the compiled function, new values of variables among them.
fn run(func: &Func, inputs: &[Tensor]) -> Result<Vec<Tensor>, Box<dyn std::error::Error>> {
    let exe = Compiler::cpu().threads(1).compile_func(func.clone())?;
    let mut session = Session::new(&exe)?;
    let mut feeds: Vec<(&str, &Tensor)> = Vec::new();
    for (input, value) in func.inputs.iter().zip(inputs) {
        match input.kind {
            InputKind::Feed => feeds.push((&input.name, value)),
            InputKind::Variable(_) => session.set(&input.name, value)?,
        }
    }
    let mut fetched = session.run(&feeds)?.into_vec().into_iter();
    let output = |o: &kiln_ir::Output| match o.kind {
        OutputKind::Fetch => Ok(fetched.next().ok_or("a fetch is missing")?),
        OutputKind::Update(variable) => Ok(session.get(&func.inputs[variable].name)?),
    };
    func.outputs.iter().map(output).collect()
}

/// The pass under test, at the level of the file.
fn own_pass(file: &TestFile) -> Result<(), String> {
    let command = &file.commands[0];
    let Ok(done) = opt::transform(command, file)? else { return Ok(()) };
    let what = format!("{} ({})", file.path.display(), command.argument);
    let exact = if has_float_sum(&done.before) { Tolerance::Numbers } else { Tolerance::Bits };
    // Value-changing rules: within what a few roundings of f16 make of it, on ordinary numbers.
    let tolerance = if done.log.level_needed() == Level::Exact { exact } else { Tolerance::Relative(4e-3) };
    for seed in 0..3 {
        assert_same(&what, &done.before, &done.after, seed, Draw::Whole, tolerance);
    }
    if tolerance == Tolerance::Bits {
        for seed in 3..8 {
            assert_same(&what, &done.before, &done.after, seed, Draw::Special, tolerance);
        }
    }
    Ok(())
}

/// Every pass alone, and all of them.
fn every_pass(path: &Path, func: &Func) -> Result<(), String> {
    let tolerance = if has_float_sum(func) { Tolerance::Numbers } else { Tolerance::Bits };
    for pass in PASSES {
        let what = format!("{} after {pass}", path.display());
        let done = run_pass(func.clone(), pass, &opt::checked()).map_err(|d| format!("{what}: {d}"))?;
        assert_same(&what, func, &done.func, 11, Draw::Whole, tolerance);
    }
    for level in 0..3 {
        let what = format!("{} at level {level}", path.display());
        let options = OptimizeOptions { level, ..opt::checked() };
        let done =
            Verified::new(func.clone()).and_then(|f| optimize(f, &options)).map_err(|d| format!("{what}: {d}"))?;
        if done.log.level_needed() != Level::Exact {
            return Err(format!("{what}: a rule of a higher level applied"));
        }
        assert_same(&what, func, &done.func, 12, Draw::Whole, tolerance);
    }
    Ok(())
}
