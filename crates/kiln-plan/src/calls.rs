//! Products, convolutions, Fourier transforms and factorizations as calls of the machine's kernels.

mod convolution;
mod dot;
mod fft;
mod linalg;

use crate::fusion::Group;
use crate::model::MachineModel;
use crate::region::byte_size;
use kiln_ir::layout::strides;
use kiln_ir::{Diagnostic, Func, NodeId, Op, Value};
use kiln_program::call::CallParams;
use kiln_program::{Call, CallInfo};
use smallvec::SmallVec;

/// The call that computes a group of kind [`crate::fusion::GroupKind::Library`]; none when its result has no elements.
///
/// # Errors
/// A node for whose parameters the machine has no kernel, with its source line.
pub(crate) fn site(func: &Func, group: &Group, machine: &MachineModel) -> Result<Option<CallInfo>, Diagnostic> {
    let out = group.outputs[0];
    if byte_size(func, out) == 0 {
        return Ok(None);
    }
    let (node, call) = (func.node(out.node), call(func, out.node)?);
    if !machine.library.takes(&call) {
        let problem = format!("the machine \"{}\" has no kernel for it", machine.name);
        return Err(Diagnostic::new(format!("{}.library", node.op.name()), problem).at(&node.loc));
    }
    Ok(Some(machine.library.site(call)))
}

/// The call that computes a node, on dense row-major operands.
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

/// Sizes of a value.
fn sizes(func: &Func, v: Value) -> SmallVec<[usize; 4]> {
    func.ty(v).shape.as_sizes().expect("legal functions have static shapes")
}

/// Sizes and row-major strides (in elements) of a value.
fn layout(func: &Func, v: Value) -> (SmallVec<[usize; 4]>, SmallVec<[isize; 4]>) {
    let sizes = sizes(func, v);
    let strides = strides(&sizes);
    (sizes, strides)
}
