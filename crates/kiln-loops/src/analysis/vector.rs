//! How a kernel's loops run in lanes.

use super::lanes::{Lanes, Pattern};
use crate::Verified;
use crate::ir::{AxisId, Const, Expr, Index, Kernel, Loop, LoopKind, Stmt, Var, for_each_stmt};
use std::collections::BTreeMap;

/// The numbers of a machine that decide how loops run in lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VectorModel {
    /// Elements of 32 bits in one register: 4 for 128 bits.
    pub lanes: usize,
    /// How many groups of lanes to interleave, by the registers that the body of a loop defines: the second number of the first
    /// row whose first number is not exceeded, one group beyond the last row.
    pub interleave: &'static [(usize, usize)],
    /// Rows that come first for loops with a loop inside.
    pub interleave_nested: &'static [(usize, usize)],
}

/// What a code generator needs to know to run a kernel's loops in lanes. Loops in lanes do not nest, so that one table says for
/// each variable what it is in the loop around its definition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VectorPlan {
    /// Elements of 32 bits in one register.
    pub lanes: usize,
    literals: Vec<Option<Const>>,
    varying: Vec<bool>,
    splat: Vec<bool>,
    loops: BTreeMap<AxisId, VectorLoop>,
}

/// How one loop runs in lanes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VectorLoop {
    /// Groups of lanes that run interleaved in the main loop.
    pub copies: usize,
    /// Variables from outside of the loop that it needs as a vector.
    pub splat_outer: Vec<Var>,
}

impl VectorPlan {
    /// Decides for the outermost loops that can run in lanes.
    pub fn new(kernel: &Verified<Kernel>, model: &VectorModel) -> VectorPlan {
        let count = kernel.vars.len();
        let mut plan = VectorPlan {
            lanes: model.lanes,
            literals: literals(kernel),
            varying: vec![false; count],
            splat: vec![false; count],
            loops: BTreeMap::new(),
        };
        plan.find_loops(kernel, model, &kernel.body);
        plan
    }

    /// The value of a variable that is a literal.
    pub fn literal(&self, var: Var) -> Option<Const> {
        self.literals[var.0 as usize]
    }

    /// True when the variable differs between the lanes of the loop in lanes around its definition.
    pub fn varies(&self, var: Var) -> bool {
        self.varying[var.0 as usize]
    }

    /// True when the variable is equal in all lanes and also needed as a vector.
    pub fn splat(&self, var: Var) -> bool {
        self.splat[var.0 as usize]
    }

    /// How the loop of this axis runs in lanes, if it does.
    pub fn in_lanes(&self, axis: AxisId) -> Option<&VectorLoop> {
        self.loops.get(&axis)
    }

    /// How the lanes of the loop of this axis reach memory through an index in its body.
    pub fn pattern(&self, axis: AxisId, index: &Index) -> Pattern {
        Pattern::of(axis, index, |v| self.varies(v))
    }

    fn find_loops(&mut self, kernel: &Kernel, model: &VectorModel, body: &[Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::Let { .. } | Stmt::Store { .. } => {}
                Stmt::If { then, .. } => self.find_loops(kernel, model, then),
                Stmt::Loop(l) => {
                    let wanted = match l.kind {
                        LoopKind::Vector => true,
                        LoopKind::Parallel => flat_and_contiguous(l),
                        LoopKind::Serial => false,
                    };
                    if !(wanted && l.extent >= model.lanes as u64 && self.run_in_lanes(kernel, model, l)) {
                        self.find_loops(kernel, model, &l.body);
                    }
                }
            }
        }
    }

    /// Records what running the loop in lanes takes; false (and nothing recorded) when that is not possible.
    fn run_in_lanes(&mut self, kernel: &Kernel, model: &VectorModel, l: &Loop) -> bool {
        let lanes = Lanes::of(kernel, l);
        if !lanes.possible {
            return false;
        }
        let mut needs = Needs { lanes: &lanes, literals: &self.literals, found: Vec::new() };
        needs.body(&l.body);
        l.reductions.iter().for_each(|r| needs.vector(r.value));
        let found = needs.found;
        let mut inside = vec![false; kernel.vars.len()];
        for &var in &lanes.defined {
            inside[var.0 as usize] = true;
            self.varying[var.0 as usize] = lanes.varies(var);
        }
        let (within, splat_outer): (Vec<Var>, Vec<Var>) = found.into_iter().partition(|v| inside[v.0 as usize]);
        within.iter().for_each(|v| self.splat[v.0 as usize] = true);
        self.loops.insert(l.axis, VectorLoop { copies: model.copies(&lanes, l.extent), splat_outer });
        true
    }
}

impl VectorModel {
    /// Interleaved groups: as many as the machine wants and the loop has.
    fn copies(&self, lanes: &Lanes<'_>, extent: u64) -> usize {
        let registers = lanes.weight + lanes.wide;
        let nested = if lanes.nested { self.interleave_nested } else { &[] };
        let row = nested.iter().chain(self.interleave).find(|(most, _)| registers <= *most);
        let fitting = extent / self.lanes as u64;
        let mut copies = row.map_or(1, |r| r.1);
        while copies as u64 > fitting.max(1) {
            copies /= 2;
        }
        copies.max(1)
    }
}

/// The value of every variable that is a literal.
pub(super) fn literals(kernel: &Kernel) -> Vec<Option<Const>> {
    let mut literals = vec![None; kernel.vars.len()];
    for_each_stmt(&kernel.body, &mut |s| {
        if let Stmt::Let { var, expr: Expr::Const(c) } = s {
            literals[var.0 as usize] = Some(*c);
        }
    });
    literals
}

/// A parallel loop over single elements, stored side by side: worth running in lanes itself.
fn flat_and_contiguous(l: &Loop) -> bool {
    l.is_straight_line()
        && l.reductions.is_empty()
        && l.body.iter().any(|s| matches!(s, Stmt::Store { index, .. } if index.stride(l.axis) == 1))
}

/// Finds the lane-uniform variables that vector operations read.
struct Needs<'a> {
    lanes: &'a Lanes<'a>,
    literals: &'a [Option<Const>],
    found: Vec<Var>,
}

impl Needs<'_> {
    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::Let { expr: Expr::Load { .. }, .. } => {}
                Stmt::Let { var, expr } if self.lanes.varies(*var) => expr.for_each_operand(|v| self.vector(v)),
                Stmt::Let { .. } => {}
                Stmt::Store { index, value, .. } => {
                    if self.lanes.index_varies(index) {
                        self.vector(*value);
                    }
                }
                Stmt::Loop(l) => {
                    self.body(&l.body);
                    for r in l.reductions.iter().filter(|r| self.lanes.varies(r.result)) {
                        self.vector(r.init);
                        self.vector(r.value);
                    }
                    for c in l.carried.iter().filter(|c| self.lanes.varies(c.result)) {
                        self.vector(c.init);
                        self.vector(c.next);
                    }
                }
                Stmt::If { then, .. } => self.body(then),
            }
        }
    }

    fn vector(&mut self, var: Var) {
        if self.literals[var.0 as usize].is_none() && !self.lanes.varies(var) && !self.found.contains(&var) {
            self.found.push(var);
        }
    }
}
