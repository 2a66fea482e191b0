//! Targets, launch shapes, and the choice of how a kernel maps to threads.

use crate::error::PtxError;
use kiln_loops::ir::for_each_stmt;
use kiln_loops::{AxisId, Kernel, Loop, LoopKind, Stmt};

/// A GPU architecture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PtxTarget {
    /// Compute capability as in `sm_80`.
    pub sm: u32,
}

impl PtxTarget {
    /// The lowest PTX version (major, minor) that knows the target.
    ///
    /// # Errors
    /// [`PtxError::UnknownTarget`]; older than sm_80 lacks `max.NaN`.
    pub fn version(&self) -> Result<(u32, u32), PtxError> {
        match self.sm {
            80 => Ok((7, 0)),
            86 => Ok((7, 1)),
            87 => Ok((7, 4)),
            89 | 90 => Ok((7, 8)),
            100 => Ok((8, 6)),
            120 => Ok((8, 7)),
            103 | 121 => Ok((8, 8)),
            sm => Err(PtxError::UnknownTarget(sm)),
        }
    }

    /// The first lines of a module.
    ///
    /// # Errors
    /// [`PtxError::UnknownTarget`].
    pub fn header(&self) -> Result<String, PtxError> {
        let (major, minor) = self.version()?;
        Ok(format!(".version {major}.{minor}\n.target sm_{}\n.address_size 64\n", self.sm))
    }
}

/// How to launch an entry. It is right for this shape only in the number of threads: the grid may be smaller or larger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaunchShape {
    /// Blocks, along x.
    pub blocks: u32,
    /// Threads of a block, along x: a multiple of 32, and fixed.
    pub threads: u32,
    /// Bytes of static shared memory of a block.
    pub shared_bytes: u32,
}

/// Most threads of a block.
const MAX_THREADS: u64 = 256;
/// Most blocks: enough to fill every GPU several times over, the rest is done by the loops over the grid.
const MAX_BLOCKS: u64 = 1 << 15;
/// Static shared memory of a block.
const SHARED_LIMIT: u64 = 48 << 10;
/// Local memory of a thread that is still sensible.
const LOCAL_LIMIT: u64 = 16 << 10;

/// How iterations map to threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// One thread per element of the parallel axis (if any, with its extent) times the vector axis (likewise).
    Flat {
        /// The parallel loop.
        parallel: Option<(AxisId, u64)>,
        /// The vector loop.
        vector: Option<(AxisId, u64)>,
    },
    /// One block per iteration of the parallel axis, if any.
    Blocks {
        /// The parallel loop.
        parallel: Option<(AxisId, u64)>,
    },
}

/// Everything decided before emission.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub mode: Mode,
    pub shape: LaunchShape,
    /// Bytes of shared memory for the partial results of warps, 0 when there are none.
    pub partials: u32,
}

fn for_each_loop(stmts: &[Stmt], f: &mut impl FnMut(&Loop)) {
    for_each_stmt(stmts, &mut |s| {
        if let Stmt::Loop(l) = s {
            f(l);
        }
    });
}

/// The vector loop of statements that are definitions and then this loop, without reductions.
fn only_vector(stmts: &[Stmt]) -> Option<&Loop> {
    let (last, before) = stmts.split_last()?;
    match last {
        Stmt::Loop(l)
            if l.kind == LoopKind::Vector
                && l.reductions.is_empty()
                && before.iter().all(|s| matches!(s, Stmt::Let { .. })) =>
        {
            Some(l)
        }
        _ => None,
    }
}

fn mode(kernel: &Kernel) -> Mode {
    let (parallel, body) = match kernel.body.as_slice() {
        [Stmt::Loop(l)] if l.kind == LoopKind::Parallel => (Some((l.axis, l.extent)), l.body.as_slice()),
        body => (None, body),
    };
    let mut vectors = 0;
    for_each_loop(body, &mut |l| vectors += usize::from(l.kind == LoopKind::Vector));
    let counts = |n: u64| n <= i32::MAX as u64;
    let rows = parallel.map_or(1, |p| p.1);
    if vectors == 0 && counts(rows) {
        return Mode::Flat { parallel, vector: None };
    }
    if let Some(l) = only_vector(body)
        && rows.checked_mul(l.extent).is_some_and(counts)
    {
        return Mode::Flat { parallel, vector: Some((l.axis, l.extent)) };
    }
    Mode::Blocks { parallel }
}

/// Decides how a kernel (expanded and simplified) runs.
pub(crate) fn plan(kernel: &Kernel) -> Result<Plan, PtxError> {
    let name = || kernel.name.clone();
    let (mut longest, mut widest, mut folds) = (0, 0, false);
    for_each_loop(&kernel.body, &mut |l| {
        longest = longest.max(l.extent);
        if l.kind == LoopKind::Vector {
            widest = widest.max(l.extent);
            folds |= !l.reductions.is_empty();
        }
    });
    if longest > i32::MAX as u64 {
        return Err(PtxError::LoopTooLong { kernel: name(), extent: longest });
    }
    let scratch: u64 =
        kernel.locals.iter().map(|l| l.len.saturating_mul(l.dtype.size() as u64).next_multiple_of(16)).sum();
    let warps_of = |n: u64| n.clamp(1, MAX_THREADS).next_multiple_of(32);
    let mode = mode(kernel);
    let (threads, blocks, partials) = match mode {
        Mode::Flat { parallel, vector } => {
            let total = parallel.map_or(1, |p| p.1) * vector.map_or(1, |v| v.1);
            let threads = warps_of(total);
            (threads, total.div_ceil(threads), 0)
        }
        Mode::Blocks { parallel } => {
            let threads = warps_of(widest);
            // One slot of 8 bytes per warp.
            let partials = if folds && threads > 32 { threads / 32 * 8 } else { 0 };
            (threads, parallel.map_or(1, |p| p.1), partials)
        }
    };
    let (needed, limit) = match mode {
        Mode::Flat { .. } => (scratch, LOCAL_LIMIT),
        Mode::Blocks { .. } => (scratch + partials, SHARED_LIMIT),
    };
    if needed > limit {
        return Err(PtxError::TooMuchScratch { kernel: name(), bytes: needed, limit });
    }
    let shared = if matches!(mode, Mode::Flat { .. }) { 0 } else { needed };
    let shape = LaunchShape {
        blocks: blocks.clamp(1, MAX_BLOCKS) as u32,
        threads: threads as u32,
        shared_bytes: shared as u32,
    };
    Ok(Plan { mode, shape, partials: partials as u32 })
}
