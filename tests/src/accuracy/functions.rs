//! The functions that are measured: how a graph of one is made, its exact value, and where it is interesting.

use super::dd::{Dd, Exact};
use super::format::Format;
use super::{elementary as e, special as s, trig as t};
use kiln::ir::Func;
use kiln_spec::{Accuracy, Spec};

/// Where a function comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// An operator of the table.
    Operator,
    /// Made of operators by the StableHLO reader.
    Chlo,
}

/// The exact value.
#[derive(Clone, Copy)]
pub enum Reference {
    /// Of one argument.
    Unary(fn(f64) -> Exact),
    /// Of two.
    Binary(fn(f64, f64) -> Exact),
}

/// A function under measurement.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its name as operator.
    pub name: &'static str,
    /// Where it comes from.
    pub origin: Origin,
    /// The exact value.
    pub reference: Reference,
    /// Intervals that get points of their own.
    pub ranges: &'static [(f64, f64)],
}

const fn unary(name: &'static str, reference: fn(f64) -> Exact, ranges: &'static [(f64, f64)]) -> Function {
    Function { name, origin: Origin::Operator, reference: Reference::Unary(reference), ranges }
}

const fn binary(name: &'static str, reference: fn(f64, f64) -> Exact) -> Function {
    Function { name, origin: Origin::Operator, reference: Reference::Binary(reference), ranges: &[(-8.0, 8.0)] }
}

const fn chlo(name: &'static str, reference: fn(f64) -> Exact, ranges: &'static [(f64, f64)]) -> Function {
    Function { name, origin: Origin::Chlo, reference: Reference::Unary(reference), ranges }
}

fn or_exact(x: f64, y: f64, plain: f64, exact: impl FnOnce() -> Exact) -> Exact {
    if x.is_finite() && y.is_finite() && x != 0.0 && y != 0.0 { exact() } else { plain.into() }
}

fn add(x: f64, y: f64) -> Exact {
    // Halved, so that the sum does not overflow; subnormals keep their last digit.
    let k = if x.abs().max(y.abs()) > 1e300 { -2 } else { 0 };
    or_exact(x, y, x + y, || Exact::new(Dd::sum(super::dd::ldexp(x, k), super::dd::ldexp(y, k)), -k))
}

fn subtract(x: f64, y: f64) -> Exact {
    let zero = x == 0.0 && y == 0.0;
    if zero { (x - y).into() } else { add(x, -y) }
}

/// A number in [1, 2) and its exponent.
fn split(x: f64) -> (f64, i32) {
    let k = super::dd::exponent(x);
    (super::dd::ldexp(super::dd::ldexp(x, -k / 2), -k - -k / 2), k)
}

fn multiply(x: f64, y: f64) -> Exact {
    or_exact(x, y, x * y, || {
        let ((a, i), (b, j)) = (split(x), split(y));
        Exact::new(Dd::product(a, b), i + j)
    })
}

fn divide(x: f64, y: f64) -> Exact {
    or_exact(x, y, x / y, || {
        let ((a, i), (b, j)) = (split(x), split(y));
        Exact::new(Dd::from(a) / Dd::from(b), i - j)
    })
}

/// Every function of the table.
pub const FUNCTIONS: &[Function] = &[
    unary("exponential", e::exp, &[(-105.0, 90.0), (-1.0, 1.0), (-746.0, 710.0)]),
    unary("exponential_minus_one", e::expm1, &[(-2.0, 2.0), (-40.0, 90.0), (-1.0, 710.0)]),
    unary("log", e::log, &[(0.4, 2.5), (0.9, 1.1)]),
    unary("log_plus_one", e::log1p, &[(-0.999, 3.0), (-0.1, 0.1)]),
    unary("logistic", e::logistic, &[(-20.0, 20.0), (-105.0, 0.0), (-746.0, 0.0)]),
    unary("tanh", e::tanh, &[(-3.0, 3.0), (-20.0, 20.0)]),
    unary("sine", t::sin, &[(-30.0, 30.0), (-1e5, 1e5)]),
    unary("cosine", t::cos, &[(-30.0, 30.0), (-1e5, 1e5)]),
    unary("tan", t::tan, &[(-30.0, 30.0), (-1e5, 1e5)]),
    unary("sqrt", e::sqrt, &[(0.0, 4.0)]),
    unary("rsqrt", e::rsqrt, &[(0.0, 4.0)]),
    unary("cbrt", e::cbrt, &[(-8.0, 8.0)]),
    unary("erf", s::erf, &[(-1.0, 1.0), (-4.5, 4.5), (-6.5, 6.5)]),
    binary("power", e::pow),
    binary("atan2", t::atan2),
    binary("remainder", |x, y| (x % y).into()),
    binary("add", add),
    binary("subtract", subtract),
    binary("multiply", multiply),
    binary("divide", divide),
    chlo("acos", t::acos, &[(-1.0, 1.0)]),
    chlo("acosh", e::acosh, &[(1.0, 2.0), (1.0, 100.0)]),
    chlo("asin", t::asin, &[(-1.0, 1.0)]),
    chlo("asinh", e::asinh, &[(-2.0, 2.0), (-100.0, 100.0)]),
    chlo("atan", t::atan, &[(-4.0, 4.0)]),
    chlo("atanh", e::atanh, &[(-1.0, 1.0)]),
    chlo("cosh", e::cosh, &[(-3.0, 3.0), (-90.0, 90.0), (-711.0, 711.0)]),
    chlo("sinh", e::sinh, &[(-3.0, 3.0), (-90.0, 90.0), (-711.0, 711.0)]),
    chlo("erfc", s::erfc, &[(-6.0, 6.0), (0.0, 11.0), (0.0, 28.0)]),
    chlo("erf_inv", s::erf_inv, &[(-1.0, 1.0), (0.99, 1.0)]),
    chlo("lgamma", s::lgamma, &[(0.0, 4.0), (0.0, 100.0), (-10.0, 0.0)]),
    chlo("digamma", s::digamma, &[(0.0, 4.0), (0.0, 100.0), (-10.0, 0.0)]),
];

impl Function {
    /// Number of operands.
    pub fn arity(&self) -> usize {
        match self.reference {
            Reference::Unary(_) => 1,
            Reference::Binary(_) => 2,
        }
    }

    /// The exact value at a point.
    pub fn exact(&self, x: &[f64]) -> Exact {
        match self.reference {
            Reference::Unary(f) => f(x[0]),
            Reference::Binary(f) => f(x[0], x[1]),
        }
    }

    /// A function of `n` elements.
    ///
    /// # Errors
    /// Why the graph cannot be made.
    pub fn graph(&self, format: Format, n: usize) -> Result<Func, String> {
        let names = &["x", "y"][..self.arity()];
        let list = |f: &dyn Fn(&str) -> String| names.iter().map(|n| f(n)).collect::<Vec<_>>().join(", ");
        let operands = list(&|n| format!("%{n}"));
        if self.origin == Origin::Operator {
            let ty = format!("{}[{n}]", format.name);
            let inputs = list(&|n| format!("%{n}: {ty}"));
            let text =
                format!("func @f({inputs}) -> (r: {ty}) {{\n  %0 = {} {operands} : {ty}\n  return %0\n}}\n", self.name);
            return kiln::ir::text::parse(&text).map_err(|e| e.to_string());
        }
        let ty = format!("tensor<{n}x{}>", format.name);
        let inputs = list(&|n| format!("%{n}: {ty}"));
        let types = list(&|_| ty.clone());
        let text = format!(
            "func.func @main({inputs}) -> {ty} {{\n  %0 = chlo.{} {operands} : {types} -> {ty}\n  return %0 : {ty}\n}}\n",
            self.name
        );
        let module = kiln_stablehlo::read_text(&text, self.name).map_err(|e| e.to_string())?;
        kiln_stablehlo::build(&module, "main").map(|p| p.func).map_err(|e| e.to_string())
    }

    /// What the specification promises, in units of the last place; with `fused` false for targets without fused
    /// multiply-add.
    ///
    /// # Errors
    /// Names the function that has no entry.
    pub fn bound(&self, spec: &Spec, format: Format, fused: bool) -> Result<f64, String> {
        let missing = || format!("the specification says nothing of {} on {}", self.name, format.name);
        let accuracy = |dtype: &str| match self.origin {
            Origin::Operator => spec.op(self.name).and_then(|o| o.accuracy(dtype)),
            Origin::Chlo => kiln_spec::composed(self.name).and_then(|c| c.accuracy(dtype)),
        };
        let ulps = |a: Accuracy| match a {
            Accuracy::Exact => Ok(0.0),
            Accuracy::Rounded => Ok(0.5),
            Accuracy::Ulp(n) => Ok(f64::from(n) * if fused { 1.0 } else { 2.0 }),
            Accuracy::ViaF32 | Accuracy::NormUlp(_) | Accuracy::Reduction | Accuracy::AsNested => Err(missing()),
        };
        match accuracy(format.name).ok_or_else(missing)? {
            // The error in f32, in units of the narrower type, and half a unit for the rounding.
            Accuracy::ViaF32 => {
                let single = ulps(accuracy("f32").ok_or_else(missing)?)?;
                Ok(0.5 + single / 2f64.powi(24 - format.digits))
            }
            other => ulps(other),
        }
    }
}
