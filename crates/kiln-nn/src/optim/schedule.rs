//! Learning rates that change with the number of updates done.
//!
//! A schedule is a function of the step (0 at the first update) that is part of the graph: the rate is computed by the training
//! step itself, once per step, from a counter variable.
//!
//! ```
//! use kiln_nn::optim::{self, schedule};
//! let rate = schedule::cosine(3e-4, 10_000, 3e-5).warmup(500);
//! let adam = optim::AdamW::new(rate).weight_decay(0.1);
//! # let _ = adam;
//! ```

use kiln_builder::{DType, Expr, Graph, Shape};
use std::fmt;
use std::rc::Rc;

/// The learning rate as a function of the step. Numbers convert to constant schedules.
#[derive(Clone)]
pub struct Schedule(Kind);

#[derive(Clone)]
enum Kind {
    Constant(f64),
    Computed(Rc<dyn Fn(&Expr) -> Expr>),
}

impl Schedule {
    /// A schedule of one's own. The closure gets the number of updates done so far, as a float scalar, and returns the rate as a
    /// scalar of the same dtype.
    ///
    /// ```
    /// use kiln_nn::optim::schedule::Schedule;
    /// let inverse_root = Schedule::new(|step| (step + 1.0).rsqrt() * 0.1);
    /// # let _ = inverse_root;
    /// ```
    pub fn new(rate: impl Fn(&Expr) -> Expr + 'static) -> Schedule {
        Schedule(Kind::Computed(Rc::new(rate)))
    }

    /// This schedule times a ramp over the first `steps` steps: `1/steps, 2/steps, ... 1`.
    pub fn warmup(self, steps: usize) -> Schedule {
        let ramp = 1.0 / steps.max(1) as f64;
        Schedule::new(move |step| ((step + 1.0) * ramp).minimum(1.0) * self.at(step))
    }

    /// The rate, if it never changes.
    pub fn as_constant(&self) -> Option<f64> {
        match self.0 {
            Kind::Constant(rate) => Some(rate),
            Kind::Computed(_) => None,
        }
    }

    /// The rate at a step, a float scalar that says how many updates were done before.
    #[track_caller]
    pub fn at(&self, step: &Expr) -> Expr {
        match &self.0 {
            Kind::Constant(rate) => scalar(step.graph(), step.dtype(), *rate),
            Kind::Computed(rate) => rate(step),
        }
    }
}

impl From<f64> for Schedule {
    fn from(rate: f64) -> Schedule {
        constant(rate)
    }
}
impl From<f32> for Schedule {
    fn from(rate: f32) -> Schedule {
        constant(f64::from(rate))
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Constant(rate) => write!(f, "Schedule({rate})"),
            Kind::Computed(_) => f.write_str("Schedule(computed)"),
        }
    }
}

#[track_caller]
pub(crate) fn scalar(g: &Graph, dtype: DType, value: f64) -> Expr {
    g.full(dtype, Shape::scalar(), value)
}

/// Always the same rate.
pub fn constant(rate: f64) -> Schedule {
    Schedule(Kind::Constant(rate))
}

/// A linear ramp to `rate` over the first `steps` steps, then `rate`.
pub fn linear_warmup(rate: impl Into<Schedule>, steps: usize) -> Schedule {
    rate.into().warmup(steps)
}

/// A line from `from` to `to` over `steps` steps, then `to`.
pub fn linear(from: f64, to: f64, steps: usize) -> Schedule {
    let each = 1.0 / steps.max(1) as f64;
    Schedule::new(move |step| (step * each).minimum(1.0) * (to - from) + from)
}

/// Half a cosine from `from` to `to` over `steps` steps, then `to` (Loshchilov and Hutter 2017, without restarts).
pub fn cosine(from: f64, steps: usize, to: f64) -> Schedule {
    let each = 1.0 / steps.max(1) as f64;
    Schedule::new(move |step| {
        let phase = (step * each).minimum(1.0) * std::f64::consts::PI;
        (phase.cos() + 1.0) * ((from - to) / 2.0) + to
    })
}

/// `rate * factor^step`. `factor` must be positive.
pub fn exponential(rate: f64, factor: f64) -> Schedule {
    let log = factor.ln();
    Schedule::new(move |step| (step * log).exp() * rate)
}

/// Times `factor` after every `every` steps: `rate * factor^floor(step / every)`. `factor` must be positive.
pub fn step(rate: f64, every: usize, factor: f64) -> Schedule {
    let log = factor.ln();
    Schedule::new(move |step| ((step / every.max(1) as f64).floor() * log).exp() * rate)
}

/// `rate` until the first boundary, then the rate that stands with each boundary `(step, rate)`, which must ascend.
pub fn piecewise(rate: f64, boundaries: &[(usize, f64)]) -> Schedule {
    let boundaries = boundaries.to_vec();
    Schedule::new(move |step| {
        let first = scalar(step.graph(), step.dtype(), rate);
        boundaries.iter().fold(first, |rate, &(from, then)| step.ge(from as f64).select(then, rate))
    })
}
