//! Nested functions whose arguments are known.

use kiln_ir::rewrite::walk;
use kiln_ir::{Func, Node, Op, Shape, Tensor};
use smallvec::{SmallVec, smallvec};

/// A constant, possibly broadcast, as it can be written again in another function.
#[derive(Clone)]
pub(crate) struct Known {
    pub value: Tensor,
    pub broadcast: Option<Shape>,
}

/// Puts constants in the place of parameters, which stay but are unused. Outputs that are such a parameter stay that, if asked
/// for.
pub(crate) fn bind(old: Func, values: &[Option<Known>], keep_outputs: bool) -> Func {
    let passed: SmallVec<[Option<usize>; 8]> = (old.outputs.iter())
        .map(|o| match old.node(o.value.node).op {
            Op::Parameter(i) if keep_outputs => Some(i as usize),
            _ => None,
        })
        .collect();
    let mut new = walk(old, |new, node| {
        let known = match node.op {
            Op::Parameter(i) => values[i as usize].as_ref(),
            _ => None,
        };
        let Some(known) = known else { return new.keep(node) };
        let (types, loc) = (node.types.clone(), node.loc.clone());
        new.keep(node);
        let constant = new.constant(known.value.clone(), loc.clone());
        match &known.broadcast {
            None => smallvec![constant],
            Some(shape) => {
                let op = Op::BroadcastInDim { shape: shape.clone(), dims: SmallVec::new() };
                new.keep(Node { op, operands: smallvec![constant], types, loc, name: None })
            }
        }
    });
    for (o, passed) in passed.into_iter().enumerate() {
        if let Some(i) = passed {
            new.outputs[o].value = new.inputs[i].node.into();
        }
    }
    new
}
