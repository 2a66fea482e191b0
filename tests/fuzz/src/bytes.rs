//! Damage to bytecode: to bytes and numbers anywhere, and to one section whose length is put right again.

use kiln_testing::Rng;
use std::ops::Range;

/// Most bytes of a case.
const MAX: usize = 1 << 18;

/// A number of variable length: where it is, and its value.
fn varint(bytes: &[u8], at: usize) -> Option<(usize, u64)> {
    let first = *bytes.get(at)?;
    let more = first.trailing_zeros() as usize;
    let mut wide = [0u8; 8];
    if more == 8 {
        wide.copy_from_slice(bytes.get(at + 1..at + 9)?);
        return Some((9, u64::from_le_bytes(wide)));
    }
    wide[..=more].copy_from_slice(bytes.get(at..=at + more)?);
    Some((more + 1, u64::from_le_bytes(wide) >> (more + 1)))
}

fn encode(n: u64) -> Vec<u8> {
    match (1..=8).find(|bytes| n < 1 << (7 * bytes)) {
        Some(bytes) => ((n << bytes) | 1 << (bytes - 1)).to_le_bytes()[..bytes].to_vec(),
        None => [&[0], n.to_le_bytes().as_slice()].concat(),
    }
}

/// The sections of a file: kind with the flag of alignment, where its length stands, and where it is.
fn sections(bytes: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut out = Vec::new();
    let Some((version, _)) = varint(bytes, 4) else { return out };
    let Some(producer) = bytes[4 + version..].iter().position(|b| *b == 0) else { return out };
    let mut at = 4 + version + producer + 1;
    while let Some(&head) = bytes.get(at) {
        let Some((size, length)) = varint(bytes, at + 1) else { break };
        let mut start = at + 1 + size;
        if head & 0x80 != 0 {
            let Some((size, alignment)) = varint(bytes, start) else { break };
            start = (start + size).next_multiple_of((alignment as usize).clamp(1, 1 << 20));
        }
        let Some(end) = start.checked_add(length as usize).filter(|e| *e <= bytes.len()) else { break };
        out.push((at + 1..at + 1 + size, start..end));
        at = end;
    }
    out
}

/// One change to some bytes.
fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    let n = bytes.len();
    let i = rng.below(n);
    match rng.below(14) {
        0 | 1 => bytes[i] ^= 1 << rng.below(8),
        2 => bytes[i] = *rng.pick(&[0, 1, 2, 3, 5, 0x7F, 0x80, 0xFE, 0xFF]),
        3 => bytes[i] = rng.bits() as u8,
        4 => bytes[i] = bytes[rng.below(n)],
        5 => drop(bytes.remove(i)),
        6 => bytes.insert(i, rng.bits() as u8),
        7..=9 => {
            if let Some((size, old)) = varint(bytes, i) {
                let new = match rng.below(8) {
                    0 => old.wrapping_add(1),
                    1 => old.wrapping_sub(1),
                    2 => old ^ 1,
                    3 => old.wrapping_mul(2),
                    4 => rng.below(256) as u64,
                    5 => 1 << rng.below(64),
                    6 => (1u64 << rng.below(64)).wrapping_sub(1),
                    _ => rng.bits() >> rng.below(64),
                };
                bytes.splice(i..i + size, encode(new));
            }
        }
        10 => drop(bytes.drain(rng.span(n))),
        11 => {
            let copy = bytes[rng.span(n)].to_vec();
            bytes.splice(i..i, copy);
        }
        12 => {
            // As many bytes as there are, so that lengths stay right.
            let from = rng.span(n);
            let to = i.min(n - from.len());
            bytes.copy_within(from, to);
        }
        _ => {
            let (from, to) = (rng.span(other.len()), rng.span(n));
            bytes.splice(to, other[from].iter().copied());
        }
    }
}

/// A damaged copy.
pub fn damage(bytes: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..rng.few(4) {
        let list = sections(&out);
        if list.is_empty() || rng.below(4) == 0 {
            change(&mut out, other, rng);
            continue;
        }
        let (length, range) = rng.pick(&list).clone();
        let others = sections(other);
        let kind = out[length.start - 1];
        let same = others.iter().find(|(l, _)| other[l.start - 1] == kind).map_or(0..other.len(), |(_, r)| r.clone());
        let mut part = out[range.clone()].to_vec();
        if rng.below(32) == 0 {
            // A section of another file.
            part = other[same].to_vec();
        } else {
            change(&mut part, &other[same], rng);
        }
        let size = encode(part.len() as u64);
        out.splice(range, part);
        out.splice(length, size);
    }
    if rng.below(24) == 0 {
        out.truncate(rng.below(out.len() + 1));
    }
    out.truncate(MAX);
    out
}
