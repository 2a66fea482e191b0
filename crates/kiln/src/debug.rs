//! Eager debugging: evaluating a graph with the reference interpreter, node by node.

use crate::error::CompileError;
use kiln_builder::{Expr, FunctionSpec};
use kiln_interp::{EvalError, EvalOptions};
use kiln_ir::{Func, InputKind, Tensor};
use kiln_runtime::initialize::initial_value;
use std::fmt;

/// Why an evaluation failed.
#[derive(Debug)]
pub enum DebugError {
    /// Mistakes in the graph.
    Graph(CompileError),
    /// An input that is not given, or a variable whose initial value cannot be made.
    Input(String),
    /// The interpreter stopped, at a node with its source line.
    Eval(EvalError),
}

impl fmt::Display for DebugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DebugError::Graph(e) => e.fmt(f),
            DebugError::Input(e) => f.write_str(e),
            DebugError::Eval(e) => e.fmt(f),
        }
    }
}
impl std::error::Error for DebugError {}

/// The interpreter's inputs for a function: feeds by name, variables at their initial values unless fed too.
///
/// # Errors
/// An input that is not given.
pub fn inputs(func: &Func, feeds: &[(&str, &Tensor)]) -> Result<Vec<Tensor>, DebugError> {
    func.inputs
        .iter()
        .map(|input| {
            if let Some((_, t)) = feeds.iter().find(|(n, _)| *n == input.name) {
                return Ok((*t).clone());
            }
            match &input.kind {
                InputKind::Feed => {
                    Err(DebugError::Input(format!("input \"{}\" ({}) is not given", input.name, input.ty)))
                }
                InputKind::Variable(init) => {
                    let shape =
                        input.ty.shape.as_sizes().ok_or_else(|| {
                            DebugError::Input(format!("variable \"{}\" has no fixed shape", input.name))
                        })?;
                    initial_value(init, input.ty.dtype, &shape)
                        .map_err(|e| DebugError::Input(format!("variable \"{}\": {e}", input.name)))
                }
            }
        })
        .collect()
}

/// Evaluates the fetches of a function with the interpreter. `options` can stop at the first NaN, naming its node and source
/// line.
///
/// # Errors
/// Mistakes in the graph, missing inputs, or where the evaluation stopped.
pub fn eval(
    function: &FunctionSpec,
    feeds: &[(&str, &Tensor)],
    options: &EvalOptions,
) -> Result<Vec<Tensor>, DebugError> {
    let func = function.finish().map_err(|d| DebugError::Graph(d.into()))?;
    let inputs = inputs(&func, feeds)?;
    kiln_interp::eval_with(&func, &inputs, options, &mut ()).map_err(DebugError::Eval)
}

/// Eager evaluation of single values.
pub trait Eval {
    /// The value with these feeds, by the interpreter; variables have their initial values unless fed.
    ///
    /// # Errors
    /// As [`eval`].
    fn eval(&self, feeds: &[(&str, &Tensor)]) -> Result<Tensor, DebugError>;
}

impl Eval for Expr {
    fn eval(&self, feeds: &[(&str, &Tensor)]) -> Result<Tensor, DebugError> {
        let function = self.graph().function([self]).registered_updates(false);
        let mut values = eval(&function, feeds, &EvalOptions::default())?;
        Ok(values.swap_remove(0))
    }
}
