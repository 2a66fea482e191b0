//! The library kernels by name: what a program's call sites refer to.
//!
//! Adding a kernel: a module with a parameter structure and an `extern "C"` entry, a variant here, and one arm in
//! each `match` below; the compiler lists the places.

use core::ffi::c_void;

use serde::{Deserialize, Serialize};

use crate::abi::LibraryFn;
use crate::conv::{self, ConvParams};
use crate::dot::{self, DotParams};
use crate::fft::{self, FftParams};
use crate::linalg::cholesky::{self, CholeskyParams};
use crate::linalg::triangular_solve::{self, TriangularSolveParams};

/// One library kernel with its parameters. Serializable: a program or artifact holds its call sites as these.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
pub enum LibraryOp {
    /// Matrix product. Operands: a, b, c (output), workspace.
    Dot(DotParams),
    /// Convolution. Operands: lhs, rhs, out (output), workspace.
    Convolution(ConvParams),
    /// Fourier transform. Operands: operand, result (output), tables, workspace.
    Fft(FftParams),
    /// Cholesky factorization. Operands: a, result (output), workspace.
    Cholesky(CholeskyParams),
    /// Triangular systems. Operands: a, b, x (output), workspace.
    TriangularSolve(TriangularSolveParams),
}

impl LibraryOp {
    /// The kernel to call.
    pub fn function(&self) -> LibraryFn {
        match self {
            LibraryOp::Dot(_) => dot::run_dot,
            LibraryOp::Convolution(_) => conv::run_convolution,
            LibraryOp::Fft(_) => fft::run_fft,
            LibraryOp::Cholesky(_) => cholesky::run_cholesky,
            LibraryOp::TriangularSolve(_) => triangular_solve::run_triangular_solve,
        }
    }

    /// What to pass as `params` to [`LibraryOp::function`]: a pointer into `self`, valid as long as `self` neither
    /// moves nor changes.
    pub fn params_ptr(&self) -> *const c_void {
        match self {
            LibraryOp::Dot(params) => (&raw const *params).cast(),
            LibraryOp::Convolution(params) => (&raw const *params).cast(),
            LibraryOp::Fft(params) => (&raw const *params).cast(),
            LibraryOp::Cholesky(params) => (&raw const *params).cast(),
            LibraryOp::TriangularSolve(params) => (&raw const *params).cast(),
        }
    }

    /// Bytes of workspace the kernel needs as its last operand, 64-byte aligned; 0 means that none is passed.
    ///
    /// The size does not depend on the number of threads nor on the processor, so a program runs unchanged under any
    /// pool and on any machine.
    pub fn workspace_bytes(&self) -> usize {
        match self {
            LibraryOp::Dot(params) => params.workspace_bytes(),
            LibraryOp::Convolution(params) => params.workspace_bytes(),
            LibraryOp::Fft(params) => params.workspace_bytes(),
            LibraryOp::Cholesky(params) => params.workspace_bytes(),
            LibraryOp::TriangularSolve(params) => params.workspace_bytes(),
        }
    }

    /// Bytes of [`LibraryOp::tables`].
    pub fn table_bytes(&self) -> usize {
        match self {
            LibraryOp::Dot(_) | LibraryOp::Convolution(_) | LibraryOp::Cholesky(_) | LibraryOp::TriangularSolve(_) => 0,
            LibraryOp::Fft(params) => params.table_bytes(),
        }
    }

    /// Constants that the compiler computes from the parameters and that the kernel reads as an operand after its outputs,
    /// 64-byte aligned; empty: none is passed. Kernels only compute with their values: wrong ones give wrong results,
    /// never a wrong access.
    pub fn tables(&self) -> Vec<u8> {
        match self {
            LibraryOp::Dot(_) | LibraryOp::Convolution(_) | LibraryOp::Cholesky(_) | LibraryOp::TriangularSolve(_) => {
                Vec::new()
            }
            LibraryOp::Fft(params) => params.tables(),
        }
    }

    /// The operator's name, as StableHLO has it.
    pub fn name(&self) -> &'static str {
        match self {
            LibraryOp::Dot(_) => "dot_general",
            LibraryOp::Convolution(_) => "convolution",
            LibraryOp::Fft(_) => "fft",
            LibraryOp::Cholesky(_) => "cholesky",
            LibraryOp::TriangularSolve(_) => "triangular_solve",
        }
    }

    /// Number of arithmetic operations (a multiplication and an addition count as two), saturating.
    pub fn flops(&self) -> u64 {
        match self {
            LibraryOp::Dot(params) => params.flops(),
            LibraryOp::Convolution(params) => params.flops(),
            LibraryOp::Fft(params) => params.flops(),
            LibraryOp::Cholesky(params) => params.flops(),
            LibraryOp::TriangularSolve(params) => params.flops(),
        }
    }

    /// Checks that the parameters are consistent and small enough to compute with.
    ///
    /// # Errors
    /// Says which parameter is wrong.
    pub fn validate(&self) -> Result<(), String> {
        match self {
            LibraryOp::Dot(params) => params.validate(),
            LibraryOp::Convolution(params) => params.validate(),
            LibraryOp::Fft(params) => params.validate(),
            LibraryOp::Cholesky(params) => params.validate(),
            LibraryOp::TriangularSolve(params) => params.validate(),
        }
    }

    /// Proves that every access of the kernel stays inside its operands, given their sizes in bytes in the order of
    /// the call (inputs, outputs, then the tables and the workspace where their sizes are not 0). Includes
    /// [`LibraryOp::validate`]. A program from an untrusted file may be run only after this.
    ///
    /// # Errors
    /// Names the operand with what it needs and what it has.
    pub fn check_bounds(&self, operand_bytes: &[usize]) -> Result<(), String> {
        self.validate().map_err(|message| format!("{}: {message}", self.name()))?;
        let mut needed = match self {
            LibraryOp::Dot(params) => params.operand_bytes().map(Vec::from),
            LibraryOp::Convolution(params) => params.operand_bytes().map(Vec::from),
            LibraryOp::Fft(params) => params.operand_bytes(),
            LibraryOp::Cholesky(params) => params.operand_bytes(),
            LibraryOp::TriangularSolve(params) => params.operand_bytes(),
        }
        .map_err(|message| format!("{}: {message}", self.name()))?;
        let extra = [("tables", self.table_bytes()), ("workspace", self.workspace_bytes())];
        needed.extend(extra.into_iter().filter(|&(_, bytes)| bytes > 0));
        let expected = needed.len();
        if operand_bytes.len() < expected {
            let found = operand_bytes.len();
            return Err(format!("{}: {expected} operands are needed, {found} are given", self.name()));
        }
        for ((name, needed), &found) in needed.into_iter().zip(operand_bytes) {
            if needed > found {
                let op = self.name();
                return Err(format!("{op}: {name} needs {needed} bytes, the operand has {found}"));
            }
        }
        Ok(())
    }
}
