//! Checks that a program's steps fit its buffers, kernels and calls.

use kiln_ir::DType;
use kiln_loops::Kernel;
use kiln_program::{Buffer, BufferId, Program, Slot, Step};

use crate::error::CompileError;

fn fail<T>(what: String) -> Result<T, CompileError> {
    Err(CompileError::Program(what))
}

/// Checks everything that code generation relies on.
pub(crate) fn check(program: &Program, kernels: &[Kernel]) -> Result<(), CompileError> {
    if program.kernels.len() != kernels.len() {
        return fail(format!("{} kernels are described, {} are given", program.kernels.len(), kernels.len()));
    }
    for (info, kernel) in program.kernels.iter().zip(kernels) {
        let found = (kernel.params.len() as u64, kernel.parallel_extent());
        if (u64::from(info.params), info.extent) != found {
            let (params, extent) = found;
            return fail(format!(
                "kernel `{}` has {params} buffers and extent {extent}, described are {} and {}",
                kernel.name, info.params, info.extent
            ));
        }
    }
    for buffer in &program.buffers {
        let known = match buffer.slot {
            Slot::Arena | Slot::Constants => true,
            Slot::Input(n) => (n as usize) < program.signature.inputs.len(),
            Slot::Output(n) => (n as usize) < program.signature.outputs.len(),
            Slot::Variable(n) => (n as usize) < program.signature.variables.len(),
        };
        if !known {
            return fail(format!("buffer `{}` lies in {:?}, which does not exist", buffer.name, buffer.slot));
        }
    }
    check_steps(program, kernels, &program.steps)
}

fn check_steps(program: &Program, kernels: &[Kernel], steps: &[Step]) -> Result<(), CompileError> {
    steps.iter().try_for_each(|step| check_step(program, kernels, step))
}

fn check_step(program: &Program, kernels: &[Kernel], step: &Step) -> Result<(), CompileError> {
    match step {
        Step::Launch { kernel, args } => {
            let Some(found) = kernels.get(*kernel as usize) else {
                return fail(format!("launch of kernel {kernel} of {}", kernels.len()));
            };
            if found.params.len() != args.len() {
                let (name, wanted) = (&found.name, found.params.len());
                return fail(format!("kernel `{name}` takes {wanted} buffers, the launch gives {}", args.len()));
            }
            for (param, &arg) in found.params.iter().zip(args) {
                let buffer = buffer(program, arg)?;
                let needed = param.len.saturating_mul(param.dtype.size() as u64);
                // Values of other types may share a buffer (bitcasts, reuse in place), so only the size has to fit.
                if buffer.bytes < needed {
                    return fail(format!(
                        "kernel `{}`: `{}` needs {needed} bytes, buffer `{}` has {}",
                        found.name, param.name, buffer.name, buffer.bytes
                    ));
                }
            }
            Ok(())
        }
        Step::Call { call, args } => {
            if *call as usize >= program.calls.len() {
                return fail(format!("library call {call} of {}", program.calls.len()));
            }
            args.iter().try_for_each(|&arg| buffer(program, arg).map(drop))
        }
        Step::Copy { src, dst } => {
            let (from, to) = (buffer(program, *src)?, buffer(program, *dst)?);
            match from.bytes == to.bytes {
                true => Ok(()),
                false => {
                    fail(format!("copy of {} bytes `{}` to {} bytes `{}`", from.bytes, from.name, to.bytes, to.name))
                }
            }
        }
        Step::While { cond, pred, body } => {
            scalar(program, *pred, DType::Bool)?;
            check_steps(program, kernels, cond)?;
            check_steps(program, kernels, body)
        }
        Step::If { pred, then, otherwise } => {
            scalar(program, *pred, DType::Bool)?;
            check_steps(program, kernels, then)?;
            check_steps(program, kernels, otherwise)
        }
        Step::Case { index, branches } => {
            scalar(program, *index, DType::I32)?;
            if branches.is_empty() {
                return fail("a case without branches".to_owned());
            }
            branches.iter().try_for_each(|b| check_steps(program, kernels, b))
        }
    }
}

fn buffer(program: &Program, id: BufferId) -> Result<&Buffer, CompileError> {
    match program.buffers.get(id.0 as usize) {
        Some(buffer) => Ok(buffer),
        None => fail(format!("buffer {} of {}", id.0, program.buffers.len())),
    }
}

/// Values of other types may share the buffer, so only the size has to fit.
fn scalar(program: &Program, id: BufferId, dtype: DType) -> Result<(), CompileError> {
    let buffer = buffer(program, id)?;
    match buffer.bytes >= dtype.size() as u64 {
        true => Ok(()),
        false => fail(format!("`{}` has {} bytes, a {dtype} decides the control flow", buffer.name, buffer.bytes)),
    }
}
