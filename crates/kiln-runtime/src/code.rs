//! Machine code from an artifact, mapped executable.

use crate::error::RunError;
use kiln_artifact::check_target;
use kiln_kernels::{EntryFn, HostCode, KernelFn};
use kiln_program::CodeObject;
use memmap2::{Mmap, MmapMut};

/// Code copied to pages that are executable and no longer writable.
struct MappedCode {
    entry: EntryFn,
    kernels: Vec<KernelFn>,
    _pages: Mmap,
}

// SAFETY: `map_code`'s caller vouches that the code belongs to its program; the pages live as long as `self`.
unsafe impl HostCode for MappedCode {
    fn entry(&self) -> EntryFn {
        self.entry
    }
    fn kernels(&self) -> &[KernelFn] {
        &self.kernels
    }
}

/// The CPU features of this machine that generated code may use, by Rust's names.
pub fn host_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detect {
            ($($f:tt),*) => { [$(($f, std::arch::is_x86_feature_detected!($f))),*] };
        }
        let all = detect!(
            "sse3",
            "ssse3",
            "sse4.1",
            "sse4.2",
            "popcnt",
            "lzcnt",
            "bmi1",
            "bmi2",
            "avx",
            "avx2",
            "fma",
            "f16c",
            "cmpxchg16b",
            "avx512f",
            "avx512bw",
            "avx512dq",
            "avx512vl",
            "avx512vbmi",
            "avx512bitalg"
        );
        all.into_iter().filter(|(_, has)| *has).map(|(f, _)| f).collect()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let all = [
            ("neon", std::arch::is_aarch64_feature_detected!("neon")),
            ("lse", std::arch::is_aarch64_feature_detected!("lse")),
            ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
            ("paca", std::arch::is_aarch64_feature_detected!("paca")),
        ];
        all.into_iter().filter(|(_, has)| *has).map(|(f, _)| f).collect()
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        Vec::new()
    }
}

/// Maps a code object as executable memory, after checking that this machine can run it.
///
/// # Errors
/// When the target does not fit, a function lies outside of the code, or the system refuses the pages.
///
/// # Safety
/// The code must be what kiln compiled for the program that it will run with: it is executed as it is.
pub unsafe fn map_code(object: &CodeObject) -> Result<Box<dyn HostCode>, RunError> {
    let features = host_features();
    check_target(&object.target, std::env::consts::ARCH, |f| features.contains(&f))?;
    let len = object.bytes.len();
    if object.kernels.iter().chain([&object.entry]).any(|&offset| offset >= len as u64) {
        return Err(RunError::System("a function lies outside of its code".into()));
    }
    let no_pages = |e: std::io::Error| RunError::System(format!("executable memory: {e}"));
    let mut pages = MmapMut::map_anon(len).map_err(no_pages)?;
    pages.copy_from_slice(&object.bytes);
    let pages = pages.make_exec().map_err(no_pages)?;
    let address = |offset: u64| pages.as_ptr().wrapping_add(offset as usize);
    // SAFETY: the offsets are inside of the pages; the caller vouches that functions of these types begin there.
    let (entry, kernels) = unsafe {
        (
            std::mem::transmute::<*const u8, EntryFn>(address(object.entry)),
            object.kernels.iter().map(|&k| std::mem::transmute::<*const u8, KernelFn>(address(k))).collect(),
        )
    };
    Ok(Box::new(MappedCode { entry, kernels, _pages: pages }))
}
