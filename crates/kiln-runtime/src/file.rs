//! Files that are written whole or not at all.

use crate::error::RunError;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file so that it is either the old or the new one, never half of it.
///
/// # Errors
/// When the system refuses.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), RunError> {
    let io = |source| RunError::Io { path: path.display().to_string(), source };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = File::create(temporary).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    let result = written.and_then(|()| std::fs::rename(temporary, path));
    if result.is_err() {
        // The error that matters is the first one.
        let _ = std::fs::remove_file(temporary);
    }
    result.map_err(io)
}
