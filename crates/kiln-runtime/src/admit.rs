//! Which programs an executable takes in: those that agree with its signature and that runs can tell apart.

use crate::error::RunError;
use crate::executable::Specialized;
use crate::loaded::Loaded;
use kiln_program::{Port, Signature, Variable};
use std::sync::Arc;

/// Loads a program of an executable with this signature. Feeds, variables and sessions are checked against the executable's
/// signature, so all of its programs have to agree with it.
pub(crate) fn load(s: Specialized, signature: &Signature) -> Result<Arc<Loaded>, RunError> {
    check_agreement(&s.program.signature, signature)
        .map_err(|reason| RunError::Artifact(kiln_artifact::ArtifactError::Invalid(reason)))?;
    Ok(Arc::new(Loaded::new(s.program, Arc::new(s.object), s.code, s.compile_time)?))
}

/// Adds a program, unless a run could not choose between it and another one.
pub(crate) fn add(programs: &mut Vec<Arc<Loaded>>, new: Arc<Loaded>) -> Result<(), RunError> {
    let shapes = || new.program.signature.inputs.iter().map(|p| p.shape.as_slice());
    let (dims, same) = (&new.program.signature.dims, programs.iter().find(|p| p.fits(shapes())));
    match same.map(|p| &p.program.signature.dims) {
        Some(other) if other != dims => Err(RunError::System(format!(
            "the shapes of the inputs do not tell the sizes {dims:?} from {other:?}, for which there is a program"
        ))),
        _ => {
            programs.push(new);
            Ok(())
        }
    }
}

/// Checks that a program has the ports and variables of the signature, but for sizes that depend on named dimensions.
fn check_agreement(program: &Signature, signature: &Signature) -> Result<(), String> {
    let ports = |p: &[Port], s: &[Port]| {
        let fits = |(d, &n): (&kiln_ir::Dim, &usize)| d.as_const().is_none_or(|c| c == n as i64);
        let same = |(p, s): (&Port, &Port)| {
            let sizes = s.symbolic.rank() == p.shape.len() && s.symbolic.iter().zip(&p.shape).all(fits);
            p.name == s.name && p.dtype == s.dtype && sizes
        };
        p.len() == s.len() && p.iter().zip(s).all(same)
    };
    let variables = |p: &[Variable], s: &[Variable]| {
        // The optimizer may find that a variable keeps its value, so a program may update fewer.
        let same = |(p, s): (&Variable, &Variable)| {
            p.name == s.name && p.dtype == s.dtype && p.shape == s.shape && p.updated <= s.updated
        };
        p.len() == s.len() && p.iter().zip(s).all(same)
    };
    let different = |what: &str| Err(format!("a program has other {what} than the executable"));
    if !ports(&program.inputs, &signature.inputs) {
        return different("inputs");
    }
    if !ports(&program.outputs, &signature.outputs) {
        return different("outputs");
    }
    if variables(&program.variables, &signature.variables) { Ok(()) } else { different("variables") }
}
