//! Sessions: the state between runs.

use crate::device::{Address, DeviceBuffer};
use crate::error::{RunError, type_name};
use crate::executable::Executable;
use crate::initialize::initial_value;
use crate::outputs::Outputs;
use crate::view::{TensorView, TensorViewMut};
use kiln_ir::{DType, Tensor};
use kiln_program::Variable;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The values of variables, updated in place by every run.
///
/// Several executables can share them, matched by name: train with one and evaluate with another
/// ([`Session::run_with`]).
pub struct Session {
    exe: Executable,
    pub(crate) variables: Vec<State>,
    by_name: BTreeMap<String, usize>,
    /// For each executable seen: where each of its variables lies.
    bindings: Vec<(Executable, Vec<Address>)>,
}

pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    pub(crate) memory: Box<dyn DeviceBuffer>,
    /// The memory belongs to whoever made the executable too, a mapped file perhaps: nobody writes it.
    shared: bool,
}

impl State {
    /// # Errors
    /// When another executable has a variable of this name and of another type.
    fn check(&self, other: &Variable) -> Result<(), RunError> {
        if self.dtype == other.dtype && self.shape == other.shape {
            return Ok(());
        }
        Err(RunError::VariableType {
            name: self.name.clone(),
            expected: type_name(self.dtype, &self.shape),
            found: type_name(other.dtype, &other.shape),
        })
    }

    /// The bytes of its value; in place where the host can read them.
    ///
    /// # Errors
    /// When the device fails.
    pub(crate) fn bytes(&self) -> Result<Cow<'_, [u8]>, RunError> {
        if let Some(bytes) = self.memory.host() {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut bytes = vec![0; self.shape.iter().product::<usize>() * self.dtype.size()];
        self.memory.read(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}

impl Session {
    /// A session whose variables hold their initial values.
    ///
    /// # Errors
    /// When an initial value cannot be made.
    pub fn new(exe: &Executable) -> Result<Session, RunError> {
        let mut session =
            Session { exe: exe.clone(), variables: Vec::new(), by_name: BTreeMap::new(), bindings: Vec::new() };
        session.attach(exe)?;
        Ok(session)
    }

    /// Makes the variables of another executable part of this session: those of a known name are shared, others get their
    /// initial values. Gives the executable's place among the bindings.
    ///
    /// # Errors
    /// When a shared variable has another type, an initial value cannot be made, or the executable runs on another device.
    pub fn attach(&mut self, exe: &Executable) -> Result<(), RunError> {
        self.binding(exe).map(|_| ())
    }

    fn binding(&mut self, exe: &Executable) -> Result<usize, RunError> {
        if let Some(i) = self.bindings.iter().position(|(e, _)| e.same(exe)) {
            return Ok(i);
        }
        if exe.device().name() != self.exe.device().name() {
            let (expected, found) = (self.exe.device().name().to_owned(), exe.device().name().to_owned());
            return Err(RunError::OtherDevice { expected, found });
        }
        // Nothing is added before everything is known to fit.
        let mut added: Vec<State> = Vec::new();
        for v in &exe.signature().variables {
            match self.by_name.get(&v.name) {
                Some(&i) => self.variables[i].check(v)?,
                None => added.push(self.first(v)?),
            }
        }
        for state in added {
            self.by_name.insert(state.name.clone(), self.variables.len());
            self.variables.push(state);
        }
        for v in exe.signature().variables.iter().filter(|v| v.updated) {
            self.own(self.by_name[&v.name])?;
        }
        let addresses = self.addresses(exe);
        self.bindings.push((exe.clone(), addresses));
        Ok(self.bindings.len() - 1)
    }

    /// A variable with its initial value: one that no run updates stays where the executable has it.
    fn first(&self, v: &Variable) -> Result<State, RunError> {
        let value = initial_value(&v.init, v.dtype, &v.shape)
            .map_err(|reason| RunError::Initializer { name: v.name.clone(), reason })?;
        let device = self.exe.device();
        let memory = if v.updated { device.variable(value.bytes())? } else { device.shared(&value)? };
        Ok(State { name: v.name.clone(), dtype: v.dtype, shape: v.shape.clone(), memory, shared: !v.updated })
    }

    /// Gives a variable memory that this session may write.
    fn own(&mut self, i: usize) -> Result<(), RunError> {
        if !self.variables[i].shared {
            return Ok(());
        }
        let memory = self.exe.device().variable(&self.variables[i].bytes()?)?;
        self.variables[i].memory = memory;
        self.variables[i].shared = false;
        let moved: Vec<Vec<Address>> = self.bindings.iter().map(|(exe, _)| self.addresses(exe)).collect();
        self.bindings.iter_mut().zip(moved).for_each(|(binding, addresses)| binding.1 = addresses);
        Ok(())
    }

    /// Where the variables of an executable lie that is bound.
    fn addresses(&self, exe: &Executable) -> Vec<Address> {
        let state = |name: &str| &self.variables[self.by_name[name]];
        exe.signature().variables.iter().map(|v| state(&v.name).memory.address()).collect()
    }

    /// Runs the session's executable: feeds by name, all fetches back, variables updated.
    ///
    /// # Errors
    /// A feed that is missing, unknown or of another type; sizes that contradict each other. The variables are then as before.
    pub fn run<'t, F: Copy + Into<TensorView<'t>>>(&mut self, feeds: &[(&str, F)]) -> Result<Outputs, RunError> {
        self.run_bound(0, feeds)
    }

    /// Runs another executable on this session's variables.
    ///
    /// # Errors
    /// As [`Session::run`] and [`Session::attach`].
    pub fn run_with<'t, F: Copy + Into<TensorView<'t>>>(
        &mut self,
        exe: &Executable,
        feeds: &[(&str, F)],
    ) -> Result<Outputs, RunError> {
        let binding = self.binding(exe)?;
        self.run_bound(binding, feeds)
    }

    fn run_bound<'t, F: Copy + Into<TensorView<'t>>>(
        &mut self,
        binding: usize,
        feeds: &[(&str, F)],
    ) -> Result<Outputs, RunError> {
        let (exe, variables) = &self.bindings[binding];
        let inputs = exe.arrange(feeds)?;
        let entry = exe.entry_for(&inputs)?;
        // SAFETY: the variables are this session's own, exclusively borrowed, of the types checked in `binding`.
        unsafe { exe.run_fresh(&entry, &inputs, variables) }
    }

    /// Runs the session's executable on inputs and into outputs in the order of the signature. Makes no heap allocation once a
    /// program for these sizes has run.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_into(&mut self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>]) -> Result<(), RunError> {
        let (exe, variables) = &self.bindings[0];
        // SAFETY: the variables are this session's own, exclusively borrowed, of the types checked in `binding`.
        unsafe { exe.run_in_place(inputs, outputs, variables) }
    }

    /// The executable that the session was made for.
    pub fn executable(&self) -> &Executable {
        &self.exe
    }

    /// Names of the variables, in order of declaration.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|v| v.name.as_str())
    }

    /// A copy of a variable's value.
    ///
    /// # Errors
    /// When there is no such variable.
    pub fn get(&self, name: &str) -> Result<Tensor, RunError> {
        let v = &self.variables[self.find(name)?];
        Ok(Tensor::from_bytes(v.dtype, &v.shape, &v.bytes()?)?)
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// When there is no such variable, or it has another type.
    pub fn set<'t>(&mut self, name: &str, value: impl Into<TensorView<'t>>) -> Result<(), RunError> {
        let i = self.find(name)?;
        let (v, value) = (&self.variables[i], value.into());
        if v.dtype != value.dtype() || v.shape != value.shape() {
            return Err(RunError::VariableType {
                name: name.into(),
                expected: type_name(v.dtype, &v.shape),
                found: type_name(value.dtype(), value.shape()),
            });
        }
        self.own(i)?;
        Ok(self.variables[i].memory.write(value.bytes())?)
    }

    fn find(&self, name: &str) -> Result<usize, RunError> {
        self.by_name.get(name).copied().ok_or_else(|| RunError::UnknownVariable {
            name: name.into(),
            expected: self.variables.iter().map(|v| v.name.clone()).collect(),
        })
    }
}

impl Executable {
    /// A session with fresh variables.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn session(&self) -> Result<Session, RunError> {
        Session::new(self)
    }
}
