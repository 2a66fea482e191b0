//! `kiln check`: many cases in parallel processes, so that a crash or hang costs one.

use crate::case::{self, Backend};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Arguments of `kiln check`.
#[derive(clap::Args)]
pub struct Args {
    /// Files and folders.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// What runs the cases.
    #[arg(long, value_enum, default_value = "cpu")]
    backend: Backend,
    /// Writes one JSON row a case to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seconds that a case may take.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    /// Cases in one process.
    #[arg(long, default_value_t = 40)]
    batch: usize,
    /// Runs the cases in this process, printing a line each (used for the processes it starts).
    #[arg(long, hide = true)]
    worker: bool,
}

/// How a case ended.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

const MARK: &str = "@@kiln-case";

/// Runs the cases and prints the failures and the counts.
pub fn check(args: &Args) -> ExitCode {
    if args.worker {
        return worker(args);
    }
    let mut cases = Vec::new();
    for path in &args.paths {
        if let Err(e) = case::find(path, &mut cases) {
            eprintln!("error: {}: {e}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let outcomes = run_all(&cases, args);
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut rows = String::new();
    for (path, outcome) in cases.iter().zip(&outcomes) {
        let (state, text) = match outcome {
            Outcome::Passed => {
                passed += 1;
                ("passed", "")
            }
            Outcome::Failed(e) => {
                failed += 1;
                println!("FAILED {}: {e}", path.display());
                ("failed", e.as_str())
            }
            Outcome::Skipped(e) => {
                skipped += 1;
                println!("SKIPPED {}: {e}", path.display());
                ("skipped", e.as_str())
            }
        };
        let row = serde_json::json!({"case": path.display().to_string(), "outcome": state, "message": text});
        rows += &format!("{row}\n");
    }
    if let Some(path) = &args.json
        && let Err(e) = std::fs::write(path, rows)
    {
        eprintln!("error: {}: {e}", path.display());
        return ExitCode::FAILURE;
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the cases given, one after the other, printing `MARK index state message`.
fn worker(args: &Args) -> ExitCode {
    use std::io::Write;
    std::panic::set_hook(Box::new(|_| {}));
    for (i, path) in args.paths.iter().enumerate() {
        let outcome = std::panic::catch_unwind(|| case::run(path, args.backend)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(format!(
                "panic: {}",
                text.or(panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
            ))
        });
        let line = match outcome {
            Ok(()) => format!("{MARK} {i} passed"),
            Err(e) => format!("{MARK} {i} failed {}", e.replace('\n', " | ")),
        };
        println!("{line}");
        if std::io::stdout().flush().is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn spawn(cases: &[PathBuf], args: &Args) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["check", "--worker", "--backend", args.backend.name()])
        .args(cases)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// Outcomes in the order of the cases.
fn run_all(cases: &[PathBuf], args: &Args) -> Vec<Outcome> {
    let next = std::sync::Mutex::new(cases.chunks(args.batch.max(1)).enumerate());
    let results = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..kiln::runtime::available_parallelism() {
            scope.spawn(|| {
                loop {
                    let Some((i, chunk)) = next.lock().expect("no thread panics here").next() else { return };
                    let outcomes = run_chunk(chunk, args);
                    results.lock().expect("no thread panics here").push((i, outcomes));
                }
            });
        }
    });
    let mut all = results.into_inner().expect("no thread panics here");
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().flat_map(|(_, o)| o).collect()
}

/// Runs a chunk in a process; when that dies or hangs, the case it was at fails and the rest runs in a new one.
fn run_chunk(cases: &[PathBuf], args: &Args) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while outcomes.len() < cases.len() {
        let rest = &cases[outcomes.len()..];
        let before = outcomes.len();
        let end = run_process(rest, args, &mut outcomes);
        if outcomes.len() < cases.len() {
            let lost: &Path = &cases[outcomes.len()];
            let why = end.unwrap_or_else(|| "the process ended early".into());
            if outcomes.len() == before && why.starts_with("cannot start") {
                outcomes.push(Outcome::Skipped(format!("{}: {why}", lost.display())));
            } else {
                outcomes.push(Outcome::Failed(why));
            }
        }
    }
    outcomes
}

/// Collects outcomes of one process; gives why it ended early, if it did.
fn run_process(cases: &[PathBuf], args: &Args, outcomes: &mut Vec<Outcome>) -> Option<String> {
    use std::io::{BufRead, BufReader};
    let mut child = match spawn(cases, args) {
        Ok(child) => child,
        Err(e) => return Some(format!("cannot start a process: {e}")),
    };
    let stdout = child.stdout.take()?;
    let (send, receive) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let mut deadline = Instant::now() + Duration::from_secs(args.timeout);
    let mut why = None;
    loop {
        match receive.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let Some(text) = line.strip_prefix(MARK) else { continue };
                let mut parts = text.trim_start().splitn(3, ' ');
                let state = parts.nth(1);
                outcomes.push(match state {
                    Some("passed") => Outcome::Passed,
                    _ => Outcome::Failed(parts.next().unwrap_or_default().to_owned()),
                });
                deadline = Instant::now() + Duration::from_secs(args.timeout);
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                why = Some(format!("no result within {} s", args.timeout));
                // It may have ended by itself meanwhile; then there is nothing to kill.
                let _ = child.kill();
                break;
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait();
    // The reader ends with the pipe.
    let _ = reader.join();
    why.or_else(|| match status {
        Ok(s) if s.success() => None,
        Ok(s) => Some(format!("the process died: {s}")),
        Err(e) => Some(e.to_string()),
    })
}
