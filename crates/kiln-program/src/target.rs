//! Targets: the machines that code is made for, and what the machine here has.

use std::fmt;

/// The machine that code was made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A CPU.
    Cpu(CpuTarget),
    /// An NVIDIA GPU.
    Cuda(CudaTarget),
}

/// A CPU by what code may use of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CpuTarget {
    /// Architecture as Rust names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// CPU features that the code uses, as Rust names them (`avx2`, `fma`), sorted.
    pub features: Vec<String>,
}

/// An NVIDIA GPU by what code may use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CudaTarget {
    /// Compute capability, ten times: 80, 90.
    pub sm: u32,
    /// Whether the code uses what only this architecture has (`sm_90a`), so that later ones cannot run it.
    pub specific: bool,
    /// Version of PTX: (8, 0).
    pub ptx: (u32, u32),
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! features {
    ($detect:ident: $($name:tt),* $(,)?) => {
        /// The CPU features of this architecture that code may use, by Rust's names, sorted.
        pub const FEATURES: &[&str] = &[$($name),*];

        /// Whether the processor has a feature; false for unknown names.
        pub fn host_has(feature: &str) -> bool {
            match feature {
                $($name => std::arch::$detect!($name),)*
                _ => false,
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
features!(is_x86_feature_detected:
    "avx", "avx2", "avx512bitalg", "avx512bw", "avx512dq", "avx512f", "avx512vbmi", "avx512vl", "bmi1", "bmi2", "f16c",
    "fma", "lzcnt", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3",
);
#[cfg(target_arch = "aarch64")]
features!(is_aarch64_feature_detected: "fp16", "lse");

/// No optional features are used on this architecture.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const FEATURES: &[&str] = &[];
/// No optional features are used on this architecture.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn host_has(_: &str) -> bool {
    false
}

/// Levels of x86-64 as the psABI names them: what each adds to the one before, as far as code uses it.
const LEVELS: &[(&str, &[&str])] = &[
    ("x86-64-v2", &["popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"]),
    ("x86-64-v3", &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt"]),
    ("x86-64-v4", &["avx512bw", "avx512dq", "avx512f", "avx512vl"]),
];

impl CpuTarget {
    /// The machine that this process runs on, with every feature that code may use.
    pub fn host() -> CpuTarget {
        let features = FEATURES.iter().filter(|name| host_has(name)).map(|&name| name.to_owned()).collect();
        CpuTarget { arch: std::env::consts::ARCH.to_owned(), features }
    }

    /// This architecture with these features.
    ///
    /// # Errors
    /// A feature that no code of this architecture uses.
    pub fn with_features<S: AsRef<str>>(features: impl IntoIterator<Item = S>) -> Result<CpuTarget, String> {
        let mut chosen: Vec<String> = features.into_iter().map(|f| f.as_ref().to_owned()).collect();
        chosen.sort();
        chosen.dedup();
        match chosen.iter().find(|f| !FEATURES.contains(&f.as_str())) {
            Some(unknown) => Err(format!("unknown CPU feature `{unknown}`; there are: {}", FEATURES.join(", "))),
            None => Ok(CpuTarget { arch: std::env::consts::ARCH.to_owned(), features: chosen }),
        }
    }

    /// A target by name: `host`, a level of x86-64 (`x86-64-v2`, `x86-64-v3`, `x86-64-v4`), or features of this architecture
    /// joined by `+` (`sse4.2+avx2+fma`), perhaps behind a level (`x86-64-v2+avx`).
    ///
    /// ```
    /// use kiln_program::CpuTarget;
    /// assert_eq!(CpuTarget::parse("host"), Ok(CpuTarget::host()));
    /// assert!(CpuTarget::parse("warp").unwrap_err().contains("unknown CPU feature `warp`"));
    /// ```
    ///
    /// # Errors
    /// A name that is neither, or a level of another architecture than this one, for which code is made.
    pub fn parse(name: &str) -> Result<CpuTarget, String> {
        if name == "host" {
            return Ok(CpuTarget::host());
        }
        let mut features: Vec<&str> = name.split('+').collect();
        if let Some(level) = LEVELS.iter().position(|(level, _)| *level == features[0]) {
            features.splice(..1, LEVELS[..=level].iter().flat_map(|(_, added)| added.iter().copied()));
        }
        CpuTarget::with_features(features).map_err(|e| {
            let levels: Vec<&str> = LEVELS.iter().map(|(level, _)| *level).collect();
            format!("target `{name}`: {e}; or name `host` or a level: {}", levels.join(", "))
        })
    }

    /// What the machine here lacks to run code for this target: another architecture, or features. `None`: nothing.
    pub fn lacks(&self) -> Option<String> {
        let here = std::env::consts::ARCH;
        if self.arch != here {
            return Some(format!("that architecture (it is {here})"));
        }
        let missing: Vec<&str> = self.features.iter().map(String::as_str).filter(|f| !host_has(f)).collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }

    /// Whether code for it may use a feature.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|f| f == feature)
    }
}

impl Target {
    /// What the machine here lacks to run code for this target, as far as its CPU shows; `None`: nothing. Whether there is a GPU
    /// is for its device to say.
    pub fn lacks(&self) -> Option<String> {
        match self {
            Target::Cpu(cpu) => cpu.lacks(),
            Target::Cuda(_) => Some("a device for CUDA".to_owned()),
        }
    }
}

impl fmt::Display for CpuTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with [{}]", self.arch, self.features.join(", "))
    }
}

impl fmt::Display for CudaTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let specific = if self.specific { "a" } else { "" };
        write!(f, "sm_{}{specific} with PTX {}.{}", self.sm, self.ptx.0, self.ptx.1)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Cpu(cpu) => cpu.fmt(f),
            Target::Cuda(gpu) => gpu.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_sorted_and_the_host_lacks_nothing() {
        assert!(FEATURES.is_sorted());
        assert_eq!(CpuTarget::host().lacks(), None);
        let other = CpuTarget { arch: "mips".into(), features: vec![] };
        assert!(other.lacks().is_some_and(|what| what.contains("architecture")));
        let warp = CpuTarget { features: vec!["warp".into()], ..CpuTarget::host() };
        assert_eq!(warp.lacks().as_deref(), Some("warp"));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn targets_have_names() {
        let v2 = CpuTarget::parse("x86-64-v2").expect("a level");
        assert!(v2.has("sse4.2") && !v2.has("avx"));
        assert_eq!(CpuTarget::parse("avx+sse4.2"), CpuTarget::parse("sse4.2+avx+avx"));
        assert!(CpuTarget::parse("x86-64-v2+avx").expect("a level and more").has("avx"));
        assert!(CpuTarget::parse("x86-64-v4").expect("a level").has("sse3"));
        for wrong in ["", "x86-64-v9", "warp"] {
            let error = CpuTarget::parse(wrong).expect_err("no target");
            assert!(error.contains("x86-64-v3"), "{error}");
        }
    }
}
