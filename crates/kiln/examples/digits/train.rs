//! The training loop.

use crate::data::{Data, Set, Shuffle};
use crate::models::{Functions, Model, functions};
use crate::output::Progress;
use kiln::prelude::*;
use std::error::Error;
use std::time::{Duration, Instant};

/// A trained network.
pub struct Trained {
    /// The weights.
    pub session: Session,
    /// Predicts with them.
    pub predict: Executable,
    /// The part of the test images that it reads right.
    pub accuracy: f64,
}

/// A batch as the tensors that the functions take: images and labels.
pub fn tensors(set: Set, side: usize) -> Result<(Tensor, Tensor), TensorError> {
    let n = set.len();
    Ok((Tensor::from_vec([n, 1, side, side], set.images)?, Tensor::from_vec([n], set.labels)?))
}

/// Compiles a network, trains it and says how it went.
pub fn train(model: Model, data: &Data, seed: u64, threads: Option<usize>) -> Result<Trained, Box<dyn Error>> {
    let per_epoch = data.train.len() / data.batch;
    let Functions { step, predict } = functions(model, data.side, per_epoch * data.epochs);
    let mut compiler = Compiler::cpu();
    if let Some(threads) = threads {
        compiler = compiler.threads(threads);
    }
    let step = compiler.clone().sizes(&[("batch", data.batch as i64)]).compile(&step)?;
    let predict = compiler.compile(&predict)?;
    let mut session = Session::new(&step)?;
    describe(model, &step, &session)?;

    let everything: Vec<usize> = (0..data.test.len()).collect();
    let test = tensors(data.test.gather(&everything), data.side)?;
    let mut order: Vec<usize> = (0..data.train.len()).collect();
    let mut shuffle = Shuffle(seed);
    let mut accuracy = 0.0;
    for epoch in 1..=data.epochs {
        shuffle.shuffle(&mut order);
        let mut progress = Progress::new(epoch, data.epochs, per_epoch);
        let (mut loss, mut spent) = (0.0, Duration::ZERO);
        for (i, batch) in order.chunks_exact(data.batch).enumerate() {
            let (image, label) = tensors(data.train.gather(batch), data.side)?;
            let start = Instant::now();
            let out = session.run(&[("image", &image), ("label", &label)])?;
            spent += start.elapsed();
            loss += f64::from(out["loss"].item::<f32>()?);
            progress.step(i + 1, loss / (i + 1) as f64);
        }
        accuracy = evaluate(&mut session, &predict, &test)?;
        progress.finish(loss / per_epoch as f64, accuracy, spent / per_epoch as u32);
    }
    Ok(Trained { session, predict, accuracy })
}

/// The part of the images whose prediction is their label.
fn evaluate(session: &mut Session, predict: &Executable, test: &(Tensor, Tensor)) -> Result<f64, Box<dyn Error>> {
    let (image, label) = test;
    let out = session.run_with(predict, &[("image", image)])?;
    let (found, expected) = (out["label"].as_slice::<i32>()?, label.as_slice::<i32>()?);
    let right = found.iter().zip(expected).filter(|(f, e)| f == e).count();
    Ok(right as f64 / expected.len().max(1) as f64)
}

/// Prints what was compiled.
fn describe(model: Model, step: &Executable, session: &Session) -> Result<(), Box<dyn Error>> {
    let names: Vec<&str> = session.variables().filter(|n| n.ends_with("/w") || n.ends_with("/b")).collect();
    let mut weights = 0;
    for name in names {
        weights += session.get(name)?.len();
    }
    println!("\n{model}: {weights} weights");
    for program in step.programs() {
        let (ms, kernels) = (program.compile_time().as_secs_f64() * 1e3, program.program().kernels.len());
        println!("  compiled the training step in {ms:.1} ms: {kernels} kernels, {} threads", step.threads());
    }
    for memory in step.memory() {
        println!(
            "  planned peak memory {} KiB (no plan can need less than {} KiB), variables {} KiB, code {} KiB",
            memory.arena / 1024,
            memory.lower_bound / 1024,
            memory.variables / 1024,
            memory.code / 1024
        );
    }
    Ok(())
}
