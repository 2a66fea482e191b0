//! Diagnostics: what was expected, what was found, where, and what to do.

use crate::loc::Loc;
use std::collections::BTreeMap;
use std::fmt;

/// One problem in a user's graph. `Display` gives it without reading any file; [`render`] shows the source line as well.
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
        write!(f, "error[{}]: {}", self.code, self.message)?;
        if !self.loc.is_unknown() {
            write!(f, "\n  --> {}", self.loc)?;
        }
        for line in self.label.lines() {
            write!(f, "\n   | {}", line.trim_end())?;
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

/// The diagnostics with the user's source lines, as a compiler shows them, where the files can be read:
///
/// ```text
/// error[dot_general.C10]: contracting dimensions differ
///   --> src/model.rs:41:15
///    |
/// 41 |     let y = h.dot(&w2);
///    |               ^^^ left has size 128 in dim 1, right has size 256 in dim 0
///    = left: "relu" f32[batch, 128] from src/model.rs:40:13
///    = help: transpose or reshape one side, or check the sizes
/// ```
///
/// `Display` gives the same without reading files, so its text depends on nothing else.
pub fn render(diagnostics: &Diagnostics) -> String {
    let mut sources = Sources::default();
    let texts: Vec<String> = diagnostics.0.iter().map(|d| d.render_from(&mut sources)).collect();
    texts.join("\n\n")
}

/// Source files larger than this are not read for a diagnostic.
const MAX_SOURCE_BYTES: u64 = 16 << 20;

/// Files that diagnostics point to, each read once.
#[derive(Default)]
struct Sources(BTreeMap<String, Option<String>>);

impl Sources {
    /// The line (counted from 1) of a file. Compilers name files relative to the workspace, so the directories above the
    /// current one are tried as well.
    fn line(&mut self, file: &str, line: u32) -> Option<&str> {
        let text = self.0.entry(file.to_string()).or_insert_with(|| {
            let current = std::env::current_dir().unwrap_or_default();
            current.ancestors().find_map(|dir| {
                let path = dir.join(file);
                let small = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= MAX_SOURCE_BYTES);
                if small { std::fs::read_to_string(path).ok() } else { None }
            })
        });
        text.as_deref()?.lines().nth((line as usize).checked_sub(1)?)
    }
}

impl Diagnostic {
    fn render_from(&self, sources: &mut Sources) -> String {
        let (Some(file), Some(line), Some(column)) = (self.loc.file(), self.loc.line(), self.loc.column()) else {
            return self.to_string();
        };
        let Some(source) = sources.line(file, line) else { return self.to_string() };
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let before: String = source.chars().take(column as usize - usize::from(column > 0)).collect();
        let width = source[before.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').count().max(1);
        // Tabs stay tabs, so that the caret stands under its word.
        let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let mut out = format!("error[{}]: {}\n{gutter}--> {}\n{gutter} |\n", self.code, self.message, self.loc);
        out.push_str(&format!("{number} | {}\n{gutter} | {indent}{}", source.trim_end(), "^".repeat(width)));
        for (i, line) in self.label.lines().enumerate() {
            let lead = if i == 0 { " ".to_string() } else { format!("\n{gutter} | {indent}{}", " ".repeat(width + 1)) };
            out.push_str(&format!("{lead}{}", line.trim_end()));
        }
        for (k, v) in &self.notes {
            out.push_str(&format!("\n{gutter} = {k}: {v}"));
        }
        if let Some(h) = &self.help {
            out.push_str(&format!("\n{gutter} = help: {h}"));
        }
        out
    }
}

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
