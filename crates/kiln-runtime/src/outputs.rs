//! What a run gives back.

use kiln_ir::Tensor;
use std::ops::Index;
use std::sync::Arc;

/// The fetched values of one run, by position or name.
#[derive(Clone, Debug)]
pub struct Outputs {
    names: Arc<[String]>,
    tensors: Vec<Tensor>,
}

impl Outputs {
    pub(crate) fn new(names: Arc<[String]>, tensors: Vec<Tensor>) -> Outputs {
        Outputs { names, tensors }
    }
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.names.iter().position(|n| n == name).map(|i| &self.tensors[i])
    }
    /// Number of values.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }
    /// True when nothing was fetched.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
    /// Names and values, in the order of the signature.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.names.iter().map(String::as_str).zip(&self.tensors)
    }
    /// The values, in the order of the signature.
    pub fn into_vec(self) -> Vec<Tensor> {
        self.tensors
    }
}

impl Index<usize> for Outputs {
    type Output = Tensor;
    /// # Panics
    /// When there is no such position.
    fn index(&self, i: usize) -> &Tensor {
        &self.tensors[i]
    }
}

impl Index<&str> for Outputs {
    type Output = Tensor;
    /// # Panics
    /// When there is no such name; [`Outputs::get`] does not panic.
    fn index(&self, name: &str) -> &Tensor {
        self.get(name).unwrap_or_else(|| panic!("no output \"{name}\"; the outputs are {:?}", self.names))
    }
}
