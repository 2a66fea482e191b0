//! The table of workloads: sizes, data and useful work.

use crate::data::{full, randint, randint_tensor, uniform};
use kiln::prelude::Tensor;
use std::collections::BTreeMap;

/// What a workload computes, with its sizes.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are sizes and rates by their usual names")]
pub enum Kind {
    /// `gelu_tanh(x * w + b) * sigmoid(x) + 0.1 x`.
    Chain { shape: [usize; 2] },
    /// Softmax over the last axis.
    Softmax { shape: [usize; 2] },
    /// Layer norm over the last axis.
    LayerNorm { shape: [usize; 2], eps: f64 },
    /// A matrix product of two inputs.
    Matmul { m: usize, k: usize, n: usize },
    /// `a = a b`, this many times.
    MatmulChain { n: usize, reps: usize },
    /// A product with a constant weight, perhaps with bias and gelu.
    Linear { m: usize, k: usize, n: usize, gelu: bool },
    /// A multilayer perceptron trained by SGD with momentum.
    TrainMlp { batch: usize, dims: [usize; 4], lr: f64, mu: f64 },
    /// A small convolutional network trained by Adam.
    TrainCnn { batch: usize, lr: f64 },
    /// A decoder-only transformer trained by AdamW.
    TrainGpt {
        batch: usize,
        seq: usize,
        layers: usize,
        d: usize,
        heads: usize,
        ff: usize,
        vocab: usize,
        lr: f64,
        wd: f64,
    },
    /// An encoder-only transformer.
    Bert { batch: usize, seq: usize, layers: usize, d: usize, heads: usize, ff: usize, vocab: usize, eps: f64 },
    /// ResNet-18.
    ResNet18 { batch: usize, hw: usize },
    /// An LSTM over a sequence.
    Lstm { hidden: usize, input: usize, seq: usize, batch: usize },
}

/// Tensors by name, in order of declaration.
pub type Params = Vec<(String, Tensor)>;

/// A workload with its data.
pub struct Workload {
    /// Its key in the table.
    pub key: String,
    /// What it computes.
    pub kind: Kind,
    /// Weights.
    pub params: BTreeMap<String, Tensor>,
    /// The names of the weights in order of declaration.
    pub order: Vec<String>,
    /// Inputs of an inference workload.
    pub inputs: Vec<Tensor>,
    /// Batches (x, y) of a training workload.
    pub batches: Vec<(Tensor, Tensor)>,
    /// Useful floating point operations, if the workload is counted in them.
    pub flops: Option<f64>,
    /// Bytes that must be moved, if the workload is counted in them.
    pub bytes: Option<f64>,
}

/// Every key, in order.
pub const KEYS: [&str; 19] = [
    "E1.1024x1024",
    "E1.8192x4096",
    "E2.softmax",
    "E2.layernorm",
    "M1.mm64",
    "M1.mm256",
    "M1.mm1024",
    "M1.mm2048",
    "M1.mm64_chain100",
    "M1.matvec",
    "M1.mm_bias_gelu",
    "T1",
    "T2",
    "T3",
    "I1.b1",
    "I1.b8",
    "I2.b1",
    "I2.b8",
    "I3",
];

/// Batches of each training workload.
const BATCHES: usize = 4;

/// The kind of a key, if there is such a workload.
pub fn kind(key: &str) -> Option<Kind> {
    let matmul = |n| Kind::Matmul { m: n, k: n, n };
    let bert = |batch| Kind::Bert { batch, seq: 128, layers: 6, d: 384, heads: 12, ff: 1536, vocab: 30522, eps: 1e-12 };
    Some(match key {
        "E1.1024x1024" => Kind::Chain { shape: [1024, 1024] },
        "E1.8192x4096" => Kind::Chain { shape: [8192, 4096] },
        "E2.softmax" => Kind::Softmax { shape: [2048, 2048] },
        "E2.layernorm" => Kind::LayerNorm { shape: [2048, 1024], eps: 1e-5 },
        "M1.mm64" => matmul(64),
        "M1.mm256" => matmul(256),
        "M1.mm1024" => matmul(1024),
        "M1.mm2048" => matmul(2048),
        "M1.mm64_chain100" => Kind::MatmulChain { n: 64, reps: 100 },
        "M1.matvec" => Kind::Linear { m: 1, k: 1024, n: 4096, gelu: false },
        "M1.mm_bias_gelu" => Kind::Linear { m: 512, k: 1024, n: 4096, gelu: true },
        "T1" => Kind::TrainMlp { batch: 64, dims: [784, 256, 256, 10], lr: 0.05, mu: 0.9 },
        "T2" => Kind::TrainCnn { batch: 64, lr: 1e-3 },
        "T3" => Kind::TrainGpt {
            batch: 8,
            seq: 128,
            layers: 4,
            d: 256,
            heads: 4,
            ff: 1024,
            vocab: 1000,
            lr: 1e-3,
            wd: 0.01,
        },
        "I1.b1" => bert(1),
        "I1.b8" => bert(8),
        "I2.b1" => Kind::ResNet18 { batch: 1, hw: 224 },
        "I2.b8" => Kind::ResNet18 { batch: 8, hw: 224 },
        "I3" => Kind::Lstm { hidden: 256, input: 128, seq: 100, batch: 16 },
        _ => return None,
    })
}

/// Name, input and output features, kernel size, stride and padding of a convolution of ResNet-18.
pub struct ResNetConv {
    /// Name of its weights.
    pub name: String,
    /// Input features.
    pub cin: usize,
    /// Output features.
    pub cout: usize,
    /// Kernel size.
    pub k: usize,
    /// Stride.
    pub stride: usize,
    /// Padding.
    pub pad: usize,
}

/// Width of each stage of ResNet-18 and the stride of its first block; each has two blocks.
pub const RESNET_STAGES: [(usize, usize); 4] = [(64, 1), (128, 2), (256, 2), (512, 2)];

/// Every convolution of ResNet-18, in order of use.
pub fn resnet_convs() -> Vec<ResNetConv> {
    let conv = |name: String, cin, cout, k, stride, pad| ResNetConv { name, cin, cout, k, stride, pad };
    let mut out = vec![conv("conv1".into(), 3, 64, 7, 2, 3)];
    let mut cin = 64;
    for (s, &(c, first)) in RESNET_STAGES.iter().enumerate() {
        for b in 0..2 {
            let stride = if b == 0 { first } else { 1 };
            out.push(conv(format!("s{s}b{b}.conv1"), cin, c, 3, stride, 1));
            out.push(conv(format!("s{s}b{b}.conv2"), c, c, 3, 1, 1));
            if stride != 1 || cin != c {
                out.push(conv(format!("s{s}b{b}.down"), cin, c, 1, stride, 0));
            }
            cin = c;
        }
    }
    out
}

struct Maker {
    key: String,
    /// Batch variants of a model share their weights: the key before `.b`.
    family: String,
    w: Workload,
}

impl Maker {
    fn add(&mut self, name: &str, t: Tensor) {
        self.w.order.push(name.to_owned());
        self.w.params.insert(name.to_owned(), t);
    }
    fn par(&mut self, name: &str, shape: &[usize], bound: f64) {
        let t = uniform(&format!("{}/{name}", self.family), shape, bound);
        self.add(name, t);
    }
    fn constant(&mut self, name: &str, shape: &[usize], value: f32) {
        self.add(name, full(shape, value));
    }
    fn input(&self, name: &str, shape: &[usize], bound: f64) -> Tensor {
        uniform(&format!("{}/{name}", self.key), shape, bound)
    }
    fn affine(&mut self, name: &str, d: usize) {
        self.constant(&format!("{name}.g"), &[d], 1.0);
        self.constant(&format!("{name}.b"), &[d], 0.0);
    }
}

/// The workload of a key with its data, if there is one.
pub fn make(key: &str) -> Option<Workload> {
    let kind = kind(key)?;
    let family = key.split(".b").next().unwrap_or(key).to_owned();
    let mut m = Maker {
        key: key.to_owned(),
        family,
        w: Workload {
            key: key.to_owned(),
            kind: kind.clone(),
            params: BTreeMap::new(),
            order: Vec::new(),
            inputs: Vec::new(),
            batches: Vec::new(),
            flops: None,
            bytes: None,
        },
    };
    match kind {
        Kind::Chain { shape } => {
            m.par("w", &shape[1..], 1.0);
            m.par("b", &shape[1..], 0.5);
            m.w.inputs = vec![m.input("x", &shape, 3.0)];
            m.w.bytes = Some((8 * shape[0] * shape[1]) as f64);
        }
        Kind::Softmax { shape } => {
            m.w.inputs = vec![m.input("x", &shape, 5.0)];
            m.w.bytes = Some((8 * shape[0] * shape[1]) as f64);
        }
        Kind::LayerNorm { shape, .. } => {
            m.par("g", &shape[1..], 1.0);
            m.par("b", &shape[1..], 0.5);
            m.w.inputs = vec![m.input("x", &shape, 3.0)];
            m.w.bytes = Some((8 * shape[0] * shape[1]) as f64);
        }
        Kind::Matmul { m: rows, k, n } => {
            m.w.inputs = vec![m.input("a", &[rows, k], 1.0), m.input("b", &[k, n], 1.0)];
            m.w.flops = Some(2.0 * (rows * k * n) as f64);
        }
        Kind::MatmulChain { n, reps } => {
            m.w.inputs = vec![m.input("a", &[n, n], 1.0), m.input("b", &[n, n], (3.0 / n as f64).sqrt())];
            m.w.flops = Some(2.0 * (n * n * n * reps) as f64);
        }
        Kind::Linear { m: rows, k, n, gelu } => {
            m.par("w", &[k, n], (3.0 / k as f64).sqrt());
            if gelu {
                m.par("b", &[n], 0.5);
            }
            m.w.inputs = vec![m.input("x", &[rows, k], 1.0)];
            m.w.flops = Some(2.0 * (rows * k * n) as f64);
            m.w.bytes = (rows == 1).then_some(4.0 * (k * n) as f64);
        }
        Kind::TrainMlp { batch, dims: d, .. } => {
            for i in 0..3 {
                m.par(&format!("w{i}"), &[d[i], d[i + 1]], (6.0 / d[i] as f64).sqrt());
                m.constant(&format!("b{i}"), &[d[i + 1]], 0.0);
            }
            for j in 0..BATCHES {
                let x = m.input(&format!("x{j}"), &[batch, d[0]], 1.0);
                let y = randint_tensor(&format!("{key}/y{j}"), &[batch], d[3] as u64);
                m.w.batches.push((x, y));
            }
            m.w.flops = Some((2 * batch * (2 * d[0] * d[1] + 3 * (d[1] * d[2] + d[2] * d[3]))) as f64);
        }
        Kind::TrainCnn { batch, .. } => make_cnn(&mut m, batch),
        Kind::TrainGpt { batch, seq, layers, d, ff, vocab, .. } => {
            make_gpt(&mut m, [batch, seq, layers, d, ff, vocab]);
        }
        Kind::Bert { batch, seq, layers, d, ff, vocab, .. } => make_bert(&mut m, [batch, seq, layers, d, ff, vocab]),
        Kind::ResNet18 { batch, hw } => make_resnet(&mut m, batch, hw),
        Kind::Lstm { hidden, input, seq, batch } => {
            let bound = 1.0 / (hidden as f64).sqrt();
            m.par("w_ih", &[4 * hidden, input], bound);
            m.par("w_hh", &[4 * hidden, hidden], bound);
            m.par("b", &[4 * hidden], bound);
            m.w.inputs = vec![m.input("x", &[seq, batch, input], 1.0)];
            m.w.flops = Some((2 * seq * batch * 4 * hidden * (input + hidden)) as f64);
        }
    }
    Some(m.w)
}

fn make_cnn(m: &mut Maker, batch: usize) {
    m.par("w0", &[16, 1, 3, 3], (6.0f64 / 9.0).sqrt());
    m.constant("b0", &[16], 0.0);
    m.par("w1", &[32, 16, 3, 3], (6.0f64 / 144.0).sqrt());
    m.constant("b1", &[32], 0.0);
    m.par("w2", &[1568, 10], (6.0f64 / 1568.0).sqrt());
    m.constant("b2", &[10], 0.0);
    for j in 0..BATCHES {
        let x = m.input(&format!("x{j}"), &[batch, 1, 28, 28], 1.0);
        let y = randint_tensor(&format!("{}/y{j}", m.key), &[batch], 10);
        m.w.batches.push((x, y));
    }
    m.w.flops = Some((2 * batch * (2 * 784 * 16 * 9 + 3 * (196 * 32 * 16 * 9 + 1568 * 10))) as f64);
}

fn make_gpt(m: &mut Maker, [batch, seq, layers, d, ff, vocab]: [usize; 6]) {
    m.par("tok", &[vocab, d], 0.035);
    m.par("pos", &[seq, d], 0.035);
    for i in 0..layers {
        for (name, shape) in [("qkv", [d, 3 * d]), ("proj", [d, d]), ("fc1", [d, ff]), ("fc2", [ff, d])] {
            m.par(&format!("l{i}.{name}.w"), &shape, (1.0 / shape[0] as f64).sqrt());
            m.constant(&format!("l{i}.{name}.b"), &shape[1..], 0.0);
        }
        m.affine(&format!("l{i}.ln1"), d);
        m.affine(&format!("l{i}.ln2"), d);
    }
    m.affine("lnf", d);
    m.par("head", &[d, vocab], (1.0 / d as f64).sqrt());
    for j in 0..BATCHES {
        // Tokens are skewed (the smaller of two draws), so there is something to learn.
        let draw = |name: &str| randint(&format!("{}/{name}{j}", m.key), &[batch, seq + 1], vocab as u64);
        let t: Vec<i32> = draw("t").into_iter().zip(draw("u")).map(|(a, b)| a.min(b)).collect();
        let part = |from: usize| {
            let rows = t.chunks(seq + 1).flat_map(|row| row[from..from + seq].to_vec()).collect();
            Tensor::from_vec([batch, seq], rows).expect("seq tokens a row")
        };
        m.w.batches.push((part(0), part(1)));
    }
    let per_layer = 4 * d * d + 2 * d * ff + 2 * seq * d;
    m.w.flops = Some((3 * 2 * batch * seq * (layers * per_layer + d * vocab)) as f64);
}

fn make_bert(m: &mut Maker, [batch, seq, layers, d, ff, vocab]: [usize; 6]) {
    m.par("word", &[vocab, d], 0.05);
    m.par("pos", &[512, d], 0.05);
    m.par("type", &[2, d], 0.05);
    m.affine("lne", d);
    for i in 0..layers {
        let square = [d, d];
        for (name, shape) in
            [("q", square), ("k", square), ("v", square), ("o", square), ("fc1", [d, ff]), ("fc2", [ff, d])]
        {
            m.par(&format!("l{i}.{name}.w"), &shape, (3.0 / shape[0] as f64).sqrt());
            m.par(&format!("l{i}.{name}.b"), &shape[1..], 0.1);
        }
        m.affine(&format!("l{i}.ln1"), d);
        m.affine(&format!("l{i}.ln2"), d);
    }
    m.w.inputs = vec![randint_tensor(&format!("{}/ids", m.key), &[batch, seq], vocab as u64)];
    m.w.flops = Some((2 * batch * seq * layers * (4 * d * d + 2 * d * ff + 2 * seq * d)) as f64);
}

fn make_resnet(m: &mut Maker, batch: usize, hw: usize) {
    let mut size = hw;
    let mut flops = 0;
    for c in resnet_convs() {
        let shape = [c.cout, c.cin, c.k, c.k];
        m.par(&format!("{}.w", c.name), &shape, (3.0 / (c.cin * c.k * c.k) as f64).sqrt());
        m.par(&format!("{}.b", c.name), &[c.cout], 0.1);
        if c.name.ends_with("conv1") {
            size /= c.stride;
        }
        flops += 2 * c.cout * c.cin * c.k * c.k * size * size;
        if c.name == "conv1" {
            size /= 2; // the pooling behind it
        }
    }
    m.par("fc.w", &[512, 1000], (3.0f64 / 512.0).sqrt());
    m.par("fc.b", &[1000], 0.1);
    m.w.inputs = vec![m.input("x", &[batch, 3, hw, hw], 1.0)];
    m.w.flops = Some((batch * (flops + 2 * 512 * 1000)) as f64);
}
