//! Forward mode: one walk from the inputs on, appending what computes the tangents.

use crate::activity::differentiable;
use crate::activity::node_id;
use crate::emit::{Emit, Res};
use crate::generated::elementwise as derivatives;
use crate::{
    Derivatives, STOP_GRADIENT, branches, complex, contract, elementwise, factor, gather, loops, movement, reduce,
    sort, window,
};
use kiln_ir::{Func, Loc, Node, NodeId, Op, UnaryOp, Value};
use std::collections::HashMap;

/// The state of one walk.
pub(crate) struct Forward<'f> {
    pub(crate) e: Emit<'f>,
    tangents: HashMap<Value, Value>,
    /// Loops that were built again together with their tangents.
    pub(crate) replaced: Vec<(NodeId, NodeId)>,
}

/// Pushes tangents of values on to `outputs`, through the nodes `from..`.
pub(crate) fn walk(f: &mut Func, from: usize, outputs: &[Value], seeds: &[(Value, Value)]) -> Res<Derivatives> {
    let live = f.reachable(outputs.iter().copied());
    let tangents = seeds.iter().copied().collect();
    let mut w = Forward { e: Emit { f, loc: Loc::UNKNOWN }, tangents, replaced: Vec::new() };
    for index in (from..live.len()).filter(|&i| live[i]) {
        let id = node_id(index);
        if w.e.f.node(id).operands.iter().any(|v| w.tangents.contains_key(v)) {
            let node = w.e.f.node(id).clone();
            w.e.loc = node.loc.clone();
            w.node(id, &node).map_err(|d| d.at(&node.loc))?;
        }
    }
    Ok(Derivatives { values: outputs.iter().map(|v| w.tangents.get(v).copied()).collect(), replaced: w.replaced })
}

impl Forward<'_> {
    /// The tangent of a value, if it has one.
    pub(crate) fn tangent(&self, v: Value) -> Option<Value> {
        self.tangents.get(&v).copied()
    }

    /// The tangent of a value, zeros if it has none.
    pub(crate) fn tangent_or_zeros(&mut self, v: Value) -> Res {
        match self.tangent(v) {
            Some(t) => Ok(t),
            None => {
                let ty = self.e.f.ty(v).clone();
                self.e.zeros(&ty)
            }
        }
    }

    /// Sets the tangent of a result, unless it was given from outside.
    pub(crate) fn set(&mut self, v: Value, t: Value) {
        debug_assert_eq!(self.e.f.ty(v), self.e.f.ty(t), "a tangent has its value's type");
        self.tangents.entry(v).or_insert(t);
    }

    /// Differentiates a node through nodes `from..`, which compute the same results from the same operands.
    pub(crate) fn through(&mut self, from: usize, outputs: &[Value], operands: &[Value]) -> Res<Vec<Option<Value>>> {
        let seeds: Vec<(Value, Value)> = operands.iter().filter_map(|v| Some((*v, self.tangent(*v)?))).collect();
        let pushed = walk(self.e.f, from, outputs, &seeds)?;
        self.replaced.extend(pushed.replaced);
        Ok(pushed.values)
    }

    fn sum(&mut self, a: Option<Value>, b: Option<Value>) -> Res<Option<Value>> {
        match (a, b) {
            (Some(a), Some(b)) => self.e.add(a, b).map(Some),
            (a, b) => Ok(a.or(b)),
        }
    }

    fn node(&mut self, id: NodeId, node: &Node) -> Res<()> {
        match &node.op {
            Op::While { cond, body } => return loops::forward(self, id, node, cond, body),
            Op::If { .. } | Op::Case { .. } => return branches::forward(self, id, node),
            Op::Sort { .. } => return sort::forward(self, id, node),
            Op::Composite { name, .. } if name == STOP_GRADIENT => return Ok(()),
            Op::Composite { body, .. } => return branches::composite_forward(self, id, node, body),
            _ => {}
        }
        if let Some(t) = self.single(id, node)? {
            self.set(id.into(), t);
        }
        Ok(())
    }

    /// The tangent of a node of one result.
    fn single(&mut self, id: NodeId, node: &Node) -> Res<Option<Value>> {
        let y = Value::from(id);
        let x = &node.operands[..];
        let t = |w: &Self, i: usize| w.tangent(x[i]);
        match &node.op {
            Op::Unary(op @ (UnaryOp::Abs | UnaryOp::Sign)) if self.e.is_complex(x[0]) => match (t(self, 0), op) {
                (Some(t), UnaryOp::Abs) => complex::abs_forward(&mut self.e, x[0], t).map(Some),
                (Some(t), _) => complex::sign(&mut self.e, x[0], y, t, true).map(Some),
                (None, _) => Ok(None),
            },
            Op::Unary(op) => match t(self, 0) {
                Some(t) => derivatives::unary(&mut self.e, *op, x[0], y, t),
                None => Ok(None),
            },
            Op::Binary(op) => {
                let mut total = None;
                for which in 0..2 {
                    if let Some(t) = t(self, which) {
                        let part = derivatives::binary(&mut self.e, *op, which, [x[0], x[1]], y, t)?;
                        total = self.sum(total, part)?;
                    }
                }
                Ok(total)
            }
            Op::Select => {
                let (a, b) = (self.tangent_or_zeros(x[1])?, self.tangent_or_zeros(x[2])?);
                self.e.select(x[0], a, b).map(Some)
            }
            Op::Clamp => {
                let mut total = None;
                for which in 0..3 {
                    if let Some(t) = t(self, which) {
                        let t = self.e.spread_like(t, x[1])?;
                        let part = elementwise::clamp(&mut self.e, which, x, t)?;
                        total = self.sum(total, Some(part))?;
                    }
                }
                Ok(total)
            }
            Op::Convert(to) if differentiable(*to) => match t(self, 0) {
                Some(t) => self.e.convert(t, *to).map(Some),
                None => Ok(None),
            },
            Op::BitcastConvert(to) if differentiable(*to) => {
                Err(self.e.error(node, "the bits of a float do not vary smoothly"))
            }
            Op::OptimizationBarrier
            | Op::BroadcastInDim { .. }
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Reverse(_)
            | Op::Slice { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Concatenate(_)
            | Op::Pad { .. } => movement::forward(self, node),
            Op::DotGeneral(_) | Op::Convolution(_) => contract::forward(self, node),
            Op::Reduce { axes, reducer } => reduce::forward(self, node, axes, *reducer, y),
            Op::ReduceWindow { window, reducer } => window::forward(self, node, window, *reducer),
            Op::SelectAndScatter { scatter, .. } => window::select_and_scatter_forward(self, node, *scatter),
            Op::Gather(_) => match t(self, 0) {
                Some(t) => self.e.op(node.op.clone(), &[t, x[1]]).map(Some),
                None => Ok(None),
            },
            Op::Scatter { dims, update } => gather::scatter_forward(self, node, dims, *update, y),
            Op::Convert(_) | Op::BitcastConvert(_) => Ok(None),
            Op::Parameter(_)
            | Op::Constant(_)
            | Op::Iota { .. }
            | Op::Compare(_)
            | Op::GetDimensionSize(_)
            | Op::ArgReduce { .. }
            | Op::RngBitGenerator { .. } => Ok(None),
            // Linear: the tangent goes the same way.
            Op::Complex => {
                let (re, im) = (self.tangent_or_zeros(x[0])?, self.tangent_or_zeros(x[1])?);
                self.e.op(Op::Complex, &[re, im]).map(Some)
            }
            Op::Real | Op::Imag | Op::ReducePrecision { .. } | Op::Fft { .. } => match t(self, 0) {
                Some(t) => self.e.op(node.op.clone(), &[t]).map(Some),
                None => Ok(None),
            },
            Op::Cholesky { lower, .. } => factor::cholesky_forward(self, node, *lower, y),
            Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, .. } => {
                let (left_side, lower, unit_diagonal) = (*left_side, *lower, *unit_diagonal);
                let system = factor::System { left_side, lower, unit_diagonal, transpose_a: *transpose_a };
                factor::solve_forward(self, node, system, y)
            }
            Op::GenericReduce { .. }
            | Op::GenericReduceWindow { .. }
            | Op::GenericSelectAndScatter { .. }
            | Op::GenericScatter { .. } => Err(self.e.any_function(node)),
            Op::While { .. } | Op::If { .. } | Op::Case { .. } | Op::Composite { .. } | Op::Sort { .. } => Ok(None),
        }
    }
}
