//! Sessions: the state between runs.

use crate::error::{RunError, type_name};
use crate::executable::{Executable, check_outputs};
use crate::initialize::initial_value;
use crate::outputs::Outputs;
use crate::view::{TensorView, TensorViewMut};
use kiln_ir::tensor::AlignedBytes;
use kiln_ir::{DType, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// The values of variables, updated in place by every run.
///
/// Several executables can share them, matched by name: train with one and evaluate with another
/// ([`Session::run_with`]).
pub struct Session {
    exe: Executable,
    variables: Vec<State>,
    by_name: BTreeMap<String, usize>,
    /// For each executable seen: the position in `variables` of each of its variables.
    bindings: Vec<(Executable, Vec<usize>)>,
}

struct State {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    bytes: AlignedBytes,
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
    /// When a shared variable has another type, or an initial value cannot be made.
    pub fn attach(&mut self, exe: &Executable) -> Result<(), RunError> {
        self.binding(exe).map(|_| ())
    }

    fn binding(&mut self, exe: &Executable) -> Result<usize, RunError> {
        if let Some(i) = self.bindings.iter().position(|(e, _)| e.same(exe)) {
            return Ok(i);
        }
        // Nothing is added before everything is known to fit.
        let mut added: Vec<State> = Vec::new();
        let mut positions = Vec::new();
        for v in &exe.signature().variables {
            if let Some(&i) = self.by_name.get(&v.name) {
                let known = &self.variables[i];
                if known.dtype != v.dtype || known.shape != v.shape {
                    return Err(RunError::VariableType {
                        name: v.name.clone(),
                        expected: type_name(known.dtype, &known.shape),
                        found: type_name(v.dtype, &v.shape),
                    });
                }
                positions.push(i);
                continue;
            }
            let value = initial_value(&v.init, v.dtype, &v.shape)
                .map_err(|reason| RunError::Initializer { name: v.name.clone(), reason })?;
            positions.push(self.variables.len() + added.len());
            let bytes = AlignedBytes::copy_of(value.bytes());
            added.push(State { name: v.name.clone(), dtype: v.dtype, shape: v.shape.clone(), bytes });
        }
        for state in added {
            self.by_name.insert(state.name.clone(), self.variables.len());
            self.variables.push(state);
        }
        self.bindings.push((exe.clone(), positions));
        Ok(self.bindings.len() - 1)
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
        let (exe, positions) = &self.bindings[binding];
        let inputs = exe.arrange(feeds)?;
        let program = exe.program_for(&inputs)?;
        exe.run_program(&program, &inputs, pointers(&mut self.variables, positions))
    }

    /// Runs the session's executable on inputs and into outputs in the order of the signature. Makes no heap allocation once a
    /// program for these sizes has run.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_into(&mut self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>]) -> Result<(), RunError> {
        let (exe, positions) = &self.bindings[0];
        let program = exe.program_for(inputs)?;
        check_outputs(&program.compiled.program.signature, outputs)?;
        let variables = pointers(&mut self.variables, positions);
        // SAFETY: inputs and outputs are checked; the variables are this session's own, exclusively borrowed, of the types
        // checked in `binding`.
        unsafe { program.run(exe.pool(), inputs, outputs, variables) }
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
        Ok(Tensor::from_bytes(v.dtype, &v.shape, v.bytes.as_bytes())?)
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// When there is no such variable, or it has another type.
    pub fn set<'t>(&mut self, name: &str, value: impl Into<TensorView<'t>>) -> Result<(), RunError> {
        let i = self.find(name)?;
        let (v, value) = (&mut self.variables[i], value.into());
        if v.dtype != value.dtype() || v.shape != value.shape() {
            return Err(RunError::VariableType {
                name: name.into(),
                expected: type_name(v.dtype, &v.shape),
                found: type_name(value.dtype(), value.shape()),
            });
        }
        v.bytes.bytes_mut().copy_from_slice(value.bytes());
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize, RunError> {
        self.by_name.get(name).copied().ok_or_else(|| RunError::UnknownVariable {
            name: name.into(),
            expected: self.variables.iter().map(|v| v.name.clone()).collect(),
        })
    }

    /// Writes an artifact of the session's executable whose variables start with the session's values.
    ///
    /// # Errors
    /// As [`Executable::export`].
    pub fn export(&self, path: impl AsRef<Path>) -> Result<(), RunError> {
        self.exe.export_with(self, path)
    }
}

/// Addresses of the variables at these positions.
fn pointers<'v>(variables: &'v mut [State], positions: &'v [usize]) -> impl Iterator<Item = *mut u8> + 'v {
    let base = variables.as_mut_ptr();
    positions.iter().map(move |&i| {
        debug_assert!(i < variables.len());
        // SAFETY: positions are indices of `variables`; each element is borrowed only for this expression, and the addresses
        // are those of separate heap blocks.
        unsafe { (*base.add(i)).bytes.bytes_mut().as_mut_ptr() }
    })
}

/// Writes a file so that it is either the old or the new one, never half of it.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let io = |source| RunError::Io { path: path.display().to_string(), source };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let result = std::fs::write(temporary, bytes).and_then(|()| std::fs::rename(temporary, path));
    if result.is_err() {
        // The error that matters is the first one.
        let _ = std::fs::remove_file(temporary);
    }
    result.map_err(io)
}

#[cfg(feature = "safetensors")]
mod checkpoint {
    use super::{RunError, Session, write_atomically};
    use crate::view::TensorView;
    use kiln_ir::{DType, Tensor};
    use safetensors::tensor::{Dtype, SafeTensors, TensorView as SafeView};
    use std::path::Path;

    /// The format's element type. What it lacks is kept as the bytes of an integer, c128 as pairs of f64.
    fn to_safe(dtype: DType) -> Dtype {
        match dtype {
            DType::Bool => Dtype::BOOL,
            DType::I8 => Dtype::I8,
            DType::I16 => Dtype::I16,
            DType::I32 => Dtype::I32,
            DType::I64 => Dtype::I64,
            DType::U8 => Dtype::U8,
            DType::U16 => Dtype::U16,
            DType::U32 => Dtype::U32,
            DType::U64 => Dtype::U64,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            DType::C64 => Dtype::C64,
            DType::C128 => Dtype::F64,
            DType::F8E5M2 => Dtype::F8_E5M2,
            DType::F8E4M3FN => Dtype::F8_E4M3,
            DType::F8E8M0FNU => Dtype::F8_E8M0,
            DType::F8E4M3FNUZ => Dtype::F8_E4M3FNUZ,
            DType::F8E5M2FNUZ => Dtype::F8_E5M2FNUZ,
            DType::I2 | DType::I4 => Dtype::I8,
            DType::U2
            | DType::U4
            | DType::F4E2M1FN
            | DType::F6E2M3FN
            | DType::F6E3M2FN
            | DType::F8E3M4
            | DType::F8E4M3
            | DType::F8E4M3B11FNUZ => Dtype::U8,
        }
    }

    /// The shape under which the elements are kept.
    fn safe_shape(dtype: DType, shape: &[usize]) -> Vec<usize> {
        let pair = (dtype == DType::C128).then_some(2);
        shape.iter().copied().chain(pair).collect()
    }

    impl Session {
        /// Saves all variables in the safetensors format.
        ///
        /// # Errors
        /// When the file cannot be written.
        pub fn save(&self, path: impl AsRef<Path>) -> Result<(), RunError> {
            let path = path.as_ref();
            let file = |e: safetensors::SafeTensorError| RunError::File {
                path: path.display().to_string(),
                reason: e.to_string(),
            };
            let views = self
                .variables
                .iter()
                .map(|v| {
                    let view = SafeView::new(to_safe(v.dtype), safe_shape(v.dtype, &v.shape), v.bytes.as_bytes());
                    Ok((v.name.as_str(), view.map_err(file)?))
                })
                .collect::<Result<Vec<_>, RunError>>()?;
            write_atomically(path, &safetensors::serialize(views, None).map_err(file)?)
        }

        /// Restores all variables from a safetensors file. Nothing changes unless everything fits.
        ///
        /// # Errors
        /// When the file cannot be read, lacks a variable, or has one of another type. Further tensors in the file are fine.
        pub fn restore(&mut self, path: impl AsRef<Path>) -> Result<(), RunError> {
            let path = path.as_ref();
            let file = |reason: String| RunError::File { path: path.display().to_string(), reason };
            let bytes =
                std::fs::read(path).map_err(|source| RunError::Io { path: path.display().to_string(), source })?;
            let tensors = SafeTensors::deserialize(&bytes).map_err(|e| file(e.to_string()))?;
            let mut values = Vec::with_capacity(self.variables.len());
            for v in &self.variables {
                let t = tensors.tensor(&v.name).map_err(|_| file(format!("it has no variable \"{}\"", v.name)))?;
                if t.dtype() != to_safe(v.dtype) || t.shape() != safe_shape(v.dtype, &v.shape) {
                    let found = format!("{:?}{:?}", t.dtype(), t.shape());
                    return Err(file(format!(
                        "variable \"{}\" is {}{:?} here, {found} there",
                        v.name, v.dtype, v.shape
                    )));
                }
                values.push(Tensor::from_bytes(v.dtype, &v.shape, t.data())?);
            }
            let names: Vec<String> = self.variables().map(str::to_owned).collect();
            for (name, value) in names.iter().zip(&values) {
                self.set(name, TensorView::from(value))?;
            }
            Ok(())
        }
    }
}
