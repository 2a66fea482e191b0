//! The numerics contract: the reference that measures it, and a small sweep of every function.

use kiln_tests::accuracy::complex;
use kiln_tests::accuracy::dd::{Dd, Exact, ldexp};
use kiln_tests::accuracy::evaluate::Backend;
use kiln_tests::accuracy::format::{BF16, F16, F32, F64, Format};
use kiln_tests::accuracy::functions::FUNCTIONS;
use kiln_tests::accuracy::sweep::Density;
use kiln_tests::accuracy::{Plan, measure, run};

/// More than enough for errors in thousandths of a ULP of f64.
const ENOUGH: f64 = 1.0 / (1u128 << 85) as f64;

/// Values of mpmath in 400 to 1400 bits: function, arguments, the result's two leading f64 (all as bits) and its exponent;
/// of complex functions two leading f64 of each part.
#[test]
fn the_reference_agrees_with_mpmath() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/suite/accuracy/reference.txt");
    let path = std::env::var("KILN_REFERENCE").unwrap_or_else(|_| path.to_owned());
    let text = std::fs::read_to_string(path).expect("the table");
    let number = |w: &&str| f64::from_bits(u64::from_str_radix(w, 16).expect("hex digits"));
    let mut rows = 0;
    for line in text.lines() {
        rows += 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "complex" {
            let values: Vec<f64> = words[2..].iter().map(number).collect();
            agrees_complex(words[1], &values);
            continue;
        }
        let f = FUNCTIONS.iter().find(|f| f.name == words[0]).unwrap_or_else(|| panic!("{}?", words[0]));
        let (args, rest) = words[1..].split_at(f.arity());
        let args: Vec<f64> = args.iter().map(number).collect();
        let e: i32 = rest[2].parse().expect("an exponent");
        let found = f.exact(&args);
        let d = found.value - Dd::new(number(&rest[0]), number(&rest[1])).scale(e - found.exponent);
        let size = if measure::floor(f) == 0 { found.value.hi.abs().max(1.0) } else { found.value.hi.abs() };
        assert!(d.hi.abs() <= size * ENOUGH, "{} at {args:?}: off by {:e} of {size:e}", f.name, d.hi);
    }
    assert!(rows >= 900, "the table has {rows} rows");
}

fn agrees_complex(name: &str, values: &[f64]) {
    let f = complex::FUNCTIONS.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("complex {name}?"));
    let (args, parts) = values.split_at(2 * f.arity);
    let args: Vec<(f64, f64)> = args.chunks(2).map(|z| (z[0], z[1])).collect();
    let found = f.exact(&args);
    let size = parts[0].abs().max(parts[2].abs());
    for (found, part) in [(found.re, &parts[..2]), (found.im, &parts[2..])] {
        let d = found - Dd::new(part[0], part[1]);
        assert!(d.hi.abs() <= size * ENOUGH, "complex {name} at {args:?}: off by {:e} of {size:e}", d.hi);
    }
}

#[test]
fn errors_are_counted_in_last_places() {
    let error = |f: Format, found: f64, hi: f64| f.error(found, Exact::from(hi), i32::MIN);
    assert_eq!(error(F64, 1.0 + f64::EPSILON, 1.0), 1.0);
    assert_eq!(error(F64, 1.0 - f64::EPSILON / 2.0, 1.0), 0.5);
    assert_eq!(error(F32, 1.0, 1.0 + 2f64.powi(-24)), 0.5);
    assert_eq!(error(F16, 2f64.powi(-24), 2f64.powi(-25)), 0.5, "half of the smallest subnormal");
    assert_eq!(error(BF16, f64::INFINITY, 2f64.powi(128) - 2f64.powi(120)), 1.0, "the largest number");
    assert_eq!(error(F32, f64::INFINITY, 1e300), 0.0, "overflow");
    assert_eq!(error(F32, -f64::INFINITY, 1e300), 2f64.powi(25), "overflow of the wrong sign");
    assert_eq!(error(F32, 0.0, -1e-60), f64::INFINITY, "the sign of a result that underflows");
    assert_eq!(error(F32, f64::NAN, 1.0), f64::INFINITY);
    assert_eq!(error(F32, f64::NAN, f64::NAN), 0.0);
    assert_eq!(F64.error(0.0, Exact::new(Dd::ONE, -1075), i32::MIN), 0.5);
    assert_eq!(F64.error(ldexp(1.0, -1074), Exact::new(Dd::ONE, -1076), i32::MIN), 0.75);
    for format in [F16, BF16] {
        for bits in 0..1u64 << 16 {
            let x = format.decode(bits);
            assert!(x.is_nan() || format.encode(x) == bits, "{}: {bits:#x}", format.name);
        }
    }
}

/// A small sweep of every function and format, in every way that it can be evaluated.
#[test]
fn the_contract_holds() {
    let plan = Plan { density: Density::Quick, exhaustive: false, only: None, backends: Backend::all(), threads: 2 };
    let results = run(&plan).expect("every function compiles and runs");
    let bad = results.exceeded();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(results.real.len() > 300 && results.complex.len() > 100, "rows are missing");
}

/// Lanes of a vector, and the scalar code for the rest of an array, give the same bits.
#[test]
fn the_place_in_an_array_does_not_matter() {
    for f in FUNCTIONS {
        for format in [F32, F64, F16] {
            measure::same_everywhere(f, format, Backend::Compiled).unwrap_or_else(|e| panic!("{e}"));
        }
    }
}
