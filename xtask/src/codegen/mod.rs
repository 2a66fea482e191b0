//! Everything that is derived from the operator table: `cargo xtask codegen`.

mod attributes;
mod builder;
mod deriv;
mod kinds;
mod reference;
mod scalar;
mod words;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Writes the derived files, or (`check`) compares them with what is there.
///
/// # Errors
/// What could not be written, or which files differ.
pub fn codegen(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no root")?;
    let mut stale = Vec::new();
    for (path, text) in outputs(root)? {
        // A checkout may have other line ends.
        let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if found == text {
            continue;
        }
        if check {
            stale.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
        } else {
            std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(format!("out of date, run `cargo xtask codegen`: {}", stale.join(", "))) }
}

fn outputs(root: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let spec = kiln_spec::load();
    let ir = root.join("crates/kiln-ir/src/op/generated");
    Ok(vec![
        (ir.join("attributes.rs"), rustfmt(root, &attributes::generate(&spec))?),
        (ir.join("words.rs"), rustfmt(root, &words::generate(&spec))?),
        (ir.join("kind.rs"), rustfmt(root, &kinds::generate(&spec))?),
        (ir.join("scalar_ops.rs"), rustfmt(root, &scalar::generate(&spec))?),
        (root.join("crates/kiln-autodiff/src/generated/elementwise.rs"), rustfmt(root, &deriv::generate(&spec)?)?),
        (root.join("crates/kiln-builder/src/generated/elementwise.rs"), rustfmt(root, &builder::generate(&spec))?),
        (root.join("docs/operators.md"), reference::generate(&spec)),
    ])
}

fn rustfmt(root: &Path, source: &str) -> Result<String, String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("rustfmt: {e}"))?;
    let mut stdin = child.stdin.take().ok_or("rustfmt takes no input")?;
    stdin.write_all(source.as_bytes()).map_err(|e| format!("rustfmt: {e}"))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(|e| format!("rustfmt: {e}"))?;
    if !output.status.success() {
        return Err(format!("rustfmt failed on generated code: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("rustfmt: {e}"))
}

/// `log_plus_one` as `LogPlusOne`.
fn camel(name: &str) -> String {
    let word = |w: &str| w[..1].to_uppercase() + &w[1..];
    name.split('_').filter(|w| !w.is_empty()).map(word).collect()
}

/// The patterns of each value: what has one value shares an arm of a match.
fn grouped(arms: impl IntoIterator<Item = (String, String)>) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (value, pattern) in arms {
        match groups.iter_mut().find(|(v, _)| *v == value) {
            Some((_, patterns)) => patterns.push(pattern),
            None => groups.push((value, vec![pattern])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    /// What is committed is what the table gives.
    #[test]
    fn generated_files_are_current() {
        if let Err(e) = super::codegen(true) {
            panic!("{e}");
        }
    }

    #[test]
    fn names_become_variants() {
        assert_eq!(super::camel("log_plus_one"), "LogPlusOne");
        assert_eq!(super::camel("atan2"), "Atan2");
    }
}
