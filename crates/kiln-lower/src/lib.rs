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

use kiln_ir::{Diagnostic, Diagnostics, Func, InputKind, OutputKind};
use kiln_loops::Kernel;
use kiln_plan::fusion::FusionOptions;
use kiln_program::{Port, Program, Signature, Slot, Variable};

/// Choices of the lowering.
#[derive(Clone, Debug)]
pub struct LowerOptions {
    /// What may fuse.
    pub fusion: FusionOptions,
    /// Reorder groups for low peak memory.
    pub schedule: bool,
    /// Threads that the program will run on at most.
    pub threads: usize,
}

impl Default for LowerOptions {
    fn default() -> LowerOptions {
        LowerOptions { fusion: FusionOptions::default(), schedule: true, threads: 1 }
    }
}

/// A program with the kernels it launches.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Steps, buffers, signature.
    pub program: Program,
    /// The kernels, in the order of `program.kernels`.
    pub kernels: Vec<Kernel>,
    /// For each kernel the operators that it computes, in the order of the graph. (Equal kernels are one; it is listed with the
    /// operators that it was first made for.)
    pub fused: Vec<Vec<String>>,
}

/// Lowers an optimized function of static shapes.
///
/// # Errors
/// A symbolic dimension or a dtype that is left to legalize, or an operator without a lowering, with its source line.
pub fn lower(func: &Func, options: &LowerOptions) -> Result<Lowered, Diagnostics> {
    let signature = signature(func)?;
    check_dtypes(func)?;
    let func = library::legalize(func.clone())?;
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

fn signature(func: &Func) -> Result<Signature, Diagnostics> {
    let sizes = |name: &str, ty: &kiln_ir::TensorType, loc: &kiln_ir::Loc| {
        ty.shape.as_sizes().map(|s| s.to_vec()).ok_or_else(|| {
            Diagnostics::from(
                Diagnostic::new("lower.static", format!("the shape {} of \"{name}\" is not fully known", ty.shape))
                    .at(loc)
                    .help("bind every named dimension before compiling"),
            )
        })
    };
    let mut signature = Signature::default();
    let mut updated = vec![false; func.inputs.len()];
    for output in &func.outputs {
        let ty = func.ty(output.value);
        match output.kind {
            OutputKind::Fetch => signature.outputs.push(Port {
                name: output.name.clone(),
                dtype: ty.dtype,
                shape: sizes(&output.name, ty, &func.node(output.value.node).loc)?,
                symbolic: ty.shape.clone(),
            }),
            OutputKind::Update(input) => updated[input] = true,
        }
    }
    for (input, updated) in func.inputs.iter().zip(updated) {
        let shape = sizes(&input.name, &input.ty, &input.loc)?;
        let (name, dtype) = (input.name.clone(), input.ty.dtype);
        match &input.kind {
            InputKind::Feed => {
                signature.inputs.push(Port { name, dtype, shape, symbolic: input.ty.shape.clone() });
            }
            InputKind::Variable(init) => {
                signature.variables.push(Variable { name, dtype, shape, init: init.clone(), updated });
            }
        }
    }
    Ok(signature)
}
