//! Random numbers.

use super::{Builder, Built};
use crate::ast::Operation;
use kiln_builder::Expr;
use kiln_ir::op::RngAlgorithm;
use kiln_ir::{DType, Op, TensorType};

impl Builder<'_> {
    /// `rng_bit_generator`: the new state and the bits.
    pub(super) fn random_bits(&mut self, op: &Operation, x: &[Expr]) -> Built<Vec<Expr>> {
        let [state] = self.operands(op, x)?;
        let algorithm = op.attrs.get("algorithm").or(op.attrs.get("rng_algorithm")).and_then(|a| a.as_str());
        let algorithm = match algorithm {
            Some("THREE_FRY") => RngAlgorithm::ThreeFry,
            // What XLA's CPU and GPU compilers choose by default.
            Some("PHILOX" | "DEFAULT") => RngAlgorithm::Philox,
            other => return self.unsupported(op, format!("algorithm {}", other.unwrap_or("(none)"))),
        };
        let (dtype, shape) = self.result_type(op, 1)?;
        let ty = TensorType::new(dtype, shape);
        Ok(self.graph.emit_n(Op::RngBitGenerator { algorithm, ty }, &[&state], 2))
    }

    /// `rng`: uniform or normal numbers from a generator of the program's own, whose state is a variable: every run draws
    /// others.
    pub(super) fn rng(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, b, _shape] = self.operands(op, x)?;
        let (dtype, shape) = self.result_type(op, 0)?;
        let word = op.attrs.get("rng_distribution").or(op.attrs.get("distribution")).and_then(|a| a.as_str());
        if self.graph.in_closure() {
            return self.unsupported(op, "random numbers without a state inside of a region (use rng_bit_generator)");
        }
        let source = match &self.random {
            Some(source) => source.clone(),
            None => self.random.insert(std::rc::Rc::new(self.graph.rng_state("rng", 0))).clone(),
        };
        match word {
            Some("UNIFORM") if dtype == DType::Bool || dtype.is_int() => {
                // As floats of the bounds, truncated: exact for all ranges below 2^53.
                let (low, high) = (a.cast::<f64>(), b.cast::<f64>());
                let unit = source.uniform(DType::F64, shape.clone());
                let value = low.broadcast_to(&shape) + unit * (high - low).broadcast_to(&shape);
                Ok(value.floor().cast_to(dtype))
            }
            Some("UNIFORM") => {
                let unit = source.uniform(dtype, shape.clone());
                Ok(a.broadcast_to(&shape) + unit * (&b - &a).broadcast_to(&shape))
            }
            Some("NORMAL") => {
                let normal = source.normal(dtype, shape.clone());
                Ok(a.broadcast_to(&shape) + normal * b.broadcast_to(&shape))
            }
            other => self.malformed(op, format!("unknown distribution {}", other.unwrap_or("(none)"))),
        }
    }
}
