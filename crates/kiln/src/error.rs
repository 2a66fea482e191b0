//! Errors of compiling.

use kiln_ir::Diagnostics;
use kiln_runtime::RunError;
use std::fmt;

/// Why a graph could not be compiled.
#[derive(Debug)]
#[non_exhaustive]
pub enum CompileError {
    /// Mistakes in the graph, each with the user's source line.
    Graph(Diagnostics),
    /// The code generator refused (a defect, unless the target lacks something).
    Code(kiln_cpu::CompileError),
    /// The machine code could not be mapped.
    Jit(kiln_cpu::JitError),
    /// The executable could not be put together.
    Runtime(RunError),
    /// A text file could not be written for `KILN_DUMP`.
    Dump(std::io::Error),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Graph(d) => f.write_str(&kiln_ir::diag::render(d)),
            CompileError::Code(e) => write!(f, "code generation: {e}"),
            CompileError::Jit(e) => write!(f, "loading the code: {e}"),
            CompileError::Runtime(e) => e.fmt(f),
            CompileError::Dump(e) => write!(f, "KILN_DUMP: {e}"),
        }
    }
}

impl std::error::Error for CompileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CompileError::Graph(d) => Some(d),
            CompileError::Code(e) => Some(e),
            CompileError::Jit(e) => Some(e),
            CompileError::Runtime(e) => Some(e),
            CompileError::Dump(e) => Some(e),
        }
    }
}

impl From<Diagnostics> for CompileError {
    fn from(d: Diagnostics) -> CompileError {
        CompileError::Graph(d)
    }
}
impl From<kiln_cpu::CompileError> for CompileError {
    fn from(e: kiln_cpu::CompileError) -> CompileError {
        CompileError::Code(e)
    }
}
impl From<kiln_cpu::JitError> for CompileError {
    fn from(e: kiln_cpu::JitError) -> CompileError {
        CompileError::Jit(e)
    }
}
impl From<RunError> for CompileError {
    fn from(e: RunError) -> CompileError {
        CompileError::Runtime(e)
    }
}
