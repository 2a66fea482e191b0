//! Damaged text and damaged artifacts: an error or a valid result, never a panic.

use crate::support::{TempFile, caught, trainer};
use kiln::ir::dim::DimEnv;
use kiln::ir::text;
use kiln::prelude::*;
use kiln_testing::Rng;
use kiln_tests::random::generate;

/// Damaged texts; one in four is damaged twice or more.
const TEXTS: u64 = 4000;
/// Damaged artifacts.
const ARTIFACTS: u64 = 3000;
/// Parsed graphs that are compiled as well.
const COMPILED: usize = 150;

/// Pieces that mean something in the text form.
const PIECES: [&str; 24] = [
    "-1",
    "0",
    "9223372036854775807",
    "99999999999999999999",
    "1e999",
    "nan",
    "f32",
    "bool",
    "i8",
    "bf16",
    "[",
    "]",
    "(",
    "}",
    "{",
    "%0",
    "%x0",
    "n",
    "2*n+1",
    "dense<",
    "add",
    "return",
    "\"",
    "\u{1F525}",
];

/// A word, a number or a sign, as a range of bytes.
fn token(rng: &mut Rng, text: &str) -> std::ops::Range<usize> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (i, c) in text.char_indices() {
        if !(c.is_alphanumeric() || c == '_' || c == '%' || c == '.') {
            if start < i {
                tokens.push(start..i);
            }
            tokens.push(i..i + c.len_utf8());
            start = i + c.len_utf8();
        }
    }
    if tokens.is_empty() { 0..text.len() } else { rng.pick(&tokens).clone() }
}

fn damage(rng: &mut Rng, text: &str) -> String {
    let mut out = text.to_owned();
    let at = token(rng, text);
    match rng.below(7) {
        0 => out.replace_range(at, ""),
        1 => out.replace_range(at, PIECES[rng.below(PIECES.len())]),
        2 => out.insert_str(at.start, PIECES[rng.below(PIECES.len())]),
        3 => {
            let other = token(rng, text);
            out.replace_range(at, &text[other]);
        }
        4 => out.truncate(at.start),
        5 => {
            let lines: Vec<&str> = text.lines().collect();
            let (i, j) = (rng.below(lines.len()), rng.below(lines.len()));
            let mut lines = lines.clone();
            lines.swap(i, j);
            out = lines.join("\n");
        }
        _ => {
            let lines: Vec<&str> = text.lines().collect();
            let i = rng.below(lines.len());
            let mut lines = lines.clone();
            lines.insert(i, lines[i]);
            out = lines.join("\n");
        }
    }
    out
}

#[test]
fn damaged_text() {
    let sources: Vec<String> =
        (0..40).map(|seed| text::print(&generate(30_000 + seed, 4 + seed as usize % 9).func)).collect();
    let mut rng = Rng::new(5);
    let (mut refused, mut compiled) = (0, 0);
    for i in 0..TEXTS {
        let mut source = rng.pick(&sources).clone();
        for _ in 0..1 + rng.below(5).saturating_sub(2) {
            source = damage(&mut rng, &source);
        }
        let parsed = caught(|| text::parse(&source)).unwrap_or_else(|p| panic!("text {i}: {p}\n{source}"));
        let Ok(func) = parsed else {
            refused += 1;
            continue;
        };
        let again = text::parse(&text::print(&func)).unwrap_or_else(|e| panic!("text {i}: {e}\n{source}"));
        assert!(again == func, "text {i} does not round-trip:\n{source}");
        if compiled < COMPILED && func.symbols().is_empty() {
            compiled += 1;
            // Huge shapes and the like are refused; what compiles needs no run.
            let _ = caught(|| Compiler::cpu().threads(1).stages(&func, &DimEnv::new()))
                .unwrap_or_else(|p| panic!("text {i}: {p}\n{source}"));
        }
    }
    assert!(
        refused > TEXTS / 4 && compiled == COMPILED,
        "{refused} refused, {compiled} compiled: the damage is too weak or too strong"
    );
}

#[test]
fn deep_nesting_is_refused() {
    let regions = format!(
        "func @f(%x: f32[]) -> (y: f32[]) {{ {} }}",
        "%0 = composite %x, name = \"c\", body = (%x: f32[]) -> (f32[]) { ".repeat(20_000)
    );
    let lists =
        format!("func @f() -> (y: f32[1]) {{ %0 = constant dense<{}1 : f32[1] return %0 }}", "[".repeat(100_000));
    let dims = format!("func @f(%x: f32[{}1]) -> (y: f32[1]) {{ return %x }}", "(".repeat(100_000));
    for source in [regions, lists, dims] {
        assert!(text::parse(&source).is_err());
    }
}

/// The IEEE CRC-32 as the header of artifacts has it.
fn crc32(bytes: &[u8]) -> u32 {
    let table: Vec<u32> =
        (0..256u32).map(|n| (0..8).fold(n, |c, _| if c & 1 == 1 { 0xEDB8_8320 ^ (c >> 1) } else { c >> 1 })).collect();
    !bytes.iter().fold(!0u32, |c, b| table[((c ^ u32::from(*b)) & 0xFF) as usize] ^ (c >> 8))
}

/// Makes length and checksums fit the contents again, so that the damage is read.
pub fn mend(bytes: &mut [u8]) {
    if bytes.len() < 64 {
        return;
    }
    let number = |bytes: &[u8], at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b)) as usize
    };
    let put = |bytes: &mut [u8], at: usize, n: u32| bytes[at..at + 4].copy_from_slice(&n.to_le_bytes());
    let length = (bytes.len() as u64).to_le_bytes();
    bytes[16..24].copy_from_slice(&length);
    let (count, row) = (number(bytes, 24, 4), number(bytes, 28, 4));
    let table = 64..count.saturating_mul(row).saturating_add(64);
    if row >= 24 && table.end <= bytes.len() {
        for at in table.clone().step_by(row) {
            let (start, len) = (number(bytes, at + 8, 8), number(bytes, at + 16, 8));
            let checksum = start.checked_add(len).and_then(|end| bytes.get(start..end)).map(crc32);
            checksum.into_iter().for_each(|c| put(bytes, at + 4, c));
        }
        let checksum = crc32(&bytes[table]);
        put(bytes, 32, checksum);
    }
    let checksum = crc32(&bytes[..60]);
    put(bytes, 60, checksum);
}

#[test]
fn damaged_artifacts() {
    let file = TempFile::new("damaged.kiln");
    Compiler::cpu().threads(2).compile(&trainer(4)).expect("compiles").export(file.path()).expect("written");
    let valid = file.bytes();
    let mut copy = valid.clone();
    mend(&mut copy);
    assert!(copy == valid, "the checksum is computed as the format says");
    // The table, the manifest and the programs: all that is not code or weights.
    let manifest = 64..valid.len().min(4096);
    let mut rng = Rng::new(6);
    let mut refused = 0;
    for i in 0..ARTIFACTS {
        let mut bytes = valid.clone();
        for _ in 0..1 + rng.below(3) {
            let at = if rng.one_in(4) { 0 } else { manifest.start } + rng.below(manifest.len());
            let at = if rng.one_in(4) { rng.below(bytes.len()) } else { at.min(bytes.len() - 1) };
            match rng.below(5) {
                0 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFF][rng.below(8)],
                1 => bytes[at] ^= 1 << rng.below(8),
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, rng.bits() as u8),
                _ => bytes.truncate(at.max(40)),
            }
        }
        mend(&mut bytes);
        let read = caught(|| Executable::from_bytes(&bytes, &crate::artifacts::trusted()))
            .unwrap_or_else(|p| panic!("artifact {i}: {p}"));
        refused += u64::from(read.is_err());
    }
    assert!(refused > ARTIFACTS / 3, "only {refused} of {ARTIFACTS} refused");
}
