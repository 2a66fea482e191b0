//! Runs the artifact that the example `digits` of the crate `kiln` writes. No compiler is part of this program.
//!
//!     cargo run --release -p kiln-runtime --example predict -- target/digits.kiln
//!
//! The file `digits.predictions` beside the artifact holds the test images and what the training process predicted for them: the
//! artifact must give the same probabilities, to the bit.

use kiln_runtime::{Executable, Port, Tensor, Trust};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// The test images with what is known about them.
struct Expected {
    image: Tensor,
    /// The digits that were written.
    written: Vec<i32>,
    /// The probabilities that the training process found, as bytes of f32.
    probs: Vec<u8>,
    /// The digits that it read.
    read: Vec<i32>,
}

/// Reads the file: three little-endian u32 (images, pixels a side, classes), the images (f32), the written digits (i32), the
/// probabilities (f32), the digits read (i32).
fn expected(path: &Path) -> Result<Expected, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cut = || format!("{}: the file is cut off or too long", path.display());
    let mut rest = &bytes[..];
    let mut take = |n: usize| {
        let (part, tail) = rest.split_at_checked(n)?;
        rest = tail;
        Some(part)
    };
    let mut number = || take(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let (Some(count), Some(side), Some(classes)) = (number(), number(), number()) else { return Err(cut().into()) };
    let size = |n: usize| n.checked_mul(count)?.checked_mul(4);
    let sections = [side.checked_mul(side).and_then(size), size(1), size(classes), size(1)];
    let sections = sections.map(|n| n.and_then(&mut take));
    let [Some(image), Some(written), Some(probs), Some(read)] = sections else { return Err(cut().into()) };
    if !rest.is_empty() {
        return Err(cut().into());
    }
    let floats = image.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let ints = |b: &[u8]| b.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(Expected {
        image: Tensor::from_vec([count, 1, side, side], floats)?,
        written: ints(written),
        probs: probs.to_vec(),
        read: ints(read),
    })
}

fn list(ports: &[Port]) -> String {
    ports.iter().map(|p| format!("{} {}{}", p.name, p.dtype, p.shape)).collect::<Vec<_>>().join(", ")
}

/// The image in five shades; small pixels are two characters wide, since characters are twice as high as wide.
fn draw(pixels: &[f32], side: usize) -> Vec<String> {
    let width = if side > 16 { 1 } else { 2 };
    let shade = |&p: &f32| [' ', '.', 'o', '#', '@'][((p * 4.99) as usize).min(4)];
    let line = |row: &[f32]| row.iter().flat_map(|p| std::iter::repeat_n(shade(p), width)).collect();
    pixels.chunks(side).map(line).collect()
}

/// Shows a few images side by side with what was read.
fn show(e: &Expected, found: &[i32], probs: &[f32], count: usize) {
    let side = e.image.shape()[2];
    let classes = probs.len() / found.len().max(1);
    let pixels = e.image.as_slice::<f32>().unwrap_or_default();
    let drawn: Vec<Vec<String>> = pixels.chunks(side * side).take(count).map(|p| draw(p, side)).collect();
    for row in 0..side {
        let line: Vec<&str> = drawn.iter().map(|d| d[row].as_str()).collect();
        println!("  {}", line.join("  |  "));
    }
    for (i, digit) in found.iter().enumerate().take(count) {
        let p = usize::try_from(*digit).ok().and_then(|d| probs.get(i * classes + d)).copied().unwrap_or(0.0);
        println!("  image {i}: read as {digit} with probability {p:.4}, written as {}", e.written[i]);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: predict ARTIFACT (such as target/digits.kiln)")?;
    let path = Path::new(&path);
    let exe = Executable::load(path, Trust::RunsItsCode)?;
    let signature = exe.signature();
    println!("{}: {} -> {}", exe.name(), list(&signature.inputs), list(&signature.outputs));

    let e = expected(&path.with_extension("predictions"))?;
    let out = exe.run(&[("image", &e.image)])?;
    let missing = |name: &str| format!("the artifact has no output \"{name}\"");
    let probs = out.get("probs").ok_or_else(|| missing("probs"))?;
    let read = out.get("label").ok_or_else(|| missing("label"))?.as_slice::<i32>()?;

    show(&e, read, probs.as_slice::<f32>()?, 3);
    let count = read.len();
    let right = read.iter().zip(&e.written).filter(|(r, w)| r == w).count();
    println!("accuracy {:.4} ({right} of {count})", right as f64 / count.max(1) as f64);

    let row = probs.bytes().len() / count.max(1);
    let same = (0..count).filter(|&i| {
        let at = i * row..(i + 1) * row;
        probs.bytes().get(at.clone()) == e.probs.get(at) && e.read.get(i) == Some(&read[i])
    });
    let same = same.count();
    println!("same predictions to the bit: {same} of {count}");
    if same == count && probs.bytes().len() == e.probs.len() {
        Ok(())
    } else {
        Err("the artifact does not predict what the training process did".into())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
