//! Attributes of operators: their types, and the words and records that types refer to.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// The form of an attribute's value.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum AttributeType {
    /// `int`: a number that is not negative.
    Int,
    /// `axis`: the number of a dimension.
    Axis,
    /// `axes`: dimension numbers, `[0, 2]`.
    Axes,
    /// `axes x axes`: dimension numbers of two operands, `[0] x [1]`.
    AxesPair,
    /// `ints`: numbers, one per dimension.
    Ints,
    /// `sizes`: sizes or amounts, `[2*n, -1]`.
    Sizes,
    /// `shape`: the sizes of a tensor.
    Shape,
    /// `bounds`: `[0:4, 1:n:2]`; a stride of 1 is left out.
    Bounds,
    /// `windows`: `[{size = 3, stride = 2}, {}]`; what is 1, or no padding, is left out.
    Windows,
    /// `labels`: what the dimensions of a convolution are, `[b, f, 0] x [o, i, 0] -> [b, f, 0]`.
    Labels,
    /// `flag`: the key alone where it holds.
    Flag,
    /// `dtype`: an element type.
    DType,
    /// `type`: element type and sizes.
    Type,
    /// `string`: text in quotes.
    String,
    /// `tensor`: a literal.
    Tensor,
    /// `function`: a nested function.
    Function,
    /// `functions`: a list of nested functions.
    Functions,
    /// `enum(Name)`: one of the words of [`Words`].
    Enum(String),
    /// `record(Name)`: the attributes of a [`Record`], written like the operator's own.
    Record(String),
}

const PLAIN: [(&str, AttributeType); 17] = [
    ("int", AttributeType::Int),
    ("axis", AttributeType::Axis),
    ("axes", AttributeType::Axes),
    ("axes x axes", AttributeType::AxesPair),
    ("ints", AttributeType::Ints),
    ("sizes", AttributeType::Sizes),
    ("shape", AttributeType::Shape),
    ("bounds", AttributeType::Bounds),
    ("windows", AttributeType::Windows),
    ("labels", AttributeType::Labels),
    ("flag", AttributeType::Flag),
    ("dtype", AttributeType::DType),
    ("type", AttributeType::Type),
    ("string", AttributeType::String),
    ("tensor", AttributeType::Tensor),
    ("function", AttributeType::Function),
    ("functions", AttributeType::Functions),
];

impl AttributeType {
    /// How many fields hold a value of the type.
    pub const fn fields(&self) -> usize {
        match self {
            AttributeType::AxesPair => 2,
            AttributeType::Bounds => 3,
            AttributeType::Labels => 9,
            _ => 1,
        }
    }

    /// Nested functions.
    pub const fn holds_functions(&self) -> bool {
        matches!(self, AttributeType::Function | AttributeType::Functions)
    }
}

impl FromStr for AttributeType {
    type Err = String;
    fn from_str(text: &str) -> Result<AttributeType, String> {
        if let Some((_, ty)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(ty.clone());
        }
        let argument = |prefix| text.strip_prefix(prefix)?.strip_prefix('(')?.strip_suffix(')').map(str::to_string);
        match (argument("enum"), argument("record")) {
            (Some(name), _) => Ok(AttributeType::Enum(name)),
            (_, Some(name)) => Ok(AttributeType::Record(name)),
            _ => Err(format!("unknown type of attribute `{text}`")),
        }
    }
}

impl TryFrom<String> for AttributeType {
    type Error = String;
    fn try_from(text: String) -> Result<AttributeType, String> {
        text.parse()
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (PLAIN.iter().find(|(_, ty)| ty == self), self) {
            (Some((name, _)), _) => f.write_str(name),
            (None, AttributeType::Enum(name)) => write!(f, "enum({name})"),
            (None, AttributeType::Record(name)) => write!(f, "record({name})"),
            (None, _) => unreachable!("every plain type is listed"),
        }
    }
}

/// An attribute.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Key in the text form.
    pub name: String,
    /// Form of its value.
    #[serde(rename = "type")]
    pub ty: AttributeType,
    /// Meaning; records have their own.
    #[serde(default)]
    pub doc: String,
    /// The fields that hold it, if not one called like the attribute.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The value where the text leaves it out.
    #[serde(default)]
    pub default: Option<Default>,
    /// It is not written: the type of this result says it.
    #[serde(default)]
    pub annotated: Option<usize>,
    /// It is not written: the operator's name says that it is this word.
    #[serde(default)]
    pub fixed: Option<String>,
    /// It has no influence on results.
    #[serde(default)]
    pub inert: bool,
}

impl Attribute {
    /// The fields that hold the attribute.
    pub fn fields(&self) -> Vec<&str> {
        if self.fields.is_empty() { vec![&self.name] } else { self.fields.iter().map(String::as_str).collect() }
    }
}

/// The value of an attribute that the text leaves out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum Default {
    /// `none`: there is none.
    None,
    /// `[]`: an empty list.
    Empty,
    /// A number.
    Number(usize),
    /// `zeros(other)`: zeros, as many as the other attribute has entries.
    Zeros(String),
}

impl TryFrom<String> for Default {
    type Error = String;
    fn try_from(text: String) -> Result<Default, String> {
        match text.as_str() {
            "none" => Ok(Default::None),
            "[]" => Ok(Default::Empty),
            other => match other.strip_prefix("zeros(").and_then(|t| t.strip_suffix(')')) {
                Some(like) => Ok(Default::Zeros(like.into())),
                None => other.parse().map(Default::Number).map_err(|_| format!("unknown default `{other}`")),
            },
        }
    }
}

impl fmt::Display for Default {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Default::None => f.write_str("none"),
            Default::Empty => f.write_str("[]"),
            Default::Number(n) => write!(f, "{n}"),
            Default::Zeros(_) => f.write_str("zeros"),
        }
    }
}

/// The words that an attribute may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// What they are, as documentation.
    pub doc: String,
    /// What they are called in messages.
    pub what: String,
    /// The words.
    pub values: Vec<Word>,
}

/// A word, or all words of another enum.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// As in the text form.
    pub name: String,
    /// Stands for all words of this enum.
    #[serde(default)]
    pub of: Option<String>,
    /// Meaning.
    pub doc: String,
}

/// Attributes that belong together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What it is.
    pub doc: String,
    /// It stands in the operator itself; others are boxed.
    #[serde(default)]
    pub inline: bool,
    /// The attributes.
    pub attributes: Vec<Attribute>,
}
