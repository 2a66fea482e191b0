//! Suites that cross crates.

mod accuracy;
mod aliasing;
mod artifacts;
mod crate_graph;
mod determinism;
mod devices;
mod diagnostics;
mod golden;
mod memory;
mod mistakes;
mod options;
mod random_graphs;
mod robustness;
mod spec_examples;
mod stablehlo;
mod support;
mod symbolic;
mod training;
