//! What all commands that compile can be told.

use crate::failure::{Done, Failure};
use clap::ValueEnum;
use kiln::Compiler;
use kiln::cpu::{CpuOptions, OptLevel};
use kiln::optimizer::{Level, OptimizeOptions, PASSES};
use kiln::plan::PlanOptions;
use serde::{Deserialize, Serialize};

/// What executes a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize)]
pub enum Backend {
    /// The reference interpreter.
    Interp,
    /// Compiled machine code.
    #[default]
    Cpu,
}

/// How far the optimizer may change results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize)]
pub enum Numerics {
    /// Every operator as specified; only sums may be reordered.
    #[default]
    Exact,
    /// Also algebra that costs a few units in the last place.
    Contract,
    /// Also algebra that holds for finite numbers only.
    Fast,
}

/// Stages that are no graph passes but can be turned off alike: fusing nodes into kernels, ordering for low memory, the
/// optimizations of the code generator.
pub const STAGES: [&str; 3] = ["fusion", "schedule", "codegen"];

/// Options of the compiler.
#[derive(clap::Args, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CompileOptions {
    /// How much the optimizer does: 0 what later stages need, 1 local rewrites, 2 everything (the default)
    #[arg(short = 'O', long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub opt_level: Option<u8>,
    /// Turns off a pass of the optimizer, or `fusion`, `schedule`, `codegen` (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub without_pass: Vec<String>,
    /// How far the optimizer may change results
    #[arg(long, value_enum, default_value = "exact")]
    pub numerics: Numerics,
}

impl CompileOptions {
    /// Refuses names of passes that there are not.
    ///
    /// # Errors
    /// The first unknown name, with those that exist.
    pub fn validate(&self) -> Done {
        let known = |name: &str| PASSES.contains(&name) || STAGES.contains(&name);
        match self.without_pass.iter().find(|n| !known(n)) {
            Some(name) => Err(Failure::Usage(format!(
                "there is no pass {name}; the passes are {}, {}",
                PASSES.join(", "),
                STAGES.join(", ")
            ))),
            None => Ok(()),
        }
    }

    /// True when nothing was asked for.
    pub fn is_default(&self) -> bool {
        *self == CompileOptions::default()
    }

    fn off(&self, stage: &str) -> bool {
        self.without_pass.iter().any(|n| n == stage)
    }

    /// What the graph optimizer is told.
    pub fn optimize(&self) -> OptimizeOptions {
        let default = OptimizeOptions::default();
        let numerics = match self.numerics {
            Numerics::Exact => Level::Exact,
            Numerics::Contract => Level::Contract,
            Numerics::Fast => Level::Fast,
        };
        let disable = self.without_pass.iter().filter(|n| !STAGES.contains(&n.as_str())).cloned().collect();
        OptimizeOptions { level: self.opt_level.unwrap_or(default.level), numerics, disable, ..default }
    }

    /// What planning is told.
    pub fn plan(&self) -> PlanOptions {
        PlanOptions { fuse: !self.off("fusion"), schedule: !self.off("schedule"), ..PlanOptions::default() }
    }

    /// What the code generator is told.
    pub fn codegen(&self) -> CpuOptions {
        let default = CpuOptions::default();
        let opt_level = if self.off("codegen") { OptLevel::None } else { default.opt_level };
        CpuOptions { opt_level, ..default }
    }

    /// A compiler for programs that run on this many threads.
    pub fn compiler(&self, threads: usize) -> Compiler {
        Compiler::cpu().optimize(self.optimize()).plan(self.plan()).codegen(self.codegen()).threads(threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_passes_are_told_apart() {
        let options = CompileOptions { without_pass: vec!["cse".into(), "fusion".into()], ..CompileOptions::default() };
        assert!(options.validate().is_ok());
        assert_eq!(options.optimize().disable, ["cse"]);
        assert!(!options.plan().fuse);
        assert!(options.plan().schedule);
        let wrong = CompileOptions { without_pass: vec!["polish".into()], ..CompileOptions::default() };
        assert!(
            matches!(wrong.validate(), Err(Failure::Usage(m)) if m.contains("no pass polish") && m.contains("cse"))
        );
    }
}
