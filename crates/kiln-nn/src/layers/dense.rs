//! Dense layers, embeddings and dropout.

use super::{Mode, Params, checked, full_name};
use kiln_builder::{Diagnostic, Expr, Graph, Rng, Shape, init};

/// `x w + b` over the last dimension, with `w` of `[inputs, outputs]`. Initially `w` is Glorot uniform, `b` zero.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::Dense;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 784]);
/// let fc1 = Dense::new(&g, "fc1", 784, 256);
/// let h = fc1.apply(&x).relu();
/// assert_eq!(fc1.weights().name().unwrap(), "fc1/w");
/// assert_eq!(h.ty().to_string(), "f32[batch, 256]");
/// ```
#[derive(Clone, Debug)]
pub struct Dense {
    name: String,
    inputs: usize,
    w: Expr,
    b: Option<Expr>,
}

impl Dense {
    /// A layer of f32 with bias.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, inputs: usize, outputs: usize) -> Dense {
        Dense::with(g, name, inputs, outputs, &Params::default())
    }

    /// [`Dense::new`] with other variables.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, inputs: usize, outputs: usize, params: &Params) -> Dense {
        let _here = g.here();
        let _scope = g.enter(name);
        let w = params.weight(g, "w", Shape::from_sizes(&[inputs, outputs]), init::glorot_uniform);
        let b = params.bias_of(g, "b", outputs);
        Dense { name: full_name(&w, "w"), inputs, w, b }
    }

    /// Applies it to `[..., inputs]`, giving `[..., outputs]`.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> Expr {
        let _here = x.graph().here();
        if checked(&self.name, "inputs", x, -1, self.inputs).is_none() {
            return x.graph().poisoned();
        }
        let y = x.dot(&self.w);
        match &self.b {
            Some(b) => y + b,
            None => y,
        }
    }

    /// The matrix `[inputs, outputs]`.
    pub fn weights(&self) -> &Expr {
        &self.w
    }

    /// The bias `[outputs]`.
    pub fn bias(&self) -> Option<&Expr> {
        self.b.as_ref()
    }
}

/// Rows of a table by integer id. Initially normal with standard deviation 1.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::Embedding;
/// let g = Graph::new("g");
/// let ids = g.placeholder::<i32>("ids", dims!["batch", "seq"]);
/// let words = Embedding::new(&g, "words", 1000, 64);
/// assert_eq!(words.apply(&ids).ty().to_string(), "f32[batch, seq, 64]");
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    name: String,
    table: Expr,
}

impl Embedding {
    /// A table of f32.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, rows: usize, width: usize) -> Embedding {
        Embedding::with(g, name, rows, width, &Params::default())
    }

    /// [`Embedding::new`] with another variable.
    #[track_caller]
    pub fn with(g: &Graph, name: &str, rows: usize, width: usize, params: &Params) -> Embedding {
        let _here = g.here();
        let _scope = g.enter(name);
        let shape = Shape::from_sizes(&[rows, width]);
        let table = params.weight(g, "table", shape, |s| init::normal(s, 1.0));
        Embedding { name: full_name(&table, "table"), table }
    }

    /// The rows for integer ids of any shape: `[ids..., width]`. Ids out of range take the nearest row.
    #[track_caller]
    pub fn apply(&self, ids: &Expr) -> Expr {
        let g = ids.graph();
        let _here = g.here();
        if !ids.is_poisoned() && !ids.dtype().is_int() {
            return g.fail(
                Diagnostic::new(
                    "embedding.ids",
                    format!("the ids of the embedding \"{}\" must be integers", self.name),
                )
                .label(format!("they are {}", ids.dtype()))
                .note("ids", ids.describe()),
            );
        }
        if ids.is_poisoned() { g.poisoned() } else { self.table.embedding(ids) }
    }

    /// Scores of every row for features `[..., width]`: `[..., rows]`, the output layer of a language model with tied weights.
    #[track_caller]
    pub fn scores(&self, x: &Expr) -> Expr {
        let _here = x.graph().here();
        x.dot(&self.table.t())
    }

    /// The table `[rows, width]`.
    pub fn table(&self) -> &Expr {
        &self.table
    }
}

/// Sets elements to zero at random in training, and scales the others so that the mean stays (Srivastava et al. 2014).
///
/// The random state is a variable: a session draws other numbers at every step, and the same ones again from the same seed.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::{Dropout, Mode};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 64]);
/// let drop = Dropout::new(&g, "drop", 0.1, 42);
/// let h = drop.apply(&x, Mode::Train);
/// # let _ = h;
/// ```
#[derive(Clone)]
pub struct Dropout {
    rate: f64,
    rng: Rng,
}

impl Dropout {
    /// Drops with probability `rate`, in `[0, 1)`.
    #[track_caller]
    pub fn new(g: &Graph, name: &str, rate: f64, seed: u64) -> Dropout {
        let _here = g.here();
        if !(0.0..1.0).contains(&rate) {
            g.report(
                Diagnostic::new("dropout.rate", format!("the rate of the dropout \"{name}\" must be in [0, 1)"))
                    .label(format!("it is {rate}")),
            );
        }
        Dropout { rate, rng: g.rng_state(name, seed) }
    }

    /// Applies it to a tensor of any shape; the identity in [`Mode::Infer`].
    #[track_caller]
    pub fn apply(&self, x: &Expr, mode: Mode) -> Expr {
        let _here = x.graph().here();
        if mode == Mode::Infer || self.rate == 0.0 || x.is_poisoned() {
            return x.clone();
        }
        let keep = 1.0 - self.rate;
        self.rng.bernoulli(keep, x.shape()).select(x * (1.0 / keep), 0.0)
    }
}
