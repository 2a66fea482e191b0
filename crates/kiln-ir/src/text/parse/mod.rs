//! Parsing. Bounded in recursion and in memory, whatever the text.

mod argument;
mod function;
mod literal;

use super::lex::{Lexer, Token};
use crate::diag::{Diagnostic, Diagnostics};
use crate::dim::Dim;
use crate::dtype::DType;
use crate::func::{Func, NodeId};
use crate::loc::Loc;
use crate::shape::{Shape, TensorType};
use crate::verify::verify;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most dimensions of a tensor in text.
const MAX_RANK: usize = 64;
/// Most terms of a size, and most attributes of an operator: both are searched one by one.
const MAX_TERMS: usize = 64;
/// Most bytes that all `dense<x>` of one text may stand for: a few characters must not take all memory.
const MAX_SPLAT_BYTES: usize = 1 << 30;
/// After so many violated constraints the rest of the text is not read.
const MAX_ERRORS: usize = 50;

pub fn one(file: &str, text: &str) -> Result<Func, Diagnostics> {
    let mut p = Parser::new(file, text);
    let result = p.top().and_then(|f| match p.token {
        Token::Eof => Ok(f),
        _ => Err(p.expected("the end of the text")),
    });
    p.finish(result)
}

pub fn all(file: &str, text: &str) -> Result<Vec<Func>, Diagnostics> {
    let mut p = Parser::new(file, text);
    let mut funcs = Vec::new();
    while p.token != Token::Eof {
        let result = p.top();
        funcs.push(p.finish(result)?);
    }
    Ok(funcs)
}

type Result<T, E = Box<Diagnostic>> = std::result::Result<T, E>;

struct Parser<'a> {
    file: Arc<str>,
    text: &'a str,
    lexer: Lexer<'a>,
    token: Token<'a>,
    /// Where `token` begins.
    at: usize,
    /// An error of the lexer, in place of `token`.
    broken: Option<String>,
    depth: usize,
    splat_bytes: usize,
    errors: Vec<Diagnostic>,
}

/// Values of one function by name.
type Scope = BTreeMap<String, NodeId>;

impl<'a> Parser<'a> {
    fn new(file: &str, text: &'a str) -> Parser<'a> {
        let mut p = Parser {
            file: file.into(),
            text,
            lexer: Lexer::new(text),
            token: Token::Eof,
            at: 0,
            broken: None,
            depth: 0,
            splat_bytes: 0,
            errors: Vec::new(),
        };
        p.advance();
        p
    }

    fn finish(&mut self, result: Result<Func>) -> Result<Func, Diagnostics> {
        let mut errors = std::mem::take(&mut self.errors);
        match result {
            Err(d) => {
                errors.push(*d);
                Err(Diagnostics(errors))
            }
            Ok(_) if !errors.is_empty() => Err(Diagnostics(errors)),
            Ok(func) => verify(&func).map(|()| func),
        }
    }

    fn advance(&mut self) -> Token<'a> {
        let (at, next) = self.lexer.next();
        self.at = at;
        self.broken = next.as_ref().err().cloned();
        std::mem::replace(&mut self.token, next.unwrap_or(Token::Eof))
    }

    /// An error at a byte of the text, with the line it is on.
    fn error_at(&self, at: usize, code: &str, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(self.place(at, Diagnostic::new(code, message)))
    }

    fn place(&self, at: usize, mut d: Diagnostic) -> Diagnostic {
        let before = &self.text[..at];
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = self.text[start..].lines().next().unwrap_or("");
        let row = before.matches('\n').count() + 1;
        let column = before[start..].chars().count() + 1;
        d.loc = Loc::new(self.file.clone(), row as u32, column as u32);
        // Long lines (constants) are cut to what stands around the place.
        let skip = (column - 1).saturating_sub(60);
        let shown: String = line.chars().skip(skip).take(120).collect();
        let caret = " ".repeat(column - 1 - skip);
        d.label = format!("{shown}\n{caret}^ {}", d.label);
        d
    }

    fn error(&self, message: impl Into<String>) -> Box<Diagnostic> {
        match &self.broken {
            Some(text) => self.error_at(self.at, "text.syntax", text.clone()),
            None => self.error_at(self.at, "text.syntax", message),
        }
    }

    fn expected(&self, what: &str) -> Box<Diagnostic> {
        self.error(format!("expected {what}, found {}", self.token.describe()))
    }

    fn is(&self, c: u8) -> bool {
        self.token == Token::Punct(c)
    }

    fn eat(&mut self, c: u8) -> bool {
        let found = self.is(c);
        if found {
            self.advance();
        }
        found
    }

    fn punct(&mut self, c: u8) -> Result<()> {
        if self.eat(c) { Ok(()) } else { Err(self.expected(&format!("`{}`", c as char))) }
    }

    fn ident(&mut self, what: &str) -> Result<&'a str> {
        match self.token {
            Token::Ident(s) => {
                self.advance();
                Ok(s)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn keyword(&mut self, word: &str) -> Result<()> {
        match self.token {
            Token::Ident(s) if s == word => {
                self.advance();
                Ok(())
            }
            _ => Err(self.expected(&format!("`{word}`"))),
        }
    }

    fn value_name(&mut self) -> Result<String> {
        match std::mem::replace(&mut self.token, Token::Eof) {
            Token::Value(s) => {
                self.advance();
                Ok(s)
            }
            other => {
                self.token = other;
                Err(self.expected("a value such as `%0`"))
            }
        }
    }

    fn string(&mut self) -> Result<String> {
        match std::mem::replace(&mut self.token, Token::Eof) {
            Token::Str(s) => {
                self.advance();
                Ok(s)
            }
            other => {
                self.token = other;
                Err(self.expected("a string"))
            }
        }
    }

    fn unsigned<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        match self.token {
            Token::Number(s) => match s.parse() {
                Ok(n) => {
                    self.advance();
                    Ok(n)
                }
                Err(_) => Err(self.error(format!("`{s}` is no {what}"))),
            },
            _ => Err(self.expected(&format!("a {what}"))),
        }
    }

    /// `open item, item, ... close`, after `open` has been read.
    fn separated<T>(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.punct(b',')?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `2*seq+1`
    fn dim(&mut self) -> Result<Dim> {
        let mut sum = self.dim_term(false)?;
        let mut terms = 1;
        while self.is(b'+') || self.is(b'-') {
            terms += 1;
            if terms > MAX_TERMS {
                return Err(self.error(format!("a size has at most {MAX_TERMS} terms")));
            }
            let negative = self.is(b'-');
            self.advance();
            let term = self.dim_term(negative)?;
            sum = sum.checked_add(&term).ok_or_else(|| self.error("the size overflows"))?;
        }
        Ok(sum)
    }

    fn dim_term(&mut self, mut negative: bool) -> Result<Dim> {
        if !negative && self.eat(b'-') {
            negative = true;
        }
        let factor: i64 = match self.token {
            Token::Number(s) => {
                // The sign belongs to the number, so that the smallest one can be written.
                let text = if negative { format!("-{s}") } else { s.to_string() };
                let n = text.parse().map_err(|_| self.error(format!("`{text}` is no whole number of 64 bits")))?;
                self.advance();
                if !self.eat(b'*') {
                    return Ok(Dim::Const(n));
                }
                n
            }
            _ => {
                if negative {
                    -1
                } else {
                    1
                }
            }
        };
        let name = self.ident("a size or the name of a dimension")?;
        Ok(Dim::from_terms([(Arc::from(name), factor)], 0))
    }

    fn shape(&mut self) -> Result<Shape> {
        self.punct(b'[')?;
        let dims = self.separated(b']', Self::dim)?;
        if dims.len() > MAX_RANK {
            return Err(self.error(format!("a tensor has at most {MAX_RANK} dimensions")));
        }
        Ok(Shape::new(dims))
    }

    fn tensor_type(&mut self) -> Result<TensorType> {
        let at = self.at;
        let name = self.ident("a type such as `f32[2, 3]`")?;
        let dtype: DType = name.parse().map_err(|e: String| self.error_at(at, "text.syntax", e))?;
        Ok(TensorType { dtype, shape: self.shape()? })
    }

    fn location(&mut self) -> Result<Loc> {
        if self.token != Token::Ident("loc") {
            return Ok(Loc::UNKNOWN);
        }
        self.advance();
        self.punct(b'(')?;
        let file = self.string()?;
        self.punct(b':')?;
        let line = self.unsigned("line")?;
        self.punct(b':')?;
        let column = self.unsigned("column")?;
        self.punct(b')')?;
        Ok(Loc::new(file, line, column))
    }
}
