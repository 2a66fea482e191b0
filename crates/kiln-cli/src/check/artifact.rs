//! Running an artifact in a process of its own, which loads it as a user's program would: through the runtime alone.

use crate::arrays::{self, as_type};
use crate::failure::{Done, Failure};
use kiln::prelude::*;
use kiln::runtime::Trust;
use kiln::runtime::npy::write_npz;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Arguments of the hidden command that the other process runs.
#[derive(clap::Args)]
pub struct Args {
    /// The artifact
    artifact: PathBuf,
    /// Arrays of its inputs
    inputs: PathBuf,
    /// Where its results go
    outputs: PathBuf,
}

/// Loads, runs, writes the results, prints the nanoseconds that the run took.
pub fn run(args: &Args) -> Done {
    // Whoever started this holds the other end of standard input: when that closes, nobody wants the results.
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let exe = Executable::load(&args.artifact, Trust::RunsItsCode).map_err(Failure::input)?;
    let arrays = arrays::read(&args.inputs).map_err(Failure::Input)?;
    let mut feeds = Vec::new();
    for port in &exe.signature().inputs {
        let array = arrays.iter().find(|(n, _)| *n == port.name);
        let (name, array) = array.ok_or_else(|| Failure::Input(format!("no array for {}", port.name)))?;
        feeds.push((name.as_str(), as_type(array, port.dtype).map_err(Failure::Input)?));
    }
    let feeds: Vec<(&str, &Tensor)> = feeds.iter().map(|(n, t)| (*n, t)).collect();
    let start = Instant::now();
    let outputs = run_once(&exe, &feeds).map_err(Failure::input)?;
    let taken = start.elapsed();
    write_npz(&args.outputs, &outputs.iter().collect::<Vec<_>>()).map_err(Failure::input)?;
    writeln!(std::io::stdout(), "{}", taken.as_nanos())?;
    Ok(())
}

/// Runs an executable once; one that updates variables starts from their initial values.
///
/// # Errors
/// As [`Executable::run`].
pub fn run_once(exe: &Executable, feeds: &[(&str, &Tensor)]) -> Result<Outputs, RunError> {
    match exe.signature().variables.iter().any(|v| v.updated) {
        true => exe.session()?.run(feeds),
        false => exe.run(feeds),
    }
}

/// A folder that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kiln-check-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Scratch(path))
    }
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left over files in the folder for temporary files harm nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Exports, and runs in another process: the outputs of these names, and how long the run took.
///
/// # Errors
/// What went wrong, here or there.
pub fn elsewhere(
    exe: &Executable,
    feeds: &[(&str, &Tensor)],
    names: &[&str],
) -> Result<(Vec<Tensor>, Duration), String> {
    let scratch = Scratch::new()?;
    let (artifact, inputs, outputs) = (scratch.file("case.kiln"), scratch.file("in.npz"), scratch.file("out.npz"));
    exe.export(&artifact).map_err(|e| format!("export: {e}"))?;
    write_npz(&inputs, feeds).map_err(|e| e.to_string())?;
    let taken = process(&artifact, &inputs, &outputs)?;
    let results = arrays::read(&outputs)?;
    let results = names
        .iter()
        .zip(&exe.signature().outputs)
        .map(|(name, port)| match results.iter().find(|(n, _)| n == name) {
            Some((_, t)) => as_type(t, port.dtype),
            None => Err(format!("the artifact gave no result {name}")),
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok((results, taken))
}

fn process(artifact: &Path, inputs: &Path, outputs: &Path) -> Result<Duration, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = Command::new(program)
        .arg("run-artifact")
        .args([artifact, inputs, outputs])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("starting a process: {e}"))?;
    // Held until the end: the process stops when it closes.
    let hold = child.stdin.take();
    let done = child.wait_with_output().map_err(|e| format!("the process of the artifact: {e}"))?;
    drop(hold);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !done.status.success() {
        return Err(format!("the process of the artifact ended with {}: {}", done.status, text(&done.stderr)));
    }
    let nanoseconds =
        text(&done.stdout).parse().map_err(|_| "the process of the artifact printed no time".to_owned())?;
    Ok(Duration::from_nanos(nanoseconds))
}
