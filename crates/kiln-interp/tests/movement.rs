//! Operators that move elements, against StableHLO's examples and XLA. Every case runs in i32; the copies are by element
//! size, so one case covers the other sizes.

mod common;

use common::{expect, numbers, run, seq, t, to};
use kiln_ir::op::{GatherDims, Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::{DType, Dim, Op, Shape, Tensor, TensorType};

fn dims(v: &[i64]) -> smallvec::SmallVec<[Dim; 4]> {
    v.iter().map(|&n| Dim::from(n)).collect()
}

#[test]
fn iota_counts_in_every_type() {
    let iota = |ty, dim| run(Op::Iota { ty, dim }, &[]);
    expect(
        "dim 0",
        &iota(TensorType::new(DType::I32, [4, 5]), 0),
        &[4, 5],
        &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3],
    );
    expect("dim 1", &iota(TensorType::new(DType::I32, [3, 4]), 1), &[3, 4], &[0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    // Two bits hold no 2 with a sign, and powers of two no 0.
    for dtype in DType::ALL.into_iter().filter(|d| ![DType::Bool, DType::I2, DType::F8E8M0FNU].contains(d)) {
        assert_eq!(
            numbers(&iota(TensorType::new(dtype, [2, 3, 2]), 1)),
            [0., 0., 1., 1., 2., 2., 0., 0., 1., 1., 2., 2.],
            "{dtype}"
        );
    }
    assert_eq!(iota(TensorType::new(DType::U8, [300]), 0).as_slice::<u8>().unwrap()[255..258], [255, 0, 1]);
    assert_eq!(numbers(&iota(TensorType::new(DType::I2, [5]), 0)), [0., 1., -2., -1., 0.]);
}

#[test]
fn shapes_change_without_moving() {
    let x = seq(&[2, 3], 1, 100, 1);
    expect("reshape", &run(Op::Reshape([3, 2].into()), std::slice::from_ref(&x)), &[3, 2], &[1, 2, 3, 4, 5, 6]);
    expect("scalar", &run(Op::Reshape(Shape::scalar()), &[t(&[1, 1], &[7])]), &[], &[7]);
    let size = run(Op::GetDimensionSize(1), std::slice::from_ref(&x));
    assert_eq!(size.item::<i32>().unwrap(), 3);
    assert_eq!(run(Op::OptimizationBarrier, std::slice::from_ref(&x)), x);
}

#[test]
fn broadcast_in_dim() {
    let f =
        |x: Tensor, shape: &[usize], d: &[usize]| run(Op::BroadcastInDim { shape: shape.into(), dims: d.into() }, &[x]);
    expect("spec", &f(t(&[1, 3], &[1, 2, 3]), &[2, 3, 2], &[2, 1]), &[2, 3, 2], &[1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
    expect("rows", &f(t(&[3, 1], &[1, 2, 3]), &[3, 2, 2], &[0, 2]), &[3, 2, 2], &[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    expect("scalar", &f(Tensor::scalar(9), &[2, 2], &[]), &[2, 2], &[9; 4]);
    expect("empty", &f(t(&[1], &[9]), &[0, 2], &[0]), &[0, 2], &[]);
}

#[test]
fn transpose_and_reverse() {
    let x = t(&[2, 3, 2], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let y = run(Op::Transpose([2, 1, 0].into_iter().collect()), std::slice::from_ref(&x));
    expect("spec", &y, &[2, 3, 2], &[1, 7, 3, 9, 5, 11, 2, 8, 4, 10, 6, 12]);
    let y = run(Op::Transpose([1, 2, 0].into_iter().collect()), std::slice::from_ref(&x));
    expect("rotation", &y, &[3, 2, 2], &[1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12]);
    let x = t(&[3, 2], &[1, 2, 3, 4, 5, 6]);
    let r = |d: &[usize]| run(Op::Reverse(d.into()), std::slice::from_ref(&x));
    expect("spec", &r(&[1]), &[3, 2], &[2, 1, 4, 3, 6, 5]);
    expect("both", &r(&[0, 1]), &[3, 2], &[6, 5, 4, 3, 2, 1]);
    expect("none", &r(&[]), &[3, 2], &[1, 2, 3, 4, 5, 6]);
    for dtype in [DType::Bool, DType::I8, DType::BF16, DType::F64] {
        let x = to(dtype, &t(&[2, 2], &[0, 1, 1, 0]));
        let y = run(Op::Transpose([1, 0].into_iter().collect()), &[run(Op::Reverse([0].into_iter().collect()), &[x])]);
        assert_eq!(numbers(&y), [1.0, 0.0, 0.0, 1.0], "{dtype}");
    }
}

#[test]
fn slice() {
    let f = |x: &Tensor, start: &[i64], limit: &[i64], strides: &[i64]| {
        run(Op::Slice { start: dims(start), limit: dims(limit), strides: strides.into() }, std::slice::from_ref(x))
    };
    let x = t(&[3, 4], &[0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1]);
    expect("spec", &f(&x, &[1, 2], &[3, 4], &[1, 1]), &[2, 2], &[1, 1, 1, 1]);
    let x = seq(&[3, 7], 1, 100, 0);
    expect("strides", &f(&x, &[0, 1], &[3, 7], &[2, 3]), &[2, 2], &[1, 4, 15, 18]);
    expect("long stride", &f(&x, &[1, 0], &[2, 7], &[i64::MAX, i64::MAX]), &[1, 1], &[7]);
    expect("empty", &f(&x, &[3, 2], &[3, 2], &[1, 1]), &[0, 0], &[]);
}

#[test]
fn dynamic_slices_clamp_their_start() {
    let x = seq(&[4, 4], 1, 100, 0);
    let f = |i: i64, j: i64| {
        run(Op::DynamicSlice { sizes: [2, 2].into() }, &[x.clone(), Tensor::scalar(i), Tensor::scalar(j)])
    };
    expect("spec", &f(-1, 3), &[2, 2], &[2, 3, 6, 7]);
    expect("inside", &f(1, 1), &[2, 2], &[5, 6, 9, 10]);
    expect("far", &f(i64::MAX, i64::MIN), &[2, 2], &[8, 9, 12, 13]);
    let at = Tensor::scalar(u64::MAX);
    let y = run(Op::DynamicSlice { sizes: [1, 4].into() }, &[x.clone(), at, Tensor::scalar(0u64)]);
    expect("unsigned", &y, &[1, 4], &[12, 13, 14, 15]);
    let update = t(&[2, 3], &[-1, -2, -3, -4, -5, -6]);
    let f = |i: i32, j: i32| {
        run(Op::DynamicUpdateSlice, &[x.clone(), update.clone(), Tensor::scalar(i), Tensor::scalar(j)])
    };
    expect("update", &f(4, 4), &[4, 4], &[0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, 12, -4, -5, -6]);
    expect("update", &f(-7, 1), &[4, 4], &[0, -1, -2, -3, 4, -4, -5, -6, 8, 9, 10, 11, 12, 13, 14, 15]);
}

#[test]
fn concatenate() {
    let (a, b) = (t(&[3, 2], &[1, 2, 3, 4, 5, 6]), t(&[1, 2], &[7, 8]));
    expect("spec", &run(Op::Concatenate(0), &[a.clone(), b]), &[4, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
    let parts = [a, t::<i32>(&[3, 0], &[]), t(&[3, 1], &[-1, -2, -3])];
    expect("columns", &run(Op::Concatenate(1), &parts), &[3, 3], &[1, 2, -1, 3, 4, -2, 5, 6, -3]);
}

#[test]
fn pad() {
    let f = |x: &Tensor, v: i32, low: &[i64], high: &[i64], interior: &[i64]| {
        let op = Op::Pad { low: dims(low), high: dims(high), interior: interior.into() };
        run(op, &[x.clone(), Tensor::scalar(v)])
    };
    let x = t(&[2, 3], &[1, 2, 3, 4, 5, 6]);
    let y = f(&x, 0, &[0, 1], &[2, 1], &[1, 2]);
    expect(
        "spec",
        &y,
        &[5, 9],
        &[
            0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 5, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
    );
    let x = seq(&[3, 4], 7, 23, 0);
    expect(
        "edge",
        &f(&x, -9, &[1, 0], &[2, 1], &[0, 0]),
        &[6, 5],
        &[
            -9, -9, -9, -9, -9, 0, 7, 14, 21, -9, 5, 12, 19, 3, -9, 10, 17, 1, 8, -9, -9, -9, -9, -9, -9, -9, -9, -9,
            -9, -9,
        ],
    );
    expect(
        "interior",
        &f(&x, -9, &[0, 1], &[0, -1], &[1, 2]),
        &[5, 10],
        &[
            -9, 0, -9, -9, 7, -9, -9, 14, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, 5, -9, -9, 12, -9, -9,
            19, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, 10, -9, -9, 17, -9, -9, 1, -9, -9,
        ],
    );
    expect("negative", &f(&x, -9, &[-1, -2], &[0, 3], &[0, 0]), &[2, 5], &[19, 3, -9, -9, -9, 1, 8, -9, -9, -9]);
    expect(
        "negative interior",
        &f(&x, -9, &[-1, -3], &[-1, 1], &[2, 1]),
        &[5, 5],
        &[-9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, 19, -9, 3, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9],
    );
    expect(
        "all gone",
        &f(&x, -9, &[-5, 1], &[4, 1], &[0, 0]),
        &[2, 6],
        &[-9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9, -9],
    );
    expect("from nothing", &f(&t::<i32>(&[0], &[]), 7, &[1], &[2], &[3]), &[3], &[7, 7, 7]);
}

#[test]
fn bitcast_convert() {
    let f = |x: Tensor, to| run(Op::BitcastConvert(to), &[x]);
    let bytes = f(Tensor::scalar(0x0123_4567_89AB_CDEFu64), DType::U16);
    assert_eq!(bytes, t(&[4], &[0xCDEFu16, 0x89AB, 0x4567, 0x0123]));
    assert_eq!(f(bytes, DType::F64).item::<f64>().unwrap().to_bits(), 0x0123_4567_89AB_CDEF);
    assert_eq!(f(t(&[2], &[1.0f32, -0.0]), DType::I32), t(&[2], &[0x3f80_0000i32, i32::MIN]));
}

struct Numbers<'a> {
    offset: &'a [usize],
    collapsed: &'a [usize],
    map: &'a [usize],
    batching: [&'a [usize]; 2],
}

/// As JAX writes dimension numbers: the index vector is the last dimension.
fn gather(x: &Tensor, indices: &Tensor, sizes: &[usize], n: Numbers) -> Tensor {
    let g = GatherDims {
        offset_dims: n.offset.into(),
        collapsed_slice_dims: n.collapsed.into(),
        operand_batching_dims: n.batching[0].into(),
        start_indices_batching_dims: n.batching[1].into(),
        start_index_map: n.map.into(),
        index_vector_dim: indices.rank() - 1,
        slice_sizes: sizes.into(),
        indices_are_sorted: false,
    };
    run(Op::Gather(Box::new(g)), &[x.clone(), indices.clone()])
}

#[test]
fn gather_of_the_specification() {
    let x = seq(&[3, 4, 2], 1, 100, 1);
    let indices = t(&[2, 3, 2], &[0i64, 0, 1, 0, 2, 1, 0, 1, 1, 1, 0, 9]);
    let n = Numbers { offset: &[2, 3], collapsed: &[0], map: &[1, 0], batching: [&[], &[]] };
    let want = [1, 2, 3, 4, 3, 4, 5, 6, 13, 14, 15, 16, 9, 10, 11, 12, 11, 12, 13, 14, 17, 18, 19, 20];
    expect("example", &gather(&x, &indices, &[1, 2, 2], n), &[2, 3, 2, 2], &want);
}

#[test]
fn gather_as_xla() {
    let x = seq(&[3, 4, 5], 7, 59, 0);
    let none: [&[usize]; 2] = [&[], &[]];
    let n = Numbers { offset: &[1, 2], collapsed: &[0], map: &[0], batching: none };
    expect(
        "rows",
        &gather(&x, &t(&[4, 1], &[2, 0, -1, 9]), &[1, 4, 5], n),
        &[4, 4, 5],
        &[
            44, 51, 58, 6, 13, 20, 27, 34, 41, 48, 55, 3, 10, 17, 24, 31, 38, 45, 52, 0, 0, 7, 14, 21, 28, 35, 42, 49,
            56, 4, 11, 18, 25, 32, 39, 46, 53, 1, 8, 15, 0, 7, 14, 21, 28, 35, 42, 49, 56, 4, 11, 18, 25, 32, 39, 46,
            53, 1, 8, 15, 44, 51, 58, 6, 13, 20, 27, 34, 41, 48, 55, 3, 10, 17, 24, 31, 38, 45, 52, 0,
        ],
    );
    let n = Numbers { offset: &[2, 3], collapsed: &[0], map: &[0, 1, 2], batching: none };
    let indices = t(&[2, 2, 3], &[0, 1, 2, 2, 3, 4, 1, -2, 7, 5, 0, 0]);
    expect(
        "windows",
        &gather(&x, &indices, &[1, 2, 3], n),
        &[2, 2, 2, 3],
        &[49, 56, 4, 25, 32, 39, 10, 17, 24, 45, 52, 0, 36, 43, 50, 12, 19, 26, 44, 51, 58, 20, 27, 34],
    );
    let n = Numbers { offset: &[0, 2], collapsed: &[1], map: &[1], batching: none };
    expect(
        "offset first",
        &gather(&x, &t(&[2, 1], &[1, 3]), &[2, 1, 5], n),
        &[2, 2, 5],
        &[35, 42, 49, 56, 4, 46, 53, 1, 8, 15, 57, 5, 12, 19, 26, 9, 16, 23, 30, 37],
    );
    let n = Numbers { offset: &[1], collapsed: &[0, 2], map: &[2, 0], batching: none };
    let indices = t(&[3, 2], &[4, 0, 1, 2, 2, 1]);
    expect(
        "permuted map",
        &gather(&x, &indices, &[1, 4, 1], n),
        &[3, 4],
        &[28, 4, 39, 15, 51, 27, 3, 38, 36, 12, 47, 23],
    );
    let n = Numbers { offset: &[2], collapsed: &[1], map: &[1], batching: [&[0], &[0]] };
    expect(
        "batching",
        &gather(&x, &seq(&[3, 2, 1], 3, 4, 0), &[1, 1, 5], n),
        &[3, 2, 5],
        &[
            0, 7, 14, 21, 28, 46, 53, 1, 8, 15, 33, 40, 47, 54, 2, 57, 5, 12, 19, 26, 44, 51, 58, 6, 13, 31, 38, 45,
            52, 0,
        ],
    );
    let n = Numbers { offset: &[], collapsed: &[2], map: &[2], batching: [&[0, 1], &[1, 0]] };
    let (x, indices) = (seq(&[2, 3, 4], 5, 29, 0), seq(&[3, 2, 2, 1], 3, 5, 0));
    expect(
        "two batches",
        &gather(&x, &indices, &[1, 1, 1], n),
        &[3, 2, 2],
        &[0, 15, 7, 17, 1, 20, 8, 27, 26, 21, 13, 28],
    );
}

#[test]
fn gather_with_an_implicit_index_vector() {
    let g = GatherDims {
        offset_dims: [1].into_iter().collect(),
        collapsed_slice_dims: [0].into_iter().collect(),
        start_index_map: [0].into_iter().collect(),
        index_vector_dim: 1,
        slice_sizes: [1, 2].into(),
        ..GatherDims::default()
    };
    let y = run(Op::Gather(Box::new(g)), &[seq(&[3, 2], 1, 100, 0), t(&[2], &[2u8, 255])]);
    expect("rows", &y, &[2, 2], &[4, 5, 4, 5]);
}

struct Into<'a> {
    window: &'a [usize],
    inserted: &'a [usize],
    map: &'a [usize],
    batching: [&'a [usize]; 2],
}

fn scatter(x: &Tensor, indices: &Tensor, updates: &Tensor, update: ScatterUpdate, n: Into) -> Tensor {
    let s = ScatterDims {
        update_window_dims: n.window.into(),
        inserted_window_dims: n.inserted.into(),
        input_batching_dims: n.batching[0].into(),
        scatter_indices_batching_dims: n.batching[1].into(),
        scatter_dims_to_operand_dims: n.map.into(),
        index_vector_dim: indices.rank() - 1,
        indices_are_sorted: false,
        unique_indices: false,
    };
    run(Op::Scatter { dims: Box::new(s), update }, &[x.clone(), indices.clone(), updates.clone()])
}

#[test]
fn scatter_of_the_specification() {
    let x = seq(&[2, 3, 4, 2], 1, 100, 1);
    let indices = [0, 0, 1, 0, 2, 1, 0, 1, 1, 1, 0, 9, 0, 0, 2, 1, 2, 2, 1, 2, 0, 1, 1, 0];
    let n = Into { window: &[3, 4], inserted: &[1], map: &[2, 1], batching: [&[0], &[1]] };
    let y = scatter(
        &x,
        &t(&[2, 2, 3, 2], &indices),
        &t(&[2, 2, 3, 2, 2], &[1; 48]),
        ScatterUpdate::Combine(Reducer::Add),
        n,
    );
    let want = [
        3, 4, 6, 7, 6, 7, 7, 8, 9, 10, 11, 12, 15, 16, 17, 18, 17, 18, 19, 20, 22, 23, 24, 25, 25, 26, 28, 29, 30, 31,
        31, 32, 35, 36, 38, 39, 38, 39, 39, 40, 41, 42, 44, 45, 46, 47, 47, 48,
    ];
    expect("example", &y, &[2, 3, 4, 2], &want);
}

#[test]
fn scatter_as_xla() {
    let x = seq(&[4, 5], 7, 23, 0);
    let none: [&[usize]; 2] = [&[], &[]];
    let add = ScatterUpdate::Combine(Reducer::Add);
    let n = Into { window: &[1], inserted: &[0], map: &[0], batching: none };
    let y = scatter(&x, &t(&[5, 1], &[1, 3, 1, 4, -1]), &seq(&[5, 5], 3, 11, 1), add, n);
    expect("add rows", &y, &[4, 5], &[0, 7, 14, 21, 5, 22, 24, 14, 27, 29, 1, 8, 15, 22, 6, 18, 28, 15, 14, 24]);
    let n = Into { window: &[], inserted: &[0, 1], map: &[0, 1], batching: none };
    let y = scatter(&x, &t(&[4, 2], &[0, 0, 3, 4, 2, 9, 1, 2]), &seq(&[4], 3, 11, 100), ScatterUpdate::Assign, n);
    expect("assign", &y, &[4, 5], &[100, 7, 14, 21, 5, 12, 19, 109, 10, 17, 1, 8, 15, 22, 6, 13, 20, 4, 11, 103]);
    let n = Into { window: &[1, 2], inserted: &[], map: &[0, 1], batching: none };
    let min = ScatterUpdate::Combine(Reducer::Minimum);
    let y = scatter(&x, &t(&[4, 2], &[0, 0, 2, 3, 3, 0, 1, 2]), &seq(&[4, 2, 2], 3, 11, -4), min, n);
    expect(
        "windows that leave are skipped whole",
        &y,
        &[4, 5],
        &[-4, -1, 14, 21, 5, 2, 5, -1, 2, 17, 1, 8, 5, -3, 0, 13, 20, 4, 3, 6],
    );
    let n = Into { window: &[], inserted: &[0, 1], map: &[1, 0], batching: none };
    let max = ScatterUpdate::Combine(Reducer::Maximum);
    let y = scatter(&x, &t(&[3, 2], &[0, 3, 4, 1, 1, 1]), &seq(&[3], 3, 11, 9), max, n);
    expect("reversed map", &y, &[4, 5], &[0, 7, 14, 21, 5, 12, 19, 3, 10, 17, 1, 8, 15, 22, 6, 13, 20, 4, 11, 18]);
    let n = Into { window: &[0], inserted: &[1], map: &[1], batching: none };
    let y = scatter(&x, &t(&[1], &[2]), &seq(&[4], 3, 11, -2), ScatterUpdate::Combine(Reducer::Multiply), n);
    expect("one column", &y, &[4, 5], &[0, 7, -28, 21, 5, 12, 19, 3, 10, 17, 1, 8, 60, 22, 6, 13, 20, 28, 11, 18]);
    let n = Into { window: &[2], inserted: &[1], map: &[1], batching: [&[0], &[0]] };
    let x = seq(&[3, 4, 5], 7, 59, 0);
    let y = scatter(&x, &t(&[3, 2, 1], &[0, 3, 1, 1, 4, 2]), &seq(&[3, 2, 5], 3, 11, 1), add, n);
    expect(
        "batching",
        &y,
        &[3, 4, 5],
        &[
            1, 11, 21, 31, 30, 35, 42, 49, 56, 4, 11, 18, 25, 32, 39, 51, 61, 12, 11, 21, 22, 29, 36, 43, 50, 68, 11,
            24, 37, 39, 33, 40, 47, 54, 2, 9, 16, 23, 30, 37, 44, 51, 58, 6, 13, 20, 27, 34, 41, 48, 65, 5, 15, 25, 35,
            31, 38, 45, 52, 0,
        ],
    );
}

#[test]
fn the_last_assignment_wins() {
    let n = Into { window: &[], inserted: &[0], map: &[0], batching: [&[], &[]] };
    let y =
        scatter(&t(&[3], &[0, 0, 0]), &t(&[3, 1], &[1, 1, i32::MAX]), &t(&[3], &[5, 6, 7]), ScatterUpdate::Assign, n);
    expect("last", &y, &[3], &[0, 6, 0]);
}

#[test]
fn scatter_rounds_to_the_element_type_at_every_update() {
    let n = Into { window: &[], inserted: &[0], map: &[0], batching: [&[], &[]] };
    let (x, ones) = (to(DType::F16, &t(&[1], &[2048])), to(DType::F16, &t(&[4], &[1; 4])));
    let y = scatter(&x, &t(&[4, 1], &[0; 4]), &ones, ScatterUpdate::Combine(Reducer::Add), n);
    assert_eq!(numbers(&y), [2048.0]);
}
