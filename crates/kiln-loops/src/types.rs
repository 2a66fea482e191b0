//! Types of expressions: which operand types an operator takes and what it gives.

use crate::ir::{Buf, Expr, Kernel, Var};
use kiln_ir::{BinaryOp, DType, UnaryOp};

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

/// The type of an expression, or what is wrong with its operand types. Index bounds are not looked at.
pub fn check_expr(kernel: &Kernel, expr: &Expr) -> Result<DType, String> {
    let ty = |v: Var| kernel.var_type(v).ok_or_else(|| format!("variable %{} is not declared", v.0));
    let same = |what: &str, a: Var, b: Var| -> Result<DType, String> {
        let (x, y) = (ty(a)?, ty(b)?);
        if x == y { Ok(x) } else { Err(format!("{what} takes operands of one type, found {x} and {y}")) }
    };
    match expr {
        Expr::Const(c) => {
            if matches!(c.dtype, DType::F16 | DType::BF16) {
                return Err(format!("a literal of type {} must be written as f32 and converted", c.dtype));
            }
            let valid = match c.dtype {
                DType::Bool => c.bits <= 1,
                t => t.size() == 8 || c.bits >> t.bits() == 0,
            };
            if valid { Ok(c.dtype) } else { Err(format!("literal bits {:#x} do not fit {}", c.bits, c.dtype)) }
        }
        Expr::Load { buf, index } => {
            for (v, _) in &index.dynamic {
                if ty(*v)? != DType::I64 {
                    return Err(format!("dynamic index %{} must be i64, found {}", v.0, ty(*v)?));
                }
            }
            kernel.buf_type(*buf).map(|b| b.0).ok_or_else(|| format!("{buf:?} does not exist"))
        }
        Expr::Axis(_) => Ok(DType::I64),
        Expr::Unary(op, a) => {
            let t = ty(*a)?;
            if unary_accepts(*op, t) {
                Ok(unary_result(*op, t))
            } else {
                Err(format!("{} does not take {t}", op.name()))
            }
        }
        Expr::Binary(op, a, b) => {
            let t = same(op.name(), *a, *b)?;
            if binary_accepts(*op, t) { Ok(t) } else { Err(format!("{} does not take {t}", op.name())) }
        }
        Expr::Compare(_, a, b) => match same("compare", *a, *b)? {
            t @ (DType::F16 | DType::BF16) => Err(format!("compare does not take {t}")),
            _ => Ok(DType::Bool),
        },
        Expr::Select(p, a, b) => {
            if ty(*p)? != DType::Bool {
                return Err(format!("select takes a bool condition, found {}", ty(*p)?));
            }
            match same("select", *a, *b)? {
                t @ (DType::F16 | DType::BF16) => Err(format!("select does not take {t}")),
                t => Ok(t),
            }
        }
        Expr::Convert(t, a) => ty(*a).map(|_| *t),
        Expr::Bitcast(t, a) => {
            let from = ty(*a)?;
            if from.size() != t.size() || from == DType::Bool || *t == DType::Bool {
                return Err(format!("bitcast from {from} to {t} changes the width or touches bool"));
            }
            Ok(*t)
        }
        Expr::Fma(a, b, c) => {
            let t = same("fma", *a, *b)?;
            same("fma", *a, *c)?;
            if is_f32_or_f64(t) { Ok(t) } else { Err(format!("fma takes f32 or f64, found {t}")) }
        }
    }
}
