//! The graphs of the workloads.

use crate::table::{Kind, RESNET_STAGES, Workload, resnet_convs};
use kiln::builder::{Conv, Pool};
use kiln::prelude::*;
use std::collections::BTreeMap;

type Weights = BTreeMap<String, Expr>;

/// The function of a workload: its inputs are `x` (and `y`, or `b`), its fetch is `out` or `loss`.
pub fn function(w: &Workload) -> FunctionSpec {
    let g = Graph::new(w.key.replace('.', "_"));
    let training = !w.batches.is_empty();
    let weights: Weights = w
        .order
        .iter()
        .map(|name| {
            let tensor = w.params[name].clone();
            let e = if training { g.variable(name, init::value(tensor)) } else { g.constant(tensor).named(name) };
            (name.clone(), e)
        })
        .collect();
    let p = &weights;
    if !training {
        let out = inference(&g, p, w);
        return g.function([]).named("out", &out);
    }
    let (x, y) = &w.batches[0];
    let y = g.placeholder::<i32>("y", y.shape());
    let x = g.placeholder_dyn("x", x.dtype(), x.shape());
    let (loss, updates) = match w.kind {
        Kind::TrainMlp { lr, mu, .. } => {
            let loss = mlp_loss(p, &x, &y);
            let updates = optim::Sgd::new(lr).momentum(mu).minimize(&loss);
            (loss, updates)
        }
        Kind::TrainCnn { lr, .. } => {
            let loss = cnn_loss(p, &x, &y);
            let updates = optim::Adam::new(lr).minimize(&loss);
            (loss, updates)
        }
        Kind::TrainGpt { layers, heads, lr, wd, .. } => {
            let loss = gpt_loss(&g, p, &x, &y, layers, heads);
            let updates = optim::AdamW::new(lr).weight_decay(wd).minimize(&loss);
            (loss, updates)
        }
        _ => unreachable!("only training workloads have batches"),
    };
    g.function([]).named("loss", &loss).updates(updates)
}

fn inference(g: &Graph, p: &Weights, w: &Workload) -> Expr {
    let input = |name: &str, i: usize| g.placeholder_dyn(name, w.inputs[i].dtype(), w.inputs[i].shape());
    let x = input("x", 0);
    match w.kind {
        Kind::Chain { .. } => (&x * &p["w"] + &p["b"]).gelu_tanh() * x.sigmoid() + 0.1 * &x,
        Kind::Softmax { .. } => x.softmax(-1),
        Kind::LayerNorm { eps, .. } => layer_norm(&x, &p["g"], &p["b"], eps),
        Kind::Matmul { .. } => x.dot(&input("b", 1)),
        Kind::MatmulChain { reps, .. } => {
            let b = input("b", 1);
            (0..reps).fold(x, |a, _| a.dot(&b))
        }
        Kind::Linear { gelu: false, .. } => x.dot(&p["w"]),
        Kind::Linear { gelu: true, .. } => (x.dot(&p["w"]) + &p["b"]).gelu_tanh(),
        Kind::Bert { layers, heads, eps, .. } => bert(p, &x, layers, heads, eps),
        Kind::ResNet18 { .. } => resnet18(p, &x),
        Kind::Lstm { hidden, batch, .. } => lstm(g, p, &x, hidden, batch),
        Kind::TrainMlp { .. } | Kind::TrainCnn { .. } | Kind::TrainGpt { .. } => {
            unreachable!("training workloads have batches")
        }
    }
}

fn layer_norm(x: &Expr, g: &Expr, b: &Expr, eps: f64) -> Expr {
    let centred = x - x.mean_keepdims([-1]);
    let variance = centred.square().mean_keepdims([-1]);
    centred * (variance + eps).rsqrt() * g + b
}

fn linear(p: &Weights, name: &str, x: &Expr) -> Expr {
    x.dot(&p[&format!("{name}.w")]) + &p[&format!("{name}.b")]
}

fn named_norm(p: &Weights, name: &str, x: &Expr, eps: f64) -> Expr {
    layer_norm(x, &p[&format!("{name}.g")], &p[&format!("{name}.b")], eps)
}

fn bert(p: &Weights, ids: &Expr, layers: usize, heads: usize, eps: f64) -> Expr {
    let g = ids.graph();
    let (batch, seq) = (ids.dim(0), ids.dim(1));
    let pos = p["pos"].slice_axis(0, 0..128, 1);
    let kind = p["type"].slice_axis(0, 0..1, 1);
    let mut x = named_norm(p, "lne", &(p["word"].embedding(ids) + pos + kind), eps);
    let d = x.dim(2).as_const().unwrap_or(0);
    let size = d / heads as i64;
    for i in 0..layers {
        let head = |name: &str, x: &Expr| {
            linear(p, &format!("l{i}.{name}"), x).reshape([
                batch.clone(),
                seq.clone(),
                (heads as i64).into(),
                size.into(),
            ])
        };
        let (q, k, v) = (head("q", &x), head("k", &x), head("v", &x));
        let scores = g.einsum("bqhd,bkhd->bhqk", &[&q, &k]) / (size as f64).sqrt();
        let mixed = g.einsum("bhqk,bkhd->bqhd", &[&scores.softmax(-1), &v]);
        let o = linear(p, &format!("l{i}.o"), &mixed.reshape([batch.clone(), seq.clone(), d.into()]));
        x = named_norm(p, &format!("l{i}.ln1"), &(&x + o), eps);
        let hidden = linear(p, &format!("l{i}.fc1"), &x).gelu();
        x = named_norm(p, &format!("l{i}.ln2"), &(&x + linear(p, &format!("l{i}.fc2"), &hidden)), eps);
    }
    x.mean([1])
}

fn resnet18(p: &Weights, x: &Expr) -> Expr {
    let convs = resnet_convs();
    let conv = |name: &str, x: &Expr| {
        let c = convs.iter().find(|c| c.name == name)?;
        let pad = (c.pad as i64, c.pad as i64);
        let options = Conv::nchw().stride([c.stride as i64; 2]).pad([pad; 2]);
        let bias = p[&format!("{name}.b")].reshape([c.cout, 1, 1]);
        Some(x.conv(&p[&format!("{name}.w")], &options) + bias)
    };
    let known = "the table lists it";
    let mut x = conv("conv1", x).expect(known).relu();
    x = x.max_pool(&[3, 3], &Pool::nchw().stride([2, 2]).pad([(1, 1); 2]));
    for s in 0..RESNET_STAGES.len() {
        for b in 0..2 {
            let name = format!("s{s}b{b}");
            let y = conv(&format!("{name}.conv1"), &x).expect(known).relu();
            let y = conv(&format!("{name}.conv2"), &y).expect(known);
            let skip = conv(&format!("{name}.down"), &x).unwrap_or(x);
            x = (y + skip).relu();
        }
    }
    x.mean([2, 3]).dot(&p["fc.w"]) + &p["fc.b"]
}

fn lstm(g: &Graph, p: &Weights, x: &Expr, hidden: usize, batch: usize) -> Expr {
    let projected = x.dot(&p["w_ih"].t()) + &p["b"];
    let recurrent = p["w_hh"].t();
    let zero = g.zeros(DType::F32, [batch, hidden]);
    let (_, states) = g.scan(projected, (zero.clone(), zero), |(h, c), x| {
        let gates = (x + h.dot(&recurrent)).split(4, -1);
        let c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
        let h = gates[3].sigmoid() * c.tanh();
        ((h.clone(), c), h)
    });
    states
}

fn mlp_loss(p: &Weights, x: &Expr, y: &Expr) -> Expr {
    let h = (x.dot(&p["w0"]) + &p["b0"]).relu();
    let h = (h.dot(&p["w1"]) + &p["b1"]).relu();
    (h.dot(&p["w2"]) + &p["b2"]).softmax_cross_entropy(y).mean(..)
}

fn cnn_loss(p: &Weights, x: &Expr, y: &Expr) -> Expr {
    let block = |x: &Expr, i: usize, width: usize| {
        let bias = p[&format!("b{i}")].reshape([width, 1, 1]);
        let h = (x.conv(&p[&format!("w{i}")], &Conv::nchw().pad([(1, 1); 2])) + bias).relu();
        h.max_pool(&[2, 2], &Pool::nchw().stride([2, 2]))
    };
    let h = block(&block(x, 0, 16), 1, 32);
    (h.reshape([x.dim(0), (1568i64).into()]).dot(&p["w2"]) + &p["b2"]).softmax_cross_entropy(y).mean(..)
}

fn gpt_loss(g: &Graph, p: &Weights, x: &Expr, y: &Expr, layers: usize, heads: usize) -> Expr {
    const EPS: f64 = 1e-5;
    let (batch, seq) = (x.dim(0), x.dim(1));
    let mut h = p["tok"].embedding(x) + &p["pos"];
    let d = h.dim(2).as_const().unwrap_or(0);
    let size = d / heads as i64;
    let mask = g.full(DType::Bool, [seq.clone(), seq.clone()], true).tril(0);
    for i in 0..layers {
        let qkv = linear(p, &format!("l{i}.qkv"), &named_norm(p, &format!("l{i}.ln1"), &h, EPS));
        let shape = [batch.clone(), seq.clone(), (heads as i64).into(), size.into()];
        let parts: Vec<Expr> = qkv.split(3, -1).iter().map(|t| t.reshape(shape.clone())).collect();
        let scores = g.einsum("bqhd,bkhd->bhqk", &[&parts[0], &parts[1]]) / (size as f64).sqrt();
        let weights = g.where_(&mask, &scores, f64::NEG_INFINITY).softmax(-1);
        let mixed = g.einsum("bhqk,bkhd->bqhd", &[&weights, &parts[2]]);
        h += linear(p, &format!("l{i}.proj"), &mixed.reshape([batch.clone(), seq.clone(), d.into()]));
        let hidden = linear(p, &format!("l{i}.fc1"), &named_norm(p, &format!("l{i}.ln2"), &h, EPS)).gelu_tanh();
        h += linear(p, &format!("l{i}.fc2"), &hidden);
    }
    let logits = named_norm(p, "lnf", &h, EPS).dot(&p["head"]);
    logits.softmax_cross_entropy(y).mean(..)
}
