//! GFLOP/s of the convolution kernel on one thread (or `THREADS=n`), with the layers of image networks and their
//! gradients: `cargo run --release -p kiln-kernels --example conv_bench`.

use std::time::Instant;

use kiln_ir::DType;
use kiln_kernels::{CpuCall, RunContext, ThreadPool, abi};
use kiln_program::call::{Call, CallParams, ConvDim, ConvParams};

/// A convolution of square images.
#[derive(Clone, Copy)]
struct Layer {
    name: &'static str,
    batch: usize,
    size: usize,
    input: usize,
    output: usize,
    window: usize,
    stride: usize,
    groups: usize,
}

const LAYERS: [Layer; 7] = [
    Layer { name: "stem 224 7x7/2", batch: 1, size: 224, input: 3, output: 64, window: 7, stride: 2, groups: 1 },
    Layer { name: "56 3x3", batch: 4, size: 56, input: 64, output: 64, window: 3, stride: 1, groups: 1 },
    Layer { name: "28 3x3", batch: 4, size: 28, input: 128, output: 128, window: 3, stride: 1, groups: 1 },
    Layer { name: "14 3x3/2", batch: 4, size: 14, input: 256, output: 512, window: 3, stride: 2, groups: 1 },
    Layer { name: "56 1x1", batch: 4, size: 56, input: 64, output: 256, window: 1, stride: 1, groups: 1 },
    Layer { name: "mnist 28 5x5", batch: 32, size: 28, input: 1, output: 32, window: 5, stride: 1, groups: 1 },
    Layer { name: "56 depthwise 3x3", batch: 4, size: 56, input: 128, output: 128, window: 3, stride: 1, groups: 128 },
];

/// Strides of dimensions laid out in the given order, outermost first.
fn strides(extents: [usize; 4], order: [usize; 4]) -> [isize; 4] {
    let mut strides = [0; 4];
    let mut stride = 1;
    for &dim in order.iter().rev() {
        strides[dim] = stride as isize;
        stride *= extents[dim];
    }
    strides
}

/// The operand shapes `[batch or output, feature, height, width]` of one pass, and its orders in memory.
fn params(dim: ConvDim, sizes: [usize; 3], groups: usize, orders: [[usize; 4]; 3]) -> ConvParams {
    let [batch, input, output] = sizes;
    let out = dim.output_size().expect("sizes");
    let lhs = strides([batch, input, dim.input, dim.input], orders[0]);
    let rhs = strides([output, input / groups, dim.window, dim.window], orders[1]);
    let outs = strides([batch, output, out, out], orders[2]);
    let spatial =
        [2, 3].map(|d| ConvDim { output: out, lhs_stride: lhs[d], rhs_stride: rhs[d], out_stride: outs[d], ..dim });
    ConvParams {
        dtype: DType::F32,
        batch,
        input_features: input,
        output_features: output,
        feature_group_count: groups,
        batch_group_count: 1,
        spatial: spatial.to_vec(),
        lhs_batch_stride: lhs[0],
        lhs_feature_stride: lhs[1],
        rhs_output_stride: rhs[0],
        rhs_input_stride: rhs[1],
        out_batch_stride: outs[0],
        out_feature_stride: outs[1],
    }
}

fn passes(layer: &Layer, channels_last: bool) -> Vec<(&'static str, ConvParams)> {
    let pick = |last, first| if channels_last { last } else { first };
    let images = pick([0, 2, 3, 1], [0, 1, 2, 3]);
    let weights = pick([2, 3, 1, 0], [0, 1, 2, 3]);
    let padding = (layer.window / 2) as isize;
    let dim = ConvDim {
        input: layer.size,
        window: layer.window,
        output: 0,
        stride: layer.stride,
        padding_low: padding,
        padding_high: padding,
        lhs_dilation: 1,
        rhs_dilation: 1,
        reversal: false,
        lhs_stride: 0,
        rhs_stride: 0,
        out_stride: 0,
    };
    let sizes = [layer.batch, layer.input, layer.output];
    let mut all = vec![("forward", params(dim, sizes, layer.groups, [images, weights, images]))];
    if layer.groups > 1 {
        return all;
    }
    let (size, window, stride) = (layer.size as isize, layer.window as isize, layer.stride as isize);
    let out = all[0].1.spatial[0].output;
    let reach = (out as isize - 1) * stride + 1;
    let low = window - 1 - padding;
    let back = ConvDim {
        input: out,
        stride: 1,
        lhs_dilation: layer.stride,
        padding_low: low,
        padding_high: size - reach + window - 1 - low,
        reversal: true,
        ..dim
    };
    let exchanged = pick([2, 3, 0, 1], [1, 0, 2, 3]);
    let sizes = [layer.batch, layer.output, layer.input];
    all.push(("grad input", params(back, sizes, 1, [images, exchanged, images])));
    let weight = ConvDim {
        window: out,
        stride: 1,
        rhs_dilation: layer.stride,
        padding_high: window - 1 + reach - size - padding,
        ..dim
    };
    let (image, result) = (pick([1, 2, 3, 0], [1, 0, 2, 3]), pick([2, 3, 0, 1], [1, 0, 2, 3]));
    let sizes = [layer.input, layer.batch, layer.output];
    all.push(("grad weight", params(weight, sizes, 1, [image, image, result])));
    all
}

fn main() {
    let threads = std::env::var("THREADS").ok().and_then(|value| value.parse().ok()).unwrap_or(1);
    let pool = ThreadPool::new(threads).expect("threads");
    let filter = std::env::args().nth(1).unwrap_or_default();
    println!("{threads} thread(s); GFLOP/s with channels last, channels first");
    for layer in LAYERS.iter().filter(|layer| layer.name.contains(&filter)) {
        let [last, first] = [true, false].map(|channels_last| passes(layer, channels_last));
        for ((name, last), (_, first)) in last.into_iter().zip(first) {
            println!("{:<18} {name:<12} {:8.2} {:8.2}", layer.name, measure(last, &pool), measure(first, &pool));
        }
    }
}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

fn measure(params: ConvParams, pool: &ThreadPool) -> f64 {
    let positions = |size: fn(&ConvDim) -> usize| params.spatial.iter().map(size).product::<usize>();
    let sizes = [
        params.batch * params.input_features * positions(|dim| dim.input),
        params.output_features * params.features_per_group() * positions(|dim| dim.window),
        params.output_batch() * params.output_features * positions(|dim| dim.output),
    ];
    let op = Call::Convolution(params);
    let mut operands = sizes.map(|size| vec![Line([0.37; 16]); size.div_ceil(16)]).to_vec();
    operands.push(vec![Line([0.0; 16]); op.workspace_bytes().div_ceil(64)]);
    let needed = op.operand_bytes().expect("sizes to compute with");
    assert!(needed.iter().zip(sizes).all(|(&(_, bytes), size)| bytes <= 4 * size), "operands in bounds");
    let bufs: Vec<*mut u8> = operands.iter_mut().map(|operand| operand.as_mut_ptr().cast()).collect();
    let ctx = RunContext {
        buffers: core::ptr::null(),
        kernels: core::ptr::null(),
        calls: core::ptr::null(),
        parallel_for: abi::parallel_for,
        pool,
    };
    let mut best = f64::INFINITY;
    for _ in 0..8 {
        let start = Instant::now();
        // SAFETY: the operands passed the bounds check.
        unsafe { op.function()(&ctx, op.params_ptr(), bufs.as_ptr()) };
        best = best.min(start.elapsed().as_secs_f64());
    }
    op.flops() as f64 / best / 1e9
}
