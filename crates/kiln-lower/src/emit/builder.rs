//! The state of emission: nested scopes under construction, placement of expressions, memory operands.

use super::index::{self, Idx, Sizes};
use super::reduce::Batches;
use super::rows::Spill;
use super::{Launch, Operand};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, Diagnostic, Func, Node, NodeId, Op, UnaryOp, Value};
use kiln_loops::types::expr_type;
use kiln_loops::{Access, AxisId, Buf, Const, Expr, Index, Kernel, Local, Param, Stmt, Var};
use kiln_plan::MachineModel;
use kiln_plan::fusion::{Group, is_inline};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is known of a group before emission.
pub(super) struct Context<'a> {
    pub func: &'a Func,
    pub group: &'a Group,
    /// The machine that kernels are made for.
    pub machine: &'a MachineModel,
    /// Suffix products of the shapes of all values in the group, by element count: where axes are worth splitting.
    cuts: BTreeMap<i64, BTreeSet<i64>>,
    /// The reductions of the group.
    pub batches: Batches,
}

impl<'a> Context<'a> {
    pub fn new(func: &'a Func, group: &'a Group, machine: &'a MachineModel) -> Context<'a> {
        let mut cuts: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        let computed = group.nodes.iter().flat_map(|n| func.results(*n).chain(func.node(*n).operands.iter().copied()));
        for v in computed.collect::<BTreeSet<Value>>() {
            let sizes = sizes_of(func, v);
            let set = cuts.entry(index::count(&sizes)).or_default();
            set.extend(index::strides(&sizes));
        }
        Context { func, group, machine, cuts, batches: Batches::new(func, group) }
    }

    /// The sizes of a value.
    pub fn sizes(&self, v: Value) -> Sizes {
        sizes_of(self.func, v)
    }

    /// Number of elements of a value.
    pub fn count(&self, v: Value) -> i64 {
        index::count(&self.sizes(v))
    }

    /// The element type of a value.
    pub fn dtype(&self, v: Value) -> DType {
        self.func.ty(v).dtype
    }

    pub fn node(&self, id: NodeId) -> &'a Node {
        self.func.node(id)
    }

    /// True when the value is read from memory rather than computed here.
    pub fn is_memory(&self, v: Value) -> bool {
        if self.group.inputs.binary_search(&v).is_ok() {
            return true;
        }
        let node = self.func.node(v.node);
        match node.op {
            Op::Constant(_) => !is_inline(node),
            _ => self.group.nodes.binary_search(&v.node).is_err(),
        }
    }

    /// The factors of a dimension of this size and stride in a tensor of `total` elements, outermost first.
    pub fn factors(&self, total: i64, stride: i64, size: i64) -> SmallVec<[i64; 4]> {
        let mut out = SmallVec::new();
        let mut last = stride;
        if let Some(cuts) = self.cuts.get(&total) {
            for &c in cuts {
                if c > last && c < stride * size && c % last == 0 && (stride * size) % c == 0 {
                    out.push(c / last);
                    last = c;
                }
            }
        }
        out.push(stride * size / last);
        out.reverse();
        out
    }
}

fn sizes_of(func: &Func, v: Value) -> Sizes {
    func.ty(v).shape.iter().map(|d| d.as_const().unwrap_or(0)).collect()
}

/// The body of a loop nest (over all of `axes` at once) or of an `If` under construction.
#[derive(Default)]
pub(super) struct Scope {
    /// Axes, outermost first.
    pub axes: Vec<AxisId>,
    pub stmts: Vec<Stmt>,
    /// Elements known here.
    memo: HashMap<(Value, Idx), Var>,
    /// Expressions computed here.
    exprs: HashMap<Expr, Var>,
    /// Nothing may be placed outside (conditional code).
    barrier: bool,
    /// The innermost loop runs in lanes.
    vector: bool,
}

/// Builds one kernel.
pub(super) struct Emitter<'a> {
    pub cx: &'a Context<'a>,
    pub kernel: Kernel,
    args: Vec<Operand>,
    /// Open scopes, outermost first; the first is the body of the root nest.
    pub scopes: Vec<Scope>,
    /// Of each axis: its scope and its extent.
    axes: Vec<(usize, i64)>,
    /// Of each variable: the scope in which it is defined.
    levels: Vec<usize>,
    /// Known bounds of dynamic index variables.
    pub ranges: HashMap<Var, (i64, i64)>,
    /// f32 variables that were rounded to a narrow type: the narrow variable.
    pub narrow: HashMap<Var, Var>,
    /// Buffers that are both stored to and loaded from: their loads stay where they are.
    pub volatile: BTreeSet<Buf>,
    /// Buffers of which only a part is stored.
    pub partial: BTreeSet<Buf>,
    /// Reductions whose partial results lie in a temporary: (temporary, number of parts).
    pub partials: BTreeMap<NodeId, (u32, i64)>,
    /// Row elements kept between the loops of a row.
    pub spill: Spill,
}

impl<'a> Emitter<'a> {
    pub fn new(cx: &'a Context<'a>) -> Emitter<'a> {
        let root = cx.group.outputs.first().map(|v| cx.node(v.node));
        let name = root.map_or("empty".to_owned(), |n| match &n.name {
            Some(name) => format!("{}.{}", name, n.op.name()),
            None => n.op.name().to_owned(),
        });
        let fused = if cx.group.nodes.len() > 1 { "fused." } else { "" };
        Emitter {
            cx,
            kernel: Kernel { name: format!("{fused}{name}"), ..Kernel::default() },
            args: Vec::new(),
            scopes: Vec::new(),
            axes: Vec::new(),
            levels: Vec::new(),
            ranges: HashMap::new(),
            narrow: HashMap::new(),
            volatile: BTreeSet::new(),
            partial: BTreeSet::new(),
            partials: BTreeMap::new(),
            spill: Spill::default(),
        }
    }

    /// The finished kernel, unless it has no statements.
    pub fn finish(mut self) -> Option<Launch> {
        if self.kernel.body.is_empty() {
            return None;
        }
        super::loops::cleanup(&mut self.kernel, &self.partial);
        Some(Launch { kernel: self.kernel, args: self.args })
    }

    // ---- memory

    fn param(&mut self, operand: Operand, name: String, dtype: DType, len: i64) -> Buf {
        let at = self.args.iter().position(|a| *a == operand).unwrap_or_else(|| {
            self.args.push(operand);
            self.kernel.params.push(Param { name, dtype, len: len as u64, access: Access::Read });
            self.args.len() - 1
        });
        Buf::Param(at as u32)
    }

    /// The buffer of a value in memory.
    pub fn buffer(&mut self, v: Value) -> Buf {
        let node = self.cx.node(v.node);
        let name = node.name.as_deref().map_or_else(|| format!("v{}", v.node.0), str::to_owned);
        self.param(Operand::Value(v), name, self.cx.dtype(v), self.cx.count(v))
    }

    /// The buffer of a temporary.
    pub fn temp(&mut self, t: u32, dtype: DType, len: i64) -> Buf {
        self.param(Operand::Temp(t), format!("temp{t}"), dtype, len)
    }

    /// A new local scratch buffer.
    pub fn local(&mut self, dtype: DType, len: i64) -> Buf {
        self.kernel.locals.push(Local { dtype, len: len as u64 });
        Buf::Local(self.kernel.locals.len() as u32 - 1)
    }

    // ---- axes and scopes

    /// A new axis that belongs to the scope of this level.
    pub fn axis(&mut self, level: usize, extent: i64) -> AxisId {
        let a = AxisId(self.kernel.axes);
        self.kernel.axes += 1;
        self.axes.push((level, extent));
        a
    }

    pub fn extent(&self, a: AxisId) -> i64 {
        self.axes[a.0 as usize].1
    }

    /// Axes for a dimension (split as finely as useful), and the index that they make. No axis for size 1.
    pub fn dim_axes(&mut self, level: usize, factors: &[i64]) -> (Vec<AxisId>, Index) {
        let mut out = (Vec::new(), Index::default());
        let mut stride = factors.iter().product::<i64>();
        for &f in factors {
            stride /= f;
            if f > 1 {
                let a = self.axis(level, f);
                out.0.push(a);
                out.1 = out.1.plus_axis(a, stride);
            }
        }
        out
    }

    /// Opens a scope over axes that belong to the next level.
    pub fn open(&mut self, axes: Vec<AxisId>, vector: bool) {
        let vector = vector && !axes.is_empty();
        self.scopes.push(Scope { axes, vector, ..Scope::default() });
    }

    /// True inside of a vector loop.
    pub fn in_vector(&self) -> bool {
        self.scopes.iter().any(|s| s.vector)
    }

    /// Opens a scope that nothing leaves: the body of an `If`.
    pub fn open_if(&mut self) {
        self.scopes.push(Scope { barrier: true, ..Scope::default() });
    }

    /// Closes the innermost scope.
    pub fn close(&mut self) -> Scope {
        self.scopes.pop().expect("scopes are opened and closed in pairs")
    }

    /// Level of the innermost scope.
    pub fn top(&self) -> usize {
        self.scopes.len() - 1
    }

    fn barrier(&self) -> usize {
        self.scopes.iter().rposition(|s| s.barrier).unwrap_or(0)
    }

    /// The outermost scope in which an index can be evaluated.
    pub fn index_level(&self, ix: &Index) -> usize {
        let axes = ix.terms.iter().map(|t| self.axes[t.0.0 as usize].0);
        let vars = ix.dynamic.iter().map(|t| self.level(t.0));
        axes.chain(vars).max().unwrap_or(0)
    }

    pub fn level(&self, v: Var) -> usize {
        self.levels[v.0 as usize]
    }

    /// The outermost scope in which something at these indices can be placed.
    pub fn place(&self, idx: &[Index]) -> usize {
        idx.iter().map(|i| self.index_level(i)).max().unwrap_or(0).max(self.barrier())
    }

    /// Runs `f` with the scopes deeper than `level` set aside.
    pub fn at_level<R>(&mut self, level: usize, f: impl FnOnce(&mut Self) -> R) -> R {
        let aside = self.scopes.split_off(level + 1);
        let r = f(self);
        debug_assert_eq!(self.scopes.len(), level + 1);
        self.scopes.extend(aside);
        r
    }

    pub fn remembered(&self, key: &(Value, Idx)) -> Option<Var> {
        self.scopes.iter().rev().find_map(|s| s.memo.get(key).copied())
    }

    pub fn remember(&mut self, key: (Value, Idx), var: Var) {
        let level = self.level(var).max(self.barrier().min(self.top()));
        self.scopes[level].memo.insert(key, var);
    }

    // ---- expressions

    pub fn dtype(&self, v: Var) -> DType {
        self.kernel.vars[v.0 as usize]
    }

    /// A new variable defined in the scope of this level.
    pub fn fresh(&mut self, dtype: DType, level: usize) -> Var {
        let v = Var(self.kernel.vars.len() as u32);
        self.kernel.vars.push(dtype);
        self.levels.push(level);
        v
    }

    fn expr_level(&self, e: &Expr) -> usize {
        match e {
            Expr::Load { index, .. } => self.index_level(index),
            Expr::Axis(a) => self.axes[a.0 as usize].0,
            other => {
                let mut level = 0;
                other.for_each_operand(|v| level = level.max(self.level(v)));
                level
            }
        }
    }

    /// The variable of an expression, computed in the outermost scope possible and only once there.
    pub fn expr(&mut self, e: Expr) -> Var {
        let pinned = matches!(&e, Expr::Load { buf, .. } if self.volatile.contains(buf));
        let level = if pinned { self.top() } else { self.expr_level(&e).max(self.barrier()) };
        if !pinned && let Some(v) = self.scopes[level].exprs.get(&e) {
            return *v;
        }
        let dtype = expr_type(&self.kernel, &e).expect("operands are variables and buffers of this kernel");
        let v = self.fresh(dtype, level);
        self.scopes[level].stmts.push(Stmt::Let { var: v, expr: e.clone() });
        if !pinned {
            self.scopes[level].exprs.insert(e, v);
        }
        v
    }

    pub fn constant(&mut self, c: Const) -> Var {
        self.expr(Expr::Const(c))
    }
    pub fn int(&mut self, dtype: DType, v: i64) -> Var {
        let mask = if dtype.size() == 8 { u64::MAX } else { (1 << dtype.bits()) - 1 };
        self.constant(Const { dtype, bits: v as u64 & mask })
    }
    pub fn unary(&mut self, op: UnaryOp, x: Var) -> Var {
        self.expr(Expr::Unary(op, x))
    }
    pub fn binary(&mut self, op: BinaryOp, x: Var, y: Var) -> Var {
        self.expr(Expr::Binary(op, x, y))
    }
    pub fn compare(&mut self, d: CompareDirection, x: Var, y: Var) -> Var {
        self.expr(Expr::Compare(d, x, y))
    }
    pub fn select(&mut self, p: Var, x: Var, y: Var) -> Var {
        if x == y { x } else { self.expr(Expr::Select(p, x, y)) }
    }
    pub fn convert(&mut self, to: DType, x: Var) -> Var {
        if self.dtype(x) == to { x } else { self.expr(Expr::Convert(to, x)) }
    }

    /// The value rounded to a graph dtype, in its compute type (f16 and bf16 are carried as f32).
    pub fn rounded(&mut self, dtype: DType, x: Var) -> Var {
        if dtype.compute_type() == dtype || self.narrow.get(&x).is_some_and(|n| self.dtype(*n) == dtype) {
            return x;
        }
        let n = self.convert(dtype, x);
        let wide = self.convert(DType::F32, n);
        self.narrow.insert(wide, n);
        wide
    }

    /// The element of a buffer, in the compute type of its dtype.
    pub fn load(&mut self, buf: Buf, index: Index) -> Var {
        let v = self.expr(Expr::Load { buf, index });
        let dtype = self.dtype(v);
        let wide = self.convert(dtype.compute_type(), v);
        if wide != v {
            self.narrow.insert(wide, v);
        }
        wide
    }

    /// Stores a value of compute type in the innermost scope.
    pub fn store(&mut self, buf: Buf, index: Index, value: Var) {
        let dtype = self.kernel.buf_type(buf).map_or(self.dtype(value), |b| b.0);
        let narrow = self.narrow.get(&value).copied().filter(|n| self.dtype(*n) == dtype);
        let value = narrow.unwrap_or_else(|| self.convert(dtype, value));
        let top = self.top();
        self.scopes[top].stmts.push(Stmt::Store { buf, index, value });
    }
}

/// An error of emission at a node.
pub(super) fn unsupported(node: &Node, why: &str) -> Diagnostic {
    let name = node.name.as_deref().map_or(String::new(), |n| format!(" \"{n}\""));
    Diagnostic::new("lower.unsupported", format!("`{}`{name} has no lowering: {why}", node.op.name())).at(&node.loc)
}
