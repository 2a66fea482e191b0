//! What the suites share: random graphs with known results, and the comparison that the numerics contract allows.

pub mod accuracy;
pub mod compare;
pub mod random;

use kiln::optimizer::OptimizeOptions;
use kiln::plan::PlanOptions;
use kiln::prelude::*;

/// Operators of the graph of a seed.
pub fn size_of(seed: u64) -> usize {
    3 + (seed % 23) as usize
}

/// Compiles the random graph of a seed with options that the seed chooses, runs it, and compares with the interpreter.
///
/// # Errors
/// The first difference, or why the graph did not compile.
pub fn check_seed(seed: u64) -> Result<(), String> {
    let case = random::generate(seed, size_of(seed));
    kiln::ir::verify::verify(&case.func).map_err(|e| format!("verifier: {e}"))?;
    let optimize = OptimizeOptions { level: [2, 2, 2, 1, 0][seed as usize % 5], ..OptimizeOptions::default() };
    let (fuse, schedule) = (!seed.is_multiple_of(7), !seed.is_multiple_of(11));
    let plan = PlanOptions { fuse, schedule, ..PlanOptions::default() };
    let compiler = Compiler::cpu().optimize(optimize).plan(plan).threads(1 + (seed % 2) as usize);
    let exe = compiler.compile_func(case.func.clone()).map_err(|e| format!("compile: {e}"))?;
    let names: Vec<String> = case.func.inputs.iter().map(|i| i.name.clone()).collect();
    let feeds: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&case.inputs).collect();
    let found = exe.run(&feeds).map_err(|e| format!("run: {e}"))?.into_vec();
    for (i, ((expected, error), found)) in case.expected.iter().zip(&found).enumerate() {
        compare::compare(found, expected, *error).map_err(|e| format!("output {i}: {e}"))?;
    }
    Ok(())
}
