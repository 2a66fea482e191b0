//! Facts about kernels that the verifier, code generators and cost models read.
//!
//! [`Lanes`] is the one walk that finds what differs between the lanes of a loop; [`VectorPlan`] makes of it how a code
//! generator runs a kernel's loops in lanes, [`bodies`] takes straight-line loops out as kernels of their own.

mod body;
mod cost;
mod lanes;
mod vector;

pub use body::{Body, BodyCall, bodies, with_calls};
pub use cost::{Cost, cost};
pub use lanes::{Lanes, Pattern};
pub use vector::{VectorLoop, VectorModel, VectorPlan};
