//! The wall between executables and the machines that run them: what a device has to offer.
//!
//! Three object-safe traits: a [`Device`] loads programs and keeps variables, a [`LoadedProgram`] runs, a [`DeviceBuffer`] is the
//! memory of one variable. Nothing here knows arenas, code or host pointers; a run is one call through the wall, however many
//! steps it has. The CPU is the first device ([`crate::host`]).
//!
//! Who owns what: inputs are borrowed until the call returns, also by [`LoadedProgram::submit`], which takes in what it needs;
//! outputs are the caller's memory in [`LoadedProgram::run`] and the device's own, handed over by [`Ticket::collect`], after a
//! `submit`; variables stay with whoever allocated them, and a run refers to them by address.

use crate::view::{TensorView, TensorViewMut};
use kiln_ir::tensor::Storage;
use kiln_ir::{Tensor, TensorError};
use kiln_program::{CompiledProgram, InvalidProgram, Target};
use std::fmt;
use std::sync::Arc;

/// A machine that runs programs.
pub trait Device: Send + Sync {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// Threads of the host that a run may use.
    fn threads(&self) -> usize;

    /// How well code for a target runs here: of several, the one with the largest number is taken.
    ///
    /// # Errors
    /// What this device lacks to run it.
    fn accepts(&self, target: &Target) -> Result<u32, String>;

    /// Makes a program ready to run.
    ///
    /// # Errors
    /// When its parts do not belong together, this device cannot run it, or memory runs out.
    ///
    /// # Safety
    /// The code must be what kiln compiled for the program: it is executed as it is.
    unsafe fn load(&self, compiled: &CompiledProgram) -> Result<Box<dyn LoadedProgram>, DeviceError>;

    /// Memory for a variable that runs update, holding a copy of these bytes.
    ///
    /// # Errors
    /// When memory runs out.
    fn variable(&self, value: &[u8]) -> Result<Box<dyn DeviceBuffer>, DeviceError>;

    /// Memory with a value that no run changes; shared with the tensor where the device can read that.
    ///
    /// # Errors
    /// When memory runs out.
    fn shared(&self, value: &Tensor) -> Result<Box<dyn DeviceBuffer>, DeviceError>;
}

/// A program that is ready to run, by any number of threads at the same time.
pub trait LoadedProgram: Send + Sync {
    /// Runs the program; outputs and variables are written when this returns. Makes no heap allocation once as many runs as now
    /// went on at the same time before.
    ///
    /// # Errors
    /// When memory for the run is not to be had; nothing has run then.
    ///
    /// # Safety
    /// Inputs, outputs and variables must be those of the program's signature, in order, of its types; the variables must be
    /// alive, of the device that loaded the program, and nobody else may use those that it updates during the run.
    unsafe fn run(
        &self,
        inputs: &[TensorView<'_>],
        outputs: &mut [TensorViewMut<'_>],
        variables: &[Address],
    ) -> Result<(), DeviceError>;

    /// Starts a run into memory of its own. The inputs are taken in when this returns; variables are in use until the outputs are
    /// collected.
    ///
    /// # Errors
    /// As [`LoadedProgram::run`].
    ///
    /// # Safety
    /// As [`LoadedProgram::run`], for as long as the ticket is not collected.
    unsafe fn submit(&self, inputs: &[TensorView<'_>], variables: &[Address]) -> Result<Box<dyn Ticket>, DeviceError>;
}

/// A run that was submitted.
pub trait Ticket: Send {
    /// Waits for the run and gives its outputs, in the order of the signature.
    ///
    /// # Errors
    /// What went wrong in the run.
    fn collect(self: Box<Self>) -> Result<Vec<Arc<dyn Storage>>, DeviceError>;
}

/// The memory of one variable.
pub trait DeviceBuffer: Send + Sync {
    /// Where it is, as the device's programs know it. Stays the same as long as the buffer lives.
    fn address(&self) -> Address;

    /// Copies its contents; the lengths are the same.
    ///
    /// # Errors
    /// When the device fails.
    fn read(&self, into: &mut [u8]) -> Result<(), DeviceError>;

    /// Overwrites its contents; the lengths are the same.
    ///
    /// # Errors
    /// When the device fails, or the buffer is shared.
    fn write(&mut self, from: &[u8]) -> Result<(), DeviceError>;

    /// Its contents, where the host can read them in place.
    fn host(&self) -> Option<&[u8]>;
}

/// An address in a device's memory.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub *mut u8);

// SAFETY: an address is a number to everyone but the device; who runs a program with it vouches for the memory.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

/// Why a device could not do what it was asked to.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeviceError {
    /// None of the code there is runs here: for each target what is missing.
    Target(Vec<(Target, String)>),
    /// Memory could not be had.
    Memory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// Threads could not be started.
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's error.
        source: std::io::Error,
    },
    /// The system refused executable memory.
    CodePages(std::io::Error),
    /// Program, constants and code do not belong together: a defect of whoever made them.
    Program(InvalidProgram),
    /// A buffer that is shared with others was to be written.
    Shared,
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceError::Target(targets) => {
                f.write_str("none of the compiled targets runs on this machine: ")?;
                let each: Vec<String> =
                    targets.iter().map(|(target, lacks)| format!("for {target} it lacks {lacks}")).collect();
                f.write_str(&each.join("; "))
            }
            DeviceError::Memory { bytes } => write!(f, "{bytes} bytes of memory could not be had"),
            DeviceError::Threads { threads, source } => write!(f, "starting {threads} threads: {source}"),
            DeviceError::CodePages(source) => write!(f, "executable memory: {source}"),
            DeviceError::Program(e) => e.fmt(f),
            DeviceError::Shared => f.write_str("the buffer is shared and cannot be written"),
        }
    }
}

impl std::error::Error for DeviceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DeviceError::Threads { source, .. } | DeviceError::CodePages(source) => Some(source),
            DeviceError::Program(e) => Some(e),
            DeviceError::Target(_) | DeviceError::Memory { .. } | DeviceError::Shared => None,
        }
    }
}

impl DeviceError {
    /// Memory of this size could not be had, for whichever reason.
    pub(crate) fn memory(bytes: usize) -> impl Fn(TensorError) -> DeviceError {
        move |_| DeviceError::Memory { bytes: bytes as u64 }
    }
}

/// The best of several programs for a device, each for another target: its place.
///
/// # Errors
/// When none runs there.
pub fn best(device: &dyn Device, variants: &[CompiledProgram]) -> Result<usize, DeviceError> {
    let mut lacking = Vec::new();
    let mut found: Option<(u32, usize)> = None;
    for (i, variant) in variants.iter().enumerate() {
        let target = variant.code.target();
        match device.accepts(&target) {
            Ok(score) if found.is_none_or(|(best, _)| score > best) => found = Some((score, i)),
            Ok(_) => {}
            Err(lacks) => lacking.push((target, lacks)),
        }
    }
    found.map(|(_, i)| i).ok_or(DeviceError::Target(lacking))
}
