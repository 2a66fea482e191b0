//! Damage to text, by its tokens.

use kiln_testing::Rng;
use kiln_testing::text::{STRANGE, tokens};

/// Most bytes of a case.
const MAX: usize = 1 << 18;

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
            let range = rng.span(n);
            let copy = parts[range].to_vec();
            parts.splice(i..i, copy);
        }
        8 => drop(parts.drain(rng.span(n))),
        9 | 10 if !other.is_empty() => {
            let (from, to) = (rng.span(other.len()), rng.span(n));
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
