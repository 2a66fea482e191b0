//! Tensors as `dense<...>`: every bit survives.

use kiln_ir::{DType, DTypeClass, Tensor};
use std::fmt::Write;

/// The contents of a tensor as an MLIR attribute without its type: one element for a splat, nested lists for at most
/// `list_limit` elements, otherwise the bytes in hexadecimal.
pub(super) fn dense(t: &Tensor, list_limit: usize) -> String {
    let size = t.dtype().size();
    let bytes = t.bytes();
    if bytes.is_empty() {
        return "dense<>".to_owned();
    }
    if bytes.chunks_exact(size).all(|e| e == &bytes[..size]) {
        return format!("dense<{}>", element(t.dtype(), &bytes[..size]));
    }
    // Of other types MLIR packs several elements into a byte.
    if t.len() > list_limit && t.dtype().uses_every_bit() {
        let mut out = String::with_capacity(2 * bytes.len() + 16);
        out.push_str("dense<\"0x");
        for b in bytes {
            out.push(char::from(b"0123456789ABCDEF"[usize::from(b >> 4)]));
            out.push(char::from(b"0123456789ABCDEF"[usize::from(b & 15)]));
        }
        out.push_str("\">");
        return out;
    }
    let mut elements = bytes.chunks_exact(size).map(|e| element(t.dtype(), e));
    let mut out = String::from("dense<");
    nested(t.shape(), &mut elements, &mut out);
    out.push('>');
    out
}

fn nested(shape: &[usize], elements: &mut impl Iterator<Item = String>, out: &mut String) {
    let Some((&n, inner)) = shape.split_first() else {
        out.push_str(&elements.next().unwrap_or_default());
        return;
    };
    out.push('[');
    for i in 0..n {
        if i > 0 {
            out.push_str(", ");
        }
        nested(inner, elements, out);
    }
    out.push(']');
}

/// One element from its little-endian bytes.
fn element(dtype: DType, bytes: &[u8]) -> String {
    if dtype.is_complex() {
        let (re, im) = bytes.split_at(bytes.len() / 2);
        return format!("({},{})", element(dtype.real_type(), re), element(dtype.real_type(), im));
    }
    let mut wide = [0u8; 8];
    wide[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
    let bits = u64::from_le_bytes(wide);
    match dtype.class() {
        DTypeClass::Bool => (if bits == 0 { "false" } else { "true" }).to_owned(),
        DTypeClass::Signed | DTypeClass::Unsigned => dtype.decode_int(bits).to_string(),
        DTypeClass::Mini | DTypeClass::Float | DTypeClass::Complex => {
            float(dtype.decode(bits), bits, 2 * dtype.size(), |x| dtype.encode(x))
        }
    }
}

/// A float as MLIR prints it: six digits where they are exact, otherwise as many as needed, and bits for what is not finite.
/// `round` gives the bits that a reader makes of a decimal number.
fn float(value: f64, bits: u64, hex_digits: usize, round: impl Fn(f64) -> u64) -> String {
    if value.is_finite() {
        let exact = |text: &String| text.parse::<f64>().is_ok_and(|x| round(x) == bits);
        let short = with_exponent(&format!("{value:.6e}"));
        let narrow = with_exponent(&format!("{:e}", value as f32));
        let long = with_exponent(&format!("{value:e}"));
        if let Some(text) = [short, narrow, long].into_iter().find(exact) {
            return text;
        }
    }
    format!("0x{bits:0hex_digits$X}")
}

/// Rust's `1.5e-3` as MLIR's `1.5e-03`, with a point in any case.
fn with_exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let mut out = mantissa.to_owned();
    if !out.contains('.') {
        out.push_str(".0");
    }
    // Writing to a string cannot fail.
    let _ = write!(out, "e{sign}{digits:0>2}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};
    use kiln_ir::float::f16_from_f64;

    fn one<T: kiln_ir::Element>(x: T) -> String {
        dense(&Tensor::scalar(x), 100)
    }

    #[test]
    fn floats_keep_their_bits() {
        assert_eq!(one(1.0f32), "dense<1.000000e+00>");
        assert_eq!(one(-0.0f32), "dense<-0.000000e+00>");
        assert_eq!(one(0.1f32), "dense<1.000000e-01>");
        assert_eq!(one(f32::MAX), "dense<3.4028235e+38>");
        assert_eq!(one(1.0f32 / 3.0), "dense<3.3333334e-01>");
        assert_eq!(one(f32::from_bits(1)), "dense<1.401298e-45>");
        assert_eq!(one(1.0f64 / 3.0), "dense<3.333333333333333e-01>");
        assert_eq!(one(f32::NEG_INFINITY), "dense<0xFF800000>");
        assert_eq!(one(f64::NAN), "dense<0x7FF8000000000000>");
        assert_eq!(one(f16::INFINITY), "dense<0x7C00>");
        assert_eq!(one(bf16::from_f32(3.0)), "dense<3.000000e+00>");
        assert_eq!(one(f32::from_bits(0xFFC0_0001)), "dense<0xFFC00001>");
    }

    #[test]
    fn every_half_reads_back() {
        for bits in 0..=u16::MAX {
            let text = element(DType::F16, &bits.to_le_bytes());
            let back = match text.strip_prefix("0x") {
                Some(hex) => u16::from_str_radix(hex, 16).expect("hexadecimal"),
                None => f16_from_f64(text.parse().expect("a number")).to_bits(),
            };
            assert_eq!(back, bits, "{text}");
        }
    }

    #[test]
    fn shapes_of_literals() {
        let t = Tensor::from_vec([2, 2], vec![1i32, 2, 3, 4]).expect("four elements");
        assert_eq!(dense(&t, 100), "dense<[[1, 2], [3, 4]]>");
        assert_eq!(dense(&t, 3), "dense<\"0x01000000020000000300000004000000\">");
        assert_eq!(dense(&Tensor::from_vec([3], vec![true; 3]).expect("three elements"), 0), "dense<true>");
        assert_eq!(dense(&Tensor::from_vec([2], vec![true, false]).expect("two"), 0), "dense<[true, false]>");
        assert_eq!(dense(&Tensor::from_vec([0, 3], Vec::<f32>::new()).expect("none"), 0), "dense<>");
    }
}
