//! The pipeline: function -> specialized -> optimized -> lowered -> machine code -> executable.

use crate::error::CompileError;
use kiln_builder::FunctionSpec;
use kiln_cpu::CpuOptions;
use kiln_ir::dim::DimEnv;
use kiln_ir::{Func, Verified};
use kiln_lower::Lowered;
use kiln_optimizer::{Dump, OptimizeOptions, PassLog};
use kiln_plan::{PlanOptions, Planned};
use kiln_program::{Code, CompiledProgram, CpuTarget, NativeCode, Signature};
use kiln_runtime::device::{DeviceError, LoadedProgram, best};
use kiln_runtime::{Executable, ExecutableBuilder, HostDevice, RunError, Specialize, Specialized};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Programs that an executable with named dimensions keeps unless told otherwise.
const DEFAULT_CAPACITY: usize = 16;

/// Compiles graphs for CPUs: for that of this machine ([`Compiler::cpu`]), or for several at once ([`Compiler::for_targets`]).
///
/// ```
/// use kiln::prelude::*;
/// let g = Graph::new("double");
/// let x = g.placeholder::<f32>("x", dims!["n"]);
/// let y = (&x * 2.0).named("y");
/// let exe = Compiler::cpu().threads(1).compile(&g.function([&y]))?;
/// let out = exe.run(&[("x", &Tensor::from_vec([2], vec![1.0f32, 2.0])?)])?;
/// assert_eq!(out["y"].as_slice::<f32>()?, [2.0, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Compiler {
    optimize: OptimizeOptions,
    plan: PlanOptions,
    threads: usize,
    cpu: CpuOptions,
    /// Compile for these instead of the code generator's own target, unless empty.
    targets: Vec<CpuTarget>,
    sizes: Vec<DimEnv>,
    capacity: usize,
}

/// One program with everything that was made on the way.
pub struct Compiled {
    /// What the passes did.
    pub log: PassLog,
    /// The optimized function and its plan.
    pub planned: Planned,
    /// The program and its loop kernels.
    pub lowered: Lowered,
    /// The machine code, for each target.
    pub code: Vec<CompiledCode>,
    /// Where the time went.
    pub report: CompileReport,
}

/// The code for one target.
pub struct CompiledCode {
    /// The code.
    pub code: NativeCode,
    /// What the code generator says of each kernel, with its dump if [`CpuOptions::dump`] asked for one.
    pub report: kiln_cpu::CompileReport,
}

impl Compiled {
    /// What devices load and artifacts hold: the program with its code for each target.
    pub fn into_variants(self) -> Vec<CompiledProgram> {
        let Lowered { program, constants, .. } = self.lowered;
        let variant = |CompiledCode { code, .. }| CompiledProgram {
            program: program.clone(),
            constants: constants.clone(),
            code: Code::Native(code),
        };
        self.code.into_iter().map(variant).collect()
    }
}

/// Time of each stage of one compilation.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompileReport {
    /// Binding named dimensions.
    pub specialize: Duration,
    /// Graph passes.
    pub optimize: Duration,
    /// Fusion, calls, scheduling.
    pub plan: Duration,
    /// Loop kernels, buffers.
    pub lower: Duration,
    /// Machine code.
    pub codegen: Duration,
}

impl CompileReport {
    /// All stages together.
    pub fn total(&self) -> Duration {
        self.specialize + self.optimize + self.plan + self.lower + self.codegen
    }
}

impl fmt::Display for CompileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        write!(
            f,
            "{:.1} ms (specialize {:.1}, optimize {:.1}, plan {:.1}, lower {:.1}, codegen {:.1})",
            ms(self.total()),
            ms(self.specialize),
            ms(self.optimize),
            ms(self.plan),
            ms(self.lower),
            ms(self.codegen)
        )
    }
}

impl Compiler {
    /// A compiler for this machine's CPU that uses as many threads as the process may.
    pub fn cpu() -> Compiler {
        Compiler {
            optimize: OptimizeOptions::default(),
            plan: PlanOptions::default(),
            threads: kiln_runtime::available_parallelism(),
            cpu: CpuOptions::default(),
            targets: Vec::new(),
            sizes: Vec::new(),
            capacity: DEFAULT_CAPACITY,
        }
    }

    /// A compiler for several CPUs of this architecture, each given by the features that code may use. What it compiles runs by
    /// the best of them that this machine has; an artifact holds all, and runs on each by the best that fits there.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln::program::CpuTarget;
    /// # if cfg!(target_arch = "x86_64") {
    /// let targets = [CpuTarget::parse("x86-64-v2")?, CpuTarget::parse("x86-64-v3")?];
    /// let g = Graph::new("double");
    /// let y = (g.placeholder::<f32>("x", [2]) * 2.0).named("y");
    /// let exe = Compiler::for_targets(targets).compile(&g.function([&y]))?;
    /// assert_eq!(exe.programs()[0].targets().len(), 2);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_targets(targets: impl IntoIterator<Item = CpuTarget>) -> Compiler {
        Compiler::cpu().targets(targets)
    }

    /// See [`Compiler::for_targets`]; none means the target of [`Compiler::codegen`].
    pub fn targets(mut self, targets: impl IntoIterator<Item = CpuTarget>) -> Compiler {
        self.targets = targets.into_iter().collect();
        self
    }

    /// Threads that a run may use (at least 1).
    pub fn threads(mut self, threads: usize) -> Compiler {
        self.threads = threads.max(1);
        self
    }

    /// Values of named dimensions to compile for at once; call it again for further ones. Other sizes are compiled when first
    /// met.
    pub fn sizes(mut self, dims: &[(&str, i64)]) -> Compiler {
        self.sizes.push(dims.iter().map(|&(n, v)| (n.into(), v)).collect());
        self
    }

    /// How many sizes an executable keeps programs for; the oldest goes first.
    pub fn capacity(mut self, programs: usize) -> Compiler {
        self.capacity = programs.max(1);
        self
    }

    /// What the graph optimizer may do.
    pub fn optimize(mut self, options: OptimizeOptions) -> Compiler {
        self.optimize = options;
        self
    }

    /// Choices of fusion and scheduling.
    pub fn plan(mut self, options: PlanOptions) -> Compiler {
        self.plan = options;
        self
    }

    /// Choices of the code generator.
    pub fn codegen(mut self, options: CpuOptions) -> Compiler {
        self.cpu = options;
        self
    }

    /// Compiles a function of a graph.
    ///
    /// # Errors
    /// All mistakes in the graph together, each with its source line.
    pub fn compile(&self, function: &FunctionSpec) -> Result<Executable, CompileError> {
        self.compile_func(function.finish()?)
    }

    /// Compiles a function of the graph IR.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn compile_func(&self, func: Func) -> Result<Executable, CompileError> {
        let func = Verified::new(func)?;
        let signature = Signature::of(&func);
        let device = Arc::new(HostDevice::new(self.threads).map_err(RunError::from)?);
        let stages = Stages { func, compiler: self.clone(), device: device.clone() };
        let symbolic = !stages.func.symbols().is_empty();
        let envs = if symbolic { self.sizes.clone() } else { vec![DimEnv::new()] };
        let programs = envs.iter().map(|env| stages.specialized(env)).collect::<Result<Vec<_>, _>>()?;
        let capacity = self.capacity.max(programs.len());
        let name = stages.func.name.clone();
        let specialize: Option<Box<dyn Specialize>> = if symbolic { Some(Box::new(stages)) } else { None };
        Ok(ExecutableBuilder { name, signature, programs, specialize, capacity, device }.build()?)
    }

    /// Runs the stages for one set of sizes and keeps what each made: for looking at, and for tools.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn stages(&self, func: &Func, dims: &DimEnv) -> Result<Compiled, CompileError> {
        self.stages_of(&Verified::new(func)?, dims)
    }

    fn stages_of<F: Borrow<Func>>(&self, func: &Verified<F>, dims: &DimEnv) -> Result<Compiled, CompileError> {
        let mut report = CompileReport::default();
        let start = Instant::now();
        let specialized = kiln_ir::specialize::specialize(func, dims)?;
        report.specialize = start.elapsed();
        // What a user feeds and fetches keeps its type, whatever the optimizer makes of it inside; the bytes are the same.
        let signature = Signature::of(func).bind(dims)?;
        let start = Instant::now();
        let machine = kiln_cpu::machine();
        let options = OptimizeOptions { calls: machine.call_shapes, ..self.optimize.clone() };
        let mut optimized = kiln_optimizer::optimize(specialized, &options)?;
        report.optimize = start.elapsed();
        let start = Instant::now();
        let planned = kiln_plan::plan(optimized.func, &machine, &self.plan)?;
        report.plan = start.elapsed();
        let start = Instant::now();
        let mut lowered = kiln_lower::lower(&planned)?;
        lowered.program.signature = signature.updating(&lowered.program.signature);
        report.lower = start.elapsed();
        let start = Instant::now();
        let own = std::slice::from_ref(&self.cpu.target);
        let targets = if self.targets.is_empty() { own } else { &self.targets[..] };
        let mut code = Vec::with_capacity(targets.len());
        for target in targets {
            let options = CpuOptions { target: target.clone(), ..self.cpu.clone() };
            let (native, report) = kiln_cpu::compile(&lowered.program, &lowered.kernels, &options)?;
            code.push(CompiledCode { code: native, report });
        }
        report.codegen = start.elapsed();
        if let Some(files) = &mut optimized.dump {
            dump(files, &lowered).map_err(CompileError::Dump)?;
        }
        Ok(Compiled { log: optimized.log, planned, lowered, code, report })
    }
}

/// Writes the kernels and the program behind the graphs.
fn dump(files: &mut Dump, lowered: &Lowered) -> std::io::Result<()> {
    let kernels: Vec<String> = lowered.kernels.iter().map(|k| kiln_loops::text::print(k)).collect();
    files.write("kernels.txt", &kernels.join("\n"))?;
    files.write("program.txt", &lowered.program.to_string())
}

/// A function with the compiler that makes programs of it.
struct Stages {
    func: Verified,
    compiler: Compiler,
    device: Arc<HostDevice>,
}

impl Stages {
    fn specialized(&self, dims: &DimEnv) -> Result<Specialized, CompileError> {
        let start = Instant::now();
        let compiled = self.compiler.stages_of(&self.func, dims)?;
        let variants = compiled.into_variants();
        // Code that no machine like this one runs is compiled for export.
        let loaded = match best(&*self.device, &variants) {
            Ok(chosen) => Some((chosen, self.load(&variants[chosen])?)),
            Err(DeviceError::Target(_)) => None,
            Err(e) => return Err(RunError::Device(e).into()),
        };
        Ok(Specialized { variants, loaded, compile_time: start.elapsed() })
    }

    /// Maps code into this process.
    fn load(&self, compiled: &CompiledProgram) -> Result<Box<dyn LoadedProgram>, CompileError> {
        let Code::Native(code) = &compiled.code else {
            let what = format!("code for {} on a CPU", compiled.code.target());
            return Err(CompileError::Code(kiln_cpu::CompileError::Program(what)));
        };
        let code = Box::new(kiln_cpu::jit(code)?);
        Ok(self.device.adopt(compiled, code).map_err(RunError::from)?)
    }
}

impl Specialize for Stages {
    fn specialize(&self, dims: &DimEnv) -> Result<Specialized, Box<dyn std::error::Error + Send + Sync>> {
        self.specialized(dims).map_err(Into::into)
    }
}
