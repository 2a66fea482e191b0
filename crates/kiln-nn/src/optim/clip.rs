//! Gradient clipping.

use kiln_builder::{DType, Expr};

/// One clipping of all gradients.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clip {
    /// Every element into `[-limit, limit]`.
    Value(f64),
    /// All together so that their global norm is at most this.
    Norm(f64),
}

impl Clip {
    #[track_caller]
    pub(super) fn apply(self, gradients: Vec<(Expr, Expr)>) -> Vec<(Expr, Expr)> {
        match self {
            Clip::Value(limit) => gradients.into_iter().map(|(v, g)| (v, g.clamp(-limit, limit))).collect(),
            Clip::Norm(limit) => {
                let all: Vec<&Expr> = gradients.iter().map(|(_, g)| g).collect();
                let Some(norm) = global_norm(&all) else { return gradients };
                // The small number is PyTorch's: clip_grad_norm_ guards the division with it.
                let factor = (limit / (norm + 1e-6)).minimum(1.0);
                let scaled = |(v, g): (Expr, Expr)| {
                    let g = &g * factor.cast_to(g.dtype());
                    (v, g)
                };
                gradients.into_iter().map(scaled).collect()
            }
        }
    }
}

/// The Euclidean norm of all elements of all these tensors, a scalar: f64 if one of them is, otherwise f32. `None` when there are
/// no tensors.
///
/// ```
/// use kiln_builder::Graph;
/// let g = Graph::new("g");
/// let (a, b) = (g.constant([3.0f32, 0.0]), g.constant([[0.0f32, 4.0]]));
/// let norm = kiln_nn::optim::global_norm(&[&a, &b]).unwrap();
/// assert_eq!(norm.ty().to_string(), "f32[]");
/// ```
#[track_caller]
pub fn global_norm(tensors: &[&Expr]) -> Option<Expr> {
    let _here = tensors.first()?.graph().here();
    let dtype = if tensors.iter().any(|t| t.dtype() == DType::F64) { DType::F64 } else { DType::F32 };
    let squares = tensors.iter().map(|t| t.cast_to(dtype).square().sum(..));
    squares.reduce(|a, b| a + b).map(|sum| sum.sqrt())
}
