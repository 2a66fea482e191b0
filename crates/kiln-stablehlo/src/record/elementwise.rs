//! Elementwise operators, constants, comparisons and conversions.

use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Op, UnaryOp};

impl Builder<'_> {
    /// The elementwise operator of this name, if it is one.
    pub(super) fn elementwise(&mut self, op: &Operation, name: &str, x: &[Expr]) -> Built<Option<Expr>> {
        if let Some(&u) = UnaryOp::ALL.iter().find(|u| is_one_of(u.stablehlo_names(), name)) {
            let [a] = self.operands(op, x)?;
            return Ok(Some(self.graph.emit(Op::Unary(u), &[&a])));
        }
        if let Some(&b) = BinaryOp::ALL.iter().find(|b| is_one_of(b.stablehlo_names(), name)) {
            let [l, r] = self.operands(op, x)?;
            return Ok(Some(self.binary(b, &l, &r)));
        }
        let e = match name {
            "constant" => {
                let Some(value) = op.attrs.get("value") else { return self.malformed(op, "the value is missing") };
                self.constant(op, value)?
            }
            "compare" => {
                let [l, r] = self.operands(op, x)?;
                let kind = op.attrs.get("compare_type").or(op.attrs.get("word")).and_then(Attr::as_str);
                let direction = op.attrs.get("comparison_direction").and_then(Attr::as_str).unwrap_or_default();
                let direction = match direction {
                    "EQ" => CompareDirection::EQ,
                    "NE" => CompareDirection::NE,
                    "GE" => CompareDirection::GE,
                    "GT" => CompareDirection::GT,
                    "LE" => CompareDirection::LE,
                    "LT" => CompareDirection::LT,
                    other => return self.malformed(op, format!("unknown direction `{other}`")),
                };
                match kind {
                    Some("TOTALORDER") => self.compare_total(&l, &r, direction),
                    _ => self.graph.emit(Op::Compare(direction), &[&l, &r]),
                }
            }
            "select" => {
                let [p, a, b] = self.operands(op, x)?;
                self.graph.emit(Op::Select, &[&p, &a, &b])
            }
            "clamp" => {
                let [low, a, high] = self.operands(op, x)?;
                self.graph.emit(Op::Clamp, &[&low, &a, &high])
            }
            "convert" => {
                let [a] = self.operands(op, x)?;
                let dtype = self.result_dtype(op, 0)?;
                self.graph.emit(Op::Convert(dtype), &[&a])
            }
            "bitcast_convert" => {
                let [a] = self.operands(op, x)?;
                let dtype = self.result_dtype(op, 0)?;
                if a.dtype() == DType::Bool || dtype == DType::Bool {
                    self.bitcast_bool(op, &a, dtype)?
                } else {
                    self.graph.emit(Op::BitcastConvert(dtype), &[&a])
                }
            }
            "reduce_precision" => self.reduce_precision(op, x)?,
            "complex" => {
                let [re, im] = self.operands(op, x)?;
                re.complex(&im)
            }
            "real" => self.operands::<1>(op, x)?[0].real(),
            "imag" => self.operands::<1>(op, x)?[0].imag(),
            _ => return Ok(None),
        };
        Ok(Some(e))
    }

    /// A binary operator on operands of equal types.
    pub(super) fn binary(&self, b: BinaryOp, l: &Expr, r: &Expr) -> Expr {
        self.graph.emit(Op::Binary(b), &[l, r])
    }

    /// Floats in the order -NaN < -inf < ... < -0 < +0 < ... < +inf < +NaN, by comparing their bits as integers.
    pub(super) fn compare_total(&self, l: &Expr, r: &Expr, direction: CompareDirection) -> Expr {
        self.graph.emit(Op::Compare(direction), &[&l.total_order_key(), &r.total_order_key()])
    }
}

/// True when `stablehlo.name` is one of the names.
fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|n| n.strip_prefix("stablehlo.") == Some(name))
}
