//! Making tensors and changing their shape.

use crate::expr::Expr;
use crate::graph::Graph;
use crate::operand::{IntoAxes, Operand, ScalarValue};
use kiln_ir::op::{Axes, Ints};
use kiln_ir::{DType, Diagnostic, Dim, Op, Shape, TensorType};
use smallvec::SmallVec;

impl Graph {
    /// A tensor filled with one value.
    #[track_caller]
    pub fn full(&self, dtype: DType, shape: impl Into<Shape>, value: impl Into<ScalarValue>) -> Expr {
        let _here = self.here();
        match value.into().to_tensor(dtype) {
            Ok(t) => self.constant(t).broadcast_to(shape),
            Err(why) => self.fail(Diagnostic::new("full.dtype", "the value does not fit the dtype").label(why)),
        }
    }

    /// All zeros (false).
    #[track_caller]
    pub fn zeros(&self, dtype: DType, shape: impl Into<Shape>) -> Expr {
        if dtype == DType::Bool { self.full(dtype, shape, false) } else { self.full(dtype, shape, 0) }
    }

    /// All ones (true).
    #[track_caller]
    pub fn ones(&self, dtype: DType, shape: impl Into<Shape>) -> Expr {
        if dtype == DType::Bool { self.full(dtype, shape, true) } else { self.full(dtype, shape, 1) }
    }

    /// Counts 0, 1, ... along `dim` of a tensor of this type.
    #[track_caller]
    pub fn iota(&self, dtype: DType, shape: impl Into<Shape>, dim: usize) -> Expr {
        self.emit(Op::Iota { ty: TensorType::new(dtype, shape), dim }, &[])
    }

    /// `0, 1, ..., n - 1`.
    #[track_caller]
    pub fn arange(&self, dtype: DType, n: impl Into<Dim>) -> Expr {
        self.iota(dtype, Shape::new([n.into()]), 0)
    }

    /// `n` evenly spaced numbers from `start` to `stop`, both included.
    #[track_caller]
    pub fn linspace(&self, dtype: DType, start: f64, stop: f64, n: usize) -> Expr {
        let _here = self.here();
        let step = if n > 1 { (stop - start) / (n as f64 - 1.0) } else { 0.0 };
        self.arange(dtype, n) * step + start
    }

    /// The identity matrix.
    #[track_caller]
    pub fn eye(&self, dtype: DType, n: impl Into<Dim>) -> Expr {
        let _here = self.here();
        let n = n.into();
        let shape = Shape::new([n.clone(), n]);
        self.iota(DType::I32, &shape, 0).eq(self.iota(DType::I32, &shape, 1)).cast_to(dtype)
    }

    /// Joins along an existing axis.
    #[track_caller]
    pub fn concat(&self, parts: &[&Expr], axis: i64) -> Expr {
        let _here = self.here();
        let Some(first) = parts.first() else {
            return self.fail(Diagnostic::new("concatenate.operands", "nothing to concatenate"));
        };
        match first.axis(axis, "concatenate") {
            Some(axis) => self.emit(Op::Concatenate(axis), parts),
            None => self.poisoned(),
        }
    }

    /// Joins along a new axis.
    #[track_caller]
    pub fn stack(&self, parts: &[&Expr], axis: i64) -> Expr {
        let _here = self.here();
        let expanded: Vec<Expr> = parts.iter().map(|p| p.expand_dims(axis)).collect();
        self.concat(&expanded.iter().collect::<Vec<_>>(), axis)
    }
}

impl Expr {
    /// Zeros of this type.
    #[track_caller]
    pub fn zeros_like(&self) -> Expr {
        self.graph.zeros(self.dtype(), self.shape())
    }

    /// Ones of this type.
    #[track_caller]
    pub fn ones_like(&self) -> Expr {
        self.graph.ones(self.dtype(), self.shape())
    }

    /// A tensor of this type filled with one value.
    #[track_caller]
    pub fn full_like(&self, value: impl Into<ScalarValue>) -> Expr {
        self.graph.full(self.dtype(), self.shape(), value)
    }

    /// The size of a dimension as an i32 scalar of the graph, for symbolic dims.
    #[track_caller]
    pub fn size(&self, axis: i64) -> Expr {
        match self.axis(axis, "get_dimension_size") {
            Some(a) => self.graph.emit(Op::GetDimensionSize(a), &[self]),
            None => self.graph.poisoned(),
        }
    }

    /// The same elements under another shape; one size may be -1 and is inferred.
    ///
    /// ```
    /// # use kiln_builder::{Graph, dims};
    /// # let g = Graph::new("g");
    /// let x = g.placeholder::<f32>("x", dims!["batch", 4, 6]);
    /// assert_eq!(x.reshape(dims!["batch", -1]).ty().to_string(), "f32[batch, 24]");
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Expr {
        let _here = self.graph.here();
        let mut shape = shape.into();
        if self.is_poisoned() {
            return self.clone();
        }
        let own = self.shape();
        let holes: SmallVec<[usize; 2]> = (0..shape.rank()).filter(|&i| shape[i] == Dim::Const(-1)).collect();
        if let [hole] = holes[..] {
            match inferred_size(&own, &shape, hole) {
                Some(d) => shape[hole] = d,
                None => {
                    let label = format!("the size at -1 in {shape} does not follow from {own}");
                    return self.fail("reshape.infer", "a size cannot be inferred", label);
                }
            }
        }
        if shape == own { self.clone() } else { self.graph.emit(Op::Reshape(shape), &[self]) }
    }

    /// One dimension with all elements.
    #[track_caller]
    pub fn flatten(&self) -> Expr {
        self.reshape([-1])
    }

    /// Permutes the dimensions: result dimension `i` is dimension `permutation[i]`.
    #[track_caller]
    pub fn transpose(&self, permutation: impl IntoAxes) -> Expr {
        let _here = self.graph.here();
        let Some(p) = self.axes_in_order(permutation, "transpose") else { return self.graph.poisoned() };
        if p.len() == self.rank() && p.iter().enumerate().all(|(i, &a)| i == a) {
            return self.clone();
        }
        self.graph.emit(Op::Transpose(p), &[self])
    }

    /// Reverses the order of the dimensions; for a matrix, its transpose.
    #[track_caller]
    pub fn t(&self) -> Expr {
        self.transpose((0..self.rank() as i64).rev().collect::<Vec<i64>>())
    }

    /// Exchanges two dimensions.
    #[track_caller]
    pub fn swap_axes(&self, a: i64, b: i64) -> Expr {
        let _here = self.graph.here();
        let (Some(a), Some(b)) = (self.axis(a, "swap_axes"), self.axis(b, "swap_axes")) else {
            return self.graph.poisoned();
        };
        let mut p: Axes = (0..self.rank()).collect();
        p.swap(a, b);
        self.transpose(&p)
    }

    /// Moves one dimension to another place; the others keep their order.
    #[track_caller]
    pub fn move_axis(&self, from: i64, to: i64) -> Expr {
        let _here = self.graph.here();
        let (Some(from), Some(to)) = (self.axis(from, "move_axis"), self.axis(to, "move_axis")) else {
            return self.graph.poisoned();
        };
        let mut p: Axes = (0..self.rank()).filter(|&a| a != from).collect();
        p.insert(to, from);
        self.transpose(&p)
    }

    /// Removes dimensions of size 1.
    #[track_caller]
    pub fn squeeze(&self, axes: impl IntoAxes) -> Expr {
        let _here = self.graph.here();
        let all = self.shape();
        let ones: Vec<usize> = (0..all.rank()).filter(|&a| all[a] == Dim::Const(1)).collect();
        let axes = match axes.into_axes() {
            None => ones.into_iter().collect(),
            Some(list) => match self.axes(list.into_vec(), "squeeze") {
                Some(a) => a,
                None => return self.graph.poisoned(),
            },
        };
        if let Some(&a) = axes.iter().find(|&&a| all[a] != Dim::Const(1)) {
            let label = format!("dim {a} has size {}", all[a]);
            return self.fail("squeeze.size", "only dimensions of size 1 can be removed", label);
        }
        self.reshape((0..all.rank()).filter(|a| !axes.contains(a)).map(|a| all[a].clone()).collect::<Shape>())
    }

    /// Inserts a dimension of size 1 at `axis` of the result.
    #[track_caller]
    pub fn expand_dims(&self, axis: i64) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() {
            return self.clone();
        }
        let Some(axis) = self.axis_of_rank(axis, self.rank() + 1, "expand_dims") else { return self.graph.poisoned() };
        let mut shape = self.shape();
        shape.insert(axis, Dim::Const(1));
        self.reshape(shape)
    }

    /// Reverses these dimensions.
    #[track_caller]
    pub fn flip(&self, axes: impl IntoAxes) -> Expr {
        match self.axes(axes, "reverse") {
            Some(axes) if axes.is_empty() => self.clone(),
            Some(axes) => self.graph.emit(Op::Reverse(axes), &[self]),
            None => self.graph.poisoned(),
        }
    }

    /// Pads with `value`: `(before, after)` per dimension, negative amounts remove.
    #[track_caller]
    pub fn pad(&self, value: impl Operand, widths: &[(i64, i64)]) -> Expr {
        let low: Vec<Dim> = widths.iter().map(|w| Dim::from(w.0)).collect();
        let high: Vec<Dim> = widths.iter().map(|w| Dim::from(w.1)).collect();
        self.pad_general(value, &low, &high, &vec![0; widths.len()])
    }

    /// StableHLO's `pad`, with `interior` elements between neighbours.
    #[track_caller]
    pub fn pad_general(&self, value: impl Operand, low: &[Dim], high: &[Dim], interior: &[i64]) -> Expr {
        let _here = self.graph.here();
        let value = self.side(value.into_side());
        let op = Op::Pad { low: low.into(), high: high.into(), interior: Ints::from_slice(interior) };
        self.graph.emit(op, &[self, &value])
    }

    /// Repeats the whole tensor: `counts[i]` times along dimension `i`.
    #[track_caller]
    pub fn tile(&self, counts: &[usize]) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() {
            return self.clone();
        }
        let own = self.shape();
        if counts.len() != own.rank() {
            let label = format!("{} counts for {} dimensions", counts.len(), own.rank());
            return self.fail("tile.counts", "tile needs one count per dimension", label);
        }
        let wide: Shape = counts.iter().zip(own.iter()).flat_map(|(&c, d)| [Dim::from(c), d.clone()]).collect();
        let dims: Axes = (0..own.rank()).map(|i| 2 * i + 1).collect();
        let tiled: Shape = counts.iter().zip(own.iter()).map(|(&c, d)| d.clone() * c as i64).collect();
        self.broadcast_in_dim(wide, &dims).reshape(tiled)
    }

    /// Repeats every element `count` times along `axis`.
    #[track_caller]
    pub fn repeat(&self, count: usize, axis: i64) -> Expr {
        let _here = self.graph.here();
        let Some(axis) = self.axis(axis, "repeat") else { return self.graph.poisoned() };
        let mut wide = self.shape();
        let mut repeated = wide.clone();
        repeated[axis] = wide[axis].clone() * count as i64;
        wide.insert(axis + 1, Dim::from(count));
        let dims: Axes = (0..self.rank()).map(|i| if i > axis { i + 1 } else { i }).collect();
        self.broadcast_in_dim(wide, &dims).reshape(repeated)
    }

    /// Zeroes what lies above the `diagonal`-th diagonal of the last two dimensions.
    #[track_caller]
    pub fn tril(&self, diagonal: i64) -> Expr {
        let _here = self.graph.here();
        self.masked_by_diagonal(|row, col| (row + diagonal).ge(col))
    }

    /// Zeroes what lies below the `diagonal`-th diagonal of the last two dimensions.
    #[track_caller]
    pub fn triu(&self, diagonal: i64) -> Expr {
        let _here = self.graph.here();
        self.masked_by_diagonal(|row, col| (row + diagonal).le(col))
    }

    #[track_caller]
    fn masked_by_diagonal(&self, keep: impl Fn(Expr, Expr) -> Expr) -> Expr {
        let (Some(r), Some(c)) = (self.axis(-2, "tril"), self.axis(-1, "tril")) else { return self.graph.poisoned() };
        let shape = self.shape();
        let plane = Shape::new([shape[r].clone(), shape[c].clone()]);
        let mask = keep(self.graph.iota(DType::I64, &plane, 0), self.graph.iota(DType::I64, &plane, 1));
        mask.select(self, self.zeros_like())
    }
}

/// The size at `hole` that makes `target` hold as many elements as `own`, if it follows.
fn inferred_size(own: &Shape, target: &Shape, hole: usize) -> Option<Dim> {
    let mut symbolic: Vec<Dim> = Vec::new();
    let mut constant = 1i64;
    for d in own.iter() {
        match d {
            Dim::Const(n) => constant = constant.checked_mul(*n)?,
            Dim::Expr(_) => symbolic.push(d.clone()),
        }
    }
    let mut divisor = 1i64;
    for (i, d) in target.iter().enumerate().filter(|(i, _)| *i != hole) {
        let _ = i;
        match d {
            Dim::Const(n) => divisor = divisor.checked_mul(*n)?,
            Dim::Expr(_) => {
                let at = symbolic.iter().position(|s| s == d)?;
                symbolic.swap_remove(at);
            }
        }
    }
    match symbolic.len() {
        0 => Dim::Const(constant).checked_div(divisor),
        1 => symbolic[0].checked_mul(&Dim::Const(constant))?.checked_div(divisor),
        _ => None,
    }
}
