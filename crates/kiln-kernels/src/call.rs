//! The CPU's side of a program's calls: the kernel of each, its workspace and its tables.

use core::ffi::c_void;

use kiln_program::call::{Call, CallInfo, CallParams};

use crate::abi::LibraryFn;

/// How the CPU computes a [`Call`]. Meaningful for parameters that pass [`CallParams::validate`].
pub trait CpuCall {
    /// The kernel. Its operands are those of the call, the tables where there are any, and the workspace where there is one.
    fn function(&self) -> LibraryFn;

    /// What to pass as `params` to [`CpuCall::function`]: a pointer into `self`, valid as long as `self` neither moves nor
    /// changes.
    fn params_ptr(&self) -> *const c_void {
        core::ptr::from_ref(self).cast()
    }

    /// Bytes of workspace the kernel needs as its last operand, 64-byte aligned; 0 means that none is passed.
    ///
    /// The size does not depend on the number of threads nor on the processor, so a program runs unchanged under any
    /// pool and on any machine.
    fn workspace_bytes(&self) -> usize;

    /// Bytes of [`CpuCall::tables`].
    fn table_bytes(&self) -> usize {
        0
    }

    /// Constants that the compiler computes from the parameters and that the kernel reads as an operand after its outputs,
    /// 64-byte aligned; empty: none is passed. The same on every processor. Kernels only compute with their values: wrong ones
    /// give wrong results, never a wrong access.
    fn tables(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// The parameters' own implementation: the one place where a call meets its kernel.
fn kernel(call: &Call) -> &dyn CpuCall {
    match call {
        Call::Dot(params) => params,
        Call::Convolution(params) => params,
        Call::Fft(params) => params,
        Call::Cholesky(params) => params,
        Call::TriangularSolve(params) => params,
    }
}

impl CpuCall for Call {
    fn function(&self) -> LibraryFn {
        kernel(self).function()
    }

    fn params_ptr(&self) -> *const c_void {
        kernel(self).params_ptr()
    }

    fn workspace_bytes(&self) -> usize {
        kernel(self).workspace_bytes()
    }

    fn table_bytes(&self) -> usize {
        kernel(self).table_bytes()
    }

    fn tables(&self) -> Vec<u8> {
        kernel(self).tables()
    }
}

/// A call site for the CPU.
pub fn call_info(call: Call) -> CallInfo {
    let (tables, workspace) = (call.table_bytes() as u64, call.workspace_bytes() as u64);
    CallInfo { call, tables, workspace }
}

/// Checks that a call site leaves the kernels here the room they need: a program from an untrusted file may be run only after
/// this (and after [`CallInfo::check_bounds`], which is part of the program's own check).
///
/// # Errors
/// Says what the site has and what the kernel needs.
pub fn check_call(site: &CallInfo) -> Result<(), String> {
    let in_call = |message: String| format!("{}: {message}", site.call.name());
    site.call.validate().map_err(in_call)?;
    let (tables, workspace) = (site.call.table_bytes() as u64, site.call.workspace_bytes() as u64);
    if site.tables != tables {
        return Err(in_call(format!("the kernel reads {tables} bytes of tables, the program has {}", site.tables)));
    }
    if site.workspace < workspace {
        return Err(in_call(format!(
            "the kernel needs {workspace} bytes of workspace, the program has {}",
            site.workspace
        )));
    }
    Ok(())
}
