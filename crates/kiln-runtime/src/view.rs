//! Borrowed tensors: feeds and output buffers without copies.

use kiln_ir::tensor::as_bytes;
use kiln_ir::{DType, Element, Tensor, TensorError};

/// A borrowed dense row-major tensor.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    dtype: DType,
    shape: &'a [usize],
    bytes: &'a [u8],
}

/// A borrowed dense row-major tensor to write to.
#[derive(Debug)]
pub struct TensorViewMut<'a> {
    dtype: DType,
    shape: &'a [usize],
    bytes: &'a mut [u8],
}

fn check(shape: &[usize], found: usize) -> Result<(), TensorError> {
    let expected = shape.iter().try_fold(1usize, |a, &n| a.checked_mul(n)).ok_or(TensorError::TooLarge)?;
    if expected == found { Ok(()) } else { Err(TensorError::Length { expected, found }) }
}

impl<'a> TensorView<'a> {
    /// A view of a slice.
    ///
    /// # Errors
    /// When the number of elements is not the product of `shape`.
    pub fn new<T: Element>(shape: &'a [usize], data: &'a [T]) -> Result<TensorView<'a>, TensorError> {
        check(shape, data.len())?;
        Ok(TensorView { dtype: T::DTYPE, shape, bytes: as_bytes(data) })
    }
    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// Sizes.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }
    /// The bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> From<&'a Tensor> for TensorView<'a> {
    fn from(t: &'a Tensor) -> TensorView<'a> {
        TensorView { dtype: t.dtype(), shape: t.shape(), bytes: t.bytes() }
    }
}
impl<'a> From<&'a TensorView<'_>> for TensorView<'a> {
    fn from(v: &'a TensorView<'_>) -> TensorView<'a> {
        *v
    }
}

impl<'a> TensorViewMut<'a> {
    /// A view of a slice. A program that writes bools writes 0 and 1 only, so `bool` slices stay valid.
    ///
    /// # Errors
    /// When the number of elements is not the product of `shape`.
    pub fn new<T: Element>(shape: &'a [usize], data: &'a mut [T]) -> Result<TensorViewMut<'a>, TensorError> {
        check(shape, data.len())?;
        let len = std::mem::size_of_val(data);
        // SAFETY: `Element` types have no padding, u8 has no alignment, and the exclusive borrow is passed on.
        let bytes = unsafe { std::slice::from_raw_parts_mut(data.as_mut_ptr().cast::<u8>(), len) };
        Ok(TensorViewMut { dtype: T::DTYPE, shape, bytes })
    }
    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// Sizes.
    pub fn shape(&self) -> &[usize] {
        self.shape
    }
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }
    pub(crate) fn from_parts(dtype: DType, shape: &'a [usize], bytes: &'a mut [u8]) -> TensorViewMut<'a> {
        TensorViewMut { dtype, shape, bytes }
    }
}
