//! Kernels that the file tests of lowering keep as text, for whoever compiles or runs them.

use std::path::Path;

/// Name and text of each kernel that `lower` file tests expect, in the order of the files.
///
/// # Panics
/// When the file tests cannot be read.
pub fn lowered_kernels() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../filetests/files/lower");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the file tests").map(|e| e.expect("a file").path()).collect();
    paths.sort();
    let mut kernels = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a text");
        let expected =
            text.rsplit_once("\n\n// kernel ").map(|(_, rest)| format!("// kernel {rest}")).unwrap_or_default();
        let lines: Vec<&str> = expected.lines().map(|l| l.strip_prefix("// ").unwrap_or_default()).collect();
        for (i, kernel) in lines.join("\n").split_inclusive("\n}\n").enumerate() {
            kernels.push((format!("{}#{i}", path.display()), kernel.to_owned()));
        }
    }
    kernels
}
