//! `cargo xtask ci`: what has to hold on main.

use crate::run::{cargo, step};
use std::time::Instant;

/// Runs every check; stops at the first that fails.
///
/// # Errors
/// The check that failed.
pub fn ci() -> Result<(), String> {
    let start = Instant::now();
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("generated code", || crate::codegen::codegen(true))?;
    step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("runtime alone", runtime_alone)?;
    step("tests", || cargo(&["test", "--workspace", "--quiet"]))?;
    step("docs", docs)?;
    step("main job", || cargo(&["run", "--release", "--quiet", "--example", "digits"]))?;
    step("artifact without the compiler", || {
        cargo(&[
            "run",
            "--release",
            "--quiet",
            "-p",
            "kiln-runtime",
            "--example",
            "predict",
            "--",
            "target/digits.kiln",
        ])
    })?;
    println!("everything holds ({:.0} s)", start.elapsed().as_secs_f64());
    Ok(())
}

/// A user who only runs artifacts builds no compiler.
fn runtime_alone() -> Result<(), String> {
    cargo(&["clippy", "-p", "kiln", "--no-default-features", "--", "-D", "warnings"])
}

fn docs() -> Result<(), String> {
    let status = std::process::Command::new(env!("CARGO"))
        .args(["doc", "--workspace", "--no-deps", "--quiet"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .status()
        .map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err("cargo doc failed".into()) }
}
