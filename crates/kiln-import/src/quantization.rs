//! Quantized tensors: integers with scales and zero points.

use kiln_builder::{Expr, Shape};
use kiln_ir::{DType, Dim, Op, Tensor, UnaryOp};

/// How integers stand for numbers: `(integer - zero point) * scale`.
#[derive(Clone, PartialEq, Debug)]
pub struct Quantization {
    /// Type of the integers.
    pub storage: DType,
    /// Type of the numbers that they stand for.
    pub expressed: DType,
    /// Smallest and largest integer.
    pub range: (i64, i64),
    /// The dimension that has a scale for each index; one scale for all without it.
    pub axis: Option<usize>,
    /// The scales.
    pub scales: Vec<f64>,
    /// The integers that stand for 0, as many as there are scales.
    pub zero_points: Vec<i64>,
}

impl Quantization {
    /// One number for each index of the axis (or one for all) as a tensor of this shape and the expressed type.
    fn spread(&self, like: &Expr, values: impl Iterator<Item = f64>) -> Option<Expr> {
        let g = like.graph();
        let values: Vec<f64> = values.collect();
        let (shape, dims): (Shape, Vec<usize>) = match self.axis {
            Some(axis) => ([Dim::from(values.len())].into_iter().collect(), vec![axis]),
            None => (Shape::scalar(), Vec::new()),
        };
        if self.axis.is_some_and(|a| like.shape().get(a) != Some(&Dim::from(values.len()))) {
            return None;
        }
        let sizes = shape.as_sizes()?;
        let list = g.constant(Tensor::from_vec(sizes, values).ok()?).cast_to(self.expressed);
        Some(list.broadcast_in_dim(like.shape(), &dims))
    }

    /// The numbers that integers stand for; none when the scales are not as many as the axis is long.
    pub fn dequantize(&self, x: &Expr) -> Option<Expr> {
        let zero = self.spread(x, self.zero_points.iter().map(|z| *z as f64))?;
        let scale = self.spread(x, self.scales.iter().copied())?;
        Some((x.cast_to(self.expressed) - zero) * scale)
    }

    /// The integers nearest to numbers, within the range; none when the scales are not as many as the axis is long.
    pub fn quantize(&self, x: &Expr) -> Option<Expr> {
        let zero = self.spread(x, self.zero_points.iter().map(|z| *z as f64))?;
        let scale = self.spread(x, self.scales.iter().copied())?;
        let rounded = x.graph().emit(Op::Unary(UnaryOp::RoundNearestEven), &[&(x.cast_to(self.expressed) / scale)]);
        Some((rounded + zero).clamp(self.range.0 as f64, self.range.1 as f64).cast_to(self.storage))
    }
}
