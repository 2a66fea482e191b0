//! Fourier transforms against pocketfft in 80 bits, triangular solves against XLA, Cholesky factors against LAPACK.

mod common;

use common::{run, t};
use kiln_ir::op::{FftKind, TransposeKind};
use kiln_ir::{Complex, DType, Op, Tensor};

fn lines(first: &'static [&'static str]) -> impl Iterator<Item = Vec<&'static str>> {
    let all = include_str!("fixtures/linalg.txt").lines().map(|l| l.split(' ').collect::<Vec<_>>());
    all.filter(move |w| first.contains(&w[0]))
}

fn numbers(words: &[&str]) -> Vec<f64> {
    words.iter().map(|w| w.parse().expect("a number")).collect()
}

fn sizes(word: &str) -> Vec<usize> {
    word.split(',').map(|n| n.parse().expect("a size")).collect()
}

/// The operands of the table: `((7919 i + 13) mod 1009) / 512 - 1`, for complex numbers part by part.
fn operand(dtype: DType, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product::<usize>() * if dtype.is_complex() { 2 } else { 1 };
    tensor(dtype, shape, &(0..n).map(|i| ((i * 7919 + 13) % 1009) as f64 / 512.0 - 1.0).collect::<Vec<_>>())
}

fn tensor(dtype: DType, shape: &[usize], parts: &[f64]) -> Tensor {
    let single: Vec<f32> = parts.iter().map(|&x| x as f32).collect();
    let bytes = if matches!(dtype, DType::F32 | DType::C64) {
        kiln_ir::tensor::as_bytes(&single)
    } else {
        kiln_ir::tensor::as_bytes(parts)
    };
    Tensor::from_bytes(dtype, shape, bytes).expect("the length fits")
}

/// All parts as f64.
fn parts(x: &Tensor) -> Vec<f64> {
    match x.dtype() {
        DType::F32 => x.to_vec::<f32>().expect("f32").into_iter().map(f64::from).collect(),
        DType::F64 => x.to_vec().expect("f64"),
        DType::C64 => {
            x.as_slice::<Complex<f32>>().expect("c64").iter().flat_map(|z| [z.re.into(), z.im.into()]).collect()
        }
        DType::C128 => x.as_slice::<Complex<f64>>().expect("c128").iter().flat_map(|z| [z.re, z.im]).collect(),
        other => panic!("{other}"),
    }
}

/// The same bytes with real and imaginary part in a last dimension, and back.
fn interleave(x: &Tensor) -> Tensor {
    let shape: Vec<usize> = x.shape().iter().copied().chain([2]).collect();
    Tensor::from_bytes(x.dtype().real_type(), shape, x.bytes()).expect("the same bytes")
}

fn near(what: &str, got: &Tensor, want: &[f64], tolerance: f64) {
    let got = parts(got);
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tolerance * size, "{what}: part {i} is {a}, not {b}");
    }
}

#[test]
fn transforms_are_those_of_pocketfft() {
    let mut count = 0;
    for words in lines(&["fft", "ifft", "rfft", "irfft"]) {
        let kind = *FftKind::ALL.iter().find(|k| k.name() == words[0]).expect("a kind");
        let (shape, want) = (sizes(words[1]), numbers(&words[4..]));
        let length = sizes(words[2]).iter().map(|&n| n as i64).collect();
        let what = words[..3].join(" ");
        let op = |interleaved| Op::Fft { kind, length: Clone::clone(&length), interleaved };
        // 16 roundings of the largest part: the sizes are at most 134.
        for (real, complex, tolerance) in [(DType::F64, DType::C128, 2e-15), (DType::F32, DType::C64, 1.2e-7)] {
            let x = operand(if kind == FftKind::Rfft { real } else { complex }, &shape);
            let y = run(op(false), std::slice::from_ref(&x));
            assert_eq!(y.shape(), sizes(words[3]), "{what}");
            near(&what, &y, &want, tolerance);
            let pairs = if kind == FftKind::Rfft { x } else { interleave(&x) };
            let y = if kind == FftKind::Irfft { y } else { interleave(&y) };
            assert_eq!(run(op(true), &[pairs]), y, "{what}");
        }
        count += 1;
    }
    assert_eq!(count, 20);
}

#[test]
fn the_parts_of_real_frequencies_do_not_matter() {
    let op = |n: i64| Op::Fft { kind: FftKind::Irfft, length: [n].into_iter().collect(), interleaved: false };
    let c = |v: &[(f64, f64)]| t(&[v.len()], &v.iter().map(|&(re, im)| Complex::new(re, im)).collect::<Vec<_>>());
    let with = run(op(4), &[c(&[(1.0, 9.0), (2.0, -1.0), (3.0, 7.0)])]);
    assert_eq!(with, run(op(4), &[c(&[(1.0, 0.0), (2.0, -1.0), (3.0, 0.0)])]));
    assert_eq!(with.as_slice::<f64>().unwrap(), [2.0, 0.0, 0.0, -1.0]);
}

#[test]
fn long_transforms_invert() {
    // A prime beyond the sums of the definition, and sizes that halve down to it.
    for n in [1009usize, 2 * 1009, 1 << 12] {
        let x = operand(DType::C128, &[n]);
        let op = |kind| Op::Fft { kind, length: [n as i64].into_iter().collect(), interleaved: false };
        let there = run(op(FftKind::Fft), std::slice::from_ref(&x));
        let sum: f64 = parts(&x).iter().step_by(2).sum();
        assert!((parts(&there)[0] - sum).abs() < 1e-11);
        near("back", &run(op(FftKind::Ifft), &[there]), &parts(&x), 1e-14);
    }
}

#[test]
fn triangular_solves_are_those_of_xla() {
    let mut count = 0;
    for words in lines(&["solve"]) {
        let [left_side, lower, unit_diagonal] = [words[2], words[3], words[4]].map(|w| w == "True");
        let transpose_a = *TransposeKind::ALL.iter().find(|k| k.name() == words[5]).expect("a kind");
        let want = numbers(&words[6..]);
        let op = |interleaved| Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, interleaved };
        let dtype: DType = words[1].parse().expect("a dtype");
        let mut a = parts(&operand(dtype, &[2, 4, 4]));
        let width = if dtype.is_complex() { 2 } else { 1 };
        for i in 0..8 {
            a[(i * 4 + i % 4) * width] += 2.0;
        }
        let b = operand(dtype, if left_side { &[2, 4, 3] } else { &[2, 2, 4] });
        let a = tensor(dtype, &[2, 4, 4], &a);
        let x = run(op(false), &[a.clone(), b.clone()]);
        near(&words[..6].join(" "), &x, &want, 1e-13);
        if dtype.is_complex() {
            assert_eq!(run(op(true), &[interleave(&a), interleave(&b)]), interleave(&x));
        }
        let single =
            |x: &Tensor| tensor(if dtype.is_complex() { DType::C64 } else { DType::F32 }, x.shape(), &parts(x));
        near("in f32", &run(op(false), &[single(&a), single(&b)]), &want, 1e-5);
        count += 1;
    }
    assert_eq!(count, 48);
}

#[test]
fn cholesky_factors_are_those_of_lapack() {
    for words in lines(&["cholesky"]) {
        let dtype: DType = words[1].parse().expect("a dtype");
        let all = numbers(&words[2..]);
        let (given, want) = all.split_at(all.len() / 2);
        // Only the lower triangle is read.
        let width = if dtype.is_complex() { 2 } else { 1 };
        let mut low = given.to_vec();
        for (i, j) in (0..5).flat_map(|i| (i + 1..5).map(move |j| (i, j))) {
            low[(i * 5 + j) * width..][..width].fill(f64::NAN);
        }
        let a = tensor(dtype, &[1, 5, 5], &low);
        let l = run(Op::Cholesky { lower: true, interleaved: false }, std::slice::from_ref(&a));
        near("lower", &l, want, 1e-14);
        if dtype.is_complex() {
            let op = Op::Cholesky { lower: true, interleaved: true };
            assert_eq!(run(op, &[interleave(&a)]), interleave(&l));
        }
        // u = l^H of the whole (Hermitian) matrix.
        let u = run(Op::Cholesky { lower: false, interleaved: false }, &[tensor(dtype, &[1, 5, 5], given)]);
        let (u, l) = (parts(&u), parts(&l));
        for (i, j) in (0..5).flat_map(|i| (0..5).map(move |j| (i, j))) {
            for part in 0..width {
                let [x, y] = [u[(i * 5 + j) * width + part], l[(j * 5 + i) * width + part]];
                let y = if part == 1 { -y } else { y };
                assert!((x - y).abs() < 1e-14, "{dtype} {i} {j}: {x} {y}");
            }
        }
    }
}

#[test]
fn matrices_without_a_factor_give_nan() {
    let a = t(&[2, 2, 2], &[1.0f32, 2.0, 2.0, 1.0, 4.0, 2.0, 2.0, 2.0]);
    let l = run(Op::Cholesky { lower: true, interleaved: false }, std::slice::from_ref(&a)).to_vec::<f32>().unwrap();
    assert!(l[0].is_nan() && l[1] == 0.0 && l[2].is_nan() && l[3].is_nan(), "{l:?}");
    assert_eq!(l[4..], [2.0, 0.0, 1.0, 1.0]);
    let u = run(Op::Cholesky { lower: false, interleaved: false }, &[a]).to_vec::<f32>().unwrap();
    assert!(u[0].is_nan() && u[1].is_nan() && u[2] == 0.0 && u[3].is_nan(), "{u:?}");
    assert_eq!(u[4..], [2.0, 1.0, 0.0, 1.0]);
}

#[test]
fn empty_and_singular_systems() {
    let op = |unit_diagonal| Op::TriangularSolve {
        left_side: true,
        lower: true,
        unit_diagonal,
        transpose_a: TransposeKind::NoTranspose,
        interleaved: false,
    };
    let a = t(&[2, 2], &[0.0f32, 7.0, 1.0, 2.0]);
    let x = run(op(false), &[a.clone(), t(&[2, 1], &[1.0f32, 1.0])]).to_vec::<f32>().unwrap();
    assert_eq!(x, [f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(run(op(true), &[a, t(&[2, 1], &[1.0f32, 1.0])]).to_vec::<f32>().unwrap(), [1.0, 0.0]);
    assert_eq!(run(op(false), &[t::<f32>(&[3, 0, 0], &[]), t::<f32>(&[3, 0, 5], &[])]).shape(), [3, 0, 5]);
    assert_eq!(run(op(false), &[t(&[2, 2], &[1.0f32; 4]), t::<f32>(&[2, 0], &[])]).shape(), [2, 0]);
    let none = run(Op::Cholesky { lower: true, interleaved: false }, &[t::<f64>(&[4, 0, 0], &[])]);
    assert_eq!(none.shape(), [4, 0, 0]);
}
