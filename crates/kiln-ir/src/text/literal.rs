//! Literals: numbers of every dtype, strings, names.

use crate::dtype::DType;
use crate::tensor::Tensor;
use half::{bf16, f16};
use std::fmt::Write;

/// The text of a string literal.
pub fn quote(s: &str) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The string that `quote` wrote, without the quotes.
pub fn unescape(body: &str) -> Result<String, String> {
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('"') => out.push('"'),
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let hex: String = chars.by_ref().skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                let c = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                out.push(c.ok_or_else(|| format!("`\\u{{{hex}}}` is no character"))?);
            }
            _ => return Err("unknown escape in a string".into()),
        }
    }
    Ok(out)
}

/// A name after `%` or `@`: bare where the lexer reads it back, quoted otherwise.
pub fn sigil_name(s: &str) -> String {
    let mut bytes = s.bytes();
    let bare = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/'))
        && !s.contains("//");
    // A trailing slash could join with a comment that follows.
    if bare && !s.ends_with('/') { s.to_string() } else { quote(s) }
}

/// One element of a float type: shortest decimal that reads back, `inf`, `nan`, or the bits of any other NaN.
macro_rules! float_text {
    ($v:expr, $t:ty, $quiet:expr) => {{
        let v: $t = $v;
        if v.is_nan() {
            if v.to_bits() == $quiet { "nan".to_string() } else { format!("{:#x}", v.to_bits()) }
        } else {
            format!("{:?}", f64::from(v))
        }
    }};
}

const F16_NAN: u16 = 0x7e00;
const BF16_NAN: u16 = 0x7fc0;
const F32_NAN: u32 = 0x7fc0_0000;
const F64_NAN: u64 = 0x7ff8_0000_0000_0000;

/// The text of an `f64`, as in initializers.
pub fn f64_text(v: f64) -> String {
    float_text!(v, f64, F64_NAN)
}

/// The text of the element at `index`.
pub fn element(t: &Tensor, index: usize) -> String {
    let size = t.dtype().size();
    let bytes = &t.bytes()[index * size..(index + 1) * size];
    if t.dtype().is_complex() {
        let (re, im) = bytes.split_at(size / 2);
        let part = t.dtype().real_type();
        return format!("({}, {})", scalar(part, re), scalar(part, im));
    }
    scalar(t.dtype(), bytes)
}

/// The text of one element, not complex.
fn scalar(dtype: DType, bytes: &[u8]) -> String {
    let mut wide = [0u8; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(wide);
    if let Some(format) = dtype.mini_format() {
        let value = format.decode(bits as u8);
        return if value.is_nan() && format.nan() != Some(bits as u8) { format!("{bits:#x}") } else { word(value) };
    }
    match dtype {
        DType::Bool => (bits != 0).to_string(),
        DType::F16 => match f16::from_bits(bits as u16) {
            v if v.is_nan() => float_text!(v, f16, F16_NAN),
            v => format!("{:?}", v.to_f32()),
        },
        DType::BF16 => match bf16::from_bits(bits as u16) {
            v if v.is_nan() => float_text!(v, bf16, BF16_NAN),
            v => format!("{:?}", v.to_f32()),
        },
        DType::F32 => match f32::from_bits(bits as u32) {
            v if v.is_nan() => float_text!(v, f32, F32_NAN),
            v => format!("{v:?}"),
        },
        DType::F64 => f64_text(f64::from_bits(bits)),
        int => int.decode_int(bits).to_string(),
    }
}

fn word(v: f32) -> String {
    if v.is_nan() { "nan".into() } else { format!("{v:?}") }
}

/// A number as written: sign and digits (or `inf`, `nan`, `true`, `false`).
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// A minus stands before it.
    pub negative: bool,
    /// The rest.
    pub text: &'a str,
}

/// An element as written: a number, or a pair of them for a complex one.
#[derive(Clone, Copy, Debug)]
pub struct RawElement<'a> {
    /// The number, or the real part.
    pub value: Raw<'a>,
    /// The imaginary part.
    pub imag: Option<Raw<'a>>,
}

/// Appends the little-endian bytes of one element.
pub fn push_element(out: &mut Vec<u8>, dtype: DType, raw: RawElement) -> Result<(), String> {
    let part = dtype.real_type();
    match raw.imag {
        Some(imag) if dtype.is_complex() => {
            push_scalar(out, part, raw.value)?;
            push_scalar(out, part, imag)
        }
        Some(_) => Err(format!("a pair is no {dtype}")),
        None if dtype.is_complex() => Err(format!("a {dtype} is written as a pair `(re, im)`")),
        None => push_scalar(out, dtype, raw.value),
    }
}

fn push_scalar(out: &mut Vec<u8>, dtype: DType, raw: Raw) -> Result<(), String> {
    let bad = || format!("`{}{}` is no {dtype}", if raw.negative { "-" } else { "" }, raw.text);
    let bits: u64 = match dtype {
        DType::Bool => match (raw.negative, raw.text) {
            (false, "true") => 1,
            (false, "false") => 0,
            _ => return Err(bad()),
        },
        d if d.is_int() => integer(d, raw).ok_or_else(bad)?,
        d => float_bits(d, raw).ok_or_else(bad)?,
    };
    out.extend_from_slice(&bits.to_le_bytes()[..dtype.size()]);
    Ok(())
}

fn hex(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

fn integer(dtype: DType, raw: Raw) -> Option<u64> {
    let magnitude = match hex(raw.text) {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => raw.text.parse::<u64>().ok()?,
    };
    let value = if raw.negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    let bits = dtype.bits();
    let (low, high) = if dtype.is_signed_int() {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    } else {
        (0, (1i128 << bits) - 1)
    };
    (low..=high).contains(&value).then_some(value as u64)
}

/// A decimal float: digits, a point, an exponent; `inf`.
pub fn decimal<T: std::str::FromStr + std::ops::Neg<Output = T>>(raw: Raw) -> Option<T> {
    // Rust's parser also takes words such as `infinity`; only `inf` is in the grammar.
    if raw.text != "inf" && !raw.text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let v: T = raw.text.parse().ok()?;
    Some(if raw.negative { -v } else { v })
}

fn mini_bits(format: crate::MiniFormat, raw: Raw) -> Option<u64> {
    let byte = match (raw.text, hex(raw.text)) {
        ("nan", _) => format.nan().filter(|_| !raw.negative)?,
        (_, Some(digits)) => {
            u8::from_str_radix(digits, 16).ok().filter(|b| !raw.negative && u32::from(*b) >> format.bits() == 0)?
        }
        (_, None) => format.encode_f64(decimal(raw)?),
    };
    Some(byte.into())
}

fn float_bits(dtype: DType, raw: Raw) -> Option<u64> {
    if let Some(format) = dtype.mini_format() {
        return mini_bits(format, raw);
    }
    let (nan, limit) = match dtype {
        DType::F16 => (u64::from(F16_NAN), 16),
        DType::BF16 => (u64::from(BF16_NAN), 16),
        DType::F32 => (u64::from(F32_NAN), 32),
        _ => (F64_NAN, 64),
    };
    if raw.text == "nan" {
        return (!raw.negative).then_some(nan);
    }
    if let Some(digits) = hex(raw.text) {
        let bits = u64::from_str_radix(digits, 16).ok()?;
        return (!raw.negative && (limit == 64 || bits >> limit == 0)).then_some(bits);
    }
    Some(match dtype {
        DType::F16 => crate::float::f16_from_f64(decimal(raw)?).to_bits().into(),
        DType::BF16 => crate::float::bf16_from_f64(decimal(raw)?).to_bits().into(),
        DType::F32 => decimal::<f32>(raw)?.to_bits().into(),
        _ => decimal::<f64>(raw)?.to_bits(),
    })
}

/// The bits or decimal of an `f64`.
pub fn f64_value(raw: Raw) -> Option<f64> {
    float_bits(DType::F64, raw).map(f64::from_bits)
}

/// `0x` and two digits per byte.
pub fn hex_bytes(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(2 + 2 * bytes.len());
    out.push_str("0x");
    for b in bytes {
        out.push(DIGITS[usize::from(b >> 4)] as char);
        out.push(DIGITS[usize::from(b & 15)] as char);
    }
    out
}

/// The bytes that [`hex_bytes`] wrote.
pub fn parse_hex_bytes(s: &str) -> Result<Vec<u8>, String> {
    let digits = hex(s).ok_or("expected `0x` and hex digits")?.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err("expected two hex digits per byte".into());
    }
    let nibble = |d: u8| (d as char).to_digit(16).map(|d| d as u8);
    digits
        .chunks_exact(2)
        .map(|c| Some(nibble(c[0])? << 4 | nibble(c[1])?))
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| "expected hex digits".to_string())
}
