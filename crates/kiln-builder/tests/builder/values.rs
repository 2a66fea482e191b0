use crate::{close, f32s, run, t};
use kiln_builder::{Conv, DType, Expr, Graph, Pool, SliceItem, Tensor, dims, s, step};

/// Evaluates an expression over constants.
#[track_caller]
fn value(e: &Expr) -> Tensor {
    run(e.graph(), &[e], &[]).remove(0)
}

#[track_caller]
fn is(e: Expr, expected: &[f32]) {
    close(&value(&e), expected);
}

#[track_caller]
fn ints(e: Expr, expected: &[i32]) {
    assert_eq!(value(&e).to_vec::<i32>().unwrap(), expected);
}

#[track_caller]
fn bools(e: Expr, expected: &[bool]) {
    assert_eq!(value(&e).to_vec::<bool>().unwrap(), expected);
}

#[test]
fn operators_and_scalars() {
    let g = Graph::new("g");
    let x = g.constant([1.0f32, -2.0, 3.0]);
    let y = g.constant([2.0f32, 2.0, 0.5]);
    is(&x + &y, &[3.0, 0.0, 3.5]);
    is(&x - 1, &[0.0, -3.0, 2.0]);
    is(1.0 - &x, &[0.0, 3.0, -2.0]);
    is((1 - &x).abs(), &[0.0, 3.0, 2.0]);
    is(&x * y.clone() / 2.0, &[1.0, -2.0, 0.75]);
    is(6 / x.clone(), &[6.0, -3.0, 2.0]);
    is(-&x % 2.0f32, &[-1.0, 0.0, -1.0]);
    let mut z = x.clone();
    z += 1;
    z *= &y;
    is(z, &[4.0, -2.0, 2.0]);

    let i = g.constant([6i32, -7, 12]);
    ints(&i << 1, &[12, -14, 24]);
    ints(&i >> 1, &[3, -4, 6]);
    ints((&i & 3) | 8, &[10, 9, 8]);
    ints(&i ^ 1, &[7, -8, 13]);
    ints(!&i, &[-7, 6, -13]);
    ints(&i % 5, &[1, -2, 2]);
    let u = g.constant([0x8000_0000u32]);
    assert_eq!(value(&(u >> 31)).to_vec::<u32>().unwrap(), [1]);
    bools(!g.constant([true, false]), &[false, true]);
}

#[test]
fn broadcasting() {
    let g = Graph::new("g");
    let m = g.constant([[1.0f32, 2.0], [3.0, 4.0]]);
    let row = g.constant([10.0f32, 20.0]);
    let col = row.expand_dims(-1);
    is(&m + &row, &[11.0, 22.0, 13.0, 24.0]);
    is(&m + &col, &[11.0, 12.0, 23.0, 24.0]);
    is(&row + &col, &[20.0, 30.0, 30.0, 40.0]);
    let x = g.placeholder::<f32>("x", dims!["batch", 2]);
    assert_eq!((x + row).ty().to_string(), "f32[batch, 2]");
}

#[test]
fn comparisons_and_choices() {
    let g = Graph::new("g");
    let x = g.constant([1.0f32, -2.0, f32::NAN]);
    bools(x.gt(0), &[true, false, false]);
    bools(x.ne(1.0), &[false, true, true]);
    bools(x.is_nan(), &[false, false, true]);
    is(x.lt(0).select(&x, 7), &[7.0, -2.0, 7.0]);
    is(g.where_(&x.gt(0), 1.0, x.zeros_like()), &[1.0, 0.0, 0.0]);
    is(g.constant([-5.0f32, 0.5, 9.0]).clamp(-1, 1), &[-1.0, 0.5, 1.0]);
    is(g.constant([3.0f32, 4.0]).pow(2), &[9.0, 16.0]);
    is(g.constant([3.0f32, 4.0]).pow(0.5), &[3f32.sqrt(), 2.0]);
    ints(g.constant([3.7f32, -1.2]).cast::<i32>(), &[3, -1]);
    assert_eq!(value(&g.constant(1.0f32).bitcast::<u32>()).item::<u32>().unwrap(), 0x3f80_0000);
}

#[test]
fn reductions() {
    let g = Graph::new("g");
    let m = g.constant([[1.0f32, 2.0, 3.0], [4.0, 6.0, 8.0]]);
    is(m.sum(..), &[24.0]);
    is(m.sum(0), &[5.0, 8.0, 11.0]);
    is(m.mean(-1), &[2.0, 6.0]);
    is(m.max_keepdims(1), &[3.0, 8.0]);
    assert_eq!(m.max_keepdims(1).ty().to_string(), "f32[2, 1]");
    is(m.min([0, 1]), &[1.0]);
    is(m.prod(1), &[6.0, 192.0]);
    is(m.var(1), &[2.0 / 3.0, 8.0 / 3.0]);
    is(m.std(1), &[(2.0f32 / 3.0).sqrt(), (8.0f32 / 3.0).sqrt()]);
    bools(m.gt(2).all(1), &[false, true]);
    bools(m.gt(7).any(0), &[false, false, true]);
    ints(m.argmax(1), &[2, 2]);
    ints(m.argmin(0), &[0, 0, 0]);
    is(m.cumsum(1), &[1.0, 3.0, 6.0, 4.0, 10.0, 18.0]);
    is(m.cumprod(0), &[1.0, 2.0, 3.0, 4.0, 12.0, 24.0]);
    is(g.constant([1.0f32, 3.0, 2.0, 5.0, 4.0]).cummax(0), &[1.0, 3.0, 3.0, 5.0, 5.0]);
    let expected = (1f32.exp() + 2f32.exp() + 3f32.exp()).ln();
    is(m.slice(s![0]).logsumexp(..), &[expected]);
    // Neither overflow nor NaN from infinities.
    is(g.constant([1000.0f32, 1000.0]).logsumexp(..), &[1000.0 + 2f32.ln()]);
    assert_eq!(f32s(&value(&g.constant([f32::NEG_INFINITY; 2]).logsumexp(..))), [f32::NEG_INFINITY]);
}

#[test]
fn symbolic_means() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["n", 2]);
    let (mean, var) = (x.mean(..), x.var(0));
    let out = run(&g, &[&mean, &var], &[("x", t(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 12.0]))]);
    close(&out[0], &[4.5]);
    close(&out[1], &[8.0 / 3.0, 56.0 / 3.0]);
}

#[test]
fn shapes() {
    let g = Graph::new("g");
    let x = g.arange(DType::I32, 24).reshape([2, 3, 4]);
    assert_eq!(x.reshape([4, -1]).ty().to_string(), "i32[4, 6]");
    assert_eq!(x.transpose([2, 0, 1]).ty().to_string(), "i32[4, 2, 3]");
    assert_eq!(x.t().ty().to_string(), "i32[4, 3, 2]");
    assert_eq!(x.swap_axes(0, -1).ty().to_string(), "i32[4, 3, 2]");
    assert_eq!(x.move_axis(0, -1).ty().to_string(), "i32[3, 4, 2]");
    assert_eq!(x.expand_dims(1).squeeze(..).ty().to_string(), "i32[2, 3, 4]");
    assert_eq!(x.expand_dims(-1).squeeze(-1).ty().to_string(), "i32[2, 3, 4]");
    ints(g.constant([1i32, 2, 3]).flip(0), &[3, 2, 1]);
    ints(g.constant([1i32, 2, 3]).pad(9, &[(1, -1)]), &[9, 1, 2]);
    ints(g.constant([[1i32, 2]]).tile(&[2, 2]), &[1, 2, 1, 2, 1, 2, 1, 2]);
    ints(g.constant([1i32, 2]).repeat(2, 0), &[1, 1, 2, 2]);
    ints(g.constant([[1i32, 2], [3, 4]]).tril(0), &[1, 0, 3, 4]);
    ints(g.constant([[1i32, 2], [3, 4]]).triu(1), &[0, 2, 0, 0]);
    ints(g.eye(DType::I32, 2), &[1, 0, 0, 1]);
    is(g.linspace(DType::F32, 0.0, 1.0, 5), &[0.0, 0.25, 0.5, 0.75, 1.0]);
    let (a, b) = (g.constant([1i32, 2]), g.constant([3i32, 4]));
    ints(g.concat(&[&a, &b], 0), &[1, 2, 3, 4]);
    ints(g.stack(&[&a, &b], 1), &[1, 3, 2, 4]);
    let parts = x.split(2, -1);
    assert_eq!(parts[1].ty().to_string(), "i32[2, 3, 2]");
    ints(parts[1].slice(s![0, 0]), &[2, 3]);
    assert_eq!(x.split_sizes(&[1, 3], 2)[1].ty().to_string(), "i32[2, 3, 3]");
}

#[test]
fn slicing() {
    let g = Graph::new("g");
    let x = g.arange(DType::I32, 10);
    ints(x.slice(s![2..5]), &[2, 3, 4]);
    ints(x.slice(s![-3..]), &[7, 8, 9]);
    ints(x.slice(s![..-8]), &[0, 1]);
    ints(x.slice(s![7..=8]), &[7, 8]);
    ints(x.slice(s![step(1..9, 3)]), &[1, 4, 7]);
    ints(x.slice(s![step(.., -4)]), &[9, 5, 1]);
    ints(x.slice(s![5..2]), &[]);
    ints(x.slice(s![-1]), &[9]);
    ints(x.slice_axis(0, 1..9, 4), &[1, 5]);
    let m = x.reshape([2, 5]);
    assert_eq!(m.slice(s![SliceItem::NewAxis, .., 1..3]).ty().to_string(), "i32[1, 2, 2]");
    assert_eq!(m.slice(s![SliceItem::Ellipsis, 0]).ty().to_string(), "i32[2]");
    let sym = g.placeholder::<f32>("sym", dims!["n", 4]);
    assert_eq!(sym.slice(s![1.., ..-1]).ty().to_string(), "f32[n-1, 3]");
    assert_eq!(sym.slice(s![-2..]).ty().to_string(), "f32[2, 4]");
}

#[test]
fn indexing() {
    let g = Graph::new("g");
    let m = g.constant([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    is(m.take(1, &g.indices([2, 0])), &[3.0, 1.0, 6.0, 4.0]);
    is(m.embedding(&g.indices([[1, 1], [0, 1]])), &[4., 5., 6., 4., 5., 6., 1., 2., 3., 4., 5., 6.]);
    assert_eq!(m.embedding(&g.indices([[1, 1], [0, 1]])).ty().to_string(), "f32[2, 2, 3]");
    is(m.take_along_axis(1, &g.indices([[2], [0]])), &[3.0, 4.0]);
    is(m.at(&g.constant(1i32)), &[4.0, 5.0, 6.0]);
    is(m.scatter_add(1, &g.indices([0, 0]), 1.0), &[3.0, 2.0, 3.0, 6.0, 5.0, 6.0]);
    is(m.scatter_set(0, &g.indices([1]), 0), &[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
    is(g.indices([1, 3]).one_hot(3, DType::F32), &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let (i, j) = (g.constant(0i32), g.constant(1i32));
    is(m.dynamic_slice(&[&i, &j], [1, 2]), &[2.0, 3.0]);
    is(m.dynamic_update_slice(&g.constant([[9.0f32]]), &[&j, &j]), &[1.0, 2.0, 3.0, 4.0, 9.0, 6.0]);
}

#[test]
fn products() {
    let g = Graph::new("g");
    let a = g.constant([[1.0f32, 2.0], [3.0, 4.0]]);
    let v = g.constant([1.0f32, 10.0]);
    is(a.dot(&v), &[21.0, 43.0]);
    is(v.dot(&a), &[31.0, 42.0]);
    is(v.dot(&v), &[101.0]);
    is(a.matmul(&a), &[7.0, 10.0, 15.0, 22.0]);
    let x = g.arange(DType::F32, 12).reshape([2, 3, 2]);
    let y = g.arange(DType::F32, 4).reshape([1, 2, 2]);
    assert_eq!(x.matmul(&y).ty().to_string(), "f32[2, 3, 2]");
    is(x.matmul(&y), &[2.0, 3.0, 6.0, 11.0, 10.0, 19.0, 14.0, 27.0, 18.0, 35.0, 22.0, 43.0]);
    is(v.matmul(&y), &[20.0, 31.0]);
    // numpy's dot does not batch.
    assert_eq!(x.dot(&y).ty().to_string(), "f32[2, 3, 1, 2]");
    is(g.einsum("ij,jk->ik", &[&a, &a]), &[7.0, 10.0, 15.0, 22.0]);
    is(g.einsum("ij->ji", &[&a]), &[1.0, 3.0, 2.0, 4.0]);
    is(g.einsum("ii", &[&a]), &[5.0]);
    is(g.einsum("ij,j", &[&a, &v]), &[21.0, 43.0]);
    is(g.einsum("i,ij,j->", &[&v, &a, &v]), &[1.0 + 20.0 + 30.0 + 400.0]);
    is(g.einsum("ij,k->k", &[&a, &v]), &[10.0, 100.0]);
    is(g.einsum("i,j->ji", &[&v, &v]), &[1.0, 10.0, 10.0, 100.0]);
}

#[test]
fn activations() {
    let g = Graph::new("g");
    let x = g.constant([-1.0f32, 0.0, 2.0]);
    is(x.relu(), &[0.0, 0.0, 2.0]);
    is(x.softplus(), &[0.313_261_7, std::f32::consts::LN_2, 2.126_928]);
    is(x.silu(), &[-0.268_941_4, 0.0, 1.761_594_2]);
    is(x.gelu(), &[-0.158_655_25, 0.0, 1.954_499_7]);
    is(x.gelu_tanh(), &[-0.158_808, 0.0, 1.954_597_7]);
    is(x.leaky_relu(0.1), &[-0.1, 0.0, 2.0]);
    is(x.elu(1.0), &[(-1f32).exp() - 1.0, 0.0, 2.0]);
    let p = x.softmax(0);
    is(p.clone(), &[0.042_010_07, 0.114_195_2, 0.843_794_7]);
    is(x.log_softmax(0).exp() - p, &[0.0; 3]);
    is(g.constant([1e4f32, 1e4]).softmax(-1), &[0.5, 0.5]);
    let logits = g.constant([[1.0f32, 2.0, 3.0], [1e4, 0.0, -1e4]]);
    let loss = logits.softmax_cross_entropy(&g.constant([0i32, 0]));
    is(loss, &[2.407_606, 0.0]);
    let dense = g.constant([[1.0f32, 0.0, 0.0], [1.0, 0.0, 0.0]]);
    is(logits.softmax_cross_entropy_dense(&dense, -1), &[2.407_606, 0.0]);
    is(x.sigmoid_cross_entropy(&g.constant([1.0f32, 0.0, 1.0])), &[1.313_261_7, std::f32::consts::LN_2, 0.126_928_01]);
    is(logits.correct(&g.constant([2i32, 1])), &[1.0, 0.0]);
    is(g.constant([1.0f32, 3.0]).standardize(0, 0.0), &[-1.0, 1.0]);
}

#[test]
fn convolution_and_pooling() {
    let g = Graph::new("g");
    let x = g.arange(DType::F32, 16).reshape([1, 1, 4, 4]);
    let k = g.constant([[1.0f32, 0.0], [0.0, 1.0]]).reshape([1, 1, 2, 2]);
    is(x.conv(&k, &Conv::nchw()), &[5.0, 7.0, 9.0, 13.0, 15.0, 17.0, 21.0, 23.0, 25.0]);
    let last = x.reshape([1, 4, 4, 1]);
    let kl = k.reshape([2, 2, 1, 1]);
    is(last.conv(&kl, &Conv::nhwc().stride([2, 2])), &[5.0, 9.0, 21.0, 25.0]);
    assert_eq!(x.conv(&k, &Conv::nchw().same()).ty().to_string(), "f32[1, 1, 4, 4]");
    is(x.max_pool(&[2, 2], &Pool::nchw()), &[5.0, 7.0, 13.0, 15.0]);
    is(last.avg_pool(&[2, 2], &Pool::nhwc()), &[2.5, 4.5, 10.5, 12.5]);
    is(x.min_pool(&[4, 4], &Pool::nchw()), &[0.0]);
    // Padding does not count, unless asked for.
    let line = g.constant([2.0f32, 4.0, 6.0]).reshape([1, 1, 3]);
    is(line.avg_pool(&[2], &Pool::nchw().same()), &[3.0, 6.0]);
    is(line.avg_pool(&[2], &Pool::nchw().same().count_padding(true)), &[3.0, 3.0]);
}

#[test]
fn attention_matches_its_definition() {
    let g = Graph::new("g");
    let q = g.constant([[[1.0f32, 0.0], [0.0, 1.0]]]);
    let v = g.constant([[[1.0f32, 2.0], [3.0, 4.0]]]);
    let mask = g.constant([[true, false], [true, true]]);
    let e = (1.0f32 / 2f32.sqrt()).exp();
    let (a, b) = (1.0 / (1.0 + e), e / (1.0 + e));
    is(q.attention(&q, &v, Some(&mask), None), &[1.0, 2.0, a + 3.0 * b, 2.0 * a + 4.0 * b]);
}
