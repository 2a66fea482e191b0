//! Reverse mode: one walk from the outputs back, appending what computes the cotangents.

use crate::activity::{active_values, node_id};
use crate::emit::{Emit, Res};
use crate::generated::elementwise as derivatives;
use crate::{
    Derivatives, branches, complex, contract, elementwise, factor, fourier, gather, loops, movement, reduce, sort,
    window,
};
use kiln_ir::op::{Reducer, ScatterDims, ScatterUpdate};
use kiln_ir::{Func, Loc, Node, NodeId, Op, UnaryOp, Value};
use std::collections::{HashMap, HashSet};

/// The state of one walk.
pub(crate) struct Reverse<'f> {
    pub(crate) e: Emit<'f>,
    /// Cotangents gathered so far.
    cts: HashMap<Value, Value>,
    /// Values that the walk's `wrt` influence.
    active: HashSet<Value>,
    /// Loops that were built again with saved states.
    pub(crate) replaced: Vec<(NodeId, NodeId)>,
}

/// Pulls cotangents of outputs back to `wrt`, through the nodes `from..`.
pub(crate) fn walk(f: &mut Func, from: usize, outputs: &[(Value, Value)], wrt: &[Value]) -> Res<Derivatives> {
    let active = active_values(f, from, wrt.iter().copied());
    let mut r = Reverse { e: Emit { f, loc: Loc::UNKNOWN }, cts: HashMap::new(), active, replaced: Vec::new() };
    let mut last = from;
    for (out, ct) in outputs {
        if r.wants(*out) {
            r.e.loc = r.e.f.node(out.node).loc.clone();
            r.add(*out, *ct)?;
            last = last.max(out.node.index() + 1);
        }
    }
    // Nodes below all of `wrt` cannot be active; wanted cotangents at or before `from` are only collected.
    for index in (from..last).rev() {
        let id = node_id(index);
        let has_ct = r.e.f.results(id).any(|v| r.cts.contains_key(&v));
        if has_ct && r.e.f.node(id).operands.iter().any(|v| r.active.contains(v)) {
            let node = r.e.f.node(id).clone();
            r.e.loc = node.loc.clone();
            r.node(id, &node).map_err(|d| d.at(&node.loc))?;
        }
    }
    Ok(Derivatives { values: wrt.iter().map(|v| r.cts.get(v).copied()).collect(), replaced: r.replaced })
}

impl Reverse<'_> {
    /// True when the cotangent of `v` is of use.
    pub(crate) fn wants(&self, v: Value) -> bool {
        self.active.contains(&v)
    }

    /// The cotangent gathered for a value.
    pub(crate) fn ct(&self, v: Value) -> Option<Value> {
        self.cts.get(&v).copied()
    }

    /// The cotangent of a value, zeros if none arrived.
    pub(crate) fn ct_or_zeros(&mut self, v: Value) -> Res {
        match self.ct(v) {
            Some(ct) => Ok(ct),
            None => {
                let ty = self.e.f.ty(v).clone();
                self.e.zeros(&ty)
            }
        }
    }

    /// Adds to the cotangent of a value, if it is of use.
    pub(crate) fn add(&mut self, v: Value, ct: Value) -> Res<()> {
        if !self.wants(v) {
            return Ok(());
        }
        debug_assert_eq!(self.e.f.ty(v), self.e.f.ty(ct), "a cotangent has its value's type");
        let sum = match self.ct(v) {
            Some(have) => self.e.add(have, ct)?,
            None => ct,
        };
        self.cts.insert(v, sum);
        Ok(())
    }

    /// Adds `g` to the part of `v`'s cotangent that starts at these indices, without touching the rest: linear over a loop
    /// that visits all parts.
    pub(crate) fn add_part(&mut self, v: Value, g: Value, starts: &[Value]) -> Res<()> {
        if !self.wants(v) {
            return Ok(());
        }
        let (base, part) = match self.ct(v) {
            Some(have) => {
                let sizes = self.e.f.ty(g).shape.clone();
                let operands: Vec<Value> = [have].iter().chain(starts).copied().collect();
                let there = self.e.op(Op::DynamicSlice { sizes }, &operands)?;
                (have, self.e.add(there, g)?)
            }
            None => (self.ct_or_zeros(v)?, g),
        };
        let operands: Vec<Value> = [base, part].iter().chain(starts).copied().collect();
        let ct = self.e.op(Op::DynamicUpdateSlice, &operands)?;
        self.cts.insert(v, ct);
        Ok(())
    }

    /// Adds scattered `g` to `v`'s cotangent.
    pub(crate) fn add_scattered(&mut self, v: Value, g: Value, indices: Value, dims: ScatterDims) -> Res<()> {
        if !self.wants(v) {
            return Ok(());
        }
        let base = self.ct_or_zeros(v)?;
        let op = Op::Scatter { dims: Box::new(dims), update: ScatterUpdate::Combine(Reducer::Add) };
        let ct = self.e.op(op, &[base, indices, g])?;
        self.cts.insert(v, ct);
        Ok(())
    }

    /// Differentiates a node through nodes `from..`, which compute the same `outputs` from the same operands.
    pub(crate) fn through(&mut self, from: usize, outputs: &[(Value, Value)], operands: &[Value]) -> Res<()> {
        let mut wanted: Vec<Value> = Vec::new();
        for v in operands {
            if self.wants(*v) && !wanted.contains(v) {
                wanted.push(*v);
            }
        }
        let walked = walk(self.e.f, from, outputs, &wanted)?;
        self.replaced.extend(walked.replaced);
        for (v, ct) in wanted.into_iter().zip(walked.values) {
            if let Some(ct) = ct {
                self.add(v, ct)?;
            }
        }
        Ok(())
    }

    /// Pulls the cotangents of a node's results back to its operands.
    fn node(&mut self, id: NodeId, node: &Node) -> Res<()> {
        let y = Value::from(id);
        let x = &node.operands[..];
        match &node.op {
            Op::While { cond, body } => return loops::backward(self, id, node, cond, body),
            Op::If { .. } | Op::Case { .. } => return branches::backward(self, id, node),
            Op::Sort { .. } => return sort::backward(self, id, node),
            Op::GenericReduce { .. } | Op::GenericReduceWindow { .. } | Op::GenericScatter { .. } => {
                // Of several results none may have a cotangent.
                let given = self.e.f.results(id).any(|v| self.ct(v).is_some());
                return if given { Err(self.e.any_function(node)) } else { Ok(()) };
            }
            Op::Composite { body, vjp, .. } => {
                return branches::composite_backward(self, id, node, body, vjp.as_deref());
            }
            _ => {}
        }
        let Some(g) = self.ct(y) else { return Ok(()) };
        match &node.op {
            Op::Unary(UnaryOp::Abs) if self.e.is_complex(x[0]) => {
                let ct = complex::abs_backward(&mut self.e, x[0], g)?;
                self.add(x[0], ct)?;
            }
            Op::Unary(UnaryOp::Sign) if self.e.is_complex(x[0]) => {
                let ct = complex::sign(&mut self.e, x[0], y, g, false)?;
                self.add(x[0], ct)?;
            }
            Op::Unary(op) => {
                if let Some(ct) = derivatives::unary(&mut self.e, *op, x[0], y, g)? {
                    self.add(x[0], ct)?;
                }
            }
            Op::Binary(op) => {
                for which in 0..2 {
                    if self.wants(x[which])
                        && let Some(ct) = derivatives::binary(&mut self.e, *op, which, [x[0], x[1]], y, g)?
                    {
                        self.add(x[which], ct)?;
                    }
                }
            }
            Op::Select => {
                if self.wants(x[1]) {
                    let ct = self.e.keep(x[0], g)?;
                    self.add(x[1], ct)?;
                }
                if self.wants(x[2]) {
                    let ct = self.e.drop(x[0], g)?;
                    self.add(x[2], ct)?;
                }
            }
            Op::Clamp => {
                for which in 0..3 {
                    if self.wants(x[which]) {
                        let part = elementwise::clamp(&mut self.e, which, x, g)?;
                        let scalar = self.e.f.ty(x[which]).rank() == 0;
                        let ct = if scalar { self.e.sum_all(part)? } else { part };
                        self.add(x[which], ct)?;
                    }
                }
            }
            Op::Convert(_) => {
                let ct = self.e.convert(g, self.e.f.ty(x[0]).dtype)?;
                self.add(x[0], ct)?;
            }
            Op::OptimizationBarrier => {
                let ct = self.e.op(Op::OptimizationBarrier, &[g])?;
                self.add(x[0], ct)?;
            }
            Op::BitcastConvert(_) => {
                return Err(self
                    .e
                    .error(node, "the bits of a float do not vary smoothly")
                    .help("put `stop_gradient` around the operand if no gradient is meant to flow"));
            }
            Op::BroadcastInDim { .. }
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Reverse(_)
            | Op::Slice { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Concatenate(_)
            | Op::Pad { .. } => movement::backward(self, node, g)?,
            Op::DotGeneral(dims) => contract::dot_backward(self, node, dims, g)?,
            Op::Convolution(dims) => contract::conv_backward(self, node, dims, g)?,
            Op::Reduce { axes, reducer } => reduce::backward(self, node, axes, *reducer, y, g)?,
            Op::ReduceWindow { window, reducer } => window::backward(self, node, window, *reducer, y, g)?,
            Op::SelectAndScatter { .. } => window::select_and_scatter_backward(self, node, g)?,
            Op::Gather(dims) => gather::gather_backward(self, node, dims, g)?,
            Op::Scatter { dims, update } => gather::scatter_backward(self, node, dims, *update, y, g)?,
            // No gradient flows into or out of these.
            Op::Parameter(_)
            | Op::Constant(_)
            | Op::Iota { .. }
            | Op::Compare(_)
            | Op::GetDimensionSize(_)
            | Op::ArgReduce { .. }
            | Op::RngBitGenerator { .. } => {}
            Op::Complex => {
                for (v, ct) in x.iter().zip(complex::parts_of_cotangent(&mut self.e, g)?) {
                    self.add(*v, ct)?;
                }
            }
            Op::Real | Op::Imag => {
                let ct = complex::part_backward(&mut self.e, node.op == Op::Imag, g)?;
                self.add(x[0], ct)?;
            }
            Op::ReducePrecision { .. } => {
                let ct = self.e.op(node.op.clone(), &[g])?;
                self.add(x[0], ct)?;
            }
            Op::Fft { kind, length, .. } => {
                let ct = fourier::backward(&mut self.e, node, *kind, length, g)?;
                self.add(x[0], ct)?;
            }
            Op::Cholesky { lower, .. } => factor::cholesky_backward(self, node, *lower, y, g)?,
            Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, .. } => {
                let (left_side, lower, unit_diagonal) = (*left_side, *lower, *unit_diagonal);
                let system = factor::System { left_side, lower, unit_diagonal, transpose_a: *transpose_a };
                factor::solve_backward(self, node, system, y, g)?;
            }
            Op::GenericReduce { .. }
            | Op::GenericReduceWindow { .. }
            | Op::GenericSelectAndScatter { .. }
            | Op::GenericScatter { .. } => return Err(self.e.any_function(node)),
            Op::While { .. } | Op::If { .. } | Op::Case { .. } | Op::Composite { .. } | Op::Sort { .. } => {}
        }
        Ok(())
    }
}
