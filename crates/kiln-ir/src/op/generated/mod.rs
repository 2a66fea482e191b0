//! Code derived from the operator table of `graph-spec` by `cargo xtask codegen`. Do not edit by hand.

mod attributes;
pub mod kind;
pub mod scalar_ops;
pub mod words;
