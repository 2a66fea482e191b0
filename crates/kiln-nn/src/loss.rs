//! Losses.
//!
//! Every loss gives one value per element or per example, as it says; `.mean(..)` makes the scalar that an optimizer minimizes.
//! Predictions and targets must have equal shapes: nothing is broadcast, since a `[batch, 1]` against a `[batch]` would silently
//! become `[batch, batch]`.
//!
//! ```
//! use kiln_builder::{Graph, dims};
//! use kiln_nn::loss;
//! let g = Graph::new("g");
//! let y = g.placeholder::<f32>("y", dims!["batch"]);
//! let target = g.placeholder::<f32>("target", dims!["batch"]);
//! let scalar = loss::huber(&y, &target, 1.0).mean(..);
//! assert_eq!(scalar.ty().to_string(), "f32[]");
//! ```

use kiln_builder::{Diagnostic, Expr};

/// True when both are of one type; a diagnostic otherwise, unless the cause is known.
#[track_caller]
fn same_type(loss: &str, prediction: &Expr, target: &Expr) -> bool {
    if prediction.is_poisoned() || target.is_poisoned() {
        return false;
    }
    let same = prediction.ty() == target.ty();
    if !same {
        prediction.graph().report(
            Diagnostic::new(format!("{loss}.type"), "prediction and target are of different types")
                .label(format!("the prediction is {}, the target {}", prediction.ty(), target.ty()))
                .note("prediction", prediction.describe())
                .note("target", target.describe())
                .help("reshape or cast one of them"),
        );
    }
    same
}

/// A loss over two expressions of one type.
macro_rules! loss {
    ($name:ident, $prediction:ident, $target:ident) => {
        let _here = $prediction.graph().here();
        if !same_type(stringify!($name), $prediction, $target) {
            return $prediction.graph().poisoned();
        }
    };
}

/// Squared error, per element.
#[track_caller]
pub fn mse(prediction: &Expr, target: &Expr) -> Expr {
    loss!(mse, prediction, target);
    (prediction - target).square()
}

/// Absolute error, per element.
#[track_caller]
pub fn mae(prediction: &Expr, target: &Expr) -> Expr {
    loss!(mae, prediction, target);
    (prediction - target).abs()
}

/// Half the squared error where it is at most `delta`, growing linearly beyond (Huber 1964); per element.
#[track_caller]
pub fn huber(prediction: &Expr, target: &Expr, delta: f64) -> Expr {
    loss!(huber, prediction, target);
    let error = (prediction - target).abs();
    let near = error.minimum(delta);
    // d^2 / 2 up to delta, delta (|d| - delta / 2) beyond: one formula for both.
    &near * (error - &near * 0.5)
}

/// Cross entropy of logits `[..., classes]` with integer labels `[...]`; one value per label.
/// See [`Expr::softmax_cross_entropy`].
#[track_caller]
pub fn softmax_cross_entropy(logits: &Expr, labels: &Expr) -> Expr {
    logits.softmax_cross_entropy(labels)
}

/// Cross entropy of logits `[..., classes]` with distributions of the same shape; one value per distribution.
#[track_caller]
pub fn softmax_cross_entropy_dense(logits: &Expr, targets: &Expr) -> Expr {
    loss!(softmax_cross_entropy_dense, logits, targets);
    logits.softmax_cross_entropy_dense(targets, -1)
}

/// [`softmax_cross_entropy`] whose targets give `smoothing` evenly to all classes, and the rest to the label (Szegedy et al. 2016).
#[track_caller]
pub fn softmax_cross_entropy_smoothed(logits: &Expr, labels: &Expr, smoothing: f64) -> Expr {
    let _here = logits.graph().here();
    let sharp = logits.softmax_cross_entropy(labels);
    if sharp.is_poisoned() {
        return sharp;
    }
    let even = -logits.log_softmax(-1).mean(-1);
    sharp * (1.0 - smoothing) + even * smoothing
}

/// Binary cross entropy of logits with targets in `[0, 1]`, per element; stable for large logits.
#[track_caller]
pub fn binary_cross_entropy(logits: &Expr, targets: &Expr) -> Expr {
    loss!(binary_cross_entropy, logits, targets);
    logits.sigmoid_cross_entropy(targets)
}

/// Kullback-Leibler divergence `sum(p (log p - log softmax(logits)))` of target distributions `p` from logits, both
/// `[..., classes]`; one value per distribution. Classes of probability 0 count nothing.
#[track_caller]
pub fn kl_divergence(logits: &Expr, targets: &Expr) -> Expr {
    loss!(kl_divergence, logits, targets);
    let positive = targets.gt(0.0);
    // The inner choice keeps log(0) out of the gradient, too.
    let log = positive.select(targets, 1.0).log();
    (targets * (log - logits.log_softmax(-1))).sum(-1)
}

/// Hinge loss `max(0, 1 - target score)` with targets -1 and 1, per element.
#[track_caller]
pub fn hinge(scores: &Expr, targets: &Expr) -> Expr {
    loss!(hinge, scores, targets);
    (1.0 - scores * targets).maximum(0.0)
}

/// One minus the cosine of the angle between vectors `[..., features]`; one value per pair. Norms below 1e-8 count as 1e-8.
#[track_caller]
pub fn cosine_distance(a: &Expr, b: &Expr) -> Expr {
    loss!(cosine_distance, a, b);
    let inverse_norm = |x: &Expr| x.square().sum(-1).maximum(1e-16).rsqrt();
    1.0 - (a * b).sum(-1) * inverse_norm(a) * inverse_norm(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, check_gradients, eval, f64s};
    use kiln_builder::{DType, Graph, Tensor, grad};

    const P: [f64; 6] = [0.5, -1.2, 3.0, 2.0, 0.1, -4.0];
    const T: [f64; 6] = [1.0, -1.5, 0.0, -1.0, 1.0, 1.0];
    /// Two distributions, one of them with a zero.
    const D: [f64; 6] = [0.2, 0.3, 0.5, 0.0, 0.25, 0.75];

    /// The loss of `P` and these targets, checked with its gradient.
    fn check(loss: impl Fn(&Expr, &Expr) -> Expr, target: &[f64], expected: &[f64]) {
        let g = Graph::new("loss");
        let p = g.placeholder::<f64>("p", [2, 3]);
        let y = loss(&p, &g.constant(f64s(&[2, 3], target)));
        let data = f64s(&[2, 3], &P);
        assert_close(&eval(&y, &[("p", &data)]), expected, 1e-14);
        check_gradients(&g, &y, &[("p", data)], &[&p]);
    }

    fn pairs(target: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        P.iter().zip(target).map(|(&p, &t)| f(p, t)).collect()
    }

    fn log_softmax(row: &[f64]) -> Vec<f64> {
        let total: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x - total.ln()).collect()
    }

    #[test]
    fn elementwise_losses() {
        check(mse, &T, &pairs(&T, |p, t| (p - t) * (p - t)));
        check(mae, &T, &pairs(&T, |p, t| (p - t).abs()));
        let expected = pairs(&T, |p, t| {
            let d = (p - t).abs();
            if d <= 2.0 { d * d / 2.0 } else { 2.0 * (d - 1.0) }
        });
        check(|p, t| huber(p, t, 2.0), &T, &expected);
        let expected = pairs(&D, |p, t| {
            let q = 1.0 / (1.0 + (-p).exp());
            -t * q.ln() - (1.0 - t) * (1.0 - q).ln()
        });
        check(binary_cross_entropy, &D, &expected);
        let signs = T.map(f64::signum);
        check(hinge, &signs, &pairs(&signs, |p, t| (1.0 - p * t).max(0.0)));
    }

    #[test]
    fn losses_over_classes() {
        let logs = [log_softmax(&P[..3]), log_softmax(&P[3..])].concat();
        let rows = |f: &dyn Fn(usize) -> f64| [(0..3).map(f).sum::<f64>(), (3..6).map(f).sum::<f64>()];
        check(softmax_cross_entropy_dense, &D, &rows(&|i| -D[i] * logs[i]));
        let expected = rows(&|i| if D[i] > 0.0 { D[i] * (D[i].ln() - logs[i]) } else { 0.0 });
        check(kl_divergence, &D, &expected);
        let labels = |p: &Expr| p.graph().constant([2i32, 0]);
        check(|p, _| softmax_cross_entropy(p, &labels(p)), &D, &[-logs[2], -logs[3]]);
        let even = rows(&|i| -logs[i] / 3.0);
        let expected = [0.9 * -logs[2] + 0.1 * even[0], 0.9 * -logs[3] + 0.1 * even[1]];
        check(|p, _| softmax_cross_entropy_smoothed(p, &labels(p), 0.1), &D, &expected);
    }

    #[test]
    fn cosine_distances() {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let distance = |a: &[f64], b: &[f64]| 1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        check(cosine_distance, &T, &[distance(&P[..3], &T[..3]), distance(&P[3..], &T[3..])]);
    }

    #[test]
    fn large_logits_stay_finite() {
        let g = Graph::new("large");
        let p = g.placeholder::<f32>("p", [2]);
        let y = binary_cross_entropy(&p, &g.constant([0.0f32, 1.0]));
        let data = Tensor::from_vec([2], vec![1000.0f32, -1000.0]).expect("two");
        assert_close(&eval(&y, &[("p", &data)]), &[1000.0, 1000.0], 0.0);
        let slope = &grad(&y.sum(..), &[&p])[0];
        assert_close(&eval(slope, &[("p", &data)]), &[1.0, -1.0], 0.0);
    }

    #[test]
    fn shapes_must_be_equal() {
        let g = Graph::new("shapes");
        let (a, b) = (g.zeros(DType::F32, [4, 1]), g.zeros(DType::F32, [4]));
        assert!(mse(&a, &b).is_poisoned());
        let d = &g.diagnostics().0[0];
        assert_eq!(d.code, "mse.type");
        assert!(d.label.contains("f32[4, 1]") && d.label.contains("f32[4]"), "{d}");
        assert!(d.loc.to_string().contains("loss.rs"));
    }
}
