//! `emit=ptx.sm_80`: the code of one kernel. `emit=cpu` only compiles it: machine code is compared by what it computes.

use super::name;
use crate::file::{Command, TestFile};
use crate::{Outcome, Problem};
use kiln_gpu::PtxTarget;
use kiln_loops::verify::VerifyError;
use kiln_loops::{Kernel, Verified};

pub(super) fn run(command: &Command, file: &TestFile) -> Result<Outcome, String> {
    let target = command.argument.as_str();
    let sm = match target.strip_prefix("ptx.sm_").map(str::parse) {
        Some(Ok(sm)) => sm,
        _ => return Err(format!("there is no target `{target}`; there is `ptx.sm_80` and the like")),
    };
    let refused = |e: kiln_gpu::PtxError| vec![Problem { line: 0, text: e.to_string() }];
    Ok(kernel(file).and_then(|k| {
        let k = Verified::new(k).map_err(invalid)?;
        let (text, lowered) = kiln_gpu::module(std::slice::from_ref(&k), &PtxTarget { sm }).map_err(refused)?;
        let shape = lowered[0].launch;
        let launch =
            format!("{} blocks of {} threads, {} bytes shared", shape.blocks, shape.threads, shape.shared_bytes);
        Ok(format!("launch: {launch}\n{text}"))
    }))
}

/// The kernel of a file.
pub(super) fn kernel(file: &TestFile) -> Result<Kernel, Vec<Problem>> {
    kiln_loops::text::parse(&file.input)
        .map_err(|e| vec![Problem { line: e.line, text: format!("{}: {}", name(file), e.message) }])
}

fn invalid(errors: Vec<VerifyError>) -> Vec<Problem> {
    errors.iter().map(|e| Problem { line: 0, text: e.to_string() }).collect()
}
