//! The other end of `kiln check`: a process that judges one unit after the other.

use super::job::{Job, Outcome};
use super::unit::{self, Prepared};
use crate::failure::Done;
use std::io::{BufRead, Write};
use std::sync::{Mutex, PoisonError};

/// What a line of a worker's output begins with when it is an answer.
pub const MARK: &str = "@@kiln ";

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
