//! Literals, before and after their type is known.

use super::{MAX_RANK, MAX_SPLAT_BYTES, Parser, Result};
use crate::shape::TensorType;
use crate::tensor::Tensor;
use crate::text::lex::Token;
use crate::text::literal::{Raw, RawElement, f64_value, parse_hex_bytes, push_element};

/// A literal as written, before its type is known.
pub enum Literal<'a> {
    /// `3.0` or `dense<3.0>`
    Splat(RawElement<'a>),
    /// `dense<[[1, 2], [3, 4]]>` with its sizes.
    List(Vec<usize>, Vec<RawElement<'a>>),
    /// `dense<"0x...">`
    Bytes(Vec<u8>),
}

/// A nested list while it is read.
#[derive(Default)]
struct NestedList<'a> {
    /// Length of the lists at each depth, once one has ended.
    sizes: Vec<Option<usize>>,
    elements: Vec<RawElement<'a>>,
    /// The depth at which numbers stand.
    leaf_depth: Option<usize>,
}

impl<'a> Parser<'a> {
    fn raw(&mut self) -> Result<Raw<'a>> {
        let negative = self.eat(b'-');
        match self.token {
            Token::Number(text) | Token::Ident(text) => {
                self.advance();
                Ok(Raw { negative, text })
            }
            _ => Err(self.expected("a number")),
        }
    }

    /// `3.0` or `(3.0, -1.0)`
    fn raw_element(&mut self) -> Result<RawElement<'a>> {
        if !self.eat(b'(') {
            return self.raw().map(|value| RawElement { value, imag: None });
        }
        let value = self.raw()?;
        self.punct(b',')?;
        let imag = Some(self.raw()?);
        self.punct(b')')?;
        Ok(RawElement { value, imag })
    }

    pub(super) fn literal(&mut self) -> Result<Literal<'a>> {
        if self.token != Token::Ident("dense") {
            return self.raw_element().map(Literal::Splat);
        }
        self.advance();
        self.punct(b'<')?;
        let literal = match &self.token {
            Token::Str(_) => {
                let at = self.at;
                let text = self.string()?;
                Literal::Bytes(parse_hex_bytes(&text).map_err(|e| self.error_at(at, "text.syntax", e))?)
            }
            Token::Punct(b'[') => {
                let mut list = NestedList::default();
                self.nested_list(0, &mut list)?;
                Literal::List(list.sizes.into_iter().map(|n| n.unwrap_or(0)).collect(), list.elements)
            }
            Token::Ellipsis => {
                return Err(self.error("this constant was left out when the text was printed"));
            }
            _ => Literal::Splat(self.raw_element()?),
        };
        self.punct(b'>')?;
        Ok(literal)
    }

    /// `[[1, 2], [3, 4]]`: all lists of one depth have one length. Recursion is bounded by the rank.
    fn nested_list(&mut self, depth: usize, list: &mut NestedList<'a>) -> Result<()> {
        if depth >= MAX_RANK {
            return Err(self.error(format!("lists are nested more than {MAX_RANK} deep")));
        }
        if list.sizes.len() <= depth {
            list.sizes.push(None);
        }
        self.punct(b'[')?;
        let mut count = 0;
        while !self.is(b']') {
            if count > 0 {
                self.punct(b',')?;
            }
            if self.is(b'[') {
                self.nested_list(depth + 1, list)?;
            } else if *list.leaf_depth.get_or_insert(depth) == depth {
                let raw = self.raw_element()?;
                list.elements.push(raw);
            } else {
                return Err(self.error("numbers stand at different depths"));
            }
            count += 1;
        }
        if *list.sizes[depth].get_or_insert(count) != count {
            return Err(self.error("lists of one depth have different lengths"));
        }
        self.punct(b']')
    }

    /// The tensor of a literal, now that its type is known.
    pub(super) fn tensor(&mut self, at: usize, literal: Literal<'a>, ty: &TensorType) -> Result<Tensor> {
        let fail = |p: &Self, text: String| p.error_at(at, "text.literal", text);
        let Some(sizes) = ty.shape.as_sizes() else {
            return Err(fail(self, format!("a constant cannot have type {ty}")));
        };
        let Some(bytes) = ty.num_bytes() else {
            return Err(fail(self, format!("a constant of type {ty} is too large")));
        };
        let count = bytes / ty.dtype.size();
        let data = match literal {
            Literal::Bytes(b) => b,
            Literal::Splat(raw) => {
                self.splat_bytes = self.splat_bytes.saturating_add(bytes);
                if self.splat_bytes > MAX_SPLAT_BYTES {
                    return Err(fail(self, format!("constants stand for more than {MAX_SPLAT_BYTES} bytes")));
                }
                let mut one = Vec::new();
                push_element(&mut one, ty.dtype, raw).map_err(|e| fail(self, e))?;
                one.repeat(count)
            }
            Literal::List(found, elements) => {
                let empty = elements.is_empty() && count == 0;
                if !empty && (found[..] != sizes[..] || elements.len() != count) {
                    return Err(fail(self, format!("the literal has shape {found:?}, the type is {ty}")));
                }
                let mut data = Vec::with_capacity(elements.len() * ty.dtype.size());
                for raw in elements {
                    push_element(&mut data, ty.dtype, raw).map_err(|e| fail(self, e))?;
                }
                data
            }
        };
        Tensor::from_bytes(ty.dtype, &sizes, &data).map_err(|e| fail(self, e.to_string()))
    }

    pub(super) fn float(&mut self) -> Result<f64> {
        let at = self.at;
        let raw = self.raw()?;
        f64_value(raw).ok_or_else(|| self.error_at(at, "text.literal", format!("`{}` is no number", raw.text)))
    }
}
