//! The thread pool: a fixed budget of threads that divides ranges among themselves.
//!
//! One range is in progress at a time. The thread that asks takes part in the work; the workers join it, claim pieces
//! of the range from an atomic counter and park again. A second thread that asks meanwhile, and any call from inside
//! a running piece, runs its range on its own thread: nothing queues, so nothing waits for someone else's work and
//! nothing can deadlock. A call allocates no memory.
//!
//! Idle workers sleep on a condition variable after a spin of a few microseconds that catches back-to-back kernels.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Most threads a pool may have; more is taken for a mistake.
pub const MAX_THREADS: usize = 1024;

/// Rounds of `spin_loop` before sleeping: a few microseconds on current processors.
const SPIN_ROUNDS: u32 = 150;

/// Pieces per thread when the grain allows: enough to even out threads that start late.
const PIECES_PER_THREAD: u64 = 4;

thread_local! {
    /// Whether this thread is running a piece of some range: calls from there run inline.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The number of threads that can run at once here, at least 1: the processors this process may use (its affinity
/// mask), further limited by the CPU quota of its control group (v1 or v2).
///
/// The standard library reads both, so this only adds the fallback of 1 where the system does not say.
pub fn available_parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// The body of a parallel loop, with its type erased: `call(body, start, end)`.
#[derive(Clone, Copy)]
struct Job {
    body: *const (),
    call: unsafe fn(*const (), u64, u64),
    extent: u64,
    piece: u64,
    pieces: u64,
}

// SAFETY: `body` points at a `Sync` closure that outlives the job: `parallel_for` returns only when no worker holds
// the job any more.
unsafe impl Send for Job {}

/// What the workers and the calling thread agree on, under one lock.
#[derive(Default)]
struct State {
    /// The range in progress, as long as workers may still join it.
    job: Option<Job>,
    /// Workers still wanted for the job.
    wanted: usize,
    /// Workers that hold a copy of the job.
    running: usize,
    /// A panic of a body on a worker, passed on to the caller.
    panic: Option<Box<dyn Any + Send>>,
    /// Workers that have begun to wait for jobs.
    started: usize,
    /// The pool is being dropped.
    stop: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when there is a job or the pool stops.
    work: Condvar,
    /// Signalled when the last running worker has left a job, and when a worker has started.
    idle: Condvar,
    /// Next unclaimed piece.
    next: AtomicU64,
    /// Number of jobs started so far: what spinning workers watch.
    epoch: AtomicUsize,
    /// Copy of `State::running` that the caller can spin on.
    running: AtomicUsize,
    /// Whether a range is in progress.
    busy: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims and runs pieces until none is left; a panic of the body comes back as an error.
    fn run_pieces(&self, job: Job) -> Result<(), Box<dyn Any + Send>> {
        INSIDE.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                if index >= job.pieces {
                    return;
                }
                let start = index * job.piece;
                let end = job.extent.min(start.saturating_add(job.piece));
                // SAFETY: the body outlives the job (see `Job`), and pieces are disjoint.
                unsafe { (job.call)(job.body, start, end) };
            }
        }));
        INSIDE.set(false);
        if result.is_err() {
            // Nobody needs the rest.
            self.next.store(job.pieces, Ordering::Relaxed);
        }
        result
    }

    fn work_loop(&self) {
        let mut state = self.lock();
        state.started += 1;
        self.idle.notify_one();
        loop {
            if state.stop {
                return;
            }
            if let (Some(job), true) = (state.job, state.wanted > 0) {
                state.wanted -= 1;
                state.running += 1;
                self.running.store(state.running, Ordering::Relaxed);
                drop(state);
                let result = self.run_pieces(job);
                state = self.lock();
                if let Err(panic) = result {
                    state.panic.get_or_insert(panic);
                }
                state.running -= 1;
                self.running.store(state.running, Ordering::Release);
                if state.running == 0 {
                    self.idle.notify_one();
                }
                let seen = self.epoch.load(Ordering::Relaxed);
                drop(state);
                spin_until(|| self.epoch.load(Ordering::Relaxed) != seen);
                state = self.lock();
            } else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Runs `job` on this thread and the workers that come in time.
    fn run(&self, job: Job, helpers: usize) {
        {
            let mut state = self.lock();
            self.next.store(0, Ordering::Relaxed);
            state.job = Some(job);
            state.wanted = helpers;
            self.epoch.fetch_add(1, Ordering::Relaxed);
        }
        for _ in 0..helpers {
            self.work.notify_one();
        }
        let mine = self.run_pieces(job);
        let mut state = self.lock();
        state.job = None;
        state.wanted = 0;
        if state.running > 0 {
            drop(state);
            spin_until(|| self.running.load(Ordering::Acquire) == 0);
            state = self.lock();
            while state.running > 0 {
                state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let panic = state.panic.take().or(mine.err());
        drop(state);
        self.busy.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

fn spin_until(condition: impl Fn() -> bool) {
    for _ in 0..SPIN_ROUNDS {
        if condition() {
            return;
        }
        core::hint::spin_loop();
    }
}

/// A budget of threads for running parallel loops: the calling thread and parked workers.
///
/// A pool is `Send + Sync`; many threads may call [`ThreadPool::parallel_for`] at once. The first gets the workers,
/// the others meanwhile run their ranges serially on their own threads.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// let pool = kiln_kernels::ThreadPool::new(2)?;
/// let sum = AtomicU64::new(0);
/// pool.parallel_for(1000, 64, &|start, end| {
///     sum.fetch_add((start..end).sum(), Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 499500);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl core::fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ThreadPool").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

impl ThreadPool {
    /// A pool of `threads` threads in all, the calling one included: it starts `threads - 1` workers. 0 means
    /// [`available_parallelism`].
    ///
    /// # Errors
    /// More than [`MAX_THREADS`], or the system cannot start a thread.
    pub fn new(threads: usize) -> io::Result<ThreadPool> {
        let threads = if threads == 0 { available_parallelism().min(MAX_THREADS) } else { threads };
        if threads > MAX_THREADS {
            let message = format!("a pool of {threads} threads was asked for; the limit is {MAX_THREADS}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut pool = ThreadPool { shared: Arc::new(Shared::default()), workers: Vec::with_capacity(threads - 1) };
        for index in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let builder = std::thread::Builder::new().name(format!("kiln-{index}"));
            // When a start fails, dropping the pool stops the workers started so far.
            pool.workers.push(builder.spawn(move || shared.work_loop())?);
        }
        // A thread allocates while it starts. Waiting for it here keeps that out of the runs to come.
        let mut state = pool.shared.lock();
        while state.started < pool.workers.len() {
            state = pool.shared.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        Ok(pool)
    }

    /// Number of threads that can work on one range, the calling one included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `body(start, end)` over disjoint pieces that together make `[0, extent)`; returns when all are done.
    ///
    /// Pieces are at least `grain` long (0 counts as 1), except the last; which thread runs which piece, and how the
    /// range is divided, is not fixed. The calling thread takes part. Runs serially, as one piece, when the range is
    /// too short, when called from inside a piece (of any pool), or while another thread's range is in progress.
    ///
    /// # Panics
    /// When `body` panics: the pieces not yet claimed are left out, and the (first) panic goes on in the caller after
    /// every worker has left the body.
    pub fn parallel_for<F: Fn(u64, u64) + Sync>(&self, extent: u64, grain: u64, body: &F) {
        /// # Safety
        /// `body` points at a live `F`.
        unsafe fn call<F: Fn(u64, u64)>(body: *const (), start: u64, end: u64) {
            // SAFETY: see above.
            unsafe { (*body.cast::<F>())(start, end) }
        }

        if extent == 0 {
            return;
        }
        let threads = self.threads() as u64;
        let piece = grain.max(1).max(extent.div_ceil(threads * PIECES_PER_THREAD));
        let pieces = extent.div_ceil(piece);
        let alone = threads == 1 || pieces == 1 || INSIDE.get();
        if alone || self.shared.busy.swap(true, Ordering::Acquire) {
            body(0, extent);
            return;
        }
        let helpers = (threads.min(pieces) - 1) as usize;
        let job = Job { body: (&raw const *body).cast(), call: call::<F>, extent, piece, pieces };
        self.shared.run(job, helpers);
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of bodies, so it ends normally; were it not so, there is nothing to do here.
            let _ = worker.join();
        }
    }
}
