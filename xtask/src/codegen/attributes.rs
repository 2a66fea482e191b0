//! The attributes of every operator: reading, rewriting and making them.

use super::camel;
use kiln_spec::attribute::Default;
use kiln_spec::{Attribute, AttributeType, Class, Operator, Spec};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rust code of the attributes.
pub fn generate(spec: &Spec) -> String {
    // Operators of one variant differ in what is fixed only.
    let structural = spec.ops().filter(|(_, op)| op.arity().is_none());
    let variants: BTreeMap<String, &Operator> = structural.map(|(name, op)| (variant(name, op), op)).collect();
    let mut out = String::from(
        "//! The attributes of every operator. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::op::attribute::{Attribute, AttributeMut, AttributeSource, AttributeValue, Labels};\n\
         use crate::op::*;\nuse crate::shape::Shape;\nuse smallvec::SmallVec;\n\n",
    );
    visit(&mut out, &variants);
    visit_mut(&mut out, spec, &variants);
    build(&mut out, spec);
    for (name, record) in spec.records() {
        let (function, fields) = (snake(name), pattern(&record.attributes, true));
        let _ = writeln!(
            out,
            "fn visit_{function}<'a>(record: &'a {name}, visit: &mut impl FnMut(Attribute<'a>)) {{\nlet {name} {fields} = record;"
        );
        record.attributes.iter().for_each(|a| out.push_str(&visited(a)));
        out.push_str("}\n\n");
        if record.attributes.iter().any(|a| rewritten(spec, a)) {
            let _ = writeln!(
                out,
                "fn visit_{function}_mut<'a>(record: &'a mut {name}, visit: &mut impl FnMut(AttributeMut<'a>)) {{"
            );
            for a in record.attributes.iter().filter(|a| rewritten(spec, a)) {
                out.push_str(&visited_mut(a, &format!("&mut record.{}", a.fields()[0])));
            }
            out.push_str("}\n\n");
        }
        let _ = writeln!(out, "fn build_{function}(source: &mut impl AttributeSource) -> Result<{name}, String> {{");
        record.attributes.iter().for_each(|a| out.push_str(&bound(spec, a)));
        let _ = writeln!(out, "Ok({name} {fields})\n}}\n");
    }
    out
}

/// The variant of an operator: `ArgReduce`.
pub fn variant(name: &str, op: &Operator) -> String {
    op.variant.clone().unwrap_or_else(|| camel(name))
}

/// The fields that hold an operator's attributes as a pattern or an expression: `{ axis, kind, dtype }`, `(shape)`.
/// What is fixed is `_`, or (`fixed`) the word.
fn pattern(attributes: &[Attribute], fixed: bool) -> String {
    let value = |a: &Attribute, field: &str| match &a.fixed {
        Some(word) if fixed => format!("{field}: {}", word_of(a, word)),
        Some(_) => format!("{field}: _"),
        None => variable(a, field),
    };
    let mut fields = Vec::new();
    for a in attributes {
        fields.extend(a.fields().into_iter().map(|f| value(a, f)));
    }
    in_brackets(attributes, &fields.join(", "))
}

/// Fields in the brackets of the variant: those of tuples are numbers.
fn in_brackets(attributes: &[Attribute], fields: &str) -> String {
    match attributes.first() {
        None => String::new(),
        Some(a) if a.fields()[0] == "0" => format!("({fields})"),
        Some(_) => format!("{{ {fields} }}"),
    }
}

/// `ArgKind::Min`
pub fn word_of(a: &Attribute, word: &str) -> String {
    match &a.ty {
        AttributeType::Enum(name) => format!("{name}::{}", camel(word)),
        other => panic!("`{other}` has no words"),
    }
}

/// The variable of a field: that of a tuple has the attribute's name.
fn variable(a: &Attribute, field: &str) -> String {
    if field == "0" { a.name.clone() } else { field.to_string() }
}

fn variables(a: &Attribute) -> Vec<String> {
    a.fields().into_iter().map(|f| variable(a, f)).collect()
}

/// `GatherDims` as `gather_dims`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The pattern that matches a variant whatever its attributes are, but for the `fixed` ones.
pub fn any(variant: &str, op: &Operator, fixed: &str) -> String {
    match op.attributes.is_empty() {
        true => format!("Op::{variant}"),
        false => format!("Op::{variant} {}", in_brackets(&op.attributes, &format!("{fixed}.."))),
    }
}

/// The arm of operators for which nothing is done.
fn nothing<'a>(out: &mut String, variants: impl Iterator<Item = (&'a String, &'a &'a Operator)>) {
    let patterns: Vec<String> = variants.map(|(v, op)| any(v, op, "")).collect();
    let _ = writeln!(out, "Op::Unary(_) | Op::Binary(_) | {} => {{}}", patterns.join(" | "));
}

fn visit(out: &mut String, variants: &BTreeMap<String, &Operator>) {
    out.push_str(
        "impl Op {\n/// Calls `visit` with every attribute, in the order of the text form.\n\
         pub fn attributes<'a>(&'a self, visit: &mut impl FnMut(Attribute<'a>)) {\nmatch self {\n",
    );
    for (variant, op) in variants.iter().filter(|(_, op)| !op.attributes.is_empty()) {
        let _ = writeln!(out, "Op::{variant} {} => {{", pattern(&op.attributes, false));
        op.attributes.iter().for_each(|a| out.push_str(&visited(a)));
        out.push_str("}\n");
    }
    nothing(out, variants.iter().filter(|(_, op)| op.attributes.is_empty()));
    out.push_str("}\n}\n\n");
    let nested = |a: &Attribute| matches!(a.ty, AttributeType::Function | AttributeType::Functions);
    let with: Vec<String> = (variants.iter())
        .filter(|(_, op)| op.attributes.iter().any(nested))
        .map(|(variant, op)| any(variant, op, ""))
        .collect();
    let _ = writeln!(
        out,
        "/// Whether there are nested functions: passes ask it of every node.\n\
         pub const fn has_functions(&self) -> bool {{\nmatches!(self, {})\n}}\n",
        with.join(" | ")
    );
}

/// The statements that show one attribute to a visitor. The fields are references.
fn visited(a: &Attribute) -> String {
    if a.fixed.is_some() {
        return String::new();
    }
    let fields = variables(a);
    let x = fields[0].as_str();
    let value = match &a.ty {
        AttributeType::Record(name) => return format!("visit_{}({x}, visit);\n", snake(name)),
        AttributeType::Int | AttributeType::Axis => format!("Int(*{x} as u64)"),
        AttributeType::Axes => format!("Axes({x})"),
        AttributeType::AxesPair => format!("AxesPair([{}])", fields.join(", ")),
        AttributeType::Ints => format!("Ints({x})"),
        AttributeType::Sizes | AttributeType::Shape => format!("Sizes({x})"),
        AttributeType::Bounds => {
            let named = |part: &str, f: &String| if part == f { f.clone() } else { format!("{part}: {f}") };
            let parts = ["start", "limit", "strides"].iter().zip(&fields).map(|(part, f)| named(part, f));
            format!("Bounds {{ {} }}", parts.collect::<Vec<_>>().join(", "))
        }
        AttributeType::Windows => format!("Windows({x})"),
        AttributeType::Labels => {
            let one = |f: &[String]| format!("Labels {{ named: [*{}, *{}], spatial: {} }}", f[0], f[1], f[2]);
            format!("Labels([{}])", fields.chunks(3).map(one).collect::<Vec<_>>().join(", "))
        }
        AttributeType::Flag => format!("Flag(*{x})"),
        AttributeType::DType => format!("DType(*{x})"),
        AttributeType::Type => format!("Type({x})"),
        AttributeType::String => format!("String({x})"),
        AttributeType::Tensor => format!("Tensor({x})"),
        AttributeType::Function => format!("Function({x})"),
        AttributeType::Functions => format!("Functions({x})"),
        AttributeType::Enum(_) => format!("Word({x}.name())"),
    };
    let unless = match &a.default {
        None | Some(Default::None) => String::new(),
        Some(Default::Empty) => {
            let empty: Vec<String> = fields.iter().map(|f| format!("{f}.is_empty()")).collect();
            format!(".unless({})", empty.join(" && "))
        }
        Some(Default::Number(n)) => format!(".unless(*{x} == {n})"),
        Some(Default::Zeros(_)) => format!(".unless({x}.iter().all(|n| *n == 0))"),
    };
    let annotated = if a.annotated.is_some() { ".annotated()" } else { "" };
    let inert = if a.inert { ".inert()" } else { "" };
    let call = format!("visit(Attribute::new(\"{}\", AttributeValue::{value}){unless}{annotated}{inert});\n", a.name);
    if a.default == Some(Default::None) { format!("if let Some({x}) = {x} {{\n{call}}}\n") } else { call }
}

/// Whether the attribute holds sizes or functions.
fn rewritten(spec: &Spec, a: &Attribute) -> bool {
    match &a.ty {
        AttributeType::Record(name) => {
            spec.record(name).is_some_and(|r| r.attributes.iter().any(|a| rewritten(spec, a)))
        }
        AttributeType::Sizes | AttributeType::Shape | AttributeType::Bounds | AttributeType::Type => true,
        ty => ty.holds_functions(),
    }
}

fn visit_mut(out: &mut String, spec: &Spec, variants: &BTreeMap<String, &Operator>) {
    out.push_str(
        "/// Calls `visit` with the sizes and functions in the attributes, in the order of the text form.\n\
         pub fn attributes_mut<'a>(&'a mut self, visit: &mut impl FnMut(AttributeMut<'a>)) {\nmatch self {\n",
    );
    let of = |op: &Operator| op.attributes.iter().any(|a| rewritten(spec, a));
    for (variant, op) in variants.iter().filter(|(_, op)| of(op)) {
        let held: Vec<&Attribute> = op.attributes.iter().filter(|a| rewritten(spec, a)).collect();
        // The strides of bounds are numbers.
        let fields = |a: &Attribute| variables(a).into_iter().take(2).collect::<Vec<_>>();
        let names: Vec<String> = held.iter().flat_map(|a| fields(a)).collect();
        let rest = if names.len() < op.attributes.iter().map(|a| a.ty.fields()).sum() { ", .." } else { "" };
        let _ = writeln!(out, "Op::{variant} {} => {{", in_brackets(&op.attributes, &(names.join(", ") + rest)));
        for a in held {
            fields(a).iter().for_each(|x| out.push_str(&visited_mut(a, x)));
        }
        out.push_str("}\n");
    }
    nothing(out, variants.iter().filter(|(_, op)| !of(op)));
    out.push_str("}\n}\n}\n\n");
}

/// The statement that shows a writable field to a visitor.
fn visited_mut(a: &Attribute, x: &str) -> String {
    match &a.ty {
        AttributeType::Record(name) => format!("visit_{}_mut({x}, visit);\n", snake(name)),
        AttributeType::Type => format!("visit(AttributeMut::Sizes(&mut {x}.shape));\n"),
        AttributeType::Functions => format!("{x}.iter_mut().for_each(|f| visit(AttributeMut::Function(f)));\n"),
        AttributeType::Function if a.default.is_some() => {
            format!("if let Some(f) = {x} {{\nvisit(AttributeMut::Function(f));\n}}\n")
        }
        AttributeType::Function => format!("visit(AttributeMut::Function({x}));\n"),
        _ => format!("visit(AttributeMut::Sizes({x}));\n"),
    }
}

fn build(out: &mut String, spec: &Spec) {
    out.push_str(
        "impl OpKind {\n/// The operator of this kind with the attributes of a source.\n///\n/// # Errors\n\
         /// What the source lacks, or has in another form.\n\
         pub fn build(self, source: &mut impl AttributeSource) -> Result<Op, String> {\nOk(match self {\n",
    );
    for (name, op) in spec.ops() {
        let kind = camel(name);
        let _ = match op.class {
            Class::Unary => writeln!(out, "OpKind::{kind} => Op::Unary(UnaryOp::{kind}),"),
            Class::Binary => writeln!(out, "OpKind::{kind} => Op::Binary(BinaryOp::{kind}),"),
            _ => {
                let attributes: String = op.attributes.iter().map(|a| bound(spec, a)).collect();
                let made = format!("Op::{} {}", variant(name, op), pattern(&op.attributes, true));
                match attributes.as_str() {
                    "" => writeln!(out, "OpKind::{kind} => {made},"),
                    _ => writeln!(out, "OpKind::{kind} => {{\n{attributes}{made}\n}}"),
                }
            }
        };
    }
    out.push_str("})\n}\n}\n\n");
}

/// The statement that takes one attribute from a source and binds its fields.
fn bound(spec: &Spec, a: &Attribute) -> String {
    if a.fixed.is_some() {
        return String::new();
    }
    let (fields, name) = (variables(a), &a.name);
    let take = |method: &str| format!("source.{method}(\"{name}\")?");
    let annotated = |part: &str| a.annotated.map(|i| format!("source.result_type({i})?{part}"));
    let value = match &a.ty {
        AttributeType::Record(record) => {
            let made = format!("build_{}(source)?", snake(record));
            if spec.record(record).is_some_and(|r| r.inline) { made } else { format!("Box::new({made})") }
        }
        AttributeType::Int | AttributeType::Axis => take("int"),
        AttributeType::Axes => take("axes"),
        AttributeType::AxesPair => take("axes_pair"),
        AttributeType::Ints => take("ints"),
        AttributeType::Sizes => take("sizes"),
        AttributeType::Shape => annotated(".shape").unwrap_or_else(|| format!("Shape::new({})", take("sizes"))),
        AttributeType::Bounds => take("bounds"),
        AttributeType::Windows => take("windows"),
        AttributeType::Labels => take("labels"),
        AttributeType::Flag => take("flag"),
        AttributeType::DType => annotated(".dtype").unwrap_or_else(|| take("dtype")),
        AttributeType::Type => annotated("").unwrap_or_else(|| take("ty")),
        AttributeType::String => take("string"),
        AttributeType::Tensor => take("tensor"),
        AttributeType::Function => take("function"),
        AttributeType::Functions => take("functions"),
        AttributeType::Enum(_) => take("word"),
    };
    let value = match &a.default {
        None => value,
        Some(Default::None) => format!("if source.has(\"{name}\") {{ Some({value}) }} else {{ None }}"),
        Some(default) => {
            let default = match default {
                Default::Number(n) => n.to_string(),
                Default::Zeros(like) => format!("SmallVec::from_elem(0, {like}.len())"),
                Default::Empty | Default::None => "Default::default()".into(),
            };
            format!("if source.has(\"{name}\") {{ {value} }} else {{ {default} }}")
        }
    };
    let pattern = match (&a.ty, fields.as_slice()) {
        (_, [one]) => one.clone(),
        (AttributeType::AxesPair, _) => format!("[{}]", fields.join(", ")),
        (AttributeType::Labels, _) => {
            let one = |f: &[String]| format!("Labels {{ named: [{}, {}], spatial: {} }}", f[0], f[1], f[2]);
            format!("[{}]", fields.chunks(3).map(one).collect::<Vec<_>>().join(", "))
        }
        _ => format!("({})", fields.join(", ")),
    };
    format!("let {pattern} = {value};\n")
}
