//! Structural hashes and equality of operators and nested functions: names and source lines do not count.

use kiln_ir::op::Axes;
use kiln_ir::{Func, Op, Tensor};
use std::hash::{Hash, Hasher};

/// At most this many bytes at each end of a constant are hashed; equality compares all of them.
const HASHED_BYTES: usize = 1024;

/// Hashes an operator with its attributes.
pub(crate) fn hash_op(op: &Op, h: &mut impl Hasher) {
    std::mem::discriminant(op).hash(h);
    match op {
        Op::Parameter(i) => i.hash(h),
        Op::Constant(t) => hash_tensor(t, h),
        Op::Iota { ty, dim } => (ty, dim).hash(h),
        Op::Unary(u) => u.hash(h),
        Op::Binary(b) => b.hash(h),
        Op::Compare(d) => d.hash(h),
        Op::Convert(d) | Op::BitcastConvert(d) => d.hash(h),
        Op::GetDimensionSize(d) | Op::Concatenate(d) => d.hash(h),
        Op::BroadcastInDim { shape, dims } => (shape, dims).hash(h),
        Op::Reshape(shape) | Op::DynamicSlice { sizes: shape } => shape.hash(h),
        Op::Transpose(axes) | Op::Reverse(axes) => Axes::hash(axes, h),
        Op::Slice { start, limit, strides } => (start, limit, strides).hash(h),
        Op::Pad { low, high, interior } => (low, high, interior).hash(h),
        Op::DotGeneral(d) => d.hash(h),
        Op::Reduce { axes, reducer } => (axes, reducer).hash(h),
        Op::ArgReduce { axis, kind, dtype } => (axis, kind, dtype).hash(h),
        Op::Convolution(c) => c.hash(h),
        Op::ReduceWindow { window, reducer } => (window, reducer).hash(h),
        Op::SelectAndScatter { window, select, scatter } => (window, select, scatter).hash(h),
        Op::Gather(d) => d.hash(h),
        Op::Scatter { dims, update } => (dims, update).hash(h),
        Op::RngBitGenerator { algorithm, ty } => (algorithm, ty).hash(h),
        Op::ReducePrecision { exponent_bits, mantissa_bits } => (exponent_bits, mantissa_bits).hash(h),
        Op::Fft { kind, length, interleaved } => (kind, length, interleaved).hash(h),
        Op::Cholesky { lower, interleaved } => (lower, interleaved).hash(h),
        Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, interleaved } => {
            (left_side, lower, unit_diagonal, transpose_a, interleaved).hash(h);
        }
        Op::GenericReduce { axes, body } => {
            axes.hash(h);
            hash_outline(body, h);
        }
        Op::GenericReduceWindow { window, body } => {
            window.hash(h);
            hash_outline(body, h);
        }
        Op::GenericSelectAndScatter { window, select, scatter } => {
            window.hash(h);
            hash_outline(select, h);
            hash_outline(scatter, h);
        }
        Op::GenericScatter { dims, body } => {
            dims.hash(h);
            hash_outline(body, h);
        }
        Op::Sort { dim, comparator, .. } => {
            dim.hash(h);
            hash_outline(comparator, h);
        }
        Op::While { .. } | Op::If { .. } | Op::Case { .. } => op.regions().into_iter().for_each(|r| hash_outline(r, h)),
        Op::Composite { name, .. } => name.hash(h),
        Op::Select
        | Op::Clamp
        | Op::Complex
        | Op::Real
        | Op::Imag
        | Op::DynamicUpdateSlice
        | Op::OptimizationBarrier => {}
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
        if n.op.regions().is_empty() {
            hash_op(&n.op, h);
        }
        n.operands.hash(h);
    }
    f.inputs.iter().for_each(|i| i.ty.hash(h));
    f.outputs.iter().for_each(|o| o.value.hash(h));
}

/// Whether two operators compute the same from the same operands.
pub(crate) fn same_op(a: &Op, b: &Op) -> bool {
    let (ra, rb) = (a.regions(), b.regions());
    if ra.is_empty() && rb.is_empty() {
        return a == b;
    }
    let same_vjp = match (a, b) {
        (Op::Composite { name: m, vjp: v, .. }, Op::Composite { name: n, vjp: w, .. }) => {
            m == n && v.is_some() == w.is_some()
        }
        _ => true,
    };
    // What an operator with regions has besides them.
    let same_attributes = match (a, b) {
        (Op::GenericReduce { axes: x, .. }, Op::GenericReduce { axes: y, .. }) => x == y,
        (Op::GenericReduceWindow { window: x, .. }, Op::GenericReduceWindow { window: y, .. }) => x == y,
        (Op::GenericSelectAndScatter { window: x, .. }, Op::GenericSelectAndScatter { window: y, .. }) => x == y,
        (Op::GenericScatter { dims: x, .. }, Op::GenericScatter { dims: y, .. }) => x == y,
        (Op::Sort { dim: x, .. }, Op::Sort { dim: y, .. }) => x == y,
        _ => true,
    };
    std::mem::discriminant(a) == std::mem::discriminant(b)
        && same_attributes
        && same_vjp
        && ra.len() == rb.len()
        && ra.iter().zip(&rb).all(|(f, g)| same_func(f, g))
}

/// Whether two nested functions compute the same, node by node.
pub(crate) fn same_func(f: &Func, g: &Func) -> bool {
    f.nodes().len() == g.nodes().len()
        && f.inputs.len() == g.inputs.len()
        && f.outputs.len() == g.outputs.len()
        && f.inputs.iter().zip(&g.inputs).all(|(i, j)| i.ty == j.ty)
        && f.outputs.iter().zip(&g.outputs).all(|(o, p)| o.value == p.value)
        && (f.nodes().iter().zip(g.nodes()))
            .all(|(m, n)| m.operands == n.operands && m.types == n.types && same_op(&m.op, &n.op))
}
