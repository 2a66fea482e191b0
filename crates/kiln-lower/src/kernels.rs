//! The table of kernels: equal kernels (but for names) are one.

use kiln_ir::{Diagnostic, Diagnostics};
use kiln_loops::{Kernel, Verified, analysis, simplify};
use kiln_plan::model::WorkModel;
use kiln_program::KernelInfo;
use std::collections::HashMap;

/// Kernels so far.
pub(crate) struct KernelTable {
    work: WorkModel,
    pub(crate) kernels: Vec<Verified<Kernel>>,
    pub(crate) infos: Vec<KernelInfo>,
    /// Operators that each kernel computes.
    pub(crate) operators: Vec<Vec<String>>,
    known: HashMap<Kernel, u32>,
}

impl KernelTable {
    /// No kernels, for a machine that works like this.
    pub(crate) fn new(work: WorkModel) -> KernelTable {
        KernelTable { work, kernels: Vec::new(), infos: Vec::new(), operators: Vec::new(), known: HashMap::new() }
    }

    /// The index of a kernel of these operators, adding it if no equal one is there.
    ///
    /// # Errors
    /// The kernel breaks a rule of the loop IR: a defect of the emission.
    pub(crate) fn add(&mut self, mut kernel: Kernel, operators: &[String]) -> Result<u32, Diagnostics> {
        simplify::simplify(&mut kernel);
        let key = kernel.anonymous();
        if let Some(&index) = self.known.get(&key) {
            return Ok(index);
        }
        let kernel = Verified::new(kernel).map_err(|errors| {
            let what: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Diagnostics::from(Diagnostic::new("lower.kernel", format!("the compiler is wrong: {}", what.join("; "))))
        })?;
        let index = self.kernels.len() as u32;
        self.infos.push(info(&kernel, &self.work));
        self.operators.push(operators.to_vec());
        self.kernels.push(kernel);
        self.known.insert(key, index);
        Ok(index)
    }
}

fn info(kernel: &Kernel, work: &WorkModel) -> KernelInfo {
    let cost = analysis::cost(kernel);
    let bytes_moved = cost.bytes_read.saturating_add(cost.bytes_written);
    let flops = cost.flops;
    let ops: u64 = cost.ops.values().fold(flops, |sum, &n| sum.saturating_add(n));
    let extent = kernel.parallel_extent();
    KernelInfo {
        name: kernel.name.clone(),
        params: kernel.params.iter().map(|p| p.len.saturating_mul(p.dtype.size() as u64)).collect(),
        extent,
        grain: work.grain(bytes_moved, ops, extent),
        bytes_moved,
        flops,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_loops::text::parse;

    const NEGATE: &str = "kernel \"first\" {
  param p0 \"x\": f32[4] read
  param p1 \"y\": f32[4] write
  axes 1
  vector i0 < 4 {
    %0: f32 = load p0[i0]
    %1: f32 = negate %0
    store p1[i0] = %1
  }
}";

    #[test]
    fn equal_kernels_are_one() {
        let mut table = KernelTable::new(kiln_cpu::machine().work);
        let mut add =
            |text: &str| table.add(parse(text).expect("a kernel"), &["negate".to_owned()]).expect("it is well formed");
        assert_eq!(add(NEGATE), 0);
        assert_eq!(add(&NEGATE.replace("first", "another name").replace("\"x\"", "\"z\"")), 0);
        assert_eq!(add(&NEGATE.replace("negate", "abs")), 1);
        assert_eq!(table.kernels.len(), 2);
        assert_eq!(table.kernels[0].name, "first");
    }

    #[test]
    fn malformed_kernels_are_refused() {
        let kernel = parse(&NEGATE.replace("f32[4] read", "f32[3] read")).expect("a kernel");
        let error = KernelTable::new(kiln_cpu::machine().work).add(kernel, &[]).expect_err("it reads beyond the end");
        assert!(error.to_string().contains("reaches from 0 to 3"), "{error}");
    }
}
