//! Emission of fusion groups: every operator and many fused graphs, run by the loop interpreter and compared with the
//! reference interpreter.

mod driver;
mod fused;
mod generic;
mod graph;
mod ops;
mod random;
mod sort;
