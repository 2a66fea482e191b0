//! `cholesky` and `triangular_solve` by their textbook recurrences, in f64 or pairs of f64, rounded once.

use super::elementwise::{from_wide, widen};
use super::sizes;
use crate::error::Fault;
use crate::scalar::complex_math;
use crate::scalar::lane::{Lane, Wide};
use kiln_ir::op::TransposeKind;
use kiln_ir::{Complex, Tensor, TensorType};

/// Runs an operator on complex tensors that may be floats with a last dimension of real and imaginary part. Only `given` tells
/// whether operands are (a transform of real numbers has none).
pub(super) fn with_complex(
    x: &[Tensor],
    ty: &TensorType,
    interleaved: bool,
    given: bool,
    run: impl FnOnce(&[Tensor]) -> Result<Tensor, Fault>,
) -> Result<Tensor, Fault> {
    let paired: Vec<Tensor>;
    let operands = if interleaved && given {
        paired = x.iter().map(pairs_as_complex).collect::<Result<_, _>>()?;
        &paired
    } else {
        x
    };
    let result = run(operands)?;
    if interleaved && result.dtype().is_complex() {
        return Ok(Tensor::from_bytes(ty.dtype, sizes(ty)?, result.bytes())?);
    }
    Ok(result)
}

/// Pairs in the last dimension as complex numbers: the same bytes.
fn pairs_as_complex(x: &Tensor) -> Result<Tensor, Fault> {
    let (Some((2, shape)), Some(dtype)) = (x.shape().split_last(), x.dtype().complex_type()) else {
        return Err(Fault::malformed(format!("{} holds no pairs of real and imaginary part", x.ty())));
    };
    Ok(Tensor::from_bytes(dtype, shape, x.bytes())?)
}

/// Numbers that matrices are made of.
trait Field: Copy {
    const ZERO: Self;
    fn of(w: Wide) -> Self;
    fn wide(self) -> Wide;
    /// `self - a * b`.
    fn less_product(self, a: Self, b: Self) -> Self;
    fn over(self, by: Self) -> Self;
    fn conj(self) -> Self;
    fn re(self) -> f64;
    fn of_real(x: f64) -> Self;
}

impl Field for f64 {
    const ZERO: f64 = 0.0;
    fn of(w: Wide) -> f64 {
        f64::narrow(w)
    }
    fn wide(self) -> Wide {
        Wide::F(self)
    }
    fn less_product(self, a: f64, b: f64) -> f64 {
        self - a * b
    }
    fn over(self, by: f64) -> f64 {
        self / by
    }
    fn conj(self) -> f64 {
        self
    }
    fn re(self) -> f64 {
        self
    }
    fn of_real(x: f64) -> f64 {
        x
    }
}

impl Field for Complex<f64> {
    const ZERO: Self = Complex::new(0.0, 0.0);
    fn of(w: Wide) -> Self {
        Complex::narrow(w)
    }
    fn wide(self) -> Wide {
        Wide::C(self)
    }
    fn less_product(self, a: Self, b: Self) -> Self {
        self - a * b
    }
    fn over(self, by: Self) -> Self {
        complex_math::div(self, by)
    }
    fn conj(self) -> Self {
        Complex::conj(&self)
    }
    fn re(self) -> f64 {
        self.re
    }
    fn of_real(x: f64) -> Self {
        Complex::new(x, 0.0)
    }
}

/// Factors every matrix of the last two dimensions. The imaginary part of a diagonal counts as 0. If one matrix is not positive
/// definite, the whole triangle of its result is NaN; the other triangle is always 0.
pub(super) fn cholesky(a: &Tensor, lower: bool) -> Result<Tensor, Fault> {
    if a.dtype().is_complex() { factors::<Complex<f64>>(a, lower) } else { factors::<f64>(a, lower) }
}

fn factors<F: Field>(a: &Tensor, lower: bool) -> Result<Tensor, Fault> {
    let n = a.shape()[a.rank() - 1];
    let mut values: Vec<F> = widen(a)?.into_iter().map(F::of).collect();
    for matrix in values.chunks_exact_mut((n * n).max(1)) {
        // The lower triangle; an upper one is its conjugate transpose.
        let given = |i: usize, j: usize| if lower { matrix[i * n + j] } else { matrix[j * n + i].conj() };
        let mut l = vec![F::ZERO; n * n];
        let mut definite = true;
        for i in 0..n {
            for j in 0..=i {
                let rest = (0..j).fold(given(i, j), |s, k| s.less_product(l[i * n + k], l[j * n + k].conj()));
                l[i * n + j] = if i == j { F::of_real(rest.re().sqrt()) } else { rest.over(l[j * n + j]) };
            }
            definite &= l[i * n + i].re() > 0.0;
        }
        for i in 0..n {
            for j in 0..n {
                let (row, column) = if lower { (i, j) } else { (j, i) };
                let x = if lower { l[row * n + column] } else { l[row * n + column].conj() };
                matrix[i * n + j] = match (column <= row, definite) {
                    (true, true) => x,
                    (true, false) => F::of_real(f64::NAN),
                    (false, _) => F::ZERO,
                };
            }
        }
    }
    from_wide(a.dtype(), a.shape(), values.into_iter().map(F::wide))
}

/// How to read a matrix of a triangular system, and on which side it stands.
#[derive(Clone, Copy)]
pub(super) struct Solve {
    pub left_side: bool,
    pub lower: bool,
    pub unit_diagonal: bool,
    pub transpose: TransposeKind,
}

pub(super) fn triangular_solve(a: &Tensor, b: &Tensor, how: Solve) -> Result<Tensor, Fault> {
    if a.dtype().is_complex() { solutions::<Complex<f64>>(a, b, how) } else { solutions::<f64>(a, b, how) }
}

fn solutions<F: Field>(a: &Tensor, b: &Tensor, how: Solve) -> Result<Tensor, Fault> {
    let r = a.rank();
    let (n, rows, columns) = (a.shape()[r - 1], b.shape()[r - 2], b.shape()[r - 1]);
    let matrices: Vec<F> = widen(a)?.into_iter().map(F::of).collect();
    let mut x: Vec<F> = widen(b)?.into_iter().map(F::of).collect();
    // x op(a) = b is op(a)^T x^T = b^T: the rows of b are the right sides then.
    let (count, step, next) = if how.left_side { (columns, columns, 1) } else { (rows, 1, columns) };
    let transposed = (how.transpose != TransposeKind::NoTranspose) == how.left_side;
    for (m, side) in matrices.chunks_exact((n * n).max(1)).zip(x.chunks_exact_mut((rows * columns).max(1))) {
        let at = |i: usize, j: usize| {
            let v = if transposed { m[j * n + i] } else { m[i * n + j] };
            if how.transpose == TransposeKind::Adjoint { v.conj() } else { v }
        };
        // Forward if row i of what is solved has entries up to column i.
        let forward = how.lower != transposed;
        for c in 0..count {
            for i in (0..n).map(|i| if forward { i } else { n - 1 - i }) {
                let known = if forward { 0..i } else { i + 1..n };
                let rest =
                    known.fold(side[c * next + i * step], |s, k| s.less_product(at(i, k), side[c * next + k * step]));
                side[c * next + i * step] = if how.unit_diagonal { rest } else { rest.over(at(i, i)) };
            }
        }
    }
    from_wide(b.dtype(), b.shape(), x.into_iter().map(F::wide))
}
