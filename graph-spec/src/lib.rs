//! The normative specification of kiln as data: the operator table and its reader.
//!
//! `ops.toml` is the one source of what operators exist and what they mean; its head explains the fields. Everything that can
//! be derived from it is (`cargo xtask codegen`). Beside it stand the documents of this folder: `grammar.md` (the text form),
//! `numerics.md` (what results may be), `versioning.md` (what may change).
//!
//! This crate knows nothing of the implementation.

pub mod attribute;
pub mod composed;
pub mod expr;
mod validate;

pub use attribute::{Attribute, AttributeType, Record, Words};
pub use composed::composed;
use expr::Expr;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// The operator table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    op: BTreeMap<String, Operator>,
    #[serde(rename = "enum")]
    enums: BTreeMap<String, Words>,
    #[serde(rename = "record")]
    records: BTreeMap<String, Record>,
}

/// What kind of operator it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Elementwise, one operand; generated.
    Unary,
    /// Elementwise, two operands of one type; generated.
    Binary,
    /// Elementwise in another way.
    Elementwise,
    /// Makes a value of none.
    Source,
    /// Moves, repeats or drops elements.
    Movement,
    /// Sums of products.
    Contraction,
    /// Folds elements.
    Reduction,
    /// Reads or writes at computed places.
    Indexing,
    /// Holds functions.
    Control,
    /// Random bits.
    Random,
    /// Stops rewrites.
    Barrier,
}

/// What a pass may do with an operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effects {
    /// May be removed, duplicated, moved.
    Pure,
    /// Holds functions; pure if they are, but `while` may not end.
    Control,
    /// Rewrites stop here.
    Barrier,
}

impl Class {
    /// Every class, in the order of the reference.
    pub const ALL: [Class; 11] = [
        Class::Source,
        Class::Unary,
        Class::Binary,
        Class::Elementwise,
        Class::Movement,
        Class::Contraction,
        Class::Reduction,
        Class::Indexing,
        Class::Control,
        Class::Random,
        Class::Barrier,
    ];

    /// What belongs to the class.
    pub const fn doc(self) -> &'static str {
        match self {
            Class::Source => "Makes a value of none.",
            Class::Unary => "Elementwise, one operand.",
            Class::Binary => "Elementwise, two operands of one type.",
            Class::Elementwise => "Elementwise in another way.",
            Class::Movement => "Moves, repeats or drops elements.",
            Class::Contraction => "Sums of products.",
            Class::Reduction => "Folds elements.",
            Class::Indexing => "Reads or writes at computed places.",
            Class::Control => "Holds functions.",
            Class::Random => "Random bits.",
            Class::Barrier => "Stops rewrites.",
        }
    }
}

impl Effects {
    /// Every kind of effects.
    pub const ALL: [Effects; 3] = [Effects::Pure, Effects::Control, Effects::Barrier];

    /// What a pass may do with such an operator.
    pub const fn doc(self) -> &'static str {
        match self {
            Effects::Pure => "May be removed, duplicated, moved.",
            Effects::Control => "Holds functions; pure if they are, but `while` may not end.",
            Effects::Barrier => "Rewrites stop here.",
        }
    }
}

/// One operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// What it computes; edge cases.
    pub doc: String,
    /// What kind of operator it is.
    pub class: Class,
    /// Element types of the operands of unary and binary operators: `int | float`.
    #[serde(default)]
    pub types: Option<String>,
    /// Element type of the result if not that of the operands.
    #[serde(default)]
    pub result: Option<String>,
    /// The variant of the operator in the implementation, if it is not called like the operator.
    #[serde(default)]
    pub variant: Option<String>,
    /// Operands of other operators.
    #[serde(default)]
    pub operands: Vec<Operand>,
    /// Attributes.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Types of the results, in words.
    #[serde(default)]
    pub results: Option<String>,
    /// What must hold.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// Meaning of one element; see [`Operator::scalar_expr`].
    #[serde(default)]
    pub scalar: Option<String>,
    /// Derivative in each operand; see [`Operator::deriv_exprs`]. Empty when there is none.
    #[serde(default)]
    pub deriv: Vec<String>,
    /// The derivative in words, of operators that are not unary or binary.
    #[serde(default)]
    pub gradient: Option<String>,
    /// Accuracy per dtype or class of dtypes; see [`Operator::accuracy`].
    #[serde(default)]
    pub numeric: BTreeMap<String, String>,
    /// Algebra; see [`Operator::has`].
    #[serde(default)]
    pub facts: Vec<String>,
    /// Units of a simple vector instruction that an element takes, for unary and binary operators.
    #[serde(default)]
    pub cost: Option<Cost>,
    /// Floating-point operations of an element in f32, about those of its expansion.
    #[serde(default)]
    pub flops: u32,
    /// How the builder writes it: `x.cos()`, `x + y`; see [`Operator::builder_method`].
    #[serde(default)]
    pub builder: Option<String>,
    /// Names in StableHLO if not that of the operator; see [`Operator::stablehlo_names`].
    #[serde(default)]
    pub stablehlo: Option<Vec<String>>,
    /// What a pass may do.
    pub effects: Effects,
    /// Data in and out.
    #[serde(default)]
    pub example: Option<Example>,
    /// Version of the specification that brought it.
    pub since: String,
}

/// A cost, of every type or by class of types: `{ float = 4, any = 16 }`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum Cost {
    /// Of every type.
    Any(u32),
    /// By class, `any` for the others.
    ByType(BTreeMap<String, u32>),
}

/// An operand; a name ending in `...` stands for any number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operand {
    /// Name.
    pub name: String,
    /// Element types.
    pub types: String,
}

/// A numbered constraint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// `C3`, `I1`, `R1`: with the operator's name the code of the diagnostic.
    pub label: String,
    /// What must hold.
    pub text: String,
    /// False for what holds by construction and cannot be violated.
    #[serde(default = "yes")]
    pub checked: bool,
}

fn yes() -> bool {
    true
}

/// One run of an operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The operator with operands, attributes and types as in the text form; not for unary and binary ones.
    #[serde(default)]
    pub op: Option<String>,
    /// `name: type` of each input.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// Element type of unary and binary ones, f32 if left out.
    #[serde(default)]
    pub dtype: Option<String>,
    /// Elements of each input, row-major.
    #[serde(rename = "in")]
    pub inputs_data: Vec<Vec<Number>>,
    /// Elements of each result, row-major.
    #[serde(rename = "out")]
    pub outputs_data: Vec<Vec<Number>>,
}

/// An element: a float, an integer, or a bool as 0 or 1.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(from = "RawNumber")]
pub struct Number(pub f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawNumber {
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl From<RawNumber> for Number {
    fn from(raw: RawNumber) -> Number {
        Number(match raw {
            RawNumber::Bool(b) => f64::from(u8::from(b)),
            RawNumber::Int(n) => n as f64,
            RawNumber::Float(x) => x,
        })
    }
}

/// How accurate results are; see `numerics.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accuracy {
    /// One bit pattern is right.
    Exact,
    /// The exact result, rounded to nearest even.
    Rounded,
    /// At most so many units in the last place from the exact result.
    Ulp(u32),
    /// At most so many units in the last place of the larger part of a complex result.
    NormUlp(u32),
    /// Computed in f32 to its accuracy, then rounded once.
    ViaF32,
    /// A sum or product of many: within the bound for reassociation.
    Reduction,
    /// As accurate as the nested function.
    AsNested,
}

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(pub Vec<String>);

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
impl std::error::Error for SpecError {}

/// The table of this version.
///
/// # Panics
/// Never: the table is part of the crate, and a test reads it.
pub fn load() -> Spec {
    parse(include_str!("../ops.toml")).expect("the table of this crate is valid")
}

/// Reads and validates a table.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<Spec, SpecError> {
    let spec: Spec = toml::from_str(text).map_err(|e| SpecError(vec![e.to_string()]))?;
    let problems = validate::problems(&spec);
    if problems.is_empty() { Ok(spec) } else { Err(SpecError(problems)) }
}

/// The names of all dtypes.
pub const DTYPES: [&str; 30] = [
    "bool",
    "i2",
    "i4",
    "i8",
    "i16",
    "i32",
    "i64",
    "u2",
    "u4",
    "u8",
    "u16",
    "u32",
    "u64",
    "f4E2M1FN",
    "f6E2M3FN",
    "f6E3M2FN",
    "f8E3M4",
    "f8E4M3",
    "f8E4M3B11FNUZ",
    "f8E4M3FN",
    "f8E4M3FNUZ",
    "f8E5M2",
    "f8E5M2FNUZ",
    "f8E8M0FNU",
    "f16",
    "bf16",
    "f32",
    "f64",
    "c64",
    "c128",
];

/// The dtypes of a class (`int`, `float` ...) or a dtype itself.
pub fn dtypes_of(class: &str) -> Option<Vec<&'static str>> {
    let starts = |p: &'static str| DTYPES.iter().copied().filter(move |d| d.starts_with(p));
    Some(match class {
        "any" => DTYPES.to_vec(),
        "signed" => starts("i").collect(),
        "unsigned" => starts("u").collect(),
        "int" => starts("i").chain(starts("u")).collect(),
        "float" => starts("f").chain(starts("bf")).collect(),
        // Floats of at most 8 bits.
        "mini" => starts("f").filter(|d| d.contains('E')).collect(),
        "complex" => starts("c").collect(),
        other => vec![*DTYPES.iter().find(|d| **d == other)?],
    })
}

impl Spec {
    /// All operators by name.
    pub fn ops(&self) -> impl Iterator<Item = (&str, &Operator)> {
        self.op.iter().map(|(name, op)| (name.as_str(), op))
    }
    /// The operator of a name.
    pub fn op(&self, name: &str) -> Option<&Operator> {
        self.op.get(name)
    }
    /// The operators of a class.
    pub fn of_class(&self, class: Class) -> impl Iterator<Item = (&str, &Operator)> {
        self.ops().filter(move |(_, op)| op.class == class)
    }
    /// The sets of words that attributes may be, by name.
    pub fn enums(&self) -> impl Iterator<Item = (&str, &Words)> {
        self.enums.iter().map(|(name, words)| (name.as_str(), words))
    }
    /// The groups of attributes, by name.
    pub fn records(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.records.iter().map(|(name, record)| (name.as_str(), record))
    }
    /// The group of attributes of this name.
    pub fn record(&self, name: &str) -> Option<&Record> {
        self.records.get(name)
    }
    /// The words of an enum, those of enums within it included.
    pub fn words(&self, name: &str) -> Vec<&str> {
        let values = self.enums.get(name).map_or(&[][..], |w| &w.values);
        values.iter().flat_map(|v| v.of.as_ref().map_or_else(|| vec![v.name.as_str()], |of| self.words(of))).collect()
    }
    /// The attributes of an operator as its text form has them: records are replaced by their attributes.
    pub fn attributes<'a>(&'a self, op: &'a Operator) -> Vec<&'a Attribute> {
        let own = |a: &'a Attribute| match &a.ty {
            AttributeType::Record(name) => {
                self.records.get(name).map_or_else(Vec::new, |r| r.attributes.iter().collect())
            }
            _ => vec![a],
        };
        op.attributes.iter().flat_map(own).collect()
    }
}

impl Operator {
    /// The dtypes that a unary or binary operator is defined on, as class names: `["int", "float"]`.
    pub fn type_classes(&self) -> Vec<&str> {
        self.types.as_deref().unwrap_or("").split('|').map(str::trim).filter(|s| !s.is_empty()).collect()
    }
    /// The names of the operands up to the first of which there may be several.
    pub fn operand_names(&self) -> Vec<&str> {
        match self.class {
            Class::Unary => vec!["operand"],
            Class::Binary => vec!["left", "right"],
            _ => self.operands.iter().map(|o| o.name.as_str()).take_while(|n| !n.ends_with("...")).collect(),
        }
    }
    /// Number of operands of a unary or binary operator.
    pub fn arity(&self) -> Option<usize> {
        match self.class {
            Class::Unary => Some(1),
            Class::Binary => Some(2),
            _ => None,
        }
    }
    /// True when the fact is listed as it stands.
    pub fn has(&self, fact: &str) -> bool {
        self.facts.iter().any(|f| f == fact)
    }
    /// The argument of a fact: `identity(0)` gives `0`.
    pub fn fact_argument(&self, fact: &str) -> Option<&str> {
        self.facts.iter().find_map(|f| f.strip_prefix(fact)?.strip_prefix('(')?.split(')').next())
    }
    /// The meaning of one element.
    pub fn scalar_expr(&self) -> Option<Expr> {
        Expr::parse(self.scalar.as_deref()?).ok()
    }
    /// The cost of an element of a dtype; 0 for operators that are not unary or binary.
    pub fn cost_on(&self, dtype: &str) -> u32 {
        match &self.cost {
            None => 0,
            Some(Cost::Any(n)) => *n,
            Some(Cost::ByType(by)) => {
                let holds = |(class, _): &(&String, &u32)| {
                    *class != "any" && dtypes_of(class).is_some_and(|all| all.contains(&dtype))
                };
                by.iter().find(holds).map_or(by["any"], |(_, n)| *n)
            }
        }
    }
    /// The method of the builder that makes it, if it is not written with a symbol: `cos` of `x.cos()`.
    pub fn builder_method(&self) -> Option<&str> {
        let (name, operands) = self.builder.as_deref()?.strip_prefix("x.")?.split_once('(')?;
        (operands == ["", ")", "y)"][self.arity()?]).then_some(name)
    }
    /// The names that StableHLO has for an elementwise operator, with their dialect; the first one is written.
    pub fn stablehlo_names(&self, name: &str) -> Vec<String> {
        self.stablehlo.clone().unwrap_or_else(|| vec![format!("stablehlo.{name}")])
    }
    /// Where a fact holds: the types of a second pair of parentheses, such as `absorbing(0)(int)`.
    pub fn fact_types(&self, fact: &str) -> Option<&str> {
        let rest = self.facts.iter().find_map(|f| f.strip_prefix(fact)?.strip_prefix('('))?;
        rest.split_once(")(")?.1.strip_suffix(')')
    }
    /// The derivative in each operand; empty when there is none.
    pub fn deriv_exprs(&self) -> Vec<Expr> {
        self.deriv.iter().filter_map(|d| Expr::parse(d).ok()).collect()
    }
    /// The accuracy promised for a dtype, if the operator is defined on it.
    pub fn accuracy(&self, dtype: &str) -> Option<Accuracy> {
        let entry = |key: &str| self.numeric.get(key);
        let holds = |class: &&str| dtypes_of(class).is_some_and(|d| d.contains(&dtype));
        let class = ["bool", "int", "float", "complex"].into_iter().find(holds)?;
        // What holds of f16 holds of smaller floats.
        let small = if holds(&"mini") { entry("f16") } else { None };
        let listed = entry(dtype).or_else(|| entry(class)).or(small).or_else(|| entry("any"));
        validate::accuracy(listed?)
    }

    /// The operator's example as a function in the text form, called `@example`.
    pub fn example_function(&self, name: &str) -> Option<String> {
        let e = self.example.as_ref()?;
        let (inputs, op) = match (&e.op, self.arity()) {
            (Some(op), _) => (e.inputs.clone(), op.clone()),
            (None, Some(arity)) => {
                let dtype = e.dtype.as_deref().unwrap_or("f32");
                let n = e.inputs_data.first()?.len();
                let names = &["x", "y"][..arity];
                let operands: Vec<String> = names.iter().map(|n| format!("%{n}")).collect();
                let result = self.result.as_deref().unwrap_or(dtype);
                let op = format!("{name} {} : {result}[{n}]", operands.join(", "));
                (names.iter().map(|x| format!("{x}: {dtype}[{n}]")).collect(), op)
            }
            (None, None) => return None,
        };
        let inputs: Vec<String> = inputs.iter().map(|i| format!("%{i}")).collect();
        let ty = op.rsplit(" : ").next()?.to_string();
        let (inputs, n) = (inputs.join(", "), e.outputs_data.len());
        (n == 1).then(|| format!("func @example({inputs}) -> ({ty}) {{\n  %0 = {op}\n  return %0\n}}\n"))
    }
}
