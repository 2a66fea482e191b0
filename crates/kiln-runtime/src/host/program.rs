//! A program with its code, ready to run on the CPU.

use super::arena::ArenaPool;
use crate::device::{Address, DeviceError, LoadedProgram, Ticket};
use crate::view::{TensorView, TensorViewMut};
use kiln_ir::tensor::{AlignedBytes, Storage};
use kiln_kernels::abi::{self, LibraryCallSite, RunContext};
use kiln_kernels::{CpuCall, HostCode, ThreadPool};
use kiln_program::{Blob, BoundPort, CallInfo, CompiledProgram, InvalidProgram};
use std::cell::RefCell;
use std::sync::Arc;

/// A loaded program.
pub(super) struct HostProgram {
    code: Box<dyn HostCode>,
    constants: Vec<Blob>,
    /// What `sites` points into.
    _calls: Box<[CallInfo]>,
    sites: Vec<LibraryCallSite>,
    arenas: ArenaPool,
    outputs: Vec<BoundPort>,
    pool: Option<Arc<ThreadPool>>,
}

// SAFETY: the raw pointers are those of `sites`: they point into `_calls`, whose heap memory neither moves nor changes while
// `self` lives, and kernels only read their parameters.
unsafe impl Send for HostProgram {}
// SAFETY: as above.
unsafe impl Sync for HostProgram {}

thread_local! {
    /// Slot pointers of the run in progress on this thread, kept so that a run allocates nothing.
    static SLOTS: RefCell<Vec<*mut u8>> = const { RefCell::new(Vec::new()) };
}

impl HostProgram {
    /// Puts a program and its mapped code together.
    ///
    /// # Errors
    /// When they do not belong together.
    pub(super) fn new(
        compiled: &CompiledProgram,
        code: Box<dyn HostCode>,
        pool: Option<Arc<ThreadPool>>,
    ) -> Result<HostProgram, DeviceError> {
        let invalid = |e: String| DeviceError::Program(InvalidProgram(e));
        compiled.check().map_err(DeviceError::Program)?;
        let program = &compiled.program;
        program.calls.iter().try_for_each(kiln_kernels::check_call).map_err(invalid)?;
        if code.kernels().len() < program.kernels.len() {
            return Err(invalid("the code lacks kernels".into()));
        }
        let arena =
            usize::try_from(program.arena_bytes).map_err(|_| DeviceError::Memory { bytes: program.arena_bytes })?;
        // Kernels rely on cache lines; a copy is made only of what lies elsewhere.
        let aligned = |block: &Blob| match block.as_ptr().align_offset(64) {
            0 => block.clone(),
            _ => Blob::from(&block[..]),
        };
        let constants = compiled.constants.iter().map(aligned).collect();
        let calls: Box<[CallInfo]> = program.calls.clone().into();
        let site = |c: &CallInfo| LibraryCallSite { function: c.call.function(), params: c.call.params_ptr() };
        let sites = calls.iter().map(site).collect();
        let outputs = program.signature.outputs.clone();
        Ok(HostProgram { code, constants, _calls: calls, sites, arenas: ArenaPool::new(arena), outputs, pool })
    }
}

impl LoadedProgram for HostProgram {
    unsafe fn run(
        &self,
        inputs: &[TensorView<'_>],
        outputs: &mut [TensorViewMut<'_>],
        variables: &[Address],
    ) -> Result<(), DeviceError> {
        self.arenas.with(|arena| {
            let mut slots = SLOTS.take();
            slots.clear();
            slots.push(arena);
            slots.extend(self.constants.iter().map(|block| block.as_ptr().cast_mut()));
            slots.extend(inputs.iter().map(|v| v.bytes().as_ptr().cast_mut()));
            slots.extend(outputs.iter_mut().map(TensorViewMut::as_mut_ptr));
            slots.extend(variables.iter().map(|a| a.0));
            let context = RunContext {
                buffers: slots.as_ptr(),
                kernels: self.code.kernels().as_ptr(),
                calls: self.sites.as_ptr(),
                parallel_for: abi::parallel_for,
                pool: self.pool.as_ref().map_or(std::ptr::null(), Arc::as_ptr),
            };
            // SAFETY: the slots are as the program expects them (the caller's promise, and this type's own memory); the code
            // belongs to the program.
            let status = unsafe { (self.code.entry())(&context) };
            debug_assert_eq!(status, 0, "entry functions always succeed");
            SLOTS.set(slots);
        })
    }

    /// The CPU has nothing better to do than to run at once.
    unsafe fn submit(&self, inputs: &[TensorView<'_>], variables: &[Address]) -> Result<Box<dyn Ticket>, DeviceError> {
        let memory = |p: &BoundPort| {
            let bytes = p.bytes() as usize;
            AlignedBytes::try_zeroed(bytes).map_err(DeviceError::memory(bytes))
        };
        let mut memory = self.outputs.iter().map(memory).collect::<Result<Vec<_>, _>>()?;
        let mut outputs: Vec<TensorViewMut<'_>> = self
            .outputs
            .iter()
            .zip(&mut memory)
            .map(|(p, m)| TensorViewMut::from_parts(p.dtype, &p.shape, m.bytes_mut()))
            .collect();
        // SAFETY: the caller's promise; the outputs are made to measure.
        unsafe { self.run(inputs, &mut outputs, variables)? };
        drop(outputs);
        Ok(Box::new(Finished(memory)))
    }
}

/// A run that is over.
struct Finished(Vec<AlignedBytes>);

impl Ticket for Finished {
    fn collect(self: Box<Self>) -> Result<Vec<Arc<dyn Storage>>, DeviceError> {
        Ok(self.0.into_iter().map(|memory| Arc::new(memory) as Arc<dyn Storage>).collect())
    }
}
