//! Facts about kernels that code generators and cost models read: lane uniformity, access patterns, work, register pressure.

use crate::ir::{Access, AxisId, Buf, Carry, Expr, Index, Kernel, Loop, LoopKind, Stmt, Var};
use kiln_ir::{BinaryOp, UnaryOp};
use std::collections::{BTreeMap, BTreeSet};

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

/// One load or store of a kernel.
#[derive(Clone, PartialEq, Debug)]
pub struct AccessInfo {
    /// The buffer.
    pub buf: Buf,
    /// A store, or a load.
    pub store: bool,
    /// Along the innermost enclosing vector loop, or the innermost loop when there is none.
    pub pattern: Pattern,
    /// How often it runs in one invocation (conditions taken as true).
    pub times: u64,
}

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

/// Every load and store, in program order.
pub fn accesses(kernel: &Kernel) -> Vec<AccessInfo> {
    let mut w =
        Walk { kernel, loops: vec![], lanes: None, accesses: vec![], cost: Cost::default(), touched: BTreeMap::new() };
    w.block(&kernel.body);
    w.accesses
}

/// The work of a kernel.
pub fn cost(kernel: &Kernel) -> Cost {
    let mut w =
        Walk { kernel, loops: vec![], lanes: None, accesses: vec![], cost: Cost::default(), touched: BTreeMap::new() };
    w.block(&kernel.body);
    for ((param, store), elements) in &w.touched {
        let Some(p) = kernel.params.get(*param as usize) else { continue };
        let bytes = (*elements).min(p.len).saturating_mul(p.dtype.size() as u64);
        let total = if *store { &mut w.cost.bytes_written } else { &mut w.cost.bytes_read };
        *total = total.saturating_add(bytes);
    }
    w.cost
}

/// Bytes that a kernel moves to and from its parameters, each element counted once per direction.
pub fn bytes_moved(kernel: &Kernel) -> u64 {
    let c = cost(kernel);
    c.bytes_read.saturating_add(c.bytes_written)
}

struct Walk<'k> {
    kernel: &'k Kernel,
    loops: Vec<(AxisId, u64, LoopKind)>,
    lanes: Option<Lanes>,
    accesses: Vec<AccessInfo>,
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
        let outer = match (l.kind, &self.lanes) {
            (LoopKind::Vector, None) => Some(self.lanes.replace(Lanes::of(self.kernel, l))),
            _ => None,
        };
        self.loops.push((l.axis, l.extent, l.kind));
        self.block(&l.body);
        for r in &l.reductions {
            let float = self.kernel.var_type(r.result).is_some_and(|t| t.is_float());
            self.add(r.op.name(), u64::from(float));
        }
        self.loops.pop();
        if let Some(outer) = outer {
            self.lanes = outer;
        }
    }

    fn access(&mut self, buf: Buf, index: &Index, store: bool) {
        let pattern = match (&self.lanes, self.loops.last()) {
            (Some(lanes), _) => lanes.pattern(index),
            (None, Some((axis, _, _))) => Lanes::new(self.kernel, *axis).pattern(index),
            (None, None) => Pattern::Uniform,
        };
        let times = self.times();
        self.accesses.push(AccessInfo { buf, store, pattern, times });
        if let Buf::Param(p) = buf {
            let reach = |l: &&(AxisId, u64, LoopKind)| index.stride(l.0) != 0 || !index.dynamic.is_empty();
            let elements = self.loops.iter().filter(reach).fold(1u64, |n, l| n.saturating_mul(l.1));
            let elements = if times == 0 { 0 } else { elements };
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
            Expr::Unary(op, a) => (op.name(), if float(a) { unary_flops(*op) } else { 0 }),
            Expr::Binary(op, a, _) => (op.name(), if float(a) { binary_flops(*op) } else { 0 }),
            Expr::Compare(..) => ("compare", 0),
            Expr::Select(..) => ("select", 0),
            Expr::Convert(..) => ("convert", 0),
            Expr::Bitcast(..) => ("bitcast", 0),
            Expr::Fma(..) => ("fma", 2),
        };
        self.add(name, flops);
    }
}

/// Floating-point operations of a unary operator in f32, roughly as its expansion takes.
pub const fn unary_flops(op: UnaryOp) -> u64 {
    match op {
        UnaryOp::CountLeadingZeros | UnaryOp::Not | UnaryOp::Popcnt | UnaryOp::IsFinite | UnaryOp::Sign => 0,
        UnaryOp::Abs | UnaryOp::Negate | UnaryOp::Sqrt | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::RoundNearestEven => {
            1
        }
        UnaryOp::RoundNearestAfz | UnaryOp::Rsqrt => 2,
        UnaryOp::Exponential => 18,
        UnaryOp::ExponentialMinusOne | UnaryOp::Log => 24,
        UnaryOp::Logistic | UnaryOp::LogPlusOne => 26,
        UnaryOp::Tanh | UnaryOp::Cbrt => 34,
        UnaryOp::Erf => 44,
        UnaryOp::Sine | UnaryOp::Cosine | UnaryOp::Tan => 50,
    }
}

/// Floating-point operations of a binary operator in f32, roughly as its expansion takes.
pub const fn binary_flops(op: BinaryOp) -> u64 {
    match op {
        BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::ShiftLeft
        | BinaryOp::ShiftRightArithmetic
        | BinaryOp::ShiftRightLogical => 0,
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Maximum
        | BinaryOp::Minimum => 1,
        BinaryOp::Atan2 => 30,
        BinaryOp::Remainder => 50,
        BinaryOp::Power => 60,
    }
}

/// The largest number of values that live at one point (literals not counted, each loop counts what it uses from outside
/// throughout). What a register allocator meets, before scheduling.
pub fn register_pressure(kernel: &Kernel) -> usize {
    let mut literal = vec![false; kernel.vars.len()];
    note_literals(&kernel.body, &mut literal);
    let mut live = BTreeSet::new();
    let mut most = 0;
    pressure(&kernel.body, &literal, &mut live, &mut most);
    most
}

fn note_literals(stmts: &[Stmt], literal: &mut [bool]) {
    for s in stmts {
        match s {
            Stmt::Let { var, expr: Expr::Const(_) } => literal[var.0 as usize] = true,
            Stmt::Let { .. } | Stmt::Store { .. } => {}
            Stmt::Loop(l) => note_literals(&l.body, literal),
            Stmt::If { then, .. } => note_literals(then, literal),
        }
    }
}

/// What statements use from outside of them.
fn outer_uses(stmts: &[Stmt], uses: &mut BTreeSet<Var>) {
    for s in stmts.iter().rev() {
        match s {
            Stmt::Let { var, expr } => {
                uses.remove(var);
                expr.for_each_operand(|v| {
                    uses.insert(v);
                });
            }
            Stmt::Store { index, value, .. } => {
                uses.insert(*value);
                uses.extend(index.dynamic.iter().map(|d| d.0));
            }
            Stmt::If { cond, then } => {
                outer_uses(then, uses);
                uses.insert(*cond);
            }
            Stmt::Loop(l) => {
                l.reductions.iter().for_each(|r| {
                    uses.remove(&r.result);
                });
                l.carried.iter().for_each(|c| {
                    uses.remove(&c.result);
                });
                uses.extend(l.reductions.iter().map(|r| r.value));
                uses.extend(l.carried.iter().map(|c| c.next));
                outer_uses(&l.body, uses);
                l.carried.iter().for_each(|c| {
                    uses.remove(&c.param);
                });
                uses.extend(l.reductions.iter().map(|r| r.init));
                uses.extend(l.carried.iter().map(|c| c.init));
            }
        }
    }
}

fn pressure(stmts: &[Stmt], literal: &[bool], live: &mut BTreeSet<Var>, most: &mut usize) {
    let counts = |v: &Var| !literal[v.0 as usize];
    for s in stmts.iter().rev() {
        match s {
            Stmt::Let { var, expr } => {
                live.remove(var);
                expr.for_each_operand(|v| {
                    if counts(&v) {
                        live.insert(v);
                    }
                });
            }
            Stmt::Store { index, value, .. } => {
                live.extend(index.dynamic.iter().map(|d| d.0).chain([*value]).filter(counts));
            }
            Stmt::If { cond, then } => {
                pressure(then, literal, live, most);
                live.extend([*cond].into_iter().filter(counts));
            }
            Stmt::Loop(l) => {
                // An accumulator per reduction lives through the loop; its result stands for it here.
                let mut outer = BTreeSet::new();
                outer_uses(&l.body, &mut outer);
                live.extend(outer.iter().copied().filter(counts));
                let mut inside = live.clone();
                inside.extend(l.reductions.iter().flat_map(|r| [r.value, r.result]).filter(counts));
                inside.extend(l.carried.iter().map(|c| c.next).filter(counts));
                *most = (*most).max(inside.len());
                pressure(&l.body, literal, &mut inside, most);
                for r in &l.reductions {
                    live.remove(&r.result);
                    live.extend([r.init].into_iter().filter(counts));
                }
                for c in &l.carried {
                    live.remove(&c.result);
                    live.remove(&c.param);
                    live.extend([c.init].into_iter().filter(counts));
                }
            }
        }
        *most = (*most).max(live.len());
    }
}

/// True when no parameter is both loaded and stored.
pub fn out_of_place(kernel: &Kernel) -> bool {
    kernel.params.iter().all(|p| p.access != Access::ReadWrite)
}
