//! `roundtrip`: what is read and printed again is the same text, comments aside.

use super::{name, problems};
use crate::file::TestFile;
use crate::{Outcome, Problem};

pub(super) fn run(file: &TestFile) -> Outcome {
    let printed = if file.path.extension().is_some_and(|e| e == "kl") { kernel(file) } else { graphs(file) }?;
    let code = file.input.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with("//"));
    let mut found = printed.lines().filter(|l| !l.is_empty());
    let mut different = Vec::new();
    for (i, line) in code {
        let again = found.next().unwrap_or("nothing");
        if again != line {
            different.push(Problem { line: i as u32 + 1, text: format!("`{line}` is printed as `{again}`") });
        }
    }
    different.extend(found.map(|l| Problem { line: 0, text: format!("`{l}` is printed beside it") }));
    if different.is_empty() { Ok(String::new()) } else { Err(different) }
}

/// All functions of the file; each parses back to an equal one.
fn graphs(file: &TestFile) -> Result<String, Vec<Problem>> {
    let funcs = kiln_ir::text::parse_all(&name(file), &file.input).map_err(problems)?;
    let mut out = String::new();
    for f in &funcs {
        let printed = kiln_ir::text::print(f);
        let again = kiln_ir::text::parse(&printed).map_err(problems)?;
        if kiln_ir::text::print(&again) != printed || again.nodes().len() != f.nodes().len() {
            return Err(vec![Problem { line: 0, text: format!("@{} does not parse back to itself", f.name) }]);
        }
        out += &printed;
    }
    Ok(out)
}

fn kernel(file: &TestFile) -> Result<String, Vec<Problem>> {
    super::emit::kernel(file).map(|k| kiln_loops::text::print(&k))
}
