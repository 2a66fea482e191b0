//! GFLOP/s of the dot kernel on one thread (or `THREADS=n`): `cargo run --release -p kiln-kernels --example gemm_bench`.
//!
//! Every figure is the best of several samples, each long enough for the clock; `ISA=avx2` or `ISA=portable` forces
//! weaker instructions.

use std::time::Instant;

use kiln_ir::DType;
use kiln_kernels::{CpuCall, Isa, RunContext, ThreadPool, abi, with_isa};
use kiln_program::call::{BatchDim, Call, CallParams, DotParams};

/// A named case.
struct Case {
    name: &'static str,
    params: DotParams,
}

fn cases() -> Vec<Case> {
    let f32s = |m, n, k| DotParams::row_major(DType::F32, m, n, k);
    let case = |name, params| Case { name, params };
    let transposed_a = |m: usize, p: DotParams| DotParams { a_row: 1, a_col: m as isize, ..p };
    let transposed_b = |k: usize, p: DotParams| DotParams { b_row: 1, b_col: k as isize, ..p };
    let batched = |count: usize, p: DotParams| {
        let (a, b, c) = ((p.m * p.k) as isize, (p.k * p.n) as isize, (p.m * p.n) as isize);
        DotParams { batch: vec![BatchDim { extent: count, a_stride: a, b_stride: b, c_stride: c }], ..p }
    };
    vec![
        case("8^3", f32s(8, 8, 8)),
        case("32^3", f32s(32, 32, 32)),
        case("64^3", f32s(64, 64, 64)),
        case("64^3 B^T", transposed_b(64, f32s(64, 64, 64))),
        case("128^3", f32s(128, 128, 128)),
        case("256^3", f32s(256, 256, 256)),
        case("512^3", f32s(512, 512, 512)),
        case("512^3 A^T", transposed_a(512, f32s(512, 512, 512))),
        case("512^3 B^T", transposed_b(512, f32s(512, 512, 512))),
        case("1024^3", f32s(1024, 1024, 1024)),
        case("2048^3", f32s(2048, 2048, 2048)),
        case("128x384x1536 (m,k,n)", f32s(128, 1536, 384)),
        case("128x784x10", f32s(128, 10, 784)),
        case("4x1024x4096", f32s(4, 4096, 1024)),
        case("16x1024x4096", f32s(16, 4096, 1024)),
        case("1x1024x4096", f32s(1, 4096, 1024)),
        case("1x1024x4096 B^T", transposed_b(1024, f32s(1, 4096, 1024))),
        case("32 x (128x64x128)", batched(32, f32s(128, 128, 64))),
        case("32 x (128x64x128) B^T", batched(32, transposed_b(64, f32s(128, 128, 64)))),
        case("32 x (128x128x64)", batched(32, f32s(128, 64, 128))),
        case("f64 512^3", DotParams::row_major(DType::F64, 512, 512, 512)),
        case("bf16 512^3", DotParams::row_major(DType::BF16, 512, 512, 512)),
        case("f16 512^3", DotParams::row_major(DType::F16, 512, 512, 512)),
        case("i32 512^3", DotParams::row_major(DType::I32, 512, 512, 512)),
        case("i8 512^3", DotParams::row_major(DType::I8, 512, 512, 512)),
    ]
}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Aligned memory, filled with small varied values where the type is f32.
fn operand(bytes: usize, dtype: DType) -> Vec<Line> {
    let mut memory = vec![Line([0; 64]); bytes.div_ceil(64)];
    if dtype == DType::F32 {
        // SAFETY: the memory holds at least so many floats.
        let floats = unsafe { core::slice::from_raw_parts_mut(memory.as_mut_ptr().cast::<f32>(), bytes / 4) };
        for (i, value) in floats.iter_mut().enumerate() {
            *value = (i * 37 % 101) as f32 / 101.0 - 0.5;
        }
    }
    memory
}

fn main() {
    let threads = std::env::var("THREADS").ok().and_then(|value| value.parse().ok()).unwrap_or(1);
    let filter = std::env::args().nth(1).unwrap_or_default();
    let isa = match std::env::var("ISA").as_deref() {
        Ok("avx2") => Isa::Avx2,
        Ok("portable") => Isa::Portable,
        _ => Isa::ALL.into_iter().rfind(|isa| isa.is_available()).unwrap_or(Isa::Portable),
    };
    let pool = ThreadPool::new(threads).expect("threads");
    println!("{isa:?}, {threads} thread(s)");
    for case in cases().into_iter().filter(|case| case.name.contains(&filter)) {
        let measured = with_isa(isa, || measure(&case, &pool));
        println!("{:<24} {:8.2} GFLOP/s", case.name, measured.expect("instructions are available"));
    }
}

fn measure(case: &Case, pool: &ThreadPool) -> f64 {
    let p = &case.params;
    let count: usize = p.batch.iter().map(|dim| dim.extent).product();
    let size = p.dtype.size();
    let a = operand(count * p.m * p.k * size, p.dtype);
    let b = operand(count * p.n * p.k * size, p.dtype);
    let c = operand(count * p.m * p.n * size, p.dtype);
    let op = Call::Dot(p.clone());
    let workspace = operand(op.workspace_bytes(), DType::U8);
    let bufs = [&a, &b, &c, &workspace].map(|memory| memory.as_ptr().cast_mut().cast::<u8>());
    let ctx = RunContext {
        buffers: core::ptr::null(),
        kernels: core::ptr::null(),
        calls: core::ptr::null(),
        parallel_for: abi::parallel_for,
        pool,
    };
    // SAFETY: the operands have the sizes of the parameters.
    let run = || unsafe { op.function()(&ctx, op.params_ptr(), bufs.as_ptr()) };
    run();
    let repeats = (4e8 / op.flops() as f64).ceil() as usize;
    let mut best = f64::INFINITY;
    for _ in 0..15 {
        let start = Instant::now();
        for _ in 0..repeats {
            run();
        }
        best = best.min(start.elapsed().as_secs_f64() / repeats as f64);
    }
    op.flops() as f64 / best / 1e9
}
