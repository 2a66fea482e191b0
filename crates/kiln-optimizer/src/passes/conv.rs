//! `convolution`: canonical forms of convolutions.
//!
//! - transposes of the input, the kernel and the result become dimension numbers;
//! - a convolution with 1x1 windows, without strides, padding and groups is a `dot_general`, when the result needs no
//!   transpose.

use crate::options::Level;
use crate::pass::Pass;
use crate::rewrite::{Rewriter, Sizes, inverse, sizes_of};
use kiln_ir::op::{ConvDims, DotDims};
use kiln_ir::{Node, Op, TensorType, Value};
use smallvec::smallvec;

/// See the module.
pub(crate) const PASS: Pass = Pass::of_rules("convolution", rule).on(|op| matches!(op, Op::Convolution(_)));

fn rule(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    match &node.op {
        Op::Convolution(c) => {
            let (x, k) = (node.operands[0], node.operands[1]);
            as_dot(rw, x, k, c, &node.types[0])
                .or_else(|| transposed_input(rw, x, k, c))
                .or_else(|| transposed_kernel(rw, x, k, c))
        }
        Op::Transpose(p) => transposed_result(rw, node.operands[0], p),
        _ => None,
    }
}

fn transposed_input(rw: &mut Rewriter, x: Value, k: Value, c: &ConvDims) -> Option<Value> {
    let (Op::Transpose(p), &[y]) = rw.op(x) else { return None };
    if !rw.single_use(x) {
        return None;
    }
    let dims = ConvDims {
        input_batch: p[c.input_batch],
        input_feature: p[c.input_feature],
        input_spatial: c.input_spatial.iter().map(|&d| p[d]).collect(),
        ..c.clone()
    };
    if !rw.fire("convolution of transpose", Level::Exact) {
        return None;
    }
    rw.push(Op::Convolution(Box::new(dims)), &[y, k])
}

fn transposed_kernel(rw: &mut Rewriter, x: Value, k: Value, c: &ConvDims) -> Option<Value> {
    let (Op::Transpose(p), &[y]) = rw.op(k) else { return None };
    if !rw.single_use(k) {
        return None;
    }
    let dims = ConvDims {
        kernel_input_feature: p[c.kernel_input_feature],
        kernel_output_feature: p[c.kernel_output_feature],
        kernel_spatial: c.kernel_spatial.iter().map(|&d| p[d]).collect(),
        ..c.clone()
    };
    if !rw.fire("convolution with transposed kernel", Level::Exact) {
        return None;
    }
    rw.push(Op::Convolution(Box::new(dims)), &[x, y])
}

fn transposed_result(rw: &mut Rewriter, x: Value, permutation: &[usize]) -> Option<Value> {
    let (Op::Convolution(c), &[a, k]) = rw.op(x) else { return None };
    if !rw.single_use(x) {
        return None;
    }
    let inv = inverse(permutation);
    let dims = ConvDims {
        output_batch: inv[c.output_batch],
        output_feature: inv[c.output_feature],
        output_spatial: c.output_spatial.iter().map(|&d| inv[d]).collect(),
        ..(**c).clone()
    };
    if !rw.fire("transpose of convolution", Level::Exact) {
        return None;
    }
    rw.push(Op::Convolution(Box::new(dims)), &[a, k])
}

/// Pointwise convolutions: every output element is the product of a vector of features with the kernel's matrix.
fn as_dot(rw: &mut Rewriter, x: Value, k: Value, c: &ConvDims, ty: &TensorType) -> Option<Value> {
    let plain = c.feature_group_count == 1 && c.batch_group_count == 1;
    let sizes = rw.sizes(x);
    let pointwise = c.window.iter().zip(&c.input_spatial).all(|(w, &d)| {
        w.size == 1 && w.stride == 1 && w.pad_low == 0 && w.pad_high == 0 && (w.base_dilation == 1 || sizes[d] <= 1)
    });
    if !plain || !pointwise {
        return None;
    }
    // The product has the input's dimensions but features in their order, then the output features.
    let place = |d: usize| {
        if d == c.input_batch {
            c.output_batch
        } else {
            let spatial = c.input_spatial.iter().position(|&s| s == d);
            spatial.map_or(c.output_feature, |s| c.output_spatial[s])
        }
    };
    let rank = sizes.len();
    let mut order: Sizes = (0..rank).filter(|&d| d != c.input_feature).map(place).collect();
    order.push(c.output_feature);
    let out = sizes_of(ty);
    let real: Sizes = order.iter().copied().filter(|&d| out[d] != 1).collect();
    if !crate::rewrite::is_ascending(&real) || !rw.fire("pointwise convolution", Level::Exact) {
        return None;
    }
    let kernel = rw.sizes(k);
    let (inputs, outputs) = (kernel[c.kernel_input_feature], kernel[c.kernel_output_feature]);
    let input_first = c.kernel_input_feature < c.kernel_output_feature;
    let k = rw.reshape(k, &if input_first { [inputs, outputs] } else { [outputs, inputs] })?;
    let dims = DotDims {
        lhs_contract: smallvec![c.input_feature],
        rhs_contract: smallvec![usize::from(!input_first)],
        ..DotDims::default()
    };
    let y = rw.push(Op::DotGeneral(dims), &[x, k])?;
    let y = if rw.dtype(y) == ty.dtype { y } else { rw.push(Op::Convert(ty.dtype), &[y])? };
    rw.reshape(y, &out)
}
