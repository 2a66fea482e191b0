//! What the example shows and writes.

use crate::data::Data;
use crate::train::{Trained, tensors};
use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

/// The progress of one epoch: a line that changes on a terminal, otherwise one line at the end.
pub struct Progress {
    epoch: String,
    steps: usize,
    live: bool,
    /// When the line was last drawn.
    shown: Option<Instant>,
}

impl Progress {
    const WIDTH: usize = 30;

    pub fn new(epoch: usize, epochs: usize, steps: usize) -> Progress {
        let digits = epochs.to_string().len();
        let epoch = format!("  epoch {epoch:digits$}/{epochs}");
        Progress { epoch, steps, live: io::stdout().is_terminal(), shown: None }
    }

    /// After `done` steps.
    pub fn step(&mut self, done: usize, loss: f64) {
        // Twenty times a second is as often as anybody looks.
        if self.live && self.shown.is_none_or(|at| at.elapsed() > Duration::from_millis(50)) {
            self.shown = Some(Instant::now());
            let filled = done * Self::WIDTH / self.steps.max(1);
            let bar = "=".repeat(filled) + &" ".repeat(Self::WIDTH - filled);
            print!("\r{} [{bar}] loss {loss:.4}", self.epoch);
            // A progress bar that cannot be shown is no reason to stop.
            let _ = io::stdout().flush();
        }
    }

    /// After the epoch.
    pub fn finish(self, loss: f64, accuracy: f64, per_step: Duration) {
        let ms = per_step.as_secs_f64() * 1e3;
        let start = if self.live { "\r" } else { "" };
        let blank = if self.live { " ".repeat(Self::WIDTH) } else { String::new() };
        println!("{start}{}  loss {loss:.4}  test accuracy {accuracy:.4}  {ms:.3} ms per step{blank}", self.epoch);
    }
}

/// Writes the artifact, and beside it the test images with what was predicted for them.
pub fn write(trained: &mut Trained, data: &Data) -> Result<(), Box<dyn Error>> {
    let Trained { session, predict, .. } = trained;
    fs::create_dir_all("target")?;
    let artifact = Path::new("target/digits.kiln");
    // For single images, too; the size of the test set is compiled already.
    predict.prepare(&[("batch", 1)])?;
    predict.export_with(session, artifact)?;

    let everything: Vec<usize> = (0..data.test.len()).collect();
    let (image, label) = tensors(data.test.gather(&everything), data.side)?;
    let out = session.run_with(predict, &[("image", &image)])?;
    let file = Path::new("target/digits.predictions");
    let head = [data.test.len(), data.side, crate::models::DIGITS].map(|n| (n as u32).to_le_bytes());
    let parts: [&[u8]; 5] = [&head.concat(), image.bytes(), label.bytes(), out["probs"].bytes(), out["label"].bytes()];
    fs::write(file, parts.concat())?;
    println!(
        "\nwrote {} ({} KiB) and {} for\n  cargo run --release -p kiln-runtime --example predict -- {}",
        artifact.display(),
        fs::metadata(artifact)?.len() / 1024,
        file.display(),
        artifact.display()
    );
    Ok(())
}
