//! Accuracy of the f64 expansions against correctly rounded values (computed with mpmath in 300 to 1500 bits): lines of
//! operator, arguments and result as bits.

mod common;
use common::*;
use kiln_ir::{BinaryOp, UnaryOp};
use kiln_spec::Accuracy;
use std::collections::BTreeMap;

type Rows = BTreeMap<String, Vec<Vec<f64>>>;

fn table(text: &str) -> Rows {
    let mut rows = Rows::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().expect("a name").to_string();
        let row = words.map(|w| f64::from_bits(u64::from_str_radix(w, 16).expect("hex digits"))).collect();
        rows.entry(name).or_default().push(row);
    }
    rows
}

fn evaluate(name: &str, columns: &[Vec<f64>], fused: bool) -> Vec<f64> {
    if let Some(op) = UnaryOp::ALL.iter().find(|o| o.name() == name) {
        return unary64(*op, &columns[0], fused);
    }
    let op = BinaryOp::ALL.iter().find(|o| o.name() == name).expect("an operator");
    binary64(*op, &columns[0], &columns[1], fused)
}

#[test]
fn against_table() {
    let path = std::env::var("KILN_MATH_TABLE").unwrap_or_else(|_| "tests/data/math_f64.txt".to_string());
    let text = std::fs::read_to_string(path).expect("the table");
    let mut failed = vec![];
    for (name, rows) in table(&text) {
        let columns: Vec<Vec<f64>> = (0..rows[0].len()).map(|c| rows.iter().map(|r| r[c]).collect()).collect();
        let (expected, arguments) = columns.split_last().expect("columns");
        let bound = match kiln_spec::load().op(&name).and_then(|o| o.accuracy("f64")) {
            Some(Accuracy::Ulp(n)) => u64::from(n),
            Some(Accuracy::Exact) => 0,
            other => panic!("{name}: {other:?}"),
        };
        for (fused, bound) in [(true, bound), (false, 2 * bound)] {
            let got = evaluate(&name, arguments, fused);
            let (e, i) = (0..rows.len()).map(|i| (ulp64(got[i], expected[i]), i)).max().expect("rows");
            println!("{name:24} {e} ULP at {:?}: {:e} ({})", rows[i], got[i], if fused { "fused" } else { "split" });
            if e > bound {
                failed.push(format!("{name}: {e} ULP at {:?}: {:e}", rows[i], got[i]));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn special() -> Vec<f64> {
    let mut v = vec![0.0, 1.0, 0.5, 2.0, 3.0, 1.5, 5e-324, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, 1e300, 1e-300];
    v.extend([
        1.0 - f64::EPSILON / 2.0,
        9007199254740993.0,
        4503599627370497.0,
        710.0,
        750.0,
        0.925,
        0.625,
        33.0,
        2e-30,
    ]);
    let negative: Vec<f64> = v.iter().map(|x| -x).collect();
    v.extend(negative);
    v.push(f64::NAN);
    v
}

/// The library is within 1 ULP here: 3 allow for both. Signs of zeros, infinities and NaN must agree.
#[test]
fn special_values() {
    let x = special();
    let cases: [(UnaryOp, fn(f64) -> f64); 13] = [
        (UnaryOp::Exponential, f64::exp),
        (UnaryOp::ExponentialMinusOne, f64::exp_m1),
        (UnaryOp::Logistic, |x| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }),
        (UnaryOp::Tanh, f64::tanh),
        (UnaryOp::Log, f64::ln),
        (UnaryOp::LogPlusOne, f64::ln_1p),
        (UnaryOp::Sine, f64::sin),
        (UnaryOp::Cosine, f64::cos),
        (UnaryOp::Tan, f64::tan),
        (UnaryOp::Cbrt, f64::cbrt),
        (UnaryOp::Rsqrt, |x| 1.0 / x.sqrt()),
        (UnaryOp::RoundNearestAfz, f64::round),
        (UnaryOp::Sign, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
    ];
    for (op, f) in cases {
        for (x, y) in x.iter().zip(unary64(op, &x, true)) {
            assert!(ulp64(y, f(*x)) <= 3, "{} of {x:e}: {y:e}, not {:e}", op.name(), f(*x));
        }
    }
    let erf = unary64(UnaryOp::Erf, &[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324], true);
    let expected = [0.0, -0.0, 1.0, -1.0, f64::NAN, 5e-324];
    erf.iter().zip(expected).for_each(|(a, b)| assert!(ulp64(*a, b) <= 1, "erf: {a:e}, not {b:e}"));
}

#[test]
fn special_pairs() {
    let s = special();
    let x: Vec<f64> = s.iter().flat_map(|a| s.iter().map(|_| *a)).collect();
    let y: Vec<f64> = s.iter().flat_map(|_| s.iter().copied()).collect();
    let cases: [(BinaryOp, fn(f64, f64) -> f64, u64); 3] =
        [(BinaryOp::Power, f64::powf, 3), (BinaryOp::Atan2, f64::atan2, 3), (BinaryOp::Remainder, |a, b| a % b, 0)];
    for (op, f, bound) in cases {
        for fused in [true, false] {
            let r = binary64(op, &x, &y, fused);
            for i in 0..x.len() {
                let e = f(x[i], y[i]);
                assert!(ulp64(r[i], e) <= bound, "{} of {:e}, {:e}: {:e}, not {e:e}", op.name(), x[i], y[i], r[i]);
            }
        }
    }
}

#[test]
fn remainder_is_exact() {
    let mut rng = Rng(1);
    let any: Vec<f64> = (0..20_000).map(|_| f64::from_bits(rng.bits())).collect();
    let mut other: Vec<f64> = (0..10_000).map(|_| f64::from_bits(rng.bits())).collect();
    other.extend(any[10_000..].iter().map(|x| x / 3.7));
    for fused in [true, false] {
        let r = binary64(BinaryOp::Remainder, &any, &other, fused);
        for i in 0..any.len() {
            let e = any[i] % other[i];
            assert!(r[i].to_bits() == e.to_bits() || r[i].is_nan() && e.is_nan(), "{:e} % {:e}", any[i], other[i]);
        }
    }
}
