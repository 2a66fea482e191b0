//! `opt=PASS`: one pass of the optimizer, followed by `dce`, or all of them (`opt=optimize`).

use super::{function, problems};
use crate::file::{Command, TestFile};
use crate::{Outcome, Problem};
use kiln_ir::{Func, Verified, text};
use kiln_optimizer::{FoldBudget, Level, OptimizeOptions, Optimized, PassLog, optimize, run_pass};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Options that check every pass and write nothing.
pub(crate) fn checked() -> OptimizeOptions {
    OptimizeOptions { dump: None, verify: true, ..OptimizeOptions::default() }
}

fn options(command: &Command) -> Result<OptimizeOptions, String> {
    let mut options = checked();
    for (word, value) in &command.words {
        let number = || value.parse::<u64>().map_err(|_| format!("`{word}` takes a number, not `{value}`"));
        match (word.as_str(), value.as_str()) {
            ("numerics", "contract") => options.numerics = Level::Contract,
            ("numerics", "fast") => options.numerics = Level::Fast,
            ("level", _) => options.level = number()? as _,
            ("stop", _) => options.stop_after_n_rewrites = Some(number()?),
            ("bytes", _) => options.fold_budget = FoldBudget { bytes: number()? as _, ..FoldBudget::default() },
            ("flops", _) => options.fold_budget = FoldBudget { flops: number()? as _, ..FoldBudget::default() },
            _ => return Err(format!("`opt` does not know `{word}={value}`")),
        }
    }
    Ok(options)
}

/// The function before, after, and what was done.
pub(crate) struct Done {
    pub before: Func,
    pub after: Func,
    pub log: PassLog,
}

pub(crate) fn transform(command: &Command, file: &TestFile) -> Result<Result<Done, Vec<Problem>>, String> {
    let options = options(command)?;
    let before = match function(file) {
        Ok(f) => f,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let done = match command.argument.as_str() {
        "optimize" => Verified::new(before.clone()).and_then(|f| optimize(f, &options)).map(Optimized::into_func),
        pass => run_pass(before.clone(), pass, &options),
    };
    let clean = done.and_then(|done| match command.argument.as_str() {
        "optimize" | "dce" => Ok((done.func, done.log)),
        _ => Ok((run_pass(done.func, "dce", &checked())?.func, done.log)),
    });
    Ok(clean.map(|(after, log)| Done { before, after, log }).map_err(problems))
}

pub(super) fn run(command: &Command, file: &TestFile) -> Result<Outcome, String> {
    Ok(transform(command, file)?.map(|done| report(&done.after, &done.log)))
}

/// The rules that applied, and the function.
fn report(func: &Func, log: &PassLog) -> String {
    let mut rules: BTreeMap<&str, (u64, Level)> = BTreeMap::new();
    for (rule, stats) in log.runs.iter().flat_map(|r| &r.rules) {
        rules.entry(rule).or_insert((0, stats.level)).0 += stats.count;
    }
    let list: Vec<String> =
        rules.iter().map(|(rule, (count, level))| format!("{count} x {rule} ({})", level.name())).collect();
    let mut out = format!("rules: {}\n", if list.is_empty() { "none".into() } else { list.join(", ") });
    let _ = write!(out, "{}", text::print(func));
    out
}
