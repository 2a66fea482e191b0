//! Running workers and seeing what becomes of them.

use crate::cases::Corpus;
use crate::{Source, alloc};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Cases of one process.
const BATCH: u64 = 2000;
/// The most processor time that a case may take.
const HANG: f64 = 2.0;
/// The most time on the wall that a case may take.
const LOST: Duration = Duration::from_secs(60);

/// What a run found.
#[derive(Default)]
struct Found {
    cases: u64,
    built: u64,
    refused: u64,
    failures: Vec<String>,
}

/// Processor seconds of a process, where the system says so.
fn processor_time(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name in brackets: user and system time in hundredths are the 12th and 13th field.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn start(source: &Source, seed: u64, cases: u64) -> Result<(Child, Receiver<String>), String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let format = format!("{:?}", source.format).to_lowercase();
    let mut command = Command::new(program);
    command.args(["work", "--format", &format, "--seed", &seed.to_string(), "--cases", &cases.to_string()]);
    command.arg("--corpus").args(&source.corpus);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
    let (send, receive) = channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
    }
    Ok((child, receive))
}

/// Fuzzes for this long; true when nothing was found.
pub fn run(source: &Source, seconds: u64, out: &Path) -> Result<bool, String> {
    let corpus = Corpus::read(source)?;
    println!("{} programs, from seed {}", corpus.len(), source.seed);
    let begin = Instant::now();
    let mut found = Found::default();
    let mut seed = source.seed;
    let mut told = begin;
    while begin.elapsed().as_secs() < seconds {
        seed = batch(source, seed, &corpus, &mut found, out)?;
        if told.elapsed().as_secs() >= 60 {
            told = Instant::now();
            println!(
                "{:.0} s: {} cases, {} failures",
                begin.elapsed().as_secs_f64(),
                found.cases,
                found.failures.len()
            );
        }
    }
    println!(
        "{:?}: {} cases in {:.0} s: {} built, {} refused, {} failures; seeds {} to {seed}",
        source.format,
        found.cases,
        begin.elapsed().as_secs_f64(),
        found.built,
        found.refused,
        found.failures.len(),
        source.seed
    );
    Ok(found.failures.is_empty())
}

/// One process; gives the seed to go on with.
fn batch(source: &Source, seed: u64, corpus: &Corpus, found: &mut Found, out: &Path) -> Result<u64, String> {
    let (mut child, lines) = start(source, seed, BATCH)?;
    let fail = |found: &mut Found, seed: u64, message: &str| -> Result<(), String> {
        std::fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
        let ending = if source.format == crate::Format::Text { "mlir" } else { "mlirbc" };
        let file = out.join(format!("{seed}.{ending}"));
        std::fs::write(&file, corpus.case(seed)).map_err(|e| format!("{}: {e}", file.display()))?;
        println!("seed {seed}: {message}\n  {}", file.display());
        found.failures.push(format!("seed {seed}: {message}"));
        Ok(())
    };
    let mut current = None;
    let mut since = (Instant::now(), processor_time(child.id()));
    loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => {
                if let Some(next) = line.strip_prefix('+').and_then(|s| s.parse().ok()) {
                    current = Some(next);
                    found.cases += 1;
                    since = (Instant::now(), None);
                } else if let Some((failed, message)) = line.strip_prefix('!').and_then(|l| l.split_once(' ')) {
                    fail(found, failed.parse().unwrap_or(seed), message)?;
                } else if let Some((built, refused)) = line.strip_prefix('=').and_then(|l| l.split_once(' ')) {
                    found.built += built.parse::<u64>().unwrap_or(0);
                    found.refused += refused.parse::<u64>().unwrap_or(0);
                    child.wait().map_err(|e| e.to_string())?;
                    return Ok(seed + BATCH);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = processor_time(child.id());
                // From the first look on that found it busy.
                let before = *since.1.get_or_insert(now.unwrap_or(0.0));
                let spent = now.map_or(since.0.elapsed().as_secs_f64(), |n| n - before);
                if spent > HANG || since.0.elapsed() > LOST {
                    child.kill().map_err(|e| e.to_string())?;
                    child.wait().map_err(|e| e.to_string())?;
                    let at = current.unwrap_or(seed);
                    fail(found, at, &format!("no end after {spent:.1} s"))?;
                    return Ok(at + 1);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait().map_err(|e| e.to_string())?;
                let Some(at) = current else { return Err(format!("a worker ended at once: {status}")) };
                let message = match status.code() {
                    Some(alloc::OUT_OF_MEMORY) => "more than 1 GiB of memory".to_owned(),
                    _ => format!("the process ended: {status}"),
                };
                fail(found, at, &message)?;
                return Ok(at + 1);
            }
        }
    }
}
