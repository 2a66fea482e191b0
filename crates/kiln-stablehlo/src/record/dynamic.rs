//! The `dynamic_*` operators, whose sizes are operands: these have to be known when the program is read.

use super::sizes::{dims, shape_of};
use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_import::UnknownSizes;
use kiln_ir::{Op, TensorType};

impl Builder<'_> {
    /// The integers of an operand that does not depend on the program's inputs.
    fn known(&self, op: &Operation, e: &Expr) -> Built<Vec<i64>> {
        match self.known_sizes.of(e) {
            Ok(list) => Ok(list),
            Err(e @ UnknownSizes::OutOfProportion) => self.malformed(op, e.to_string()),
            Err(e) => self.unsupported(op, e.to_string()),
        }
    }

    pub(super) fn dynamic_broadcast_in_dim(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, sizes] = self.operands(op, x)?;
        let shape = shape_of(self.known(op, &sizes)?);
        Ok(self.graph.emit(Op::BroadcastInDim { shape, dims: self.axes_of(op, "broadcast_dimensions")? }, &[&a]))
    }

    pub(super) fn dynamic_reshape(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, sizes] = self.operands(op, x)?;
        Ok(self.graph.emit(Op::Reshape(shape_of(self.known(op, &sizes)?)), &[&a]))
    }

    pub(super) fn dynamic_iota(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [sizes] = self.operands(op, x)?;
        let dim = self.axis(op, &["dim", "iota_dimension"])?;
        let ty = TensorType::new(self.result_dtype(op, 0)?, shape_of(self.known(op, &sizes)?));
        Ok(self.graph.emit(Op::Iota { ty, dim }, &[]))
    }

    pub(super) fn dynamic_pad(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, value, low, high, interior] = self.operands(op, x)?;
        let (low, high) = (self.known(op, &low)?, self.known(op, &high)?);
        let interior = self.known(op, &interior)?.into_iter().collect();
        Ok(self.graph.emit(Op::Pad { low: dims(&low), high: dims(&high), interior }, &[&a, &value]))
    }

    pub(super) fn real_dynamic_slice(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, start, limit, strides] = self.operands(op, x)?;
        let (start, limit) = (self.known(op, &start)?, self.known(op, &limit)?);
        let strides = self.known(op, &strides)?.into_iter().collect();
        Ok(self.graph.emit(Op::Slice { start: dims(&start), limit: dims(&limit), strides }, &[&a]))
    }

    pub(super) fn dynamic_gather(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, indices, sizes] = self.operands(op, x)?;
        self.gather(&self.with_known(op, "slice_sizes", &sizes)?, &[a, indices])
    }

    pub(super) fn dynamic_conv(&mut self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [l, r, padding] = self.operands(op, x)?;
        let fixed = self.with_known(op, "padding", &padding)?;
        self.convolution(&fixed, &[l, r])
    }

    /// The operator with an operand as the attribute that its static form has.
    fn with_known(&self, op: &Operation, name: &str, e: &Expr) -> Built<Operation> {
        let mut fixed = op.clone();
        let list = self.known(op, e)?.into_iter().map(Attr::Int).collect();
        fixed.attrs.insert(name.into(), Attr::List(list));
        Ok(fixed)
    }
}
