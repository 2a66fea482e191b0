//! The `dynamic_*` operators, whose sizes are operands: these have to be known when the program is read.

use super::data::to_axes;
use super::scatter::shape_of;
use super::{Builder, Built, MAX_ELEMENTS};
use crate::ast::{Attr, Operation};
use kiln_builder::Expr;
use kiln_ir::{DType, Dim, Func, Node, Op, TensorType};

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

fn dims(list: &[i64]) -> Vec<Dim> {
    list.iter().map(|&n| Dim::Const(n)).collect()
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

    /// The operator of this name, if it is one.
    pub(super) fn dynamic(&mut self, op: &Operation, name: &str, x: &[Expr]) -> Built<Option<Expr>> {
        let g = self.graph.clone();
        let e = match name {
            "get_dimension_size" => {
                let [a] = self.operands(op, x)?;
                let dim = self.axis(op, &["dim", "dimension"])?;
                match self.sizes(op, &a)?.get(dim).map(|&n| i32::try_from(n)) {
                    Some(Ok(n)) => g.constant(n),
                    _ => return self.malformed(op, "no such dimension"),
                }
            }
            "dynamic_broadcast_in_dim" => {
                let [a, sizes] = self.operands(op, x)?;
                let key = if op.attrs.contains_key("dims") { "dims" } else { "broadcast_dimensions" };
                let shape = shape_of(self.known(op, &sizes)?);
                g.emit(Op::BroadcastInDim { shape, dims: to_axes(&self.axes(op, key)?) }, &[&a])
            }
            "dynamic_reshape" => {
                let [a, sizes] = self.operands(op, x)?;
                g.emit(Op::Reshape(shape_of(self.known(op, &sizes)?)), &[&a])
            }
            "dynamic_iota" => {
                let [sizes] = self.operands(op, x)?;
                let dim = self.axis(op, &["dim", "iota_dimension"])?;
                let ty = TensorType::new(self.result_dtype(op, 0)?, shape_of(self.known(op, &sizes)?));
                g.emit(Op::Iota { ty, dim }, &[])
            }
            "dynamic_pad" => {
                let [a, value, low, high, interior] = self.operands(op, x)?;
                let (low, high) = (self.known(op, &low)?, self.known(op, &high)?);
                let interior = self.known(op, &interior)?;
                let pad = Op::Pad {
                    low: dims(&low).into(),
                    high: dims(&high).into(),
                    interior: interior.into_iter().collect(),
                };
                g.emit(pad, &[&a, &value])
            }
            "real_dynamic_slice" => {
                let [a, start, limit, strides] = self.operands(op, x)?;
                let (start, limit) = (self.known(op, &start)?, self.known(op, &limit)?);
                let strides = self.known(op, &strides)?.into_iter().collect();
                g.emit(Op::Slice { start: dims(&start).into(), limit: dims(&limit).into(), strides }, &[&a])
            }
            "dynamic_gather" => {
                let [a, indices, sizes] = self.operands(op, x)?;
                let mut fixed = op.clone();
                let sizes = self.known(op, &sizes)?.into_iter().map(Attr::Int).collect();
                fixed.attrs.insert("slice_sizes".into(), Attr::List(sizes));
                return self.data_movement(&fixed, "gather", &[a, indices]);
            }
            "dynamic_conv" => {
                let [l, r, padding] = self.operands(op, x)?;
                let mut fixed = op.clone();
                let padding = self.known(op, &padding)?.into_iter().map(Attr::Int).collect();
                fixed.attrs.insert("padding".into(), Attr::List(padding));
                self.convolution(&fixed, &[l, r])?
            }
            _ => return Ok(None),
        };
        Ok(Some(e))
    }
}
