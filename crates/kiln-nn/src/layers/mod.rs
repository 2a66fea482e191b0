//! Layers: variables under a name, and a method that applies them.
//!
//! A layer is made once (`new` declares its variables as `name/w`, `name/b`, ...) and applied as often as one likes; applying it
//! twice shares the weights. [`Params`] chooses dtype, bias and initial values.
//!
//! ```
//! use kiln_builder::{Conv, Graph, dims};
//! use kiln_nn::layers::{Convolution, Dense};
//! let g = Graph::new("digits");
//! let image = g.placeholder::<f32>("image", dims!["batch", 1, 8, 8]);
//! let conv = Convolution::new(&g, "conv", 1, 16, [3, 3], Conv::nchw().same());
//! let dense = Dense::new(&g, "out", 16 * 8 * 8, 10);
//! let h = conv.apply(&image).relu().reshape(dims!["batch", -1]);
//! let logits = dense.apply(&h);
//! assert_eq!(logits.ty().to_string(), "f32[batch, 10]");
//! ```

mod attention;
mod conv;
mod dense;
mod norm;
mod recurrent;
mod sequential;
#[cfg(test)]
mod tests;

pub use attention::{Mask, MultiHeadAttention, TransformerBlock};
pub use conv::{AvgPool, Convolution, MaxPool, global_avg_pool};
pub use dense::{Dense, Dropout, Embedding};
pub use norm::{BatchNorm, GroupNorm, LayerNorm, RmsNorm};
pub use recurrent::{Gru, Lstm, LstmState, Rnn};
pub use sequential::{Layer, Sequential};

use kiln_builder::init::VariableInit;
use kiln_builder::{DType, Diagnostic, Dim, Expr, Graph, Shape, init};
use std::fmt;
use std::rc::Rc;

/// Whether a layer that behaves differently in training is applied for training or for use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Dropout drops, batch normalization uses the statistics of the batch and updates the running ones.
    Train,
    /// Dropout does nothing, batch normalization uses the running statistics.
    Infer,
}

/// How a layer's variables are made.
///
/// ```
/// use kiln_builder::{DType, Graph, init};
/// use kiln_nn::layers::{Dense, Params};
/// let g = Graph::new("g");
/// let params = Params::default().dtype(DType::F64).bias(false).init(init::he_normal);
/// let dense = Dense::with(&g, "fc", 4, 8, &params);
/// assert_eq!(g.variables().len(), 1);
/// # let _ = dense;
/// ```
#[derive(Clone)]
pub struct Params {
    dtype: DType,
    bias: bool,
    init: Option<Rc<dyn Fn(Shape) -> VariableInit>>,
}

impl Default for Params {
    /// f32, with bias, initial values as the layer says.
    fn default() -> Params {
        Params { dtype: DType::F32, bias: true, init: None }
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Params { dtype, bias, init } = self;
        write!(f, "Params({dtype}, bias: {bias}, init: {})", if init.is_some() { "given" } else { "default" })
    }
}

impl Params {
    /// Element type of all variables, a float.
    pub fn dtype(mut self, dtype: DType) -> Params {
        self.dtype = dtype;
        self
    }
    /// False leaves out the biases.
    pub fn bias(mut self, bias: bool) -> Params {
        self.bias = bias;
        self
    }
    /// Initial values of the weight matrices or kernels. Biases start at 0, scales at 1.
    pub fn init(mut self, init: impl Fn(Shape) -> VariableInit + 'static) -> Params {
        self.init = Some(Rc::new(init));
        self
    }

    /// A weight with the chosen initial values, or these.
    #[track_caller]
    fn weight(&self, g: &Graph, name: &str, shape: Shape, default: impl Fn(Shape) -> VariableInit) -> Expr {
        let init = match &self.init {
            Some(init) => init(shape),
            None => default(shape),
        };
        g.variable(name, init.dtype(self.dtype))
    }

    /// A bias of zeros, if there are biases.
    #[track_caller]
    fn bias_of(&self, g: &Graph, name: &str, size: usize) -> Option<Expr> {
        self.bias.then(|| g.variable(name, init::zeros([size]).dtype(self.dtype)))
    }
}

/// The input, if its dimension `axis` has the size that the layer was made for; otherwise a diagnostic and `None`.
#[track_caller]
fn checked(layer: &str, what: &str, x: &Expr, axis: i64, size: usize) -> Option<()> {
    if x.is_poisoned() {
        return None;
    }
    let rank = x.rank() as i64;
    let at = if axis < 0 { axis + rank } else { axis };
    let found = if (0..rank).contains(&at) { Some(x.shape()[at as usize].clone()) } else { None };
    if found == Some(Dim::from(size)) {
        return Some(());
    }
    let label = match found {
        Some(found) => format!("the layer was made for {size} {what}, dim {at} of the input has size {found}"),
        None => format!("the layer was made for {size} {what} in dim {axis}, the input has {rank} dimensions"),
    };
    x.graph().report(
        Diagnostic::new("layer.input", format!("the input does not fit the layer \"{layer}\""))
            .label(label)
            .note("input", x.describe()),
    );
    None
}

/// A per-channel vector as a tensor that broadcasts along all dimensions but `axis`.
#[track_caller]
fn along(vector: &Expr, rank: usize, axis: usize) -> Expr {
    let sizes = (0..rank).map(|a| if a == axis { vector.dim(0) } else { Dim::Const(1) });
    vector.reshape(Shape::new(sizes))
}

/// The name of a layer with its scopes, from one of its variables.
fn full_name(variable: &Expr, own: &str) -> String {
    let name = variable.name().unwrap_or_default();
    name.strip_suffix(&format!("/{own}")).unwrap_or(&name).to_owned()
}
