//! Automatic differentiation of graphs: vjp and jvp, graph to graph.

pub mod rebuild;

/// Name of the composite that lets no gradient through: `(x) -> x` with a derivative of zero.
pub const STOP_GRADIENT: &str = "stop_gradient";
