//! Cholesky factorizations and triangular systems, held to what they are solutions of.

mod common;

use common::{Rng, Values, available_isas, call_with_tables};
use kiln_ir::DType;
use kiln_ir::op::TransposeKind;
use kiln_kernels::{ThreadPool, with_isa};
use kiln_program::call::{Call, CholeskyParams, TriangularSolveParams};

type Complex = [f64; 2];

fn mul([a, b]: Complex, [c, d]: Complex) -> Complex {
    [a * c - b * d, a * d + b * c]
}

fn add([a, b]: Complex, [c, d]: Complex) -> Complex {
    [a + c, b + d]
}

fn conj([a, b]: Complex) -> Complex {
    [a, -b]
}

fn magnitude([a, b]: Complex) -> f64 {
    a.hypot(b)
}

/// A matrix of either kind of number.
#[derive(Clone)]
struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<Complex>,
}

impl Matrix {
    fn new(rows: usize, cols: usize, f: impl FnMut(usize, usize) -> Complex) -> Matrix {
        let mut f = f;
        let values = (0..rows * cols).map(|i| f(i / cols, i % cols)).collect();
        Matrix { rows, cols, values }
    }

    fn random(rows: usize, cols: usize, interleaved: bool, rng: &mut Rng) -> Matrix {
        Matrix::new(rows, cols, |_, _| [rng.signed_unit(), if interleaved { rng.signed_unit() } else { 0.0 }])
    }

    fn at(&self, i: usize, j: usize) -> Complex {
        self.values[i * self.cols + j]
    }

    fn times(&self, b: &Matrix) -> Matrix {
        Matrix::new(self.rows, b.cols, |i, j| {
            (0..self.cols).fold([0.0; 2], |s, k| add(s, mul(self.at(i, k), b.at(k, j))))
        })
    }

    fn map(&self, f: impl Fn(usize, usize, Complex) -> Complex) -> Matrix {
        Matrix::new(self.rows, self.cols, |i, j| f(i, j, self.at(i, j)))
    }

    fn adjoint(&self) -> Matrix {
        Matrix::new(self.cols, self.rows, |i, j| conj(self.at(j, i)))
    }

    fn transposed(&self) -> Matrix {
        Matrix::new(self.cols, self.rows, |i, j| self.at(j, i))
    }

    /// The elements as an operand of several matrices.
    fn operand(matrices: &[Matrix], dtype: DType, interleaved: bool) -> Values {
        let parts = if interleaved { 2 } else { 1 };
        let all: Vec<f64> = matrices.iter().flat_map(|m| &m.values).flat_map(|v| v[..parts].to_vec()).collect();
        let mut values = Values::zeros(dtype, all.len());
        all.iter().enumerate().for_each(|(at, &x)| values.set(at, x));
        values
    }

    /// The matrix `index` of an operand.
    fn of(values: &Values, index: usize, rows: usize, cols: usize, interleaved: bool) -> Matrix {
        let parts = if interleaved { 2 } else { 1 };
        let base = index * rows * cols * parts;
        Matrix::new(rows, cols, |i, j| {
            let at = base + (i * cols + j) * parts;
            [values.float(at), if interleaved { values.float(at + 1) } else { 0.0 }]
        })
    }

    /// The values as the type holds them.
    fn rounded(&self, dtype: DType) -> Matrix {
        let round = |x: f64| if dtype == DType::F32 { x as f32 as f64 } else { x };
        self.map(|_, _, v| v.map(round))
    }
}

fn eps(dtype: DType) -> f64 {
    if dtype == DType::F32 { f32::EPSILON as f64 } else { f64::EPSILON }
}

fn solve_op(n: usize, m: usize, batch: usize) -> TriangularSolveParams {
    TriangularSolveParams {
        dtype: DType::F32,
        interleaved: false,
        batch,
        n,
        m,
        left_side: true,
        lower: true,
        unit_diagonal: false,
        transpose: TransposeKind::NoTranspose,
    }
}

/// Matrices of a solve: the triangular ones, and them with NaNs where nothing may be read.
fn triangles(op: &TriangularSolveParams, rng: &mut Rng) -> (Vec<Matrix>, Vec<Matrix>) {
    let named = |i: usize, j: usize| if op.lower { j < i } else { j > i };
    let clean = |rng: &mut Rng| {
        let random = Matrix::random(op.n, op.n, op.interleaved, rng).rounded(op.dtype);
        random.map(|i, j, v| match (i == j, named(i, j)) {
            (true, _) if op.unit_diagonal => [1.0, 0.0],
            // Away from zero, with either part the larger one.
            (true, _) => [v[0] + if i % 3 == 0 { 0.1 } else { 1.5_f64.copysign(v[0]) }, v[1] * 1.5],
            (false, true) => v.map(|x| x / (op.n as f64)),
            (false, false) => [0.0; 2],
        })
    };
    let clean: Vec<Matrix> = (0..op.batch).map(|_| clean(rng).rounded(op.dtype)).collect();
    let poison = |i: usize, j: usize, v: Complex| {
        if named(i, j) || (i == j && !op.unit_diagonal) { v } else { [f64::NAN; 2] }
    };
    let poisoned = clean.iter().map(|m| m.map(poison)).collect();
    (clean, poisoned)
}

/// Solves random systems and multiplies back. The result.
fn check_solve(op: &TriangularSolveParams, rng: &mut Rng, pool: Option<&ThreadPool>) -> Values {
    let (clean, poisoned) = triangles(op, rng);
    let (rows, cols) = if op.left_side { (op.n, op.m) } else { (op.m, op.n) };
    let b: Vec<Matrix> =
        (0..op.batch).map(|_| Matrix::random(rows, cols, op.interleaved, rng).rounded(op.dtype)).collect();
    let a = Matrix::operand(&poisoned, op.dtype, op.interleaved);
    let rhs = Matrix::operand(&b, op.dtype, op.interleaved);
    let mut x = Values::zeros(op.dtype, rhs.len());
    call_with_tables(&Call::TriangularSolve(op.clone()), &[&a, &rhs], &mut x, pool);
    for index in 0..op.batch {
        let a = match op.transpose {
            TransposeKind::NoTranspose => clean[index].clone(),
            TransposeKind::Transpose => clean[index].transposed(),
            TransposeKind::Adjoint => clean[index].adjoint(),
        };
        let solution = Matrix::of(&x, index, rows, cols, op.interleaved);
        let absolute = |m: &Matrix| m.map(|_, _, v| [magnitude(v), 0.0]);
        let (back, scale) = match op.left_side {
            true => (a.times(&solution), absolute(&a).times(&absolute(&solution))),
            false => (solution.times(&a), absolute(&solution).times(&absolute(&a))),
        };
        // Backward stability (N. Higham, "Accuracy and Stability", theorem 8.5): |b - a x| <= about n eps |a| |x|.
        let bound = (op.n as f64 + 8.0) * eps(op.dtype);
        for i in 0..rows {
            for j in 0..cols {
                let residual = magnitude(add(back.at(i, j), b[index].at(i, j).map(|x| -x)));
                assert!(residual <= bound * scale.at(i, j)[0], "{op:?}: {index} [{i}, {j}]: {residual:e}");
            }
        }
    }
    x
}

const TRANSPOSES: [TransposeKind; 3] = [TransposeKind::NoTranspose, TransposeKind::Transpose, TransposeKind::Adjoint];

#[test]
fn systems_of_every_kind() {
    let mut rng = Rng::new(1);
    let sizes = [(1, 1), (2, 3), (5, 17), (8, 16), (9, 31), (16, 32), (33, 5), (64, 7), (65, 20), (130, 18)];
    for (n, m) in sizes {
        for bits in 0..24 {
            let mut op = solve_op(n, m, 1);
            (op.left_side, op.lower, op.unit_diagonal) = (bits & 1 == 0, bits & 2 == 0, bits & 4 == 0);
            op.transpose = TRANSPOSES[bits / 8];
            for (dtype, interleaved) in
                [(DType::F32, false), (DType::F32, true), (DType::F64, false), (DType::F64, true)]
            {
                check_solve(&TriangularSolveParams { dtype, interleaved, ..op.clone() }, &mut rng, None);
            }
        }
    }
}

#[test]
fn systems_of_every_size() {
    let mut rng = Rng::new(2);
    for n in (0..24).chain([63, 64, 66, 71, 128, 129]) {
        for m in [0, 1, 2, 15, 16, 17, 33] {
            let mut op = solve_op(n, m, [0, 1, 3][n % 3]);
            (op.left_side, op.lower) = (m % 2 == 0, n % 2 == 0);
            op.interleaved = (n + m) % 3 == 0;
            check_solve(&op, &mut rng, None);
        }
    }
    check_solve(&TriangularSolveParams { left_side: false, ..solve_op(70, 530, 2) }, &mut rng, None);
    check_solve(&TriangularSolveParams { lower: false, ..solve_op(70, 530, 1) }, &mut rng, None);
}

#[test]
fn simple_systems_are_exact() {
    // Small integers: every step is exact.
    let n = 20;
    let a = Matrix::new(n, n, |i, j| {
        [
            if i == j {
                4.0
            } else if j < i {
                ((i + j) % 3) as f64 - 1.0
            } else {
                0.0
            },
            0.0,
        ]
    });
    let x = Matrix::new(n, 3, |i, j| [((i * 7 + j * 5) % 9) as f64 - 4.0, 0.0]);
    let b = a.times(&x);
    let op = solve_op(n, 3, 1);
    let operand = |m: &Matrix| Matrix::operand(std::slice::from_ref(m), DType::F32, false);
    let mut out = Values::zeros(DType::F32, n * 3);
    call_with_tables(&Call::TriangularSolve(op), &[&operand(&a), &operand(&b)], &mut out, None);
    assert_eq!(Matrix::of(&out, 0, n, 3, false).values, x.values);
}

#[test]
fn complex_division_does_not_overflow() {
    for scale in [1e30, 1e-30] {
        let op = TriangularSolveParams { interleaved: true, ..solve_op(1, 1, 1) };
        let operand = |v: Complex| Matrix::operand(&[Matrix::new(1, 1, |_, _| v)], DType::F32, true);
        let mut out = Values::zeros(DType::F32, 2);
        let (a, b) = (operand([3.0 * scale, 4.0 * scale]), operand([5.0 * scale, 10.0 * scale]));
        call_with_tables(&Call::TriangularSolve(op), &[&a, &b], &mut out, None);
        // (5 + 10i) / (3 + 4i) = 2.2 + 0.4i.
        assert!((out.float(0) - 2.2).abs() < 1e-6 && (out.float(1) - 0.4).abs() < 1e-6, "{}", out.float(0));
    }
}

#[test]
fn a_singular_matrix_gives_no_numbers() {
    let op = solve_op(3, 2, 1);
    let operand = |m: Matrix| Matrix::operand(&[m], DType::F32, false);
    let a = operand(Matrix::new(3, 3, |i, j| [if i == j && i != 1 { 1.0 } else { 0.0 }, 0.0]));
    let b = operand(Matrix::new(3, 2, |i, j| [(i + j) as f64, 0.0]));
    let mut out = Values::zeros(DType::F32, 6);
    call_with_tables(&Call::TriangularSolve(op), &[&a, &b], &mut out, None);
    assert!(out.float(2).is_infinite() && out.float(3).is_infinite());
    assert_eq!((out.float(0), out.float(1)), (0.0, 1.0));
}

fn cholesky_op(n: usize, batch: usize) -> CholeskyParams {
    CholeskyParams { dtype: DType::F32, interleaved: false, batch, n, lower: true }
}

/// Positive definite matrices, of which the one with index `bad` is not.
fn definite(op: &CholeskyParams, bad: Option<usize>, rng: &mut Rng) -> Vec<Matrix> {
    let mut one = |index: usize| {
        let g = Matrix::random(op.n, op.n + 2, op.interleaved, rng);
        let mut a = g.times(&g.adjoint()).map(|i, j, v| if i == j { [v[0] + 0.5, 0.0] } else { v });
        if bad == Some(index) {
            a.values[op.n * op.n - 1][0] = -1.0;
        }
        a.rounded(op.dtype)
    };
    (0..op.batch).map(&mut one).collect()
}

fn check_cholesky(op: &CholeskyParams, bad: Option<usize>, rng: &mut Rng, pool: Option<&ThreadPool>) -> Values {
    let clean = definite(op, bad, rng);
    let named = |i: usize, j: usize| if op.lower { j <= i } else { j >= i };
    let poison = |i: usize, j: usize, v: Complex| if named(i, j) { v } else { [f64::NAN; 2] };
    let poisoned: Vec<Matrix> = clean.iter().map(|m| m.map(poison)).collect();
    let a = Matrix::operand(&poisoned, op.dtype, op.interleaved);
    let mut out = Values::zeros(op.dtype, a.len());
    call_with_tables(&Call::Cholesky(op.clone()), &[&a], &mut out, pool);
    for index in 0..op.batch {
        let factor = Matrix::of(&out, index, op.n, op.n, op.interleaved);
        if bad == Some(index) {
            let is_right = |i: usize, j: usize| factor.at(i, j)[0].is_nan() == named(i, j) && factor.at(i, j)[1] == 0.0;
            assert!((0..op.n * op.n).all(|at| is_right(at / op.n, at % op.n)), "{op:?}");
            continue;
        }
        for i in 0..op.n {
            assert!((i + 1..op.n).all(|j| if op.lower { factor.at(i, j) } else { factor.at(j, i) } == [0.0; 2]));
            assert!(factor.at(i, i)[0] > 0.0 && factor.at(i, i)[1] == 0.0);
        }
        let l = if op.lower { factor } else { factor.adjoint() };
        let back = l.times(&l.adjoint());
        // |a - l l^H| <= about n eps |l| |l^H| (Higham, theorem 10.3), and that has the diagonal of a as its maximum.
        let bound = (op.n as f64 + 8.0) * eps(op.dtype);
        for i in 0..op.n {
            for j in 0..op.n {
                let residual = magnitude(add(back.at(i, j), clean[index].at(i, j).map(|x| -x)));
                let scale = (clean[index].at(i, i)[0] * clean[index].at(j, j)[0]).sqrt();
                assert!(residual <= bound * scale, "{op:?}: {index} [{i}, {j}]: {residual:e}");
            }
        }
    }
    out
}

#[test]
fn factorizations() {
    let mut rng = Rng::new(3);
    for n in (0..20).chain([31, 32, 33, 63, 64, 65, 80, 127, 128, 129, 150]) {
        for bits in 0..8 {
            let op = CholeskyParams {
                dtype: if bits & 1 == 0 { DType::F32 } else { DType::F64 },
                interleaved: bits & 2 == 0,
                lower: bits & 4 == 0,
                ..cholesky_op(n, if n < 20 { 3 } else { 1 })
            };
            check_cholesky(&op, (n > 0 && n < 20).then_some(1), &mut rng, None);
        }
    }
    check_cholesky(&cholesky_op(140, 2), Some(0), &mut rng, None);
}

#[test]
fn not_a_number_spreads_in_its_matrix_only() {
    let mut rng = Rng::new(4);
    let op = cholesky_op(5, 3);
    let mut a = Matrix::operand(&definite(&op, None, &mut rng), DType::F32, false);
    a.set(25 + 15, f64::NAN);
    let mut out = Values::zeros(DType::F32, a.len());
    call_with_tables(&Call::Cholesky(op), &[&a], &mut out, None);
    for at in 0..75 {
        let named = at % 5 <= at % 25 / 5;
        assert_eq!(out.float(at).is_nan(), at / 25 == 1 && named, "{at}");
    }
}

#[test]
fn instructions_and_threads() {
    let pool = ThreadPool::new(4).expect("threads");
    for isa in available_isas() {
        with_isa(isa, || {
            for (n, batch) in [(70, 1), (200, 1), (12, 40)] {
                for (dtype, interleaved) in [(DType::F32, false), (DType::F64, true)] {
                    let factor = CholeskyParams { dtype, interleaved, lower: n != 70, ..cholesky_op(n, batch) };
                    let alone = check_cholesky(&factor, None, &mut Rng::new(5), None);
                    let together = check_cholesky(&factor, None, &mut Rng::new(5), Some(&pool));
                    assert!(alone.as_bytes() == together.as_bytes(), "{factor:?}");
                    let solve = TriangularSolveParams {
                        dtype,
                        interleaved,
                        left_side: n == 70,
                        ..solve_op(n, if n == 12 { 9 } else { 40 }, batch)
                    };
                    let alone = check_solve(&solve, &mut Rng::new(6), None);
                    let together = check_solve(&solve, &mut Rng::new(6), Some(&pool));
                    assert!(alone.as_bytes() == together.as_bytes(), "{solve:?}");
                }
            }
        })
        .expect("available");
    }
}
