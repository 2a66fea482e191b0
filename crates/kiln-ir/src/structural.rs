//! Structural hashes and equality of operators and nested functions: names and source lines do not count.

use crate::func::Func;
use crate::op::{Attribute, AttributeValue, Op};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// At most this many bytes at each end of a constant are hashed; equality compares all of them.
const HASHED_BYTES: usize = 1024;

/// Hashes an operator with its attributes, as far as they count.
pub fn hash_op(op: &Op, h: &mut impl Hasher) {
    op.kind().hash(h);
    op.attributes(&mut |a| {
        if a.counts {
            hash_value(a.value, h);
        }
    });
}

fn hash_value(value: AttributeValue<'_>, h: &mut impl Hasher) {
    match value {
        AttributeValue::Int(n) => n.hash(h),
        AttributeValue::Axes(axes) => axes.hash(h),
        AttributeValue::AxesPair(pair) => pair.hash(h),
        AttributeValue::Ints(ints) => ints.hash(h),
        AttributeValue::Sizes(sizes) => sizes.hash(h),
        AttributeValue::Bounds { start, limit, strides } => (start, limit, strides).hash(h),
        AttributeValue::Windows(windows) => windows.hash(h),
        AttributeValue::Labels(labels) => labels.hash(h),
        AttributeValue::Flag(on) => on.hash(h),
        AttributeValue::Word(text) | AttributeValue::String(text) => text.hash(h),
        AttributeValue::DType(dtype) => dtype.hash(h),
        AttributeValue::Type(ty) => ty.hash(h),
        AttributeValue::Tensor(t) => hash_tensor(t, h),
        AttributeValue::Function(f) => hash_outline(f, h),
        AttributeValue::Functions(functions) => functions.iter().for_each(|f| hash_outline(f, h)),
    }
}

fn hash_tensor(t: &Tensor, h: &mut impl Hasher) {
    let bytes = t.bytes();
    (t.dtype(), t.shape()).hash(h);
    bytes[..bytes.len().min(HASHED_BYTES)].hash(h);
    bytes[bytes.len().saturating_sub(HASHED_BYTES)..].hash(h);
}

/// Hashes a nested function without what is nested in it: hashing all of it at every level would be quadratic in depth.
fn hash_outline(f: &Func, h: &mut impl Hasher) {
    f.nodes().len().hash(h);
    for n in f.nodes() {
        if !n.op.has_functions() {
            hash_op(&n.op, h);
        }
        n.operands.hash(h);
    }
    f.inputs.iter().for_each(|i| i.ty.hash(h));
    f.outputs.iter().for_each(|o| o.value.hash(h));
}

/// Whether two operators compute the same from the same operands.
pub fn same_op(a: &Op, b: &Op) -> bool {
    if a.kind() != b.kind() {
        return false;
    }
    let (a, b) = (counted(a), counted(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| x.name == y.name && same_value(x.value, y.value))
}

/// The attributes that have influence on results.
fn counted(op: &Op) -> SmallVec<[Attribute<'_>; 4]> {
    let mut all = SmallVec::new();
    op.attributes(&mut |a| {
        if a.counts {
            all.push(a);
        }
    });
    all
}

fn same_value(a: AttributeValue<'_>, b: AttributeValue<'_>) -> bool {
    match (a, b) {
        (AttributeValue::Function(f), AttributeValue::Function(g)) => same_func(f, g),
        (AttributeValue::Functions(f), AttributeValue::Functions(g)) => {
            f.len() == g.len() && f.iter().zip(g).all(|(f, g)| same_func(f, g))
        }
        _ => a == b,
    }
}

/// Whether two nested functions compute the same, node by node.
pub fn same_func(f: &Func, g: &Func) -> bool {
    f.nodes().len() == g.nodes().len()
        && f.inputs.len() == g.inputs.len()
        && f.outputs.len() == g.outputs.len()
        && f.inputs.iter().zip(&g.inputs).all(|(i, j)| i.ty == j.ty)
        && f.outputs.iter().zip(&g.outputs).all(|(o, p)| o.value == p.value)
        && (f.nodes().iter().zip(g.nodes()))
            .all(|(m, n)| m.operands == n.operands && m.types == n.types && same_op(&m.op, &n.op))
}
