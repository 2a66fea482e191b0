//! `lower`: the kernels of a graph, in the order of the steps that launch them first.

use super::{function, problems};
use crate::Outcome;
use crate::file::TestFile;
use kiln_ir::{Legal, Verified};
use kiln_plan::PlanOptions;

pub(super) fn run(file: &TestFile) -> Outcome {
    let func = Verified::new(function(file)?).and_then(Legal::new);
    let planned = func.and_then(|f| kiln_plan::plan(f, &kiln::cpu::machine(), &PlanOptions::default()));
    let lowered = planned.and_then(|p| kiln_lower::lower(&p)).map_err(problems)?;
    let kernels: Vec<String> = lowered.kernels.iter().map(|k| kiln_loops::text::print(k)).collect();
    Ok(kernels.concat())
}
