//! The commands: one for each stage.

mod emit;
mod grad;
mod import;
mod infer;
mod lower;
pub(crate) mod opt;
mod plan;
mod roundtrip;
mod run;

use crate::Outcome;
use crate::file::{Command, Problem, TestFile};
use kiln_ir::{Diagnostics, Func};

/// Runs one command.
///
/// # Errors
/// A command that there is not, or words that it does not take.
pub fn run(command: &Command, file: &TestFile) -> Result<Outcome, String> {
    match command.name.as_str() {
        "verify" => Ok(function(file).map(|_| String::new())),
        "infer" => infer::run(command, file),
        "roundtrip" => Ok(roundtrip::run(file)),
        "opt" => opt::run(command, file),
        "grad" => grad::run(file),
        "plan" => Ok(plan::run(file)),
        "lower" => Ok(lower::run(file)),
        "emit" => emit::run(command, file),
        "interpret" => run::interpret(file),
        "run" => run::compiled(file),
        "import" => import::run(command, file),
        other => Err(format!("there is no command `{other}`")),
    }
}

/// The name under which the input's places are known.
fn name(file: &TestFile) -> String {
    file.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The graph of a file, verified.
pub(crate) fn function(file: &TestFile) -> Result<Func, Vec<Problem>> {
    kiln_ir::text::parse_named(&name(file), &file.input).map_err(problems)
}

/// Diagnostics as what the comparison of errors takes.
pub(crate) fn problems(diagnostics: Diagnostics) -> Vec<Problem> {
    let problem = |d: &kiln_ir::Diagnostic| {
        let notes: String = d.notes.iter().map(|(k, v)| format!("; {k}: {v}")).collect();
        let text = format!("{}: {}: {}{notes}", d.code, d.message, d.label);
        Problem { line: d.loc.line().unwrap_or(0), text }
    };
    diagnostics.0.iter().map(problem).collect()
}
