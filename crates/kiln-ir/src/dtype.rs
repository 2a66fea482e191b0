//! Element types.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The element type of a tensor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum DType {
    /// Truth value, stored as one byte holding 0 or 1.
    Bool,
    /// Signed 8-bit integer, two's complement, wrapping.
    I8,
    /// Signed 16-bit integer.
    I16,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 8-bit integer.
    U8,
    /// Unsigned 16-bit integer.
    U16,
    /// Unsigned 32-bit integer.
    U32,
    /// Unsigned 64-bit integer.
    U64,
    /// IEEE 754 binary16; computed through f32.
    F16,
    /// bfloat16; computed through f32.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl DType {
    /// Every dtype, in declaration order.
    pub const ALL: [DType; 13] = [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::I8 | DType::U8 => 1,
            DType::I16 | DType::U16 | DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::U64 | DType::F64 => 8,
        }
    }

    /// Bits of one element (1 byte of storage for `bool` counts as 8).
    pub const fn bits(self) -> u32 {
        self.size() as u32 * 8
    }

    /// True for f16, bf16, f32, f64.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// True for signed integers.
    pub const fn is_signed_int(self) -> bool {
        matches!(self, DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }

    /// True for unsigned integers (not bool).
    pub const fn is_unsigned_int(self) -> bool {
        matches!(self, DType::U8 | DType::U16 | DType::U32 | DType::U64)
    }

    /// True for signed or unsigned integers (not bool).
    pub const fn is_int(self) -> bool {
        self.is_signed_int() || self.is_unsigned_int()
    }

    /// The type that arithmetic on `self` is carried out in: f32 for f16 and bf16, otherwise itself.
    pub const fn compute_type(self) -> DType {
        match self {
            DType::F16 | DType::BF16 => DType::F32,
            other => other,
        }
    }

    /// The name used in the text form: `f32`, `bool`, ...
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
            DType::F64 => "f64",
        }
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
pub struct DTypeSet(u16);

impl DTypeSet {
    /// Only `bool`.
    pub const BOOL: DTypeSet = DTypeSet::of(&[DType::Bool]);
    /// Signed integers.
    pub const SIGNED: DTypeSet = DTypeSet::of(&[DType::I8, DType::I16, DType::I32, DType::I64]);
    /// Unsigned integers.
    pub const UNSIGNED: DTypeSet = DTypeSet::of(&[DType::U8, DType::U16, DType::U32, DType::U64]);
    /// Signed and unsigned integers.
    pub const INT: DTypeSet = DTypeSet::SIGNED.or(DTypeSet::UNSIGNED);
    /// Floating point types.
    pub const FLOAT: DTypeSet = DTypeSet::of(&[DType::F16, DType::BF16, DType::F32, DType::F64]);
    /// Every dtype.
    pub const ALL: DTypeSet = DTypeSet::BOOL.or(DTypeSet::INT).or(DTypeSet::FLOAT);

    /// The set of these.
    pub const fn of(dtypes: &[DType]) -> DTypeSet {
        let (mut bits, mut i) = (0, 0);
        while i < dtypes.len() {
            bits |= 1 << dtypes[i] as u16;
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
        self.0 & (1 << d as u16) != 0
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
        ];
        let mut rest = self.0;
        let mut names: Vec<&str> = Vec::new();
        for (class, name) in classes {
            if rest & class.0 == class.0 {
                rest &= !class.0;
                names.push(name);
            }
        }
        names.extend(DType::ALL.iter().filter(|d| rest & (1 << **d as u16) != 0).map(|d| d.name()));
        match names.split_last() {
            None => f.write_str("no dtype"),
            Some((last, [])) => f.write_str(last),
            Some((last, first)) => write!(f, "{} or {last}", first.join(", ")),
        }
    }
}

/// The f16 nearest to `x`, ties to even, rounded once. (`half`'s own conversion drops the low bits of an f64.)
pub fn f16_from_f64(x: f64) -> f16 {
    f16::from_f32(round_to_odd(x))
}

/// The bf16 nearest to `x`, ties to even, rounded once.
pub fn bf16_from_f64(x: f64) -> bf16 {
    bf16::from_f32(round_to_odd(x))
}

/// `x` as f32 rounded to odd: what is lost leaves its mark in the last bit, so that rounding the result to fewer bits is as good
/// as rounding `x` (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
fn round_to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    if f64::from(nearest) == x || !nearest.is_finite() || nearest.to_bits() & 1 == 1 {
        return nearest;
    }
    // The neighbour on the other side of `x` has an odd last bit.
    let away = (f64::from(nearest).abs() < x.abs()) as u32;
    f32::from_bits(if away == 1 { nearest.to_bits() + 1 } else { nearest.to_bits() - 1 })
}

/// A Rust type that is the element of a tensor.
///
/// # Safety
/// `Self` must have the size of `DTYPE` and no padding; for every type but `bool` each bit pattern must be valid.
pub unsafe trait Element: Copy + Send + Sync + PartialEq + fmt::Debug + 'static {
    /// The matching dtype.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($t:ty => $d:ident),* $(,)?) => {$(
        // SAFETY: a primitive (or transparent wrapper of one) of the size of the dtype, without padding.
        unsafe impl Element for $t {
            const DTYPE: DType = DType::$d;
        }
    )*};
}
elements!(bool => Bool, i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    f16 => F16, bf16 => BF16, f32 => F32, f64 => F64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_floats_round_once() {
        // Just above the middle of two neighbours: rounding to f32 first would lose what breaks the tie.
        let tie = f64::from(f16::ONE.to_f32()) + 2f64.powi(-11);
        assert_eq!(f16_from_f64(tie), f16::ONE);
        assert_eq!(f16_from_f64(tie + 2f64.powi(-40)), f16::from_f32(1.0 + 2f32.powi(-10)));
        assert_eq!(f16_from_f64(-tie - 2f64.powi(-40)), f16::from_f32(-1.0 - 2f32.powi(-10)));
        let tie = 1.0 + 2f64.powi(-8);
        assert_eq!(bf16_from_f64(tie), bf16::ONE);
        assert_eq!(bf16_from_f64(tie + 2f64.powi(-45)), bf16::from_f32(1.0 + 2f32.powi(-7)));
        assert_eq!(bf16_from_f64(1.0 + 3.0 * 2f64.powi(-8) - 2f64.powi(-45)), bf16::from_f32(1.0 + 2f32.powi(-7)));
        for special in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e-300] {
            assert_eq!(f16_from_f64(special), f16::from_f32(special as f32));
        }
        assert!(bf16_from_f64(f64::NAN).is_nan());
    }
}
