//! The derivatives of elementwise operators: `deriv` as code that appends to a graph.

use super::camel;
use kiln_spec::expr::{Expr, Variable};
use kiln_spec::{Class, Operator, Spec};
use std::fmt::Write as _;

/// Rust code of the derivatives.
///
/// # Errors
/// A `deriv` that no graph can say.
pub fn generate(spec: &Spec) -> Result<String, String> {
    let mut out = String::from(
        "//! Derivatives of elementwise operators, used by both modes: the derivative of an elementwise operator is a diagonal\n\
         //! map, so one rule serves tangents and cotangents alike. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::elementwise::is_literal;\nuse crate::emit::{Emit, Res};\n\
         use kiln_ir::op::CompareDirection;\nuse kiln_ir::{BinaryOp, UnaryOp, Value};\n\n\
         /// `t * dr/dx` of `r = op(x)`; `None` where the derivative is zero almost everywhere.\n\
         pub(crate) fn unary(e: &mut Emit, op: UnaryOp, x: Value, r: Value, t: Value) -> Res<Option<Value>> {\n\
         let value = match op {\n",
    );
    let mut none = Vec::new();
    for (name, op) in spec.of_class(Class::Unary) {
        match rules(spec, name, op)?.as_slice() {
            [Some(body)] => {
                let _ = writeln!(out, "UnaryOp::{} => {{\n{body}\n}}", camel(name));
            }
            _ => none.push(format!("UnaryOp::{}", camel(name))),
        }
    }
    let _ = writeln!(out, "{} => return Ok(None),\n}};\nOk(Some(value))\n}}\n", none.join(" | "));
    out.push_str(
        "/// `t * dr/dx` (for `which == 0`) or `t * dr/dy` (for 1) of `r = op(x, y)`; `None` where it is zero.\n\
         pub(crate) fn binary(e: &mut Emit, op: BinaryOp, which: usize, [x, y]: [Value; 2], r: Value, t: Value) -> \
         Res<Option<Value>> {\nlet value = match (op, which) {\n",
    );
    let mut none = Vec::new();
    for (name, op) in spec.of_class(Class::Binary) {
        match rules(spec, name, op)?.as_slice() {
            [None, None] | [] => none.push(format!("(BinaryOp::{}, _)", camel(name))),
            rules => {
                for (rule, which) in rules.iter().zip(["0", "_"]) {
                    let body = rule.as_deref().unwrap_or("return Ok(None)");
                    let _ = writeln!(out, "(BinaryOp::{}, {which}) => {{\n{body}\n}}", camel(name));
                }
            }
        }
    }
    let _ = writeln!(out, "{} => return Ok(None),\n}};\nOk(Some(value))\n}}", none.join(" | "));
    Ok(out)
}

/// The body of each operand's rule, `None` where there is no derivative.
fn rules(spec: &Spec, name: &str, op: &Operator) -> Result<Vec<Option<String>>, String> {
    let rule = |e: Expr| {
        if e == Expr::Number(0.0) {
            return Ok(None);
        }
        let mut code = Code { spec, lines: String::new(), next: 0 };
        let last = code.expression(&e).map_err(|why| format!("{name}: deriv: {why}"))?;
        Ok(Some(code.lines + &last))
    };
    op.deriv_exprs().into_iter().map(rule).collect()
}

/// Code in the making: statements, and how many names they have given.
struct Code<'a> {
    spec: &'a Spec,
    lines: String,
    next: usize,
}

impl Code<'_> {
    /// The expression in Rust, after statements that compute its operands.
    fn expression(&mut self, e: &Expr) -> Result<String, String> {
        Ok(match e {
            Expr::Variable(v) => match v {
                Variable::X => "x".into(),
                Variable::Y => "y".into(),
                Variable::R => "r".into(),
                Variable::T => "t".into(),
            },
            Expr::Named(name) => name.clone(),
            Expr::Let(name, value, rest) => {
                let value = self.expression(value)?;
                let _ = writeln!(self.lines, "let {name} = {value};");
                self.expression(rest)?
            }
            Expr::Number(n) if *n == std::f64::consts::FRAC_2_SQRT_PI => {
                "e.full_like(x, std::f64::consts::FRAC_2_SQRT_PI)?".into()
            }
            Expr::Number(n) => format!("e.full_like(x, {n:?})?"),
            Expr::Negate(a) => {
                let operator = self.operator(e)?;
                let a = self.value(a)?;
                format!("e.unary({operator}, {a})?")
            }
            Expr::Infix(op, a, b) => {
                // A literal is made right before it is used.
                let first = if matches!(**a, Expr::Number(_)) { None } else { Some(self.value(a)?) };
                let b = self.value(b)?;
                let a = first.map_or_else(|| self.value(a), Ok)?;
                match op {
                    '<' => format!("e.compare(CompareDirection::LT, {a}, {b})?"),
                    '>' => format!("e.compare(CompareDirection::GT, {a}, {b})?"),
                    '=' => format!("e.compare(CompareDirection::EQ, {a}, {b})?"),
                    _ => format!("e.binary({}, {a}, {b})?", self.operator(e)?),
                }
            }
            Expr::Call("select", args) => match &args[0] {
                Expr::Call("is_literal", of) => {
                    let of = self.value(&of[0])?;
                    format!(
                        "if is_literal(e.f, {of}) {{\n{}\n}} else {{\n{}\n}}",
                        self.block(&args[1])?,
                        self.block(&args[2])?
                    )
                }
                _ => {
                    let args: Vec<String> = args.iter().map(|a| self.value(a)).collect::<Result<_, _>>()?;
                    format!("e.select({})?", args.join(", "))
                }
            },
            Expr::Call(_, args) => {
                let operator = self.operator(e)?;
                let args: Vec<String> = args.iter().map(|a| self.value(a)).collect::<Result<_, _>>()?;
                let method = if args.len() == 1 { "unary" } else { "binary" };
                format!("e.{method}({operator}, {})?", args.join(", "))
            }
        })
    }

    /// The name of a value.
    fn value(&mut self, e: &Expr) -> Result<String, String> {
        let text = self.expression(e)?;
        if matches!(e, Expr::Variable(_) | Expr::Named(_)) {
            return Ok(text);
        }
        let name = format!("v{}", self.next);
        self.next += 1;
        let _ = writeln!(self.lines, "let {name} = {text};");
        Ok(name)
    }

    /// Statements and a value of their own.
    fn block(&mut self, e: &Expr) -> Result<String, String> {
        let outer = std::mem::take(&mut self.lines);
        let last = self.expression(e)?;
        Ok(std::mem::replace(&mut self.lines, outer) + &last)
    }

    /// The operator of which one element means this function of its operands: `UnaryOp::Sine` for `sin(...)`.
    fn operator(&self, e: &Expr) -> Result<String, String> {
        let (x, y) = (Expr::Variable(Variable::X), Expr::Variable(Variable::Y));
        let plain = match e {
            Expr::Negate(_) => Expr::Negate(Box::new(x)),
            Expr::Infix(op, ..) => Expr::Infix(*op, Box::new(x), Box::new(y)),
            Expr::Call(name, args) => Expr::Call(name, [x, y].into_iter().take(args.len()).collect()),
            _ => return Err(format!("{e:?} is no operator")),
        };
        let found = self.spec.ops().find(|(_, op)| op.scalar_expr().as_ref() == Some(&plain));
        let (name, op) = found.ok_or_else(|| format!("no operator computes {plain:?}"))?;
        let kind = if op.arity() == Some(1) { "UnaryOp" } else { "BinaryOp" };
        Ok(format!("{kind}::{}", camel(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use kiln_spec::expr::Expr;

    /// Operands come before operators, in the order written; literals right before what uses them.
    #[test]
    fn code_keeps_the_written_order() {
        let spec = kiln_spec::load();
        let code = |text: &str| {
            let mut code = Code { spec: &spec, lines: String::new(), next: 0 };
            let last = code.expression(&Expr::parse(text)?)?;
            Ok::<String, String>(code.lines + &last)
        };
        let expected = "let v0 = e.binary(BinaryOp::Multiply, r, r)?;\nlet v1 = e.full_like(x, 1.0)?;\n\
                        let v2 = e.binary(BinaryOp::Subtract, v1, v0)?;\ne.binary(BinaryOp::Multiply, t, v2)?";
        assert_eq!(code("t * (1 - r * r)").as_deref(), Ok(expected));
        let expected = "let safe = e.unary(UnaryOp::Sine, x)?;\ne.unary(UnaryOp::Negate, safe)?";
        assert_eq!(code("safe = sin(x); -safe").as_deref(), Ok(expected));
        assert!(code("trunc(x)").is_err_and(|e| e.contains("no operator computes")));
    }
}
