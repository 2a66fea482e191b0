//! The two networks.

use kiln::builder::{Conv, Pool};
use kiln::nn::layers::{Convolution, Dense, Dropout, MaxPool, Mode, Sequential};
use kiln::prelude::*;
use std::fmt;

/// Classes.
pub const DIGITS: usize = 10;

/// A network to train.
#[derive(Clone, Copy)]
pub enum Model {
    /// Two hidden layers.
    Mlp,
    /// Two convolutions with pooling, one hidden layer.
    Cnn,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Model::Mlp => "MLP",
            Model::Cnn => "CNN",
        })
    }
}

impl Model {
    /// The layers, for images `[batch, 1, side, side]`.
    pub fn layers(self, g: &Graph, side: usize) -> Sequential {
        match self {
            Model::Mlp => mlp(g, side),
            Model::Cnn => cnn(g, side),
        }
    }
}

fn mlp(g: &Graph, side: usize) -> Sequential {
    let hidden = 256;
    Sequential::new()
        .flatten()
        .add(Dense::new(g, "fc1", side * side, hidden))
        .map(Expr::relu)
        .add(Dropout::new(g, "drop1", 0.2, 1))
        .add(Dense::new(g, "fc2", hidden, hidden))
        .map(Expr::relu)
        .add(Dropout::new(g, "drop2", 0.2, 2))
        .add(Dense::new(g, "out", hidden, DIGITS))
}

fn cnn(g: &Graph, side: usize) -> Sequential {
    let (channels, hidden) = ([16, 32], 128);
    // Two poolings halve the side twice.
    let features = channels[1] * (side / 4) * (side / 4);
    Sequential::new()
        .add(Convolution::new(g, "conv1", 1, channels[0], [3, 3], Conv::nchw().same()))
        .map(Expr::relu)
        .add(MaxPool::new([2, 2], Pool::nchw()))
        .add(Convolution::new(g, "conv2", channels[0], channels[1], [3, 3], Conv::nchw().same()))
        .map(Expr::relu)
        .add(MaxPool::new([2, 2], Pool::nchw()))
        .flatten()
        .add(Dense::new(g, "fc", features, hidden))
        .map(Expr::relu)
        .add(Dropout::new(g, "drop", 0.3, 1))
        .add(Dense::new(g, "out", hidden, DIGITS))
}

/// The functions of a network: one step of training, and prediction. They share the graph, hence the variables.
pub struct Functions {
    /// Inputs `image` and `label`; fetches the `loss`; updates the weights.
    pub step: FunctionSpec,
    /// Input `image`; fetches `probs` and `label`.
    pub predict: FunctionSpec,
}

/// Records both functions for images of `side` x `side` pixels and this many steps of training.
pub fn functions(model: Model, side: usize, steps: usize) -> Functions {
    let g = Graph::new(model.to_string().to_lowercase());
    let image = g.placeholder::<f32>("image", dims!["batch", 1, side, side]);
    let label = g.placeholder::<i32>("label", dims!["batch"]);
    let layers = model.layers(&g, side);

    let loss = layers.apply(&image, Mode::Train).softmax_cross_entropy(&label).mean(..);
    let rate = optim::schedule::cosine(2e-3, steps, 0.0).warmup(steps / 20);
    let updates = optim::AdamW::new(rate).decay_filter(|name| name.ends_with("/w")).minimize(&loss);
    let step = g.function([]).name(format!("{}_step", g.name())).named("loss", &loss).updates(updates);

    let logits = layers.apply(&image, Mode::Infer);
    let predict = g.function([]).named("probs", &logits.softmax(-1)).named("label", &logits.argmax(-1));
    Functions { step, predict }
}
