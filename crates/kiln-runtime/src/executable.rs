//! Executables: compiled graphs.

use crate::admit::{add, load};
use crate::code::map_code;
use crate::error::{RunError, type_name};
use crate::initialize::initial_value;
use crate::loaded::Loaded;
use crate::outputs::Outputs;
use crate::session::Session;
use crate::view::{TensorView, TensorViewMut};
use kiln_artifact::Artifact;
use kiln_ir::dim::DimEnv;
use kiln_ir::tensor::AlignedBytes;
use kiln_ir::{Initializer, Tensor, TensorType};
use kiln_kernels::HostCode;
use kiln_kernels::ThreadPool;
use kiln_program::{BoundPort, BoundSignature, BoundVariable, Code, CompiledProgram, Port, Program, Signature};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// Compiles a graph for further sizes when they are first met.
pub trait Specialize: Send + Sync {
    /// A program for these values of the named dimensions.
    ///
    /// # Errors
    /// Whatever keeps the graph from being compiled for them.
    fn specialize(&self, dims: &DimEnv) -> Result<Specialized, Box<dyn std::error::Error + Send + Sync>>;
}

/// A freshly compiled program.
pub struct Specialized {
    /// The program with its code as data.
    pub compiled: CompiledProgram,
    /// Its code, callable.
    pub code: Box<dyn HostCode>,
    /// How long compiling took.
    pub compile_time: Duration,
}

/// A compiled graph: feeds in, fetches out, many times. Cloning shares it; threads may run it at the same time.
#[derive(Clone)]
pub struct Executable {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    signature: Signature,
    output_names: Arc<[String]>,
    programs: RwLock<Vec<Arc<Loaded>>>,
    specialize: Option<Box<dyn Specialize>>,
    capacity: usize,
    pool: Option<ThreadPool>,
    /// Initial values of variables that no run updates, for runs without a session.
    defaults: OnceLock<Vec<Tensor>>,
}

/// What a run needs, known before the first one. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryReport {
    /// Working memory: the planned peak of intermediate values.
    pub arena: u64,
    /// The largest sum of intermediate values alive at once: no plan can need less.
    pub lower_bound: u64,
    /// Literals of the graph.
    pub constants: u64,
    /// Variables.
    pub variables: u64,
    /// Feeds.
    pub inputs: u64,
    /// Fetches.
    pub outputs: u64,
    /// Machine code.
    pub code: u64,
}

/// Parts of an executable.
pub struct ExecutableBuilder {
    /// Name of the graph.
    pub name: String,
    /// The signature with named dimensions.
    pub signature: Signature,
    /// Programs compiled ahead.
    pub programs: Vec<Specialized>,
    /// Compiles for further sizes.
    pub specialize: Option<Box<dyn Specialize>>,
    /// How many programs are kept; the oldest goes first.
    pub capacity: usize,
    /// Threads that a run may use, at least 1.
    pub threads: usize,
}

impl ExecutableBuilder {
    /// Puts the executable together.
    ///
    /// # Errors
    /// When threads cannot be started or code does not belong to its program.
    pub fn build(self) -> Result<Executable, RunError> {
        let output_names = self.signature.outputs.iter().map(|p| p.name.clone()).collect();
        let pool = match self.threads {
            0 | 1 => None,
            n => Some(ThreadPool::new(n).map_err(|e| RunError::System(format!("starting {n} threads: {e}")))?),
        };
        let mut programs = Vec::with_capacity(self.programs.len());
        for program in self.programs {
            add(&mut programs, load(program, &self.signature)?)?;
        }
        let shared = Shared {
            name: self.name,
            signature: self.signature,
            output_names,
            programs: RwLock::new(programs),
            specialize: self.specialize,
            capacity: self.capacity.max(1),
            pool,
            defaults: OnceLock::new(),
        };
        Ok(Executable { shared: Arc::new(shared) })
    }
}

impl Executable {
    /// Loads an artifact, to run on one thread.
    ///
    /// The file's machine code is executed: load only files that you trust as you trust a program.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or was compiled for another machine.
    pub fn load(path: impl AsRef<Path>) -> Result<Executable, RunError> {
        Executable::load_with_threads(path, 1)
    }

    /// [`Executable::load`] with a number of threads that a run may use.
    ///
    /// # Errors
    /// As [`Executable::load`].
    pub fn load_with_threads(path: impl AsRef<Path>, threads: usize) -> Result<Executable, RunError> {
        let path = path.as_ref();
        let io = |source| RunError::Io { path: path.display().to_string(), source };
        Executable::from_bytes(&std::fs::read(path).map_err(io)?, threads)
    }

    /// An executable from the bytes of an artifact.
    ///
    /// # Errors
    /// As [`Executable::load`].
    pub fn from_bytes(bytes: &[u8], threads: usize) -> Result<Executable, RunError> {
        let artifact = kiln_artifact::read(bytes)?;
        let signature = artifact.signature;
        let name = match artifact.programs.first() {
            Some(first) => first.program.name.clone(),
            None => return Err(RunError::System("the artifact holds no program".into())),
        };
        let capacity = artifact.programs.len();
        let programs = artifact
            .programs
            .into_iter()
            .map(|compiled| {
                let Code::Native(native) = &compiled.code else {
                    return Err(RunError::System(format!("code for {} does not run here", compiled.code.target())));
                };
                // SAFETY: checksum and structure are checked; that the code is the program's is what trusting a file means
                // (see `load`).
                let code = unsafe { map_code(native)? };
                Ok(Specialized { compiled, code, compile_time: Duration::ZERO })
            })
            .collect::<Result<Vec<_>, RunError>>()?;
        ExecutableBuilder { name, signature, programs, specialize: None, capacity, threads }.build()
    }

    /// The name of the graph.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Threads that a run may use.
    pub fn threads(&self) -> usize {
        self.shared.pool.as_ref().map_or(1, ThreadPool::threads)
    }

    /// Inputs, outputs and variables; shapes have named dimensions.
    pub fn signature(&self) -> &Signature {
        &self.shared.signature
    }

    /// A session with fresh variables.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn session(&self) -> Result<Session, RunError> {
        Session::new(self)
    }

    /// Memory of each program compiled so far.
    pub fn memory(&self) -> Vec<MemoryReport> {
        self.programs().iter().map(|p| memory_of(p)).collect()
    }

    /// The programs compiled so far: steps, buffers, kernels, and the time that compiling took.
    pub fn inspect(&self, mut visit: impl FnMut(&Program, Duration)) {
        for p in self.programs() {
            visit(&p.compiled.program, p.compile_time);
        }
    }

    /// Makes sure that there is a program for these values of the named dimensions.
    ///
    /// # Errors
    /// A name that is no dimension of the graph; when compiling fails or is not possible.
    pub fn prepare(&self, dims: &[(&str, i64)]) -> Result<(), RunError> {
        let signature = &self.shared.signature;
        let ports = signature.inputs.iter().chain(&signature.outputs);
        let known: BTreeSet<&str> =
            ports.flat_map(|p| p.shape.iter()).flat_map(|d| d.symbols()).map(|s| &**s).collect();
        if let Some((name, _)) = dims.iter().find(|(n, _)| !known.contains(n)) {
            let expected = known.iter().map(|s| (*s).to_owned()).collect();
            return Err(RunError::UnknownDim { name: (*name).to_owned(), expected });
        }
        let env: DimEnv = dims.iter().map(|&(n, v)| (n.into(), v)).collect();
        self.compile_for(&env).map(|_| ())
    }

    /// Runs a graph without updated variables: feeds by name, all fetches back.
    ///
    /// # Errors
    /// A feed that is missing, unknown or of another type; sizes that contradict each other; a graph that needs a session.
    pub fn run<'t, F: Copy + Into<TensorView<'t>>>(&self, feeds: &[(&str, F)]) -> Result<Outputs, RunError> {
        let inputs = self.arrange(feeds)?;
        let program = self.program_for(&inputs)?;
        let defaults = self.defaults()?;
        self.run_program(&program, &inputs, defaults.iter().map(|t| t.bytes().as_ptr().cast_mut()))
    }

    /// Runs a graph without updated variables on inputs and into outputs in the order of the signature. Makes no heap
    /// allocation once a program for these sizes has run.
    ///
    /// # Errors
    /// As [`Executable::run`].
    pub fn run_into(&self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>]) -> Result<(), RunError> {
        let program = self.program_for(inputs)?;
        check_outputs(&program.compiled.program.signature, outputs)?;
        let defaults = self.defaults()?;
        let variables = defaults.iter().map(|t| t.bytes().as_ptr().cast_mut());
        // SAFETY: inputs and outputs are checked against the signature; the defaults have the variables' types, and no
        // variable is updated (`defaults` refuses).
        unsafe { program.run(self.pool(), inputs, outputs, variables) }
    }

    /// Writes an artifact with every program compiled so far. Variables keep their initial recipes.
    ///
    /// # Errors
    /// When nothing is compiled yet (see [`Executable::prepare`]), or the file cannot be written.
    pub fn export(&self, path: impl AsRef<Path>) -> Result<(), RunError> {
        self.export_values(path.as_ref(), |_| None)
    }

    /// Writes an artifact whose variables start with the session's values.
    ///
    /// # Errors
    /// As [`Executable::export`].
    pub fn export_with(&self, session: &Session, path: impl AsRef<Path>) -> Result<(), RunError> {
        self.export_values(path.as_ref(), |name| session.get(name).ok())
    }

    fn export_values(&self, path: &Path, value: impl Fn(&str) -> Option<Tensor>) -> Result<(), RunError> {
        let bytes = self.to_bytes(value)?;
        crate::session::write_atomically(path, &bytes)
    }

    fn to_bytes(&self, value: impl Fn(&str) -> Option<Tensor>) -> Result<Vec<u8>, RunError> {
        let programs: Vec<CompiledProgram> = self.programs().iter().map(|p| p.compiled.clone()).collect();
        if programs.is_empty() {
            return Err(RunError::NothingCompiled);
        }
        let mut signature = self.shared.signature.clone();
        for variable in &mut signature.variables {
            if let Some(value) = value(&variable.name) {
                if value.dtype() != variable.dtype || value.shape() != variable.shape {
                    return Err(RunError::VariableType {
                        name: variable.name.clone(),
                        expected: type_name(variable.dtype, &variable.shape),
                        found: type_name(value.dtype(), value.shape()),
                    });
                }
                variable.init = Initializer::Value(value);
            }
        }
        let producer = concat!("kiln ", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(kiln_artifact::write(&Artifact { producer, signature, programs })?)
    }

    pub(crate) fn pool(&self) -> Option<&ThreadPool> {
        self.shared.pool.as_ref()
    }

    pub(crate) fn same(&self, other: &Executable) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn programs(&self) -> Vec<Arc<Loaded>> {
        self.shared.programs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The feeds in the order of the signature.
    pub(crate) fn arrange<'t, F: Copy + Into<TensorView<'t>>>(
        &self,
        feeds: &[(&str, F)],
    ) -> Result<Vec<TensorView<'t>>, RunError> {
        let ports = &self.shared.signature.inputs;
        for (i, (name, _)) in feeds.iter().enumerate() {
            if !ports.iter().any(|p| p.name == *name) {
                let expected = ports.iter().map(|p| p.name.clone()).collect();
                return Err(RunError::UnknownFeed { name: (*name).into(), expected });
            }
            if feeds[..i].iter().any(|(n, _)| n == name) {
                return Err(RunError::DuplicateFeed((*name).into()));
            }
        }
        ports
            .iter()
            .map(|port| match feeds.iter().find(|(n, _)| *n == port.name) {
                Some((_, feed)) => Ok((*feed).into()),
                None => Err(RunError::MissingFeed {
                    name: port.name.clone(),
                    expected: format!("{}{}", port.dtype, port.shape),
                }),
            })
            .collect()
    }

    /// The program for inputs of these types, compiling it if it is the first time.
    pub(crate) fn program_for(&self, inputs: &[TensorView<'_>]) -> Result<Arc<Loaded>, RunError> {
        let ports = &self.shared.signature.inputs;
        if inputs.len() != ports.len() {
            return Err(RunError::Count { what: "inputs", expected: ports.len(), found: inputs.len() });
        }
        let type_error = |i: usize| {
            let (port, view): (&Port, &TensorView<'_>) = (&ports[i], &inputs[i]);
            RunError::FeedType {
                name: port.name.clone(),
                expected: format!("{}{}", port.dtype, port.shape),
                found: type_name(view.dtype(), view.shape()),
            }
        };
        if let Some(i) = (0..ports.len()).find(|&i| ports[i].dtype != inputs[i].dtype()) {
            return Err(type_error(i));
        }
        {
            let programs = self.shared.programs.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = programs.iter().find(|p| p.fits(inputs.iter().map(TensorView::shape))) {
                return Ok(found.clone());
            }
        }
        for (i, (port, view)) in ports.iter().zip(inputs).enumerate() {
            if !port.fits(view.shape()) {
                return Err(type_error(i));
            }
        }
        let types: Vec<TensorType> = ports.iter().map(Port::ty).collect();
        let named: Vec<(&str, &TensorType)> = ports.iter().map(|p| p.name.as_str()).zip(&types).collect();
        let shapes: Vec<&[usize]> = inputs.iter().map(TensorView::shape).collect();
        let env = kiln_ir::specialize::bind_dims(&named, &shapes).map_err(RunError::Dims)?;
        self.compile_for(&env)
    }

    fn compile_for(&self, env: &DimEnv) -> Result<Arc<Loaded>, RunError> {
        let found = |list: &[Arc<Loaded>]| list.iter().find(|p| p.compiled.program.signature.dims == *env).cloned();
        if let Some(loaded) = found(&self.shared.programs.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(loaded);
        }
        let Some(specialize) = &self.shared.specialize else {
            let available =
                self.programs().iter().map(|p| format!("{:?}", p.compiled.program.signature.dims)).collect();
            return Err(RunError::NoProgram { dims: format!("{env:?}"), available });
        };
        let s = specialize.specialize(env).map_err(RunError::Specialize)?;
        let loaded = load(s, &self.shared.signature)?;
        let mut programs = self.shared.programs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = found(&programs) {
            return Ok(other);
        }
        add(&mut programs, loaded.clone())?;
        if programs.len() > self.shared.capacity {
            programs.remove(0);
        }
        Ok(loaded)
    }

    /// Initial values for a run without a session.
    fn defaults(&self) -> Result<&[Tensor], RunError> {
        if let Some(values) = self.shared.defaults.get() {
            return Ok(values);
        }
        let variables = &self.shared.signature.variables;
        if let Some(v) = variables.iter().find(|v| v.updated) {
            return Err(RunError::NeedsSession(v.name.clone()));
        }
        let values = variables
            .iter()
            .map(|v| {
                initial_value(&v.init, v.dtype, &v.shape)
                    .map_err(|reason| RunError::Initializer { name: v.name.clone(), reason })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.shared.defaults.get_or_init(|| values))
    }

    /// Runs a program into fresh outputs. The variables must be valid as [`Loaded::run`] asks.
    pub(crate) fn run_program(
        &self,
        program: &Loaded,
        inputs: &[TensorView<'_>],
        variables: impl Iterator<Item = *mut u8>,
    ) -> Result<Outputs, RunError> {
        let ports = &program.compiled.program.signature.outputs;
        let mut memory: Vec<AlignedBytes> =
            ports.iter().map(|p| AlignedBytes::try_zeroed(p.bytes() as usize)).collect::<Result<_, _>>()?;
        let mut outputs: Vec<TensorViewMut<'_>> = ports
            .iter()
            .zip(&mut memory)
            .map(|(p, m)| TensorViewMut::from_parts(p.dtype, &p.shape, m.bytes_mut()))
            .collect();
        // SAFETY: inputs were checked when the program was chosen, outputs are made to measure, variables are the caller's
        // promise.
        unsafe { program.run(self.pool(), inputs, &mut outputs, variables)? };
        drop(outputs);
        let tensors = ports
            .iter()
            .zip(memory)
            .map(|(p, m)| Tensor::from_storage(p.dtype, &p.shape, Arc::new(m)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Outputs::new(self.shared.output_names.clone(), tensors))
    }
}

/// Checks the caller's output buffers against a program.
pub(crate) fn check_outputs(signature: &BoundSignature, outputs: &[TensorViewMut<'_>]) -> Result<(), RunError> {
    let ports = &signature.outputs;
    if ports.len() != outputs.len() {
        return Err(RunError::Count { what: "outputs", expected: ports.len(), found: outputs.len() });
    }
    for (port, view) in ports.iter().zip(outputs) {
        if port.dtype != view.dtype() || port.shape != view.shape() {
            return Err(RunError::OutputType {
                name: port.name.clone(),
                expected: type_name(port.dtype, &port.shape),
                found: type_name(view.dtype(), view.shape()),
            });
        }
    }
    Ok(())
}

fn memory_of(loaded: &Loaded) -> MemoryReport {
    let CompiledProgram { program, constants, code } = &loaded.compiled;
    let s = &program.signature;
    MemoryReport {
        arena: program.arena_bytes,
        lower_bound: program.lower_bound_bytes,
        constants: constants.len() as u64,
        variables: s.variables.iter().map(BoundVariable::bytes).sum(),
        inputs: s.inputs.iter().map(BoundPort::bytes).sum(),
        outputs: s.outputs.iter().map(BoundPort::bytes).sum(),
        code: code.bytes(),
    }
}

impl std::fmt::Debug for Executable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executable")
            .field("name", &self.shared.name)
            .field("signature", &self.shared.signature)
            .finish()
    }
}
