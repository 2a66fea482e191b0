//! Scatters.

use super::data::dimension_numbers;
use super::emit::{Scope, Val, Writer, Written};
use super::reductions::pair_names;
use kiln_ir::op::{ScatterDims, ScatterUpdate};
use kiln_ir::{Func, Node, TensorType};

fn properties(dims: &ScatterDims) -> String {
    let numbers = dimension_numbers(&[
        ("update_window_dims", &dims.update_window_dims),
        ("inserted_window_dims", &dims.inserted_window_dims),
        ("input_batching_dims", &dims.input_batching_dims),
        ("scatter_indices_batching_dims", &dims.scatter_indices_batching_dims),
        ("scatter_dims_to_operand_dims", &dims.scatter_dims_to_operand_dims),
    ]);
    format!(
        "indices_are_sorted = {}, scatter_dimension_numbers = #stablehlo.scatter<{numbers}index_vector_dim = {}>, unique_indices = {}",
        dims.indices_are_sorted, dims.index_vector_dim, dims.unique_indices
    )
}

impl Writer<'_> {
    pub(super) fn scatter(
        &mut self,
        node: &Node,
        x: &[Val],
        dims: &ScatterDims,
        update: ScatterUpdate,
    ) -> Written<Vec<Val>> {
        let indices = self.index(&x[1], &x[0].ty.shape);
        let reserved = self.reserve(&node.types);
        let dtype = x[0].ty.dtype;
        let region = match update {
            ScatterUpdate::Combine(reducer) => self.combiner(dtype, reducer)?,
            ScatterUpdate::Assign => {
                let scalar = TensorType::scalar(dtype);
                let args = [self.argument("old", scalar.clone()), self.argument("new", scalar)];
                self.region(&args, |_| Ok(vec![args[1].clone()]))?
            }
        };
        Ok(self.generic(reserved, "scatter", &[&x[0], &indices, &x[2]], &properties(dims), &[region]))
    }

    pub(super) fn generic_scatter(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        x: &[Val],
        dims: &ScatterDims,
        body: &Func,
    ) -> Written<Vec<Val>> {
        let n = node.types.len();
        let captures = self.captures(scope, node, x, 2 * n + 1);
        let indices = self.index(&x[n], &x[0].ty.shape);
        let mut operands = x[..n].to_vec();
        operands.extend(self.spread(&captures, &x[0].ty.shape));
        let mut updates = x[n + 1..2 * n + 1].to_vec();
        updates.extend(self.spread(&captures, &x[n + 1].ty.shape));
        let types: Vec<TensorType> = operands.iter().map(|v| v.ty.clone()).collect();
        let reserved = self.reserve(&types);
        let names = pair_names(body, n, operands.len());
        let mut argument = |name: &String, like: &Val| self.argument(name, TensorType::scalar(like.ty.dtype));
        let old: Vec<Val> = operands.iter().zip(&names).map(|(v, (name, _))| argument(name, v)).collect();
        let new: Vec<Val> = operands.iter().zip(&names).map(|(v, (_, name))| argument(name, v)).collect();
        let region = self.region(&[&old[..], &new[..]].concat(), |w| {
            let captured = w.captured(&captures, &new[n..]);
            let args = [&old[..n], &new[..n], &captured].concat();
            Ok([w.body(body, args)?, old[n..].to_vec()].concat())
        })?;
        let all: Vec<&Val> = operands.iter().chain([&indices]).chain(&updates).collect();
        let mut results = self.generic(reserved, "scatter", &all, &properties(dims), &[region]);
        results.truncate(n);
        Ok(results)
    }
}
