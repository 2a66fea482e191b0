//! Automatic differentiation of graphs: vjp and jvp, graph to graph.
