//! Dimension numbers and windows.

use crate::dtype::DType;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// A list of dimension numbers.
pub type Axes = SmallVec<[usize; 4]>;
/// A list of integers, one per dimension.
pub type Ints = SmallVec<[i64; 4]>;

/// Dimension numbers of `dot_general`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct DotDims {
    /// Batch dimensions of the left side.
    pub lhs_batch: Axes,
    /// Batch dimensions of the right side, in the same order.
    pub rhs_batch: Axes,
    /// Contracted dimensions of the left side.
    pub lhs_contract: Axes,
    /// Contracted dimensions of the right side, in the same order.
    pub rhs_contract: Axes,
    /// Result element type if not the operands'.
    pub result: Option<DType>,
}

/// One spatial dimension of a window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct WindowDim {
    /// Elements in the window (for convolutions: the kernel's size in this dimension).
    pub size: i64,
    /// Step between windows.
    pub stride: i64,
    /// Padding before (may be negative).
    pub pad_low: i64,
    /// Padding after (may be negative).
    pub pad_high: i64,
    /// Spacing of the input's elements (1 = dense): `base_dilations` / `lhs_dilation`.
    pub base_dilation: i64,
    /// Spacing of the window's elements: `window_dilations` / `rhs_dilation`.
    pub window_dilation: i64,
    /// Convolutions only: the window is read backwards.
    pub reversed: bool,
}

impl WindowDim {
    /// A window of one element that covers a dimension as it is.
    pub const TRIVIAL: WindowDim = WindowDim {
        size: 1,
        stride: 1,
        pad_low: 0,
        pad_high: 0,
        base_dilation: 1,
        window_dilation: 1,
        reversed: false,
    };

    /// Extent of the dilated window.
    pub fn dilated_size(&self) -> i64 {
        if self.size == 0 { 0 } else { (self.size - 1) * self.window_dilation + 1 }
    }
    /// Extent of the dilated and padded input of size `n`.
    pub fn padded_input(&self, n: i64) -> i64 {
        let dilated = if n == 0 { 0 } else { (n - 1) * self.base_dilation + 1 };
        dilated + self.pad_low + self.pad_high
    }
    /// Number of windows over an input of size `n`.
    pub fn output_size(&self, n: i64) -> i64 {
        let (padded, window) = (self.padded_input(n), self.dilated_size());
        if padded < window || padded <= 0 { 0 } else { (padded - window) / self.stride + 1 }
    }
}

/// Windows of `reduce_window` and `select_and_scatter`: one entry for every dimension.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Per dimension.
    pub dims: SmallVec<[WindowDim; 4]>,
}

/// Dimension numbers and windows of `convolution`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ConvDims {
    /// Batch dimension of the input.
    pub input_batch: usize,
    /// Feature dimension of the input.
    pub input_feature: usize,
    /// Spatial dimensions of the input.
    pub input_spatial: Axes,
    /// Input-feature dimension of the kernel.
    pub kernel_input_feature: usize,
    /// Output-feature dimension of the kernel.
    pub kernel_output_feature: usize,
    /// Spatial dimensions of the kernel.
    pub kernel_spatial: Axes,
    /// Batch dimension of the result.
    pub output_batch: usize,
    /// Feature dimension of the result.
    pub output_feature: usize,
    /// Spatial dimensions of the result.
    pub output_spatial: Axes,
    /// One window per spatial dimension; `size` equals the kernel's size there.
    pub window: SmallVec<[WindowDim; 4]>,
    /// Groups of input features.
    pub feature_group_count: usize,
    /// Groups of the batch.
    pub batch_group_count: usize,
}

/// Dimension numbers of `gather` (StableHLO names).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct GatherDims {
    /// Result dimensions that run over the slice.
    pub offset_dims: Axes,
    /// Operand dimensions of slice size 1 that the result lacks.
    pub collapsed_slice_dims: Axes,
    /// Operand dimensions that are batched with the indices.
    pub operand_batching_dims: Axes,
    /// The matching dimensions of the indices.
    pub start_indices_batching_dims: Axes,
    /// Operand dimension of each index component.
    pub start_index_map: Axes,
    /// Dimension of the indices that holds the components.
    pub index_vector_dim: usize,
    /// Slice size per operand dimension.
    pub slice_sizes: Shape,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
}

/// Dimension numbers of `scatter` (StableHLO names).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ScatterDims {
    /// Dimensions of the updates that run over the window.
    pub update_window_dims: Axes,
    /// Operand dimensions of size 1 that the window lacks.
    pub inserted_window_dims: Axes,
    /// Operand dimensions that are batched with the indices.
    pub input_batching_dims: Axes,
    /// The matching dimensions of the indices.
    pub scatter_indices_batching_dims: Axes,
    /// Operand dimension of each index component.
    pub scatter_dims_to_operand_dims: Axes,
    /// Dimension of the indices that holds the components.
    pub index_vector_dim: usize,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
    /// A promise that no two indices are equal.
    pub unique_indices: bool,
}
