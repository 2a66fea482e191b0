//! A convolution as a matrix product: which index is which.
//!
//! One side of the product is the window matrix ([`Im2col`]): a lane per output position (image and output
//! coordinates), a term per input feature and window coordinate. The other is rhs as it lies: a lane per output
//! feature, the same terms. Groups are the batch of the product.

use super::im2col::{Axis, Im2col};
use super::{ConvDim, ConvParams, MAX_SPATIAL};
use crate::gemm::map::DimMap;
use crate::gemm::pack::Strided;
use crate::gemm::problem::{Batch, Batches, Gemm, Side};
use crate::gemm::tile::TileElement;

/// Fewest input features whose distance in lhs counts.
const LEAST_RUN: usize = 4;

/// Shortest window that may be the innermost run of terms.
const LONG_WINDOW: usize = 12;

/// Number of term dimensions: the input feature and the window.
pub(super) const TERM_DIMS: usize = MAX_SPATIAL + 1;

/// A convolution with its index orders chosen.
pub(super) struct Geometry {
    /// Whether output features are the rows of the product and positions the columns, or the other way round.
    pub(super) features_are_rows: bool,
    /// Offset of rhs's element with the smallest window index: not 0 when windows are reversed.
    pub(super) rhs_start: isize,
    windows: Im2col,
    /// The lhs as a plain matrix, where the window is a single element that never meets padding.
    plain: Option<Strided>,
    rhs: Strided,
    out_positions: DimMap,
    out_features: DimMap,
    batches: Batches,
}

/// A spatial dimension that changes nothing.
const TRIVIAL: ConvDim = ConvDim {
    input: 1,
    window: 1,
    output: 1,
    stride: 1,
    padding_low: 0,
    padding_high: 0,
    lhs_dilation: 1,
    rhs_dilation: 1,
    reversal: false,
    lhs_stride: 0,
    rhs_stride: 0,
    out_stride: 0,
};

/// The spatial dimensions, preceded by trivial ones.
pub(super) fn padded_dims(params: &ConvParams) -> [ConvDim; MAX_SPATIAL] {
    let mut dims = [TRIVIAL; MAX_SPATIAL];
    dims[MAX_SPATIAL - params.spatial.len()..].copy_from_slice(&params.spatial);
    dims
}

impl Geometry {
    /// The form of parameters that passed validation and whose out has elements.
    pub(super) fn new(params: &ConvParams) -> Geometry {
        let dims = padded_dims(params);
        let groups = params.feature_group_count.max(params.batch_group_count);
        let features = params.output_features / groups;
        let images = params.output_batch();

        // Positions in the order of out's memory, so that neighbours are stored together.
        let mut lanes = [(images, params.out_batch_stride, None); TERM_DIMS];
        for (index, dim) in dims.iter().enumerate() {
            lanes[index + 1] = (dim.output, dim.out_stride, Some(index));
        }
        lanes.sort_by_key(|&(extent, stride, _)| core::cmp::Reverse(if extent == 1 { isize::MAX } else { stride }));
        let out_positions = DimMap::new(&lanes.map(|(extent, stride, _)| (extent, stride)));
        let out_features = DimMap::affine(features, params.out_feature_stride);

        let order = term_order(params, &dims);
        let rhs_terms = order.map(|axis| match axis {
            None => (params.features_per_group(), params.rhs_input_stride),
            Some(index) => {
                let dim = &dims[index];
                (dim.window, if dim.reversal { -dim.rhs_stride } else { dim.rhs_stride })
            }
        });
        let reversed = dims.iter().filter(|dim| dim.reversal && dim.window > 0);
        let rhs_start =
            reversed.fold(0isize, |sum, dim| sum.wrapping_add((dim.window as isize - 1).wrapping_mul(dim.rhs_stride)));
        let rhs = Strided { lanes: DimMap::affine(features, params.rhs_output_stride), terms: DimMap::new(&rhs_terms) };
        let windows = Im2col {
            axes: dims.map(Axis::new),
            images,
            image_stride: params.lhs_batch_stride,
            features: params.features_per_group(),
            feature_stride: params.lhs_feature_stride,
            lanes: lanes.map(|(_, _, axis)| axis),
            order,
        };
        let mut geometry = Geometry {
            features_are_rows: !(params.out_feature_stride == 1 && features > 1)
                && (out_positions.inner_stride() == 1 || out_positions.size() == 1 || features == 1),
            rhs_start,
            plain: windows.as_matrix(),
            windows,
            rhs,
            out_positions,
            out_features,
            batches: Batches::default(),
        };
        geometry.add_groups(params, groups, features);
        geometry
    }

    /// Operands without elements may have any strides, so this wraps like all arithmetic on offsets that may turn
    /// out not to be used.
    fn add_groups(&mut self, params: &ConvParams, groups: usize, features: usize) {
        let lhs = if params.feature_group_count > 1 {
            (params.features_per_group() as isize).wrapping_mul(params.lhs_feature_stride)
        } else {
            (params.output_batch() as isize).wrapping_mul(params.lhs_batch_stride)
        };
        let rhs = (features as isize).wrapping_mul(params.rhs_output_stride);
        let (a, b) = if self.features_are_rows { (rhs, lhs) } else { (lhs, rhs) };
        let c = features as isize * params.out_feature_stride;
        self.batches.push_inner(Batch { extent: groups, a, b, c });
    }

    /// Calls `body` with the product; a's and b's places follow from `features_are_rows`.
    pub(super) fn with_gemm<T: TileElement, R>(&self, body: impl FnOnce(&Gemm<'_, T>) -> R) -> R {
        let lhs = match self.plain {
            Some(matrix) => Side::Strided(matrix),
            None => Side::Computed(&self.windows),
        };
        let rhs = Side::Strided(self.rhs);
        let (positions, features) = (self.out_positions, self.out_features);
        let (k, batches) = (self.windows.terms(), self.batches);
        let gemm = if self.features_are_rows {
            let (m, n) = (features.size(), positions.size());
            Gemm { m, n, k, batches, a: rhs, b: lhs, c_rows: features, c_cols: positions }
        } else {
            let (m, n) = (positions.size(), features.size());
            Gemm { m, n, k, batches, a: lhs, b: rhs, c_rows: positions, c_cols: features }
        };
        body(&gemm)
    }
}

/// The order of the term dimensions, outermost first (`None` is the input feature). Innermost is the feature, whose run
/// shares one window position, unless a long window is closer together in lhs (as in gradients with respect to the
/// weights, where the window is an image).
fn term_order(params: &ConvParams, dims: &[ConvDim; MAX_SPATIAL]) -> [Option<usize>; TERM_DIMS] {
    let features = params.features_per_group();
    let feature_stride = if features >= LEAST_RUN { params.lhs_feature_stride } else { isize::MAX };
    let step = |index: usize| dims[index].lhs_stride.saturating_mul(dims[index].rhs_dilation as isize);
    let long = (0..MAX_SPATIAL).filter(|&index| dims[index].window >= LONG_WINDOW);
    let inner = long.min_by_key(|&index| step(index)).filter(|&index| step(index) < feature_stride);
    let mut order = [inner; TERM_DIMS];
    let others = [None, Some(0), Some(1), Some(2)].into_iter().filter(|&axis| axis != inner);
    for (at, axis) in others.enumerate() {
        order[at] = axis;
    }
    order
}
