//! Every layer and optimizer compiled: four steps of training must go as the interpreter says.

use kiln::ir::OutputKind;
use kiln::prelude::*;
use kiln_builder::Conv;
use kiln_nn::layers::*;
use kiln_nn::loss;
use kiln_nn::optim::{AdamW, Optimizer, RmsProp, Sgd, schedule};

const STEPS: usize = 4;
/// Losses and weights are f32 of about 1; each goes through some hundred roundings per step, in another order when compiled.
const TOLERANCE: f32 = 2e-5;

fn noise(shape: &[usize], seed: usize) -> Tensor {
    let n: usize = shape.iter().product();
    let values = (0..n).map(|i| ((i as f32 + 1.0) * 12.9898 + seed as f32 * 78.233).sin());
    Tensor::from_vec(shape, values.collect()).expect("as many values as the shape says")
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    let (a, b) = (a.to_vec::<f32>().expect("f32"), b.to_vec::<f32>().expect("f32"));
    // A NaN must not count as close.
    a.iter().zip(&b).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, |x, y| if y <= x { x } else { y })
}

/// Trains `layer` on noise, compiled and interpreted.
fn check(optimizer: &dyn Optimizer, shape: &[usize], layer: impl Fn(&Graph, &Expr) -> Expr) {
    let g = Graph::new("layer");
    let x = g.placeholder::<f32>("x", Shape::from_sizes(shape));
    let y = layer(&g, &x);
    let target = g.constant(noise(&y.shape().as_sizes().unwrap_or_default(), 9));
    let loss = loss::huber(&y, &target, 1.0).mean(..);
    let spec = g.function([]).named("loss", &loss).updates(optimizer.minimize(&loss));
    let func = spec.finish().unwrap_or_else(|d| panic!("{d}"));
    let exe = Compiler::cpu().threads(2).compile(&spec).unwrap_or_else(|e| panic!("{e}"));
    let mut session = Session::new(&exe).expect("initial values");
    let mut state = kiln::debug::inputs(&func, &[("x", &noise(shape, 0))]).expect("x is fed");
    for step in 0..STEPS {
        let data = noise(shape, step);
        let found = session.run(&[("x", &data)]).unwrap_or_else(|e| panic!("{e}"));
        state[0] = data;
        let values = kiln::interp::eval(&func, &state).unwrap_or_else(|e| panic!("{e}"));
        for (output, value) in func.outputs.iter().zip(values) {
            match output.kind {
                OutputKind::Fetch => {
                    let d = distance(&found[0], &value);
                    assert!(d < TOLERANCE, "step {step}: loss {:?}, expected {value:?}", found[0]);
                }
                OutputKind::Update(i) => state[i] = value,
            }
        }
    }
    for (input, value) in func.inputs.iter().zip(&state).skip(1) {
        let found = session.get(&input.name).expect("a variable");
        if input.ty.dtype == DType::F32 {
            let d = distance(&found, value);
            assert!(d < TOLERANCE, "{} is off by {d:e} after {STEPS} steps", input.name);
        } else {
            assert_eq!(found.bytes(), value.bytes(), "{}", input.name);
        }
    }
}

fn sgd() -> Sgd {
    Sgd::new(0.1).momentum(0.9).nesterov().weight_decay(1e-3)
}
fn adam() -> AdamW {
    AdamW::new(schedule::cosine(1e-2, 100, 1e-3).warmup(3)).clip_norm(1.0)
}
fn rms() -> RmsProp {
    RmsProp::new(1e-2).alpha(0.9).momentum(0.5).clip_value(0.1)
}

#[test]
fn dense_and_embedding() {
    check(&sgd(), &[5, 7], |g, x| Dense::new(g, "a", 7, 9).apply(x).gelu());
    check(&adam(), &[6, 9], |g, x| Embedding::new(g, "a", 9, 4).apply(&x.argmax(-1)));
}

#[test]
fn convolutions() {
    let conv = |i, o, kernel: &'static [usize], options: Conv| {
        move |g: &Graph, x: &Expr| Convolution::new(g, "a", i, o, kernel, options.clone()).apply(x).tanh()
    };
    check(&sgd(), &[2, 4, 11], conv(4, 6, &[3], Conv::nchw().same()));
    check(&rms(), &[2, 3, 9, 7], conv(3, 5, &[3, 3], Conv::nchw().same().stride([2, 2])));
    check(&adam(), &[2, 9, 7, 4], conv(4, 6, &[3, 3], Conv::nhwc().groups(2).kernel_dilation([2, 2])));
    check(&sgd(), &[2, 2, 5, 5, 5], conv(2, 3, &[3, 3, 3], Conv::nchw().same()));
}

#[test]
fn pooling() {
    check(&adam(), &[2, 3, 9, 7], |g, x| {
        let h = Convolution::new(g, "a", 3, 5, [1, 1], Conv::nchw()).apply(x);
        let options = Conv::nchw().same().stride([2, 2]);
        MaxPool::new([3, 3], options.clone()).apply(&h) + AvgPool::new([3, 3], options).apply(&h)
    });
}

#[test]
fn normalization() {
    check(&sgd(), &[4, 3, 5, 5], |g, x| BatchNorm::new(g, "a", 3).apply(x, Mode::Train));
    check(&adam(), &[4, 33], |g, x| LayerNorm::new(g, "a", 33).apply(x));
    check(&rms(), &[4, 33], |g, x| RmsNorm::new(g, "a", 33).apply(x));
    check(&sgd(), &[4, 8, 5], |g, x| GroupNorm::new(g, "a", 2, 8).apply(x));
}

#[test]
fn dropout_draws_the_same_numbers() {
    check(&adam(), &[4, 33], |g, x| {
        let h = Dense::new(g, "a", 33, 33).apply(x);
        Dropout::new(g, "drop", 0.3, 7).apply(&h, Mode::Train)
    });
}

// Descent, since the gradient of a key's bias is exactly zero but for rounding, which Adam would scale up to its full step.
#[test]
fn attention() {
    check(&sgd(), &[2, 5, 12], |g, x| MultiHeadAttention::new(g, "a", 12, 3).apply(x, &Mask::causal()));
    check(&sgd(), &[2, 5, 12], |g, x| TransformerBlock::new(g, "a", 12, 3, 20).apply(x, &Mask::none()));
}

#[test]
fn recurrent() {
    check(&sgd(), &[6, 3, 4], |g, x| Rnn::new(g, "a", 4, 7).apply(x).0);
    check(&sgd(), &[6, 3, 4], |g, x| Lstm::new(g, "a", 4, 7).apply(x).0);
    check(&adam(), &[6, 3, 4], |g, x| Lstm::new(g, "a", 4, 7).apply(x).1.c);
    check(&adam(), &[6, 3, 4], |g, x| Gru::new(g, "a", 4, 7).apply(x).0);
}
