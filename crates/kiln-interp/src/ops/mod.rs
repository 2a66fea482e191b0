//! The operators on concrete tensors. Types are inferred (so checked) before an operator runs.

mod conv;
mod dot;
pub(crate) mod elementwise;
mod fft;
pub(crate) mod gather;
mod linalg;
mod movement;
mod reduce;
pub(crate) mod rng;
pub(crate) mod window;

use crate::error::Fault;
use kiln_ir::op::FftKind;
use kiln_ir::tensor::AlignedBytes;
use kiln_ir::{Dim, Op, Tensor, TensorType};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// The results of one node.
pub(crate) type Results = SmallVec<[Tensor; 1]>;

/// Evaluates an operator without nested functions on operands it was checked against.
///
/// `types` are the inferred result types; `max_bytes` bounds each result.
pub(crate) fn eval(op: &Op, types: &[TensorType], x: &[Tensor], max_bytes: usize) -> Result<Results, Fault> {
    for t in types {
        check_size(t, max_bytes)?;
    }
    if let Op::RngBitGenerator { ty, algorithm } = op {
        return rng::rng_bit_generator(&x[0], ty, *algorithm);
    }
    let ty = types.first().ok_or_else(|| Fault::malformed("the operator has no result"))?;
    Ok(smallvec![single(op, ty, x)?])
}

fn single(op: &Op, ty: &TensorType, x: &[Tensor]) -> Result<Tensor, Fault> {
    if ty.shape.num_elements() == Some(0) {
        // Nothing to compute; the other sizes may be astronomical.
        return Ok(Tensor::zeros(ty.dtype, sizes(ty)?)?);
    }
    match op {
        Op::Constant(t) => Ok(t.clone()),
        Op::OptimizationBarrier => Ok(x[0].clone()),
        Op::Iota { dim, .. } => movement::iota(ty, *dim),
        Op::Unary(u) => elementwise::unary(*u, &x[0]),
        Op::Binary(b) => elementwise::binary(*b, &x[0], &x[1]),
        Op::Compare(d) => elementwise::compare(*d, &x[0], &x[1]),
        Op::Select => elementwise::select(&x[0], &x[1], &x[2]),
        Op::Clamp => elementwise::clamp(&x[0], &x[1], &x[2]),
        Op::Convert(to) => elementwise::convert(&x[0], *to),
        Op::BitcastConvert(to) => elementwise::bitcast_convert(&x[0], *to, &sizes(ty)?),
        Op::Complex => elementwise::complex(&x[0], &x[1]),
        Op::Real => elementwise::part(&x[0], false),
        Op::Imag => elementwise::part(&x[0], true),
        Op::ReducePrecision { exponent_bits, mantissa_bits } => {
            elementwise::reduce_precision(&x[0], *exponent_bits, *mantissa_bits)
        }
        Op::Fft { kind, length, interleaved } => {
            linalg::with_complex(x, ty, *interleaved, *kind != FftKind::Rfft, |x| fft::fft(&x[0], *kind, length))
        }
        Op::Cholesky { lower, interleaved } => {
            linalg::with_complex(x, ty, *interleaved, true, |x| linalg::cholesky(&x[0], *lower))
        }
        Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, interleaved } => {
            let how = linalg::Solve {
                left_side: *left_side,
                lower: *lower,
                unit_diagonal: *unit_diagonal,
                transpose: *transpose_a,
            };
            linalg::with_complex(x, ty, *interleaved, true, |x| linalg::triangular_solve(&x[0], &x[1], how))
        }
        Op::GetDimensionSize(d) => elementwise::dimension_size(&x[0], *d),
        Op::BroadcastInDim { dims, .. } => movement::broadcast_in_dim(&x[0], ty, dims),
        Op::Reshape(_) => Ok(x[0].reshape(sizes(ty)?)?),
        Op::Transpose(permutation) => movement::transpose(&x[0], ty, permutation),
        Op::Reverse(dims) => movement::reverse(&x[0], dims),
        Op::Slice { start, strides, .. } => movement::slice(&x[0], ty, start, strides),
        Op::DynamicSlice { .. } => movement::dynamic_slice(&x[0], ty, &x[1..]),
        Op::DynamicUpdateSlice => movement::dynamic_update_slice(&x[0], &x[1], &x[2..]),
        Op::Concatenate(dim) => movement::concatenate(x, ty, *dim),
        Op::Pad { low, interior, .. } => movement::pad(&x[0], &x[1], ty, low, interior),
        Op::DotGeneral(dims) => dot::dot_general(&x[0], &x[1], ty, dims),
        Op::Reduce { axes, reducer } => reduce::reduce(&x[0], &x[1], ty, axes, *reducer),
        Op::ArgReduce { axis, kind, .. } => reduce::arg_reduce(&x[0], ty, *axis, *kind),
        Op::Convolution(dims) => conv::convolution(&x[0], &x[1], ty, dims),
        Op::ReduceWindow { window, reducer } => window::reduce_window(&x[0], &x[1], ty, window, *reducer),
        Op::SelectAndScatter { window, select, scatter } => {
            window::select_and_scatter(&x[0], &x[1], &x[2], window, *select, *scatter)
        }
        Op::Gather(dims) => gather::gather(&x[0], &x[1], ty, dims),
        Op::Scatter { dims, update } => gather::scatter(&x[0], &x[1], &x[2], dims, *update),
        Op::Parameter(_)
        | Op::GenericReduce { .. }
        | Op::GenericReduceWindow { .. }
        | Op::GenericSelectAndScatter { .. }
        | Op::GenericScatter { .. }
        | Op::Sort { .. }
        | Op::RngBitGenerator { .. }
        | Op::While { .. }
        | Op::If { .. }
        | Op::Case { .. }
        | Op::Composite { .. } => Err(Fault::malformed("the operator cannot be evaluated on its own")),
    }
}

/// Fails unless the bytes of `t` are within the bound and can be had.
pub(crate) fn check_size(t: &TensorType, max_bytes: usize) -> Result<(), Fault> {
    let bytes = t.num_bytes().filter(|n| *n <= max_bytes).ok_or_else(|| Fault::TooLarge(t.clone()))?;
    if bytes > 1 << 24 {
        // A probe: what allocates later would abort the process instead of failing.
        Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| Fault::TooLarge(t.clone()))?;
    }
    Ok(())
}

/// The sizes of a type, which are all known.
pub(crate) fn sizes(ty: &TensorType) -> Result<SmallVec<[usize; 4]>, Fault> {
    ty.shape.as_sizes().ok_or_else(|| Fault::malformed(format!("{ty} has no known sizes")))
}

/// A bound or padding amount, which is known.
fn known(d: &Dim) -> Result<i64, Fault> {
    d.as_const().ok_or_else(|| Fault::malformed(format!("the size `{d}` is not known")))
}

/// A tensor of zeros that `fill` writes.
fn build(ty: &TensorType, fill: impl FnOnce(&[usize], &mut [u8]) -> Result<(), Fault>) -> Result<Tensor, Fault> {
    let shape = sizes(ty)?;
    let mut bytes = AlignedBytes::zeroed(ty.num_bytes().ok_or_else(|| Fault::TooLarge(ty.clone()))?);
    fill(&shape, bytes.bytes_mut())?;
    Ok(Tensor::from_storage(ty.dtype, shape, Arc::new(bytes))?)
}

/// The values of an integer tensor; u64 beyond i64 saturates (as an index it is out of range all the same).
fn index_values(t: &Tensor) -> Result<Vec<i64>, Fault> {
    use crate::scalar::lane::{Lane, Wide};
    crate::dispatch!(t.dtype(), T => Ok(t.as_slice::<T>()?.iter().map(|x| match x.widen() {
        Wide::I(i) => i,
        Wide::U(u) => i64::try_from(u).unwrap_or(i64::MAX),
        Wide::F(f) => f as i64,
        Wide::C(z) => z.re as i64,
    }).collect()))
}

/// Runs an expression with a constant bound to an element size in bytes.
macro_rules! by_size {
    ($dtype:expr, $N:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                const $N: usize = 1;
                $body
            }
            2 => {
                const $N: usize = 2;
                $body
            }
            4 => {
                const $N: usize = 4;
                $body
            }
            8 => {
                const $N: usize = 8;
                $body
            }
            _ => {
                const $N: usize = 16;
                $body
            }
        }
    };
}
use by_size;
