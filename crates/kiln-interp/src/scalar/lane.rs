//! The meaning of every scalar operator on every element type: [`Lane`].

use super::math;
use half::{bf16, f16};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, Complex, Element, UnaryOp};
use std::cmp::Ordering;

/// A scalar function of one argument.
pub type Fn1<T> = fn(T) -> T;
/// A scalar function of two arguments.
pub type Fn2<T> = fn(T, T) -> T;

/// A number of any element type, without loss.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Wide {
    /// A signed integer.
    I(i64),
    /// An unsigned integer or a bool (0 or 1).
    U(u64),
    /// A float.
    F(f64),
    /// A complex number.
    C(Complex<f64>),
}

/// An element type with its arithmetic.
///
/// Floats are computed in `f64` and rounded to the type once; f16, bf16 and smaller ones are rounded to f32 first, which for
/// the basic operations gives what f32 arithmetic followed by rounding gives. Complex numbers are computed as pairs of `f64`.
/// Integers wrap.
pub trait Lane: Element + Default {
    /// What reductions accumulate in: f64 for floats, c128 for complex numbers, otherwise the type itself.
    type Acc: Lane;

    /// The function of `op`, or none if the operator is not defined on this type. [`UnaryOp::IsFinite`] changes the type
    /// and is [`Lane::is_finite`]; so does [`UnaryOp::Abs`] of a complex number, which is that of [`super::unary`].
    fn unary(op: UnaryOp) -> Option<Fn1<Self>>;
    /// The function of `op`, or none if the operator is not defined on this type.
    fn binary(op: BinaryOp) -> Option<Fn2<Self>>;
    /// Neither infinite nor NaN; integers are finite.
    fn is_finite(self) -> bool;
    /// True for NaN, and for complex numbers with a NaN.
    fn is_nan(self) -> bool;
    /// The order of two values, none with NaN. Complex numbers: that of the real parts, then of the imaginary parts.
    fn order(self, other: Self) -> Option<Ordering>;
    /// The value without loss.
    fn widen(self) -> Wide;
    /// Conversion by value: integers wrap; float to integer truncates and saturates, NaN gives 0; anything but zero
    /// becomes true; floats round to nearest even (integers to f16 and smaller by way of f32); the imaginary part is
    /// dropped.
    fn narrow(w: Wide) -> Self;
    /// The value as an accumulator.
    fn up(self) -> Self::Acc;
    /// The accumulator rounded to the type.
    fn down(acc: Self::Acc) -> Self;
}

/// A comparison by IEEE 754 (false with NaN, except `NE`), integers by value, false below true, complex numbers by
/// [`Lane::order`].
pub fn compare<T: Lane>(direction: CompareDirection, a: T, b: T) -> bool {
    let order = a.order(b);
    match direction {
        CompareDirection::EQ => order == Some(Ordering::Equal),
        CompareDirection::NE => order != Some(Ordering::Equal),
        CompareDirection::GE => order.is_some_and(Ordering::is_ge),
        CompareDirection::GT => order == Some(Ordering::Greater),
        CompareDirection::LE => order.is_some_and(Ordering::is_le),
        CompareDirection::LT => order == Some(Ordering::Less),
    }
}

macro_rules! int_lane {
    ($t:ident, $signed:ident, $unsigned:ident, $wide:ident($wt:ident), abs $abs:expr, sign $sign:expr, power $power:expr) => {
        impl Lane for $t {
            type Acc = $t;

            fn unary(op: UnaryOp) -> Option<Fn1<$t>> {
                Some(match op {
                    UnaryOp::Abs => $abs,
                    UnaryOp::CountLeadingZeros => |x| x.leading_zeros() as $t,
                    UnaryOp::Negate => $t::wrapping_neg,
                    UnaryOp::Not => |x| !x,
                    UnaryOp::Popcnt => |x| x.count_ones() as $t,
                    UnaryOp::Sign => $sign,
                    _ => return None,
                })
            }

            fn binary(op: BinaryOp) -> Option<Fn2<$t>> {
                Some(match op {
                    BinaryOp::Add => $t::wrapping_add,
                    BinaryOp::Subtract => $t::wrapping_sub,
                    BinaryOp::Multiply => $t::wrapping_mul,
                    // All ones for a zero divisor: -1, or the largest unsigned number.
                    BinaryOp::Divide => |x, y| if y == 0 { !0 } else { x.wrapping_div(y) },
                    BinaryOp::Remainder => |x, y| if y == 0 { x } else { x.wrapping_rem(y) },
                    BinaryOp::Power => $power,
                    BinaryOp::Maximum => |x, y| x.max(y),
                    BinaryOp::Minimum => |x, y| x.min(y),
                    BinaryOp::And => |x, y| x & y,
                    BinaryOp::Or => |x, y| x | y,
                    BinaryOp::Xor => |x, y| x ^ y,
                    // The amount counts as unsigned, so a negative one is too large.
                    BinaryOp::ShiftLeft => {
                        |x, y| if (y as $unsigned) < $t::BITS as $unsigned { x << (y as u32) } else { 0 }
                    }
                    BinaryOp::ShiftRightLogical => |x, y| {
                        let fits = (y as $unsigned) < $t::BITS as $unsigned;
                        if fits { ((x as $unsigned) >> (y as u32)) as $t } else { 0 }
                    },
                    BinaryOp::ShiftRightArithmetic => |x, y| {
                        let amount = (y as $unsigned).min($t::BITS as $unsigned - 1) as u32;
                        ((x as $signed) >> amount) as $t
                    },
                    _ => return None,
                })
            }

            fn is_finite(self) -> bool {
                true
            }
            fn is_nan(self) -> bool {
                false
            }
            fn order(self, other: $t) -> Option<Ordering> {
                Some(self.cmp(&other))
            }
            fn widen(self) -> Wide {
                Wide::$wide(self as $wt)
            }
            fn narrow(w: Wide) -> $t {
                match w {
                    Wide::I(x) => x as $t,
                    Wide::U(x) => x as $t,
                    Wide::F(x) => x as $t,
                    Wide::C(z) => z.re as $t,
                }
            }
            fn up(self) -> $t {
                self
            }
            fn down(acc: $t) -> $t {
                acc
            }
        }
    };
}

/// An integer to a power that is not negative, by squaring; wraps.
macro_rules! raised {
    ($t:ident, $x:expr, $y:expr) => {{
        let (mut base, mut exponent, mut r) = ($x, $y, 1 as $t);
        while exponent > 0 {
            if exponent & 1 == 1 {
                r = r.wrapping_mul(base);
            }
            base = base.wrapping_mul(base);
            exponent >>= 1;
        }
        r
    }};
}

macro_rules! signed_lane {
    ($($t:ident $u:ident),*) => {$(
        int_lane!($t, $t, $u, I(i64), abs $t::wrapping_abs, sign $t::signum, power |x, y| match (x, y) {
            (1, _) => 1,
            (-1, y) => if y & 1 == 0 { 1 } else { -1 },
            // 1 / 0^n, an integer division by zero.
            (0, y) if y < 0 => -1,
            (_, y) if y < 0 => 0,
            (x, y) => raised!($t, x, y),
        });
    )*};
}
signed_lane!(i8 u8, i16 u16, i32 u32, i64 u64);

macro_rules! unsigned_lane {
    ($($t:ident $s:ident),*) => {$(
        int_lane!($t, $s, $t, U(u64), abs |x| x, sign |x| (x != 0) as $t, power |x, y| raised!($t, x, y));
    )*};
}
unsigned_lane!(u8 i8, u16 i16, u32 i32, u64 i64);

impl Lane for bool {
    type Acc = bool;

    fn unary(op: UnaryOp) -> Option<Fn1<bool>> {
        match op {
            UnaryOp::Not => Some(|x| !x),
            _ => None,
        }
    }

    fn binary(op: BinaryOp) -> Option<Fn2<bool>> {
        match op {
            BinaryOp::Add | BinaryOp::Maximum | BinaryOp::Or => Some(|x, y| x | y),
            BinaryOp::Multiply | BinaryOp::Minimum | BinaryOp::And => Some(|x, y| x & y),
            BinaryOp::Xor => Some(|x, y| x ^ y),
            _ => None,
        }
    }

    fn is_finite(self) -> bool {
        true
    }
    fn is_nan(self) -> bool {
        false
    }
    fn order(self, other: bool) -> Option<Ordering> {
        Some(self.cmp(&other))
    }
    fn widen(self) -> Wide {
        Wide::U(self.into())
    }
    fn narrow(w: Wide) -> bool {
        match w {
            Wide::I(x) => x != 0,
            Wide::U(x) => x != 0,
            Wide::F(x) => x != 0.0,
            // As for every real type, the imaginary part is dropped.
            Wide::C(z) => z.re != 0.0,
        }
    }
    fn up(self) -> bool {
        self
    }
    fn down(acc: bool) -> bool {
        acc
    }
}

/// `to` widens to f64, `from` is computed through f32 where the type is smaller, `int` takes a converted integer, `once`
/// rounds an f64 once.
macro_rules! float_lane {
    ($t:ident, to $to:expr, from $from:expr, int $from_int:expr, once $once:expr) => {
        impl Lane for $t {
            type Acc = f64;

            fn unary(op: UnaryOp) -> Option<Fn1<$t>> {
                macro_rules! f {
                    ($g:expr) => {
                        |x: $t| $from($g($to(x)))
                    };
                }
                Some(match op {
                    UnaryOp::Abs => f!(f64::abs),
                    UnaryOp::Cbrt => f!(math::cbrt),
                    UnaryOp::Ceil => f!(f64::ceil),
                    UnaryOp::Cosine => f!(f64::cos),
                    UnaryOp::Erf => f!(math::erf),
                    UnaryOp::Exponential => f!(f64::exp),
                    UnaryOp::ExponentialMinusOne => f!(f64::exp_m1),
                    UnaryOp::Floor => f!(f64::floor),
                    UnaryOp::Log => f!(f64::ln),
                    UnaryOp::LogPlusOne => f!(f64::ln_1p),
                    UnaryOp::Logistic => f!(math::logistic),
                    UnaryOp::Negate => f!(|x: f64| -x),
                    UnaryOp::RoundNearestAfz => f!(f64::round),
                    UnaryOp::RoundNearestEven => f!(f64::round_ties_even),
                    UnaryOp::Rsqrt => f!(math::rsqrt),
                    UnaryOp::Sign => f!(math::sign),
                    UnaryOp::Sine => f!(f64::sin),
                    UnaryOp::Sqrt => f!(f64::sqrt),
                    UnaryOp::Tan => f!(f64::tan),
                    UnaryOp::Tanh => f!(f64::tanh),
                    UnaryOp::CountLeadingZeros | UnaryOp::IsFinite | UnaryOp::Not | UnaryOp::Popcnt => return None,
                })
            }

            fn binary(op: BinaryOp) -> Option<Fn2<$t>> {
                macro_rules! f {
                    ($g:expr) => {
                        |x: $t, y: $t| $from($g($to(x), $to(y)))
                    };
                }
                Some(match op {
                    BinaryOp::Add => f!(|x: f64, y: f64| x + y),
                    BinaryOp::Atan2 => f!(f64::atan2),
                    BinaryOp::Divide => f!(|x: f64, y: f64| x / y),
                    BinaryOp::Maximum => f!(math::maximum),
                    BinaryOp::Minimum => f!(math::minimum),
                    BinaryOp::Multiply => f!(|x: f64, y: f64| x * y),
                    BinaryOp::Power => f!(f64::powf),
                    BinaryOp::Remainder => f!(|x: f64, y: f64| x % y),
                    BinaryOp::Subtract => f!(|x: f64, y: f64| x - y),
                    BinaryOp::And
                    | BinaryOp::Or
                    | BinaryOp::ShiftLeft
                    | BinaryOp::ShiftRightArithmetic
                    | BinaryOp::ShiftRightLogical
                    | BinaryOp::Xor => return None,
                })
            }

            fn is_finite(self) -> bool {
                $to(self).is_finite()
            }
            fn is_nan(self) -> bool {
                $to(self).is_nan()
            }
            fn order(self, other: $t) -> Option<Ordering> {
                $to(self).partial_cmp(&$to(other))
            }
            fn widen(self) -> Wide {
                Wide::F($to(self))
            }
            fn narrow(w: Wide) -> $t {
                match w {
                    Wide::I(x) => $from_int(x as _),
                    Wide::U(x) => $from_int(x as _),
                    Wide::F(x) => $once(x),
                    Wide::C(z) => $once(z.re),
                }
            }
            fn up(self) -> f64 {
                $to(self)
            }
            fn down(acc: f64) -> $t {
                $from(acc)
            }
        }
    };
}
pub(super) use float_lane;
float_lane!(f64, to(|x: f64| x), from(|x: f64| x), int(|x: f64| x), once(|x: f64| x));
float_lane!(f32, to(|x: f32| f64::from(x)), from(|x: f64| x as f32), int(|x: f32| x), once(|x: f64| x as f32));
float_lane!(f16, to (|x: f16| f64::from(x.to_f32())), from (|x: f64| f16::from_f32(x as f32)), int f16::from_f32, once kiln_ir::float::f16_from_f64);
float_lane!(bf16, to (|x: bf16| f64::from(x.to_f32())), from (|x: f64| bf16::from_f32(x as f32)), int bf16::from_f32, once kiln_ir::float::bf16_from_f64);

/// Runs an expression with a type name bound to the Rust type of a `DType`.
///
/// ```
/// use kiln_ir::DType;
/// let size = kiln_interp::dispatch!(DType::BF16, T => std::mem::size_of::<T>());
/// assert_eq!(size, 2);
/// ```
#[macro_export]
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        $crate::dispatch!(@ $dtype, $T, $body,
            Bool bool,
            I8 i8,
            I16 i16,
            I32 i32,
            I64 i64,
            U8 u8,
            U16 u16,
            U32 u32,
            U64 u64,
            F32 f32,
            F64 f64,
            F16 $crate::scalar::lane::types::f16,
            BF16 $crate::scalar::lane::types::bf16,
            I2 $crate::scalar::lane::types::I2,
            I4 $crate::scalar::lane::types::I4,
            U2 $crate::scalar::lane::types::U2,
            U4 $crate::scalar::lane::types::U4,
            F4E2M1FN $crate::scalar::lane::types::F4E2M1FN,
            F6E2M3FN $crate::scalar::lane::types::F6E2M3FN,
            F6E3M2FN $crate::scalar::lane::types::F6E3M2FN,
            F8E3M4 $crate::scalar::lane::types::F8E3M4,
            F8E4M3 $crate::scalar::lane::types::F8E4M3,
            F8E4M3B11FNUZ $crate::scalar::lane::types::F8E4M3B11FNUZ,
            F8E4M3FN $crate::scalar::lane::types::F8E4M3FN,
            F8E4M3FNUZ $crate::scalar::lane::types::F8E4M3FNUZ,
            F8E5M2 $crate::scalar::lane::types::F8E5M2,
            F8E5M2FNUZ $crate::scalar::lane::types::F8E5M2FNUZ,
            F8E8M0FNU $crate::scalar::lane::types::F8E8M0FNU,
            C64 $crate::scalar::lane::types::Complex<f32>,
            C128 $crate::scalar::lane::types::Complex<f64>,
        )
    };
    (@ $dtype:expr, $T:ident, $body:expr, $($variant:ident $type:ty,)*) => {
        match $dtype {
            $($crate::scalar::lane::types::DType::$variant => {
                type $T = $type;
                $body
            })*
        }
    };
}

/// What [`dispatch!`](crate::dispatch) names.
#[doc(hidden)]
pub mod types {
    pub use crate::scalar::small::*;
    pub use half::{bf16, f16};
    pub use kiln_ir::{Complex, DType};
}

/// The conversion from one element type to another.
pub fn convert<A: Lane, B: Lane>(x: A) -> B {
    B::narrow(x.widen())
}
