//! Errors of the PTX lowering.

use std::fmt;

/// Why a kernel cannot become PTX.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PtxError {
    /// No PTX version is known for this compute capability, or it is too old.
    UnknownTarget(u32),
    /// A loop has more iterations than a 32-bit counter holds.
    LoopTooLong {
        /// Name of the kernel.
        kernel: String,
        /// The iterations.
        extent: u64,
    },
    /// Scratch and reduction space exceed the static shared memory of a block (or the local memory of a thread).
    TooMuchScratch {
        /// Name of the kernel.
        kernel: String,
        /// Bytes needed.
        bytes: u64,
        /// Bytes available.
        limit: u64,
    },
}

impl fmt::Display for PtxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PtxError::UnknownTarget(sm) => {
                write!(f, "no PTX is generated for sm_{sm}: known are sm_80, 86, 87, 89, 90, 100, 103, 120 and 121")
            }
            PtxError::LoopTooLong { kernel, extent } => {
                write!(f, "kernel `{kernel}` has a loop of {extent} iterations; a 32-bit counter holds {}", i32::MAX)
            }
            PtxError::TooMuchScratch { kernel, bytes, limit } => {
                write!(f, "kernel `{kernel}` needs {bytes} bytes of scratch, {limit} are available")
            }
        }
    }
}
impl std::error::Error for PtxError {}
