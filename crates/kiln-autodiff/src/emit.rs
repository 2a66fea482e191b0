//! Appending nodes that all carry one source line.

use kiln_ir::op::{Axes, CompareDirection, Ints, Reducer};
use kiln_ir::{BinaryOp, DType, Diagnostic, Dim, Func, Loc, Node, Op, Shape, Tensor, TensorType, UnaryOp, Value};

/// A value, or why it cannot be.
pub(crate) type Res<T = Value> = Result<T, Diagnostic>;

/// A function that is being appended to, and the line that new nodes get.
pub(crate) struct Emit<'f> {
    pub(crate) f: &'f mut Func,
    pub(crate) loc: Loc,
}

/// The value of a scalar (or one-element) integer literal.
pub(crate) fn int_literal(op: &Op) -> Option<i64> {
    let Op::Constant(t) = op else { return None };
    t.item_int().ok().and_then(|n| i64::try_from(n).ok())
}

impl Emit<'_> {
    pub(crate) fn op(&mut self, op: Op, operands: &[Value]) -> Res {
        self.f.push1(op, operands, self.loc.clone())
    }
    pub(crate) fn unary(&mut self, op: UnaryOp, x: Value) -> Res {
        self.op(Op::Unary(op), &[x])
    }
    pub(crate) fn binary(&mut self, op: BinaryOp, x: Value, y: Value) -> Res {
        self.op(Op::Binary(op), &[x, y])
    }
    pub(crate) fn add(&mut self, x: Value, y: Value) -> Res {
        self.binary(BinaryOp::Add, x, y)
    }
    pub(crate) fn sub(&mut self, x: Value, y: Value) -> Res {
        self.binary(BinaryOp::Subtract, x, y)
    }
    pub(crate) fn mul(&mut self, x: Value, y: Value) -> Res {
        self.binary(BinaryOp::Multiply, x, y)
    }
    pub(crate) fn div(&mut self, x: Value, y: Value) -> Res {
        self.binary(BinaryOp::Divide, x, y)
    }
    pub(crate) fn neg(&mut self, x: Value) -> Res {
        self.unary(UnaryOp::Negate, x)
    }
    pub(crate) fn compare(&mut self, direction: CompareDirection, x: Value, y: Value) -> Res {
        self.op(Op::Compare(direction), &[x, y])
    }
    pub(crate) fn select(&mut self, pred: Value, on_true: Value, on_false: Value) -> Res {
        self.op(Op::Select, &[pred, on_true, on_false])
    }
    /// `x` where `pred`, zero elsewhere.
    pub(crate) fn keep(&mut self, pred: Value, x: Value) -> Res {
        let zero = self.zeros_like(x)?;
        self.select(pred, x, zero)
    }
    /// `x` where not `pred`, zero elsewhere.
    pub(crate) fn drop(&mut self, pred: Value, x: Value) -> Res {
        let zero = self.zeros_like(x)?;
        self.select(pred, zero, x)
    }
    pub(crate) fn scalar(&mut self, dtype: DType, x: f64) -> Value {
        self.f.constant(Tensor::scalar_of(dtype, x), self.loc.clone())
    }
    pub(crate) fn tensor(&mut self, t: Tensor) -> Value {
        self.f.constant(t, self.loc.clone())
    }
    /// A tensor filled with one value.
    pub(crate) fn full(&mut self, ty: &TensorType, x: f64) -> Res {
        let scalar = self.scalar(ty.dtype, x);
        self.spread(scalar, &ty.shape)
    }
    pub(crate) fn full_like(&mut self, v: Value, x: f64) -> Res {
        let ty = self.f.ty(v).clone();
        self.full(&ty, x)
    }
    pub(crate) fn zeros(&mut self, ty: &TensorType) -> Res {
        self.full(ty, 0.0)
    }
    /// A derivative of `v`: the given one, or zeros.
    pub(crate) fn or_zeros(&mut self, given: Option<Value>, v: Value) -> Res {
        match given {
            Some(given) => Ok(given),
            None => {
                let ty = self.f.ty(v).clone();
                self.zeros(&ty)
            }
        }
    }
    /// Derivatives of values, zeros where none is given.
    pub(crate) fn all_or_zeros(&mut self, of: &[Value], given: Vec<Option<Value>>) -> Res<Vec<Value>> {
        let each = |(v, given): (&Value, Option<Value>)| match given {
            Some(given) => Ok(given),
            None => self.zeros_like(*v),
        };
        of.iter().zip(given).map(each).collect()
    }
    pub(crate) fn zeros_like(&mut self, v: Value) -> Res {
        self.full_like(v, 0.0)
    }
    /// `x * k`.
    pub(crate) fn times(&mut self, x: Value, k: f64) -> Res {
        let k = self.full_like(x, k)?;
        self.mul(x, k)
    }
    /// A scalar as every element of a shape.
    pub(crate) fn spread(&mut self, scalar: Value, shape: &Shape) -> Res {
        if shape.rank() == 0 {
            return Ok(scalar);
        }
        self.op(Op::BroadcastInDim { shape: shape.clone(), dims: Axes::new() }, &[scalar])
    }
    /// `v` made as large as `like`, if it is a scalar.
    pub(crate) fn spread_like(&mut self, v: Value, like: Value) -> Res {
        if self.f.ty(v).rank() == 0 {
            let shape = self.f.ty(like).shape.clone();
            self.spread(v, &shape)
        } else {
            Ok(v)
        }
    }
    /// Undoes a reduction: the reduced `axes` of `shape` come back by repetition.
    pub(crate) fn unreduce(&mut self, v: Value, shape: &Shape, axes: &[usize]) -> Res {
        let dims: Axes = (0..shape.rank()).filter(|a| !axes.contains(a)).collect();
        self.op(Op::BroadcastInDim { shape: shape.clone(), dims }, &[v])
    }
    /// The sum over `axes`.
    pub(crate) fn sum(&mut self, v: Value, axes: &[usize]) -> Res {
        if axes.is_empty() {
            return Ok(v);
        }
        let zero = self.scalar(self.f.ty(v).dtype, 0.0);
        self.op(Op::Reduce { axes: axes.into(), reducer: Reducer::Add }, &[v, zero])
    }
    /// The sum of all elements.
    pub(crate) fn sum_all(&mut self, v: Value) -> Res {
        let all: Axes = (0..self.f.ty(v).rank()).collect();
        self.sum(v, &all)
    }
    pub(crate) fn reshape(&mut self, v: Value, shape: &Shape) -> Res {
        if self.f.ty(v).shape == *shape {
            return Ok(v);
        }
        self.op(Op::Reshape(shape.clone()), &[v])
    }
    pub(crate) fn transpose(&mut self, v: Value, permutation: &[usize]) -> Res {
        if permutation.iter().enumerate().all(|(i, &p)| i == p) {
            return Ok(v);
        }
        self.op(Op::Transpose(permutation.into()), &[v])
    }
    pub(crate) fn convert(&mut self, v: Value, dtype: DType) -> Res {
        if self.f.ty(v).dtype == dtype {
            return Ok(v);
        }
        self.op(Op::Convert(dtype), &[v])
    }
    /// Pads with zeros.
    pub(crate) fn pad_zero(&mut self, v: Value, low: Vec<Dim>, high: Vec<Dim>, interior: Ints) -> Res {
        let zero = self.scalar(self.f.ty(v).dtype, 0.0);
        self.op(Op::Pad { low: low.into(), high: high.into(), interior }, &[v, zero])
    }
    pub(crate) fn slice(&mut self, v: Value, start: Vec<Dim>, limit: Vec<Dim>, strides: Ints) -> Res {
        let shape = &self.f.ty(v).shape;
        let whole =
            start.iter().all(|d| *d == Dim::Const(0)) && limit[..] == shape[..] && strides.iter().all(|&s| s == 1);
        if whole {
            return Ok(v);
        }
        self.op(Op::Slice { start: start.into(), limit: limit.into(), strides }, &[v])
    }
    /// Scalar zeros as start indices: `first` in dimension 0, zero in the other `rank - 1`.
    pub(crate) fn row_starts(&mut self, first: Value, rank: usize) -> Vec<Value> {
        let zero = self.scalar(self.f.ty(first).dtype, 0.0);
        (0..rank).map(|i| if i == 0 { first } else { zero }).collect()
    }
    /// Row `index` of a stack, without its first dimension.
    pub(crate) fn row(&mut self, stack: Value, index: Value) -> Res {
        let mut sizes = self.f.ty(stack).shape.clone();
        sizes[0] = Dim::Const(1);
        let starts = self.row_starts(index, sizes.rank());
        let operands: Vec<Value> = [stack].into_iter().chain(starts).collect();
        let row = self.op(Op::DynamicSlice { sizes: sizes.clone() }, &operands)?;
        sizes.remove(0);
        self.reshape(row, &sizes)
    }
    /// A stack with row `index` replaced.
    pub(crate) fn set_row(&mut self, stack: Value, row: Value, index: Value) -> Res {
        let mut shape = self.f.ty(row).shape.clone();
        shape.insert(0, Dim::Const(1));
        let row = self.reshape(row, &shape)?;
        let starts = self.row_starts(index, shape.rank());
        let operands: Vec<Value> = [stack, row].into_iter().chain(starts).collect();
        self.op(Op::DynamicUpdateSlice, &operands)
    }

    /// That a node applies a function of which nothing is known.
    pub(crate) fn any_function(&self, node: &Node) -> Diagnostic {
        self.error(node, "its function of scalars may be any, so it has no derivative")
            .help("use a named reduction or scatter (add, multiply, minimum, maximum), or give a derivative with `custom_vjp`")
    }

    /// A diagnostic about the derivative of a node.
    pub(crate) fn error(&self, node: &Node, why: impl Into<String>) -> Diagnostic {
        let name = node.name.as_deref().map_or_else(String::new, |n| format!(" \"{n}\""));
        Diagnostic::new(
            format!("autodiff.{}", node.op.name()),
            format!("`{}`{name} cannot be differentiated here", node.op.name()),
        )
        .label(why)
        .at(&node.loc)
    }
}
