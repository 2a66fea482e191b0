//! Reductions over axes, and running sums.

use crate::expr::Expr;
use crate::graph::Graph;
use crate::operand::IntoAxes;
use kiln_ir::op::{ArgKind, Axes, Ints, Reducer};
use kiln_ir::{BinaryOp, DType, Dim, Op, Shape, Tensor};

/// The value that changes nothing under `reducer`, as a scalar of `dtype`; zero where it is not defined, which building a
/// reduction reports.
pub fn reducer_identity(reducer: Reducer, dtype: DType) -> Tensor {
    reducer.start(dtype).unwrap_or_else(|| Tensor::scalar_of(dtype, 0.0))
}

macro_rules! reductions {
    ($($name:ident $keep:ident $reducer:ident $what:literal;)*) => {$(
        #[doc = concat!($what, " over `axes` (`..` for all), which vanish.")]
        #[track_caller]
        pub fn $name(&self, axes: impl IntoAxes) -> Expr {
            self.reduce(Reducer::$reducer, axes)
        }
        #[doc = concat!($what, " over `axes` (`..` for all), which stay with size 1.")]
        #[track_caller]
        pub fn $keep(&self, axes: impl IntoAxes) -> Expr {
            self.keepdims(axes, |x, axes| x.reduce(Reducer::$reducer, axes))
        }
    )*};
}

macro_rules! running {
    ($($name:ident $op:ident $reducer:ident $what:literal;)*) => {$(
        #[doc = concat!($what, " along `axis`: element `i` covers the elements up to and including `i`. The size must be a number.")]
        #[track_caller]
        pub fn $name(&self, axis: i64) -> Expr {
            self.running(BinaryOp::$op, Reducer::$reducer, axis, stringify!($name))
        }
    )*};
}

impl Expr {
    reductions! {
        sum sum_keepdims Add "The sum";
        prod prod_keepdims Multiply "The product";
        max max_keepdims Maximum "The maximum (NaN wins)";
        min min_keepdims Minimum "The minimum (NaN wins)";
        all all_keepdims And "True when all are true (bitwise and of integers),";
        any any_keepdims Or "True when any is true (bitwise or of integers),";
    }

    running! {
        cumsum Add Add "Running sum";
        cumprod Multiply Multiply "Running product";
        cummax Maximum Maximum "Running maximum";
        cummin Minimum Minimum "Running minimum";
    }

    /// Folds `axes` away with any standard combiner, starting at its identity.
    #[track_caller]
    pub fn reduce(&self, reducer: Reducer, axes: impl IntoAxes) -> Expr {
        let _here = self.graph.here();
        let Some(axes) = self.axes(axes, "reduce") else { return self.graph.poisoned() };
        if axes.is_empty() {
            return self.clone();
        }
        let init = self.graph.constant(reducer_identity(reducer, self.dtype()));
        self.graph.emit(Op::Reduce { axes, reducer }, &[self, &init])
    }

    /// Runs a reduction and puts the reduced axes back with size 1.
    #[track_caller]
    fn keepdims(&self, axes: impl IntoAxes, reduce: impl FnOnce(&Expr, &Axes) -> Expr) -> Expr {
        let _here = self.graph.here();
        let Some(axes) = self.axes(axes, "reduce") else { return self.graph.poisoned() };
        let kept: Shape = self.shape().iter().enumerate().map(|(i, d)| one_if(axes.contains(&i), d)).collect();
        reduce(self, &axes).reshape(kept)
    }

    /// The number of elements along `axes`, as a scalar of this dtype.
    #[track_caller]
    fn count(&self, axes: &Axes) -> Expr {
        let shape = self.shape();
        let fixed: f64 = axes.iter().filter_map(|&a| shape[a].as_const()).map(|n| n as f64).product();
        let start = self.literal(fixed.into());
        let symbolic = axes.iter().filter(|&&a| shape[a].is_symbolic());
        symbolic.fold(start, |n, &a| n * self.size(a as i64).cast_to(self.dtype()))
    }

    /// The mean over `axes` (`..` for all), which vanish. Floats only.
    #[track_caller]
    pub fn mean(&self, axes: impl IntoAxes) -> Expr {
        let _here = self.graph.here();
        let Some(axes) = self.axes(axes, "mean") else { return self.graph.poisoned() };
        if !(self.dtype().is_float() || self.dtype().is_complex()) {
            return self.fail("mean.dtype", "a mean needs floats", format!("the elements are {}", self.dtype()));
        }
        self.sum(&axes) / self.count(&axes)
    }

    /// The mean over `axes` (`..` for all), which stay with size 1.
    #[track_caller]
    pub fn mean_keepdims(&self, axes: impl IntoAxes) -> Expr {
        self.keepdims(axes, |x, axes| x.mean(axes))
    }

    /// The variance over `axes` (`..` for all), which vanish: the mean squared distance from the mean.
    #[track_caller]
    pub fn var(&self, axes: impl IntoAxes) -> Expr {
        let _here = self.graph.here();
        let Some(axes) = self.axes(axes, "var") else { return self.graph.poisoned() };
        (self - self.mean_keepdims(&axes)).square().mean(&axes)
    }

    /// The variance over `axes` (`..` for all), which stay with size 1.
    #[track_caller]
    pub fn var_keepdims(&self, axes: impl IntoAxes) -> Expr {
        self.keepdims(axes, |x, axes| x.var(axes))
    }

    /// The standard deviation over `axes` (`..` for all), which vanish.
    #[track_caller]
    pub fn std(&self, axes: impl IntoAxes) -> Expr {
        let _here = self.graph.here();
        self.var(axes).sqrt()
    }

    /// Index of the largest element along `axis` (removed), as i32; the first of equal ones.
    #[track_caller]
    pub fn argmax(&self, axis: i64) -> Expr {
        self.arg_reduce(axis, ArgKind::Max, DType::I32)
    }

    /// Index of the smallest element along `axis` (removed), as i32; the first of equal ones.
    #[track_caller]
    pub fn argmin(&self, axis: i64) -> Expr {
        self.arg_reduce(axis, ArgKind::Min, DType::I32)
    }

    /// [`Expr::argmax`] and [`Expr::argmin`] with a choice of the index type.
    #[track_caller]
    pub fn arg_reduce(&self, axis: i64, kind: ArgKind, dtype: DType) -> Expr {
        let op = if kind == ArgKind::Max { "argmax" } else { "argmin" };
        match self.axis(axis, op) {
            Some(axis) => self.graph.emit(Op::ArgReduce { axis, kind, dtype }, &[self]),
            None => self.graph.poisoned(),
        }
    }

    /// `log(sum(exp(x)))` over `axes` (which vanish) without overflow.
    #[track_caller]
    pub fn logsumexp(&self, axes: impl IntoAxes) -> Expr {
        let _here = self.graph.here();
        let Some(axes) = self.axes(axes, "logsumexp") else { return self.graph.poisoned() };
        let max = self.max_keepdims(&axes).stop_gradient();
        // An infinite maximum must not give inf - inf.
        let max = max.is_finite().select(&max, 0.0);
        let kept = (self - &max).exp().sum_keepdims(&axes).log() + &max;
        kept.squeeze(&axes)
    }

    /// Doubling steps: after step `k` every element covers the `2^k` elements up to it.
    #[track_caller]
    fn running(&self, op: BinaryOp, reducer: Reducer, axis: i64, name: &str) -> Expr {
        let _here = self.graph.here();
        let Some(axis) = self.axis(axis, name) else { return self.graph.poisoned() };
        let Some(n) = self.shape()[axis].as_const() else {
            return self.fail(&format!("{name}.size"), "the size along the axis must be a number", "it is symbolic");
        };
        let init = self.graph.constant(reducer_identity(reducer, self.dtype()));
        let none: Ints = vec![0; self.rank()].into();
        let mut covered = self.clone();
        let mut step = 1;
        while step < n {
            let mut low = vec![Dim::Const(0); self.rank()];
            let mut high = low.clone();
            low[axis] = Dim::Const(step);
            high[axis] = Dim::Const(-step);
            let op_pad = Op::Pad { low: low.into(), high: high.into(), interior: none.clone() };
            let shifted = self.graph.emit(op_pad, &[&covered, &init]);
            covered = self.graph.emit(Op::Binary(op), &[&covered, &shifted]);
            step *= 2;
        }
        covered
    }
}

fn one_if(one: bool, d: &Dim) -> Dim {
    if one { Dim::Const(1) } else { d.clone() }
}

impl Graph {
    /// A scalar that changes nothing under `reducer`.
    #[track_caller]
    pub fn identity(&self, reducer: Reducer, dtype: DType) -> Expr {
        self.constant(reducer_identity(reducer, dtype))
    }
}
