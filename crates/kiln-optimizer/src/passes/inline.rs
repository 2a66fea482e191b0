//! `inline_composites`: every composite becomes its body. A composite is a name and a derivative for people and for
//! autodiff; behind autodiff it only stands in the way.

use crate::context::Cx;
use crate::pass::Pass;
use kiln_ir::rewrite::walk;
use kiln_ir::{Func, Op};

/// See the module.
pub(crate) const PASS: Pass = Pass::new("inline_composites", inline).on(|op| matches!(op, Op::Composite { .. }));

fn inline(old: Func, cx: &mut Cx) -> Func {
    walk(old, |new, mut node| {
        cx.work += 1;
        match node.op {
            Op::Composite { body, .. } => {
                cx.require("composite");
                // A composite's own body first: its nodes land here without another visit.
                let body = inline(*body, cx);
                new.splice(body, &node.operands, node.name.as_ref())
            }
            _ => {
                node.map_regions(|region| inline(region, cx));
                new.keep(node)
            }
        }
    })
}
