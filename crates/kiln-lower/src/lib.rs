//! Lowering of optimized graphs to programs of loop kernels and library calls.

pub mod emit;
