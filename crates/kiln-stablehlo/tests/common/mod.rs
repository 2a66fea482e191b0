//! Programs and their evaluation.

#![allow(dead_code, reason = "each test binary uses its part")]

use kiln_stablehlo::{CheckKind, Program, build, read_text};

/// The file tests that check themselves, with names.
pub fn programs() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/filetests/files/import");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder is there").map(|e| e.expect("readable").path()).collect();
    files.sort();
    let name = |p: &std::path::Path| p.file_name().expect("a file").to_string_lossy().into_owned();
    let texts = files.iter().map(|p| (name(p), std::fs::read_to_string(p).expect("readable")));
    texts.filter(|(_, text)| text.starts_with("// test import checks")).collect()
}

/// The program of a text.
pub fn program(name: &str, text: &str) -> Result<Program, String> {
    let module = read_text(text, name).map_err(|e| e.to_string())?;
    let main = if module.functions.iter().any(|f| f.name == "main") { "main" } else { "" };
    build(&module, main).map_err(|e| e.to_string())
}

/// Runs a program without inputs and compares what it asks for; gives the number of checks.
pub fn evaluate(name: &str, text: &str) -> Result<usize, String> {
    check(&program(name, text)?)
}

/// Runs a program without inputs and compares what it asks for; gives the number of checks.
pub fn check(program: &Program) -> Result<usize, String> {
    let outputs = kiln_interp::eval(&program.func, &[]).map_err(|e| e.to_string())?;
    for check in &program.checks {
        let (found, expected) = (&outputs[program.results + check.found], &outputs[program.results + check.expected]);
        if found.ty() != expected.ty() {
            return Err(format!("{}: {} is not {}", check.place, found.ty(), expected.ty()));
        }
        let tolerance = match check.kind {
            CheckKind::Equal => 0.0,
            CheckKind::Almost { tolerance } => tolerance,
            CheckKind::Close { .. } => 1e-6,
        };
        for (i, (f, e)) in found.numbers().into_iter().zip(expected.numbers()).enumerate() {
            if !(f == e || f.is_nan() && e.is_nan() || (f - e).abs() <= tolerance) {
                return Err(format!("{}: element {i} is {f:?}, not {e:?}", check.place));
            }
        }
    }
    Ok(program.checks.len())
}
