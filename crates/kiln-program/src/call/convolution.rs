//! Convolutions: the semantics of StableHLO's `convolution`, over operands of any layout.

use super::span::{byte_size, check_distinct, checked_product, span};
use super::{CallParams, Operands, check_native};
use kiln_ir::DType;

/// Most spatial dimensions of a convolution.
pub const MAX_SPATIAL: usize = 3;

/// One spatial dimension of a [`ConvParams`]; strides of operands are in elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConvDim {
    /// Size of lhs.
    pub input: usize,
    /// Size of the window (of rhs).
    pub window: usize,
    /// Size of out; must be [`ConvDim::output_size`].
    pub output: usize,
    /// `window_strides`: distance between windows, at least 1.
    pub stride: usize,
    /// `padding` before the (dilated) input; negative crops.
    pub padding_low: isize,
    /// `padding` after the (dilated) input; negative crops.
    pub padding_high: isize,
    /// `lhs_dilation`: distance between input elements, at least 1.
    pub lhs_dilation: usize,
    /// `rhs_dilation`: distance between window elements, at least 1.
    pub rhs_dilation: usize,
    /// `window_reversal`: whether the window is read backwards.
    pub reversal: bool,
    /// Distance between elements of lhs along this dimension.
    pub lhs_stride: isize,
    /// Distance between elements of rhs along this dimension.
    pub rhs_stride: isize,
    /// Distance between elements of out along this dimension.
    pub out_stride: isize,
}

impl ConvDim {
    /// The output size that StableHLO defines for these sizes, paddings, dilations and stride.
    ///
    /// # Errors
    /// When a stride or dilation is 0, or a size is too large to compute with.
    pub fn output_size(&self) -> Result<usize, String> {
        if self.stride == 0 || self.lhs_dilation == 0 || self.rhs_dilation == 0 {
            return Err("window strides and dilations must be at least 1".into());
        }
        const LIMIT: usize = 1 << 60;
        let largest = [self.input, self.window, self.stride, self.lhs_dilation, self.rhs_dilation].into_iter().max();
        if largest > Some(LIMIT) {
            return Err("a size, stride or dilation is too large".into());
        }
        // Below the limit these fit 128 bits.
        let dilated = |size: usize, dilation: usize| match size {
            0 => 0,
            size => (size as i128 - 1) * dilation as i128 + 1,
        };
        let input = dilated(self.input, self.lhs_dilation);
        let window = dilated(self.window, self.rhs_dilation);
        let padded = self.padding_low as i128 + input + self.padding_high as i128;
        if input.max(window).max(padded) > LIMIT as i128 {
            return Err("a padded or dilated size is too large".into());
        }
        if padded <= 0 || window > padded {
            return Ok(0);
        }
        Ok(((padded - window) / self.stride as i128) as usize + 1)
    }
}

/// A convolution. lhs is `[batch, input_features, input...]`, rhs
/// `[output_features, input_features / feature_group_count, window...]`, out
/// `[batch / batch_group_count, output_features, output...]`, each in any memory layout given by strides in elements,
/// so that any `dimension_numbers` of StableHLO fit.
///
/// `feature_group_count` and `batch_group_count` divide the work as StableHLO says; at most one of them exceeds 1.
/// The operands are lhs, rhs, out and, where the target needs one, the workspace; out must not overlap the others. Sums are
/// ordered and rounded as in [`super::DotParams`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConvParams {
    /// Element type of all three operands.
    pub dtype: DType,
    /// Batch size of lhs.
    pub batch: usize,
    /// Features of lhs.
    pub input_features: usize,
    /// Features of out.
    pub output_features: usize,
    /// `feature_group_count`, at least 1; divides both feature counts.
    pub feature_group_count: usize,
    /// `batch_group_count`, at least 1; divides `batch` and `output_features`.
    pub batch_group_count: usize,
    /// Spatial dimensions, at most [`MAX_SPATIAL`].
    pub spatial: Vec<ConvDim>,
    /// Distance between images in lhs.
    pub lhs_batch_stride: isize,
    /// Distance between features in lhs.
    pub lhs_feature_stride: isize,
    /// Distance between output features in rhs.
    pub rhs_output_stride: isize,
    /// Distance between input features in rhs.
    pub rhs_input_stride: isize,
    /// Distance between images in out.
    pub out_batch_stride: isize,
    /// Distance between features in out.
    pub out_feature_stride: isize,
}

impl ConvParams {
    /// Input features that one output feature sees: the size of rhs along its input feature dimension.
    pub fn features_per_group(&self) -> usize {
        self.input_features / self.feature_group_count.max(1)
    }

    /// Batch size of out.
    pub fn output_batch(&self) -> usize {
        self.batch / self.batch_group_count.max(1)
    }

    fn validate_groups(&self) -> Result<(), String> {
        let (features, batches) = (self.feature_group_count, self.batch_group_count);
        if features == 0 || batches == 0 {
            return Err("group counts must be at least 1".into());
        }
        if features > 1 && batches > 1 {
            return Err(format!("feature_group_count {features} and batch_group_count {batches} exceed 1 together"));
        }
        let divides = |count: usize, what: &str, size: usize, of: &str| match size.is_multiple_of(count) {
            true => Ok(()),
            false => Err(format!("{what} {count} does not divide {of} {size}")),
        };
        divides(features, "feature_group_count", self.input_features, "input_features")?;
        divides(features, "feature_group_count", self.output_features, "output_features")?;
        divides(batches, "batch_group_count", self.batch, "batch")?;
        divides(batches, "batch_group_count", self.output_features, "output_features")
    }

    /// The dimensions of out with their strides.
    fn out_dims(&self) -> Vec<(usize, isize)> {
        let mut dims =
            vec![(self.output_batch(), self.out_batch_stride), (self.output_features, self.out_feature_stride)];
        dims.extend(self.spatial.iter().map(|dim| (dim.output, dim.out_stride)));
        dims
    }

    /// Whether out has no elements.
    pub fn is_empty(&self) -> bool {
        self.output_batch() == 0 || self.output_features == 0 || self.spatial.iter().any(|dim| dim.output == 0)
    }
}

impl CallParams for ConvParams {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn operand_bytes(&self) -> Result<Operands, String> {
        let size = self.dtype.size();
        let mut lhs = vec![(self.batch, self.lhs_batch_stride), (self.input_features, self.lhs_feature_stride)];
        lhs.extend(self.spatial.iter().map(|dim| (dim.input, dim.lhs_stride)));
        let mut rhs =
            vec![(self.output_features, self.rhs_output_stride), (self.features_per_group(), self.rhs_input_stride)];
        rhs.extend(self.spatial.iter().map(|dim| (dim.window, dim.rhs_stride)));
        Ok(vec![
            ("lhs", byte_size("lhs", span("lhs", &lhs)?, size)?),
            ("rhs", byte_size("rhs", span("rhs", &rhs)?, size)?),
            ("out", byte_size("out", span("out", &self.out_dims())?, size)?),
        ])
    }

    fn validate(&self) -> Result<(), String> {
        check_native(self.dtype)?;
        self.validate_groups()?;
        if self.spatial.len() > MAX_SPATIAL {
            return Err(format!("{} spatial dimensions; at most {MAX_SPATIAL} are supported", self.spatial.len()));
        }
        for (index, dim) in self.spatial.iter().enumerate() {
            let output = dim.output_size().map_err(|message| format!("spatial dimension {index}: {message}"))?;
            if output != dim.output {
                let found = dim.output;
                return Err(format!("spatial dimension {index}: the output size is {output}, {found} is given"));
            }
            let limit = 1 << 40;
            let paddings = dim.padding_low.unsigned_abs().max(dim.padding_high.unsigned_abs());
            if dim.stride.max(dim.lhs_dilation).max(dim.rhs_dilation).max(paddings) > limit {
                return Err(format!("spatial dimension {index}: a stride, dilation or padding exceeds {limit}"));
            }
        }
        self.operand_bytes()?;
        let mut sizes = vec![self.output_batch(), self.output_features, self.features_per_group().max(1)];
        sizes.extend(self.spatial.iter().flat_map(|dim| [dim.output, dim.window.max(1)]));
        checked_product("the number of terms", &sizes)?;
        check_distinct("out", &self.out_dims())
    }

    fn flops(&self) -> u64 {
        let sizes = [2, self.output_batch(), self.output_features, self.features_per_group()];
        let spatial = self.spatial.iter().flat_map(|dim| [dim.output, dim.window]);
        sizes.into_iter().chain(spatial).fold(1, |product, size| product.saturating_mul(size as u64))
    }
}
