//! `dot_general`, and the wide numbers that products accumulate in.

use super::elementwise::from_wide;
use super::sizes;
use crate::dispatch;
use crate::error::Fault;
use crate::index::{complement, offsets};
use crate::scalar::lane::{Lane, Wide};
use kiln_ir::op::DotDims;
use kiln_ir::{Complex, Tensor, TensorType};

/// Elements as the numbers that products are summed in: floats as f64, integers as 64 bits that wrap (which are the same
/// bits for signed and unsigned, and truncate to every narrower type).
pub(super) enum Numbers {
    /// Floats.
    Float(Vec<f64>),
    /// Integers.
    Int(Vec<i64>),
    /// Complex numbers.
    Complex(Vec<Complex<f64>>),
}

impl Numbers {
    /// The elements of a tensor.
    pub fn of(t: &Tensor) -> Result<Numbers, Fault> {
        dispatch!(t.dtype(), T => {
            let wide = t.as_slice::<T>()?.iter().map(|x| x.widen());
            Ok(if t.dtype().is_float() {
                Numbers::Float(wide.map(f64::narrow).collect())
            } else if t.dtype().is_complex() {
                Numbers::Complex(wide.map(Complex::narrow).collect())
            } else {
                Numbers::Int(wide.map(i64::narrow).collect())
            })
        })
    }

    /// The tensor of these numbers, rounded once.
    pub fn tensor(self, ty: &TensorType) -> Result<Tensor, Fault> {
        let shape = sizes(ty)?;
        match self {
            Numbers::Float(v) => from_wide(ty.dtype, &shape, v.into_iter().map(Wide::F)),
            Numbers::Int(v) => from_wide(ty.dtype, &shape, v.into_iter().map(Wide::I)),
            Numbers::Complex(v) => from_wide(ty.dtype, &shape, v.into_iter().map(Wide::C)),
        }
    }
}

/// Applies a product of wide numbers to two operands of one type.
pub(super) fn with_numbers(
    lhs: &Tensor,
    rhs: &Tensor,
    ty: &TensorType,
    float: impl FnOnce(&[f64], &[f64]) -> Vec<f64>,
    int: impl FnOnce(&[i64], &[i64]) -> Vec<i64>,
    complex: impl FnOnce(&[Complex<f64>], &[Complex<f64>]) -> Vec<Complex<f64>>,
) -> Result<Tensor, Fault> {
    match (Numbers::of(lhs)?, Numbers::of(rhs)?) {
        (Numbers::Float(a), Numbers::Float(b)) => Numbers::Float(float(&a, &b)).tensor(ty),
        (Numbers::Int(a), Numbers::Int(b)) => Numbers::Int(int(&a, &b)).tensor(ty),
        (Numbers::Complex(a), Numbers::Complex(b)) => Numbers::Complex(complex(&a, &b)).tensor(ty),
        (Numbers::Float(_) | Numbers::Int(_) | Numbers::Complex(_), _) => {
            Err(Fault::malformed(format!("a product of {} and {}", lhs.dtype(), rhs.dtype())))
        }
    }
}

/// `acc + a * b` in f64.
pub(super) fn fma_float(acc: f64, a: f64, b: f64) -> f64 {
    acc + a * b
}

/// `acc + a * b` modulo 2^64.
pub(super) fn fma_int(acc: i64, a: i64, b: i64) -> i64 {
    acc.wrapping_add(a.wrapping_mul(b))
}

/// `acc + a * b` in pairs of f64.
pub(super) fn fma_complex(acc: Complex<f64>, a: Complex<f64>, b: Complex<f64>) -> Complex<f64> {
    acc + a * b
}

pub(super) fn dot_general(lhs: &Tensor, rhs: &Tensor, ty: &TensorType, d: &DotDims) -> Result<Tensor, Fault> {
    let free = |t: &Tensor, batch: &[usize], contract: &[usize]| {
        complement(t.rank(), &batch.iter().chain(contract).copied().collect::<Vec<_>>())
    };
    let rows = offsets(lhs.shape(), &free(lhs, &d.lhs_batch, &d.lhs_contract));
    let columns = offsets(rhs.shape(), &free(rhs, &d.rhs_batch, &d.rhs_contract));
    let batches = offsets(lhs.shape(), &d.lhs_batch).into_iter().zip(offsets(rhs.shape(), &d.rhs_batch));
    let batches: Vec<(usize, usize)> = batches.collect();
    let inner = offsets(lhs.shape(), &d.lhs_contract).into_iter().zip(offsets(rhs.shape(), &d.rhs_contract));
    let inner: Vec<(usize, usize)> = inner.collect();
    let plan = Plan { batches, rows, columns, inner };
    with_numbers(
        lhs,
        rhs,
        ty,
        |a, b| plan.run(a, b, fma_float),
        |a, b| plan.run(a, b, fma_int),
        |a, b| plan.run(a, b, fma_complex),
    )
}

/// Where the factors of every element of the result lie.
struct Plan {
    batches: Vec<(usize, usize)>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    inner: Vec<(usize, usize)>,
}

impl Plan {
    fn run<T: Copy + Default>(&self, a: &[T], b: &[T], fma: impl Fn(T, T, T) -> T) -> Vec<T> {
        let mut out = Vec::with_capacity(self.batches.len() * self.rows.len() * self.columns.len());
        for &(p, q) in &self.batches {
            for &row in &self.rows {
                for &column in &self.columns {
                    let sum =
                        self.inner.iter().fold(T::default(), |s, &(x, y)| fma(s, a[p + row + x], b[q + column + y]));
                    out.push(sum);
                }
            }
        }
        out
    }
}
