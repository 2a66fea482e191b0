//! File tests: `tests/filetests/*.kir`.
//!
//! A file is a function in the text form below a header, and the expectation in a comment at the end:
//!
//! ```text
//! // test opt=simplify numerics=contract
//! // What the file is about.
//! func @f(...) -> (...) { ... }
//!
//! // rules: 1 x x + 0 (contract)
//! // func @f(...) -> (...) { ... }
//! ```
//!
//! `opt=` names a pass, which runs once and is followed by `dce`, or is `optimize`. `KILN_BLESS=1` writes the
//! expectations anew.

mod support;

use kiln_ir::{Func, Verified, text};
use kiln_optimizer::{FoldBudget, Level, OptimizeOptions, Optimized, PASSES, PassLog, optimize, run_pass};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use support::{Draw, Tolerance, assert_same, has_float_sum};

struct Case {
    path: PathBuf,
    text: String,
    func: Func,
    command: String,
    options: OptimizeOptions,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests")
}

/// The function with the proof that it follows the rules.
fn verified(f: Func) -> Verified {
    Verified::new(f).unwrap_or_else(|d| panic!("{d}"))
}

fn options() -> OptimizeOptions {
    OptimizeOptions { dump: None, verify: true, ..OptimizeOptions::default() }
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory())
        .expect("the directory of file tests")
        .map(|e| e.expect("a directory entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "kir"))
        .collect();
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Case {
    let content = std::fs::read_to_string(&path).expect("a readable file");
    let name = path.display();
    // The expectation is the last block of comments.
    let end = content.find("\n}\n").unwrap_or_else(|| panic!("{name}: no function")) + 3;
    let text = content[..end].to_string();
    let header = content.lines().next().unwrap_or_default();
    let Some(words) = header.strip_prefix("// test ") else {
        panic!("{name}: the first line is not `// test opt=...`")
    };
    let mut case = Case {
        func: text::parse_named(&name.to_string(), &text).unwrap_or_else(|d| panic!("{name}: {d}")),
        text,
        command: String::new(),
        options: options(),
        path: path.clone(),
    };
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("opt", pass)) => case.command = pass.to_string(),
            Some(("numerics", "contract")) => case.options.numerics = Level::Contract,
            Some(("numerics", "fast")) => case.options.numerics = Level::Fast,
            Some(("level", n)) => case.options.level = n.parse().expect("a level"),
            Some(("stop", n)) => case.options.stop_after_n_rewrites = Some(n.parse().expect("a number")),
            Some(("bytes", n)) => {
                case.options.fold_budget = FoldBudget { bytes: n.parse().expect("bytes"), ..FoldBudget::default() };
            }
            Some(("flops", n)) => {
                case.options.fold_budget = FoldBudget { flops: n.parse().expect("flops"), ..FoldBudget::default() };
            }
            _ => panic!("{name}: unknown word `{word}` in the header"),
        }
    }
    case
}

fn transform(case: &Case) -> (Func, PassLog) {
    let name = case.path.display();
    let result = match case.command.as_str() {
        "optimize" => optimize(verified(case.func.clone()), &case.options).map(Optimized::into_func),
        pass => run_pass(case.func.clone(), pass, &case.options),
    };
    let done = result.unwrap_or_else(|d| panic!("{name}: {d}"));
    let clean = match case.command.as_str() {
        "optimize" | "dce" => done.func,
        _ => run_pass(done.func, "dce", &options()).unwrap_or_else(|d| panic!("{name}: {d}")).func,
    };
    (clean, done.log)
}

/// The expectation: rules that applied, and the function.
fn report(func: &Func, log: &PassLog) -> String {
    let mut rules: BTreeMap<&str, (u64, Level)> = BTreeMap::new();
    for (rule, stats) in log.runs.iter().flat_map(|r| &r.rules) {
        rules.entry(rule).or_insert((0, stats.level)).0 += stats.count;
    }
    let list: Vec<String> =
        rules.iter().map(|(rule, (count, level))| format!("{count} x {rule} ({})", level.name())).collect();
    let mut out = format!("\n// rules: {}\n", if list.is_empty() { "none".into() } else { list.join(", ") });
    for line in text::print(func).lines() {
        let _ = writeln!(out, "// {line}");
    }
    out
}

#[test]
fn expectations() {
    let bless = std::env::var_os("KILN_BLESS").is_some();
    let all = cases();
    assert!(all.len() >= 60, "only {} file tests were found", all.len());
    let mut failures = String::new();
    for case in &all {
        let (func, log) = transform(case);
        let expected = format!("{}{}", case.text, report(&func, &log));
        if bless {
            // In one step: the other tests read these files at the same time.
            let new = case.path.with_extension("new");
            std::fs::write(&new, expected).and_then(|()| std::fs::rename(&new, &case.path)).expect("a writable file");
        } else if std::fs::read_to_string(&case.path).expect("a readable file") != expected {
            let _ = writeln!(failures, "{}:\n{expected}\n", case.path.display());
        }
    }
    assert!(failures.is_empty(), "these differ (KILN_BLESS=1 accepts them):\n{failures}");
}

/// The pass under test, at the level of the file, keeps what the function computes.
#[test]
fn expectations_mean_the_same() {
    for case in cases() {
        let (func, log) = transform(&case);
        let what = format!("{} ({})", case.path.display(), case.command);
        let exact = if has_float_sum(&case.func) { Tolerance::Numbers } else { Tolerance::Bits };
        // Value-changing rules: within what a few roundings of f16 make of it, on ordinary numbers.
        let tolerance = if log.level_needed() == Level::Exact { exact } else { Tolerance::Relative(4e-3) };
        for seed in 0..3 {
            assert_same(&what, &case.func, &func, seed, Draw::Whole, tolerance);
        }
        if tolerance == Tolerance::Bits {
            for seed in 3..8 {
                assert_same(&what, &case.func, &func, seed, Draw::Special, tolerance);
            }
        }
    }
}

/// Every pass alone, and all of them, on every file.
#[test]
fn every_pass_on_every_file() {
    for case in cases() {
        let tolerance = if has_float_sum(&case.func) { Tolerance::Numbers } else { Tolerance::Bits };
        for pass in PASSES {
            let done = run_pass(case.func.clone(), pass, &options()).unwrap_or_else(|d| panic!("{d}"));
            let what = format!("{} after {pass}", case.path.display());
            assert_same(&what, &case.func, &done.func, 11, Draw::Whole, tolerance);
        }
        for level in 0..3 {
            let done = optimize(verified(case.func.clone()), &OptimizeOptions { level, ..options() });
            let done = done.unwrap_or_else(|d| panic!("{}: {d}", case.path.display()));
            assert_eq!(done.log.level_needed(), Level::Exact);
            let what = format!("{} at level {level}", case.path.display());
            assert_same(&what, &case.func, &done.func, 12, Draw::Whole, tolerance);
        }
    }
}
