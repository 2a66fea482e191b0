//! What differs between the lanes of a loop that runs in lanes.

use crate::ir::{AxisId, Carry, Expr, Index, Kernel, Loop, Stmt, Var};

/// Which variables differ between the lanes of one vector loop. What is not defined in its body is uniform.
pub struct Lanes {
    axis: AxisId,
    varying: Vec<bool>,
    /// A carried value turned out to vary after what it flows into was looked at.
    again: bool,
}

impl Lanes {
    /// For a loop with this axis of whose body nothing is known: variables count as uniform.
    pub fn new(kernel: &Kernel, axis: AxisId) -> Lanes {
        Lanes { axis, varying: vec![false; kernel.vars.len()], again: false }
    }

    /// For a vector loop, with its whole body known.
    pub fn of(kernel: &Kernel, l: &Loop) -> Lanes {
        let mut lanes = Lanes::new(kernel, l.axis);
        lanes.block(&l.body);
        // Each time at least one more carried value varies.
        while std::mem::take(&mut lanes.again) {
            lanes.block(&l.body);
        }
        lanes
    }

    fn block(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => self.define(*var, expr),
                Stmt::Store { .. } => {}
                Stmt::If { then, .. } => self.block(then),
                Stmt::Loop(l) => {
                    for c in &l.carried {
                        self.set(c.param, self.varies(c.param) || self.varies(c.init));
                    }
                    self.block(&l.body);
                    l.reductions.iter().for_each(|r| self.set(r.result, self.varies(r.init) || self.varies(r.value)));
                    l.carried.iter().for_each(|c| self.carry(c));
                }
            }
        }
    }

    fn carry(&mut self, c: &Carry) {
        if self.varies(c.next) && !self.varies(c.param) {
            self.set(c.param, true);
            self.again = true;
        }
        self.set(c.result, self.varies(c.param));
    }

    /// True when the variable may differ between lanes.
    pub fn varies(&self, var: Var) -> bool {
        self.varying.get(var.0 as usize).copied().unwrap_or(false)
    }

    /// True when an element index may differ between lanes.
    pub fn index_varies(&self, index: &Index) -> bool {
        index.stride(self.axis) != 0 || index.dynamic.iter().any(|d| self.varies(d.0))
    }

    /// How consecutive lanes reach memory through an index.
    pub fn pattern(&self, index: &Index) -> Pattern {
        if index.dynamic.iter().any(|d| self.varies(d.0)) {
            return Pattern::Gather;
        }
        match index.stride(self.axis) {
            0 => Pattern::Uniform,
            1 => Pattern::Contiguous,
            k => Pattern::Strided(k),
        }
    }

    fn define(&mut self, var: Var, expr: &Expr) {
        let mut varies = match expr {
            Expr::Axis(a) => *a == self.axis,
            Expr::Load { index, .. } => self.index_varies(index),
            _ => false,
        };
        expr.for_each_operand(|v| varies |= self.varies(v));
        self.set(var, varies);
    }

    fn set(&mut self, var: Var, varies: bool) {
        if let Some(v) = self.varying.get_mut(var.0 as usize) {
            *v = varies;
        }
    }
}

/// How consecutive lanes (or iterations of the innermost loop) reach memory.
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
