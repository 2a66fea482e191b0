//! Named dimensions: binding, specialization.

use kiln_ir::dim::DimEnv;
use kiln_ir::specialize::{bind_dims, specialize};
use kiln_ir::text::{parse, print};
use kiln_ir::verify::verify;
use kiln_ir::{DType, Dim, Func, Op, Shape, TensorType, Verified, dims};

fn ty(shape: Shape) -> TensorType {
    TensorType::new(DType::F32, shape)
}

fn env(pairs: &[(&str, i64)]) -> DimEnv {
    pairs.iter().map(|(s, n)| ((*s).into(), *n)).collect()
}

fn n(k: i64, c: i64) -> Dim {
    Dim::symbol("n") * k + c
}

fn func(text: &str) -> Func {
    parse(text).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn binding_solves_linear_expressions() {
    let (a, b) = (ty(dims!["batch", n(2, 1)]), ty(dims![Dim::symbol("m") + Dim::symbol("n"), 3]));
    let found = bind_dims(&[("b", &b), ("a", &a)], &[&[10, 3], &[32, 7]]).expect("solvable");
    assert_eq!(found, env(&[("batch", 32), ("n", 3), ("m", 7)]));
}

fn bind_error(inputs: &[(&str, &TensorType)], shapes: &[&[usize]]) -> (String, String) {
    let d = bind_dims(inputs, shapes).expect_err("contradiction").0.remove(0);
    (d.code, d.message)
}

#[test]
fn binding_reports_contradictions() {
    let (x, y) = (ty(dims!["batch", 784]), ty(dims!["batch"]));
    let (code, text) = bind_error(&[("x", &x), ("labels", &y)], &[&[32, 784], &[16]]);
    assert_eq!((code.as_str(), text.as_str()), ("bind.C3", "`batch` is 32 in \"x\" but 16 in \"labels\""));
    assert_eq!(bind_error(&[("x", &x)], &[&[32, 783]]).0, "bind.C2");
    assert_eq!(bind_error(&[("x", &x)], &[&[32]]).0, "bind.C1");
    assert_eq!(bind_error(&[("x", &x)], &[]).0, "bind.C1");
    let odd = ty(dims![n(2, 1)]);
    assert_eq!(bind_error(&[("x", &odd)], &[&[4]]).1, "no size of `n` makes `2*n+1` 4");
    let less = ty(dims![n(1, 5)]);
    assert_eq!(bind_error(&[("x", &less)], &[&[4]]).0, "bind.C4");
    let sum = ty(dims![Dim::symbol("a") + Dim::symbol("b")]);
    assert_eq!(
        bind_error(&[("x", &sum)], &[&[4]]),
        ("bind.C5".into(), "`a`, `b` cannot be determined from the inputs".into())
    );
    let (p, q) = (ty(dims![n(1, 0)]), ty(dims![n(3, 1)]));
    assert_eq!(bind_error(&[("p", &p), ("q", &q)], &[&[2], &[8]]).1, "`3*n+1` is 8 in \"q\" but must be 7");
    let huge = ty(dims![n(i64::MAX, 0), n(1, 0)]);
    assert_eq!(bind_error(&[("h", &huge)], &[&[usize::MAX, usize::MAX]]).0, "bind.C3");
}

fn verified(source: &str) -> Verified {
    Verified::new(func(source)).unwrap_or_else(|e| panic!("{e}"))
}

const MODEL: &str = "func @f(%x: f32[n, 4], %k: i32[]) -> (z: f32[2*n+1, 4], n: i32[]) {
  %0 = get_dimension_size %x, dim = 0 : i32[]
  %1 = concatenate %x, %x, dim = 0 : f32[2*n, 4]
  %2 = constant 0.0 : f32[]
  %3 = pad %1, %2, low = [0, 0], high = [1, 0] : f32[2*n+1, 4]
  %4 = reshape %3 : f32[4, 2*n+1]
  %5 = iota dim = 0 : f32[2*n+1, 4]
  %6:2 = while %5, %k, cond = (%a: f32[2*n+1, 4], %i: i32[]) -> (bool[]) {
    %0 = get_dimension_size %a, dim = 0 : i32[]
    %1 = compare %i, %0, direction = LT : bool[]
    return %1
  }, body = (%a: f32[2*n+1, 4], %i: i32[]) -> (f32[2*n+1, 4], i32[]) {
    return %a, %i
  } : (f32[2*n+1, 4], i32[])
  %7 = slice %6#0, bounds = [0:2*n+1, 0:4] : f32[2*n+1, 4]
  return %7, %0
}
";

#[test]
fn specialization_substitutes_everywhere() {
    let f = verified(MODEL);
    assert_eq!(f.symbols().into_iter().collect::<Vec<_>>(), ["n".into()]);
    let g = specialize(&f, &env(&[("n", 3)])).unwrap_or_else(|e| panic!("{e}"));
    verify(&g).expect("valid");
    assert!(g.symbols().is_empty());
    let text = print(&g);
    assert!(!text.contains('n') || !text.contains("*n"), "{text}");
    assert!(text.contains("%0 = constant 3 : i32[]") && text.contains("%0 = constant 7 : i32[]"), "{text}");
    assert!(text.contains("bounds = [0:7, 0:4]") && text.contains("%4 = reshape %3 : f32[4, 7]"), "{text}");
    // A size of zero is a size.
    verify(&specialize(&f, &env(&[("n", 0)])).expect("fits")).expect("valid");
}

#[test]
fn specialization_reports_what_does_not_fit() {
    let f = verified(MODEL);
    let d = specialize(&f, &env(&[("m", 3)])).expect_err("n is free");
    assert_eq!(d.0[0].code, "specialize.C1");
    assert!(d.0[0].message.contains("`n`"));
    let cut =
        verified("func @f(%x: f32[n]) -> () { %0 = slice %x, bounds = [2:n] : f32[n-2] loc(\"m.rs\":4:2) return }");
    let d = specialize(&cut, &env(&[("n", 1)])).expect_err("negative");
    assert_eq!((d.0[0].code.as_str(), d.0[0].loc.line()), ("slice.C3", Some(4)));
    assert!(d.to_string().contains("n = 1"), "{d}");
    let big = verified(
        "func @f(%x: f32[n]) -> () { %0 = pad %x, %c, low = [n], high = [1000*n] : f32[1002*n] return }"
            .replace("%0 = pad", "%c = constant 0.0 : f32[] %0 = pad")
            .as_str(),
    );
    let d = specialize(&big, &env(&[("n", i64::MAX / 8)])).expect_err("too large");
    assert!(d.0.iter().any(|d| d.code == "pad.D2"), "{d}");
}

#[test]
fn dims_have_a_normal_form() {
    assert_eq!(n(2, 1) + n(-2, 3), Dim::Const(4));
    assert_eq!((n(4, 6)).content(), (2, n(2, 3)));
    assert_eq!((n(-4, 6)).content(), (-2, n(2, -3)));
    assert_eq!(n(4, 7).checked_floor_div(4), Some(n(1, 1)));
    assert_eq!(n(4, -1).checked_floor_div(4), Some(n(1, -1)));
    assert_eq!(n(4, -1).checked_ceil_div(4), Some(n(1, 0)));
    assert_eq!(n(3, 0).checked_floor_div(2), None);
    assert_eq!(n(1, i64::MAX).checked_add(&Dim::Const(1)), None);
    assert_eq!(Dim::Const(i64::MIN).checked_div(-1), None);
    assert_eq!(Dim::Const(i64::MIN).checked_floor_div(0), None);
}

#[test]
fn reshape_compares_products() {
    let reshape = |from: Shape, to: Shape| kiln_ir::infer::result_types(&Op::Reshape(to), &[&ty(from)]).is_ok();
    assert!(reshape(dims!["b", n(2, 0), 3], dims![Dim::symbol("b") * 6, "n"]));
    assert!(reshape(dims![n(2, 2), 3], dims![6, n(1, 1)]));
    assert!(!reshape(dims![n(2, 2), 3], dims![6, n(1, 2)]));
    assert!(!reshape(dims!["n", "n"], dims!["n"]));
    assert!(reshape(dims![0, "n"], dims![0]));
    assert!(reshape(dims![], dims![1, 1]));
}
