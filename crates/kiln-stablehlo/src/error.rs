//! Errors with their place in the text.

use kiln_ir::Diagnostics;
use std::fmt;

/// Why a program could not be read.
#[derive(Clone, Debug)]
pub enum Error {
    /// The text is not MLIR, or not in a form that is known.
    Syntax {
        /// Where: `file:line:column`.
        place: String,
        /// What was expected and found.
        message: String,
    },
    /// An operator, type or attribute that kiln has not.
    Unsupported {
        /// Where: `file:line:column`.
        place: String,
        /// Its name and what is missing.
        what: String,
    },
    /// The operators do not fit together.
    Graph(Diagnostics),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Syntax { place, message } => write!(f, "{place}: {message}"),
            Error::Unsupported { place, what } => write!(f, "{place}: not supported: {what}"),
            Error::Graph(d) => d.fmt(f),
        }
    }
}
impl std::error::Error for Error {}
