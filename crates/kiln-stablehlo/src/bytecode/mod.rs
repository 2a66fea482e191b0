//! MLIR bytecode of the VHLO dialect: the portable form in which JAX and others store programs.
//!
//! Sources: `mlir/docs/BytecodeFormat.md` of LLVM, with the readers of the `builtin` dialect; `stablehlo/dialect/Vhlo*` of
//! StableHLO 1.20, which has all operators, attributes and types of VHLO up to 1.22.
//!
//! # The format
//! Sections of tables (strings, names of dialects and operations, attributes and types, properties) and one of operations that
//! point into them. Attributes and types are decoded where they are used; the result is the same syntax tree that the text
//! reader makes, with VHLO's names and attributes put back into StableHLO's.
//!
//! # Bounds
//! A count never reserves more than the bytes left can hold. Nesting is limited, for attributes, types, locations and regions.
//! Tables can name one entry many times over; what the operations stand for altogether is limited in proportion to the file.

mod builtin;
mod cursor;
mod ir;
mod ops;
mod tables;
#[cfg(test)]
mod tests;
mod translate;
mod values;
mod vhlo;

use crate::ast::Module;
use crate::error::Error;
use cursor::Fault;
use tables::File;

/// The first bytes of every file of MLIR bytecode.
pub(crate) const MAGIC: [u8; 4] = *b"ML\xEFR";

/// Reads a module of MLIR bytecode in the VHLO dialect.
///
/// The places of operations are those of the user's source where the file has them.
///
/// # Errors
/// Where the bytes are not understood, with their position; dialects other than VHLO.
pub fn read_bytecode(bytes: &[u8], file: &str) -> Result<Module, Error> {
    if !bytes.starts_with(&MAGIC) {
        return Err(Error::Syntax { place: format!("{file}:byte 0"), message: "this is no MLIR bytecode".into() });
    }
    let read = File::open(bytes, file).and_then(|mut f| f.module());
    read.map_err(|Fault { at, message, unsupported }| {
        let place = format!("{file}:byte {at}");
        if unsupported { Error::Unsupported { place, what: message } } else { Error::Syntax { place, message } }
    })
}
