//! State that the passes share: options, budgets, statistics.

use crate::log::{PassLog, RuleStats};
use crate::options::{Level, OptimizeOptions};
use kiln_ir::Func;
use std::collections::BTreeMap;

/// Options, remaining budgets and statistics of the running pass.
pub(crate) struct Cx {
    pub options: OptimizeOptions,
    pub log: PassLog,
    /// Rewrites by rule of the running pass.
    pub rules: BTreeMap<&'static str, RuleStats>,
    /// Nodes visited by the running pass.
    pub work: u64,
    /// Bytes and operations left to constant folding.
    pub fold_bytes: u64,
    pub fold_flops: u64,
    rewrites_left: Option<u64>,
}

impl Cx {
    pub fn new(options: OptimizeOptions) -> Cx {
        Cx {
            log: PassLog::default(),
            rules: BTreeMap::new(),
            work: 0,
            fold_bytes: options.fold_budget.bytes,
            fold_flops: options.fold_budget.flops,
            rewrites_left: options.stop_after_n_rewrites,
            options,
        }
    }

    /// Asks to apply a rewrite that is otherwise ready. True: it counts as applied, and the caller must apply it.
    pub fn fire(&mut self, rule: &'static str, level: Level) -> bool {
        if level > self.options.numerics {
            return false;
        }
        match &mut self.rewrites_left {
            Some(0) => {
                self.log.stopped = true;
                return false;
            }
            Some(n) => *n -= 1,
            None => {}
        }
        self.count(rule, level);
        true
    }

    /// Counts a rewrite that later stages rely on: it applies even when the optimizer was asked to stop.
    pub fn require(&mut self, rule: &'static str) {
        self.count(rule, Level::Exact);
    }

    fn count(&mut self, rule: &'static str, level: Level) {
        self.rules.entry(rule).or_insert(RuleStats { count: 0, level }).count += 1;
    }

    /// Whether a rule of this level could apply, without counting. For rules that have to build something to find out.
    pub fn may(&self, level: Level) -> bool {
        level <= self.options.numerics
    }
}

/// Number of nodes, nested functions included.
pub(crate) fn count_nodes(func: &Func) -> usize {
    func.nodes().iter().map(|n| 1 + n.op.regions().into_iter().map(count_nodes).sum::<usize>()).sum()
}
