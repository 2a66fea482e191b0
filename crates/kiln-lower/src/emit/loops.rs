//! Loop nests: collapsing, ordering, splitting and nesting of axes, placement of invariant code.

use super::builder::{Emitter, Scope};
use super::elemental::Emit;
use kiln_ir::BinaryOp;
use kiln_ir::op::Reducer;
use kiln_loops::{Access, AxisId, Buf, Const, Expr, Index, Kernel, Loop, LoopKind, Reduction, Stmt, Var};
use std::collections::{BTreeSet, HashMap, HashSet};

/// How a nest runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nest {
    /// The whole kernel: outermost loop parallel when `parallel`, innermost vector when `vector`.
    Root { parallel: bool, vector: bool },
    /// Part of another nest: serial loops around a vector loop, or serial loops only.
    Inner { vector: bool },
}

/// A value folded over a whole nest.
pub(super) struct Fold {
    pub op: Reducer,
    pub init: Var,
    pub value: Var,
    pub result: Var,
}

impl Emitter<'_> {
    /// Turns a closed scope into loops.
    pub fn nest(&mut self, scope: Scope, nest: Nest, folds: &[Fold]) -> Vec<Stmt> {
        let mut body = scope.stmts;
        let mut axes: Vec<(AxisId, i64)> = scope.axes.iter().map(|&a| (a, self.extent(a))).collect();
        collapse(&mut body, &mut axes);
        let vector = matches!(nest, Nest::Root { vector: true, .. } | Nest::Inner { vector: true });
        if vector && !axes.is_empty() {
            let best = vector_axis(&body, &axes);
            let axis = axes.remove(best);
            axes.push(axis);
        }
        let parallel = matches!(nest, Nest::Root { parallel: true, .. });
        if parallel {
            self.order_parallel(&mut body, &mut axes, vector);
        }
        let serial_only = !vector;
        let mut stmts = body;
        let mut values: Vec<Var> = folds.iter().map(|f| f.value).collect();
        let mut identities = Vec::new();
        let depth = axes.len();
        for (k, (axis, extent)) in axes.iter().enumerate().rev() {
            let is_parallel = parallel && k == 0;
            let kind = match () {
                () if is_parallel => LoopKind::Parallel,
                () if k + 1 == depth && !serial_only => LoopKind::Vector,
                () => LoopKind::Serial,
            };
            let (out, inside) = if is_parallel { (Vec::new(), stmts) } else { self.hoist(stmts, *axis) };
            let mut reductions = smallvec::SmallVec::new();
            for (f, value) in folds.iter().zip(&mut values) {
                let dtype = self.dtype(f.init);
                let (result, init) = if k == 0 {
                    (f.result, f.init)
                } else {
                    let c = self.fresh(dtype, 0);
                    identities.push(Stmt::Let { var: c, expr: Expr::Const(Const::identity(f.op, dtype)) });
                    (self.fresh(dtype, 0), c)
                };
                reductions.push(Reduction { result, init, op: f.op, value: *value });
                *value = result;
            }
            stmts = out;
            stmts.push(Stmt::Loop(Loop {
                axis: *axis,
                extent: *extent as u64,
                kind,
                reductions,
                carried: smallvec::SmallVec::new(),
                body: inside,
            }));
        }
        identities.extend(stmts);
        identities
    }

    /// Puts the axis that is best run in parallel first; splits one off the vector axis when there is no other.
    fn order_parallel(&mut self, body: &mut Vec<Stmt>, axes: &mut Vec<(AxisId, i64)>, vector: bool) {
        let limits = self.cx.machine.parallel;
        let outer = axes.len() - usize::from(vector && !axes.is_empty());
        let outer_work: i64 = axes[..outer].iter().map(|a| a.1).product();
        if vector
            && let Some(&(axis, n)) = axes.last()
            && limits.worth(n)
            && outer_work < limits.few_outer
            && let Some(chunk) = limits.chunk_of(n)
        {
            let p = self.split(body, axis, chunk);
            axes.pop();
            axes.push((axis, chunk));
            axes.insert(0, (p, n / chunk));
            return;
        }
        if outer > 1 && axes[0].1 < limits.short_outer {
            let best = (0..outer).max_by_key(|&i| (axes[i].1.min(limits.enough_outer), outer - i)).unwrap_or(0);
            let axis = axes.remove(best);
            axes.insert(0, axis);
        } else if outer == 0 && !axes.is_empty() {
            // Only a vector axis that does not split: an outer axis of one iteration keeps the kernel's shape.
            let p = self.axis(0, 1);
            axes.insert(0, (p, 1));
        }
    }

    /// Splits an axis into `outer * chunk + axis`; returns the outer axis.
    fn split(&mut self, body: &mut Vec<Stmt>, axis: AxisId, chunk: i64) -> AxisId {
        let n = self.extent(axis);
        let outer = self.axis(0, n / chunk);
        let mut parts = HashMap::new();
        self.split_in(body, axis, outer, chunk, &mut parts);
        outer
    }

    fn split_in(
        &mut self,
        body: &mut Vec<Stmt>,
        axis: AxisId,
        outer: AxisId,
        chunk: i64,
        parts: &mut HashMap<Var, (Var, Var)>,
    ) {
        let mut out = Vec::with_capacity(body.len());
        for mut s in std::mem::take(body) {
            for_each_index_here(&mut s, &mut |i| {
                let stride = i.stride(axis);
                *i = std::mem::take(i).plus_axis(outer, stride * chunk);
            });
            match s {
                Stmt::Let { var, expr: Expr::Axis(a) } if a == axis => {
                    let inner = self.fresh(kiln_ir::DType::I64, 0);
                    let block = self.fresh(kiln_ir::DType::I64, 0);
                    out.push(Stmt::Let { var: inner, expr: Expr::Axis(axis) });
                    out.push(Stmt::Let { var: block, expr: Expr::Axis(outer) });
                    parts.insert(var, (inner, block));
                    self.recombine(&mut out, var, inner, block, chunk);
                }
                Stmt::Let { var, expr: Expr::Convert(t, x) } if t.is_int() && parts.contains_key(&x) => {
                    let (inner, block) = parts[&x];
                    let (i, b) = (self.fresh(t, 0), self.fresh(t, 0));
                    out.push(Stmt::Let { var: i, expr: Expr::Convert(t, inner) });
                    out.push(Stmt::Let { var: b, expr: Expr::Convert(t, block) });
                    self.recombine(&mut out, var, i, b, chunk);
                }
                Stmt::Loop(mut l) => {
                    self.split_in(&mut l.body, axis, outer, chunk, parts);
                    out.push(Stmt::Loop(l));
                }
                Stmt::If { cond, mut then } => {
                    self.split_in(&mut then, axis, outer, chunk, parts);
                    out.push(Stmt::If { cond, then });
                }
                other => out.push(other),
            }
        }
        *body = out;
    }

    /// `var = block * chunk + inner`.
    fn recombine(&mut self, out: &mut Vec<Stmt>, var: Var, inner: Var, block: Var, chunk: i64) {
        let t = self.dtype(var);
        let (k, m) = (self.fresh(t, 0), self.fresh(t, 0));
        let mask = if t.size() == 8 { u64::MAX } else { (1 << t.bits()) - 1 };
        out.push(Stmt::Let { var: k, expr: Expr::Const(Const { dtype: t, bits: chunk as u64 & mask }) });
        out.push(Stmt::Let { var: m, expr: Expr::Binary(BinaryOp::Multiply, block, k) });
        out.push(Stmt::Let { var, expr: Expr::Binary(BinaryOp::Add, m, inner) });
    }

    /// Separates what does not depend on an axis (and may run before its loop) from the rest.
    fn hoist(&self, stmts: Vec<Stmt>, axis: AxisId) -> (Vec<Stmt>, Vec<Stmt>) {
        let mut varying: HashSet<Var> = HashSet::new();
        let (mut out, mut inside) = (Vec::new(), Vec::new());
        for s in stmts {
            if depends(&s, axis, &varying, &self.volatile) {
                match &s {
                    Stmt::Let { var, .. } => {
                        varying.insert(*var);
                    }
                    Stmt::Loop(l) => {
                        varying.extend(l.reductions.iter().map(|r| r.result));
                        varying.extend(l.carried.iter().map(|c| c.result));
                    }
                    Stmt::Store { .. } | Stmt::If { .. } => {}
                }
                inside.push(s);
            } else {
                out.push(s);
            }
        }
        (out, inside)
    }

    /// Opens a nest inside of the current scope that ends with stores, and appends it.
    pub fn inner_nest<R>(
        &mut self,
        axes: Vec<AxisId>,
        vector: bool,
        body: impl FnOnce(&mut Self) -> Emit<R>,
    ) -> Emit<R> {
        let vector = vector && !self.in_vector();
        self.open(axes, vector);
        let r = body(self)?;
        let scope = self.close();
        let stmts = self.nest(scope, Nest::Inner { vector }, &[]);
        let top = self.top();
        self.scopes[top].stmts.extend(stmts);
        Ok(r)
    }

    /// Emits a whole kernel nest: opens `axes`, runs `body`, appends the loops to the kernel. `work`: elements touched.
    pub fn root_nest(
        &mut self,
        axes: Vec<AxisId>,
        vector: bool,
        parallel: bool,
        body: impl FnOnce(&mut Self) -> Emit<()>,
    ) -> Emit<()> {
        self.open(axes, vector);
        body(self)?;
        let scope = self.close();
        let parallel = parallel && !scope.axes.is_empty();
        let stmts = self.nest(scope, Nest::Root { parallel, vector }, &[]);
        self.kernel.body.extend(stmts);
        Ok(())
    }
}

/// Merges adjacent axes that every index uses as one.
fn collapse(body: &mut [Stmt], axes: &mut Vec<(AxisId, i64)>) {
    let mut single = HashSet::new();
    for s in body.iter_mut() {
        axes_used_as_values(s, &mut single);
    }
    let mut i = axes.len();
    while i >= 2 {
        let ((a, n), (b, m)) = (axes[i - 2], axes[i - 1]);
        let mut ok = !single.contains(&a) && !single.contains(&b);
        for s in body.iter_mut() {
            for_each_index(s, &mut |ix| ok &= ix.stride(a) == ix.stride(b) * m);
        }
        if ok {
            for s in body.iter_mut() {
                for_each_index(s, &mut |ix| ix.terms.retain(|t| t.0 != a));
            }
            axes[i - 1].1 = n * m;
            axes.remove(i - 2);
        }
        i -= 1;
    }
}

/// Position of the axis whose loop touches memory best when run in lanes.
fn vector_axis(body: &[Stmt], axes: &[(AxisId, i64)]) -> usize {
    let mut best = (u64::MAX, 0);
    for (k, &(axis, extent)) in axes.iter().enumerate().rev() {
        let mut cost = 0u64;
        for s in body {
            visit_index(s, &mut |ix, store| {
                let strided = if store { 9 } else { 6 };
                cost += match ix.stride(axis) {
                    _ if !ix.dynamic.is_empty() => 4,
                    0 => 0,
                    1 => 1,
                    -1 => 2,
                    _ => strided,
                };
            });
        }
        // A short loop fills no vector.
        let cost = match extent {
            ..4 => cost * 4 + 16,
            4..8 => cost * 2 + 4,
            _ => cost,
        };
        if cost < best.0 {
            best = (cost, k);
        }
    }
    best.1
}

fn axes_used_as_values(s: &Stmt, out: &mut HashSet<AxisId>) {
    match s {
        Stmt::Let { expr: Expr::Axis(a), .. } => {
            out.insert(*a);
        }
        Stmt::Let { .. } | Stmt::Store { .. } => {}
        Stmt::Loop(l) => l.body.iter().for_each(|s| axes_used_as_values(s, out)),
        Stmt::If { then, .. } => then.iter().for_each(|s| axes_used_as_values(s, out)),
    }
}

/// Calls `f` on the indices of one statement, not of those nested in it.
fn for_each_index_here(s: &mut Stmt, f: &mut impl FnMut(&mut Index)) {
    match s {
        Stmt::Let { expr: Expr::Load { index, .. }, .. } | Stmt::Store { index, .. } => f(index),
        Stmt::Let { .. } | Stmt::Loop(_) | Stmt::If { .. } => {}
    }
}

fn for_each_index(s: &mut Stmt, f: &mut impl FnMut(&mut Index)) {
    for_each_index_here(s, f);
    match s {
        Stmt::Loop(l) => l.body.iter_mut().for_each(|s| for_each_index(s, f)),
        Stmt::If { then, .. } => then.iter_mut().for_each(|s| for_each_index(s, f)),
        Stmt::Let { .. } | Stmt::Store { .. } => {}
    }
}

fn visit_index(s: &Stmt, f: &mut impl FnMut(&Index, bool)) {
    match s {
        Stmt::Let { expr: Expr::Load { index, .. }, .. } => f(index, false),
        Stmt::Store { index, .. } => f(index, true),
        Stmt::Let { .. } => {}
        Stmt::Loop(l) => l.body.iter().for_each(|s| visit_index(s, f)),
        Stmt::If { then, .. } => then.iter().for_each(|s| visit_index(s, f)),
    }
}

fn depends(s: &Stmt, axis: AxisId, varying: &HashSet<Var>, volatile: &BTreeSet<Buf>) -> bool {
    let index = |ix: &Index| ix.stride(axis) != 0 || ix.dynamic.iter().any(|d| varying.contains(&d.0));
    match s {
        Stmt::Let { expr, .. } => match expr {
            Expr::Axis(a) => *a == axis,
            Expr::Load { buf, index: ix } => volatile.contains(buf) || index(ix),
            other => {
                let mut any = false;
                other.for_each_operand(|v| any |= varying.contains(&v));
                any
            }
        },
        Stmt::Store { .. } | Stmt::If { .. } => true,
        Stmt::Loop(l) => {
            l.reductions.iter().any(|r| varying.contains(&r.init) || varying.contains(&r.value))
                || l.carried.iter().any(|c| varying.contains(&c.init) || varying.contains(&c.next))
                || l.body.iter().any(|s| depends(s, axis, varying, volatile))
        }
    }
}

/// Removes what nothing needs, and states how each buffer is used.
pub(super) fn cleanup(kernel: &mut Kernel, partial: &BTreeSet<Buf>) {
    let mut loaded = HashSet::new();
    let mut used = HashSet::new();
    let mut body = std::mem::take(&mut kernel.body);
    body.iter().for_each(|s| visit_loads(s, &mut loaded));
    sweep(&mut body, &mut used, &loaded);
    let (mut loads, mut stores) = (HashSet::new(), HashSet::new());
    for s in &body {
        visit_loads(s, &mut loads);
        visit_stores(s, &mut stores);
    }
    for (i, p) in kernel.params.iter_mut().enumerate() {
        let b = Buf::Param(i as u32);
        p.access = match (loads.contains(&b) || partial.contains(&b), stores.contains(&b)) {
            (_, false) => Access::Read,
            (false, true) => Access::Write,
            (true, true) => Access::ReadWrite,
        };
    }
    kernel.body = body;
}

fn visit_loads(s: &Stmt, out: &mut HashSet<Buf>) {
    match s {
        Stmt::Let { expr: Expr::Load { buf, .. }, .. } => {
            out.insert(*buf);
        }
        Stmt::Let { .. } | Stmt::Store { .. } => {}
        Stmt::Loop(l) => l.body.iter().for_each(|s| visit_loads(s, out)),
        Stmt::If { then, .. } => then.iter().for_each(|s| visit_loads(s, out)),
    }
}

fn visit_stores(s: &Stmt, out: &mut HashSet<Buf>) {
    match s {
        Stmt::Store { buf, .. } => {
            out.insert(*buf);
        }
        Stmt::Let { .. } => {}
        Stmt::Loop(l) => l.body.iter().for_each(|s| visit_stores(s, out)),
        Stmt::If { then, .. } => then.iter().for_each(|s| visit_stores(s, out)),
    }
}

/// Drops unused definitions, from the last statement to the first.
fn sweep(stmts: &mut Vec<Stmt>, used: &mut HashSet<Var>, loaded: &HashSet<Buf>) {
    let mut kept = Vec::with_capacity(stmts.len());
    for mut s in std::mem::take(stmts).into_iter().rev() {
        let keep = match &mut s {
            Stmt::Let { var, expr } => {
                let keep = used.contains(var);
                if keep {
                    expr.for_each_operand(|v| {
                        used.insert(v);
                    });
                    if let Expr::Load { index, .. } = expr {
                        used.extend(index.dynamic.iter().map(|d| d.0));
                    }
                }
                keep
            }
            Stmt::Store { buf, index, value } => {
                let keep = matches!(buf, Buf::Param(_)) || loaded.contains(buf);
                if keep {
                    used.insert(*value);
                    used.extend(index.dynamic.iter().map(|d| d.0));
                }
                keep
            }
            Stmt::Loop(l) => {
                l.reductions.retain(|r| used.contains(&r.result));
                for r in &l.reductions {
                    used.extend([r.init, r.value]);
                }
                // Simplification finds out which carried values nothing needs.
                used.extend(l.carried.iter().flat_map(|c| [c.init, c.next]));
                sweep(&mut l.body, used, loaded);
                !l.body.is_empty() || !l.reductions.is_empty() || !l.carried.is_empty()
            }
            Stmt::If { cond, then } => {
                sweep(then, used, loaded);
                used.insert(*cond);
                !then.is_empty()
            }
        };
        if keep {
            kept.push(s);
        }
    }
    kept.reverse();
    *stmts = kept;
}
