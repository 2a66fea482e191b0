//! The other end of `kiln check`: a process that judges one unit after the other.

use super::cases::Form;
use super::unit::{self, Prepared};
use crate::failure::Done;
use crate::options::{Backend, CompileOptions};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What a line of a worker's output begins with when it is an answer.
pub const MARK: &str = "@@kiln ";

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

/// The message of the last panic.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn note_panics() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("(no message)");
        let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = format!("panic{place}: {text}");
    }));
}

/// Answers jobs, one JSON object a line on standard input, until it ends.
pub fn serve() -> Done {
    note_panics();
    let (send, jobs) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
        // Nobody waits for an answer any more, even if a job is under way.
        std::process::exit(0);
    });
    let mut prepared: Option<Prepared> = None;
    while let Ok(line) = jobs.recv() {
        let outcome = match serde_json::from_str::<Job>(&line) {
            Ok(job) => answer(&job, &mut prepared),
            Err(e) => Outcome::failed(format!("the worker does not understand its job: {e}")),
        };
        let text = serde_json::to_string(&outcome).map_err(std::io::Error::other)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{MARK}{text}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(job: &Job, prepared: &mut Option<Prepared>) -> Outcome {
    // What is cached is dropped after a panic: no broken state is seen again.
    let mut cache = prepared.take();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let outcome = unit::judge(job, &mut cache);
        (outcome, cache)
    }));
    match result {
        Ok((outcome, cache)) => {
            *prepared = cache;
            outcome
        }
        Err(_) => Outcome::failed(std::mem::take(&mut *PANIC.lock().unwrap_or_else(PoisonError::into_inner))),
    }
}
