//! `infer NAME=SIZE ...`: the types for these sizes of the named dimensions.

use super::{function, problems};
use crate::Outcome;
use crate::file::{Command, TestFile};
use kiln_ir::{Verified, specialize, text};

pub(super) fn run(command: &Command, file: &TestFile) -> Result<Outcome, String> {
    let sizes = command.numbers()?.into_iter().map(|(name, size)| (name.into(), size)).collect();
    let bound = function(file).and_then(|f| {
        let verified = Verified::new(&f).map_err(problems)?;
        specialize::specialize(&verified, &sizes).map_err(problems)
    });
    Ok(bound.map(|f| text::print(&f)))
}
