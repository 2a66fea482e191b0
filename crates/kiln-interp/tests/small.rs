//! Types of less than 16 bits: floats against ml_dtypes 0.6.0, integers against arithmetic on wider ones, conversions and bits
//! against XLA (CPU, by way of JAX 0.10.2).
//!
//! The digest of a list of numbers `v` is the sum of `(v[i] + 1) * (i + 1) * 0x9e3779b97f4a7c15` modulo 2^64; a NaN counts as
//! 0xee, for its sign and payload are not specified.

mod common;

use common::{run, t};
use kiln_interp::scalar::precision::reduce_precision;
use kiln_interp::scalar::{Scalar, binary, convert, unary};
use kiln_ir::{BinaryOp, DType, MiniFormat, Op, Tensor, UnaryOp};

fn digest(values: impl IntoIterator<Item = u64>) -> u64 {
    let term = |(i, v): (u64, u64)| (v + 1).wrapping_mul((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..).zip(values).map(term).fold(0, u64::wrapping_add)
}

/// The lines of the table that begin with a word: dtype, and the words after it.
fn lines(first: &str) -> Vec<(DType, Vec<&'static str>)> {
    let split = |line: &'static str| -> Vec<&'static str> { line.split(' ').collect() };
    let all = include_str!("fixtures/small.txt").lines().map(split).filter(|w| w[0] == first);
    all.map(|w| (w[1].parse().expect("a dtype"), w[2..].to_vec())).collect()
}

fn hex(word: &str) -> u64 {
    u64::from_str_radix(word, 16).expect("hexadecimal")
}

fn minis() -> Vec<(DType, MiniFormat)> {
    DType::ALL.into_iter().filter_map(|d| Some((d, d.mini_format()?))).collect()
}

/// Checks the digests of one kind of line, one for each format.
fn check(first: &str, values: impl Fn(MiniFormat) -> Vec<u64>) {
    let lines = lines(first);
    assert_eq!(lines.len(), 11, "{first}");
    for (dtype, words) in lines {
        assert_eq!(digest(values(dtype.mini_format().expect("a small float"))), hex(words[0]), "{first} {dtype}");
    }
}

#[test]
fn every_element_decodes_as_in_ml_dtypes() {
    let lines = lines("decode");
    assert_eq!(lines.len(), 11);
    for (dtype, words) in lines {
        let format = dtype.mini_format().expect("a small float");
        assert_eq!(words.len(), 1 << format.bits());
        for (code, word) in words.into_iter().enumerate() {
            let x = format.decode(code as u8);
            match word {
                "nan" => assert!(x.is_nan(), "{dtype} {code:#x}"),
                bits => assert_eq!(u64::from(x.to_bits()), hex(bits), "{dtype} {code:#x}"),
            }
        }
    }
}

#[test]
fn f32_rounds_as_in_ml_dtypes() {
    // Every 4093rd bit pattern, NaNs of both signs included.
    let sweep = || (0..=u32::MAX / 4093).map(|i| f32::from_bits(i * 4093));
    check("encode", |f| sweep().map(|x| f.encode(x).into()).collect());
}

/// Pairs of neighbours from 0 up.
fn neighbours(f: MiniFormat) -> impl Iterator<Item = (f64, f64)> {
    (0..f.largest()).map(move |code| (f.decode(code).into(), f.decode(code + 1).into()))
}

#[test]
fn the_middle_of_neighbours_rounds_as_in_ml_dtypes() {
    check("middle", |f| {
        let middles = neighbours(f).map(|(a, b)| ((a + b) / 2.0) as f32);
        middles
            .flat_map(|m| [m.next_down(), m, m.next_up()])
            .flat_map(|x| [x, -x])
            .map(|x| f.encode(x).into())
            .collect()
    });
}

#[test]
fn f64_is_rounded_once() {
    // By way of f32 these would be ties. (ml_dtypes goes that way.)
    for (dtype, f) in minis() {
        for (code, (a, b)) in (0u8..).zip(neighbours(f)) {
            let middle = (a + b) / 2.0;
            let little = middle * 2f64.powi(-40);
            assert_eq!(f.encode_f64(middle - little), code, "{dtype} {code:#x}");
            assert_eq!(f.encode_f64(middle + little), code + 1, "{dtype} {code:#x}");
            assert_eq!(convert(Scalar::F64(middle - little), dtype).to_f64(), a, "{dtype} {code:#x}");
        }
    }
}

/// Every pair of elements.
fn pairs(dtype: DType) -> (Tensor, Tensor) {
    let n = 1u32 << dtype.bits();
    let bytes = |f: &dyn Fn(u32) -> u32| (0..n * n).map(|i| f(i) as u8).collect::<Vec<u8>>();
    let tensor = |bytes: Vec<u8>| Tensor::from_bytes(dtype, [bytes.len()], &bytes).expect("elements");
    (tensor(bytes(&|i| i / n)), tensor(bytes(&|i| i % n)))
}

#[test]
fn arithmetic_is_that_of_ml_dtypes() {
    let wide: [(&str, BinaryOp, fn(f32, f32) -> f32); 4] = [
        ("add", BinaryOp::Add, |x, y| x + y),
        ("subtract", BinaryOp::Subtract, |x, y| x - y),
        ("multiply", BinaryOp::Multiply, |x, y| x * y),
        ("divide", BinaryOp::Divide, |x, y| x / y),
    ];
    for (name, op, f32_op) in wide {
        for (dtype, words) in lines(name) {
            let format = dtype.mini_format().expect("a small float");
            let (x, y) = pairs(dtype);
            let z = run(Op::Binary(op), &[x.clone(), y.clone()]);
            assert_eq!(z.dtype(), dtype);
            let values = (0..z.len()).map(|i| {
                let [a, b, c] = [&x, &y, &z].map(|t| format.decode(t.bytes()[i]));
                if f32_op(a, b).is_nan() || c.is_nan() { 0xee } else { z.bytes()[i].into() }
            });
            assert_eq!(digest(values), hex(words[0]), "{name} {dtype}");
        }
    }
}

#[test]
fn functions_of_small_floats_go_through_f32() {
    for (dtype, format) in minis() {
        let all: Vec<u8> = (0..1u32 << format.bits()).map(|c| c as u8).collect();
        let x = Tensor::from_bytes(dtype, [all.len()], &all).expect("elements");
        let wide = run(Op::Convert(DType::F32), std::slice::from_ref(&x));
        for op in [UnaryOp::Exponential, UnaryOp::Tanh, UnaryOp::Sqrt, UnaryOp::Floor, UnaryOp::Negate, UnaryOp::Abs] {
            let small = run(Op::Unary(op), std::slice::from_ref(&x));
            let want = run(Op::Convert(dtype), &[run(Op::Unary(op), std::slice::from_ref(&wide))]);
            for i in 0..all.len() {
                let [a, b] = [small.bytes()[i], want.bytes()[i]];
                let nan = format.decode(a).is_nan() && format.decode(b).is_nan();
                assert!(a == b || nan, "{} {dtype} {i:#x}: {a:#x}, not {b:#x}", op.name());
            }
        }
    }
}

#[test]
fn reduce_precision_is_that_of_xla() {
    let mut count = 0;
    for (dtype, words) in lines("reduce_precision") {
        let [e, m] = [words[1], words[2]].map(|w| w.parse::<u32>().expect("a number"));
        let patterns: Vec<u64> = match dtype {
            DType::F32 => (0..=(1u64 << 32) / 40961).map(|i| u64::from((i * 40961) as u32)).collect(),
            DType::F64 => (0..20000u64).map(|i| i.wrapping_mul(922_337_203_685_477)).collect(),
            small => (0..1 << small.bits()).collect(),
        };
        let values = patterns.iter().map(|&bits| {
            let r = reduce_precision(dtype, bits, e, m).expect("a float");
            let t = Tensor::from_bytes(dtype, [], &r.to_le_bytes()[..dtype.size()]).expect("an element");
            let x = Scalar::read(&t, 0).expect("an element").to_f64();
            if x.is_nan() { 0xee } else { r }
        });
        assert_eq!(digest(values), hex(words[0]), "{dtype} to {e} and {m} bits");
        count += 1;
    }
    assert!(count > 90, "{count} lines");
}

/// An element of a 2- or 4-bit type from a number, wrapped.
fn int(dtype: DType, x: i64) -> Scalar {
    convert(Scalar::I64(x), dtype)
}

const SUB_BYTE: [DType; 4] = [DType::I2, DType::I4, DType::U2, DType::U4];

/// Every value of a 2- or 4-bit type.
fn values(dtype: DType) -> Vec<i64> {
    let n = 1i64 << dtype.bits();
    if dtype.is_signed_int() { (-n / 2..n / 2).collect() } else { (0..n).collect() }
}

#[test]
fn small_integers_wrap_at_their_width() {
    for dtype in SUB_BYTE {
        let all = values(dtype);
        for &x in &all {
            assert_eq!(int(dtype, x).to_f64(), x as f64, "{dtype}");
            let shifted = x + (1 << dtype.bits());
            assert_eq!(int(dtype, shifted), int(dtype, x), "{dtype} {shifted}");
            let zeros =
                i64::from((x as u64 & ((1 << dtype.bits()) - 1)).leading_zeros()) - 64 + i64::from(dtype.bits());
            let ones = i64::from((x as u64 & ((1 << dtype.bits()) - 1)).count_ones());
            let mut unaries = vec![
                (UnaryOp::Negate, -x),
                (UnaryOp::Not, !x),
                (UnaryOp::CountLeadingZeros, zeros),
                (UnaryOp::Popcnt, ones),
            ];
            if dtype.is_signed_int() {
                unaries.extend([(UnaryOp::Abs, x.abs()), (UnaryOp::Sign, x.signum())]);
            }
            for (op, want) in unaries {
                assert_eq!(unary(op, int(dtype, x)), Ok(int(dtype, want)), "{} {dtype} {x}", op.name());
            }
            for &y in &all {
                let amount = y as u64;
                let bits = u64::from(dtype.bits());
                let low = x & ((1 << bits) - 1);
                let signed = low << (64 - bits) >> (64 - bits);
                let wants = [
                    (BinaryOp::Add, x + y),
                    (BinaryOp::Subtract, x - y),
                    (BinaryOp::Multiply, x * y),
                    (BinaryOp::Divide, if y == 0 { -1 } else { x / y }),
                    (BinaryOp::Remainder, if y == 0 { x } else { x % y }),
                    (BinaryOp::Maximum, x.max(y)),
                    (BinaryOp::Minimum, x.min(y)),
                    (BinaryOp::And, x & y),
                    (BinaryOp::Or, x | y),
                    (BinaryOp::Xor, x ^ y),
                    (BinaryOp::ShiftLeft, if amount < bits { x << y } else { 0 }),
                    (BinaryOp::ShiftRightLogical, if amount < bits { low >> y } else { 0 }),
                    (BinaryOp::ShiftRightArithmetic, signed >> amount.min(63)),
                ];
                for (op, want) in wants {
                    let got = binary(op, int(dtype, x), int(dtype, y));
                    assert_eq!(got, Ok(int(dtype, want)), "{} {dtype} {x} {y}", op.name());
                }
                if (0..8).contains(&y) {
                    let got = binary(BinaryOp::Power, int(dtype, x), int(dtype, y));
                    assert_eq!(got, Ok(int(dtype, x.pow(y as u32))), "power {dtype} {x} {y}");
                }
            }
        }
    }
    let power = |x, y| binary(BinaryOp::Power, int(DType::I4, x), int(DType::I4, y)).expect("defined").to_f64();
    assert_eq!([power(-1, -3), power(1, -3), power(0, -1), power(5, -1)], [-1.0, 1.0, -1.0, 0.0]);
}

#[test]
fn floats_saturate_in_small_integers() {
    let x = [-100f32, -9., -8.5, -1.7, -0.5, 0.5, 1.7, 7.9, 8., 100., f32::NAN, f32::INFINITY];
    let wants: [(DType, [f64; 12]); 4] = [
        (DType::I4, [-8., -8., -8., -1., 0., 0., 1., 7., 7., 7., 0., 7.]),
        (DType::U4, [0., 0., 0., 0., 0., 0., 1., 7., 8., 15., 0., 15.]),
        (DType::I2, [-2., -2., -2., -1., 0., 0., 1., 1., 1., 1., 0., 1.]),
        (DType::U2, [0., 0., 0., 0., 0., 0., 1., 3., 3., 3., 0., 3.]),
    ];
    for (dtype, want) in wants {
        assert_eq!(common::numbers(&run(Op::Convert(dtype), &[t(&[12], &x)])), want, "{dtype}");
    }
}

#[test]
fn every_type_converts_to_every_other() {
    for from in DType::ALL {
        let x = convert(Scalar::F64(1.0), from);
        for to in DType::ALL {
            let y = convert(x, to);
            assert_eq!((y.dtype(), y.to_f64()), (to, 1.0), "{from} to {to}");
            let tensor = run(Op::Convert(to), &[run(Op::Convert(from), &[t(&[3], &[1.0f64, 1.0, 1.0])])]);
            assert_eq!(Scalar::read(&tensor, 2), Some(y), "{from} to {to}");
        }
    }
}

#[test]
fn bits_are_packed_from_the_least_significant() {
    let bits = |dtype, shape: &[usize], bytes: &[u8]| Tensor::from_bytes(dtype, shape, bytes).expect("elements");
    let cast = |x: &Tensor, to| run(Op::BitcastConvert(to), std::slice::from_ref(x));
    let halves = cast(&bits(DType::U8, &[2], &[0x21, 0x43]), DType::U4);
    assert_eq!(halves, bits(DType::U4, &[2, 2], &[1, 2, 3, 4]));
    let signed = bits(DType::I4, &[2, 2], &[1, 2, 0xff, 4]);
    assert_eq!(cast(&signed, DType::U8), bits(DType::U8, &[2], &[0x21, 0x4f]));
    assert_eq!(cast(&signed, DType::I8), bits(DType::I8, &[2], &[0x21, 0x4f]));
    let pairs = cast(&bits(DType::U8, &[1], &[0xe4]), DType::I2);
    assert_eq!(pairs, bits(DType::I2, &[1, 4], &[0, 1, 0xfe, 0xff]));
    assert_eq!(cast(&cast(&pairs, DType::I8), DType::I2), pairs);
    assert_eq!(cast(&bits(DType::I4, &[3], &[0xff, 7, 0xf8]), DType::U4), bits(DType::U4, &[3], &[15, 7, 8]));
    assert_eq!(cast(&bits(DType::F4E2M1FN, &[2], &[15, 7]), DType::I4), bits(DType::I4, &[2], &[0xff, 7]));
    let wide: Vec<u8> = (0..16).map(|i| i * 17).collect();
    let x = bits(DType::C128, &[1], &wide);
    for to in [DType::I2, DType::U4, DType::I8, DType::F16, DType::F32, DType::U64, DType::C64] {
        let parts = cast(&x, to);
        assert_eq!(parts.shape(), [1, 128 / to.bits() as usize], "{to}");
        assert_eq!(cast(&parts, DType::C128), x, "{to}");
    }
    let six = bits(DType::F6E2M3FN, &[2], &[0b101101, 0b000011]);
    assert_eq!(cast(&six, DType::F6E3M2FN).bytes(), six.bytes());
    assert_eq!(cast(&six, DType::U2), bits(DType::U2, &[2, 3], &[1, 3, 2, 3, 0, 0]));
}

#[test]
fn sums_of_small_floats_are_rounded_once() {
    use kiln_ir::op::Reducer;
    // 64 times 1/4: in f8E4M3FN a running sum would stick at 4, where a quarter is half a step.
    let small = |n: usize, x: f64| {
        let one = Tensor::scalar_of(DType::F8E4M3FN, x);
        Tensor::from_bytes(DType::F8E4M3FN, [n], &one.bytes().repeat(n)).expect("elements")
    };
    let x = small(64, 0.25);
    let zero = Tensor::scalar_of(DType::F8E4M3FN, 0.0);
    let sum = run(Op::Reduce { axes: [0].into_iter().collect(), reducer: Reducer::Add }, &[x.clone(), zero]);
    assert_eq!(sum, Tensor::scalar_of(DType::F8E4M3FN, 16.0));
    let dims = kiln_ir::op::DotDims {
        lhs_contract: [0].into_iter().collect(),
        rhs_contract: [0].into_iter().collect(),
        ..Default::default()
    };
    assert_eq!(run(Op::DotGeneral(dims), &[x, small(64, 1.0)]), Tensor::scalar_of(DType::F8E4M3FN, 16.0));
}
