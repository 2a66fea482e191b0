//! Initial values of variables, as recipes.

use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How a variable starts. The runtime carries it out, deterministically, once per session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Initializer {
    /// All zeros.
    Zeros,
    /// Every element this value, converted to the variable's dtype.
    Constant(f64),
    /// Uniform in `[low, high)` from threefry with this seed.
    Uniform {
        /// Lower bound, included.
        low: f64,
        /// Upper bound, excluded.
        high: f64,
        /// Seed.
        seed: u64,
    },
    /// Normal with mean 0 from threefry with this seed.
    Normal {
        /// Standard deviation.
        std: f64,
        /// Seed.
        seed: u64,
    },
    /// Normal with mean 0, redrawn outside of two standard deviations.
    TruncatedNormal {
        /// Standard deviation before truncation.
        std: f64,
        /// Seed.
        seed: u64,
    },
    /// This value; its type must be the variable's.
    Value(Tensor),
}
