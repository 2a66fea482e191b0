//! Attributes, types and locations of the `builtin` dialect.
//!
//! Source of the codes: `BuiltinDialectBytecode.td` of MLIR, in the order of its lists.

use super::cursor::{Cursor, Read};
use super::tables::{Entry, File, Source};
use super::values::{self, Scalar, dense_type, known_float};
use crate::ast::{Attr, Literal, Place, Type};
use std::collections::BTreeMap;

/// Deepest nesting of attributes, types and locations.
pub(super) const MAX_DEPTH: usize = 64;

impl<'b> File<'b> {
    /// The attribute whose index comes next.
    pub(super) fn next_attr(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Attr> {
        let index = c.index()?;
        self.attr(index, c, depth)
    }

    /// An attribute by its index.
    pub(super) fn attr(&mut self, index: usize, from: &Cursor<'b>, depth: usize) -> Read<Attr> {
        let Some(entry) = self.attrs.get(index).cloned() else {
            return from.fail(format!("attribute {index} of {}", self.attrs.len()));
        };
        if depth >= MAX_DEPTH {
            return from.fail(format!("attributes nested more than {MAX_DEPTH} deep"));
        }
        self.charge(std::mem::size_of::<Attr>(), from)?;
        let mut c = self.all.over(entry.range.clone());
        if !entry.custom {
            let text = String::from_utf8_lossy(c.terminated()?).into_owned();
            self.charge(text.len(), from)?;
            return Ok(Attr::Word(text));
        }
        let attr = match &*self.dialect_of(&entry, from)? {
            "vhlo" => self.vhlo_attr(&mut c, depth + 1)?,
            "builtin" => self.builtin_attr(&mut c, depth + 1)?,
            // What other dialects say about a program does not change it.
            other => return Ok(Attr::Word(format!("#{other}"))),
        };
        if !c.at_end() {
            return c.fail("bytes behind an attribute");
        }
        Ok(attr)
    }

    /// The type whose index comes next.
    pub(super) fn next_type(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Type> {
        let index = c.index()?;
        self.ty(index, c, depth)
    }

    /// A type by its index.
    pub(super) fn ty(&mut self, index: usize, from: &Cursor<'b>, depth: usize) -> Read<Type> {
        let Some(entry) = self.types.get(index).cloned() else {
            return from.fail(format!("type {index} of {}", self.types.len()));
        };
        if depth >= MAX_DEPTH {
            return from.fail(format!("types nested more than {MAX_DEPTH} deep"));
        }
        self.charge(2 * std::mem::size_of::<Type>(), from)?;
        let mut c = self.all.over(entry.range.clone());
        if !entry.custom {
            let text = String::from_utf8_lossy(c.terminated()?).into_owned();
            self.charge(text.len(), from)?;
            return Ok(Type::Other(text));
        }
        let ty = match &*self.dialect_of(&entry, from)? {
            "vhlo" => self.vhlo_type(&mut c, depth + 1)?,
            "builtin" => self.builtin_type(&mut c, depth + 1)?,
            other => return Ok(Type::Other(format!("!{other}"))),
        };
        if !c.at_end() {
            return c.fail("bytes behind a type");
        }
        Ok(ty)
    }

    /// Attributes with their number before them.
    pub(super) fn attr_list(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Vec<Attr>> {
        (0..c.count()?).map(|_| self.next_attr(c, depth)).collect()
    }

    /// Types with their number before them.
    pub(super) fn type_list(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Vec<Type>> {
        (0..c.count()?).map(|_| self.next_type(c, depth)).collect()
    }

    /// Pairs of a string attribute and another, with their number before them.
    pub(super) fn dictionary(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<BTreeMap<String, Attr>> {
        let mut out = BTreeMap::new();
        for _ in 0..c.count()? {
            let Attr::Str(name) = self.next_attr(c, depth)? else {
                return c.fail("the key of a dictionary is no string");
            };
            let value = self.next_attr(c, depth)?;
            out.insert(name, value);
        }
        Ok(out)
    }

    /// A string of the table as an attribute's value.
    pub(super) fn next_text(&mut self, c: &mut Cursor<'b>) -> Read<String> {
        let text = self.next_string(c)?.into_owned();
        self.charge(text.len(), c)?;
        Ok(text)
    }

    /// Bytes as an attribute's value.
    pub(super) fn next_bytes(&mut self, c: &mut Cursor<'b>) -> Read<Vec<u8>> {
        let bytes = c.blob()?;
        self.charge(bytes.len(), c)?;
        Ok(bytes.to_vec())
    }

    fn builtin_attr(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Attr> {
        Ok(match c.varint()? {
            0 => Attr::List(self.attr_list(c, depth)?),
            1 => Attr::Dict(self.dictionary(c, depth)?),
            2 => Attr::Str(self.next_text(c)?),
            3 => {
                let text = self.next_text(c)?;
                self.next_type(c, depth)?;
                Attr::Str(text)
            }
            4 => self.symbol(c, depth)?,
            5 => {
                let root = self.symbol(c, depth)?;
                self.attr_list(c, depth)?;
                root
            }
            6 => Attr::Type(self.next_type(c, depth)?),
            7 => Attr::Unit,
            8 => {
                let ty = self.next_type(c, depth)?;
                match Scalar::of(&ty) {
                    Some(Scalar::Bool) => Attr::Bool(c.byte()? != 0),
                    Some(Scalar::Int { bits, signed }) => Attr::Int(values::integer(c, bits, signed)?),
                    Some(Scalar::Float { .. }) | None => return c.unsupported(format!("an integer of type {ty:?}")),
                }
            }
            9 => {
                let ty = self.next_type(c, depth)?;
                known_float(c, &ty)?
            }
            // Locations are attributes too; as values they say nothing.
            10..=15 | 22 => {
                let end = c.remaining();
                c.take(end)?;
                Attr::Unit
            }
            16 => return c.unsupported("`dense_resource`"),
            17 => {
                let element = self.next_type(c, depth)?;
                let count = c.index()?;
                let bytes = self.next_bytes(c)?;
                let ty = dense_type(vec![i64::try_from(count).ok()], &element);
                Attr::Dense(Literal::Bytes(bytes), ty)
            }
            18 => {
                let ty = self.next_type(c, depth)?;
                Attr::Dense(Literal::Bytes(self.next_bytes(c)?), ty)
            }
            19 | 20 => return c.unsupported("dense strings and sparse literals"),
            21 => self.next_attr(c, depth)?,
            code => return c.fail(format!("unknown attribute {code} of `builtin`")),
        })
    }

    fn symbol(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Attr> {
        match self.next_attr(c, depth)? {
            Attr::Str(name) => Ok(Attr::Symbol(name)),
            _ => c.fail("a symbol is no string"),
        }
    }

    fn builtin_type(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Type> {
        let name = match c.varint()? {
            0 => {
                let n = c.varint()?;
                let sign = match n & 3 {
                    0 => "",
                    1 => "s",
                    2 => "u",
                    _ => return c.fail("an integer type of unknown sign"),
                };
                format!("{sign}i{}", n >> 2)
            }
            1 => "index".into(),
            2 => return Ok(Type::Function(self.type_list(c, depth)?, self.type_list(c, depth)?)),
            3 => "bf16".into(),
            4 => "f16".into(),
            5 => "f32".into(),
            6 => "f64".into(),
            7 => "f80".into(),
            8 => "f128".into(),
            9 => {
                let element = self.next_type(c, depth)?;
                values::complex(&element)
            }
            12 => "none".into(),
            13 => return self.ranked(c, depth),
            14 => {
                self.next_attr(c, depth)?;
                return self.ranked(c, depth);
            }
            15 => return Ok(Type::Tuple(self.type_list(c, depth)?)),
            18 => {
                let element = self.next_type(c, depth)?;
                return Ok(values::unranked(&element));
            }
            code => return c.unsupported(format!("type {code} of `builtin`")),
        };
        self.charge(name.len(), c)?;
        Ok(Type::Other(name))
    }

    /// Sizes and element type of a tensor.
    pub(super) fn ranked(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Type> {
        let rank = c.count()?;
        self.charge(rank * std::mem::size_of::<Option<i64>>(), c)?;
        let mut dims = Vec::with_capacity(rank);
        for _ in 0..rank {
            dims.push(match c.signed()? {
                i64::MIN => None,
                n if n >= 0 => Some(n),
                n => return c.fail(format!("a dimension of size {n}")),
            });
        }
        let element = self.next_type(c, depth)?;
        Ok(dense_type(dims, &element))
    }

    /// The place of a location attribute: of a call the callee's, of several the first that is known.
    pub(super) fn source(&mut self, index: usize, depth: usize) -> Option<Place> {
        match self.sources.get(index)? {
            Source::At(place) => return Some(place.clone()),
            Source::None => return None,
            Source::New => {}
        }
        // Marked so that a location inside of itself ends.
        self.sources[index] = Source::None;
        let entry = self.attrs[index].clone();
        let place = self.decode_source(&entry, depth).ok().flatten();
        if let Some(place) = &place {
            self.sources[index] = Source::At(place.clone());
        }
        place
    }

    fn decode_source(&mut self, entry: &Entry, depth: usize) -> Read<Option<Place>> {
        let mut c = self.all.over(entry.range.clone());
        if depth >= MAX_DEPTH || !entry.custom || self.dialect_of(entry, &c)? != "builtin" {
            return Ok(None);
        }
        let code = c.varint()?;
        let inner = match code {
            // Callee and caller.
            10 => 2,
            // File, line, column; a range begins with its line and column.
            11 | 22 => {
                let file = c.index()?;
                if code == 22 && c.varint()? < 2 {
                    return Ok(None);
                }
                let (line, column) = (c.varint()?, c.varint()?);
                let Attr::Str(file) = self.attr(file, &c, depth)? else { return Ok(None) };
                let (Ok(line), Ok(column)) = (u32::try_from(line), u32::try_from(column)) else { return Ok(None) };
                return Ok((line > 0).then(|| Place { file: file.into(), line, column }));
            }
            12 | 13 => c.count()?,
            // A name and what it names.
            14 => {
                c.varint()?;
                1
            }
            _ => 0,
        };
        for _ in 0..inner {
            let index = c.index()?;
            if let Some(place) = self.source(index, depth + 1) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}
