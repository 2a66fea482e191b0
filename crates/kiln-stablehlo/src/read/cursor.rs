//! A position in the text, with the small tokens.

use crate::ast::Place;
use crate::error::Error;
use std::cell::Cell;
use std::sync::Arc;

pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    file: Arc<str>,
    /// Where each line begins.
    lines: Vec<usize>,
    /// The last position whose column was counted, with the column: long lines are counted through once.
    counted: Cell<(usize, u32)>,
}

type Parsed<T> = Result<T, Error>;

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str, file: &str) -> Cursor<'t> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Cursor { text, at: 0, file: Arc::from(file), lines, counted: Cell::new((0, 1)) }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Skips white space and comments.
    pub(super) fn skip(&mut self) {
        loop {
            let trimmed = self.rest().trim_start();
            self.at = self.text.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.skip();
        self.at == self.text.len()
    }

    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip();
        self.rest().chars().next()
    }

    pub(super) fn place(&mut self) -> usize {
        self.skip();
        self.at
    }

    /// Line and column of a position.
    pub(super) fn place_of(&self, at: usize) -> Place {
        let line = self.lines.partition_point(|&start| start <= at);
        let start = self.lines[line - 1];
        let (from, column) = match self.counted.get() {
            (from, column) if (start..=at).contains(&from) => (from, column),
            _ => (start, 1),
        };
        let column = column + self.text[from..at].chars().count() as u32;
        self.counted.set((at, column));
        Place { file: self.file.clone(), line: line as u32, column }
    }

    /// Line and column of what was last looked at.
    pub(super) fn here(&self) -> Place {
        self.place_of(self.at)
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let found: String = self.rest().chars().take(24).take_while(|c| *c != '\n').collect();
        let found = if found.is_empty() { "the end of the text".to_owned() } else { format!("`{found}`") };
        let place = self.here().to_string();
        Err(Error::Syntax { place, message: format!("{}, found {found}", message.into()) })
    }

    /// Takes this text if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.skip();
        let next = self.rest().starts_with(token);
        if next {
            self.at += token.len();
        }
        next
    }

    /// Takes this word if it comes next and ends there.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.skip();
        let rest = self.rest();
        let next = rest.starts_with(word) && !rest[word.len()..].starts_with(|c| is_word(c) || c == '.');
        if next {
            self.at += word.len();
        }
        next
    }

    pub(super) fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { self.fail(format!("expected `{token}`")) }
    }

    fn take_while(&mut self, ok: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let n = rest.find(|c| !ok(c)).unwrap_or(rest.len());
        self.at += n;
        &rest[..n]
    }

    pub(super) fn ident(&mut self) -> Parsed<String> {
        self.skip();
        let word = self.take_while(is_word);
        if word.is_empty() { self.fail("expected a name") } else { Ok(word.to_owned()) }
    }

    /// `stablehlo.add`, `jax.result_info`.
    pub(super) fn dotted_ident(&mut self) -> Parsed<String> {
        self.skip();
        let word = self.take_while(|c| is_word(c) || c == '.' || c == '-');
        let trimmed = word.trim_end_matches('-');
        self.at -= word.len() - trimmed.len();
        if trimmed.is_empty() { self.fail("expected a name") } else { Ok(trimmed.to_owned()) }
    }

    /// `%name`, without the sign.
    pub(super) fn value_name(&mut self) -> Parsed<String> {
        self.expect("%")?;
        let word = self.take_while(|c| is_word(c) || c == '-' || c == '.');
        if word.is_empty() { self.fail("expected the name of a value") } else { Ok(word.to_owned()) }
    }

    /// `@name` or `@"name"`, without the sign.
    pub(super) fn symbol(&mut self) -> Parsed<String> {
        self.expect("@")?;
        if self.rest().starts_with('"') {
            return self.string();
        }
        let word = self.take_while(|c| is_word(c) || c == '.' || c == '-');
        if word.is_empty() { self.fail("expected a symbol") } else { Ok(word.to_owned()) }
    }

    pub(super) fn string(&mut self) -> Parsed<String> {
        self.expect("\"")?;
        let rest = self.rest();
        let mut out = Vec::new();
        let mut bytes = rest.bytes().enumerate();
        while let Some((i, b)) = bytes.next() {
            match b {
                b'"' => {
                    self.at += i + 1;
                    return Ok(String::from_utf8_lossy(&out).into_owned());
                }
                b'\\' => match bytes.next() {
                    Some((_, b'n')) => out.push(b'\n'),
                    Some((_, b't')) => out.push(b'\t'),
                    Some((_, c @ (b'"' | b'\\'))) => out.push(c),
                    Some((_, h)) if h.is_ascii_hexdigit() => {
                        let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
                        let low = bytes.next().map_or(0, |(_, b)| digit(b));
                        out.push(digit(h) << 4 | low);
                    }
                    _ => return self.fail("a strange escape in a string"),
                },
                b => out.push(b),
            }
        }
        self.fail("a string without an end")
    }

    /// A signed decimal integer.
    pub(super) fn int(&mut self) -> Parsed<i64> {
        let word = self.number()?;
        match word.parse() {
            Ok(n) => Ok(n),
            Err(_) => self.fail(format!("expected an integer instead of {word}")),
        }
    }

    /// A number as written: decimal, hexadecimal or floating point.
    pub(super) fn number(&mut self) -> Parsed<String> {
        self.skip();
        let start = self.at;
        if !self.eat_here("-") {
            self.eat_here("+");
        }
        if self.eat_here("0x") || self.eat_here("0X") {
            self.take_while(|c| c.is_ascii_hexdigit());
        } else {
            self.take_while(|c| c.is_ascii_digit());
            if self.rest().starts_with('.') {
                self.at += 1;
                self.take_while(|c| c.is_ascii_digit());
            }
            let exponent = self.rest().starts_with(['e', 'E']);
            let digits = self.rest().get(1..).unwrap_or_default().trim_start_matches(['+', '-']);
            if exponent && digits.starts_with(|c: char| c.is_ascii_digit()) {
                self.at += 1;
                if !self.eat_here("-") {
                    self.eat_here("+");
                }
                self.take_while(|c| c.is_ascii_digit());
            }
        }
        let word = &self.text[start..self.at];
        if word.trim_start_matches(['-', '+']).is_empty() {
            return self.fail("expected a number");
        }
        Ok(word.to_owned())
    }

    fn eat_here(&mut self, token: &str) -> bool {
        let next = self.rest().starts_with(token);
        if next {
            self.at += token.len();
        }
        next
    }

    /// True when a number comes next.
    pub(super) fn at_number(&mut self) -> bool {
        self.skip();
        let rest = self.rest().trim_start_matches(['-', '+']);
        rest.starts_with(|c: char| c.is_ascii_digit())
    }

    /// The text up to the bracket that closes the one that comes next, without both. Strings are passed over.
    pub(super) fn skip_balanced(&mut self, open: char, close: char) -> Parsed<&'t str> {
        self.expect(&open.to_string())?;
        let start = self.at;
        let mut depth = 1usize;
        let mut in_string = false;
        let mut previous = ' ';
        let mut escaped = false;
        for (i, c) in self.rest().char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                _ if in_string => {}
                // The arrow of a function type closes nothing.
                '>' if close == '>' && previous == '-' => {}
                c if c == open => depth += 1,
                c if c == close => {
                    depth -= 1;
                    if depth == 0 {
                        let inner = &self.text[start..start + i];
                        self.at = start + i + close.len_utf8();
                        return Ok(inner);
                    }
                }
                _ => {}
            }
            previous = c;
        }
        self.fail(format!("a `{open}` that is not closed"))
    }
}

impl Cursor<'_> {
    /// Goes back to a place passed before.
    pub(super) fn rewind(&mut self, to: usize) {
        self.at = to;
    }
}
