//! What differs between the lanes of a loop that runs in lanes.

use crate::ir::{AxisId, Carry, Expr, Index, Kernel, Loop, LoopKind, Stmt, Var};

/// Which variables differ between the lanes of one loop, and what running it in lanes takes. What is not defined in its body is
/// uniform. The verifier and [`super::VectorPlan`] read it.
pub struct Lanes<'k> {
    kernel: &'k Kernel,
    axis: AxisId,
    varying: Vec<bool>,
    /// A carried value turned out to vary after what it flows into was looked at.
    again: bool,
    /// No lane does what the others do not, and no two store to one place.
    pub(super) possible: bool,
    /// Definitions and stores that work on lanes.
    pub(super) weight: usize,
    /// How many of the definitions have 64-bit lanes.
    pub(super) wide: usize,
    /// There is a loop inside.
    pub(super) nested: bool,
    /// What the body defines, in order.
    pub(super) defined: Vec<Var>,
}

impl<'k> Lanes<'k> {
    /// For a loop run in lanes.
    pub fn of(kernel: &'k Kernel, l: &Loop) -> Lanes<'k> {
        let mut lanes = Lanes {
            kernel,
            axis: l.axis,
            varying: vec![false; kernel.vars.len()],
            again: true,
            possible: true,
            weight: 0,
            wide: 0,
            nested: false,
            defined: vec![],
        };
        // Once more whenever a carried value turned out to vary; each time at least one more of them.
        while std::mem::take(&mut lanes.again) {
            (lanes.weight, lanes.wide) = (0, 0);
            lanes.defined.clear();
            lanes.block(&l.body);
        }
        lanes
    }

    fn block(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => self.define(*var, self.expr_varies(expr)),
                Stmt::Store { index, value, .. } => {
                    self.weight += 1;
                    // One place for differing values: the order of the lanes would matter.
                    self.possible &= self.index_varies(index) || !self.varies(*value);
                }
                Stmt::If { cond, then } => {
                    self.possible &= !self.varies(*cond);
                    self.block(then);
                }
                Stmt::Loop(l) => self.inner_loop(l),
            }
        }
    }

    fn inner_loop(&mut self, l: &Loop) {
        self.nested = true;
        self.possible &= l.kind != LoopKind::Parallel;
        for c in &l.carried {
            self.define(c.param, self.varies(c.param) || self.varies(c.init));
        }
        self.block(&l.body);
        for r in &l.reductions {
            self.define(r.result, self.varies(r.init) || self.varies(r.value));
        }
        l.carried.iter().for_each(|c| self.carry(c));
    }

    fn carry(&mut self, c: &Carry) {
        if self.varies(c.next) && !self.varies(c.param) {
            self.set(c.param, true);
            self.again = true;
        }
        self.define(c.result, self.varies(c.param));
    }

    /// True when the variable may differ between lanes.
    pub fn varies(&self, var: Var) -> bool {
        self.varying.get(var.0 as usize).copied().unwrap_or(false)
    }

    /// True when an element index may differ between lanes.
    pub fn index_varies(&self, index: &Index) -> bool {
        self.pattern(index) != Pattern::Uniform
    }

    /// How consecutive lanes reach memory through an index.
    pub fn pattern(&self, index: &Index) -> Pattern {
        Pattern::of(self.axis, index, |v| self.varies(v))
    }

    fn expr_varies(&self, expr: &Expr) -> bool {
        let mut varies = match expr {
            Expr::Axis(a) => *a == self.axis,
            Expr::Load { index, .. } => index.stride(self.axis) != 0,
            _ => false,
        };
        expr.for_each_operand(|v| varies |= self.varies(v));
        varies
    }

    fn define(&mut self, var: Var, varies: bool) {
        self.set(var, varies);
        if varies {
            self.weight += 1;
            self.wide += usize::from(self.kernel.var_type(var).is_some_and(|t| t.size() == 8));
        }
        self.defined.push(var);
    }

    fn set(&mut self, var: Var, varies: bool) {
        if let Some(v) = self.varying.get_mut(var.0 as usize) {
            *v = varies;
        }
    }
}

/// How consecutive lanes reach memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pattern {
    /// The same element.
    Uniform,
    /// The next element.
    Contiguous,
    /// This many elements further.
    Strided(i64),
    /// Any element.
    Gather,
}

impl Pattern {
    /// For lanes along `axis`, given which variables differ between them.
    pub fn of(axis: AxisId, index: &Index, varies: impl Fn(Var) -> bool) -> Pattern {
        if index.dynamic.iter().any(|d| varies(d.0)) {
            return Pattern::Gather;
        }
        match index.stride(axis) {
            0 => Pattern::Uniform,
            1 => Pattern::Contiguous,
            k => Pattern::Strided(k),
        }
    }
}
