//! Sizes that are operands: these have to be known when the program is read.

use crate::limits::MAX_ELEMENTS;
use kiln_builder::Expr;
use kiln_ir::{DType, Func, Node, Op, TensorType};
use std::cell::Cell;
use std::fmt;

/// Most elements of a value that is computed to find sizes.
const MAX_KNOWN: i64 = 1 << 16;
/// Most elements that a program may have computed to find all of its sizes.
const MAX_EVALUATED: usize = 1 << 24;

/// About how many elements are computed; where an element depends on many, as often as there are operands' elements.
fn work(func: &Func) -> usize {
    let elements = |ty: &TensorType| ty.shape.num_elements().unwrap_or(0);
    let node = |n: &Node| {
        let results = n.types.iter().map(elements).sum::<usize>();
        let operands = n.operands.iter().map(|v| elements(func.ty(*v))).sum::<usize>();
        1 + match n.op {
            Op::DotGeneral(_) | Op::Convolution(_) | Op::ReduceWindow { .. } => results.saturating_mul(operands),
            _ => results + operands,
        }
    };
    func.nodes().iter().map(node).fold(0, usize::saturating_add)
}

/// Why sizes are not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnknownSizes {
    /// They depend on the program's inputs, or are values of a loop or branch.
    NotConstant,
    /// Computing them takes too long.
    TooMuchWork,
    /// One is larger than [`MAX_ELEMENTS`].
    OutOfProportion,
}

impl fmt::Display for UnknownSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnknownSizes::NotConstant => "sizes that are not constants",
            UnknownSizes::TooMuchWork => "sizes that take long to compute",
            UnknownSizes::OutOfProportion => "a size out of all proportion",
        })
    }
}
impl std::error::Error for UnknownSizes {}

/// Computes sizes while a program is read, and keeps count of how much was computed.
///
/// ```
/// use kiln_builder::Graph;
/// use kiln_import::KnownSizes;
/// let g = Graph::new("g");
/// let sizes = g.constant(3i64) + g.constant(4i64);
/// assert_eq!(KnownSizes::default().of(&sizes), Ok(vec![7]));
/// ```
#[derive(Default, Debug)]
pub struct KnownSizes {
    /// Elements computed so far.
    evaluated: Cell<usize>,
}

impl KnownSizes {
    /// The integers of a value that does not depend on the program's inputs.
    ///
    /// # Errors
    /// When it does, when too much had to be computed, or a number is out of all proportion.
    pub fn of(&self, e: &Expr) -> Result<Vec<i64>, UnknownSizes> {
        let Ok(func) = e.graph().function([]).registered_updates(false).named("sizes", e).finish() else {
            // A value inside of a loop or branch, or one that failed, which is on record.
            return Err(UnknownSizes::NotConstant);
        };
        let small = |ty: &TensorType| {
            let mut sizes = ty.shape.iter().map(|d| d.as_const());
            sizes.try_fold(1i64, |a, d| a.checked_mul(d?)).is_some_and(|n| n <= MAX_KNOWN)
        };
        let plain = func.nodes().iter().all(|n| !n.op.has_functions() && n.types.iter().all(small));
        if !func.inputs.is_empty() || !plain {
            return Err(UnknownSizes::NotConstant);
        }
        self.evaluated.set(self.evaluated.get().saturating_add(work(&func)));
        if self.evaluated.get() > MAX_EVALUATED {
            return Err(UnknownSizes::TooMuchWork);
        }
        let value = kiln_interp::eval(&func, &[]).ok().and_then(|mut v| v.pop());
        let wide = value.and_then(|v| kiln_interp::eval_op(&Op::Convert(DType::I64), &[v]).ok());
        match wide.and_then(|w| w.first().and_then(|w| w.to_vec::<i64>().ok())) {
            Some(list) if list.iter().all(|n| n.unsigned_abs() <= MAX_ELEMENTS as u64) => Ok(list),
            Some(_) => Err(UnknownSizes::OutOfProportion),
            None => Err(UnknownSizes::NotConstant),
        }
    }
}
