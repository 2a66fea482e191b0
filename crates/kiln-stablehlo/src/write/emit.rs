//! Putting text together: values with names, lines, regions, functions.

use super::names::{Names, identifier, quoted};
use super::types::{arrow, join, tensor, tensors};
use super::{WriteError, WriteOptions};
use kiln_ir::{BinaryOp, Func, Loc, Node, Op, Shape, Tensor, TensorType, Value};
use std::collections::BTreeMap;

/// A value of the text.
#[derive(Clone, Debug)]
pub(super) struct Val {
    /// With `%`, and `#i` for one of several results.
    pub(super) name: String,
    pub(super) ty: TensorType,
}

/// The values of a function being written, by node. Literals get their line where they are used first.
pub(super) struct Scope<'f> {
    pub(super) func: &'f Func,
    values: Vec<Vec<Val>>,
}

impl<'f> Scope<'f> {
    /// The literal that a value is, if it is one.
    pub(super) fn literal(&self, v: Value) -> Option<&'f Tensor> {
        match &self.func.node(v.node).op {
            Op::Constant(t) => Some(t),
            _ => None,
        }
    }

    /// The value, if it is a literal or one spread or reshaped, of moderate size.
    fn known(&self, v: Value) -> Option<Tensor> {
        let node = self.func.node(v.node);
        match &node.op {
            Op::Constant(t) => Some(t.clone()),
            Op::BroadcastInDim { .. } | Op::Reshape(_) if node.types[0].num_bytes()? <= MAX_FOLDED_BYTES => {
                kiln_interp::eval_op(&node.op, &[self.known(node.operands[0])?]).ok()?.into_iter().next()
            }
            _ => None,
        }
    }
}

/// Largest literal that is computed while writing.
const MAX_FOLDED_BYTES: usize = 1 << 16;

/// Names of results that have been given out before their line is written.
pub(super) struct Reserved {
    /// What stands left of `=`.
    left: String,
    values: Vec<Val>,
}

pub(super) type Written<T> = Result<T, WriteError>;

/// The text of a module in the making.
pub(super) struct Writer<'o> {
    pub(super) options: &'o WriteOptions,
    /// Private functions, complete.
    pub(super) functions: Vec<String>,
    /// Names of private functions by what follows the name.
    by_text: BTreeMap<String, String>,
    function_names: Names,
    /// Names within the current function.
    names: Names,
    out: String,
    indent: usize,
    /// The location of the node being written, ready to append.
    loc: String,
    /// The user's name of the node being written, for its results.
    hint: Option<String>,
}

impl<'o> Writer<'o> {
    pub(super) fn new(options: &'o WriteOptions) -> Writer<'o> {
        let mut function_names = Names::default();
        function_names.named("main");
        Writer {
            options,
            functions: Vec::new(),
            by_text: BTreeMap::new(),
            function_names,
            names: Names::default(),
            out: String::new(),
            indent: 2,
            loc: String::new(),
            hint: None,
        }
    }

    /// ` loc("name"("file":1:2))`, or nothing when locations are off or the place is unknown.
    pub(super) fn location(&self, loc: &Loc, name: Option<&str>) -> String {
        if !self.options.locations {
            return String::new();
        }
        let place = match (loc.file(), loc.line(), loc.column()) {
            (Some(file), Some(line), Some(column)) => Some(format!("{}:{line}:{column}", quoted(file))),
            _ => None,
        };
        match (name, place) {
            (Some(name), Some(place)) => format!(" loc({}({place}))", quoted(name)),
            (Some(name), None) => format!(" loc({})", quoted(name)),
            (None, Some(place)) => format!(" loc({place})"),
            (None, None) => String::new(),
        }
    }

    /// Values for the inputs of a function, named as they are.
    pub(super) fn arguments(&mut self, func: &Func) -> Vec<Val> {
        let arg = |input: &kiln_ir::Input| Val {
            name: format!("%{}", self.names.named(if input.name.is_empty() { "arg" } else { &input.name })),
            ty: input.ty.clone(),
        };
        func.inputs.iter().map(arg).collect()
    }

    /// The whole text of a function: head, body, `return`.
    pub(super) fn function_text(&mut self, func: &Func, args: Vec<Val>, head: String) -> Written<String> {
        let results = self.body(func, args)?;
        let types = tensors(results.iter().map(|v| &v.ty));
        match results.is_empty() {
            true => self.line("return"),
            false => self.line(&format!("return {} : {types}", join(results.iter().map(|v| &v.name)))),
        }
        let body = std::mem::take(&mut self.out);
        self.names = Names::default();
        Ok(format!("{head} {{\n{body}  }}\n"))
    }

    /// The name of a private function with this body.
    pub(super) fn private_function(&mut self, func: &Func) -> Written<String> {
        let names = std::mem::take(&mut self.names);
        let out = std::mem::take(&mut self.out);
        let indent = std::mem::replace(&mut self.indent, 2);
        let (hint, loc) = (self.hint.take(), std::mem::take(&mut self.loc));
        let args = self.arguments(func);
        let params = join(args.iter().map(|a| format!("{}: {}", a.name, tensor(&a.ty))));
        let results = tensors(func.outputs.iter().map(|o| func.ty(o.value)));
        let results = if func.outputs.len() == 1 { results } else { format!("({results})") };
        let text = self.function_text(func, args, format!("({params}) -> {results}"))?;
        (self.names, self.out, self.indent, self.hint, self.loc) = (names, out, indent, hint, loc);
        if let Some(name) = self.by_text.get(&text) {
            return Ok(name.clone());
        }
        let name = self.function_names.named(if func.name.is_empty() { "f" } else { &func.name });
        self.functions.push(format!("  func.func private @{name}{text}"));
        self.by_text.insert(text, name.clone());
        Ok(name)
    }

    /// Writes the nodes that a function's outputs need, its inputs being `args`; gives its outputs.
    pub(super) fn body(&mut self, func: &Func, args: Vec<Val>) -> Written<Vec<Val>> {
        let needed = func.live_nodes();
        let mut scope = Scope { func, values: vec![Vec::new(); func.nodes().len()] };
        for (id, node) in func.iter() {
            if !needed[id.index()] {
                continue;
            }
            scope.values[id.index()] = match &node.op {
                Op::Parameter(i) => vec![args[*i as usize].clone()],
                Op::Constant(_) => continue,
                _ => {
                    let folded = Self::folded(&scope, node);
                    let x = if folded.is_some() { Vec::new() } else { self.operands(&mut scope, node) };
                    self.at(node);
                    let results = match folded {
                        Some(t) => vec![self.constant(&t)],
                        None => self.node(&scope, node, &x)?,
                    };
                    self.hint = None;
                    results
                }
            };
        }
        Ok(func.outputs.iter().map(|o| self.value(&mut scope, o.value)).collect())
    }

    /// Takes location and name from a node for what is written next.
    fn at(&mut self, node: &Node) {
        self.loc = self.location(&node.loc, node.name.as_deref());
        self.hint = node.name.as_deref().map(identifier);
    }

    /// A value of the scope; writes it if it is a literal that is not written yet.
    fn value(&mut self, scope: &mut Scope<'_>, v: Value) -> Val {
        if let Some(t) = scope.literal(v)
            && scope.values[v.node.index()].is_empty()
        {
            self.at(scope.func.node(v.node));
            scope.values[v.node.index()] = vec![self.constant(t)];
        }
        scope.values[v.node.index()][v.result as usize].clone()
    }

    /// What a node computes from literals alone, for operators that must not be left to the target's constant folding: XLA dies
    /// of dividing integers by zero there.
    fn folded(scope: &Scope<'_>, node: &Node) -> Option<Tensor> {
        let Op::Binary(BinaryOp::Divide | BinaryOp::Remainder) = node.op else { return None };
        if !node.types[0].dtype.is_int() {
            return None;
        }
        let known = node.operands.iter().map(|v| scope.known(*v)).collect::<Option<Vec<_>>>()?;
        kiln_interp::eval_op(&node.op, &known).ok()?.into_iter().next()
    }

    /// The operands of a node. Literals that [`Writer::writes_itself`] names stay without a line, and without a name.
    fn operands(&mut self, scope: &mut Scope<'_>, node: &Node) -> Vec<Val> {
        let mut values = Vec::with_capacity(node.operands.len());
        for (i, v) in node.operands.iter().enumerate() {
            values.push(match scope.literal(*v) {
                Some(t) if Self::writes_itself(node, i) => Val { name: String::new(), ty: t.ty() },
                _ => self.value(scope, *v),
            });
        }
        values
    }

    /// Writes one line at the current depth.
    pub(super) fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// A fresh value that no line defines (a region's argument).
    pub(super) fn argument(&mut self, hint: &str, ty: TensorType) -> Val {
        Val { name: format!("%{}", self.names.named(hint)), ty }
    }

    /// Names for the results of the node being written.
    pub(super) fn reserve(&mut self, types: &[TensorType]) -> Reserved {
        let name = match self.hint.take() {
            Some(hint) => self.names.named(&hint),
            None => self.names.number(),
        };
        self.reserve_as(&name, types)
    }

    fn reserve_as(&mut self, name: &str, types: &[TensorType]) -> Reserved {
        let (left, values) = match types {
            [one] => (format!("%{name} = "), vec![Val { name: format!("%{name}"), ty: one.clone() }]),
            [] => (String::new(), Vec::new()),
            many => {
                let value = |(i, ty): (usize, &TensorType)| Val { name: format!("%{name}#{i}"), ty: ty.clone() };
                (format!("%{name}:{} = ", many.len()), many.iter().enumerate().map(value).collect())
            }
        };
        Reserved { left, values }
    }

    /// Writes the line that computes reserved results.
    pub(super) fn define(&mut self, reserved: Reserved, text: &str) -> Vec<Val> {
        let line = format!("{}{text}{}", reserved.left, self.loc);
        self.line(&line);
        reserved.values
    }

    /// The result of the node being written.
    pub(super) fn result(&mut self, ty: &TensorType, text: &str) -> Vec<Val> {
        let reserved = self.reserve(std::slice::from_ref(ty));
        self.define(reserved, text)
    }

    /// A name for a value on the way to the node's result.
    pub(super) fn reserve_step(&mut self, ty: TensorType) -> Reserved {
        let name = self.names.number();
        self.reserve_as(&name, &[ty])
    }

    /// A value on the way to the node's result.
    pub(super) fn step(&mut self, ty: &TensorType, text: &str) -> Val {
        let reserved = self.reserve_step(ty.clone());
        self.define(reserved, text).swap_remove(0)
    }

    /// A literal.
    pub(super) fn constant(&mut self, t: &Tensor) -> Val {
        let float = t.dtype().is_float() || t.dtype().is_complex();
        let hint = self.hint.take().unwrap_or_else(|| (if float { "cst" } else { "c" }).to_owned());
        let name = self.names.named(&hint);
        let ty = t.ty();
        let text =
            format!("stablehlo.constant {} : {}", super::literal::dense(t, self.options.list_limit), tensor(&ty));
        let reserved = self.reserve_as(&name, std::slice::from_ref(&ty));
        self.define(reserved, &text).swap_remove(0)
    }

    /// A literal on the way to the node's result.
    pub(super) fn helper_constant(&mut self, t: &Tensor) -> Val {
        let hint = self.hint.take();
        let v = self.constant(t);
        self.hint = hint;
        v
    }

    /// The same values as another element type.
    pub(super) fn convert(&mut self, x: &Val, dtype: kiln_ir::DType) -> Val {
        if x.ty.dtype == dtype {
            return x.clone();
        }
        let ty = x.ty.with_dtype(dtype);
        self.step(&ty, &format!("stablehlo.convert {} : {}", x.name, arrow(&[x], std::slice::from_ref(&ty))))
    }

    /// A scalar spread over a shape.
    pub(super) fn splat(&mut self, x: &Val, shape: &Shape) -> Val {
        if x.ty.shape == *shape {
            return x.clone();
        }
        let ty = TensorType::new(x.ty.dtype, shape.clone());
        let types = arrow(&[x], std::slice::from_ref(&ty));
        self.step(&ty, &format!("stablehlo.broadcast_in_dim {}, dims = [] : {types}", x.name))
    }

    /// Values side by side in the generic form, with properties and regions.
    pub(super) fn generic(
        &mut self,
        reserved: Reserved,
        op: &str,
        operands: &[&Val],
        properties: &str,
        regions: &[String],
    ) -> Vec<Val> {
        let names = join(operands.iter().map(|v| &v.name));
        let properties = if properties.is_empty() { String::new() } else { format!(" <{{{properties}}}>") };
        let regions = if regions.is_empty() { String::new() } else { format!(" ({})", regions.join(", ")) };
        let results: Vec<TensorType> = reserved.values.iter().map(|v| v.ty.clone()).collect();
        let types = arrow(operands, &results);
        self.define(reserved, &format!("\"stablehlo.{op}\"({names}){properties}{regions} : {types}"))
    }

    /// A region `{ ... }` with a block of these arguments. `f` writes it and gives what it returns.
    pub(super) fn region(&mut self, args: &[Val], f: impl FnOnce(&mut Self) -> Written<Vec<Val>>) -> Written<String> {
        let block = match args.is_empty() {
            true => String::new(),
            false => {
                let args = join(args.iter().map(|a| format!("{}: {}", a.name, tensor(&a.ty))));
                format!("{}^bb0({args}):\n", "  ".repeat(self.indent))
            }
        };
        let (content, close) = self.indented(f)?;
        Ok(format!("{{\n{block}{content}{close}"))
    }

    /// The lines of a region with its `stablehlo.return`, and the closing brace at the depth outside.
    pub(super) fn indented(&mut self, f: impl FnOnce(&mut Self) -> Written<Vec<Val>>) -> Written<(String, String)> {
        let outside = std::mem::take(&mut self.out);
        let (hint, loc) = (self.hint.take(), self.loc.clone());
        self.indent += 1;
        let results = f(self)?;
        let types = tensors(results.iter().map(|v| &v.ty));
        match results.is_empty() {
            true => self.line("stablehlo.return"),
            false => self.line(&format!("stablehlo.return {} : {types}", join(results.iter().map(|v| &v.name)))),
        }
        self.indent -= 1;
        (self.hint, self.loc) = (hint, loc);
        let content = std::mem::replace(&mut self.out, outside);
        Ok((content, format!("{}}}", "  ".repeat(self.indent))))
    }

    pub(super) fn unsupported<T>(&self, node: &Node, what: impl Into<String>) -> Written<T> {
        Err(WriteError::Unsupported { op: node.op.name().to_owned(), what: what.into(), loc: node.loc.clone() })
    }
}
