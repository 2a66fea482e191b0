//! Compiling a whole program.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kiln_loops::analysis::{self, BodyCall};
use kiln_loops::math::MathOptions;
use kiln_loops::{Kernel, Verified};
use kiln_program::{Blob, NativeCode, Program};

use crate::CpuOptions;
use crate::emitter::{KernelEmitter, MachineCode, Worker, emitters};
use crate::entry;
use crate::error::CompileError;
use crate::link::Image;
use crate::target::{Use, build_machine};

/// What compiling one kernel took and gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelReport {
    /// The kernel's name.
    pub name: String,
    /// Name of the emitter that compiled it.
    pub emitter: &'static str,
    /// How many of its loops other emitters compiled.
    pub bodies: usize,
    /// Time of compiling it.
    pub time: Duration,
    /// Bytes of code and constants, loops of other emitters included.
    pub bytes: usize,
    /// Intermediate form and assembly, if asked for.
    pub dump: Option<String>,
}

/// What compiling a program took and gave.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CompileReport {
    /// One entry per kernel.
    pub kernels: Vec<KernelReport>,
    /// Time of compiling the entry function.
    pub entry_time: Duration,
    /// Functions that the entry consists of.
    pub entry_functions: usize,
    /// Bytes of the entry.
    pub entry_bytes: usize,
}

/// Compiles a program with its kernels (in the order of [`Program::kernels`]).
///
/// Scalar operators beyond the basic ones (arithmetic, square root, rounding, comparison, bits, conversion) are first expanded
/// into those, as each emitter wants it. The bytes depend only on program, kernels and options, not on the number of compiling
/// threads.
///
/// # Errors
/// A kernel uses something without machine code; the program's steps do not fit its buffers, kernels and calls; the target is
/// not supported.
pub fn compile(
    program: &Program,
    kernels: &[Verified<Kernel>],
    options: &CpuOptions,
) -> Result<(NativeCode, CompileReport), CompileError> {
    check(program, kernels)?;
    let machine = build_machine(options, Use::Entry)?;
    let mut image = Image::default();
    let (offsets, reports) = compile_into(&mut image, &emitters(options)?, kernels, options)?;
    let started = Instant::now();
    let before = image.bytes.len();
    let (entry, entry_functions) = entry::emit(program, &machine, &mut image)?;
    let report = CompileReport {
        kernels: reports,
        entry_time: started.elapsed(),
        entry_functions,
        entry_bytes: image.bytes.len() - before,
    };
    Ok((native(image, entry, offsets, options), report))
}

/// Compiles kernels alone: code whose entry function does nothing. For tests, benchmarks and autotuning.
///
/// # Errors
/// As [`compile`].
pub fn compile_kernels(
    kernels: &[Verified<Kernel>],
    options: &CpuOptions,
) -> Result<(NativeCode, CompileReport), CompileError> {
    compile_kernels_with(&emitters(options)?, kernels, options)
}

/// [`compile_kernels`] by these emitters, the preferred first.
///
/// # Errors
/// As [`compile`].
pub fn compile_kernels_with(
    emitters: &[Box<dyn KernelEmitter + '_>],
    kernels: &[Verified<Kernel>],
    options: &CpuOptions,
) -> Result<(NativeCode, CompileReport), CompileError> {
    let machine = build_machine(options, Use::Entry)?;
    let mut image = Image::default();
    let (offsets, kernels) = compile_into(&mut image, emitters, kernels, options)?;
    let entry = entry::emit_nothing(&machine, &mut image)?;
    Ok((native(image, entry, offsets, options), CompileReport { kernels, ..CompileReport::default() }))
}

fn native(image: Image, entry: u64, kernels: Vec<u64>, options: &CpuOptions) -> NativeCode {
    NativeCode { target: options.target.clone(), bytes: Blob::from(&image.bytes[..]), entry, kernels }
}

fn param_bytes(kernel: &Kernel) -> impl Iterator<Item = u64> {
    kernel.params.iter().map(|p| p.len.saturating_mul(p.dtype.size() as u64))
}

/// Checks the program, and that it describes these kernels.
fn check(program: &Program, kernels: &[Verified<Kernel>]) -> Result<(), CompileError> {
    program.check().map_err(|e| CompileError::Program(e.0))?;
    if program.kernels.len() != kernels.len() {
        let (described, given) = (program.kernels.len(), kernels.len());
        return Err(CompileError::Program(format!("{described} kernels are described, {given} are given")));
    }
    let fits = |(info, kernel): (&kiln_program::KernelInfo, &Verified<Kernel>)| {
        info.extent == kernel.parallel_extent() && info.params.iter().copied().eq(param_bytes(kernel))
    };
    match program.kernels.iter().zip(kernels).find(|&pair| !fits(pair)) {
        Some((info, kernel)) => Err(CompileError::Program(format!(
            "kernel `{}` has extent {} and buffers of {:?} bytes, described are {} and {:?}",
            kernel.name,
            kernel.parallel_extent(),
            param_bytes(kernel).collect::<Vec<_>>(),
            info.extent,
            info.params
        ))),
        None => Ok(()),
    }
}

/// Compiles and places kernels; gives every kernel's offset.
fn compile_into(
    image: &mut Image,
    emitters: &[Box<dyn KernelEmitter + '_>],
    kernels: &[Verified<Kernel>],
    options: &CpuOptions,
) -> Result<(Vec<u64>, Vec<KernelReport>), CompileError> {
    let mut offsets = Vec::with_capacity(kernels.len());
    let mut reports = Vec::with_capacity(kernels.len());
    for (kernel, compiled) in kernels.iter().zip(compile_all(emitters, kernels, options.threads)?) {
        let Compiled { emitter, code, bodies, time } = compiled;
        let offset = image.place(&code.bytes);
        let placed: Vec<usize> = bodies.iter().map(|body| image.place(&body.bytes)).collect();
        for call in code.calls {
            let Some(&target) = placed.get(call.target as usize) else {
                let message = format!("a call of function {} of {}", call.target, placed.len());
                return Err(CompileError::Backend { function: kernel.name.clone(), message });
            };
            image.patch(offset, call, target)?;
        }
        offsets.push(offset as u64);
        let bytes = code.bytes.len() + bodies.iter().map(|b| b.bytes.len()).sum::<usize>();
        let name = kernel.name.clone();
        reports.push(KernelReport { name, emitter, bodies: bodies.len(), time, bytes, dump: code.dump });
    }
    Ok((offsets, reports))
}

/// A kernel's code with that of the loops that it calls.
struct Compiled {
    emitter: &'static str,
    code: MachineCode,
    bodies: Vec<MachineCode>,
    time: Duration,
}

/// Compiles kernels on several threads; the error reported is that of the first failing kernel.
fn compile_all(
    emitters: &[Box<dyn KernelEmitter + '_>],
    kernels: &[Verified<Kernel>],
    threads: usize,
) -> Result<Vec<Compiled>, CompileError> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<Compiled, CompileError>)>> = Mutex::new(Vec::with_capacity(kernels.len()));
    let work = || {
        let workers = emitters.iter().map(|e| (e.as_ref(), e.worker())).collect();
        let mut team = Team { workers };
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(kernel) = kernels.get(i) else { break };
            let result = team.compile(kernel);
            results.lock().unwrap_or_else(|e| e.into_inner()).push((i, result));
        }
    };
    let helpers = threads.min(kernels.len()).saturating_sub(1);
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    results.sort_unstable_by_key(|r| r.0);
    results.into_iter().map(|r| r.1).collect()
}

/// The workers of one thread, in the order of their emitters.
struct Team<'e> {
    workers: Vec<(&'e dyn KernelEmitter, Box<dyn Worker + 'e>)>,
}

impl Team<'_> {
    fn compile(&mut self, kernel: &Verified<Kernel>) -> Result<Compiled, CompileError> {
        let started = Instant::now();
        let Some((chosen, expanded)) = self.choose(kernel, self.workers.len()) else {
            let (kernel, what) = (kernel.name.clone(), "this kind of kernel".to_owned());
            return Err(CompileError::Unsupported { kernel, what });
        };
        let (calls, bodies) = self.compile_bodies(kernel, chosen)?;
        let (emitter, worker) = &mut self.workers[chosen];
        let code = match &calls {
            None => worker.emit(&expanded, &[])?,
            Some((host, calls)) => worker.emit(&host.expanded(emitter.math()), calls)?,
        };
        Ok(Compiled { emitter: emitter.name(), code, bodies, time: started.elapsed() })
    }

    /// The first of so many workers that supports a kernel, and the kernel expanded for it.
    fn choose(&self, kernel: &Verified<Kernel>, most: usize) -> Option<(usize, Verified<Kernel>)> {
        let mut last: Option<(MathOptions, Verified<Kernel>)> = None;
        for (i, (emitter, _)) in self.workers[..most].iter().enumerate() {
            let math = emitter.math();
            let expanded = match last.take() {
                Some((known, expanded)) if known == math => expanded,
                _ => kernel.expanded(math),
            };
            if emitter.supports(&expanded) {
                return Some((i, expanded));
            }
            last = Some((math, expanded));
        }
        None
    }

    /// Offers the straight-line loops of a kernel to the workers before the one that compiles it: the kernel with what calling
    /// those that are taken needs, and their code.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn compile_bodies(
        &mut self,
        kernel: &Verified<Kernel>,
        chosen: usize,
    ) -> Result<(Option<(Verified<Kernel>, Vec<BodyCall>)>, Vec<MachineCode>), CompileError> {
        let (mut taken, mut codes) = (vec![], vec![]);
        for body in if chosen == 0 { vec![] } else { analysis::bodies(kernel) } {
            if let Some((i, expanded)) = self.choose(&body.kernel, chosen) {
                codes.push(self.workers[i].1.emit(&expanded, &[])?);
                taken.push(body);
            }
        }
        Ok((if taken.is_empty() { None } else { Some(analysis::with_calls(kernel, &taken)) }, codes))
    }
}
