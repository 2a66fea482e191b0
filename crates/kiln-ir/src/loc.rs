//! Provenance: where in the user's code a node was made.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A place in the user's source, or unknown. Kept on every node through every rewrite.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Loc(Option<Place>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    file: File,
    line: u32,
    column: u32,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum File {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Loc {
    /// No known place.
    pub const UNKNOWN: Loc = Loc(None);

    /// The place of the caller of the nearest `#[track_caller]` function.
    #[track_caller]
    pub fn caller() -> Loc {
        let l = Location::caller();
        Loc(Some(Place { file: File::Static(l.file()), line: l.line(), column: l.column() }))
    }

    /// A place by name (lines and columns count from 1). Line 0 stands for a binary file, with the byte for a column.
    pub fn new(file: impl Into<Arc<str>>, line: u32, column: u32) -> Loc {
        Loc(Some(Place { file: File::Shared(file.into()), line, column }))
    }

    /// The file, if known.
    pub fn file(&self) -> Option<&str> {
        self.0.as_ref().map(|p| match &p.file {
            File::Static(s) => s,
            File::Shared(s) => &**s,
        })
    }
    /// The line, counted from 1.
    pub fn line(&self) -> Option<u32> {
        self.0.as_ref().map(|p| p.line)
    }
    /// The column, counted from 1.
    pub fn column(&self) -> Option<u32> {
        self.0.as_ref().map(|p| p.column)
    }
    /// True when no place is known.
    pub fn is_unknown(&self) -> bool {
        self.0.is_none()
    }
    /// `self`, or `other` when `self` is unknown.
    pub fn or(&self, other: &Loc) -> Loc {
        if self.is_unknown() { other.clone() } else { self.clone() }
    }
}

impl fmt::Display for Loc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file(), self.line(), self.column()) {
            (Some(file), Some(0), Some(byte)) => write!(f, "{file}:byte {byte}"),
            (Some(file), Some(l), Some(c)) => write!(f, "{file}:{l}:{c}"),
            _ => f.write_str("unknown location"),
        }
    }
}
impl fmt::Debug for Loc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
