//! Discrete Fourier transforms: linear, so tangents are transformed alike, and cotangents by the transposed transform.

use crate::emit::{Emit, Res};
use kiln_ir::op::{FftKind, Ints};
use kiln_ir::{Dim, Node, Op, Tensor, Value};

fn transform(e: &mut Emit, kind: FftKind, length: &[i64], x: Value) -> Res {
    e.op(Op::Fft { kind, length: Ints::from_slice(length), interleaved: false }, &[x])
}

/// The cotangent of the operand.
pub(crate) fn backward(e: &mut Emit, node: &Node, kind: FftKind, length: &[i64], g: Value) -> Res {
    let n = length.last().copied().unwrap_or(0);
    match kind {
        // The matrices are symmetric.
        FftKind::Fft | FftKind::Ifft => e.op(node.op.clone(), &[g]),
        // The frequencies that rfft leaves out have no cotangent.
        FftKind::Rfft => {
            let shape = e.f.ty(g).shape.clone();
            let rank = shape.rank();
            let mut high = vec![Dim::Const(0); rank];
            high[rank - 1] = Dim::Const(n - if n == 0 { 0 } else { n / 2 + 1 });
            let full = e.pad_zero(g, vec![Dim::Const(0); rank], high, Ints::from_elem(0, rank))?;
            let back = transform(e, FftKind::Fft, length, full)?;
            e.real(back)
        }
        // A frequency stands for its mirror image too, unless it is its own.
        FftKind::Irfft => {
            let back = transform(e, FftKind::Rfft, length, g)?;
            let turned = e.conj(back)?;
            let total: i64 = length.iter().product();
            let weight = |k: i64| if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
            let half = if n == 0 { 0 } else { n / 2 + 1 };
            let weights: Vec<f64> = (0..half).map(|k| weight(k) / total as f64).collect();
            let list = Tensor::from_vec([weights.len()], weights).expect("as many elements as the vector is long");
            let ty = e.f.ty(turned).clone();
            let list = e.tensor(list);
            let list = e.convert(list, ty.dtype)?;
            let leading: Vec<usize> = (0..ty.rank() - 1).collect();
            let spread = e.unreduce(list, &ty.shape, &leading)?;
            e.mul(turned, spread)
        }
    }
}
