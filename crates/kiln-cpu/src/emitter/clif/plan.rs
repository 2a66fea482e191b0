//! What to vectorize: which variables differ between lanes, which loops run in vectors, and how far to unroll them.

use std::collections::BTreeMap;

use kiln_loops::{AxisId, Const, Expr, Index, Kernel, Loop, LoopKind, Stmt, Var};

use super::LANES;
use crate::error::{Fault, invalid};

/// Facts about a kernel, found before code is emitted.
pub(super) struct Plan {
    /// The value of variables that are literals.
    pub(super) literals: Vec<Option<Const>>,
    /// Variables that differ between the lanes of the vectorized loop around their definition.
    pub(super) varying: Vec<bool>,
    /// Variables equal in all lanes that are also needed as a vector.
    pub(super) splat: Vec<bool>,
    /// The loops that run in lanes, by axis.
    pub(super) vector: BTreeMap<AxisId, VectorPlan>,
}

/// How to run a loop in lanes.
pub(super) struct VectorPlan {
    /// Groups of [`LANES`] iterations that run interleaved in the main loop.
    pub(super) copies: usize,
    /// Variables from outside of the loop that it needs as a vector.
    pub(super) splat_outer: Vec<Var>,
}

impl Plan {
    pub(super) fn new(kernel: &Kernel) -> Result<Plan, Fault> {
        let count = kernel.vars.len();
        let mut plan = Plan {
            literals: vec![None; count],
            varying: vec![false; count],
            splat: vec![false; count],
            vector: BTreeMap::new(),
        };
        plan.find_literals(kernel, &kernel.body)?;
        plan.find_loops(kernel, &kernel.body)?;
        Ok(plan)
    }

    fn find_literals(&mut self, kernel: &Kernel, body: &[Stmt]) -> Result<(), Fault> {
        for stmt in body {
            match stmt {
                Stmt::Let { var, expr } => {
                    if var.0 as usize >= self.literals.len() {
                        return invalid(format!("variable {} has no dtype", var.0));
                    }
                    if let Expr::Const(c) = expr {
                        if c.dtype != kernel.vars[var.0 as usize] {
                            return invalid(format!("literal of variable {} has another dtype", var.0));
                        }
                        self.literals[var.0 as usize] = Some(*c);
                    }
                }
                Stmt::Store { .. } => {}
                Stmt::Loop(l) => self.find_literals(kernel, &l.body)?,
                Stmt::If { then, .. } => self.find_literals(kernel, then)?,
            }
        }
        Ok(())
    }

    /// Decides for the outermost vectorizable loops.
    fn find_loops(&mut self, kernel: &Kernel, body: &[Stmt]) -> Result<(), Fault> {
        for stmt in body {
            match stmt {
                Stmt::Let { .. } | Stmt::Store { .. } => {}
                Stmt::If { then, .. } => self.find_loops(kernel, then)?,
                Stmt::Loop(l) => {
                    let wanted = match l.kind {
                        LoopKind::Vector => true,
                        LoopKind::Parallel => self.flat_and_contiguous(l),
                        LoopKind::Serial => false,
                    };
                    if !(wanted && l.extent >= LANES as u64 && self.vectorize(kernel, l)) {
                        self.find_loops(kernel, &l.body)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A parallel loop over single elements, stored side by side: worth running in lanes itself.
    fn flat_and_contiguous(&self, l: &Loop) -> bool {
        l.reductions.is_empty()
            && l.body.iter().all(|s| matches!(s, Stmt::Let { .. } | Stmt::Store { .. }))
            && l.body.iter().any(|s| matches!(s, Stmt::Store { index, .. } if index.stride(l.axis) == 1))
    }

    /// Finds varying variables of the loop; false (and nothing recorded) when it cannot run in lanes.
    fn vectorize(&mut self, kernel: &Kernel, l: &Loop) -> bool {
        let (mut possible, mut again) = (true, true);
        let (mut weight, mut wide, mut nested, mut defined) = (0, 0, false, vec![]);
        // Once more whenever a carried value turned out to vary; each time at least one more of them.
        while possible && again {
            let mut walk = Walk::new(kernel, self, l.axis);
            possible = walk.body(&l.body);
            (weight, wide, nested, defined, again) = (walk.weight, walk.wide, walk.nested, walk.defined, walk.again);
        }
        if !possible {
            for var in defined {
                self.varying[var.0 as usize] = false;
            }
            return false;
        }
        let mut inside = vec![false; kernel.vars.len()];
        for var in defined {
            inside[var.0 as usize] = true;
        }
        let mut needs = Needs { axis: l.axis, plan: self, found: Vec::new() };
        needs.body(&l.body);
        for r in &l.reductions {
            needs.vector(r.value);
        }
        let found = needs.found;
        let mut splat_outer = Vec::new();
        for var in found {
            if inside[var.0 as usize] {
                self.splat[var.0 as usize] = true;
            } else if !splat_outer.contains(&var) {
                splat_outer.push(var);
            }
        }
        let copies = choose_copies(weight, wide, nested, l.extent);
        self.vector.insert(l.axis, VectorPlan { copies, splat_outer });
        true
    }

    fn is_varying(&self, var: Var) -> bool {
        self.varying.get(var.0 as usize).copied().unwrap_or(false)
    }

    /// Whether the element differs between the lanes of `axis`.
    pub(super) fn index_varies(&self, axis: AxisId, index: &Index) -> bool {
        index.stride(axis) != 0 || index.dynamic.iter().any(|d| self.is_varying(d.0))
    }
}

/// Interleaving: several independent groups hide latency, since the processor looks ahead no further than about one iteration
/// of a long body (four groups made a gelu 1.4 times as fast as one, and a softmax 1.2 times as fast as two); in the longest ones they would spill
/// registers and cost compile time.
fn choose_copies(weight: usize, wide: usize, nested: bool, extent: u64) -> usize {
    let registers = weight + wide;
    let wanted = match registers {
        // A fold over rows: whole cache lines of each row.
        0..=4 if nested => 8,
        0..=60 => 4,
        61..=120 => 2,
        _ => 1,
    };
    let fitting = (extent / LANES as u64).max(1);
    let mut copies = wanted;
    while copies as u64 > fitting {
        copies /= 2;
    }
    copies.max(1)
}

/// Marks what varies between lanes, in order of definition.
struct Walk<'a> {
    axis: AxisId,
    kernel: &'a Kernel,
    plan: &'a mut Plan,
    /// Vector operations in the body.
    weight: usize,
    /// How many of them work on 64-bit lanes.
    wide: usize,
    /// There is a loop inside.
    nested: bool,
    /// A carried value turned out to vary after what it flows into was looked at.
    again: bool,
    defined: Vec<Var>,
}

impl<'a> Walk<'a> {
    fn new(kernel: &'a Kernel, plan: &'a mut Plan, axis: AxisId) -> Walk<'a> {
        Walk { axis, kernel, plan, weight: 0, wide: 0, nested: false, again: false, defined: vec![] }
    }

    fn body(&mut self, body: &[Stmt]) -> bool {
        body.iter().all(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> bool {
        match stmt {
            Stmt::Let { var, expr } => {
                let varying = self.expr_varies(expr);
                self.define(*var, varying);
                true
            }
            Stmt::Store { index, value, .. } => {
                // One place for differing values: the order of the lanes would matter.
                let varies = self.plan.index_varies(self.axis, index);
                self.weight += 1;
                varies || !self.plan.is_varying(*value)
            }
            Stmt::Loop(l) => {
                self.nested = true;
                for c in &l.carried {
                    let varying = self.plan.is_varying(c.param) || self.plan.is_varying(c.init);
                    self.define(c.param, varying);
                }
                if l.kind == LoopKind::Parallel || !self.body(&l.body) {
                    return false;
                }
                for c in &l.carried {
                    let varying = self.plan.is_varying(c.next);
                    if varying && !self.plan.is_varying(c.param) {
                        self.plan.varying[c.param.0 as usize] = true;
                        self.again = true;
                    }
                    self.define(c.result, varying || self.plan.is_varying(c.param));
                }
                for r in &l.reductions {
                    let varying = self.plan.is_varying(r.value) || self.plan.is_varying(r.init);
                    self.define(r.result, varying);
                }
                true
            }
            Stmt::If { cond, then } => !self.plan.is_varying(*cond) && self.body(then),
        }
    }

    fn define(&mut self, var: Var, varying: bool) {
        if let Some(slot) = self.plan.varying.get_mut(var.0 as usize) {
            *slot = varying;
        }
        if varying {
            self.weight += 1;
            self.wide += usize::from(self.kernel.vars.get(var.0 as usize).is_some_and(|d| d.size() == 8));
        }
        self.defined.push(var);
    }

    fn expr_varies(&self, expr: &Expr) -> bool {
        let v = |var: &Var| self.plan.is_varying(*var);
        match expr {
            Expr::Const(_) => false,
            Expr::Axis(a) => *a == self.axis,
            Expr::Load { index, .. } => self.plan.index_varies(self.axis, index),
            Expr::Unary(_, x) | Expr::Convert(_, x) | Expr::Bitcast(_, x) => v(x),
            Expr::Binary(_, x, y) | Expr::Compare(_, x, y) => v(x) || v(y),
            Expr::Select(x, y, z) | Expr::Fma(x, y, z) => v(x) || v(y) || v(z),
        }
    }
}

/// Finds the lane-uniform variables that vector operations read.
struct Needs<'a> {
    axis: AxisId,
    plan: &'a Plan,
    found: Vec<Var>,
}

impl Needs<'_> {
    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::Let { var, expr } if self.plan.is_varying(*var) => match expr {
                    Expr::Const(_) | Expr::Axis(_) | Expr::Load { .. } => {}
                    Expr::Unary(_, x) | Expr::Convert(_, x) | Expr::Bitcast(_, x) => self.vector(*x),
                    Expr::Binary(_, x, y) | Expr::Compare(_, x, y) => {
                        self.vector(*x);
                        self.vector(*y);
                    }
                    Expr::Select(x, y, z) | Expr::Fma(x, y, z) => {
                        self.vector(*x);
                        self.vector(*y);
                        self.vector(*z);
                    }
                },
                Stmt::Let { .. } => {}
                Stmt::Store { index, value, .. } => {
                    if self.plan.index_varies(self.axis, index) {
                        self.vector(*value);
                    }
                }
                Stmt::Loop(l) => {
                    self.body(&l.body);
                    for r in &l.reductions {
                        if self.plan.is_varying(r.result) {
                            self.vector(r.init);
                            self.vector(r.value);
                        }
                    }
                    for c in l.carried.iter().filter(|c| self.plan.is_varying(c.result)).copied().collect::<Vec<_>>() {
                        self.vector(c.init);
                        self.vector(c.next);
                    }
                }
                Stmt::If { then, .. } => self.body(then),
            }
        }
    }

    fn vector(&mut self, var: Var) {
        let literal = self.plan.literals.get(var.0 as usize).is_some_and(Option::is_some);
        if !literal && !self.plan.is_varying(var) && !self.found.contains(&var) {
            self.found.push(var);
        }
    }
}
