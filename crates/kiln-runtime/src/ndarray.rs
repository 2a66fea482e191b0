//! Tensors from and to `ndarray`.

use crate::view::TensorView;
use kiln_ir::{Element, Tensor, TensorError};
use ndarray::{ArrayBase, ArrayD, ArrayView, ArrayViewD, Data, Dimension, IxDyn};

impl<'a> TensorView<'a> {
    /// A view of an array in standard (row-major, contiguous) layout, without copying; `None` for other layouts, which
    /// [`tensor_from_array`] copies.
    pub fn from_array<T: Element, S: Data<Elem = T>, D: Dimension>(
        array: &'a ArrayBase<S, D>,
    ) -> Option<TensorView<'a>> {
        TensorView::new(array.shape(), array.as_slice()?).ok()
    }
}

/// A tensor with a copy of an array's elements, of any layout.
///
/// # Errors
/// When the size in bytes overflows.
pub fn tensor_from_array<T: Element, D: Dimension>(array: ArrayView<'_, T, D>) -> Result<Tensor, TensorError> {
    Tensor::from_vec(array.shape(), array.iter().copied().collect())
}

/// A tensor that takes over an array's elements; copies only when they are not in row-major order.
///
/// # Errors
/// When the size in bytes overflows.
pub fn tensor_from_owned_array<T: Element>(array: ArrayD<T>) -> Result<Tensor, TensorError> {
    if array.is_standard_layout() {
        let shape = array.shape().to_vec();
        let (data, offset) = array.into_raw_vec_and_offset();
        if offset.unwrap_or(0) == 0 && data.len() == shape.iter().product::<usize>() {
            return Tensor::from_vec(shape, data);
        }
        let len = shape.iter().product::<usize>();
        let start = offset.unwrap_or(0);
        return Tensor::from_slice(shape, &data[start..start + len]);
    }
    tensor_from_array(array.view())
}

/// A view of a tensor's elements as an array, without copying.
///
/// # Errors
/// When `T` is not the element type.
pub fn array_view<T: Element>(tensor: &Tensor) -> Result<ArrayViewD<'_, T>, TensorError> {
    let slice = tensor.as_slice::<T>()?;
    ArrayViewD::from_shape(IxDyn(tensor.shape()), slice)
        .map_err(|_| TensorError::Length { expected: tensor.len(), found: slice.len() })
}
