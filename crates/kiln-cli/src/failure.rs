//! How a command ends when it does not end well.

use std::fmt::Display;

/// Why a command stopped; each kind has its exit code.
#[derive(Debug)]
pub enum Failure {
    /// Cases of `kiln check` failed; they are printed already.
    Cases,
    /// The command line makes no sense.
    Usage(String),
    /// A file, program or value is at fault.
    Input(String),
    /// Whoever read the output has seen enough.
    Closed,
}

/// What commands give.
pub type Done<T = ()> = Result<T, Failure>;

impl Failure {
    /// A fault of what was given.
    pub fn input(error: impl Display) -> Failure {
        Failure::Input(error.to_string())
    }
}

/// Errors of writing to standard output.
impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Failure {
        match e.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Input(format!("writing the output: {e}")),
        }
    }
}
