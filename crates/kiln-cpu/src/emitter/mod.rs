//! The joint between kernels and code generators.

pub(crate) mod clif;

use cranelift_codegen::Context;
use cranelift_frontend::FunctionBuilderContext;
use kiln_loops::Kernel;

use crate::error::CompileError;

/// The machine code of one kernel: position independent, without relocations, of type [`kiln_kernels::abi::KernelFn`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineCode {
    /// Code and the constants behind it.
    pub bytes: Vec<u8>,
    /// Alignment that the first byte needs, a power of two.
    pub align: u64,
    /// The generator's intermediate form and assembly for people, if [`crate::CpuOptions::dump`] asked for it.
    pub dump: Option<String>,
}

/// Memory that an emitter reuses between kernels; one per compiling thread.
pub struct Scratch {
    pub(crate) context: Context,
    pub(crate) builder: FunctionBuilderContext,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { context: Context::new(), builder: FunctionBuilderContext::new() }
    }
}

/// Turns kernels into machine code. The first emitter of a list that supports a kernel compiles it.
pub trait KernelEmitter: Sync {
    /// Name for reports.
    fn name(&self) -> &'static str;
    /// Whether [`KernelEmitter::emit`] can compile this kernel.
    fn supports(&self, kernel: &Kernel) -> bool;
    /// Compiles a kernel whose scalar operators are basic ones (see [`crate::compile`]).
    ///
    /// # Errors
    /// The kernel is malformed, uses an operator that has no machine code, or the generator failed.
    fn emit(&self, kernel: &Kernel, scratch: &mut Scratch) -> Result<MachineCode, CompileError>;
}
