//! StableHLO programs as kiln graphs.
//!
//! [`read_text`] parses MLIR text, in the pretty and the generic form, mixed as they come; [`build`] records one of its functions as
//! a graph. Text is untrusted: nesting and sizes are bounded, and every error names its line and column.
//!
//! ```
//! let module = kiln_stablehlo::read_text(
//!     "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
//!        %0 = stablehlo.add %x, %x : tensor<2xf32>
//!        return %0 : tensor<2xf32>
//!      }",
//!     "example.mlir",
//! )?;
//! let program = kiln_stablehlo::build(&module, "main")?;
//! assert_eq!(program.func.inputs.len(), 1);
//! # Ok::<(), kiln_stablehlo::Error>(())
//! ```

mod ast;
mod build;
mod error;
mod read;

pub use ast::{Attr, Block, Element, Function, Literal, Module, Operation, Type, ValueRef};
pub use build::{Check, CheckKind, Program, build};
pub use error::Error;
pub use read::read_text;
