//! The expressions of `scalar` and `deriv`: real functions of `x`, `y`, the result `r` and the tangent or cotangent `t`.
//!
//! ```text
//! body  = { name "=" expr ";" } expr               names stand for what was computed before
//! expr  = sum [ ("<" | ">" | "==") sum ]          1 or 0
//! sum   = product { ("+" | "-") product }
//! product = factor { ("*" | "/") factor }
//! factor  = "-" factor | number | "x" | "y" | "r" | "t" | name | name "(" expr { "," expr } ")" | "(" expr ")"
//! ```
//!
//! Functions: `abs cbrt ceil cos erf exp expm1 floor is_finite log log1p round_afz round_even sign sin sqrt tan tanh trunc`,
//! `atan2 max min pow rem` of two, `select(c, a, b)`, and those of bits, which have no value over the reals: `bit_not bit_and
//! bit_or bit_xor popcnt count_leading_zeros shift_left shift_right_logical shift_right_arithmetic`. `is_literal(x)`, the
//! condition of a `select`, is decided when a graph is built: whether the operand is a literal there.

/// What an expression may refer to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variable {
    /// The first operand.
    X,
    /// The second operand.
    Y,
    /// The result.
    R,
    /// The tangent of an operand, or the cotangent of the result.
    T,
}

/// Where an expression is evaluated.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Point {
    /// The first operand.
    pub x: f64,
    /// The second operand.
    pub y: f64,
    /// The result.
    pub r: f64,
    /// The tangent or cotangent.
    pub t: f64,
    /// What `is_literal` answers.
    pub literal: bool,
}

/// An expression.
#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    /// A number.
    Number(f64),
    /// An operand, the result or the tangent.
    Variable(Variable),
    /// What a name stands for.
    Named(String),
    /// A name for a value, and where it is used.
    Let(String, Box<Expr>, Box<Expr>),
    /// Minus.
    Negate(Box<Expr>),
    /// `+ - * / < > =` (`==`).
    Infix(char, Box<Expr>, Box<Expr>),
    /// A function of the list above.
    Call(&'static str, Vec<Expr>),
}

/// Functions and their number of arguments.
const FUNCTIONS: [(&str, usize); 35] = [
    ("abs", 1),
    ("atan2", 2),
    ("bit_and", 2),
    ("bit_not", 1),
    ("bit_or", 2),
    ("bit_xor", 2),
    ("cbrt", 1),
    ("ceil", 1),
    ("cos", 1),
    ("count_leading_zeros", 1),
    ("erf", 1),
    ("exp", 1),
    ("expm1", 1),
    ("floor", 1),
    ("is_finite", 1),
    ("is_literal", 1),
    ("log", 1),
    ("log1p", 1),
    ("max", 2),
    ("min", 2),
    ("popcnt", 1),
    ("pow", 2),
    ("rem", 2),
    ("round_afz", 1),
    ("round_even", 1),
    ("select", 3),
    ("shift_left", 2),
    ("shift_right_arithmetic", 2),
    ("shift_right_logical", 2),
    ("sign", 1),
    ("sin", 1),
    ("sqrt", 1),
    ("tan", 1),
    ("tanh", 1),
    ("trunc", 1),
];

impl Expr {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Expr, String> {
        let mut p = Parser { rest: text.trim(), depth: 0, names: Vec::new() };
        let e = p.body()?;
        if p.rest.is_empty() { Ok(e) } else { Err(format!("`{}` is left over", p.rest)) }
    }

    /// The value at a point; `None` when a function of bits occurs.
    pub fn eval(&self, at: &Point) -> Option<f64> {
        self.eval_in(at, &[])
    }

    fn eval_in(&self, at: &Point, names: &[(&str, f64)]) -> Option<f64> {
        let eval = |e: &Expr| e.eval_in(at, names);
        Some(match self {
            Expr::Number(n) => *n,
            Expr::Variable(Variable::X) => at.x,
            Expr::Variable(Variable::Y) => at.y,
            Expr::Variable(Variable::R) => at.r,
            Expr::Variable(Variable::T) => at.t,
            Expr::Named(name) => names.iter().rfind(|n| n.0 == name)?.1,
            Expr::Let(name, value, rest) => {
                let known: Vec<(&str, f64)> = names.iter().copied().chain([(name.as_str(), eval(value)?)]).collect();
                return rest.eval_in(at, &known);
            }
            Expr::Negate(e) => -eval(e)?,
            Expr::Infix(op, a, b) => infix(*op, eval(a)?, eval(b)?),
            Expr::Call("is_literal", _) => f64::from(u8::from(at.literal)),
            Expr::Call("select", a) => return if eval(&a[0])? != 0.0 { eval(&a[1]) } else { eval(&a[2]) },
            Expr::Call(name, args) => {
                let args: Option<Vec<f64>> = args.iter().map(eval).collect();
                return call(name, &args?);
            }
        })
    }

    /// True when the variable occurs.
    pub fn uses(&self, v: Variable) -> bool {
        match self {
            Expr::Number(_) | Expr::Named(_) => false,
            Expr::Variable(w) => *w == v,
            Expr::Let(_, a, b) | Expr::Infix(_, a, b) => a.uses(v) || b.uses(v),
            Expr::Negate(e) => e.uses(v),
            Expr::Call(_, args) => args.iter().any(|a| a.uses(v)),
        }
    }
}

fn infix(op: char, a: f64, b: f64) -> f64 {
    match op {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        '/' => a / b,
        '<' => f64::from(u8::from(a < b)),
        '>' => f64::from(u8::from(a > b)),
        _ => f64::from(u8::from(a == b)),
    }
}

fn call(name: &str, a: &[f64]) -> Option<f64> {
    let x = a[0];
    Some(match name {
        "abs" => x.abs(),
        "cbrt" => x.cbrt(),
        "ceil" => x.ceil(),
        "cos" => x.cos(),
        "erf" => erf(x),
        "exp" => x.exp(),
        "expm1" => x.exp_m1(),
        "floor" => x.floor(),
        "is_finite" => f64::from(u8::from(x.is_finite())),
        "log" => x.ln(),
        "log1p" => x.ln_1p(),
        "round_afz" => x.round(),
        "round_even" => x.round_ties_even(),
        "sign" => {
            if x == 0.0 || x.is_nan() {
                x
            } else {
                x.signum()
            }
        }
        "sin" => x.sin(),
        "sqrt" => x.sqrt(),
        "tan" => x.tan(),
        "tanh" => x.tanh(),
        "trunc" => x.trunc(),
        "atan2" => x.atan2(a[1]),
        "max" | "min" if x.is_nan() || a[1].is_nan() => f64::NAN,
        "max" => x.max(a[1]),
        "min" => x.min(a[1]),
        "pow" => x.powf(a[1]),
        "rem" => x % a[1],
        _ => return None,
    })
}

/// The error function: its Taylor series for small arguments, the continued fraction of erfc otherwise (Abramowitz and
/// Stegun 7.1.5, 7.1.14). Good to about 1e-15.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if x.is_nan() {
        return x;
    }
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 * sum.abs() {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return sum * 2.0 / std::f64::consts::PI.sqrt();
    }
    let mut fraction = 0.0;
    for k in (1..120).rev() {
        fraction = f64::from(k) / 2.0 / (a + fraction);
    }
    let erfc = (-a * a).exp() / std::f64::consts::PI.sqrt() / (a + fraction);
    (1.0 - erfc).copysign(x)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
    /// Names that were given so far.
    names: Vec<String>,
}

/// The length of the word that a text begins with.
fn word(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len())
}

impl Parser<'_> {
    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn body(&mut self) -> Result<Expr, String> {
        let (name, rest) = self.rest.split_at(word(self.rest));
        let Some(rest) = rest.trim_start().strip_prefix('=').filter(|r| !r.starts_with('=')) else {
            return self.expr();
        };
        let known = FUNCTIONS.iter().any(|f| f.0 == name) || self.names.iter().any(|n| n == name);
        if known || name.len() < 2 || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(format!("`{name}` is no new name of two letters or more"));
        }
        self.rest = rest.trim_start();
        let value = self.expr()?;
        if !self.eat(";") {
            return Err(format!("`;` is missing after `{name}`"));
        }
        self.names.push(name.to_string());
        Ok(Expr::Let(name.to_string(), Box::new(value), Box::new(self.body()?)))
    }

    fn expr(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > 100 {
            return Err("the expression is too deep".into());
        }
        let mut e = self.sum()?;
        for (token, op) in [("==", '='), ("<", '<'), (">", '>')] {
            if self.eat(token) {
                e = Expr::Infix(op, Box::new(e), Box::new(self.sum()?));
                break;
            }
        }
        self.depth -= 1;
        Ok(e)
    }

    fn sum(&mut self) -> Result<Expr, String> {
        let mut e = self.product()?;
        while let Some(op) = ['+', '-'].into_iter().find(|c| self.rest.starts_with(*c)) {
            self.eat(&op.to_string());
            e = Expr::Infix(op, Box::new(e), Box::new(self.product()?));
        }
        Ok(e)
    }

    fn product(&mut self) -> Result<Expr, String> {
        let mut e = self.factor()?;
        while let Some(op) = ['*', '/'].into_iter().find(|c| self.rest.starts_with(*c)) {
            self.eat(&op.to_string());
            e = Expr::Infix(op, Box::new(e), Box::new(self.factor()?));
        }
        Ok(e)
    }

    fn factor(&mut self) -> Result<Expr, String> {
        if self.eat("-") {
            return Ok(match self.factor()? {
                Expr::Number(n) => Expr::Number(-n),
                e => Expr::Negate(Box::new(e)),
            });
        }
        if self.eat("(") {
            let e = self.expr()?;
            return if self.eat(")") { Ok(e) } else { Err("`)` is missing".into()) };
        }
        let (token, rest) = self.rest.split_at(word(self.rest));
        self.rest = rest.trim_start();
        match token {
            "x" => Ok(Expr::Variable(Variable::X)),
            "y" => Ok(Expr::Variable(Variable::Y)),
            "r" => Ok(Expr::Variable(Variable::R)),
            "t" => Ok(Expr::Variable(Variable::T)),
            name if self.names.iter().any(|n| n == name) => Ok(Expr::Named(name.to_string())),
            t if t.starts_with(|c: char| c.is_ascii_digit()) => {
                t.parse().map(Expr::Number).map_err(|_| format!("`{t}` is no number"))
            }
            name => self.call(name),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expr, String> {
        let Some((name, count)) = FUNCTIONS.iter().find(|f| f.0 == name) else {
            return Err(format!("unknown name `{name}`"));
        };
        if !self.eat("(") {
            return Err(format!("`(` is missing after {name}"));
        }
        let mut args = vec![self.expr()?];
        while self.eat(",") {
            args.push(self.expr()?);
        }
        if !self.eat(")") || args.len() != *count {
            return Err(format!("{name} takes {count} argument(s)"));
        }
        Ok(Expr::Call(name, args))
    }
}
