//! The graph optimizer: passes from graph to graph.
//!
//! [`optimize`] rewrites a static function (see `kiln_ir::specialize`) into one that computes the same with less: a
//! straight line of passes, iterated to a fixpoint with a small bound. Every rewrite rule carries the numerics
//! [`Level`] it needs; the default, [`Level::Exact`], keeps IEEE semantics.

mod context;
pub mod dump;
mod lit;
pub mod log;
mod nested;
pub mod options;
mod pass;
mod passes;
pub mod pipeline;
mod rewrite;
mod structural;

pub use dump::Dump;
pub use log::{PassLog, PassRun, RuleStats};
pub use options::{FoldBudget, Level, OptimizeOptions};
pub use passes::{PASSES, REQUIRED};
pub use pipeline::{Optimized, optimize, run_pass};
