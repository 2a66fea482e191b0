//! `lower`: the kernels of a graph, in the order of the steps that launch them first.

use super::{function, problems};
use crate::Outcome;
use crate::file::TestFile;
use kiln_lower::{LowerOptions, lower};

pub(super) fn run(file: &TestFile) -> Outcome {
    let lowered = lower(&function(file)?, &LowerOptions::default()).map_err(problems)?;
    let kernels: Vec<String> = lowered.kernels.iter().map(|k| kiln_loops::text::print(k)).collect();
    Ok(kernels.concat())
}
