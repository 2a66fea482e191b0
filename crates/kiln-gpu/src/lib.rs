//! GPU code generation: loop IR to PTX.
//!
//! [`lower`] turns one kernel of the loop IR into the text of one PTX entry, [`module`] several into a module that `ptxas` or the
//! driver accepts. How a kernel maps to threads:
//!
//! - **Flat**: a parallel loop around one vector loop (or either alone) without reductions is one space of elements; each thread
//!   takes elements at the distance of the grid. A parallel loop without a vector loop runs one iteration per thread.
//! - **Blocks**: otherwise a block takes iterations of the parallel loop at the distance of the grid, its threads take the lanes of
//!   vector loops at the distance of the block, serial loops are loops, and what lies between is computed by every thread alike
//!   (and stored by the first). Reductions of vector loops go through warp shuffles, then shared memory, in a fixed order.
//!   Local scratch is shared memory.
//!
//! Scalar operators are expanded by [`kiln_loops::math`], so results have the same bounds as on the CPU. Nothing here was run on
//! hardware yet: the text is assembled by `ptxas` and its structure tested.
//!
//! ```
//! let kernel = kiln_loops::text::parse(
//!     r#"kernel "double" {
//!          param p0 "x": f32[64] read
//!          param p1 "y": f32[64] write
//!          axes 1
//!          parallel i0 < 64 {
//!            %0: f32 = load p0[i0]
//!            %1: f32 = add %0, %0
//!            store p1[i0] = %1
//!          }
//!        }"#,
//! )?;
//! let kernel = kiln_loops::Verified::new(kernel).map_err(|errors| errors[0].to_string())?;
//! let ptx = kiln_gpu::lower(&kernel, &kiln_gpu::PtxTarget { sm: 80 })?;
//! assert!(ptx.text.contains(".visible .entry double"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod launch;
mod ptx;

pub use error::PtxError;
pub use launch::{LaunchShape, PtxTarget};

use kiln_loops::math::MathOptions;
use kiln_loops::{Kernel, Verified};
use std::collections::BTreeSet;

/// The code of one kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PtxKernel {
    /// The entry, without the module's header.
    pub text: String,
    /// Name of the entry. It takes one 64-bit address per kernel parameter, in order.
    pub entry: String,
    /// How to launch it.
    pub launch: LaunchShape,
}

/// Lowers one kernel. It may use every scalar operator.
///
/// # Errors
/// [`PtxError`] when the target is unknown or the kernel needs more than it has.
pub fn lower(kernel: &Verified<Kernel>, target: &PtxTarget) -> Result<PtxKernel, PtxError> {
    let entry = entry_name(&kernel.name, &BTreeSet::new());
    lower_as(kernel, target, entry)
}

fn lower_as(kernel: &Verified<Kernel>, target: &PtxTarget, entry: String) -> Result<PtxKernel, PtxError> {
    target.version()?;
    let k = kernel.expanded(MathOptions::default()).simplified();
    let plan = launch::plan(&k)?;
    let text = ptx::entry(&k, &entry, &plan);
    Ok(PtxKernel { text, entry, launch: plan.shape })
}

/// Lowers several kernels and joins them; entries of equal name are numbered.
///
/// # Errors
/// As [`lower`], for the first kernel that fails.
pub fn module(kernels: &[Verified<Kernel>], target: &PtxTarget) -> Result<(String, Vec<PtxKernel>), PtxError> {
    let mut used = BTreeSet::new();
    let mut lowered = Vec::with_capacity(kernels.len());
    for k in kernels {
        let entry = entry_name(&k.name, &used);
        used.insert(entry.clone());
        lowered.push(lower_as(k, target, entry)?);
    }
    let mut text = target.header()?;
    for k in &lowered {
        text.push('\n');
        text.push_str(&k.text);
    }
    Ok((text, lowered))
}

/// A PTX identifier close to `name` that is not yet used.
fn entry_name(name: &str, used: &BTreeSet<String>) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let base = if clean.starts_with(|c: char| c.is_ascii_alphabetic()) { clean } else { format!("k_{clean}") };
    (1..)
        .map(|n| if n == 1 { base.clone() } else { format!("{base}_{n}") })
        .find(|n| !used.contains(n))
        .expect("some number is free")
}
