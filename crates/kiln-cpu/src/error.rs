//! What can go wrong while compiling or mapping code.

use kiln_program::CpuTarget;
use std::fmt;

/// Why a program could not be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// A kernel uses something that no emitter can turn into machine code.
    Unsupported {
        /// The kernel.
        kernel: String,
        /// What it uses.
        what: String,
    },
    /// The code generator itself failed.
    Backend {
        /// The function being compiled.
        function: String,
        /// The generator's message.
        message: String,
    },
    /// The target cannot be compiled for.
    Target(String),
    /// The program does not fit its kernels, buffers or calls.
    Program(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Unsupported { kernel, what } => write!(f, "kernel `{kernel}`: {what} is not supported"),
            CompileError::Backend { function, message } => {
                write!(f, "generating code of `{function}` failed: {message}")
            }
            CompileError::Target(what) => write!(f, "target: {what}"),
            CompileError::Program(what) => write!(f, "program: {what}"),
        }
    }
}

impl std::error::Error for CompileError {}

/// Why code could not be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JitError {
    /// The code was made for another machine.
    Target {
        /// What it needs.
        needs: CpuTarget,
        /// What this machine lacks.
        lacks: String,
    },
    /// The code is damaged: an offset lies outside of the code.
    Malformed(String),
    /// The operating system refused the memory.
    Memory(String),
}

impl fmt::Display for JitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JitError::Target { needs, lacks } => write!(f, "the code is for {needs}, this machine lacks {lacks}"),
            JitError::Malformed(what) => write!(f, "malformed code: {what}"),
            JitError::Memory(what) => write!(f, "mapping the code failed: {what}"),
        }
    }
}

impl std::error::Error for JitError {}

/// An error inside one function, before its name is attached.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// See [`CompileError::Unsupported`].
    Unsupported(String),
    /// See [`CompileError::Backend`].
    Backend(String),
}

impl Fault {
    pub(crate) fn of_function(self, name: &str) -> CompileError {
        let name = name.to_owned();
        match self {
            Fault::Unsupported(what) => CompileError::Unsupported { kernel: name, what },
            Fault::Backend(message) => CompileError::Backend { function: name, message },
        }
    }
}

/// Something that cannot be in verified kernels.
pub(crate) fn broken<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Backend(what.into()))
}

pub(crate) fn unsupported<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unsupported(what.into()))
}
