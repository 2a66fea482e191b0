//! Complex functions: reference values and their error, in units of the last place of the larger part of the exact result.
//!
//! Arguments are of ordinary size (see `points`); overflow, underflow and infinities are not measured here.

use super::dd::{Dd, Exact, exponent, ldexp};
use super::elementary::{cosh, exp_dd, expm1, log_dd, log1p_dd, sinh};
use super::evaluate::{Backend, Evaluator};
use super::format::{F32, F64, Format};
use super::sweep::Density;
use super::trig::{atan2_dd, sin_cos, sin_cos_dd};
use kiln_spec::{Accuracy, Spec};
use kiln_testing::Rng;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// A complex number.
#[derive(Clone, Copy, Debug)]
pub struct Complex {
    /// The real part.
    pub re: Dd,
    /// The imaginary part.
    pub im: Dd,
}

fn complex(re: Dd, im: Dd) -> Complex {
    Complex { re, im }
}

impl Complex {
    fn from_parts(z: (f64, f64)) -> Complex {
        complex(z.0.into(), z.1.into())
    }

    fn norm(self) -> Dd {
        self.re * self.re + self.im * self.im
    }

    fn scale(self, by: Dd) -> Complex {
        complex(self.re * by, self.im * by)
    }

    fn times(self, o: Complex) -> Complex {
        complex(self.re * o.re - self.im * o.im, self.re * o.im + self.im * o.re)
    }

    fn over(self, o: Complex) -> Complex {
        self.times(complex(o.re, -o.im)).scale(Dd::ONE / o.norm())
    }

    fn exp(self) -> Complex {
        let (s, c) = sin_cos_dd(self.im);
        complex(c, s).scale(exp_dd(self.re).dd())
    }

    /// The logarithm of `self`, whose squared magnitude is 1 + `d`.
    fn log_of(self, d: Dd) -> Complex {
        complex(log1p_dd(d).scale(-1), atan2_dd(self.im, self.re))
    }

    fn log(self) -> Complex {
        if self.norm().hi > 0.5 && self.norm().hi < 2.0 {
            return self.log_of((self.re - 1.0) * (self.re + 1.0) + self.im * self.im);
        }
        complex(log_dd(self.norm()).scale(-1), atan2_dd(self.im, self.re))
    }

    fn sqrt(self) -> Complex {
        let larger = ((self.norm().sqrt() + self.re.abs()).scale(-1)).sqrt();
        let smaller = self.im.abs() / larger.scale(1);
        let (re, im) = if self.re.hi < 0.0 { (smaller, larger) } else { (larger, smaller) };
        complex(re, if self.im.hi < 0.0 { -im } else { im })
    }
}

/// A complex function and its exact value at two arguments (of which those of one operand take the first).
pub struct ComplexFunction {
    /// The operator.
    pub name: &'static str,
    /// Number of operands.
    pub arity: usize,
    /// True when the result is real.
    pub real: bool,
    exact: fn((f64, f64), (f64, f64)) -> Complex,
}

impl ComplexFunction {
    /// What the bound is multiplied with: the exponential in a power enlarges the error of its argument, `y log x`.
    fn condition(&self, at: &[(f64, f64)]) -> f64 {
        if self.name != "power" {
            return 1.0;
        }
        let (x, y) = (Complex::from_parts(at[0]), Complex::from_parts(at[1]));
        x.log().times(y).norm().hi.sqrt().max(1.0)
    }

    /// The exponent below which the unit does not fall: 0 for atan2, whose formula ends in a logarithm near 1.
    fn floor(&self) -> i32 {
        if self.name == "atan2" { 0 } else { i32::MIN }
    }

    /// The exact value at a point: real and imaginary part of each operand.
    pub fn exact(&self, at: &[(f64, f64)]) -> Complex {
        (self.exact)(at[0], at[at.len() - 1])
    }
}

fn sine(z: (f64, f64)) -> Complex {
    let (s, c) = sin_cos(z.0);
    complex(s * cosh(z.1).dd(), c * sinh(z.1).dd())
}

fn cosine(z: (f64, f64)) -> Complex {
    let (s, c) = sin_cos(z.0);
    complex(c * cosh(z.1).dd(), -(s * sinh(z.1).dd()))
}

/// `(sinh x cosh x + i sin y cos y) / (sinh^2 x + cos^2 y)`.
fn tanh(z: (f64, f64)) -> Complex {
    let (s, c) = sin_cos(z.1);
    let (sh, ch) = (sinh(z.0).dd(), cosh(z.0).dd());
    complex(sh * ch, s * c).scale(Dd::ONE / (sh * sh + c * c))
}

fn tan(z: (f64, f64)) -> Complex {
    let t = tanh((-z.1, z.0));
    complex(t.im, -t.re)
}

fn exponential_minus_one(z: (f64, f64)) -> Complex {
    let (half, _) = sin_cos(z.1 * 0.5);
    let (s, c) = sin_cos(z.1);
    let e = expm1(z.0).dd();
    complex(e * c - (half * half).scale(1), (e + 1.0) * s)
}

fn log_plus_one(z: (f64, f64)) -> Complex {
    let (x, y) = (Dd::from(z.0), Dd::from(z.1));
    complex(x + 1.0, y).log_of(x * (x + 2.0) + y * y)
}

fn logistic(z: (f64, f64)) -> Complex {
    let e = Complex::from_parts((-z.0, -z.1)).exp();
    let one = complex(Dd::ONE, Dd::from(0.0));
    one.over(complex(e.re + 1.0, e.im))
}

fn rsqrt(z: (f64, f64)) -> Complex {
    complex(Dd::ONE, Dd::from(0.0)).over(Complex::from_parts(z).sqrt())
}

fn power(z: (f64, f64), w: (f64, f64)) -> Complex {
    Complex::from_parts(z).log().times(Complex::from_parts(w)).exp()
}

/// `-i log((x + i y) / sqrt(x^2 + y^2))`.
fn atan2(y: (f64, f64), x: (f64, f64)) -> Complex {
    let (y, x) = (Complex::from_parts(y), Complex::from_parts(x));
    let (xx, yy) = (x.times(x), y.times(y));
    let root = complex(xx.re + yy.re, xx.im + yy.im).sqrt();
    let l = complex(x.re - y.im, x.im + y.re).over(root).log();
    complex(l.im, -l.re)
}

const fn function(name: &'static str, arity: usize, exact: fn((f64, f64), (f64, f64)) -> Complex) -> ComplexFunction {
    ComplexFunction { name, arity, real: false, exact }
}

fn magnitude(z: (f64, f64)) -> Dd {
    Complex::from_parts(z).norm().sqrt()
}

/// Every complex function of the table.
pub const FUNCTIONS: &[ComplexFunction] = &[
    ComplexFunction { name: "abs", arity: 1, real: true, exact: |z, _| complex(magnitude(z), Dd::from(0.0)) },
    function("exponential", 1, |z, _| Complex::from_parts(z).exp()),
    function("exponential_minus_one", 1, |z, _| exponential_minus_one(z)),
    function("log", 1, |z, _| Complex::from_parts(z).log()),
    function("log_plus_one", 1, |z, _| log_plus_one(z)),
    function("logistic", 1, |z, _| logistic(z)),
    function("sine", 1, |z, _| sine(z)),
    function("cosine", 1, |z, _| cosine(z)),
    function("tan", 1, |z, _| tan(z)),
    function("tanh", 1, |z, _| tanh(z)),
    function("sqrt", 1, |z, _| Complex::from_parts(z).sqrt()),
    function("rsqrt", 1, |z, _| rsqrt(z)),
    function("cbrt", 1, |z, _| Complex::from_parts(z).log().scale(Dd::ONE / 3.0).exp()),
    function("sign", 1, |z, _| Complex::from_parts(z).scale(Dd::ONE / magnitude(z))),
    function("power", 2, power),
    function("atan2", 2, atan2),
    function("multiply", 2, |a, b| Complex::from_parts(a).times(Complex::from_parts(b))),
    function("divide", 2, |a, b| Complex::from_parts(a).over(Complex::from_parts(b))),
];

/// A measured row: a function on c64 (f32) or c128 (f64).
#[derive(Clone, Debug)]
pub struct ComplexRow {
    /// The function.
    pub function: &'static str,
    /// Of the parts.
    pub format: Format,
    /// How it was evaluated.
    pub backend: Backend,
    /// The bound of the specification.
    pub bound: f64,
    /// The largest error found.
    pub worst: f64,
    /// Where: real and imaginary part of each operand.
    pub at: Vec<(f64, f64)>,
    /// What was found there.
    pub found: (f64, f64),
}

impl ComplexRow {
    /// True when the bound is kept; see [`super::measure::Row::holds`].
    pub fn holds(&self) -> bool {
        let foreign = self.backend == Backend::Interpreter && self.format == F64;
        foreign || self.worst <= self.bound
    }
}

impl std::fmt::Display for ComplexRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ComplexRow { function, format, backend, bound, worst, at, found } = self;
        let name = format.name;
        write!(f, "complex {function} {name} {backend:?}: {worst:.4} ULP of {bound} at {at:?} ({found:?})")
    }
}

/// Arguments of ordinary size: both parts in [-4, 4] or, independently, of magnitudes from 2^-20 to 2^3 (a wider range would
/// measure overflow); the unit circle and its neighbourhood; next to 1, -1, i and the zeros of sine and cosine.
fn points(format: Format, density: Density, seed: u64) -> Vec<(f64, f64)> {
    let n = if density == Density::Dense { 1 << 15 } else { 200 };
    let mut r = Rng::new(seed);
    let mut out = vec![];
    let centres = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (FRAC_PI_2, 0.0), (PI, 0.0)];
    for _ in 0..n {
        let part = |r: &mut Rng| (r.unit() * 2.0 - 1.0) * ldexp(1.0, 3 - r.below(23) as i32);
        out.push((part(&mut r), part(&mut r)));
        out.push((r.unit() * 8.0 - 4.0, r.unit() * 8.0 - 4.0));
        let t = r.unit() * TAU;
        let size = 1.0 + (r.unit() - 0.5) * ldexp(1.0, -(r.below(24) as i32));
        out.push((size * t.cos(), size * t.sin()));
        let c = r.pick(&centres);
        out.push((c.0 + part(&mut r) * 1e-2, c.1 + part(&mut r) * 1e-2));
    }
    let round = |x: f64| format.decode(format.encode(x));
    out.into_iter().map(|z| (round(z.0), round(z.1))).collect()
}

fn error(format: Format, found: (f64, f64), exact: Complex, least: i32) -> f64 {
    let size = exact.re.hi.abs().max(exact.im.hi.abs());
    let floor = exponent(size).max(least);
    let part = |found: f64, e: Dd| {
        // The sign of a part that is 0 is not measured.
        let found = if found == 0.0 { 0f64.copysign(e.hi) } else { found };
        format.error(found, Exact::from(e), floor)
    };
    part(found.0, exact.re).max(part(found.1, exact.im))
}

/// Measures a complex function.
///
/// # Errors
/// What cannot be compiled or run.
pub fn measure(
    f: &ComplexFunction,
    format: Format,
    backend: Backend,
    density: Density,
    spec: &Spec,
) -> Result<ComplexRow, String> {
    let dtype = if format == F32 { "c64" } else { "c128" };
    let n = 1 << 12;
    let inputs: Vec<Vec<(f64, f64)>> = (0..f.arity).map(|i| points(format, density, 3 + i as u64)).collect();
    let bits = |z: &(f64, f64)| [format.encode(z.0), format.encode(z.1)];
    let flat: Vec<Vec<u64>> = inputs.iter().map(|p| p.iter().flat_map(bits).collect()).collect();
    let found = Evaluator::of_complex(f, dtype, format, backend, n)?.run(&flat)?;
    let parts = if f.real { 1 } else { 2 };
    let mut row = ComplexRow {
        function: f.name,
        format,
        backend,
        bound: bound(f, dtype, spec, backend != Backend::WithoutFma)?,
        worst: -1.0,
        at: vec![],
        found: (0.0, 0.0),
    };
    for i in 0..inputs[0].len() {
        let at: Vec<(f64, f64)> = inputs.iter().map(|p| p[i]).collect();
        let exact = f.exact(&at);
        let size = exact.re.hi.abs().max(exact.im.hi.abs());
        if !(ldexp(1.0, format.least / 2)..ldexp(1.0, format.most)).contains(&size) {
            // Overflow, and cancellation down to where parts underflow.
            continue;
        }
        let v = |k: usize| format.decode(found[i * parts + k]);
        let z = (v(0), if f.real { 0.0 } else { v(1) });
        let e = error(format, z, exact, f.floor()) / f.condition(&at);
        if e > row.worst {
            (row.worst, row.at, row.found) = (e, at, z);
        }
    }
    Ok(row)
}

/// The promise in units of the last place. None is kept yet for atan2 on c128, whose formula cancels where x^2 + y^2 is small.
fn bound(f: &ComplexFunction, dtype: &str, spec: &Spec, fused: bool) -> Result<f64, String> {
    if f.name == "atan2" && dtype == "c128" {
        return Ok(f64::INFINITY);
    }
    let factor = if fused { 1.0 } else { 2.0 };
    match spec.op(f.name).and_then(|o| o.accuracy(dtype)) {
        Some(Accuracy::NormUlp(n)) => Ok(f64::from(n) * factor),
        other => Err(format!("the specification says {other:?} of {} on {dtype}", f.name)),
    }
}

/// The graph's text.
pub(super) fn text(f: &ComplexFunction, dtype: &str, n: usize) -> String {
    let real = if dtype == "c64" { F32.name } else { F64.name };
    let (inputs, operands) = if f.arity == 1 {
        (format!("%x: {dtype}[{n}]"), "%x")
    } else {
        (format!("%x: {dtype}[{n}], %y: {dtype}[{n}]"), "%x, %y")
    };
    let ty = format!("{}[{n}]", if f.real { real } else { dtype });
    format!("func @f({inputs}) -> (r: {ty}) {{\n  %0 = {} {operands} : {ty}\n  return %0\n}}\n", f.name)
}
