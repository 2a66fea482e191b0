//! Trains a small multi-layer perceptron and a small convolutional network on handwritten digits.
//!
//!     cargo run --release --example digits                  the 1,797 images of 8 x 8 pixels in this repository
//!     cargo run --release --example digits -- --mnist DIR   the 70,000 images of MNIST, from its four IDX files
//!
//! Ends with the convolutional network in `target/digits.kiln`, an artifact that runs without the compiler:
//!
//!     cargo run --release -p kiln-runtime --example predict -- target/digits.kiln

mod data;
mod models;
mod output;
mod train;

use data::Data;
use models::Model;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line asks for.
struct Args {
    /// Directory of the MNIST files.
    mnist: Option<PathBuf>,
    /// Seed of the split and of the order of the batches.
    seed: u64,
    /// Threads that a step may use; as many as the process has unless given.
    threads: Option<usize>,
}

const USAGE: &str = "usage: digits [--mnist DIR] [--seed N] [--threads N]";

fn parse(args: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut parsed = Args { mnist: None, seed: 1, threads: None };
    let mut args = args;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value\n{USAGE}"));
        match arg.as_str() {
            "--mnist" => parsed.mnist = Some(value()?.into()),
            "--seed" => parsed.seed = value()?.parse().map_err(|_| format!("--seed needs a number\n{USAGE}"))?,
            "--threads" => {
                let n = value()?.parse().map_err(|_| format!("--threads needs a number\n{USAGE}"))?;
                parsed.threads = Some(n);
            }
            other => return Err(format!("unknown argument {other}\n{USAGE}")),
        }
    }
    Ok(parsed)
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let data = match &args.mnist {
        Some(dir) => Data::mnist(dir)?,
        None => Data::embedded(args.seed)?,
    };
    println!("{}: {} images to train, {} to test", data.name, data.train.len(), data.test.len());

    let wanted = if args.mnist.is_some() { [0.98, 0.99] } else { [0.97, 0.98] };
    let mut missed = Vec::new();
    let mut last = None;
    for (model, wanted) in [Model::Mlp, Model::Cnn].into_iter().zip(wanted) {
        let trained = train::train(model, &data, args.seed, args.threads)?;
        if trained.accuracy < wanted {
            missed.push(format!("{model}: test accuracy {:.4} is below {wanted}", trained.accuracy));
        }
        last = Some(trained);
    }
    if let Some(mut trained) = last {
        output::write(&mut trained, &data)?;
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n").into()) }
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).map_err(Into::into).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
