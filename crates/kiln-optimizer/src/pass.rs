//! What a pass is.

use crate::context::Cx;
use crate::rewrite::{Rule, walk};
use kiln_ir::{Diagnostics, Func, Op};

/// A pass: its name and what it does to a function, nested functions included.
pub(crate) struct Pass {
    pub name: &'static str,
    run: Run,
    /// Functions without a node of such an operator (nested ones included) stay as they are.
    applies: Option<fn(&Op) -> bool>,
}

enum Run {
    /// Local rules.
    Rules(Rule),
    /// Always possible.
    Sure(fn(Func, &mut Cx) -> Func),
    /// Refuses some functions.
    May(fn(Func, &mut Cx) -> Result<Func, Diagnostics>),
}

impl Pass {
    /// A pass that tries rules on every node.
    pub const fn of_rules(name: &'static str, rule: Rule) -> Pass {
        Pass { name, run: Run::Rules(rule), applies: None }
    }

    /// A pass that goes through the function in its own way.
    pub const fn new(name: &'static str, run: fn(Func, &mut Cx) -> Func) -> Pass {
        Pass { name, run: Run::Sure(run), applies: None }
    }

    /// A pass that refuses some functions.
    pub const fn fallible(name: &'static str, run: fn(Func, &mut Cx) -> Result<Func, Diagnostics>) -> Pass {
        Pass { name, run: Run::May(run), applies: None }
    }

    /// The pass for functions in which some node has such an operator.
    pub const fn on(self, applies: fn(&Op) -> bool) -> Pass {
        Pass { name: self.name, run: self.run, applies: Some(applies) }
    }

    /// Runs the pass.
    ///
    /// # Errors
    /// What the pass has to say about a function that it refuses.
    pub fn run(&self, func: Func, cx: &mut Cx) -> Result<Func, Diagnostics> {
        if self.applies.is_some_and(|applies| !contains(&func, applies)) {
            return Ok(func);
        }
        match self.run {
            Run::Rules(rule) => Ok(walk(func, cx, rule)),
            Run::Sure(run) => Ok(run(func, cx)),
            Run::May(run) => run(func, cx),
        }
    }
}

/// Whether a node of the function, or of one nested in it, has such an operator.
fn contains(func: &Func, applies: fn(&Op) -> bool) -> bool {
    func.nodes().iter().any(|n| applies(&n.op) || n.op.regions().into_iter().any(|r| contains(r, applies)))
}
