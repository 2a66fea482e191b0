//! What the optimizer did: per pass the time, the rewrites by rule and the number of nodes.

use crate::options::Level;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How often a rule applied, and the numerics level it needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuleStats {
    /// Applications.
    pub count: u64,
    /// What the rule needs.
    pub level: Level,
}

/// One run of one pass.
#[derive(Clone, PartialEq, Debug)]
pub struct PassRun {
    /// Name of the pass, one of [`crate::PASSES`].
    pub pass: &'static str,
    /// Round of the fixpoint iteration, from 0.
    pub round: u32,
    /// Wall time.
    pub time: Duration,
    /// Nodes before, nested functions included.
    pub nodes_before: usize,
    /// Nodes after, nested functions included.
    pub nodes_after: usize,
    /// Nodes visited: the work done, independent of the machine.
    pub work: u64,
    /// Rewrites by rule.
    pub rules: BTreeMap<&'static str, RuleStats>,
}

impl PassRun {
    /// Rewrites of all rules.
    pub fn rewrites(&self) -> u64 {
        self.rules.values().map(|r| r.count).sum()
    }
}

/// The passes that ran, in order. Prints as a table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PassLog {
    /// One entry per run.
    pub runs: Vec<PassRun>,
    /// True when `stop_after_n_rewrites` cut the optimization short.
    pub stopped: bool,
}

impl PassLog {
    /// Rewrites of all passes.
    pub fn rewrites(&self) -> u64 {
        self.runs.iter().map(PassRun::rewrites).sum()
    }
    /// Nodes visited by all passes.
    pub fn work(&self) -> u64 {
        self.runs.iter().map(|r| r.work).sum()
    }
    /// Time of all passes.
    pub fn time(&self) -> Duration {
        self.runs.iter().map(|r| r.time).sum()
    }
    /// The highest numerics level that an applied rewrite needed.
    pub fn level_needed(&self) -> Level {
        self.runs.iter().flat_map(|r| r.rules.values()).map(|r| r.level).max().unwrap_or_default()
    }
    /// Applications of a rule in all passes.
    pub fn count(&self, rule: &str) -> u64 {
        self.runs.iter().filter_map(|r| r.rules.get(rule)).map(|r| r.count).sum()
    }
}

impl fmt::Display for PassLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:>5} {:>10} {:>9} {:>8} {:>8}", "pass", "round", "time", "rewrites", "before", "after")?;
        for r in &self.runs {
            let us = format!("{} us", r.time.as_micros());
            let (n, before, after) = (r.rewrites(), r.nodes_before, r.nodes_after);
            writeln!(f, "{:<20} {:>5} {us:>10} {n:>9} {before:>8} {after:>8}", r.pass, r.round)?;
            for (rule, s) in &r.rules {
                writeln!(f, "    {:>6} x {rule} ({})", s.count, s.level.name())?;
            }
        }
        write!(f, "{} rewrites, highest level {}", self.rewrites(), self.level_needed().name())?;
        if self.stopped { write!(f, ", stopped early on request") } else { Ok(()) }
    }
}
