//! Automatic differentiation of graphs, graph to graph.
//!
//! [`vjp`] (reverse mode) and [`jvp`] (forward mode) append nodes to the function they differentiate. Since the result is graph
//! again, derivatives of derivatives come for free. Every appended node carries the source line of the node it belongs to.
//!
//! Values of integer and bool dtype have no derivatives. Where an operator has several subgradients, the choice is: ties of
//! `maximum`, `minimum` and of reductions share equally; a tie with a literal gives the literal all of it (so `relu` has the
//! derivative 0 at 0); windows give all to the first of equal elements; `abs` has 0 at 0.
//!
//! A user's own derivative is the `vjp` function of a `composite`; the reverse mode uses it in place of the body's, the forward
//! mode goes through the body. The composite named [`STOP_GRADIENT`] has the derivative zero in both.
//!
//! Gradients of loops come in two kinds, see `loops.rs`: linear time for counted loops; for `while` with a trip count `n` that only
//! running it tells `n log n` iterations and `log n` checkpoints.
//!
//! Complex cotangents follow JAX's convention, see `complex.rs`. Functions of scalars inside of operators (any reduction, any
//! scatter) have no derivatives; the named ones have.

mod activity;
mod branches;
mod checkpoint;
mod complex;
mod contract;
mod elementwise;
mod emit;
mod factor;
mod forward;
mod fourier;
mod gather;
mod generated;
mod loops;
mod movement;
mod nested;
mod reduce;
mod reverse;
mod sort;
mod window;

use kiln_ir::{Diagnostic, Diagnostics, Func, NodeId, Value};

/// Name of the composite that lets no gradient through: `(x) -> x` with a derivative of zero.
pub const STOP_GRADIENT: &str = "stop_gradient";

/// Derivatives with what else is worth knowing about the appended nodes.
#[derive(Clone, Debug, Default)]
pub struct Derivatives {
    /// One for each value asked for; `None` where it is zero for certain.
    pub values: Vec<Option<Value>>,
    /// Loops that were built again because the derivative needs values from inside: (old node, new node). The first results
    /// of the new node equal those of the old one, so users of the old one can be moved to the new one;
    /// [`Func::extract`] does so.
    pub replaced: Vec<(NodeId, NodeId)>,
}

/// Reverse mode: given cotangents of outputs, the cotangents of `wrt`, or `None` where the outputs do not depend on it.
///
/// Appends nodes to `func`; existing nodes stay as they are. `wrt` may be any values, also results of nodes. Linear in the
/// number of nodes.
///
/// # Errors
/// A node in between that has no derivative, or a cotangent of the wrong type.
pub fn vjp(func: &mut Func, outputs: &[(Value, Value)], wrt: &[Value]) -> Result<Vec<Option<Value>>, Diagnostics> {
    vjp_with(func, outputs, wrt).map(|d| d.values)
}

/// [`vjp`], with the loops that were built again.
///
/// # Errors
/// As [`vjp`].
pub fn vjp_with(func: &mut Func, outputs: &[(Value, Value)], wrt: &[Value]) -> Result<Derivatives, Diagnostics> {
    for (y, ct) in outputs {
        check_pair(func, *y, *ct, "cotangent")?;
    }
    let from = wrt.iter().map(|v| v.node.index()).min().unwrap_or(0);
    Ok(reverse::walk(func, from, outputs, wrt)?)
}

/// Forward mode: given tangents of values, the tangents of `outputs`, or `None` where they do not depend on those values.
///
/// Appends nodes to `func`; existing nodes stay as they are. Linear in the number of nodes.
///
/// # Errors
/// A node in between that has no derivative, or a tangent of the wrong type.
pub fn jvp(func: &mut Func, outputs: &[Value], tangents: &[(Value, Value)]) -> Result<Vec<Option<Value>>, Diagnostics> {
    jvp_with(func, outputs, tangents).map(|d| d.values)
}

/// [`jvp`], with the loops that were built again.
///
/// # Errors
/// As [`jvp`].
pub fn jvp_with(func: &mut Func, outputs: &[Value], tangents: &[(Value, Value)]) -> Result<Derivatives, Diagnostics> {
    for (x, t) in tangents {
        check_pair(func, *x, *t, "tangent")?;
    }
    let from = tangents.iter().map(|(v, _)| v.node.index()).min().unwrap_or(0);
    Ok(forward::walk(func, from, outputs, tangents)?)
}

fn check_pair(func: &Func, v: Value, d: Value, what: &str) -> Result<(), Diagnostic> {
    let (ty, own) = (func.ty(v), func.ty(d));
    let problem = if ty != own {
        format!("a {what} has its value's type: {ty}, not {own}")
    } else if !activity::differentiable(ty.dtype) {
        format!("values of type {ty} have no {what}")
    } else {
        return Ok(());
    };
    Err(Diagnostic::new(format!("autodiff.{what}"), problem).at(&func.node(v.node).loc))
}
