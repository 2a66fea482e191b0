//! Reductions, windows and scatters with any function.

use crate::driver::{Data, check, check_data};
use crate::graph::{G, WINDOWS, rows_of, windows};
use kiln_ir::op::{CompareDirection, ScatterDims};
use kiln_ir::{BinaryOp, DType, Func, Op, UnaryOp, Value};

/// `(acc, i, x, j) -> ` the larger of `x` with its index, the smaller index of equal ones.
fn argmax(dtype: DType) -> Box<Func> {
    G::nested(&[dtype, DType::I32, dtype, DType::I32], |g, p| {
        let greater = g.cmp(CompareDirection::GT, p[0], p[2]);
        let nan = g.cmp(CompareDirection::NE, p[0], p[0]);
        let first = g.bin(BinaryOp::Or, greater, nan);
        let equal = g.cmp(CompareDirection::EQ, p[0], p[2]);
        let before = g.cmp(CompareDirection::LT, p[1], p[3]);
        let before = g.bin(BinaryOp::And, equal, before);
        let index = g.bin(BinaryOp::Or, first, before);
        let value = g.op(Op::Select, &[first, p[0], p[2]]);
        vec![value, g.op(Op::Select, &[index, p[1], p[3]])]
    })
}

/// `(acc, x, scale) -> acc * scale + x`: not associative, so the order shows; rounded at every step.
fn horner(dtype: DType) -> Box<Func> {
    G::nested(&[dtype; 3], |g, p| {
        let y = g.mul(p[0], p[2]);
        vec![g.add(y, p[1])]
    })
}

fn index_reduce(shape: &[usize], axes: &[usize], dtype: DType, data: Data, fused: bool) {
    let mut g = G::new();
    let x = g.input(dtype, shape);
    let x = if fused { g.un(UnaryOp::Negate, x) } else { x };
    let i = g.iota(DType::I32, shape, axes.last().copied().unwrap_or(0));
    let (low, zero) = (g.scalar(f32::NEG_INFINITY), g.scalar(0i32));
    let low = g.op(Op::Convert(dtype), &[low]);
    let op = Op::GenericReduce { axes: axes.into(), body: argmax(dtype) };
    for y in g.ops(op, &[x, i, low, zero]) {
        g.out(y);
    }
    check_data(g, data);
}

#[test]
fn generic_reduces() {
    for shape in [[3, 4, 5], [3, 1, 17], [1, 3, 2]] {
        for axes in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2], &[]] {
            index_reduce(&shape, axes, DType::F32, Data::Plain, shape[0] == 1);
        }
    }
    for dtype in [DType::F16, DType::BF16, DType::F64, DType::I32, DType::U8, DType::I64] {
        index_reduce(&[6, 21], &[1], dtype, Data::Plain, false);
        index_reduce(&[6, 21], &[0], dtype, Data::Plain, true);
    }
    index_reduce(&[9, 40], &[1], DType::F32, Data::Special, false);
    index_reduce(&[9, 40], &[0], DType::F32, Data::Special, true);
    index_reduce(&[0, 4], &[0], DType::F32, Data::Plain, false);
    index_reduce(&[4, 0], &[0], DType::F32, Data::Plain, false);
    // Large enough for a parallel loop.
    index_reduce(&[90, 300], &[1], DType::F32, Data::Plain, false);
    index_reduce(&[300, 90], &[0], DType::F32, Data::Plain, true);
}

#[test]
fn captures_and_order() {
    for dtype in [DType::F32, DType::I32, DType::BF16] {
        for (shape, axes) in [(&[5, 7][..], &[1][..]), (&[5, 7], &[0]), (&[2, 3, 4], &[0, 2]), (&[6], &[0])] {
            let mut g = G::new();
            let (x, init, scale) = (g.input(dtype, shape), g.input(dtype, &[]), g.input(dtype, &[]));
            let y = g.op(Op::GenericReduce { axes: axes.into(), body: horner(dtype) }, &[x, init, scale]);
            let y = g.un(UnaryOp::Negate, y);
            g.out(y);
            check(g);
        }
    }
}

#[test]
fn nested_functions_of_every_kind() {
    // Everything that has a scalar form: constants, conversions, bits, branches, calls.
    let branch = |k: f32| {
        G::nested(&[DType::F32; 2], move |g, p| {
            let k = g.scalar(k);
            let y = g.mul(p[1], k);
            vec![g.add(p[0], y)]
        })
    };
    let call = G::nested(&[DType::F32], |g, p| vec![g.un(UnaryOp::Tanh, p[0]), p[0]]);
    let body = G::nested(&[DType::F32; 2], |g, p| {
        let zero = g.scalar(0.0f32);
        let positive = g.cmp(CompareDirection::GT, p[1], zero);
        let branches = Op::If { on_true: branch(1.0), on_false: branch(-2.0) };
        let a = g.op(branches, &[positive, p[0], p[1]]);
        let i = g.op(Op::Convert(DType::I32), &[p[1]]);
        let list = vec![*branch(0.5), *branch(2.0), *branch(3.0)];
        let b = g.op(Op::Case { branches: list }, &[i, a, p[1]]);
        let c = g.ops(Op::Composite { name: "f".into(), body: call.clone(), vjp: None }, &[b]);
        let r = g.reshape(c[0], &[1, 1]);
        let r = g.bcast(r, &[2, 3], &[0, 1]);
        let r = g.slice(r, &[1, 1], &[2, 2], &[1, 1]);
        let r = g.transpose(r, &[1, 0]);
        let r = g.reshape(r, &[]);
        let bits = g.op(Op::BitcastConvert(DType::U32), &[r]);
        let bits = g.un(UnaryOp::Not, bits);
        let bits = g.un(UnaryOp::Not, bits);
        let r = g.op(Op::BitcastConvert(DType::F32), &[bits]);
        let (lo, hi) = (g.scalar(-0.9f32), g.scalar(0.9f32));
        let r = g.op(Op::Clamp, &[lo, r, hi]);
        let r = g.op(Op::ReducePrecision { exponent_bits: 5, mantissa_bits: 10 }, &[r]);
        vec![g.op(Op::OptimizationBarrier, &[r])]
    });
    for axes in [&[0][..], &[1]] {
        let mut g = G::new();
        let x = g.x(&[6, 5]);
        let init = g.scalar(0.25f32);
        let y = g.op(Op::GenericReduce { axes: axes.into(), body: body.clone() }, &[x, init]);
        g.out(y);
        check(g);
    }
}

#[test]
fn what_has_no_scalar_form_is_named() {
    let cond = G::nested(&[DType::F32], |g, p| {
        let zero = g.scalar(0.0f32);
        vec![g.cmp(CompareDirection::GT, p[0], zero)]
    });
    let step = G::nested(&[DType::F32], |g, p| {
        let one = g.scalar(1.0f32);
        vec![g.sub(p[0], one)]
    });
    let body = G::nested(&[DType::F32; 2], |g, p| {
        let y = g.add(p[0], p[1]);
        vec![g.op(Op::While { cond: cond.clone(), body: step.clone() }, &[y])]
    });
    let mut g = G::new();
    let x = g.x(&[6]);
    let init = g.scalar(0.0f32);
    let y = g.op(Op::GenericReduce { axes: [0].as_slice().into(), body }, &[x, init]);
    g.out(y);
    let plan = crate::driver::plan(&g.f);
    let error = plan
        .groups
        .iter()
        .find_map(|group| kiln_lower::emit::emit(&g.f, group, &kiln_cpu::machine()).err())
        .expect("an error");
    let text = error.to_string();
    assert!(text.contains("`while` has no lowering: in a nested function"), "{text}");
}

#[test]
fn generic_windows() {
    for c in WINDOWS {
        for dtype in [DType::F32, DType::F16, DType::I32] {
            let mut g = G::new();
            let (x, scale) = (g.input(dtype, &[3, 7, 8]), g.input(dtype, &[]));
            let x = g.un(UnaryOp::Negate, x);
            let init = g.scalar(-3.0f32);
            let init = g.op(Op::Convert(dtype), &[init]);
            let op = Op::GenericReduceWindow { window: windows(&c), body: horner(dtype) };
            let y = g.op(op, &[x, init, scale]);
            g.out(y);
            check(g);
        }
        // Two operands: the largest with its index.
        let mut g = G::new();
        let (x, low, none) = (g.x(&[3, 7, 8]), g.scalar(f32::NEG_INFINITY), g.scalar(-1i32));
        let i = g.iota(DType::I32, &[3, 7, 8], 2);
        for y in g.ops(Op::GenericReduceWindow { window: windows(&c), body: argmax(DType::F32) }, &[x, i, low, none]) {
            g.out(y);
        }
        check(g);
    }
    let mut g = G::new();
    let (x, init, scale) = (g.x(&[0, 2]), g.scalar(2.0f32), g.scalar(1.0f32));
    let window = windows(&[(2, 1, 1, 2, 1, 1), (1, 1, 0, 0, 1, 1)]);
    let y = g.op(Op::GenericReduceWindow { window, body: horner(DType::F32) }, &[x, init, scale]);
    g.out(y);
    check(g);
}

#[test]
fn generic_select_and_scatters() {
    let cases = [
        ([(1, 1, 0, 0, 1, 1), (2, 2, 0, 0, 1, 1), (2, 2, 0, 0, 1, 1)], [3, 3, 4]),
        ([(1, 1, 0, 0, 1, 1), (3, 2, 1, 1, 1, 1), (3, 2, 1, 0, 1, 1)], [3, 3, 4]),
        ([(1, 1, 0, 0, 1, 1), (2, 1, 0, 0, 1, 1), (3, 3, 0, 1, 1, 1)], [3, 5, 3]),
        ([(3, 1, 1, 1, 1, 1), (5, 2, 2, 2, 1, 1), (5, 2, 2, 2, 1, 1)], [3, 3, 4]),
    ];
    for (c, source) in cases {
        for dtype in [DType::F32, DType::BF16, DType::I32] {
            // Keeps what is farther from zero; the last of equal ones is taken.
            let select = G::nested(&[dtype; 2], |g, p| {
                let (a, b) = (g.un(UnaryOp::Abs, p[0]), g.un(UnaryOp::Abs, p[1]));
                vec![g.cmp(CompareDirection::GT, a, b)]
            });
            let scatter = G::nested(&[dtype; 2], |g, p| {
                let twice = g.add(p[0], p[0]);
                vec![g.sub(twice, p[1])]
            });
            let mut g = G::new();
            let (x, s) = (g.input(dtype, &[3, 6, 8]), g.input(dtype, &source));
            let init = g.scalar(1.0f32);
            let init = g.op(Op::Convert(dtype), &[init]);
            let y = g.op(Op::GenericSelectAndScatter { window: windows(&c), select, scatter }, &[x, s, init]);
            g.out(y);
            check(g);
        }
    }
}

/// Two operands, an update that depends on both old values, both updates and a capture.
fn mixed(a: DType, b: DType) -> Box<Func> {
    G::nested(&[a, b, a, b, a], |g, p| {
        let other = g.op(Op::Convert(a), &[p[1]]);
        let x = g.mul(p[0], p[4]);
        let x = g.add(x, other);
        let x = g.sub(x, p[2]);
        vec![x, g.bin(BinaryOp::Maximum, p[1], p[3])]
    })
}

#[test]
fn generic_scatters() {
    for (a, b) in
        [(DType::F32, DType::I32), (DType::BF16, DType::F32), (DType::I32, DType::U8), (DType::F16, DType::F16)]
    {
        // More updates than rows: they meet, in order; some fall outside.
        let mut g = G::new();
        let (x, y, i) = (g.input(a, &[4, 6]), g.input(b, &[4, 6]), g.input(DType::I32, &[17]));
        let (u, v, k) = (g.input(a, &[17, 6]), g.input(b, &[17, 6]), g.input(a, &[]));
        let u = g.un(UnaryOp::Negate, u);
        let op = Op::GenericScatter { dims: Box::new(rows_of(2)), body: mixed(a, b) };
        for r in g.ops(op, &[x, y, i, u, v, k]) {
            g.out(r);
        }
        check(g);
        // Single elements, two components of the index.
        let mut g = G::new();
        let (x, y, i) = (g.input(a, &[5, 4]), g.input(b, &[5, 4]), g.input(DType::I64, &[23, 2]));
        let (u, v, k) = (g.input(a, &[23]), g.input(b, &[23]), g.input(a, &[]));
        let dims = ScatterDims {
            inserted_window_dims: [0, 1].as_slice().into(),
            scatter_dims_to_operand_dims: [1, 0].as_slice().into(),
            index_vector_dim: 1,
            ..ScatterDims::default()
        };
        for r in g.ops(Op::GenericScatter { dims: Box::new(dims), body: mixed(a, b) }, &[x, y, i, u, v, k]) {
            g.out(r);
        }
        check(g);
    }
    // One operand, a body that ignores the old value, the same operand twice.
    let mut g = G::new();
    let (x, i, u) = (g.x(&[9, 6]), g.input(DType::I32, &[7]), g.x(&[7, 6]));
    let body = G::nested(&[DType::F32; 2], |g, p| vec![g.un(UnaryOp::Abs, p[1])]);
    let y = g.op(Op::GenericScatter { dims: Box::new(rows_of(2)), body }, &[x, i, u]);
    let two = Op::GenericScatter { dims: Box::new(rows_of(2)), body: mixed(DType::F32, DType::F32) };
    let k = g.scalar(0.5f32);
    let both = g.ops(two, &[x, x, i, u, u, k]);
    for v in [&[y][..], &both].concat() {
        g.out(v);
    }
    check(g);
    // No updates; wide rows in blocks of lanes.
    for (rows, n) in [(10, 0), (10, 70)] {
        let mut g = G::new();
        let (x, i, u) = (g.x(&[rows, 256]), g.input(DType::I32, &[n]), g.x(&[n, 256]));
        let k = g.scalar(0.5f32);
        let op = Op::GenericScatter { dims: Box::new(rows_of(2)), body: mixed(DType::F32, DType::F32) };
        let y: Vec<Value> = g.ops(op, &[x, x, i, u, u, k]);
        y.into_iter().for_each(|v| g.out(v));
        check(g);
    }
}

#[test]
fn scatters_overwrite_what_dies() {
    let copies = |fed: bool| {
        let mut g = G::new();
        let (x, y, i) = (g.x(&[9, 6]), g.x(&[9, 6]), g.input(DType::I32, &[7]));
        let (u, k) = (g.x(&[7, 6]), g.scalar(0.5f32));
        let (a, b) = if fed { (x, y) } else { (g.un(UnaryOp::Negate, x), g.un(UnaryOp::Abs, y)) };
        let op = Op::GenericScatter { dims: Box::new(rows_of(2)), body: mixed(DType::F32, DType::F32) };
        let results = g.ops(op, &[a, b, i, u, u, k]);
        // Not fetched themselves, so that nothing has to end up in an output's buffer.
        for v in results {
            let v = g.un(UnaryOp::Negate, v);
            g.out(v);
        }
        let lowered = crate::driver::lowered(g.f.clone());
        lowered.program.steps.iter().filter(|s| matches!(s, kiln_program::Step::Copy { .. })).count()
    };
    assert_eq!((copies(true), copies(false)), (2, 0));
}

#[test]
fn reduce_precision() {
    for (exponent_bits, mantissa_bits) in [(5, 10), (8, 7), (4, 3), (8, 23), (2, 1), (8, 0), (11, 52), (3, 52)] {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            for data in [Data::Plain, Data::Special] {
                let mut g = G::new();
                let x = g.input(dtype, &[300]);
                let k = g.k(300.0, x);
                let wide = g.mul(x, k);
                let tiny = g.div(x, k);
                let least = g.div(tiny, k);
                for v in [x, wide, tiny, least] {
                    let y = g.op(Op::ReducePrecision { exponent_bits, mantissa_bits }, &[v]);
                    g.out(y);
                }
                check_data(g, data);
            }
        }
    }
}
