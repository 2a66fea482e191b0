//! Reading cases.

use crate::cases::Corpus;
use crate::{Source, alloc};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

/// The most memory that a case may take, in bytes.
pub const MEMORY: usize = 1 << 30;

/// What comes of a file.
pub enum Outcome {
    /// A graph.
    Built,
    /// An error with a place and a message.
    Refused(String),
}

/// Reads, builds and verifies. An error is what is wrong with the readers.
pub fn attempt(bytes: &[u8], name: &str) -> Result<Outcome, String> {
    let run = || -> Result<Outcome, String> {
        let module = match kiln_stablehlo::read(bytes, name) {
            Ok(module) => module,
            Err(e) => return Ok(Outcome::Refused(e.to_string())),
        };
        let main = if module.functions.iter().any(|f| f.name == "main") { "main" } else { "" };
        match kiln_stablehlo::build(&module, main) {
            Ok(program) => match kiln_ir::verify::verify(&program.func) {
                Ok(()) => Ok(Outcome::Built),
                Err(e) => Err(format!("the graph is not valid: {e}")),
            },
            Err(e) => Ok(Outcome::Refused(e.to_string())),
        }
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or(panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default();
            Err(format!("panic: {text}"))
        }
    }
}

/// Reads cases one after another. Says on standard output: `+SEED` before each, `!SEED MESSAGE` of one that fails,
/// `=BUILT REFUSED` at the end.
pub fn work(source: &Source, cases: u64) -> Result<bool, String> {
    let corpus = Corpus::read(source)?;
    let mut out = std::io::stdout().lock();
    let place = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let seen = place.clone();
    std::panic::set_hook(Box::new(move |info| {
        if let (Some(at), Ok(mut place)) = (info.location(), seen.lock()) {
            *place = format!(" at {at}");
        }
    }));
    let mut send = |line: String| {
        let sent = writeln!(out, "{line}").and_then(|()| out.flush());
        sent.map_err(|e| format!("standard output: {e}"))
    };
    let (mut built, mut refused) = (0u64, 0u64);
    for seed in source.seed..source.seed + cases {
        let case = corpus.case(seed);
        send(format!("+{seed}"))?;
        alloc::reset(MEMORY);
        match attempt(&case, "case") {
            Ok(Outcome::Built) => built += 1,
            Ok(Outcome::Refused(_)) => refused += 1,
            Err(message) => {
                let at = place.lock().map(|mut p| std::mem::take(&mut *p)).unwrap_or_default();
                send(format!("!{seed} {}{at}", message.replace('\n', " ")))?;
            }
        }
        alloc::reset(usize::MAX / 2);
    }
    send(format!("={built} {refused}"))?;
    Ok(true)
}

/// Reads files.
pub fn files(files: &[PathBuf]) -> Result<bool, String> {
    let mut fine = true;
    for file in files {
        let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let (before, start) = (alloc::live(), Instant::now());
        alloc::reset(usize::MAX / 2);
        let outcome = match attempt(&bytes, &file.display().to_string()) {
            Ok(Outcome::Built) => "built".to_owned(),
            Ok(Outcome::Refused(message)) => format!("refused: {message}"),
            Err(message) => {
                fine = false;
                message
            }
        };
        let (seconds, mib) = (start.elapsed().as_secs_f64(), alloc::peak(before) as f64 / f64::from(1 << 20));
        println!("{}: {outcome} ({seconds:.3} s, {mib:.1} MiB)", file.display());
    }
    Ok(fine)
}
