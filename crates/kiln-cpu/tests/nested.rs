//! Generated kernels of sorts, reductions, windows and scatters with any function: compiled and interpreted.

mod common;

use common::{check_all, options};
use kiln_cpu::{CpuOptions, OptLevel};
use kiln_loops::Kernel;

/// The kernels that the lowering's tests keep as text.
fn kernels() -> Vec<Kernel> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../kiln-lower/tests/kernels");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the kernels").map(|e| e.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "{} kernels", paths.len());
    let text = |p| std::fs::read_to_string(p).expect("a text");
    paths.iter().map(|p| kiln_loops::text::parse(&text(p)).unwrap_or_else(|e| panic!("{p:?}:{e}"))).collect()
}

#[test]
fn compiled_kernels_equal_the_interpreter() {
    let kernels = kernels();
    for seed in 0..4 {
        let level = [OptLevel::Speed, OptLevel::None, OptLevel::Auto][seed as usize % 3];
        check_all(&kernels, seed, &CpuOptions { opt_level: level, ..options() });
    }
}
