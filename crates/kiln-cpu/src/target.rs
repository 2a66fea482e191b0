//! The machine that code is made for, as Cranelift describes it.

use std::sync::Arc;

use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use kiln_program::CpuTarget;

use crate::CpuOptions;
use crate::error::CompileError;

/// Features that Cranelift makes no use of: it has no flag for them.
const UNUSED: [&str; 2] = ["avx512bw", "f16c"];

/// What a target is set up for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Kernels,
    OptimizedKernels,
    Entry,
}

/// Cranelift set up for the target of the options.
pub(crate) fn build_machine(options: &CpuOptions, use_case: Use) -> Result<Machine, CompileError> {
    let target = &options.target;
    if target.arch != std::env::consts::ARCH {
        return Err(CompileError::Target(format!(
            "code for {} cannot be made on {}",
            target.arch,
            std::env::consts::ARCH
        )));
    }
    #[cfg(target_arch = "x86_64")]
    if !target.has("sse4.2") {
        return Err(CompileError::Target("x86-64 code needs at least SSE4.2".to_owned()));
    }
    let mut shared = settings::builder();
    let mut set = |name: &str, value: &str| {
        shared.set(name, value).map_err(|e| CompileError::Target(format!("setting {name}={value}: {e}")))
    };
    set("opt_level", if use_case == Use::OptimizedKernels { "speed" } else { "none" })?;
    set("enable_verifier", if options.verify { "true" } else { "false" })?;
    set("is_pic", "false")?;
    set("enable_probestack", "false")?;
    set("unwind_info", "false")?;
    if use_case == Use::Entry {
        // Straight-line code of calls: there is nothing to gain from looking further.
        set("regalloc_algorithm", "single_pass")?;
    }
    let mut builder = cranelift_native::builder_with_options(false)
        .map_err(|e| CompileError::Target(format!("this host is not supported: {e}")))?;
    for feature in target.features.iter().filter(|f| !UNUSED.contains(&f.as_str())) {
        let flag = format!("has_{}", feature.replace('.', ""));
        builder.enable(&flag).map_err(|e| CompileError::Target(format!("CPU feature `{feature}`: {e}")))?;
    }
    let isa = builder
        .finish(settings::Flags::new(shared))
        .map_err(|e| CompileError::Target(format!("Cranelift refused the target: {e}")))?;
    Ok(Machine { isa, cpu: CpuModel::of(target), optimizes: use_case == Use::OptimizedKernels })
}

/// What code generators ask about a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuModel {
    /// x86-64: `blendv` and `minps` idioms pay off.
    pub(crate) x64: bool,
    /// Fused multiply-add is one instruction.
    pub(crate) fma: bool,
}

impl CpuModel {
    fn of(target: &CpuTarget) -> CpuModel {
        let x64 = target.arch == "x86_64";
        CpuModel { x64, fma: !x64 || (target.has("fma") && target.has("avx")) }
    }
}

/// A processor as Cranelift is set up for it.
#[derive(Clone)]
pub(crate) struct Machine {
    /// Cranelift's view.
    pub(crate) isa: Arc<dyn TargetIsa>,
    /// The processor.
    pub(crate) cpu: CpuModel,
    /// Cranelift's optimizer is on.
    pub(crate) optimizes: bool,
}
