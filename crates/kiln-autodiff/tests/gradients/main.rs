//! Gradients of every operator against central finite differences in f64, through the interpreter.

mod check;
mod contraction;
mod control;
mod elementwise;
mod errors;
mod indexing;
mod linear_algebra;
mod movement;
mod reductions;
