//! The types of the loop IR.

use kiln_ir::op::{CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, UnaryOp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// A scalar SSA variable of one kernel; its dtype is in [`Kernel::vars`]. Assigned exactly once, used in its scope.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Var(pub u32);

/// A loop axis of one kernel; each loop has its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct AxisId(pub u32);

/// What a buffer is used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Access {
    /// Only loaded.
    Read,
    /// Only stored; every element is stored before the kernel ends.
    Write,
    /// Loaded and stored (in place, or accumulated into).
    ReadWrite,
}

/// A buffer that the caller passes. Two parameters never overlap unless they are the same buffer passed in place, and then
/// an element is only stored at or after the last load of that element in iteration order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Param {
    /// Name for people.
    pub name: String,
    /// Element type in memory.
    pub dtype: DType,
    /// Number of elements.
    pub len: u64,
    /// How it is used.
    pub access: Access,
}

/// Scratch memory of one invocation (on the stack, so at most a few KiB); uninitialized at first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Local {
    /// Element type in memory.
    pub dtype: DType,
    /// Number of elements.
    pub len: u64,
}

/// A buffer of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Buf {
    /// The parameter of this position.
    Param(u32),
    /// The local scratch of this position.
    Local(u32),
}

/// An element index: `offset + sum(stride * axis) + sum(factor * var)`, in elements.
///
/// The executed index must lie in the buffer; affine parts are checked by the verifier, dynamic parts (vars of type i64) are
/// the producer's duty (clamp them).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// Constant part.
    pub offset: i64,
    /// Axes with their strides, sorted by axis, no zero stride.
    pub terms: SmallVec<[(AxisId, i64); 4]>,
    /// Dynamic i64 parts with their factors, no zero factor.
    pub dynamic: SmallVec<[(Var, i64); 1]>,
}

/// A scalar literal: the low `dtype.size()` bytes of `bits` are the value in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Const {
    /// Type.
    pub dtype: DType,
    /// Bit pattern, zero extended.
    pub bits: u64,
}

/// A scalar computation.
///
/// Scalar semantics are those of the graph operators of the same name (numerics contract), per element. Variables of dtype
/// f16 and bf16 occur only as operand or result of `Load`, `Store`, `Convert` and `Bitcast`: arithmetic is done in f32.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Expr {
    /// A literal.
    Const(Const),
    /// The element of a buffer.
    Load {
        /// Where from.
        buf: Buf,
        /// Which element.
        index: Index,
    },
    /// The current value of an enclosing loop's axis, as i64.
    Axis(AxisId),
    /// `op(x)`.
    Unary(UnaryOp, Var),
    /// `op(x, y)` on equal types.
    Binary(BinaryOp, Var, Var),
    /// `x ? y`, gives bool.
    Compare(CompareDirection, Var, Var),
    /// `pred ? a : b`.
    Select(Var, Var, Var),
    /// Value conversion.
    Convert(DType, Var),
    /// Same bits as another type of the same width.
    Bitcast(DType, Var),
    /// `x * y + z`, rounded once where the target has it, otherwise rounded twice (f32, f64 only).
    Fma(Var, Var, Var),
}

/// How the iterations of a loop may run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum LoopKind {
    /// In any order on any thread. Only as the single top-level statement of a kernel; no reductions.
    Parallel,
    /// In order.
    Serial,
    /// In lanes: iterations are independent but for `reductions`. The body may hold serial loops and `If`s with a condition that is
    /// the same in all lanes, but no further vector loop.
    Vector,
}

/// A value folded over the iterations of a loop: `result = init op value_0 op value_1 ...`, reassociated freely for `Serial`
/// and `Vector` loops of float sums and products (never depending on the number of threads).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Reduction {
    /// Defined after the loop, in the enclosing scope.
    pub result: Var,
    /// Start value, from the enclosing scope.
    pub init: Var,
    /// The combiner.
    pub op: Reducer,
    /// The value of one iteration, defined in the body.
    pub value: Var,
}

/// A value handed from one iteration of a serial loop to the next: an accumulator that no [`Reduction`] describes. Never f16 or
/// bf16.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Carry {
    /// The value that an iteration starts with, defined in the body.
    pub param: Var,
    /// What the first iteration starts with, from the enclosing scope.
    pub init: Var,
    /// What the next iteration starts with, visible at the end of the body.
    pub next: Var,
    /// `next` of the last iteration (`init` when there is none), defined after the loop in the enclosing scope.
    pub result: Var,
}

/// A counted loop from 0 to `extent`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Loop {
    /// Its axis.
    pub axis: AxisId,
    /// Number of iterations.
    pub extent: u64,
    /// How they may run.
    pub kind: LoopKind,
    /// Values folded over the iterations.
    pub reductions: SmallVec<[Reduction; 1]>,
    /// Values handed from iteration to iteration; only of serial loops.
    pub carried: SmallVec<[Carry; 1]>,
    /// One iteration.
    pub body: Vec<Stmt>,
}

/// A statement. Statements run in order; loads see earlier stores.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Stmt {
    /// Defines a variable.
    Let {
        /// The variable.
        var: Var,
        /// Its value.
        expr: Expr,
    },
    /// Writes an element.
    Store {
        /// Where to.
        buf: Buf,
        /// Which element.
        index: Index,
        /// The value, of the buffer's dtype.
        value: Var,
    },
    /// A loop.
    Loop(Loop),
    /// Runs `then` when the condition (bool) holds.
    If {
        /// The condition.
        cond: Var,
        /// What runs.
        then: Vec<Stmt>,
    },
}

/// One kernel.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Kernel {
    /// Name for people (and profilers).
    pub name: String,
    /// Buffers passed by the caller, in order.
    pub params: Vec<Param>,
    /// Scratch buffers.
    pub locals: Vec<Local>,
    /// Dtype of every variable.
    pub vars: Vec<DType>,
    /// Number of axes handed out.
    pub axes: u32,
    /// The statements.
    pub body: Vec<Stmt>,
}

impl Kernel {
    /// The extent of the parallel axis: the kernel's body is then one `Parallel` loop. 1 otherwise.
    pub fn parallel_extent(&self) -> u64 {
        match self.body.as_slice() {
            [Stmt::Loop(l)] if l.kind == LoopKind::Parallel => l.extent,
            _ => 1,
        }
    }
}

impl Kernel {
    /// The kernel without the names that only people read: equal for kernels that are the same but for names.
    pub fn anonymous(&self) -> Kernel {
        let mut key = self.clone();
        key.name.clear();
        key.params.iter_mut().for_each(|p| p.name.clear());
        key
    }
}

impl Loop {
    /// True when an iteration holds nothing but definitions and stores.
    pub fn is_straight_line(&self) -> bool {
        self.body.iter().all(|s| matches!(s, Stmt::Let { .. } | Stmt::Store { .. }))
    }
}

/// Calls `f` with every statement in order, with a loop or condition before what is inside of it.
pub fn for_each_stmt<'k>(stmts: &'k [Stmt], f: &mut impl FnMut(&'k Stmt)) {
    for s in stmts {
        f(s);
        match s {
            Stmt::Let { .. } | Stmt::Store { .. } => {}
            Stmt::Loop(l) => for_each_stmt(&l.body, f),
            Stmt::If { then, .. } => for_each_stmt(then, f),
        }
    }
}

impl Index {
    /// A constant index.
    pub fn constant(offset: i64) -> Index {
        Index { offset, ..Index::default() }
    }
    /// Adds `stride * axis`.
    pub fn plus_axis(mut self, axis: AxisId, stride: i64) -> Index {
        match self.terms.binary_search_by_key(&axis, |t| t.0) {
            Ok(i) => {
                self.terms[i].1 += stride;
                if self.terms[i].1 == 0 {
                    self.terms.remove(i);
                }
            }
            Err(i) if stride != 0 => self.terms.insert(i, (axis, stride)),
            Err(_) => {}
        }
        self
    }
    /// Adds `factor * var` (an i64 variable).
    pub fn plus_var(mut self, var: Var, factor: i64) -> Index {
        if factor != 0 {
            self.dynamic.push((var, factor));
        }
        self
    }
    /// The stride along an axis, 0 when it does not occur.
    pub fn stride(&self, axis: AxisId) -> i64 {
        self.terms.iter().find(|t| t.0 == axis).map_or(0, |t| t.1)
    }
}

impl Const {
    /// A literal from f64, rounded to `dtype` (ints: truncated and saturated; bool: non-zero).
    pub fn from_f64(dtype: DType, v: f64) -> Const {
        Const::of(&kiln_ir::Tensor::scalar_of(dtype, v))
    }
    /// The element of a scalar.
    fn of(scalar: &kiln_ir::Tensor) -> Const {
        let bits = scalar.bytes().iter().rev().fold(0, |bits, b| bits << 8 | u64::from(*b));
        Const { dtype: scalar.dtype(), bits }
    }
    /// The neutral element of a reducer: -0 for a sum of floats.
    ///
    /// # Panics
    /// When the reducer is not defined on the type, which the verifier refuses.
    pub fn identity(reducer: Reducer, dtype: DType) -> Const {
        Const::of(&reducer.identity(dtype).expect("the verifier refuses reducers of types they are not defined on"))
    }
    /// An i64 literal, as indices use.
    pub fn i64(v: i64) -> Const {
        Const { dtype: DType::I64, bits: v as u64 }
    }
}
