//! remainder on floats: C `fmod`, exact for every pair of arguments.

use super::seq::{F64, Format, Seq};
use crate::ir::Var;
use kiln_ir::{DType, UnaryOp};

/// `|x| - round(|x| / d) d` for d = |y| 2^(step k), k from high to low: each division takes `step` bits off the quotient, and
/// the difference is exact, since it is a multiple of both last places and at most 5/8 d. What remains lies in [-5/8 |y|, 5/8 |y|].
pub(super) fn remainder(s: &mut Seq<'_>, f: Format, x: Var, y: Var) -> Var {
    let (ax, ay) = (s.abs(x), s.abs(y));
    let r = if f.float == DType::F32 {
        let (a, b) = (s.convert(DType::F64, ax), s.convert(DType::F64, ay));
        let r = reduce_single(s, a, b);
        s.convert(DType::F32, r)
    } else {
        reduce_double(s, ax, ay)
    };
    let zero = s.c(f.float, 0.0);
    let negative = s.lt(r, zero);
    let raised = s.add(r, ay);
    let r = s.select(negative, raised, r);
    // |x| < |y| covers an infinite y and every case where the steps do nothing.
    let less = s.lt(ax, ay);
    let r = s.select(less, ax, r);
    let r = s.abs(r);
    let r = s.copy_sign(f, r, x);
    let (inf, nan) = (s.bits(f.float, f.inf), s.bits(f.float, f.inf | 1 << (f.mantissa - 1)));
    let x_ok = s.lt(ax, inf);
    let y_ok = s.lt(zero, ay);
    let ok = s.and(x_ok, y_ok);
    s.select(ok, r, nan)
}

/// f32 arguments in f64: 28 bits per step, products exact in 53 bits, no overflow.
fn reduce_single(s: &mut Seq<'_>, a: Var, b: Var) -> Var {
    let mut r = a;
    for k in (0..=10).rev() {
        let factor = s.c(DType::F64, 2f64.powi(28 * k));
        let d = s.mul(b, factor);
        let q = s.div(r, d);
        let q = s.unary(UnaryOp::RoundNearestEven, q);
        let p = s.mul(q, d);
        r = s.sub(r, p);
    }
    r
}

/// f64: 50 bits per step over all 2098 that the exponents can differ by. A step whose divisor overflows is skipped. Large
/// arguments are halved first, so that no product overflows, and the remainder of the half is doubled and reduced once more.
fn reduce_double(s: &mut Seq<'_>, a: Var, b: Var) -> Var {
    let t = DType::F64;
    let (half, one, two) = (s.c(t, 0.5), s.c(t, 1.0), s.c(t, 2.0));
    let factor = s.c(t, 2f64.powi(50));
    let inf = s.bits(t, F64.inf);
    let mut divisors = vec![b];
    for k in 0..41 {
        divisors.push(s.mul(divisors[k], factor));
    }
    let large = s.lt(one, a);
    let down = s.select(large, half, one);
    let up = s.select(large, two, one);
    let mut r = s.mul(a, down);
    for &d in divisors.iter().rev() {
        let next = step(s, r, d);
        let usable = s.lt(d, inf);
        r = s.select(usable, next, r);
    }
    let doubled = s.mul(r, up);
    step(s, doubled, b)
}

/// `r - round(r / d) d`.
fn step(s: &mut Seq<'_>, r: Var, d: Var) -> Var {
    let q = s.div(r, d);
    let q = s.unary(UnaryOp::RoundNearestEven, q);
    let (p, e) = s.two_product(F64, q, d);
    let next = s.sub(r, p);
    s.sub(next, e)
}
