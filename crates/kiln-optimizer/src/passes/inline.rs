//! `inline_composites`: every composite becomes its body. A composite is a name and a derivative for people and for
//! autodiff; behind autodiff it only stands in the way.

use crate::context::Cx;
use crate::rewrite::{Values, contains, mapped, set_signature, take_node};
use kiln_ir::{Func, Node, NodeId, Op, Value};
use std::sync::Arc;

/// See the module.
pub(crate) fn run(func: Func, cx: &mut Cx) -> Func {
    if contains(&func, |op| matches!(op, Op::Composite { .. })) { inline(func, cx) } else { func }
}

fn inline(mut old: Func, cx: &mut Cx) -> Func {
    let mut new = Func::new(old.name.clone());
    let mut map: Vec<Values> = Vec::with_capacity(old.nodes().len());
    for i in 0..old.nodes().len() {
        cx.work += 1;
        let mut node = take_node(&mut old, NodeId(i as u32));
        for v in &mut node.operands {
            *v = mapped(&map, *v);
        }
        let values = match node.op {
            Op::Composite { body, .. } => {
                cx.require("composite");
                // A composite's own body first: its nodes land here without another visit.
                let body = inline(*body, cx);
                splice(&mut new, body, &node.operands, node.name.as_ref())
            }
            mut op => {
                for region in op.regions_mut() {
                    *region = inline(std::mem::take(region), cx);
                }
                let id = new.push_raw(Node { op, ..node });
                new.results(id).collect()
            }
        };
        map.push(values);
    }
    set_signature(&mut new, old.inputs, old.outputs, |v| mapped(&map, v));
    new
}

/// Appends the nodes of `body` with `args` for its inputs; gives its outputs. Names get `scope` in front.
pub(crate) fn splice(into: &mut Func, mut body: Func, args: &[Value], scope: Option<&Arc<str>>) -> Values {
    let mut map: Vec<Values> = Vec::with_capacity(body.nodes().len());
    for i in 0..body.nodes().len() {
        let mut node = take_node(&mut body, NodeId(i as u32));
        if let Op::Parameter(index) = node.op {
            map.push([args[index as usize]].into());
            continue;
        }
        for v in &mut node.operands {
            *v = mapped(&map, *v);
        }
        if let (Some(scope), Some(name)) = (scope, &node.name) {
            node.name = Some(format!("{scope}/{name}").into());
        }
        let id = into.push_raw(node);
        map.push(into.results(id).collect());
    }
    body.outputs.iter().map(|o| mapped(&map, o.value)).collect()
}
