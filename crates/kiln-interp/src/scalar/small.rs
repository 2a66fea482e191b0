//! Element types that Rust has no type for: integers of 2 and 4 bits, floats of at most 8 bits. One byte each.

use super::lane::{Fn1, Fn2, Lane, Wide, float_lane, of_floats};
use super::math;
use kiln_ir::{BinaryOp, DType, Element, MiniFormat, UnaryOp};
use std::cmp::Ordering;

macro_rules! sub_byte {
    ($($t:ident $repr:ident $bits:literal $low:literal $high:literal $wide:ident($wt:ident) $doc:literal),*) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
        #[repr(transparent)]
        pub struct $t($repr);

        // SAFETY: a transparent wrapper of one byte, which is the size of the dtype; every bit pattern is a value of the byte.
        unsafe impl Element for $t {
            const DTYPE: DType = DType::$t;
        }

        impl $t {
            /// The element of the low bits of `x`: wraps.
            pub const fn new(x: $repr) -> $t {
                $t(x << (8 - $bits) >> (8 - $bits))
            }
            /// The value.
            pub const fn get(self) -> $repr {
                self.0
            }
            /// The bits, zeros above them.
            const fn bits(self) -> u8 {
                self.0 as u8 & ((1 << $bits) - 1)
            }
        }

        impl Lane for $t {
            type Acc = $t;

            fn unary(op: UnaryOp) -> Option<Fn1<$t>> {
                Some(match op {
                    UnaryOp::Abs => |x| if x.0 < $t::new(0).0 { $t::new((0 as $repr).wrapping_sub(x.0)) } else { x },
                    UnaryOp::CountLeadingZeros => |x| $t::new((x.bits().leading_zeros() - (8 - $bits)) as $repr),
                    UnaryOp::Negate => |x| $t::new((0 as $repr).wrapping_sub(x.0)),
                    UnaryOp::Not => |x| $t::new(!x.0),
                    UnaryOp::Popcnt => |x| $t::new(x.bits().count_ones() as $repr),
                    UnaryOp::Sign => |x| $t::new(x.0.cmp(&0) as i8 as $repr),
                    of_floats!() => return None,
                })
            }

            fn binary(op: BinaryOp) -> Option<Fn2<$t>> {
                // What the byte gives, wrapped, wherever the low bits do not depend on the width.
                macro_rules! byte {
                    ($op:ident) => {
                        |x, y| match <$repr as Lane>::binary(BinaryOp::$op) {
                            Some(f) => $t::new(f(x.0, y.0)),
                            None => x,
                        }
                    };
                }
                Some(match op {
                    BinaryOp::Add => byte!(Add),
                    BinaryOp::Subtract => byte!(Subtract),
                    BinaryOp::Multiply => byte!(Multiply),
                    BinaryOp::Divide => byte!(Divide),
                    BinaryOp::Remainder => byte!(Remainder),
                    BinaryOp::Power => byte!(Power),
                    BinaryOp::Maximum => byte!(Maximum),
                    BinaryOp::Minimum => byte!(Minimum),
                    BinaryOp::And => byte!(And),
                    BinaryOp::Or => byte!(Or),
                    BinaryOp::Xor => byte!(Xor),
                    // The amount counts as unsigned, so a negative one is too large.
                    BinaryOp::ShiftLeft => {
                        |x, y| if (y.0 as u8) < $bits { $t::new(x.0 << y.0) } else { $t::new(0) }
                    }
                    BinaryOp::ShiftRightLogical => {
                        |x, y| if (y.0 as u8) < $bits { $t::new((x.bits() >> y.0) as $repr) } else { $t::new(0) }
                    }
                    BinaryOp::ShiftRightArithmetic => |x, y| {
                        // Of unsigned integers the top bit counts as the sign, too.
                        let sign_extended = (x.bits() << (8 - $bits)) as i8 >> (8 - $bits);
                        $t::new((sign_extended >> (y.0 as u8).min($bits - 1)) as $repr)
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
            fn order(self, other: $t) -> Option<Ordering> {
                Some(self.cmp(&other))
            }
            fn widen(self) -> Wide {
                Wide::$wide(self.0 as $wt)
            }
            fn narrow(w: Wide) -> $t {
                let saturate = |x: f64| $t::new(x.clamp($low as f64, $high as f64) as $repr);
                match w {
                    Wide::I(x) => $t::new(x as $repr),
                    Wide::U(x) => $t::new(x as $repr),
                    Wide::F(x) => saturate(x),
                    Wide::C(z) => saturate(z.re),
                }
            }
            fn up(self) -> $t {
                self
            }
            fn down(acc: $t) -> $t {
                acc
            }
        }
    )*};
}
sub_byte!(
    I2 i8 2 -2 1 I(i64) "A signed integer of 2 bits.",
    I4 i8 4 -8 7 I(i64) "A signed integer of 4 bits.",
    U2 u8 2 0 3 U(u64) "An unsigned integer of 2 bits.",
    U4 u8 4 0 15 U(u64) "An unsigned integer of 4 bits."
);

macro_rules! minis {
    ($($t:ident)*) => {$(
        #[doc = concat!("A float of the format `", stringify!($t), "`.")]
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        #[repr(transparent)]
        pub struct $t(u8);

        // SAFETY: a transparent wrapper of one byte, which is the size of the dtype; every bit pattern is a value of the byte.
        unsafe impl Element for $t {
            const DTYPE: DType = DType::$t;
        }

        impl $t {
            const FORMAT: MiniFormat = match DType::$t.mini_format() {
                Some(format) => format,
                None => panic!("not a small float"),
            };
            /// The element of these bits.
            pub const fn from_bits(bits: u8) -> $t {
                $t(bits)
            }
            /// The bits.
            pub const fn to_bits(self) -> u8 {
                self.0
            }
        }

        float_lane!($t, to (|x: $t| f64::from($t::FORMAT.decode(x.0))), from (|x: f64| $t($t::FORMAT.encode(x as f32))),
            int (|x: f32| $t($t::FORMAT.encode(x))), once (|x: f64| $t($t::FORMAT.encode_f64(x))));
    )*};
}
minis!(F4E2M1FN F6E2M3FN F6E3M2FN F8E3M4 F8E4M3 F8E4M3B11FNUZ F8E4M3FN F8E4M3FNUZ F8E5M2 F8E5M2FNUZ F8E8M0FNU);
