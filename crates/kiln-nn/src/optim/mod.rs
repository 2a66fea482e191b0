//! Optimizers: from gradients to new values of variables.
//!
//! An optimizer records the update of every variable in the graph. [`minimize`](Optimizer::minimize) takes the gradients of a
//! loss with respect to the trainable variables that it depends on; [`apply`](Optimizer::apply) takes gradients of one's own.
//! Both give [`Updates`] for [`FunctionSpec::updates`](kiln_builder::FunctionSpec::updates).
//!
//! The formulas are those of PyTorch. State that an optimizer keeps is in variables named after the one they belong to
//! (`fc1/w/adam_m`), so that a session saves it with the rest. Variables of f16 and bf16 are updated in f32, with f32 state.
//!
//! ```
//! use kiln_builder::{Graph, dims, init};
//! use kiln_nn::optim::{self, schedule};
//! let g = Graph::new("line");
//! let x = g.placeholder::<f32>("x", dims!["batch", 3]);
//! let w = g.variable("w", init::zeros([3]));
//! let b = g.variable("bias", init::zeros(dims![]));
//! let loss = (x.dot(&w) + &b - 1.0).square().mean(..);
//! let step = optim::AdamW::new(schedule::cosine(1e-3, 1000, 0.0).warmup(100))
//!     .weight_decay(0.1)
//!     .decay_filter(|name| !name.ends_with("bias"))
//!     .clip_norm(1.0)
//!     .minimize(&loss);
//! g.function([&loss]).updates(step).finish().unwrap();
//! ```

mod clip;
mod rules;
pub mod schedule;
#[cfg(test)]
mod tests;

pub use clip::global_norm;
pub use rules::{Adam, AdamW, RmsProp, Sgd};
pub use schedule::Schedule;

use clip::Clip;
use kiln_builder::{DType, Diagnostic, Expr, Graph, Shape, Updates, grad, init};
use std::fmt;
use std::rc::Rc;

/// What all optimizers do.
pub trait Optimizer {
    /// The updates for gradients of one's own: pairs of a variable and its gradient, of equal types.
    fn apply(&self, gradients: &[(Expr, Expr)]) -> Updates;

    /// One step of descent: the gradients of a scalar loss with respect to the trainable variables that it depends on, and the
    /// updates for them.
    fn minimize(&self, loss: &Expr) -> Updates;
}

type NameFilter = Rc<dyn Fn(&str) -> bool>;

/// What the user chose, as far as it is the same for all optimizers.
#[derive(Clone)]
struct Options {
    rate: Schedule,
    decay: f64,
    clips: Vec<Clip>,
    filter: Option<NameFilter>,
    decay_filter: Option<NameFilter>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("rate", &self.rate)
            .field("decay", &self.decay)
            .field("clips", &self.clips)
            .field("filter", &self.filter.is_some())
            .field("decay_filter", &self.decay_filter.is_some())
            .finish()
    }
}

impl Options {
    fn new(rate: Schedule, decay: f64) -> Options {
        Options { rate, decay, clips: Vec::new(), filter: None, decay_filter: None }
    }

    fn selects(&self, variable: &Expr) -> bool {
        passes(&self.filter, variable)
    }

    /// The weight decay of this variable, if any.
    fn decay_of(&self, variable: &Expr) -> Option<f64> {
        (self.decay != 0.0 && passes(&self.decay_filter, variable)).then_some(self.decay)
    }
}

fn passes(filter: &Option<NameFilter>, variable: &Expr) -> bool {
    filter.as_ref().is_none_or(|f| f(&variable.name().unwrap_or_default()))
}

/// An optimizer with the options that all have.
trait Configured {
    fn options(&self) -> &Options;
}

/// How one optimizer updates one variable.
trait Rule: Configured {
    /// Prefix of slot names.
    const NAME: &'static str;

    /// The new value of a variable; both operands are of the type that the update is computed in.
    fn update(&self, step: &mut Step<'_>, slots: &Slots<'_>, value: &Expr, gradient: &Expr) -> Expr;
}

/// Scalars of one training step, made once and shared by all variables, and the updates collected so far.
struct Step<'a> {
    graph: Graph,
    name: &'static str,
    options: &'a Options,
    /// The number of this update: 1, 2, ... (i32).
    count: Option<Expr>,
    /// Per dtype: the number of this update, the learning rate, and what the rule adds.
    scalars: Vec<(DType, &'static str, Expr)>,
    updates: Updates,
}

/// Makes the state variables that belong to one variable.
struct Slots<'a> {
    variable: &'a Expr,
    name: &'static str,
    dtype: DType,
}

impl Slots<'_> {
    /// A state variable like the one it belongs to, zero at first.
    #[track_caller]
    fn zeros(&self, suffix: &str) -> Expr {
        let owner = self.variable.name().unwrap_or_default();
        let start = init::zeros(self.variable.shape()).dtype(self.dtype).trainable(false);
        self.variable.graph().variable(&format!("{owner}/{}_{suffix}", self.name), start)
    }
}

impl Step<'_> {
    /// A scalar that is made at its first use.
    #[track_caller]
    fn scalar(&mut self, dtype: DType, key: &'static str, make: impl FnOnce(&mut Self) -> Expr) -> Expr {
        if let Some((.., e)) = self.scalars.iter().find(|(d, k, _)| *d == dtype && *k == key) {
            return e.clone();
        }
        let e = make(self);
        self.scalars.push((dtype, key, e.clone()));
        e
    }

    /// The number of this update, 1 at first, as a float.
    #[track_caller]
    fn count(&mut self, dtype: DType) -> Expr {
        if self.count.is_none() {
            let start = init::zeros(Shape::scalar()).dtype(DType::I32).trainable(false);
            let done = self.graph.variable(&format!("{}_step", self.name), start);
            // Stops at the largest number instead of starting over.
            let now = done.minimum(i32::MAX - 1) + 1;
            self.updates.push(&done, &now);
            self.count = Some(now);
        }
        let count = self.count.clone().unwrap_or_else(|| self.graph.poisoned());
        self.scalar(dtype, "count", |_| count.cast_to(dtype))
    }

    /// The learning rate of this update.
    #[track_caller]
    fn rate(&mut self, dtype: DType) -> Expr {
        let schedule = self.options.rate.clone();
        self.scalar(dtype, "rate", |s| match schedule.as_constant() {
            Some(rate) => schedule::scalar(&s.graph, dtype, rate),
            None => {
                let done = s.count(dtype) - 1.0;
                schedule.at(&done)
            }
        })
    }

    /// `1 - rate * decay`.
    #[track_caller]
    fn shrink(&mut self, dtype: DType, decay: f64) -> Expr {
        match self.options.rate.as_constant() {
            Some(rate) => schedule::scalar(&self.graph, dtype, 1.0 - rate * decay),
            None => 1.0 - self.rate(dtype) * decay,
        }
    }

    /// `1 - beta^t`, where t is the number of this update: through expm1, since the difference cancels for t near 1.
    #[track_caller]
    fn bias_correction(&mut self, dtype: DType, beta: f64) -> Expr {
        -(self.count(dtype) * beta.ln()).expm1()
    }
}

#[track_caller]
fn apply<R: Rule>(rule: &R, gradients: &[(Expr, Expr)]) -> Updates {
    let options = rule.options();
    let Some((first, _)) = gradients.first() else { return Updates::new() };
    let graph = first.graph().clone();
    let _here = graph.here();
    let chosen: Vec<(Expr, Expr)> =
        gradients.iter().filter(|(v, g)| fits(v, g) && options.selects(v)).cloned().collect();
    let chosen = options.clips.iter().fold(chosen, |g, clip| clip.apply(g));
    let mut step = Step { graph, name: R::NAME, options, count: None, scalars: Vec::new(), updates: Updates::new() };
    for (variable, gradient) in &chosen {
        let dtype = variable.dtype().compute_type();
        let slots = Slots { variable, name: R::NAME, dtype };
        let new = rule.update(&mut step, &slots, &variable.cast_to(dtype), &gradient.cast_to(dtype));
        step.updates.push(variable, &new.cast_to(variable.dtype()));
    }
    step.updates
}

/// False (with a diagnostic, unless the cause is known) for a gradient that is of another type than its variable.
#[track_caller]
fn fits(variable: &Expr, gradient: &Expr) -> bool {
    if variable.is_poisoned() || gradient.is_poisoned() {
        return false;
    }
    let fits = variable.ty() == gradient.ty() && variable.dtype().is_float();
    if !fits {
        variable.graph().report(
            Diagnostic::new("optimizer.gradient", "a gradient does not fit its variable")
                .label(format!("the variable is {}, the gradient {}", variable.ty(), gradient.ty()))
                .note("left", variable.describe())
                .note("right", gradient.describe())
                .help("both must be floats of one type"),
        );
    }
    fits
}

#[track_caller]
fn minimize<R: Rule>(rule: &R, loss: &Expr) -> Updates {
    let graph = loss.graph().clone();
    let _here = graph.here();
    if loss.is_poisoned() {
        return Updates::new();
    }
    let reached = reached_variables(loss);
    let chosen: Vec<&Expr> = reached.iter().filter(|v| rule.options().selects(v)).collect();
    if chosen.is_empty() && graph.diagnostics().0.is_empty() {
        graph.report(
            Diagnostic::new("optimizer.variables", "there is nothing to train")
                .label("the loss depends on no trainable variable (that the filter lets pass)")
                .note("operand", loss.describe()),
        );
        return Updates::new();
    }
    let gradients = grad(loss, &chosen);
    let pairs: Vec<(Expr, Expr)> = chosen.into_iter().cloned().zip(gradients).collect();
    apply(rule, &pairs)
}

/// The trainable variables that a value depends on.
fn reached_variables(loss: &Expr) -> Vec<Expr> {
    let all = loss.graph().trainable_variables();
    match loss.graph().function([loss]).registered_updates(false).finish() {
        Ok(func) => {
            let used = |v: &Expr| v.name().is_some_and(|n| func.inputs.iter().any(|i| i.name == n));
            all.into_iter().filter(used).collect()
        }
        // Mistakes elsewhere in the graph: the gradients say what is wrong with the loss, if anything.
        Err(_) => all,
    }
}
