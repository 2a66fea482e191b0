//! `cargo xtask stablehlo-roundtrip`: what kiln writes as StableHLO, run by XLA's CPU compiler.

use crate::run::cargo;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the check installs, pinned: the script uses names that JAX may move.
const PACKAGES: [&str; 3] = ["jax==0.10.2", "jaxlib==0.10.2", "numpy==2.4.6"];
/// Where the environment and the programs lie.
const DIR: &str = "target/stablehlo";
/// The script that compares.
const SCRIPT: &str = "xtask/stablehlo_roundtrip.py";

/// What to check, and with what.
pub struct Roundtrip {
    /// A Python that has JAX; none to make an environment.
    pub python: Option<PathBuf>,
    /// Number of random graphs beside the written ones.
    pub random: u64,
    /// Only cases whose name contains this.
    pub only: Option<String>,
}

/// Writes the programs with kiln's results, and lets XLA compute them too.
///
/// # Errors
/// Whatever fails, and any difference.
pub fn roundtrip(check: &Roundtrip) -> Result<(), String> {
    let python = match &check.python {
        Some(python) => python.clone(),
        None => environment()?,
    };
    let programs = format!("{DIR}/programs");
    if Path::new(&programs).exists() {
        std::fs::remove_dir_all(&programs).map_err(|e| format!("{programs}: {e}"))?;
    }
    let random = check.random.to_string();
    let mut args = vec!["run", "--release", "--quiet", "-p", "kiln-tests", "--bin", "stablehlo", "--"];
    args.extend([programs.as_str(), "--random", random.as_str()]);
    if let Some(only) = &check.only {
        args.extend(["--only", only.as_str()]);
    }
    cargo(&args)?;
    run(Command::new(&python).args([SCRIPT, programs.as_str()]))
}

/// The Python of an environment below `target/` that has the packages, made on first use.
fn environment() -> Result<PathBuf, String> {
    let venv = PathBuf::from(format!("{DIR}/venv"));
    let python = venv.join("bin/python");
    let mark = venv.join("packages.txt");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))?;
    std::fs::write(&mark, wanted).map_err(|e| format!("{}: {e}", mark.display()))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|e| format!("{name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} failed")) }
}
