//! `dot_general` and `convolution` against StableHLO's examples and XLA.

mod common;

use common::{expect, numbers, run, seq, t, to};
use kiln_ir::op::{ConvDims, DotDims, WindowDim};
use kiln_ir::{DType, Op, Tensor};

fn dot(x: &Tensor, y: &Tensor, batch: [&[usize]; 2], contract: [&[usize]; 2], result: Option<DType>) -> Tensor {
    let dims = DotDims {
        lhs_batch: batch[0].into(),
        rhs_batch: batch[1].into(),
        lhs_contract: contract[0].into(),
        rhs_contract: contract[1].into(),
        result,
    };
    run(Op::DotGeneral(dims), &[x.clone(), y.clone()])
}

#[test]
fn dot_general_of_the_specification() {
    let x = t(&[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
    let y = t(&[2, 2, 2], &[1, 0, 0, 1, 1, 0, 0, 1]);
    expect("batch", &dot(&x, &y, [&[0], &[0]], [&[2], &[1]], None), &[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
    let (f, g) = (to(DType::F32, &x), to(DType::F32, &y));
    let wide = dot(&f, &g, [&[0], &[0]], [&[2], &[1]], Some(DType::F64));
    assert_eq!(wide.as_slice::<f64>().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let (x, y) = (t(&[2, 2], &[1, 2, 3, 4]), t(&[2, 2], &[1, 0, 0, 1]));
    let outer = dot(&x, &y, [&[], &[]], [&[], &[]], None);
    expect("outer", &outer, &[2, 2, 2, 2], &[1, 0, 0, 1, 2, 0, 0, 2, 3, 0, 0, 3, 4, 0, 0, 4]);
}

#[test]
fn dot_general_as_xla() {
    let y = dot(&seq(&[2, 3, 4], 7, 11, -5), &seq(&[4, 2, 5], 5, 7, -3), [&[0], &[1]], [&[2], &[0]], None);
    expect(
        "transposed",
        &y,
        &[2, 3, 5],
        &[
            13, -8, 13, 13, -22, -1, -19, 5, 1, 4, 7, 14, -14, 0, -14, 10, 5, -7, -19, 11, 17, -5, 1, 14, -8, -20, -4,
            -2, 14, -5,
        ],
    );
    let y = dot(&seq(&[2, 3, 4], 7, 11, -5), &seq(&[3, 4, 2], 5, 7, -3), [&[], &[]], [&[1, 2], &[0, 1]], None);
    expect("two contracted", &y, &[2, 2], &[16, -30, 12, 22]);
    let (x, y) = (t(&[2, 3], &[100i8; 6]), t(&[3], &[3i8; 3]));
    assert_eq!(dot(&x, &y, [&[], &[]], [&[1], &[0]], None).as_slice::<i8>().unwrap(), [-124, -124]);
    expect("wide", &dot(&x, &y, [&[], &[]], [&[1], &[0]], Some(DType::I32)), &[2], &[900, 900]);
}

#[test]
fn dot_general_of_narrow_floats_accumulates_wide() {
    // 4096 + 1 is not a bf16; the sum is rounded once, at the end.
    let ones = to(DType::BF16, &t(&[4097], &[1i32; 4097]));
    assert_eq!(numbers(&dot(&ones, &ones, [&[], &[]], [&[0], &[0]], None)), [4096.0]);
    assert_eq!(numbers(&dot(&ones, &ones, [&[], &[]], [&[0], &[0]], Some(DType::F32))), [4097.0]);
    let u = t(&[2], &[u64::MAX, 2]);
    assert_eq!(dot(&u, &u, [&[], &[]], [&[0], &[0]], None).item::<u64>().unwrap(), 5);
}

#[test]
fn empty_contractions_give_zero() {
    let y = dot(&t::<f32>(&[2, 0], &[]), &t::<f32>(&[0, 3], &[]), [&[], &[]], [&[1], &[0]], None);
    assert_eq!((y.shape(), numbers(&y)), (&[2, 3][..], vec![0.0; 6]));
}

/// Dimension numbers from layouts such as `bf01`, `oi01`, `bf01`.
fn conv_dims(input: &str, kernel: &str, output: &str, window: &[WindowDim]) -> ConvDims {
    let at = |s: &str, c: char| s.find(c).expect("named in the layout");
    let spatial = |s: &str| (0..window.len()).map(|d| at(s, (b'0' + d as u8) as char)).collect();
    ConvDims {
        input_batch: at(input, 'b'),
        input_feature: at(input, 'f'),
        input_spatial: spatial(input),
        kernel_input_feature: at(kernel, 'i'),
        kernel_output_feature: at(kernel, 'o'),
        kernel_spatial: spatial(kernel),
        output_batch: at(output, 'b'),
        output_feature: at(output, 'f'),
        output_spatial: spatial(output),
        window: window.into(),
        feature_group_count: 1,
        batch_group_count: 1,
    }
}

fn w(size: i64, stride: i64, pad: [i64; 2], base_dilation: i64, window_dilation: i64) -> WindowDim {
    WindowDim { size, stride, pad_low: pad[0], pad_high: pad[1], base_dilation, window_dilation, reversed: false }
}

/// In i32 and in f32 (exact for these numbers).
fn conv(what: &str, x: &Tensor, k: &Tensor, dims: &ConvDims, shape: &[usize], want: &[i32]) {
    let op = Op::Convolution(Box::new(dims.clone()));
    expect(what, &run(op.clone(), &[x.clone(), k.clone()]), shape, want);
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let y = run(op.clone(), &[to(dtype, x), to(dtype, k)]);
        assert_eq!(y.dtype(), dtype);
        expect(what, &to(DType::I32, &y), shape, want);
    }
}

#[test]
fn convolution_of_the_specification() {
    let x = t(&[1, 4, 4, 1], &[1, 2, 5, 6, 3, 4, 7, 8, 10, 11, 14, 15, 12, 13, 16, 17]);
    let ones = |shape: &[usize]| t(shape, &vec![1i32; shape.iter().product()]);
    let d = |pad| conv_dims("b01f", "01io", "b01f", &[w(3, 4, pad, 2, 1), w(3, 4, pad, 2, 1)]);
    conv("dilated", &x, &ones(&[3, 3, 1, 1]), &d([0, 0]), &[1, 2, 2, 1], &[10, 26, 46, 62]);
    conv("padded", &x, &ones(&[3, 3, 1, 1]), &d([1, 1]), &[1, 2, 2, 1], &[1, 5, 10, 14]);
    let mut d = conv_dims("b0f1", "0i1o", "b01f", &[w(1, 4, [0, 0], 2, 1), w(1, 4, [0, 0], 2, 1)]);
    d.feature_group_count = 2;
    conv("groups", &x, &ones(&[1, 2, 1, 4]), &d, &[1, 2, 1, 4], &[3, 3, 11, 11, 21, 21, 29, 29]);
}

fn x(shape: &[usize]) -> Tensor {
    seq(shape, 7, 11, -5)
}
fn k(shape: &[usize]) -> Tensor {
    seq(shape, 5, 7, -3)
}

#[test]
fn convolution_layouts_as_xla() {
    let d = conv_dims("bf01", "oi01", "bf01", &[w(3, 2, [1, 1], 1, 1), w(2, 1, [0, 1], 1, 1)]);
    conv(
        "nchw",
        &x(&[2, 2, 5, 4]),
        &k(&[3, 2, 3, 2]),
        &d,
        &[2, 3, 3, 4],
        &[
            21, -10, -19, 10, -29, 26, 4, 16, 8, 17, -7, 7, 21, 8, 17, -23, 19, -10, -6, -1, 5, -24, -9, 3, -21, 5,
            -24, 14, -10, 31, -16, 3, 9, 19, -4, 6, -20, -7, 17, 3, 4, 4, 26, -44, 16, -19, -10, 8, -15, 16, -19, 11,
            -19, 7, -22, 20, 11, 15, -14, 3, 18, 11, 15, -30, 35, 10, 7, -7, 13, -21, -11, 5,
        ],
    );
    let d = conv_dims("b01f", "01io", "b01f", &[w(2, 1, [2, 0], 2, 1), w(3, 2, [1, 3], 1, 2)]);
    conv(
        "nhwc dilated",
        &x(&[1, 5, 5, 2]),
        &k(&[2, 3, 2, 2]),
        &d,
        &[1, 10, 3, 2],
        &[
            0, 0, 0, 0, 0, 0, 11, -3, -17, 4, 4, -4, -3, -17, 18, -10, -12, 8, 5, 3, 20, 4, -15, 11, -6, 20, -19, -7,
            9, -14, -1, 9, -20, 4, 10, -7, -9, -20, 21, -4, -3, 8, -18, -18, 17, -18, 2, -3, 10, 17, 17, 10, -15, 8, 9,
            -1, 21, 4, -17, 12,
        ],
    );
    let d = conv_dims("0bf1", "01io", "f01b", &[w(2, 1, [0, 0], 1, 1), w(2, 1, [0, 0], 1, 1)]);
    conv(
        "odd",
        &x(&[5, 2, 1, 4]),
        &k(&[2, 2, 1, 3]),
        &d,
        &[3, 4, 3, 2],
        &[
            15, 1, -5, 3, -3, -17, 9, -5, -11, -3, 13, -12, 3, -11, -17, 13, 7, 15, -3, -17, -12, 7, 1, 9, 2, -9, -9,
            2, 24, -9, 2, -9, -9, 24, -9, 24, 2, -9, -9, -9, -9, 2, 24, -9, 24, -9, -9, 2, 3, -5, 1, 15, -12, 13, 9, 1,
            7, -12, -17, -3, 15, 7, 13, -17, -11, 3, -12, 13, -3, -11, -5, 9,
        ],
    );
    let d = conv_dims("b01f", "01io", "b01f", &[w(1, 1, [0, 0], 1, 1), w(1, 1, [0, 0], 1, 1)]);
    conv(
        "1x1",
        &x(&[1, 3, 2, 2]),
        &k(&[1, 1, 2, 3]),
        &d,
        &[1, 3, 2, 3],
        &[11, -4, 2, -4, 11, 5, 3, -7, -3, -12, 8, 0, 6, 1, 3, 13, -17, -5],
    );
    let d =
        conv_dims("bf012", "oi012", "bf012", &[w(2, 1, [0, 0], 1, 1), w(2, 1, [1, 0], 1, 2), w(2, 2, [0, 1], 1, 1)]);
    conv("3d", &x(&[1, 1, 3, 3, 3]), &k(&[1, 1, 2, 2, 2]), &d, &[1, 1, 2, 2, 2], &[2, -5, 35, -13, 20, -2, -22, 23]);
}

#[test]
fn convolution_groups_and_negative_padding_as_xla() {
    let mut d = conv_dims("b01f", "01io", "b01f", &[w(2, 1, [0, 0], 1, 1), w(2, 1, [1, 1], 1, 1)]);
    d.feature_group_count = 3;
    conv(
        "depthwise",
        &x(&[1, 4, 4, 3]),
        &k(&[2, 2, 1, 6]),
        &d,
        &[1, 3, 5, 6],
        &[
            11, 17, 6, 6, 14, -6, 15, -26, 11, 1, 8, -21, -18, -3, 13, 4, 5, -23, -18, -2, 15, 7, 2, -25, -10, 7, 15,
            -8, -15, -9, -8, -8, -9, -15, -8, 15, -18, 0, -25, 2, 7, 15, -18, 1, -23, 5, 4, 13, -18, 2, -21, 8, 1, 11,
            -2, 3, -6, 14, 6, 6, 17, 11, 9, -3, -8, 3, 26, 4, 5, -8, -5, 7, 26, 5, 7, -5, -8, 5, 26, 6, 9, -2, 11, 3,
            17, -12, 6, -8, -6, -12,
        ],
    );
    let mut d = conv_dims("b0f", "0io", "b0f", &[w(3, 1, [1, 1], 1, 1)]);
    d.batch_group_count = 2;
    conv(
        "batch groups",
        &x(&[4, 4, 1]),
        &k(&[3, 1, 4]),
        &d,
        &[2, 4, 4],
        &[
            -11, -5, -2, 21, 17, -8, -1, -4, -2, 2, 11, -18, 21, 1, 5, 17, -3, 1, 2, -12, -4, -1, -8, 17, 21, -2, -7,
            -8, -12, 8, -1, -13,
        ],
    );
    let d = conv_dims("b0f", "0io", "b0f", &[w(2, 1, [-1, -2], 1, 1)]);
    conv("negative", &x(&[1, 6, 1]), &k(&[2, 1, 1]), &d, &[1, 2, 1], &[-10, 16]);
    let d = conv_dims("b0f", "0io", "b0f", &[w(3, 2, [-2, 3], 3, 2)]);
    conv("negative dilated", &x(&[1, 6, 2]), &k(&[3, 2, 1]), &d, &[1, 7, 1], &[0, 6, -9, -9, -6, 18, 0]);
}

#[test]
fn reversed_windows_read_the_kernel_backwards() {
    let mut d = conv_dims("b0f", "0io", "b0f", &[w(3, 1, [1, 1], 1, 1)]);
    let (input, kernel) = (t(&[1, 4, 1], &[1, 2, 3, 4]), t(&[3, 1, 1], &[1, 3, 9]));
    conv("forward", &input, &kernel, &d, &[1, 4, 1], &[21, 34, 47, 15]);
    d.window[0].reversed = true;
    conv("backward", &input, &kernel, &d, &[1, 4, 1], &[5, 18, 31, 39]);
}

#[test]
fn empty_convolutions_give_zeros_or_nothing() {
    let d = conv_dims("b0f", "0io", "b0f", &[w(2, 1, [1, 1], 1, 1)]);
    conv("no features", &t::<i32>(&[1, 3, 0], &[]), &t::<i32>(&[2, 0, 2], &[]), &d, &[1, 4, 2], &[0; 8]);
    conv("no images", &t::<i32>(&[0, 3, 1], &[]), &k(&[2, 1, 2]), &d, &[0, 4, 2], &[]);
}
