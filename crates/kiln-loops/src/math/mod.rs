//! Expansion of scalar operators into basic ones, so that an emitter needs only these.
//!
//! # The basic set
//!
//! | expression | types |
//! | --- | --- |
//! | literal, load, axis, select, bitcast | every type that the verifier allows |
//! | compare | every type but bool |
//! | add, subtract, multiply | ints (wrapping), f32, f64 |
//! | divide | f32, f64; ints with a divisor that is neither 0 nor -1 with the least dividend (expansion sees to it) |
//! | remainder | ints, with the same divisors |
//! | negate, abs | signed ints (wrapping), f32, f64; negate on unsigned ints |
//! | maximum, minimum | ints; f32 and f64 with NaN propagating and -0 < +0 |
//! | and, or, xor, not | bool, ints |
//! | shift_left, shift_right_logical, shift_right_arithmetic | ints, with an amount below the width (expansion sees to it) |
//! | popcnt, count_leading_zeros | ints |
//! | sqrt, floor, ceil, round_nearest_even, fma | f32, f64 |
//! | convert | between ints of any width (wrapping), f32 and f64; float to int truncates, saturates, and gives 0 for NaN |
//!
//! Reductions are basic when their operator is basic on their type. Bool never needs arithmetic, comparison or conversion, and
//! f16 and bf16 only loads, stores and bitcasts to and from 16-bit ints (unless [`MathOptions::native_half`] is set).
//!
//! # Accuracy
//!
//! Every float function is within 2 ULP for all inputs of f32 and f64 (subnormals, infinities and signed zeros included), which
//! the tests measure. Remainder is exact. Polynomials are minimax fits (Remez exchange in 50 digits, relative weight, made for
//! this crate; f32 coefficients rounded one after the other with the rest refitted) unless a source is named beside them.
//!
//! Sequences are straight-line and branch-free. Expanding twice is harmless: what is guarded once is guarded again.

mod elementary;
mod half;
mod int;
mod logs;
mod pow;
mod rem;
mod seq;
mod special;
mod trig;

use crate::ir::{Expr, Kernel, Loop, Stmt, Var};
use kiln_ir::op::Reducer;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use seq::{F32, F64, Format, Seq};
use std::collections::BTreeMap;

/// What the target offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MathOptions {
    /// `fma` rounds once. Without it, exact products are split instead, and the 2 ULP bound loosens to 4.
    pub fused_fma: bool,
    /// Conversions between f16 or bf16 and f32 stay as they are (others of these types go through f32).
    pub native_half: bool,
}

impl Default for MathOptions {
    fn default() -> Self {
        MathOptions { fused_fma: true, native_half: false }
    }
}

const fn is_half(t: DType) -> bool {
    matches!(t, DType::F16 | DType::BF16)
}

/// True when `expr`, with operands of type `dtype`, is in the basic set (see the module's table). For loads, literals and axes
/// the operand type does not matter.
pub fn is_basic(expr: &Expr, dtype: DType) -> bool {
    let bool_type = dtype == DType::Bool;
    match expr {
        Expr::Const(_) | Expr::Load { .. } | Expr::Axis(_) | Expr::Select(..) | Expr::Bitcast(..) | Expr::Fma(..) => {
            true
        }
        Expr::Compare(..) => !bool_type,
        Expr::Convert(to, _) => !bool_type && *to != DType::Bool && !is_half(dtype) && !is_half(*to),
        Expr::Unary(op, _) => match op {
            UnaryOp::Abs => !dtype.is_unsigned_int(),
            UnaryOp::Negate
            | UnaryOp::Not
            | UnaryOp::Popcnt
            | UnaryOp::CountLeadingZeros
            | UnaryOp::Sqrt
            | UnaryOp::Floor
            | UnaryOp::Ceil
            | UnaryOp::RoundNearestEven => true,
            UnaryOp::Cbrt
            | UnaryOp::Cosine
            | UnaryOp::Erf
            | UnaryOp::Exponential
            | UnaryOp::ExponentialMinusOne
            | UnaryOp::IsFinite
            | UnaryOp::Log
            | UnaryOp::LogPlusOne
            | UnaryOp::Logistic
            | UnaryOp::RoundNearestAfz
            | UnaryOp::Rsqrt
            | UnaryOp::Sign
            | UnaryOp::Sine
            | UnaryOp::Tan
            | UnaryOp::Tanh => false,
        },
        Expr::Binary(op, ..) => match op {
            BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::Subtract
            | BinaryOp::Divide
            | BinaryOp::ShiftLeft
            | BinaryOp::ShiftRightArithmetic
            | BinaryOp::ShiftRightLogical => true,
            BinaryOp::Add | BinaryOp::Multiply | BinaryOp::Maximum | BinaryOp::Minimum => !bool_type,
            BinaryOp::Remainder => !dtype.is_float(),
            BinaryOp::Atan2 | BinaryOp::Power => false,
        },
    }
}

/// Rewrites every operator outside the basic set, for a target with fused multiply-add. The kernel must pass the verifier.
pub fn expand(kernel: &mut Kernel) {
    expand_with(kernel, MathOptions::default());
}

/// [`expand`] for a target as described.
pub fn expand_with(kernel: &mut Kernel, options: MathOptions) {
    let body = std::mem::take(&mut kernel.body);
    let mut vars = std::mem::take(&mut kernel.vars);
    let seq = Seq { vars: &mut vars, out: vec![], options, consts: vec![], known: BTreeMap::new() };
    let mut x = Expander { seq, renamed: BTreeMap::new() };
    let body = x.block(body);
    kernel.body = body;
    kernel.vars = vars;
}

struct Expander<'a> {
    seq: Seq<'a>,
    /// Variables that turned out to be equal to another one.
    renamed: BTreeMap<Var, Var>,
}

impl Expander<'_> {
    fn name(&self, v: Var) -> Var {
        self.renamed.get(&v).copied().unwrap_or(v)
    }

    fn block(&mut self, stmts: Vec<Stmt>) -> Vec<Stmt> {
        let outer = std::mem::take(&mut self.seq.out);
        self.seq.consts.push(BTreeMap::new());
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => self.let_(var, expr),
                Stmt::Store { buf, mut index, value } => {
                    index.dynamic.iter_mut().for_each(|d| d.0 = self.name(d.0));
                    let value = self.name(value);
                    self.seq.out.push(Stmt::Store { buf, index, value });
                }
                Stmt::Loop(l) => {
                    let l = self.loop_(l);
                    self.seq.out.push(Stmt::Loop(l));
                }
                Stmt::If { cond, then } => {
                    let cond = self.name(cond);
                    let then = self.block(then);
                    self.seq.out.push(Stmt::If { cond, then });
                }
            }
        }
        self.seq.consts.pop();
        std::mem::replace(&mut self.seq.out, outer)
    }

    fn loop_(&mut self, mut l: Loop) -> Loop {
        for r in &mut l.reductions {
            r.init = self.name(r.init);
            if self.seq.vars.get(r.result.0 as usize) == Some(&DType::Bool) {
                r.op = bool_reducer(r.op);
            }
        }
        for c in &mut l.carried {
            c.init = self.name(c.init);
        }
        l.body = self.block(l.body);
        for r in &mut l.reductions {
            r.value = self.name(r.value);
        }
        for c in &mut l.carried {
            c.next = self.name(c.next);
        }
        l
    }

    fn let_(&mut self, var: Var, mut expr: Expr) {
        expr.map_operands(|v| self.name(v));
        let start = self.seq.out.len();
        match rewrite(&mut self.seq, &expr) {
            None => {
                if let Expr::Const(c) = expr {
                    self.seq.note_const(var, c);
                }
                self.seq.out.push(Stmt::Let { var, expr });
            }
            Some(result) => match self.seq.out[start..].last_mut() {
                Some(Stmt::Let { var: last, expr }) if *last == result && !matches!(expr, Expr::Const(_)) => {
                    *last = var
                }
                _ => {
                    self.renamed.insert(var, result);
                }
            },
        }
    }
}

const fn bool_reducer(op: Reducer) -> Reducer {
    match op {
        Reducer::Add | Reducer::Maximum | Reducer::Or => Reducer::Or,
        Reducer::Multiply | Reducer::Minimum | Reducer::And => Reducer::And,
        Reducer::Xor => Reducer::Xor,
    }
}

/// The value of an expression through basic statements, or `None` when it is basic as it stands.
fn rewrite(s: &mut Seq<'_>, expr: &Expr) -> Option<Var> {
    match *expr {
        Expr::Const(_) | Expr::Load { .. } | Expr::Axis(_) | Expr::Select(..) | Expr::Bitcast(..) | Expr::Fma(..) => {
            None
        }
        Expr::Compare(d, x, y) => (s.dtype(x) == DType::Bool).then(|| int::compare_bool(s, d, x, y)),
        Expr::Convert(to, x) => half::convert(s, to, x),
        Expr::Unary(op, x) => match s.dtype(x) {
            DType::F32 => float_unary(s, F32, op, x),
            DType::F64 => float_unary(s, F64, op, x),
            _ => int::unary(s, op, x),
        },
        Expr::Binary(op, x, y) => match s.dtype(x) {
            DType::F32 => float_binary(s, F32, op, x, y),
            DType::F64 => float_binary(s, F64, op, x, y),
            DType::Bool => int::bool_binary(s, op, x, y),
            _ => int::binary(s, op, x, y),
        },
    }
}

fn float_unary(s: &mut Seq<'_>, f: Format, op: UnaryOp, x: Var) -> Option<Var> {
    Some(match op {
        UnaryOp::Abs
        | UnaryOp::Negate
        | UnaryOp::Not
        | UnaryOp::Popcnt
        | UnaryOp::CountLeadingZeros
        | UnaryOp::Sqrt
        | UnaryOp::Floor
        | UnaryOp::Ceil
        | UnaryOp::RoundNearestEven => return None,
        UnaryOp::Cbrt => special::cbrt(s, f, x),
        UnaryOp::Cosine => trig::cosine(s, f, x),
        UnaryOp::Erf => special::erf(s, f, x),
        UnaryOp::Exponential => elementary::exp(s, f, x),
        UnaryOp::ExponentialMinusOne => elementary::expm1(s, f, x),
        UnaryOp::IsFinite => special::is_finite(s, f, x),
        UnaryOp::Log => logs::log(s, f, x),
        UnaryOp::LogPlusOne => logs::log1p(s, f, x),
        UnaryOp::Logistic => elementary::logistic(s, f, x),
        UnaryOp::RoundNearestAfz => special::round_nearest_afz(s, f, x),
        UnaryOp::Rsqrt => special::rsqrt(s, f, x),
        UnaryOp::Sign => special::sign(s, f, x),
        UnaryOp::Sine => trig::sine(s, f, x),
        UnaryOp::Tan => trig::tan(s, f, x),
        UnaryOp::Tanh => elementary::tanh(s, f, x),
    })
}

fn float_binary(s: &mut Seq<'_>, f: Format, op: BinaryOp, x: Var, y: Var) -> Option<Var> {
    match op {
        BinaryOp::Atan2 => Some(trig::atan2(s, f, x, y)),
        BinaryOp::Power => Some(if f.float == DType::F32 { pow::pow_f32(s, x, y) } else { pow::pow_f64(s, x, y) }),
        BinaryOp::Remainder => Some(rem::remainder(s, f, x, y)),
        BinaryOp::Add
        | BinaryOp::And
        | BinaryOp::Divide
        | BinaryOp::Maximum
        | BinaryOp::Minimum
        | BinaryOp::Multiply
        | BinaryOp::Or
        | BinaryOp::ShiftLeft
        | BinaryOp::ShiftRightArithmetic
        | BinaryOp::ShiftRightLogical
        | BinaryOp::Subtract
        | BinaryOp::Xor => None,
    }
}
