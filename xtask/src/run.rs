//! Running commands.

use std::process::Command;
use std::time::Instant;

/// Runs `cargo` with these arguments.
///
/// # Errors
/// When it fails.
pub fn cargo(args: &[&str]) -> Result<(), String> {
    let status = Command::new(env!("CARGO")).args(args).status().map_err(|e| format!("cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo {} failed", args.join(" "))) }
}

/// Runs a named step and says how long it took.
///
/// # Errors
/// The step's.
pub fn step(name: &str, f: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("== {name}");
    let start = Instant::now();
    f().map_err(|e| format!("{name}: {e}"))?;
    println!("   {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
