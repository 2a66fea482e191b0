//! Why an evaluation failed, and where.

use kiln_ir::{DType, Diagnostic, Diagnostics, Func, Loc, Node, NodeId, TensorType};
use std::fmt;
use std::sync::Arc;

/// The node an error is about.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Site {
    /// The function that holds the node; empty when the operator was evaluated on its own.
    pub func: String,
    /// The node; none when the operator was evaluated on its own.
    pub node: Option<NodeId>,
    /// The user's name for the node.
    pub name: Option<Arc<str>>,
    /// The operator's name.
    pub op: String,
    /// The user's source line.
    pub loc: Loc,
}

impl Site {
    pub(crate) fn of(func: &Func, id: NodeId, node: &Node) -> Site {
        Site {
            func: func.name.clone(),
            node: Some(id),
            name: node.name.clone(),
            op: node.op.name().to_string(),
            loc: node.loc.clone(),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.op)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        if let Some(id) = self.node {
            write!(f, " (node %{} of @{})", id.0, self.func)?;
        }
        if self.loc.is_unknown() { Ok(()) } else { write!(f, " at {}", self.loc) }
    }
}

/// A value that is not finite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NonFinite {
    /// Not a number.
    NaN,
    /// An infinity of either sign.
    Infinity,
}

/// Why an evaluation failed.
#[derive(Clone, PartialEq, Debug)]
pub enum EvalError {
    /// Another number of inputs than the function has.
    InputCount {
        /// The function.
        func: String,
        /// Inputs it has.
        expected: usize,
        /// Inputs given.
        found: usize,
    },
    /// An input of another type.
    InputType {
        /// The input.
        site: Site,
        /// Its type.
        expected: TensorType,
        /// The type of the tensor given.
        found: TensorType,
    },
    /// The function breaks a rule of the IR, or the inputs contradict its named dimensions.
    Invalid(Diagnostics),
    /// An operator evaluated on its own does not take these operands.
    Operands {
        /// The operator.
        site: Site,
        /// The rule.
        diagnostic: Box<Diagnostic>,
    },
    /// The first value that is NaN or infinite, when [`crate::EvalOptions`] ask for it.
    NotFinite {
        /// The node that computed it.
        site: Site,
        /// What it is.
        value: NonFinite,
        /// Which of the node's results.
        result: usize,
        /// Row-major position of the element.
        element: usize,
    },
    /// A loop ran longer than [`crate::EvalOptions::max_iterations`].
    IterationLimit {
        /// The `while`.
        site: Site,
        /// The limit.
        limit: u64,
    },
    /// A result is larger than [`crate::EvalOptions::max_bytes`], or memory ran out.
    TooLarge {
        /// The node.
        site: Site,
        /// The result's type.
        ty: TensorType,
    },
    /// The operator is not defined on this element type.
    Unsupported {
        /// The node.
        site: Site,
        /// The element type.
        dtype: DType,
    },
    /// The node's attributes, types and operands do not fit together.
    Malformed {
        /// The node.
        site: Site,
        /// What does not fit.
        reason: String,
    },
    /// An observer asked to stop.
    Stopped {
        /// The node it was shown last.
        site: Site,
    },
}

impl EvalError {
    /// The node the error is about, if it is about one.
    pub fn site(&self) -> Option<&Site> {
        match self {
            EvalError::InputCount { .. } | EvalError::Invalid(_) => None,
            EvalError::InputType { site, .. }
            | EvalError::Operands { site, .. }
            | EvalError::NotFinite { site, .. }
            | EvalError::IterationLimit { site, .. }
            | EvalError::TooLarge { site, .. }
            | EvalError::Unsupported { site, .. }
            | EvalError::Malformed { site, .. }
            | EvalError::Stopped { site } => Some(site),
        }
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvalError::InputCount { func, expected, found } => {
                write!(f, "@{func} takes {expected} inputs, found {found}")
            }
            EvalError::InputType { site, expected, found } => write!(f, "{site}: expected {expected}, found {found}"),
            EvalError::Invalid(d) => d.fmt(f),
            EvalError::Operands { site, diagnostic } => write!(f, "{site}: {diagnostic}"),
            EvalError::NotFinite { site, value, result, element } => {
                let what = match value {
                    NonFinite::NaN => "NaN",
                    NonFinite::Infinity => "an infinity",
                };
                write!(f, "{site}: the first {what} is in result {result}, element {element}")
            }
            EvalError::IterationLimit { site, limit } => write!(f, "{site}: still running after {limit} iterations"),
            EvalError::TooLarge { site, ty } => write!(f, "{site}: a result of type {ty} needs too much memory"),
            EvalError::Unsupported { site, dtype } => write!(f, "{site}: not defined on {dtype}"),
            EvalError::Malformed { site, reason } => write!(f, "{site}: {reason}"),
            EvalError::Stopped { site } => write!(f, "{site}: stopped by the observer"),
        }
    }
}
impl std::error::Error for EvalError {}

/// A failure inside an operator, before it is known where.
#[derive(Debug)]
pub(crate) enum Fault {
    TooLarge(TensorType),
    Unsupported(DType),
    Malformed(String),
}

impl Fault {
    pub fn malformed(reason: impl Into<String>) -> Fault {
        Fault::Malformed(reason.into())
    }
    pub fn at(self, site: Site) -> EvalError {
        match self {
            Fault::TooLarge(ty) => EvalError::TooLarge { site, ty },
            Fault::Unsupported(dtype) => EvalError::Unsupported { site, dtype },
            Fault::Malformed(reason) => EvalError::Malformed { site, reason },
        }
    }
}

impl From<kiln_ir::TensorError> for Fault {
    fn from(e: kiln_ir::TensorError) -> Fault {
        Fault::Malformed(e.to_string())
    }
}
