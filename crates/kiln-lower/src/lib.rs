//! Lowering of optimized graphs to programs of loop kernels and library calls.
//!
//! [`lower`] plans fusion, schedules the groups for low peak memory, emits each as loop kernels ([`emit`]), a library call
//! ([`library`]) or control flow, binds every value to a buffer (in place where that is safe) and places the buffers in one
//! arena. What comes out is a [`kiln_program::Program`] and the loop kernels it launches; no target is known here.

pub mod emit;
pub mod library;

mod buffers;
mod constants;
mod kernels;
mod region;

use kiln_ir::dim::DimEnv;
use kiln_ir::{Diagnostic, Diagnostics, Func, InputKind, OutputKind};
use kiln_loops::{Kernel, Verified};
use kiln_plan::fusion::FusionOptions;
use kiln_program::{Blob, Program, Signature, Slot};

/// Choices of the lowering.
#[derive(Clone, Debug)]
pub struct LowerOptions {
    /// What may fuse.
    pub fusion: FusionOptions,
    /// Reorder groups for low peak memory.
    pub schedule: bool,
}

impl Default for LowerOptions {
    fn default() -> LowerOptions {
        LowerOptions { fusion: FusionOptions::default(), schedule: true }
    }
}

/// A program with the kernels it launches.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Steps, buffers, signature.
    pub program: Program,
    /// Contents of the program's blocks of constants.
    pub constants: Vec<Blob>,
    /// The kernels, in the order of `program.kernels`.
    pub kernels: Vec<Verified<Kernel>>,
    /// For each kernel the operators that it computes, in the order of the graph. (Equal kernels are one; it is listed with the
    /// operators that it was first made for.)
    pub fused: Vec<Vec<String>>,
}

/// Lowers an optimized function of static shapes.
///
/// # Errors
/// A symbolic dimension or a dtype that is left to legalize, or an operator without a lowering, with its source line.
pub fn lower(func: &Func, options: &LowerOptions) -> Result<Lowered, Diagnostics> {
    let signature = Signature::of(func).bind(&DimEnv::new())?;
    check_dtypes(func)?;
    let mut ctx = buffers::Buffers::new(options);
    let (mut inputs, mut variables) = (0, 0);
    let params: Vec<_> = func
        .inputs
        .iter()
        .map(|input| {
            let slot = match input.kind {
                InputKind::Feed => {
                    inputs += 1;
                    Slot::Input(inputs - 1)
                }
                InputKind::Variable(_) => {
                    variables += 1;
                    Slot::Variable(variables - 1)
                }
            };
            ctx.at(&input.name, &input.ty, slot, 0)
        })
        .collect();
    let mut fetches = 0;
    let targets: Vec<_> = func
        .outputs
        .iter()
        .map(|output| match output.kind {
            OutputKind::Fetch => {
                fetches += 1;
                Some(ctx.at(&output.name, func.ty(output.value), Slot::Output(fetches - 1), 0))
            }
            OutputKind::Update(input) => Some(params[input]),
        })
        .collect();
    let (steps, _) = region::lower(&mut ctx, &func, &params, &targets)?;
    Ok(ctx.finish(func.name.clone(), signature, steps))
}

/// Type legalization has left only dtypes that kernels compute with.
fn check_dtypes(func: &Func) -> Result<(), Diagnostics> {
    for (_, node) in func.iter() {
        if let Some(ty) = node.types.iter().find(|t| !kiln_loops::is_loop_type(t.dtype)) {
            let what = format!("`{}` gives {ty}, which is not legalized", node.op.name());
            return Err(Diagnostic::new("lower.dtype", what).at(&node.loc).help("optimize the function first").into());
        }
        node.op.regions().into_iter().try_for_each(check_dtypes)?;
    }
    Ok(())
}
