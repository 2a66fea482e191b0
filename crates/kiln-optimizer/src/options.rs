//! What the optimizer may do, and how much of it.

use kiln_ir::CallShapes;
use std::path::PathBuf;

/// How far a rewrite may change results. Every rewrite rule carries one; the options choose the highest that may apply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Level {
    /// Each operator as specified: the same bits, but for the order in which a sum, a `dot_general` or a `convolution`
    /// adds its terms (so the sign of a zero sum is not kept either). Where an operator only promises a few ULP, like
    /// `power`, an operator that promises less error may stand in.
    #[default]
    Exact,
    /// Value-changing algebra that adds no NaN and loses no more than a few ULP: `x + 0`, reassociation, division by a
    /// constant as multiplication.
    Contract,
    /// Algebra that is right for finite numbers only: `x * 0`, `x - x`, `x / x`.
    Fast,
}

impl Level {
    /// The name in logs and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Exact => "exact",
            Level::Contract => "contract",
            Level::Fast => "fast",
        }
    }
}

/// How much constant folding may do in one call of [`crate::optimize`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoldBudget {
    /// Bytes of new constants in total.
    pub bytes: u64,
    /// Scalar operations in total.
    pub flops: u64,
}

impl Default for FoldBudget {
    /// 64 MiB and 16 million operations (about a tenth of a second of the interpreter).
    fn default() -> FoldBudget {
        FoldBudget { bytes: 64 << 20, flops: 16_000_000 }
    }
}

/// What [`crate::optimize`] does.
#[derive(Clone, PartialEq, Debug)]
pub struct OptimizeOptions {
    /// 0: only what later stages need (composites inlined, types legalized, random bits expanded, operands of calls shaped, dead
    /// nodes gone); 1: local
    /// simplification; 2: everything, to a fixpoint.
    pub level: u8,
    /// The highest numerics level that rewrites may need.
    pub numerics: Level,
    /// Names of passes (see [`crate::PASSES`]) that do not run; those that later stages need ([`crate::REQUIRED`]) run all the
    /// same.
    pub disable: Vec<String>,
    /// What calls of library kernels want of their operands: the machine's choice.
    pub calls: CallShapes,
    /// Stop rewriting after this many rewrites: bisecting this number finds the rewrite that breaks a graph. What later stages
    /// rely on ([`crate::REQUIRED`]) happens all the same.
    pub stop_after_n_rewrites: Option<u64>,
    /// Limits of constant folding.
    pub fold_budget: FoldBudget,
    /// A directory that receives the text of the function after every pass, in numbered files. The default is the
    /// environment variable `KILN_DUMP`.
    pub dump: Option<PathBuf>,
    /// Verify the function after every pass.
    pub verify: bool,
}

impl Default for OptimizeOptions {
    fn default() -> OptimizeOptions {
        OptimizeOptions {
            level: 2,
            numerics: Level::Exact,
            disable: Vec::new(),
            calls: CallShapes::default(),
            stop_after_n_rewrites: None,
            fold_budget: FoldBudget::default(),
            dump: std::env::var_os("KILN_DUMP").filter(|d| !d.is_empty()).map(PathBuf::from),
            verify: cfg!(debug_assertions),
        }
    }
}
