//! Compiled code as data, for every kind of target.

use crate::target::{CpuTarget, CudaTarget, Target};
use crate::{Blob, Program};

/// A program with all that running it takes: what compilers make, artifacts hold and devices load.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledProgram {
    /// What runs.
    pub program: Program,
    /// Contents of the blocks of constants, each beginning at a multiple of 64.
    pub constants: Vec<Blob>,
    /// The code of the kernels (and of what ties them together, where the target wants that).
    pub code: Code,
}

impl CompiledProgram {
    /// The one check of all that is not machine code: the program itself, and that constants and code are the program's.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), crate::InvalidProgram> {
        self.program.check()?;
        let (found, expected) = (self.constants.iter().map(|c| c.len() as u64), &self.program.constants);
        if !found.clone().eq(expected.iter().copied()) {
            let found: Vec<u64> = found.collect();
            return Err(crate::InvalidProgram(format!("constants of {found:?} bytes instead of {expected:?}")));
        }
        self.code.check(&self.program).map_err(crate::InvalidProgram)
    }
}

/// The code of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// Machine code of a CPU.
    Native(NativeCode),
    /// Text for NVIDIA's assembler.
    Ptx(PtxCode),
}

impl Code {
    /// What it was made for.
    pub fn target(&self) -> Target {
        match self {
            Code::Native(code) => Target::Cpu(code.target.clone()),
            Code::Ptx(code) => Target::Cuda(code.target),
        }
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Code::Native(code) => code.bytes.len() as u64,
            Code::Ptx(code) => code.text.len() as u64,
        }
    }

    /// Checks that it has what a program asks for, as far as data shows it.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn check(&self, program: &Program) -> Result<(), String> {
        match self {
            Code::Native(code) => code.check(program.kernels.len()),
            Code::Ptx(code) => code.check(program),
        }
    }
}

/// Position independent machine code without relocations: it calls nothing outside of itself but through the tables of
/// the run context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeCode {
    /// What it needs of the machine.
    pub target: CpuTarget,
    /// The code of all functions, each aligned to 64 bytes.
    pub bytes: Blob,
    /// Offset of the entry function.
    pub entry: u64,
    /// Offset of each kernel.
    pub kernels: Vec<u64>,
}

impl NativeCode {
    /// Checks that there is code for so many kernels and that all functions begin inside of it.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn check(&self, kernels: usize) -> Result<(), String> {
        let size = self.bytes.len() as u64;
        if self.kernels.len() < kernels {
            return Err(format!("code for {} kernels of {kernels}", self.kernels.len()));
        }
        match self.kernels.iter().chain([&self.entry]).find(|&&offset| offset >= size) {
            Some(offset) => Err(format!("a function begins beyond the end of the code ({offset} of {size} bytes)")),
            None => Ok(()),
        }
    }
}

/// A module of PTX with the launches that kernels and calls consist of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PtxCode {
    /// What it needs of the machine.
    pub target: CudaTarget,
    /// The module.
    pub text: String,
    /// How each of the program's kernels is launched.
    pub kernels: Vec<PtxLaunch>,
    /// The launches, in order, of each of the program's calls.
    pub calls: Vec<Vec<PtxLaunch>>,
}

impl PtxCode {
    fn check(&self, program: &Program) -> Result<(), String> {
        let counts =
            [("kernels", self.kernels.len(), program.kernels.len()), ("calls", self.calls.len(), program.calls.len())];
        match counts.into_iter().find(|(_, found, expected)| found != expected) {
            Some((what, found, expected)) => Err(format!("launches for {found} {what} of {expected}")),
            None => Ok(()),
        }
    }
}

/// One launch of a kernel of a PTX module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PtxLaunch {
    /// Name of the entry in the module.
    pub entry: String,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: u32,
    /// Bytes of dynamic shared memory.
    pub shared: u32,
    /// The kernel's parameters, in order.
    pub args: Vec<PtxArg>,
}

/// A parameter of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PtxArg {
    /// An address.
    Buffer {
        /// Position among the step's arguments.
        index: u8,
        /// Bytes from the buffer's start.
        offset: u64,
    },
    /// A number.
    Word(u64),
}
