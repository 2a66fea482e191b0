//! Double-double arithmetic: a number as the unevaluated sum of two f64, about 104 bits.
//!
//! Algorithms of T. J. Dekker, "A floating-point technique for extending the available precision" (1971), with the exact
//! product by a fused multiply-add; relative errors of a few 2^-104 (M. Joldes, J.-M. Muller, V. Popescu, "Tight and rigorous
//! error bounds for basic building blocks of double-word arithmetic", 2017).

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `hi + lo` with `|lo|` at most half a unit in the last place of `hi`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dd {
    /// The number rounded to f64.
    pub hi: f64,
    /// What is left.
    pub lo: f64,
}

/// `a + b` and its rounding error.
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

impl Dd {
    /// 1.
    pub const ONE: Dd = Dd { hi: 1.0, lo: 0.0 };

    /// A number from its two parts as stored.
    pub const fn new(hi: f64, lo: f64) -> Dd {
        Dd { hi, lo }
    }

    /// The sum of two f64, exactly.
    #[inline]
    pub fn sum(a: f64, b: f64) -> Dd {
        let (hi, lo) = two_sum(a, b);
        Dd { hi, lo }
    }

    /// The product of two f64, exactly unless it underflows.
    #[inline]
    pub fn product(a: f64, b: f64) -> Dd {
        let hi = a * b;
        Dd { hi, lo: a.mul_add(b, -hi) }
    }

    #[inline]
    fn normal(hi: f64, lo: f64) -> Dd {
        let s = hi + lo;
        Dd { hi: s, lo: lo - (s - hi) }
    }

    /// The number times 2^k, exactly as long as it stays in the range of f64.
    pub fn scale(self, k: i32) -> Dd {
        Dd { hi: ldexp(self.hi, k), lo: ldexp(self.lo, k) }
    }

    /// The magnitude.
    pub fn abs(self) -> Dd {
        if self.hi < 0.0 { -self } else { self }
    }

    /// The square root of a positive number: one Newton step from that of the leading part.
    pub fn sqrt(self) -> Dd {
        if self.hi == 0.0 {
            return self;
        }
        let r = Dd::from(self.hi.sqrt());
        (r + self / r).scale(-1)
    }
}

impl From<f64> for Dd {
    #[inline]
    fn from(hi: f64) -> Dd {
        Dd { hi, lo: 0.0 }
    }
}

impl Neg for Dd {
    type Output = Dd;
    #[inline]
    fn neg(self) -> Dd {
        Dd { hi: -self.hi, lo: -self.lo }
    }
}

impl Add for Dd {
    type Output = Dd;
    #[inline]
    fn add(self, o: Dd) -> Dd {
        let (s, e) = two_sum(self.hi, o.hi);
        let (t, f) = two_sum(self.lo, o.lo);
        let a = Dd::normal(s, e + t);
        Dd::normal(a.hi, a.lo + f)
    }
}

impl Sub for Dd {
    type Output = Dd;
    #[inline]
    fn sub(self, o: Dd) -> Dd {
        self + -o
    }
}

impl Mul for Dd {
    type Output = Dd;
    #[inline]
    fn mul(self, o: Dd) -> Dd {
        let p = Dd::product(self.hi, o.hi);
        Dd::normal(p.hi, p.lo + (self.hi * o.lo + self.lo * o.hi))
    }
}

impl Div for Dd {
    type Output = Dd;
    #[inline]
    fn div(self, o: Dd) -> Dd {
        let q = self.hi / o.hi;
        let rest = self - o * Dd::from(q);
        let r = rest.hi / o.hi;
        let rest = rest - o * Dd::from(r);
        Dd::normal(q, r) + Dd::from(rest.hi / o.hi)
    }
}

macro_rules! with_f64 {
    ($($trait:ident $f:ident),*) => {$(
        impl $trait<f64> for Dd {
            type Output = Dd;
            #[inline]
            fn $f(self, o: f64) -> Dd {
                $trait::$f(self, Dd::from(o))
            }
        }
    )*};
}
with_f64!(Add add, Sub sub, Mul mul, Div div);

/// `x * 2^k`.
pub fn ldexp(x: f64, k: i32) -> f64 {
    let power = |k: i32| f64::from_bits(((1023 + k) as u64) << 52);
    let (mut x, mut k) = (x, k.clamp(-9000, 9000));
    while k > 1023 {
        x *= power(1023);
        k -= 1023;
    }
    while k < -1022 {
        x *= power(-1022);
        k += 1022;
    }
    x * power(k)
}

/// The exponent of a finite number that is not 0: `2^e <= |x| < 2^(e+1)`.
pub fn exponent(x: f64) -> i32 {
    let field = (x.to_bits() >> 52 & 0x7ff) as i32;
    if field == 0 { exponent(x * ldexp(1.0, 64)) - 64 } else { field - 1023 }
}

/// A result: a double-double times a power of two, so that neither overflow nor gradual underflow costs digits. A leading part
/// that is 0, infinite or NaN stands for itself.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    /// The digits.
    pub value: Dd,
    /// The power of two that they are multiplied with.
    pub exponent: i32,
}

impl Exact {
    /// `value * 2^exponent`.
    pub fn new(value: Dd, exponent: i32) -> Exact {
        Exact { value, exponent }
    }

    /// As double-double, if the exponent allows.
    pub fn dd(self) -> Dd {
        self.value.scale(self.exponent)
    }
}

impl From<Dd> for Exact {
    fn from(value: Dd) -> Exact {
        Exact { value, exponent: 0 }
    }
}

impl From<f64> for Exact {
    fn from(x: f64) -> Exact {
        Exact::from(Dd::from(x))
    }
}

impl Neg for Exact {
    type Output = Exact;
    fn neg(self) -> Exact {
        Exact { value: -self.value, exponent: self.exponent }
    }
}
