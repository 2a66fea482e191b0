//! Sorting, and the total order of floats.

use crate::expr::Expr;
use crate::graph::Graph;
use crate::operand::ScalarValue;
use kiln_ir::{DType, Op};

impl Graph {
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
