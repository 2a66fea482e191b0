//! Shapes and tensor types.

use crate::dim::{Dim, DimEnv};
use crate::dtype::DType;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Sizes of a tensor's dimensions, outermost first; row-major order.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Shape(SmallVec<[Dim; 4]>);

impl Shape {
    /// A shape of the given dimensions.
    pub fn new(dims: impl IntoIterator<Item = Dim>) -> Shape {
        Shape(dims.into_iter().collect())
    }
    /// The shape of a scalar.
    pub fn scalar() -> Shape {
        Shape::default()
    }
    /// A shape of known sizes.
    pub fn from_sizes(sizes: &[usize]) -> Shape {
        Shape(sizes.iter().map(|&n| Dim::from(n)).collect())
    }
    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }
    /// The sizes, if all are known and none is negative.
    pub fn as_sizes(&self) -> Option<SmallVec<[usize; 4]>> {
        self.0.iter().map(|d| d.as_const().and_then(|n| usize::try_from(n).ok())).collect()
    }
    /// True when a dimension is symbolic.
    pub fn is_symbolic(&self) -> bool {
        self.0.iter().any(Dim::is_symbolic)
    }
    /// Replaces symbols by their values.
    pub fn substitute(&self, env: &DimEnv) -> Shape {
        Shape(self.0.iter().map(|d| d.substitute(env)).collect())
    }
    /// Appends a dimension.
    pub fn push(&mut self, d: Dim) {
        self.0.push(d);
    }
    /// Inserts a dimension.
    pub fn insert(&mut self, at: usize, d: Dim) {
        self.0.insert(at, d);
    }
    /// Removes and returns a dimension.
    pub fn remove(&mut self, at: usize) -> Dim {
        self.0.remove(at)
    }
    /// Number of elements when all sizes are known and the product fits in a usize.
    pub fn num_elements(&self) -> Option<usize> {
        self.as_sizes()?.iter().try_fold(1usize, |a, &n| a.checked_mul(n))
    }
}

impl Deref for Shape {
    type Target = [Dim];
    fn deref(&self) -> &[Dim] {
        &self.0
    }
}
impl DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut [Dim] {
        &mut self.0
    }
}
impl FromIterator<Dim> for Shape {
    fn from_iter<I: IntoIterator<Item = Dim>>(iter: I) -> Shape {
        Shape(iter.into_iter().collect())
    }
}
impl<D: Into<Dim>, const N: usize> From<[D; N]> for Shape {
    fn from(dims: [D; N]) -> Shape {
        dims.into_iter().map(Into::into).collect()
    }
}
impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Shape {
        Shape::from_sizes(sizes)
    }
}
impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Shape {
        Shape::from_sizes(&sizes)
    }
}
impl From<&Shape> for Shape {
    fn from(s: &Shape) -> Shape {
        s.clone()
    }
}
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().enumerate() {
            write!(f, "{}{d}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}
impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Element type and shape: prints as `f32[batch, 784]`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Sizes.
    pub shape: Shape,
}

impl TensorType {
    /// A type of the given element type and shape.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> TensorType {
        TensorType { dtype, shape: shape.into() }
    }
    /// A scalar type.
    pub fn scalar(dtype: DType) -> TensorType {
        TensorType { dtype, shape: Shape::scalar() }
    }
    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }
    /// The same shape with another element type.
    pub fn with_dtype(&self, dtype: DType) -> TensorType {
        TensorType { dtype, shape: self.shape.clone() }
    }
    /// Bytes of the dense row-major tensor when sizes are known.
    pub fn num_bytes(&self) -> Option<usize> {
        self.shape.num_elements()?.checked_mul(self.dtype.size())
    }
}
impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}
impl fmt::Debug for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
