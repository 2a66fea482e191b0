//! Numbers and the types that say how they are encoded.

use super::cursor::{Cursor, Read};
use crate::ast::{Attr, Element, Literal, Type};
use half::{bf16, f16};

/// Most elements of a literal that becomes a list.
const MAX_LIST: usize = 1 << 16;

/// How a scalar is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scalar {
    /// One bit.
    Bool,
    /// An integer.
    Int {
        /// Width.
        bits: u32,
        /// Whether the highest bit is a sign.
        signed: bool,
    },
    /// A floating point number.
    Float {
        /// Width.
        bits: u32,
    },
}

impl Scalar {
    /// What a scalar type says.
    pub(super) fn of(ty: &Type) -> Option<Scalar> {
        let Type::Other(name) = ty else { return None };
        Scalar::named(name)
    }

    fn named(name: &str) -> Option<Scalar> {
        let width = |digits: &str| digits.parse().ok().filter(|bits| (1..=64).contains(bits));
        if name == "i1" {
            return Some(Scalar::Bool);
        }
        if name == "index" {
            return Some(Scalar::Int { bits: 64, signed: true });
        }
        if let Some(digits) = name.strip_prefix("ui") {
            return Some(Scalar::Int { bits: width(digits)?, signed: false });
        }
        if let Some(digits) = name.strip_prefix("si").or(name.strip_prefix('i')) {
            return Some(Scalar::Int { bits: width(digits)?, signed: true });
        }
        let bits = match name {
            "tf32" => 19,
            "bf16" => 16,
            _ => {
                let digits = name.strip_prefix('f')?;
                let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
                width(&digits[..end])?
            }
        };
        Some(Scalar::Float { bits })
    }
}

/// The bits of a number: a byte for up to eight, else a signed number.
fn bits_of(c: &mut Cursor<'_>, bits: u32) -> Read<u64> {
    Ok(if bits <= 8 { u64::from(c.byte()?) } else { c.signed()? as u64 })
}

/// An integer of up to 64 bits.
pub(super) fn integer(c: &mut Cursor<'_>, bits: u32, signed: bool) -> Read<i64> {
    let raw = bits_of(c, bits)?;
    let unused = 64 - bits;
    Ok(if signed { (raw << unused) as i64 >> unused } else { (raw << unused >> unused) as i64 })
}

/// A floating point number of a type.
pub(super) fn known_float(c: &mut Cursor<'_>, ty: &Type) -> Read<Attr> {
    let (Type::Other(name), Some(Scalar::Float { bits })) = (ty, Scalar::of(ty)) else {
        return c.unsupported(format!("a floating point number of type {ty:?}"));
    };
    let raw = bits_of(c, bits)?;
    Ok(match name.as_str() {
        "f64" => Attr::Float(f64::from_bits(raw)),
        "f32" => Attr::Float(f64::from(f32::from_bits(raw as u32))),
        "f16" => Attr::Float(f16::from_bits(raw as u16).to_f64()),
        "bf16" => Attr::Float(bf16::from_bits(raw as u16).to_f64()),
        _ => match Element::named(name) {
            Element::Known(dtype) => match dtype.mini_format() {
                Some(format) => Attr::Float(f64::from(format.decode(raw as u8))),
                None => Attr::Word(format!("0x{raw:X}")),
            },
            Element::Unknown(_) => Attr::Word(format!("0x{raw:X}")),
        },
    })
}

/// A number in double precision, as in accuracies and scales.
pub(super) fn double(c: &mut Cursor<'_>) -> Read<f64> {
    Ok(f64::from_bits(bits_of(c, 64)?))
}

/// The name of an element type.
fn element_name(ty: &Type) -> String {
    match ty {
        Type::Other(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

/// The name of a complex type.
pub(super) fn complex(ty: &Type) -> String {
    format!("complex<{}>", element_name(ty))
}

/// A tensor of an element type.
pub(super) fn dense_type(dims: Vec<Option<i64>>, ty: &Type) -> Type {
    Type::Tensor { dims, element: Element::named(&element_name(ty)) }
}

/// A tensor of unknown rank, as the text reader gives it.
pub(super) fn unranked(ty: &Type) -> Type {
    Type::Tensor { dims: Vec::new(), element: Element::Unknown(format!("*x{}", element_name(ty))) }
}

/// The number of elements of a tensor type.
pub(super) fn element_count(ty: &Type) -> Option<usize> {
    let Type::Tensor { dims, .. } = ty else { return None };
    dims.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from((*d)?).ok()?))
}

/// The bytes of a tensor of bools with a byte for each element, or one for all: 0 or 0xFF.
///
/// Encoded are packed bits (lowest first), or a byte for each element, or one byte for all: 0xFF or 0 in the packed form.
pub(super) fn unpacked_bools(bytes: Vec<u8>, count: usize) -> Vec<u8> {
    if bytes.len() == 1 && count != 1 && (matches!(bytes[0], 0 | 0xFF) || count > 8) {
        return vec![if bytes[0] == 0 { 0 } else { 0xFF }];
    }
    if bytes.len() == count.div_ceil(8) && bytes.len() != count {
        return (0..count).map(|i| bytes[i / 8] >> (i % 8) & 1).collect();
    }
    bytes.into_iter().map(|b| u8::from(b != 0)).collect()
}

/// The integers or bools of a literal as a list, unless it is another literal or an immense one.
pub(super) fn as_list(attr: Attr) -> Attr {
    match integers(&attr) {
        Some(list) => list,
        None => attr,
    }
}

fn integers(attr: &Attr) -> Option<Attr> {
    let Attr::Dense(Literal::Bytes(bytes), ty @ Type::Tensor { element: Element::Known(dtype), .. }) = attr else {
        return None;
    };
    let count = element_count(ty).filter(|n| *n <= MAX_LIST)?;
    let size = match dtype {
        kiln_ir::DType::Bool => 1,
        d if d.is_int() => d.size(),
        _ => return None,
    };
    let one = |chunk: &[u8]| {
        let mut wide = [0u8; 8];
        wide[..size].copy_from_slice(chunk);
        let unused = 64 - 8 * size as u32;
        let raw = u64::from_le_bytes(wide);
        match dtype {
            kiln_ir::DType::Bool => Attr::Bool(raw != 0),
            d if d.is_unsigned_int() => Attr::Int(raw as i64),
            _ => Attr::Int((raw << unused) as i64 >> unused),
        }
    };
    if bytes.len() == size * count {
        return Some(Attr::List(bytes.chunks_exact(size).map(one).collect()));
    }
    (bytes.len() == size).then(|| Attr::List(vec![one(bytes); count]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bools_in_every_form() {
        assert_eq!(unpacked_bools(vec![0b101], 3), [1, 0, 1], "packed");
        assert_eq!(unpacked_bools(vec![0xFF], 3), [0xFF], "one for all");
        assert_eq!(unpacked_bools(vec![0], 20), [0], "one for all");
        assert_eq!(unpacked_bools(vec![1], 20), [0xFF], "one for all, a byte");
        assert_eq!(unpacked_bools(vec![1, 0, 1], 3), [1, 0, 1], "bytes");
        assert_eq!(unpacked_bools(vec![1], 1), [1], "a single one");
        assert_eq!(unpacked_bools(vec![0xFF], 1), [1], "a single one");
        assert_eq!(unpacked_bools(vec![3, 2], 10), [1, 1, 0, 0, 0, 0, 0, 0, 0, 1], "two bytes of bits");
    }

    #[test]
    fn integers_keep_their_sign() {
        let bytes = |b: &'static [u8]| Cursor::new(b);
        assert_eq!(integer(&mut bytes(&[0xFF]), 8, true).expect("whole"), -1);
        assert_eq!(integer(&mut bytes(&[0xFF]), 8, false).expect("whole"), 255);
        assert_eq!(integer(&mut bytes(&[0x0E]), 4, true).expect("whole"), -2);
        assert_eq!(integer(&mut bytes(&[7]), 32, true).expect("whole"), -2);
        assert_eq!(integer(&mut bytes(&[7]), 32, false).expect("whole"), 0xFFFF_FFFE);
        assert_eq!(Scalar::named("f8E4M3FN"), Some(Scalar::Float { bits: 8 }));
        assert_eq!(Scalar::named("ui4"), Some(Scalar::Int { bits: 4, signed: false }));
        assert_eq!(Scalar::named("i0"), None);
        assert_eq!(Scalar::named("i4294967295"), None);
    }
}
