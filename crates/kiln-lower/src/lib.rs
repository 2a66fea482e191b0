//! Lowering of planned graphs to programs of loop kernels and library calls.
//!
//! [`lower`] emits each group as loop kernels ([`emit`]), a call or control flow, binds every value to a buffer (in place where
//! that is safe) and has the buffers placed in one arena. What comes out is a [`kiln_program::Program`] and the loop kernels it launches; no target is known here.

pub mod emit;

mod builder;
mod constants;
mod control;
mod kernels;
mod region;

use kiln_ir::dim::DimEnv;
use kiln_ir::{Diagnostics, Func, InputKind, OutputKind};
use kiln_loops::{Kernel, Verified};
use kiln_plan::Planned;
use kiln_program::{Blob, Program, Signature, Slot};

/// A program with the kernels it launches.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Steps, buffers, signature.
    pub program: Program,
    /// Contents of the program's constants slot.
    pub constants: Blob,
    /// The kernels, in the order of `program.kernels`.
    pub kernels: Vec<Verified<Kernel>>,
    /// For each kernel the operators that it computes, in the order of the graph. (Equal kernels are one; it is listed with the
    /// operators that it was first made for.)
    pub fused: Vec<Vec<String>>,
}

/// Lowers a planned function.
///
/// # Errors
/// An operator without a lowering, with its source line.
pub fn lower(planned: &Planned) -> Result<Lowered, Diagnostics> {
    let func: &Func = &planned.func;
    let signature = Signature::of(func).bind(&DimEnv::new())?;
    let mut ctx = builder::ProgramBuilder::new(&planned.machine);
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
    let (steps, _) = region::lower(&mut ctx, func, &planned.region, &params, &targets)?;
    Ok(ctx.finish(func.name.clone(), signature, steps))
}
