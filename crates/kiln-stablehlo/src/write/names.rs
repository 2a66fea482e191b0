//! Names of SSA values and functions: readable, unique, the same for the same graph.

use std::collections::{BTreeMap, BTreeSet};

/// Gives out names that are unique within a function (or a module).
#[derive(Debug, Default)]
pub(super) struct Names {
    used: BTreeSet<String>,
    /// Next suffix to try for a name that is taken.
    suffixes: BTreeMap<String, usize>,
    next_number: usize,
}

impl Names {
    /// `hint` as an MLIR identifier, with a suffix when it is taken.
    pub(super) fn named(&mut self, hint: &str) -> String {
        let base = identifier(hint);
        if self.used.insert(base.clone()) {
            return base;
        }
        let next = self.suffixes.entry(base.clone()).or_insert(0);
        loop {
            let name = format!("{base}_{next}");
            *next += 1;
            if self.used.insert(name.clone()) {
                return name;
            }
        }
    }

    /// The next number: `0`, `1`, ...
    pub(super) fn number(&mut self) -> String {
        self.next_number += 1;
        (self.next_number - 1).to_string()
    }
}

/// `text` as a bare MLIR identifier: letters, digits, `_`, `.`, `$`, not starting with a digit. Slashes of scoped names become
/// dots.
pub(super) fn identifier(text: &str) -> String {
    let plain = |c: char| match c {
        '/' => '.',
        c if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$') => c,
        _ => '_',
    };
    let mut name: String = text.chars().map(plain).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

/// A string literal with what MLIR needs escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for b in text.bytes() {
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(b as char),
            other => out.push_str(&format!("\\{other:02X}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_identifiers() {
        let mut names = Names::default();
        assert_eq!(names.named("enc/l0/q"), "enc.l0.q");
        assert_eq!(names.named("c_0"), "c_0");
        assert_eq!([names.named("c"), names.named("c"), names.named("c")], ["c", "c_1", "c_2"]);
        assert_eq!([names.named("2x"), names.named(""), names.named("Größe")], ["_2x", "_", "Gr__e"]);
        assert_eq!([names.number(), names.number()], ["0", "1"]);
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\0A""#);
    }
}
