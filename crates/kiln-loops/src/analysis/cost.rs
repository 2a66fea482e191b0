//! The work of a kernel.

use crate::ir::{AxisId, Buf, Expr, Index, Kernel, Loop, Stmt, Var};
use std::collections::BTreeMap;

/// The work of one invocation of a kernel (conditions taken as true, numbers saturate).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// Bytes of parameters read, each element counted once.
    pub bytes_read: u64,
    /// Bytes of parameters written, each element counted once.
    pub bytes_written: u64,
    /// Floating-point operations: 1 for each arithmetic operator, 2 for fma, for others roughly what their expansion takes.
    pub flops: u64,
    /// How often each operator runs, by name (`load` and `store` included).
    pub ops: BTreeMap<&'static str, u64>,
}

/// The work of a kernel.
pub fn cost(kernel: &Kernel) -> Cost {
    let mut w = Walk { kernel, loops: vec![], cost: Cost::default(), touched: BTreeMap::new() };
    w.block(&kernel.body);
    for ((param, store), elements) in &w.touched {
        let Some(p) = kernel.params.get(*param as usize) else { continue };
        let bytes = (*elements).min(p.len).saturating_mul(p.dtype.size() as u64);
        let total = if *store { &mut w.cost.bytes_written } else { &mut w.cost.bytes_read };
        *total = total.saturating_add(bytes);
    }
    w.cost
}

struct Walk<'k> {
    kernel: &'k Kernel,
    loops: Vec<(AxisId, u64)>,
    cost: Cost,
    /// Elements reached per parameter and direction.
    touched: BTreeMap<(u32, bool), u64>,
}

impl Walk<'_> {
    fn times(&self) -> u64 {
        self.loops.iter().fold(1, |n, l| n.saturating_mul(l.1))
    }

    fn block(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            match s {
                Stmt::Let { expr, .. } => {
                    if let Expr::Load { buf, index } = expr {
                        self.access(*buf, index, false);
                    }
                    self.count(expr);
                }
                Stmt::Store { buf, index, .. } => {
                    self.access(*buf, index, true);
                    self.add("store", 0);
                }
                Stmt::If { then, .. } => self.block(then),
                Stmt::Loop(l) => self.loop_(l),
            }
        }
    }

    fn loop_(&mut self, l: &Loop) {
        self.loops.push((l.axis, l.extent));
        self.block(&l.body);
        for r in &l.reductions {
            let float = self.kernel.var_type(r.result).is_some_and(|t| t.is_float());
            self.add(r.op.name(), u64::from(float));
        }
        self.loops.pop();
    }

    fn access(&mut self, buf: Buf, index: &Index, store: bool) {
        if let Buf::Param(p) = buf {
            let reach = |l: &&(AxisId, u64)| index.stride(l.0) != 0 || !index.dynamic.is_empty();
            let elements = self.loops.iter().filter(reach).fold(1u64, |n, l| n.saturating_mul(l.1));
            let elements = if self.times() == 0 { 0 } else { elements };
            let seen = self.touched.entry((p, store)).or_default();
            // Several accesses mostly reach the same elements at small distances.
            *seen = (*seen).max(elements);
        }
    }

    fn add(&mut self, name: &'static str, flops: u64) {
        let times = self.times();
        let n = self.cost.ops.entry(name).or_default();
        *n = n.saturating_add(times);
        self.cost.flops = self.cost.flops.saturating_add(times.saturating_mul(flops));
    }

    fn count(&mut self, expr: &Expr) {
        let float = |v: &Var| self.kernel.var_type(*v).is_some_and(|t| t.is_float());
        let (name, flops) = match expr {
            Expr::Const(_) => return,
            Expr::Load { .. } => ("load", 0),
            Expr::Axis(_) => ("axis", 0),
            Expr::Unary(op, a) => (op.name(), if float(a) { op.flops() } else { 0 }),
            Expr::Binary(op, a, _) => (op.name(), if float(a) { op.flops() } else { 0 }),
            Expr::Compare(..) => ("compare", 0),
            Expr::Select(..) => ("select", 0),
            Expr::Convert(..) => ("convert", 0),
            Expr::Bitcast(..) => ("bitcast", 0),
            Expr::Fma(..) => ("fma", 2),
        };
        self.add(name, flops);
    }
}
