//! Parsing.

use super::lex::{Kind, ParseError, Token, tokens};
use crate::ir::{
    Access, AxisId, Buf, Carry, Const, Expr, Index, Kernel, Local, Loop, LoopKind, Param, Reduction, Stmt, Var,
};
use kiln_ir::op::{CompareDirection, Reducer};
use kiln_ir::{BinaryOp, DType, UnaryOp};
use smallvec::SmallVec;

/// Loops and ifs may nest this deep.
const MAX_DEPTH: usize = 64;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    vars: Vec<Option<DType>>,
    depth: usize,
}

type Result<T> = std::result::Result<T, ParseError>;

/// The kernel of a text. Whether it makes sense is the verifier's question.
///
/// # Errors
/// The first place that does not follow the syntax.
pub fn parse(text: &str) -> Result<Kernel> {
    let mut p = Parser { tokens: tokens(text)?, at: 0, vars: vec![], depth: 0 };
    let mut k = Kernel::default();
    p.word("kernel")?;
    k.name = p.text()?;
    p.symbol('{')?;
    loop {
        match p.peek() {
            Kind::Word(w) if w == "param" => {
                p.at += 1;
                let param = p.param(k.params.len())?;
                k.params.push(param);
            }
            Kind::Word(w) if w == "local" => {
                p.at += 1;
                p.numbered('l', k.locals.len())?;
                p.symbol(':')?;
                let (dtype, len) = p.array()?;
                k.locals.push(Local { dtype, len });
            }
            Kind::Word(w) if w == "axes" => {
                p.at += 1;
                k.axes = p.integer("the number of axes")?;
            }
            Kind::Word(w) if w == "unused" => {
                p.at += 1;
                p.definition()?;
            }
            _ => break,
        }
    }
    k.body = p.block()?;
    if *p.peek() != Kind::End {
        return p.expected("the end of the text");
    }
    for (i, t) in p.vars.iter().enumerate() {
        match t {
            Some(t) => k.vars.push(*t),
            None => return p.error(format!("%{i} is neither defined nor listed as unused")),
        }
    }
    Ok(k)
}

impl Parser {
    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        let t = &self.tokens[self.at];
        Err(ParseError { line: t.line, column: t.column, message: message.into() })
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        self.error(format!("expected {what}, found {}", self.peek()))
    }

    fn take(&mut self) -> Kind {
        let k = self.peek().clone();
        if k != Kind::End {
            self.at += 1;
        }
        k
    }

    fn word(&mut self, w: &str) -> Result<()> {
        if matches!(self.peek(), Kind::Word(x) if x == w) {
            self.at += 1;
            return Ok(());
        }
        self.expected(&format!("`{w}`"))
    }

    fn any_word(&mut self, what: &str) -> Result<String> {
        match self.peek().clone() {
            Kind::Word(w) => {
                self.at += 1;
                Ok(w)
            }
            _ => self.expected(what),
        }
    }

    fn symbol(&mut self, c: char) -> Result<()> {
        if self.accept(c) { Ok(()) } else { self.expected(&format!("`{c}`")) }
    }

    fn accept(&mut self, c: char) -> bool {
        let found = *self.peek() == Kind::Symbol(c);
        self.at += usize::from(found);
        found
    }

    fn text(&mut self) -> Result<String> {
        match self.peek().clone() {
            Kind::Text(t) => {
                self.at += 1;
                Ok(t)
            }
            _ => self.expected("a string"),
        }
    }

    fn integer<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        if let Kind::Number(n) = self.peek()
            && let Ok(v) = n.parse()
        {
            self.at += 1;
            return Ok(v);
        }
        self.expected(what)
    }

    fn dtype(&mut self) -> Result<DType> {
        if let Kind::Word(w) = self.peek()
            && let Ok(t) = w.parse()
        {
            self.at += 1;
            return Ok(t);
        }
        self.expected("a dtype")
    }

    /// `f32[64]`
    fn array(&mut self) -> Result<(DType, u64)> {
        let t = self.dtype()?;
        self.symbol('[')?;
        let n = self.integer("the number of elements")?;
        self.symbol(']')?;
        Ok((t, n))
    }

    /// A word such as `p3` with this prefix.
    fn prefixed(&mut self, prefix: char, what: &str) -> Result<u32> {
        if let Kind::Word(w) = self.peek()
            && let Some(n) = w.strip_prefix(prefix)
            && let Ok(n) = n.parse()
        {
            self.at += 1;
            return Ok(n);
        }
        self.expected(what)
    }

    fn numbered(&mut self, prefix: char, n: usize) -> Result<()> {
        self.word(&format!("{prefix}{n}"))
    }

    fn param(&mut self, n: usize) -> Result<Param> {
        self.numbered('p', n)?;
        let name = self.text()?;
        self.symbol(':')?;
        let (dtype, len) = self.array()?;
        let access = match self.peek() {
            Kind::Word(w) if w == "read" => Access::Read,
            Kind::Word(w) if w == "write" => Access::Write,
            Kind::Word(w) if w == "readwrite" => Access::ReadWrite,
            _ => return self.expected("`read`, `write` or `readwrite`"),
        };
        self.at += 1;
        Ok(Param { name, dtype, len, access })
    }

    fn var(&mut self) -> Result<Var> {
        if let Kind::Var(digits) = self.peek() {
            match digits.parse::<u32>() {
                // Every variable is defined somewhere in the text, so there are not more than tokens.
                Ok(n) if (n as usize) < self.tokens.len() => {
                    self.at += 1;
                    return Ok(Var(n));
                }
                _ => return self.error(format!("the number of `%{digits}` is too large for this text")),
            }
        }
        self.expected("a variable")
    }

    /// `%1: f32`
    fn definition(&mut self) -> Result<(Var, DType)> {
        let start = self.at;
        let v = self.var()?;
        self.symbol(':')?;
        let t = self.dtype()?;
        let i = v.0 as usize;
        if self.vars.len() <= i {
            self.vars.resize(i + 1, None);
        }
        if self.vars[i].is_some() {
            self.at = start;
            return self.error(format!("%{i} is defined twice"));
        }
        self.vars[i] = Some(t);
        Ok((v, t))
    }

    /// Statements up to and with the closing brace.
    fn block(&mut self) -> Result<Vec<Stmt>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.error(format!("loops and ifs nest deeper than {MAX_DEPTH}"));
        }
        let mut out = vec![];
        while !self.accept('}') {
            out.push(self.stmt()?);
        }
        self.depth -= 1;
        Ok(out)
    }

    fn stmt(&mut self) -> Result<Stmt> {
        if matches!(self.peek(), Kind::Var(_)) {
            let (var, dtype) = self.definition()?;
            self.symbol('=')?;
            return Ok(Stmt::Let { var, expr: self.expr(dtype)? });
        }
        let kind = match self.peek() {
            Kind::Word(w) if w == "store" => {
                self.at += 1;
                let buf = self.buf()?;
                let index = self.index()?;
                self.symbol('=')?;
                return Ok(Stmt::Store { buf, index, value: self.var()? });
            }
            Kind::Word(w) if w == "if" => {
                self.at += 1;
                let cond = self.var()?;
                self.symbol('{')?;
                return Ok(Stmt::If { cond, then: self.block()? });
            }
            Kind::Word(w) if w == "parallel" => LoopKind::Parallel,
            Kind::Word(w) if w == "serial" => LoopKind::Serial,
            Kind::Word(w) if w == "vector" => LoopKind::Vector,
            _ => return self.expected("a statement or `}`"),
        };
        self.at += 1;
        let axis = AxisId(self.prefixed('i', "an axis")?);
        self.symbol('<')?;
        let extent = self.integer("the number of iterations")?;
        let starts = self.handed("carry")?;
        self.symbol('{')?;
        let body = self.block()?;
        let mut reductions = SmallVec::new();
        if matches!(self.peek(), Kind::Word(w) if w == "reduce") {
            self.at += 1;
            reductions.push(self.reduction()?);
            while self.accept(',') {
                reductions.push(self.reduction()?);
            }
        }
        let before = self.at;
        let ends = self.handed("yield")?;
        if ends.len() != starts.len() {
            self.at = before;
            return self.error(format!("the loop carries {} values but yields {}", starts.len(), ends.len()));
        }
        let carry = |((param, init), (result, next))| Carry { param, init, next, result };
        let carried = starts.into_iter().zip(ends).map(carry).collect();
        Ok(Stmt::Loop(Loop { axis, extent, kind, reductions, carried, body }))
    }

    /// `carry %1: f32 = %0, ...`, or nothing.
    fn handed(&mut self, word: &str) -> Result<Vec<(Var, Var)>> {
        let mut list = vec![];
        if !matches!(self.peek(), Kind::Word(w) if w == word) {
            return Ok(list);
        }
        loop {
            self.at += 1;
            let (defined, _) = self.definition()?;
            self.symbol('=')?;
            list.push((defined, self.var()?));
            if *self.peek() != Kind::Symbol(',') {
                return Ok(list);
            }
        }
    }

    fn reduction(&mut self) -> Result<Reduction> {
        let (result, _) = self.definition()?;
        self.symbol('=')?;
        let op = match self.peek() {
            Kind::Word(w) => Reducer::ALL.into_iter().find(|r| r.name() == w),
            _ => None,
        };
        let Some(op) = op else {
            return self.expected("a combiner such as `add`");
        };
        self.at += 1;
        self.symbol('(')?;
        let init = self.var()?;
        self.symbol(',')?;
        let value = self.var()?;
        self.symbol(')')?;
        Ok(Reduction { result, init, op, value })
    }

    fn buf(&mut self) -> Result<Buf> {
        if matches!(self.peek(), Kind::Word(w) if w.starts_with('l')) {
            return Ok(Buf::Local(self.prefixed('l', "a buffer")?));
        }
        Ok(Buf::Param(self.prefixed('p', "a buffer")?))
    }

    /// `[3*i0 - i1 + 2*%4 + 7]`
    fn index(&mut self) -> Result<Index> {
        self.symbol('[')?;
        let mut index = Index::default();
        let mut negative = self.accept('-');
        loop {
            let mut factor: i128 = 1;
            let mut named = true;
            if matches!(self.peek(), Kind::Number(_)) {
                factor = i128::from(self.integer::<u64>("an integer")?);
                named = self.accept('*');
            }
            let factor = if negative { -factor } else { factor };
            let Ok(factor) = i64::try_from(factor) else {
                return self.error("the factor does not fit 64 bits");
            };
            if !named {
                match index.offset.checked_add(factor) {
                    Some(sum) => index.offset = sum,
                    None => return self.error("the offset does not fit 64 bits"),
                }
            } else if matches!(self.peek(), Kind::Var(_)) {
                let v = self.var()?;
                index = index.plus_var(v, factor);
            } else {
                let axis = AxisId(self.prefixed('i', "an axis, a variable or a number")?);
                if index.stride(axis).checked_add(factor).is_none() {
                    return self.error("the stride does not fit 64 bits");
                }
                index = index.plus_axis(axis, factor);
            }
            if self.accept(']') {
                return Ok(index);
            }
            negative = self.accept('-');
            if !negative {
                self.symbol('+')?;
            }
        }
    }

    fn literal(&mut self, dtype: DType) -> Result<Const> {
        let start = self.at;
        let negative = self.accept('-');
        let bits = match self.take() {
            Kind::Word(w) if dtype == DType::Bool && !negative && (w == "true" || w == "false") => {
                Some(u64::from(w == "true"))
            }
            Kind::Number(n) if n.starts_with("0x") && !negative => u64::from_str_radix(&n[2..], 16).ok(),
            Kind::Number(n) => {
                let text = if negative { format!("-{n}") } else { n };
                match dtype {
                    DType::F32 => text.parse::<f32>().ok().map(|v| u64::from(v.to_bits())),
                    DType::F64 => text.parse::<f64>().ok().map(f64::to_bits),
                    t if t.is_int() => integer_bits(t, &text),
                    _ => None,
                }
            }
            _ => None,
        };
        match bits {
            Some(bits) => Ok(Const { dtype, bits }),
            None => {
                self.at = start;
                self.expected(&format!("a literal of type {dtype}"))
            }
        }
    }

    fn expr(&mut self, dtype: DType) -> Result<Expr> {
        let start = self.at;
        let name = self.any_word("an expression")?;
        if let Some(op) = UnaryOp::ALL.iter().find(|o| o.name() == name) {
            return Ok(Expr::Unary(*op, self.var()?));
        }
        if let Some(op) = BinaryOp::ALL.iter().find(|o| o.name() == name) {
            let (a, b) = self.two()?;
            return Ok(Expr::Binary(*op, a, b));
        }
        match name.as_str() {
            "const" => Ok(Expr::Const(self.literal(dtype)?)),
            "load" => {
                let buf = self.buf()?;
                Ok(Expr::Load { buf, index: self.index()? })
            }
            "axis" => Ok(Expr::Axis(AxisId(self.prefixed('i', "an axis")?))),
            "compare" => {
                let d = self.direction()?;
                let (a, b) = self.two()?;
                Ok(Expr::Compare(d, a, b))
            }
            "select" | "fma" => {
                let (a, b) = self.two()?;
                self.symbol(',')?;
                let c = self.var()?;
                Ok(if name == "fma" { Expr::Fma(a, b, c) } else { Expr::Select(a, b, c) })
            }
            "convert" => Ok(Expr::Convert(dtype, self.var()?)),
            "bitcast" => Ok(Expr::Bitcast(dtype, self.var()?)),
            _ => {
                self.at = start;
                self.error(format!("unknown operator `{name}`"))
            }
        }
    }

    fn two(&mut self) -> Result<(Var, Var)> {
        let a = self.var()?;
        self.symbol(',')?;
        Ok((a, self.var()?))
    }

    fn direction(&mut self) -> Result<CompareDirection> {
        let d = match self.peek() {
            Kind::Word(w) => match w.as_str() {
                "EQ" => CompareDirection::EQ,
                "NE" => CompareDirection::NE,
                "GE" => CompareDirection::GE,
                "GT" => CompareDirection::GT,
                "LE" => CompareDirection::LE,
                "LT" => CompareDirection::LT,
                _ => return self.expected("EQ, NE, GE, GT, LE or LT"),
            },
            _ => return self.expected("EQ, NE, GE, GT, LE or LT"),
        };
        self.at += 1;
        Ok(d)
    }
}

/// The bits of an integer literal that fits its type.
fn integer_bits(t: DType, text: &str) -> Option<u64> {
    let v: i128 = text.parse().ok()?;
    let (low, high) = if t.is_signed_int() {
        (-(1i128 << (t.bits() - 1)), (1i128 << (t.bits() - 1)) - 1)
    } else {
        (0, (1i128 << t.bits()) - 1)
    };
    (low..=high).contains(&v).then(|| crate::scalar::truncate(t, v as u64))
}
