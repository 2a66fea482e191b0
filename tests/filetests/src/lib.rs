//! One harness of file tests over every stage of the compiler.
//!
//! A file test is a small program with what a stage makes of it. Its first line names the command; the comment after it says
//! what the file is about; the comment at the end, after an empty line, is the expectation:
//!
//! ```text
//! // test opt=simplify numerics=contract
//! // What the file is about.
//! func @f(%x: f32[4]) -> (f32[4]) { ... }
//!
//! // rules: 1 x x + 0 (contract)
//! // func @f(%x: f32[4]) -> (f32[4]) { ... }
//! ```
//!
//! | command | input | expectation |
//! |---|---|---|
//! | `verify` | graph | none: the function is right, or its errors stand at their lines |
//! | `infer` | graph | the function for the sizes `NAME=NUMBER` |
//! | `roundtrip` | graph, kernel | none: printed, it is the same text |
//! | `opt=PASS` | graph | the rules that applied and the function; `opt=optimize` is the whole pipeline |
//! | `grad` | graph | the function with the gradients of its float inputs |
//! | `plan` | graph | groups, order, buffers |
//! | `lower` | graph | the kernels |
//! | `emit=TARGET` | kernel | the code, `ptx.sm_80` or `cpu` (which says only that it compiles) |
//! | `interpret`, `run` | graph | the outputs for the inputs that lines `// in NAME = LITERAL : TYPE` give; one file may name both |
//! | `import` | StableHLO | the graph; `import checks` evaluates the program's own checks instead |
//!
//! A line that must be refused ends in `// error: TEXT`, where TEXT is a part of the error's code and message. Every error is
//! expected at its line, and every expected error must come. A line `// error: TEXT` of its own is for errors that have no line.
//!
//! The test binary takes a part of a file's path to run only those. `KILN_BLESS=1` writes expectations anew; whoever does reads
//! the difference. [`snapshot`] is the same for texts that Rust code makes.

pub mod commands;
mod file;
mod meaning;
mod snapshot;
#[path = "../../../crates/kiln-optimizer/tests/support/mod.rs"]
mod support;

pub use file::{Problem, TestFile};
pub use meaning::check as means_the_same;
pub use snapshot::snapshot;

use std::path::{Path, PathBuf};

/// What a command makes of a file: the text of the expectation, or everything that is wrong with the input.
pub type Outcome = Result<String, Vec<Problem>>;

/// The folder of the file tests.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("files")
}

/// Every file test, in the order of their paths.
///
/// # Panics
/// When the folder cannot be read.
pub fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Runs the commands of a file and compares what they make with the expectation.
///
/// # Errors
/// What differs, as a unified diff; a command or word that there is not.
pub fn run(path: &Path) -> Result<(), String> {
    let file = TestFile::read(path)?;
    for command in &file.commands {
        let outcome = commands::run(command, &file).map_err(|e| format!("{}: {e}", path.display()))?;
        file.compare(outcome)?;
    }
    Ok(())
}
