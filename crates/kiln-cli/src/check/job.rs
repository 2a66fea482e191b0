//! What a worker is asked, and what it answers.

use super::cases::Form;
use crate::options::{Backend, CompileOptions};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One unit of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The folder with inputs and outputs, if the program is in one.
    pub folder: Option<PathBuf>,
    /// The file with the program.
    pub file: PathBuf,
    /// Its form.
    pub form: Form,
    /// Name of the variant.
    pub variant: String,
    /// How to compile.
    pub options: CompileOptions,
    /// What executes.
    pub backend: Backend,
    /// The interpreter gets the optimized graph.
    pub optimize: bool,
    /// The program is exported, and loaded and run by another process.
    pub artifact: bool,
    /// Literals stay literals.
    pub keep_literals: bool,
    /// Only the file's own demand counts.
    pub strict: bool,
    /// Threads of a run.
    pub threads: usize,
    /// What goes wrong on purpose.
    pub fault: Option<String>,
}

/// How a unit ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As the file asks.
    Passed,
    /// Not as the file asks, but within the tolerance of the operators.
    Relaxed,
    /// Nothing to judge.
    Skipped,
    /// Wrong, or did not run.
    #[default]
    Failed,
}

/// The judgement on a unit.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Why it did not simply pass.
    pub reason: String,
    /// Milliseconds of reading the program (when it was not read for another variant before).
    pub read_ms: Option<f64>,
    /// Milliseconds from graph to machine code.
    pub compile_ms: Option<f64>,
    /// Milliseconds of the run.
    pub run_ms: Option<f64>,
    /// Largest finite distance of a float from what is expected.
    pub max_error: Option<f64>,
    /// The same in units in the last place.
    pub max_ulps: Option<u64>,
}

impl Outcome {
    /// A failure before anything could be measured.
    pub fn failed(reason: impl Into<String>) -> Outcome {
        Outcome { reason: reason.into(), ..Outcome::default() }
    }
}
