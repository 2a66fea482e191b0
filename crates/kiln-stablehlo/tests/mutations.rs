//! Damaged programs: an error with its place, or a program; never a panic, a hang or a heap of memory.

mod common;

use common::{program, programs};

/// splitmix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Words and signs of a text, with what lies between.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for c in text.chars() {
        let word = |c: char| c.is_ascii_alphanumeric() || "_.%@#".contains(c);
        match out.last_mut() {
            Some(last) if word(c) && last.chars().last().is_some_and(word) => last.push(c),
            _ => out.push(c.to_string()),
        }
    }
    out
}

const STRANGE: &[&str] = &[
    "-1",
    "0",
    "3",
    "64",
    "100000",
    "2147483647",
    "1099511627775",
    "9223372036854775807",
    "-9223372036854775808",
    "1e400",
    "nan",
    "0x",
    "\"",
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
    "tensor<f32>",
    "tensor<0xi32>",
    "tensor<?xf32>",
    "tuple<>",
    "f32",
    "i1",
    "ui64",
    "bf16",
    "dense<>",
    "#a",
    "^bb0",
    "%0",
    "@f",
    "é",
    "stablehlo.add",
    "stablehlo.while",
    "array<i64: 9>",
    "loc(",
];

fn damage(text: &str, random: &mut Random) -> String {
    let mut parts = tokens(text);
    for _ in 0..1 + random.below(3) {
        let (i, j) = (random.below(parts.len()), random.below(parts.len()));
        match random.below(6) {
            0 => drop(parts.remove(i)),
            1 => parts.swap(i, j),
            2 => parts[i] = STRANGE[random.below(STRANGE.len())].to_owned(),
            3 => parts.insert(i, parts[j].clone()),
            4 => parts[i] = parts[j].clone(),
            _ => {
                let numbers: Vec<usize> =
                    (0..parts.len()).filter(|&k| parts[k].starts_with(|c: char| c.is_ascii_digit())).collect();
                if let Some(&k) = numbers.get(random.below(numbers.len())) {
                    parts[k] = STRANGE[random.below(10)].to_owned();
                }
            }
        }
        if parts.is_empty() {
            parts.push(String::new());
        }
    }
    if random.below(10) == 0 {
        parts.truncate(random.below(parts.len()));
    }
    parts.concat()
}

#[test]
fn damaged_programs_are_refused_or_read() {
    let all = programs();
    let mut random = Random(20_260_101);
    let (mut read, mut refused) = (0, 0);
    let start = std::time::Instant::now();
    for round in 0..300 {
        for (name, text) in &all {
            let damaged = damage(text, &mut random);
            let before = std::time::Instant::now();
            match std::panic::catch_unwind(|| program("damaged.mlir", &damaged)) {
                Ok(Ok(_)) => read += 1,
                Ok(Err(message)) => {
                    refused += 1;
                    assert!(
                        message.contains("damaged.mlir:"),
                        "{name}, round {round}: no place in {message}\n{damaged}"
                    );
                }
                Err(_) => panic!("{name}, round {round}: a panic on\n{damaged}"),
            }
            let took = before.elapsed().as_secs_f64();
            assert!(took < 5.0, "{name}, round {round}: {took} s for\n{damaged}");
        }
    }
    assert!(read > 100 && refused > 500, "{read} read, {refused} refused: the damage is of no use");
    println!("{read} read, {refused} refused in {:?}", start.elapsed());
}
