//! Elementwise operators, constants, comparisons and conversions.

use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Op, UnaryOp};

impl Builder<'_> {
    /// The elementwise operator of this name, if it is one.
    pub(super) fn elementwise(&mut self, op: &Operation, name: &str, x: &[Expr]) -> Built<Option<Expr>> {
        if let Some(&u) = UnaryOp::ALL.iter().find(|u| u.name() == name) {
            let [a] = self.operands(op, x)?;
            return Ok(Some(self.graph.emit(Op::Unary(u), &[&a])));
        }
        if let Some(&b) = BinaryOp::ALL.iter().find(|b| b.name() == name) {
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
            "optimization_barrier" if x.len() == 1 => self.graph.emit(Op::OptimizationBarrier, &[&x[0]]),
            "real" if x.len() == 1 && x[0].dtype().is_float() => x[0].clone(),
            "imag" if x.len() == 1 && x[0].dtype().is_float() => x[0].zeros_like(),
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
        let int = match l.dtype() {
            DType::F16 | DType::BF16 => DType::I16,
            DType::F32 => DType::I32,
            DType::F64 => DType::I64,
            _ => return self.graph.emit(Op::Compare(direction), &[l, r]),
        };
        let ordered = |x: &Expr| {
            let bits = self.graph.emit(Op::BitcastConvert(int), &[x]);
            // Negative numbers count down: flip all bits but the sign.
            let max = self.graph.full(int, bits.shape(), (1i64 << (int.bits() - 1)).wrapping_sub(1));
            let flipped = self.binary(BinaryOp::Xor, &bits, &max);
            let negative = bits.lt(0);
            self.graph.emit(Op::Select, &[&negative, &flipped, &bits])
        };
        self.graph.emit(Op::Compare(direction), &[&ordered(l), &ordered(r)])
    }
}
