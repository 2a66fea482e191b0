//! Time per element of a few generated kernels beside plain Rust loops, on one thread:
//! `cargo run --release -p kiln-cpu --example kernel_bench [-- --dump NAME | --speed]`.

use std::hint::black_box;
use std::time::Instant;

use kiln_cpu::{CpuOptions, HostCode, OptLevel, compile_kernels, jit};
use kiln_ir::op::Reducer;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::{Access, AxisId, Expr, Index, Kernel, KernelBuilder, LoopKind, Verified};

#[path = "../tests/kernels/mod.rs"]
mod kernels;

use kernels::softmax;

const F: DType = DType::F32;

fn at() -> Index {
    Index::constant(0)
}

/// `y = 1.5 x + y`.
fn axpy(n: u64) -> Kernel {
    let mut b = KernelBuilder::new("axpy");
    let x = b.param("x", F, n, Access::Read);
    let y = b.param("y", F, n, Access::ReadWrite);
    b.for_loop(n, LoopKind::Parallel, |b, i| {
        let (v, w) = (b.load(x, at().plus_axis(i, 1)), b.load(y, at().plus_axis(i, 1)));
        let a = b.constant(F, 1.5);
        let v = b.let_(Expr::Fma(v, a, w));
        b.store(y, at().plus_axis(i, 1), v);
    });
    b.finish()
}

/// `y = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
fn gelu(n: u64) -> Kernel {
    let mut b = KernelBuilder::new("gelu");
    let x = b.param("x", F, n, Access::Read);
    let y = b.param("y", F, n, Access::Write);
    b.for_loop(n, LoopKind::Parallel, |b, i| {
        let v = b.load(x, at().plus_axis(i, 1));
        let c = |b: &mut KernelBuilder, v| b.constant(F, v);
        let (half, one, k, root) = (c(b, 0.5), c(b, 1.0), c(b, 0.044715), c(b, 0.797_884_560_802_865_4));
        let square = b.binary(BinaryOp::Multiply, v, v);
        let cube = b.binary(BinaryOp::Multiply, square, v);
        let inner = b.let_(Expr::Fma(cube, k, v));
        let inner = b.binary(BinaryOp::Multiply, inner, root);
        let t = b.unary(UnaryOp::Tanh, inner);
        let t = b.binary(BinaryOp::Add, t, one);
        let h = b.binary(BinaryOp::Multiply, v, half);
        let r = b.binary(BinaryOp::Multiply, h, t);
        b.store(y, at().plus_axis(i, 1), r);
    });
    b.finish()
}

fn layer_norm(rows: u64, columns: u64) -> Kernel {
    let mut b = KernelBuilder::new("layer_norm");
    let x = b.param("x", F, rows * columns, Access::Read);
    let y = b.param("y", F, rows * columns, Access::Write);
    b.for_loop(rows, LoopKind::Parallel, |b, r| {
        let place = |c: AxisId| at().plus_axis(r, columns as i64).plus_axis(c, 1);
        let (zero, share) = (b.constant(F, 0.0), b.constant(F, 1.0 / columns as f64));
        let sum = b.reduce_loop(columns, LoopKind::Vector, Reducer::Add, zero, |b, c| b.load(x, place(c)));
        let mean = b.binary(BinaryOp::Multiply, sum, share);
        let squares = b.reduce_loop(columns, LoopKind::Vector, Reducer::Add, zero, |b, c| {
            let v = b.load(x, place(c));
            let v = b.binary(BinaryOp::Subtract, v, mean);
            b.binary(BinaryOp::Multiply, v, v)
        });
        let variance = b.binary(BinaryOp::Multiply, squares, share);
        let eps = b.constant(F, 1e-5);
        let variance = b.binary(BinaryOp::Add, variance, eps);
        let scale = b.unary(UnaryOp::Rsqrt, variance);
        b.for_loop(columns, LoopKind::Vector, |b, c| {
            let v = b.load(x, place(c));
            let v = b.binary(BinaryOp::Subtract, v, mean);
            let v = b.binary(BinaryOp::Multiply, v, scale);
            b.store(y, place(c), v);
        });
    });
    b.finish()
}

fn column_sum(rows: u64, columns: u64) -> Kernel {
    let mut b = KernelBuilder::new("column_sum");
    let x = b.param("x", F, rows * columns, Access::Read);
    let y = b.param("y", F, columns, Access::Write);
    b.for_loop(columns, LoopKind::Vector, |b, c| {
        let zero = b.constant(F, 0.0);
        let v = b.reduce_loop(rows, LoopKind::Serial, Reducer::Add, zero, |b, r| {
            b.load(x, at().plus_axis(r, columns as i64).plus_axis(c, 1))
        });
        b.store(y, at().plus_axis(c, 1), v);
    });
    b.finish()
}

fn u8_to_f32(n: u64) -> Kernel {
    let mut b = KernelBuilder::new("u8_to_f32");
    let x = b.param("x", DType::U8, n, Access::Read);
    let y = b.param("y", F, n, Access::Write);
    b.for_loop(n, LoopKind::Parallel, |b, i| {
        let v = b.load(x, at().plus_axis(i, 1));
        let v = b.convert(F, v);
        let c = b.constant(F, 1.0 / 255.0);
        let v = b.binary(BinaryOp::Multiply, v, c);
        b.store(y, at().plus_axis(i, 1), v);
    });
    b.finish()
}

/// Time of compiling an entry function of so many launches, in us per launch.
fn entry_time(steps: usize, options: &CpuOptions) -> f64 {
    let kernel = axpy(64);
    let buffer = |offset| kiln_program::Buffer {
        name: "b".into(),
        dtype: F,
        bytes: 256,
        slot: kiln_program::Slot::Arena,
        offset,
        live: (0, 0),
    };
    let launch = |i: usize| kiln_program::Step::Launch {
        kernel: 0,
        args: vec![kiln_program::BufferId((i % 16) as u32), kiln_program::BufferId(((i + 1) % 16) as u32)],
    };
    let info = kiln_program::KernelInfo {
        name: "axpy".into(),
        params: vec![256, 256],
        extent: 64,
        grain: 64,
        bytes_moved: 0,
        flops: 0,
    };
    let program = kiln_program::Program {
        name: "long".into(),
        signature: kiln_program::BoundSignature::default(),
        buffers: (0..16).map(|i| buffer(256 * i)).collect(),
        steps: (0..steps).map(launch).collect(),
        kernels: vec![info],
        calls: vec![],
        constants: vec![],
        arena_bytes: 4096,
        lower_bound_bytes: 0,
    };
    let (_, report) =
        kiln_cpu::compile(&program, &[Verified::new(kernel).expect("verifies")], options).expect("compiles");
    report.entry_time.as_secs_f64() * 1e6 / steps as f64
}

/// Least time of one call, in ns per element.
fn time(elements: u64, mut f: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    let mut total = 0.0;
    while total < 0.15 {
        let start = Instant::now();
        for _ in 0..4 {
            f();
        }
        let t = start.elapsed().as_secs_f64();
        total += t;
        best = best.min(t / 4.0);
    }
    best * 1e9 / elements as f64
}

fn plain_axpy(x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += 1.5 * x;
    }
}

fn plain_gelu(x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044715 * x * x * x)).tanh());
    }
}

fn plain_softmax(x: &[f32], y: &mut [f32], columns: usize) {
    for (x, y) in x.chunks(columns).zip(y.chunks_mut(columns)) {
        let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (y, x) in y.iter_mut().zip(x) {
            *y = (x - max).exp();
            sum += *y;
        }
        y.iter_mut().for_each(|y| *y /= sum);
    }
}

fn plain_layer_norm(x: &[f32], y: &mut [f32], columns: usize) {
    for (x, y) in x.chunks(columns).zip(y.chunks_mut(columns)) {
        let mean = x.iter().sum::<f32>() / columns as f32;
        let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / columns as f32;
        let scale = 1.0 / (variance + 1e-5).sqrt();
        for (y, x) in y.iter_mut().zip(x) {
            *y = (x - mean) * scale;
        }
    }
}

fn plain_column_sum(x: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    for row in x.chunks(y.len()) {
        for (y, x) in y.iter_mut().zip(row) {
            *y += x;
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let dump = args.iter().position(|a| a == "--dump").and_then(|i| args.get(i + 1)).cloned();
    let opt_level = if args.iter().any(|a| a == "--speed") { OptLevel::Speed } else { OptLevel::Auto };
    let (rows, columns) = (64u64, 1024u64);
    let n = rows * columns;
    let kernels =
        [axpy(n), gelu(n), softmax(rows, columns), layer_norm(rows, columns), column_sum(rows, columns), u8_to_f32(n)]
            .map(|k| Verified::new(k).expect("verifies"));
    let options = CpuOptions { opt_level, verify: false, dump: dump.is_some(), ..CpuOptions::default() };
    let (code, report) = compile_kernels(&kernels, &options).expect("compiles");
    if let Some(name) = dump {
        for k in report.kernels.iter().filter(|k| k.name == name) {
            println!("{}", k.dump.as_deref().unwrap_or(""));
        }
        return;
    }
    let code = jit(&code).expect("maps");
    let mut x: Vec<f32> = (0..n).map(|i| ((i * 7919) % 2003) as f32 / 500.0 - 2.0).collect();
    let mut y = vec![0f32; n as usize];
    println!("{rows} x {columns} f32, one thread, {opt_level:?}");
    println!("{:12} {:>10} {:>10} {:>12} {:>8}", "kernel", "ns/elem", "Rust", "compile us", "bytes");
    for (i, kernel) in kernels.iter().enumerate() {
        let compile = (0..30)
            .map(|_| {
                let start = Instant::now();
                black_box(compile_kernels(std::slice::from_ref(kernel), &options).expect("compiles"));
                start.elapsed().as_secs_f64() * 1e6
            })
            .fold(f64::INFINITY, f64::min);
        let pointers = [x.as_mut_ptr().cast::<u8>(), y.as_mut_ptr().cast()];
        let function = code.kernels()[i];
        let extent = kernel.parallel_extent();
        // SAFETY: both buffers have the elements that the kernel's parameters ask for.
        let own = time(n, || unsafe { function(pointers.as_ptr(), 0, extent) });
        let columns = columns as usize;
        let plain = match kernel.name.as_str() {
            "axpy" => time(n, || plain_axpy(black_box(&x), &mut y)),
            "gelu" => time(n, || plain_gelu(black_box(&x), &mut y)),
            "softmax" => time(n, || plain_softmax(black_box(&x), &mut y, columns)),
            "layer_norm" => time(n, || plain_layer_norm(black_box(&x), &mut y, columns)),
            "column_sum" => time(n, || plain_column_sum(black_box(&x), &mut y[..columns])),
            _ => f64::NAN,
        };
        let bytes = report.kernels[i].bytes;
        println!("{:12} {own:10.3} {plain:10.3} {compile:12.0} {bytes:8}", kernel.name);
    }
    for steps in [100, 1_000, 10_000, 100_000] {
        println!("entry function of {steps} launches: {:.2} us per launch", entry_time(steps, &options));
    }
}
