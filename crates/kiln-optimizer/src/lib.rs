//! The graph optimizer: passes, fusion, scheduling and buffer assignment.
//!
//! [`optimize`] rewrites a static function (see `kiln_ir::specialize`) into one that computes the same with less: a
//! straight line of passes, iterated to a fixpoint with a small bound. Every rewrite rule carries the numerics
//! [`Level`] it needs; the default, [`Level::Exact`], keeps IEEE semantics.

pub mod buffers;
mod context;
pub mod fusion;
mod lit;
pub mod log;
pub mod options;
mod passes;
pub mod pipeline;
mod rewrite;
pub mod schedule;
mod structural;

pub use log::{PassLog, PassRun, RuleStats};
pub use options::{FoldBudget, Level, OptimizeOptions};
pub use pipeline::{Optimized, PASSES, REQUIRED, optimize, run_pass};
