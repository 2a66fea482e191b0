//! What importers of foreign programs share, whatever their format: [`special`] functions of real and [`complex`] numbers by
//! what they are made of, [`Quantization`]s, sizes that are computed while a program is read ([`KnownSizes`]), and [`limits`]
//! that keep untrusted programs from taking long.
//!
//! ```
//! use kiln_builder::{Graph, dims};
//! let g = Graph::new("g");
//! let x = g.placeholder::<f32>("x", dims![8]);
//! let y = kiln_import::special::asinh(&x);
//! assert_eq!(y.ty().to_string(), "f32[8]");
//! ```

pub mod complex;
pub mod limits;
mod quantization;
mod sizes;
pub mod special;

pub use quantization::Quantization;
pub use sizes::{KnownSizes, UnknownSizes};
