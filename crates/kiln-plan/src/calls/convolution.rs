//! `convolution` with strides for any dimension numbers.

use super::layout;
use kiln_ir::layout::strides;
use kiln_ir::op::ConvDims;
use kiln_ir::{Func, Node};
use kiln_program::call::{ConvDim, ConvParams};

/// The library parameters of a convolution of dense row-major operands.
pub(super) fn params(func: &Func, node: &Node, dims: &ConvDims) -> ConvParams {
    let (lhs, lhs_strides) = layout(func, node.operands[0]);
    let (rhs, rhs_strides) = layout(func, node.operands[1]);
    let out = node.types[0].shape.as_sizes().expect("static shapes are checked before lowering");
    let out_strides = strides(&out);
    let spatial = (0..dims.window.len())
        .map(|i| {
            let (l, r, o) = (dims.input_spatial[i], dims.kernel_spatial[i], dims.output_spatial[i]);
            let w = dims.window[i];
            ConvDim {
                input: lhs[l],
                window: rhs[r],
                output: out[o],
                stride: w.stride as usize,
                padding_low: w.pad_low as isize,
                padding_high: w.pad_high as isize,
                lhs_dilation: w.base_dilation as usize,
                rhs_dilation: w.window_dilation as usize,
                reversal: w.reversed,
                lhs_stride: lhs_strides[l],
                rhs_stride: rhs_strides[r],
                out_stride: out_strides[o],
            }
        })
        .collect();
    ConvParams {
        dtype: node.types[0].dtype,
        batch: lhs[dims.input_batch],
        input_features: lhs[dims.input_feature],
        output_features: rhs[dims.kernel_output_feature],
        feature_group_count: dims.feature_group_count,
        batch_group_count: dims.batch_group_count,
        spatial,
        lhs_batch_stride: lhs_strides[dims.input_batch],
        lhs_feature_stride: lhs_strides[dims.input_feature],
        rhs_output_stride: rhs_strides[dims.kernel_output_feature],
        rhs_input_stride: rhs_strides[dims.kernel_input_feature],
        out_batch_stride: out_strides[dims.output_batch],
        out_feature_stride: out_strides[dims.output_feature],
    }
}
