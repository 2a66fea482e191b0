//! Executables from and to artifacts.

use crate::device::{Device, DeviceError, best};
use crate::entry::Specialized;
use crate::error::{RunError, type_name};
use crate::executable::{Executable, ExecutableBuilder};
use crate::file::write_atomically;
use crate::host::HostDevice;
use crate::session::Session;
use kiln_artifact::{Artifact, ArtifactError};
use kiln_ir::{Initializer, Tensor};
use kiln_program::CompiledProgram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

impl Executable {
    /// Loads an artifact, to run on one thread.
    ///
    /// The file's machine code is executed: load only files that you trust as you trust a program.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or was compiled for another machine.
    pub fn load(path: impl AsRef<Path>) -> Result<Executable, RunError> {
        Executable::load_with_threads(path, 1)
    }

    /// [`Executable::load`] with a number of threads that a run may use.
    ///
    /// # Errors
    /// As [`Executable::load`].
    pub fn load_with_threads(path: impl AsRef<Path>, threads: usize) -> Result<Executable, RunError> {
        let path = path.as_ref();
        let io = |source| RunError::Io { path: path.display().to_string(), source };
        Executable::from_bytes(&std::fs::read(path).map_err(io)?, threads)
    }

    /// An executable from the bytes of an artifact.
    ///
    /// # Errors
    /// As [`Executable::load`].
    pub fn from_bytes(bytes: &[u8], threads: usize) -> Result<Executable, RunError> {
        let artifact = kiln_artifact::read(bytes)?;
        let device = HostDevice::new(threads)?;
        let mut sizes: Vec<Vec<CompiledProgram>> = Vec::new();
        for compiled in artifact.programs {
            let signature = &compiled.program.signature;
            match sizes.iter_mut().find(|variants| variants[0].program.signature == *signature) {
                Some(variants) => variants.push(compiled),
                None => sizes.push(vec![compiled]),
            }
        }
        let name = sizes.first().map(|variants| variants[0].program.name.clone()).unwrap_or_default();
        let capacity = sizes.len();
        let programs = sizes.into_iter().map(|variants| load(&device, variants)).collect::<Result<Vec<_>, _>>()?;
        let (signature, device) = (artifact.signature, Arc::new(device));
        ExecutableBuilder { name, signature, programs, specialize: None, capacity, device }.build()
    }

    /// Writes an artifact with every program compiled so far. Variables keep their initial recipes.
    ///
    /// # Errors
    /// When nothing is compiled yet (see [`Executable::prepare`]), or the file cannot be written.
    pub fn export(&self, path: impl AsRef<Path>) -> Result<(), RunError> {
        self.export_values(path.as_ref(), |_| None)
    }

    /// Writes an artifact whose variables start with the session's values.
    ///
    /// # Errors
    /// As [`Executable::export`].
    pub fn export_with(&self, session: &Session, path: impl AsRef<Path>) -> Result<(), RunError> {
        self.export_values(path.as_ref(), |name| session.get(name).ok())
    }

    fn export_values(&self, path: &Path, value: impl Fn(&str) -> Option<Tensor>) -> Result<(), RunError> {
        let bytes = self.to_bytes(value)?;
        write_atomically(path, &bytes)
    }

    fn to_bytes(&self, value: impl Fn(&str) -> Option<Tensor>) -> Result<Vec<u8>, RunError> {
        let programs: Vec<CompiledProgram> = self.entries().iter().flat_map(|e| e.variants.clone()).collect();
        if programs.is_empty() {
            return Err(RunError::NothingCompiled);
        }
        let mut signature = self.signature().clone();
        for variable in &mut signature.variables {
            if let Some(value) = value(&variable.name) {
                if value.dtype() != variable.dtype || value.shape() != variable.shape {
                    return Err(RunError::VariableType {
                        name: variable.name.clone(),
                        expected: type_name(variable.dtype, &variable.shape),
                        found: type_name(value.dtype(), value.shape()),
                    });
                }
                variable.init = Initializer::Value(value);
            }
        }
        let producer = concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(kiln_artifact::write(&Artifact { producer, signature, programs })?)
    }
}

/// Loads the best of the programs for several targets.
fn load(device: &HostDevice, variants: Vec<CompiledProgram>) -> Result<Specialized, RunError> {
    let chosen = best(device, &variants).map_err(|e| match e {
        DeviceError::Target(mut targets) if !targets.is_empty() => {
            let (needs, lacks) = targets.swap_remove(0);
            RunError::Artifact(ArtifactError::Target { needs, lacks })
        }
        other => RunError::Device(other),
    })?;
    // SAFETY: checksum and structure are checked; that the code is the program's is what trusting a file means (see
    // `Executable::load`).
    let loaded = unsafe { device.load(&variants[chosen])? };
    Ok(Specialized { variants, loaded: Some((chosen, loaded)), compile_time: Duration::ZERO })
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
