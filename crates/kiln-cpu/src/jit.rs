//! Mapping code into this process, through Cranelift's JIT module (memory is writable or executable, never both).

use std::sync::Mutex;

use cranelift_codegen::settings;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use kiln_kernels::abi::{EntryFn, HostCode, KernelFn};
use kiln_program::NativeCode;

use crate::error::JitError;

/// Code mapped into this process; unmapped when dropped.
pub struct JitCode {
    /// The owner of the memory; always there until dropped. The mutex makes it shareable, nobody locks it.
    module: Mutex<Option<JITModule>>,
    entry: EntryFn,
    kernels: Vec<KernelFn>,
}

impl std::fmt::Debug for JitCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JitCode")
            .field("entry", &self.entry)
            .field("kernels", &self.kernels.len())
            .finish_non_exhaustive()
    }
}

/// Maps a code object.
///
/// # Errors
/// The code was made for another architecture or needs CPU features that this machine lacks; an offset lies outside of the
/// code; memory is refused.
pub fn jit(code: &NativeCode) -> Result<JitCode, JitError> {
    if let Some(lacks) = code.target.lacks() {
        return Err(JitError::Target { needs: code.target.clone(), lacks });
    }
    code.check(0).map_err(JitError::Malformed)?;
    let memory = |e: &dyn std::fmt::Display| JitError::Memory(e.to_string());
    let isa = cranelift_native::builder()
        .map_err(|e| memory(&e))?
        .finish(settings::Flags::new(settings::builder()))
        .map_err(|e| memory(&e))?;
    let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
    let signature = module.make_signature();
    let id = module.declare_function("code", Linkage::Export, &signature).map_err(|e| memory(&e))?;
    module.define_function_bytes(id, 64, &code.bytes, &[]).map_err(|e| memory(&e))?;
    module.finalize_definitions().map_err(|e| memory(&e))?;
    let base = module.get_finalized_function(id);
    // SAFETY: the offset lies in the code (checked above), which has the entry function there by the meaning of a code object.
    let entry = unsafe { std::mem::transmute::<*const u8, EntryFn>(base.add(code.entry as usize)) };
    let kernels = code
        .kernels
        .iter()
        // SAFETY: as above, with a kernel at each of these offsets.
        .map(|&offset| unsafe { std::mem::transmute::<*const u8, KernelFn>(base.add(offset as usize)) })
        .collect();
    Ok(JitCode { module: Mutex::new(Some(module)), entry, kernels })
}

impl Drop for JitCode {
    fn drop(&mut self) {
        let module = self.module.get_mut().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(module) = module {
            // SAFETY: the functions are only reachable through `self`, and running them borrows it.
            unsafe { module.free_memory() };
        }
    }
}

// SAFETY: the functions are those of the code object, mapped until `self` is dropped.
unsafe impl HostCode for JitCode {
    fn entry(&self) -> EntryFn {
        self.entry
    }
    fn kernels(&self) -> &[KernelFn] {
        &self.kernels
    }
}
