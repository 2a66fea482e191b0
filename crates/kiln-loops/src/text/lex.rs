//! Tokens of the text form.

use std::fmt;

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What was expected and found.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}
impl std::error::Error for ParseError {}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Kind {
    /// A word: keywords, operators, `p0`, `i3`, `true`.
    Word(String),
    /// `%7`.
    Var(String),
    /// Digits, with fraction, exponent or `0x`, without sign.
    Number(String),
    Text(String),
    Symbol(char),
    End,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Word(w) | Kind::Number(w) => write!(f, "`{w}`"),
            Kind::Var(v) => write!(f, "`%{v}`"),
            Kind::Text(t) => write!(f, "\"{t}\""),
            Kind::Symbol(c) => write!(f, "`{c}`"),
            Kind::End => write!(f, "the end of the text"),
        }
    }
}

pub(super) struct Token {
    pub kind: Kind,
    pub line: u32,
    pub column: u32,
}

struct Lexer<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: u32,
    column: u32,
}

/// The tokens of a text, an `End` last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut l = Lexer { rest: text.chars().peekable(), line: 1, column: 1 };
    let mut out = vec![];
    loop {
        l.skip_blank();
        let (line, column) = (l.line, l.column);
        let kind = l.token().map_err(|message| ParseError { line, column, message })?;
        let end = kind == Kind::End;
        out.push(Token { kind, line, column });
        if end {
            return Ok(out);
        }
    }
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn skip_blank(&mut self) {
        while let Some(&c) = self.rest.peek() {
            if c == '/' && self.rest.clone().nth(1) == Some('/') {
                while self.rest.peek().is_some_and(|c| *c != '\n') {
                    self.next();
                }
            } else if c.is_whitespace() {
                self.next();
            } else {
                return;
            }
        }
    }

    fn word(&mut self, accept: impl Fn(char) -> bool) -> String {
        let mut s = String::new();
        while let Some(&c) = self.rest.peek() {
            if !accept(c) {
                break;
            }
            s.push(c);
            self.next();
        }
        s
    }

    fn number(&mut self) -> String {
        let mut s = String::new();
        while let Some(&c) = self.rest.peek() {
            let signed_exponent = matches!(c, '-' | '+') && s.ends_with('e') && !s.starts_with("0x");
            if !(c.is_ascii_alphanumeric() || c == '.' || signed_exponent) {
                break;
            }
            s.push(c);
            self.next();
        }
        s
    }

    fn token(&mut self) -> Result<Kind, String> {
        let Some(&c) = self.rest.peek() else {
            return Ok(Kind::End);
        };
        match c {
            '%' => {
                self.next();
                let digits = self.word(|c| c.is_ascii_digit());
                if digits.is_empty() { Err("expected a number after `%`".to_string()) } else { Ok(Kind::Var(digits)) }
            }
            '"' => self.text(),
            c if c.is_ascii_digit() => Ok(Kind::Number(self.number())),
            c if c.is_ascii_alphabetic() || c == '_' => {
                Ok(Kind::Word(self.word(|c| c.is_ascii_alphanumeric() || c == '_')))
            }
            '{' | '}' | '[' | ']' | '(' | ')' | ':' | ',' | '=' | '<' | '+' | '-' | '*' => {
                self.next();
                Ok(Kind::Symbol(c))
            }
            c => Err(format!("unexpected character {c:?}")),
        }
    }

    fn text(&mut self) -> Result<Kind, String> {
        self.next();
        let mut s = String::new();
        loop {
            match self.next() {
                None => return Err("the string is never closed".to_string()),
                Some('"') => return Ok(Kind::Text(s)),
                Some('\\') => match self.next() {
                    Some('n') => s.push('\n'),
                    Some('r') => s.push('\r'),
                    Some(c @ ('\\' | '"')) => s.push(c),
                    _ => return Err("a string knows the escapes \\\\, \\\", \\n and \\r".to_string()),
                },
                Some(c) => s.push(c),
            }
        }
    }
}
