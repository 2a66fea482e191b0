use crate::check::Case;
use kiln_ir::op::{Axes, CompareDirection, Reducer, Window, WindowDim};
use kiln_ir::{Op, UnaryOp, dims};

fn reduce(axes: &[usize], reducer: Reducer, init: f64, x: Vec<f64>) {
    let mut c = Case::new();
    let x = c.input_of(&[2, 3, 2], x);
    let init = c.scalar(init);
    let y = c.op(Op::Reduce { axes: axes.iter().copied().collect(), reducer }, &[x, init]);
    let z = c.un(UnaryOp::Sine, y);
    c.done(z);
}

fn values() -> Vec<f64> {
    (0..12).map(|i| ((i * 37 % 12) as f64 - 5.3) / 6.0).collect()
}

#[test]
fn reduces() {
    for axes in [vec![0], vec![1], vec![0, 2], vec![0, 1, 2]] {
        reduce(&axes, Reducer::Add, 0.0, values());
        reduce(&axes, Reducer::Multiply, 1.0, values());
        reduce(&axes, Reducer::Maximum, f64::NEG_INFINITY, values());
        reduce(&axes, Reducer::Minimum, f64::INFINITY, values());
        // A start value that takes part.
        reduce(&axes, Reducer::Multiply, 0.7, values());
        reduce(&axes, Reducer::Maximum, 0.3, values());
    }
}

#[test]
fn products_with_zeros() {
    let mut one = values();
    one[3] = 0.0;
    reduce(&[1], Reducer::Multiply, 1.0, one.clone());
    one[5] = 0.0;
    reduce(&[0, 1, 2], Reducer::Multiply, 1.0, one);
}

#[test]
fn the_start_value_has_a_gradient() {
    for reducer in [Reducer::Add, Reducer::Multiply, Reducer::Maximum, Reducer::Minimum] {
        let mut c = Case::new();
        let (x, init) = (c.x(&[3, 4]), c.input(&[], -0.2, 0.2));
        let y = c.op(Op::Reduce { axes: [1].into_iter().collect(), reducer }, &[x, init]);
        let z = c.un(UnaryOp::Sine, y);
        c.done(z);
    }
}

#[test]
fn ties_share_equally() {
    let mut c = Case::new();
    let x = c.input_of(&[4], vec![1.0, 3.0, 3.0, 2.0]);
    let init = c.scalar(f64::NEG_INFINITY);
    let y = c.op(Op::Reduce { axes: [0].into_iter().collect(), reducer: Reducer::Maximum }, &[x, init]);
    c.out(y);
    let g = c.gradient();
    let ct = g.inputs[1].item::<f64>().unwrap();
    assert_eq!(g.eval()[0].as_slice::<f64>().unwrap(), [0.0, ct / 2.0, ct / 2.0, 0.0]);
}

#[test]
fn symbolic_reduce() {
    let mut c = Case::new();
    let x = c.symbolic(dims!["n", 3], &[4, 3]);
    for reducer in [Reducer::Add, Reducer::Maximum] {
        let init = c.scalar(if reducer == Reducer::Add { 0.0 } else { f64::NEG_INFINITY });
        let axes: Axes = [0].into_iter().collect();
        let y = c.op(Op::Reduce { axes, reducer }, &[x, init]);
        let z = c.un(UnaryOp::Sine, y);
        c.out(z);
    }
    c.check();
}

fn w(size: i64, stride: i64, pad: (i64, i64), base: i64, window: i64) -> WindowDim {
    WindowDim {
        size,
        stride,
        pad_low: pad.0,
        pad_high: pad.1,
        base_dilation: base,
        window_dilation: window,
        reversed: false,
    }
}

fn windows() -> Vec<[WindowDim; 2]> {
    vec![
        [w(2, 2, (0, 0), 1, 1), w(2, 2, (0, 0), 1, 1)],
        [w(3, 2, (1, 1), 1, 1), w(2, 1, (0, 1), 1, 1)],
        [WindowDim::TRIVIAL, w(3, 1, (2, 0), 1, 1)],
        [w(2, 1, (0, 0), 1, 2), w(2, 2, (1, 0), 2, 1)],
        [w(2, 3, (-1, 0), 1, 1), w(3, 2, (1, 2), 2, 2)],
        [w(2, 1, (0, 1), 2, 1), w(2, 2, (1, 1), 1, 2)],
    ]
}

#[test]
fn reduce_windows() {
    for dims in windows() {
        for (reducer, init) in [
            (Reducer::Add, 0.0),
            (Reducer::Maximum, f64::NEG_INFINITY),
            (Reducer::Minimum, f64::INFINITY),
            (Reducer::Multiply, 1.0),
            (Reducer::Maximum, -0.1),
        ] {
            let mut c = Case::new();
            let x = c.x(&[5, 4]);
            let init = c.scalar(init);
            let window = Box::new(Window { dims: dims.into_iter().collect() });
            let y = c.op(Op::ReduceWindow { window, reducer }, &[x, init]);
            // Windows that see padding only hold an infinity, which differences cannot take.
            let all_finite = {
                let mut probe = c.clone();
                probe.out(y);
                probe.eval()[0].as_slice::<f64>().unwrap().iter().all(|v| v.is_finite())
            };
            if all_finite {
                let z = c.un(UnaryOp::Sine, y);
                c.done(z);
            }
        }
    }
}

#[test]
fn windows_with_an_active_start_value() {
    let mut c = Case::new();
    let (x, init) = (c.x(&[5, 4]), c.input(&[], -0.2, 0.2));
    let window = Box::new(Window { dims: [w(3, 2, (1, 1), 1, 1), w(2, 1, (0, 1), 1, 1)].into_iter().collect() });
    let y = c.op(Op::ReduceWindow { window, reducer: Reducer::Add }, &[x, init]);
    let z = c.un(UnaryOp::Sine, y);
    c.done(z);
}

#[test]
fn select_and_scatters() {
    for (select, dims) in [
        (CompareDirection::GE, [w(2, 2, (0, 0), 1, 1), w(2, 2, (0, 0), 1, 1)]),
        (CompareDirection::GE, [w(3, 2, (1, 1), 1, 1), w(2, 1, (0, 1), 1, 1)]),
        (CompareDirection::LE, [w(3, 1, (0, 0), 1, 1), w(3, 2, (1, 1), 1, 1)]),
    ] {
        let sizes = [dims[0].output_size(5) as usize, dims[1].output_size(4) as usize];
        let mut c = Case::new();
        let (x, source, init) = (c.x(&[5, 4]), c.x(&sizes), c.x(&[]));
        let window = Box::new(Window { dims: dims.into_iter().collect() });
        let y = c.op(Op::SelectAndScatter { window, select, scatter: Reducer::Add }, &[x, source, init]);
        let z = c.un(UnaryOp::Sine, y);
        c.done(z);
    }
}
