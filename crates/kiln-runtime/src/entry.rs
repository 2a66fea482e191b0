//! One set of sizes of an executable: its program for every target, and the one of them that runs here.

use crate::device::{Device, DeviceError, LoadedProgram, best};
use crate::error::RunError;
use kiln_ir::dim::DimEnv;
use kiln_program::{BoundSignature, CompiledProgram, InvalidProgram, Program, Signature, Target};
use std::sync::Arc;
use std::time::Duration;

/// Compiles a graph for further sizes when they are first met.
pub trait Specialize: Send + Sync {
    /// A program for these values of the named dimensions.
    ///
    /// # Errors
    /// Whatever keeps the graph from being compiled for them.
    fn specialize(&self, dims: &DimEnv) -> Result<Specialized, Box<dyn std::error::Error + Send + Sync>>;
}

/// A program for one set of sizes.
pub struct Specialized {
    /// The program for each target, at least one.
    pub variants: Vec<CompiledProgram>,
    /// The place of the variant that runs on the executable's device, and that one ready to run; `None`: no variant runs there, the
    /// executable is for export.
    pub loaded: Option<(usize, Box<dyn LoadedProgram>)>,
    /// How long compiling took.
    pub compile_time: Duration,
}

/// A [`Specialized`] that belongs to its executable.
pub(crate) struct Entry {
    pub(crate) variants: Vec<CompiledProgram>,
    loaded: Option<(usize, Box<dyn LoadedProgram>)>,
    compile_time: Duration,
}

impl Entry {
    /// # Errors
    /// When a variant does not agree with the executable's signature or with the other variants.
    pub(crate) fn new(s: Specialized, signature: &Signature) -> Result<Arc<Entry>, RunError> {
        let invalid = |e: String| RunError::Device(DeviceError::Program(InvalidProgram(e)));
        let Some(first) = s.variants.first() else { return Err(invalid("there is no program".into())) };
        for variant in &s.variants {
            signature.admits(&variant.program.signature).map_err(invalid)?;
            if variant.program.signature != first.program.signature {
                return Err(invalid("the programs for several targets have different signatures".into()));
            }
        }
        Ok(Arc::new(Entry { variants: s.variants, loaded: s.loaded, compile_time: s.compile_time }))
    }

    /// What goes in and out.
    pub(crate) fn signature(&self) -> &BoundSignature {
        &self.variants[0].program.signature
    }

    /// True when the program was made for inputs of these shapes.
    pub(crate) fn fits<'s>(&self, shapes: impl Iterator<Item = &'s [usize]>) -> bool {
        self.signature().inputs.iter().map(|p| p.shape.as_slice()).eq(shapes)
    }

    /// The program ready to run.
    ///
    /// # Errors
    /// When none of the targets is this machine.
    pub(crate) fn loaded(&self, device: &dyn Device) -> Result<&dyn LoadedProgram, RunError> {
        let Some((_, loaded)) = &self.loaded else {
            let none = || DeviceError::Program(InvalidProgram("its code was not loaded".into()));
            return Err(best(device, &self.variants).err().unwrap_or_else(none).into());
        };
        Ok(&**loaded)
    }

    fn chosen(&self) -> &CompiledProgram {
        &self.variants[self.loaded.as_ref().map_or(0, |(i, _)| *i)]
    }
}

/// Adds an entry, unless a run could not choose between it and another one.
///
/// # Errors
/// When inputs of the same shapes belong to two sets of sizes.
pub(crate) fn add(entries: &mut Vec<Arc<Entry>>, new: Arc<Entry>) -> Result<(), RunError> {
    let shapes = || new.signature().inputs.iter().map(|p| p.shape.as_slice());
    match entries.iter().find(|e| e.fits(shapes())).map(|e| &e.signature().dims) {
        Some(other) if *other != new.signature().dims => {
            Err(RunError::AmbiguousSizes { dims: format!("{:?}", new.signature().dims), other: format!("{other:?}") })
        }
        _ => {
            entries.push(new);
            Ok(())
        }
    }
}

/// What a run needs, known before the first one. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    /// Working memory: the planned peak of intermediate values.
    pub arena: u64,
    /// The largest sum of intermediate values alive at once: no plan can need less.
    pub lower_bound: u64,
    /// Literals of the graph.
    pub constants: u64,
    /// Variables.
    pub variables: u64,
    /// Feeds.
    pub inputs: u64,
    /// Fetches.
    pub outputs: u64,
    /// Machine code.
    pub code: u64,
}

/// A program of an executable, to look at.
#[derive(Clone)]
pub struct ProgramReport {
    pub(crate) entry: Arc<Entry>,
    pub(crate) targets: Vec<Target>,
}

impl ProgramReport {
    /// Steps, buffers, kernels, of the target that runs here.
    pub fn program(&self) -> &Program {
        &self.entry.chosen().program
    }

    /// How long compiling took; zero when it came from a file.
    pub fn compile_time(&self) -> Duration {
        self.entry.compile_time
    }

    /// The targets that there is code for.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The memory that a run needs.
    pub fn memory(&self) -> MemoryReport {
        let CompiledProgram { program, constants, code } = self.entry.chosen();
        let s = &program.signature;
        MemoryReport {
            arena: program.arena_bytes,
            lower_bound: program.lower_bound_bytes,
            constants: constants.iter().map(|block| block.len() as u64).sum(),
            variables: s.variables.iter().map(kiln_program::BoundVariable::bytes).sum(),
            inputs: s.inputs.iter().map(kiln_program::BoundPort::bytes).sum(),
            outputs: s.outputs.iter().map(kiln_program::BoundPort::bytes).sum(),
            code: code.bytes(),
        }
    }
}
