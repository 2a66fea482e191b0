//! The `dynamic_*` operators, whose sizes are operands: these have to be known when the program is read.

use super::sizes::{dims, shape_of};
use super::{Builder, Built, MAX_ELEMENTS};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_ir::{DType, Func, Node, Op, TensorType};

/// Most elements of a value that is computed to find sizes.
const MAX_KNOWN: i64 = 1 << 16;
/// Most elements that a program may have computed to find all of its sizes.
const MAX_EVALUATED: usize = 1 << 24;

/// About how many elements are computed; where an element depends on many, as often as there are operands' elements.
fn work(func: &Func) -> usize {
    let elements = |ty: &TensorType| ty.shape.num_elements().unwrap_or(0);
    let node = |n: &Node| {
        let results = n.types.iter().map(elements).sum::<usize>();
        let operands = n.operands.iter().map(|v| elements(func.ty(*v))).sum::<usize>();
        1 + match n.op {
            Op::DotGeneral(_) | Op::Convolution(_) | Op::ReduceWindow { .. } => results.saturating_mul(operands),
            _ => results + operands,
        }
    };
    func.nodes().iter().map(node).fold(0, usize::saturating_add)
}

impl Builder<'_> {
    /// The integers of an operand that does not depend on the program's inputs.
    fn known(&self, op: &Operation, e: &Expr) -> Built<Vec<i64>> {
        let unknown = "sizes that are not constants";
        let Ok(func) = self.graph.function([]).registered_updates(false).named("sizes", e).finish() else {
            // A value inside of a loop or branch, or one that failed, which is on record.
            return self.unsupported(op, unknown);
        };
        let small = |ty: &TensorType| {
            let mut sizes = ty.shape.iter().map(|d| d.as_const());
            sizes.try_fold(1i64, |a, d| a.checked_mul(d?)).is_some_and(|n| n <= MAX_KNOWN)
        };
        let plain = func.nodes().iter().all(|n| n.op.regions().is_empty() && n.types.iter().all(small));
        if !func.inputs.is_empty() || !plain {
            return self.unsupported(op, unknown);
        }
        self.evaluated.set(self.evaluated.get().saturating_add(work(&func)));
        if self.evaluated.get() > MAX_EVALUATED {
            return self.unsupported(op, "sizes that take long to compute");
        }
        let value = kiln_interp::eval(&func, &[]).ok().and_then(|mut v| v.pop());
        let wide = value.and_then(|v| kiln_interp::eval_op(&Op::Convert(DType::I64), &[v]).ok());
        match wide.and_then(|w| w.first().and_then(|w| w.to_vec::<i64>().ok())) {
            Some(list) if list.iter().all(|n| n.unsigned_abs() <= MAX_ELEMENTS as u64) => Ok(list),
            Some(_) => self.malformed(op, "a size out of all proportion"),
            None => self.unsupported(op, unknown),
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
