//! Every operator by itself.

use crate::driver::{Data, check, check_data, check_with, loop_types};
use crate::graph::{G, WINDOWS, rows_of, windows};
use kiln_ir::op::{ArgKind, CompareDirection, GatherDims, Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::{BinaryOp, DType, Op, Shape, Tensor, UnaryOp, Value};

fn one(shape: &[usize], dtype: DType, data: Data, f: impl Fn(&mut G, Value) -> Value) {
    let mut g = G::new();
    let x = g.input(dtype, shape);
    let y = f(&mut g, x);
    g.out(y);
    check_data(g, data);
}

#[test]
fn unary_of_every_dtype() {
    for dtype in loop_types() {
        for &op in UnaryOp::ALL {
            let mut g = G::new();
            let x = g.input(dtype, &[3, 5]);
            let Ok(y) = g.f.push1(Op::Unary(op), &[x], kiln_ir::Loc::UNKNOWN) else { continue };
            g.out(y);
            check_data(g, Data::Special);
        }
    }
}

#[test]
fn binary_of_every_dtype() {
    for dtype in loop_types() {
        for &op in BinaryOp::ALL {
            let mut g = G::new();
            let (x, y) = (g.input(dtype, &[37]), g.input(dtype, &[37]));
            let Ok(z) = g.f.push1(Op::Binary(op), &[x, y], kiln_ir::Loc::UNKNOWN) else { continue };
            g.out(z);
            check_data(g, Data::Special);
        }
    }
}

#[test]
fn compare_select_clamp() {
    use CompareDirection::{EQ, GE, GT, LE, LT, NE};
    for dtype in loop_types() {
        for d in [EQ, NE, GE, GT, LE, LT] {
            let mut g = G::new();
            let (x, y) = (g.input(dtype, &[19]), g.input(dtype, &[19]));
            let p = g.cmp(d, x, y);
            let z = g.op(Op::Select, &[p, y, x]);
            g.out(p);
            g.out(z);
            check_data(g, Data::Special);
        }
    }
    let mut g = G::new();
    let (lo, x, hi, p) = (g.x(&[]), g.x(&[2, 3]), g.x(&[]), g.input(DType::Bool, &[]));
    let c = g.op(Op::Clamp, &[lo, x, hi]);
    let s = g.op(Op::Select, &[p, x, c]);
    g.out(c);
    g.out(s);
    check(g);
}

#[test]
fn conversions() {
    for from in loop_types() {
        for to in loop_types() {
            one(&[41], from, Data::Special, |g, x| g.op(Op::Convert(to), &[x]));
        }
    }
}

#[test]
fn bit_casts() {
    for (from, to, shape) in [
        (DType::F32, DType::U32, vec![5]),
        (DType::F16, DType::BF16, vec![5]),
        (DType::F64, DType::U16, vec![3]),
        (DType::U8, DType::F32, vec![3, 4]),
        (DType::I16, DType::I64, vec![2, 2, 4]),
        (DType::F32, DType::F16, vec![2, 2]),
    ] {
        one(&shape, from, Data::Plain, |g, x| {
            let y = g.op(Op::BitcastConvert(to), &[x]);
            // Through integers, so that payloads of NaN do not matter.
            if to.is_float() { g.op(Op::Convert(DType::F64), &[y]) } else { y }
        });
    }
}

#[test]
fn iota_and_constants() {
    for dtype in loop_types().filter(|d| *d != DType::Bool) {
        let mut g = G::new();
        for dim in 0..2 {
            let i = g.iota(dtype, &[7, 9], dim);
            g.out(i);
        }
        check(g);
    }
    let mut g = G::new();
    let c = g.f.constant(Tensor::from_vec([3], vec![1.0f32, 2.0, 3.0]).unwrap(), kiln_ir::Loc::UNKNOWN);
    let b = g.bcast(c, &[4, 3], &[1]);
    let x = g.x(&[4, 3]);
    let y = g.add(b, x);
    let n = g.op(Op::GetDimensionSize(1), &[x]);
    g.out(y);
    g.out(n);
    check(g);
}

#[test]
fn index_maps() {
    let mut g = G::new();
    let x = g.x(&[4, 5, 6]);
    let t = g.transpose(x, &[2, 0, 1]);
    let r = g.op(Op::Reverse([0, 2].as_slice().into()), &[t]);
    let s = g.slice(r, &[1, 0, 1], &[6, 4, 5], &[2, 1, 3]);
    let b = g.bcast(s, &[3, 7, 4, 2], &[0, 2, 3]);
    g.out(t);
    g.out(r);
    g.out(s);
    g.out(b);
    check(g);
    let mut g = G::new();
    let x = g.x(&[1, 5]);
    let b = g.bcast(x, &[3, 5], &[0, 1]);
    let r = g.reshape(b, &[5, 3]);
    let n = g.un(UnaryOp::Negate, r);
    let t = g.transpose(n, &[1, 0]);
    let e = g.un(UnaryOp::Negate, t);
    g.out(e);
    check(g);
}

#[test]
fn reshapes_split_merge_and_cross() {
    for (a, b, c) in [
        (vec![4, 6], vec![2, 2, 6], vec![24]),
        (vec![6, 4], vec![4, 6], vec![3, 8]),
        (vec![2, 3, 4], vec![4, 3, 2], vec![1, 24, 1]),
        (vec![1], vec![], vec![1, 1]),
    ] {
        let mut g = G::new();
        let x = g.x(&a);
        let n = g.un(UnaryOp::Negate, x);
        let y = g.reshape(n, &b);
        let perm: Vec<usize> = (0..b.len()).rev().collect();
        let y = g.transpose(y, &perm);
        let y = g.un(UnaryOp::Abs, y);
        let z = g.reshape(y, &c);
        let z = g.un(UnaryOp::Sqrt, z);
        g.out(z);
        check(g);
    }
}

#[test]
fn concatenate_and_pad() {
    for dim in 0..2 {
        let mut g = G::new();
        let mut shape = [4, 5];
        let parts: Vec<Value> = [2, 0, 3, 1]
            .into_iter()
            .map(|n| {
                shape[dim] = n;
                g.x(&shape)
            })
            .collect();
        let c = g.op(Op::Concatenate(dim), &parts);
        let n = g.un(UnaryOp::Negate, c);
        let r = g.op(Op::Reverse([dim].as_slice().into()), &[n]);
        let last = g.last(r);
        let s = g.sum(r, &[last]);
        g.out(n);
        g.out(s);
        check(g);
    }
    for (low, high, interior) in [
        ([1, 2], [0, 3], [0, 0]),
        ([-1, 0], [2, -2], [0, 0]),
        ([0, 1], [1, 0], [1, 2]),
        ([-2, -1], [-1, 4], [3, 1]),
        ([0, 0], [0, 0], [0, 0]),
        ([9, 9], [-9, -9], [0, 0]),
    ] {
        let mut g = G::new();
        let (x, v) = (g.x(&[4, 5]), g.x(&[]));
        let p = g.pad(x, v, &low, &high, &interior);
        let y = g.un(UnaryOp::Negate, p);
        g.out(y);
        check(g);
    }
    let mut g = G::new();
    let (x, v) = (g.x(&[0, 3]), g.x(&[]));
    let p = g.pad(x, v, &[2, 1], &[1, 0], &[0, 0]);
    g.out(p);
    check(g);
}

#[test]
fn dynamic_slices() {
    for (i, j) in [(0, 0), (2, -3), (100, 1), (-5, 100)] {
        let mut g = G::new();
        let (x, u, a, b) = (g.x(&[5, 6]), g.x(&[2, 3]), g.input(DType::I32, &[]), g.input(DType::I32, &[]));
        let s = g.op(Op::DynamicSlice { sizes: Shape::from([2usize, 3]) }, &[x, a, b]);
        let u2 = g.un(UnaryOp::Negate, u);
        let d = g.op(Op::DynamicUpdateSlice, &[x, u2, a, b]);
        g.out(s);
        g.out(d);
        let t = |v: Vec<f32>, s: &[usize]| Tensor::from_vec(s, v).unwrap();
        let x = t((0..30).map(|v| v as f32).collect(), &[5, 6]);
        let u = t((0..6).map(|v| v as f32 + 100.0).collect(), &[2, 3]);
        check_with(g, &[x, u, Tensor::scalar(i), Tensor::scalar(j)]);
    }
    let mut g = G::new();
    let (x, a) = (g.x(&[5]), g.input(DType::U64, &[]));
    let s = g.op(Op::DynamicSlice { sizes: Shape::from([2usize]) }, &[x, a]);
    g.out(s);
    let x = Tensor::from_vec([5], vec![0.0f32, 1.0, 2.0, 3.0, 4.0]).unwrap();
    check_with(g, &[x, Tensor::scalar(u64::MAX)]);
}

#[test]
fn reductions() {
    use Reducer::{Add, And, Maximum, Minimum, Multiply, Or, Xor};
    for (dtype, list) in [
        (DType::F32, &[Add, Multiply, Minimum, Maximum][..]),
        (DType::BF16, &[Add, Maximum]),
        (DType::F16, &[Add, Minimum]),
        (DType::F64, &[Add, Multiply]),
        (DType::I32, &[Add, Multiply, Minimum, Maximum, And, Or, Xor]),
        (DType::U8, &[Add, Maximum, Xor]),
        (DType::Bool, &[And, Or]),
    ] {
        for &r in list {
            for axes in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2], &[]] {
                for shape in [[3, 4, 5], [3, 1, 17], [1, 3, 2]] {
                    one(&shape, dtype, Data::Plain, |g, x| g.reduce(x, axes, r));
                }
            }
        }
    }
    one(&[3, 9], DType::F32, Data::Special, |g, x| g.reduce(x, &[1], Maximum));
    one(&[3, 9], DType::F32, Data::Special, |g, x| g.reduce(x, &[0], Minimum));
    one(&[0, 4], DType::F32, Data::Plain, |g, x| g.sum(x, &[0]));
    one(&[4, 0], DType::F32, Data::Plain, |g, x| g.reduce(x, &[1], Maximum));
    one(&[4, 0], DType::F32, Data::Plain, |g, x| g.sum(x, &[0]));
}

#[test]
fn large_reductions_in_two_stages() {
    // Sums of small integers are exact in any order.
    let sum = |shape: &[usize], axes: &[usize], r: Reducer| {
        one(shape, DType::I8, Data::Plain, |g, x| {
            let x = g.op(Op::Convert(DType::F32), &[x]);
            let y = g.mul(x, x);
            let s = g.reduce(y, axes, r);
            g.un(UnaryOp::Negate, s)
        });
    };
    sum(&[70_001], &[0], Reducer::Add);
    sum(&[1, 300, 300], &[0, 1, 2], Reducer::Add);
    sum(&[5003, 16], &[0], Reducer::Add);
    sum(&[9, 5, 31, 67], &[0, 2, 3], Reducer::Add);
    sum(&[2, 40_000], &[1], Reducer::Maximum);
}

#[test]
fn argmin_argmax() {
    for kind in [ArgKind::Min, ArgKind::Max] {
        for data in [Data::Plain, Data::Special] {
            for dtype in [DType::F32, DType::BF16, DType::I8, DType::U32] {
                for axis in 0..3 {
                    one(&[3, 4, 7], dtype, data, |g, x| g.op(Op::ArgReduce { axis, kind, dtype: DType::I32 }, &[x]));
                }
            }
        }
    }
    one(&[9], DType::F32, Data::Plain, |g, x| {
        g.op(Op::ArgReduce { axis: 0, kind: ArgKind::Max, dtype: DType::I64 }, &[x])
    });
}

#[test]
fn reduce_windows() {
    for c in WINDOWS {
        for reducer in [Reducer::Add, Reducer::Maximum] {
            for dtype in [DType::F32, DType::F16, DType::I32] {
                one(&[3, 7, 8], dtype, Data::Plain, |g, x| {
                    let x = g.un(UnaryOp::Negate, x);
                    let init = g.scalar(-3.0f32);
                    let init = g.op(Op::Convert(dtype), &[init]);
                    g.op(Op::ReduceWindow { window: windows(&c), reducer }, &[x, init])
                });
            }
        }
    }
    one(&[0, 2], DType::F32, Data::Plain, |g, x| {
        let init = g.scalar(2.0f32);
        let window = windows(&[(2, 1, 1, 2, 1, 1), (1, 1, 0, 0, 1, 1)]);
        g.op(Op::ReduceWindow { window, reducer: Reducer::Add }, &[x, init])
    });
}

#[test]
fn select_and_scatters() {
    let cases = [
        ([(1, 1, 0, 0, 1, 1), (2, 2, 0, 0, 1, 1), (2, 2, 0, 0, 1, 1)], [3, 3, 4]),
        ([(1, 1, 0, 0, 1, 1), (3, 2, 1, 1, 1, 1), (3, 2, 1, 0, 1, 1)], [3, 3, 4]),
        ([(1, 1, 0, 0, 1, 1), (2, 1, 0, 0, 1, 1), (3, 3, 0, 1, 1, 1)], [3, 5, 3]),
        ([(3, 1, 1, 1, 1, 1), (5, 2, 2, 2, 1, 1), (5, 2, 2, 2, 1, 1)], [3, 3, 4]),
    ];
    for (c, source) in cases {
        for select in [CompareDirection::GE, CompareDirection::LE] {
            let mut g = G::new();
            let (x, s) = (g.x(&[3, 6, 8]), g.x(&source));
            let init = g.scalar(0.5f32);
            let op = Op::SelectAndScatter { window: windows(&c), select, scatter: Reducer::Add };
            let y = g.op(op, &[x, s, init]);
            g.out(y);
            check(g);
        }
    }
    // Ties and NaN in small windows.
    let mut g = G::new();
    let (x, s) = (g.input(DType::F16, &[8, 8]), g.input(DType::F16, &[4, 4]));
    let init = g.scalar(half::f16::ZERO);
    let window = windows(&[(2, 2, 0, 0, 1, 1), (2, 2, 0, 0, 1, 1)]);
    let op = Op::SelectAndScatter { window, select: CompareDirection::GE, scatter: Reducer::Add };
    let y = g.op(op, &[x, s, init]);
    g.out(y);
    check_data(g, Data::Special);
}

fn embedding() -> GatherDims {
    GatherDims {
        offset_dims: [2].as_slice().into(),
        collapsed_slice_dims: [0].as_slice().into(),
        start_index_map: [0].as_slice().into(),
        index_vector_dim: 2,
        slice_sizes: Shape::from([1usize, 6]),
        ..GatherDims::default()
    }
}

#[test]
fn gathers() {
    let mut g = G::new();
    let (t, i) = (g.x(&[9, 6]), g.input(DType::I32, &[2, 5]));
    let y = g.op(Op::Gather(Box::new(embedding())), &[t, i]);
    let y = g.un(UnaryOp::Negate, y);
    g.out(y);
    check(g);
    // Two components, window in the middle, batching.
    let mut g = G::new();
    let (t, i) = (g.x(&[3, 7, 8]), g.input(DType::I64, &[4, 3, 2]));
    let dims = GatherDims {
        offset_dims: [1, 2].as_slice().into(),
        operand_batching_dims: [0].as_slice().into(),
        start_indices_batching_dims: [1].as_slice().into(),
        start_index_map: [2, 1].as_slice().into(),
        index_vector_dim: 2,
        slice_sizes: Shape::from([1usize, 2, 3]),
        ..GatherDims::default()
    };
    let y = g.op(Op::Gather(Box::new(dims)), &[t, i]);
    g.out(y);
    check(g);
    // The components in dimension 0.
    let mut g = G::new();
    let (t, i) = (g.x(&[7, 8]), g.input(DType::U8, &[2, 5]));
    let dims = GatherDims {
        collapsed_slice_dims: [0, 1].as_slice().into(),
        start_index_map: [0, 1].as_slice().into(),
        index_vector_dim: 0,
        slice_sizes: Shape::from([1usize, 1]),
        ..GatherDims::default()
    };
    let y = g.op(Op::Gather(Box::new(dims)), &[t, i]);
    g.out(y);
    check(g);
}

#[test]
fn scatters() {
    let updates =
        [ScatterUpdate::Assign, ScatterUpdate::Combine(Reducer::Add), ScatterUpdate::Combine(Reducer::Maximum)];
    for update in updates {
        for dtype in [DType::F32, DType::BF16, DType::I32] {
            let mut g = G::new();
            let (x, i, u) = (g.input(dtype, &[9, 6]), g.input(DType::I32, &[2, 5]), g.input(dtype, &[2, 5, 6]));
            let dims = ScatterDims {
                update_window_dims: [2].as_slice().into(),
                inserted_window_dims: [0].as_slice().into(),
                scatter_dims_to_operand_dims: [0].as_slice().into(),
                index_vector_dim: 2,
                ..ScatterDims::default()
            };
            let u = g.un(UnaryOp::Negate, u);
            let y = g.op(Op::Scatter { dims: Box::new(dims), update }, &[x, i, u]);
            g.out(y);
            check(g);
        }
        // A moved window, whole windows skipped; batching.
        let mut g = G::new();
        let (x, i, u) = (g.x(&[3, 12, 8]), g.input(DType::I64, &[4, 3, 1]), g.x(&[4, 2, 3, 8]));
        let dims = ScatterDims {
            update_window_dims: [1, 3].as_slice().into(),
            input_batching_dims: [0].as_slice().into(),
            scatter_indices_batching_dims: [1].as_slice().into(),
            scatter_dims_to_operand_dims: [1].as_slice().into(),
            index_vector_dim: 2,
            ..ScatterDims::default()
        };
        let y = g.op(Op::Scatter { dims: Box::new(dims), update }, &[x, i, u]);
        g.out(y);
        check(g);
        // Scalars.
        let mut g = G::new();
        let (x, i, u) = (g.x(&[5, 4]), g.input(DType::I32, &[7, 2]), g.x(&[7]));
        let dims = ScatterDims {
            inserted_window_dims: [0, 1].as_slice().into(),
            scatter_dims_to_operand_dims: [1, 0].as_slice().into(),
            index_vector_dim: 1,
            ..ScatterDims::default()
        };
        let y = g.op(Op::Scatter { dims: Box::new(dims), update }, &[x, i, u]);
        g.out(y);
        check(g);
    }
    // Into a literal, large enough for blocks of lanes.
    let mut g = G::new();
    let zero = g.scalar(0.0f32);
    let x = g.bcast(zero, &[10, 256], &[]);
    let (i, u) = (g.input(DType::I32, &[70]), g.x(&[70, 256]));
    let dims = rows_of(2);
    let y = g.op(Op::Scatter { dims: Box::new(dims), update: ScatterUpdate::Combine(Reducer::Add) }, &[x, i, u]);
    g.out(y);
    check(g);
}

#[test]
fn empty_tensors() {
    let mut g = G::new();
    let (x, y) = (g.x(&[0, 3]), g.x(&[2, 3]));
    let n = g.un(UnaryOp::Negate, x);
    let c = g.op(Op::Concatenate(0), &[n, y]);
    let t = g.transpose(n, &[1, 0]);
    let s = g.sum(n, &[0]);
    let sm = g.softmax(x);
    for v in [n, c, t, s, sm] {
        g.out(v);
    }
    check(g);
}

#[test]
fn optimization_barriers_are_aliases() {
    let mut g = G::new();
    let x = g.x(&[3]);
    let y = g.un(UnaryOp::Negate, x);
    let b = g.op(Op::OptimizationBarrier, &[y]);
    let z = g.un(UnaryOp::Abs, b);
    g.out(z);
    check(g);
}
