//! The table of operators, and those that work element by element.

use super::emit::{Scope, Val, Writer, Written};
use super::reductions::number;
use super::types::{arrow, tensor, tensors};
use kiln_ir::op::CompareDirection;
use kiln_ir::{DType, Node, Op, TensorType, UnaryOp};

impl Writer<'_> {
    /// Writes a node and gives its results.
    pub(super) fn node(&mut self, scope: &Scope<'_>, node: &Node, x: &[Val]) -> Written<Vec<Val>> {
        match &node.op {
            Op::Parameter(_) => self.unsupported(node, "a parameter is an argument"),
            Op::Constant(t) => Ok(vec![self.constant(t)]),
            Op::Unary(UnaryOp::Cbrt) if x[0].ty.dtype.is_complex() => self.complex_cube_root(node, &x[0]),
            Op::Unary(u) => self.named(node, x, u.stablehlo_names()),
            Op::Binary(b) => self.named(node, x, b.stablehlo_names()),
            Op::Compare(direction) => {
                let text = comparison(*direction, &x[0], &x[1]);
                Ok(self.result(&node.types[0], &text))
            }
            Op::Select => {
                let types = tensors([&x[0].ty, &x[1].ty]);
                let text = format!("stablehlo.select {}, {}, {} : {types}", x[0].name, x[1].name, x[2].name);
                Ok(self.result(&node.types[0], &text))
            }
            Op::Clamp | Op::Real | Op::Imag | Op::OptimizationBarrier => Ok(self.short(node, x, node.op.name())),
            Op::Complex => {
                let text = format!("stablehlo.complex {}, {} : {}", x[0].name, x[1].name, tensor(&node.types[0]));
                Ok(self.result(&node.types[0], &text))
            }
            Op::Convert(_) | Op::BitcastConvert(_) | Op::Reshape(_) => Ok(self.full(node, x, node.op.name(), "")),
            Op::ReducePrecision { exponent_bits, mantissa_bits } => Ok(self.short_with(
                node,
                x,
                "reduce_precision",
                &format!(", format = e{exponent_bits}m{mantissa_bits}"),
            )),
            Op::Iota { .. }
            | Op::GetDimensionSize(_)
            | Op::BroadcastInDim { .. }
            | Op::Transpose(_)
            | Op::Reverse(_)
            | Op::Slice { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Concatenate(_)
            | Op::Pad { .. }
            | Op::Gather(_) => self.data_movement(node, x),
            Op::DotGeneral(dims) => Ok(self.dot_general(node, x, dims)),
            Op::Convolution(dims) => Ok(self.convolution(node, x, dims)),
            Op::Reduce { axes, reducer } => self.reduce(scope, node, x, axes, *reducer),
            Op::ArgReduce { axis, kind, .. } => self.arg_reduce(node, &x[0], *axis, *kind),
            Op::GenericReduce { axes, body } => self.generic_reduce(scope, node, x, axes, body),
            Op::ReduceWindow { window, reducer } => self.reduce_window(scope, node, x, window, *reducer),
            Op::GenericReduceWindow { window, body } => self.generic_reduce_window(scope, node, x, window, body),
            Op::SelectAndScatter { window, select, scatter } => {
                self.select_and_scatter(scope, node, x, window, (*select, *scatter))
            }
            Op::GenericSelectAndScatter { window, select, scatter } => {
                self.generic_select_and_scatter(node, x, window, select, scatter)
            }
            Op::Scatter { dims, update } => self.scatter(node, x, dims, *update),
            Op::GenericScatter { dims, body } => self.generic_scatter(scope, node, x, dims, body),
            Op::Sort { dim, stable, comparator } => self.sort(scope, node, x, (*dim, *stable), comparator),
            Op::Fft { kind, length, interleaved } => self.fft(node, &x[0], *kind, length, *interleaved),
            Op::Cholesky { lower, interleaved } => self.cholesky(node, &x[0], *lower, *interleaved),
            Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, interleaved } => {
                if *interleaved {
                    return self.unsupported(node, "complex numbers as pairs of floats");
                }
                Ok(self.triangular_solve(node, x, [*left_side, *lower, *unit_diagonal], *transpose_a))
            }
            Op::While { cond, body } => self.while_loop(node, x, cond, body),
            Op::If { on_true, on_false } => self.branches(node, x, "if", &[on_true, on_false]),
            Op::Case { branches } => self.branches(node, x, "case", &branches.iter().collect::<Vec<_>>()),
            Op::RngBitGenerator { algorithm, .. } => Ok(self.random_bits(node, &x[0], *algorithm)),
            Op::Composite { name, body, .. } => self.composite(node, x, name, body),
        }
    }

    /// An operator under the first of its names.
    fn named(&mut self, node: &Node, x: &[Val], names_there: &[&str]) -> Written<Vec<Val>> {
        let Some(name) = names_there.first() else { return self.unsupported(node, "StableHLO has no such operator") };
        if let Some(op) = name.strip_prefix("stablehlo.") {
            return Ok(self.short(node, x, op));
        }
        let operands = match x {
            [a] => format!("{} -> {}", tensor(&a.ty), tensor(&node.types[0])),
            _ => arrow(&x.iter().collect::<Vec<_>>(), &node.types),
        };
        Ok(self.result(&node.types[0], &format!("{name} {} : {operands}", names(x))))
    }

    /// XLA knows cube roots of real numbers only.
    fn complex_cube_root(&mut self, node: &Node, x: &Val) -> Written<Vec<Val>> {
        let Some(third) = number(x.ty.dtype, 1.0 / 3.0) else {
            return self.unsupported(node, format!("a third as {}", x.ty.dtype));
        };
        let third = self.helper_constant(&third);
        let exponent = self.splat(&third, &x.ty.shape);
        Ok(self.short(node, &[x.clone(), exponent], "power"))
    }

    /// `stablehlo.op %a, %b : type` when all types are the same, otherwise with the types of operands and result.
    fn short(&mut self, node: &Node, x: &[Val], op: &str) -> Vec<Val> {
        self.short_with(node, x, op, "")
    }

    pub(super) fn short_with(&mut self, node: &Node, x: &[Val], op: &str, attrs: &str) -> Vec<Val> {
        if x.iter().any(|v| v.ty != node.types[0]) {
            return self.full(node, x, op, attrs);
        }
        let text = format!("stablehlo.{op} {}{attrs} : {}", names(x), tensor(&node.types[0]));
        self.result(&node.types[0], &text)
    }

    /// `stablehlo.op %a, %b, attrs : (type, type) -> type`.
    pub(super) fn full(&mut self, node: &Node, x: &[Val], op: &str, attrs: &str) -> Vec<Val> {
        let types = arrow(&x.iter().collect::<Vec<_>>(), &node.types);
        self.result(&node.types[0], &format!("stablehlo.{op} {}{attrs} : {types}", names(x)))
    }

    /// A binary operator on two values of one type, on the way to a result.
    pub(super) fn binary(&mut self, op: &str, a: &Val, b: &Val) -> Val {
        self.step(&a.ty, &format!("stablehlo.{op} {}, {} : {}", a.name, b.name, tensor(&a.ty)))
    }

    /// A comparison on the way to a result.
    pub(super) fn compare(&mut self, direction: CompareDirection, a: &Val, b: &Val) -> Val {
        self.step(&a.ty.with_dtype(DType::Bool), &comparison(direction, a, b))
    }

    /// A selection on the way to a result.
    pub(super) fn select(&mut self, pred: &Val, on_true: &Val, on_false: &Val) -> Val {
        let types = tensors([&pred.ty, &on_true.ty]);
        let text = format!("stablehlo.select {}, {}, {} : {types}", pred.name, on_true.name, on_false.name);
        self.step(&on_true.ty, &text)
    }

    /// Counts along a dimension.
    pub(super) fn iota(&mut self, ty: &TensorType, dim: usize) -> Val {
        self.step(ty, &format!("stablehlo.iota dim = {dim} : {}", tensor(ty)))
    }
}

/// Operands by name.
pub(super) fn names(x: &[Val]) -> String {
    super::types::join(x.iter().map(|v| &v.name))
}

fn comparison(direction: CompareDirection, a: &Val, b: &Val) -> String {
    let kind = match a.ty.dtype {
        d if d.is_float() || d.is_complex() => "FLOAT",
        d if d.is_signed_int() => "SIGNED",
        _ => "UNSIGNED",
    };
    let types = arrow(&[a, b], &[a.ty.with_dtype(DType::Bool)]);
    format!("stablehlo.compare {direction:?}, {}, {}, {kind} : {types}", a.name, b.name)
}
