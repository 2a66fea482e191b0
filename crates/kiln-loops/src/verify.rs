//! The verifier of the loop IR. It collects every error it finds.
//!
//! Rules:
//! 1. Every variable is defined exactly once, before its uses and in a scope that encloses them; its dtype is the dtype of
//!    what defines it. A loop's reductions define their results in the scope around the loop; `init` is visible there, and
//!    `value` in the body.
//! 2. Every expression takes operands of the types that [`crate::types::check_expr`] says; so f16 and bf16 occur only in
//!    loads, stores, conversions and bitcasts.
//! 3. Every axis belongs to exactly one loop and is used inside it only.
//! 4. Every buffer exists. An affine index stays inside of its buffer for all values of its axes; with dynamic parts its
//!    affine part must at least not span more than the buffer. Indices are sorted by axis and hold no zero stride or factor.
//! 5. Parameters are used as their access says: a `Read` one is never stored, a `Write` one never loaded.
//! 6. A parallel loop is the only top-level statement, and has no reductions.
//! 7. Vector loops do not nest; an `If` inside of one has a condition that is the same in all lanes.
//! 8. Iterations of parallel and vector loops do not store to the same element: the index of a store moves with the axis
//!    (local scratch belongs to one iteration of the parallel loop), unless the loop has less than two iterations.
//! 9. A stored value has the buffer's dtype; a condition is bool; a reduction's operator accepts its type.
//! 10. Only serial loops carry values. A carried value has one type (not f16 or bf16) from `init`, visible around the loop, over
//!     `param`, defined in the body, and `next`, visible at its end, to `result`, defined after the loop.

use crate::analysis::Lanes;
use crate::ir::{Access, AxisId, Buf, Carry, Expr, Index, Kernel, Loop, LoopKind, Stmt, Var};
use crate::types::{binary_accepts, check_expr};
use kiln_ir::DType;
use std::fmt;

/// One violated rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// Number of the rule in the module's list.
    pub rule: u8,
    /// Name of the kernel.
    pub kernel: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernel `{}` breaks rule {}: {}", self.kernel, self.rule, self.message)
    }
}
impl std::error::Error for VerifyError {}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Undefined,
    Visible,
    OutOfScope,
}

struct Open {
    axis: AxisId,
    extent: u64,
    kind: LoopKind,
}

struct Verifier<'k> {
    kernel: &'k Kernel,
    state: Vec<State>,
    axis_seen: Vec<bool>,
    loops: Vec<Open>,
    /// Variables defined in the open scopes, and where each scope starts in it.
    defined: Vec<Var>,
    lanes: Option<Lanes<'k>>,
    errors: Vec<VerifyError>,
}

/// Checks every rule.
///
/// # Errors
/// All violations in program order.
pub fn verify(kernel: &Kernel) -> Result<(), Vec<VerifyError>> {
    let mut v = Verifier {
        kernel,
        state: vec![State::Undefined; kernel.vars.len()],
        axis_seen: vec![false; kernel.axes as usize],
        loops: vec![],
        defined: vec![],
        lanes: None,
        errors: vec![],
    };
    let types = kernel.vars.iter().copied();
    let buffers = kernel.params.iter().map(|p| p.dtype).chain(kernel.locals.iter().map(|l| l.dtype));
    if let Some(t) = types.chain(buffers).find(|t| !crate::is_loop_type(*t)) {
        v.error(1, format!("kernels have no elements of type {t}"));
    }
    v.block(&kernel.body, true);
    if v.errors.is_empty() { Ok(()) } else { Err(v.errors) }
}

impl Verifier<'_> {
    fn error(&mut self, rule: u8, message: impl Into<String>) {
        self.errors.push(VerifyError { rule, kernel: self.kernel.name.clone(), message: message.into() });
    }

    fn block(&mut self, stmts: &[Stmt], top: bool) {
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => self.let_(*var, expr),
                Stmt::Store { buf, index, value } => self.store(*buf, index, *value),
                Stmt::Loop(l) => self.loop_(l, top && stmts.len() == 1),
                Stmt::If { cond, then } => self.if_(*cond, then),
            }
        }
    }

    fn scoped(&mut self, params: &[Carry], stmts: &[Stmt], then: impl FnOnce(&mut Self)) {
        let start = self.defined.len();
        for c in params {
            if let Some(t) = self.kernel.var_type(c.init) {
                self.define(c.param, t);
            }
        }
        self.block(stmts, false);
        then(self);
        for v in self.defined.drain(start..) {
            self.state[v.0 as usize] = State::OutOfScope;
        }
    }

    fn let_(&mut self, var: Var, expr: &Expr) {
        expr.for_each_operand(|v| self.used(v));
        match expr {
            Expr::Load { buf, index } => {
                self.index(*buf, index);
                if let Buf::Param(p) = buf
                    && let Some(p) = self.kernel.params.get(*p as usize)
                    && p.access == Access::Write
                {
                    self.error(5, format!("`{}` is loaded but its access is Write", p.name));
                }
            }
            Expr::Axis(a) => self.axis_in_scope(*a),
            _ => {}
        }
        let ty = check_expr(self.kernel, expr);
        match ty {
            Ok(t) => self.define(var, t),
            Err(m) => {
                self.error(2, format!("%{}: {m}", var.0));
                if let Some(t) = self.kernel.var_type(var) {
                    self.define(var, t);
                }
            }
        }
    }

    fn define(&mut self, var: Var, ty: DType) {
        let Some(declared) = self.kernel.var_type(var) else {
            return self.error(1, format!("%{} is not declared", var.0));
        };
        if declared != ty {
            self.error(1, format!("%{} is declared {declared} but defined as {ty}", var.0));
        }
        if self.state[var.0 as usize] != State::Undefined {
            self.error(1, format!("%{} is defined twice", var.0));
        }
        self.state[var.0 as usize] = State::Visible;
        self.defined.push(var);
    }

    fn used(&mut self, var: Var) {
        match self.state.get(var.0 as usize) {
            None => self.error(1, format!("%{} is not declared", var.0)),
            Some(State::Undefined) => self.error(1, format!("%{} is used before it is defined", var.0)),
            Some(State::OutOfScope) => self.error(1, format!("%{} is used outside of its scope", var.0)),
            Some(State::Visible) => {}
        }
    }

    fn axis_in_scope(&mut self, axis: AxisId) {
        if !self.loops.iter().any(|l| l.axis == axis) {
            self.error(3, format!("axis i{} is used outside of its loop", axis.0));
        }
    }

    fn store(&mut self, buf: Buf, index: &Index, value: Var) {
        self.used(value);
        index.dynamic.iter().for_each(|(v, _)| self.used(*v));
        self.index(buf, index);
        if let (Some((dtype, _)), Some(t)) = (self.kernel.buf_type(buf), self.kernel.var_type(value))
            && dtype != t
        {
            self.error(9, format!("%{} of type {t} is stored to a buffer of {dtype}", value.0));
        }
        for (v, _) in &index.dynamic {
            if let Some(t) = self.kernel.var_type(*v)
                && t != DType::I64
            {
                self.error(2, format!("dynamic index %{} must be i64, found {t}", v.0));
            }
        }
        if let Buf::Param(p) = buf
            && let Some(p) = self.kernel.params.get(p as usize)
            && p.access == Access::Read
        {
            self.error(5, format!("`{}` is stored but its access is Read", p.name));
        }
        self.race(buf, index);
    }

    fn race(&mut self, buf: Buf, index: &Index) {
        if !index.dynamic.is_empty() || self.loops.iter().any(|l| l.extent == 0) {
            return;
        }
        let clash = self.loops.iter().find(|l| {
            let shared = match l.kind {
                LoopKind::Parallel => matches!(buf, Buf::Param(_)),
                LoopKind::Vector => true,
                LoopKind::Serial => false,
            };
            shared && l.extent > 1 && index.stride(l.axis) == 0
        });
        if let Some(l) = clash {
            let message = format!("every iteration of axis i{} stores to the same element of {buf:?}", l.axis.0);
            self.error(8, message);
        }
    }

    fn index(&mut self, buf: Buf, index: &Index) {
        let Some((_, len)) = self.kernel.buf_type(buf) else {
            return self.error(4, format!("{buf:?} does not exist"));
        };
        if !index.terms.is_sorted_by(|a, b| a.0 < b.0) {
            self.error(4, "the terms of an index are not sorted by axis".to_string());
        }
        if index.terms.iter().any(|t| t.1 == 0) || index.dynamic.iter().any(|d| d.1 == 0) {
            self.error(4, "an index holds a zero stride or factor".to_string());
        }
        let (mut low, mut high) = (i128::from(index.offset), i128::from(index.offset));
        for (axis, stride) in &index.terms {
            let Some(l) = self.loops.iter().find(|l| l.axis == *axis) else {
                self.axis_in_scope(*axis);
                return;
            };
            let reach = i128::from(*stride) * (i128::from(l.extent) - 1).max(0);
            if reach < 0 {
                low += reach;
            } else {
                high += reach;
            }
        }
        if self.loops.iter().any(|l| l.extent == 0) {
            return;
        }
        let len = i128::from(len);
        let inside = if index.dynamic.is_empty() { low >= 0 && high < len } else { high - low < len };
        if !inside {
            self.error(4, format!("index reaches from {low} to {high} in {buf:?} of {len} elements"));
        }
    }

    fn if_(&mut self, cond: Var, then: &[Stmt]) {
        self.used(cond);
        if let Some(t) = self.kernel.var_type(cond)
            && t != DType::Bool
        {
            self.error(9, format!("the condition %{} must be bool, found {t}", cond.0));
        }
        if self.lanes.as_ref().is_some_and(|l| l.varies(cond)) {
            self.error(7, format!("the condition %{} of an if differs between lanes", cond.0));
        }
        self.scoped(&[], then, |_| ());
    }

    fn loop_(&mut self, l: &Loop, alone: bool) {
        match self.axis_seen.get_mut(l.axis.0 as usize) {
            None => self.error(3, format!("axis i{} is not declared", l.axis.0)),
            Some(seen) if *seen => self.error(3, format!("axis i{} belongs to two loops", l.axis.0)),
            Some(seen) => *seen = true,
        }
        let in_vector = self.loops.iter().any(|o| o.kind == LoopKind::Vector);
        match l.kind {
            LoopKind::Parallel => {
                if !alone {
                    self.error(6, "a parallel loop is not the only top-level statement");
                }
                if !l.reductions.is_empty() {
                    self.error(6, "a parallel loop has reductions");
                }
            }
            LoopKind::Vector if in_vector => self.error(7, format!("vector loop i{} is inside of another", l.axis.0)),
            LoopKind::Vector | LoopKind::Serial => {}
        }
        if l.kind != LoopKind::Serial && !l.carried.is_empty() {
            self.error(10, format!("loop i{} carries values but is not serial", l.axis.0));
        }
        l.reductions.iter().for_each(|r| self.used(r.init));
        l.carried.iter().for_each(|c| self.used(c.init));
        self.loops.push(Open { axis: l.axis, extent: l.extent, kind: l.kind });
        let starts_vector = l.kind == LoopKind::Vector && !in_vector;
        if starts_vector {
            self.lanes = Some(Lanes::of(self.kernel, l));
        }
        self.scoped(&l.carried, &l.body, |v| {
            l.reductions.iter().for_each(|r| v.used(r.value));
            l.carried.iter().for_each(|c| v.used(c.next));
        });
        self.loops.pop();
        if starts_vector {
            self.lanes = None;
        }
        for r in &l.reductions {
            self.reduction(r);
        }
        for c in &l.carried {
            self.carry(c);
        }
    }

    fn carry(&mut self, c: &Carry) {
        let (init, next) = (self.kernel.var_type(c.init), self.kernel.var_type(c.next));
        if let (Some(i), Some(n)) = (init, next) {
            if i != n {
                self.error(10, format!("a carried value is %{} of {i} first and %{} of {n} next", c.init.0, c.next.0));
            }
            if matches!(i, DType::F16 | DType::BF16) {
                self.error(10, format!("%{} of {i} is carried; carry it as f32", c.init.0));
            }
        }
        if let Some(t) = init {
            self.define(c.result, t);
        }
    }

    fn reduction(&mut self, r: &crate::ir::Reduction) {
        let kernel = self.kernel;
        let (init, value) = (kernel.var_type(r.init), kernel.var_type(r.value));
        if let (Some(i), Some(v)) = (init, value) {
            if i != v {
                self.error(9, format!("a reduction folds %{} of {v} into %{} of {i}", r.value.0, r.init.0));
            }
            if !binary_accepts(r.op.binary(), i) {
                self.error(9, format!("a reduction with {} does not take {i}", r.op.name()));
            }
        }
        if let Some(t) = init {
            self.define(r.result, t);
        }
    }
}
