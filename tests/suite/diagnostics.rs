//! What users read after a mistake, from the graph to the run, against `diagnostics.txt`. `KILN_BLESS=1` writes it anew; whoever
//! does reads it: every text says what was expected, what was found, which node, and which line of the user's file.

use std::fmt::Write;
use std::path::Path;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/suite/diagnostics.txt");

#[test]
fn mistakes_read_well() {
    let mut found = String::new();
    for (name, text) in crate::mistakes::all() {
        writeln!(found, "## {name}\n\n{text}\n").expect("a string takes it");
    }
    kiln_filetests::snapshot(Path::new(PATH), &found).unwrap_or_else(|difference| panic!("{difference}"));
}

/// Diagnostics of graphs point into the user's file and show the line.
#[test]
fn graph_mistakes_show_the_line() {
    // Mistakes in options, in sizes given at compile time, and in text files have no line of the graph.
    const ELSEWHERE: [&str; 3] = ["error[optimize.options]", "error[specialize.", "error[text."];
    let elsewhere = |text: &str| ELSEWHERE.iter().any(|e| text.starts_with(e));
    let graphs = crate::mistakes::all().into_iter().filter(|(_, t)| t.starts_with("error[") && !elsewhere(t));
    for (name, text) in graphs {
        for one in text.split("\n\n").filter(|d| d.starts_with("error[")) {
            assert!(
                one.contains("tests/suite/mistakes.rs:") && one.contains(" | ") && one.contains('^'),
                "{name}:\n{one}"
            );
        }
    }
}
