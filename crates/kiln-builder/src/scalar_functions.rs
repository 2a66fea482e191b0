//! Operators that apply a function of scalars to elements: any reduction, any order, any way in which updates combine.
//!
//! As in control flow a closure is run once, to record the function; here on scalars. What it uses from outside must be
//! scalar too, and becomes an operand.

use crate::control::{Out, Param, assemble, union_of_captures};
use crate::expr::Expr;
use crate::graph::Graph;
use crate::operand::{IntoAxes, ScalarValue};
use kiln_ir::op::{Ints, ScatterDims, Window};
use kiln_ir::{DType, Diagnostic, Func, Loc, Op, TensorType, Value};

/// A recorded function with what it takes from outside.
struct Recorded {
    func: Func,
    captured: Vec<Value>,
}

impl Graph {
    /// Records `f` on scalars of these dtypes; `None` when something went wrong (and is on record).
    fn record_on_scalars(
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
    fn push_region(&self, op: Op, operands: &[&Expr], captured: &[Value], loc: &Loc, n: usize) -> Vec<Expr> {
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

    /// Sorts several tensors of one shape along `axis` by one order, keeping that of equal elements:
    /// `before(a, b)` is true when the elements `a` (one of each tensor) come before `b`.
    ///
    /// ```
    /// # use kiln_builder::{DType, Graph, dims};
    /// # let g = Graph::new("g");
    /// let x = g.placeholder::<f32>("x", dims![4, 100]);
    /// let positions = g.iota(DType::I32, x.shape(), 1);
    /// // By falling size, with the positions that the elements come from.
    /// let sorted = g.sort_by(&[&x, &positions], 1, |a, b| a[0].abs().gt(b[0].abs()));
    /// assert_eq!(sorted[1].ty().to_string(), "i32[4, 100]");
    /// ```
    #[track_caller]
    pub fn sort_by(&self, operands: &[&Expr], axis: i64, before: impl FnOnce(&[Expr], &[Expr]) -> Expr) -> Vec<Expr> {
        let _here = self.here();
        let (n, loc) = (operands.len(), self.loc());
        let poisoned = || vec![self.poisoned(); n];
        if operands.iter().any(|e| e.is_poisoned()) {
            return poisoned();
        }
        let Some(dim) = operands.first().and_then(|x| x.axis(axis, "sort")) else { return poisoned() };
        let dtypes = operands.iter().flat_map(|e| [e.dtype(); 2]);
        let recorded = self.record_on_scalars("the order of a sort", dtypes, Some(1), &loc, |params| {
            let a: Vec<Expr> = params.iter().step_by(2).cloned().collect();
            let b: Vec<Expr> = params.iter().skip(1).step_by(2).cloned().collect();
            vec![before(&a, &b)]
        });
        let Some(r) = recorded else { return poisoned() };
        let op = Op::Sort { dim, stable: true, comparator: Box::new(r.func) };
        self.push_region(op, operands, &r.captured, &loc, n)
    }
}

impl Expr {
    /// Sorted along `axis`, the smallest first; floats in their total order, NaN last.
    #[track_caller]
    pub fn sort(&self, axis: i64) -> Expr {
        let _here = self.graph.here();
        self.graph.sort_by(&[self], axis, |a, b| before_in_total_order(&a[0], &b[0])).swap_remove(0)
    }

    /// The positions (i32) of the elements in sorted order along `axis`; equal elements keep their order.
    #[track_caller]
    pub fn argsort(&self, axis: i64) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() {
            return self.clone();
        }
        let Some(dim) = self.axis(axis, "sort") else { return self.graph.poisoned() };
        let positions = self.graph.iota(DType::I32, self.shape(), dim);
        self.graph.sort_by(&[self, &positions], axis, |a, b| before_in_total_order(&a[0], &b[0])).swap_remove(1)
    }

    /// The `k` largest elements of the last axis, the largest first, and their positions (i32). NaN counts as largest.
    #[track_caller]
    pub fn top_k(&self, k: i64) -> (Expr, Expr) {
        let _here = self.graph.here();
        let poisoned = || (self.graph.poisoned(), self.graph.poisoned());
        if self.is_poisoned() {
            return poisoned();
        }
        let Some(dim) = self.axis(-1, "top_k") else { return poisoned() };
        let positions = self.graph.iota(DType::I32, self.shape(), dim);
        let sorted = self.graph.sort_by(&[self, &positions], -1, |a, b| before_in_total_order(&b[0], &a[0]));
        (sorted[0].slice_axis(-1, 0..k, 1), sorted[1].slice_axis(-1, 0..k, 1))
    }

    /// Discrete Fourier transform over the last axes (one to three lengths, on the real side); see [`kiln_ir::op::FftKind`].
    #[track_caller]
    pub fn fft(&self, kind: kiln_ir::op::FftKind, length: &[i64]) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::Fft { kind, length: Ints::from_slice(length), interleaved: false }, &[self])
    }

    /// Cholesky factors of positive definite matrices in the last two axes: lower triangular `l` with `x = l l^H`.
    #[track_caller]
    pub fn cholesky(&self) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::Cholesky { lower: true, interleaved: false }, &[self])
    }

    /// Solves `op(self) x = b` for triangular matrices in the last two axes; only the named triangle is read.
    #[track_caller]
    pub fn triangular_solve(&self, b: &Expr, lower: bool, transpose_a: kiln_ir::op::TransposeKind) -> Expr {
        let _here = self.graph.here();
        let op = Op::TriangularSolve { left_side: true, lower, unit_diagonal: false, transpose_a, interleaved: false };
        self.graph.emit(op, &[self, b])
    }

    /// The complex tensor of this real and that imaginary part.
    #[track_caller]
    pub fn complex(&self, imag: &Expr) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::Complex, &[self, imag])
    }

    /// The real part; of a tensor that is not complex itself.
    #[track_caller]
    pub fn real(&self) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || !self.dtype().is_complex() { self.clone() } else { self.graph.emit(Op::Real, &[self]) }
    }

    /// The imaginary part; of a tensor that is not complex zeros.
    #[track_caller]
    pub fn imag(&self) -> Expr {
        let _here = self.graph.here();
        match self.is_poisoned() {
            true => self.clone(),
            false if self.dtype().is_complex() => self.graph.emit(Op::Imag, &[self]),
            false => self.zeros_like(),
        }
    }

    /// The complex conjugate; of a tensor that is not complex itself.
    #[track_caller]
    pub fn conj(&self) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || !self.dtype().is_complex() {
            return self.clone();
        }
        self.real().complex(&(-self.imag()))
    }

    /// Floats rounded to what a float of these many bits of exponent and mantissa can hold.
    #[track_caller]
    pub fn reduce_precision(&self, exponent_bits: u32, mantissa_bits: u32) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::ReducePrecision { exponent_bits, mantissa_bits }, &[self])
    }
}

/// `a` comes before `b`, for floats in the order -NaN < -inf < ... < -0 < +0 < ... < inf < NaN.
fn before_in_total_order(a: &Expr, b: &Expr) -> Expr {
    a.total_order_key().lt(b.total_order_key())
}

impl Expr {
    /// Integers in the total order of floats: -NaN < -inf < ... < -0 < +0 < ... < inf < NaN. Other tensors as they are.
    #[track_caller]
    pub fn total_order_key(&self) -> Expr {
        let _here = self.graph.here();
        if !self.dtype().is_float() {
            return self.clone();
        }
        // Six bits are exact in f16, where -0 stays apart from +0.
        let Some(int) = self.dtype().to_signed() else { return self.cast_to(DType::F16).total_order_key() };
        if self.dtype() == DType::F8E8M0FNU {
            // No sign: the bits are in order.
            return self.graph.emit(Op::BitcastConvert(DType::U8), &[self]);
        }
        let bits = self.graph.emit(Op::BitcastConvert(int), &[self]);
        // Negative numbers count down: flip all bits but the sign.
        let highest = bits.full_like(ScalarValue::Int(int.highest_int()));
        let flipped = self.graph.emit(Op::Binary(kiln_ir::BinaryOp::Xor), &[&bits, &highest]);
        bits.lt(0).select(flipped, &bits)
    }
}
