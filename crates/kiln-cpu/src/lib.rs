//! CPU code generation: loop IR to machine code through Cranelift.
//!
//! [`compile`] turns a program and its kernels into a [`NativeCode`]: position independent bytes without relocations. Kernels
//! call nothing outside of it; the entry function (straight-line code made from the program's steps) reaches kernels, library
//! functions and the thread pool through the tables of [`kiln_kernels::abi::RunContext`]. The same bytes run from memory that [`jit`] maps
//! and from a loaded artifact.
//!
//! [`KernelEmitter`] is the joint for further code generators: each kernel is compiled by the first of [`emitters`] that supports
//! it, straight-line vector loops inside by one that stands before that.
//!
//! ```
//! use kiln_kernels::HostCode;
//! let kernel = kiln_loops::text::parse(
//!     r#"kernel "double" {
//!          param p0 "x": f32[64] read
//!          param p1 "y": f32[64] write
//!          axes 1
//!          parallel i0 < 64 {
//!            %0: f32 = load p0[i0]
//!            %1: f32 = add %0, %0
//!            store p1[i0] = %1
//!          }
//!        }"#,
//! )?;
//! let kernel = kiln_loops::Verified::new(kernel).map_err(|errors| errors[0].to_string())?;
//! let (native, _) = kiln_cpu::compile_kernels(&[kernel], &kiln_cpu::CpuOptions::default())?;
//! let code = kiln_cpu::jit(&native)?;
//! let (mut x, mut y) = ([1.5f32; 64], [0f32; 64]);
//! let buffers = [x.as_mut_ptr().cast::<u8>(), y.as_mut_ptr().cast()];
//! // SAFETY: a pointer for each parameter, to as many elements as it has; all 64 iterations.
//! unsafe { code.kernels()[0](buffers.as_ptr(), 0, 64) };
//! assert_eq!(y, [3.0; 64]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
mod emitter;
mod entry;
mod error;
mod jit;
mod link;
mod model;
mod target;

pub use compile::{CompileReport, KernelReport, compile, compile_kernels, compile_kernels_with};
pub use emitter::{CallKind, CallSite, KernelEmitter, MachineCode, Worker, emitters};
pub use error::{CompileError, JitError};
pub use jit::{JitCode, jit};
pub use model::machine;

/// How hard Cranelift optimizes kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptLevel {
    /// [`OptLevel::Speed`] for kernels that divide integers (divisions by literals become products), otherwise
    /// [`OptLevel::None`]: the loop IR arrives optimized, and the emitter's own order, sharing and placement of literals
    /// compiles faster. Long bodies (softmax, gelu) run 1.25 to 1.4 times as fast so; a bare axpy loses a tenth.
    Auto,
    /// Nothing beyond instruction selection and register allocation.
    None,
    /// Common subexpressions, constant folding and loop-invariant code.
    Speed,
}

/// Options of [`compile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuOptions {
    /// How hard Cranelift optimizes kernels.
    pub opt_level: OptLevel,
    /// The machine to compile for; by default this one with all it has.
    pub target: CpuTarget,
    /// Threads that compile kernels. The code does not depend on it.
    pub threads: usize,
    /// Check Cranelift's IR before compiling it (slow; on in debug builds).
    pub verify: bool,
    /// Keep Cranelift's IR and the assembly of every kernel in the report.
    pub dump: bool,
}

impl Default for CpuOptions {
    fn default() -> CpuOptions {
        CpuOptions {
            opt_level: OptLevel::Speed,
            target: CpuTarget::host(),
            threads: 1,
            verify: cfg!(debug_assertions),
            dump: false,
        }
    }
}

#[doc(no_inline)]
pub use {
    kiln_kernels::HostCode,
    kiln_program::{CpuTarget, NativeCode},
};
