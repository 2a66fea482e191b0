//! Convolutions against the definition in StableHLO, over random parameters and over the shapes of training.

mod common;

use common::{Reader, Rng, Values, available_isas, call, needed_elements, random_values};
use kiln_ir::DType;
use kiln_kernels::{ThreadPool, call_info, with_isa};
use kiln_program::call::{Call, CallParams, ConvDim, ConvParams};

/// Sum, sum of magnitudes and wrapped integer sum of every element of out, by definition.
fn reference(p: &ConvParams, lhs: &Values, rhs: &Values, mut check: impl FnMut(usize, f64, f64, i128)) {
    let positions: usize = p.spatial.iter().map(|dim| dim.output).product();
    let window: usize = p.spatial.iter().map(|dim| dim.window).product();
    let (lhs, rhs) = (Reader::new(lhs), Reader::new(rhs));
    for image in 0..p.output_batch() {
        for feature in 0..p.output_features {
            let batch_group = feature / (p.output_features / p.batch_group_count);
            let feature_group = feature / (p.output_features / p.feature_group_count);
            let source_image = (batch_group * p.output_batch() + image) as isize;
            for position in 0..positions {
                let (mut sum, mut magnitude, mut wrapped) = (0.0, 0.0, 0i128);
                for input in 0..p.features_per_group() {
                    let source_feature = (feature_group * p.features_per_group() + input) as isize;
                    for tap in 0..window {
                        let from = source_image * p.lhs_batch_stride + source_feature * p.lhs_feature_stride;
                        let with = feature as isize * p.rhs_output_stride + input as isize * p.rhs_input_stride;
                        let Some((from, with)) = meet(p, position, tap, from, with) else { continue };
                        let term = lhs.floats[from] * rhs.floats[with];
                        sum += term;
                        magnitude += term.abs();
                        if !lhs.integers.is_empty() {
                            wrapped = wrapped.wrapping_add(lhs.integers[from].wrapping_mul(rhs.integers[with]));
                        }
                    }
                }
                let mut at = image as isize * p.out_batch_stride + feature as isize * p.out_feature_stride;
                let mut rest = position;
                for dim in p.spatial.iter().rev() {
                    at += (rest % dim.output) as isize * dim.out_stride;
                    rest /= dim.output;
                }
                check(at as usize, sum, magnitude, wrapped);
            }
        }
    }
}

/// Offsets of the elements of lhs and rhs that meet at an output position and a window index; `None` in padding.
fn meet(p: &ConvParams, position: usize, tap: usize, mut from: isize, mut with: isize) -> Option<(usize, usize)> {
    let (mut position, mut tap) = (position, tap);
    for dim in p.spatial.iter().rev() {
        let window_index = tap % dim.window;
        let place = (position % dim.output * dim.stride + window_index * dim.rhs_dilation) as isize - dim.padding_low;
        let dilation = dim.lhs_dilation as isize;
        if place < 0 || place % dilation != 0 || place / dilation >= dim.input as isize {
            return None;
        }
        from += place / dilation * dim.lhs_stride;
        let rhs_index = if dim.reversal { dim.window - 1 - window_index } else { window_index };
        with += rhs_index as isize * dim.rhs_stride;
        position /= dim.output;
        tap /= dim.window;
    }
    Some((from as usize, with as usize))
}

fn check(p: &ConvParams, rng: &mut Rng, pool: Option<&ThreadPool>) {
    let op = Call::Convolution(p.clone());
    op.validate().unwrap_or_else(|message| panic!("{message}: {p:?}"));
    let [lhs, rhs, mut out] =
        [0, 1, 2].map(|operand| random_values(p.dtype, needed_elements(&op, operand, p.dtype), rng));
    let before = out.clone();
    call(&op, &lhs, &rhs, &mut out, pool);
    let k = p.features_per_group() * p.spatial.iter().map(|dim| dim.window).product::<usize>();
    let mut written = vec![false; out.len()];
    reference(p, &lhs, &rhs, |at, sum, magnitude, wrapped| {
        written[at] = true;
        common::assert_close(&out, at, sum, magnitude, wrapped, k, &format!("{p:?}"));
    });
    for (at, written) in written.iter().enumerate() {
        assert!(*written || out.float(at) == before.float(at), "element {at} of out was overwritten: {p:?}");
    }
}

/// Strides of dimensions `0..extents.len()` laid out in the given order, outermost first, with a gap of `gap` elements
/// after each innermost row.
fn strides(extents: &[usize], order: &[usize], gap: usize) -> Vec<isize> {
    let mut strides = vec![0; extents.len()];
    let mut stride = 1;
    for (place, &dim) in order.iter().rev().enumerate() {
        strides[dim] = stride as isize;
        stride *= extents[dim].max(1);
        if place == 0 {
            stride += gap;
        }
    }
    strides
}

/// A convolution with operands laid out in the given orders; output sizes are computed.
struct Builder {
    dtype: DType,
    batch: usize,
    input_features: usize,
    output_features: usize,
    groups: (usize, usize),
    spatial: Vec<ConvDim>,
}

const DIM: ConvDim = ConvDim {
    input: 1,
    window: 1,
    output: 0,
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

impl Builder {
    fn build(mut self, orders: [&[usize]; 3], gap: usize) -> ConvParams {
        for dim in &mut self.spatial {
            dim.output = dim.output_size().expect("sizes");
        }
        let sizes = |first: [usize; 2], size: fn(&ConvDim) -> usize| -> Vec<usize> {
            first.into_iter().chain(self.spatial.iter().map(size)).collect()
        };
        let lhs = strides(&sizes([self.batch, self.input_features], |dim| dim.input), orders[0], gap);
        let per_group = self.input_features / self.groups.0;
        let rhs = strides(&sizes([self.output_features, per_group], |dim| dim.window), orders[1], gap);
        let images = self.batch / self.groups.1;
        let out = strides(&sizes([images, self.output_features], |dim| dim.output), orders[2], gap);
        for (index, dim) in self.spatial.iter_mut().enumerate() {
            (dim.lhs_stride, dim.rhs_stride, dim.out_stride) = (lhs[index + 2], rhs[index + 2], out[index + 2]);
        }
        ConvParams {
            dtype: self.dtype,
            batch: self.batch,
            input_features: self.input_features,
            output_features: self.output_features,
            feature_group_count: self.groups.0,
            batch_group_count: self.groups.1,
            spatial: self.spatial,
            lhs_batch_stride: lhs[0],
            lhs_feature_stride: lhs[1],
            rhs_output_stride: rhs[0],
            rhs_input_stride: rhs[1],
            out_batch_stride: out[0],
            out_feature_stride: out[1],
        }
    }
}

/// A random order of `count` dimensions.
fn shuffled(count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, rng.below(i + 1));
    }
    order
}

fn random_params(dtype: DType, rng: &mut Rng) -> ConvParams {
    let rank = rng.below(4);
    let largest = [1, 40, 12, 6][rank];
    let spatial = (0..rank)
        .map(|_| ConvDim {
            input: rng.below(largest + 1),
            window: if rng.below(8) == 0 { 0 } else { 1 + rng.below(largest.min(9)) },
            stride: 1 + rng.below(3),
            padding_low: rng.range(-2, 4) as isize,
            padding_high: rng.range(-2, 4) as isize,
            lhs_dilation: 1 + rng.below(3) * rng.below(2),
            rhs_dilation: 1 + rng.below(3) * rng.below(2),
            reversal: rng.below(3) == 0,
            ..DIM
        })
        .collect();
    let groups = [(1, 1), (1 + rng.below(3), 1), (1, 1 + rng.below(3))][rng.below(3)];
    let builder = Builder {
        dtype,
        batch: groups.1 * rng.below(4),
        input_features: groups.0 * (1 + rng.below(7)),
        output_features: groups.0 * groups.1 * (1 + rng.below(20)),
        groups,
        spatial,
    };
    let orders = [0; 3].map(|_| shuffled(rank + 2, rng));
    builder.build([&orders[0], &orders[1], &orders[2]], rng.below(3))
}

#[test]
fn random_parameters() {
    let mut rng = Rng::new(10);
    for isa in available_isas() {
        for round in 0..250 {
            let dtype = [DType::F32, DType::F64, DType::F32, DType::NATIVE[round % 13]][round % 4];
            let p = random_params(dtype, &mut rng);
            with_isa(isa, || check(&p, &mut rng, None)).expect("available");
        }
    }
}

/// Layouts as orders of [batch, feature, spatial...] and [output, input, window...].
const CHANNELS_FIRST: [&[usize]; 3] = [&[0, 1, 2, 3], &[0, 1, 2, 3], &[0, 1, 2, 3]];
const CHANNELS_LAST: [&[usize]; 3] = [&[0, 2, 3, 1], &[2, 3, 1, 0], &[0, 2, 3, 1]];

/// A layer: forward, and both gradients in the form that differentiation gives them.
fn layer(stride: usize, size: usize, window: usize, features: (usize, usize), channels_last: bool) -> [ConvParams; 3] {
    let padding = (window / 2) as isize;
    let dim = ConvDim { input: size, window, stride, padding_low: padding, padding_high: padding, ..DIM };
    let forward = |dim: ConvDim| Builder {
        dtype: DType::F32,
        batch: 3,
        input_features: features.0,
        output_features: features.1,
        groups: (1, 1),
        spatial: vec![dim; 2],
    };
    let orders = if channels_last { CHANNELS_LAST } else { CHANNELS_FIRST };
    let forward = forward(dim).build(orders, 0);
    let output = forward.spatial[0].output;
    // Input gradient: the output gradient dilated by the stride, with the reversed window and features exchanged.
    let rest = size as isize - ((output as isize - 1) * stride as isize + 1) + window as isize - 1;
    let low = window as isize - 1 - padding;
    let back = ConvDim {
        input: output,
        window,
        lhs_dilation: stride,
        padding_low: low,
        padding_high: rest - low,
        reversal: true,
        ..DIM
    };
    let rhs_exchanged: &[usize] = if channels_last { &[2, 3, 0, 1] } else { &[1, 0, 2, 3] };
    let input_gradient = Builder {
        dtype: DType::F32,
        batch: 3,
        input_features: features.1,
        output_features: features.0,
        groups: (1, 1),
        spatial: vec![back; 2],
    }
    .build([orders[0], rhs_exchanged, orders[2]], 0);
    assert_eq!(input_gradient.spatial[0].output, size);
    // Weight gradient: input features are the batch, images the features, and the output gradient is the window.
    let high = (window as isize - 1) + (output as isize - 1) * stride as isize + 1 - size as isize - padding;
    let weights =
        ConvDim { input: size, window: output, rhs_dilation: stride, padding_low: padding, padding_high: high, ..DIM };
    let lhs: &[usize] = if channels_last { &[1, 2, 3, 0] } else { &[1, 0, 2, 3] };
    let rhs: &[usize] = if channels_last { &[1, 2, 3, 0] } else { &[1, 0, 2, 3] };
    let out: &[usize] = if channels_last { &[2, 3, 0, 1] } else { &[1, 0, 2, 3] };
    let weight_gradient = Builder {
        dtype: DType::F32,
        batch: features.0,
        input_features: 3,
        output_features: features.1,
        groups: (1, 1),
        spatial: vec![weights; 2],
    }
    .build([lhs, rhs, out], 0);
    assert_eq!(weight_gradient.spatial[0].output, window);
    [forward, input_gradient, weight_gradient]
}

#[test]
fn layers_and_their_gradients() {
    let mut rng = Rng::new(11);
    let pool = ThreadPool::new(3).expect("threads");
    for channels_last in [false, true] {
        for (stride, size, window, features) in
            [(1, 14, 3, (16, 24)), (2, 15, 3, (5, 33)), (2, 14, 1, (8, 12)), (1, 9, 5, (3, 40)), (1, 8, 1, (12, 20))]
        {
            for p in layer(stride, size, window, features, channels_last) {
                check(&p, &mut rng, Some(&pool));
            }
        }
    }
}

#[test]
fn depthwise_layers() {
    let mut rng = Rng::new(12);
    for orders in [CHANNELS_FIRST, CHANNELS_LAST] {
        for multiplier in [1, 2] {
            for (stride, dilation) in [(1, 1), (2, 1), (1, 2)] {
                for features in [3, 70] {
                    let dim = ConvDim {
                        input: 13,
                        window: 3,
                        stride,
                        rhs_dilation: dilation,
                        padding_low: 1,
                        padding_high: 2,
                        ..DIM
                    };
                    let p = Builder {
                        dtype: DType::F32,
                        batch: 2,
                        input_features: features,
                        output_features: features * multiplier,
                        groups: (features, 1),
                        spatial: vec![dim; 2],
                    }
                    .build(orders, 0);
                    for isa in available_isas() {
                        with_isa(isa, || check(&p, &mut rng, None)).expect("available");
                    }
                }
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut rng = Rng::new(13);
    for channels_last in [false, true] {
        for p in layer(1, 28, 3, (20, 30), channels_last) {
            let op = Call::Convolution(p.clone());
            let [lhs, rhs, out] = [0, 1, 2].map(|operand| needed_elements(&op, operand, p.dtype));
            let (lhs, rhs) = (random_values(p.dtype, lhs, &mut rng), random_values(p.dtype, rhs, &mut rng));
            let run = |threads: usize| {
                let pool = ThreadPool::new(threads).expect("threads");
                let mut result = Values::zeros(p.dtype, out);
                call(&op, &lhs, &rhs, &mut result, Some(&pool));
                result
            };
            let alone = run(1);
            for threads in [2, 5] {
                assert!(run(threads).as_bytes() == alone.as_bytes(), "{threads} threads: {p:?}");
            }
        }
    }
}

#[test]
fn bad_parameters_are_refused() {
    let [good, _, _] = layer(1, 8, 3, (4, 6), false);
    let op = |change: &dyn Fn(&mut ConvParams)| {
        let mut p = good.clone();
        change(&mut p);
        Call::Convolution(p)
    };
    let sizes = [3 * 4 * 64 * 4, 6 * 4 * 9 * 4, 3 * 6 * 64 * 4];
    let site = call_info(op(&|_| ()));
    assert!(site.workspace > 0);
    let sizes = [sizes[0], sizes[1], sizes[2], site.workspace];
    assert_eq!(site.check_bounds(&sizes), Ok(()));
    for short in 0..4 {
        let mut bytes = sizes;
        bytes[short] -= 1;
        assert!(site.check_bounds(&bytes).is_err());
    }
    assert!(op(&|p| p.feature_group_count = 0).validate().is_err());
    assert!(op(&|p| p.feature_group_count = 3).validate().is_err());
    assert!(op(&|p| p.batch_group_count = 2).validate().is_err());
    assert!(op(&|p| (p.feature_group_count, p.batch_group_count) = (2, 3)).validate().is_err());
    assert!(op(&|p| p.spatial[0].output = 9).validate().is_err());
    assert!(op(&|p| p.spatial[0].stride = 0).validate().is_err());
    assert!(op(&|p| p.spatial[1].lhs_dilation = 0).validate().is_err());
    assert!(op(&|p| p.spatial[0].padding_low = isize::MAX).validate().is_err());
    assert!(op(&|p| p.spatial[0].padding_low = isize::MIN).validate().is_err());
    assert!(op(&|p| p.spatial[0].input = usize::MAX).validate().is_err());
    assert!(op(&|p| p.spatial[0].lhs_dilation = usize::MAX).validate().is_err());
    assert!(op(&|p| p.spatial[0].lhs_stride = -1).validate().is_err());
    assert!(op(&|p| p.spatial[0].out_stride = 1).validate().is_err(), "overlapping rows of out");
    assert!(op(&|p| p.spatial = vec![p.spatial[0]; 4]).validate().is_err());
    assert!(op(&|p| p.batch = usize::MAX).validate().is_err());
    assert!(op(&|p| p.output_features = 1 << 59).validate().is_err());
}
