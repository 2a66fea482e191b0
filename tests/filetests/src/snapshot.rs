//! Texts kept in files.

use similar::TextDiff;
use std::path::Path;

/// Compares a text with what a file holds; with `KILN_BLESS` set, writes the file instead.
///
/// # Errors
/// The difference, as a unified diff; a file that cannot be written.
pub fn snapshot(path: &Path, found: &str) -> Result<(), String> {
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    if std::env::var_os("KILN_BLESS").is_some() {
        // In one step: other tests read these files at the same time.
        let new = path.with_extension("new");
        return std::fs::write(&new, found)
            .and_then(|()| std::fs::rename(&new, path))
            .map_err(|e| format!("{}: {e}", path.display()));
    }
    let name = path.display().to_string();
    let diff = TextDiff::from_lines(expected.as_str(), found);
    let diff = diff.unified_diff().header(&name, "found").to_string();
    Err(format!("{diff}\n(KILN_BLESS=1 accepts it)"))
}
