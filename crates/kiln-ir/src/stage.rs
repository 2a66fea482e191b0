//! What is known of a function at each stage, as types: [`Verified`], then [`Legal`].
//!
//! A stage takes the type of the stage before, so a function that skipped one does not compile.

use crate::diag::{Diagnostic, Diagnostics};
use crate::func::{Func, Node};
use crate::op::Op;
use crate::verify::verify;
use std::borrow::Borrow;
use std::ops::Deref;

/// A function, owned or borrowed, that satisfies every rule of [`crate::verify`].
///
/// ```
/// use kiln_ir::{Verified, text};
/// let f = text::parse("func @f(%x: f32[2]) -> (f32[2]) { return %x }")?;
/// let f = Verified::new(f)?;
/// assert_eq!(f.inputs.len(), 1);
/// # Ok::<(), kiln_ir::Diagnostics>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Verified<F: Borrow<Func> = Func>(F);

impl<F: Borrow<Func>> Verified<F> {
    /// Verifies a function.
    ///
    /// # Errors
    /// All violations.
    pub fn new(func: F) -> Result<Verified<F>, Diagnostics> {
        verify(func.borrow())?;
        Ok(Verified(func))
    }
}

impl Verified {
    /// For what makes a function by rules that keep it verified. Debug builds verify it.
    ///
    /// # Panics
    /// In debug builds, when the function breaks a rule after all: a defect of the caller.
    pub fn by_construction(func: Func) -> Verified {
        if cfg!(debug_assertions)
            && let Err(problems) = verify(&func)
        {
            panic!("{problems}");
        }
        Verified(func)
    }

    /// The function, free to be changed.
    pub fn into_func(self) -> Func {
        self.0
    }
}

impl<F: Borrow<Func>> Deref for Verified<F> {
    type Target = Func;
    fn deref(&self) -> &Func {
        self.0.borrow()
    }
}

/// A verified function that can be planned: every size is known, every element type is one that kernels compute with, and
/// operators that are defined by others are gone. The same holds for its nested functions.
#[derive(Clone, PartialEq, Debug)]
pub struct Legal(Func);

impl Legal {
    /// Checks that a function is legal.
    ///
    /// # Errors
    /// `legal.static` for a symbolic or uncountable size, `legal.dtype` and `legal.op` for what a pass should have rewritten,
    /// each with its source line.
    pub fn new(func: Verified) -> Result<Legal, Diagnostics> {
        check_legal(&func)?;
        Ok(Legal(func.0))
    }

    /// The function, free to be changed.
    pub fn into_func(self) -> Func {
        self.0
    }
}

impl Deref for Legal {
    type Target = Func;
    fn deref(&self) -> &Func {
        &self.0
    }
}

impl From<Legal> for Verified {
    fn from(func: Legal) -> Verified {
        Verified(func.0)
    }
}

fn check_legal(func: &Func) -> Result<(), Diagnostics> {
    for (_, node) in func.iter() {
        if let Some((code, problem, help)) = illegal(node) {
            let what = format!("`{}` {problem}", node.op.name());
            return Err(Diagnostic::new(format!("legal.{code}"), what).at(&node.loc).help(help).into());
        }
        node.op.regions().into_iter().try_for_each(check_legal)?;
    }
    Ok(())
}

fn illegal(node: &Node) -> Option<(&'static str, String, &'static str)> {
    if let Some(ty) = node.types.iter().find(|t| t.num_bytes().is_none_or(|n| i64::try_from(n).is_err())) {
        let help = "bind every named dimension before compiling";
        return Some(("static", format!("of type {ty} has no known size"), help));
    }
    let help = "optimize the function first";
    if let Some(ty) = node.types.iter().find(|t| !t.dtype.is_native()) {
        return Some(("dtype", format!("gives {ty}, which is not legalized"), help));
    }
    matches!(node.op, Op::RngBitGenerator { .. } | Op::Composite { .. })
        .then(|| ("op", "is not expanded".to_owned(), help))
}

/// What calls of library kernels want of their operands; the optimizer shapes dots and convolutions accordingly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallShapes {
    /// Operands have the result's element type (int8 products summed in int32 are converted before).
    pub one_dtype: bool,
    /// The contracted dimensions of a dot are walked with one stride per operand.
    pub linear_contraction: bool,
}

impl Default for CallShapes {
    /// Both.
    fn default() -> CallShapes {
        CallShapes { one_dtype: true, linear_contraction: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn code(source: &str) -> String {
        let func = Verified::new(text::parse(source).expect("well formed")).expect("verified");
        Legal::new(func).expect_err("not legal").0.remove(0).code.to_string()
    }

    #[test]
    fn what_a_pass_should_have_rewritten_is_named() {
        assert_eq!(code("func @f(%x: f32[n]) -> (f32[n]) { return %x }"), "legal.static");
        assert_eq!(code("func @f(%x: c64[2]) -> (c64[2]) { return %x }"), "legal.dtype");
        assert_eq!(code("func @f(%x: i4[2]) -> (i4[2]) { return %x }"), "legal.dtype");
    }
}
