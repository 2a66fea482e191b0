//! What a program does, step by step.

use crate::BufferId;
use smallvec::{SmallVec, smallvec};

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Runs a generated kernel over its parallel extent.
    Launch {
        /// Which kernel.
        kernel: u32,
        /// One buffer per kernel parameter.
        args: Vec<BufferId>,
    },
    /// Calls one of the target's own kernels.
    Call {
        /// Which call site.
        call: u32,
        /// Operands, outputs, then the tables and the workspace where the site has them.
        args: Vec<BufferId>,
    },
    /// Copies a whole buffer to another of the same size (no overlap).
    Copy {
        /// From.
        src: BufferId,
        /// To.
        dst: BufferId,
    },
    /// Runs `cond`, then, while `pred` holds 1, `body` and `cond` again.
    While {
        /// Computes `pred`.
        cond: Vec<Step>,
        /// One bool.
        pred: BufferId,
        /// The iteration.
        body: Vec<Step>,
    },
    /// Runs one branch.
    If {
        /// One bool.
        pred: BufferId,
        /// When 1.
        then: Vec<Step>,
        /// When 0.
        otherwise: Vec<Step>,
    },
    /// Runs the branch of this index; out of range: the last.
    Case {
        /// One i32.
        index: BufferId,
        /// At least one branch.
        branches: Vec<Vec<Step>>,
    },
}

impl Step {
    /// The buffers that the step itself touches, those of steps inside it not included.
    pub fn buffers(&self) -> SmallVec<[BufferId; 4]> {
        match self {
            Step::Launch { args, .. } | Step::Call { args, .. } => SmallVec::from_slice(args),
            Step::Copy { src, dst } => smallvec![*src, *dst],
            Step::While { pred: scalar, .. } | Step::If { pred: scalar, .. } | Step::Case { index: scalar, .. } => {
                smallvec![*scalar]
            }
        }
    }

    /// The lists of steps inside it: of a loop its condition and its body, of a branch its alternatives.
    pub fn children(&self) -> SmallVec<[&[Step]; 2]> {
        match self {
            Step::Launch { .. } | Step::Call { .. } | Step::Copy { .. } => smallvec![],
            Step::While { cond: first, body: second, .. } | Step::If { then: first, otherwise: second, .. } => {
                smallvec![&first[..], &second[..]]
            }
            Step::Case { branches, .. } => branches.iter().map(Vec::as_slice).collect(),
        }
    }
}

/// Visits all steps, each before those inside of it.
pub fn walk<'s>(steps: &'s [Step], visit: &mut dyn FnMut(&'s Step)) {
    for step in steps {
        visit(step);
        step.children().into_iter().for_each(|inner| walk(inner, visit));
    }
}
