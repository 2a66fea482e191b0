//! The joint between kernels and code generators.
//!
//! [`emitters`] lists them, the preferred first. A kernel is compiled by the first one that supports it. What stands before
//! that one is then offered the kernel's straight-line vector loops, as kernels of their own
//! ([`kiln_loops::analysis::bodies`]): the code of the whole kernel calls the code of these, inside of the same code.

pub(crate) mod clif;

use kiln_loops::analysis::BodyCall;
use kiln_loops::math::MathOptions;
use kiln_loops::{Kernel, Verified};

use crate::CpuOptions;
use crate::error::CompileError;

/// The code generators for these options, the preferred first.
///
/// # Errors
/// The target is not supported.
pub fn emitters(options: &CpuOptions) -> Result<Vec<Box<dyn KernelEmitter>>, CompileError> {
    Ok(vec![Box::new(clif::CraneliftEmitter::new(options)?)])
}

/// Turns kernels into machine code.
pub trait KernelEmitter: Sync {
    /// Name for reports.
    fn name(&self) -> &'static str;
    /// What scalar operators of a kernel are expanded to before this emitter sees it.
    fn math(&self) -> MathOptions;
    /// Whether a worker can compile this kernel (expanded as [`KernelEmitter::math`] says).
    fn supports(&self, kernel: &Verified<Kernel>) -> bool;
    /// What compiles kernels one after the other; each compiling thread has its own.
    fn worker(&self) -> Box<dyn Worker + '_>;
}

/// An emitter at work, with the memory that it reuses between kernels.
pub trait Worker {
    /// Compiles a kernel that the emitter supports. `calls` are loops of it whose work other code does: the kernel may call
    /// function `i` of those made for bodies for `calls[i]` ([`MachineCode::calls`]), or keep the loop.
    ///
    /// # Errors
    /// The kernel uses something that has no machine code, or the generator failed.
    fn emit(&mut self, kernel: &Verified<Kernel>, calls: &[BodyCall]) -> Result<MachineCode, CompileError>;
}

/// The machine code of one kernel: position independent, of type [`kiln_kernels::abi::KernelFn`], without relocations but calls
/// inside of its code object. It may lie at any multiple of 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineCode {
    /// Code and the constants behind it.
    pub bytes: Vec<u8>,
    /// Calls of other functions that remain to be patched.
    pub calls: Vec<CallSite>,
    /// The generator's intermediate form and assembly for people, if [`crate::CpuOptions::dump`] asked for it.
    pub dump: Option<String>,
}

/// A direct call inside the code object that remains to be patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// Where the operand of the call instruction lies, from the start of the function.
    pub offset: usize,
    /// The encoding.
    pub kind: CallKind,
    /// Index of the function called.
    pub target: u32,
}

/// How a direct call is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// 32-bit distance from the end of the operand.
    X86,
    /// 26 low bits: distance from the instruction in words.
    Aarch64,
}
