//! Accuracy: every function measured over sweeps of its arguments, against references in double-double, with the bounds of the
//! specification. `cargo xtask accuracy` writes the table of `docs/accuracy.md` from it.

pub mod complex;
pub mod dd;
pub mod elementary;
pub mod evaluate;
pub mod format;
pub mod functions;
pub mod measure;
pub mod report;
pub mod special;
pub mod sweep;
pub mod trig;

use complex::ComplexRow;
use evaluate::Backend;
use format::{BF16, F16, F32, F64};
use measure::Row;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use sweep::Density;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many points.
    pub density: Density,
    /// All 2^32 arguments of functions of one f32.
    pub exhaustive: bool,
    /// Only functions whose name contains this.
    pub only: Option<String>,
    /// Which evaluations.
    pub backends: Vec<Backend>,
    /// Threads.
    pub threads: usize,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Functions of real numbers, in the order of the table.
    pub real: Vec<Row>,
    /// Functions of complex numbers.
    pub complex: Vec<ComplexRow>,
}

impl Results {
    /// The rows that exceed their bounds.
    pub fn exceeded(&self) -> Vec<String> {
        let real = self.real.iter().filter(|r| !r.holds()).map(Row::to_string);
        real.chain(self.complex.iter().filter(|r| !r.holds()).map(ComplexRow::to_string)).collect()
    }
}

/// Measures everything that a plan asks for.
///
/// # Errors
/// The first thing that cannot be compiled or run.
pub fn run(plan: &Plan) -> Result<Results, String> {
    let spec = kiln_spec::load();
    let wanted = |name: &str| plan.only.as_ref().is_none_or(|o| name.contains(o.as_str()));
    let mut tasks = vec![];
    for f in functions::FUNCTIONS.iter().filter(|f| wanted(f.name)) {
        for format in [F32, F64, F16, BF16] {
            // Half precision goes through f32 on every backend.
            let backends = plan.backends.iter().filter(|&&b| format.bytes > 2 || b != Backend::WithoutFma);
            tasks.extend(backends.map(|&b| (f, format, b)));
        }
    }
    let real = in_parallel(&tasks, plan.threads, |&(f, format, backend)| {
        match plan.exhaustive && format == F32 && f.arity() == 1 && backend == Backend::Compiled {
            true => measure::exhaustive(f, backend, &spec),
            false => measure::measure(f, format, backend, plan.density, &spec),
        }
    })?;
    let mut tasks = vec![];
    for f in complex::FUNCTIONS.iter().filter(|f| wanted(f.name)) {
        tasks.extend([F32, F64].iter().flat_map(|&format| plan.backends.iter().map(move |&b| (f, format, b))));
    }
    let complex = in_parallel(&tasks, plan.threads, |&(f, format, backend)| {
        complex::measure(f, format, backend, plan.density, &spec)
    })?;
    Ok(Results { real, complex })
}

/// The results of all tasks in their order, or the first error.
fn in_parallel<T: Sync, R: Send>(
    tasks: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let results: Vec<Mutex<Option<Result<R, String>>>> = tasks.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|s| {
        for _ in 0..threads.max(1) {
            s.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(i) else { break };
                    *results[i].lock().expect("no thread panics with the lock") = Some(work(task));
                }
            });
        }
    });
    let done = |r: Mutex<Option<Result<R, String>>>| r.into_inner().expect("no thread panicked");
    results.into_iter().map(|r| done(r).expect("every task is run")).collect()
}
