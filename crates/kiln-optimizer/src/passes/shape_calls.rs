//! Shapes the operands of dots and convolutions as calls of library kernels want them (see [`kiln_ir::CallShapes`]).

use crate::context::Cx;
use crate::pass::Pass;
use kiln_ir::layout::{contraction, free_axes};
use kiln_ir::op::{Axes, DotDims};
use kiln_ir::rewrite::{New, try_walk};
use kiln_ir::{Diagnostic, Diagnostics, Func, Node, Op, Shape, Value};
use smallvec::SmallVec;

pub(crate) const PASS: Pass =
    Pass::fallible("shape_calls", run).on(|op| matches!(op, Op::DotGeneral(_) | Op::Convolution(_)));

fn run(func: Func, cx: &mut Cx) -> Result<Func, Diagnostics> {
    Ok(rewrite(func, cx)?)
}

fn rewrite(func: Func, cx: &mut Cx) -> Result<Func, Diagnostic> {
    let shapes = cx.options.calls;
    try_walk(func, |new, mut node| {
        cx.work += 1;
        node.try_map_regions(|region| rewrite(region, cx))?;
        if matches!(node.op, Op::DotGeneral(_) | Op::Convolution(_)) {
            if shapes.one_dtype && unify_dtypes(new, &mut node)? {
                cx.require("operands of a call converted");
            }
            if shapes.linear_contraction && make_contraction_linear(new, &mut node)? {
                cx.require("contraction of a dot made linear");
            }
        }
        Ok(new.keep(node))
    })
}

/// Converts the operands to the result's element type where they differ. True when something did.
fn unify_dtypes(new: &mut New, node: &mut Node) -> Result<bool, Diagnostic> {
    let dtype = node.types[0].dtype;
    let mut changed = false;
    for v in &mut node.operands {
        if new.ty(*v).dtype != dtype {
            *v = new.push1(Op::Convert(dtype), &[*v], node.loc.clone())?;
            changed = true;
        }
    }
    Ok(changed)
}

fn sizes(func: &Func, v: Value) -> SmallVec<[usize; 4]> {
    func.ty(v).shape.as_sizes().expect("the optimizer takes static functions only")
}

/// When the contracted dimensions cannot be walked with one stride per operand, transposes both operands to
/// `[batch..., free..., contracted...]` and `[batch..., contracted..., free...]` with the contraction merged.
fn make_contraction_linear(new: &mut New, node: &mut Node) -> Result<bool, Diagnostic> {
    let Op::DotGeneral(dims) = &node.op else { return Ok(false) };
    let of = |i: usize| sizes(new, node.operands[i]);
    if contraction(dims, &of(0), &of(1)).len() <= 1 {
        return Ok(false);
    }
    let dims = dims.clone();
    let mut side = |v: Value, batch: &Axes, contract: &Axes, last: bool| -> Result<(Value, usize), Diagnostic> {
        let sizes = sizes(new, v);
        let free = free_axes(sizes.len(), batch, contract);
        let order: Axes = match last {
            true => batch.iter().chain(&free).chain(contract).copied().collect(),
            false => batch.iter().chain(contract).chain(&free).copied().collect(),
        };
        let v = new.push1(Op::Transpose(order), &[v], node.loc.clone())?;
        let product: usize = contract.iter().map(|&d| sizes[d]).product();
        let pick = |axes: &Axes| axes.iter().map(|&d| sizes[d]).collect::<Vec<_>>();
        let shape = match last {
            true => [pick(batch), pick(&free), vec![product]].concat(),
            false => [pick(batch), vec![product], pick(&free)].concat(),
        };
        let at = if last { shape.len() - 1 } else { batch.len() };
        Ok((new.push1(Op::Reshape(Shape::from(shape)), &[v], node.loc.clone())?, at))
    };
    let (lhs, l) = side(node.operands[0], &dims.lhs_batch, &dims.lhs_contract, true)?;
    let (rhs, r) = side(node.operands[1], &dims.rhs_batch, &dims.rhs_contract, false)?;
    let leading: Axes = (0..dims.lhs_batch.len()).collect();
    node.operands = SmallVec::from_slice(&[lhs, rhs]);
    node.op = Op::DotGeneral(DotDims {
        lhs_batch: leading.clone(),
        rhs_batch: leading,
        lhs_contract: Axes::from_slice(&[l]),
        rhs_contract: Axes::from_slice(&[r]),
        result: dims.result,
    });
    Ok(true)
}
