//! Products, convolutions, Fourier transforms and factorizations as library calls.

mod convolution;
mod dot;
mod fft;
mod linalg;

use kiln_ir::rewrite::{New, try_walk};
use kiln_ir::{Diagnostic, Func, Node, NodeId, Op, Value};
use kiln_program::Call;
use kiln_program::call::CallParams;
use smallvec::SmallVec;

/// The library call that computes a node, on dense row-major operands.
///
/// # Errors
/// A node that no library kernel can take, with its source line.
pub fn call(func: &Func, id: NodeId) -> Result<Call, Diagnostic> {
    let node = func.node(id);
    let call = match &node.op {
        Op::DotGeneral(dims) => Call::Dot(dot::params(func, node, dims)),
        Op::Convolution(dims) => Call::Convolution(convolution::params(func, node, dims)),
        Op::Fft { kind, length, .. } => Call::Fft(fft::params(func, node, *kind, length)),
        Op::Cholesky { lower, interleaved } => Call::Cholesky(linalg::cholesky(func, node, *lower, *interleaved)),
        Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, interleaved } => {
            let solve = linalg::Solve {
                left_side: *left_side,
                lower: *lower,
                unit_diagonal: *unit_diagonal,
                transpose: *transpose_a,
                interleaved: *interleaved,
            };
            Call::TriangularSolve(linalg::triangular_solve(func, node, &solve))
        }
        other => unreachable!("{} has no library kernel", other.name()),
    };
    call.validate().map_err(|problem| Diagnostic::new(format!("{}.library", node.op.name()), problem).at(&node.loc))?;
    Ok(call)
}

/// Rewrites dots and convolutions so that [`call`] can take each one: operands get the result's dtype, and contracted
/// dimensions that cannot be walked with one stride are made adjacent by a transpose.
///
/// # Errors
/// Never for a verified function; a violated constraint of a node made here would be a defect.
pub fn legalize(func: Func) -> Result<Func, Diagnostic> {
    try_walk(func, |new, mut node| {
        node.try_map_regions(legalize)?;
        if matches!(node.op, Op::DotGeneral(_) | Op::Convolution(_)) {
            unify_dtypes(new, &mut node)?;
            dot::make_contraction_linear(new, &mut node)?;
        }
        Ok(new.keep(node))
    })
}

/// Converts the operands to the result's element type where they differ (int8 products summed in int32 and the like).
fn unify_dtypes(out: &mut New, node: &mut Node) -> Result<(), Diagnostic> {
    let dtype = node.types[0].dtype;
    for v in &mut node.operands {
        if out.ty(*v).dtype != dtype {
            *v = out.push1(Op::Convert(dtype), &[*v], node.loc.clone())?;
        }
    }
    Ok(())
}

/// Sizes of a value.
fn sizes(func: &Func, v: Value) -> SmallVec<[usize; 4]> {
    func.ty(v).shape.as_sizes().expect("static shapes are checked before lowering")
}

/// Sizes and row-major strides (in elements) of a value.
fn layout(func: &Func, v: Value) -> (SmallVec<[usize; 4]>, SmallVec<[isize; 4]>) {
    let sizes = sizes(func, v);
    let mut strides: SmallVec<[isize; 4]> = SmallVec::from_elem(1, sizes.len());
    for i in (1..sizes.len()).rev() {
        strides[i - 1] = strides[i] * sizes[i].max(1) as isize;
    }
    (sizes, strides)
}
