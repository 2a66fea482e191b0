//! Hyperbolic, inverse trigonometric and inverse hyperbolic functions of complex numbers.
//!
//! The inverse sine and cosine are those of T. E. Hull, T. F. Fairgrieve and P. T. P. Tang, "Implementing the complex arcsine and
//! arccosine functions using exception handling" (ACM TOMS 23, 1997), the inverse tangent is that of W. Kahan, "Branch cuts for
//! complex elementary functions" (1987). The other inverses are these, turned by a right angle.

use crate::special::{atan2, cosh, sinh};
use kiln_builder::Expr;
use kiln_ir::{DType, Op};
use std::f64::consts::{FRAC_PI_2, LN_2};

/// The function of this name at `z`, if it is one of `sinh`, `cosh`, `asin`, `acos`, `asinh`, `acosh`, `atan`, `atanh`.
pub fn function(name: &str, z: &Expr) -> Option<Expr> {
    let (x, y) = (z.real(), z.imag());
    Some(match name {
        "sinh" => (sinh(&x) * y.cos()).complex(&(cosh(&x) * y.sin())),
        "cosh" => (cosh(&x) * y.cos()).complex(&(sinh(&x) * y.sin())),
        "asin" => {
            let arc = Arc::of(&x, &y);
            arc.sine.complex(&with_sign(&arc.height, &y))
        }
        "acos" => {
            let arc = Arc::of(&x, &y);
            arc.cosine.complex(&(-with_sign(&arc.height, &y)))
        }
        // -i asin(i z)
        "asinh" => {
            let arc = Arc::of(&-&y, &x);
            with_sign(&arc.height, &x).complex(&(-arc.sine))
        }
        "acosh" => {
            let arc = Arc::of(&x, &y);
            arc.height.complex(&with_sign(&arc.cosine, &y))
        }
        "atanh" => {
            let (re, im) = atanh(&x, &y);
            re.complex(&im)
        }
        // -i atanh(i z)
        "atan" => {
            let (re, im) = atanh(&-&y, &x);
            im.complex(&(-re))
        }
        _ => return None,
    })
}

/// What the inverse sine and cosine of `x + i y` are made of.
struct Arc {
    /// Real part of the inverse sine, with the sign of `x`.
    sine: Expr,
    /// Real part of the inverse cosine, in [0, pi].
    cosine: Expr,
    /// Imaginary part of either, without its sign.
    height: Expr,
}

/// Where squares would overflow or their differences be lost.
fn large(x: &Expr) -> f64 {
    if x.dtype() == DType::F32 { 1e18 } else { 1e150 }
}

impl Arc {
    fn of(x: &Expr, y: &Expr) -> Arc {
        let (ax, ay) = (x.abs(), y.abs());
        let far = ax.ge(large(x)) | ay.ge(large(x));
        // Where it is far, the near formulas run on something harmless.
        let (nx, ny) = (far.select(1.0, &ax), far.select(1.0, &ay));
        let (r, s) = (hypot(&(&nx + 1.0), &ny), hypot(&(&nx - 1.0), &ny));
        let a = (&r + &s) * 0.5;
        let above = &r + (&nx + 1.0);
        let square = &ny * &ny;
        // sqrt(a^2 - x^2), without cancellation on either side of 1.
        let inside = ((&a + &nx) * 0.5 * (&square / &above + (&s + (1.0 - &nx)))).sqrt();
        let sum = &a + &nx;
        let outside = &ny * ((&sum / &above + &sum / (&s + (&nx - 1.0))) * 0.5).sqrt();
        let leg = nx.le(1.0).select(inside, outside);
        // a - 1
        let beyond = &s + (&nx - 1.0);
        let before = &square / (&s + (1.0 - &nx));
        let excess = (&square / &above + nx.lt(1.0).select(before, beyond)) * 0.5;
        let near_height = (&excess + (&excess * (&a + 1.0)).sqrt()).log1p();
        let (most, least) = (ax.maximum(&ay), ax.minimum(&ay));
        let ratio = least.eq(&most).select(1.0, &least / &most);
        let far_height = most.log() + LN_2 + (&ratio * &ratio).log1p() * 0.5;
        let leg = far.select(&ay, leg);
        let opposite = far.select(&ax, &nx);
        Arc {
            sine: atan2(&with_sign(&opposite, x), &leg),
            cosine: atan2(&leg, &with_sign(&opposite, x)),
            height: far.select(far_height, near_height),
        }
    }
}

/// `sqrt(x^2 + y^2)` for numbers whose squares neither overflow nor vanish together.
fn hypot(x: &Expr, y: &Expr) -> Expr {
    let (x, y) = (x.abs(), y.abs());
    let (most, least) = (x.maximum(&y), x.minimum(&y));
    let ratio = most.gt(0.0).select(&least / &most, 0.0);
    &most * (&ratio * &ratio + 1.0).sqrt()
}

/// Real and imaginary part of the inverse hyperbolic tangent.
fn atanh(x: &Expr, y: &Expr) -> (Expr, Expr) {
    let (ax, ay) = (x.abs(), y.abs());
    let far = ax.ge(large(x)) | ay.ge(large(x));
    let (nx, ny) = (far.select(2.0, &ax), far.select(2.0, &ay));
    let rest = 1.0 - &nx;
    let re = (&nx * 4.0 / (&rest * &rest + &ny * &ny)).log1p() * 0.25;
    let im = atan2(&(&ny * 2.0), &(&rest * (&nx + 1.0) - &ny * &ny)) * 0.5;
    // 1 / z, whose real part is x / (x^2 + y^2).
    let (most, least) = (ax.maximum(&ay), ax.minimum(&ay));
    let ratio = least.eq(&most).select(1.0, &least / &most);
    let scale = (&ratio * &ratio + 1.0).reciprocal() / &most;
    let distant = ax.ge(&ay).select(&scale, &scale * &ratio);
    let re = with_sign(&far.select(distant, re), x);
    let im = with_sign(&far.select(FRAC_PI_2, im), y);
    (re, im)
}

/// The size of a number that is not negative with the sign of `x`, also that of a zero.
fn with_sign(size: &Expr, x: &Expr) -> Expr {
    let int = if x.dtype() == DType::F32 { DType::I32 } else { DType::I64 };
    let negative = x.graph().emit(Op::BitcastConvert(int), &[x]).lt(0);
    negative.select(-size, size)
}
