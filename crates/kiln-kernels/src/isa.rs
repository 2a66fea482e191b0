//! Which instructions the kernels use.

use std::cell::Cell;

/// A set of vector instructions that the kernels have code for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Isa {
    /// What every processor of the target has.
    Portable,
    /// AVX2 and FMA on x86-64.
    Avx2,
    /// AVX-512F on x86-64.
    Avx512,
}

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

impl Isa {
    /// All of them, weakest first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// Whether this processor has these instructions.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Isa::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => false,
        }
    }

    /// The best available, or what [`with_isa`] forces on this thread.
    pub(crate) fn current() -> Isa {
        FORCED.get().unwrap_or_else(|| {
            let best = Isa::ALL.into_iter().rev().find(|isa| isa.is_available());
            best.unwrap_or(Isa::Portable)
        })
    }
}

/// Runs `body` with the library kernels called from this thread (inside `body`) using `isa`: for tests and
/// comparisons. Does nothing and returns `None` when this processor lacks the instructions.
pub fn with_isa<R>(isa: Isa, body: impl FnOnce() -> R) -> Option<R> {
    /// Restores the previous choice, also when `body` panics.
    struct Restore(Option<Isa>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }

    isa.is_available().then(|| {
        let _restore = Restore(FORCED.replace(Some(isa)));
        body()
    })
}
