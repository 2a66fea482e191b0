//! Operators on windows.

use super::emit::{Scope, Val, Writer, Written};
use super::reductions::{Capture, accumulator, chained, pair_names};
use super::types::{array, join};
use kiln_ir::op::{CompareDirection, Reducer, Window};
use kiln_ir::{DType, Func, Node, TensorType};

/// The properties that describe a window; what is as it would be anyway is left out.
fn properties(window: &Window) -> String {
    let w = &window.dims;
    let mut parts = Vec::new();
    if w.iter().any(|d| d.base_dilation != 1) {
        parts.push(format!("base_dilations = {}", array(w.iter().map(|d| d.base_dilation))));
    }
    if w.iter().any(|d| d.pad_low != 0 || d.pad_high != 0) {
        let rows = join(w.iter().map(|d| format!("[{}, {}]", d.pad_low, d.pad_high)));
        parts.push(format!("padding = dense<[{rows}]> : tensor<{}x2xi64>", w.len()));
    }
    if w.iter().any(|d| d.window_dilation != 1) {
        parts.push(format!("window_dilations = {}", array(w.iter().map(|d| d.window_dilation))));
    }
    parts.push(format!("window_dimensions = {}", array(w.iter().map(|d| d.size))));
    if w.iter().any(|d| d.stride != 1) {
        parts.push(format!("window_strides = {}", array(w.iter().map(|d| d.stride))));
    }
    parts.join(", ")
}

impl Writer<'_> {
    pub(super) fn reduce_window(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        x: &[Val],
        window: &Window,
        reducer: Reducer,
    ) -> Written<Vec<Val>> {
        let dtype = accumulator(x[0].ty.dtype, reducer);
        let operand = self.convert(&x[0], dtype);
        let (init, rest) = self.init(scope, (node.operands[1], &x[1]), dtype, reducer);
        let ty = node.types[0].with_dtype(dtype);
        let as_it_is = ty == node.types[0] && rest.is_none();
        let reserved = if as_it_is { self.reserve(&[ty]) } else { self.reserve_step(ty) };
        let region = self.combiner(dtype, reducer)?;
        let mut results = self.generic(reserved, "reduce_window", &[&operand, &init], &properties(window), &[region]);
        if as_it_is {
            return Ok(results);
        }
        Ok(self.finish(node, results.swap_remove(0), rest, reducer))
    }

    pub(super) fn generic_reduce_window(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        x: &[Val],
        window: &Window,
        body: &Func,
    ) -> Written<Vec<Val>> {
        let n = node.types.len();
        let captures = self.captures(scope, node, x, 2 * n);
        let (mut operands, mut init) = (x[..n].to_vec(), x[n..2 * n].to_vec());
        operands.extend(self.spread(&captures, &x[0].ty.shape));
        init.extend(captures.iter().filter_map(Capture::operand).cloned());
        let extra = init[n..].iter().map(|v| node.types[0].with_dtype(v.ty.dtype));
        let types: Vec<TensorType> = node.types.iter().cloned().chain(extra).collect();
        let reserved = self.reserve(&types);
        let names = pair_names(body, n, init.len());
        let mut argument = |name: &String, like: &Val| self.argument(name, TensorType::scalar(like.ty.dtype));
        let acc: Vec<Val> = init.iter().zip(&names).map(|(i, (name, _))| argument(name, i)).collect();
        let elem: Vec<Val> = init.iter().zip(&names).map(|(i, (_, name))| argument(name, i)).collect();
        let region = self.region(&[&acc[..], &elem[..]].concat(), |w| {
            let captured = w.captured(&captures, &acc[n..]);
            let args = [&acc[..n], &elem[..n], &captured].concat();
            Ok([w.body(body, args)?, acc[n..].to_vec()].concat())
        })?;
        let operands = chained(&operands, &init);
        let mut results = self.generic(reserved, "reduce_window", &operands, &properties(window), &[region]);
        results.truncate(n);
        Ok(results)
    }

    pub(super) fn select_and_scatter(
        &mut self,
        scope: &Scope<'_>,
        node: &Node,
        x: &[Val],
        window: &Window,
        (select, scatter): (CompareDirection, Reducer),
    ) -> Written<Vec<Val>> {
        let dtype = x[0].ty.dtype;
        let (init, rest) = self.init(scope, (node.operands[2], &x[2]), dtype, scatter);
        let types = [node.types[0].clone()];
        let reserved = if rest.is_none() { self.reserve(&types) } else { self.reserve_step(types[0].clone()) };
        let scalar = TensorType::scalar(dtype);
        let args = [self.argument("a", scalar.clone()), self.argument("b", scalar)];
        let selection = self.region(&args, |w| Ok(vec![w.compare(select, &args[0], &args[1])]))?;
        let combiner = self.combiner(dtype, scatter)?;
        let operands = [&x[0], &x[1], &init];
        let mut results =
            self.generic(reserved, "select_and_scatter", &operands, &properties(window), &[selection, combiner]);
        if rest.is_none() {
            return Ok(results);
        }
        Ok(self.finish(node, results.swap_remove(0), rest, scatter))
    }

    pub(super) fn generic_select_and_scatter(
        &mut self,
        node: &Node,
        x: &[Val],
        window: &Window,
        select: &Func,
        scatter: &Func,
    ) -> Written<Vec<Val>> {
        let reserved = self.reserve(&node.types);
        let selection = self.scalar_region(select, x[0].ty.dtype)?;
        let combiner = self.scalar_region(scatter, x[0].ty.dtype)?;
        let operands: Vec<&Val> = x.iter().collect();
        Ok(self.generic(reserved, "select_and_scatter", &operands, &properties(window), &[selection, combiner]))
    }

    /// A region that applies a function of two scalars of one type.
    fn scalar_region(&mut self, f: &Func, dtype: DType) -> Written<String> {
        let args: Vec<Val> =
            f.inputs.iter().map(|input| self.argument(&input.name, TensorType::scalar(dtype))).collect();
        self.region(&args, |w| w.body(f, args.clone()))
    }
}
