//! Compiled equals interpreted on random graphs.

/// Graphs in the tests; `cargo xtask fuzz` runs more.
const GRAPHS: u64 = 500;

#[test]
fn compiled_equals_interpreted() {
    let failures: Vec<String> = (0..GRAPHS)
        .filter_map(|seed| kiln_tests::check_seed(seed).err().map(|e| format!("seed {seed}: {e}")))
        .collect();
    assert!(failures.is_empty(), "{} of {GRAPHS} graphs:\n{}", failures.len(), failures.join("\n"));
}
