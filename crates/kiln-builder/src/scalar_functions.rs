//! Operators that apply a function of scalars to elements: any reduction, any way in which updates combine. (Any order: see
//! [`Graph::sort_by`].)
//!
//! As in control flow a closure is run once, to record the function; here on scalars. What it uses from outside must be
//! scalar too, and becomes an operand.

use crate::control::{Out, Param, assemble, union_of_captures};
use crate::expr::Expr;
use crate::graph::Graph;
use crate::operand::IntoAxes;
use kiln_ir::op::{ScatterDims, Window};
use kiln_ir::{DType, Diagnostic, Func, Loc, Op, TensorType, Value};

/// A recorded function with what it takes from outside.
pub(crate) struct Recorded {
    pub(crate) func: Func,
    pub(crate) captured: Vec<Value>,
}

impl Graph {
    /// Records `f` on scalars of these dtypes; `None` when something went wrong (and is on record).
    pub(crate) fn record_on_scalars(
        &self,
        what: &'static str,
        params: impl IntoIterator<Item = DType>,
        results: Option<usize>,
        loc: &Loc,
        f: impl FnOnce(Vec<Expr>) -> Vec<Expr>,
    ) -> Option<Recorded> {
        self.open_frame(what, true);
        let params: Vec<Expr> =
            params.into_iter().map(|d| self.frame_param("x", &TensorType::scalar(d), loc)).collect();
        let own: Vec<Value> = params.iter().filter_map(|e| e.place.as_ref().map(|p| p.value)).collect();
        let outputs = self.user_code(|| f(params));
        let count = outputs.len();
        let frame = self.close_frame(&outputs, loc);
        let values = frame.outputs.clone()?;
        if results.is_some_and(|n| n != count) {
            self.report(
                Diagnostic::new("region.results", format!("{what} gives the wrong number of results"))
                    .label(format!("expected {}, found {count}", results.unwrap_or(0))),
            );
            return None;
        }
        let captured = union_of_captures(&[&frame]);
        let origins = self.origins(&captured);
        let captures = captured.iter().zip(origins).map(|(v, t)| Param::Captured(*v, t));
        let params: Vec<Param> = own.into_iter().map(Param::Own).chain(captures).collect();
        let outs: Vec<Out> = values.into_iter().map(Out::Value).collect();
        Some(Recorded { func: assemble(&frame, "body", &params, &outs), captured })
    }

    /// Appends an operator over these operands and what its function captures.
    pub(crate) fn push_region(&self, op: Op, operands: &[&Expr], captured: &[Value], loc: &Loc, n: usize) -> Vec<Expr> {
        let Some(values) = self.resolve_all(operands, op.name(), loc) else { return vec![self.poisoned(); n] };
        let all: Vec<Value> = values.iter().chain(captured).copied().collect();
        self.push_values(op, &all, loc, n)
    }

    /// Folds `axes` of several tensors of one shape away together: `body(acc, elem)` combines what has been folded so far
    /// (`inits` at first) with the next elements and must be associative.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let x = g.placeholder::<f32>("x", dims![4, 100]);
    /// // The sum of what lies above a limit.
    /// let limit = g.constant(0.5f32);
    /// let sums = g.generic_reduce(&[&x], &[&g.constant(0.0f32)], [1], |acc, elem| {
    ///     vec![elem[0].gt(&limit).select(&acc[0] + &elem[0], &acc[0])]
    /// });
    /// assert_eq!(sums[0].ty().to_string(), "f32[4]");
    /// ```
    #[track_caller]
    pub fn generic_reduce(
        &self,
        operands: &[&Expr],
        inits: &[&Expr],
        axes: impl IntoAxes,
        body: impl FnOnce(&[Expr], &[Expr]) -> Vec<Expr>,
    ) -> Vec<Expr> {
        let _here = self.here();
        let poisoned = || vec![self.poisoned(); operands.len()];
        let Some(axes) = operands.first().and_then(|x| x.axes(axes, "generic_reduce")) else { return poisoned() };
        self.fold_op(operands, inits, body, |body| Op::GenericReduce { axes, body })
    }

    /// [`Graph::generic_reduce`] over windows; padding and the holes of dilation take no part.
    #[track_caller]
    pub fn generic_reduce_window(
        &self,
        operands: &[&Expr],
        inits: &[&Expr],
        window: Window,
        body: impl FnOnce(&[Expr], &[Expr]) -> Vec<Expr>,
    ) -> Vec<Expr> {
        let _here = self.here();
        self.fold_op(operands, inits, body, |body| Op::GenericReduceWindow { window: Box::new(window), body })
    }

    fn fold_op(
        &self,
        operands: &[&Expr],
        inits: &[&Expr],
        body: impl FnOnce(&[Expr], &[Expr]) -> Vec<Expr>,
        op: impl FnOnce(Box<Func>) -> Op,
    ) -> Vec<Expr> {
        let (n, loc) = (operands.len(), self.loc());
        if operands.iter().chain(inits).any(|e| e.is_poisoned()) {
            return vec![self.poisoned(); n];
        }
        let dtypes = operands.iter().chain(operands).map(|e| e.dtype());
        let recorded = self.record_on_scalars("the body of a reduction", dtypes, Some(n), &loc, |params| {
            let (acc, elem) = params.split_at(n);
            body(acc, elem)
        });
        let Some(r) = recorded else { return vec![self.poisoned(); n] };
        let all: Vec<&Expr> = operands.iter().chain(inits).copied().collect();
        self.push_region(op(Box::new(r.func)), &all, &r.captured, &loc, n)
    }

    /// Scatters updates into several tensors of one shape at the same places: `body(old, update)` gives the new elements.
    /// Updates are applied in row-major order; those whose window leaves the operand are skipped.
    #[track_caller]
    pub fn generic_scatter(
        &self,
        operands: &[&Expr],
        indices: &Expr,
        updates: &[&Expr],
        dims: ScatterDims,
        body: impl FnOnce(&[Expr], &[Expr]) -> Vec<Expr>,
    ) -> Vec<Expr> {
        let _here = self.here();
        let (n, loc) = (operands.len(), self.loc());
        if operands.iter().chain(updates).any(|e| e.is_poisoned()) {
            return vec![self.poisoned(); n];
        }
        let dtypes = operands.iter().chain(operands).map(|e| e.dtype());
        let recorded = self.record_on_scalars("the body of a scatter", dtypes, Some(n), &loc, |params| {
            let (old, update) = params.split_at(n);
            body(old, update)
        });
        let Some(r) = recorded else { return vec![self.poisoned(); n] };
        let all: Vec<&Expr> = operands.iter().copied().chain([indices]).chain(updates.iter().copied()).collect();
        let op = Op::GenericScatter { dims: Box::new(dims), body: Box::new(r.func) };
        self.push_region(op, &all, &r.captured, &loc, n)
    }

    /// For each window of `x`, the element that `select(best so far, candidate)` (true keeps the best) ends with
    /// receives the element of `source`: `scatter(what is there, source element)`, where `init` is there at first.
    #[track_caller]
    pub fn generic_select_and_scatter(
        &self,
        x: &Expr,
        source: &Expr,
        init: &Expr,
        window: Window,
        select: impl FnOnce(&Expr, &Expr) -> Expr,
        scatter: impl FnOnce(&Expr, &Expr) -> Expr,
    ) -> Expr {
        let _here = self.here();
        let loc = self.loc();
        if x.is_poisoned() {
            return self.poisoned();
        }
        let two = [x.dtype(); 2];
        let select =
            self.record_on_scalars("the selection of a window", two, Some(1), &loc, |p| vec![select(&p[0], &p[1])]);
        let scatter =
            self.record_on_scalars("the body of a scatter", two, Some(1), &loc, |p| vec![scatter(&p[0], &p[1])]);
        let (Some(select), Some(scatter)) = (select, scatter) else { return self.poisoned() };
        if !(select.captured.is_empty() && scatter.captured.is_empty()) {
            return self.fail(
                Diagnostic::new("generic_select_and_scatter.capture", "the closures use values from outside")
                    .help("selection and combination may only look at their parameters and at constants"),
            );
        }
        let op = Op::GenericSelectAndScatter {
            window: Box::new(window),
            select: Box::new(select.func),
            scatter: Box::new(scatter.func),
        };
        self.emit(op, &[x, source, init])
    }
}
