//! The reference interpreter: slow, simple, the oracle of every compiled path.
//!
//! [`eval`] runs a function on host tensors, [`eval_op`] one operator; [`eval_with`], [`Stepper`] and [`Trace`] are for
//! looking inside. Scalar semantics are in [`scalar`].
//!
//! # Numerics
//! - Elementwise operators: see [`scalar`]. Functions of f64 are those of the platform (`std`) but for `erf` and `cbrt`.
//! - `reduce`, `reduce_window`: floats accumulate in f64 in row-major order and are rounded to the element type once at the
//!   end; integers wrap. Intermediate overflow of a narrower accumulator is therefore not reproduced.
//! - `dot_general`, `convolution`: products and sums of floats in f64, rounded once; integers modulo 2^64, then truncated.
//! - `scatter`, `select_and_scatter`: one update after the other in row-major order, rounded to the element type each time.

pub mod error;
mod exec;
mod index;
mod ops;
pub mod scalar;
mod step;

pub use error::{EvalError, NonFinite, Site};
pub use exec::{EvalOptions, NodeEvent, Observer, eval, eval_op, eval_op_with, eval_with};
pub use ops::rng::threefry2x32;
pub use step::{Stepper, Trace, TraceEntry, summary};
