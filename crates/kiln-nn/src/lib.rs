//! Layers, losses, metrics and optimizers, all in terms of the builder.
//!
//! - [`layers`]: variables with a method that applies them. Applying a layer twice shares its weights.
//! - [`loss`]: losses per example; take their mean with `.mean(..)`.
//! - [`metrics`]: accuracy and its relatives.
//! - [`optim`]: optimizers, gradient clipping and [`optim::schedule`]s of the learning rate.
//!
//! Everything records operators in a graph; nothing here knows how they are run. Nothing panics: a mistake is recorded with the
//! caller's source line, as everywhere in the builder.
//!
//! ```
//! use kiln_builder::{Graph, dims};
//! use kiln_nn::optim;
//! let g = Graph::new("line");
//! let x = g.placeholder::<f32>("x", dims!["batch", 3]);
//! let w = g.variable("w", kiln_builder::init::zeros([3]));
//! let loss = (x.dot(&w) - 1.0).square().mean(..);
//! let step = optim::Adam::new(1e-3).minimize(&loss);
//! let func = g.function([&loss]).updates(step).finish().unwrap();
//! // The loss, the weights, two slots of Adam and its step counter.
//! assert_eq!(func.outputs.len(), 5);
//! ```

pub mod layers;
pub mod loss;
pub mod metrics;
pub mod optim;
#[cfg(test)]
#[allow(dead_code, reason = "shared by the tests of all modules")]
mod testing;
