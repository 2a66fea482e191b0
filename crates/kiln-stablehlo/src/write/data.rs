//! Operators that move elements.

use super::elementwise::names;
use super::emit::{Val, Writer, Written};
use super::types::{array, arrow, join, size, tensor};
use kiln_ir::op::GatherDims;
use kiln_ir::{DType, Node, Op, Shape};

impl Writer<'_> {
    pub(super) fn data_movement(&mut self, node: &Node, x: &[Val]) -> Written<Vec<Val>> {
        Ok(match &node.op {
            Op::Iota { ty, dim } => self.result(ty, &format!("stablehlo.iota dim = {dim} : {}", tensor(ty))),
            Op::GetDimensionSize(dim) => self.full(node, x, "get_dimension_size", &format!(", dim = {dim}")),
            Op::BroadcastInDim { dims, .. } => {
                self.full(node, x, "broadcast_in_dim", &format!(", dims = [{}]", join(dims)))
            }
            Op::Transpose(permutation) => self.full(node, x, "transpose", &format!(", dims = [{}]", join(permutation))),
            Op::Reverse(dims) => self.short_with(node, x, "reverse", &format!(", dims = [{}]", join(dims))),
            Op::Slice { start, limit, strides } => {
                let range = |i: usize| match strides[i] {
                    1 => format!("{}:{}", size(&start[i]), size(&limit[i])),
                    stride => format!("{}:{}:{stride}", size(&start[i]), size(&limit[i])),
                };
                self.full(node, x, "slice", &format!(" [{}]", join((0..start.len()).map(range))))
            }
            Op::DynamicSlice { sizes } => {
                let x = self.indexed(x, 1);
                self.full(node, &x, "dynamic_slice", &format!(", sizes = [{}]", join(sizes.iter().map(size))))
            }
            Op::DynamicUpdateSlice => {
                let x = self.indexed(x, 2);
                self.full(node, &x, "dynamic_update_slice", "")
            }
            Op::Concatenate(dim) => self.full(node, x, "concatenate", &format!(", dim = {dim}")),
            Op::Pad { low, high, interior } => {
                let (low, high) = (join(low.iter().map(size)), join(high.iter().map(size)));
                let attrs = format!(", low = [{low}], high = [{high}], interior = [{}]", join(interior));
                self.full(node, x, "pad", &attrs)
            }
            Op::Gather(dims) => {
                let indices = self.index(&x[1], &x[0].ty.shape);
                self.gather(node, &x[0], &indices, dims)
            }
            other => return self.unsupported(node, format!("{} moves no elements", other.name())),
        })
    }

    fn gather(&mut self, node: &Node, x: &Val, indices: &Val, dims: &GatherDims) -> Vec<Val> {
        let numbers = dimension_numbers(&[
            ("offset_dims", &dims.offset_dims),
            ("collapsed_slice_dims", &dims.collapsed_slice_dims),
            ("operand_batching_dims", &dims.operand_batching_dims),
            ("start_indices_batching_dims", &dims.start_indices_batching_dims),
            ("start_index_map", &dims.start_index_map),
        ]);
        let properties = format!(
            "dimension_numbers = #stablehlo.gather<{numbers}index_vector_dim = {}>, indices_are_sorted = {}, slice_sizes = {}",
            dims.index_vector_dim,
            dims.indices_are_sorted,
            array(dims.slice_sizes.iter().map(size))
        );
        let text = format!(
            "\"stablehlo.gather\"({}) <{{{properties}}}> : {}",
            names(&[x.clone(), indices.clone()]),
            arrow(&[x, indices], &node.types)
        );
        self.result(&node.types[0], &text)
    }

    /// Operands of which those from `first` on are start indices into the first.
    fn indexed(&mut self, x: &[Val], first: usize) -> Vec<Val> {
        let shape = x[0].ty.shape.clone();
        let wide = |(i, v): (usize, &Val)| if i < first { v.clone() } else { self.index(v, &shape) };
        x.iter().enumerate().map(wide).collect()
    }

    /// Positions in a tensor of this shape, in a type that holds all of them: targets clamp in the type of the positions.
    pub(super) fn index(&mut self, x: &Val, shape: &Shape) -> Val {
        let largest = shape.iter().map(size).max().unwrap_or(0);
        let dtype = x.ty.dtype;
        let bits = dtype.bits() - u32::from(dtype.is_signed_int());
        if bits >= 31 || largest < 1 << bits { x.clone() } else { self.convert(x, DType::I32) }
    }
}

/// `name = [1, 2], ` for every list that has entries.
pub(super) fn dimension_numbers(lists: &[(&str, &[usize])]) -> String {
    let some = lists.iter().filter(|(_, list)| !list.is_empty());
    some.map(|(name, list)| format!("{name} = [{}], ", join(*list))).collect()
}
