//! Attention.

use super::{Dense, LayerNorm, Params};
use kiln_builder::{DType, Diagnostic, Dim, Expr, Graph, Shape};

/// Which keys a query may see.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::Mask;
/// let g = Graph::new("g");
/// let is_word = g.placeholder::<bool>("is_word", dims!["batch", "seq"]);
/// let mask = Mask::causal().keys(&is_word);
/// # let _ = mask;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mask {
    causal: bool,
    keys: Option<Expr>,
    pairs: Option<Expr>,
}

impl Mask {
    /// All keys.
    pub fn none() -> Mask {
        Mask::default()
    }
    /// Keys up to the query's own position.
    pub fn causal() -> Mask {
        Mask { causal: true, ..Mask::default() }
    }
    /// Only keys where this (bool, `[batch, keys]`) is true: what is not padding.
    pub fn keys(mut self, keep: &Expr) -> Mask {
        self.keys = Some(keep.clone());
        self
    }
    /// Only where this (bool, of a shape that broadcasts to `[batch, heads, queries, keys]`) is true.
    pub fn pairs(mut self, keep: &Expr) -> Mask {
        self.pairs = Some(keep.clone());
        self
    }

    /// Scores `[batch, heads, queries, keys]` with a very small number where the mask says no.
    #[track_caller]
    fn apply(&self, scores: Expr) -> Expr {
        if scores.is_poisoned() {
            return scores;
        }
        let g = scores.graph().clone();
        let mut keep: Vec<Expr> = Vec::new();
        if self.causal {
            let plane = Shape::new([scores.dim(2), scores.dim(3)]);
            keep.push(g.iota(DType::I32, &plane, 0).ge(g.iota(DType::I32, &plane, 1)));
        }
        if let Some(keys) = &self.keys {
            keep.push(keys.expand_dims(1).expand_dims(1));
        }
        keep.extend(self.pairs.clone());
        // Finite, so that a query that may see nothing gets the mean of all values and not NaN.
        let never = if scores.dtype() == DType::F16 { -6e4 } else { -1e30 };
        match keep.into_iter().reduce(|a, b| a & b) {
            Some(keep) => keep.select(&scores, never),
            None => scores,
        }
    }
}

/// Multi-head attention (Vaswani et al. 2017) over `[batch, length, width]`: dense layers `q`, `k`, `v` and `out` around
/// `softmax(q k^T / sqrt(width / heads)) v`.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::{Mask, MultiHeadAttention};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", "seq", 64]);
/// let attention = MultiHeadAttention::new(&g, "attention", 64, 4);
/// let y = attention.apply(&x, &Mask::causal());
/// assert_eq!(y.ty().to_string(), "f32[batch, seq, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct MultiHeadAttention {
    heads: usize,
    size: usize,
    q: Dense,
    k: Dense,
    v: Dense,
    out: Dense,
}

impl MultiHeadAttention {
    /// For features of `width`, a multiple of `heads`.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, width: usize, heads: usize) -> MultiHeadAttention {
        MultiHeadAttention::with(g, name, width, heads, &Params::default())
    }

    /// [`MultiHeadAttention::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, width: usize, heads: usize, params: &Params) -> MultiHeadAttention {
        let _here = g.here();
        let _scope = g.enter(name);
        if heads == 0 || !width.is_multiple_of(heads) {
            g.report(
                Diagnostic::new("attention.heads", format!("the width of \"{name}\" does not split into heads"))
                    .label(format!("width {width}, {heads} heads")),
            );
        }
        let dense = |name: &str| Dense::with(g, name, width, width, params);
        let (q, k, v, out) = (dense("q"), dense("k"), dense("v"), dense("out"));
        MultiHeadAttention { heads, size: width.checked_div(heads).unwrap_or(1), q, k, v, out }
    }

    /// Self-attention: `x` is `[batch, length, width]`.
    #[track_caller]
    pub fn apply(&self, x: &Expr, mask: &Mask) -> Expr {
        self.apply_to(x, x, mask)
    }

    /// Attention of `x` `[batch, queries, width]` to `memory` `[batch, keys, width]`.
    #[track_caller]
    pub fn apply_to(&self, x: &Expr, memory: &Expr, mask: &Mask) -> Expr {
        let g = x.graph();
        let _here = g.here();
        let (q, k, v) =
            (self.split(self.q.apply(x)), self.split(self.k.apply(memory)), self.split(self.v.apply(memory)));
        // Scaling the queries costs less than scaling the scores.
        let q = q * (1.0 / (self.size as f64).sqrt());
        let weights = mask.apply(g.einsum("bqhd,bkhd->bhqk", &[&q, &k])).softmax(-1);
        let mixed = g.einsum("bhqk,bkhd->bqhd", &[&weights, &v]);
        if mixed.is_poisoned() {
            return mixed;
        }
        self.out.apply(&mixed.reshape(x.shape()))
    }

    /// `[batch, length, width]` to `[batch, length, heads, width / heads]`.
    #[track_caller]
    fn split(&self, x: Expr) -> Expr {
        if x.is_poisoned() {
            return x;
        }
        if x.rank() != 3 {
            return x.graph().fail(
                Diagnostic::new("attention.rank", "attention needs [batch, length, width]")
                    .label(format!("the input has {} dimensions", x.rank()))
                    .note("input", x.describe()),
            );
        }
        x.reshape([x.dim(0), x.dim(1), Dim::from(self.heads), Dim::from(self.size)])
    }
}

/// A block of a transformer with the norms in front (as in GPT-2): `x + attention(norm(x))`, then `x + mlp(norm(x))` with a hidden
/// layer and GELU.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::{Mask, TransformerBlock};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", "seq", 64]);
/// let y = (0..2).fold(x, |x, i| {
///     TransformerBlock::new(&g, &format!("block{i}"), 64, 4, 256).apply(&x, &Mask::causal())
/// });
/// assert_eq!(y.ty().to_string(), "f32[batch, seq, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct TransformerBlock {
    norm1: LayerNorm,
    attention: MultiHeadAttention,
    norm2: LayerNorm,
    hidden: Dense,
    out: Dense,
}

impl TransformerBlock {
    /// For features of `width`, with this many heads and a hidden layer of this size.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, width: usize, heads: usize, hidden: usize) -> TransformerBlock {
        TransformerBlock::with(g, name, width, heads, hidden, &Params::default())
    }

    /// [`TransformerBlock::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, width: usize, heads: usize, hidden: usize, params: &Params) -> TransformerBlock {
        let _here = g.here();
        let _scope = g.enter(name);
        TransformerBlock {
            norm1: LayerNorm::with(g, "norm1", width, params),
            attention: MultiHeadAttention::with(g, "attention", width, heads, params),
            norm2: LayerNorm::with(g, "norm2", width, params),
            hidden: Dense::with(g, "hidden", width, hidden, params),
            out: Dense::with(g, "out", hidden, width, params),
        }
    }

    /// Applies it to `[batch, length, width]`.
    #[track_caller]
    pub fn apply(&self, x: &Expr, mask: &Mask) -> Expr {
        let _here = x.graph().here();
        let x = x + self.attention.apply(&self.norm1.apply(x), mask);
        let h = self.hidden.apply(&self.norm2.apply(&x)).gelu_tanh();
        x + self.out.apply(&h)
    }
}
