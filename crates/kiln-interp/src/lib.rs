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
//! - Operators with nested functions apply them to elements in row-major order. Padding and the holes of dilated inputs take no
//!   part in `generic_reduce_window`.
//! - `sort` merges; it is stable whatever the comparator, which is asked whether an element comes before an earlier one.
//! - `fft`, `cholesky`, `triangular_solve`: in f64, rounded once. A matrix without a Cholesky factor gives a triangle of NaN.

pub mod error;
mod exec;
mod index;
mod ops;
mod region;
pub mod scalar;
mod step;

pub use error::{EvalError, NonFinite, Site};
pub use exec::{EvalOptions, NodeEvent, Observer, eval, eval_op, eval_op_with, eval_with};
pub use ops::rng::{philox4x32, threefry2x32};
pub use step::{Stepper, Trace, TraceEntry, summary};
