//! Checkpoints in the safetensors format.

use crate::error::RunError;
use crate::file::write_atomically;
use crate::session::{Session, State};
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
        let values = self.variables.iter().map(State::bytes).collect::<Result<Vec<_>, _>>()?;
        let views = self
            .variables
            .iter()
            .zip(&values)
            .map(|(v, value)| {
                let view = SafeView::new(to_safe(v.dtype), safe_shape(v.dtype, &v.shape), value);
                Ok((v.name.as_str(), view.map_err(file)?))
            })
            .collect::<Result<Vec<_>, RunError>>()?;
        let bytes = safetensors::serialize(views, None).map_err(file)?;
        write_atomically(path, |out| out.write_all(&bytes))
    }

    /// Restores all variables from a safetensors file. Nothing changes unless everything fits.
    ///
    /// # Errors
    /// When the file cannot be read, lacks a variable, or has one of another type. Further tensors in the file are fine.
    pub fn restore(&mut self, path: impl AsRef<Path>) -> Result<(), RunError> {
        let path = path.as_ref();
        let file = |reason: String| RunError::File { path: path.display().to_string(), reason };
        let bytes = std::fs::read(path).map_err(|source| RunError::Io { path: path.display().to_string(), source })?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| file(e.to_string()))?;
        let mut values = Vec::with_capacity(self.variables.len());
        for v in &self.variables {
            let t = tensors.tensor(&v.name).map_err(|_| file(format!("it has no variable \"{}\"", v.name)))?;
            if t.dtype() != to_safe(v.dtype) || t.shape() != safe_shape(v.dtype, &v.shape) {
                let found = format!("{:?}{:?}", t.dtype(), t.shape());
                return Err(file(format!("variable \"{}\" is {}{:?} here, {found} there", v.name, v.dtype, v.shape)));
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
