//! Analyses.

use crate::ir::{AxisId, Expr, Index, Kernel, Reduction, Var};

/// Which variables differ between the lanes of one vector loop. Variables are told to it in program order; what it was not
/// told of is defined outside of the loop and thus uniform.
pub struct Lanes {
    axis: AxisId,
    varying: Vec<bool>,
}

impl Lanes {
    /// For the body of the vector loop with this axis.
    pub fn new(kernel: &Kernel, axis: AxisId) -> Lanes {
        Lanes { axis, varying: vec![false; kernel.vars.len()] }
    }

    /// True when the variable may differ between lanes.
    pub fn varies(&self, var: Var) -> bool {
        self.varying.get(var.0 as usize).copied().unwrap_or(false)
    }

    /// True when an element index may differ between lanes.
    pub fn index_varies(&self, index: &Index) -> bool {
        index.stride(self.axis) != 0 || index.dynamic.iter().any(|d| self.varies(d.0))
    }

    /// Takes note of a definition in the body.
    pub fn define(&mut self, var: Var, expr: &Expr) {
        let mut varies = match expr {
            Expr::Axis(a) => *a == self.axis,
            Expr::Load { index, .. } => self.index_varies(index),
            _ => false,
        };
        expr.for_each_operand(|v| varies |= self.varies(v));
        self.set(var, varies);
    }

    /// Takes note of the result of a serial loop in the body.
    pub fn define_reduction(&mut self, r: &Reduction) {
        let varies = self.varies(r.init) || self.varies(r.value);
        self.set(r.result, varies);
    }

    fn set(&mut self, var: Var, varies: bool) {
        if let Some(v) = self.varying.get_mut(var.0 as usize) {
            *v = varies;
        }
    }
}
