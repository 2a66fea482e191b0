//! MLIR operations as parsed: names, operands, attributes, regions and types, before any meaning.

use kiln_ir::{DType, DTypeClass};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where something is written: in the text, or in the user's source as far as the file says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<str>,
    /// Line, from 1. Zero in a binary file, where the column is the byte.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl Default for Place {
    fn default() -> Place {
        Place { file: Arc::from(""), line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}:byte {}", self.file, self.column),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// A module: its functions.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Name of the file, for errors.
    pub file: String,
    /// The functions, in order.
    pub functions: Vec<Function>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Name without `@`.
    pub name: String,
    /// Types of the results.
    pub results: Vec<Type>,
    /// The body; its arguments are the function's.
    pub body: Block,
    /// Where its head is.
    pub place: Place,
}

/// A block: arguments and operations.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Names (without `%`) and types.
    pub args: Vec<(String, Type)>,
    /// The operations, the terminator last.
    pub ops: Vec<Operation>,
}

/// A use of a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ValueRef {
    /// Name without `%`.
    pub name: String,
    /// Which result of the operation of that name.
    pub index: usize,
}

/// An operation.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// Dialect and name: `stablehlo.add`.
    pub name: String,
    /// Names (without `%`) and number of values of each.
    pub results: Vec<(String, usize)>,
    /// Operands.
    pub operands: Vec<ValueRef>,
    /// Properties and attributes.
    pub attrs: BTreeMap<String, Attr>,
    /// Regions of one block each.
    pub regions: Vec<Block>,
    /// Types of the operands, where the text gives them.
    pub operand_types: Vec<Type>,
    /// Types of the results.
    pub result_types: Vec<Type>,
    /// Where it is written.
    pub place: Place,
}

/// A type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Type {
    /// `tensor<2x?xf32>`; an unknown size is `None`.
    Tensor {
        /// Sizes.
        dims: Vec<Option<i64>>,
        /// Element type.
        element: Element,
    },
    /// `tuple<...>`.
    Tuple(Vec<Type>),
    /// A scalar or anything else, as written.
    Other(String),
    /// `(...) -> (...)`.
    Function(Vec<Type>, Vec<Type>),
}

/// An element type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Element {
    /// One that kiln has.
    Known(DType),
    /// Another, as written.
    Unknown(String),
}

impl Element {
    /// The element type that MLIR calls by this name.
    pub(crate) fn named(name: &str) -> Element {
        let known = DType::ALL.into_iter().find(|d| match d.class() {
            DTypeClass::Bool => name == "i1",
            DTypeClass::Signed => name.strip_prefix('s').unwrap_or(name) == d.name(),
            DTypeClass::Unsigned => name.strip_prefix("ui") == Some(&d.name()[1..]),
            DTypeClass::Complex => {
                name.strip_prefix("complex<").and_then(|n| n.strip_suffix('>')) == Some(d.real_type().name())
            }
            DTypeClass::Mini | DTypeClass::Float => name == d.name(),
        });
        known.map_or_else(|| Element::Unknown(name.to_owned()), Element::Known)
    }

    /// The name of an element type in MLIR.
    pub(crate) fn name_of(dtype: DType) -> Cow<'static, str> {
        match dtype.class() {
            DTypeClass::Bool => "i1".into(),
            DTypeClass::Unsigned => format!("ui{}", dtype.bits()).into(),
            DTypeClass::Complex => format!("complex<{}>", dtype.real_type()).into(),
            DTypeClass::Signed | DTypeClass::Mini | DTypeClass::Float => dtype.name().into(),
        }
    }
}

/// An attribute.
#[derive(Clone, PartialEq, Debug)]
pub enum Attr {
    /// Present without a value.
    Unit,
    /// `true`, `false`.
    Bool(bool),
    /// An integer (`1 : i64` too).
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// A string.
    Str(String),
    /// `@name`.
    Symbol(String),
    /// `[...]`, and `array<i64: ...>`.
    List(Vec<Attr>),
    /// `{...}`, and the fields of `#stablehlo.name<...>`.
    Dict(BTreeMap<String, Attr>),
    /// `dense<...> : type`.
    Dense(Literal, Type),
    /// A bare word (`FLOAT`, `DEFAULT`), or the text of something that no one asks for.
    Word(String),
    /// A type.
    Type(Type),
}

/// The contents of `dense<...>`.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    /// Elements in row-major order as written; one element stands for all. Complex elements are pairs.
    Elements(Vec<String>),
    /// Little-endian bytes of all elements (or of one that stands for all).
    Bytes(Vec<u8>),
}

impl Type {
    /// About how much memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let inner = match self {
            Type::Tensor { dims, element } => {
                let name = if let Element::Unknown(name) = element { name.len() } else { 0 };
                dims.len() * size_of::<Option<i64>>() + name
            }
            Type::Tuple(list) => list.iter().map(Type::weight).sum(),
            Type::Other(name) => name.len(),
            Type::Function(from, to) => from.iter().chain(to).map(Type::weight).sum(),
        };
        size_of::<Type>() + inner
    }
}

impl Attr {
    /// About how much memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let inner = match self {
            Attr::Unit | Attr::Bool(_) | Attr::Int(_) | Attr::Float(_) => 0,
            Attr::Str(s) | Attr::Symbol(s) | Attr::Word(s) => s.len(),
            Attr::List(list) => list.iter().map(Attr::weight).sum(),
            Attr::Dict(fields) => fields.iter().map(|(k, v)| size_of::<String>() + k.len() + v.weight()).sum(),
            Attr::Dense(Literal::Elements(words), ty) => {
                words.iter().map(|w| size_of::<String>() + w.len()).sum::<usize>() + ty.weight()
            }
            Attr::Dense(Literal::Bytes(bytes), ty) => bytes.len() + ty.weight(),
            Attr::Type(ty) => ty.weight(),
        };
        size_of::<Attr>() + inner
    }
    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Attr::Int(i) => Some(*i),
            Attr::Bool(b) => Some(i64::from(*b)),
            Attr::Dense(Literal::Elements(e), _) if e.len() == 1 => e[0].parse().ok(),
            _ => None,
        }
    }
    /// The integers of a list, array or dense literal, nested lists flattened.
    pub fn as_ints(&self) -> Option<Vec<i64>> {
        match self {
            Attr::List(l) => Some(l.iter().map(Attr::as_ints).collect::<Option<Vec<_>>>()?.concat()),
            Attr::Dense(Literal::Elements(e), ty) => {
                let parse = |s: &String| match s.as_str() {
                    "true" => Some(1),
                    "false" => Some(0),
                    s => s.parse().ok(),
                };
                let values: Vec<i64> = e.iter().map(parse).collect::<Option<_>>()?;
                let count = match ty {
                    Type::Tensor { dims, .. } => dims.iter().map(|d| d.unwrap_or(0)).product::<i64>(),
                    _ => values.len() as i64,
                };
                let splat = values.len() == 1 && (0..=1 << 20).contains(&count);
                Some(if splat { vec![values[0]; count as usize] } else { values })
            }
            Attr::Dense(Literal::Bytes(b), _) => {
                Some(b.chunks_exact(8).map(|c| i64::from_le_bytes(c.try_into().expect("eight bytes"))).collect())
            }
            other => other.as_int().map(|i| vec![i]),
        }
    }
    /// The word, string or symbol.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Attr::Word(s) | Attr::Str(s) | Attr::Symbol(s) => Some(s),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_type_has_its_name() {
        for d in DType::ALL {
            assert_eq!(Element::named(&Element::name_of(d)), Element::Known(d));
        }
        assert_eq!(Element::named("si16"), Element::Known(DType::I16));
        assert_eq!(Element::named("ui64"), Element::Known(DType::U64));
        assert_eq!(Element::named("complex<f32>"), Element::Known(DType::C64));
        for unknown in ["u8", "bool", "c64", "si1", "sf32", "complex<f16>", "i3", ""] {
            assert_eq!(Element::named(unknown), Element::Unknown(unknown.to_owned()));
        }
    }
}
