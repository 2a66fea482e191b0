//! The table is valid, and its expressions agree with each other.

use kiln_spec::expr::{Expr, Point};
use kiln_spec::{Accuracy, Class, Operator, load, parse};

#[test]
fn the_table_is_valid() {
    if let Err(e) = parse(include_str!("../ops.toml")) {
        panic!("{e}");
    }
    let spec = load();
    assert_eq!(spec.of_class(Class::Unary).count(), 24);
    assert_eq!(spec.of_class(Class::Binary).count(), 15);
    assert!(spec.op("dot_general").is_some_and(|o| o.class == Class::Contraction));
    assert_eq!(spec.op("tanh").and_then(|o| o.accuracy("f32")), Some(Accuracy::Ulp(2)));
    assert_eq!(spec.op("tanh").and_then(|o| o.accuracy("f16")), Some(Accuracy::ViaF32));
    assert_eq!(spec.op("tanh").and_then(|o| o.accuracy("i32")), None);
    assert_eq!(spec.op("and").and_then(|o| o.fact_argument("identity")), Some("all ones"));
}

#[test]
fn mistakes_in_a_table_are_found() {
    let valid = include_str!("../ops.toml");
    let broken = [
        ("deriv = [\"t * r\"]", "deriv = [\"t * q\"]", "unknown name `q`"),
        ("deriv = [\"t * r\"]", "deriv = [\"r\"]", "`r` makes nothing of t"),
        ("deriv = [\"t * r\"]", "deriv = [\"sin = t; sin\"]", "`sin` is no new name"),
        ("deriv = [\"t * r\"]", "deriv = [\"half = r\"]", "`;` is missing after `half`"),
        ("deriv = [\"t * r\"]", "deriv = [\"t\", \"t\"]", "one derivative per operand"),
        ("cost = 20", "coast = 20", "unknown field `coast`"),
        ("cost = 4\n", "", "no `cost`"),
        ("builder = \"x.sqrt()\"\n", "", "no `builder`"),
        ("[\"chlo.erf\"]", "[\"erf\"]", "begin with their dialect"),
        ("\"involution\", \"odd\"", "\"convolution\"", "unknown fact convolution"),
        ("types = \"float\"", "types = \"flaot\"", "bad types"),
        ("label = \"C3\"", "label = \"C2\"", "label C2 twice"),
        ("f32 = \"2ulp\"", "f32 = \"2 ulps\"", "unknown accuracy 2 ulps"),
        ("class = \"unary\"", "class = \"urnary\"", "unknown variant"),
        ("since = \"1.0\"", "sense = \"1.0\"", "unknown field `sense`"),
    ];
    for (from, to, message) in broken {
        assert!(valid.contains(from), "{from}");
        let e = parse(&valid.replacen(from, to, 1)).expect_err(to);
        assert!(e.to_string().contains(message), "{to}: {e}");
    }
}

/// The expression at a point.
fn value(e: &Expr, x: f64, y: f64) -> f64 {
    e.eval(&Point { x, y, ..Point::default() }).expect("real")
}

fn real(op: &Operator) -> bool {
    op.type_classes().iter().any(|c| *c == "float" || *c == "any")
}

/// `scalar` gives the elements of every example.
#[test]
fn examples_agree_with_the_scalar_meaning() {
    for (name, op) in load().ops().filter(|(_, o)| o.arity().is_some() && real(o)) {
        let (e, scalar) = (op.example.as_ref().expect("has one"), op.scalar_expr().expect("has one"));
        for (i, expected) in e.outputs_data[0].iter().enumerate() {
            let y = e.inputs_data.get(1).map_or(0.0, |d| d[i].0);
            let found = value(&scalar, e.inputs_data[0][i].0, y);
            // The expressions run in f64 through the platform's library: a few ulp.
            let close = found == expected.0 || (found - expected.0).abs() <= 1e-14 * expected.0.abs();
            assert!(close, "{name}: {found} is not {}", expected.0);
        }
    }
}

/// `deriv` is the derivative of `scalar`, by central differences away from kinks and poles.
#[test]
fn derivatives_agree_with_differences() {
    let points = [-1.83, -0.64, -0.21, 0.37, 0.93, 2.19];
    let mut checked = 0;
    for (name, op) in load().ops().filter(|(_, o)| o.arity().is_some()) {
        let Some(scalar) = op.scalar_expr() else { continue };
        for (operand, d) in op.deriv_exprs().iter().enumerate() {
            for &x in &points {
                for &y in if op.arity() == Some(2) { &points[..] } else { &[0.0] } {
                    let (y, h) = (y * 1.07, 1e-5);
                    let at = |dx: f64| {
                        let (x, y) = if operand == 0 { (x + dx, y) } else { (x, y + dx) };
                        value(&scalar, x, y)
                    };
                    let r = at(0.0);
                    if !r.is_finite() {
                        continue;
                    }
                    let expected = (at(h) - at(-h)) / (2.0 * h);
                    for (t, literal) in [(1.0, false), (-0.75, false), (1.0, true)] {
                        let found = d.eval(&Point { x, y, r, t, literal }).expect("real");
                        // Error of the difference: h^2 times a third derivative, and rounding of about 1e-16 / h.
                        assert!(
                            (found - t * expected).abs() <= 2e-7 * (1.0 + expected.abs()),
                            "{name} at {x}, {y}: {found}, {expected}"
                        );
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 1200, "only {checked} points");
}

/// Algebraic facts hold on a grid of numbers.
#[test]
fn facts_hold() {
    let grid = [-3.0, -1.5, -1.0, 0.0, 0.25, 1.0, 2.0, 7.5];
    for (name, op) in load().ops().filter(|(_, o)| o.arity().is_some() && real(o)) {
        let scalar = op.scalar_expr().expect("has one");
        let f = |x: f64, y: f64| value(&scalar, x, y);
        let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
        for &x in &grid {
            assert!(!op.has("odd") || same(f(-x, 0.0), -f(x, 0.0)), "{name} is odd");
            assert!(!op.has("even") || same(f(-x, 0.0), f(x, 0.0)), "{name} is even");
            assert!(!op.has("involution") || same(f(f(x, 0.0), 0.0), x), "{name} is an involution");
            match op.arity() {
                Some(1) => assert!(!op.has("idempotent") || same(f(f(x, 0.0), 0.0), f(x, 0.0)), "{name} is idempotent"),
                _ => assert!(!op.has("idempotent") || same(f(x, x), x), "{name} is idempotent"),
            }
            let element = match op.fact_argument("identity") {
                Some("0") => Some(0.0),
                Some("-0") => Some(-0.0),
                Some("1") => Some(1.0),
                Some("lowest") => Some(f64::NEG_INFINITY),
                Some("highest") => Some(f64::INFINITY),
                _ => None,
            };
            assert!(element.is_none_or(|e| same(f(x, e), x) && same(f(e, x), x)), "{name} has an identity");
            for &y in &grid {
                assert!(!op.has("commutative") || same(f(x, y), f(y, x)), "{name} is commutative");
                let monotone = !op.has("monotone") || x > y || f(x, 0.0).is_nan() || f(x, 0.0) <= f(y, 0.0);
                assert!(monotone, "{name} is monotone");
            }
        }
    }
}

/// Examples have as many elements as their types say.
#[test]
fn examples_have_the_sizes_of_their_types() {
    let size = |ty: &str| -> usize {
        let (_, sizes) = ty.trim().split_once('[').expect("dtype[sizes]");
        let sizes = sizes.trim_end_matches(']').trim();
        if sizes.is_empty() {
            1
        } else {
            sizes.split(',').map(|n| n.trim().parse::<usize>().expect("a size")).product()
        }
    };
    for (name, op) in load().ops().filter(|(_, o)| o.example.as_ref().is_some_and(|e| e.op.is_some())) {
        let e = op.example.as_ref().expect("filtered");
        for (input, data) in e.inputs.iter().zip(&e.inputs_data) {
            assert_eq!(size(input.split_once(':').expect("name: type").1), data.len(), "{name}: {input}");
        }
        let text = op.example_function(name).expect("one result");
        let ty = e.op.as_ref().and_then(|o| o.rsplit(" : ").next()).expect("a type");
        assert_eq!(size(ty), e.outputs_data[0].len(), "{name}: {text}");
    }
}

/// `composed.toml` is valid, its names are no operators, and half precision goes through f32.
#[test]
fn composed_functions_have_bounds() {
    let (all, spec) = (kiln_spec::composed::all(), load());
    assert!(all.len() >= 12);
    for (name, c) in all {
        assert!(spec.op(name).is_none(), "{name} is an operator");
        assert!(matches!(c.accuracy("f32"), Some(Accuracy::Ulp(1..))), "{name}");
        assert_eq!(c.accuracy("bf16"), Some(Accuracy::ViaF32), "{name}");
        assert_eq!(c.accuracy("i32"), None, "{name}");
    }
}
