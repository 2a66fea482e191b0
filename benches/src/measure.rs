//! The measuring loop: time to the first result, 20 losses or samples of the output, then the steady state.

use crate::models::function;
use crate::table::Workload;
use kiln::prelude::*;
use kiln::runtime::MemoryReport;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Losses that are recorded of a training workload.
pub const TRACE_STEPS: usize = 20;
/// Samples of an output that are recorded.
const SAMPLES: usize = 16;

/// What is measured and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads of a run.
    pub threads: usize,
    /// Time of the steady state.
    pub min_time: Duration,
    /// Fewest calls of the steady state.
    pub min_reps: usize,
}

/// A sample of an output.
#[derive(Serialize, Debug)]
pub struct Check {
    /// Number of elements.
    pub size: usize,
    /// Mean of the absolute values.
    pub absmean: f64,
    /// Evenly spaced elements.
    pub sample: Vec<f64>,
}

/// One row of results; times in the unit that the name ends in.
#[derive(Serialize, Debug)]
pub struct Row {
    workload: String,
    peer: &'static str,
    threads: usize,
    cpus: Vec<usize>,
    load: f64,
    versions: Versions,
    import_s: f64,
    rss_import_mb: f64,
    first_s: f64,
    rss_first_peak_mb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
    rss_steady_peak_mb: f64,
    reps: usize,
    ms: f64,
    cpu_ms: f64,
    ms_min: f64,
    ms_p90: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gflops: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gbs: Option<f64>,
    compile_s: f64,
    kernels: usize,
    arena_bytes: u64,
    lower_bound_bytes: u64,
}

#[derive(Serialize, Debug)]
struct Versions {
    kiln: &'static str,
}

impl Row {
    /// Median time of a call in milliseconds.
    pub fn ms(&self) -> f64 {
        self.ms
    }
    /// The recorded losses.
    pub fn trace(&self) -> Option<&[f64]> {
        self.trace.as_deref()
    }
    /// A line for people.
    pub fn summary(&self) -> String {
        let rate = match (self.gflops, self.gbs) {
            (Some(g), _) => format!("{g:8.2} GFLOP/s"),
            (None, Some(g)) => format!("{g:8.2} GB/s"),
            (None, None) => String::new(),
        };
        format!(
            "{:<18} {} thread(s): {:10.4} ms (min {:.4}), {rate}, compile {:.1} ms, {} kernels, arena {:.2} MB ({:.3} x bound)",
            self.workload,
            self.threads,
            self.ms,
            self.ms_min,
            self.compile_s * 1e3,
            self.kernels,
            self.arena_bytes as f64 / 1e6,
            self.arena_bytes as f64 / self.lower_bound_bytes.max(1) as f64
        )
    }
}

/// A field of `/proc/self/status` in MB; 0 where there is none.
fn memory_mb(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(field) && l[field.len()..].starts_with(':'));
    let kb: f64 = line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0.0);
    (kb / 102.4).round() / 10.0
}

fn reset_peak() {
    // Only Linux has it; elsewhere the peak is that of the whole process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|t| t.parse().ok()).unwrap_or(0.0)
}

fn cpu_time() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid place for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// A workload ready to be called.
struct Call<'w> {
    w: &'w Workload,
    session: Session,
    inputs: Vec<Vec<TensorView<'w>>>,
    output: Vec<f32>,
    shape: Vec<usize>,
}

impl<'w> Call<'w> {
    fn new(w: &'w Workload, exe: &Executable) -> Result<Call<'w>, Box<dyn std::error::Error>> {
        let order = |named: &[(&str, &'w Tensor)]| -> Result<Vec<TensorView<'w>>, String> {
            let find = |port: &kiln::runtime::Port| {
                let found = named.iter().find(|(n, _)| *n == port.name);
                found.map(|(_, t)| TensorView::from(*t)).ok_or(format!("no data for input {}", port.name))
            };
            exe.signature().inputs.iter().map(find).collect()
        };
        let mut inputs = Vec::new();
        for (x, y) in &w.batches {
            inputs.push(order(&[("x", x), ("y", y)])?);
        }
        if inputs.is_empty() {
            let named: Vec<(&str, &Tensor)> = ["x", "b"].into_iter().zip(&w.inputs).collect();
            inputs.push(order(&named)?);
        }
        let shape = exe.signature().outputs[0].shape.as_sizes().ok_or("the workloads have fixed sizes")?.to_vec();
        let output = vec![0.0; shape.iter().product()];
        Ok(Call { w, session: Session::new(exe)?, inputs, output, shape })
    }

    fn run(&mut self, i: usize) -> Result<(), RunError> {
        let inputs = &self.inputs[i % self.inputs.len()];
        let mut out = [TensorViewMut::new(&self.shape, &mut self.output)?];
        self.session.run_into(inputs, &mut out)
    }

    fn check(&self) -> Check {
        let y = &self.output;
        let at = |i: usize| y[(i as f64 * (y.len() - 1) as f64 / (SAMPLES - 1) as f64) as usize];
        Check {
            size: y.len(),
            absmean: y.iter().map(|v| f64::from(v.abs())).sum::<f64>() / y.len() as f64,
            sample: (0..SAMPLES).map(|i| f64::from(at(i))).collect(),
        }
    }
}

/// Compiles and measures a workload.
///
/// # Errors
/// Whatever keeps it from compiling or running.
pub fn measure(w: &Workload, options: &Options, cpus: Vec<usize>) -> Result<Row, Box<dyn std::error::Error>> {
    let load = load_average();
    let rss_import_mb = memory_mb("VmRSS");
    let start = Instant::now();
    let exe = Compiler::cpu().threads(options.threads).compile(&function(w))?;
    let compile_s = start.elapsed().as_secs_f64();
    let mut call = Call::new(w, &exe)?;
    call.run(0)?;
    let first_s = start.elapsed().as_secs_f64();
    let rss_first_peak_mb = memory_mb("VmHWM");

    let mut n = 1;
    let (mut trace, mut check) = (None, None);
    if call.w.batches.is_empty() {
        check = Some(call.check());
        let warm = Instant::now();
        while n < 4 || (n < 200 && warm.elapsed() < options.min_time.min(Duration::from_secs(2)) / 4) {
            call.run(n)?;
            n += 1;
        }
    } else {
        let mut losses = vec![f64::from(call.output[0])];
        while n < TRACE_STEPS {
            call.run(n)?;
            losses.push(f64::from(call.output[0]));
            n += 1;
        }
        trace = Some(losses);
    }

    reset_peak();
    let (begin, cpu) = (Instant::now(), cpu_time());
    let mut times = Vec::new();
    while times.len() < options.min_reps || (begin.elapsed() < options.min_time && times.len() < 1_000_000) {
        let t = Instant::now();
        call.run(n)?;
        times.push(t.elapsed().as_secs_f64() * 1e3);
        n += 1;
    }
    let cpu_ms = (cpu_time() - cpu).as_secs_f64() * 1e3 / times.len() as f64;
    times.sort_by(f64::total_cmp);
    let ms = times[times.len() / 2];
    let memory: MemoryReport = exe.memory()[0];
    let mut kernels = 0;
    exe.programs().iter().for_each(|p| kernels = p.program().kernels.len() + p.program().calls.len());
    let round = |x: f64| (x * 100.0).round() / 100.0;
    Ok(Row {
        workload: w.key.clone(),
        peer: "kiln",
        threads: options.threads,
        cpus,
        load,
        versions: Versions { kiln: env!("CARGO_PKG_VERSION") },
        import_s: 0.0,
        rss_import_mb,
        first_s,
        rss_first_peak_mb,
        trace,
        check,
        rss_steady_peak_mb: memory_mb("VmHWM"),
        reps: times.len(),
        ms,
        cpu_ms,
        ms_min: times[0],
        ms_p90: times[times.len() * 9 / 10],
        gflops: w.flops.map(|f| round(f / ms / 1e6)),
        gbs: w.bytes.map(|b| round(b / ms / 1e6)),
        compile_s,
        kernels,
        arena_bytes: memory.arena,
        lower_bound_bytes: memory.lower_bound,
    })
}
