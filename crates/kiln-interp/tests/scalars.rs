//! Scalar semantics against other people's numbers: XLA (CPU, by way of JAX 0.10.2) for integers and conversions, mpmath with
//! 400 bits for functions, the StableHLO specification and its interpreter's tests for the rest.

mod common;

use half::{bf16, f16};
use kiln_interp::scalar::lane::Lane;
use kiln_interp::scalar::{Scalar, ScalarError, binary, compare, convert, math, unary};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, UnaryOp};

fn ulps(a: f64, b: f64) -> u64 {
    (a.to_bits() as i64).abs_diff(b.to_bits() as i64)
}

#[test]
fn erf_is_within_one_ulp() {
    let table = [
        (1e-310, 1.1283791670955e-310),
        (1e-09, 1.1283791670955127e-09),
        (3e-05, 3.385137500270997e-05),
        (0.1, 0.1124629160182849),
        (0.5, 0.5204998778130465),
        (0.84, 0.7651427114549945),
        (0.8437499, 0.7672256058623131),
        (0.844, 0.7673640570940911),
        (1.0, 0.8427007929497149),
        (1.2, 0.9103139782296353),
        (1.2499, 0.922876473187532),
        (1.25, 0.9229001282564583),
        (1.5, 0.9661051464753108),
        (2.0, 0.9953222650189527),
        (2.5, 0.999593047982555),
        (2.857, 0.9999466417399131),
        (2.86, 0.9999475988269556),
        (3.3, 0.9999969422902035),
        (4.0, 0.9999999845827421),
        (4.7, 0.9999999999700474),
        (5.3, 0.9999999999999338),
        (5.9, 0.9999999999999999),
        (-0.7, -0.6778011938374184),
        (-1.1, -0.8802050695740817),
        (-2.2, -0.9981371537020182),
        (-3.9, -0.9999999652077514),
    ];
    for (x, want) in table {
        assert!(ulps(math::erf(x), want) <= 1, "erf({x}) = {}, expected {want}", math::erf(x));
    }
    assert_eq!(math::erf(-0.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!((math::erf(7.0), math::erf(f64::NEG_INFINITY)), (1.0, -1.0));
    assert!(math::erf(f64::NAN).is_nan());
}

#[test]
fn cbrt_is_rounded_correctly() {
    let table = [
        (2.0, 1.2599210498948732),
        (-2.0, -1.2599210498948732),
        (3.0, 1.4422495703074083),
        (0.1, 0.4641588833612779),
        (1e-20, 2.1544346900318838e-07),
        (7.5e50, 9.085602964160698e16),
        (123456.789, 49.793385921817446),
        (-9.999e-90, -2.1543628731482666e-30),
    ];
    for (x, want) in table {
        assert_eq!(math::cbrt(x), want, "cbrt({x})");
    }
    assert_eq!(math::cbrt(-0.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!(math::cbrt(f64::INFINITY), f64::INFINITY);
}

#[test]
fn f32_functions_are_rounded_correctly() {
    // Bits of argument and correctly rounded result.
    let table: &[(UnaryOp, &[(u32, u32)])] = &[
        (
            UnaryOp::Exponential,
            &[
                (0xc2ae999a, 0x84c38b),
                (0xba83126f, 0x3f7fbe7f),
                (0x322bcc77, 0x3f800000),
                (0x3f333333, 0x4000e153),
                (0x4121999a, 0x46be2e0a),
                (0x42b16666, 0x7f7a37fc),
            ],
        ),
        (
            UnaryOp::ExponentialMinusOne,
            &[
                (0xc1a00000, 0xbf800000),
                (0xba83126f, 0xba8301a9),
                (0x322bcc77, 0x322bcc77),
                (0x3f333333, 0x3f81c2a6),
                (0x4121999a, 0x46be2c0a),
            ],
        ),
        (
            UnaryOp::Log,
            &[
                (0x116c2, 0xc2b834f2),
                (0x3a83126f, 0xc0dd0c55),
                (0x3f7fbe77, 0xba8322ca),
                (0x3fc00000, 0x3ecf991f),
                (0x7149f2ca, 0x428a27b5),
            ],
        ),
        (
            UnaryOp::LogPlusOne,
            &[(0xbf7fbe77, 0xc0dd0c70), (0xb727c5ac, 0xb727c5e3), (0x3089705f, 0x3089705f), (0x40400000, 0x3fb17218)],
        ),
        (
            UnaryOp::Sine,
            &[
                (0x3727c5ac, 0x3727c5ac),
                (0x40490fdb, 0xb3bbbd2e),
                (0x42c80000, 0xbf01a12e),
                (0x501502f9, 0xbef99a64),
                (0xfd967699, 0x3f6ff5eb),
            ],
        ),
        (
            UnaryOp::Cosine,
            &[(0x3fc90fdb, 0xb33bbd2e), (0x42c80000, 0x3f5cc0ee), (0x501502f9, 0x3f5f84c5), (0xfd967699, 0x3eb26169)],
        ),
        (UnaryOp::Tan, &[(0x3fc90fdb, 0xcbae8a4a), (0x3e99999a, 0x3e9e6153), (0x501502f9, 0xbf0ef000)]),
        (
            UnaryOp::Tanh,
            &[(0x3727c5ac, 0x3727c5ac), (0x3e99999a, 0x3e9526ee), (0xc0000000, 0xbf76ca83), (0x41080000, 0x3f7fffff)],
        ),
        (
            UnaryOp::Logistic,
            &[
                (0xc2c80000, 0x1b),
                (0xc1a00000, 0x310da433),
                (0xbdcccccd, 0x3ef335ee),
                (0x40400000, 0x3f73dbe6),
                (0x418c0000, 0x3f800000),
            ],
        ),
        (
            UnaryOp::Erf,
            &[
                (0x3727c5ac, 0x373d4f84),
                (0x3e99999a, 0x3ea841c5),
                (0x3f8ccccd, 0x3f61551f),
                (0xc00ccccd, 0xbf7f85eb),
                (0x40733333, 0x3f7fffff),
            ],
        ),
        (UnaryOp::Cbrt, &[(0x40000000, 0x3fa14518), (0xc0533333, 0xbfbe912e), (0x116c2, 0x295109c8)]),
        (
            UnaryOp::Rsqrt,
            &[(0x40000000, 0x3f3504f3), (0x40400000, 0x3f13cd3a), (0x116c2, 0x60ad790a), (0x72b0b471, 0x25d9e1b6)],
        ),
        (
            UnaryOp::Sqrt,
            &[(0x40000000, 0x3fb504f3), (0x40400000, 0x3fddb3d7), (0x116c2, 0x1e3ce4e7), (0x72b0b471, 0x591664c0)],
        ),
    ];
    for (op, cases) in table {
        for &(x, want) in *cases {
            let got = unary(*op, Scalar::F32(f32::from_bits(x)));
            assert_eq!(got, Ok(Scalar::F32(f32::from_bits(want))), "{} of {}", op.name(), f32::from_bits(x));
        }
    }
}

fn i8s(op: BinaryOp, want: [i8; 8]) {
    let a = [7, -7, -128, -128, 0, 5, 127, -1];
    let b = [0, 0, -1, 3, 0, -3, 2, -128];
    for i in 0..8 {
        assert_eq!(
            binary(op, Scalar::I8(a[i]), Scalar::I8(b[i])),
            Ok(Scalar::I8(want[i])),
            "{} {} {}",
            a[i],
            op.name(),
            b[i]
        );
    }
}

fn u8s(op: BinaryOp, want: [u8; 4]) {
    let (a, b) = ([7, 255, 128, 200], [0, 255, 9, 7]);
    for i in 0..4 {
        assert_eq!(
            binary(op, Scalar::U8(a[i]), Scalar::U8(b[i])),
            Ok(Scalar::U8(want[i])),
            "{} {} {}",
            a[i],
            op.name(),
            b[i]
        );
    }
}

#[test]
fn integer_corner_cases_are_those_of_xla() {
    i8s(BinaryOp::Divide, [-1, -1, -128, -42, -1, -1, 63, 0]);
    i8s(BinaryOp::Remainder, [7, -7, 0, -2, 0, 2, 1, -1]);
    i8s(BinaryOp::ShiftLeft, [7, -7, 0, 0, 0, 0, -4, 0]);
    i8s(BinaryOp::ShiftRightArithmetic, [7, -7, -1, -16, 0, 0, 31, -1]);
    i8s(BinaryOp::ShiftRightLogical, [7, -7, 0, 16, 0, 0, 31, 0]);
    u8s(BinaryOp::Divide, [255, 1, 14, 28]);
    u8s(BinaryOp::Remainder, [7, 0, 2, 4]);
    u8s(BinaryOp::ShiftLeft, [7, 0, 0, 0]);
    u8s(BinaryOp::ShiftRightArithmetic, [7, 255, 255, 255]);
    u8s(BinaryOp::ShiftRightLogical, [7, 0, 0, 1]);
}

#[test]
fn integer_arithmetic_wraps() {
    let add = |a: i16, b: i16| binary(BinaryOp::Add, Scalar::I16(a), Scalar::I16(b));
    assert_eq!(add(i16::MAX, 1), Ok(Scalar::I16(i16::MIN)));
    assert_eq!(add(-129, -129), Ok(Scalar::I16(-258)));
    let mul = |a: i16, b: i16| binary(BinaryOp::Multiply, Scalar::I16(a), Scalar::I16(b));
    assert_eq!((mul(128, 128), mul(-129, -129)), (Ok(Scalar::I16(16384)), Ok(Scalar::I16(16641))));
    assert_eq!(binary(BinaryOp::Multiply, Scalar::U16(256), Scalar::U16(256)), Ok(Scalar::U16(0)));
    assert_eq!(binary(BinaryOp::Subtract, Scalar::U32(0), Scalar::U32(1)), Ok(Scalar::U32(u32::MAX)));
    assert_eq!(unary(UnaryOp::Negate, Scalar::U8(1)), Ok(Scalar::U8(255)));
    assert_eq!(unary(UnaryOp::Abs, Scalar::I64(i64::MIN)), Ok(Scalar::I64(i64::MIN)));
    assert_eq!(binary(BinaryOp::Divide, Scalar::I64(i64::MIN), Scalar::I64(-1)), Ok(Scalar::I64(i64::MIN)));
    assert_eq!(binary(BinaryOp::Remainder, Scalar::I64(i64::MIN), Scalar::I64(-1)), Ok(Scalar::I64(0)));
    assert_eq!(binary(BinaryOp::Divide, Scalar::U64(17), Scalar::U64(0)), Ok(Scalar::U64(u64::MAX)));
}

#[test]
fn division_truncates_and_remainder_follows_the_dividend() {
    for (a, b, quotient, rest) in [(17, 3, 5, 2), (-17, 3, -5, -2), (17, -3, -5, 2), (-17, -3, 5, -2)] {
        assert_eq!(binary(BinaryOp::Divide, Scalar::I64(a), Scalar::I64(b)), Ok(Scalar::I64(quotient)));
        assert_eq!(binary(BinaryOp::Remainder, Scalar::I64(a), Scalar::I64(b)), Ok(Scalar::I64(rest)));
    }
    for (a, b, rest) in
        [(17.1, 3.0, 2.1000000000000014), (-17.1, 3.0, -2.1000000000000014), (17.1, -3.0, 2.1000000000000014)]
    {
        assert_eq!(binary(BinaryOp::Remainder, Scalar::F64(a), Scalar::F64(b)), Ok(Scalar::F64(rest)));
    }
}

#[test]
fn integer_power() {
    let cases =
        [(2, -1, 0), (-2, -3, 0), (1, -5, 1), (-1, -4, 1), (-1, -3, -1), (0, -2, -1), (0, 0, 1), (3, 19, 1162261467)];
    for (x, y, want) in cases {
        assert_eq!(binary(BinaryOp::Power, Scalar::I32(x), Scalar::I32(y)), Ok(Scalar::I32(want)), "{x}^{y}");
    }
    assert_eq!(binary(BinaryOp::Power, Scalar::I32(3), Scalar::I32(21)), Ok(Scalar::I32(3i32.wrapping_pow(21))));
    assert_eq!(binary(BinaryOp::Power, Scalar::I8(3), Scalar::I8(127)), Ok(Scalar::I8(3i8.wrapping_pow(127))));
    assert_eq!(binary(BinaryOp::Power, Scalar::U64(3), Scalar::U64(u64::MAX)), Ok(Scalar::U64(12297829382473034411)));
}

#[test]
fn bits_are_counted() {
    for (x, zeros, ones) in [(0i64, 64, 0), (1, 63, 1), (128, 56, 1), (-1, 0, 64)] {
        assert_eq!(unary(UnaryOp::CountLeadingZeros, Scalar::I64(x)), Ok(Scalar::I64(zeros)));
        assert_eq!(unary(UnaryOp::Popcnt, Scalar::I64(x)), Ok(Scalar::I64(ones)));
    }
    assert_eq!(unary(UnaryOp::CountLeadingZeros, Scalar::U8(1)), Ok(Scalar::U8(7)));
    assert_eq!(unary(UnaryOp::Not, Scalar::I8(5)), Ok(Scalar::I8(-6)));
    assert_eq!(unary(UnaryOp::Not, Scalar::Bool(true)), Ok(Scalar::Bool(false)));
}

#[test]
fn bool_arithmetic_is_logical() {
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        let f = |op| binary(op, Scalar::Bool(a), Scalar::Bool(b));
        assert_eq!(f(BinaryOp::Add), Ok(Scalar::Bool(a | b)));
        assert_eq!(f(BinaryOp::Maximum), Ok(Scalar::Bool(a | b)));
        assert_eq!(f(BinaryOp::Multiply), Ok(Scalar::Bool(a & b)));
        assert_eq!(f(BinaryOp::Minimum), Ok(Scalar::Bool(a & b)));
        assert_eq!(f(BinaryOp::Xor), Ok(Scalar::Bool(a ^ b)));
        assert!(f(BinaryOp::Subtract).is_err());
    }
}

#[test]
fn maximum_and_minimum_order_zeros_and_propagate_nan() {
    let max = |a: f32, b: f32| binary(BinaryOp::Maximum, Scalar::F32(a), Scalar::F32(b)).unwrap();
    let min = |a: f32, b: f32| binary(BinaryOp::Minimum, Scalar::F32(a), Scalar::F32(b)).unwrap();
    for (a, b) in [(0.0, -0.0), (-0.0, 0.0)] {
        assert!(matches!(max(a, b), Scalar::F32(z) if z.to_bits() == 0));
        assert!(matches!(min(a, b), Scalar::F32(z) if z.to_bits() == 1 << 31));
    }
    for (a, b) in [(f32::NAN, 1.0), (1.0, f32::NAN), (f32::NAN, f32::INFINITY)] {
        assert!(max(a, b).to_f64().is_nan() && min(a, b).to_f64().is_nan());
    }
    let tiny = bf16::from_bits(0x8001);
    assert_eq!(binary(BinaryOp::Maximum, Scalar::BF16(bf16::NEG_ONE), Scalar::BF16(tiny)), Ok(Scalar::BF16(tiny)));
}

#[test]
fn rounding_and_sign() {
    for (x, away, even, floor, ceil) in [
        (-2.5, -3.0, -2.0, -3.0, -2.0),
        (0.4, 0.0, 0.0, 0.0, 1.0),
        (0.5, 1.0, 0.0, 0.0, 1.0),
        (0.6, 1.0, 1.0, 0.0, 1.0),
        (2.5, 3.0, 2.0, 2.0, 3.0),
        (0.49999999999999994, 0.0, 0.0, 0.0, 1.0),
    ] {
        let f = |op| unary(op, Scalar::F64(x)).unwrap().to_f64();
        assert_eq!((f(UnaryOp::RoundNearestAfz), f(UnaryOp::RoundNearestEven)), (away, even), "{x}");
        assert_eq!((f(UnaryOp::Floor), f(UnaryOp::Ceil)), (floor, ceil), "{x}");
    }
    let sign = |x: f64| unary(UnaryOp::Sign, Scalar::F64(x)).unwrap().to_f64();
    assert!(sign(f64::NAN).is_nan());
    assert_eq!(
        [sign(-7.0).to_bits(), sign(-0.0).to_bits(), sign(0.0).to_bits(), sign(1e-300).to_bits()],
        [-1.0f64, -0.0, 0.0, 1.0].map(f64::to_bits)
    );
    assert_eq!(unary(UnaryOp::Sign, Scalar::I8(-128)), Ok(Scalar::I8(-1)));
}

#[test]
fn sixteen_bit_floats_round_after_every_operator() {
    // Arguments and results (bits) of the StableHLO interpreter's tests.
    let third = bf16::from_f32(0.1);
    let bf = |op, x: bf16| unary(op, Scalar::BF16(x));
    assert_eq!(bf(UnaryOp::Tanh, bf16::ONE), Ok(Scalar::BF16(bf16::from_f32(0.761718))));
    assert_eq!(bf(UnaryOp::Tanh, third), Ok(Scalar::BF16(bf16::from_f32(0.0996093))));
    assert_eq!(bf(UnaryOp::Sine, bf16::from_f32(3.14063)), Ok(Scalar::BF16(bf16::from_f32(9.68933e-4))));
    assert_eq!(bf(UnaryOp::Cosine, third), Ok(Scalar::BF16(bf16::from_f32(0.996093))));
    assert_eq!(bf(UnaryOp::Tanh, bf16::from_bits(0x8001)), Ok(Scalar::BF16(bf16::from_bits(0x8001))));
    let half = |op, x: f16| unary(op, Scalar::F16(x));
    assert_eq!(half(UnaryOp::Sine, f16::ONE), Ok(Scalar::F16(f16::from_f32(0.841308))));
    assert_eq!(half(UnaryOp::Cosine, f16::ONE), Ok(Scalar::F16(f16::from_f32(0.540527))));
    assert_eq!(half(UnaryOp::Floor, f16::from_bits(0x8001)), Ok(Scalar::F16(f16::NEG_ONE)));
    assert!(matches!(half(UnaryOp::Sine, f16::INFINITY), Ok(Scalar::F16(x)) if x.is_nan()));
    let add = binary(BinaryOp::Add, Scalar::F16(f16::from_f32(2048.0)), Scalar::F16(f16::ONE));
    assert_eq!(add, Ok(Scalar::F16(f16::from_f32(2048.0))));
    let big = Scalar::F16(f16::MAX);
    assert_eq!(binary(BinaryOp::Add, big, big), Ok(Scalar::F16(f16::INFINITY)));
}

#[test]
fn float_power_and_logistic_edges() {
    let pow = |x: f64, y: f64| binary(BinaryOp::Power, Scalar::F64(x), Scalar::F64(y)).unwrap().to_f64();
    assert_eq!([pow(-2.0, 2.0), pow(-0.0, 2.0), pow(3.0, -1.0), pow(0.0, 0.0)], [4.0, 0.0, 1.0 / 3.0, 1.0]);
    assert!(pow(-36.0, 1.1).is_nan());
    assert!((pow(1e4, 10.0) / 1e40 - 1.0).abs() < 1e-15);
    assert_eq!((math::logistic(-1000.0), math::logistic(1000.0), math::logistic(0.0)), (0.0, 1.0, 0.5));
    // exp(-740) is subnormal: 1 / (1 + exp(740)) would have overflowed to 0.
    assert!(math::logistic(-740.0) > 0.0);
    assert!(math::logistic(f64::NAN).is_nan());
}

#[test]
fn comparisons_follow_ieee() {
    use CompareDirection::{EQ, GE, GT, LE, LT, NE};
    let f = |d, a: f64, b: f64| compare(d, Scalar::F64(a), Scalar::F64(b)).unwrap();
    let nan = f64::NAN;
    assert!(!f(EQ, nan, nan) && f(NE, nan, nan) && !f(GE, nan, 1.0) && !f(LT, 1.0, nan));
    assert!(f(EQ, 0.0, -0.0) && !f(NE, 0.0, -0.0) && f(GE, -0.0, 0.0) && !f(GT, 0.0, -0.0));
    assert!(f(LE, f64::NEG_INFINITY, f64::INFINITY));
    assert_eq!(compare(LT, Scalar::U8(1), Scalar::U8(255)), Ok(true));
    assert_eq!(compare(LT, Scalar::I8(1), Scalar::I8(-1)), Ok(false));
    assert_eq!(compare(LT, Scalar::Bool(false), Scalar::Bool(true)), Ok(true));
}

/// Checks a conversion against XLA's results.
fn converts<A: Lane + Into<Scalar>, B: Lane + Into<Scalar>>(from: &[A], to: &[B]) {
    for (&x, &want) in from.iter().zip(to) {
        assert_eq!(convert(x.into(), B::DTYPE), want.into(), "{x:?} as {}", B::DTYPE);
    }
}

#[test]
fn float_to_integer_truncates_and_saturates() {
    let x =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 300.7, -300.7, -0.9, 127.5, 2147483648.0, -1e30, 9.3e18, 1.9e19];
    converts::<f32, i8>(&x, &[0, 127, -128, 127, -128, 0, 127, 127, -128, 127, 127]);
    converts::<f32, i16>(&x, &[0, 32767, -32768, 300, -300, 0, 127, 32767, -32768, 32767, 32767]);
    converts::<f32, i32>(
        &x,
        &[0, 2147483647, -2147483648, 300, -300, 0, 127, 2147483647, -2147483648, 2147483647, 2147483647],
    );
    converts::<f32, i64>(
        &x,
        &[
            0,
            9223372036854775807,
            -9223372036854775808,
            300,
            -300,
            0,
            127,
            2147483648,
            -9223372036854775808,
            9223372036854775807,
            9223372036854775807,
        ],
    );
    converts::<f32, u8>(&x, &[0, 255, 0, 255, 0, 0, 127, 255, 0, 255, 255]);
    converts::<f32, u16>(&x, &[0, 65535, 0, 300, 0, 0, 127, 65535, 0, 65535, 65535]);
    converts::<f32, u32>(&x, &[0, 4294967295, 0, 300, 0, 0, 127, 2147483648, 0, 4294967295, 4294967295]);
    converts::<f32, u64>(
        &x,
        &[0, 18446744073709551615, 0, 300, 0, 0, 127, 2147483648, 0, 9300000300729368576, 18446744073709551615],
    );
    converts::<f32, bool>(&[f32::NAN, 0.0, -0.0, 1e-45], &[true, false, false, true]);
}

#[test]
fn integer_conversions() {
    let x = [-1i64, 300, 1 << 31, (1 << 53) + 1, i64::MIN, 16777217, 65520, 4097];
    converts::<i64, i8>(&x, &[-1, 44, 0, 1, 0, 1, -16, 1]);
    converts::<i64, u16>(&x, &[65535, 300, 0, 1, 0, 1, 65520, 4097]);
    converts::<i64, u32>(&x, &[4294967295, 300, 2147483648, 1, 0, 16777217, 65520, 4097]);
    converts::<i64, u64>(
        &x,
        &[18446744073709551615, 300, 2147483648, 9007199254740993, 9223372036854775808, 16777217, 65520, 4097],
    );
    converts::<i64, f32>(
        &x,
        &[3212836864, 1133903872, 1325400064, 1509949440, 3741319168, 1266679808, 1199566848, 1166018560]
            .map(f32::from_bits),
    );
    converts::<i64, f16>(&x, &[48128, 23728, 31744, 31744, 64512, 31744, 31744, 27648].map(f16::from_bits));
    converts::<i64, bf16>(&x, &[49024, 17302, 20224, 23040, 57088, 19328, 18304, 17792].map(bf16::from_bits));
    converts::<bool, f32>(&[false, true], &[0.0, 1.0]);
    converts::<bool, i8>(&[false, true], &[0, 1]);
    converts::<u64, f32>(&[u64::MAX], &[18446744073709551616.0]);
}

#[test]
fn float_conversions_round_to_nearest_even() {
    let x = [1.0000001f32, 65519.99, 65520.0, 5.9604645e-8, 2.9802322e-8, 1e-8, 3.3895314e38, -1.5];
    converts::<f32, f16>(&x, &[15360, 31743, 31744, 1, 0, 0, 31744, 48640].map(f16::from_bits));
    converts::<f32, bf16>(&x, &[16256, 18304, 18304, 13184, 13056, 12844, 32639, 49088].map(bf16::from_bits));
    converts::<f64, f32>(&[1.0 + f64::EPSILON, 1e300, -1e-60], &[1.0, f32::INFINITY, -0.0]);
}

#[test]
fn every_operator_is_defined_wherever_inference_allows_it() {
    for dtype in DType::ALL {
        let one = convert(Scalar::Bool(true), dtype);
        for &op in UnaryOp::ALL {
            let err = ScalarError { op: op.name(), dtype, other: None };
            let allowed = op.operand_types().contains(dtype);
            match unary(op, one) {
                Ok(y) if op == UnaryOp::Abs => assert_eq!(y.dtype(), dtype.real_type()),
                Ok(y) => assert_eq!(y.dtype(), op.result_dtype().unwrap_or(dtype), "{} {dtype}", op.name()),
                Err(e) => assert!(e == err && !allowed, "{} on {dtype}", op.name()),
            }
        }
        for &op in BinaryOp::ALL {
            let allowed = op.operand_types().contains(dtype);
            match binary(op, one, one) {
                Ok(y) => assert_eq!(y.dtype(), dtype),
                Err(_) => assert!(!allowed, "{} on {dtype}", op.name()),
            }
        }
    }
    let mixed = binary(BinaryOp::Add, Scalar::I8(1), Scalar::U8(1));
    assert_eq!(mixed, Err(ScalarError { op: "add", dtype: DType::I8, other: Some(DType::U8) }));
}
