//! Chains of one associative operator with constants: `(x op c) op d` is `x op (c op d)`.

use super::binary::reducer_of;
use crate::options::Level;
use crate::rewrite::Rewriter;
use kiln_ir::{BinaryOp, Op, TensorType, Value};

/// Whether regrouping keeps every bit: integers always, floats for minimum and maximum only.
fn level(op: BinaryOp, ty: &TensorType) -> Level {
    if op.associative_types().contains(ty.dtype) { Level::Exact } else { Level::Contract }
}

/// The splat of two splats combined.
fn fold_splats(rw: &mut Rewriter, op: BinaryOp, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    let scalar = |rw: &Rewriter, v: Value| rw.splat_tensor(v)?.reshape([]).ok();
    let args = [scalar(rw, a)?, scalar(rw, b)?];
    let result = kiln_interp::eval_op(&Op::Binary(op), &args).ok()?.into_iter().next()?;
    let s = rw.constant(result);
    rw.broadcast_scalar(s, &ty.shape)
}

/// Two constants of a chain combine; a constant in the left operand moves outwards to meet others.
pub fn chain(rw: &mut Rewriter, op: BinaryOp, a: Value, b: Value, ty: &TensorType) -> Option<Value> {
    reducer_of(op)?;
    let same = |rw: &Rewriter, v: Value| match rw.op(v) {
        (Op::Binary(inner), &[x, y]) if *inner == op => Some((x, y)),
        _ => None,
    };
    if rw.is_constant_like(b) {
        let (x, c) = same(rw, a)?;
        // Constants of unlike shape (a splat and a tensor) may make a new big constant: left to folding's budget.
        let both = rw.lit(b).is_some() && rw.lit(c).is_some() && !rw.is_constant_like(x);
        if !both || !rw.fire("constants of a chain", level(op, ty)) {
            return None;
        }
        let c = fold_splats(rw, op, c, b, ty)?;
        return rw.push(Op::Binary(op), &[x, c]);
    }
    // (x op c) op y is (x op y) op c. Only where the inner result has no other use, or there would be more work.
    for (v, other) in [(a, b), (b, a)] {
        if let Some((x, c)) = same(rw, v)
            && rw.lit(c).is_some()
            && !rw.is_constant_like(x)
            && rw.single_use(v)
            && rw.fire("constant of a chain outwards", level(op, ty))
        {
            let inner = rw.push(Op::Binary(op), &[x, other])?;
            return rw.push(Op::Binary(op), &[inner, c]);
        }
    }
    // x max (x max y) is x max y.
    if op.is_idempotent() {
        for (v, other) in [(a, b), (b, a)] {
            if same(rw, v).is_some_and(|(x, y)| x == other || y == other) {
                return rw.exact("operand twice in a chain", v);
            }
        }
    }
    None
}
