//! Activations, softmax and the cross entropy.

use crate::expr::Expr;
use kiln_ir::{DType, Dim, Shape};

impl Expr {
    /// `maximum(x, 0)`; NaN stays NaN, and the derivative at 0 is 0.
    #[track_caller]
    pub fn relu(&self) -> Expr {
        let _here = self.graph.here();
        self.maximum(0)
    }

    /// `log(1 + e^x)` without overflow.
    #[track_caller]
    pub fn softplus(&self) -> Expr {
        let _here = self.graph.here();
        // -|x|, written so that the derivative at 0 comes out as exactly 1/2.
        let below = self.gt(0).select(-self, self);
        self.maximum(0) + below.exp().log1p()
    }

    /// `x * sigmoid(x)`, also known as swish.
    #[track_caller]
    pub fn silu(&self) -> Expr {
        let _here = self.graph.here();
        self * self.sigmoid()
    }

    /// The Gaussian error linear unit, exact: `x / 2 * (1 + erf(x / sqrt 2))`.
    #[track_caller]
    pub fn gelu(&self) -> Expr {
        let _here = self.graph.here();
        self * 0.5 * ((self * std::f64::consts::FRAC_1_SQRT_2).erf() + 1)
    }

    /// The tanh approximation of [`Expr::gelu`] (Hendrycks and Gimpel 2016).
    #[track_caller]
    pub fn gelu_tanh(&self) -> Expr {
        let _here = self.graph.here();
        let inner = (self + self * self * self * 0.044715) * (2.0 / std::f64::consts::PI).sqrt();
        self * 0.5 * (inner.tanh() + 1)
    }

    /// `x` where positive, `slope * x` elsewhere.
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Expr {
        let _here = self.graph.here();
        self.gt(0).select(self, self * slope)
    }

    /// `x` where positive, `alpha * (e^x - 1)` elsewhere.
    #[track_caller]
    pub fn elu(&self, alpha: f64) -> Expr {
        let _here = self.graph.here();
        self.gt(0).select(self, self.minimum(0).expm1() * alpha)
    }

    /// `e^x / sum(e^x)` along `axis`, without overflow.
    #[track_caller]
    pub fn softmax(&self, axis: i64) -> Expr {
        let _here = self.graph.here();
        let Some(a) = self.axis(axis, "softmax") else { return self.graph.poisoned() };
        let a = a as i64;
        let shifted = self - self.max_keepdims(a).stop_gradient();
        let e = shifted.exp();
        &e / e.sum_keepdims(a)
    }

    /// `log(softmax(x))` along `axis`, accurate where the softmax is tiny.
    #[track_caller]
    pub fn log_softmax(&self, axis: i64) -> Expr {
        let _here = self.graph.here();
        let Some(a) = self.axis(axis, "log_softmax") else { return self.graph.poisoned() };
        let a = a as i64;
        let shifted = self - self.max_keepdims(a).stop_gradient();
        &shifted - shifted.exp().sum_keepdims(a).log()
    }

    /// Cross entropy of these logits `[..., classes]` with integer class labels `[...]`: one value per label.
    ///
    /// Stable: computed from shifted logits, never from probabilities. A label outside of `0..classes` picks no class: its
    /// row gives `logsumexp(logits) - max(logits)`.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let logits = g.placeholder::<f32>("logits", dims!["batch", 10]);
    /// let labels = g.placeholder::<i32>("labels", dims!["batch"]);
    /// let loss = logits.softmax_cross_entropy(&labels).mean(..);
    /// assert_eq!(loss.ty().to_string(), "f32[]");
    /// ```
    #[track_caller]
    pub fn softmax_cross_entropy(&self, labels: &Expr) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || labels.is_poisoned() {
            return self.graph.poisoned();
        }
        let shape = self.shape();
        let fits = self.rank() == labels.rank() + 1 && shape[..labels.rank()] == labels.shape()[..];
        if !fits || !labels.dtype().is_int() {
            let label = match shape.split_last() {
                Some((_, rows)) => {
                    format!("labels are integers of shape {}, these are {}", Shape::new(rows.to_vec()), labels.ty())
                }
                None => "logits need a last dimension, the classes".to_owned(),
            };
            return self.fail2(labels, "softmax_cross_entropy.labels", "the labels do not fit the logits", label);
        }
        let shifted = self - self.max_keepdims(-1).stop_gradient();
        let mask = labels.one_hot_mask(shape[self.rank() - 1].clone());
        let picked = mask.select(&shifted, 0).sum(-1);
        shifted.exp().sum(-1).log() - picked
    }

    /// Cross entropy of these logits with target distributions of the same shape, along `axis`, which vanishes.
    #[track_caller]
    pub fn softmax_cross_entropy_dense(&self, targets: &Expr, axis: i64) -> Expr {
        let _here = self.graph.here();
        -(targets * self.log_softmax(axis)).sum(axis)
    }

    /// Binary cross entropy of these logits with targets in `[0, 1]`, elementwise and stable.
    #[track_caller]
    pub fn sigmoid_cross_entropy(&self, targets: &Expr) -> Expr {
        let _here = self.graph.here();
        self.softplus() - targets * self
    }

    /// For accuracies: 1 where the largest of these logits `[..., classes]` is at the label, otherwise 0.
    #[track_caller]
    pub fn correct(&self, labels: &Expr) -> Expr {
        let _here = self.graph.here();
        self.argmax(-1).eq(labels.cast::<i32>()).cast_to(DType::F32)
    }

    /// Normalizes over `axes` to mean 0 and variance 1: `(x - mean) / sqrt(var + epsilon)`.
    #[track_caller]
    pub fn standardize(&self, axes: impl crate::IntoAxes, epsilon: f64) -> Expr {
        let _here = self.graph.here();
        let Some(axes) = self.axes(axes, "standardize") else { return self.graph.poisoned() };
        let centered = self - self.mean_keepdims(&axes);
        let var = centered.square().mean_keepdims(&axes);
        centered * (var + epsilon).rsqrt()
    }

    /// Scaled dot-product attention: `softmax(q k^T * scale + mask) v` over `[..., length, features]`.
    ///
    /// `scale` is `1 / sqrt(features)` unless given. `mask` (bool, true keeps) broadcasts to the scores.
    #[track_caller]
    pub fn attention(&self, keys: &Expr, values: &Expr, mask: Option<&Expr>, scale: Option<f64>) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || keys.is_poisoned() || self.axis(-2, "attention").is_none() {
            return self.graph.poisoned();
        }
        let scale = match (scale, self.dim(-1)) {
            (Some(s), _) => s,
            (None, Dim::Const(n)) => 1.0 / (n as f64).sqrt(),
            (None, Dim::Expr(_)) => {
                return self.fail(
                    "attention.scale",
                    "a symbolic feature size needs a given scale",
                    "pass `Some(scale)`",
                );
            }
        };
        let scores = (self * scale).matmul(&keys.swap_axes(-1, -2));
        let scores = match mask {
            Some(mask) => mask.select(&scores, f64::from(f32::MIN) / 2.0),
            None => scores,
        };
        scores.softmax(-1).matmul(values)
    }
}
