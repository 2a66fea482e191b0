//! Damaged programs: an error with its place, or a program; never a panic, a hang or a heap of memory.

mod common;

use common::{program, programs};
use kiln_testing::Rng;
use kiln_testing::text::{NUMBERS, STRANGE, tokens};

fn damage(text: &str, random: &mut Rng) -> String {
    let mut parts: Vec<String> =
        tokens(text.as_bytes()).into_iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
    for _ in 0..1 + random.below(3) {
        let (i, j) = (random.below(parts.len()), random.below(parts.len()));
        match random.below(6) {
            0 => drop(parts.remove(i)),
            1 => parts.swap(i, j),
            2 => parts[i] = (*random.pick(STRANGE)).to_owned(),
            3 => parts.insert(i, parts[j].clone()),
            4 => parts[i] = parts[j].clone(),
            _ => {
                let numbers: Vec<usize> =
                    (0..parts.len()).filter(|&k| parts[k].starts_with(|c: char| c.is_ascii_digit())).collect();
                if let Some(&k) = numbers.get(random.below(numbers.len())) {
                    parts[k] = STRANGE[random.below(NUMBERS)].to_owned();
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
    let mut random = Rng(20_260_101);
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
