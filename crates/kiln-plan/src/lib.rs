//! Planning: what runs together, in which order, by which calls, and where it keeps its values.
//!
//! [`plan`] takes a legal function and the model of a machine. It partitions the function into groups ([`fusion`]), finds the
//! parameters of calls ([`calls`]), orders the groups for low peak memory ([`schedule`]), and says which values share memory and
//! when each is read last ([`region`]). What comes out, [`Planned`], is all that lowering needs; [`arena`] places the buffers
//! that lowering then makes. Nothing here changes a function.

pub mod arena;
pub mod calls;
pub mod fusion;
pub mod model;
mod options;
pub mod region;
pub mod schedule;
mod text;

pub use model::{CallLibrary, FusionLimits, MachineModel};
pub use options::PlanOptions;
pub use region::{Region, Root};

use kiln_ir::{Diagnostics, Legal, OutputKind};

/// A function with its plan for a machine.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The function.
    pub func: Legal,
    /// Its plan, with those of nested functions inside.
    pub region: Region,
    /// The machine, with the limits that were planned with.
    pub machine: MachineModel,
}

/// Plans a function for a machine. Deterministic.
///
/// # Errors
/// A call for whose parameters the machine has no kernel, with its source line.
pub fn plan(func: Legal, machine: &MachineModel, options: &PlanOptions) -> Result<Planned, Diagnostics> {
    let mut machine = machine.clone();
    if let Some(limits) = options.limits {
        machine.fusion = limits;
    }
    let updates = func.outputs.iter().map(|output| match output.kind {
        OutputKind::Fetch => None,
        OutputKind::Update(input) => Some(input),
    });
    let region = Region::new(&func, &machine, options, updates.collect())?;
    Ok(Planned { func, region, machine })
}
