//! The meaning of every scalar operator on every element type: [`Lane`].

use super::math;
use half::{bf16, f16};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Element, UnaryOp};

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
}

/// An element type with its arithmetic.
///
/// Floats are computed in `f64` and rounded to the type once; f16 and bf16 are rounded to f32 first, which for the basic
/// operations gives what f32 arithmetic followed by rounding gives. Integers wrap.
pub trait Lane: Element + PartialOrd + Default {
    /// What reductions accumulate in: f64 for floats, otherwise the type itself.
    type Acc: Lane;

    /// The function of `op`, or none if the operator is not defined on this type. [`UnaryOp::IsFinite`] changes the type
    /// and is [`Lane::is_finite`].
    fn unary(op: UnaryOp) -> Option<Fn1<Self>>;
    /// The function of `op`, or none if the operator is not defined on this type.
    fn binary(op: BinaryOp) -> Option<Fn2<Self>>;
    /// Neither infinite nor NaN; integers are finite.
    fn is_finite(self) -> bool;
    /// True for NaN.
    fn is_nan(self) -> bool;
    /// The value without loss.
    fn widen(self) -> Wide;
    /// Conversion by value: integers wrap; float to integer truncates and saturates, NaN gives 0; anything but zero
    /// becomes true; floats round to nearest even (f16 and bf16 by way of f32).
    fn narrow(w: Wide) -> Self;
    /// The value as an accumulator.
    fn up(self) -> Self::Acc;
    /// The accumulator rounded to the type.
    fn down(acc: Self::Acc) -> Self;
}

/// A comparison by IEEE 754 (false with NaN, except `NE`), integers by value, false below true.
pub fn compare<T: PartialOrd>(direction: CompareDirection, a: T, b: T) -> bool {
    match direction {
        CompareDirection::EQ => a == b,
        CompareDirection::NE => a != b,
        CompareDirection::GE => a >= b,
        CompareDirection::GT => a > b,
        CompareDirection::LE => a <= b,
        CompareDirection::LT => a < b,
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
                    UnaryOp::Cbrt
                    | UnaryOp::Ceil
                    | UnaryOp::Cosine
                    | UnaryOp::Erf
                    | UnaryOp::Exponential
                    | UnaryOp::ExponentialMinusOne
                    | UnaryOp::Floor
                    | UnaryOp::IsFinite
                    | UnaryOp::Log
                    | UnaryOp::LogPlusOne
                    | UnaryOp::Logistic
                    | UnaryOp::RoundNearestAfz
                    | UnaryOp::RoundNearestEven
                    | UnaryOp::Rsqrt
                    | UnaryOp::Sine
                    | UnaryOp::Sqrt
                    | UnaryOp::Tan
                    | UnaryOp::Tanh => return None,
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
                    BinaryOp::Atan2 => return None,
                })
            }

            fn is_finite(self) -> bool {
                true
            }
            fn is_nan(self) -> bool {
                false
            }
            fn widen(self) -> Wide {
                Wide::$wide(self as $wt)
            }
            fn narrow(w: Wide) -> $t {
                match w {
                    Wide::I(x) => x as $t,
                    Wide::U(x) => x as $t,
                    Wide::F(x) => x as $t,
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

macro_rules! signed_lane {
    ($($t:ident $u:ident),*) => {$(
        int_lane!($t, $t, $u, I(i64), abs $t::wrapping_abs, sign $t::signum, power |x, y| match (x, y) {
            (1, _) => 1,
            (-1, y) => if y & 1 == 0 { 1 } else { -1 },
            // 1 / 0^n, an integer division by zero.
            (0, y) if y < 0 => -1,
            (_, y) if y < 0 => 0,
            (x, y) => {
                let (mut base, mut exponent, mut r) = (x, y, 1 as $t);
                while exponent > 0 {
                    if exponent & 1 == 1 {
                        r = r.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    exponent >>= 1;
                }
                r
            }
        });
    )*};
}
signed_lane!(i8 u8, i16 u16, i32 u32, i64 u64);

macro_rules! unsigned_lane {
    ($($t:ident $s:ident),*) => {$(
        int_lane!($t, $s, $t, U(u64), abs |x| x, sign |x| (x != 0) as $t, power |x, y| {
            let (mut base, mut exponent, mut r) = (x, y, 1 as $t);
            while exponent > 0 {
                if exponent & 1 == 1 {
                    r = r.wrapping_mul(base);
                }
                base = base.wrapping_mul(base);
                exponent >>= 1;
            }
            r
        });
    )*};
}
unsigned_lane!(u8 i8, u16 i16, u32 i32, u64 i64);

impl Lane for bool {
    type Acc = bool;

    fn unary(op: UnaryOp) -> Option<Fn1<bool>> {
        match op {
            UnaryOp::Not => Some(|x| !x),
            UnaryOp::Abs
            | UnaryOp::Cbrt
            | UnaryOp::Ceil
            | UnaryOp::Cosine
            | UnaryOp::CountLeadingZeros
            | UnaryOp::Erf
            | UnaryOp::Exponential
            | UnaryOp::ExponentialMinusOne
            | UnaryOp::Floor
            | UnaryOp::IsFinite
            | UnaryOp::Log
            | UnaryOp::LogPlusOne
            | UnaryOp::Logistic
            | UnaryOp::Negate
            | UnaryOp::Popcnt
            | UnaryOp::RoundNearestAfz
            | UnaryOp::RoundNearestEven
            | UnaryOp::Rsqrt
            | UnaryOp::Sign
            | UnaryOp::Sine
            | UnaryOp::Sqrt
            | UnaryOp::Tan
            | UnaryOp::Tanh => None,
        }
    }

    fn binary(op: BinaryOp) -> Option<Fn2<bool>> {
        match op {
            BinaryOp::Add | BinaryOp::Maximum | BinaryOp::Or => Some(|x, y| x | y),
            BinaryOp::Multiply | BinaryOp::Minimum | BinaryOp::And => Some(|x, y| x & y),
            BinaryOp::Xor => Some(|x, y| x ^ y),
            BinaryOp::Atan2
            | BinaryOp::Divide
            | BinaryOp::Power
            | BinaryOp::Remainder
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical
            | BinaryOp::Subtract => None,
        }
    }

    fn is_finite(self) -> bool {
        true
    }
    fn is_nan(self) -> bool {
        false
    }
    fn widen(self) -> Wide {
        Wide::U(self.into())
    }
    fn narrow(w: Wide) -> bool {
        match w {
            Wide::I(x) => x != 0,
            Wide::U(x) => x != 0,
            Wide::F(x) => x != 0.0,
        }
    }
    fn up(self) -> bool {
        self
    }
    fn down(acc: bool) -> bool {
        acc
    }
}

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
            fn widen(self) -> Wide {
                Wide::F($to(self))
            }
            fn narrow(w: Wide) -> $t {
                match w {
                    Wide::I(x) => $from_int(x as _),
                    Wide::U(x) => $from_int(x as _),
                    Wide::F(x) => $once(x),
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
float_lane!(f64, to(|x: f64| x), from(|x: f64| x), int(|x: f64| x), once(|x: f64| x));
float_lane!(f32, to(|x: f32| f64::from(x)), from(|x: f64| x as f32), int(|x: f32| x), once(|x: f64| x as f32));
float_lane!(f16, to (|x: f16| f64::from(x.to_f32())), from (|x: f64| f16::from_f32(x as f32)), int f16::from_f32, once kiln_ir::dtype::f16_from_f64);
float_lane!(bf16, to (|x: bf16| f64::from(x.to_f32())), from (|x: f64| bf16::from_f32(x as f32)), int bf16::from_f32, once kiln_ir::dtype::bf16_from_f64);

/// Runs an expression with a type name bound to the Rust type of a [`DType`].
///
/// ```
/// use kiln_ir::DType;
/// let size = kiln_interp::dispatch!(DType::BF16, T => std::mem::size_of::<T>());
/// assert_eq!(size, 2);
/// ```
#[macro_export]
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::scalar::lane::types::DType::Bool => {
                type $T = bool;
                $body
            }
            $crate::scalar::lane::types::DType::I8 => {
                type $T = i8;
                $body
            }
            $crate::scalar::lane::types::DType::I16 => {
                type $T = i16;
                $body
            }
            $crate::scalar::lane::types::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::scalar::lane::types::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::scalar::lane::types::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::scalar::lane::types::DType::U16 => {
                type $T = u16;
                $body
            }
            $crate::scalar::lane::types::DType::U32 => {
                type $T = u32;
                $body
            }
            $crate::scalar::lane::types::DType::U64 => {
                type $T = u64;
                $body
            }
            $crate::scalar::lane::types::DType::F16 => {
                type $T = $crate::scalar::lane::types::f16;
                $body
            }
            $crate::scalar::lane::types::DType::BF16 => {
                type $T = $crate::scalar::lane::types::bf16;
                $body
            }
            $crate::scalar::lane::types::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::scalar::lane::types::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::scalar::lane::types::DType::I2
            | $crate::scalar::lane::types::DType::I4
            | $crate::scalar::lane::types::DType::U2
            | $crate::scalar::lane::types::DType::U4
            | $crate::scalar::lane::types::DType::F4E2M1FN
            | $crate::scalar::lane::types::DType::F6E2M3FN
            | $crate::scalar::lane::types::DType::F6E3M2FN
            | $crate::scalar::lane::types::DType::F8E3M4
            | $crate::scalar::lane::types::DType::F8E4M3
            | $crate::scalar::lane::types::DType::F8E4M3B11FNUZ
            | $crate::scalar::lane::types::DType::F8E4M3FN
            | $crate::scalar::lane::types::DType::F8E4M3FNUZ
            | $crate::scalar::lane::types::DType::F8E5M2
            | $crate::scalar::lane::types::DType::F8E5M2FNUZ
            | $crate::scalar::lane::types::DType::F8E8M0FNU
            | $crate::scalar::lane::types::DType::C64
            | $crate::scalar::lane::types::DType::C128 => {
                // Refused before an operator runs; elements read as bytes give a typed error.
                type $T = u8;
                $body
            }
        }
    };
}

/// What [`dispatch!`](crate::dispatch) names.
#[doc(hidden)]
pub mod types {
    pub use half::{bf16, f16};
    pub use kiln_ir::DType;
}

/// The conversion from one element type to another.
pub fn convert<A: Lane, B: Lane>(x: A) -> B {
    B::narrow(x.widen())
}

/// True when every value of `dtype` from 0 to `max` can be told apart, so that it may index `max + 1` positions.
pub fn can_index(dtype: DType, max: u64) -> bool {
    match dtype {
        DType::Bool => max <= 1,
        DType::I8 => max <= i8::MAX as u64,
        DType::I16 => max <= i16::MAX as u64,
        DType::I32 => max <= i32::MAX as u64,
        DType::I64 => max <= i64::MAX as u64,
        DType::U8 => max <= u8::MAX.into(),
        DType::U16 => max <= u16::MAX.into(),
        DType::U32 => max <= u32::MAX.into(),
        DType::U64 => true,
        DType::F16 => max <= 1 << 11,
        DType::BF16 => max <= 1 << 8,
        DType::F32 => max <= 1 << 24,
        DType::F64 => max <= 1 << 53,
        DType::I2
        | DType::I4
        | DType::U2
        | DType::U4
        | DType::F4E2M1FN
        | DType::F6E2M3FN
        | DType::F6E3M2FN
        | DType::F8E3M4
        | DType::F8E4M3
        | DType::F8E4M3B11FNUZ
        | DType::F8E4M3FN
        | DType::F8E4M3FNUZ
        | DType::F8E5M2
        | DType::F8E5M2FNUZ
        | DType::F8E8M0FNU
        | DType::C64
        | DType::C128 => false,
    }
}
