//! Precompiled CPU kernels and the thread pool that compiled programs call.
//!
//! A compiled program is a table of generated kernels, a table of library calls and an entry point that runs
//! them in order; [`abi`] fixes how these meet. The library kernels are described by [`LibraryOp`]: plain
//! serializable parameters that the compiler fills in, that a loader checks ([`LibraryOp::check_bounds`]) and
//! that the kernel reads at run time. Kernels never allocate: what they need beyond their operands is a workspace
//! that the program plans in its arena.
//!
//! Results never depend on the number of threads: work is divided along output axes only, and the order in which
//! the terms of one output element are added is a function of the parameters alone.

pub mod abi;
pub mod conv;
pub mod dot;
mod dtype;
mod element;
pub mod fft;
mod gemm;
pub mod half_bits;
mod library;
mod linalg;
mod parallel;
pub mod pool;
mod simd;
mod span;
mod trig;

pub use abi::{EntryFn, KernelFn, LibraryCallSite, LibraryFn, RunContext};
pub use conv::{ConvDim, ConvParams};
pub use dot::{BatchDim, DotParams};
pub use dtype::KernelDType;
pub use fft::{FftParams, FftTransform};
#[doc(hidden)]
pub use gemm::isa::{Isa, with_isa};
pub use library::LibraryOp;
pub use linalg::cholesky::CholeskyParams;
pub use linalg::triangular_solve::{MatrixTranspose, TriangularSolveParams};
pub use pool::{ThreadPool, available_parallelism};
