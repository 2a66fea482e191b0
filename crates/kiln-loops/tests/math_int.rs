//! Integers, bool and conversions against plain Rust.

mod common;
use common::*;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::{Expr, scalar};

const INTS: [DType; 8] = [DType::I8, DType::I16, DType::I32, DType::I64, DType::U8, DType::U16, DType::U32, DType::U64];

fn value(t: DType, bits: u64) -> i128 {
    if t.is_signed_int() { i128::from((bits << (64 - t.bits())) as i64 >> (64 - t.bits())) } else { i128::from(bits) }
}

fn special(t: DType) -> Vec<u64> {
    let mut rng = Rng(11);
    let w = t.bits();
    let mut v: Vec<u64> = vec![0, 1, 2, 3, 7, u64::MAX, u64::MAX - 1, 1 << (w - 1), (1 << (w - 1)) - 1];
    v.extend([u64::from(w) - 1, u64::from(w), u64::from(w) + 1, 100]);
    v.extend((0..10).map(|_| rng.bits()));
    v.iter().map(|b| scalar::truncate(t, *b)).collect()
}

fn power(x: i128, n: i128) -> i128 {
    if n < 0 {
        return match x {
            1 => 1,
            -1 => {
                if n % 2 == 0 {
                    1
                } else {
                    -1
                }
            }
            0 => -1,
            _ => 0,
        };
    }
    let (mut r, mut b, mut n) = (1u64, x as u64, n as u128);
    while n > 0 {
        if n & 1 == 1 {
            r = r.wrapping_mul(b);
        }
        b = b.wrapping_mul(b);
        n >>= 1;
    }
    i128::from(r)
}

fn expected(op: BinaryOp, t: DType, x: u64, y: u64) -> u64 {
    let (a, b, w) = (value(t, x), value(t, y), u64::from(t.bits()));
    let r = match op {
        BinaryOp::Divide => {
            if b == 0 {
                -1
            } else {
                a / b
            }
        }
        BinaryOp::Remainder => {
            if b == 0 {
                a
            } else {
                a % b
            }
        }
        BinaryOp::ShiftLeft => {
            if y >= w {
                0
            } else {
                i128::from(x << y)
            }
        }
        BinaryOp::ShiftRightLogical => {
            if y >= w {
                0
            } else {
                i128::from(x >> y)
            }
        }
        BinaryOp::ShiftRightArithmetic => value(if t.is_signed_int() { t } else { signed(t) }, x) >> y.min(w - 1),
        BinaryOp::Power => power(a, b),
        _ => unreachable!("not under test"),
    };
    scalar::truncate(t, r as u64)
}

fn signed(t: DType) -> DType {
    match t {
        DType::U8 => DType::I8,
        DType::U16 => DType::I16,
        DType::U32 => DType::I32,
        _ => DType::I64,
    }
}

#[test]
fn total_integer_operators() {
    for t in INTS {
        let s = special(t);
        let x: Vec<u64> = s.iter().flat_map(|a| s.iter().map(|_| *a)).collect();
        let y: Vec<u64> = s.iter().flat_map(|_| s.iter().copied()).collect();
        for op in [
            BinaryOp::Divide,
            BinaryOp::Remainder,
            BinaryOp::ShiftLeft,
            BinaryOp::ShiftRightLogical,
            BinaryOp::ShiftRightArithmetic,
            BinaryOp::Power,
        ] {
            let (_, r) = apply(&[t, t], &[x.clone(), y.clone()], true, |v| Expr::Binary(op, v[0], v[1]));
            for i in 0..x.len() {
                let e = expected(op, t, x[i], y[i]);
                assert_eq!(r[i], e, "{} of {} and {} ({t})", op.name(), value(t, x[i]), value(t, y[i]));
            }
        }
        let (_, r) = apply(&[t], std::slice::from_ref(&s), true, |v| Expr::Unary(UnaryOp::Sign, v[0]));
        for (x, r) in s.iter().zip(r) {
            assert_eq!(value(t, r), value(t, *x).signum(), "sign of {} ({t})", value(t, *x));
        }
    }
}

#[test]
fn bool_operators() {
    let (x, y) = (vec![0, 0, 1, 1], vec![0, 1, 0, 1]);
    let cases: [(BinaryOp, [u64; 4]); 7] = [
        (BinaryOp::Add, [0, 1, 1, 1]),
        (BinaryOp::Maximum, [0, 1, 1, 1]),
        (BinaryOp::Multiply, [0, 0, 0, 1]),
        (BinaryOp::Minimum, [0, 0, 0, 1]),
        (BinaryOp::And, [0, 0, 0, 1]),
        (BinaryOp::Or, [0, 1, 1, 1]),
        (BinaryOp::Xor, [0, 1, 1, 0]),
    ];
    for (op, e) in cases {
        let (_, r) = apply(&[DType::Bool; 2], &[x.clone(), y.clone()], true, |v| Expr::Binary(op, v[0], v[1]));
        assert_eq!(r, e, "{}", op.name());
    }
    for (d, e) in [
        (CompareDirection::EQ, [1, 0, 0, 1]),
        (CompareDirection::NE, [0, 1, 1, 0]),
        (CompareDirection::LT, [0, 1, 0, 0]),
        (CompareDirection::LE, [1, 1, 0, 1]),
        (CompareDirection::GT, [0, 0, 1, 0]),
        (CompareDirection::GE, [1, 0, 1, 1]),
    ] {
        let (_, r) = apply(&[DType::Bool; 2], &[x.clone(), y.clone()], true, |v| Expr::Compare(d, v[0], v[1]));
        assert_eq!(r, e, "{d:?}");
    }
}

/// Bit patterns of a type that cover its cases; for 16-bit floats all of them.
fn patterns(t: DType) -> Vec<u64> {
    match t {
        DType::Bool => vec![0, 1],
        DType::F16 | DType::BF16 => (0..=0xffff).collect(),
        DType::F32 => {
            let mut v: Vec<u64> = sweep32(20).iter().map(|x| u64::from(x.to_bits())).collect();
            // Around every tie and boundary of f16.
            v.extend((0..0x7c00u16).step_by(7).flat_map(|h| {
                let b = half::f16::from_bits(h).to_f32().to_bits();
                let middle = b + (half::f16::from_bits(h + 1).to_f32().to_bits().wrapping_sub(b) >> 1);
                [b, middle - (middle > 0) as u32, middle, middle + 1].map(u64::from)
            }));
            v
        }
        DType::F64 => {
            let mut v: Vec<u64> = sweep32(20).iter().map(|x| f64::from(*x).to_bits()).collect();
            v.extend(v.clone().iter().map(|b| b ^ 1));
            v.extend(
                [1e300, -1e300, 1e-320, 65519.99999999, 65520.0, 2f64.powi(-25), 2f64.powi(-25) * 1.0000000001]
                    .map(f64::to_bits),
            );
            v.extend(
                [2147483647.5, 2147483648.5, 9.3e18, 1.9e19, -9.3e18, 255.9, -0.9, 3.4e38, 3.3999999e38]
                    .map(f64::to_bits),
            );
            v
        }
        t => special(t),
    }
}

#[test]
fn conversions() {
    for from in DType::ALL.into_iter().filter(|t| kiln_loops::is_loop_type(*t)) {
        let x = patterns(from);
        for to in DType::ALL.into_iter().filter(|t| kiln_loops::is_loop_type(*t)) {
            let (_, r) = apply(&[from], std::slice::from_ref(&x), true, |v| Expr::Convert(to, v[0]));
            for (x, r) in x.iter().zip(r) {
                let e = scalar::convert(to, from, *x);
                let nan = |b: u64| to.is_float() && scalar::compare(CompareDirection::NE, to, b, b);
                assert!(r == e || nan(r) && nan(e), "{from} {x:#x} to {to}: {r:#x}, not {e:#x}");
            }
        }
    }
}
