//! Scalar operators of the basic set.

use super::regs::{Class, Emitter, Value};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType, UnaryOp};
use kiln_loops::{Expr, Var};

/// The typed suffix of arithmetic in the register that holds `t`.
pub(super) fn suffix(t: DType) -> &'static str {
    match t {
        DType::Bool => "pred",
        DType::I8 | DType::I16 | DType::I32 => "s32",
        DType::U8 | DType::U16 | DType::U32 | DType::F16 | DType::BF16 => "u32",
        DType::I64 => "s64",
        DType::U64 => "u64",
        DType::F32 => "f32",
        DType::F64 => "f64",
        other => kiln_loops::legalized(other),
    }
}

/// `b32` or `b64`.
fn untyped(t: DType) -> &'static str {
    if t.size() == 8 { "b64" } else { "b32" }
}

const fn is_narrow(t: DType) -> bool {
    t.size() < 4 && !matches!(t, DType::Bool)
}

impl Emitter<'_> {
    pub fn let_(&mut self, var: Var, expr: &Expr) {
        match expr {
            Expr::Const(c) => self.set(var, Value::Literal(*c)),
            Expr::Axis(a) => {
                let i = self.axes[a].clone();
                let d = self.define(var);
                self.line(&format!("cvt.s64.s32 {d}, {i};"));
            }
            Expr::Load { buf, index } => {
                let address = self.address(*buf, index);
                let space = self.space(*buf);
                let t = self.dtype(var);
                let d = self.define(var);
                self.load(&d, t, space, &address);
            }
            Expr::Unary(op, x) => self.unary(var, *op, *x),
            Expr::Binary(op, x, y) => {
                let (a, b) = (self.operand(*x), self.operand(*y));
                let b = if is_shift(*op) { self.shift_amount(*y) } else { b };
                let d = self.define(var);
                self.binary(&d, *op, self.dtype(*x), &a, &b);
            }
            Expr::Compare(c, x, y) => {
                let t = self.dtype(*x);
                let (a, b) = (self.register(*x), self.operand(*y));
                let d = self.define(var);
                self.line(&format!("setp.{}.{} {d}, {a}, {b};", comparison(*c, t), suffix(t)));
            }
            Expr::Select(p, a, b) => self.select(var, *p, *a, *b),
            Expr::Convert(t, x) => self.convert(var, *t, *x),
            Expr::Bitcast(t, x) => self.bitcast(var, *t, *x),
            Expr::Fma(x, y, z) => {
                let (a, b, c) = (self.operand(*x), self.operand(*y), self.operand(*z));
                let d = self.define(var);
                self.line(&format!("fma.rn.{} {d}, {a}, {b}, {c};", suffix(self.dtype(var))));
            }
        }
    }

    /// Loads into a register of the class of `t`.
    pub fn load(&mut self, d: &str, t: DType, space: &str, address: &str) {
        match t {
            DType::Bool => {
                let r = self.reg(Class::B32);
                self.line(&format!("ld.{space}.u8 {r}, {address};"));
                self.line(&format!("setp.ne.u32 {d}, {r}, 0;"));
            }
            t => self.line(&format!("ld.{space}.{} {d}, {address};", memory_type(t))),
        }
    }

    /// Stores a register of the class of `t`.
    pub fn store(&mut self, r: &str, t: DType, space: &str, address: &str, guard: &str) {
        match t {
            DType::Bool => {
                let b = self.reg(Class::B32);
                self.line(&format!("selp.u32 {b}, 1, 0, {r};"));
                self.line(&format!("{guard}st.{space}.u8 {address}, {b};"));
            }
            t => self.line(&format!("{guard}st.{space}.{} {address}, {r};", memory_type(t))),
        }
    }

    /// Brings a narrow int in its 32-bit register back into range: by its sign, or zero extended.
    fn extend(&mut self, d: &str, t: DType) {
        match t {
            DType::I8 => self.line(&format!("cvt.s32.s8 {d}, {d};")),
            DType::I16 => self.line(&format!("cvt.s32.s16 {d}, {d};")),
            DType::U8 => self.line(&format!("and.b32 {d}, {d}, 255;")),
            DType::U16 | DType::F16 | DType::BF16 => self.line(&format!("and.b32 {d}, {d}, 65535;")),
            DType::Bool | DType::I32 | DType::I64 | DType::U32 | DType::U64 | DType::F32 | DType::F64 => {}
            other => kiln_loops::legalized(other),
        }
    }

    /// The zero-extended bits of a narrow int.
    fn unsigned_bits(&mut self, a: &str, t: DType) -> String {
        let mask = match t {
            DType::I8 => 255,
            DType::I16 => 65535,
            _ => return a.to_string(),
        };
        let r = self.reg(Class::B32);
        self.line(&format!("and.b32 {r}, {a}, {mask};"));
        r
    }

    fn unary(&mut self, var: Var, op: UnaryOp, x: Var) {
        let t = self.dtype(x);
        let a = self.register(x);
        let ty = suffix(t);
        if matches!(op, UnaryOp::Popcnt | UnaryOp::CountLeadingZeros) {
            return self.count_bits(var, op, t, &a);
        }
        let d = self.define(var);
        match op {
            UnaryOp::Abs => self.line(&format!("abs.{ty} {d}, {a};")),
            UnaryOp::Negate if t.is_float() => self.line(&format!("neg.{ty} {d}, {a};")),
            UnaryOp::Negate => self.line(&format!("neg.s{} {d}, {a};", if t.size() == 8 { 64 } else { 32 })),
            UnaryOp::Not if t == DType::Bool => self.line(&format!("not.pred {d}, {a};")),
            UnaryOp::Not => self.line(&format!("not.{} {d}, {a};", untyped(t))),
            UnaryOp::Sqrt => self.line(&format!("sqrt.rn.{ty} {d}, {a};")),
            UnaryOp::Floor => self.line(&format!("cvt.rmi.{ty}.{ty} {d}, {a};")),
            UnaryOp::Ceil => self.line(&format!("cvt.rpi.{ty}.{ty} {d}, {a};")),
            UnaryOp::RoundNearestEven => self.line(&format!("cvt.rni.{ty}.{ty} {d}, {a};")),
            UnaryOp::Popcnt | UnaryOp::CountLeadingZeros => unreachable!("handled above"),
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
            | UnaryOp::Tanh => unreachable!("{} was expanded", op.name()),
        }
        if matches!(op, UnaryOp::Abs | UnaryOp::Negate | UnaryOp::Not) {
            self.extend(&d, t);
        }
    }

    fn count_bits(&mut self, var: Var, op: UnaryOp, t: DType, a: &str) {
        let a = self.unsigned_bits(a, t);
        let name = if op == UnaryOp::Popcnt { "popc" } else { "clz" };
        let d = self.define(var);
        if t.size() == 8 {
            let r = self.reg(Class::B32);
            self.line(&format!("{name}.b64 {r}, {a};"));
            self.line(&format!("cvt.u64.u32 {d}, {r};"));
            return;
        }
        self.line(&format!("{name}.b32 {d}, {a};"));
        if op == UnaryOp::CountLeadingZeros && is_narrow(t) {
            self.line(&format!("sub.s32 {d}, {d}, {};", 32 - t.bits()));
        }
    }

    /// PTX takes 32-bit shift amounts.
    fn shift_amount(&mut self, y: Var) -> String {
        if self.dtype(y).size() < 8 || self.literal(y).is_some() {
            return self.operand(y);
        }
        let a = self.register(y);
        let r = self.reg(Class::B32);
        self.line(&format!("cvt.u32.u64 {r}, {a};"));
        r
    }

    /// `d = op(a, b)` on type `t`; `d` may be `a`.
    pub fn binary(&mut self, d: &str, op: BinaryOp, t: DType, a: &str, b: &str) {
        let (ty, bits) = (suffix(t), untyped(t));
        let round = if t.is_float() { "rn." } else { "" };
        let word = if t == DType::Bool { "pred" } else { bits };
        let mut line = |s: String| self.line(&s);
        match op {
            BinaryOp::Add => line(format!("add.{round}{ty} {d}, {a}, {b};")),
            BinaryOp::Subtract => line(format!("sub.{round}{ty} {d}, {a}, {b};")),
            BinaryOp::Multiply if t.is_float() => line(format!("mul.rn.{ty} {d}, {a}, {b};")),
            BinaryOp::Multiply => line(format!("mul.lo.{ty} {d}, {a}, {b};")),
            BinaryOp::Divide => line(format!("div.{round}{ty} {d}, {a}, {b};")),
            BinaryOp::Remainder => line(format!("rem.{ty} {d}, {a}, {b};")),
            BinaryOp::And => line(format!("and.{word} {d}, {a}, {b};")),
            BinaryOp::Or => line(format!("or.{word} {d}, {a}, {b};")),
            BinaryOp::Xor => line(format!("xor.{word} {d}, {a}, {b};")),
            BinaryOp::ShiftLeft => line(format!("shl.{bits} {d}, {a}, {b};")),
            BinaryOp::ShiftRightLogical => {
                let a = self.unsigned_bits(a, t);
                self.line(&format!("shr.u{} {d}, {a}, {b};", &bits[1..]));
            }
            BinaryOp::ShiftRightArithmetic => {
                let a = self.signed_bits(a, t);
                self.line(&format!("shr.s{} {d}, {a}, {b};", &bits[1..]));
            }
            BinaryOp::Maximum | BinaryOp::Minimum => self.extreme(d, op, t, a, b),
            BinaryOp::Atan2 | BinaryOp::Power => unreachable!("{} was expanded", op.name()),
        }
        self.extend(d, t);
    }

    /// The sign-extended bits of a narrow unsigned int.
    fn signed_bits(&mut self, a: &str, t: DType) -> String {
        let from = match t {
            DType::U8 => "s8",
            DType::U16 => "s16",
            _ => return a.to_string(),
        };
        let r = self.reg(Class::B32);
        self.line(&format!("mov.b32 {r}, {a};"));
        self.line(&format!("cvt.s32.{from} {r}, {r};"));
        r
    }

    /// Minimum and maximum; NaN propagates, which f64 has no instruction for.
    fn extreme(&mut self, d: &str, op: BinaryOp, t: DType, a: &str, b: &str) {
        let name = if op == BinaryOp::Maximum { "max" } else { "min" };
        match t {
            DType::F32 => self.line(&format!("{name}.NaN.f32 {d}, {a}, {b};")),
            DType::F64 => {
                let (p, m, s) = (self.reg(Class::Pred), self.reg(Class::F64), self.reg(Class::F64));
                self.line(&format!("{name}.f64 {m}, {a}, {b};"));
                self.line(&format!("add.rn.f64 {s}, {a}, {b};"));
                self.line(&format!("setp.nan.f64 {p}, {a}, {b};"));
                self.line(&format!("selp.f64 {d}, {s}, {m}, {p};"));
            }
            t => self.line(&format!("{name}.{} {d}, {a}, {b};", suffix(t))),
        }
    }

    fn select(&mut self, var: Var, p: Var, a: Var, b: Var) {
        let t = self.dtype(a);
        let p = self.register(p);
        let (a, b) = (self.operand(a), self.operand(b));
        let d = self.define(var);
        if t == DType::Bool {
            let (not, x, y) = (self.reg(Class::Pred), self.reg(Class::Pred), self.reg(Class::Pred));
            self.line(&format!("not.pred {not}, {p};"));
            self.line(&format!("and.pred {x}, {p}, {a};"));
            self.line(&format!("and.pred {y}, {not}, {b};"));
            self.line(&format!("or.pred {d}, {x}, {y};"));
        } else {
            self.line(&format!("selp.{} {d}, {a}, {b}, {p};", Class::of(t).bits()));
        }
    }

    fn convert(&mut self, var: Var, to: DType, x: Var) {
        let from = self.dtype(x);
        let a = self.register(x);
        let d = self.define(var);
        let (ft, tt) = (suffix(from), suffix(to));
        match (from.is_float(), to.is_float()) {
            (true, true) => {
                let round = if to == DType::F32 { "rn." } else { "" };
                self.line(&format!("cvt.{round}{tt}.{ft} {d}, {a};"));
            }
            (false, true) => self.line(&format!("cvt.rn.{tt}.{ft} {d}, {a};")),
            (true, false) => self.float_to_int(&d, to, from, &a),
            (false, false) => {
                match (from.size() == 8, to.size() == 8) {
                    (false, true) => self.line(&format!("cvt.{}64.{ft} {d}, {a};", &ft[..1])),
                    (true, false) => self.line(&format!("cvt.u32.u64 {d}, {a};")),
                    (_, _) => self.line(&format!("mov.{} {d}, {a};", untyped(to))),
                }
                self.extend(&d, to);
            }
        }
    }

    /// Truncates and saturates; NaN gives 0, which the instruction does for 32 bits from f32 only.
    fn float_to_int(&mut self, d: &str, to: DType, from: DType, a: &str) {
        let (ft, tt) = (suffix(from), suffix(to));
        self.line(&format!("cvt.rzi.{tt}.{ft} {d}, {a};"));
        match to {
            DType::I8 => self.clamp(d, -128, 127),
            DType::I16 => self.clamp(d, -32768, 32767),
            DType::U8 => self.line(&format!("min.u32 {d}, {d}, 255;")),
            DType::U16 => self.line(&format!("min.u32 {d}, {d}, 65535;")),
            _ => {}
        }
        if from == DType::F64 || to.size() == 8 {
            let p = self.reg(Class::Pred);
            self.line(&format!("setp.nan.{ft} {p}, {a}, {a};"));
            self.line(&format!("selp.{} {d}, 0, {d}, {p};", untyped(to)));
        }
    }

    fn clamp(&mut self, d: &str, low: i32, high: i32) {
        self.line(&format!("max.s32 {d}, {d}, {low};"));
        self.line(&format!("min.s32 {d}, {d}, {high};"));
    }

    fn bitcast(&mut self, var: Var, to: DType, x: Var) {
        let from = self.dtype(x);
        let a = self.register(x);
        let same_class = Class::of(from) == Class::of(to);
        if same_class && (!is_narrow(to) || from.is_signed_int() == to.is_signed_int()) {
            return self.set(var, Value::Register(a));
        }
        let d = self.define(var);
        self.line(&format!("mov.{} {d}, {a};", untyped(to)));
        self.extend(&d, to);
    }
}

const fn is_shift(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRightArithmetic | BinaryOp::ShiftRightLogical)
}

fn comparison(c: CompareDirection, t: DType) -> &'static str {
    match c {
        CompareDirection::EQ => "eq",
        // Unordered: true for NaN.
        CompareDirection::NE if t.is_float() => "neu",
        CompareDirection::NE => "ne",
        CompareDirection::GE => "ge",
        CompareDirection::GT => "gt",
        CompareDirection::LE => "le",
        CompareDirection::LT => "lt",
    }
}

/// The type of an element in memory; loads extend it to the register.
fn memory_type(t: DType) -> &'static str {
    match t {
        DType::Bool | DType::U8 => "u8",
        DType::I8 => "s8",
        DType::I16 => "s16",
        DType::U16 | DType::F16 | DType::BF16 => "u16",
        DType::I32 => "s32",
        DType::U32 => "u32",
        DType::I64 => "s64",
        DType::U64 => "u64",
        DType::F32 => "f32",
        DType::F64 => "f64",
        other => kiln_loops::legalized(other),
    }
}
