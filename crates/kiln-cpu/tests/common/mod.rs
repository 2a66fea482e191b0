//! Running a kernel compiled and interpreted on the same data.
#![allow(dead_code)] // Each test binary uses a part.

use kiln_cpu::{CpuOptions, HostCode, NativeCode, compile_kernels, jit};
use kiln_ir::DType;
use kiln_loops::{Access, Kernel, Verified};
pub use kiln_testing::Rng;

fn f64_of(rng: &mut Rng) -> f64 {
    const SPECIAL: [f64; 14] =
        [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.5, 1e-40, 65519.0, 3e9, -1e19, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    match rng.below(4) {
        0 => *rng.pick(&SPECIAL),
        1 => rng.below(40) as f64 - 20.0,
        _ => (rng.bits() as i64 as f64) * 2f64.powi(-60),
    }
}

/// The dtypes that kernels compute with.
pub fn loop_types() -> impl Iterator<Item = DType> {
    DType::ALL.into_iter().filter(|t| kiln_loops::is_loop_type(*t))
}

/// One element: special, small and ordinary values.
pub fn element(dtype: DType, rng: &mut Rng) -> u64 {
    let mask = u64::MAX >> (64 - dtype.bits());
    match dtype {
        DType::Bool => rng.below(2) as u64,
        DType::F16 | DType::BF16 if rng.below(2) == 0 => rng.bits() & mask,
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => kiln_loops::Const::from_f64(dtype, f64_of(rng)).bits,
        _ => match rng.below(5) {
            0 => *rng.pick(&[0, 1, u64::MAX, 1 << (dtype.bits() - 1), (1 << (dtype.bits() - 1)) - 1]) & mask,
            1 | 2 => (rng.below(20) as u64).wrapping_sub(10) & mask,
            _ => rng.bits() & mask,
        },
    }
}

/// A buffer of random elements.
pub fn data(dtype: DType, len: u64, rng: &mut Rng) -> Vec<u8> {
    (0..len).flat_map(|_| element(dtype, rng).to_le_bytes().into_iter().take(dtype.size())).collect()
}

/// Random contents for every parameter; outputs start as garbage.
pub fn buffers(kernel: &Kernel, rng: &mut Rng) -> Vec<Vec<u8>> {
    kernel.params.iter().map(|p| data(p.dtype, p.len, rng)).collect()
}

pub fn options() -> CpuOptions {
    CpuOptions { verify: true, ..CpuOptions::default() }
}

/// The kernels as code generators take them.
pub fn verified(kernels: &[Kernel]) -> Vec<Verified<Kernel>> {
    let checked = kernels.iter().map(|k| Verified::new(k.clone()));
    checked.map(|k| k.unwrap_or_else(|errors| panic!("{}", errors[0]))).collect()
}

/// Runs kernels compiled together over `[0, extent)` of each, in `pieces` pieces.
pub fn run_compiled(kernels: &[Kernel], buffers: &mut [Vec<Vec<u8>>], pieces: u64, options: &CpuOptions) {
    let kernels = verified(kernels);
    let (code, _) = compile_kernels(&kernels, options).expect("compiles");
    run_code(&code, &kernels, buffers, pieces);
}

/// Runs the kernels of a code object over `[0, extent)` of each, in `pieces` pieces.
pub fn run_code(code: &NativeCode, kernels: &[Verified<Kernel>], buffers: &mut [Vec<Vec<u8>>], pieces: u64) {
    let code = jit(code).expect("maps");
    for ((kernel, buffers), function) in kernels.iter().zip(buffers).zip(code.kernels()) {
        let pointers: Vec<*mut u8> = buffers.iter_mut().map(|b| b.as_mut_ptr()).collect();
        let extent = kernel.parallel_extent();
        for piece in 0..pieces {
            let (start, end) = (extent * piece / pieces, extent * (piece + 1) / pieces);
            if kernel.parallel_extent() > 1 || piece == 0 {
                let end = if extent == 1 { 1 } else { end };
                // SAFETY: one pointer per parameter to a buffer of its size.
                unsafe { function(pointers.as_ptr(), start, end) };
            }
        }
    }
}

fn is_nan(dtype: DType, bits: u64) -> bool {
    match dtype {
        DType::F16 => bits & 0x7fff > 0x7c00,
        DType::BF16 => bits & 0x7fff > 0x7f80,
        DType::F32 => f32::from_bits(bits as u32).is_nan(),
        DType::F64 => f64::from_bits(bits).is_nan(),
        _ => false,
    }
}

pub fn elements(dtype: DType, bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks(dtype.size())
        .map(|c| {
            let mut word = [0; 8];
            word[..c.len()].copy_from_slice(c);
            u64::from_le_bytes(word)
        })
        .collect()
}

/// Panics unless the outputs are equal to the bit (any NaN equals any NaN).
pub fn assert_same(kernel: &Kernel, expected: &[Vec<u8>], found: &[Vec<u8>]) {
    for (i, param) in kernel.params.iter().enumerate() {
        let (e, f) = (elements(param.dtype, &expected[i]), elements(param.dtype, &found[i]));
        for (at, (&e, &f)) in e.iter().zip(&f).enumerate() {
            let same = e == f || is_nan(param.dtype, e) && is_nan(param.dtype, f);
            assert!(
                same,
                "kernel `{}`: {}[{at}] ({}) is {f:#x}, the interpreter has {e:#x}",
                kernel.name, param.name, param.dtype
            );
        }
    }
}

/// Compiles and interprets kernels on random data; the results must be the same to the bit.
pub fn check_all(kernels: &[Kernel], seed: u64, options: &CpuOptions) {
    let mut rng = Rng(seed);
    let inputs: Vec<Vec<Vec<u8>>> = kernels.iter().map(|k| buffers(k, &mut rng)).collect();
    let mut found = inputs.clone();
    run_compiled(kernels, &mut found, 1 + seed % 3, options);
    for ((kernel, mut expected), found) in kernels.iter().zip(inputs).zip(&found) {
        let interp = kiln_loops::interp::InterpOptions { fused_fma: fused(options), reverse: false };
        let own: Vec<usize> = (0..kernel.params.len()).collect();
        kiln_loops::interp::run_with(kernel, &mut expected, &own, interp).expect("interprets");
        assert_same(kernel, &expected, found);
    }
}

/// Whether the target of the options rounds fma once.
pub fn fused(options: &CpuOptions) -> bool {
    cfg!(not(target_arch = "x86_64")) || options.target.has("fma")
}

pub fn check(kernel: &Kernel, seed: u64) {
    if let Err(errors) = kiln_loops::verify::verify(kernel) {
        panic!("{}", errors[0]);
    }
    check_all(std::slice::from_ref(kernel), seed, &options());
}

pub const READ: Access = Access::Read;
pub const WRITE: Access = Access::Write;
