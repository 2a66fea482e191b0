//! `cargo xtask ptx-check`: the PTX of T1's training step, assembled by NVIDIA's ptxas.

use crate::run::cargo;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pinned wheel that brings ptxas.
const WHEEL: &str = "nvidia-cuda-nvcc-cu12==12.9.86";
/// Targets that have to assemble.
const TARGETS: [&str; 2] = ["sm_80", "sm_90"];

/// Lowers the kernels, fetches ptxas if it is not there yet, and assembles for every target.
///
/// # Errors
/// Whatever fails, and any warning or info message of ptxas.
pub fn check() -> Result<(), String> {
    let dir = Path::new("target/ptx");
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    cargo(&["run", "--release", "--quiet", "-p", "kiln-benches", "--bin", "ptx", "--", "T1", "target/ptx"])?;
    let ptxas = ptxas()?;
    for target in TARGETS {
        let file = dir.join(format!("{target}.ptx"));
        assemble(&ptxas, target, &file)?;
        println!("{target}: {} assembles without a warning", file.display());
    }
    Ok(())
}

fn assemble(ptxas: &Path, target: &str, file: &Path) -> Result<(), String> {
    let output = Command::new(ptxas)
        .args([&format!("-arch={target}"), "-o", "/dev/null"])
        .arg(file)
        .output()
        .map_err(|e| format!("{}: {e}", ptxas.display()))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.trim().is_empty() { Ok(()) } else { Err(format!("{target}: {text}")) }
}

/// The assembler from the pinned wheel, installed below `target/` on first use.
fn ptxas() -> Result<PathBuf, String> {
    let root = Path::new("target/ptxas");
    let find = || -> Option<PathBuf> {
        let candidate = root.join("nvidia/cuda_nvcc/bin/ptxas");
        candidate.exists().then_some(candidate)
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    let status = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(root)
        .arg(WHEEL)
        .status()
        .map_err(|e| format!("python3: {e}"))?;
    if !status.success() {
        return Err(format!("pip could not install {WHEEL}"));
    }
    find().ok_or_else(|| format!("{WHEEL} has no ptxas where it was expected"))
}
