//! Tokens of the text form.

use super::literal::unescape;

/// A token; borrowed where the text can be used as it stands.
#[derive(Clone, PartialEq, Debug)]
pub enum Token<'a> {
    /// `[A-Za-z_][A-Za-z0-9_]*`
    Ident(&'a str),
    /// `%name` or `%"name"`
    Value(String),
    /// `@name` or `@"name"`
    At(String),
    /// Digits with whatever belongs to a number: `12`, `1.5e-3`, `0x7f`.
    Number(&'a str),
    /// `"..."` with escapes resolved.
    Str(String),
    /// `->`
    Arrow,
    /// `...`
    Ellipsis,
    /// Any other single character of the grammar.
    Punct(u8),
    /// End of the text.
    Eof,
}

impl Token<'_> {
    /// The token in words, for "found ..." in errors.
    pub fn describe(&self) -> String {
        match self {
            Token::Ident(s) | Token::Number(s) => format!("`{s}`"),
            Token::Value(s) => format!("`%{s}`"),
            Token::At(s) => format!("`@{s}`"),
            Token::Str(_) => "a string".into(),
            Token::Arrow => "`->`".into(),
            Token::Ellipsis => "`...`".into(),
            Token::Punct(c) => format!("`{}`", *c as char),
            Token::Eof => "the end of the text".into(),
        }
    }
}

/// Splits text into tokens, on demand.
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_blank(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at);
                }
                _ => return,
            }
        }
    }

    /// The next token and where it begins.
    pub fn next(&mut self) -> (usize, Result<Token<'a>, String>) {
        self.skip_blank();
        let start = self.at;
        (start, self.token())
    }

    fn take(&mut self, len: usize) -> &'a str {
        let s = &self.text[self.at..self.at + len];
        self.at += len;
        s
    }

    fn token(&mut self) -> Result<Token<'a>, String> {
        if self.at >= self.text.len() {
            return Ok(Token::Eof);
        }
        match self.peek(0) {
            b if b.is_ascii_alphabetic() || b == b'_' => {
                let rest = &self.text.as_bytes()[self.at..];
                let len = rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len());
                Ok(Token::Ident(self.take(len)))
            }
            b'0'..=b'9' => Ok(Token::Number(self.number())),
            b'"' => self.string().map(Token::Str),
            b'%' => self.sigil().map(Token::Value),
            b'@' => self.sigil().map(Token::At),
            b'-' if self.peek(1) == b'>' => {
                self.at += 2;
                Ok(Token::Arrow)
            }
            b'.' if self.text[self.at..].starts_with("...") => {
                self.at += 3;
                Ok(Token::Ellipsis)
            }
            b if b"()[]{}<>,:=*+-#".contains(&b) => {
                self.at += 1;
                Ok(Token::Punct(b))
            }
            _ => {
                let c = self.text[self.at..].chars().next().unwrap_or(' ');
                Err(format!("unexpected character {c:?}"))
            }
        }
    }

    fn number(&mut self) -> &'a str {
        let rest = &self.text.as_bytes()[self.at..];
        let hex = rest.len() > 1 && rest[0] == b'0' && (rest[1] | 0x20) == b'x';
        let mut len = 1;
        while let Some(&b) = rest.get(len) {
            let exponent_sign = !hex && (b == b'-' || b == b'+') && (rest[len - 1] | 0x20) == b'e';
            if !(is_word(b) || b == b'.' || exponent_sign) {
                break;
            }
            len += 1;
        }
        self.take(len)
    }

    /// A name after `%` or `@`.
    fn sigil(&mut self) -> Result<String, String> {
        self.at += 1;
        if self.peek(0) == b'"' {
            return self.string();
        }
        let rest = &self.text.as_bytes()[self.at..];
        let part = |i: usize| {
            let slash = rest[i] == b'/' && rest.get(i + 1) != Some(&b'/');
            is_word(rest[i]) || rest[i] == b'.' || slash
        };
        let len = (0..rest.len()).find(|i| !part(*i)).unwrap_or(rest.len());
        if len == 0 { Err("expected a name".into()) } else { Ok(self.take(len).to_string()) }
    }

    fn string(&mut self) -> Result<String, String> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        let mut len = 0;
        loop {
            match rest.get(len) {
                None | Some(b'\n') => return Err("the string does not end on its line".into()),
                Some(b'"') => break,
                Some(b'\\') => len += 2,
                Some(_) => len += 1,
            }
        }
        // The quote ends the string at a character boundary, since it is ASCII.
        let body = &self.text[self.at + 1..self.at + 1 + len];
        let string = unescape(body)?;
        self.at += len + 2;
        Ok(string)
    }
}
