//! The functions of the `chlo` dialect against values known from elsewhere.

mod common;

use common::program;

/// The function of `chlo` at these points, in f64 and in f32.
fn apply(name: &str, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let run = |element: &str| {
        let list: Vec<String> = x.iter().map(|v| format!("{v:e}")).collect();
        let ty = format!("tensor<{}x{element}>", x.len());
        let text = format!(
            "func.func @f() -> {ty} {{\n  %x = stablehlo.constant dense<[{}]> : {ty}\n  %y = chlo.{name} %x : {ty} -> {ty}\n  return %y : {ty}\n}}",
            list.join(", ")
        );
        let program = program("special.mlir", &text).expect("a good program");
        kiln_interp::eval(&program.func, &[]).expect("it runs")[0].numbers()
    };
    (run("f64"), run("f32"))
}

/// Compares within relative errors; `single` allows for the error of the argument in f32 too.
fn expect(name: &str, table: &[(f64, f64)], double: f64, single: f64) {
    let x: Vec<f64> = table.iter().map(|p| p.0).collect();
    let (wide, narrow) = apply(name, &x);
    for (i, &(x, want)) in table.iter().enumerate() {
        for (found, tolerance) in [(wide[i], double), (narrow[i], single)] {
            let lost = tolerance > 1e-9 && (want.abs() > 3.4e38 || want != 0.0 && want.abs() < 1.2e-38);
            let ok = lost
                || found == want
                || found.is_nan() && want.is_nan()
                || (found - want).abs() <= tolerance * want.abs();
            assert!(ok, "{name}({x}): found {found:e}, expected {want:e}, tolerance {tolerance:e}");
        }
    }
}

fn against(name: &str, x: &[f64], f: impl Fn(f64) -> f64, double: f64, single: f64) {
    // The points as f32, so that both widths get the same.
    let table: Vec<(f64, f64)> = x.iter().map(|&x| f64::from(x as f32)).map(|x| (x, f(x))).collect();
    expect(name, &table, double, single);
}

#[test]
fn hyperbolic_and_inverse_functions() {
    let all = [0.0, 1e-6, -1e-3, 0.1, -0.5, 0.99, 1.5, -3.0, 10.0, 40.0, -80.0];
    let inside = [0.0, 1e-6, -1e-3, 0.1, -0.5, 0.9, -0.999, 1.0, -1.0];
    let above = [1.0, 1.000_1, 1.5, 3.0, 1e3, 1e10, 1e30];
    // A few units in the last place, from two or three rounded steps.
    against("sinh", &all, f64::sinh, 2e-15, 6e-7);
    against("cosh", &all, f64::cosh, 2e-15, 6e-7);
    against("asinh", &[0.0, 1e-6, -1e-3, 0.1, -0.5, 2.0, -1e3, 1e18, -1e30], reference_asinh, 2e-15, 6e-7);
    against("acosh", &above, reference_acosh, 2e-15, 6e-7);
    against("atanh", &inside, |x| x.abs().atanh().copysign(x), 2e-15, 6e-7);
    against("asin", &inside, f64::asin, 2e-15, 6e-7);
    against("acos", &inside[..7], f64::acos, 2e-15, 6e-7);
    against("atan", &all, f64::atan, 2e-15, 6e-7);
    let (nan, _) = apply("asin", &[1.5]);
    assert!(nan[0].is_nan());
    let (nan, _) = apply("acosh", &[0.5]);
    assert!(nan[0].is_nan());
}

/// `f64::asinh` loses digits for large negative arguments on some systems.
fn reference_asinh(x: f64) -> f64 {
    x.abs().asinh().copysign(x)
}

/// By half the argument, without the cancellation of `x^2 - 1`.
fn reference_acosh(x: f64) -> f64 {
    2.0 * ((x - 1.0) / 2.0).sqrt().asinh()
}

#[test]
fn hyperbolic_functions_reach_the_end_of_the_range() {
    // ln of the largest f64 is 709.78; sinh and cosh stay finite to 710.47.
    let (wide, _) = apply("cosh", &[710.0, 711.0]);
    assert!((wide[0] / 710f64.cosh() - 1.0).abs() < 1e-12 && wide[1].is_infinite(), "{wide:?}");
    let (_, narrow) = apply("sinh", &[89.0, -89.0, 90.0]);
    let want = 89f64.sinh();
    assert!((narrow[0] / want - 1.0).abs() < 1e-5 && (narrow[1] / want + 1.0).abs() < 1e-5, "{narrow:?}");
    assert!(narrow[2].is_infinite());
}

#[test]
fn error_functions() {
    // Values of C's erfc; the tail has to keep its relative accuracy.
    let erfc = [
        (0.0, 1.0),
        (0.5, 0.479_500_122_186_953_5),
        (1.0, 0.157_299_207_050_285_13),
        (2.0, 0.004_677_734_981_047_266),
        (3.0, 2.209_049_699_858_544e-5),
        (5.0, 1.537_459_794_428_035e-12),
        (9.0, 4.137_031_746_513_81e-37),
        (20.0, 5.395_865_611_607_9e-176),
        (-0.5, 1.520_499_877_813_046_5),
        (-2.0, 1.995_322_265_018_952_7),
        (-40.0, 2.0),
        (40.0, 0.0),
        (f64::NEG_INFINITY, 2.0),
        (f64::INFINITY, 0.0),
        (f64::NAN, f64::NAN),
    ];
    let finite: Vec<(f64, f64)> = erfc.into_iter().filter(|p| p.0.is_finite()).collect();
    expect("erfc", &finite, 2e-14, 3e-6);
    let erf_inv = [
        (0.0, 0.0),
        (0.5, 0.476_936_276_204_469_9),
        (-0.5, -0.476_936_276_204_469_9),
        (0.25, 0.225_312_055_012_178_1),
        (1.0, f64::INFINITY),
        (-1.0, f64::NEG_INFINITY),
    ];
    expect("erf_inv", &erf_inv, 1e-14, 1e-6);
}

#[test]
fn gamma_functions() {
    // ln Gamma: of 10 = ln 9!, of 1/2 = ln sqrt(pi), of -1/2 = ln(2 sqrt(pi)).
    let lgamma = [
        (10.0, 362_880f64.ln()),
        (0.5, std::f64::consts::PI.sqrt().ln()),
        (-0.5, (2.0 * std::f64::consts::PI.sqrt()).ln()),
        (5.0, 24f64.ln()),
        (100.0, 359.134_205_369_575_4),
        (0.0, f64::INFINITY),
        (-3.0, f64::INFINITY),
    ];
    expect("lgamma", &lgamma, 1e-13, 1e-5);
    let euler = 0.577_215_664_901_532_9;
    let digamma = [
        (1.0, -euler),
        (0.5, -euler - 2.0 * std::f64::consts::LN_2),
        (2.0, 1.0 - euler),
        (10.0, 2.251_752_589_066_721),
        (-0.5, 0.036_489_973_978_576_52),
        (0.0, f64::NAN),
        (-2.0, f64::NAN),
    ];
    expect("digamma", &digamma, 1e-12, 2e-4);
}

#[test]
fn bessel_function() {
    let table = [
        (0.0, 0.0),
        (1.0, 0.207_910_415_349_708_45),
        (-1.0, -0.207_910_415_349_708_45),
        (10.0, 0.121_262_681_384_455_5),
    ];
    expect("bessel_i1e", &table, 1e-14, 1e-6);
}

#[test]
fn zeta_and_polygamma() {
    let two = |name: &str, a: f64, b: f64| {
        let text = format!(
            "func.func @f() -> tensor<f64> {{
               %a = stablehlo.constant dense<{a:e}> : tensor<f64>
               %b = stablehlo.constant dense<{b:e}> : tensor<f64>
               %y = chlo.{name} %a, %b : tensor<f64>, tensor<f64> -> tensor<f64>
               return %y : tensor<f64>
             }}"
        );
        let program = program("special.mlir", &text).expect("a good program");
        kiln_interp::eval(&program.func, &[]).expect("it runs")[0].numbers()[0]
    };
    let near = |found: f64, want: f64| assert!((found / want - 1.0).abs() < 1e-12, "{found:e}, expected {want:e}");
    let pi = std::f64::consts::PI;
    near(two("zeta", 2.0, 1.0), pi.powi(2) / 6.0);
    near(two("zeta", 4.0, 1.0), pi.powi(4) / 90.0);
    near(two("zeta", 2.0, 3.0), pi.powi(2) / 6.0 - 1.25);
    near(two("polygamma", 1.0, 0.5), pi.powi(2) / 2.0);
    near(two("polygamma", 3.0, 1.0), pi.powi(4) / 15.0);
    near(two("polygamma", 0.0, 1.0), -0.577_215_664_901_532_9);
    assert!(
        two("zeta", 1.0, 1.0).is_infinite() && two("zeta", 0.5, 1.0).is_nan() && two("polygamma", 0.5, 1.0).is_nan()
    );
}
