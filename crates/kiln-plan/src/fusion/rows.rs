//! How a kernel's iteration space indexes the values computed in it.

use super::cost::{is_alias, reduces_trailing};
use super::elements;
use kiln_ir::op::Window;
use kiln_ir::{Func, Node, Op};

/// Where the elements of a value are needed in a kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    /// The value has this many elements, and an iteration needs the one whose number is the leading part of the iteration's
    /// number: all elements for `rows * cols` (or an elementwise kernel's count), one per row for `rows`, one for 1.
    Lead(usize),
    /// The same within the operand of reductions over other than the trailing dimensions.
    Operand(usize),
    /// Elsewhere, but every element at most once.
    Once,
    /// Elsewhere, elements perhaps several times.
    Many,
}

impl At {
    /// Where a value is needed that is needed in two places.
    pub fn join(self, other: At) -> At {
        if self == other { self } else { At::Many }
    }
}

/// Where operand `i` of a node is needed when the node is needed `at`; `None` when it has to lie in memory.
pub(super) fn operand_at(func: &Func, node: &Node, at: At, i: usize) -> Option<At> {
    let operand = node.operands[i];
    let count = elements(func, operand);
    let moved = match at {
        At::Many => At::Many,
        At::Lead(_) | At::Operand(_) | At::Once => At::Once,
    };
    let scalar = At::Lead(1);
    match &node.op {
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Convert(_)
        | Op::Complex
        | Op::Real
        | Op::Imag
        | Op::ReducePrecision { .. } => Some(at),
        Op::Select | Op::Clamp => {
            let whole = func.ty(operand).rank() == node.types[0].rank();
            Some(if whole { at } else { scalar })
        }
        Op::Reshape(_) | Op::OptimizationBarrier => Some(at),
        Op::BroadcastInDim { dims, .. } => {
            if is_alias(func, node) {
                return Some(at);
            }
            if count == 1 {
                return Some(scalar);
            }
            let prefix = leads(func, node, dims);
            Some(match at {
                At::Lead(_) if prefix => At::Lead(count),
                At::Operand(_) if prefix => At::Operand(count),
                _ => At::Many,
            })
        }
        Op::Transpose(_) | Op::BitcastConvert(_) if is_alias(func, node) => Some(at),
        Op::Transpose(_) | Op::Reverse(_) | Op::Slice { .. } | Op::BitcastConvert(_) => Some(moved),
        Op::DynamicSlice { .. } => Some(if i == 0 { moved } else { scalar }),
        Op::Pad { .. } => Some(if i == 0 { moved } else { scalar }),
        Op::Concatenate(_) => Some(moved),
        Op::Gather(_) => Some(At::Many),
        Op::Reduce { .. } | Op::ArgReduce { .. } => {
            if i == 1 {
                return Some(scalar);
            }
            Some(match at {
                At::Lead(_) if reduces_trailing(func, node) => At::Lead(count),
                At::Lead(_) => At::Operand(count),
                At::Operand(_) | At::Once | At::Many => At::Many,
            })
        }
        _ => operand_of_root_at(node, moved, i),
    }
}

/// [`operand_at`] for operators over windows and those that govern a kernel.
fn operand_of_root_at(node: &Node, moved: At, i: usize) -> Option<At> {
    let scalar = At::Lead(1);
    match &node.op {
        Op::ReduceWindow { window, .. } => match i {
            1 => Some(scalar),
            _ => apart(window).then_some(moved),
        },
        Op::SelectAndScatter { window, .. } | Op::GenericSelectAndScatter { window, .. } => match i {
            0 => window.dims.iter().all(|w| w.stride >= w.size && w.window_dilation == 1).then_some(At::Once),
            1 => Some(At::Once),
            _ => Some(scalar),
        },
        // Tensors first, then initial values and captures.
        Op::GenericReduce { body, .. } => Some(if i < body.outputs.len() { moved } else { scalar }),
        Op::GenericReduceWindow { window, body } => match i < body.outputs.len() {
            true => apart(window).then_some(moved),
            false => Some(scalar),
        },
        Op::GenericScatter { body, .. } => match i.cmp(&body.outputs.len()) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(At::Many),
            std::cmp::Ordering::Greater => Some(if i <= 2 * body.outputs.len() { At::Once } else { scalar }),
        },
        // Few operands are moved themselves, and loaded once; of more a permutation is sorted.
        Op::Sort { .. } => match node.types.len() {
            n if i >= n => Some(scalar),
            ..=3 => Some(moved),
            _ => None,
        },
        Op::DynamicUpdateSlice => match i {
            0 => None,
            1 => Some(At::Once),
            _ => Some(scalar),
        },
        Op::Scatter { .. } => match i {
            0 => None,
            1 => Some(At::Many),
            _ => Some(At::Once),
        },
        _ => None,
    }
}

/// True when no two windows share an element.
fn apart(window: &Window) -> bool {
    window.dims.iter().all(|w| w.stride >= w.size && w.window_dilation == 1 && w.base_dilation == 1)
}

/// True when a broadcast repeats its operand along trailing dimensions only.
fn leads(func: &Func, node: &Node, dims: &[usize]) -> bool {
    let shape = &node.types[0].shape;
    let from = &func.ty(node.operands[0]).shape;
    let target: Vec<usize> = (0..shape.rank()).filter(|d| shape[*d].as_const() != Some(1)).collect();
    let source: Vec<usize> =
        dims.iter().enumerate().filter(|(i, _)| from[*i].as_const() != Some(1)).map(|(_, &d)| d).collect();
    target.starts_with(&source)
}
