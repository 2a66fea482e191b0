//! Derivatives that are derived from the operator table of `graph-spec` by `cargo xtask codegen`. Do not edit by hand.

pub(crate) mod elementwise;
