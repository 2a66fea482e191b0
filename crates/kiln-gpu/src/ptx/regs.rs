//! Registers, operands, addresses.

use crate::launch::{Mode, Plan};
use kiln_ir::DType;
use kiln_loops::{AxisId, Buf, Const, Index, Kernel, Var};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Register classes. Ints of up to 32 bits (and the bits of f16 and bf16) live in 32-bit registers, extended by their sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    Pred,
    B32,
    B64,
    F32,
    F64,
}

impl Class {
    const ALL: [Class; 5] = [Class::Pred, Class::B32, Class::B64, Class::F32, Class::F64];

    pub fn of(t: DType) -> Class {
        match t {
            DType::Bool => Class::Pred,
            DType::F32 => Class::F32,
            DType::F64 => Class::F64,
            DType::I64 | DType::U64 => Class::B64,
            DType::I8 | DType::I16 | DType::I32 | DType::U8 | DType::U16 | DType::U32 | DType::F16 | DType::BF16 => {
                Class::B32
            }
            other => kiln_loops::legalized(other),
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Class::Pred => "%p",
            Class::B32 => "%r",
            Class::B64 => "%rd",
            Class::F32 => "%f",
            Class::F64 => "%fd",
        }
    }

    /// The untyped name for moves and selects.
    pub fn bits(self) -> &'static str {
        match self {
            Class::Pred => "pred",
            Class::B32 => "b32",
            Class::B64 => "b64",
            Class::F32 => "f32",
            Class::F64 => "f64",
        }
    }
}

/// What a variable is.
#[derive(Clone)]
pub(super) enum Value {
    Register(String),
    Literal(Const),
}

pub(super) struct Emitter<'k> {
    pub kernel: &'k Kernel,
    pub plan: &'k Plan,
    pub text: String,
    counts: BTreeMap<Class, u32>,
    labels: u32,
    pub values: Vec<Option<Value>>,
    /// 32-bit counters of the open loops.
    pub axes: BTreeMap<AxisId, String>,
    /// Base addresses of parameters (global) and of scratch (in its own space).
    pub params: Vec<String>,
    pub locals: Vec<String>,
    pub local_space: &'static str,
    pub tid: String,
    /// The code is run by one thread for itself; otherwise by a whole block together.
    pub alone: bool,
}

impl<'k> Emitter<'k> {
    pub fn new(kernel: &'k Kernel, plan: &'k Plan) -> Emitter<'k> {
        let alone = matches!(plan.mode, Mode::Flat { .. });
        Emitter {
            kernel,
            plan,
            text: String::new(),
            counts: BTreeMap::new(),
            labels: 0,
            values: vec![None; kernel.vars.len()],
            axes: BTreeMap::new(),
            params: vec![],
            locals: vec![],
            local_space: if alone { "local" } else { "shared" },
            tid: String::new(),
            alone,
        }
    }

    /// Register and memory declarations, once everything is emitted.
    pub fn declarations(&self) -> String {
        let mut out = String::new();
        for c in Class::ALL {
            if let Some(n) = self.counts.get(&c) {
                let ty = match c {
                    Class::Pred => ".pred",
                    Class::B32 => ".b32",
                    Class::B64 => ".b64",
                    Class::F32 => ".f32",
                    Class::F64 => ".f64",
                };
                let _ = writeln!(out, "\t.reg {ty} {}<{n}>;", c.prefix());
            }
        }
        for (i, l) in self.kernel.locals.iter().enumerate() {
            let bytes = (l.len * l.dtype.size() as u64).max(1);
            let _ = writeln!(out, "\t.{} .align 16 .b8 scratch{i}[{bytes}];", self.local_space);
        }
        if self.plan.partials > 0 {
            let _ = writeln!(out, "\t.shared .align 8 .b8 partials[{}];", self.plan.partials);
        }
        out
    }

    pub fn line(&mut self, s: &str) {
        self.text.push('\t');
        self.text.push_str(s);
        self.text.push('\n');
    }

    pub fn reg(&mut self, c: Class) -> String {
        let n = self.counts.entry(c).or_default();
        *n += 1;
        format!("{}{}", c.prefix(), *n - 1)
    }

    pub fn label(&mut self) -> String {
        self.labels += 1;
        format!("$L{}", self.labels - 1)
    }

    pub fn place(&mut self, label: &str) {
        let _ = writeln!(self.text, "{label}:");
    }

    pub fn dtype(&self, v: Var) -> DType {
        self.kernel.vars[v.0 as usize]
    }

    /// A fresh register that holds `v` from here on.
    pub fn define(&mut self, v: Var) -> String {
        let r = self.reg(Class::of(self.dtype(v)));
        self.values[v.0 as usize] = Some(Value::Register(r.clone()));
        r
    }

    pub fn set(&mut self, v: Var, value: Value) {
        self.values[v.0 as usize] = Some(value);
    }

    fn value(&self, v: Var) -> &Value {
        self.values[v.0 as usize].as_ref().expect("the verifier saw a definition before every use")
    }

    /// A variable as source operand: a register or an immediate.
    pub fn operand(&mut self, v: Var) -> String {
        match self.value(v) {
            Value::Register(r) => r.clone(),
            Value::Literal(c) if c.dtype == DType::Bool => self.register(v),
            Value::Literal(c) => immediate(c),
        }
    }

    /// A variable in a register.
    pub fn register(&mut self, v: Var) -> String {
        match self.value(v).clone() {
            Value::Register(r) => r,
            Value::Literal(c) => {
                let class = Class::of(c.dtype);
                let r = self.reg(class);
                if class == Class::Pred {
                    self.line(&format!("setp.ne.u32 {r}, {}, 0;", c.bits));
                } else {
                    self.line(&format!("mov.{} {r}, {};", class.bits(), immediate(&c)));
                }
                r
            }
        }
    }

    /// The literal that a variable is.
    pub fn literal(&self, v: Var) -> Option<Const> {
        match self.value(v) {
            Value::Literal(c) => Some(*c),
            Value::Register(_) => None,
        }
    }

    /// The operand of a load or store: `[base+bytes]`, with what must be computed before it.
    pub fn address(&mut self, buf: Buf, index: &Index) -> String {
        let base = match buf {
            Buf::Param(i) => self.params[i as usize].clone(),
            Buf::Local(i) => self.locals[i as usize].clone(),
        };
        let (dtype, len) = self.kernel.buf_type(buf).expect("the verifier saw that the buffer exists");
        let size = dtype.size() as i64;
        let small = len <= i32::MAX as u64 && index.dynamic.is_empty();
        let pointer = if small { self.affine(&base, index, size) } else { self.wide(&base, index, size) };
        match i128::from(index.offset) * i128::from(size) {
            0 => format!("[{pointer}]"),
            bytes if i32::try_from(bytes).is_ok() => format!("[{pointer}+{bytes}]").replace("+-", "-"),
            bytes => {
                let r = self.reg(Class::B64);
                self.line(&format!("add.s64 {r}, {pointer}, {bytes};"));
                format!("[{r}]")
            }
        }
    }

    /// 32-bit arithmetic: the index fits, and partial sums may wrap.
    fn affine(&mut self, base: &str, index: &Index, size: i64) -> String {
        let mut sum: Option<String> = None;
        for (axis, stride) in &index.terms {
            let i = self.axes[axis].clone();
            sum = Some(match (sum, stride) {
                (None, 1) => i,
                (None, s) => {
                    let r = self.reg(Class::B32);
                    self.line(&format!("mul.lo.s32 {r}, {i}, {};", *s as i32));
                    r
                }
                (Some(a), 1) => {
                    let r = self.reg(Class::B32);
                    self.line(&format!("add.s32 {r}, {a}, {i};"));
                    r
                }
                (Some(a), s) => {
                    let r = self.reg(Class::B32);
                    self.line(&format!("mad.lo.s32 {r}, {i}, {}, {a};", *s as i32));
                    r
                }
            });
        }
        match sum {
            None => base.to_string(),
            Some(i) => {
                let r = self.reg(Class::B64);
                self.line(&format!("mad.wide.s32 {r}, {i}, {size}, {base};"));
                r
            }
        }
    }

    fn wide(&mut self, base: &str, index: &Index, size: i64) -> String {
        let mut pointer = base.to_string();
        for (axis, stride) in &index.terms {
            let i = self.axes[axis].clone();
            let w = self.reg(Class::B64);
            self.line(&format!("cvt.s64.s32 {w}, {i};"));
            pointer = self.step(&pointer, &w, stride.wrapping_mul(size));
        }
        for (v, factor) in &index.dynamic {
            let w = self.register(*v);
            pointer = self.step(&pointer, &w, factor.wrapping_mul(size));
        }
        pointer
    }

    fn step(&mut self, pointer: &str, count: &str, bytes: i64) -> String {
        let r = self.reg(Class::B64);
        self.line(&format!("mad.lo.s64 {r}, {count}, {bytes}, {pointer};"));
        r
    }

    /// The state space of a buffer.
    pub fn space(&self, buf: Buf) -> &'static str {
        match buf {
            Buf::Param(_) => "global",
            Buf::Local(_) => self.local_space,
        }
    }
}

/// A literal as PTX writes it; ints by value, floats by bits.
pub(super) fn immediate(c: &Const) -> String {
    match c.dtype {
        DType::F32 => format!("0f{:08X}", c.bits as u32),
        DType::F64 => format!("0d{:016X}", c.bits),
        DType::I64 => (c.bits as i64).to_string(),
        t if t.is_signed_int() => {
            let unused = 64 - t.bits();
            ((c.bits << unused) as i64 >> unused).to_string()
        }
        _ => c.bits.to_string(),
    }
}
