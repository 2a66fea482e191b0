//! Printing.

use crate::ir::{Access, Buf, Const, Expr, Index, Kernel, LoopKind, Stmt, Var};
use kiln_ir::DType;
use std::fmt::Write;

/// The text form of a kernel.
pub fn print(kernel: &Kernel) -> String {
    let mut p = Printer { kernel, out: String::new(), indent: 1, defined: vec![false; kernel.vars.len()] };
    let mut body = String::new();
    p.block(&kernel.body);
    std::mem::swap(&mut body, &mut p.out);
    p.header();
    p.out + &body + "}\n"
}

struct Printer<'k> {
    kernel: &'k Kernel,
    out: String,
    indent: usize,
    defined: Vec<bool>,
}

/// A string literal: backslash, quote and line breaks are escaped.
fn quote(s: &str) -> String {
    format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r"))
}

fn literal(c: &Const) -> String {
    let bits = format!("{:#x}", c.bits);
    match c.dtype {
        DType::Bool if c.bits <= 1 => (c.bits == 1).to_string(),
        DType::F32 => match f32::from_bits(c.bits as u32) {
            v if v.is_finite() && c.bits >> 32 == 0 => format!("{v:?}"),
            _ => bits,
        },
        DType::F64 => match f64::from_bits(c.bits) {
            v if v.is_finite() => format!("{v:?}"),
            _ => bits,
        },
        t if t.is_int() && (t.size() == 8 || c.bits >> t.bits() == 0) => {
            if t.is_signed_int() {
                let unused = 64 - t.bits();
                ((c.bits << unused) as i64 >> unused).to_string()
            } else {
                c.bits.to_string()
            }
        }
        _ => bits,
    }
}

fn index(i: &Index) -> String {
    let mut out = String::new();
    let mut term = |factor: i64, name: Option<String>| {
        let size = factor.unsigned_abs();
        let text = match name {
            Some(n) if size == 1 => n,
            Some(n) => format!("{size}*{n}"),
            None => size.to_string(),
        };
        match (out.is_empty(), factor < 0) {
            (true, true) => out.push('-'),
            (false, true) => out.push_str(" - "),
            (false, false) => out.push_str(" + "),
            (true, false) => {}
        }
        out.push_str(&text);
    };
    for (axis, stride) in &i.terms {
        term(*stride, Some(format!("i{}", axis.0)));
    }
    for (var, factor) in &i.dynamic {
        term(*factor, Some(format!("%{}", var.0)));
    }
    if i.offset != 0 || i.terms.is_empty() && i.dynamic.is_empty() {
        term(i.offset, None);
    }
    out
}

fn buffer(b: Buf) -> String {
    match b {
        Buf::Param(i) => format!("p{i}"),
        Buf::Local(i) => format!("l{i}"),
    }
}

impl Printer<'_> {
    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn header(&mut self) {
        let k = self.kernel;
        let _ = writeln!(self.out, "kernel {} {{", quote(&k.name));
        for (i, p) in k.params.iter().enumerate() {
            let access = match p.access {
                Access::Read => "read",
                Access::Write => "write",
                Access::ReadWrite => "readwrite",
            };
            self.line(&format!("param p{i} {}: {}[{}] {access}", quote(&p.name), p.dtype, p.len));
        }
        for (i, l) in k.locals.iter().enumerate() {
            self.line(&format!("local l{i}: {}[{}]", l.dtype, l.len));
        }
        self.line(&format!("axes {}", k.axes));
        for (i, t) in k.vars.iter().enumerate() {
            if !self.defined[i] {
                self.line(&format!("unused %{i}: {t}"));
            }
        }
    }

    /// `%1: f32`, and notes that it is defined.
    fn definition(&mut self, v: Var) -> String {
        let t = self.kernel.var_type(v).map_or("?", DType::name);
        if let Some(d) = self.defined.get_mut(v.0 as usize) {
            *d = true;
        }
        format!("%{}: {t}", v.0)
    }

    fn block(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => {
                    let d = self.definition(*var);
                    self.line(&format!("{d} = {}", expression(expr)));
                }
                Stmt::Store { buf, index: i, value } => {
                    self.line(&format!("store {}[{}] = %{}", buffer(*buf), index(i), value.0));
                }
                Stmt::If { cond, then } => {
                    self.line(&format!("if %{} {{", cond.0));
                    self.nested(then);
                    self.line("}");
                }
                Stmt::Loop(l) => {
                    let kind = match l.kind {
                        LoopKind::Parallel => "parallel",
                        LoopKind::Serial => "serial",
                        LoopKind::Vector => "vector",
                    };
                    let carried: Vec<String> = l
                        .carried
                        .iter()
                        .map(|c| {
                            let d = self.definition(c.param);
                            format!("{d} = %{}", c.init.0)
                        })
                        .collect();
                    let carry =
                        if carried.is_empty() { String::new() } else { format!(" carry {}", carried.join(", ")) };
                    self.line(&format!("{kind} i{} < {}{carry} {{", l.axis.0, l.extent));
                    self.nested(&l.body);
                    let folds: Vec<String> = l
                        .reductions
                        .iter()
                        .map(|r| {
                            let d = self.definition(r.result);
                            format!("{d} = {}(%{}, %{})", r.op.name(), r.init.0, r.value.0)
                        })
                        .collect();
                    let results: Vec<String> = l
                        .carried
                        .iter()
                        .map(|c| {
                            let d = self.definition(c.result);
                            format!("{d} = %{}", c.next.0)
                        })
                        .collect();
                    let mut end = "}".to_string();
                    if !folds.is_empty() {
                        end += &format!(" reduce {}", folds.join(", "));
                    }
                    if !results.is_empty() {
                        end += &format!(" yield {}", results.join(", "));
                    }
                    self.line(&end);
                }
            }
        }
    }

    fn nested(&mut self, stmts: &[Stmt]) {
        self.indent += 1;
        self.block(stmts);
        self.indent -= 1;
    }
}

fn expression(e: &Expr) -> String {
    match e {
        Expr::Const(c) => format!("const {}", literal(c)),
        Expr::Load { buf, index: i } => format!("load {}[{}]", buffer(*buf), index(i)),
        Expr::Axis(a) => format!("axis i{}", a.0),
        Expr::Unary(op, a) => format!("{} %{}", op.name(), a.0),
        Expr::Binary(op, a, b) => format!("{} %{}, %{}", op.name(), a.0, b.0),
        Expr::Compare(d, a, b) => format!("compare {d:?} %{}, %{}", a.0, b.0),
        Expr::Select(p, a, b) => format!("select %{}, %{}, %{}", p.0, a.0, b.0),
        Expr::Convert(_, a) => format!("convert %{}", a.0),
        Expr::Bitcast(_, a) => format!("bitcast %{}", a.0),
        Expr::Fma(a, b, c) => format!("fma %{}, %{}, %{}", a.0, b.0, c.0),
    }
}
