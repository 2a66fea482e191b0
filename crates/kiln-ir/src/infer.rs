//! Shape inference: operator and operand types to result types.

use crate::diag::Diagnostic;
use crate::op::Op;
use crate::shape::TensorType;
use smallvec::SmallVec;

/// The result types of `op` on operands of these types.
///
/// # Errors
/// The first violated constraint of the operator's specification, labelled `op.Cn`.
pub fn result_types(op: &Op, operands: &[&TensorType]) -> Result<SmallVec<[TensorType; 1]>, Diagnostic> {
    let _ = operands;
    Err(Diagnostic::new(op.name(), "no shape rule yet"))
}
