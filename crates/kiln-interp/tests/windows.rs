//! Reductions and windows against StableHLO's examples and XLA.

mod common;

use common::{expect, numbers, run, seq, t, to};
use kiln_ir::op::{ArgKind, CompareDirection, Reducer, Window, WindowDim};
use kiln_ir::{DType, Op, Tensor};

fn reduce(x: &Tensor, init: Tensor, axes: &[usize], reducer: Reducer) -> Tensor {
    run(Op::Reduce { axes: axes.into(), reducer }, &[x.clone(), init])
}

#[test]
fn reduce_of_the_specification() {
    let x = t(&[1, 6], &[0i64, 1, 2, 3, 4, 5]);
    assert_eq!(reduce(&x, Tensor::scalar(0i64), &[1], Reducer::Add), t(&[1], &[15i64]));
}

#[test]
fn every_reducer() {
    let x = seq(&[2, 3, 2], 7, 23, -11);
    // The elements: -11 -4 / 3 10 / -6 1 // 8 -8 / -1 6 / -10 -3.
    expect("add", &reduce(&x, Tensor::scalar(1), &[1], Reducer::Add), &[2, 2], &[-13, 8, -2, -4]);
    expect("multiply", &reduce(&x, Tensor::scalar(1), &[2], Reducer::Multiply), &[2, 3], &[44, 30, -6, -64, -6, 30]);
    expect("minimum", &reduce(&x, Tensor::scalar(i32::MAX), &[0, 2], Reducer::Minimum), &[3], &[-11, -1, -10]);
    expect("maximum", &reduce(&x, Tensor::scalar(i32::MIN), &[0, 1, 2], Reducer::Maximum), &[], &[10]);
    expect(
        "nothing",
        &reduce(&x, Tensor::scalar(5), &[], Reducer::Add),
        &[2, 3, 2],
        &[-6, 1, 8, 15, -1, 6, 13, -3, 4, 11, -5, 2],
    );
    let b = t(&[2, 3], &[true, false, true, true, true, true]);
    let f = |r, init: bool| reduce(&b, Tensor::scalar(init), &[1], r).to_vec::<bool>().unwrap();
    assert_eq!((f(Reducer::And, true), f(Reducer::Or, false)), (vec![false, true], vec![true, true]));
    assert_eq!((f(Reducer::Xor, false), f(Reducer::Maximum, false)), (vec![false, true], vec![true, true]));
    let u = t(&[3], &[0b1100u8, 0b1010, 0b1111]);
    let f = |r, init: u8| reduce(&u, Tensor::scalar(init), &[0], r).item::<u8>().unwrap();
    assert_eq!((f(Reducer::And, 255), f(Reducer::Or, 0), f(Reducer::Xor, 0)), (0b1000, 0b1111, 0b1001));
}

#[test]
fn reductions_accumulate_wide_and_round_once() {
    let ones = to(DType::BF16, &t(&[4097], &[1i32; 4097]));
    let zero = to(DType::BF16, &Tensor::scalar(0i32));
    assert_eq!(numbers(&reduce(&ones, zero, &[0], Reducer::Add)), [4096.0]);
    let x = t(&[3], &[1e8f32, 1.0, -1e8]);
    assert_eq!(numbers(&reduce(&x, Tensor::scalar(0.0f32), &[0], Reducer::Add)), [1.0]);
    let wrapping = reduce(&t(&[2], &[100i8, 100]), Tensor::scalar(0i8), &[0], Reducer::Add);
    assert_eq!(wrapping.item::<i8>().unwrap(), -56);
}

#[test]
fn extremes_propagate_nan_and_order_zeros() {
    let x = t(&[2, 2], &[1.0f32, f32::NAN, -0.0, 0.0]);
    let max = reduce(&x, Tensor::scalar(f32::NEG_INFINITY), &[1], Reducer::Maximum).to_vec::<f32>().unwrap();
    assert!(max[0].is_nan() && max[1].to_bits() == 0);
    let min = reduce(&x, Tensor::scalar(f32::INFINITY), &[1], Reducer::Minimum).to_vec::<f32>().unwrap();
    assert!(min[0].is_nan() && min[1].to_bits() == 1 << 31);
}

#[test]
fn reductions_of_empty_tensors_give_the_initial_value() {
    let x = t::<f32>(&[2, 0], &[]);
    assert_eq!(numbers(&reduce(&x, Tensor::scalar(3.0f32), &[1], Reducer::Add)), [3.0, 3.0]);
    assert_eq!(numbers(&reduce(&x, Tensor::scalar(3.0f32), &[0, 1], Reducer::Add)), [3.0]);
    assert!(reduce(&x, Tensor::scalar(3.0f32), &[0], Reducer::Add).is_empty());
}

#[test]
fn arg_reductions_take_the_first_and_nan_first() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let x = t(&[4, 4], &[1.0, 3.0, 3.0, -2.0, nan, 5.0, nan, 7.0, -0.0, 0.0, 0.0, -0.0, inf, -inf, inf, -inf]);
    let arg = |axis, kind, dtype| to(DType::I32, &run(Op::ArgReduce { axis, kind, dtype }, std::slice::from_ref(&x)));
    expect("argmax 1", &arg(1, ArgKind::Max, DType::I32), &[4], &[1, 0, 0, 0]);
    expect("argmin 1", &arg(1, ArgKind::Min, DType::I32), &[4], &[3, 0, 0, 1]);
    expect("argmax 0", &arg(0, ArgKind::Max, DType::I64), &[4], &[1, 1, 1, 1]);
    expect("argmin 0", &arg(0, ArgKind::Min, DType::U8), &[4], &[1, 3, 1, 3]);
}

fn w(size: i64, stride: i64, pad: [i64; 2], base_dilation: i64, window_dilation: i64) -> WindowDim {
    WindowDim { size, stride, pad_low: pad[0], pad_high: pad[1], base_dilation, window_dilation, reversed: false }
}

fn windows(x: &Tensor, init: i32, reducer: Reducer, dims: &[WindowDim]) -> Tensor {
    run(
        Op::ReduceWindow { window: Box::new(Window { dims: dims.into() }), reducer },
        &[x.clone(), Tensor::scalar(init)],
    )
}

#[test]
fn reduce_window_of_the_specification() {
    let x = t(&[3, 2], &[1, 2, 3, 4, 5, 6]);
    let dims = |size| [w(size, 4, [2, 1], 2, 3), w(1, 1, [0, 0], 1, 1)];
    expect("example", &windows(&x, 0, Reducer::Add, &dims(2)), &[2, 2], &[0, 0, 3, 4]);
    expect("issue 1662", &windows(&x, 0, Reducer::Add, &dims(3)), &[1, 2], &[5, 6]);
}

#[test]
fn reduce_window_as_xla() {
    let x = seq(&[4, 6], 7, 23, -11);
    let f = |init, r, a, b| windows(&x, init, r, &[a, b]);
    let dense = |size, stride, pad| w(size, stride, pad, 1, 1);
    let y = f(0, Reducer::Add, dense(2, 1, [0, 0]), dense(3, 2, [0, 0]));
    expect("add", &y, &[3, 2], &[-13, 2, 9, 1, 8, 0]);
    let y = f(i32::MIN, Reducer::Maximum, dense(3, 2, [1, 1]), dense(3, 2, [1, 1]));
    expect("max", &y, &[2, 3], &[8, 10, 10, 11, 11, 9]);
    let y = f(i32::MAX, Reducer::Minimum, w(2, 1, [1, 0], 2, 1), w(2, 1, [0, 2], 1, 3));
    expect(
        "min dilated",
        &y,
        &[7, 5],
        &[
            -11, -6, 1, 10, -6, -11, -6, 1, 10, -6, 6, -10, -3, 6, -10, 6, -10, -3, 6, -10, 2, 9, -7, 2, 9, 2, 9, -7,
            2, 9, -2, 5, -11, -2, 5,
        ],
    );
    let y = f(1, Reducer::Multiply, w(2, 2, [0, 0], 1, 2), w(2, 2, [0, 0], 1, 2));
    expect("multiply", &y, &[1, 2], &[660, 810]);
    let y = f(0, Reducer::Add, dense(1, 1, [0, 0]), dense(6, 1, [5, 0]));
    expect(
        "cumulative",
        &y,
        &[4, 6],
        &[-11, -15, -12, -2, -8, -7, 8, 0, -1, 5, -5, -8, 4, 15, 10, 12, 21, 14, 0, 7, -2, -4, 1, -10],
    );
    let y = f(0, Reducer::Add, dense(2, 1, [-1, 0]), dense(2, 1, [0, -2]));
    expect("negative", &y, &[2, 3], &[15, -3, 2, 22, 4, -14]);
    let y = windows(&seq(&[5], 7, 23, -11), 1, Reducer::Add, &[dense(3, 1, [1, 1])]);
    expect("one initial value per window", &y, &[5], &[-14, -11, 10, 8, 5]);
}

fn select_and_scatter(x: &Tensor, source: &Tensor, init: i32, select: CompareDirection, dims: &[WindowDim]) -> Tensor {
    let op = Op::SelectAndScatter { window: Box::new(Window { dims: dims.into() }), select, scatter: Reducer::Add };
    let y = run(op.clone(), &[x.clone(), source.clone(), Tensor::scalar(init)]);
    let f = |x: &Tensor| to(DType::F16, x);
    assert_eq!(to(DType::I32, &run(op, &[f(x), f(source), f(&Tensor::scalar(init))])), y, "f16 is exact here");
    y
}

#[test]
fn select_and_scatter_of_the_specification() {
    let x = t(&[4, 2], &[1, 5, 2, 5, 3, 6, 4, 4]);
    let source = t(&[2, 2], &[5, 6, 7, 8]);
    let dims = [w(3, 2, [0, 1], 1, 1), w(1, 1, [0, 0], 1, 1)];
    let y = select_and_scatter(&x, &source, 0, CompareDirection::GE, &dims);
    expect("example", &y, &[4, 2], &[0, 0, 0, 0, 5, 14, 7, 0]);
}

#[test]
fn select_and_scatter_as_xla() {
    let x = seq(&[5, 6], 7, 23, -11);
    let source = |shape: &[usize]| seq(shape, 3, 7, 1);
    let square = |size, stride, a, b| [w(size, stride, a, 1, 1), w(size, stride, b, 1, 1)];
    let (ge, le) = (CompareDirection::GE, CompareDirection::LE);
    let y = select_and_scatter(&x, &source(&[2, 3]), 0, ge, &square(2, 2, [0, 0], [0, 0]));
    expect(
        "disjoint",
        &y,
        &[5, 6],
        &[0, 0, 0, 4, 0, 7, 1, 0, 0, 0, 0, 0, 0, 3, 0, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    let y = select_and_scatter(&x, &source(&[4, 5]), 10, ge, &square(2, 1, [0, 0], [0, 0]));
    expect(
        "overlapping",
        &y,
        &[5, 6],
        &[
            10, 10, 14, 20, 10, 16, 11, 10, 10, 11, 10, 10, 10, 26, 10, 12, 27, 10, 10, 14, 10, 10, 16, 10, 10, 10, 20,
            10, 10, 12,
        ],
    );
    let y = select_and_scatter(&x, &source(&[3, 4]), 0, le, &square(3, 2, [1, 1], [1, 2]));
    expect(
        "padded",
        &y,
        &[5, 6],
        &[1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 7, 3, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 15, 4, 0, 0, 0, 0, 0],
    );
    let zeros = t(&[4, 4], &[0; 16]);
    let y = select_and_scatter(&zeros, &source(&[2, 2]), 0, ge, &square(2, 2, [0, 0], [0, 0]));
    expect("ties", &y, &[4, 4], &[1, 0, 4, 0, 0, 0, 0, 0, 7, 0, 3, 0, 0, 0, 0, 0]);
}
