//! `import`: StableHLO text as a graph. `import checks`: the program evaluates to what its own `check` operators ask for.

use super::{name, problems};
use crate::file::{Command, TestFile};
use crate::{Outcome, Problem};
use kiln_ir::{DType, Op, Tensor};
use kiln_stablehlo::{CheckKind, Error, Program};

pub(super) fn run(command: &Command, file: &TestFile) -> Result<Outcome, String> {
    match command.words.iter().map(|w| w.0.as_str()).collect::<Vec<_>>().as_slice() {
        [] => Ok(program(file).map(|p| kiln_ir::text::print(&p.func))),
        ["checks"] => Ok(program(file).and_then(|p| {
            let count = check(&p).map_err(|text| vec![Problem { line: 0, text }])?;
            Ok(format!("{count} checks hold\n"))
        })),
        other => Err(format!("`import` does not know {other:?}")),
    }
}

fn program(file: &TestFile) -> Result<Program, Vec<Problem>> {
    let module = kiln_stablehlo::read_text(&file.input, &name(file)).map_err(refused)?;
    let main = if module.functions.iter().any(|f| f.name == "main") { "main" } else { "" };
    kiln_stablehlo::build(&module, main).map_err(refused)
}

fn refused(error: Error) -> Vec<Problem> {
    match error {
        Error::Graph(diagnostics) => problems(diagnostics),
        Error::Syntax { place, message: text } | Error::Unsupported { place, what: text } => {
            let line = place.split(':').nth(1).and_then(|l| l.parse().ok()).unwrap_or(0);
            vec![Problem { line, text: format!("{place}: {text}") }]
        }
    }
}

/// Elements as f64.
fn numbers(t: &Tensor) -> Vec<f64> {
    let wide = kiln_interp::eval_op(&Op::Convert(DType::F64), std::slice::from_ref(t)).expect("any type converts");
    wide[0].to_vec().expect("f64")
}

/// Runs a program without inputs and compares what it asks for; gives the number of checks.
fn check(program: &Program) -> Result<usize, String> {
    let outputs = kiln_interp::eval(&program.func, &[]).map_err(|e| e.to_string())?;
    for check in &program.checks {
        let (found, expected) = (&outputs[program.results + check.found], &outputs[program.results + check.expected]);
        if found.ty() != expected.ty() {
            return Err(format!("{}: {} is not {}", check.place, found.ty(), expected.ty()));
        }
        // The texts say nothing of ULP; their functions are within 1e-6 of the literals, which are rounded.
        let tolerance = match check.kind {
            CheckKind::Equal => 0.0,
            CheckKind::Almost { tolerance } => tolerance,
            CheckKind::Close { .. } => 1e-6,
        };
        for (i, (f, e)) in numbers(found).into_iter().zip(numbers(expected)).enumerate() {
            if !(f == e || f.is_nan() && e.is_nan() || (f - e).abs() <= tolerance) {
                return Err(format!("{}: element {i} is {f:?}, not {e:?}", check.place));
            }
        }
    }
    if program.checks.is_empty() { Err("the program checks nothing".into()) } else { Ok(program.checks.len()) }
}
