//! Element types.

use crate::mini::{MiniFormat, MiniSpecials};
use half::{bf16, f16};
use num_complex::Complex;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What kind of number a dtype holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DTypeClass {
    /// Truth values.
    Bool,
    /// Signed integers.
    Signed,
    /// Unsigned integers.
    Unsigned,
    /// Floats of at most 8 bits; their layouts are [`MiniFormat`]s.
    Mini,
    /// Floats of 16 bits and more.
    Float,
    /// Pairs of floats.
    Complex,
}

macro_rules! dtypes {
    ($($(#[$doc:meta])* $dtype:ident $name:literal $class:ident $bits:literal;)*) => {
        /// The element type of a tensor.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum DType {
            $($(#[$doc])* $dtype,)*
        }

        impl DType {
            /// Every dtype, in declaration order.
            pub const ALL: [DType; [$($bits),*].len()] = [$(DType::$dtype),*];

            /// The name used in the text form: `f32`, `bool`, ...
            pub const fn name(self) -> &'static str {
                match self {
                    $(DType::$dtype => $name,)*
                }
            }

            /// What kind of number it holds.
            pub const fn class(self) -> DTypeClass {
                match self {
                    $(DType::$dtype => DTypeClass::$class,)*
                }
            }

            /// Bits of one element that carry its value (1 byte of storage for `bool` counts as 8).
            pub const fn bits(self) -> u32 {
                match self {
                    $(DType::$dtype => $bits,)*
                }
            }
        }
    };
}

// Name in the text form, class, bits.
dtypes! {
    /// Truth value, stored as one byte holding 0 or 1.
    Bool "bool" Bool 8;
    /// Signed 2-bit integer: -2 to 1, wrapping; one byte per element, sign-extended.
    I2 "i2" Signed 2;
    /// Signed 4-bit integer, stored as `I2`.
    I4 "i4" Signed 4;
    /// Signed 8-bit integer, two's complement, wrapping.
    I8 "i8" Signed 8;
    /// Signed 16-bit integer.
    I16 "i16" Signed 16;
    /// Signed 32-bit integer.
    I32 "i32" Signed 32;
    /// Signed 64-bit integer.
    I64 "i64" Signed 64;
    /// Unsigned 2-bit integer: 0 to 3, wrapping; one byte per element, zero-extended.
    U2 "u2" Unsigned 2;
    /// Unsigned 4-bit integer, stored as `U2`.
    U4 "u4" Unsigned 4;
    /// Unsigned 8-bit integer.
    U8 "u8" Unsigned 8;
    /// Unsigned 16-bit integer.
    U16 "u16" Unsigned 16;
    /// Unsigned 32-bit integer.
    U32 "u32" Unsigned 32;
    /// Unsigned 64-bit integer.
    U64 "u64" Unsigned 64;
    /// 1 sign, 2 exponent, 1 mantissa bit; finite. Like all types below f16: one byte per element, computed through f32.
    F4E2M1FN "f4E2M1FN" Mini 4;
    /// 1 sign, 2 exponent, 3 mantissa bits; finite.
    F6E2M3FN "f6E2M3FN" Mini 6;
    /// 1 sign, 3 exponent, 2 mantissa bits; finite.
    F6E3M2FN "f6E3M2FN" Mini 6;
    /// 1 sign, 3 exponent, 4 mantissa bits, infinities and NaN as in IEEE 754.
    F8E3M4 "f8E3M4" Mini 8;
    /// 1 sign, 4 exponent, 3 mantissa bits, infinities and NaN as in IEEE 754.
    F8E4M3 "f8E4M3" Mini 8;
    /// As `F8E4M3` with bias 11; no infinity, one NaN in place of -0.
    F8E4M3B11FNUZ "f8E4M3B11FNUZ" Mini 8;
    /// 1 sign, 4 exponent, 3 mantissa bits; no infinity, all ones are NaN.
    F8E4M3FN "f8E4M3FN" Mini 8;
    /// As `F8E4M3` with bias 8; no infinity, one NaN in place of -0.
    F8E4M3FNUZ "f8E4M3FNUZ" Mini 8;
    /// 1 sign, 5 exponent, 2 mantissa bits, infinities and NaN as in IEEE 754.
    F8E5M2 "f8E5M2" Mini 8;
    /// As `F8E5M2` with bias 16; no infinity, one NaN in place of -0.
    F8E5M2FNUZ "f8E5M2FNUZ" Mini 8;
    /// 8 exponent bits only: powers of two, no sign, no zero, no infinity; all ones are NaN.
    F8E8M0FNU "f8E8M0FNU" Mini 8;
    /// IEEE 754 binary16; computed through f32.
    F16 "f16" Float 16;
    /// bfloat16; computed through f32.
    BF16 "bf16" Float 16;
    /// IEEE 754 binary32.
    F32 "f32" Float 32;
    /// IEEE 754 binary64.
    F64 "f64" Float 64;
    /// Complex number of two f32: real part, imaginary part.
    C64 "c64" Complex 64;
    /// Complex number of two f64.
    C128 "c128" Complex 128;
}

impl DType {
    /// The dtypes that kernels compute with ([`DType::is_native`]), in declaration order.
    pub const NATIVE: [DType; DTypeSet::NATIVE.0.count_ones() as usize] = {
        let (mut native, mut found, mut i) = ([DType::Bool; DTypeSet::NATIVE.0.count_ones() as usize], 0, 0);
        while i < DType::ALL.len() {
            if DType::ALL[i].is_native() {
                native[found] = DType::ALL[i];
                found += 1;
            }
            i += 1;
        }
        native
    };

    /// Bytes of one element in memory. Types of less than 8 bits take a whole byte.
    pub const fn size(self) -> usize {
        self.bits().div_ceil(8) as usize
    }

    /// Bytes that the address of an element must be a multiple of.
    pub const fn align(self) -> usize {
        self.real_type().size()
    }

    /// The layout of a float of at most 8 bits; none for other types.
    pub const fn mini_format(self) -> Option<MiniFormat> {
        MiniFormat::of(self)
    }

    /// The type of the parts of a complex number; of any other type itself.
    pub const fn real_type(self) -> DType {
        match self {
            DType::C64 => DType::F32,
            DType::C128 => DType::F64,
            other => other,
        }
    }

    /// The complex type of these parts, for f32 and f64.
    pub const fn complex_type(self) -> Option<DType> {
        match self {
            DType::F32 => Some(DType::C64),
            DType::F64 => Some(DType::C128),
            _ => None,
        }
    }

    /// The smallest value of an integer type.
    pub const fn lowest_int(self) -> i128 {
        if self.is_signed_int() { -(1 << (self.bits() - 1)) } else { 0 }
    }

    /// The largest value of an integer type.
    pub const fn highest_int(self) -> i128 {
        (1 << (self.bits() - self.is_signed_int() as u32)) - 1
    }

    /// An infinity brought to the largest finite value of the same sign (the smallest, where there is no sign) if the type has
    /// no infinity.
    pub fn bound_of(self, infinity: f64) -> f64 {
        match self.mini_format() {
            Some(format) if format.specials == MiniSpecials::PowersOfTwo && infinity < 0.0 => {
                f64::from(format.decode(0))
            }
            Some(format) if format.specials != MiniSpecials::Ieee => {
                f64::from(format.decode(format.largest())).copysign(infinity)
            }
            _ => infinity,
        }
    }

    /// True for c64 and c128.
    pub const fn is_complex(self) -> bool {
        matches!(self.class(), DTypeClass::Complex)
    }

    /// True for f64, f32, bf16, f16 and the floats of at most 8 bits.
    pub const fn is_float(self) -> bool {
        matches!(self.class(), DTypeClass::Float | DTypeClass::Mini)
    }

    /// True for signed integers.
    pub const fn is_signed_int(self) -> bool {
        matches!(self.class(), DTypeClass::Signed)
    }

    /// True for unsigned integers (not bool).
    pub const fn is_unsigned_int(self) -> bool {
        matches!(self.class(), DTypeClass::Unsigned)
    }

    /// True for signed or unsigned integers (not bool).
    pub const fn is_int(self) -> bool {
        self.is_signed_int() || self.is_unsigned_int()
    }

    /// The type that arithmetic on `self` is carried out in: f32 for f16, bf16 and smaller floats, otherwise itself.
    pub const fn compute_type(self) -> DType {
        if self.is_float() && self.bits() < 32 { DType::F32 } else { self }
    }

    /// True when every bit pattern of [`DType::size`] bytes is an element. Otherwise unused high bits are copies of the sign
    /// (signed integers) or zero.
    pub const fn uses_every_bit(self) -> bool {
        !matches!(self, DType::Bool) && self.bits() == 8 * self.size() as u32
    }

    /// True when these bytes, as many as [`DType::size`], are an element.
    pub const fn is_element(self, byte: u8) -> bool {
        match self.class() {
            DTypeClass::Bool => byte <= 1,
            _ if self.bits() >= 8 => true,
            DTypeClass::Signed => {
                let unused = 8 - self.bits();
                (byte << unused) as i8 >> unused == byte as i8
            }
            _ => byte >> self.bits() == 0,
        }
    }

    /// True for the dtypes that kernels compute with: bool, i8 to u64, f16, bf16, f32, f64. Type legalization rewrites the others.
    pub const fn is_native(self) -> bool {
        self.bits() >= 8 && self.mini_format().is_none() && !self.is_complex()
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DType {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        DType::ALL.into_iter().find(|d| d.name() == s).ok_or_else(|| format!("unknown dtype `{s}`"))
    }
}

/// A set of dtypes, as the type rules of operators use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DTypeSet(u32);

impl DTypeSet {
    /// Only `bool`.
    pub const BOOL: DTypeSet = DTypeSet::of_class(DTypeClass::Bool);
    /// Signed integers.
    pub const SIGNED: DTypeSet = DTypeSet::of_class(DTypeClass::Signed);
    /// Unsigned integers.
    pub const UNSIGNED: DTypeSet = DTypeSet::of_class(DTypeClass::Unsigned);
    /// Signed and unsigned integers.
    pub const INT: DTypeSet = DTypeSet::SIGNED.or(DTypeSet::UNSIGNED);
    /// Floats of at most 8 bits.
    pub const MINI: DTypeSet = DTypeSet::of_class(DTypeClass::Mini);
    /// Floating point types.
    pub const FLOAT: DTypeSet = DTypeSet::of_class(DTypeClass::Float).or(DTypeSet::MINI);
    /// Complex types.
    pub const COMPLEX: DTypeSet = DTypeSet::of_class(DTypeClass::Complex);
    /// What kernels compute with ([`DType::is_native`]).
    pub const NATIVE: DTypeSet = {
        let (mut bits, mut i) = (0, 0);
        while i < DType::ALL.len() {
            bits |= (DType::ALL[i].is_native() as u32) << i;
            i += 1;
        }
        DTypeSet(bits)
    };
    /// Every dtype.
    pub const ALL: DTypeSet = DTypeSet::BOOL.or(DTypeSet::INT).or(DTypeSet::FLOAT).or(DTypeSet::COMPLEX);

    /// The set of these.
    pub const fn of(dtypes: &[DType]) -> DTypeSet {
        let (mut bits, mut i) = (0, 0);
        while i < dtypes.len() {
            bits |= 1 << dtypes[i] as u32;
            i += 1;
        }
        DTypeSet(bits)
    }
    /// All dtypes of a class.
    pub const fn of_class(class: DTypeClass) -> DTypeSet {
        let (mut bits, mut i) = (0, 0);
        while i < DType::ALL.len() {
            if DType::ALL[i].class() as u8 == class as u8 {
                bits |= 1 << i;
            }
            i += 1;
        }
        DTypeSet(bits)
    }
    /// The union.
    pub const fn or(self, other: DTypeSet) -> DTypeSet {
        DTypeSet(self.0 | other.0)
    }
    /// True when `d` is in the set.
    pub const fn contains(self, d: DType) -> bool {
        self.0 & (1 << d as u32) != 0
    }
    /// The members, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = DType> {
        DType::ALL.into_iter().filter(move |d| self.contains(*d))
    }
}

/// Prints classes: `bool, int or float`.
impl fmt::Display for DTypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = [
            (DTypeSet::BOOL, "bool"),
            (DTypeSet::INT, "int"),
            (DTypeSet::SIGNED, "signed int"),
            (DTypeSet::UNSIGNED, "unsigned int"),
            (DTypeSet::FLOAT, "float"),
            (DTypeSet::COMPLEX, "complex"),
        ];
        let mut rest = self.0;
        let mut names: Vec<&str> = Vec::new();
        for (class, name) in classes {
            if rest & class.0 == class.0 {
                rest &= !class.0;
                names.push(name);
            }
        }
        names.extend(DType::ALL.iter().filter(|d| rest & (1 << **d as u32) != 0).map(|d| d.name()));
        match names.split_last() {
            None => f.write_str("no dtype"),
            Some((last, [])) => f.write_str(last),
            Some((last, first)) => write!(f, "{} or {last}", first.join(", ")),
        }
    }
}

/// A Rust type that is the element of a tensor.
///
/// # Safety
/// `Self` must have the size and alignment of `DTYPE` and no padding; for every type but `bool` each bit pattern must be valid.
pub unsafe trait Element: Copy + Send + Sync + PartialEq + fmt::Debug + 'static {
    /// The matching dtype.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($t:ty => $d:ident),* $(,)?) => {$(
        // SAFETY: a primitive, a transparent wrapper of one or a `repr(C)` pair of equal floats: the size of the dtype, no padding.
        unsafe impl Element for $t {
            const DTYPE: DType = DType::$d;
        }
    )*};
}
elements!(bool => Bool, i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    f16 => F16, bf16 => BF16, f32 => F32, f64 => F64, Complex<f32> => C64, Complex<f64> => C128);
