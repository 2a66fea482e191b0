//! A program with its code, ready to run.

use crate::arena::ArenaPool;
use crate::error::RunError;
use crate::view::{TensorView, TensorViewMut};
use kiln_kernels::abi::{self, LibraryCallSite, RunContext};
use kiln_kernels::{CpuCall, HostCode, ThreadPool};
use kiln_program::CompiledProgram;
use std::cell::RefCell;
use std::time::Duration;

/// A loaded program.
pub(crate) struct Loaded {
    pub(crate) compiled: CompiledProgram,
    pub(crate) compile_time: Duration,
    code: Box<dyn HostCode>,
    calls: Vec<LibraryCallSite>,
    arenas: ArenaPool,
}

// SAFETY: the raw pointers are those of `calls`: they point into the program's `calls`, whose heap memory neither moves nor changes
// while `self` lives, and library kernels only read their parameters.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

thread_local! {
    /// Slot pointers of the run in progress on this thread, kept so that a run allocates nothing.
    static SLOTS: RefCell<Vec<*mut u8>> = const { RefCell::new(Vec::new()) };
}

impl Loaded {
    /// Puts a validated program and its code together.
    ///
    /// # Errors
    /// When the code lacks kernels of the program.
    pub(crate) fn new(
        compiled: CompiledProgram,
        code: Box<dyn HostCode>,
        compile_time: Duration,
    ) -> Result<Loaded, RunError> {
        let program = &compiled.program;
        let invalid = |e: String| RunError::Artifact(kiln_artifact::ArtifactError::Invalid(e));
        compiled.check().map_err(|e| invalid(e.0))?;
        program.calls.iter().try_for_each(kiln_kernels::check_call).map_err(invalid)?;
        let arena = usize::try_from(program.arena_bytes)
            .map_err(|_| RunError::System("the arena is larger than the address space".into()))?;
        let calls = program
            .calls
            .iter()
            .map(|site| LibraryCallSite { function: site.call.function(), params: site.call.params_ptr() })
            .collect();
        Ok(Loaded { compiled, compile_time, code, calls, arenas: ArenaPool::new(arena) })
    }

    /// True when the program was made for inputs of these shapes.
    pub(crate) fn fits<'s>(&self, shapes: impl Iterator<Item = &'s [usize]>) -> bool {
        self.compiled.program.signature.inputs.iter().map(|p| p.shape.as_slice()).eq(shapes)
    }

    /// Runs the program.
    ///
    /// # Errors
    /// When memory for the arena runs out.
    ///
    /// # Safety
    /// Inputs, outputs and variables must be those of the signature, in order, of its types; each variable pointer must be
    /// valid for reads of the variable's bytes, and for writes where the program updates it; nobody else touches outputs and
    /// updated variables during the run.
    pub(crate) unsafe fn run(
        &self,
        pool: Option<&ThreadPool>,
        inputs: &[TensorView<'_>],
        outputs: &mut [TensorViewMut<'_>],
        variables: impl Iterator<Item = *mut u8>,
    ) -> Result<(), RunError> {
        let ran = self.arenas.with(|arena| {
            let mut slots = SLOTS.take();
            slots.clear();
            slots.push(arena);
            slots.push(self.compiled.constants.as_ptr().cast_mut());
            slots.extend(inputs.iter().map(|v| v.bytes().as_ptr().cast_mut()));
            slots.extend(outputs.iter_mut().map(TensorViewMut::as_mut_ptr));
            slots.extend(variables);
            debug_assert_eq!(slots.len(), self.compiled.program.slot_count());
            let context = RunContext {
                buffers: slots.as_ptr(),
                kernels: self.code.kernels().as_ptr(),
                calls: self.calls.as_ptr(),
                parallel_for: abi::parallel_for,
                pool: pool.map_or(std::ptr::null(), std::ptr::from_ref),
            };
            // SAFETY: the slots are as the program expects them (the caller's promise, and this type's own memory); the code
            // belongs to the program.
            let status = unsafe { (self.code.entry())(&context) };
            debug_assert_eq!(status, 0, "entry functions always succeed");
            SLOTS.set(slots);
        });
        Ok(ran?)
    }
}
