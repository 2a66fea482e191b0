//! Kernels that the verifier has seen.

use crate::ir::Kernel;
use crate::math::{MathOptions, expand_with};
use crate::simplify::simplify;
use crate::verify::{VerifyError, verify};
use std::ops::Deref;

/// Something that keeps the rules of its verifier; code generators take kernels in this form, so none checks them again.
///
/// ```
/// use kiln_loops::{Kernel, Verified};
/// let kernel = Verified::new(Kernel { name: "nothing".into(), ..Kernel::default() }).expect("an empty kernel is fine");
/// assert_eq!(kernel.parallel_extent(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<K>(K);

impl Verified<Kernel> {
    /// Checks every rule of [`crate::verify`].
    ///
    /// # Errors
    /// All violations in program order.
    pub fn new(kernel: Kernel) -> Result<Verified<Kernel>, Vec<VerifyError>> {
        verify(&kernel)?;
        Ok(Verified(kernel))
    }

    /// The kernel with every operator outside of the basic set rewritten for a target as described (see [`crate::math`]).
    pub fn expanded(&self, options: MathOptions) -> Verified<Kernel> {
        let mut kernel = self.0.clone();
        expand_with(&mut kernel, options);
        Verified::derived(kernel)
    }

    /// The kernel with unnecessary work removed (see [`crate::simplify`]).
    pub fn simplified(self) -> Verified<Kernel> {
        let mut kernel = self.0;
        simplify(&mut kernel);
        Verified::derived(kernel)
    }

    /// What a transformation that keeps the rules made of a verified kernel; debug builds check that it does.
    pub(crate) fn derived(kernel: Kernel) -> Verified<Kernel> {
        debug_assert_eq!(verify(&kernel), Ok(()), "a transformation broke the rules");
        Verified(kernel)
    }
}

impl<K> Verified<K> {
    /// The content, to be changed.
    pub fn into_inner(self) -> K {
        self.0
    }
}

impl<K> Deref for Verified<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.0
    }
}
