//! The table of kernels: equal kernels (but for names) are one.

use kiln_loops::{Kernel, analysis, simplify};
use kiln_program::KernelInfo;
use std::collections::HashMap;

/// Nanoseconds of work that make waking a thread worth while.
const GRAIN_NS: f64 = 20_000.0;
/// Rough cost model of one core: bytes and scalar operations per nanosecond.
const BYTES_PER_NS: f64 = 8.0;
const OPS_PER_NS: f64 = 8.0;

/// Kernels so far.
#[derive(Default)]
pub(crate) struct KernelTable {
    pub(crate) kernels: Vec<Kernel>,
    pub(crate) infos: Vec<KernelInfo>,
    /// Operators that each kernel computes.
    pub(crate) operators: Vec<Vec<String>>,
    known: HashMap<Kernel, u32>,
}

impl KernelTable {
    /// The index of a kernel of these operators, adding it if no equal one is there.
    pub(crate) fn add(&mut self, mut kernel: Kernel, operators: &[String]) -> u32 {
        simplify::simplify(&mut kernel);
        let key = anonymous(&kernel);
        if let Some(&index) = self.known.get(&key) {
            return index;
        }
        let index = self.kernels.len() as u32;
        self.infos.push(info(&kernel));
        self.operators.push(operators.to_vec());
        self.kernels.push(kernel);
        self.known.insert(key, index);
        index
    }
}

/// The kernel without the names that only people read.
fn anonymous(kernel: &Kernel) -> Kernel {
    let mut key = kernel.clone();
    key.name.clear();
    key.params.iter_mut().for_each(|p| p.name.clear());
    key
}

fn info(kernel: &Kernel) -> KernelInfo {
    let cost = analysis::cost(kernel);
    let bytes_moved = cost.bytes_read.saturating_add(cost.bytes_written);
    let flops = cost.flops;
    let ops: u64 = cost.ops.values().fold(flops, |sum, &n| sum.saturating_add(n));
    let extent = kernel.parallel_extent();
    let ns = (bytes_moved as f64 / BYTES_PER_NS).max(ops as f64 / OPS_PER_NS) / extent.max(1) as f64;
    let grain = (GRAIN_NS / ns.max(1e-3)).ceil() as u64;
    KernelInfo {
        name: kernel.name.clone(),
        params: kernel.params.iter().map(|p| p.len.saturating_mul(p.dtype.size() as u64)).collect(),
        extent,
        grain: grain.clamp(1, extent.max(1)),
        bytes_moved,
        flops,
    }
}
