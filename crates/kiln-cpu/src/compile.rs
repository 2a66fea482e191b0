//! Compiling a whole program.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kiln_loops::Kernel;
use kiln_loops::math::{MathOptions, expand_with};
use kiln_loops::verify::verify;
use kiln_program::{Blob, NativeCode, Program};

use crate::CpuOptions;
use crate::emitter::clif::CraneliftEmitter;
use crate::emitter::{KernelEmitter, MachineCode, Scratch};
use crate::entry;
use crate::error::CompileError;
use crate::link::Image;
use crate::target::{Machine, Use, build_machine};

/// What compiling one kernel took and gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelReport {
    /// The kernel's name.
    pub name: String,
    /// Name of the emitter that compiled it.
    pub emitter: &'static str,
    /// The earlier kernel whose code this one shares, being the same but for names.
    pub same_as: Option<usize>,
    /// Time of compiling it (zero when shared).
    pub time: Duration,
    /// Bytes of code and constants.
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

/// A kernel seen without its names.
struct Shape<'a>(&'a Kernel);

impl Hash for Shape<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.vars.hash(state);
        self.0.locals.hash(state);
        self.0.body.hash(state);
    }
}

impl PartialEq for Shape<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0, other.0);
        let params = |k: &Kernel| k.params.iter().map(|p| (p.dtype, p.len, p.access)).collect::<Vec<_>>();
        a.vars == b.vars && a.locals == b.locals && a.axes == b.axes && params(a) == params(b) && a.body == b.body
    }
}

impl Eq for Shape<'_> {}

/// Compiles a program with its kernels (in the order of [`Program::kernels`]).
///
/// Kernels that are equal but for names are compiled once. Scalar operators beyond the basic ones (arithmetic, square root,
/// rounding, comparison, bits, conversion) are first expanded into those. The bytes depend only on program, kernels and
/// options, not on the number of compiling threads.
///
/// # Errors
/// A kernel is malformed or uses an operator without machine code; the program's steps do not fit its buffers, kernels and
/// calls; the target is not supported.
pub fn compile(
    program: &Program,
    kernels: &[Kernel],
    options: &CpuOptions,
) -> Result<(NativeCode, CompileReport), CompileError> {
    check(program, kernels)?;
    let machine = build_machine(options, Use::Kernels)?;
    let mut image = Image::default();
    let (offsets, reports) = compile_into(&mut image, &machine, kernels, options)?;
    let started = Instant::now();
    let before = image.bytes.len();
    let entry_machine = build_machine(options, Use::Entry)?;
    let (entry, entry_functions) = entry::emit(program, &entry_machine, &mut image)?;
    let report = CompileReport {
        kernels: reports,
        entry_time: started.elapsed(),
        entry_functions,
        entry_bytes: image.bytes.len() - before,
    };
    Ok((
        NativeCode { target: options.target.clone(), bytes: Blob::from(&image.bytes[..]), entry, kernels: offsets },
        report,
    ))
}

/// Compiles kernels alone: code whose entry function does nothing. For tests, benchmarks and autotuning.
///
/// # Errors
/// As [`compile`].
pub fn compile_kernels(kernels: &[Kernel], options: &CpuOptions) -> Result<(NativeCode, CompileReport), CompileError> {
    let program = Program {
        name: "kernels".to_owned(),
        signature: kiln_program::BoundSignature::default(),
        buffers: vec![],
        steps: vec![],
        kernels: kernels
            .iter()
            .map(|k| kiln_program::KernelInfo {
                name: k.name.clone(),
                params: param_bytes(k).collect(),
                extent: k.parallel_extent(),
                grain: 1,
                bytes_moved: 0,
                flops: 0,
            })
            .collect(),
        calls: vec![],
        constant_bytes: 0,
        arena_bytes: 0,
        lower_bound_bytes: 0,
    };
    compile(&program, kernels, options)
}

fn param_bytes(kernel: &Kernel) -> impl Iterator<Item = u64> {
    kernel.params.iter().map(|p| p.len.saturating_mul(p.dtype.size() as u64))
}

/// Checks the program, and that it describes these kernels.
fn check(program: &Program, kernels: &[Kernel]) -> Result<(), CompileError> {
    program.check().map_err(|e| CompileError::Program(e.0))?;
    if program.kernels.len() != kernels.len() {
        let (described, given) = (program.kernels.len(), kernels.len());
        return Err(CompileError::Program(format!("{described} kernels are described, {given} are given")));
    }
    let fits = |(info, kernel): (&kiln_program::KernelInfo, &Kernel)| {
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

/// Compiles the distinct kernels and places them; gives every kernel's offset.
fn compile_into(
    image: &mut Image,
    machine: &Machine,
    kernels: &[Kernel],
    options: &CpuOptions,
) -> Result<(Vec<u64>, Vec<KernelReport>), CompileError> {
    let mut first: HashMap<Shape<'_>, usize> = HashMap::new();
    let same_as: Vec<usize> = kernels.iter().enumerate().map(|(i, k)| *first.entry(Shape(k)).or_insert(i)).collect();
    let distinct: Vec<usize> = (0..kernels.len()).filter(|&i| same_as[i] == i).collect();
    let optimizing = build_machine(options, Use::OptimizedKernels)?;
    let emitters: Vec<Box<dyn KernelEmitter>> =
        vec![Box::new(CraneliftEmitter::new(machine.clone(), optimizing, options))];
    let settings = Settings { math: machine.math(), threads: options.threads, verify: options.verify };
    let mut compiled = compile_distinct(&emitters, kernels, &distinct, &settings)?;
    let mut offsets = Vec::with_capacity(kernels.len());
    let mut reports: Vec<KernelReport> = Vec::with_capacity(kernels.len());
    for (i, kernel) in kernels.iter().enumerate() {
        let name = kernel.name.clone();
        if same_as[i] != i {
            let original = &reports[same_as[i]];
            offsets.push(offsets[same_as[i]]);
            reports.push(KernelReport {
                name,
                same_as: Some(same_as[i]),
                time: Duration::ZERO,
                dump: None,
                ..original.clone()
            });
            continue;
        }
        let Some(Compiled { code, emitter, time }) = compiled[i].take() else {
            return Err(CompileError::Backend { function: name, message: "it was not compiled".to_owned() });
        };
        offsets.push(image.place(&code.bytes) as u64);
        reports.push(KernelReport { name, emitter, same_as: None, time, bytes: code.bytes.len(), dump: code.dump });
    }
    Ok((offsets, reports))
}

struct Settings {
    math: MathOptions,
    threads: usize,
    verify: bool,
}

struct Compiled {
    code: MachineCode,
    emitter: &'static str,
    time: Duration,
}

/// Compiles the kernels of these indices, on several threads; the error reported is that of the first failing kernel.
fn compile_distinct(
    emitters: &[Box<dyn KernelEmitter>],
    kernels: &[Kernel],
    distinct: &[usize],
    settings: &Settings,
) -> Result<Vec<Option<Compiled>>, CompileError> {
    let results: Mutex<Vec<Option<Result<Compiled, CompileError>>>> =
        Mutex::new((0..kernels.len()).map(|_| None).collect());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut scratch = Scratch::default();
        while let Some(&i) = distinct.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = compile_one(emitters, &kernels[i], settings, &mut scratch);
            results.lock().unwrap_or_else(|e| e.into_inner())[i] = Some(result);
        }
    };
    let helpers = settings.threads.min(distinct.len()).saturating_sub(1);
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(work);
        }
        work();
    });
    let results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    results.into_iter().map(Option::transpose).collect()
}

fn compile_one(
    emitters: &[Box<dyn KernelEmitter>],
    kernel: &Kernel,
    settings: &Settings,
    scratch: &mut Scratch,
) -> Result<Compiled, CompileError> {
    let started = Instant::now();
    if settings.verify
        && let Err(errors) = verify(kernel)
        && let Some(first) = errors.first()
    {
        return Err(CompileError::Invalid { kernel: kernel.name.clone(), what: first.to_string() });
    }
    let mut expanded = kernel.clone();
    expand_with(&mut expanded, settings.math);
    let Some(emitter) = emitters.iter().find(|e| e.supports(&expanded)) else {
        return Err(CompileError::Unsupported { kernel: kernel.name.clone(), what: "this kind of kernel".to_owned() });
    };
    let code = emitter.emit(&expanded, scratch)?;
    Ok(Compiled { code, emitter: emitter.name(), time: started.elapsed() })
}
