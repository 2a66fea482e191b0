//! Literals to tensors.

use super::{Builder, Built};
use crate::ast::{Attr, Element, Literal, Operation, Type};
use kiln_builder::Expr;
use kiln_ir::{DType, Tensor};

/// Most elements that a literal of one element is written out to.
const MAX_REPEATED: usize = 1 << 12;
/// Most bytes of a literal.
const MAX_BYTES: usize = 1 << 30;

impl Builder<'_> {
    /// A literal as a value. Where one element stands for very many, it is broadcast rather than repeated.
    pub(super) fn constant(&self, op: &Operation, attr: &Attr) -> Built<Expr> {
        if let Attr::Dense(literal, ty) = attr
            && let (dtype, shape) = self.tensor_type(ty, &op.place)?
            && is_one(literal, dtype)
        {
            let count = shape.as_sizes().and_then(|s| s.iter().try_fold(1usize, |a, &n| a.checked_mul(n)));
            if count.is_some_and(|n| n > MAX_REPEATED) {
                let one = Type::Tensor { dims: Vec::new(), element: Element::Known(dtype) };
                let scalar = self.literal(op, &Attr::Dense(literal.clone(), one))?;
                return Ok(self.graph.constant(scalar).broadcast_to(shape));
            }
        }
        Ok(self.graph.constant(self.literal(op, attr)?))
    }

    /// The tensor of a `dense<...> : type` attribute.
    pub(super) fn literal(&self, op: &Operation, attr: &Attr) -> Built<Tensor> {
        let Attr::Dense(literal, ty) = attr else {
            return self.malformed(op, "expected `dense<...>`");
        };
        let (dtype, shape) = self.tensor_type(ty, &op.place)?;
        let sizes = match shape.as_sizes() {
            Some(sizes) => sizes,
            None => return self.malformed(op, "a literal of unknown size"),
        };
        let count = sizes.iter().try_fold(1usize, |a, &n| a.checked_mul(n)).filter(|&n| n <= MAX_BYTES / dtype.size());
        let Some(count) = count else { return self.malformed(op, "a literal of too many elements") };
        let one: Vec<u8> = match literal {
            Literal::Bytes(bytes) if dtype == DType::Bool => bools(bytes, count),
            Literal::Bytes(bytes) if dtype.bits() < 8 => bytes.iter().map(|b| canonical(*b, dtype)).collect(),
            Literal::Bytes(bytes) => bytes.clone(),
            Literal::Elements(words) => {
                let mut out = Vec::with_capacity(words.len() * dtype.size());
                let part = dtype.real_type();
                for word in words {
                    match element(word, part) {
                        Some(bytes) => out.extend_from_slice(&bytes[..part.size()]),
                        None => return self.malformed(op, format!("{word} is no {part}")),
                    }
                }
                if words.len() % (dtype.size() / part.size()) != 0 {
                    return self.malformed(op, "complex elements are pairs");
                }
                out
            }
        };
        let bytes = if one.len() == dtype.size() && count != 1 { one.repeat(count) } else { one };
        match Tensor::from_bytes(dtype, &sizes, &bytes) {
            Ok(t) => Ok(t),
            Err(e) => self.malformed(op, e.to_string()),
        }
    }
}

/// True for a literal of one element.
fn is_one(literal: &Literal, dtype: DType) -> bool {
    match literal {
        Literal::Elements(words) => words.len() == dtype.size() / dtype.real_type().size(),
        Literal::Bytes(bytes) if dtype == DType::Bool => matches!(bytes[..], [0 | 0xFF]),
        Literal::Bytes(bytes) => bytes.len() == dtype.size(),
    }
}

/// Bools in hexadecimal literals: a byte each for all, or `FF`/`01`/`00` for a splat, or packed bits, lowest first.
fn bools(bytes: &[u8], count: usize) -> Vec<u8> {
    if bytes.len() == 1 && count != 1 && matches!(bytes[0], 0 | 0xFF) {
        return vec![u8::from(bytes[0] != 0)];
    }
    if bytes.len() != count.div_ceil(8) && bytes.len() == count {
        return bytes.iter().map(|b| u8::from(*b != 0)).collect();
    }
    (0..count).map(|i| bytes.get(i / 8).map_or(0, |b| b >> (i % 8) & 1)).collect()
}

/// The low bits of a byte as an element of a type of less than 8 bits: the others are copies of the sign, or zero.
fn canonical(byte: u8, dtype: DType) -> u8 {
    let unused = 8 - dtype.bits();
    let high = byte << unused;
    if dtype.is_signed_int() { (high as i8 >> unused) as u8 } else { high >> unused }
}

/// The little-endian bytes of an element.
fn element(word: &str, dtype: DType) -> Option<[u8; 8]> {
    let bits: u64 = if dtype == DType::Bool {
        match word {
            "true" | "1" => 1,
            "false" | "0" => 0,
            _ => return None,
        }
    } else if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok()?
    } else if dtype.is_float() {
        let x: f64 = word.parse().ok()?;
        match dtype {
            // Parsed as f32, so that the decimal is rounded once.
            DType::F32 => u64::from(word.parse::<f32>().ok()?.to_bits()),
            dtype => dtype.encode(x),
        }
    } else {
        let x: i128 = word.parse().ok()?;
        let bits = dtype.bits();
        let fits = if dtype.is_unsigned_int() {
            (0..1i128 << bits).contains(&x) || (-(1i128 << (bits - 1))..0).contains(&x)
        } else {
            (-(1i128 << (bits - 1))..1i128 << bits).contains(&x)
        };
        if !fits {
            return None;
        }
        if dtype.bits() < 8 { u64::from(canonical(x as u8, dtype)) } else { x as u64 }
    };
    Some(bits.to_le_bytes())
}
