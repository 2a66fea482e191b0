//! What tests of all crates share: random numbers, and words to damage programs with. A development dependency only; it knows
//! none of the other crates, so that all may use it.

pub mod golden;
mod rng;
pub mod text;

pub use rng::Rng;
