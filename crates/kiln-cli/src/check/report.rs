//! What came out, for people and as JSON.

use super::cases::{Case, Form};
use super::job::{Job, Outcome, Status};
use crate::failure::{Done, Failure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

/// Units of a failure that are named before the rest is only counted.
const NAMED: usize = 3;

/// Counts and times.
pub struct Report {
    variants: Vec<String>,
    processes: usize,
    start: Instant,
    verbose: bool,
    passed: usize,
    relaxed: usize,
    failed: usize,
    skipped: usize,
    /// Units passed (relaxed ones too), and all, by variant and by form.
    by_variant: BTreeMap<String, (usize, usize)>,
    by_form: BTreeMap<Form, (usize, usize)>,
    read: Vec<(f64, String)>,
    compile: Vec<(f64, String)>,
    rows: String,
}

impl Report {
    /// A report on these variants; the times are those of the first.
    pub fn new(variants: Vec<String>, processes: usize, verbose: bool) -> Report {
        Report {
            variants,
            processes,
            verbose,
            start: Instant::now(),
            passed: 0,
            relaxed: 0,
            failed: 0,
            skipped: 0,
            by_variant: BTreeMap::new(),
            by_form: BTreeMap::new(),
            read: Vec::new(),
            compile: Vec::new(),
            rows: String::new(),
        }
    }

    /// Takes in a case, and prints it unless it simply passed.
    ///
    /// # Errors
    /// When nothing can be printed.
    pub fn add(&mut self, case: &Case, skipped: Option<&str>, jobs: &[Job], outcomes: Vec<Outcome>) -> Done {
        let status = match skipped {
            Some(_) => Status::Skipped,
            None => outcomes.iter().map(|o| o.status).max().unwrap_or_default(),
        };
        match status {
            Status::Passed => self.passed += 1,
            Status::Relaxed => self.relaxed += 1,
            Status::Skipped => self.skipped += 1,
            Status::Failed => self.failed += 1,
        }
        for (job, outcome) in jobs.iter().zip(&outcomes) {
            self.count(job, outcome);
        }
        let groups = group(jobs, &outcomes, status, skipped);
        let word = match status {
            Status::Failed => "FAILED",
            Status::Skipped => "SKIPPED",
            Status::Relaxed => "RELAXED",
            Status::Passed => "passed",
        };
        if status >= Status::Skipped || self.verbose {
            let mut out = std::io::stdout().lock();
            let path = case.path.display();
            if groups.is_empty() {
                writeln!(out, "{word} {path}")?;
            }
            for (units, reason) in &groups {
                writeln!(
                    out,
                    "{word} {path}{}: {}",
                    label(jobs.len(), units),
                    reason.trim_end().replace('\n', "\n    ")
                )?;
            }
        }
        let row = row(case, status, &groups, jobs, &outcomes);
        self.rows += &format!("{row}\n");
        Ok(())
    }

    fn count(&mut self, job: &Job, outcome: &Outcome) {
        let good = usize::from(outcome.status != Status::Failed);
        for counts in
            [self.by_variant.entry(job.variant.clone()).or_default(), self.by_form.entry(job.form).or_default()]
        {
            counts.0 += good;
            counts.1 += 1;
        }
        let name = || job.file.display().to_string();
        self.read.extend(outcome.read_ms.map(|ms| (ms, name())));
        if self.variants.first() == Some(&job.variant) {
            self.compile.extend(outcome.compile_ms.map(|ms| (ms, name())));
        }
    }

    /// All cases, one JSON object a line.
    pub fn json(&self) -> &str {
        &self.rows
    }

    /// Prints counts and times.
    ///
    /// # Errors
    /// [`Failure::Cases`] when a case failed; when nothing can be printed.
    pub fn finish(mut self) -> Done {
        let mut out = std::io::stdout().lock();
        if self.by_form.len() > 1 {
            let forms: Vec<String> =
                self.by_form.iter().map(|(f, (n, all))| format!("{} {n} of {all}", f.name())).collect();
            writeln!(out, "forms: {}", forms.join(", "))?;
        }
        if self.variants.len() > 1 {
            writeln!(out, "variants:")?;
            for variant in &self.variants {
                let (n, all) = self.by_variant.get(variant).copied().unwrap_or_default();
                writeln!(out, "  {n:>6} of {all} {variant}")?;
            }
        }
        writeln!(out, "time: {:.2} s in {} processes", self.start.elapsed().as_secs_f64(), self.processes)?;
        for (what, list) in [("reading", &mut self.read), ("compiling", &mut self.compile)] {
            if !list.is_empty() {
                writeln!(out, "{what}: {}", quantiles(list))?;
            }
        }
        writeln!(
            out,
            "tolerance: {} within the file's own demand, {} within the contract's tolerance",
            self.passed, self.relaxed
        )?;
        writeln!(out, "{} passed, {} failed, {} skipped", self.passed + self.relaxed, self.failed, self.skipped)?;
        if self.failed > 0 { Err(Failure::Cases) } else { Ok(()) }
    }
}

/// Median, ninth decile and maximum of times in milliseconds.
fn quantiles(list: &mut [(f64, String)]) -> String {
    list.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let at = |q: f64| list[((list.len() - 1) as f64 * q).round() as usize].0;
    let (longest, file) = &list[list.len() - 1];
    format!("median {:.2} ms, p90 {:.2} ms, max {longest:.2} ms ({file}), {} programs", at(0.5), at(0.9), list.len())
}

/// The reasons of the units of this status, each with its units.
fn group(jobs: &[Job], outcomes: &[Outcome], status: Status, skipped: Option<&str>) -> Vec<(Vec<String>, String)> {
    if let Some(reason) = skipped {
        return vec![(Vec::new(), reason.to_owned())];
    }
    let mut groups: Vec<(Vec<String>, String)> = Vec::new();
    for (job, outcome) in jobs.iter().zip(outcomes).filter(|(_, o)| o.status == status && !o.reason.is_empty()) {
        let unit = match job.variant.as_str() {
            "default" => job.form.name().to_owned(),
            variant => format!("{} {variant}", job.form.name()),
        };
        match groups.iter_mut().find(|(_, reason)| *reason == outcome.reason) {
            Some((units, _)) => units.push(unit),
            None => groups.push((vec![unit], outcome.reason.clone())),
        }
    }
    groups
}

fn label(all: usize, units: &[String]) -> String {
    match units.len() {
        _ if all <= 1 => String::new(),
        0 => String::new(),
        n if n > NAMED => format!(" [{} and {} more]", units[..NAMED].join(", "), n - NAMED),
        _ => format!(" [{}]", units.join(", ")),
    }
}

fn row(case: &Case, status: Status, groups: &[(Vec<String>, String)], jobs: &[Job], outcomes: &[Outcome]) -> Value {
    let most = |f: &dyn Fn(&Outcome) -> Option<f64>| {
        outcomes.iter().filter_map(f).fold(None, |a: Option<f64>, x| Some(a.map_or(x, |a| a.max(x))))
    };
    let passed = matches!(status, Status::Passed | Status::Relaxed);
    let mut row = json!({
        "name": case.name,
        "path": case.path.display().to_string(),
        "status": match status {
            Status::Passed | Status::Relaxed => "passed",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        },
        "within": passed.then_some(if status == Status::Relaxed { "contract" } else { "demand" }),
        "reason": groups.first().map(|(units, reason)| format!("{}{reason}", match label(jobs.len(), units).trim_start() {
            "" => String::new(),
            label => format!("{label} "),
        })),
        "read_ms": most(&|o| o.read_ms),
        "compile_ms": most(&|o| o.compile_ms),
        "run_ms": most(&|o| o.run_ms),
        "max_error": most(&|o| o.max_error),
        "max_ulps": outcomes.iter().filter_map(|o| o.max_ulps).max(),
    });
    if outcomes.len() > 1 {
        let units = jobs.iter().zip(outcomes).map(|(job, outcome)| {
            let mut unit = json!({"form": job.form, "variant": job.variant});
            if let (Value::Object(unit), Ok(Value::Object(more))) = (&mut unit, serde_json::to_value(outcome)) {
                unit.extend(more);
            }
            unit
        });
        row["units"] = units.collect();
    }
    row
}
