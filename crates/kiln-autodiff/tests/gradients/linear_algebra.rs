//! Complex numbers, Fourier transforms, factorizations, sorting.

use crate::check::Case;
use kiln_ir::op::{Axes, CompareDirection, DotDims, FftKind, Ints, TransposeKind};
use kiln_ir::{BinaryOp, DType, Func, InputKind, Loc, Op, TensorType, UnaryOp, Value};

/// A complex value of two inputs in `low..high`.
fn complex(c: &mut Case, shape: &[usize], low: f64, high: f64) -> Value {
    let (re, im) = (c.input(shape, low, high), c.input(shape, low, high));
    c.op(Op::Complex, &[re, im])
}

fn both_parts(mut c: Case, z: Value) {
    let (re, im) = (c.op(Op::Real, &[z]), c.op(Op::Imag, &[z]));
    c.out(re);
    c.out(im);
    c.check();
}

#[test]
fn complex_functions() {
    use UnaryOp as U;
    for op in [
        U::Cosine,
        U::Exponential,
        U::ExponentialMinusOne,
        U::Log,
        U::LogPlusOne,
        U::Logistic,
        U::Negate,
        U::Rsqrt,
        U::Sign,
        U::Sine,
        U::Sqrt,
        U::Tan,
        U::Tanh,
    ] {
        let mut c = Case::new();
        let z = complex(&mut c, &[3], 0.4, 1.2);
        let y = c.un(op, z);
        both_parts(c, y);
    }
    let mut c = Case::new();
    let z = complex(&mut c, &[3], 0.4, 1.2);
    let size = c.un(U::Abs, z);
    c.done(size);
    for op in [BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Power] {
        let mut c = Case::new();
        let (x, y) = (complex(&mut c, &[3], 0.5, 1.2), complex(&mut c, &[3], 0.5, 1.2));
        let z = c.bin(op, x, y);
        both_parts(c, z);
    }
}

#[test]
fn complex_and_real_mix() {
    let mut c = Case::new();
    let x = c.x(&[2, 3]);
    let z = c.op(Op::Convert(DType::C128), &[x]);
    let w = complex(&mut c, &[3, 2], -1.0, 1.0);
    let dims =
        DotDims { lhs_contract: Axes::from_slice(&[1]), rhs_contract: Axes::from_slice(&[0]), ..DotDims::default() };
    let y = c.op(Op::DotGeneral(dims), &[z, w]);
    let real = c.op(Op::Convert(DType::F64), &[y]);
    c.out(real);
    both_parts(c, y);
}

fn fft(kind: FftKind, length: &[i64]) -> Op {
    Op::Fft { kind, length: Ints::from_slice(length), interleaved: false }
}

#[test]
fn fourier_transforms() {
    for (sizes, length) in
        [(vec![2, 5], vec![5]), (vec![4], vec![4]), (vec![3, 4], vec![3, 4]), (vec![2, 3, 5], vec![3, 5])]
    {
        for kind in [FftKind::Fft, FftKind::Ifft] {
            let mut c = Case::new();
            let z = complex(&mut c, &sizes, -1.0, 1.0);
            let y = c.op(fft(kind, &length), &[z]);
            both_parts(c, y);
        }
        let mut c = Case::new();
        let x = c.x(&sizes);
        let y = c.op(fft(FftKind::Rfft, &length), &[x]);
        both_parts(c, y);
        let mut c = Case::new();
        let mut half = sizes.clone();
        let last = half.len() - 1;
        half[last] = half[last] / 2 + 1;
        let z = complex(&mut c, &half, -1.0, 1.0);
        let y = c.op(fft(FftKind::Irfft, &length), &[z]);
        c.done(y);
    }
}

/// `m m^H + 2 I` in the batch dimensions of `m`.
fn positive(c: &mut Case, m: Value) -> Value {
    let ty = c.f.ty(m).clone();
    let r = ty.rank();
    let batch: Axes = (0..r - 2).collect();
    let last = Axes::from_slice(&[r - 1]);
    let other = if ty.dtype.is_complex() {
        let (re, im) = (c.op(Op::Real, &[m]), c.op(Op::Imag, &[m]));
        let im = c.un(UnaryOp::Negate, im);
        c.op(Op::Complex, &[re, im])
    } else {
        m
    };
    let dims = DotDims {
        lhs_batch: batch.clone(),
        rhs_batch: batch,
        lhs_contract: last.clone(),
        rhs_contract: last,
        result: None,
    };
    let square = c.op(Op::DotGeneral(dims), &[m, other]);
    let index = TensorType { dtype: DType::I32, shape: ty.shape.clone() };
    let row = c.op(Op::Iota { ty: index.clone(), dim: r - 2 }, &[]);
    let column = c.op(Op::Iota { ty: index, dim: r - 1 }, &[]);
    let diagonal = c.op(Op::Compare(CompareDirection::EQ), &[row, column]);
    let ones = c.op(Op::Convert(ty.dtype), &[diagonal]);
    let two = c.bin(BinaryOp::Add, ones, ones);
    c.bin(BinaryOp::Add, square, two)
}

#[test]
fn cholesky_factors() {
    for lower in [true, false] {
        let mut c = Case::new();
        let m = c.x(&[2, 3, 3]);
        let a = positive(&mut c, m);
        let l = c.op(Op::Cholesky { lower, interleaved: false }, &[a]);
        c.done(l);
        let mut c = Case::new();
        let m = complex(&mut c, &[3, 3], -1.0, 1.0);
        let a = positive(&mut c, m);
        let l = c.op(Op::Cholesky { lower, interleaved: false }, &[a]);
        both_parts(c, l);
        // Only one triangle is read, so only that has a gradient.
        let mut c = Case::new();
        let a = c.input_of(&[2, 2], vec![4.0, 0.7, 0.5, 5.0]);
        let l = c.op(Op::Cholesky { lower, interleaved: false }, &[a]);
        c.done(l);
    }
}

#[test]
fn triangular_systems() {
    use TransposeKind::{Adjoint, NoTranspose, Transpose};
    for transpose_a in [NoTranspose, Transpose, Adjoint] {
        for (left_side, lower, unit_diagonal) in
            [(true, true, false), (true, false, true), (false, true, true), (false, false, false)]
        {
            let op = Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, interleaved: false };
            let right = if left_side { [2, 3, 2] } else { [2, 2, 3] };
            let mut c = Case::new();
            let (a, b) = (c.input(&[2, 3, 3], 0.5, 1.5), c.x(&right));
            let x = c.op(op.clone(), &[a, b]);
            c.done(x);
            let mut c = Case::new();
            let (a, b) = (complex(&mut c, &[2, 3, 3], 0.5, 1.5), complex(&mut c, &right, -1.0, 1.0));
            let x = c.op(op, &[a, b]);
            both_parts(c, x);
        }
    }
}

/// Falling order of the product with a captured scalar.
fn comparator() -> Func {
    let mut f = Func::new("before");
    let scalar = |f: &mut Func, name: &str, d| f.add_input(name, TensorType::scalar(d), InputKind::Feed, Loc::UNKNOWN);
    let (a, b) = (scalar(&mut f, "a", DType::F64), scalar(&mut f, "b", DType::F64));
    let _carried = (scalar(&mut f, "c", DType::F64), scalar(&mut f, "d", DType::F64));
    let k = scalar(&mut f, "k", DType::F64);
    let (x, y) = (
        f.push1(Op::Binary(BinaryOp::Multiply), &[a, k], Loc::UNKNOWN).unwrap(),
        f.push1(Op::Binary(BinaryOp::Multiply), &[b, k], Loc::UNKNOWN).unwrap(),
    );
    let before = f.push1(Op::Compare(CompareDirection::GT), &[x, y], Loc::UNKNOWN).unwrap();
    f.add_output("", before);
    f
}

#[test]
fn sorts() {
    for dim in [0, 1] {
        let mut c = Case::new();
        let (keys, values) = (c.x(&[4, 3]), c.x(&[4, 3]));
        let k = c.scalar(0.5);
        let op = Op::Sort { dim, stable: true, comparator: Box::new(comparator()) };
        let node = c.f.push(op, &[keys, values, k], Loc::caller()).unwrap();
        let sorted = Value { node, result: 0 };
        let squared = c.bin(BinaryOp::Multiply, sorted, Value { node, result: 1 });
        c.out(squared);
        c.out(Value { node, result: 1 });
        c.check();
    }
}

#[test]
fn any_function_has_no_derivative() {
    let mut f = Func::new("body");
    let scalar = TensorType::scalar(DType::F64);
    let a = f.add_input("a", scalar.clone(), InputKind::Feed, Loc::UNKNOWN);
    let b = f.add_input("b", scalar, InputKind::Feed, Loc::UNKNOWN);
    let y = f.push1(Op::Binary(BinaryOp::Multiply), &[a, b], Loc::UNKNOWN).unwrap();
    f.add_output("", y);
    let mut c = Case::new();
    let (x, one) = (c.x(&[3]), c.scalar(1.0));
    let y = c.op(Op::GenericReduce { axes: Axes::from_slice(&[0]), body: Box::new(f) }, &[x, one]);
    c.out(y);
    let error = c.try_gradient().err().expect("no derivative");
    assert_eq!(error.0[0].code, "autodiff.generic_reduce");
}
