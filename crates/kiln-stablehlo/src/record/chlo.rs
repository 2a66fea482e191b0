//! Operators of the `chlo` dialect, by what they are made of. Half precision is computed in f32 and rounded once.

use super::sizes::to_axes;
use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::{Expr, Shape};
use kiln_import::{complex, special as f};
use kiln_ir::{Dim, Op, UnaryOp};

impl Builder<'_> {
    /// The elementwise operator of this name; those of several results or with regions are elsewhere.
    pub(super) fn chlo(&mut self, op: &Operation, name: &str, x: &[Expr]) -> Built<Expr> {
        if x.iter().any(Expr::is_poisoned) {
            return Ok(self.graph.poisoned());
        }
        if let Some(short) = name.strip_prefix("broadcast_") {
            let spread = self.broadcast_together(op, x)?;
            if let Some(e) = self.elementwise(op, short, &spread)? {
                return Ok(e);
            }
            return self.chlo(op, short, &spread);
        }
        match name {
            "constant" => {
                let Some(value) = op.attrs.get("value") else { return self.malformed(op, "the value is missing") };
                return self.constant(op, value);
            }
            "constant_like" => return self.constant_like(op, x),
            "conj" => return self.operands::<1>(op, x).map(|[a]| a.conj()),
            "is_inf" | "is_pos_inf" | "is_neg_inf" => {
                let [a] = self.operands(op, x)?;
                return Ok(match name {
                    "is_inf" => a.abs().eq(f64::INFINITY),
                    "is_pos_inf" => a.eq(f64::INFINITY),
                    _ => a.eq(f64::NEG_INFINITY),
                });
            }
            "next_after" => {
                let [a, b] = self.operands(op, x)?;
                return self.next_after(op, &a, &b);
            }
            "mulhi" => {
                let [a, b] = self.operands(op, x)?;
                return self.mulhi(op, &a, &b);
            }
            "square" => {
                let [a] = self.operands(op, x)?;
                return Ok(&a * &a);
            }
            "tan" => {
                let [a] = self.operands(op, x)?;
                return Ok(self.graph.emit(Op::Unary(UnaryOp::Tan), &[&a]));
            }
            _ => {}
        }
        let Some(dtype) = x.first().map(Expr::dtype) else { return self.malformed(op, "no operands") };
        if dtype.is_complex() {
            let [a] = self.operands(op, x)?;
            return match complex::function(name, &a) {
                Some(e) => Ok(e),
                None => self.unsupported(op, format!("this operator on {dtype}")),
            };
        }
        if !dtype.is_float() {
            return self.unsupported(op, format!("this operator on {dtype}"));
        }
        let narrow = dtype.bits() < 32;
        let wide: Vec<Expr> = x.iter().map(|e| if narrow { e.cast::<f32>() } else { e.clone() }).collect();
        Ok(self.special(op, name, &wide)?.cast_to(dtype))
    }

    /// Functions of f32 and f64.
    fn special(&mut self, op: &Operation, name: &str, x: &[Expr]) -> Built<Expr> {
        if let "zeta" | "polygamma" = name {
            let [a, b] = self.operands(op, x)?;
            return Ok(if name == "zeta" { f::zeta(&a, &b) } else { f::polygamma(&a, &b) });
        }
        let [a] = self.operands(op, x)?;
        let unary = |u: UnaryOp| self.graph.emit(Op::Unary(u), &[&a]);
        Ok(match name {
            "erf" => unary(UnaryOp::Erf),
            "erfc" => f::erfc(&a),
            "erf_inv" => f::erf_inv(&a),
            "sinh" => f::sinh(&a),
            "cosh" => f::cosh(&a),
            "asinh" => f::asinh(&a),
            "acosh" => f::acosh(&a),
            "atanh" => f::atanh(&a),
            "asin" => f::asin(&a),
            "acos" => f::acos(&a),
            "atan" => f::atan2(&a, &a.ones_like()),
            "lgamma" => f::lgamma(&a),
            "digamma" => f::digamma(&a),
            "bessel_i1e" => f::bessel_i1e(&a),
            _ => return self.unsupported(op, "kiln has no such operator"),
        })
    }

    /// Operands in their common shape by NumPy's rule; `broadcast_dimensions` says where those of the operand of lower
    /// rank go.
    fn broadcast_together(&self, op: &Operation, x: &[Expr]) -> Built<Vec<Expr>> {
        let rank = x.iter().map(Expr::rank).max().unwrap_or(0);
        let given = match op.attrs.contains_key("broadcast_dimensions") {
            true => Some(self.axes(op, "broadcast_dimensions")?),
            false => None,
        };
        let mut aligned: Vec<(Vec<i64>, Vec<usize>)> = Vec::with_capacity(x.len());
        let mut common = vec![1i64; rank];
        for e in x {
            let sizes = self.sizes(op, e)?;
            let places = match &given {
                Some(list) if sizes.len() < rank && !sizes.is_empty() => list.clone(),
                _ => (rank - sizes.len()..rank).collect(),
            };
            if places.len() != sizes.len() || places.iter().any(|&p| p >= rank) {
                return self.malformed(op, "`broadcast_dimensions` do not fit the operands");
            }
            for (&place, &size) in places.iter().zip(&sizes) {
                match (common[place], size) {
                    (a, b) if a == b || b == 1 => {}
                    (1, b) => common[place] = b,
                    (a, b) => return self.malformed(op, format!("sizes {a} and {b} do not broadcast")),
                }
            }
            aligned.push((sizes, places));
        }
        let shape: Shape = common.iter().map(|&n| Dim::Const(n)).collect();
        let spread = |(e, (_, places)): (&Expr, &(Vec<i64>, Vec<usize>))| {
            if e.shape() == shape {
                return e.clone();
            }
            self.graph.emit(Op::BroadcastInDim { shape: shape.clone(), dims: to_axes(places) }, &[e])
        };
        Ok(x.iter().zip(&aligned).map(spread).collect())
    }

    fn constant_like(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let dtype = self.result_dtype(op, 0)?;
        match op.attrs.get("value") {
            Some(Attr::Float(v)) => Ok(self.graph.full(dtype, a.shape(), *v)),
            Some(Attr::Int(v)) if dtype.is_float() => Ok(self.graph.full(dtype, a.shape(), *v as f64)),
            Some(Attr::Int(v)) => Ok(self.graph.full(dtype, a.shape(), *v)),
            Some(Attr::Bool(v)) => Ok(self.graph.full(dtype, a.shape(), *v)),
            _ => self.malformed(op, "attribute `value` is no number"),
        }
    }
}
