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
//! - A region that combines scalars (a reducer, comparator, combiner) is a named one where it is standard, otherwise a function
//!   of scalars of a generic operator; `map` is applied to whole tensors.
//! - `dynamic_*` operators need sizes that do not depend on the program's inputs; these are computed while reading.
//! - Special functions of `chlo` are computed by published formulas, in f32 for half precision.
//! - Quantized tensors are their integers; operators on them are computed on the numbers that these stand for.
//! - `rng` draws from a generator whose state is a variable of the graph.
//! - Custom calls are recorded by handlers ([`BuildOptions`]); annotations for several devices hand their operands through.
//!
//! # What is refused
//! Distributed operators, tokens, custom calls without a handler; regions of several blocks; sizes unknown at compile time. Each
//! error names the operator or type and its place. Bytecode of other dialects than VHLO.
//!
//! # Bounds
//! Nesting, operations after inlining, elements of a value and of a literal: all bounded, so that no text makes the reader run for long or take much memory.
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
mod bytecode;
mod error;
mod read;
mod record;
mod write;

pub use ast::{Attr, Block, Element, Function, Literal, Module, Operation, Place, Type, ValueRef};
pub use bytecode::read_bytecode;
pub use error::Error;
pub use read::read_text;
pub use record::{BuildOptions, Check, CheckKind, CustomCall, Handler, Program, build, build_with};
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
