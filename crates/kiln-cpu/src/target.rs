//! The machine: CPU features of the host, and Cranelift's description of a target.

use std::sync::Arc;

use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use kiln_loops::math::MathOptions;
use kiln_program::Target;

use crate::CpuOptions;
use crate::error::{CompileError, JitError};

/// Feature names as Rust spells them, beside Cranelift's flags.
#[cfg(target_arch = "x86_64")]
const FEATURES: &[(&str, &str)] = &[
    ("avx", "has_avx"),
    ("avx2", "has_avx2"),
    ("avx512bitalg", "has_avx512bitalg"),
    ("avx512dq", "has_avx512dq"),
    ("avx512f", "has_avx512f"),
    ("avx512vbmi", "has_avx512vbmi"),
    ("avx512vl", "has_avx512vl"),
    ("bmi1", "has_bmi1"),
    ("bmi2", "has_bmi2"),
    ("fma", "has_fma"),
    ("lzcnt", "has_lzcnt"),
    ("popcnt", "has_popcnt"),
    ("sse3", "has_sse3"),
    ("sse4.1", "has_sse41"),
    ("sse4.2", "has_sse42"),
    ("ssse3", "has_ssse3"),
];
/// Feature names as Rust spells them, beside Cranelift's flags.
#[cfg(target_arch = "aarch64")]
const FEATURES: &[(&str, &str)] = &[("fp16", "has_fp16"), ("lse", "has_lse")];
/// No optional features are used on this architecture.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FEATURES: &[(&str, &str)] = &[];

/// Whether the host has a feature; false for unknown names.
fn host_has(feature: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    macro_rules! detect {
        ($($name:tt),* $(,)?) => {
            match feature {
                $($name => std::is_x86_feature_detected!($name),)*
                _ => false,
            }
        };
    }
    #[cfg(target_arch = "aarch64")]
    macro_rules! detect {
        ($($name:tt),* $(,)?) => {
            match feature {
                $($name => std::arch::is_aarch64_feature_detected!($name),)*
                _ => false,
            }
        };
    }
    #[cfg(target_arch = "x86_64")]
    return detect!(
        "avx",
        "avx2",
        "avx512bitalg",
        "avx512dq",
        "avx512f",
        "avx512vbmi",
        "avx512vl",
        "bmi1",
        "bmi2",
        "fma",
        "lzcnt",
        "popcnt",
        "sse3",
        "sse4.1",
        "sse4.2",
        "ssse3",
    );
    #[cfg(target_arch = "aarch64")]
    return detect!("fp16", "lse");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = feature;
        false
    }
}

/// The machine that this process runs on, with every CPU feature that generated code may use.
pub fn host_target() -> Target {
    let features = FEATURES.iter().filter(|(name, _)| host_has(name)).map(|(name, _)| (*name).to_owned()).collect();
    Target { arch: std::env::consts::ARCH.to_owned(), features }
}

/// Checks that this machine can run code made for `target`.
///
/// # Errors
/// Names the architecture or the first CPU feature that is missing.
pub fn check_host(target: &Target) -> Result<(), JitError> {
    if target.arch != std::env::consts::ARCH {
        return Err(JitError::Target(format!("it is for {}, this is {}", target.arch, std::env::consts::ARCH)));
    }
    match target.features.iter().find(|f| !host_has(f)) {
        Some(missing) => Err(JitError::Target(format!("CPU feature `{missing}` is missing"))),
        None => Ok(()),
    }
}

/// What a target is set up for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Kernels,
    OptimizedKernels,
    Entry,
}

/// The target for the options, with the description that goes into the code object.
pub(crate) fn build_machine(options: &CpuOptions, use_case: Use) -> Result<(Machine, Target), CompileError> {
    let target = match &options.features {
        None => host_target(),
        Some(features) => chosen_target(features)?,
    };
    #[cfg(target_arch = "x86_64")]
    if !target.features.iter().any(|f| f == "sse4.2") {
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
    for (name, flag) in FEATURES {
        if target.features.iter().any(|f| f == name) {
            builder.enable(flag).map_err(|e| CompileError::Target(format!("enabling {flag}: {e}")))?;
        }
    }
    let isa = builder
        .finish(settings::Flags::new(shared))
        .map_err(|e| CompileError::Target(format!("Cranelift refused the target: {e}")))?;
    Ok((Machine::new(isa, &target, use_case == Use::OptimizedKernels), target))
}

fn chosen_target(features: &[String]) -> Result<Target, CompileError> {
    let mut chosen = features.to_vec();
    chosen.sort();
    chosen.dedup();
    if let Some(unknown) = chosen.iter().find(|f| !FEATURES.iter().any(|(name, _)| name == f)) {
        return Err(CompileError::Target(format!("unknown CPU feature `{unknown}`")));
    }
    Ok(Target { arch: std::env::consts::ARCH.to_owned(), features: chosen })
}

/// What the emitter asks about the target.
#[derive(Clone)]
pub(crate) struct Machine {
    /// Cranelift's view.
    pub(crate) isa: Arc<dyn TargetIsa>,
    /// x86-64: `blendv` and `minps` idioms pay off.
    pub(crate) x64: bool,
    /// Fused multiply-add is one instruction.
    pub(crate) fma: bool,
    /// Cranelift's optimizer is on.
    pub(crate) optimizes: bool,
}

impl Machine {
    fn new(isa: OwnedTargetIsa, target: &Target, optimizes: bool) -> Machine {
        let x64 = target.arch == "x86_64";
        let fma = !x64 || (target.features.iter().any(|f| f == "fma") && target.features.iter().any(|f| f == "avx"));
        Machine { isa, x64, fma, optimizes }
    }

    /// How scalar operators are expanded for it.
    pub(crate) fn math(&self) -> MathOptions {
        MathOptions { fused_fma: self.fma, native_half: false }
    }
}
