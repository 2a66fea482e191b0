//! Times of Fourier transforms, Cholesky factorizations and triangular solves on one thread.
//!
//! `cargo run --release -p kiln-kernels --example library_bench [FILTER]`

use std::time::Instant;

use kiln_ir::DType;
use kiln_ir::op::{FftKind, TransposeKind};
use kiln_kernels::{CpuCall, RunContext, abi};
use kiln_program::call::{Call, CallParams, CholeskyParams, FftParams, TriangularSolveParams};

/// Memory for operands, aligned as in programs.
fn floats(dtype: DType, count: usize, value: impl Fn(usize) -> f64) -> Vec<[u64; 8]> {
    let mut memory = vec![[0u64; 8]; (count * dtype.size()).div_ceil(64).max(1)];
    let base = memory.as_mut_ptr();
    for at in 0..count {
        // SAFETY: `count` elements fit.
        unsafe {
            match dtype {
                DType::F64 => *base.cast::<f64>().add(at) = value(at),
                _ => *base.cast::<f32>().add(at) = value(at) as f32,
            }
        }
    }
    memory
}

/// Least time of a call in microseconds.
fn time(op: &Call, dtype: DType, inputs: &[Vec<[u64; 8]>], out: usize) -> f64 {
    let mut out = floats(dtype, out, |_| 0.0);
    let tables = op.tables();
    let mut constants = vec![[0u64; 8]; tables.len().div_ceil(64)];
    for (word, bytes) in constants.as_flattened_mut().iter_mut().zip(tables.chunks_exact(8)) {
        *word = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    }
    let mut workspace = vec![[0u64; 8]; op.workspace_bytes().div_ceil(64)];
    let mut bufs: Vec<*mut u8> = inputs.iter().map(|input| input.as_ptr().cast_mut().cast()).collect();
    bufs.push(out.as_mut_ptr().cast());
    if !constants.is_empty() {
        bufs.push(constants.as_mut_ptr().cast());
    }
    bufs.push(workspace.as_mut_ptr().cast());
    let ctx = RunContext {
        buffers: core::ptr::null(),
        kernels: core::ptr::null(),
        calls: core::ptr::null(),
        parallel_for: abi::parallel_for,
        pool: core::ptr::null(),
    };
    let times = (0..31).map(|_| {
        let start = Instant::now();
        // SAFETY: the operands have the sizes that the parameters say.
        unsafe { op.function()(&ctx, op.params_ptr(), bufs.as_ptr()) };
        start.elapsed().as_secs_f64() * 1e6
    });
    times.fold(f64::INFINITY, f64::min)
}

fn noise(at: usize) -> f64 {
    (at as f64 * 12.9898).sin()
}

fn report(name: &str, op: &Call, us: f64) {
    println!("{name:40} {us:10.1} us  {:8.2} Gflop/s", op.flops() as f64 / us / 1e3);
}

fn fft(filter: &str) {
    use FftKind::{Fft, Irfft, Rfft};
    let cases: [(&str, FftKind, usize, &[usize]); 11] = [
        ("2^16", Fft, 1, &[1 << 16]),
        ("1024x256", Fft, 1024, &[256]),
        ("512x512 2-D", Fft, 1, &[512, 512]),
        ("64x64x64 3-D", Fft, 1, &[64, 64, 64]),
        ("rfft 2^16", Rfft, 1, &[1 << 16]),
        ("rfft 1024x256", Rfft, 1024, &[256]),
        ("irfft 1024x256", Irfft, 1024, &[256]),
        ("1000x1000", Fft, 1000, &[1000]),
        ("1 x 1024", Fft, 1, &[1024]),
        ("1 x 10007", Fft, 1, &[10007]),
        ("100 x 101", Fft, 100, &[101]),
    ];
    for dtype in [DType::F32, DType::F64] {
        for (name, transform, batch, length) in cases {
            let name = format!("fft {dtype} {name}");
            if name.contains(filter) {
                let count = 2 * batch * length.iter().product::<usize>() + 2 * batch * length[0];
                let op = Call::Fft(FftParams { dtype, transform, batch, length: length.to_vec() });
                report(&name, &op, time(&op, dtype, &[floats(dtype, count, noise)], count));
            }
        }
    }
}

fn factorizations(filter: &str) {
    for dtype in [DType::F32, DType::F64] {
        for (n, batch) in [(512, 1), (64, 64), (8, 1000)] {
            for interleaved in [false, true] {
                let parts = if interleaved { 2 } else { 1 };
                let matrix = |at: usize| {
                    let (i, j, part) = (at / parts / n % n, at / parts % n, at % parts);
                    if part == 1 {
                        0.0
                    } else if i == j {
                        2.0 * n as f64
                    } else {
                        noise(i + j)
                    }
                };
                let a = || floats(dtype, batch * n * n * parts, matrix);
                let kind = if interleaved { "complex" } else { "real" };
                let name = format!("cholesky {dtype} {kind} {batch} x {n}");
                if name.contains(filter) {
                    let op = Call::Cholesky(CholeskyParams { dtype, interleaved, batch, n, lower: true });
                    report(&name, &op, time(&op, dtype, &[a()], batch * n * n * parts));
                }
                for left_side in [true, false] {
                    let name = format!("solve {dtype} {kind} {batch} x {n} left {left_side}");
                    if name.contains(filter) {
                        let op = Call::TriangularSolve(TriangularSolveParams {
                            dtype,
                            interleaved,
                            batch,
                            n,
                            m: n,
                            left_side,
                            lower: true,
                            unit_diagonal: false,
                            transpose: TransposeKind::NoTranspose,
                        });
                        let b = floats(dtype, batch * n * n * parts, noise);
                        report(&name, &op, time(&op, dtype, &[a(), b], batch * n * n * parts));
                    }
                }
            }
        }
    }
}

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    fft(&filter);
    factorizations(&filter);
}
