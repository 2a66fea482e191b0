//! Precompiled CPU kernels and the thread pool that compiled programs call.
//!
//! A compiled program is a table of generated kernels, a table of calls and an entry point that runs them in order; [`abi`]
//! fixes how these meet. Calls are [`kiln_program::Call`]s: plain parameters that the compiler fills in, that a loader checks and
//! that the kernel reads at run time; [`CpuCall`] says which kernel computes one and what it needs. Kernels never allocate: what
//! they need beyond their operands is a workspace that the program plans in its arena.
//!
//! Results never depend on the number of threads: work is divided along output axes only, and the order in which
//! the terms of one output element are added is a function of the parameters alone.

pub mod abi;
mod call;
mod conv;
mod dot;
mod element;
mod fft;
mod gemm;
pub mod half_bits;
mod isa;
mod linalg;
mod parallel;
pub mod pool;
mod simd;
mod trig;

pub use abi::{EntryFn, HostCode, KernelFn, LibraryCallSite, LibraryFn, RunContext};
pub use call::{CpuCall, call_info, check_call};
#[doc(hidden)]
pub use isa::{Isa, with_isa};
pub use pool::{ThreadPool, available_parallelism};
