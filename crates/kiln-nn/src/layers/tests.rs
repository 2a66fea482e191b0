//! Every layer against plain Rust, and its gradients against finite differences.

use super::*;
use crate::testing::{Machine, assert_close, check_gradients, f64s, noise};
use kiln_builder::{Conv, Layout, Tensor, dims};

/// Everything is computed in f64, so differences are rounding only.
const EXACT: f64 = 1e-12;

fn f64_params() -> Params {
    Params::default().dtype(DType::F64)
}

fn input(g: &Graph, shape: &[usize]) -> (Expr, Tensor) {
    (g.placeholder::<f64>("x", Shape::from_sizes(shape)), noise(shape, 1))
}

/// One run with all variables set to noise, so that no zero or one hides a mistake. Gives the value and the variables.
fn run(value: &Expr, feeds: &[(&str, &Tensor)]) -> (Vec<f64>, Machine) {
    let g = value.graph();
    let mut machine = Machine::new(&g.function([]).named("out", value).registered_updates(false));
    for (i, t) in machine.state.values_mut().enumerate() {
        if t.dtype() == DType::F64 {
            *t = noise(t.shape(), 7 + i as u64);
        }
    }
    let out = machine.run(feeds).remove("out").expect("fetched");
    (out.to_vec().expect("f64"), machine)
}

fn values(machine: &Machine, name: &str) -> Vec<f64> {
    machine.state[name].to_vec().unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// `a [rows, inner] * b [inner, cols] + bias`.
fn linear(a: &[f64], b: &[f64], bias: &[f64]) -> Vec<f64> {
    let cols = bias.len();
    let inner = b.len() / cols;
    let cell = |i: usize| {
        let (r, c) = (i / cols, i % cols);
        bias[c] + (0..inner).map(|k| a[r * inner + k] * b[k * cols + c]).sum::<f64>()
    };
    (0..a.len() / inner * cols).map(cell).collect()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_close(&f64s(&[found.len()], found), expected, EXACT);
}

#[test]
fn dense() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[2, 3]);
    let fc = Dense::with(&g, "fc", 3, 4, &f64_params());
    let y = fc.apply(&x);
    let (found, m) = run(&y, &[("x", &data)]);
    let x_values = data.to_vec::<f64>().unwrap();
    close(&found, &linear(&x_values, &values(&m, "fc/w"), &values(&m, "fc/b")));
    check_gradients(&g, &y.tanh(), &[("x", data)], &[&x]);
}

#[test]
fn a_layer_applied_twice_shares_its_weights() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[2, 3]);
    let fc = Dense::with(&g, "fc", 3, 3, &f64_params().bias(false));
    let y = fc.apply(&fc.apply(&x).tanh());
    assert_eq!(g.variables().len(), 1);
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn embedding() {
    let g = Graph::new("g");
    let ids = g.placeholder::<i32>("ids", [2, 2]);
    let data = Tensor::from_vec([2, 2], vec![3i32, 0, 3, 1]).unwrap();
    let table = Embedding::with(&g, "words", 4, 2, &f64_params());
    let y = table.apply(&ids);
    let (found, m) = run(&y, &[("ids", &data)]);
    let t = values(&m, "words/table");
    let rows = [3, 0, 3, 1].iter().flat_map(|&r| [t[2 * r], t[2 * r + 1]]).collect::<Vec<_>>();
    close(&found, &rows);
    check_gradients(&g, &table.scores(&y), &[("ids", data)], &[]);
}

#[test]
fn convolutions() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[2, 3, 5]);
    let conv = Convolution::with(&g, "conv", 3, 2, [3], Conv::nchw().pad([(1, 1)]).stride([2]), &f64_params());
    let y = conv.apply(&x);
    let (found, m) = run(&y, &[("x", &data)]);
    let (x_values, w, b) = (data.to_vec::<f64>().unwrap(), values(&m, "conv/w"), values(&m, "conv/b"));
    let mut expected = Vec::new();
    for n in 0..2 {
        for o in 0..2 {
            for at in 0..3i64 {
                let tap = |c: usize, k: usize| match at * 2 + k as i64 - 1 {
                    i @ 0..5 => x_values[(n * 3 + c) * 5 + i as usize] * w[(o * 3 + c) * 3 + k],
                    _ => 0.0,
                };
                expected.push(b[o] + (0..9).map(|i| tap(i / 3, i % 3)).sum::<f64>());
            }
        }
    }
    close(&found, &expected);
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn convolution_layouts_and_groups_agree_on_shapes() {
    let g = Graph::new("g");
    let (first, last) = (g.placeholder::<f32>("a", [2, 4, 8, 8]), g.placeholder::<f32>("b", [2, 8, 8, 4]));
    let a = Convolution::new(&g, "a", 4, 6, [3, 3], Conv::nchw().same().groups(2));
    let b = Convolution::new(&g, "b", 4, 6, [3, 3], Conv::nhwc().same().groups(2));
    assert_eq!(a.kernel().ty().to_string(), "f32[6, 2, 3, 3]");
    assert_eq!(b.kernel().ty().to_string(), "f32[3, 3, 2, 6]");
    assert_eq!(a.apply(&first).ty().to_string(), "f32[2, 6, 8, 8]");
    assert_eq!(b.apply(&last).ty().to_string(), "f32[2, 8, 8, 6]");
    let volume = g.placeholder::<f32>("c", [1, 2, 4, 4, 4]);
    let c = Convolution::new(&g, "c", 2, 3, [2, 2, 2], Conv::nchw());
    assert_eq!(c.apply(&volume).ty().to_string(), "f32[1, 3, 3, 3, 3]");
    assert_eq!(global_avg_pool(&first, Layout::ChannelsFirst).ty().to_string(), "f32[2, 4]");
    assert_eq!(global_avg_pool(&last, Layout::ChannelsLast).ty().to_string(), "f32[2, 4]");
    assert!(g.diagnostics().0.is_empty(), "{:?}", g.diagnostics());
}

#[test]
fn pooling() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[1, 1, 4, 4]);
    let v = data.to_vec::<f64>().unwrap();
    let window = |i: usize| {
        let at = i / 2 * 8 + i % 2 * 2;
        [v[at], v[at + 1], v[at + 4], v[at + 5]]
    };
    let max = MaxPool::new([2, 2], Conv::nchw()).apply(&x);
    let mean = AvgPool::new([2, 2], Conv::nchw()).apply(&x);
    let (found, _) = run(&max, &[("x", &data)]);
    close(&found, &(0..4).map(|i| window(i).into_iter().fold(f64::MIN, f64::max)).collect::<Vec<_>>());
    let (found, _) = run(&mean, &[("x", &data)]);
    close(&found, &(0..4).map(|i| window(i).iter().sum::<f64>() / 4.0).collect::<Vec<_>>());
    check_gradients(&g, &(max + mean), &[("x", data)], &[&x]);
}

fn standardized(v: &[f64], epsilon: f64) -> Vec<f64> {
    let mean = v.iter().sum::<f64>() / v.len() as f64;
    let var = v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / v.len() as f64;
    v.iter().map(|x| (x - mean) / (var + epsilon).sqrt()).collect()
}

#[test]
fn layer_norm() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[3, 4]);
    let y = LayerNorm::with(&g, "norm", 4, &f64_params()).epsilon(1e-3).apply(&x);
    let (found, m) = run(&y, &[("x", &data)]);
    let (s, b) = (values(&m, "norm/scale"), values(&m, "norm/bias"));
    let row = |r: &[f64]| standardized(r, 1e-3).iter().zip(s.iter().zip(&b)).map(|(x, (s, b))| x * s + b).collect();
    let expected: Vec<Vec<f64>> = data.to_vec::<f64>().unwrap().chunks(4).map(row).collect();
    close(&found, &expected.concat());
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn rms_norm() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[3, 4]);
    let y = RmsNorm::with(&g, "norm", 4, &f64_params()).epsilon(1e-3).apply(&x);
    let (found, m) = run(&y, &[("x", &data)]);
    let s = values(&m, "norm/scale");
    let row = |r: &[f64]| -> Vec<f64> {
        let rms = (r.iter().map(|x| x * x).sum::<f64>() / 4.0 + 1e-3).sqrt();
        r.iter().zip(&s).map(|(x, s)| x / rms * s).collect()
    };
    let expected: Vec<Vec<f64>> = data.to_vec::<f64>().unwrap().chunks(4).map(row).collect();
    close(&found, &expected.concat());
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn group_norm() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[2, 4, 3]);
    let y = GroupNorm::with(&g, "norm", 2, 4, &f64_params()).apply(&x);
    let (found, m) = run(&y, &[("x", &data)]);
    let (s, b) = (values(&m, "norm/scale"), values(&m, "norm/bias"));
    let groups: Vec<Vec<f64>> = data.to_vec::<f64>().unwrap().chunks(6).map(|c| standardized(c, 1e-5)).collect();
    let expected: Vec<f64> = groups.concat().iter().enumerate().map(|(i, x)| x * s[i / 3 % 4] + b[i / 3 % 4]).collect();
    close(&found, &expected);
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn batch_norm_in_training() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[4, 2, 3]);
    let norm = BatchNorm::with(&g, "norm", 2, &f64_params());
    let y = norm.apply(&x, Mode::Train);
    check_gradients(&g, &y, &[("x", data.clone())], &[&x]);

    let other = g.variable("other", init::zeros(dims![]).dtype(DType::F64));
    let updates = kiln_builder::Updates::new().with(&other, &(&other + 1.0));
    let mut machine = Machine::new(&g.function([]).named("y", &y).updates(updates));
    let found = machine.run(&[("x", &data)]);
    let v = data.to_vec::<f64>().unwrap();
    let channel = |c: usize| -> Vec<f64> { (0..24).filter(|i| i / 3 % 2 == c).map(|i| v[i]).collect() };
    let by_channel = [standardized(&channel(0), 1e-5), standardized(&channel(1), 1e-5)];
    let mut next = [by_channel[0].iter(), by_channel[1].iter()];
    let expected: Vec<f64> = (0..24).map(|i| *next[i / 3 % 2].next().unwrap()).collect();
    assert_close(&found["y"], &expected, EXACT);
    let mean = |c: usize| channel(c).iter().sum::<f64>() / 12.0;
    let var = |c: usize| channel(c).iter().map(|x| (x - mean(c)).powi(2)).sum::<f64>() / 11.0;
    assert_close(&machine.state["norm/mean"], &[0.1 * mean(0), 0.1 * mean(1)], EXACT);
    assert_close(&machine.state["norm/var"], &[0.9 + 0.1 * var(0), 0.9 + 0.1 * var(1)], EXACT);
}

#[test]
fn batch_norm_in_use() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[2, 3, 2]);
    let y = BatchNorm::with(&g, "norm", 2, &f64_params()).axis(-1).epsilon(2.0).apply(&x, Mode::Infer);
    let (found, m) = run(&y, &[("x", &data)]);
    let [scale, bias, mean, var] = ["scale", "bias", "mean", "var"].map(|n| values(&m, &format!("norm/{n}")));
    let v = data.to_vec::<f64>().unwrap();
    let element = |i: usize| (v[i] - mean[i % 2]) / (var[i % 2] + 2.0).sqrt() * scale[i % 2] + bias[i % 2];
    close(&found, &(0..12).map(element).collect::<Vec<_>>());
    assert_eq!(g.trainable_variables().len(), 2);
}

#[test]
fn dropout_keeps_the_mean_and_changes_with_every_step() {
    let g = Graph::new("g");
    let x = g.ones(DType::F64, [4000]);
    let drop = Dropout::new(&g, "drop", 0.25, 3);
    let y = drop.apply(&x, Mode::Train);
    let mut machine = Machine::new(&g.function([]).named("y", &y));
    let first: Vec<f64> = machine.run(&[])["y"].to_vec().unwrap();
    let second: Vec<f64> = machine.run(&[])["y"].to_vec().unwrap();
    assert_ne!(first, second);
    assert!(first.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-15));
    // Five standard deviations of the share of kept elements.
    let kept = first.iter().filter(|&&v| v > 0.0).count() as f64 / 4000.0;
    assert!((kept - 0.75).abs() < 5.0 * (0.75f64 * 0.25 / 4000.0).sqrt(), "{kept}");
    let same = drop.apply(&x, Mode::Infer);
    assert_eq!(same.describe(), x.describe());
    Dropout::new(&g, "bad", 1.0, 0);
    assert_eq!(g.diagnostics().0[0].code, "dropout.rate");
}

/// Attention of one head by loops: rows of q, k, v with `d` features.
fn attend(q: &[f64], k: &[f64], v: &[f64], d: usize, sees: impl Fn(usize, usize) -> bool) -> Vec<f64> {
    let (rows, keys) = (q.len() / d, k.len() / d);
    let mut out = Vec::new();
    for r in 0..rows {
        let score = |j: usize| (0..d).map(|f| q[r * d + f] * k[j * d + f]).sum::<f64>() / (d as f64).sqrt();
        let weights: Vec<f64> = (0..keys).map(|j| if sees(r, j) { score(j).exp() } else { 0.0 }).collect();
        let total: f64 = weights.iter().sum();
        out.extend((0..d).map(|f| (0..keys).map(|j| weights[j] / total * v[j * d + f]).sum::<f64>()));
    }
    out
}

/// Columns `from..from + n` of a matrix with `width` columns.
fn columns(m: &[f64], width: usize, from: usize, n: usize) -> Vec<f64> {
    m.chunks(width).flat_map(|r| r[from..from + n].to_vec()).collect()
}

#[test]
fn self_attention() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[1, 3, 4]);
    let attention = MultiHeadAttention::with(&g, "att", 4, 2, &f64_params());
    let v = data.to_vec::<f64>().unwrap();
    let keep = g.constant([[true, true, false]]);
    let masks: [(Mask, fn(usize, usize) -> bool); 3] = [
        (Mask::none(), |_, _| true),
        (Mask::causal(), |r, j| j <= r),
        (Mask::causal().keys(&keep), |r, j| j <= r && j < 2),
    ];
    for (mask, sees) in masks {
        let y = attention.apply(&x, &mask);
        let (found, m) = run(&y, &[("x", &data)]);
        let layer =
            |n: &str, x: &[f64]| linear(x, &values(&m, &format!("att/{n}/w")), &values(&m, &format!("att/{n}/b")));
        let (q, k, w) = (layer("q", &v), layer("k", &v), layer("v", &v));
        let head = |h: usize| {
            let part = |m: &[f64]| columns(m, 4, 2 * h, 2);
            attend(&part(&q), &part(&k), &part(&w), 2, sees)
        };
        let (a, b) = (head(0), head(1));
        let mixed: Vec<f64> = a.chunks(2).zip(b.chunks(2)).flat_map(|(a, b)| [a, b].concat()).collect();
        close(&found, &layer("out", &mixed));
        check_gradients(&g, &y, &[("x", data.clone())], &[&x]);
    }
}

#[test]
fn cross_attention_and_symbolic_lengths() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["batch", "queries", 8]);
    let memory = g.placeholder::<f32>("memory", dims!["batch", "keys", 8]);
    let attention = MultiHeadAttention::new(&g, "att", 8, 2);
    let y = attention.apply_to(&x, &memory, &Mask::none());
    assert_eq!(y.ty().to_string(), "f32[batch, queries, 8]");
    assert!(g.diagnostics().0.is_empty(), "{:?}", g.diagnostics());
}

#[test]
fn a_query_that_sees_nothing_gives_no_nan() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[1, 2, 2]);
    let nothing = g.constant([[false, false]]);
    let y = MultiHeadAttention::with(&g, "att", 2, 1, &f64_params()).apply(&x, &Mask::none().keys(&nothing));
    let (found, _) = run(&y, &[("x", &data)]);
    assert!(found.iter().all(|v| v.is_finite()), "{found:?}");
}

#[test]
fn transformer_block() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[1, 3, 4]);
    let y = TransformerBlock::with(&g, "block", 4, 2, 6, &f64_params()).apply(&x, &Mask::causal());
    assert_eq!(g.trainable_variables().len(), 2 + 8 + 2 + 4);
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn rnn() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[3, 2, 2]);
    let (all, last) = Rnn::with(&g, "rnn", 2, 3, &f64_params()).apply(&x);
    let y = g.concat(&[&all, &last.expand_dims(0)], 0);
    let (found, m) = run(&y, &[("x", &data)]);
    let (w, u, b) = (values(&m, "rnn/w_in"), values(&m, "rnn/w_state"), values(&m, "rnn/b"));
    let mut h = vec![0.0; 6];
    let mut expected = Vec::new();
    for x in data.to_vec::<f64>().unwrap().chunks(4) {
        let (a, c) = (linear(x, &w, &b), linear(&h, &u, &[0.0; 3]));
        h = a.iter().zip(&c).map(|(a, c)| (a + c).tanh()).collect();
        expected.extend(h.clone());
    }
    expected.extend(h);
    close(&found, &expected);
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn lstm() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[3, 2, 2]);
    let (all, last) = Lstm::with(&g, "lstm", 2, 3, &f64_params()).apply(&x);
    let y = g.concat(&[&all, &last.h.expand_dims(0), &last.c.expand_dims(0)], 0);
    let (found, m) = run(&y, &[("x", &data)]);
    let (w, u, b) = (values(&m, "lstm/w_in"), values(&m, "lstm/w_state"), values(&m, "lstm/b"));
    let (mut h, mut c) = (vec![0.0; 6], vec![0.0; 6]);
    let mut expected = Vec::new();
    for x in data.to_vec::<f64>().unwrap().chunks(4) {
        let (from_x, from_h) = (linear(x, &w, &b), linear(&h, &u, &[0.0; 12]));
        for i in 0..6 {
            let gate = |k: usize| {
                let at = i / 3 * 12 + k * 3 + i % 3;
                from_x[at] + from_h[at]
            };
            c[i] = sigmoid(gate(1)) * c[i] + sigmoid(gate(0)) * gate(2).tanh();
            h[i] = sigmoid(gate(3)) * c[i].tanh();
        }
        expected.extend(h.clone());
    }
    expected.extend(h);
    expected.extend(c);
    close(&found, &expected);
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn gru() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[3, 2, 2]);
    let (all, last) = Gru::with(&g, "gru", 2, 3, &f64_params()).apply(&x);
    let y = g.concat(&[&all, &last.expand_dims(0)], 0);
    let (found, m) = run(&y, &[("x", &data)]);
    let [w, u, b, bs] = ["w_in", "w_state", "b", "b_state"].map(|n| values(&m, &format!("gru/{n}")));
    let mut h = vec![0.0; 6];
    let mut expected = Vec::new();
    for x in data.to_vec::<f64>().unwrap().chunks(4) {
        let (from_x, from_h) = (linear(x, &w, &b), linear(&h, &u, &[0.0; 9]));
        for i in 0..6 {
            let at = |k: usize| i / 3 * 9 + k * 3 + i % 3;
            let r = sigmoid(from_x[at(0)] + from_h[at(0)]);
            let z = sigmoid(from_x[at(1)] + from_h[at(1)]);
            let n = (from_x[at(2)] + r * (from_h[at(2)] + bs[i % 3])).tanh();
            h[i] = (1.0 - z) * n + z * h[i];
        }
        expected.extend(h.clone());
    }
    expected.extend(h);
    close(&found, &expected);
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn sequential() {
    let g = Graph::new("g");
    let (x, data) = input(&g, &[2, 1, 4, 4]);
    let model = Sequential::new()
        .add(Convolution::with(&g, "conv", 1, 2, [3, 3], Conv::nchw().same(), &f64_params()))
        .add(BatchNorm::with(&g, "norm", 2, &f64_params()))
        .map(|x| x.tanh())
        .add(AvgPool::new([2, 2], Conv::nchw()))
        .flatten()
        .add(Sequential::new().add(Dense::with(&g, "out", 8, 3, &f64_params())));
    let y = model.apply(&x, Mode::Train);
    assert_eq!(y.ty().to_string(), "f64[2, 3]");
    check_gradients(&g, &y, &[("x", data)], &[&x]);
}

#[test]
fn scopes_make_full_names() {
    let g = Graph::new("g");
    let _scope = g.enter("encoder");
    MultiHeadAttention::new(&g, "att", 4, 2);
    let names: Vec<_> = g.variables().iter().filter_map(Expr::name).collect();
    assert_eq!(names[..2], ["encoder/att/q/w", "encoder/att/q/b"]);
}

#[test]
fn mistakes_name_the_layer_and_the_users_line() {
    let g = Graph::new("g");
    let x = g.placeholder::<f32>("x", dims!["batch", 5]);
    let fc = Dense::new(&g, "fc", 4, 2);
    let y = fc.apply(&x);
    assert!(y.is_poisoned() && fc.apply(&y).is_poisoned());
    let found = g.diagnostics().0;
    assert_eq!(found.len(), 1, "what follows from a mistake is silent");
    let text = found[0].to_string();
    assert!(
        text.contains("the layer \"fc\"") && text.contains("made for 4 inputs") && text.contains("size 5"),
        "{text}"
    );
    assert!(found[0].loc.to_string().contains("layers/tests.rs"), "{text}");

    let scalar = g.placeholder::<f32>("scalar", dims![]);
    assert!(LayerNorm::new(&g, "norm", 4).apply(&scalar).is_poisoned());
    assert!(Embedding::new(&g, "words", 4, 2).apply(&x).is_poisoned());
    assert!(Lstm::new(&g, "lstm", 5, 2).apply(&x).0.is_poisoned());
    MultiHeadAttention::new(&g, "att", 5, 2);
    GroupNorm::new(&g, "groups", 0, 2);
    let codes: Vec<String> = g.diagnostics().0.into_iter().skip(1).map(|d| d.code).collect();
    assert_eq!(codes, ["layer.input", "embedding.ids", "recurrent.rank", "attention.heads", "group_norm.groups"]);
}
