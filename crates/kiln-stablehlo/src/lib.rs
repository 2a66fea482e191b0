//! StableHLO programs as kiln graphs.
//!
//! [`read_text`] parses MLIR text, in the pretty and the generic form, mixed as they come; [`read_bytecode`] parses MLIR bytecode
//! of the VHLO dialect, the portable form that JAX and others store; [`read`] takes either. [`build`] records one of the
//! functions as a graph. Files are untrusted: nesting and sizes are bounded, and every error names its line and column, or byte.
//!
//! # What is read
//! Modules, `func.func`, calls (inlined), composites (inlined by their decomposition), tuples, regions of one block, locations,
//! attribute and type aliases; the `stablehlo` dialect, the elementwise operators of `chlo` with `top_k`, `scan` and
//! `ragged_dot`, and the `check` dialect, also as custom calls. Literals as splats, nested lists and hexadecimal bytes.
//!
//! # How it becomes a graph
//! Operators that kiln has are taken as they are. Others are made of these:
//! - A region that combines scalars (a reducer, comparator, combiner) and is none of the standard ones is applied to whole
//!   tensors, so that any region works: `reduce` and `reduce_window` fold in a balanced tree and keep the order of the
//!   elements, `sort` counts ranks (short rows) or runs a bitonic network (long ones), `scatter` goes through the updates in a
//!   loop, `map` applies it once.
//! - `cholesky` and `triangular_solve` are loops over columns and rows.
//! - `dynamic_*` operators need sizes that do not depend on the program's inputs; these are computed while reading.
//! - Special functions of `chlo` are computed by published formulas, in f32 for half precision.
//!
//! # What is refused
//! Complex, quantized, sub-byte and 8-bit float types; `fft`; `rng`, and generators other than threefry; custom calls; distributed
//! operators; regions of several blocks; sizes unknown at compile time. Each error names the operator or type and its place.
//! Bytecode of other dialects than VHLO.
//!
//! # Bounds
//! Nesting, operations after inlining, elements of a value and of a literal, windows with arbitrary regions: all bounded, so
//! that no text makes the reader run for long or take much memory.
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
mod bytecode;
mod error;
mod read;
mod write;

pub use ast::{Attr, Block, Element, Function, Literal, Module, Operation, Place, Type, ValueRef};
pub use build::{Check, CheckKind, Program, build};
pub use bytecode::read_bytecode;
pub use error::Error;
pub use read::read_text;
pub use write::{Precision, ToStableHlo, WriteError, WriteOptions, lift_constants, write};

/// Reads a module of either form: MLIR bytecode when it begins like it, else text.
///
/// # Errors
/// Where the bytes are not understood, or are text in another encoding than UTF-8.
pub fn read(bytes: &[u8], file: &str) -> Result<Module, Error> {
    if bytes.starts_with(&bytecode::MAGIC) {
        return read_bytecode(bytes, file);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => read_text(text, file),
        Err(e) => Err(Error::Syntax {
            place: format!("{file}:byte {}", e.valid_up_to()),
            message: "neither MLIR bytecode nor text in UTF-8".into(),
        }),
    }
}
