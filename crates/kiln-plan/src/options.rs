//! What planning may do.

use crate::model::FusionLimits;

/// Choices of planning.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanOptions {
    /// Nodes fuse; otherwise each is a group of its own.
    pub fuse: bool,
    /// Limits of fusion in place of the machine's.
    pub limits: Option<FusionLimits>,
    /// Reorder groups for low peak memory.
    pub schedule: bool,
}

impl Default for PlanOptions {
    /// Everything, within the machine's limits.
    fn default() -> PlanOptions {
        PlanOptions { fuse: true, limits: None, schedule: true }
    }
}
