//! Cleaning up a kernel in time linear in its size.
//!
//! One walk forwards drops loops without iterations (their results become `init`), inlines sequential loops of one iteration,
//! moves what does not change out of loops, merges equal expressions, and folds literals into indices. Walks backwards (one, and
//! one more for each carried value that only shows as used later) find what is used; the rest goes. The order of stores, and the order in which a reduction folds, stay.
//!
//! Loads move and merge only when the kernel never stores to their buffer. Nothing moves out of an `If` or out of the parallel
//! loop.

use crate::ir::{AxisId, Buf, Const, Expr, Index, Kernel, Loop, LoopKind, Stmt, Var, for_each_stmt};
use std::collections::{BTreeMap, HashMap};

/// Simplifies a kernel that passes the verifier; it still does afterwards, and computes the same.
pub fn simplify(kernel: &mut Kernel) {
    let mut stored = BTreeMap::new();
    for_each_stmt(&kernel.body, &mut |s| {
        if let Stmt::Store { buf, .. } = s {
            stored.insert(*buf, ());
        }
    });
    let body = std::mem::take(&mut kernel.body);
    let mut f = Forward {
        stored,
        scopes: vec![],
        known: HashMap::new(),
        level: HashMap::new(),
        axis_level: HashMap::new(),
        renamed: HashMap::new(),
        consts: HashMap::new(),
        ones: HashMap::new(),
    };
    f.open(false);
    f.block(body);
    let body = f.close();
    let mut live = vec![false; kernel.vars.len()];
    while mark(&body, &mut live).again {}
    kernel.body = sweep(body, &live);
}

struct Scope {
    stmts: Vec<Stmt>,
    /// Expressions that this scope made known.
    keys: Vec<Expr>,
    /// Nothing moves out of it.
    fixed: bool,
}

struct Forward {
    stored: BTreeMap<Buf, ()>,
    scopes: Vec<Scope>,
    /// Visible expressions. Only looked up, never iterated.
    known: HashMap<Expr, Var>,
    /// The scope that a variable lives in.
    level: HashMap<Var, usize>,
    axis_level: HashMap<AxisId, usize>,
    renamed: HashMap<Var, Var>,
    consts: HashMap<Var, Const>,
    /// Axes of loops that were inlined.
    ones: HashMap<AxisId, ()>,
}

impl Forward {
    fn open(&mut self, fixed: bool) {
        self.scopes.push(Scope { stmts: vec![], keys: vec![], fixed });
    }

    fn close(&mut self) -> Vec<Stmt> {
        let scope = self.scopes.pop().expect("every close has its open");
        for k in scope.keys {
            self.known.remove(&k);
        }
        scope.stmts
    }

    fn push(&mut self, stmt: Stmt) {
        self.scopes.last_mut().expect("the root scope is open").stmts.push(stmt);
    }

    fn name(&self, v: Var) -> Var {
        self.renamed.get(&v).copied().unwrap_or(v)
    }

    fn block(&mut self, stmts: Vec<Stmt>) {
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => self.let_(var, expr),
                Stmt::Store { buf, mut index, value } => {
                    self.index(&mut index);
                    let value = self.name(value);
                    self.push(Stmt::Store { buf, index, value });
                }
                Stmt::If { cond, then } => {
                    let cond = self.name(cond);
                    self.open(true);
                    self.block(then);
                    let then = self.close();
                    self.push(Stmt::If { cond, then });
                }
                Stmt::Loop(l) => self.loop_(l),
            }
        }
    }

    fn index(&self, index: &mut Index) {
        index.terms.retain(|t| !self.ones.contains_key(&t.0));
        let mut offset = index.offset;
        index.dynamic.retain(|(v, factor)| {
            *v = self.name(*v);
            let folded = self.consts.get(v).and_then(|c| (c.bits as i64).checked_mul(*factor)?.checked_add(offset));
            if let Some(sum) = folded {
                offset = sum;
            }
            folded.is_none()
        });
        index.offset = offset;
    }

    /// The outermost scope where the expression has its value.
    fn home(&self, expr: &Expr) -> usize {
        let here = self.scopes.len() - 1;
        let mut home = match expr {
            Expr::Axis(a) => self.axis_level.get(a).copied().unwrap_or(here),
            Expr::Load { buf, .. } if self.stored.contains_key(buf) || matches!(buf, Buf::Local(_)) => here,
            Expr::Load { index, .. } => {
                index.terms.iter().map(|t| self.axis_level.get(&t.0).copied().unwrap_or(here)).max().unwrap_or(0)
            }
            Expr::Const(_)
            | Expr::Unary(..)
            | Expr::Binary(..)
            | Expr::Compare(..)
            | Expr::Select(..)
            | Expr::Convert(..)
            | Expr::Bitcast(..)
            | Expr::Fma(..) => 0,
        };
        expr.for_each_operand(|v| home = home.max(self.level.get(&v).copied().unwrap_or(here)));
        let fixed = (0..=here).rev().find(|i| self.scopes[*i].fixed).unwrap_or(0);
        home.max(fixed)
    }

    fn let_(&mut self, var: Var, mut expr: Expr) {
        expr.map_operands(|v| self.name(v));
        match &mut expr {
            Expr::Load { index, .. } => self.index(index),
            Expr::Axis(a) if self.ones.contains_key(a) => expr = Expr::Const(Const::i64(0)),
            _ => {}
        }
        let mergeable = match &expr {
            Expr::Load { buf, .. } => !self.stored.contains_key(buf) && !matches!(buf, Buf::Local(_)),
            _ => true,
        };
        if mergeable && let Some(same) = self.known.get(&expr) {
            self.renamed.insert(var, *same);
            return;
        }
        let home = self.home(&expr);
        if let Expr::Const(c) = expr {
            self.consts.insert(var, c);
        }
        self.level.insert(var, home);
        let scope = &mut self.scopes[home];
        if mergeable {
            self.known.insert(expr.clone(), var);
            scope.keys.push(expr.clone());
        }
        scope.stmts.push(Stmt::Let { var, expr });
    }

    fn loop_(&mut self, mut l: Loop) {
        for r in &mut l.reductions {
            r.init = self.name(r.init);
        }
        for c in &mut l.carried {
            c.init = self.name(c.init);
        }
        if l.extent == 0 {
            self.renamed.extend(l.reductions.iter().map(|r| (r.result, r.init)));
            self.renamed.extend(l.carried.iter().map(|c| (c.result, c.init)));
            return;
        }
        // What every iteration hands on as it is.
        l.carried.retain(|c| {
            if c.next == c.param {
                self.renamed.extend([(c.param, c.init), (c.result, c.init)]);
            }
            c.next != c.param
        });
        if l.extent == 1 && l.kind != LoopKind::Parallel {
            self.ones.insert(l.axis, ());
            self.renamed.extend(l.carried.iter().map(|c| (c.param, c.init)));
            self.block(l.body);
            for c in &l.carried {
                self.renamed.insert(c.result, self.name(c.next));
            }
            for r in &l.reductions {
                let value = self.name(r.value);
                self.let_(r.result, Expr::Binary(r.op.binary(), r.init, value));
            }
            return;
        }
        let here = self.scopes.len();
        self.open(l.kind == LoopKind::Parallel);
        self.axis_level.insert(l.axis, here);
        self.level.extend(l.carried.iter().map(|c| (c.param, here)));
        self.block(l.body);
        l.body = self.close();
        for c in &mut l.carried {
            c.next = self.name(c.next);
            self.level.insert(c.result, here - 1);
        }
        for r in &mut l.reductions {
            r.value = self.name(r.value);
            self.level.insert(r.result, here - 1);
        }
        self.push(Stmt::Loop(l));
    }
}

/// What one walk over statements found.
#[derive(Default)]
struct Marked {
    /// They store something.
    effects: bool,
    /// A carried value was used after what it comes from had been passed.
    again: bool,
}

/// Marks the variables that stores need, from the last statement to the first.
fn mark(stmts: &[Stmt], live: &mut [bool]) -> Marked {
    let mut found = Marked::default();
    for s in stmts.iter().rev() {
        match s {
            Stmt::Let { var, expr } => {
                if live[var.0 as usize] {
                    expr.for_each_operand(|v| live[v.0 as usize] = true);
                }
            }
            Stmt::Store { index, value, .. } => {
                found.effects = true;
                live[value.0 as usize] = true;
                index.dynamic.iter().for_each(|d| live[d.0.0 as usize] = true);
            }
            Stmt::If { cond, then } => {
                let inside = mark(then, live);
                live[cond.0 as usize] |= inside.effects;
                found.effects |= inside.effects;
                found.again |= inside.again;
            }
            Stmt::Loop(l) => {
                for r in &l.reductions {
                    if live[r.result.0 as usize] {
                        live[r.value.0 as usize] = true;
                        live[r.init.0 as usize] = true;
                    }
                }
                for c in &l.carried {
                    live[c.next.0 as usize] |= live[c.result.0 as usize] || live[c.param.0 as usize];
                }
                let inside = mark(&l.body, live);
                found.effects |= inside.effects;
                found.again |= inside.again;
                for c in &l.carried {
                    let used = live[c.result.0 as usize] || live[c.param.0 as usize];
                    live[c.init.0 as usize] |= used;
                    found.again |= used && !live[c.next.0 as usize];
                }
            }
        }
    }
    found
}

/// Drops definitions, reductions, carried values, loops and ifs without effect.
fn sweep(stmts: Vec<Stmt>, live: &[bool]) -> Vec<Stmt> {
    let is_live = |v: Var| live[v.0 as usize];
    let mut kept = Vec::with_capacity(stmts.len());
    for s in stmts {
        match s {
            Stmt::Let { var, expr } if is_live(var) => kept.push(Stmt::Let { var, expr }),
            Stmt::Let { .. } => {}
            Stmt::Store { buf, index, value } => kept.push(Stmt::Store { buf, index, value }),
            Stmt::If { cond, then } => {
                let then = sweep(then, live);
                if !then.is_empty() {
                    kept.push(Stmt::If { cond, then });
                }
            }
            Stmt::Loop(mut l) => {
                l.reductions.retain(|r| is_live(r.result));
                l.carried.retain(|c| is_live(c.result) || is_live(c.param));
                l.body = sweep(l.body, live);
                if !l.body.is_empty() || !l.reductions.is_empty() || !l.carried.is_empty() {
                    kept.push(Stmt::Loop(l));
                }
            }
        }
    }
    kept
}
