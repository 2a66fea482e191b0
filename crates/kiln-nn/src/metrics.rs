//! Metrics: what one looks at but does not differentiate.
//!
//! ```
//! use kiln_builder::{Graph, dims};
//! use kiln_nn::metrics;
//! let g = Graph::new("g");
//! let logits = g.placeholder::<f32>("logits", dims!["batch", 10]);
//! let labels = g.placeholder::<i32>("labels", dims!["batch"]);
//! let accuracy = metrics::accuracy(&logits, &labels).mean(..);
//! assert_eq!(accuracy.ty().to_string(), "f32[]");
//! ```

use kiln_builder::{DType, Diagnostic, Expr};

/// 1 where the largest of the logits `[..., classes]` is at the label `[...]`, otherwise 0 (f32); its mean is the accuracy, its sum
/// the number of hits.
#[track_caller]
pub fn accuracy(logits: &Expr, labels: &Expr) -> Expr {
    let _here = logits.graph().here();
    if !labels_fit(logits, labels) {
        return logits.graph().poisoned();
    }
    logits.correct(labels)
}

/// 1 where fewer than `k` logits are larger than the label's, otherwise 0 (f32).
#[track_caller]
pub fn top_k_accuracy(logits: &Expr, labels: &Expr, k: usize) -> Expr {
    let _here = logits.graph().here();
    if !labels_fit(logits, labels) {
        return logits.graph().poisoned();
    }
    let here = labels.one_hot(logits.dim(-1), DType::Bool);
    let own = here.select(logits, f64::NEG_INFINITY).max_keepdims(-1);
    let larger = logits.gt(own).cast::<i32>().sum(-1);
    larger.lt(i64::try_from(k).unwrap_or(i64::MAX).min(i64::from(i32::MAX))).cast::<f32>()
}

/// 1 where the logit and the target (0 or 1, of the same shape) agree, otherwise 0 (f32).
#[track_caller]
pub fn binary_accuracy(logits: &Expr, targets: &Expr) -> Expr {
    let _here = logits.graph().here();
    logits.gt(0.0).eq(targets.gt(0.5)).cast::<f32>()
}

/// How often each class (row) was taken for each class (column): i32 `[classes, classes]` over all examples.
#[track_caller]
pub fn confusion(logits: &Expr, labels: &Expr) -> Expr {
    let _here = logits.graph().here();
    if !labels_fit(logits, labels) {
        return logits.graph().poisoned();
    }
    let classes = logits.dim(-1);
    let rows = labels.flatten().one_hot(classes.clone(), DType::I32);
    let columns = logits.argmax(-1).flatten().one_hot(classes, DType::I32);
    rows.t().dot(&columns)
}

/// `e^(mean of the losses)`: the perplexity of a language model, from its cross entropies per token.
#[track_caller]
pub fn perplexity(losses: &Expr) -> Expr {
    let _here = losses.graph().here();
    losses.mean(..).exp()
}

/// The coefficient of determination R^2 of predictions of targets of the same shape, over all elements.
#[track_caller]
pub fn r_squared(prediction: &Expr, target: &Expr) -> Expr {
    let _here = prediction.graph().here();
    let residual = (prediction - target).square().sum(..);
    let total = (target - target.mean(..)).square().sum(..);
    1.0 - residual / total
}

/// True when labels are integers of the logits' shape without its last dimension; a diagnostic otherwise.
#[track_caller]
fn labels_fit(logits: &Expr, labels: &Expr) -> bool {
    if logits.is_poisoned() || labels.is_poisoned() {
        return false;
    }
    let fit = labels.dtype().is_int()
        && logits.rank() == labels.rank() + 1
        && logits.shape()[..labels.rank()] == labels.shape()[..];
    if !fit {
        logits.graph().report(
            Diagnostic::new("metrics.labels", "the labels do not fit the logits")
                .label("labels are integers, of the logits' shape without its last dimension")
                .note("logits", logits.describe())
                .note("labels", labels.describe()),
        );
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, eval};
    use kiln_builder::Graph;

    #[test]
    fn classification() {
        let g = Graph::new("metrics");
        let logits = g.constant([[1.0f32, 3.0, 2.0], [5.0, 4.0, 0.0], [0.0, 1.0, 2.0], [9.0, 8.0, 7.0]]);
        let labels = g.constant([1i32, 1, 0, 0]);
        assert_close(&eval(&accuracy(&logits, &labels), &[]), &[1.0, 0.0, 0.0, 1.0], 0.0);
        assert_close(&eval(&top_k_accuracy(&logits, &labels, 2), &[]), &[1.0, 1.0, 0.0, 1.0], 0.0);
        let counts = eval(&confusion(&logits, &labels), &[]);
        assert_eq!(counts.to_vec::<i32>(), Ok(vec![1, 0, 1, 1, 1, 0, 0, 0, 0]));
    }

    #[test]
    fn scalars() {
        let g = Graph::new("metrics");
        let agree = binary_accuracy(&g.constant([2.0f32, -1.0, 0.5]), &g.constant([1.0f32, 1.0, 0.0]));
        assert_close(&eval(&agree, &[]), &[1.0, 0.0, 0.0], 0.0);
        let p = perplexity(&g.constant([1.0f64, 3.0]));
        assert_close(&eval(&p, &[]), &[2f64.exp()], 1e-15);
        // Residuals 0.5 and 0.5; the targets' squared distances from their mean sum to 2.
        let r = r_squared(&g.constant([1.5f64, 2.0, 2.5]), &g.constant([1.0f64, 2.0, 3.0]));
        assert_close(&eval(&r, &[]), &[1.0 - 0.5 / 2.0], 1e-15);
    }

    #[test]
    fn labels_must_fit() {
        let g = Graph::new("metrics");
        let logits = g.zeros(DType::F32, [4, 3]);
        assert!(accuracy(&logits, &g.zeros(DType::F32, [4])).is_poisoned());
        assert!(confusion(&logits, &g.zeros(DType::I32, [3])).is_poisoned());
        let codes: Vec<String> = g.diagnostics().0.into_iter().map(|d| d.code).collect();
        assert_eq!(codes, ["metrics.labels", "metrics.labels"]);
    }
}
