//! Operators of the `chlo` dialect, by what they are made of.

use super::{Builder, Built};
use crate::ast::Operation;
use kiln_builder::Expr;
use kiln_ir::{DType, Op, UnaryOp};

impl Builder<'_> {
    pub(super) fn chlo(&mut self, op: &Operation, name: &str, x: &[Expr]) -> Built<Expr> {
        let unary = |u: UnaryOp, e: &Expr| self.graph.emit(Op::Unary(u), &[e]);
        let [a] = self.operands(op, x)?;
        // Half precision is computed in f32 and rounded once.
        let narrow = matches!(a.dtype(), DType::F16 | DType::BF16);
        let e = if narrow { a.cast::<f32>() } else { a.clone() };
        let result = match name {
            "erf" => unary(UnaryOp::Erf, &e),
            "tan" => unary(UnaryOp::Tan, &e),
            "square" => &e * &e,
            "erfc" => 1.0 - unary(UnaryOp::Erf, &e),
            "is_inf" => unary(UnaryOp::Abs, &e).eq(f64::INFINITY),
            _ => return self.unsupported(op, "kiln has no such operator yet"),
        };
        Ok(if narrow && result.dtype() == DType::F32 { result.cast_to(a.dtype()) } else { result })
    }
}
