//! Errors at run time.

use crate::device::DeviceError;
use kiln_artifact::ArtifactError;
use kiln_ir::{DType, Diagnostics, TensorError};
use std::fmt;

/// Why a run, a session or a file operation failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// No input has this name.
    UnknownFeed {
        /// The name given.
        name: String,
        /// The inputs there are.
        expected: Vec<String>,
    },
    /// An input is given twice.
    DuplicateFeed(String),
    /// An input is not given.
    MissingFeed {
        /// Its name.
        name: String,
        /// Its type as declared.
        expected: String,
    },
    /// An input has another type than declared.
    FeedType {
        /// Its name.
        name: String,
        /// The declared type.
        expected: String,
        /// The type given.
        found: String,
    },
    /// Another number of inputs or outputs than the signature has.
    Count {
        /// `inputs` or `outputs`.
        what: &'static str,
        /// How many there are in the signature.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A buffer for an output has another type than the output.
    OutputType {
        /// Its name.
        name: String,
        /// The output's type.
        expected: String,
        /// The buffer's type.
        found: String,
    },
    /// Named dimensions of the inputs contradict each other.
    Dims(Diagnostics),
    /// The executable was not compiled for these sizes and cannot compile.
    NoProgram {
        /// The sizes asked for.
        dims: String,
        /// The sizes it has programs for.
        available: Vec<String>,
    },
    /// There is no program to export yet.
    NothingCompiled,
    /// The graph has no dimension of this name.
    UnknownDim {
        /// The name given.
        name: String,
        /// The named dimensions there are.
        expected: Vec<String>,
    },
    /// Compiling for new sizes failed.
    Specialize(Box<dyn std::error::Error + Send + Sync>),
    /// The graph keeps state that a run updates: it needs a session.
    NeedsSession(String),
    /// A session has no variable of this name.
    UnknownVariable {
        /// The name given.
        name: String,
        /// The variables there are.
        expected: Vec<String>,
    },
    /// A variable has another type than needed.
    VariableType {
        /// Its name.
        name: String,
        /// The session's type.
        expected: String,
        /// The type given.
        found: String,
    },
    /// The initial value of a variable cannot be made.
    Initializer {
        /// The variable.
        name: String,
        /// Why.
        reason: String,
    },
    /// A tensor could not be made.
    Tensor(TensorError),
    /// A file could not be read or written.
    Io {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file has the wrong contents.
    File {
        /// The path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A program and what it is to run with do not fit together.
    Program(String),
    /// An artifact could not be read.
    Artifact(ArtifactError),
    /// Shapes of inputs that belong to two sets of sizes, so that a run could not choose.
    AmbiguousSizes {
        /// The sizes compiled for.
        dims: String,
        /// Those there is a program for.
        other: String,
    },
    /// Sessions hold variables of one device, and the executable runs on another one.
    OtherDevice {
        /// The session's.
        expected: String,
        /// The executable's.
        found: String,
    },
    /// The device could not load or run a program.
    Device(DeviceError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::UnknownFeed { name, expected } => {
                write!(f, "there is no input \"{name}\"; the inputs are: {}", list(expected))
            }
            RunError::DuplicateFeed(name) => write!(f, "input \"{name}\" is given twice"),
            RunError::MissingFeed { name, expected } => write!(f, "input \"{name}\" ({expected}) is not given"),
            RunError::FeedType { name, expected, found } => {
                write!(f, "input \"{name}\": expected {expected}, found {found}")
            }
            RunError::Count { what, expected: 1, found } => {
                write!(f, "expected 1 {}, found {found}", what.trim_end_matches('s'))
            }
            RunError::Count { what, expected, found } => write!(f, "expected {expected} {what}, found {found}"),
            RunError::OutputType { name, expected, found } => {
                write!(f, "buffer for output \"{name}\": expected {expected}, found {found}")
            }
            RunError::Dims(d) => write!(f, "the sizes of the inputs do not fit together: {d}"),
            RunError::NoProgram { dims, available } => write!(
                f,
                "there is no program for {dims}, and this executable cannot compile one; it was exported for: {}",
                list(available)
            ),
            RunError::NothingCompiled => {
                f.write_str("nothing is compiled yet: call `prepare`, or compile with `sizes`, before exporting")
            }
            RunError::UnknownDim { name, expected } => {
                write!(f, "there is no named dimension \"{name}\"; there are: {}", list(expected))
            }
            RunError::Specialize(e) => write!(f, "compiling for these sizes failed: {e}"),
            RunError::NeedsSession(name) => {
                write!(f, "a run updates variable \"{name}\": make a Session and run that")
            }
            RunError::UnknownVariable { name, expected } => {
                write!(f, "there is no variable \"{name}\"; the variables are: {}", list(expected))
            }
            RunError::VariableType { name, expected, found } => {
                write!(f, "variable \"{name}\": expected {expected}, found {found}")
            }
            RunError::Initializer { name, reason } => write!(f, "initial value of variable \"{name}\": {reason}"),
            RunError::Tensor(e) => e.fmt(f),
            RunError::Io { path, source } => write!(f, "{path}: {source}"),
            RunError::File { path, reason } => write!(f, "{path}: {reason}"),
            RunError::Program(e) => write!(f, "the program does not fit: {e}"),
            RunError::Artifact(e) => e.fmt(f),
            RunError::AmbiguousSizes { dims, other } => write!(
                f,
                "the shapes of the inputs do not tell the sizes {dims} from {other}, for which there is a program"
            ),
            RunError::OtherDevice { expected, found } => {
                write!(f, "the session's variables are on {expected}, the executable runs on {found}")
            }
            RunError::Device(e) => e.fmt(f),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "(none)".into() } else { names.join(", ") }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RunError::Io { source, .. } => Some(source),
            RunError::Specialize(e) => Some(&**e),
            RunError::Dims(d) => Some(d),
            RunError::Tensor(e) => Some(e),
            RunError::Artifact(e) => Some(e),
            RunError::Device(e) => Some(e),
            _ => None,
        }
    }
}

impl From<TensorError> for RunError {
    fn from(e: TensorError) -> RunError {
        RunError::Tensor(e)
    }
}
impl From<DeviceError> for RunError {
    fn from(e: DeviceError) -> RunError {
        RunError::Device(e)
    }
}
impl From<ArtifactError> for RunError {
    fn from(e: ArtifactError) -> RunError {
        RunError::Artifact(e)
    }
}

/// `f32[2, 3]`.
pub(crate) fn type_name(dtype: DType, shape: &[usize]) -> String {
    format!("{dtype}{shape:?}")
}
