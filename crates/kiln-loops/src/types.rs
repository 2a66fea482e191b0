//! Types of expressions: which operand types an operator takes and what it gives.

use crate::ir::{Buf, Const, Expr, Kernel, Var};
use kiln_ir::{BinaryOp, DType, UnaryOp};
use std::fmt;

/// True for the dtypes that kernels compute with: bool, i8 to u64, f16, bf16, f32, f64. Type legalization rewrites the others.
pub const fn is_loop_type(dtype: DType) -> bool {
    dtype.is_native()
}

/// Where a code generator meets a dtype that [`is_loop_type`] denies.
///
/// # Panics
/// Always: the kernel verifier refuses such kernels before.
pub fn legalized(dtype: DType) -> ! {
    panic!("{dtype} is legalized before kernels are made")
}

impl Kernel {
    /// The dtype of a variable, `None` for a variable that the kernel never declared.
    pub fn var_type(&self, var: Var) -> Option<DType> {
        self.vars.get(var.0 as usize).copied()
    }

    /// Element type and number of elements of a buffer, `None` when it does not exist.
    pub fn buf_type(&self, buf: Buf) -> Option<(DType, u64)> {
        match buf {
            Buf::Param(i) => self.params.get(i as usize).map(|p| (p.dtype, p.len)),
            Buf::Local(i) => self.locals.get(i as usize).map(|l| (l.dtype, l.len)),
        }
    }

    /// Declares a fresh variable.
    pub fn fresh_var(&mut self, dtype: DType) -> Var {
        self.vars.push(dtype);
        Var(self.vars.len() as u32 - 1)
    }
}

impl Expr {
    /// Calls `f` with every variable that the expression reads, in order (index parts included).
    pub fn for_each_operand(&self, mut f: impl FnMut(Var)) {
        match self {
            Expr::Const(_) | Expr::Axis(_) => {}
            Expr::Load { index, .. } => index.dynamic.iter().for_each(|d| f(d.0)),
            Expr::Unary(_, a) | Expr::Convert(_, a) | Expr::Bitcast(_, a) => f(*a),
            Expr::Binary(_, a, b) | Expr::Compare(_, a, b) => {
                f(*a);
                f(*b);
            }
            Expr::Select(a, b, c) | Expr::Fma(a, b, c) => {
                f(*a);
                f(*b);
                f(*c);
            }
        }
    }

    /// Rewrites every variable that the expression reads.
    pub fn map_operands(&mut self, mut f: impl FnMut(Var) -> Var) {
        match self {
            Expr::Const(_) | Expr::Axis(_) => {}
            Expr::Load { index, .. } => index.dynamic.iter_mut().for_each(|d| d.0 = f(d.0)),
            Expr::Unary(_, a) | Expr::Convert(_, a) | Expr::Bitcast(_, a) => *a = f(*a),
            Expr::Binary(_, a, b) | Expr::Compare(_, a, b) => {
                *a = f(*a);
                *b = f(*b);
            }
            Expr::Select(a, b, c) | Expr::Fma(a, b, c) => {
                *a = f(*a);
                *b = f(*b);
                *c = f(*c);
            }
        }
    }
}

const fn is_f32_or_f64(t: DType) -> bool {
    matches!(t, DType::F32 | DType::F64)
}

/// True for the types that operators compute with: f16 and bf16 are computed in f32.
const fn computes_with(t: DType) -> bool {
    is_loop_type(t) && !matches!(t, DType::F16 | DType::BF16)
}

/// True when `op` takes an operand of type `t` in the loop IR: as in the graph, and `abs` and `sign` of unsigned ints, too.
pub const fn unary_accepts(op: UnaryOp, t: DType) -> bool {
    let unsigned = matches!(op, UnaryOp::Abs | UnaryOp::Sign) && t.is_unsigned_int();
    computes_with(t) && (op.operand_types().contains(t) || unsigned)
}

/// The type that `op` gives for an operand of type `t`.
pub const fn unary_result(op: UnaryOp, t: DType) -> DType {
    match op.result_dtype() {
        Some(result) => result,
        None => t,
    }
}

/// True when `op` takes two operands of type `t` in the loop IR: as in the graph.
pub const fn binary_accepts(op: BinaryOp, t: DType) -> bool {
    computes_with(t) && op.operand_types().contains(t)
}

/// The type of a well-typed expression: of its first operand, of the buffer, or fixed by the operator. `None` when a
/// variable or buffer does not exist. Operand types are not checked; [`check_expr`] does that.
pub fn expr_type(kernel: &Kernel, expr: &Expr) -> Option<DType> {
    match expr {
        Expr::Const(c) => Some(c.dtype),
        Expr::Load { buf, .. } => kernel.buf_type(*buf).map(|b| b.0),
        Expr::Axis(_) => Some(DType::I64),
        Expr::Unary(op, a) => kernel.var_type(*a).map(|t| unary_result(*op, t)),
        Expr::Binary(_, a, _) | Expr::Fma(a, _, _) | Expr::Select(_, a, _) => kernel.var_type(*a),
        Expr::Compare(..) => Some(DType::Bool),
        Expr::Convert(t, _) | Expr::Bitcast(t, _) => Some(*t),
    }
}

/// What is wrong with the types of an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TypeError {
    /// The kernel declares no such variable.
    NoVar(Var),
    /// The kernel has no such buffer.
    NoBuffer(Buf),
    /// Operands that must be of one type are of these.
    Mixed(&'static str, DType, DType),
    /// The operator does not take operands of this type.
    Refused(&'static str, DType),
    /// A literal of f16 or bf16.
    HalfLiteral(DType),
    /// A literal with bits beyond its type.
    LiteralBits(Const),
    /// A dynamic part of an index that is not i64.
    DynamicIndex(Var, DType),
    /// The condition of a select that is not bool.
    Condition(DType),
    /// A bitcast between types of different width, or from or to bool.
    Bitcast(DType, DType),
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeError::NoVar(v) => write!(f, "variable %{} is not declared", v.0),
            TypeError::NoBuffer(buf) => write!(f, "{buf:?} does not exist"),
            TypeError::Mixed(what, x, y) => write!(f, "{what} takes operands of one type, found {x} and {y}"),
            TypeError::Refused("fma", t) => write!(f, "fma takes f32 or f64, found {t}"),
            TypeError::Refused(what, t) => write!(f, "{what} does not take {t}"),
            TypeError::HalfLiteral(t) => write!(f, "a literal of type {t} must be written as f32 and converted"),
            TypeError::LiteralBits(c) => write!(f, "literal bits {:#x} do not fit {}", c.bits, c.dtype),
            TypeError::DynamicIndex(v, t) => write!(f, "dynamic index %{} must be i64, found {t}", v.0),
            TypeError::Condition(t) => write!(f, "select takes a bool condition, found {t}"),
            TypeError::Bitcast(from, to) => write!(f, "bitcast from {from} to {to} changes the width or touches bool"),
        }
    }
}
impl std::error::Error for TypeError {}

/// The type of an expression. Index bounds are not looked at.
///
/// # Errors
/// What is wrong with its operand types.
pub fn check_expr(kernel: &Kernel, expr: &Expr) -> Result<DType, TypeError> {
    let ty = |v: Var| kernel.var_type(v).ok_or(TypeError::NoVar(v));
    let same = |what: &'static str, a: Var, b: Var| -> Result<DType, TypeError> {
        let (x, y) = (ty(a)?, ty(b)?);
        if x == y { Ok(x) } else { Err(TypeError::Mixed(what, x, y)) }
    };
    let accept = |what: &'static str, t: DType, accepts: bool| {
        if accepts { Ok(t) } else { Err(TypeError::Refused(what, t)) }
    };
    let half = |t: DType| matches!(t, DType::F16 | DType::BF16);
    match expr {
        Expr::Const(c) if half(c.dtype) => Err(TypeError::HalfLiteral(c.dtype)),
        Expr::Const(c) => {
            let valid = match c.dtype {
                DType::Bool => c.bits <= 1,
                t => t.size() == 8 || c.bits >> t.bits() == 0,
            };
            if valid { Ok(c.dtype) } else { Err(TypeError::LiteralBits(*c)) }
        }
        Expr::Load { buf, index } => {
            for (v, _) in &index.dynamic {
                if ty(*v)? != DType::I64 {
                    return Err(TypeError::DynamicIndex(*v, ty(*v)?));
                }
            }
            kernel.buf_type(*buf).map(|b| b.0).ok_or(TypeError::NoBuffer(*buf))
        }
        Expr::Axis(_) => Ok(DType::I64),
        Expr::Unary(op, a) => {
            let t = ty(*a)?;
            accept(op.name(), t, unary_accepts(*op, t)).map(|t| unary_result(*op, t))
        }
        Expr::Binary(op, a, b) => {
            let t = same(op.name(), *a, *b)?;
            accept(op.name(), t, binary_accepts(*op, t))
        }
        Expr::Compare(_, a, b) => {
            let t = same("compare", *a, *b)?;
            accept("compare", t, !half(t)).map(|_| DType::Bool)
        }
        Expr::Select(p, a, b) => {
            if ty(*p)? != DType::Bool {
                return Err(TypeError::Condition(ty(*p)?));
            }
            let t = same("select", *a, *b)?;
            accept("select", t, !half(t))
        }
        Expr::Convert(t, a) => ty(*a).map(|_| *t),
        Expr::Bitcast(t, a) => {
            let from = ty(*a)?;
            if from.size() != t.size() || from == DType::Bool || *t == DType::Bool {
                return Err(TypeError::Bitcast(from, *t));
            }
            Ok(*t)
        }
        Expr::Fma(a, b, c) => {
            let t = same("fma", *a, *b)?;
            same("fma", *a, *c)?;
            accept("fma", t, is_f32_or_f64(t))
        }
    }
}
