//! What nodes cost: which are free, cheap, expensive, and how they index their operands.

use crate::model::FusionLimits;
use kiln_ir::{Func, Node, Op, Value};

/// True when a `reduce` or argmin/argmax folds exactly the trailing dimensions (not counting those of size 1).
pub(super) fn reduces_trailing(func: &Func, node: &Node) -> bool {
    let rank = func.ty(node.operands[0]).rank();
    let mut reduced = vec![false; rank];
    match &node.op {
        Op::Reduce { axes, .. } => axes.iter().for_each(|&a| reduced[a] = true),
        Op::ArgReduce { axis, .. } => reduced[*axis] = true,
        _ => return false,
    }
    let shape = &func.ty(node.operands[0]).shape;
    let flags: Vec<bool> = (0..rank).filter(|&d| shape[d].as_const() != Some(1)).map(|d| reduced[d]).collect();
    let first = flags.iter().position(|&r| r).unwrap_or(flags.len());
    flags[first..].iter().all(|&r| r)
}

/// True for a `select_and_scatter` whose windows tile the operand and are small: each window then writes all of its elements,
/// and what follows elementwise can be computed right there.
pub fn windows_tile(func: &Func, node: &Node, limits: &FusionLimits) -> bool {
    let Op::SelectAndScatter { window, .. } = &node.op else { return false };
    let (shape, windows) = (&func.ty(node.operands[0]).shape, &func.ty(node.operands[1]).shape);
    let count: i64 = window.dims.iter().map(|w| w.size).product();
    let tiled = window.dims.iter().enumerate().all(|(d, w)| {
        let covered = windows[d].as_const().map(|n| n * w.size);
        let plain = w.pad_low == 0 && w.pad_high == 0 && w.stride == w.size && w.window_dilation == 1;
        plain && covered == shape[d].as_const()
    });
    tiled && count <= limits.max_window
}

/// True for nodes whose result has the bytes of the first operand.
pub(super) fn is_alias(func: &Func, node: &Node) -> bool {
    match &node.op {
        Op::Reshape(_) | Op::OptimizationBarrier => true,
        Op::BitcastConvert(to) => func.ty(node.operands[0]).dtype.size() == to.size(),
        Op::Transpose(perm) => {
            let shape = &func.ty(node.operands[0]).shape;
            let moved: Vec<usize> = perm.iter().copied().filter(|&d| shape[d].as_const() != Some(1)).collect();
            moved.is_sorted()
        }
        Op::BroadcastInDim { dims, .. } => {
            func.ty(node.operands[0]).shape.num_elements() == node.types[0].shape.num_elements() && dims.is_sorted()
        }
        _ => false,
    }
}

/// Cost of one element of a node's own operator, in units of a simple vector instruction; expensive ones are at least
/// [`FusionLimits::expensive`].
pub(super) fn op_cost(node: &Node) -> u32 {
    match &node.op {
        Op::Unary(u) => u.cost(node.types[0].dtype),
        Op::Binary(b) => b.cost(node.types[0].dtype),
        Op::Compare(_) | Op::Select | Op::Convert(_) | Op::Iota { .. } | Op::Complex => 1,
        Op::Clamp => 2,
        Op::DynamicSlice { .. } | Op::Gather(_) => 2,
        Op::Concatenate(_) | Op::Pad { .. } => 3,
        Op::BitcastConvert(_) => 2,
        Op::ReducePrecision { .. } => 12,
        Op::Parameter(_)
        | Op::Constant(_)
        | Op::GetDimensionSize(_)
        | Op::BroadcastInDim { .. }
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Reverse(_)
        | Op::Slice { .. }
        | Op::Real
        | Op::Imag
        | Op::OptimizationBarrier => 0,
        // Never computed again.
        _ => 1000,
    }
}

/// What it would cost to compute a value again from memory.
#[derive(Clone, Default)]
pub(super) struct Recompute {
    /// Sum of the costs of the operators, saturating.
    pub cost: u32,
    /// The values in memory of at least 1/8 of the result's elements that are read; at most a few are kept.
    pub large: Vec<Value>,
    /// Number of smaller values read.
    pub small: u32,
}

impl Recompute {
    /// Adds a value of `elements` that is read for a result of `count`.
    pub fn read(&mut self, v: Value, elements: usize, count: usize) {
        if elements.saturating_mul(8) < count || elements <= 1 {
            self.small += 1;
        } else if self.large.len() < 3 && !self.large.contains(&v) {
            self.large.push(v);
        }
    }
    /// True when every consumer may as well compute the value itself.
    pub fn is_cheap(&self, limits: &FusionLimits) -> bool {
        self.cost < limits.expensive && self.large.len() <= 1 && self.small <= 4
    }
    /// True when computing the value reads (almost) nothing.
    pub fn is_free(&self, limits: &FusionLimits) -> bool {
        self.cost < limits.expensive && self.large.is_empty() && self.small <= 2
    }
}
