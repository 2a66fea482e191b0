//! Diagnostics: what was expected, what was found, where, and what to do.

use crate::loc::Loc;
use std::fmt;

/// One problem in a user's graph.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Diagnostic {
    /// Operator and constraint, `dot_general.C3`, or another stable code.
    pub code: String,
    /// One line: what is wrong.
    pub message: String,
    /// Where it was written.
    pub loc: Loc,
    /// What stands under the caret.
    pub label: String,
    /// Further facts: (`left`, `"relu" f32[batch, 128] from src/model.rs:40`).
    pub notes: Vec<(String, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a place yet.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code: code.into(), message: message.into(), ..Diagnostic::default() }
    }
    /// Sets the place unless it has one.
    pub fn at(mut self, loc: &Loc) -> Diagnostic {
        self.loc = self.loc.or(loc);
        self
    }
    /// Sets the text under the caret.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }
    /// Adds a fact.
    pub fn note(mut self, key: impl Into<String>, text: impl Into<String>) -> Diagnostic {
        self.notes.push((key.into(), text.into()));
        self
    }
    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}\n  --> {}", self.code, self.message, self.loc)?;
        if !self.label.is_empty() {
            write!(f, "\n   | {}", self.label)?;
        }
        for (k, v) in &self.notes {
            write!(f, "\n   = {k}: {v}")?;
        }
        if let Some(h) = &self.help {
            write!(f, "\n   = help: {h}")?;
        }
        Ok(())
    }
}
impl std::error::Error for Diagnostic {}

/// All problems found in one go.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.0.iter().enumerate() {
            write!(f, "{}{d}", if i > 0 { "\n\n" } else { "" })?;
        }
        Ok(())
    }
}
impl std::error::Error for Diagnostics {}
impl From<Diagnostic> for Diagnostics {
    fn from(d: Diagnostic) -> Diagnostics {
        Diagnostics(vec![d])
    }
}
