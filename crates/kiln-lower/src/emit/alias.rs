//! Which outputs may overwrite which inputs.

use super::builder::Context;
use super::{Emitted, Launch, Operand};
use kiln_ir::Value;
use kiln_loops::{AxisId, Buf, Expr, Index, Stmt};

/// One access with the loops around it, in program order.
struct Touch {
    path: Vec<(AxisId, u64)>,
    index: Index,
}

/// Finds the pairs (input, output) of equal size in bytes and elements where, in every launch, each load of an input element
/// comes before the store of the same output element, in the same iteration of the outermost loop.
pub(super) fn find(cx: &Context<'_>, out: &mut Emitted) {
    for &output in &cx.group.outputs {
        if cx.count(output) == 0 || out.copy_in.iter().any(|p| p.1 == output) {
            continue;
        }
        for &input in &cx.group.inputs {
            let same = cx.dtype(input).size() == cx.dtype(output).size() && cx.count(input) == cx.count(output);
            if same && in_place(&out.launches, input, output) {
                out.may_alias.push((input, output));
            }
        }
    }
}

fn in_place(launches: &[Launch], input: Value, output: Value) -> bool {
    let mut stored: Vec<(i64, i64)> = Vec::new();
    for l in launches {
        let find = |v| l.args.iter().position(|a| *a == Operand::Value(v)).map(|i| Buf::Param(i as u32));
        let (from, to) = (find(input), find(output));
        // A buffer that the kernel lacks matches nothing.
        let none = Buf::Param(u32::MAX);
        let (from, to) = (from.unwrap_or(none), to.unwrap_or(none));
        let mut w = Walk { from, to, path: Vec::new(), loads: Vec::new(), stores: Vec::new(), ok: true };
        w.visit(&l.kernel.body);
        // What an earlier launch stored must not be loaded as input.
        let meets = |t: &Touch| stored.iter().any(|s| t.reach(0).is_none_or(|r| r.0 <= s.1 && s.0 <= r.1));
        if !w.ok || w.loads.iter().any(meets) {
            return false;
        }
        stored.extend(w.stores.iter().map(|t| t.reach(0).unwrap_or((i64::MIN, i64::MAX))));
    }
    true
}

impl Touch {
    /// Bounds of the index over the loops from number `from` on; `None` when it is dynamic.
    fn reach(&self, from: usize) -> Option<(i64, i64)> {
        let (mut lo, mut hi) = (self.index.offset, self.index.offset);
        for &(axis, extent) in &self.path[from..] {
            let reach = self.index.stride(axis) * (extent.max(1) - 1) as i64;
            lo += reach.min(0);
            hi += reach.max(0);
        }
        self.index.dynamic.is_empty().then_some((lo, hi))
    }
}

struct Walk {
    from: Buf,
    to: Buf,
    path: Vec<(AxisId, u64)>,
    loads: Vec<Touch>,
    stores: Vec<Touch>,
    ok: bool,
}

impl Walk {
    fn visit(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            match s {
                Stmt::Let { expr: Expr::Load { buf, index }, .. } if *buf == self.from => {
                    let t = Touch { path: self.path.clone(), index: index.clone() };
                    // A load after (or in a loop beside) a store may see what was stored, unless they never meet.
                    self.ok &= self.stores.iter().all(|s| apart(&t, s));
                    self.loads.push(t);
                }
                Stmt::Store { buf, index, .. } if *buf == self.to => {
                    let t = Touch { path: self.path.clone(), index: index.clone() };
                    self.ok &= self.loads.iter().all(|l| ordered(l, &t));
                    self.stores.push(t);
                }
                Stmt::Let { .. } | Stmt::Store { .. } => {}
                Stmt::Loop(l) => {
                    self.path.push((l.axis, l.extent));
                    self.visit(&l.body);
                    self.path.pop();
                }
                Stmt::If { then, .. } => self.visit(then),
            }
        }
    }
}

/// True when a load and a store never touch the same element.
fn apart(load: &Touch, store: &Touch) -> bool {
    let common = load.path.iter().zip(&store.path).take_while(|(a, b)| a == b).count();
    let (Some(a), Some(b)) = (load.reach(common), store.reach(common)) else { return false };
    (a.1 < b.0 || b.1 < a.0) && ordered(load, store)
}

/// True when a load that comes before a store in the program touches the stored elements only in the same iteration of the
/// loops around both.
fn ordered(load: &Touch, store: &Touch) -> bool {
    let common = load.path.iter().zip(&store.path).take_while(|(a, b)| a == b).count();
    let around = &store.path[..common];
    let (Some(a), Some(b)) = (load.reach(common), store.reach(common)) else { return false };
    let mut span = a.1.max(b.1) - a.0.min(b.0) + 1;
    let mut strides = Vec::new();
    for &(axis, extent) in around.iter().filter(|a| a.1 > 1) {
        let s = store.index.stride(axis);
        if s == 0 || s != load.index.stride(axis) {
            return false;
        }
        strides.push((s.abs(), extent as i64));
    }
    strides.sort_unstable();
    for (s, extent) in strides {
        if s < span {
            return false;
        }
        span += s * (extent - 1);
    }
    true
}
