//! `OpKind`: every operator of the table, with its class and effects.

use super::attributes::{any, variant, word_of};
use super::{camel, grouped};
use kiln_spec::{Attribute, Class, Effects, Operator, Spec};
use std::fmt::Write as _;

const OPERANDS: &str = "The names of the operands in diagnostics, up to the first of which there may be several.";

/// Rust code of the operator kinds.
pub fn generate(spec: &Spec) -> String {
    let mut out = String::from(
        "//! Every operator and what kind of operator it is. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::op::{ArgKind, BinaryOp, Op, UnaryOp};\n\n",
    );
    let classes: Vec<(String, &str)> = Class::ALL.iter().map(|c| (format!("{c:?}"), c.doc())).collect();
    plain_enum(&mut out, "Class", "What kind of operator it is.", &classes);
    let effects: Vec<(String, &str)> = Effects::ALL.iter().map(|e| (format!("{e:?}"), e.doc())).collect();
    plain_enum(&mut out, "Effects", "What a pass may do with an operator.", &effects);
    let ops: Vec<(&str, &Operator)> = spec.ops().collect();
    let kinds: Vec<(String, &str)> = ops.iter().map(|(name, op)| (camel(name), op.doc.as_str())).collect();
    plain_enum(&mut out, "OpKind", "An operator of the table, without its attributes.", &kinds);
    out.push_str("impl OpKind {\n");
    let all: Vec<String> = kinds.iter().map(|(k, _)| format!("OpKind::{k}")).collect();
    let _ = writeln!(out, "/// Every operator.\npub const ALL: &'static [OpKind] = &[{}];\n", all.join(", "));
    table(&mut out, &ops, "name", "&'static str", "The name in the text form and in diagnostics.", |name, _| {
        format!("\"{name}\"")
    });
    table(&mut out, &ops, "class", "Class", "What kind of operator it is.", |_, op| format!("Class::{:?}", op.class));
    table(&mut out, &ops, "effects", "Effects", "What a pass may do with it.", |_, op| {
        format!("Effects::{:?}", op.effects)
    });
    table(&mut out, &ops, "operand_names", "&'static [&'static str]", OPERANDS, |_, op| {
        format!("&{:?}", op.operand_names())
    });
    let _ = writeln!(
        out,
        "/// The operator of this name.\npub fn from_name(name: &str) -> Option<OpKind> {{\nSome(match name {{"
    );
    for (name, _) in &ops {
        let _ = writeln!(out, "\"{name}\" => OpKind::{},", camel(name));
    }
    out.push_str("_ => return None,\n})\n}\n}\n\n");
    kind_of(&mut out, spec);
    out
}

fn plain_enum(out: &mut String, name: &str, doc: &str, variants: &[(String, &str)]) {
    let _ = writeln!(
        out,
        "/// {doc}\n#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]\n#[repr(u8)]\npub enum {name} {{"
    );
    for (variant, doc) in variants {
        // Indices are no links.
        let doc = doc.replace('[', "\\[").replace(']', "\\]");
        let _ = writeln!(out, "/// {doc}\n{variant},");
    }
    out.push_str("}\n\n");
}

fn table(
    out: &mut String,
    ops: &[(&str, &Operator)],
    method: &str,
    ty: &str,
    doc: &str,
    value: impl Fn(&str, &Operator) -> String,
) {
    let _ = writeln!(out, "/// {doc}\npub const fn {method}(self) -> {ty} {{\nmatch self {{");
    let arms = ops.iter().map(|(name, op)| (value(name, op), format!("OpKind::{}", camel(name))));
    for (value, patterns) in grouped(arms) {
        let _ = writeln!(out, "{} => {value},", patterns.join(" | "));
    }
    out.push_str("}\n}\n\n");
}

/// `Op::kind` and the kinds of the elementwise operators.
fn kind_of(out: &mut String, spec: &Spec) {
    for (class, name) in [(Class::Unary, "UnaryOp"), (Class::Binary, "BinaryOp")] {
        let _ = writeln!(
            out,
            "impl {name} {{\n/// The operator's kind.\npub const fn kind(self) -> OpKind {{\nmatch self {{"
        );
        for (op, _) in spec.of_class(class) {
            let _ = writeln!(out, "{name}::{0} => OpKind::{0},", camel(op));
        }
        out.push_str("}\n}\n}\n\n");
    }
    out.push_str("impl Op {\n/// Which operator it is.\npub const fn kind(&self) -> OpKind {\nmatch self {\n");
    out.push_str("Op::Unary(op) => op.kind(),\nOp::Binary(op) => op.kind(),\n");
    for (name, op) in spec.ops().filter(|(_, op)| op.arity().is_none()) {
        let _ = writeln!(out, "{} => OpKind::{},", pattern(name, op), camel(name));
    }
    out.push_str("}\n}\n}\n");
}

/// The pattern of an operator that is not unary or binary: `Op::ArgReduce { kind: ArgKind::Min, .. }`.
fn pattern(name: &str, op: &Operator) -> String {
    let fixed = |a: &Attribute| a.fixed.as_ref().map(|w| format!("{}: {}, ", a.fields()[0], word_of(a, w)));
    let fixed: String = op.attributes.iter().filter_map(fixed).collect();
    any(&variant(name, op), op, &fixed)
}
