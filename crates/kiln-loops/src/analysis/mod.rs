//! Facts about kernels that the verifier, code generators and cost models read.

mod cost;
mod lanes;

pub use cost::{Cost, cost};
pub use lanes::{Lanes, Pattern};
