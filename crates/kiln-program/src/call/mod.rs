//! Calls: operations that a target computes with a kernel of its own instead of generated code.
//!
//! A call holds parameters only, and the arithmetic that follows from them whatever the target: which bytes of its operands it
//! touches, how many operations it takes. What a target adds, tables and workspace, it says by numbers ([`CallInfo`]).
//!
//! Adding a call: a parameter structure with its [`CallParams`], a variant of [`Call`] and its arm in [`Call::params`]; then its
//! kernel on each target (on the CPU, `kiln_kernels::CpuCall`).

mod convolution;
mod dot;
mod fft;
mod linalg;
mod span;

pub use convolution::{ConvDim, ConvParams, MAX_SPATIAL};
pub use dot::{BatchDim, DotParams, MAX_BATCH_DIMS};
pub use fft::{FftParams, spectrum_length};
pub use linalg::{CholeskyParams, MAX_BLOCK, MAX_CHUNK, TriangularSolveParams};

use kiln_ir::DType;

/// Operands by name, with the bytes of each that are accessed.
pub type Operands = Vec<(&'static str, usize)>;

/// What every parameter structure says of its call.
pub trait CallParams {
    /// The operator's name, as StableHLO has it.
    fn name(&self) -> &'static str;

    /// Name and bytes of each operand as far as it is accessed: inputs, then outputs.
    ///
    /// # Errors
    /// A size that cannot be computed with.
    fn operand_bytes(&self) -> Result<Operands, String>;

    /// Checks that the parameters are consistent and small enough to compute with, that no access is before the start of an
    /// operand and that the output's elements are distinct.
    ///
    /// # Errors
    /// Says which parameter is wrong.
    fn validate(&self) -> Result<(), String>;

    /// Number of arithmetic operations (a multiplication and an addition count as two), saturating.
    fn flops(&self) -> u64;
}

/// One call with its parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    /// Matrix product. Operands: a, b, c (output).
    Dot(DotParams),
    /// Convolution. Operands: lhs, rhs, out (output).
    Convolution(ConvParams),
    /// Fourier transform. Operands: operand, result (output).
    Fft(FftParams),
    /// Cholesky factorization. Operands: a, result (output).
    Cholesky(CholeskyParams),
    /// Triangular systems. Operands: a, b, x (output).
    TriangularSolve(TriangularSolveParams),
}

impl Call {
    /// The parameters, whichever they are.
    pub fn params(&self) -> &dyn CallParams {
        match self {
            Call::Dot(params) => params,
            Call::Convolution(params) => params,
            Call::Fft(params) => params,
            Call::Cholesky(params) => params,
            Call::TriangularSolve(params) => params,
        }
    }
}

impl CallParams for Call {
    fn name(&self) -> &'static str {
        self.params().name()
    }

    fn operand_bytes(&self) -> Result<Operands, String> {
        self.params().operand_bytes()
    }

    fn validate(&self) -> Result<(), String> {
        self.params().validate()
    }

    fn flops(&self) -> u64 {
        self.params().flops()
    }
}

/// A call site of a program: the call, and what the program's target needs for it beside the operands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CallInfo {
    /// What to compute.
    pub call: Call,
    /// Bytes of the constant tables, an operand behind the outputs; 0: there is none.
    pub tables: u64,
    /// Bytes of workspace, the last operand, 64-byte aligned; 0: there is none.
    pub workspace: u64,
}

impl CallInfo {
    /// Proves that every access stays inside the operands, given their sizes in bytes in the order of the call (inputs,
    /// outputs, then the tables and the workspace where there are any). Includes [`CallParams::validate`].
    ///
    /// # Errors
    /// Names the operand with what it needs and what it has.
    pub fn check_bounds(&self, operand_bytes: &[u64]) -> Result<(), String> {
        let name = self.call.name();
        let in_call = |message: String| format!("{name}: {message}");
        self.call.validate().map_err(in_call)?;
        let operands = self.call.operand_bytes().map_err(in_call)?;
        let extra =
            [("tables", self.tables), ("workspace", self.workspace)].into_iter().filter(|&(_, bytes)| bytes > 0);
        let needed: Vec<_> = operands.into_iter().map(|(name, bytes)| (name, bytes as u64)).chain(extra).collect();
        let (expected, found) = (needed.len(), operand_bytes.len());
        if found != expected {
            return Err(format!("{name}: {expected} operands are needed, {found} are given"));
        }
        match needed.into_iter().zip(operand_bytes).find(|((_, needed), found)| needed > found) {
            Some(((operand, needed), found)) => {
                Err(format!("{name}: {operand} needs {needed} bytes, the operand has {found}"))
            }
            None => Ok(()),
        }
    }
}

/// Calls compute with the types that processors have.
fn check_native(dtype: DType) -> Result<(), String> {
    if dtype.is_native() { Ok(()) } else { Err(format!("elements of type {dtype} are not supported")) }
}

/// Some calls compute with real numbers of single or double precision only.
fn check_real(dtype: DType) -> Result<(), String> {
    if matches!(dtype, DType::F32 | DType::F64) {
        Ok(())
    } else {
        Err(format!("elements of type {dtype} are not supported"))
    }
}
