//! Operators with nested functions.

use super::build::Build;
use super::signature::{Order, legalize_nested};
use super::{Rep, Reps, Site, class};
use crate::context::Cx;
use kiln_ir::{Diagnostic, Func, Op};

impl Build {
    /// Operands and results are as many as the values that stand for them; nested functions follow.
    pub(super) fn with_regions(&mut self, site: &Site, cx: &mut Cx) -> Result<Reps, Diagnostic> {
        let op = legalized(&site.node.op, site, cx)?;
        let values = self.push_all(op, &site.flat())?;
        let mut values = values.into_iter();
        let mut next = || values.next().ok_or_else(|| site.unsupported());
        (site.node.types.iter())
            .map(|t| Ok(if t.dtype.is_complex() { Rep::Pair([next()?, next()?]) } else { Rep::One(next()?) }))
            .collect()
    }
}

fn boxed(f: &Func, cx: &mut Cx) -> Result<Box<Func>, Diagnostic> {
    legalize_nested(f, Order::Natural, cx).map(Box::new)
}

fn legalized(op: &Op, site: &Site, cx: &mut Cx) -> Result<Op, Diagnostic> {
    Ok(match op {
        Op::While { cond, body } => Op::While { cond: boxed(cond, cx)?, body: boxed(body, cx)? },
        Op::If { on_true, on_false } => Op::If { on_true: boxed(on_true, cx)?, on_false: boxed(on_false, cx)? },
        Op::Case { branches } => {
            let branches = branches.iter().map(|b| legalize_nested(b, Order::Natural, cx)).collect::<Result<_, _>>()?;
            Op::Case { branches }
        }
        // The derivative was taken before.
        Op::Composite { name, body, .. } => Op::Composite { name: name.clone(), body: boxed(body, cx)?, vjp: None },
        Op::GenericReduce { axes, body } => Op::GenericReduce { axes: axes.clone(), body: boxed(body, cx)? },
        Op::GenericReduceWindow { window, body } => {
            Op::GenericReduceWindow { window: window.clone(), body: boxed(body, cx)? }
        }
        Op::GenericScatter { dims, body } => Op::GenericScatter { dims: dims.clone(), body: boxed(body, cx)? },
        Op::GenericSelectAndScatter { window, select, scatter } => {
            // One tensor is selected from; the parts of complex numbers would be two.
            if class(site.dtype()) == super::Class::Complex {
                return Err(site.unsupported());
            }
            Op::GenericSelectAndScatter {
                window: window.clone(),
                select: boxed(select, cx)?,
                scatter: boxed(scatter, cx)?,
            }
        }
        Op::Sort { dim, stable, comparator } => {
            let n = comparator.inputs.len() - site.types.len();
            let comparator = Box::new(legalize_nested(comparator, Order::Pairs(n), cx)?);
            Op::Sort { dim: *dim, stable: *stable, comparator }
        }
        _ => return Err(site.unsupported()),
    })
}
