//! Executables from artifacts, and back.

use crate::device::Device;
use crate::entry::Specialized;
use crate::error::{RunError, type_name};
use crate::executable::{Executable, ExecutableBuilder};
use crate::file::write_atomically;
use crate::host::HostDevice;
use crate::session::Session;
use kiln_artifact::{Artifact, ArtifactError, Contents, FileBytes, Source};
use kiln_ir::Initializer;
use kiln_program::{CompiledProgram, CpuTarget, Signature};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// That a file is trusted: who loads an artifact has to say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The file's machine code may run, as that of a program that one starts: it comes from kiln by a way that nobody else
    /// writes to, and nobody changes the file while it is loaded (a new one is put in its place by renaming, as exporting
    /// does). Checksums show damage, not malice.
    RunsItsCode,
}

/// How an artifact is loaded.
///
/// ```no_run
/// use kiln_runtime::{Executable, LoadOptions, Trust};
/// let options = LoadOptions::new(Trust::RunsItsCode).threads(4).verify_all();
/// let exe = Executable::load_with("model.kiln", &options)?;
/// # Ok::<(), kiln_runtime::RunError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LoadOptions {
    threads: usize,
    verify_all: bool,
    memory: u64,
}

/// Bytes that the programs of a file may ask for unless told otherwise.
const DEFAULT_MEMORY: u64 = 64 << 30;

impl LoadOptions {
    /// One thread; checksums of what is decoded are verified, those of weights and constants are not.
    pub fn new(trust: Trust) -> LoadOptions {
        let Trust::RunsItsCode = trust;
        LoadOptions { threads: 1, verify_all: false, memory: DEFAULT_MEMORY }
    }

    /// Threads that a run may use.
    #[must_use]
    pub fn threads(self, threads: usize) -> LoadOptions {
        LoadOptions { threads, ..self }
    }

    /// Verifies the whole file first, weights included. This reads all of it, some 10 ms for 100 MB in memory; without it a
    /// damaged weight is used as it is.
    #[must_use]
    pub fn verify_all(self) -> LoadOptions {
        LoadOptions { verify_all: true, ..self }
    }

    /// The most bytes that one program of the file may ask for: its arena, outputs and variables. 64 GiB by default.
    #[must_use]
    pub fn memory_limit(self, bytes: u64) -> LoadOptions {
        LoadOptions { memory: bytes, ..self }
    }
}

impl Executable {
    /// Loads an artifact, to run on one thread. The file is mapped: weights and constants are used in place, shared with other
    /// processes, and read when a run needs them.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged (the error names the section), or holds nothing for this machine.
    pub fn load(path: impl AsRef<Path>, trust: Trust) -> Result<Executable, RunError> {
        Executable::load_with(path, &LoadOptions::new(trust))
    }

    /// [`Executable::load`] with choices.
    ///
    /// # Errors
    /// As [`Executable::load`], and when a program asks for more memory than the options allow.
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Executable, RunError> {
        let path = path.as_ref();
        let io = |source| RunError::Io { path: path.display().to_string(), source };
        let file = std::fs::File::open(path).map_err(io)?;
        // SAFETY: that nobody changes the file is part of the trust that the options state.
        from_file(unsafe { FileBytes::map(&file) }.map_err(io)?, options)
    }

    /// An executable from a copy of an artifact's bytes.
    ///
    /// # Errors
    /// As [`Executable::load_with`].
    pub fn from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Executable, RunError> {
        from_file(FileBytes::copy_of(bytes)?, options)
    }

    /// Writes an artifact with every program compiled so far; of a loaded artifact, with all of its programs, those for other
    /// machines too. Variables keep their initial recipes.
    ///
    /// # Errors
    /// When nothing is compiled yet (see [`Executable::prepare`]), or the file cannot be written.
    pub fn export(&self, path: impl AsRef<Path>) -> Result<(), RunError> {
        self.export_signature(path.as_ref(), self.signature())
    }

    /// Writes an artifact whose variables start with the session's values.
    ///
    /// # Errors
    /// As [`Executable::export`], and when the session has a variable of another type.
    pub fn export_with(&self, session: &Session, path: impl AsRef<Path>) -> Result<(), RunError> {
        let mut signature = self.signature().clone();
        for variable in &mut signature.variables {
            let Ok(value) = session.get(&variable.name) else { continue };
            if value.dtype() != variable.dtype || value.shape() != variable.shape {
                return Err(RunError::VariableType {
                    name: variable.name.clone(),
                    expected: type_name(variable.dtype, &variable.shape),
                    found: type_name(value.dtype(), value.shape()),
                });
            }
            variable.init = Initializer::Value(value);
        }
        self.export_signature(path.as_ref(), &signature)
    }

    fn export_signature(&self, path: &Path, signature: &Signature) -> Result<(), RunError> {
        let entries = self.entries();
        let programs: Vec<Source<'_>> = match self.artifact() {
            Some(file) => file.entries().iter().map(|entry| Source::Kept(file, entry)).collect(),
            None => entries.iter().flat_map(|e| &e.variants).map(Source::Compiled).collect(),
        };
        if programs.is_empty() {
            return Err(RunError::NothingCompiled);
        }
        let producer = concat!("kiln ", env!("CARGO_PKG_VERSION"));
        let contents = Contents { producer, name: self.name(), signature, programs };
        write_atomically(path, |out| contents.write(out))
    }
}

fn from_file(file: FileBytes, options: &LoadOptions) -> Result<Executable, RunError> {
    let artifact = Artifact::read(file)?;
    if options.verify_all {
        artifact.verify()?;
    }
    let device = HostDevice::new(options.threads)?;
    let mut programs = Vec::new();
    for entry in artifact.select(&CpuTarget::host().to_string(), |target| device.accepts(target))? {
        let compiled = artifact.load(entry)?;
        check_memory(&compiled, options.memory)?;
        // SAFETY: checksum and structure are checked; that the code is the program's is what trusting a file means ([`Trust`]).
        let loaded = unsafe { device.load(&compiled)? };
        programs.push(Specialized {
            variants: vec![compiled],
            loaded: Some((0, loaded)),
            compile_time: Duration::ZERO,
        });
    }
    let (name, signature) = (artifact.name().to_owned(), artifact.signature().clone());
    let (capacity, device) = (programs.len(), Arc::new(device));
    let builder = ExecutableBuilder { name, signature, programs, specialize: None, capacity, device };
    builder.build_from(Some(artifact))
}

impl Session {
    /// Writes an artifact of the session's executable whose variables start with the session's values.
    ///
    /// # Errors
    /// As [`Executable::export`].
    pub fn export(&self, path: impl AsRef<Path>) -> Result<(), RunError> {
        self.executable().export_with(self, path)
    }
}

/// Checks what a program will ask the system for, before anybody asks.
fn check_memory(compiled: &CompiledProgram, limit: u64) -> Result<(), RunError> {
    let program = &compiled.program;
    let s = &program.signature;
    let outputs = s.outputs.iter().map(|p| p.bytes());
    let needed = outputs.chain(s.variables.iter().map(|v| v.bytes())).fold(program.arena_bytes, u64::saturating_add);
    if needed <= limit {
        return Ok(());
    }
    let reason =
        format!("it asks for {needed} bytes of memory, {limit} are allowed: raise `LoadOptions::memory_limit`");
    Err(RunError::Artifact(ArtifactError::Invalid { section: format!("program {:?}", program.name), reason }))
}
