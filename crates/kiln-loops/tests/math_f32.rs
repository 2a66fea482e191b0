//! Accuracy of the f32 expansions against f64 (whose library functions are within 1 ULP of f64, far below 2 ULP of f32).

mod common;
use common::*;
use kiln_ir::{BinaryOp, UnaryOp};
use kiln_spec::Accuracy;

/// The largest error over a sweep of all exponents and a uniform range.
fn worst(op: UnaryOp, lo: f32, hi: f32, fused: bool, reference: impl Fn(f64) -> f64) -> f64 {
    let mut x = sweep32(300);
    x.extend(uniform32(lo, hi, 60_000));
    let y = unary32(op, &x, fused);
    let (mut max, mut at) = (0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let e = ulp32(y, reference(f64::from(*x)));
        if e > max {
            (max, at) = (e, *x);
        }
    }
    println!("{:24} {max:.3} ULP at {at:e} ({})", op.name(), if fused { "fused" } else { "split" });
    max
}

/// The bound of the specification.
fn bound(name: &str) -> f64 {
    match kiln_spec::load().op(name).and_then(|o| o.accuracy("f32")) {
        Some(Accuracy::Ulp(n)) => f64::from(n),
        Some(Accuracy::Exact) => 0.0,
        other => panic!("{name}: {other:?}"),
    }
}

fn check(op: UnaryOp, lo: f32, hi: f32, reference: impl Fn(f64) -> f64) {
    let bound = bound(op.name());
    let e = worst(op, lo, hi, true, &reference);
    assert!(e <= bound, "{} is off by {e} ULP", op.name());
    let e = worst(op, lo, hi, false, &reference);
    assert!(e <= 2.0 * bound, "{} without fma is off by {e} ULP", op.name());
}

#[test]
fn exponentials() {
    check(UnaryOp::Exponential, -105.0, 89.0, f64::exp);
    check(UnaryOp::ExponentialMinusOne, -2.0, 2.0, f64::exp_m1);
    check(UnaryOp::Logistic, -20.0, 20.0, |x| 1.0 / (1.0 + (-x).exp()));
    check(UnaryOp::Tanh, -3.0, 3.0, f64::tanh);
}

#[test]
fn logarithms() {
    check(UnaryOp::Log, 0.5, 2.0, f64::ln);
    check(UnaryOp::LogPlusOne, -0.999, 3.0, f64::ln_1p);
}

#[test]
fn trigonometry() {
    check(UnaryOp::Sine, -30.0, 30.0, f64::sin);
    check(UnaryOp::Cosine, -30.0, 30.0, f64::cos);
    check(UnaryOp::Tan, -30.0, 30.0, f64::tan);
}

#[test]
fn roots_and_erf() {
    check(UnaryOp::Cbrt, -10.0, 10.0, f64::cbrt);
    check(UnaryOp::Rsqrt, 0.0, 10.0, |x| 1.0 / x.sqrt());
    // The f64 expansion is measured against a table of its own.
    let erf = |x: f64| unary64(UnaryOp::Erf, &[x], true)[0];
    let mut x = sweep32(20);
    x.extend(uniform32(-4.5, 4.5, 60_000));
    let wide: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let reference = unary64(UnaryOp::Erf, &wide, true);
    for fused in [true, false] {
        let y = unary32(UnaryOp::Erf, &x, fused);
        let e = y.iter().zip(&reference).map(|(y, r)| ulp32(*y, *r)).fold(0.0, f64::max);
        println!("erf {e:.3} ULP");
        let allowed = bound("erf") * if fused { 1.0 } else { 2.0 };
        assert!(e <= allowed, "erf is off by {e} ULP");
    }
    assert_eq!(erf(0.0), 0.0);
}

#[test]
fn exact_ones() {
    for (op, f) in [
        (UnaryOp::RoundNearestAfz, f32::round as fn(f32) -> f32),
        (UnaryOp::Sign, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
    ] {
        let mut x = sweep32(100);
        x.extend((-40..40).map(|i| i as f32 / 4.0));
        for (x, y) in x.iter().zip(unary32(op, &x, true)) {
            let r = f(*x);
            assert!(y.to_bits() == r.to_bits() || y.is_nan() && r.is_nan(), "{} of {x:e}: {y:e}, not {r:e}", op.name());
        }
    }
}

/// Pairs of all magnitudes, pairs of like magnitude, and all pairs of special values.
fn pairs() -> (Vec<f32>, Vec<f32>) {
    let (mut x, mut y) = (vec![], vec![]);
    let mut rng = Rng(3);
    for _ in 0..40_000 {
        x.push(f32::from_bits(rng.bits() as u32));
        y.push(f32::from_bits(rng.bits() as u32));
        let a = (rng.bits() >> 40) as f32 / (1 << 20) as f32 - 8.0;
        x.push(a);
        y.push((rng.bits() >> 40) as f32 / (1 << 20) as f32 - 8.0);
        x.push(a);
        y.push(a * (1.0 + (rng.bits() % 8) as f32 * f32::EPSILON));
    }
    let special = [
        0.0,
        1.0,
        0.5,
        2.0,
        3.0,
        1e-45,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
        1.5,
        1e10,
        8388609.0,
        16777216.0,
        33554433.0,
        0.99999994,
    ];
    for a in special {
        for b in special {
            for (s, t) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                x.push(s * a);
                y.push(t * b);
            }
        }
    }
    (x, y)
}

fn check_pairs(op: BinaryOp, reference: impl Fn(f64, f64) -> f64) {
    let (x, y) = pairs();
    for fused in [true, false] {
        let bound = bound(op.name()) * if fused { 1.0 } else { 2.0 };
        let r = binary32(op, &x, &y, fused);
        let (mut max, mut at) = (0.0, (0.0, 0.0, 0.0));
        for i in 0..x.len() {
            let e = ulp32(r[i], reference(f64::from(x[i]), f64::from(y[i])));
            if e > max {
                (max, at) = (e, (x[i], y[i], r[i]));
            }
        }
        println!("{:24} {max:.3} ULP at {at:?}", op.name());
        assert!(max <= bound, "{} is off by {max} ULP at {at:?}", op.name());
    }
}

#[test]
fn power() {
    check_pairs(BinaryOp::Power, f64::powf);
}

#[test]
fn atan2() {
    check_pairs(BinaryOp::Atan2, f64::atan2);
}

#[test]
fn remainder_is_exact() {
    check_pairs(BinaryOp::Remainder, |a, b| f64::from((a as f32) % (b as f32)));
}
