//! Generated kernels of sorts, reductions, windows and scatters with any function: compiled and interpreted.

mod common;

use common::{check_all, options};
use kiln_cpu::{CpuOptions, OptLevel};
use kiln_loops::Kernel;

/// The kernels that the lowering's tests keep as text.
fn kernels() -> Vec<Kernel> {
    let texts = kiln_testing::golden::lowered_kernels();
    assert!(texts.len() > 10, "{} kernels", texts.len());
    texts.iter().map(|(n, t)| kiln_loops::text::parse(t).unwrap_or_else(|e| panic!("{n}: {e}"))).collect()
}

#[test]
fn compiled_kernels_equal_the_interpreter() {
    let kernels = kernels();
    for seed in 0..4 {
        let level = [OptLevel::Speed, OptLevel::None, OptLevel::Auto][seed as usize % 3];
        check_all(&kernels, seed, &CpuOptions { opt_level: level, ..options() });
    }
}
