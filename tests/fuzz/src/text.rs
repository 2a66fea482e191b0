//! Damage to text, by its tokens.

use crate::rng::Rng;

/// Most bytes of a case.
const MAX: usize = 1 << 18;

/// Words and signs, with what lies between.
fn tokens(text: &[u8]) -> Vec<&[u8]> {
    let word = |c: u8| c.is_ascii_alphanumeric() || b"_.%@#".contains(&c);
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        at += 1;
        if word(text[start]) {
            while at < text.len() && word(text[at]) {
                at += 1;
            }
        }
        out.push(&text[start..at]);
    }
    out
}

const STRANGE: &[&str] = &[
    "-1",
    "0",
    "1",
    "3",
    "7",
    "64",
    "65535",
    "100000",
    "2147483647",
    "4294967296",
    "1099511627775",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e400",
    "-0.0",
    "nan",
    "0x",
    "0xFF",
    "0x7FC00000",
    "\"",
    "\"0x",
    "<",
    ">",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "->",
    "?",
    "x",
    "*",
    "=",
    "//",
    "tensor<f32>",
    "tensor<0xi32>",
    "tensor<?xf32>",
    "tensor<1000000x1000000xf32>",
    "tensor<4xi1>",
    "tensor<2xcomplex<f32>>",
    "tensor<3xf8E4M3FN>",
    "tensor<2xi4>",
    "tuple<>",
    "tuple<tensor<f32>>",
    "f32",
    "i1",
    "i4",
    "ui64",
    "bf16",
    "f8E5M2",
    "dense<>",
    "dense<0>",
    "dense<\"0x00\">",
    "#a",
    "^bb0",
    "%0",
    "%0#1",
    "%arg0",
    "@f",
    "@main",
    "\u{e9}",
    "\0",
    "\\",
    "stablehlo.add",
    "stablehlo.while",
    "stablehlo.reduce",
    "stablehlo.sort",
    "stablehlo.scatter",
    "stablehlo.gather",
    "stablehlo.fft",
    "stablehlo.constant",
    "stablehlo.composite",
    "stablehlo.custom_call",
    "stablehlo.return",
    "func.func",
    "call",
    "return",
    "module",
    "array<i64: 9>",
    "array<i64>",
    "loc(",
    "loc(unknown)",
    "init:",
    "applies",
    "across",
    "dimensions",
    "true",
    "false",
    "unit",
];

/// Brackets that open, to be repeated.
const OPEN: &[&str] = &["(", "[", "{", "<", "tuple<", "dense<[", "({", "\"stablehlo.while\"() ({", "module {", "loc("];

fn is_number(token: &[u8]) -> bool {
    token.iter().any(u8::is_ascii_digit) && token[0] != b'%'
}

/// A number near the one that stands there, or one at the edge of something.
fn number(token: &[u8], rng: &mut Rng) -> Vec<u8> {
    let old: i128 = std::str::from_utf8(token).ok().and_then(|t| t.parse().ok()).unwrap_or(1);
    let new = match rng.below(8) {
        0 => old + 1,
        1 => old - 1,
        2 => -old,
        3 => old * 2,
        4 => old << rng.below(60),
        5 => (1i128 << rng.below(65)) - 1,
        6 => rng.below(10) as i128,
        _ => rng.bits() as i64 as i128,
    };
    new.to_string().into_bytes()
}

/// One change to a list of tokens.
fn change(parts: &mut Vec<Vec<u8>>, other: &[&[u8]], rng: &mut Rng) {
    if parts.is_empty() {
        parts.push(Vec::new());
    }
    let n = parts.len();
    let (i, j) = (rng.below(n), rng.below(n));
    match rng.below(14) {
        0 => drop(parts.remove(i)),
        1 => parts.swap(i, j),
        2 => parts[i] = rng.pick(STRANGE).as_bytes().to_vec(),
        3 => parts.insert(i, rng.pick(STRANGE).as_bytes().to_vec()),
        4 => parts[i] = parts[j].clone(),
        5 | 6 => {
            let numbers: Vec<usize> = (0..n).filter(|&k| is_number(&parts[k])).collect();
            if !numbers.is_empty() {
                let k = *rng.pick(&numbers);
                parts[k] = number(&parts[k], rng);
            }
        }
        7 => {
            let range = rng.range(n);
            let copy = parts[range].to_vec();
            parts.splice(i..i, copy);
        }
        8 => drop(parts.drain(rng.range(n))),
        9 | 10 if !other.is_empty() => {
            let (from, to) = (rng.range(other.len()), rng.range(n));
            parts.splice(to, other[from].iter().map(|t| t.to_vec()));
        }
        11 => {
            // A whole line more.
            let newline = |p: &Vec<u8>| p == b"\n";
            let start = parts[..i].iter().rposition(newline).map_or(0, |p| p + 1);
            let end = parts[i..].iter().position(newline).map_or(n, |p| i + p + 1);
            let copy = parts[start..end].to_vec();
            for _ in 0..1 + rng.below(3) {
                parts.splice(end..end, copy.iter().cloned());
            }
        }
        12 => {
            let open = rng.pick(OPEN).repeat(1 << rng.below(13));
            parts.insert(i, open.into_bytes());
        }
        _ => {
            if let Some(byte) = parts[i].first_mut() {
                *byte ^= 1 << rng.below(8);
            }
        }
    }
}

/// A damaged copy.
pub fn damage(text: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = tokens(text).into_iter().map(<[u8]>::to_vec).collect();
    let other = tokens(other);
    for _ in 0..rng.few(5) {
        change(&mut parts, &other, rng);
    }
    let mut out = parts.concat();
    if rng.below(16) == 0 {
        out.truncate(rng.below(out.len() + 1));
    }
    out.truncate(MAX);
    out
}
