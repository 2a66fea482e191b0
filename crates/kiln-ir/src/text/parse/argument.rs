//! Operands, attributes and annotated types of a statement.

use super::{MAX_RANK, MAX_TERMS, Parser, Result, Scope};
use crate::dim::Dim;
use crate::func::{Func, Value};
use crate::op::WindowDim;
use crate::shape::TensorType;
use crate::text::attrs::{Attr, Attrs};
use crate::text::lex::Token;
use smallvec::{SmallVec, smallvec};

impl Parser<'_> {
    /// Operands, then attributes, separated by commas, up to the `:` before the types.
    pub(super) fn operands_and_attributes(
        &mut self,
        func: &Func,
        scope: &Scope,
    ) -> Result<(SmallVec<[Value; 3]>, Attrs)> {
        let (mut operands, mut attrs, mut first) = (SmallVec::new(), Attrs::default(), true);
        while !self.is(b':') {
            if !first {
                self.punct(b',')?;
            }
            first = false;
            if let Token::Value(_) = self.token {
                operands.push(self.value(func, scope)?);
                continue;
            }
            let at = self.at;
            if attrs.len() >= MAX_TERMS {
                return Err(self.error(format!("an operator has at most {MAX_TERMS} attributes")));
            }
            let key = self.ident("a value or an attribute")?;
            let value = if self.eat(b'=') { self.attribute()? } else { Attr::Flag };
            attrs.insert(key, value).map_err(|e| self.error_at(at, "text.syntax", e))?;
        }
        Ok((operands, attrs))
    }

    fn attribute(&mut self) -> Result<Attr> {
        match self.token {
            Token::Punct(b'(') | Token::At(_) => self.region().map(Attr::Func),
            Token::Str(_) => self.string().map(Attr::Str),
            Token::Punct(b'[') => {
                self.advance();
                match self.token {
                    Token::Punct(b'{') => {
                        let windows = self.separated(b']', Self::window)?;
                        self.check_rank(windows.len())?;
                        Ok(Attr::Windows(windows))
                    }
                    Token::Punct(b'(') | Token::At(_) => self.separated(b']', Self::region).map(Attr::Funcs),
                    _ => self.lists(),
                }
            }
            _ => self.dim().map(Attr::Scalar),
        }
    }

    fn region(&mut self) -> Result<Func> {
        match std::mem::replace(&mut self.token, Token::Eof) {
            Token::At(name) => {
                self.advance();
                self.function(name)
            }
            other => {
                self.token = other;
                self.function(String::new())
            }
        }
    }

    /// Lists of sizes or of bounds, after the first `[`.
    fn lists(&mut self) -> Result<Attr> {
        let first = self.separated(b']', Self::bound)?;
        self.check_rank(first.len())?;
        if first.iter().any(|(_, rest)| rest.is_some()) {
            let whole = first.into_iter().map(|(start, rest)| rest.map(|(limit, stride)| (start, limit, stride)));
            let bounds: Option<Vec<_>> = whole.collect();
            return bounds.map(Attr::Bounds).ok_or_else(|| self.error("expected `start:limit` for every dimension"));
        }
        let mut lists = vec![first.into_iter().map(|(d, _)| d).collect()];
        if self.token == Token::Ident("x") {
            self.advance();
            lists.push(self.dims()?);
            if self.token == Token::Arrow {
                self.advance();
                lists.push(self.dims()?);
            }
        }
        Ok(Attr::Lists(lists))
    }

    fn dims(&mut self) -> Result<Vec<Dim>> {
        self.punct(b'[')?;
        let dims = self.separated(b']', Self::dim)?;
        self.check_rank(dims.len())?;
        Ok(dims)
    }

    /// Lists have an entry per dimension.
    fn check_rank(&self, entries: usize) -> Result<()> {
        if entries <= MAX_RANK { Ok(()) } else { Err(self.error(format!("a list has at most {MAX_RANK} entries"))) }
    }

    /// `size`, `start:limit` or `start:limit:stride`
    fn bound(&mut self) -> Result<(Dim, Option<(Dim, i64)>)> {
        let start = self.dim()?;
        if !self.eat(b':') {
            return Ok((start, None));
        }
        let limit = self.dim()?;
        let stride = if self.eat(b':') { self.int()? } else { 1 };
        Ok((start, Some((limit, stride))))
    }

    fn int(&mut self) -> Result<i64> {
        match self.dim()? {
            Dim::Const(n) => Ok(n),
            d @ Dim::Expr(_) => Err(self.error(format!("expected a number, found `{d}`"))),
        }
    }

    /// `{size = 3, stride = 2, pad = [1, 1], base_dilation = 1, window_dilation = 1, reversed}`
    fn window(&mut self) -> Result<WindowDim> {
        self.punct(b'{')?;
        let mut w = WindowDim::TRIVIAL;
        self.separated(b'}', |p| {
            let at = p.at;
            let key = p.ident("an entry of a window")?;
            if key == "reversed" {
                w.reversed = true;
                return Ok(());
            }
            p.punct(b'=')?;
            if key == "pad" {
                p.punct(b'[')?;
                w.pad_low = p.int()?;
                p.punct(b',')?;
                w.pad_high = p.int()?;
                return p.punct(b']');
            }
            let slot = match key {
                "size" => &mut w.size,
                "stride" => &mut w.stride,
                "base_dilation" => &mut w.base_dilation,
                "window_dilation" => &mut w.window_dilation,
                other => return Err(p.error_at(at, "text.syntax", format!("windows have no `{other}`"))),
            };
            *slot = p.int()?;
            Ok(())
        })?;
        Ok(w)
    }

    /// `f32[2]` or `(f32[2], i32[])`
    pub(super) fn result_types(&mut self) -> Result<SmallVec<[TensorType; 1]>> {
        if self.eat(b'(') {
            return self.separated(b')', Self::tensor_type).map(SmallVec::from_vec);
        }
        self.tensor_type().map(|t| smallvec![t])
    }
}
