//! Elementwise methods (those of the operator table are generated) and numpy broadcasting.

use crate::expr::Expr;
use crate::operand::{Operand, ScalarValue, Side};
use kiln_ir::op::{Axes, CompareDirection};
use kiln_ir::{BinaryOp, DType, Diagnostic, Dim, Element, Op, Shape, UnaryOp};

/// The shape that two shapes broadcast to by numpy's rule: aligned at the end, sizes equal or 1.
/// `Err` holds the two sizes that do not fit.
pub fn broadcast_shapes(a: &Shape, b: &Shape) -> Result<Shape, (Dim, Dim)> {
    let rank = a.rank().max(b.rank());
    let at = |s: &Shape, i: usize| match (i + s.rank()).checked_sub(rank) {
        Some(j) => s[j].clone(),
        None => Dim::Const(1),
    };
    let merge = |i: usize| match (at(a, i), at(b, i)) {
        (x, y) if x == y => Ok(x),
        (Dim::Const(1), y) => Ok(y),
        (x, Dim::Const(1)) => Ok(x),
        (x, y) => Err((x, y)),
    };
    (0..rank).map(merge).collect()
}

macro_rules! compare_methods {
    ($($(#[$doc:meta])* $name:ident => $dir:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&self, rhs: impl Operand) -> Expr {
            self.compare(CompareDirection::$dir, rhs)
        }
    )*};
}

impl Expr {
    compare_methods! {
        /// True where equal.
        eq => EQ;
        /// True where different (so also where a NaN is).
        ne => NE;
        /// True where less.
        lt => LT;
        /// True where less or equal.
        le => LE;
        /// True where greater.
        gt => GT;
        /// True where greater or equal.
        ge => GE;
    }

    #[track_caller]
    pub(crate) fn unary(&self, op: UnaryOp) -> Expr {
        self.graph.emit(Op::Unary(op), &[self])
    }

    #[track_caller]
    pub(crate) fn binary_side(&self, op: BinaryOp, rhs: Side) -> Expr {
        if op == BinaryOp::Power && matches!(rhs, Side::Scalar(ScalarValue::Float(2.0) | ScalarValue::Int(2))) {
            return self.square();
        }
        let _here = self.graph.here();
        let rhs = self.side(rhs);
        match self.broadcast_with(&rhs, op.name()) {
            Some((a, b)) => self.graph.emit(Op::Binary(op), &[&a, &b]),
            None => self.graph.poisoned(),
        }
    }

    /// Elementwise comparison, giving bools.
    #[track_caller]
    pub fn compare(&self, direction: CompareDirection, rhs: impl Operand) -> Expr {
        let _here = self.graph.here();
        let rhs = self.side(rhs.into_side());
        match self.broadcast_with(&rhs, "compare") {
            Some((a, b)) => self.graph.emit(Op::Compare(direction), &[&a, &b]),
            None => self.graph.poisoned(),
        }
    }

    /// A side as an expression: scalars become literals of this expression's dtype.
    #[track_caller]
    pub(crate) fn side(&self, side: Side) -> Expr {
        match side {
            Side::Expr(e) => e,
            Side::Scalar(x) => self.literal(x),
        }
    }

    /// A scalar literal of this expression's dtype.
    #[track_caller]
    pub(crate) fn literal(&self, x: ScalarValue) -> Expr {
        if self.is_poisoned() {
            return self.clone();
        }
        match x.to_tensor(self.dtype()) {
            Ok(t) => self.graph.constant(t),
            Err(why) => self.graph.fail(
                Diagnostic::new("scalar.dtype", "the scalar does not fit the tensor's dtype")
                    .label(why)
                    .note("operand", self.describe())
                    .help("scalars take the dtype of the other side; convert that with `.cast::<T>()` first"),
            ),
        }
    }

    /// Both sides broadcast to their common shape, or a diagnostic.
    #[track_caller]
    pub(crate) fn broadcast_with(&self, rhs: &Expr, op: &str) -> Option<(Expr, Expr)> {
        if self.is_poisoned() || rhs.is_poisoned() {
            return None;
        }
        match broadcast_shapes(&self.shape(), &rhs.shape()) {
            Ok(shape) => Some((self.broadcast_to(&shape), rhs.broadcast_to(&shape))),
            Err((a, b)) => {
                self.fail2(
                    rhs,
                    &format!("{op}.broadcast"),
                    "the shapes do not broadcast",
                    format!("left has size {a}, right has size {b} in the same place, and neither is 1"),
                );
                None
            }
        }
    }

    /// Broadcasts to `shape` by numpy's rule: new dimensions in front, sizes 1 stretched.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Expr {
        let shape = shape.into();
        let own = self.shape();
        if self.is_poisoned() || own == shape {
            return self.clone();
        }
        if !broadcast_shapes(&own, &shape).is_ok_and(|s| s == shape) {
            let label = format!("{own} does not stretch to {shape}");
            return self.fail("broadcast_to.shape", "the shape cannot be broadcast", label);
        }
        let dims: Axes = (shape.rank() - own.rank()..shape.rank()).collect();
        self.graph.emit(Op::BroadcastInDim { shape, dims }, &[self])
    }

    /// StableHLO's `broadcast_in_dim`: dimension `i` becomes dimension `dims[i]` of the result.
    #[track_caller]
    pub fn broadcast_in_dim(&self, shape: impl Into<Shape>, dims: &[usize]) -> Expr {
        self.graph.emit(Op::BroadcastInDim { shape: shape.into(), dims: dims.into() }, &[self])
    }

    /// `self` where this is a bool condition: picks `on_true` where true, `on_false` where false.
    ///
    /// All three broadcast together; at least one of the choices is an expression.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let x = g.placeholder::<f32>("x", dims![3]);
    /// let y = x.gt(0.0).select(&x, 0.0);
    /// assert_eq!(y.ty().to_string(), "f32[3]");
    /// ```
    #[track_caller]
    pub fn select(&self, on_true: impl Operand, on_false: impl Operand) -> Expr {
        let _here = self.graph.here();
        let (t, f) = match (on_true.into_side(), on_false.into_side()) {
            (Side::Expr(t), f) => (t.clone(), t.side(f)),
            (t, Side::Expr(f)) => (f.side(t), f),
            (Side::Scalar(t), Side::Scalar(f)) => {
                let message = format!("select between the scalars {t} and {f} has no dtype");
                return self.fail("select.dtype", message, "make one of them a constant of the graph");
            }
        };
        let Some((t, f)) = t.broadcast_with(&f, "select") else { return self.graph.poisoned() };
        let Some((p, t)) = self.broadcast_with(&t, "select") else { return self.graph.poisoned() };
        let f = f.broadcast_to(t.shape());
        self.graph.emit(Op::Select, &[&p, &t, &f])
    }

    /// `minimum(maximum(self, low), high)`; the bounds broadcast to this shape.
    #[track_caller]
    pub fn clamp(&self, low: impl Operand, high: impl Operand) -> Expr {
        let _here = self.graph.here();
        let bound = |side: Side| {
            let e = self.side(side);
            if e.rank() == 0 || e.is_poisoned() { e } else { e.broadcast_to(self.shape()) }
        };
        let (low, high) = (bound(low.into_side()), bound(high.into_side()));
        self.graph.emit(Op::Clamp, &[&low, self, &high])
    }

    /// `self * self`.
    #[track_caller]
    pub fn square(&self) -> Expr {
        self.graph.emit(Op::Binary(BinaryOp::Multiply), &[self, self])
    }

    /// `1 / self`.
    #[track_caller]
    pub fn reciprocal(&self) -> Expr {
        let _here = self.graph.here();
        1 / self
    }

    /// True where not a number.
    #[track_caller]
    pub fn is_nan(&self) -> Expr {
        self.ne(self)
    }

    /// Converts the values to the element type `T`.
    #[track_caller]
    pub fn cast<T: Element>(&self) -> Expr {
        self.cast_to(T::DTYPE)
    }

    /// [`Expr::cast`] with the element type as a value.
    #[track_caller]
    pub fn cast_to(&self, dtype: DType) -> Expr {
        if self.is_poisoned() || self.dtype() == dtype {
            return self.clone();
        }
        self.graph.emit(Op::Convert(dtype), &[self])
    }

    /// Floats rounded to what a float of these many bits of exponent and mantissa can hold.
    #[track_caller]
    pub fn reduce_precision(&self, exponent_bits: u32, mantissa_bits: u32) -> Expr {
        let _here = self.graph.here();
        self.graph.emit(Op::ReducePrecision { exponent_bits, mantissa_bits }, &[self])
    }

    /// Reads the bits as another element type. Between widths a trailing dimension appears or vanishes.
    #[track_caller]
    pub fn bitcast<T: Element>(&self) -> Expr {
        self.graph.emit(Op::BitcastConvert(T::DTYPE), &[self])
    }

    /// The value behind a barrier that no rewrite looks through.
    #[track_caller]
    pub fn optimization_barrier(&self) -> Expr {
        self.graph.emit(Op::OptimizationBarrier, &[self])
    }
}
