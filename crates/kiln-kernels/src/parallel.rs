//! How library kernels divide their work.

use crate::abi::RunContext;
use crate::pool::ThreadPool;

/// The threads a library kernel may use.
#[derive(Clone, Copy)]
pub(crate) struct Threads<'a>(Option<&'a ThreadPool>);

impl<'a> Threads<'a> {
    /// The threads of a run.
    ///
    /// # Safety
    /// `ctx` is null or points at a context whose pool is null or outlives `'a`.
    pub(crate) unsafe fn of(ctx: *const RunContext) -> Threads<'a> {
        // SAFETY: as above.
        Threads(unsafe { ctx.as_ref().and_then(|ctx| ctx.pool.as_ref()) })
    }

    /// The calling thread alone.
    pub(crate) fn none() -> Threads<'a> {
        Threads(None)
    }

    /// How many threads there are.
    pub(crate) fn count(self) -> usize {
        self.0.map_or(1, ThreadPool::threads)
    }

    /// See [`ThreadPool::parallel_for`].
    pub(crate) fn run<F: Fn(usize, usize) + Sync>(self, extent: usize, grain: usize, body: &F) {
        match self.0 {
            Some(pool) => {
                pool.parallel_for(extent as u64, grain as u64, &|start, end| body(start as usize, end as usize));
            }
            None if extent > 0 => body(0, extent),
            None => {}
        }
    }
}
