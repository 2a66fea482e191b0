//! Suites that cross crates.

mod crate_graph;
mod random_graphs;
