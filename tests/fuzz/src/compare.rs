//! The two readers against each other.

use crate::cases::find;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The graph of each function of a file in text form, with its checks; or what is wrong with it.
fn graphs(file: &Path) -> Vec<(String, Result<String, String>)> {
    let bytes = std::fs::read(file).map_err(|e| e.to_string());
    let module = match bytes.and_then(|b| kiln_stablehlo::read(&b, "file").map_err(|e| format!("read: {e}"))) {
        Ok(module) => module,
        Err(e) => return vec![(String::new(), Err(e))],
    };
    let graph = |name: &str| {
        let program = kiln_stablehlo::build(&module, name).map_err(|e| format!("build: {e}"))?;
        let checks: Vec<String> =
            program.checks.iter().map(|c| format!("{} {} {:?}", c.found, c.expected, c.kind)).collect();
        Ok(format!("{}{} results\n{}", kiln_ir::text::print(&program.func), program.results, checks.join("\n")))
    };
    module.functions.iter().map(|f| (f.name.clone(), graph(&f.name))).collect()
}

/// A message without places.
fn what(message: &str) -> String {
    if message.contains("-->") {
        return message.lines().filter(|l| !l.contains("-->") && !l.contains(" from ")).collect();
    }
    let rest = message.rsplit_once("not supported: ").map(|(_, m)| m);
    rest.or_else(|| message.splitn(4, ':').nth(3)).unwrap_or(message).to_owned()
}

/// Compares all pairs; true when all agree.
pub fn compare(folders: &[PathBuf]) -> Result<bool, String> {
    let mut files = Vec::new();
    for folder in folders {
        find(folder, "mlirbc", &mut files)?;
    }
    let (mut same, mut refused, mut different) = (0, 0, 0);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let text = file.with_extension("mlir");
        if !text.exists() {
            continue;
        }
        let (binary, text) = (graphs(&file), graphs(&text));
        if binary.len() != text.len() {
            different += 1;
            println!("{}: {} and {} functions", file.display(), binary.len(), text.len());
        }
        for ((name, a), (other, b)) in binary.into_iter().zip(text) {
            match (a, b) {
                (Ok(a), Ok(b)) if a == b && name == other => same += 1,
                (Ok(a), Ok(b)) => {
                    different += 1;
                    println!("{}: @{name} and @{other}: other graphs", file.display());
                    let line = a.lines().zip(b.lines()).find(|(a, b)| a != b);
                    if let Some((a, b)) = line {
                        println!("  bytecode: {a}\n  text:     {b}");
                    }
                }
                (Err(a), Err(b)) if what(&a) == what(&b) => {
                    refused += 1;
                    *reasons.entry(what(&a)).or_default() += 1;
                }
                (a, b) => {
                    different += 1;
                    let say = |r: Result<String, String>| r.map_or_else(|e| e, |_| "built".into());
                    println!("{}: @{name}\n  bytecode: {}\n  text:     {}", file.display(), say(a), say(b));
                }
            }
        }
    }
    for (reason, count) in reasons {
        println!("{count} times:{reason}");
    }
    println!("{same} same graphs, {refused} refused by both for the same reason, {different} different");
    Ok(different == 0)
}
