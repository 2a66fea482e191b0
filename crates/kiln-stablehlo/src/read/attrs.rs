//! Types, attributes and literals.

use super::{Parsed, Parser};
use crate::ast::{Attr, Element, Literal, Type};
use std::collections::BTreeMap;

/// Most elements that a literal may write out.
const MAX_ELEMENTS: usize = 1 << 26;

impl Parser<'_> {
    pub(super) fn ty(&mut self) -> Parsed<Type> {
        self.deeper(|p| {
            if p.c.peek() == Some('(') {
                let (from, to) = p.function_type()?;
                return Ok(Type::Function(from, to));
            }
            if p.c.peek() == Some('!') {
                p.c.expect("!")?;
                let name = p.c.dotted_ident()?;
                if let Some((known, weight)) = p.types.get(&name) {
                    let (known, weight) = (known.clone(), *weight);
                    p.charge(weight)?;
                    return Ok(known);
                }
                if p.c.peek() == Some('<') {
                    p.c.skip_balanced('<', '>')?;
                }
                return Ok(Type::Other(format!("!{name}")));
            }
            let name = p.c.ident()?;
            match name.as_str() {
                "tensor" => {
                    let inner = p.c.skip_balanced('<', '>')?.trim();
                    Ok(tensor_type(inner))
                }
                "tuple" => {
                    p.c.expect("<")?;
                    let mut types = Vec::new();
                    while !p.c.eat(">") {
                        types.push(p.ty()?);
                        p.c.eat(",");
                    }
                    Ok(Type::Tuple(types))
                }
                _ => {
                    if p.c.peek() == Some('<') {
                        p.c.skip_balanced('<', '>')?;
                    }
                    Ok(Type::Other(name))
                }
            }
        })
    }

    /// `{a = 1, b, "c" = [2]}`.
    pub(super) fn dict(&mut self) -> Parsed<BTreeMap<String, Attr>> {
        self.c.expect("{")?;
        self.fields("}")
    }

    /// Named attributes up to the closing text.
    fn fields(&mut self, close: &str) -> Parsed<BTreeMap<String, Attr>> {
        self.deeper(|p| {
            let mut out = BTreeMap::new();
            while !p.c.eat(close) {
                let name = if p.c.peek() == Some('"') { p.c.string()? } else { p.c.dotted_ident()? };
                let value = if p.c.eat("=") { p.attr()? } else { Attr::Unit };
                out.insert(name, value);
                if !p.c.eat(",") && p.c.peek() != close.chars().next() {
                    return p.c.fail(format!("expected `,` or `{close}`"));
                }
            }
            Ok(out)
        })
    }

    pub(super) fn attr(&mut self) -> Parsed<Attr> {
        self.deeper(|p| match p.c.peek() {
            Some('"') => Ok(Attr::Str(p.c.string()?)),
            Some('@') => Ok(Attr::Symbol(p.c.symbol()?)),
            Some('[') => p.list(),
            Some('{') => Ok(Attr::Dict(p.dict()?)),
            Some('#') => p.dialect_attr(),
            Some('(' | '!') => Ok(Attr::Type(p.ty()?)),
            // The body of a dialect's attribute where its name goes without saying.
            Some('<') => {
                p.c.expect("<")?;
                Ok(Attr::Dict(p.fields(">")?))
            }
            _ if p.c.at_number() => {
                let word = p.c.number()?;
                let ty = if p.c.eat(":") { Some(p.ty()?) } else { None };
                Ok(number(&word, ty.as_ref()))
            }
            _ => p.word_attr(),
        })
    }

    /// A number without a type behind it.
    pub(super) fn plain_number(&mut self) -> Parsed<Attr> {
        let word = self.c.number()?;
        Ok(number(&word, None))
    }

    fn list(&mut self) -> Parsed<Attr> {
        self.c.expect("[")?;
        let mut out = Vec::new();
        while !self.c.eat("]") {
            out.push(self.attr()?);
            if !self.c.eat(",") && self.c.peek() != Some(']') {
                return self.c.fail("expected `,` or `]`");
            }
        }
        Ok(Attr::List(out))
    }

    /// `#stablehlo.scatter<a = 1>`, `#stablehlo<precision DEFAULT>`, `#alias`.
    fn dialect_attr(&mut self) -> Parsed<Attr> {
        self.c.expect("#")?;
        let name = self.c.dotted_ident()?;
        if let Some((known, weight)) = self.aliases.get(&name) {
            let (known, weight) = (known.clone(), *weight);
            self.charge(weight)?;
            return Ok(known);
        }
        if self.c.peek() != Some('<') {
            return Ok(Attr::Word(name));
        }
        match name.as_str() {
            "stablehlo.scatter" | "stablehlo.gather" | "stablehlo.dot" | "chlo.ragged_dot" => {
                self.c.expect("<")?;
                Ok(Attr::Dict(self.fields(">")?))
            }
            "stablehlo.conv" => {
                self.c.expect("<")?;
                let dims = self.conv_dims()?;
                self.c.expect(">")?;
                Ok(dims)
            }
            "stablehlo" | "chlo" => {
                // `<precision DEFAULT>`, `<comparison_direction EQ>`: the last word is the value.
                let inner = self.c.skip_balanced('<', '>')?;
                Ok(Attr::Word(inner.split_whitespace().last().unwrap_or_default().to_owned()))
            }
            _ => Ok(Attr::Word(self.c.skip_balanced('<', '>')?.to_owned())),
        }
    }

    /// `true`, `dense<...> : type`, `array<i64: 1, 2>`, a type, a bare word.
    fn word_attr(&mut self) -> Parsed<Attr> {
        if self.c.eat_word("true") {
            return Ok(Attr::Bool(true));
        }
        if self.c.eat_word("false") {
            return Ok(Attr::Bool(false));
        }
        if self.c.eat_word("unit") {
            return Ok(Attr::Unit);
        }
        if self.c.eat_word("dense") {
            return self.dense();
        }
        if self.c.eat_word("array") {
            return self.array();
        }
        let start = self.c.place();
        let name = self.c.dotted_ident()?;
        if matches!(name.as_str(), "tensor" | "tuple") {
            self.c.rewind(start);
            return Ok(Attr::Type(self.ty()?));
        }
        if name == "loc" && self.c.peek() == Some('(') {
            self.c.skip_balanced('(', ')')?;
            return Ok(Attr::Unit);
        }
        if self.c.peek() == Some('<') {
            // `affine_map<...>`, `dense_resource<...>` and the like: kept as text, for errors to name.
            let inner = self.c.skip_balanced('<', '>')?;
            let text = format!("{name}<{inner}>");
            if self.c.eat(":") {
                self.ty()?;
            }
            return Ok(Attr::Word(text));
        }
        Ok(match Element::named(&name) {
            Element::Known(_) => Attr::Type(Type::Other(name)),
            Element::Unknown(_) => Attr::Word(name),
        })
    }

    fn array(&mut self) -> Parsed<Attr> {
        self.c.expect("<")?;
        self.c.ident()?;
        let mut out = Vec::new();
        if self.c.eat(":") {
            while self.c.peek() != Some('>') {
                out.push(self.attr()?);
                self.c.eat(",");
            }
        }
        self.c.expect(">")?;
        Ok(Attr::List(out))
    }

    /// After `dense`: `<...> : type`.
    pub(super) fn dense(&mut self) -> Parsed<Attr> {
        self.c.expect("<")?;
        let mut elements = Vec::new();
        let literal = if self.c.peek() == Some('"') {
            let text = self.c.string()?;
            let Some(bytes) = text.strip_prefix("0x").and_then(hex) else {
                return self.c.fail("a hexadecimal literal that is none");
            };
            self.c.expect(">")?;
            Literal::Bytes(bytes)
        } else if self.c.eat(">") {
            Literal::Elements(elements)
        } else {
            self.elements(&mut elements)?;
            self.c.expect(">")?;
            Literal::Elements(elements)
        };
        self.c.expect(":")?;
        Ok(Attr::Dense(literal, self.ty()?))
    }

    fn elements(&mut self, out: &mut Vec<String>) -> Parsed<()> {
        if out.len() > MAX_ELEMENTS {
            return self.c.fail("a literal of too many elements");
        }
        match self.c.peek() {
            Some('[') => self.deeper(|p| {
                p.c.expect("[")?;
                while !p.c.eat("]") {
                    p.elements(out)?;
                    if !p.c.eat(",") && p.c.peek() != Some(']') {
                        return p.c.fail("expected `,` or `]`");
                    }
                }
                Ok(())
            }),
            Some('(') => {
                self.c.expect("(")?;
                out.push(self.c.number()?);
                self.c.expect(",")?;
                out.push(self.c.number()?);
                self.c.expect(")")
            }
            _ => {
                let word = if self.c.eat_word("true") {
                    "true".to_owned()
                } else if self.c.eat_word("false") {
                    "false".to_owned()
                } else {
                    self.c.number()?
                };
                out.push(word);
                Ok(())
            }
        }
    }

    /// `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]` as three lists of words.
    pub(super) fn conv_dims(&mut self) -> Parsed<Attr> {
        let mut parts = std::collections::BTreeMap::new();
        for (name, before) in [("input", ""), ("kernel", "x"), ("output", "->")] {
            self.c.expect(before)?;
            self.c.expect("[")?;
            let mut out = Vec::new();
            while !self.c.eat("]") {
                out.push(Attr::Word(self.c.ident()?));
                if !self.c.eat(",") && self.c.peek() != Some(']') {
                    return self.c.fail("expected `,` or `]`");
                }
            }
            parts.insert(name.to_owned(), Attr::List(out));
        }
        Ok(Attr::Dict(parts))
    }
}

fn number(word: &str, ty: Option<&Type>) -> Attr {
    let float = matches!(ty, Some(Type::Other(t)) if t.starts_with('f') || t.starts_with("bf"));
    if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        let Ok(bits) = u64::from_str_radix(digits, 16) else { return Attr::Word(word.to_owned()) };
        return match ty {
            Some(Type::Other(t)) => match t.as_str() {
                "f64" => Attr::Float(f64::from_bits(bits)),
                "f32" => Attr::Float(f64::from(f32::from_bits(bits as u32))),
                "f16" => Attr::Float(half::f16::from_bits(bits as u16).to_f64()),
                "bf16" => Attr::Float(half::bf16::from_bits(bits as u16).to_f64()),
                _ => Attr::Int(bits as i64),
            },
            _ => Attr::Int(bits as i64),
        };
    }
    match word.parse::<i64>() {
        Ok(i) if !float => Attr::Int(i),
        _ => word.parse().map_or(Attr::Word(word.to_owned()), Attr::Float),
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    let bytes = digits.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|p| Some(digit(p[0])? << 4 | digit(p[1])?)).collect()
}

/// The inside of `tensor<...>`: `2x?xf32`, `f32`, `2xcomplex<f32>`.
fn tensor_type(inner: &str) -> Type {
    let mut dims = Vec::new();
    // An encoding behind a comma is of no matter here.
    let mut rest = split_encoding(inner);
    while let Some(at) = rest.find('x') {
        let head = rest[..at].trim();
        let dim = match head {
            "?" => None,
            digits => match digits.parse::<i64>() {
                Ok(n) => Some(n),
                Err(_) => break,
            },
        };
        dims.push(dim);
        rest = rest[at + 1..].trim_start();
    }
    Type::Tensor { dims, element: Element::named(rest.trim()) }
}

fn split_encoding(inner: &str) -> &str {
    let mut depth = 0;
    for (i, c) in inner.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => return &inner[..i],
            _ => {}
        }
    }
    inner
}
