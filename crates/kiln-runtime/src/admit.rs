//! Which programs an executable takes in: those that agree with its signature and that runs can tell apart.

use crate::error::RunError;
use crate::executable::Specialized;
use crate::loaded::Loaded;
use kiln_program::Signature;
use std::sync::Arc;

/// Loads a program of an executable with this signature. Feeds, variables and sessions are checked against the executable's
/// signature, so all of its programs have to agree with it.
pub(crate) fn load(s: Specialized, signature: &Signature) -> Result<Arc<Loaded>, RunError> {
    signature
        .admits(&s.compiled.program.signature)
        .map_err(|reason| RunError::Artifact(kiln_artifact::ArtifactError::Invalid(reason)))?;
    Ok(Arc::new(Loaded::new(s.compiled, s.code, s.compile_time)?))
}

/// Adds a program, unless a run could not choose between it and another one.
pub(crate) fn add(programs: &mut Vec<Arc<Loaded>>, new: Arc<Loaded>) -> Result<(), RunError> {
    let shapes = || new.compiled.program.signature.inputs.iter().map(|p| p.shape.as_slice());
    let (dims, same) = (&new.compiled.program.signature.dims, programs.iter().find(|p| p.fits(shapes())));
    match same.map(|p| &p.compiled.program.signature.dims) {
        Some(other) if other != dims => Err(RunError::System(format!(
            "the shapes of the inputs do not tell the sizes {dims:?} from {other:?}, for which there is a program"
        ))),
        _ => {
            programs.push(new);
            Ok(())
        }
    }
}
