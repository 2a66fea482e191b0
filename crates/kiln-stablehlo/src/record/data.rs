//! Data movement and contractions.

use super::sizes::{dims, shape_of, to_axes};
use super::{Builder, Built};
use crate::ast::{Attr, Operation};
use kiln_builder::{Expr, Graph};
use kiln_ir::op::{Axes, DotDims, GatherDims, Ints};
use kiln_ir::{DType, Op, TensorType};

impl Builder<'_> {
    pub(super) fn iota(&self, op: &Operation) -> Built<Expr> {
        let (dtype, shape) = self.result_type(op, 0)?;
        let dim = self.axis(op, &["dim", "iota_dimension"])?;
        Ok(self.graph.emit(Op::Iota { ty: TensorType::new(dtype, shape), dim }, &[]))
    }

    pub(super) fn broadcast_in_dim(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let (_, shape) = self.result_type(op, 0)?;
        let dims = self.axes_of(op, "broadcast_dimensions")?;
        Ok(self.graph.emit(Op::BroadcastInDim { shape, dims }, &[&a]))
    }

    /// The old `broadcast`: new dimensions in front.
    pub(super) fn broadcast(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let (_, shape) = self.result_type(op, 0)?;
        let extra = shape.rank() - a.rank().min(shape.rank());
        let dims = (0..a.rank()).map(|d| d + extra).collect();
        Ok(self.graph.emit(Op::BroadcastInDim { shape, dims }, &[&a]))
    }

    pub(super) fn reshape(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let (_, shape) = self.result_type(op, 0)?;
        Ok(self.graph.emit(Op::Reshape(shape), &[&a]))
    }

    pub(super) fn transpose(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        Ok(self.graph.emit(Op::Transpose(self.axes_of(op, "permutation")?), &[&a]))
    }

    pub(super) fn reverse(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let mut axes = self.axes_of(op, "dimensions")?;
        axes.sort_unstable();
        Ok(self.graph.emit(Op::Reverse(axes), &[&a]))
    }

    /// Dimension numbers, which the pretty form calls `dims`.
    pub(super) fn axes_of(&self, op: &Operation, name: &str) -> Built<Axes> {
        let key = if op.attrs.contains_key("dims") { "dims" } else { name };
        Ok(to_axes(&self.axes(op, key)?))
    }

    pub(super) fn slice(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        let strides: Ints = self.ints_default(op, "strides", a.rank(), 1)?.into_iter().collect();
        let (start, limit) = (self.ints(op, "start_indices")?, self.ints(op, "limit_indices")?);
        Ok(self.graph.emit(Op::Slice { start: dims(&start), limit: dims(&limit), strides }, &[&a]))
    }

    pub(super) fn dynamic_slice(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let key = if op.attrs.contains_key("sizes") { "sizes" } else { "slice_sizes" };
        Ok(self.graph.emit(Op::DynamicSlice { sizes: shape_of(self.ints(op, key)?) }, &x.iter().collect::<Vec<_>>()))
    }

    pub(super) fn dynamic_update_slice(&self, x: &[Expr]) -> Expr {
        self.graph.emit(Op::DynamicUpdateSlice, &x.iter().collect::<Vec<_>>())
    }

    pub(super) fn concatenate(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let axis = self.axis(op, &["dim", "dimension"])?;
        Ok(self.graph.emit(Op::Concatenate(axis), &x.iter().collect::<Vec<_>>()))
    }

    pub(super) fn pad(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, value] = self.operands(op, x)?;
        let get = |short: &str, long: &str| match op.attrs.contains_key(short) {
            true => self.ints(op, short),
            false => self.ints(op, long),
        };
        let low = get("low", "edge_padding_low")?;
        let high = get("high", "edge_padding_high")?;
        let interior = get("interior", "interior_padding")?;
        let op = Op::Pad { low: dims(&low), high: dims(&high), interior: interior.into_iter().collect() };
        Ok(self.graph.emit(op, &[&a, &value]))
    }

    pub(super) fn dimension_size(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a] = self.operands(op, x)?;
        Ok(self.graph.emit(Op::GetDimensionSize(self.axis(op, &["dim", "dimension"])?), &[&a]))
    }

    pub(super) fn gather(&self, op: &Operation, x: &[Expr]) -> Built<Expr> {
        let [a, indices] = self.operands(op, x)?;
        let d = |f: &str| self.field(op, "dimension_numbers", f).map(|v| to_axes(&v));
        let dims = GatherDims {
            offset_dims: d("offset_dims")?,
            collapsed_slice_dims: d("collapsed_slice_dims")?,
            operand_batching_dims: d("operand_batching_dims")?,
            start_indices_batching_dims: d("start_indices_batching_dims")?,
            start_index_map: d("start_index_map")?,
            index_vector_dim: d("index_vector_dim")?.first().copied().unwrap_or(0),
            slice_sizes: shape_of(self.ints(op, "slice_sizes")?),
            indices_are_sorted: self.flag(op, "indices_are_sorted"),
        };
        Ok(self.graph.emit(Op::Gather(Box::new(dims)), &[&a, &indices]))
    }

    /// `dot_general`, and the old `dot`.
    pub(super) fn dot(&self, op: &Operation, name: &str, x: &[Expr]) -> Built<Expr> {
        let [l, r] = self.operands(op, x)?;
        let dtype = self.result_dtype(op, 0)?;
        let mut dims = DotDims::default();
        if name == "dot" {
            dims.lhs_contract = to_axes(&[l.rank().saturating_sub(1)]);
            dims.rhs_contract = to_axes(&[0]);
        } else if op.attrs.contains_key("dot_dimension_numbers") {
            let field = |f: &str| self.field(op, "dot_dimension_numbers", f).map(|v| to_axes(&v));
            dims.lhs_batch = field("lhs_batching_dimensions")?;
            dims.rhs_batch = field("rhs_batching_dimensions")?;
            dims.lhs_contract = field("lhs_contracting_dimensions")?;
            dims.rhs_contract = field("rhs_contracting_dimensions")?;
        } else {
            let pair = |key: &str| -> Built<(Axes, Axes)> {
                let list = match op.attrs.get(key) {
                    None => return Ok((Axes::new(), Axes::new())),
                    Some(Attr::List(list)) if list.len() == 2 => list,
                    Some(_) => return self.malformed(op, format!("`{key}` is no pair of lists")),
                };
                let side = |a: &Attr| self.to_axes(op, &a.as_ints().unwrap_or_default()).map(|v| to_axes(&v));
                Ok((side(&list[0])?, side(&list[1])?))
            };
            (dims.lhs_batch, dims.rhs_batch) = pair("batching_dims")?;
            (dims.lhs_contract, dims.rhs_contract) = pair("contracting_dims")?;
        }
        self.product(op, dtype, [l, r], |g, [l, r], result| g.emit(Op::DotGeneral(DotDims { result, ..dims }), &[l, r]))
    }

    /// A sum of products with operands brought to one element type. On bool it is true where any product is.
    pub(super) fn product(
        &self,
        op: &Operation,
        dtype: DType,
        [l, r]: [Expr; 2],
        emit: impl FnOnce(&Graph, [&Expr; 2], Option<DType>) -> Expr,
    ) -> Built<Expr> {
        let kind = |d: DType| (d == DType::Bool, d.is_int(), d.is_float(), d.is_complex());
        let inner = match (dtype, l.dtype() == r.dtype()) {
            (DType::Bool, _) => DType::I32,
            // Operands of the result's kind and at most its width stay as they are.
            (d, true) if kind(l.dtype()) == kind(d) && l.dtype().bits() <= d.bits() => l.dtype(),
            (d, _) if [&l, &r].iter().all(|e| e.dtype().bits() <= d.bits()) => d,
            (d, _) if d.is_float() => DType::F32,
            (d, _) => return self.unsupported(op, format!("{} and {} to {d}", l.dtype(), r.dtype())),
        };
        let wide = if inner == DType::F32 && dtype.bits() < 32 { inner } else { dtype };
        let result = if dtype == DType::Bool { DType::I32 } else { wide };
        let e = emit(&self.graph, [&l.cast_to(inner), &r.cast_to(inner)], Some(result));
        Ok(if dtype == DType::Bool { e.ne(0) } else { e.cast_to(dtype) })
    }
}
