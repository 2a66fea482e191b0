//! Executables: compiled graphs.

use crate::device::{Address, Device, DeviceBuffer};
use crate::entry::{Entry, MemoryReport, ProgramReport, Specialize, Specialized, add};
use crate::error::{RunError, type_name};
use crate::initialize::initial_value;
use crate::outputs::Outputs;
use crate::view::{TensorView, TensorViewMut};
use kiln_artifact::Artifact;
use kiln_ir::dim::DimEnv;
use kiln_ir::{Tensor, TensorType};
use kiln_program::{BoundSignature, Port, Signature};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A compiled graph: feeds in, fetches out, many times. Cloning shares it; threads may run it at the same time.
#[derive(Clone)]
pub struct Executable {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    signature: Signature,
    output_names: Arc<[String]>,
    device: Arc<dyn Device>,
    entries: RwLock<Vec<Arc<Entry>>>,
    specialize: Option<Box<dyn Specialize>>,
    capacity: usize,
    /// The file that the programs are from, if they are from one.
    artifact: Option<Artifact>,
    /// Initial values of variables, for runs without a session; no run updates them.
    defaults: OnceLock<Defaults>,
}

struct Defaults {
    /// What the addresses belong to.
    _values: Vec<Box<dyn DeviceBuffer>>,
    addresses: Vec<Address>,
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
    /// What runs the programs; it has loaded those of `programs`.
    pub device: Arc<dyn Device>,
}

impl ExecutableBuilder {
    /// Puts the executable together.
    ///
    /// # Errors
    /// When programs do not agree with the signature, or shapes of inputs do not tell them apart.
    pub fn build(self) -> Result<Executable, RunError> {
        self.build_from(None)
    }

    /// [`ExecutableBuilder::build`] of what a file holds.
    pub(crate) fn build_from(self, artifact: Option<Artifact>) -> Result<Executable, RunError> {
        let output_names = self.signature.outputs.iter().map(|p| p.name.clone()).collect();
        let mut entries = Vec::with_capacity(self.programs.len());
        for program in self.programs {
            add(&mut entries, Entry::new(program, &self.signature)?)?;
        }
        let shared = Shared {
            name: self.name,
            signature: self.signature,
            output_names,
            device: self.device,
            entries: RwLock::new(entries),
            specialize: self.specialize,
            capacity: self.capacity.max(1),
            artifact,
            defaults: OnceLock::new(),
        };
        Ok(Executable { shared: Arc::new(shared) })
    }
}

impl Executable {
    /// The name of the graph.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Threads that a run may use.
    pub fn threads(&self) -> usize {
        self.shared.device.threads()
    }

    /// Inputs, outputs and variables; shapes have named dimensions.
    pub fn signature(&self) -> &Signature {
        &self.shared.signature
    }

    /// Memory of each program compiled so far.
    pub fn memory(&self) -> Vec<MemoryReport> {
        self.programs().iter().map(ProgramReport::memory).collect()
    }

    /// The programs compiled so far, in the order of compiling.
    pub fn programs(&self) -> Vec<ProgramReport> {
        let targets = |entry: &Entry| match self.artifact() {
            // Of a file, the programs for other machines stay there.
            Some(file) => file.targets(&entry.signature().dims),
            None => entry.variants.iter().map(|v| v.code.target()).collect(),
        };
        self.entries().into_iter().map(|entry| ProgramReport { targets: targets(&entry), entry }).collect()
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
        let entry = self.entry_for(&inputs)?;
        // SAFETY: the defaults have the variables' types, and no run updates them (`defaults` refuses).
        unsafe { self.run_fresh(&entry, &inputs, self.defaults()?) }
    }

    /// Runs a graph without updated variables on inputs and into outputs in the order of the signature. Makes no heap
    /// allocation once a program for these sizes has run.
    ///
    /// # Errors
    /// As [`Executable::run`].
    pub fn run_into(&self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>]) -> Result<(), RunError> {
        // SAFETY: as in `run`.
        unsafe { self.run_in_place(inputs, outputs, self.defaults()?) }
    }

    /// Runs on inputs and into outputs in the order of the signature.
    ///
    /// # Safety
    /// The variables must be valid as [`crate::device::LoadedProgram::run`] asks.
    pub(crate) unsafe fn run_in_place(
        &self,
        inputs: &[TensorView<'_>],
        outputs: &mut [TensorViewMut<'_>],
        variables: &[Address],
    ) -> Result<(), RunError> {
        let entry = self.entry_for(inputs)?;
        check_outputs(entry.signature(), outputs)?;
        // SAFETY: inputs were checked when the program was chosen, outputs just now; the variables are the caller's promise.
        unsafe { entry.loaded(&*self.shared.device)?.run(inputs, outputs, variables)? };
        Ok(())
    }

    /// Runs a program chosen for these inputs into fresh outputs.
    ///
    /// # Safety
    /// The variables must be valid as [`crate::device::LoadedProgram::run`] asks.
    pub(crate) unsafe fn run_fresh(
        &self,
        entry: &Entry,
        inputs: &[TensorView<'_>],
        variables: &[Address],
    ) -> Result<Outputs, RunError> {
        // SAFETY: inputs were checked when the program was chosen; the variables are the caller's promise, for as long as this
        // call lasts.
        let ticket = unsafe { entry.loaded(&*self.shared.device)?.submit(inputs, variables)? };
        let tensors = entry
            .signature()
            .outputs
            .iter()
            .zip(ticket.collect()?)
            .map(|(p, memory)| Tensor::from_storage(p.dtype, &p.shape, memory))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Outputs::new(self.shared.output_names.clone(), tensors))
    }

    /// The file that the executable was loaded from.
    pub(crate) fn artifact(&self) -> Option<&Artifact> {
        self.shared.artifact.as_ref()
    }

    pub(crate) fn device(&self) -> &Arc<dyn Device> {
        &self.shared.device
    }

    pub(crate) fn same(&self, other: &Executable) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.shared.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
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
    pub(crate) fn entry_for(&self, inputs: &[TensorView<'_>]) -> Result<Arc<Entry>, RunError> {
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
            let entries = self.shared.entries.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = entries.iter().find(|p| p.fits(inputs.iter().map(TensorView::shape))) {
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

    fn compile_for(&self, env: &DimEnv) -> Result<Arc<Entry>, RunError> {
        let found = |list: &[Arc<Entry>]| list.iter().find(|e| e.signature().dims == *env).cloned();
        if let Some(entry) = found(&self.shared.entries.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(entry);
        }
        let Some(specialize) = &self.shared.specialize else {
            let available = self.entries().iter().map(|e| format!("{:?}", e.signature().dims)).collect();
            return Err(RunError::NoProgram { dims: format!("{env:?}"), available });
        };
        let specialized: Specialized = specialize.specialize(env).map_err(RunError::Specialize)?;
        let entry = Entry::new(specialized, &self.shared.signature)?;
        let mut entries = self.shared.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = found(&entries) {
            return Ok(other);
        }
        add(&mut entries, entry.clone())?;
        if entries.len() > self.shared.capacity {
            entries.remove(0);
        }
        Ok(entry)
    }

    /// The variables of a run without a session: their initial values.
    fn defaults(&self) -> Result<&[Address], RunError> {
        if let Some(defaults) = self.shared.defaults.get() {
            return Ok(&defaults.addresses);
        }
        let variables = &self.shared.signature.variables;
        if let Some(v) = variables.iter().find(|v| v.updated) {
            return Err(RunError::NeedsSession(v.name.clone()));
        }
        let mut values = Vec::with_capacity(variables.len());
        for v in variables {
            let value = initial_value(&v.init, v.dtype, &v.shape)
                .map_err(|reason| RunError::Initializer { name: v.name.clone(), reason })?;
            values.push(self.shared.device.shared(&value)?);
        }
        let addresses = values.iter().map(|v| v.address()).collect();
        Ok(&self.shared.defaults.get_or_init(|| Defaults { _values: values, addresses }).addresses)
    }
}

/// Checks the caller's output buffers against a program.
fn check_outputs(signature: &BoundSignature, outputs: &[TensorViewMut<'_>]) -> Result<(), RunError> {
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

impl std::fmt::Debug for Executable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executable")
            .field("name", &self.shared.name)
            .field("signature", &self.shared.signature)
            .finish()
    }
}
