//! The elementwise operators and their facts.

use super::{camel, grouped};
use kiln_spec::{Accuracy, Class, Cost, Operator, Spec};
use std::fmt::Write as _;

/// Rust code of the elementwise operators and their tables.
pub fn generate(spec: &Spec) -> String {
    let mut out = String::from(
        "//! Elementwise operators and what is known of them. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::dtype::{DType, DTypeSet};\nuse crate::op::SpecialElement;\nuse serde::{Deserialize, Serialize};\n\n",
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
        table(
            &mut out,
            name,
            &ops,
            "operand_types(self)",
            "DTypeSet",
            "The element types that operands may have.",
            types,
        );
        let result = |o: &Operator| o.result.as_deref().map_or("None".into(), |r| format!("Some(DType::{})", dtype(r)));
        let doc = "The element type of the result, if it is not that of the operands.";
        table(&mut out, name, &ops, "result_dtype(self)", "Option<DType>", doc, result);
        facts(&mut out, class, name, &ops);
        numbers(&mut out, name, &ops);
        foreign(&mut out, name, &ops);
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
    let _ = writeln!(
        out,
        "/// The name in the text form, that of StableHLO where it has the operator.\npub const fn name(self) -> &'static str {{\nmatch self {{"
    );
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
    signature: &str,
    ty: &str,
    doc: &str,
    value: impl Fn(&Operator) -> String,
) {
    let _ = writeln!(out, "/// {doc}\npub const fn {signature} -> {ty} {{\nmatch self {{");
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
        flag("is_even", "even", "`f(-x)` is `f(x)`, bit for bit.");
        flag("is_involution", "involution", "`f(f(x))` is `x`, bit for bit.");
        flag("is_idempotent", "idempotent", "`f(f(x))` is `f(x)`, bit for bit.");
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
    table(out, name, ops, "associative_types(self)", "DTypeSet", doc, associative);
    let some = |v: &str| format!("Some(SpecialElement::{})", element(v));
    let identity = |o: &Operator| o.fact_argument("identity").map_or("None".into(), some);
    let doc = "The element `e` for which `f(x, e)` and `f(e, x)` are `x`, bit for bit, if there is one.";
    table(out, name, ops, "identity(self)", "Option<SpecialElement>", doc, identity);
    let absorbing = |o: &Operator| match (o.fact_argument("absorbing").map(some), o.fact_types("absorbing")) {
        (None, _) => "None".into(),
        (Some(e), None) => e,
        (Some(e), Some("bool")) => format!("if DTypeSet::BOOL.contains(dtype) {{ {e} }} else {{ None }}"),
        (Some(e), Some(_)) => {
            format!("if DTypeSet::BOOL.or(DTypeSet::INT).contains(dtype) {{ {e} }} else {{ None }}")
        }
    };
    let doc = "The element `e` of a type for which `f(x, e)` and `f(e, x)` are `e`, if there is one.";
    table(out, name, ops, "absorbing(self, dtype: DType)", "Option<SpecialElement>", doc, absorbing);
}

/// Costs and accuracy.
fn numbers(out: &mut String, name: &str, ops: &[(&str, &Operator)]) {
    let cost = |o: &Operator| match &o.cost {
        None => "0".to_string(),
        Some(Cost::Any(n)) => n.to_string(),
        Some(Cost::ByType(by)) => {
            let mut text = String::new();
            for (class, n) in by.iter().filter(|(class, _)| *class != "any") {
                let _ = write!(text, "if {}.contains(dtype) {{ {n} }} else ", type_constant(class));
            }
            text + &format!("{{ {} }}", by["any"])
        }
    };
    let doc = "What an element costs to compute, in units of a simple vector instruction.";
    let by_type = ops.iter().any(|(_, o)| matches!(o.cost, Some(Cost::ByType(_))));
    let signature = if by_type { "cost(self, dtype: DType)" } else { "cost(self, _dtype: DType)" };
    table(out, name, ops, signature, "u32", doc, cost);
    let doc = "Floating-point operations of an element in f32, about those of its expansion.";
    table(out, name, ops, "flops(self)", "u64", doc, |o| o.flops.to_string());
    let ulps = |o: &Operator| match o.accuracy("f32") {
        Some(Accuracy::Ulp(n)) => n.to_string(),
        _ => "0".to_string(),
    };
    let doc = "Units in the last place of f32 that a result may be off; 0 where one bit pattern is right.";
    table(out, name, ops, "ulps(self)", "u32", doc, ulps);
    let inexact = |o: &&(&str, &Operator)| o.1.accuracy("f16").is_some_and(|a| a != Accuracy::Exact);
    let with: Vec<String> = ops.iter().filter(inexact).map(|(op, _)| format!("{name}::{}", camel(op))).collect();
    let _ = writeln!(
        out,
        "/// Whether the result in f32 of operands of a smaller float type must be rounded to be of that type.\n\
         pub const fn rounds_half(self) -> bool {{\nmatches!(self, {})\n}}\n",
        with.join(" | ")
    );
}

/// The names of others.
fn foreign(out: &mut String, name: &str, ops: &[(&str, &Operator)]) {
    let _ = writeln!(
        out,
        "/// The names in StableHLO, with their dialect; the first one is written. Empty where it has no such operator.\n\
         pub const fn stablehlo_names(self) -> &'static [&'static str] {{\nmatch self {{"
    );
    for (op, entry) in ops {
        let names: Vec<String> = entry.stablehlo_names(op).iter().map(|n| format!("\"{n}\"")).collect();
        let _ = writeln!(out, "{name}::{} => &[{}],", camel(op), names.join(", "));
    }
    out.push_str("}\n}\n\n");
}

fn element(text: &str) -> &'static str {
    match text {
        "0" => "Zero",
        "-0" => "NegativeZero",
        "1" => "One",
        "all ones" => "AllOnes",
        "lowest" => "Lowest",
        _ => "Highest",
    }
}

fn dtype(name: &str) -> String {
    if name == "bool" { "Bool".into() } else { name.to_uppercase() }
}

fn type_constant(class: &str) -> String {
    match class {
        "any" => "DTypeSet::ALL".to_string(),
        "bool" | "signed" | "unsigned" | "int" | "float" | "complex" => format!("DTypeSet::{}", class.to_uppercase()),
        other => format!("DTypeSet::of(&[DType::{}])", dtype(other)),
    }
}

fn type_set(op: &Operator) -> String {
    let sets: Vec<String> = op.type_classes().into_iter().map(type_constant).collect();
    sets.into_iter().reduce(|a, b| format!("{a}.or({b})")).unwrap_or_else(|| "DTypeSet::of(&[])".into())
}
