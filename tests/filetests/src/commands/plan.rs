//! `plan`: the groups of a graph in the order in which they run.

use super::function;
use crate::Outcome;
use crate::file::TestFile;
use kiln_plan::fusion::plan;

pub(super) fn run(file: &TestFile) -> Outcome {
    let func = function(file)?;
    Ok(plan(&func, true, &kiln::cpu::machine()).describe(&func))
}
