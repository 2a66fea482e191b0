//! Building kernels statement by statement.
//!
//! ```
//! use kiln_ir::{BinaryOp, DType};
//! use kiln_loops::{Access, Index, KernelBuilder, LoopKind};
//!
//! let mut b = KernelBuilder::new("double");
//! let x = b.param("x", DType::F32, 8, Access::Read);
//! let y = b.param("y", DType::F32, 8, Access::Write);
//! b.for_loop(8, LoopKind::Vector, |b, i| {
//!     let at = Index::constant(0).plus_axis(i, 1);
//!     let v = b.load(x, at.clone());
//!     let two = b.constant(DType::F32, 2.0);
//!     let r = b.binary(BinaryOp::Multiply, v, two);
//!     b.store(y, at, r);
//! });
//! let kernel = b.finish();
//! assert_eq!(kernel.vars.len(), 3);
//! ```

use crate::ir::{
    Access, AxisId, Buf, Carry, Const, Expr, Index, Kernel, Local, Loop, LoopKind, Param, Reduction, Stmt, Var,
};
use crate::types::expr_type;
use kiln_ir::op::{CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, UnaryOp};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// What an open scope becomes when it closes.
enum Opened {
    Root,
    Loop {
        axis: AxisId,
        extent: u64,
        kind: LoopKind,
        reductions: SmallVec<[Reduction; 1]>,
        carried: SmallVec<[Carry; 1]>,
    },
    If {
        cond: Var,
    },
}

struct Scope {
    opened: Opened,
    stmts: Vec<Stmt>,
    consts: BTreeMap<(DType, u64), Var>,
}

/// Builds one [`Kernel`]. It types variables and reuses literals; everything else is taken as given, and
/// [`crate::verify::verify`] says what is wrong with it.
pub struct KernelBuilder {
    kernel: Kernel,
    scopes: Vec<Scope>,
}

impl KernelBuilder {
    /// An empty kernel of this name.
    pub fn new(name: impl Into<String>) -> KernelBuilder {
        let kernel = Kernel { name: name.into(), ..Kernel::default() };
        KernelBuilder { kernel, scopes: vec![Scope { opened: Opened::Root, stmts: vec![], consts: BTreeMap::new() }] }
    }

    /// Appends a buffer that the caller passes; `len` in elements.
    pub fn param(&mut self, name: impl Into<String>, dtype: DType, len: u64, access: Access) -> Buf {
        self.kernel.params.push(Param { name: name.into(), dtype, len, access });
        Buf::Param(self.kernel.params.len() as u32 - 1)
    }

    /// Changes how a parameter is used, when that is known only later.
    ///
    /// # Panics
    /// When `buf` is not a parameter of this kernel.
    pub fn set_access(&mut self, buf: Buf, access: Access) {
        match buf {
            Buf::Param(i) => self.kernel.params[i as usize].access = access,
            Buf::Local(_) => panic!("set_access takes a parameter, not local scratch"),
        }
    }

    /// Appends local scratch; `len` in elements.
    pub fn local(&mut self, dtype: DType, len: u64) -> Buf {
        self.kernel.locals.push(Local { dtype, len });
        Buf::Local(self.kernel.locals.len() as u32 - 1)
    }

    /// The kernel so far, without the statements of open scopes.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The dtype of a variable made by this builder.
    ///
    /// # Panics
    /// When the variable is of another builder.
    pub fn dtype(&self, var: Var) -> DType {
        self.kernel.var_type(var).expect("a variable of this builder")
    }

    /// A variable that the caller will define himself through [`KernelBuilder::push`].
    pub fn fresh_var(&mut self, dtype: DType) -> Var {
        self.kernel.fresh_var(dtype)
    }

    /// Appends a statement as it is.
    pub fn push(&mut self, stmt: Stmt) {
        self.scope().stmts.push(stmt);
    }

    fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("the root scope stays open until finish")
    }

    /// Defines a variable by an expression. A literal that is already visible is reused.
    ///
    /// # Panics
    /// When the expression mentions a variable or buffer that does not exist.
    pub fn let_(&mut self, expr: Expr) -> Var {
        if let Expr::Const(c) = expr
            && let Some(v) = self.scopes.iter().rev().find_map(|s| s.consts.get(&(c.dtype, c.bits)))
        {
            return *v;
        }
        let dtype = expr_type(&self.kernel, &expr).expect("operands and buffers of this builder");
        let var = self.kernel.fresh_var(dtype);
        if let Expr::Const(c) = expr {
            self.scope().consts.insert((c.dtype, c.bits), var);
        }
        self.push(Stmt::Let { var, expr });
        var
    }

    /// A literal, converted from f64 as [`Const::from_f64`] does. Exact for every int of up to 53 bits.
    pub fn constant(&mut self, dtype: DType, value: f64) -> Var {
        self.let_(Expr::Const(Const::from_f64(dtype, value)))
    }

    /// An i64 literal.
    pub fn const_i64(&mut self, value: i64) -> Var {
        self.let_(Expr::Const(Const::i64(value)))
    }

    /// A literal by its bits (zero extended).
    pub fn const_bits(&mut self, dtype: DType, bits: u64) -> Var {
        self.let_(Expr::Const(Const { dtype, bits }))
    }

    /// The element of a buffer.
    pub fn load(&mut self, buf: Buf, index: Index) -> Var {
        self.let_(Expr::Load { buf, index })
    }

    /// The current value of an enclosing loop's axis, as i64.
    pub fn axis(&mut self, axis: AxisId) -> Var {
        self.let_(Expr::Axis(axis))
    }

    /// `op(x)`.
    pub fn unary(&mut self, op: UnaryOp, x: Var) -> Var {
        self.let_(Expr::Unary(op, x))
    }

    /// `op(x, y)`.
    pub fn binary(&mut self, op: BinaryOp, x: Var, y: Var) -> Var {
        self.let_(Expr::Binary(op, x, y))
    }

    /// `x ? y`.
    pub fn compare(&mut self, direction: CompareDirection, x: Var, y: Var) -> Var {
        self.let_(Expr::Compare(direction, x, y))
    }

    /// `pred ? a : b`.
    pub fn select(&mut self, pred: Var, a: Var, b: Var) -> Var {
        self.let_(Expr::Select(pred, a, b))
    }

    /// Value conversion; nothing when `x` already has the type.
    pub fn convert(&mut self, dtype: DType, x: Var) -> Var {
        if self.dtype(x) == dtype { x } else { self.let_(Expr::Convert(dtype, x)) }
    }

    /// Same bits as another type; nothing when `x` already has the type.
    pub fn bitcast(&mut self, dtype: DType, x: Var) -> Var {
        if self.dtype(x) == dtype { x } else { self.let_(Expr::Bitcast(dtype, x)) }
    }

    /// `x * y + z`.
    pub fn fma(&mut self, x: Var, y: Var, z: Var) -> Var {
        self.let_(Expr::Fma(x, y, z))
    }

    /// Writes an element.
    pub fn store(&mut self, buf: Buf, index: Index, value: Var) {
        self.push(Stmt::Store { buf, index, value });
    }

    /// Opens a loop; statements go into its body until [`KernelBuilder::end`].
    pub fn begin_loop(&mut self, extent: u64, kind: LoopKind) -> AxisId {
        let axis = AxisId(self.kernel.axes);
        self.kernel.axes += 1;
        let opened = Opened::Loop { axis, extent, kind, reductions: SmallVec::new(), carried: SmallVec::new() };
        self.scopes.push(Scope { opened, stmts: vec![], consts: BTreeMap::new() });
        axis
    }

    /// Folds `value` (of the open loop's body) over the iterations of the innermost open loop. The result may be used after
    /// the loop. `init` must be visible outside of the loop.
    ///
    /// # Panics
    /// When the innermost open scope is no loop.
    pub fn reduction(&mut self, op: Reducer, init: Var, value: Var) -> Var {
        let dtype = self.dtype(init);
        let result = self.kernel.fresh_var(dtype);
        match &mut self.scope().opened {
            Opened::Loop { reductions, .. } => reductions.push(Reduction { result, init, op, value }),
            Opened::Root | Opened::If { .. } => panic!("a reduction belongs directly into a loop's body"),
        }
        result
    }

    /// Hands a value from iteration to iteration of the innermost open loop, which must be serial: gives the value that an
    /// iteration starts with, at first `init` (visible outside of the loop). [`KernelBuilder::carry_next`] must follow in the
    /// same scope.
    ///
    /// # Panics
    /// When the innermost open scope is no loop.
    pub fn carry(&mut self, init: Var) -> Var {
        let dtype = self.dtype(init);
        let (param, result) = (self.kernel.fresh_var(dtype), self.kernel.fresh_var(dtype));
        match &mut self.scope().opened {
            Opened::Loop { carried, .. } => carried.push(Carry { param, init, next: param, result }),
            Opened::Root | Opened::If { .. } => panic!("a carried value belongs directly into a loop's body"),
        }
        param
    }

    /// States what the next iteration of the innermost open loop starts with instead of `param`, which [`KernelBuilder::carry`]
    /// gave. Returns the variable that holds the last one after the loop.
    ///
    /// # Panics
    /// When `param` is not a carried value of the innermost open scope.
    pub fn carry_next(&mut self, param: Var, next: Var) -> Var {
        let carry = match &mut self.scope().opened {
            Opened::Loop { carried, .. } => carried.iter_mut().find(|c| c.param == param),
            Opened::Root | Opened::If { .. } => None,
        };
        let carry = carry.expect("a carried value of the innermost loop");
        carry.next = next;
        carry.result
    }

    /// A serial loop that hands values from iteration to iteration: the closure takes those that an iteration starts with and
    /// gives those of the next one; returns the last ones.
    pub fn carry_loop(
        &mut self,
        extent: u64,
        inits: &[Var],
        body: impl FnOnce(&mut Self, AxisId, &[Var]) -> Vec<Var>,
    ) -> Vec<Var> {
        self.for_loop(extent, LoopKind::Serial, |b, axis| {
            let params: Vec<Var> = inits.iter().map(|i| b.carry(*i)).collect();
            let next = body(b, axis, &params);
            params.iter().zip(next).map(|(p, n)| b.carry_next(*p, n)).collect()
        })
    }

    /// Opens an `If`; statements go into it until [`KernelBuilder::end`].
    pub fn begin_if(&mut self, cond: Var) {
        self.scopes.push(Scope { opened: Opened::If { cond }, stmts: vec![], consts: BTreeMap::new() });
    }

    /// Closes the innermost open loop or `If`.
    ///
    /// # Panics
    /// When none is open.
    pub fn end(&mut self) {
        assert!(self.scopes.len() > 1, "end() without an open loop or if");
        let scope = self.scopes.pop().expect("checked above");
        let stmt = match scope.opened {
            Opened::Loop { axis, extent, kind, reductions, carried } => {
                Stmt::Loop(Loop { axis, extent, kind, reductions, carried, body: scope.stmts })
            }
            Opened::If { cond } => Stmt::If { cond, then: scope.stmts },
            Opened::Root => unreachable!("the root scope is never popped here"),
        };
        self.push(stmt);
    }

    /// A loop whose body the closure builds; gives what the closure gives (such as the results of its reductions).
    pub fn for_loop<R>(&mut self, extent: u64, kind: LoopKind, body: impl FnOnce(&mut Self, AxisId) -> R) -> R {
        let axis = self.begin_loop(extent, kind);
        let r = body(self, axis);
        self.end();
        r
    }

    /// A loop that folds one value: the closure gives the value of an iteration; returns the result.
    pub fn reduce_loop(
        &mut self,
        extent: u64,
        kind: LoopKind,
        op: Reducer,
        init: Var,
        body: impl FnOnce(&mut Self, AxisId) -> Var,
    ) -> Var {
        self.for_loop(extent, kind, |b, axis| {
            let value = body(b, axis);
            b.reduction(op, init, value)
        })
    }

    /// An `If` whose statements the closure builds.
    pub fn if_(&mut self, cond: Var, then: impl FnOnce(&mut Self)) {
        self.begin_if(cond);
        then(self);
        self.end();
    }

    /// The kernel. Scopes still open are closed.
    pub fn finish(mut self) -> Kernel {
        while self.scopes.len() > 1 {
            self.end();
        }
        let root = self.scopes.pop().expect("the root scope");
        self.kernel.body = root.stmts;
        self.kernel
    }
}
