//! `fold_constants`: what depends on constants only is computed now, by the interpreter, within a budget of bytes and
//! operations.
//!
//! - Elementwise operators on tensors of equal elements are computed once and broadcast, whatever the size.
//! - Other operators on constants are computed when the result is not much larger than the operands. Broadcasts and
//!   counters (`iota`) are never written out: they cost nothing where they are used.

use crate::context::count_nodes;
use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::{Rewriter, elements, numel};
use kiln_ir::op::Effects;
use kiln_ir::{Node, Op, Tensor, Value};
use smallvec::SmallVec;

/// A folded constant may be this much larger than the constants it comes from.
const GROWTH_BYTES: usize = 256;

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("fold_constants", rule);

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    if node.operands.is_empty() || !foldable(&node.op) {
        return None;
    }
    equal_elements(rw, node).or_else(|| constants(rw, node))
}

/// Whether the operator may be computed now: it has no effects, takes a known time, and is not in its canonical form.
fn foldable(op: &Op) -> bool {
    op.effects() == Effects::Pure && !matches!(op, Op::BroadcastInDim { .. } | Op::RngBitGenerator { .. })
}

/// Elementwise on equal elements: one computation.
fn equal_elements(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let elementwise = match node.op {
        Op::BitcastConvert(to) => rw.dtype(node.operands[0]).size() == to.size(),
        _ => node.op.is_elementwise(),
    };
    if !elementwise {
        return None;
    }
    let args: SmallVec<[Tensor; 3]> =
        node.operands.iter().map(|&v| rw.splat_tensor(v)?.reshape([]).ok()).collect::<Option<_>>()?;
    let result = kiln_interp::eval_op(&node.op, &args).ok()?.into_iter().next()?;
    if !rw.fire("fold equal elements", Level::Exact) {
        return None;
    }
    let s = rw.constant(result);
    rw.broadcast_scalar(s, &node.types[0].shape)
}

/// The constant that a value is, and its bytes as it is stored now. Broadcast scalars are written out for the moment.
fn constant_operand(rw: &Rewriter, v: Value, limit: usize) -> Option<(Tensor, usize)> {
    if let Op::Constant(t) = rw.op(v).0 {
        return Some((t.clone(), t.bytes().len()));
    }
    let s = rw.splat_tensor(v)?;
    let sizes = rw.sizes(v);
    if elements(&sizes).checked_mul(s.dtype().size())? > limit {
        return None;
    }
    Some((Tensor::from_bytes(s.dtype(), &sizes, &s.bytes().repeat(elements(&sizes))).ok()?, s.bytes().len()))
}

/// Operators on constants, within the budget.
fn constants(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let is_constant = |v: &Value| matches!(rw.op(*v).0, Op::Constant(_)) || rw.splat_tensor(*v).is_some();
    if !node.operands.iter().all(is_constant) {
        return None;
    }
    let bytes = node.types[0].num_bytes()?;
    let stored: usize = node.operands.iter().map(|v| stored_bytes(rw, *v)).sum();
    let flops = work(rw, node);
    if bytes > stored.saturating_add(GROWTH_BYTES) || bytes as u64 > rw.cx.fold_bytes || flops > rw.cx.fold_flops {
        return None;
    }
    let limit = stored.saturating_mul(4).saturating_add(4 * GROWTH_BYTES);
    let args: Vec<Tensor> =
        node.operands.iter().map(|v| constant_operand(rw, *v, limit).map(|c| c.0)).collect::<Option<_>>()?;
    let result = kiln_interp::eval_op(&node.op, &args).ok()?.into_iter().next()?;
    if !rw.fire("fold constants", Level::Exact) {
        return None;
    }
    rw.cx.fold_bytes -= bytes as u64;
    rw.cx.fold_flops -= flops;
    Some(rw.constant(result))
}

fn stored_bytes(rw: &Rewriter, v: Value) -> usize {
    match rw.op(v).0 {
        Op::Constant(t) => t.bytes().len(),
        _ => rw.splat_tensor(v).map_or(0, |t| t.bytes().len()),
    }
}

/// An estimate of the scalar operations of a node.
pub(crate) fn work(rw: &Rewriter, node: &Node) -> u64 {
    let out = numel(&node.types[0]) as u64;
    let input: u64 = node.operands.iter().map(|v| numel(rw.ty(*v)) as u64).sum();
    let per_element: u64 = match &node.op {
        Op::DotGeneral(d) => {
            let sizes = rw.sizes(node.operands[0]);
            d.lhs_contract.iter().map(|&i| sizes[i] as u64).fold(2, u64::saturating_mul)
        }
        Op::Convolution(c) => {
            let sizes = rw.sizes(node.operands[1]);
            let features = sizes[c.kernel_input_feature] as u64;
            c.kernel_spatial.iter().map(|&i| sizes[i] as u64).fold(2 * features, u64::saturating_mul)
        }
        Op::ReduceWindow { window, .. } | Op::SelectAndScatter { window, .. } => {
            window.dims.iter().map(|d| d.size.unsigned_abs()).fold(1, u64::saturating_mul)
        }
        // Every element runs the nested function a few times.
        Op::GenericReduce { .. } | Op::GenericReduceWindow { .. } | Op::GenericScatter { .. } | Op::Sort { .. } => {
            let nodes = node.op.regions().into_iter().map(count_nodes).sum::<usize>() as u64;
            return input.saturating_mul(nodes.saturating_mul(64));
        }
        Op::GenericSelectAndScatter { .. } | Op::Fft { .. } | Op::Cholesky { .. } | Op::TriangularSolve { .. } => {
            return input.saturating_mul(input);
        }
        _ => 1,
    };
    out.saturating_mul(per_element).saturating_add(input)
}
