//! The elementwise operators and their facts.

use super::{camel, grouped};
use kiln_spec::{Class, Operator, Spec};
use std::fmt::Write as _;

/// Rust code of the elementwise operators and their tables.
pub fn generate(spec: &Spec) -> String {
    let mut out = String::from(
        "//! Elementwise operators and what is known of them. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::dtype::{DType, DTypeSet};\nuse serde::{Deserialize, Serialize};\n\n\
         /// A special element of a dtype.\n\
         #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]\npub enum SpecialElement {\n\
         /// 0 or false. As the identity of a float sum it turns -0 into +0; only -0 keeps every bit.\nZero,\n\
         /// 1 or true.\nOne,\n\
         /// Every bit one: -1, the largest unsigned integer, true.\nAllOnes,\n\
         /// The smallest value: -infinity, the smallest integer, false.\nLowest,\n\
         /// The largest value: infinity, the largest integer, true.\nHighest,\n}\n\n",
    );
    for (class, name, doc) in [
        (Class::Unary, "UnaryOp", "Elementwise operators of one operand."),
        (Class::Binary, "BinaryOp", "Elementwise operators of two operands of the same type."),
    ] {
        let ops: Vec<(&str, &Operator)> = spec.of_class(class).collect();
        enumeration(&mut out, name, doc, &ops);
        let _ = writeln!(out, "impl {name} {{");
        names(&mut out, name, &ops);
        let types = |o: &Operator| type_set(o);
        table(&mut out, name, &ops, "operand_types", "DTypeSet", "The element types that operands may have.", types);
        let result = |o: &Operator| o.result.as_deref().map_or("None".into(), |r| format!("Some(DType::{})", dtype(r)));
        let doc = "The element type of the result, if it is not that of the operands.";
        table(&mut out, name, &ops, "result_dtype", "Option<DType>", doc, result);
        facts(&mut out, class, name, &ops);
        out.push_str("}\n\n");
    }
    out
}

fn enumeration(out: &mut String, name: &str, doc: &str, ops: &[(&str, &Operator)]) {
    let _ = writeln!(
        out,
        "/// {doc}\n#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]\n\
         #[repr(u8)]\npub enum {name} {{"
    );
    for (op, entry) in ops {
        let _ = writeln!(out, "/// `{op}`: {}\n{},", entry.doc, camel(op));
    }
    out.push_str("}\n\n");
}

fn names(out: &mut String, name: &str, ops: &[(&str, &Operator)]) {
    let all: Vec<String> = ops.iter().map(|(op, _)| format!("{name}::{}", camel(op))).collect();
    let _ = writeln!(
        out,
        "/// Every operator, in declaration order.\npub const ALL: &'static [{name}] = &[{}];\n",
        all.join(", ")
    );
    let _ = writeln!(out, "/// The StableHLO name.\npub const fn name(self) -> &'static str {{\nmatch self {{");
    for (op, _) in ops {
        let _ = writeln!(out, "{name}::{} => \"{op}\",", camel(op));
    }
    out.push_str("}\n}\n\n");
}

/// A method that gives a value per operator; operators of one value share an arm.
fn table(
    out: &mut String,
    name: &str,
    ops: &[(&str, &Operator)],
    method: &str,
    ty: &str,
    doc: &str,
    value: impl Fn(&Operator) -> String,
) {
    let _ = writeln!(out, "/// {doc}\npub const fn {method}(self) -> {ty} {{\nmatch self {{");
    let arms = ops.iter().map(|(op, entry)| (value(entry), format!("{name}::{}", camel(op))));
    for (v, patterns) in grouped(arms) {
        let _ = writeln!(out, "{} => {v},", patterns.join(" | "));
    }
    out.push_str("}\n}\n\n");
}

fn facts(out: &mut String, class: Class, name: &str, ops: &[(&str, &Operator)]) {
    let mut flag = |method: &str, fact: &'static str, doc: &str| {
        let with: Vec<String> =
            ops.iter().filter(|(_, o)| o.has(fact)).map(|(op, _)| format!("{name}::{}", camel(op))).collect();
        let body = if with.is_empty() { "false".into() } else { format!("matches!(self, {})", with.join(" | ")) };
        let _ = writeln!(out, "/// {doc}\npub const fn {method}(self) -> bool {{\n{body}\n}}\n");
    };
    if class == Class::Unary {
        flag("is_odd", "odd", "`f(-x)` is `-f(x)`, bit for bit (NaN aside).");
        flag("is_even", "even", "`f(-x)` is `f(x)`, bit for bit.");
        flag("is_involution", "involution", "`f(f(x))` is `x`, bit for bit.");
        flag("is_idempotent", "idempotent", "`f(f(x))` is `f(x)`, bit for bit.");
        flag(
            "is_monotone",
            "monotone",
            "`x <= y` implies `f(x) <= f(y)` for the exact results, where both are defined.",
        );
        return;
    }
    flag("is_commutative", "commutative", "`f(x, y)` is `f(y, x)`, bit for bit (NaN payloads aside).");
    flag("is_idempotent", "idempotent", "`f(x, x)` is `x`, bit for bit.");
    let associative = |o: &Operator| match (o.has("associative"), o.has("associative(int)")) {
        (true, _) => "DTypeSet::ALL".to_string(),
        (false, true) => "DTypeSet::BOOL.or(DTypeSet::INT)".to_string(),
        (false, false) => "DTypeSet::of(&[])".to_string(),
    };
    let doc = "The element types on which `f(f(x, y), z)` is `f(x, f(y, z))`, bit for bit.";
    table(out, name, ops, "associative_types", "DTypeSet", doc, associative);
    let element = |fact: &'static str| {
        move |o: &Operator| match o.fact_argument(fact) {
            Some(v) => format!("Some(SpecialElement::{})", element(v)),
            None => "None".to_string(),
        }
    };
    let doc = "The element `e` for which `f(x, e)` and `f(e, x)` are `x`, if there is one.";
    table(out, name, ops, "identity", "Option<SpecialElement>", doc, element("identity"));
    let doc = "The element `e` for which `f(x, e)` and `f(e, x)` are `e` on bool and ints, if there is one.";
    table(out, name, ops, "absorbing", "Option<SpecialElement>", doc, element("absorbing"));
}

fn element(text: &str) -> &'static str {
    match text {
        "0" => "Zero",
        "1" => "One",
        "all ones" => "AllOnes",
        "lowest" => "Lowest",
        _ => "Highest",
    }
}

fn dtype(name: &str) -> String {
    if name == "bool" { "Bool".into() } else { name.to_uppercase() }
}

fn type_set(op: &Operator) -> String {
    let constant = |class: &str| match class {
        "any" => "DTypeSet::ALL".to_string(),
        "bool" | "signed" | "unsigned" | "int" | "float" | "complex" => format!("DTypeSet::{}", class.to_uppercase()),
        other => format!("DTypeSet::of(&[DType::{}])", dtype(other)),
    };
    let sets: Vec<String> = op.type_classes().into_iter().map(constant).collect();
    sets.into_iter().reduce(|a, b| format!("{a}.or({b})")).unwrap_or_else(|| "DTypeSet::of(&[])".into())
}
