//! The CPU as a device: machine code, arenas, the thread pool.

mod arena;
mod buffer;
mod code;
mod program;

use crate::device::{Device, DeviceBuffer, DeviceError, LoadedProgram};
use buffer::{Owned, Shared};
use code::map_code;
use kiln_ir::Tensor;
use kiln_kernels::{HostCode, ThreadPool};
use kiln_program::{Code, CompiledProgram, InvalidProgram, Target};
use program::HostProgram;
use std::sync::Arc;

/// This machine's CPU, with the threads that runs may use.
pub struct HostDevice {
    pool: Option<Arc<ThreadPool>>,
}

impl HostDevice {
    /// The CPU with this many threads (at least 1, the one that calls included).
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(threads: usize) -> Result<HostDevice, DeviceError> {
        let pool = match threads {
            0 | 1 => None,
            n => {
                let pool = ThreadPool::new(n).map_err(|source| DeviceError::Threads { threads: n, source })?;
                Some(Arc::new(pool))
            }
        };
        Ok(HostDevice { pool })
    }

    /// Makes a program ready to run whose code is in this process already.
    ///
    /// # Errors
    /// When the parts do not belong together.
    pub fn adopt(
        &self,
        compiled: &CompiledProgram,
        code: Box<dyn HostCode>,
    ) -> Result<Box<dyn LoadedProgram>, DeviceError> {
        Ok(Box::new(HostProgram::new(compiled, code, self.pool.clone())?))
    }
}

impl Device for HostDevice {
    fn name(&self) -> &str {
        "cpu"
    }

    fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.threads())
    }

    fn accepts(&self, target: &Target) -> Result<u32, String> {
        match (target, target.lacks()) {
            (Target::Cpu(cpu), None) => Ok(cpu.features.len() as u32),
            (_, lacks) => Err(lacks.unwrap_or_else(|| "a device of this kind".to_owned())),
        }
    }

    unsafe fn load(&self, compiled: &CompiledProgram) -> Result<Box<dyn LoadedProgram>, DeviceError> {
        let target = compiled.code.target();
        match (&compiled.code, self.accepts(&target)) {
            (_, Err(lacks)) => Err(DeviceError::Target(vec![(target, lacks)])),
            (Code::Ptx(_), Ok(_)) => Err(DeviceError::Program(InvalidProgram(format!("code for {target} on a CPU")))),
            // SAFETY: the caller's promise.
            (Code::Native(code), Ok(_)) => self.adopt(compiled, unsafe { map_code(code)? }),
        }
    }

    fn variable(&self, value: &[u8]) -> Result<Box<dyn DeviceBuffer>, DeviceError> {
        Ok(Box::new(Owned::copy_of(value)?))
    }

    fn shared(&self, value: &Tensor) -> Result<Box<dyn DeviceBuffer>, DeviceError> {
        Ok(Box::new(Shared(value.clone())))
    }
}
