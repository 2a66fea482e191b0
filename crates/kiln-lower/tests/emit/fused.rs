//! Fused graphs: results, and number of kernels.

use crate::driver::{Data, Run, check, check_data, check_with, random};
use crate::graph::G;
use kiln_ir::op::{CompareDirection, GatherDims, Reducer, ScatterDims, ScatterUpdate, Window, WindowDim};
use kiln_ir::{BinaryOp, DType, Op, Shape, Tensor, UnaryOp, Value};

fn kernels(r: &Run, groups: usize, launches: usize) {
    assert_eq!((r.groups, r.launches), (groups, launches), "\n{}", r.text);
}

#[test]
fn softmax_is_one_kernel() {
    for shape in [&[4, 10][..], &[3, 5, 17], &[64, 300], &[2, 3000], &[7, 5000], &[20, 3], &[9], &[1, 1]] {
        let mut g = G::new();
        let x = g.x(shape);
        let y = g.softmax(x);
        g.out(y);
        let r = check(g);
        kernels(&r, 1, 1);
        assert!(!r.aliases.is_empty(), "softmax of {shape:?} works in place");
    }
    for dtype in [DType::F16, DType::BF16, DType::F64] {
        let mut g = G::new();
        let x = g.input(dtype, &[6, 33]);
        let y = g.softmax(x);
        g.out(y);
        kernels(&check(g), 1, 1);
    }
    let mut g = G::new();
    let x = g.x(&[5, 9]);
    let y = g.softmax(x);
    g.out(y);
    check_data(g, Data::Special);
}

#[test]
fn masked_scaled_softmax_is_one_kernel() {
    let mut g = G::new();
    let (b, h, s) = (2, 3, 16);
    let x = g.x(&[b, h, s, s]);
    let (i, j) = (g.iota(DType::I32, &[s, s], 0), g.iota(DType::I32, &[s, s], 1));
    let mask = g.cmp(CompareDirection::GE, i, j);
    let mask = g.bcast(mask, &[b, h, s, s], &[2, 3]);
    let k = g.k(0.125, x);
    let y = g.mul(x, k);
    let none = g.k(f32::NEG_INFINITY, x);
    let y = g.op(Op::Select, &[mask, y, none]);
    let y = g.softmax(y);
    g.out(y);
    kernels(&check(g), 1, 1);
}

#[test]
fn layer_norm_is_one_kernel() {
    for shape in [&[6, 32][..], &[2, 3, 65], &[300, 64]] {
        let mut g = G::new();
        let d = *shape.last().unwrap();
        let (x, a, b) = (g.x(shape), g.x(&[d]), g.x(&[d]));
        let (y, _, _) = g.layernorm(x, a, b);
        g.out(y);
        kernels(&check(g), 1, 1);
    }
}

#[test]
fn layer_norm_backward_is_at_most_three_kernels() {
    let mut g = G::new();
    let (x, gamma, beta, dy) = (g.x(&[48, 40]), g.x(&[40]), g.x(&[40]), g.x(&[48, 40]));
    let (y, n, r) = g.layernorm(x, gamma, beta);
    g.out(y);
    // The gradients, as reverse mode writes them.
    let dbeta = g.sum(dy, &[0]);
    let t = g.mul(dy, n);
    let dgamma = g.sum(t, &[0]);
    let gb = g.colwise(gamma, x);
    let dn = g.mul(dy, gb);
    let a = g.mean_rows(dn);
    let p = g.mul(dn, n);
    let b = g.mean_rows(p);
    let ab = g.rowwise(a, x);
    let bb = g.rowwise(b, x);
    let nb = g.mul(n, bb);
    let dx = g.sub(dn, ab);
    let dx = g.sub(dx, nb);
    let rb = g.rowwise(r, x);
    let dx = g.mul(dx, rb);
    for v in [dx, dgamma, dbeta] {
        g.out(v);
    }
    let r = check(g);
    assert!(r.groups <= 3, "forward and backward: {}\n{}", r.groups, r.text);
}

#[test]
fn adam_update_is_one_kernel() {
    let mut g = G::new();
    let shape = [100, 30];
    let (p, m, v, dw, lr) = (g.x(&shape), g.x(&shape), g.input(DType::F32, &shape), g.x(&shape), g.x(&[]));
    let (b1, c1, b2, c2) = (g.k(0.9, m), g.k(0.1, m), g.k(0.999, m), g.k(0.001, m));
    let (x, y) = (g.mul(b1, m), g.mul(c1, dw));
    let m2 = g.add(x, y);
    let v = g.un(UnaryOp::Abs, v);
    let (x, y) = (g.mul(b2, v), g.mul(dw, dw));
    let y = g.mul(c2, y);
    let v2 = g.add(x, y);
    let s = g.un(UnaryOp::Sqrt, v2);
    let eps = g.k(1e-8, s);
    let s = g.add(s, eps);
    let u = g.div(m2, s);
    let lr = g.bcast(lr, &shape, &[]);
    let u = g.mul(lr, u);
    let p2 = g.sub(p, u);
    for v in [p2, m2, v2] {
        g.out(v);
    }
    let r = check(g);
    kernels(&r, 1, 1);
    // Every variable is updated in place.
    for i in [p, m] {
        assert!(r.aliases.iter().any(|a| a.0 == i), "{:?}", r.aliases);
    }
}

#[test]
fn gelu_chain_is_one_kernel() {
    // y = gelu(x * w + b) * sigmoid(x) + 0.1 x
    for shape in [&[6, 33][..], &[128, 256], &[5, 7, 9]] {
        let mut g = G::new();
        let d = *shape.last().unwrap();
        let (x, w, b) = (g.x(shape), g.x(&[d]), g.x(&[d]));
        let (wb, bb) = (g.colwise(w, x), g.colwise(b, x));
        let t = g.mul(x, wb);
        let t = g.add(t, bb);
        let t = g.gelu_tanh(t);
        let s = g.un(UnaryOp::Logistic, x);
        let t = g.mul(t, s);
        let k = g.k(0.1, x);
        let u = g.mul(k, x);
        let y = g.add(t, u);
        g.out(y);
        kernels(&check(g), 1, 1);
    }
}

/// Mean cross entropy of class labels and its gradient, by gather.
fn cross_entropy(g: &mut G, logits: Value, labels: Value) -> (Value, Value) {
    let [b, c] = g.shape(logits)[..] else { panic!("a matrix of logits") };
    let m = g.reduce(logits, &[1], Reducer::Maximum);
    let mb = g.rowwise(m, logits);
    let d = g.sub(logits, mb);
    let e = g.un(UnaryOp::Exponential, d);
    let s = g.sum(e, &[1]);
    let l = g.un(UnaryOp::Log, s);
    let lb = g.rowwise(l, logits);
    let logp = g.sub(d, lb);
    let column = g.reshape(labels, &[b, 1]);
    let dims = GatherDims {
        collapsed_slice_dims: [1].as_slice().into(),
        operand_batching_dims: [0].as_slice().into(),
        start_indices_batching_dims: [0].as_slice().into(),
        start_index_map: [1].as_slice().into(),
        index_vector_dim: 1,
        slice_sizes: Shape::from([1usize, 1]),
        ..GatherDims::default()
    };
    let picked = g.op(Op::Gather(Box::new(dims)), &[logp, column]);
    let total = g.sum(picked, &[0]);
    let n = g.k(-1.0 / b as f32, total);
    let loss = g.mul(total, n);
    // (softmax - onehot) / b
    let sb = g.rowwise(s, logits);
    let p = g.div(e, sb);
    let classes = g.iota(DType::I32, &[b, c], 1);
    let lab = g.bcast(labels, &[b, c], &[0]);
    let hot = g.cmp(CompareDirection::EQ, classes, lab);
    let hot = g.op(Op::Convert(DType::F32), &[hot]);
    let grad = g.sub(p, hot);
    let k = g.k(1.0 / b as f32, grad);
    let grad = g.mul(grad, k);
    (loss, grad)
}

#[test]
fn cross_entropy_with_gradient() {
    let mut g = G::new();
    let (x, y) = (g.x(&[8, 10]), g.input(DType::I32, &[8]));
    let (loss, grad) = cross_entropy(&mut g, x, y);
    g.out(loss);
    g.out(grad);
    let mut rng = crate::driver::Rng(3);
    let labels = Tensor::from_vec([8], (0..8).map(|i| i % 10).collect::<Vec<i32>>()).unwrap();
    let r = check_with(g, &[random(DType::F32, &[8, 10], &mut rng, Data::Plain), labels]);
    assert!(r.groups <= 2, "{}", r.text);
}

/// Two dense layers, cross entropy, gradients and momentum updates: the shape of T1.
#[test]
fn mlp_training_step() {
    let mut g = G::new();
    let (b, d, h, c) = (8, 12, 16, 10);
    let (x, y) = (g.x(&[b, d]), g.input(DType::I32, &[b]));
    let (w0, b0, w1, b1) = (g.x(&[d, h]), g.x(&[h]), g.x(&[h, c]), g.x(&[c]));
    let vel: Vec<Value> = [&[d, h][..], &[h], &[h, c], &[c]].iter().map(|s| g.x(s)).collect();
    let t = g.dot(x, w0);
    let bb = g.colwise(b0, t);
    let t = g.add(t, bb);
    let zero = g.k(0.0, t);
    let a = g.bin(BinaryOp::Maximum, t, zero);
    let u = g.dot(a, w1);
    let bb = g.colwise(b1, u);
    let u = g.add(u, bb);
    let (loss, du) = cross_entropy(&mut g, u, y);
    g.out(loss);
    let at = g.transpose(a, &[1, 0]);
    let dw1 = g.dot(at, du);
    let db1 = g.sum(du, &[0]);
    let w1t = g.transpose(w1, &[1, 0]);
    let da = g.dot(du, w1t);
    let mask = g.cmp(CompareDirection::GT, t, zero);
    let dt = g.op(Op::Select, &[mask, da, zero]);
    let xt = g.transpose(x, &[1, 0]);
    let dw0 = g.dot(xt, dt);
    let db0 = g.sum(dt, &[0]);
    for ((p, v), dp) in [w0, b0, w1, b1].into_iter().zip(vel).zip([dw0, db0, dw1, db1]) {
        let mu = g.k(0.9, v);
        let m = g.mul(mu, v);
        let v2 = g.add(m, dp);
        let lr = g.k(0.05, v);
        let s = g.mul(lr, v2);
        let p2 = g.sub(p, s);
        g.out(v2);
        g.out(p2);
    }
    let r = check(g);
    // relu, loss and gradient (2), its bias, relu gradient, its bias with update, two weights, three transposes.
    assert!(r.groups <= 12, "{} kernels\n{}", r.groups, r.text);
}

#[test]
fn attention_heads_split_and_merge_without_copies_between() {
    let mut g = G::new();
    let (b, s, h, d) = (2, 6, 3, 4);
    let (x, bias) = (g.x(&[b * s, 3 * h * d]), g.x(&[3 * h * d]));
    let bb = g.colwise(bias, x);
    let x = g.add(x, bb);
    let x = g.reshape(x, &[b, s, 3 * h * d]);
    for k in 0..3 {
        let (lo, hi) = ((k * h * d) as i64, ((k + 1) * h * d) as i64);
        let q = g.slice(x, &[0, 0, lo], &[b as i64, s as i64, hi], &[1, 1, 1]);
        let q = g.reshape(q, &[b, s, h, d]);
        let q = g.transpose(q, &[0, 2, 1, 3]);
        g.out(q);
    }
    kernels(&check(g), 1, 1);
    let mut g = G::new();
    let x = g.x(&[b, h, s, d]);
    let y = g.transpose(x, &[0, 2, 1, 3]);
    let y = g.reshape(y, &[b * s, h * d]);
    let y = g.un(UnaryOp::Negate, y);
    g.out(y);
    kernels(&check(g), 1, 1);
}

#[test]
fn embedding_forward_and_gradient() {
    let mut g = G::new();
    let (table, pos, ids, dy) = (g.x(&[20, 16]), g.x(&[5, 16]), g.input(DType::I32, &[3, 5]), g.x(&[3, 5, 16]));
    let dims = GatherDims {
        offset_dims: [2].as_slice().into(),
        collapsed_slice_dims: [0].as_slice().into(),
        start_index_map: [0].as_slice().into(),
        index_vector_dim: 2,
        slice_sizes: Shape::from([1usize, 16]),
        ..GatherDims::default()
    };
    let e = g.op(Op::Gather(Box::new(dims)), &[table, ids]);
    let pb = g.bcast(pos, &[3, 5, 16], &[1, 2]);
    let y = g.add(e, pb);
    g.out(y);
    let zero = g.k(0.0, table);
    let dims = ScatterDims {
        update_window_dims: [2].as_slice().into(),
        inserted_window_dims: [0].as_slice().into(),
        scatter_dims_to_operand_dims: [0].as_slice().into(),
        index_vector_dim: 2,
        ..ScatterDims::default()
    };
    let two = g.k(2.0, dy);
    let scaled = g.mul(dy, two);
    let op = Op::Scatter { dims: Box::new(dims), update: ScatterUpdate::Combine(Reducer::Add) };
    let dt = g.op(op, &[zero, ids, scaled]);
    g.out(dt);
    // Lookup with position; zeros; scatter with the scaling inside.
    kernels(&check(g), 3, 3);
}

#[test]
fn convolution_pieces() {
    // bias, relu, 2x2 max pooling forward and backward, NHWC.
    let mut g = G::new();
    let (x, bias, dy) = (g.x(&[4, 6, 6, 16]), g.x(&[16]), g.x(&[4, 3, 3, 16]));
    let bb = g.colwise(bias, x);
    let t = g.add(x, bb);
    let zero = g.k(0.0, t);
    let a = g.bin(BinaryOp::Maximum, t, zero);
    let w = WindowDim { size: 2, stride: 2, ..WindowDim::TRIVIAL };
    let window = Box::new(Window { dims: [WindowDim::TRIVIAL, w, w, WindowDim::TRIVIAL].into_iter().collect() });
    let low = g.scalar(f32::NEG_INFINITY);
    let p = g.op(Op::ReduceWindow { window: window.clone(), reducer: Reducer::Maximum }, &[a, low]);
    g.out(p);
    let z = g.scalar(0.0f32);
    let op = Op::SelectAndScatter { window, select: CompareDirection::GE, scatter: Reducer::Add };
    let da = g.op(op, &[a, dy, z]);
    let mask = g.cmp(CompareDirection::GT, t, zero);
    let dt = g.op(Op::Select, &[mask, da, zero]);
    let db = g.sum(dt, &[0, 1, 2]);
    g.out(dt);
    g.out(db);
    let r = check(g);
    assert!(r.groups <= 4, "{}", r.text);
    // Pooling by reshape, as for windows that do not overlap; global average.
    let mut g = G::new();
    let x = g.x(&[3, 4, 6, 5]);
    let y = g.reshape(x, &[3, 2, 2, 3, 2, 5]);
    let y = g.reduce(y, &[2, 4], Reducer::Maximum);
    let s = g.sum(y, &[1, 2]);
    let k = g.k(1.0 / 6.0, s);
    let s = g.mul(s, k);
    g.out(s);
    check(g);
    // Channels first: bias gradient over batch and space.
    let mut g = G::new();
    let (x, dy) = (g.x(&[3, 5, 4, 4]), g.x(&[3, 5, 4, 4]));
    let zero = g.k(0.0, x);
    let m = g.cmp(CompareDirection::GT, x, zero);
    let d = g.op(Op::Select, &[m, dy, zero]);
    let s = g.sum(d, &[0, 2, 3]);
    g.out(s);
    kernels(&check(g), 1, 1);
}

#[test]
fn lstm_cell() {
    let mut g = G::new();
    let (b, h) = (4, 8);
    let (x, y, c) = (g.x(&[b, 4 * h]), g.x(&[b, 4 * h]), g.x(&[b, h]));
    let t = g.add(x, y);
    let gate = |g: &mut G, k: usize, op: UnaryOp| {
        let s = g.slice(t, &[0, (k * h) as i64], &[b as i64, ((k + 1) * h) as i64], &[1, 1]);
        g.un(op, s)
    };
    let i = gate(&mut g, 0, UnaryOp::Logistic);
    let f = gate(&mut g, 1, UnaryOp::Logistic);
    let gg = gate(&mut g, 2, UnaryOp::Tanh);
    let o = gate(&mut g, 3, UnaryOp::Logistic);
    let (p, q) = (g.mul(f, c), g.mul(i, gg));
    let c2 = g.add(p, q);
    let th = g.un(UnaryOp::Tanh, c2);
    let h2 = g.mul(o, th);
    g.out(c2);
    g.out(h2);
    kernels(&check(g), 1, 1);
}

#[test]
fn statistics_in_one_loop_and_updates_of_scalars() {
    // Sum and sum of squares of the same rows are one loop; the scalars that follow one kernel.
    let mut g = G::new();
    let x = g.x(&[6, 20]);
    let sq = g.mul(x, x);
    let (s, q) = (g.sum(x, &[1]), g.sum(sq, &[1]));
    g.out(s);
    g.out(q);
    kernels(&check(g), 1, 1);
    let mut g = G::new();
    let (t, x) = (g.x(&[]), g.x(&[40]));
    let one = g.k(1.0, t);
    let t2 = g.add(t, one);
    let e = g.un(UnaryOp::Exponential, t2);
    let r = g.un(UnaryOp::Rsqrt, e);
    let eb = g.bcast(e, &[40], &[]);
    let y = g.mul(eb, x);
    g.out(t2);
    g.out(r);
    g.out(y);
    check(g);
}

#[test]
fn values_used_twice_make_no_cycles() {
    // a feeds a library call and what comes after it.
    let mut g = G::new();
    let (x, w) = (g.x(&[4, 4]), g.x(&[4, 4]));
    let a = g.un(UnaryOp::Tanh, x);
    let d = g.dot(a, w);
    let e = g.un(UnaryOp::Exponential, d);
    let y = g.mul(e, a);
    let z = g.add(y, x);
    let d2 = g.dot(z, a);
    let s = g.softmax(d2);
    let q = g.mul(s, y);
    g.out(q);
    g.out(e);
    check(g);
}

#[test]
fn concatenations_with_producers_and_epilogue() {
    for dim in 0..3 {
        let mut g = G::new();
        let parts: Vec<Value> = (1..4)
            .map(|n| {
                let mut shape = [3, 4, 5];
                shape[dim] = n;
                let x = g.x(&shape);
                g.un(UnaryOp::Negate, x)
            })
            .collect();
        let c = g.op(Op::Concatenate(dim), &parts);
        let y = g.un(UnaryOp::Tanh, c);
        g.out(y);
        let r = check(g);
        assert_eq!(r.groups, 1, "{}", r.text);
    }
    // Large enough for a launch per part.
    let mut g = G::new();
    let (x, y) = (g.x(&[100, 90]), g.x(&[100, 110]));
    let c = g.op(Op::Concatenate(1), &[x, y]);
    let n = g.un(UnaryOp::Negate, c);
    g.out(n);
    let r = check(g);
    kernels(&r, 1, 2);
    assert!(r.aliases.is_empty(), "parts have other shapes");
}

#[test]
fn narrow_floats_round_after_every_operator() {
    for dtype in [DType::F16, DType::BF16] {
        let mut g = G::new();
        let (x, y) = (g.input(dtype, &[257]), g.input(dtype, &[257]));
        let a = g.mul(x, y);
        let b = g.add(a, x);
        let c = g.un(UnaryOp::Exponential, b);
        let d = g.div(c, y);
        let s = g.sum(b, &[0]);
        g.out(d);
        g.out(s);
        check(g);
    }
}

#[test]
fn sizes_without_divisors_run_in_parallel_and_in_place() {
    for shape in [&[20_011][..], &[131, 137]] {
        let mut g = G::new();
        let (x, y) = (g.x(shape), g.x(shape));
        let z = g.sub(x, y);
        g.out(z);
        let r = check(g);
        kernels(&r, 1, 2);
        assert_eq!(r.aliases.len(), 2);
    }
}
