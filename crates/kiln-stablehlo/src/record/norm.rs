//! Batch normalization, by what StableHLO says it is made of.

use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_ir::DType;

impl Builder<'_> {
    /// `batch_norm_inference`, `batch_norm_training`, `batch_norm_grad`. Half precision is computed in f32.
    pub(super) fn normalization(&mut self, op: &Operation, name: &str, x: &[Expr]) -> Built<Vec<Expr>> {
        let Some(first) = x.first() else { return self.malformed(op, "no operands") };
        let feature = self.axis(op, &["feature_index"])?;
        let sizes = self.sizes(op, first)?;
        if feature >= sizes.len() {
            return self.malformed(op, "no such feature dimension");
        }
        let epsilon = match op.attrs.get("epsilon") {
            Some(Attr::Float(f)) => *f,
            Some(other) => other.as_int().unwrap_or(0) as f64,
            None => return self.malformed(op, "attribute `epsilon` is missing"),
        };
        let dtype = first.dtype();
        let narrow = matches!(dtype, DType::F16 | DType::BF16);
        let work = if narrow { DType::F32 } else { dtype };
        let wide: Vec<Expr> = x.iter().map(|e| e.cast_to(work)).collect();
        let axes: Vec<usize> = (0..sizes.len()).filter(|d| *d != feature).collect();
        let count = axes.iter().map(|&a| sizes[a]).product::<i64>() as f64;
        let shape = first.shape();
        let spread = |e: &Expr| e.broadcast_in_dim(&shape, &[feature]);
        let results = match name {
            "batch_norm_inference" => {
                let [a, scale, offset, mean, variance] = self.operands(op, &wide)?;
                let deviation = spread(&(&variance + epsilon).sqrt());
                vec![spread(&scale) * ((&a - spread(&mean)) / deviation) + spread(&offset)]
            }
            "batch_norm_training" => {
                let [a, scale, offset] = self.operands(op, &wide)?;
                let mean = a.sum(&axes) / count;
                let centered = &a - spread(&mean);
                let variance = centered.square().sum(&axes) / count;
                let deviation = spread(&(&variance + epsilon).sqrt());
                let normal = spread(&scale) * (centered / deviation) + spread(&offset);
                vec![normal, mean, variance]
            }
            _ => {
                let [a, scale, mean, variance, gradient] = self.operands(op, &wide)?;
                let centered = &a - spread(&mean);
                let deviation = (&variance + epsilon).sqrt();
                let offset_gradient = gradient.sum(&axes);
                let products = (&gradient * &centered).sum(&axes);
                let scale_gradient = &products / &deviation;
                // d/dx of scale * (x - mean) / deviation, through mean and variance too.
                let through_variance = centered * spread(&(products / (&variance + epsilon)));
                let inner = &gradient * count - spread(&offset_gradient) - through_variance;
                let factor = scale / deviation / count;
                vec![spread(&factor) * inner, scale_gradient, offset_gradient]
            }
        };
        Ok(results.into_iter().map(|e| e.cast_to(dtype)).collect())
    }
}
