//! Straight-line loops in lanes as kernels of their own, for code generators that take no more than these.

use super::vector::literals;
use crate::Verified;
use crate::ir::{
    Access, AxisId, Buf, Const, Expr, Index, Kernel, Local, Loop, LoopKind, Param, Stmt, Var, for_each_stmt,
};
use smallvec::{SmallVec, smallvec};
use std::collections::{BTreeMap, HashMap};

/// A vector loop of definitions and stores, taken out of its kernel.
#[derive(Clone, PartialEq, Debug)]
pub struct Body {
    /// The axis of the loop.
    pub axis: AxisId,
    /// The loop as a kernel: loads of single values and literals, one vector loop without statements inside but definitions and
    /// stores, with affine accesses along its axis alone, and stores of what it folds.
    pub kernel: Verified<Kernel>,
    /// What each parameter of the kernel is.
    args: Vec<Arg>,
}

/// What a parameter of a body is in the kernel around it.
#[derive(Clone, PartialEq, Debug)]
enum Arg {
    /// The elements of a buffer from this index on.
    Place(Buf, Index),
    /// The value of a variable.
    Value(Var),
    /// Where the result of a fold goes.
    Result(Var),
}

/// A loop whose work a body does.
#[derive(Clone, PartialEq, Debug)]
pub struct BodyCall {
    /// The axis of the loop.
    pub axis: AxisId,
    /// For each parameter the buffer and the index of its first element; axes around the loop take part in the index.
    pub args: Vec<(Buf, Index)>,
    /// Results of the loop with the scratch that the body leaves them in.
    pub results: Vec<(Var, Buf)>,
}

/// The straight-line vector loops of a kernel, but those that reach memory through variables, or store to a buffer that they
/// reach from several places.
pub fn bodies(kernel: &Verified<Kernel>) -> Vec<Body> {
    let literals = literals(kernel);
    let mut found = vec![];
    for_each_stmt(&kernel.body, &mut |s| match s {
        Stmt::Loop(l) if l.kind == LoopKind::Vector && l.is_straight_line() && l.extent > 0 => {
            found.extend(Outline::new(kernel, l, &literals).body());
        }
        _ => {}
    });
    found
}

/// The kernel with the values that bodies read stored to scratch before their loops, and what calling the bodies takes. The
/// loops stay: who makes code of the kernel may call a body or not.
pub fn with_calls(kernel: &Verified<Kernel>, bodies: &[Body]) -> (Verified<Kernel>, Vec<BodyCall>) {
    let mut host = kernel.clone().into_inner();
    let mut stores: BTreeMap<AxisId, Vec<Stmt>> = BTreeMap::new();
    let mut calls = vec![];
    for body in bodies {
        let mut call = BodyCall { axis: body.axis, args: vec![], results: vec![] };
        for arg in &body.args {
            let (var, scratch) = match arg {
                Arg::Place(buf, index) => {
                    call.args.push((*buf, index.clone()));
                    continue;
                }
                Arg::Value(var) | Arg::Result(var) => (*var, Buf::Local(host.locals.len() as u32)),
            };
            host.locals.push(Local { dtype: host.vars[var.0 as usize], len: 1 });
            call.args.push((scratch, Index::constant(0)));
            match arg {
                Arg::Result(_) => call.results.push((var, scratch)),
                _ => stores.entry(body.axis).or_default().push(Stmt::Store {
                    buf: scratch,
                    index: Index::constant(0),
                    value: var,
                }),
            }
        }
        calls.push(call);
    }
    host.body = before_loops(host.body, &mut stores);
    (Verified::derived(host), calls)
}

fn before_loops(stmts: Vec<Stmt>, new: &mut BTreeMap<AxisId, Vec<Stmt>>) -> Vec<Stmt> {
    let mut out = Vec::with_capacity(stmts.len());
    for s in stmts {
        match s {
            Stmt::Loop(mut l) => {
                out.extend(new.remove(&l.axis).unwrap_or_default());
                l.body = before_loops(l.body, new);
                out.push(Stmt::Loop(l));
            }
            Stmt::If { cond, then } => out.push(Stmt::If { cond, then: before_loops(then, new) }),
            Stmt::Let { .. } | Stmt::Store { .. } => out.push(s),
        }
    }
    out
}

/// The only axis of a body.
const AXIS: AxisId = AxisId(0);

/// Accesses of one buffer that differ in nothing but strides along the axis and constants.
struct Group {
    /// Smallest and largest offset over all iterations.
    reach: (i64, i64),
    loaded: bool,
    stored: bool,
    param: u32,
}

struct Outline<'k> {
    host: &'k Kernel,
    looped: &'k Loop,
    literals: &'k [Option<Const>],
    kernel: Kernel,
    args: Vec<Arg>,
    /// Accesses by buffer and index without the axis. Only looked up and summed up, so that the order cannot leak.
    groups: HashMap<(Buf, Index), Group>,
    /// Variables of the host in the body.
    renamed: HashMap<Var, Var>,
    /// What is before the loop.
    head: Vec<Stmt>,
}

impl<'k> Outline<'k> {
    fn new(host: &'k Kernel, looped: &'k Loop, literals: &'k [Option<Const>]) -> Outline<'k> {
        let kernel = Kernel { name: format!("{}, axis {}", host.name, looped.axis.0), axes: 1, ..Kernel::default() };
        let (groups, renamed) = (HashMap::new(), HashMap::new());
        Outline { host, looped, literals, kernel, args: vec![], groups, renamed, head: vec![] }
    }

    fn body(mut self) -> Option<Body> {
        let l = self.looped;
        for s in &l.body {
            match s {
                Stmt::Let { expr: Expr::Load { buf, index }, .. } => self.reach(*buf, index, false)?,
                Stmt::Store { buf, index, .. } => self.reach(*buf, index, true)?,
                _ => {}
            }
        }
        self.params()?;
        let body = l.body.iter().map(|s| self.stmt(s)).collect::<Option<Vec<Stmt>>>()?;
        let mut inner = Loop { axis: AXIS, kind: LoopKind::Vector, body, ..l.clone() };
        let mut tail = vec![];
        for r in &mut inner.reductions {
            let dtype = self.host.var_type(r.result)?;
            let buf = self.add_param(dtype, 1, Access::Write, Arg::Result(r.result));
            (r.init, r.value) = (self.name(r.init), self.name(r.value));
            r.result = self.kernel.fresh_var(dtype);
            tail.push(Stmt::Store { buf, index: Index::constant(0), value: r.result });
        }
        let mut kernel = self.kernel;
        kernel.body = self.head;
        kernel.body.push(Stmt::Loop(inner));
        kernel.body.extend(tail);
        Some(Body { axis: l.axis, kernel: Verified::new(kernel).ok()?, args: self.args })
    }

    /// Notes an access; `None` when it is not affine.
    fn reach(&mut self, buf: Buf, index: &Index, store: bool) -> Option<()> {
        if !index.dynamic.is_empty() {
            return None;
        }
        let last = index.stride(self.looped.axis).checked_mul(i64::try_from(self.looped.extent - 1).ok()?)?;
        let (low, high) = (index.offset.checked_add(last.min(0))?, index.offset.checked_add(last.max(0))?);
        let params = self.groups.len() as u32;
        let group = self.groups.entry(key(self.looped.axis, buf, index)).or_insert(Group {
            reach: (low, high),
            loaded: false,
            stored: false,
            param: params,
        });
        group.reach = (group.reach.0.min(low), group.reach.1.max(high));
        group.loaded |= !store;
        group.stored |= store;
        Some(())
    }

    /// Makes a parameter of each group; `None` when a buffer is stored to and reached from several places.
    fn params(&mut self) -> Option<()> {
        let mut groups: Vec<_> = self.groups.iter().map(|(k, g)| (k.clone(), g)).collect();
        groups.sort_unstable_by_key(|(_, g)| g.param);
        for ((buf, _), _) in groups.iter().filter(|(_, g)| g.stored) {
            if groups.iter().filter(|(k, _)| k.0 == *buf).count() > 1 {
                return None;
            }
        }
        let params: Vec<_> = groups
            .into_iter()
            .map(|((buf, index), g)| {
                let len = u64::try_from(g.reach.1.checked_sub(g.reach.0)?).ok()? + 1;
                // Not every element need be stored, so that what is only stored to counts as read, too.
                let access = if g.stored { Access::ReadWrite } else { Access::Read };
                Some((buf, Index { offset: g.reach.0, ..index }, len, access))
            })
            .collect::<Option<_>>()?;
        for (buf, index, len, access) in params {
            let (dtype, _) = self.host.buf_type(buf)?;
            self.add_param(dtype, len, access, Arg::Place(buf, index));
        }
        Some(())
    }

    fn add_param(&mut self, dtype: kiln_ir::DType, len: u64, access: Access, arg: Arg) -> Buf {
        let n = self.args.len() as u32;
        self.kernel.params.push(Param { name: format!("arg{n}"), dtype, len, access });
        self.args.push(arg);
        Buf::Param(n)
    }

    fn place(&self, buf: Buf, index: &Index) -> Option<(Buf, Index)> {
        let group = self.groups.get(&key(self.looped.axis, buf, index))?;
        let index = Index::constant(index.offset - group.reach.0).plus_axis(AXIS, index.stride(self.looped.axis));
        Some((Buf::Param(group.param), index))
    }

    fn stmt(&mut self, s: &Stmt) -> Option<Stmt> {
        match s {
            Stmt::Let { var, expr } => {
                let mut expr = match expr {
                    Expr::Load { buf, index } => {
                        let (buf, index) = self.place(*buf, index)?;
                        Expr::Load { buf, index }
                    }
                    Expr::Axis(a) if *a == self.looped.axis => Expr::Axis(AXIS),
                    Expr::Axis(_) => return None,
                    other => other.clone(),
                };
                expr.map_operands(|v| self.name(v));
                let own = self.kernel.fresh_var(self.host.var_type(*var)?);
                self.renamed.insert(*var, own);
                Some(Stmt::Let { var: own, expr })
            }
            Stmt::Store { buf, index, value } => {
                let (buf, index) = self.place(*buf, index)?;
                Some(Stmt::Store { buf, index, value: self.name(*value) })
            }
            Stmt::Loop(_) | Stmt::If { .. } => None,
        }
    }

    /// The variable of the body for one of the host: a literal or a value that is passed when it is defined outside.
    fn name(&mut self, v: Var) -> Var {
        if let Some(&own) = self.renamed.get(&v) {
            return own;
        }
        let dtype = self.host.vars[v.0 as usize];
        let own = self.kernel.fresh_var(dtype);
        let expr = match self.literals[v.0 as usize] {
            Some(c) => Expr::Const(c),
            None => {
                let buf = self.add_param(dtype, 1, Access::Read, Arg::Value(v));
                Expr::Load { buf, index: Index::constant(0) }
            }
        };
        self.head.push(Stmt::Let { var: own, expr });
        self.renamed.insert(v, own);
        own
    }
}

/// The buffer and the index without the axis and without the constant.
fn key(axis: AxisId, buf: Buf, index: &Index) -> (Buf, Index) {
    let terms: SmallVec<_> = index.terms.iter().filter(|t| t.0 != axis).copied().collect();
    (buf, Index { offset: 0, terms, dynamic: smallvec![] })
}
