//! The optimizers. Every update is a short chain of elementwise operators per variable, so that it becomes one kernel; what is the
//! same for all elements is computed once, as a scalar.

use super::clip::Clip;
use super::{Configured, Optimizer, Options, Rule, Schedule, Slots, Step, apply, minimize};
use kiln_builder::{Expr, Updates};
use std::rc::Rc;

/// The methods that all optimizers share.
macro_rules! optimizer {
    ($ty:ident, $decay:literal) => {
        impl $ty {
            #[doc = $decay]
            pub fn weight_decay(mut self, decay: f64) -> $ty {
                self.options.decay = decay;
                self
            }

            /// Scales all gradients together so that their global norm is at most `limit`. Clippings happen in the order in which
            /// they are asked for.
            pub fn clip_norm(mut self, limit: f64) -> $ty {
                self.options.clips.push(Clip::Norm(limit));
                self
            }

            /// Clips every element of the gradients into `[-limit, limit]`.
            pub fn clip_value(mut self, limit: f64) -> $ty {
                self.options.clips.push(Clip::Value(limit));
                self
            }

            /// Trains only the variables whose full name passes.
            pub fn filter(mut self, keep: impl Fn(&str) -> bool + 'static) -> $ty {
                self.options.filter = Some(Rc::new(keep));
                self
            }

            /// Weight decay only for the variables whose full name passes; all unless set.
            pub fn decay_filter(mut self, keep: impl Fn(&str) -> bool + 'static) -> $ty {
                self.options.decay_filter = Some(Rc::new(keep));
                self
            }

            /// One step of descent on a scalar loss; see [`Optimizer::minimize`].
            #[track_caller]
            pub fn minimize(&self, loss: &Expr) -> Updates {
                minimize(self, loss)
            }

            /// The updates for gradients of one's own; see [`Optimizer::apply`].
            #[track_caller]
            pub fn apply(&self, gradients: &[(Expr, Expr)]) -> Updates {
                apply(self, gradients)
            }
        }

        impl Configured for $ty {
            fn options(&self) -> &Options {
                &self.options
            }
        }

        impl Optimizer for $ty {
            #[track_caller]
            fn apply(&self, gradients: &[(Expr, Expr)]) -> Updates {
                apply(self, gradients)
            }
            #[track_caller]
            fn minimize(&self, loss: &Expr) -> Updates {
                minimize(self, loss)
            }
        }
    };
}
optimizer!(Sgd, "L2 penalty: adds `decay * p` to the gradient.");
optimizer!(Adam, "L2 penalty: adds `decay * p` to the gradient. [`AdamW`] decays the weights themselves.");
optimizer!(AdamW, "The part of a weight that a step with rate 1 would take away.");
optimizer!(RmsProp, "L2 penalty: adds `decay * p` to the gradient.");

/// The settings of optimizers with [`Moments`].
macro_rules! moments {
    ($ty:ident) => {
        impl $ty {
            /// Decay of the running means of the gradient and of its square, each in `[0, 1)`.
            pub fn betas(mut self, beta1: f64, beta2: f64) -> $ty {
                (self.moments.beta1, self.moments.beta2) = (beta1, beta2);
                self
            }

            /// What is added to the denominator.
            pub fn epsilon(mut self, epsilon: f64) -> $ty {
                self.moments.epsilon = epsilon;
                self
            }
        }
    };
}
moments!(Adam);
moments!(AdamW);

/// `gradient + decay * value` where the variable is decayed: the L2 penalty.
#[track_caller]
fn with_penalty(options: &Options, slots: &Slots<'_>, value: &Expr, gradient: &Expr) -> Expr {
    match options.decay_of(slots.variable) {
        Some(decay) => gradient + value * decay,
        None => gradient.clone(),
    }
}

/// Gradient descent: `v = mu v + g; p -= rate v`, or `p -= rate g` without momentum.
///
/// ```
/// use kiln_nn::optim::Sgd;
/// let sgd = Sgd::new(0.1).momentum(0.9).nesterov().weight_decay(1e-4);
/// # let _ = sgd;
/// ```
#[derive(Clone, Debug)]
pub struct Sgd {
    options: Options,
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// With this learning rate: a number or a [`Schedule`].
    pub fn new(rate: impl Into<Schedule>) -> Sgd {
        Sgd { options: Options::new(rate.into(), 0.0), momentum: 0.0, nesterov: false }
    }

    /// Momentum: the part of the previous step that is kept.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// Nesterov's momentum: steps along `g + mu v`.
    pub fn nesterov(mut self) -> Sgd {
        self.nesterov = true;
        self
    }
}

impl Rule for Sgd {
    const NAME: &'static str = "sgd";

    #[track_caller]
    fn update(&self, step: &mut Step<'_>, slots: &Slots<'_>, value: &Expr, gradient: &Expr) -> Expr {
        let rate = step.rate(slots.dtype);
        let gradient = with_penalty(&self.options, slots, value, gradient);
        if self.momentum == 0.0 {
            return value - gradient * rate;
        }
        let velocity = slots.zeros("momentum");
        let new = &velocity * self.momentum + &gradient;
        step.updates.push(&velocity, &new);
        let direction = if self.nesterov { gradient + new * self.momentum } else { new };
        value - direction * rate
    }
}

/// Running means of the gradient and of its square, which Adam and AdamW share.
#[derive(Clone, Copy, Debug)]
struct Moments {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

impl Moments {
    const DEFAULT: Moments = Moments { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

    /// `value - rate * mhat / (sqrt(vhat) + epsilon)`.
    #[track_caller]
    fn update(self, step: &mut Step<'_>, slots: &Slots<'_>, value: &Expr, gradient: &Expr) -> Expr {
        let Moments { beta1, beta2, epsilon } = self;
        let dtype = slots.dtype;
        let size = step.scalar(dtype, "size", |s| s.rate(dtype) / s.bias_correction(dtype, beta1));
        let root = step.scalar(dtype, "root", |s| s.bias_correction(dtype, beta2).rsqrt());
        let (m, v) = (slots.zeros("m"), slots.zeros("v"));
        let new_m = &m + (gradient - &m) * (1.0 - beta1);
        let new_v = &v * beta2 + gradient.square() * (1.0 - beta2);
        step.updates.push(&m, &new_m);
        step.updates.push(&v, &new_v);
        value - new_m * size / (new_v.sqrt() * root + epsilon)
    }
}

/// Adam (Kingma and Ba 2015) with bias correction.
///
/// ```
/// use kiln_nn::optim::Adam;
/// let adam = Adam::new(1e-3).betas(0.9, 0.98).epsilon(1e-9);
/// # let _ = adam;
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    options: Options,
    moments: Moments,
}

impl Adam {
    /// With this learning rate (a number or a [`Schedule`]), betas 0.9 and 0.999, epsilon 1e-8.
    pub fn new(rate: impl Into<Schedule>) -> Adam {
        Adam { options: Options::new(rate.into(), 0.0), moments: Moments::DEFAULT }
    }
}

impl Rule for Adam {
    const NAME: &'static str = "adam";

    #[track_caller]
    fn update(&self, step: &mut Step<'_>, slots: &Slots<'_>, value: &Expr, gradient: &Expr) -> Expr {
        let gradient = with_penalty(&self.options, slots, value, gradient);
        self.moments.update(step, slots, value, &gradient)
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019): `p *= 1 - rate * decay` before Adam's step.
///
/// ```
/// use kiln_nn::optim::AdamW;
/// let adam = AdamW::new(3e-4).weight_decay(0.1).decay_filter(|name| name.ends_with("/w"));
/// # let _ = adam;
/// ```
#[derive(Clone, Debug)]
pub struct AdamW {
    options: Options,
    moments: Moments,
}

impl AdamW {
    /// With this learning rate (a number or a [`Schedule`]), betas 0.9 and 0.999, epsilon 1e-8, weight decay 0.01.
    pub fn new(rate: impl Into<Schedule>) -> AdamW {
        AdamW { options: Options::new(rate.into(), 0.01), moments: Moments::DEFAULT }
    }
}

impl Rule for AdamW {
    const NAME: &'static str = "adam";

    #[track_caller]
    fn update(&self, step: &mut Step<'_>, slots: &Slots<'_>, value: &Expr, gradient: &Expr) -> Expr {
        let value = match self.options.decay_of(slots.variable) {
            Some(decay) => {
                let dtype = slots.dtype;
                value * step.scalar(dtype, "shrink", |s| s.shrink(dtype, decay))
            }
            None => value.clone(),
        };
        self.moments.update(step, slots, &value, gradient)
    }
}

/// RMSProp (Tieleman and Hinton 2012): the gradient over the root of its running mean square.
///
/// ```
/// use kiln_nn::optim::RmsProp;
/// let rms = RmsProp::new(1e-2).alpha(0.95).momentum(0.9).centered();
/// # let _ = rms;
/// ```
#[derive(Clone, Debug)]
pub struct RmsProp {
    options: Options,
    alpha: f64,
    epsilon: f64,
    momentum: f64,
    centered: bool,
}

impl RmsProp {
    /// With this learning rate (a number or a [`Schedule`]), alpha 0.99, epsilon 1e-8, no momentum.
    pub fn new(rate: impl Into<Schedule>) -> RmsProp {
        let options = Options::new(rate.into(), 0.0);
        RmsProp { options, alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false }
    }

    /// Decay of the running mean square, in `[0, 1)`.
    pub fn alpha(mut self, alpha: f64) -> RmsProp {
        self.alpha = alpha;
        self
    }

    /// What is added to the denominator, outside of the root.
    pub fn epsilon(mut self, epsilon: f64) -> RmsProp {
        self.epsilon = epsilon;
        self
    }

    /// Momentum of the scaled gradient.
    pub fn momentum(mut self, momentum: f64) -> RmsProp {
        self.momentum = momentum;
        self
    }

    /// Divides by the standard deviation of the gradient instead of its root mean square.
    pub fn centered(mut self) -> RmsProp {
        self.centered = true;
        self
    }
}

impl Rule for RmsProp {
    const NAME: &'static str = "rmsprop";

    #[track_caller]
    fn update(&self, step: &mut Step<'_>, slots: &Slots<'_>, value: &Expr, gradient: &Expr) -> Expr {
        let rate = step.rate(slots.dtype);
        let gradient = with_penalty(&self.options, slots, value, gradient);
        let square = slots.zeros("square");
        let new_square = &square * self.alpha + gradient.square() * (1.0 - self.alpha);
        step.updates.push(&square, &new_square);
        let spread = if self.centered {
            let mean = slots.zeros("mean");
            let new_mean = &mean + (&gradient - &mean) * (1.0 - self.alpha);
            step.updates.push(&mean, &new_mean);
            new_square - new_mean.square()
        } else {
            new_square
        };
        let scaled = gradient / (spread.sqrt() + self.epsilon);
        if self.momentum == 0.0 {
            return value - scaled * rate;
        }
        let velocity = slots.zeros("momentum");
        let new_velocity = &velocity * self.momentum + scaled;
        step.updates.push(&velocity, &new_velocity);
        value - new_velocity * rate
    }
}
