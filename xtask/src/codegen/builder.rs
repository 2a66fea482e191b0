//! The builder's methods of elementwise operators.

use super::camel;
use kiln_spec::{Class, Spec};
use std::fmt::Write as _;

/// Rust code of the methods.
pub fn generate(spec: &Spec) -> String {
    let mut out = String::from(
        "//! Methods of elementwise operators. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::expr::Expr;\nuse crate::operand::Operand;\nuse kiln_ir::{BinaryOp, UnaryOp};\n\nimpl Expr {\n",
    );
    for (name, op) in spec.of_class(Class::Unary) {
        if let Some(method) = op.builder_method() {
            let _ = writeln!(
                out,
                "/// {}\n#[track_caller]\npub fn {method}(&self) -> Expr {{\nself.unary(UnaryOp::{})\n}}\n",
                op.doc,
                camel(name)
            );
        }
    }
    for (name, op) in spec.of_class(Class::Binary) {
        if let Some(method) = op.builder_method() {
            let _ = writeln!(
                out,
                "/// {} Here x is `self` and y is `rhs`.\n#[track_caller]\n\
                 pub fn {method}(&self, rhs: impl Operand) -> Expr {{\n\
                 self.binary_side(BinaryOp::{}, rhs.into_side())\n}}\n",
                op.doc,
                camel(name)
            );
        }
    }
    out.push_str("}\n");
    out
}
