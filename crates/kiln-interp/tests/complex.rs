//! Complex functions against mpmath, special values against XLA (CPU, by way of JAX 0.10.2), conversions and comparisons.

mod common;

use common::{run, t};
use kiln_interp::scalar::{Scalar, binary, compare, convert, unary};
use kiln_ir::op::{CompareDirection, ConvDims, DotDims, Reducer, WindowDim};
use kiln_ir::{BinaryOp, Complex, DType, Op, Tensor, TensorType, UnaryOp};

fn c(re: f64, im: f64) -> Scalar {
    Scalar::C128(Complex::new(re, im))
}

fn parts(x: Scalar) -> (f64, f64) {
    match x {
        Scalar::C64(z) => (z.re.into(), z.im.into()),
        Scalar::C128(z) => (z.re, z.im),
        other => panic!("{other:?} is not complex"),
    }
}

/// Operator, operands, result.
fn table() -> Vec<(&'static str, Vec<Complex<f64>>, Complex<f64>)> {
    let lines = include_str!("fixtures/complex.txt").lines().filter(|l| !l.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let op = words.next().expect("an operator");
            let numbers: Vec<f64> =
                words.map(|w| f64::from_bits(u64::from_str_radix(w, 16).expect("hexadecimal"))).collect();
            let mut pairs: Vec<_> = numbers.chunks(2).map(|p| Complex::new(p[0], p[1])).collect();
            let result = pairs.pop().expect("a result");
            (op, pairs, result)
        })
        .collect()
}

fn apply(op: &str, x: &[Scalar]) -> Scalar {
    let result = match x {
        [x] => unary(*UnaryOp::ALL.iter().find(|u| u.name() == op).expect("a name"), *x),
        [x, y] => binary(*BinaryOp::ALL.iter().find(|u| u.name() == op).expect("a name"), *x, *y),
        _ => unreachable!("one or two operands"),
    };
    result.expect("defined")
}

/// The larger distance of the parts, in units of the last place of the larger part.
fn error(got: (f64, f64), want: (f64, f64), epsilon: f64) -> f64 {
    let larger = want.0.abs().max(want.1.abs()).max(f64::MIN_POSITIVE);
    let unit = 2f64.powi(larger.log2().floor() as i32) * epsilon;
    let part = |a: f64, b: f64| if a == b { 0.0 } else { (a - b).abs() / unit };
    part(got.0, want.0).max(part(got.1, want.1))
}

#[test]
fn functions_of_c128_are_close_to_exact() {
    let table = table();
    assert!(table.len() > 700);
    for (op, x, want) in table {
        let operands: Vec<Scalar> = x.iter().map(|z| Scalar::C128(*z)).collect();
        let got = parts(apply(op, &operands));
        let units = error(got, (want.re, want.im), f64::EPSILON);
        // A power is as sensitive to the rounding of the logarithm as that is large.
        let limit = match op {
            "power" => 3.0 + 2.0 * (x[1] * x[0].ln()).norm(),
            _ => 3.0,
        };
        assert!(
            units <= limit || want.re.is_infinite() && got.0 == want.re,
            "{op} {x:?}: {got:?}, not {want:e}: {units}"
        );
    }
}

#[test]
fn functions_of_c64_are_rounded() {
    let narrow = |z: &Complex<f64>| Complex::new(z.re as f32, z.im as f32);
    let mut count = 0;
    for (op, x, _) in table() {
        let single: Vec<Scalar> = x.iter().map(|z| Scalar::C64(narrow(z))).collect();
        let double: Vec<Scalar> = single.iter().map(|z| convert(*z, DType::C128)).collect();
        let want = parts(convert(apply(op, &double), DType::C64));
        assert!(same(apply(op, &single), want), "{op} {x:?}");
        count += 1;
    }
    assert!(count > 700);
}

/// Parts alike: NaN is NaN, and zeros may have any sign.
fn same(got: Scalar, want: (f64, f64)) -> bool {
    let (re, im) = parts(got);
    let like = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    like(re, want.0) && like(im, want.1)
}

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[test]
fn special_values_are_those_of_xla() {
    let unaries: &[(&str, &[((f64, f64), (f64, f64))])] = &[
        (
            "sign",
            &[
                ((0.0, 0.0), (0.0, 0.0)),
                ((INF, 0.0), (NAN, 0.0)),
                ((NAN, 1.0), (NAN, NAN)),
                ((-INF, 1.0), (NAN, 0.0)),
                ((1.0, INF), (0.0, NAN)),
            ],
        ),
        (
            "rsqrt",
            &[
                ((0.0, 0.0), (INF, NAN)),
                ((INF, 0.0), (0.0, 0.0)),
                ((INF, INF), (0.0, 0.0)),
                ((NAN, 1.0), (NAN, NAN)),
                ((-INF, 1.0), (0.0, 0.0)),
            ],
        ),
        (
            "sqrt",
            &[
                ((0.0, 0.0), (0.0, 0.0)),
                ((INF, 0.0), (INF, 0.0)),
                ((INF, INF), (INF, INF)),
                ((NAN, 1.0), (NAN, NAN)),
                ((-INF, 1.0), (0.0, INF)),
                ((1.0, INF), (INF, INF)),
            ],
        ),
        ("exponential", &[((INF, INF), (NAN, NAN)), ((-INF, INF), (NAN, NAN)), ((NAN, 0.0), (NAN, 0.0))]),
        (
            "tanh",
            &[((INF, INF), (1.0, 0.0)), ((NAN, 0.0), (NAN, 0.0)), ((0.0, INF), (NAN, NAN)), ((100.0, INF), (NAN, NAN))],
        ),
        ("log", &[((0.0, 0.0), (-INF, 0.0)), ((-1.0, -0.0), (0.0, -std::f64::consts::PI))]),
    ];
    for (op, cases) in unaries {
        for &((re, im), want) in *cases {
            let got = apply(op, &[c(re, im)]);
            assert!(same(got, want), "{op}({re}, {im}) = {got:?}");
        }
    }
    let binaries = [
        ("divide", (1.0, 1.0), (0.0, 0.0), (INF, INF)),
        ("divide", (0.0, 0.0), (0.0, 0.0), (NAN, NAN)),
        ("divide", (INF, 0.0), (2.0, 0.0), (INF, NAN)),
        ("divide", (1.0, 0.0), (INF, INF), (0.0, 0.0)),
        ("multiply", (INF, 0.0), (2.0, 0.0), (INF, NAN)),
        ("power", (0.0, 0.0), (0.0, 0.0), (1.0, 0.0)),
        ("power", (0.0, 0.0), (1.0, 0.0), (0.0, 0.0)),
        ("power", (0.0, 0.0), (-1.0, 0.0), (NAN, NAN)),
        ("power", (0.0, 0.0), (0.0, 1.0), (NAN, NAN)),
        ("power", (NAN, 0.0), (0.0, 0.0), (1.0, 0.0)),
        ("power", (INF, 0.0), (2.0, 0.0), (INF, 0.0)),
    ];
    for (op, x, y, want) in binaries {
        let got = apply(op, &[c(x.0, x.1), c(y.0, y.1)]);
        assert!(same(got, want), "{op} {x:?} {y:?} = {got:?}");
    }
}

#[test]
fn every_special_value_has_a_result() {
    let values = [0.0, -0.0, 1.0, -2.5, INF, -INF, NAN, 1e300, -1e-300, 5e-324];
    let all: Vec<Scalar> = values.iter().flat_map(|&re| values.map(|im| c(re, im))).collect();
    let ops: std::collections::BTreeSet<&str> = table().into_iter().map(|(op, ..)| op).collect();
    for op in ops {
        for &x in &all {
            if UnaryOp::ALL.iter().any(|u| u.name() == op) {
                apply(op, &[x]);
            } else {
                all.iter().for_each(|&y| {
                    apply(op, &[x, y]);
                });
            }
        }
    }
}

#[test]
fn branch_cuts_follow_the_sign_of_zero() {
    for side in [1.0, -1.0] {
        let zero = 0.0f64.copysign(side);
        assert_eq!(parts(apply("sqrt", &[c(-4.0, zero)])), (0.0, 2.0 * side));
        assert_eq!(parts(apply("log", &[c(-1.0, zero)])), (0.0, std::f64::consts::PI * side));
        assert!((parts(apply("log_plus_one", &[c(-3.0, zero)])).1 - std::f64::consts::PI * side).abs() < 1e-15);
    }
}

#[test]
fn absolute_values_neither_overflow_nor_underflow() {
    let abs = |re, im| unary(UnaryOp::Abs, c(re, im));
    assert_eq!(abs(3.0 * 2f64.powi(1000), -4.0 * 2f64.powi(1000)), Ok(Scalar::F64(5.0 * 2f64.powi(1000))));
    assert_eq!(abs(3.0 * 2f64.powi(-1074), 4.0 * 2f64.powi(-1074)), Ok(Scalar::F64(5.0 * 2f64.powi(-1074))));
    assert_eq!(abs(-INF, NAN), Ok(Scalar::F64(INF)));
    let single = unary(UnaryOp::Abs, Scalar::C64(Complex::new(3e30, 4e30)));
    assert_eq!(single, Ok(Scalar::F32(5e30)));
}

#[test]
fn comparisons_are_lexicographic() {
    use CompareDirection::{EQ, GE, GT, LE, LT, NE};
    let holds = |d, x, y| compare(d, x, y).expect("one type");
    let (a, b, d) = (c(1.0, 5.0), c(2.0, -1.0), c(2.0, 3.0));
    for (x, y) in [(a, b), (b, d), (a, d)] {
        assert!(holds(LT, x, y) && holds(LE, x, y) && holds(NE, x, y) && holds(GT, y, x) && holds(GE, y, x));
        assert!(!holds(EQ, x, y) && !holds(GT, x, y) && !holds(GE, x, y));
        assert_eq!(binary(BinaryOp::Maximum, x, y), Ok(y));
        assert_eq!(binary(BinaryOp::Minimum, x, y), Ok(x));
    }
    assert!(holds(EQ, a, a) && holds(LE, a, a) && holds(GE, a, a) && holds(EQ, c(0.0, -0.0), c(-0.0, 0.0)));
    let n = c(NAN, 0.0);
    assert!(holds(NE, n, n) && ![EQ, LT, LE, GT, GE].iter().any(|d| holds(*d, n, a) || holds(*d, a, n)));
    // A smaller real part decides whatever the imaginary parts are.
    assert!(holds(LT, c(1.0, NAN), c(2.0, 0.0)) && !holds(LT, c(1.0, NAN), c(1.0, 0.0)));
    for op in [BinaryOp::Maximum, BinaryOp::Minimum] {
        assert!(same(binary(op, a, c(7.0, NAN)).expect("defined"), (7.0, NAN)));
        assert!(same(binary(op, c(NAN, 1.0), a).expect("defined"), (NAN, 1.0)));
    }
}

#[test]
fn conversions_keep_the_real_part() {
    let z = c(-2.75, 9.0);
    assert_eq!(convert(z, DType::F32), Scalar::F32(-2.75));
    assert_eq!(convert(z, DType::I8), Scalar::I8(-2));
    assert_eq!(convert(z, DType::C64), Scalar::C64(Complex::new(-2.75, 9.0)));
    assert_eq!(convert(Scalar::I32(3), DType::C64), Scalar::C64(Complex::new(3.0, 0.0)));
    for (re, im, truth) in [(0.0, 0.0, false), (0.0, 1.0, false), (1.0, 0.0, true), (NAN, 0.0, true)] {
        assert_eq!(convert(c(re, im), DType::Bool), Scalar::Bool(truth));
    }
}

/// Complex tensors from small whole numbers.
fn z(shape: &[usize], values: &[(i32, i32)]) -> Tensor {
    t(shape, &values.iter().map(|&(re, im)| Complex::new(f64::from(re), f64::from(im))).collect::<Vec<_>>())
}

#[test]
fn tensors_of_complex_numbers() {
    let x = z(&[2, 2], &[(1, 2), (3, -1), (0, 4), (-2, 2)]);
    let one = std::slice::from_ref(&x);
    let (re, im) = (run(Op::Real, one), run(Op::Imag, one));
    assert_eq!(re.as_slice::<f64>().unwrap(), [1.0, 3.0, 0.0, -2.0]);
    assert_eq!(im.as_slice::<f64>().unwrap(), [2.0, -1.0, 4.0, 2.0]);
    assert_eq!(run(Op::Complex, &[re, im]), x);
    assert_eq!(run(Op::Unary(UnaryOp::Abs), &[z(&[1], &[(3, -4)])]), t(&[1], &[5.0f64]));
    let transposed = run(Op::Transpose([1, 0].into_iter().collect()), one);
    assert_eq!(transposed, z(&[2, 2], &[(1, 2), (0, 4), (3, -1), (-2, 2)]));
    let iota = run(Op::Iota { ty: TensorType::new(DType::C64, [3]), dim: 0 }, &[]);
    assert_eq!(common::numbers(&iota), [0.0, 1.0, 2.0]);
    let padded = run(
        Op::Pad {
            low: [1.into()].into_iter().collect(),
            high: [0.into()].into_iter().collect(),
            interior: [1].into_iter().collect(),
        },
        &[z(&[2], &[(1, 2), (3, 4)]), z(&[], &[(9, 9)])],
    );
    assert_eq!(padded, z(&[4], &[(9, 9), (1, 2), (9, 9), (3, 4)]));
    let clamped = run(Op::Clamp, &[z(&[], &[(0, 0)]), x.clone(), z(&[], &[(2, 0)])]);
    assert_eq!(clamped, z(&[2, 2], &[(1, 2), (2, 0), (0, 4), (0, 0)]));
    for (reducer, want) in [
        (Reducer::Add, [(4, 1), (-2, 6)]),
        (Reducer::Multiply, [(5, 5), (-8, -8)]),
        (Reducer::Maximum, [(3, -1), (0, 4)]),
        (Reducer::Minimum, [(1, 2), (-2, 2)]),
    ] {
        let init = match reducer {
            Reducer::Multiply => z(&[], &[(1, 0)]),
            Reducer::Add => z(&[], &[(0, 0)]),
            Reducer::Maximum => z(&[], &[(-100, 0)]),
            _ => z(&[], &[(100, 0)]),
        };
        let op = Op::Reduce { axes: [1].into_iter().collect(), reducer };
        assert_eq!(run(op, &[x.clone(), init]), z(&[2], &want), "{reducer:?}");
    }
}

#[test]
fn products_of_complex_tensors() {
    let dims = DotDims {
        lhs_contract: [1].into_iter().collect(),
        rhs_contract: [0].into_iter().collect(),
        ..Default::default()
    };
    let a = z(&[2, 2], &[(1, 2), (3, -1), (0, 4), (-2, 2)]);
    let b = z(&[2, 1], &[(1, -1), (2, 3)]);
    assert_eq!(run(Op::DotGeneral(dims), &[a, b]), z(&[2, 1], &[(12, 8), (-6, 2)]));
    let conv = ConvDims {
        input_batch: 0,
        input_feature: 1,
        input_spatial: [2].into_iter().collect(),
        kernel_input_feature: 1,
        kernel_output_feature: 0,
        kernel_spatial: [2].into_iter().collect(),
        output_batch: 0,
        output_feature: 1,
        output_spatial: [2].into_iter().collect(),
        window: [WindowDim { size: 2, ..WindowDim::TRIVIAL }].into_iter().collect(),
        feature_group_count: 1,
        batch_group_count: 1,
    };
    let x = z(&[1, 1, 3], &[(1, 1), (2, 0), (0, -1)]);
    let k = z(&[1, 1, 2], &[(0, 1), (1, 0)]);
    assert_eq!(run(Op::Convolution(Box::new(conv)), &[x, k]), z(&[1, 1, 2], &[(1, 1), (0, 1)]));
}
