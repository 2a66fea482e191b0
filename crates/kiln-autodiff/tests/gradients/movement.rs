use crate::check::{Case, consts, shape};
use kiln_ir::{Dim, Op, UnaryOp, dims};

#[test]
fn broadcasts() {
    // Plain, stretching, and with permuted dimensions.
    for (from, to, map) in [
        (vec![3], vec![2, 3], vec![1]),
        (vec![2, 1], vec![2, 3], vec![0, 1]),
        (vec![3, 2], vec![2, 4, 3], vec![2, 0]),
        (vec![1, 3], vec![3, 5], vec![1, 0]),
        (vec![], vec![2, 2], vec![]),
        (vec![1, 1], vec![1, 4], vec![0, 1]),
    ] {
        let mut c = Case::new();
        let x = c.x(&from);
        let y = c.op(Op::BroadcastInDim { shape: shape(&to), dims: map.into() }, &[x]);
        let z = c.un(UnaryOp::Sine, y);
        c.done(z);
    }
}

#[test]
fn reshape_transpose_reverse() {
    let mut c = Case::new();
    let x = c.x(&[2, 3, 4]);
    let a = c.op(Op::Reshape(shape(&[6, 4])), &[x]);
    let b = c.op(Op::Reverse([1].into_iter().collect()), &[a]);
    let d = c.op(Op::Reshape(shape(&[3, 2, 4])), &[b]);
    let e = c.op(Op::Transpose([2, 0, 1].into_iter().collect()), &[d]);
    let y = c.un(UnaryOp::Exponential, e);
    c.done(y);
}

#[test]
fn slices() {
    for (start, limit, strides) in
        [([1, 0], [4, 3], [1, 1]), ([0, 1], [5, 3], [2, 1]), ([1, 0], [5, 3], [3, 2]), ([2, 1], [2, 3], [1, 1])]
    {
        let mut c = Case::new();
        let x = c.x(&[5, 3]);
        let op = Op::Slice {
            start: consts(&start).into(),
            limit: consts(&limit).into(),
            strides: strides.into_iter().collect(),
        };
        let y = c.op(op, &[x]);
        let z = c.un(UnaryOp::Tanh, y);
        c.done(z);
    }
}

#[test]
fn dynamic_slices() {
    for start in [[1, 0], [9, -3], [2, 1]] {
        let mut c = Case::new();
        let x = c.x(&[5, 3]);
        let (i, j) = (c.ints(&[], vec![start[0]]), c.ints(&[], vec![start[1]]));
        let y = c.op(Op::DynamicSlice { sizes: shape(&[2, 2]) }, &[x, i, j]);
        let z = c.op(Op::DynamicSlice { sizes: shape(&[3, 1]) }, &[x, j, i]);
        let (y, z) = (c.un(UnaryOp::Sine, y), c.un(UnaryOp::Tanh, z));
        c.out(y);
        c.out(z);
        c.check();

        let mut c = Case::new();
        let (x, u) = (c.x(&[5, 3]), c.x(&[2, 2]));
        let (i, j) = (c.ints(&[], vec![start[0]]), c.ints(&[], vec![start[1]]));
        let y = c.op(Op::DynamicUpdateSlice, &[x, u, i, j]);
        let z = c.un(UnaryOp::Sine, y);
        c.done(z);
    }
}

#[test]
fn concatenation() {
    let mut c = Case::new();
    let (x, y) = (c.x(&[2, 3]), c.x(&[2, 1]));
    let k = c.f.constant(kiln_ir::Tensor::from_vec([2, 2], vec![1.0f64; 4]).unwrap(), Default::default());
    let z = c.op(Op::Concatenate(1), &[x, k, y, x]);
    let w = c.un(UnaryOp::Sine, z);
    c.done(w);
}

#[test]
fn pads() {
    for (low, high, interior) in
        [([1, 0], [0, 2], [0, 0]), ([0, 1], [1, 0], [2, 1]), ([-1, 2], [-2, -1], [0, 0]), ([-1, -1], [3, -2], [1, 2])]
    {
        let mut c = Case::new();
        let (x, v) = (c.x(&[4, 3]), c.x(&[]));
        let op =
            Op::Pad { low: consts(&low).into(), high: consts(&high).into(), interior: interior.into_iter().collect() };
        let y = c.op(op, &[x, v]);
        let z = c.un(UnaryOp::Sine, y);
        c.done(z);
    }
}

#[test]
fn symbolic_sizes() {
    let mut c = Case::new();
    let x = c.symbolic(dims!["n", 3], &[4, 3]);
    let y = c.symbolic(dims![3], &[3]);
    let wide = c.op(Op::BroadcastInDim { shape: dims!["n", 3], dims: [1].into_iter().collect() }, &[y]);
    let both = c.op(Op::Concatenate(0), &[x, wide]);
    let n = Dim::symbol("n");
    let op = Op::Slice {
        start: [Dim::Const(1), Dim::Const(0)].into_iter().collect(),
        limit: [n * 2 - 1, Dim::Const(2)].into_iter().collect(),
        strides: [1, 1].into_iter().collect(),
    };
    let part = c.op(op, &[both]);
    let z = c.un(UnaryOp::Sine, part);
    c.done(z);
}
