//! Complex elements: c128, and c64 computed as c128 and rounded once.

use super::complex_math as cm;
use super::lane::{Fn1, Fn2, Lane, Wide};
use kiln_ir::{BinaryOp, Complex, UnaryOp};
use std::cmp::Ordering;

/// Two `f64`: what complex numbers are computed in.
type C = Complex<f64>;

macro_rules! complex_lane {
    ($part:ident) => {
        impl Lane for Complex<$part> {
            type Acc = C;

            fn unary(op: UnaryOp) -> Option<Fn1<Self>> {
                macro_rules! f {
                    ($g:expr) => {
                        |z: Self| Self::down($g(z.up()))
                    };
                }
                Some(match op {
                    UnaryOp::Cbrt => f!(cm::cbrt),
                    UnaryOp::Cosine => f!(cm::cos),
                    UnaryOp::Exponential => f!(cm::exp),
                    UnaryOp::ExponentialMinusOne => f!(cm::expm1),
                    UnaryOp::Log => f!(cm::log),
                    UnaryOp::LogPlusOne => f!(cm::log1p),
                    UnaryOp::Logistic => f!(cm::logistic),
                    UnaryOp::Negate => |z| -z,
                    UnaryOp::Rsqrt => f!(cm::rsqrt),
                    UnaryOp::Sign => f!(cm::sign),
                    UnaryOp::Sine => f!(cm::sin),
                    UnaryOp::Sqrt => f!(cm::sqrt),
                    UnaryOp::Tan => f!(cm::tan),
                    UnaryOp::Tanh => f!(cm::tanh),
                    _ => return None,
                })
            }

            fn binary(op: BinaryOp) -> Option<Fn2<Self>> {
                macro_rules! f {
                    ($g:expr) => {
                        |x: Self, y: Self| Self::down($g(x.up(), y.up()))
                    };
                }
                Some(match op {
                    BinaryOp::Add => f!(|x: C, y: C| x + y),
                    BinaryOp::Subtract => f!(|x: C, y: C| x - y),
                    BinaryOp::Multiply => f!(cm::mul),
                    BinaryOp::Divide => f!(cm::div),
                    BinaryOp::Power => f!(cm::pow),
                    BinaryOp::Atan2 => f!(cm::atan2),
                    BinaryOp::Maximum => |x, y| extreme(x, y, Ordering::Less),
                    BinaryOp::Minimum => |x, y| extreme(x, y, Ordering::Greater),
                    _ => return None,
                })
            }

            fn is_finite(self) -> bool {
                self.re.is_finite() && self.im.is_finite()
            }
            fn is_nan(self) -> bool {
                self.re.is_nan() || self.im.is_nan()
            }
            fn order(self, other: Self) -> Option<Ordering> {
                match self.re.partial_cmp(&other.re) {
                    Some(Ordering::Equal) => self.im.partial_cmp(&other.im),
                    order => order,
                }
            }
            fn widen(self) -> Wide {
                Wide::C(self.up())
            }
            fn narrow(w: Wide) -> Self {
                match w {
                    Wide::C(z) => Self::down(z),
                    real => Complex::new($part::narrow(real), 0.0),
                }
            }
            fn up(self) -> C {
                Complex::new(self.re.into(), self.im.into())
            }
            fn down(acc: C) -> Self {
                Complex::new(acc.re as $part, acc.im as $part)
            }
        }
    };
}
complex_lane!(f32);
complex_lane!(f64);

/// The first operand with a NaN; otherwise `y` if `x` is `worse` than it.
fn extreme<T: Lane>(x: T, y: T, worse: Ordering) -> T {
    if !x.is_nan() && (y.is_nan() || x.order(y) == Some(worse)) { y } else { x }
}
