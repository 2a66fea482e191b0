//! Layers in a row.

use super::{AvgPool, BatchNorm, Convolution, Dense, Dropout, Embedding, GroupNorm, LayerNorm, MaxPool, Mode, RmsNorm};
use kiln_builder::{Dim, Expr, Shape};
use std::rc::Rc;

/// What maps one tensor to another.
pub trait Layer {
    /// Applies it, for training or for use.
    #[track_caller]
    fn forward(&self, x: &Expr, mode: Mode) -> Expr;
}

macro_rules! layers {
    ($($ty:ident),*; $($moded:ident),*) => {
        $(impl Layer for $ty {
            #[track_caller]
            fn forward(&self, x: &Expr, _: Mode) -> Expr {
                self.apply(x)
            }
        })*
        $(impl Layer for $moded {
            #[track_caller]
            fn forward(&self, x: &Expr, mode: Mode) -> Expr {
                self.apply(x, mode)
            }
        })*
    };
}
layers!(AvgPool, Convolution, Dense, Embedding, GroupNorm, LayerNorm, MaxPool, RmsNorm; BatchNorm, Dropout);

/// A function of one tensor as a layer.
struct Map<F>(F);

impl<F: Fn(&Expr) -> Expr> Layer for Map<F> {
    #[track_caller]
    fn forward(&self, x: &Expr, _: Mode) -> Expr {
        self.0(x)
    }
}

/// Layers that are applied one after the other.
///
/// ```
/// use kiln_builder::{Graph, dims};
/// use kiln_nn::layers::{Dense, Dropout, Mode, Sequential};
/// let g = Graph::new("mlp");
/// let model = Sequential::new()
///     .add(Dense::new(&g, "fc1", 64, 32))
///     .map(|x| x.relu())
///     .add(Dropout::new(&g, "drop", 0.1, 1))
///     .add(Dense::new(&g, "fc2", 32, 10));
/// let x = g.placeholder::<f32>("x", dims!["batch", 64]);
/// let logits = model.apply(&x, Mode::Train);
/// assert_eq!(logits.ty().to_string(), "f32[batch, 10]");
/// ```
#[derive(Clone, Default)]
pub struct Sequential(Vec<Rc<dyn Layer>>);

impl Sequential {
    /// Without layers: the identity.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// Appends a layer.
    #[allow(clippy::should_implement_trait, reason = "models are read from top to bottom, and `add` is what it does")]
    pub fn add(mut self, layer: impl Layer + 'static) -> Sequential {
        self.0.push(Rc::new(layer));
        self
    }

    /// Appends a function, such as an activation.
    pub fn map(self, f: impl Fn(&Expr) -> Expr + 'static) -> Sequential {
        self.add(Map(f))
    }

    /// Appends a reshape that keeps the first dimension and merges all others.
    pub fn flatten(self) -> Sequential {
        self.map(|x| match x.rank() {
            0 => x.clone(),
            _ => x.reshape(Shape::new([x.dim(0), Dim::Const(-1)])),
        })
    }

    /// Applies all layers.
    #[track_caller]
    pub fn apply(&self, x: &Expr, mode: Mode) -> Expr {
        let _here = x.graph().here();
        self.0.iter().fold(x.clone(), |x, layer| layer.forward(&x, mode))
    }
}

impl Layer for Sequential {
    #[track_caller]
    fn forward(&self, x: &Expr, mode: Mode) -> Expr {
        self.apply(x, mode)
    }
}
