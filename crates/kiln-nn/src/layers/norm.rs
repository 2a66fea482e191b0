//! Normalization.

use super::{Mode, Params, along, checked, full_name};
use kiln_builder::{Diagnostic, Dim, Expr, Graph, Shape, UpdateWhen, init};

macro_rules! epsilon {
    ($($ty:ident: $of:literal),*) => {$(
        impl $ty {
            #[doc = concat!("What is added to the ", $of, ".")]
            pub fn epsilon(mut self, epsilon: f64) -> $ty {
                self.epsilon = epsilon;
                self
            }
        }
    )*};
}
epsilon!(LayerNorm: "variance", RmsNorm: "mean square", GroupNorm: "variance", BatchNorm: "variance");

/// Layer normalization over the last dimension (Ba et al. 2016): `(x - mean) / sqrt(var + epsilon) * scale + bias`.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::LayerNorm;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", "seq", 64]);
/// let y = LayerNorm::new(&g, "norm", 64).apply(&x);
/// # assert_eq!(y.ty().to_string(), "f32[batch, seq, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct LayerNorm {
    name: String,
    size: usize,
    epsilon: f64,
    scale: Expr,
    bias: Option<Expr>,
}

impl LayerNorm {
    /// For a last dimension of this size; epsilon is 1e-5.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, size: usize) -> LayerNorm {
        LayerNorm::with(g, name, size, &Params::default())
    }

    /// [`LayerNorm::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, size: usize, params: &Params) -> LayerNorm {
        let (name, scale, bias) = scale_and_bias(g, name, size, params);
        LayerNorm { name, size, epsilon: 1e-5, scale, bias }
    }

    /// Applies it to `[..., size]`.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> Expr {
        let _here = x.graph().here();
        if checked(&self.name, "features", x, -1, self.size).is_none() {
            return x.graph().poisoned();
        }
        let y = x.standardize(-1, self.epsilon) * &self.scale;
        match &self.bias {
            Some(b) => y + b,
            None => y,
        }
    }
}

/// Variables that every normalization has: ones and zeros. The name comes with its scopes.
#[track_caller]
fn scale_and_bias(g: &Graph, name: &str, size: usize, params: &Params) -> (String, Expr, Option<Expr>) {
    let _here = g.here();
    let _scope = g.enter(name);
    let scale = g.variable("scale", init::ones([size]).dtype(params.dtype));
    let bias = params.bias_of(g, "bias", size);
    (full_name(&scale, "scale"), scale, bias)
}

/// Root mean square normalization over the last dimension (Zhang and Sennrich 2019): `x / sqrt(mean(x^2) + epsilon) * scale`.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::RmsNorm;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 64]);
/// let y = RmsNorm::new(&g, "norm", 64).apply(&x);
/// # assert_eq!(y.ty().to_string(), "f32[batch, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct RmsNorm {
    name: String,
    size: usize,
    epsilon: f64,
    scale: Expr,
}

impl RmsNorm {
    /// For a last dimension of this size; epsilon is 1e-6.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, size: usize) -> RmsNorm {
        RmsNorm::with(g, name, size, &Params::default())
    }

    /// [`RmsNorm::new`] with another variable.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, size: usize, params: &Params) -> RmsNorm {
        let (name, scale, _) = scale_and_bias(g, name, size, &params.clone().bias(false));
        RmsNorm { name, size, epsilon: 1e-6, scale }
    }

    /// Applies it to `[..., size]`.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> Expr {
        let _here = x.graph().here();
        if checked(&self.name, "features", x, -1, self.size).is_none() {
            return x.graph().poisoned();
        }
        x * (x.square().mean_keepdims(-1) + self.epsilon).rsqrt() * &self.scale
    }
}

/// Group normalization (Wu and He 2018): standardizes groups of channels of each example, over space.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::GroupNorm;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 16, 8, 8]);
/// let y = GroupNorm::new(&g, "norm", 4, 16).apply(&x);
/// # assert_eq!(y.ty().to_string(), "f32[batch, 16, 8, 8]");
/// ```
#[derive(Clone, Debug)]
pub struct GroupNorm {
    name: String,
    groups: usize,
    channels: usize,
    epsilon: f64,
    scale: Expr,
    bias: Option<Expr>,
}

impl GroupNorm {
    /// For `[batch, channels, spatial...]`; the number of channels is a multiple of `groups`; epsilon is 1e-5.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, groups: usize, channels: usize) -> GroupNorm {
        GroupNorm::with(g, name, groups, channels, &Params::default())
    }

    /// [`GroupNorm::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, groups: usize, channels: usize, params: &Params) -> GroupNorm {
        let _here = g.here();
        if groups == 0 || !channels.is_multiple_of(groups) {
            g.report(
                Diagnostic::new("group_norm.groups", format!("the channels of \"{name}\" do not split into groups"))
                    .label(format!("{channels} channels, {groups} groups")),
            );
        }
        let (name, scale, bias) = scale_and_bias(g, name, channels, params);
        GroupNorm { name, groups, channels, epsilon: 1e-5, scale, bias }
    }

    /// Applies it to `[batch, channels, spatial...]`.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> Expr {
        let _here = x.graph().here();
        if checked(&self.name, "channels", x, 1, self.channels).is_none() || self.groups == 0 {
            return x.graph().poisoned();
        }
        let shape = x.shape();
        let mut grouped = shape.clone();
        grouped[1] = Dim::from(self.channels / self.groups);
        grouped.insert(1, Dim::from(self.groups));
        let axes: Vec<usize> = (2..grouped.rank()).collect();
        let y = x.reshape(grouped).standardize(axes, self.epsilon).reshape(&shape);
        let y = y * along(&self.scale, shape.rank(), 1);
        match &self.bias {
            Some(b) => y + along(b, shape.rank(), 1),
            None => y,
        }
    }
}

/// Batch normalization (Ioffe and Szegedy 2015) over all dimensions but the channels.
///
/// In [`Mode::Train`] the batch's own statistics are used, and running statistics are updated by every function that has updates
/// (of several applications in training mode the last one's count): `r += momentum * (batch - r)`, with the unbiased variance, as
/// PyTorch does. In [`Mode::Infer`] the running statistics are used.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::{BatchNorm, Mode};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 16, 8, 8]);
/// let norm = BatchNorm::new(&g, "norm", 16);
/// let (train, infer) = (norm.apply(&x, Mode::Train), norm.apply(&x, Mode::Infer));
/// # let _ = (train, infer);
/// ```
#[derive(Clone, Debug)]
pub struct BatchNorm {
    name: String,
    channels: usize,
    axis: i64,
    momentum: f64,
    epsilon: f64,
    scale: Expr,
    bias: Option<Expr>,
    mean: Expr,
    var: Expr,
}

impl BatchNorm {
    /// For inputs with the channels in dimension 1; momentum is 0.1, epsilon 1e-5.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, channels: usize) -> BatchNorm {
        BatchNorm::with(g, name, channels, &Params::default())
    }

    /// [`BatchNorm::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, channels: usize, params: &Params) -> BatchNorm {
        let _here = g.here();
        let (full, scale, bias) = scale_and_bias(g, name, channels, params);
        let _scope = g.enter(name);
        let running = |name: &str, start: f64| {
            g.variable(name, init::constant([channels], start).dtype(params.dtype).trainable(false))
        };
        let (mean, var) = (running("mean", 0.0), running("var", 1.0));
        BatchNorm { name: full, channels, axis: 1, momentum: 0.1, epsilon: 1e-5, scale, bias, mean, var }
    }

    /// The dimension of the channels; negative ones count from the end.
    pub fn axis(mut self, axis: i64) -> BatchNorm {
        self.axis = axis;
        self
    }

    /// How much of a batch goes into the running statistics.
    pub fn momentum(mut self, momentum: f64) -> BatchNorm {
        self.momentum = momentum;
        self
    }

    /// Applies it to a batch.
    #[track_caller]
    pub fn apply(&self, x: &Expr, mode: Mode) -> Expr {
        let _here = x.graph().here();
        if checked(&self.name, "channels", x, self.axis, self.channels).is_none() {
            return x.graph().poisoned();
        }
        let rank = x.rank();
        let axis = if self.axis < 0 { rank - self.axis.unsigned_abs() as usize } else { self.axis as usize };
        let wide = |v: &Expr| along(v, rank, axis);
        let (mean, var) = match mode {
            Mode::Infer => (wide(&self.mean), wide(&self.var)),
            Mode::Train => self.batch_statistics(x, axis),
        };
        let y = (x - mean) * ((var + self.epsilon).rsqrt() * wide(&self.scale));
        match &self.bias {
            Some(b) => y + wide(b),
            None => y,
        }
    }

    /// Mean and variance of the batch (keeping dimensions), and the updates of the running ones.
    #[track_caller]
    fn batch_statistics(&self, x: &Expr, axis: usize) -> (Expr, Expr) {
        let g = x.graph();
        let others: Vec<usize> = (0..x.rank()).filter(|&a| a != axis).collect();
        let mean = x.mean_keepdims(&others);
        let var = (x - &mean).square().mean_keepdims(&others);
        let count =
            others.iter().fold(g.ones(x.dtype(), Shape::scalar()), |n, &a| n * x.size(a as i64).cast_to(x.dtype()));
        // A batch of one element has no unbiased variance; its biased one, 0, stands in.
        let unbiased = &var * (&count / (&count - 1.0).maximum(1.0));
        for (running, batch) in [(&self.mean, &mean), (&self.var, &unbiased)] {
            let batch = batch.reshape(running.shape()).stop_gradient();
            let new = running + (batch - running) * self.momentum;
            g.register_update(running, &new, UpdateWhen::Training);
        }
        (mean, var)
    }
}
