//! Printing. Any function prints; what verifies also parses back to an equal function.

use super::PrintOptions;
use super::attrs::LABELS;
use super::literal::{element, f64_text, hex_bytes, quote, sigil_name};
use crate::dim::{Dim, is_identifier};
use crate::func::{Func, Input, InputKind, Node, NodeId, OutputKind, Value};
use crate::init::Initializer;
use crate::loc::Loc;
use crate::op::attribute::{Attribute, AttributeValue, Labels};
use crate::op::{Op, WindowDim};
use crate::shape::TensorType;
use crate::tensor::Tensor;
use std::fmt::{Display, Write};

/// Constants up to this many elements are written out; larger ones as bytes.
const SHORT: usize = 32;
/// Parameter lists longer than this are broken into lines.
const WIDTH: usize = 110;

pub fn function(func: &Func, options: &PrintOptions) -> String {
    let mut p = Printer { out: String::new(), options, indent: 0 };
    p.out.push_str("func @");
    p.out.push_str(&sigil_name(&func.name));
    p.signature_and_body(func);
    p.out.push('\n');
    p.out
}

struct Printer<'a> {
    out: String,
    options: &'a PrintOptions,
    indent: usize,
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|i| i.to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// Number of leading nodes that are the parameters in order; the others need their place in the text.
fn implied_parameters(func: &Func) -> usize {
    func.iter().take_while(|(id, n)| n.op == Op::Parameter(id.0) && id.index() < func.inputs.len()).count()
}

/// The text name of every node's value.
fn value_names(func: &Func) -> Vec<String> {
    let mut count = 0;
    func.nodes()
        .iter()
        .map(|n| match n.op {
            Op::Parameter(i) => match func.inputs.get(i as usize) {
                Some(input) => format!("%{}", sigil_name(&input.name)),
                None => "%\"?\"".into(),
            },
            _ => {
                count += 1;
                format!("%{}", count - 1)
            }
        })
        .collect()
}

fn reference(func: &Func, names: &[String], v: Value) -> String {
    match func.nodes().get(v.node.index()) {
        None => "%\"?\"".into(),
        Some(n) if n.types.len() == 1 && v.result == 0 => names[v.node.index()].clone(),
        Some(_) => format!("{}#{}", names[v.node.index()], v.result),
    }
}

impl Printer<'_> {
    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
    }

    fn loc(&self, loc: &Loc) -> String {
        match (self.options.locations, loc.file(), loc.line(), loc.column()) {
            (true, Some(file), Some(line), Some(column)) => format!(" loc({}:{line}:{column})", quote(file)),
            _ => String::new(),
        }
    }

    fn signature_and_body(&mut self, func: &Func) {
        let implied = implied_parameters(func);
        let inputs: Vec<String> =
            func.inputs.iter().enumerate().map(|(i, input)| self.input(input, i >= implied)).collect();
        let outputs: Vec<String> = (0..func.outputs.len()).map(|i| output(func, i)).collect();
        let width: usize = inputs.iter().map(|s| s.len() + 2).sum();
        let broken = width > WIDTH && inputs.len() > 1;
        self.out.push('(');
        self.indent += 2;
        for (i, input) in inputs.iter().enumerate() {
            match (broken, i) {
                (true, _) => self.line(),
                (false, 0) => {}
                (false, _) => self.out.push(' '),
            }
            self.out.push_str(input);
            if i + 1 < inputs.len() {
                self.out.push(',');
            }
        }
        self.indent -= 2;
        let _ = write!(self.out, ") -> ({}) {{", outputs.join(", "));
        self.body(func);
    }

    fn input(&self, input: &Input, late: bool) -> String {
        let mut s = format!("%{}: ", sigil_name(&input.name));
        match &input.kind {
            InputKind::Feed => {
                let _ = write!(s, "{}", input.ty);
            }
            InputKind::Variable(init) => {
                let _ = write!(s, "var {}{}", input.ty, initializer(init, self.options));
            }
        }
        if late {
            let _ = write!(s, " at {}", input.node.0);
        }
        s + &self.loc(&input.loc)
    }

    fn body(&mut self, func: &Func) {
        let names = value_names(func);
        self.indent += 1;
        for (id, node) in func.iter().filter(|(_, n)| !matches!(n.op, Op::Parameter(_))) {
            self.line();
            self.statement(func, &names, id, node);
        }
        self.line();
        self.out.push_str("return");
        for (i, o) in func.outputs.iter().enumerate() {
            let _ = write!(self.out, "{} {}", if i > 0 { "," } else { "" }, reference(func, &names, o.value));
        }
        self.indent -= 1;
        self.line();
        self.out.push('}');
    }

    fn statement(&mut self, func: &Func, names: &[String], id: NodeId, node: &Node) {
        self.out.push_str(&names[id.index()]);
        if node.types.len() != 1 {
            let _ = write!(self.out, ":{}", node.types.len());
        }
        let _ = write!(self.out, " = {}", node.op.name());
        let mut separator = "";
        for v in &node.operands {
            let _ = write!(self.out, "{separator} {}", reference(func, names, *v));
            separator = ",";
        }
        node.op.attributes(&mut |a| {
            if a.written && a.value != AttributeValue::Flag(false) {
                self.out.push_str(separator);
                self.attribute(&a);
                separator = ",";
            }
        });
        match node.types.as_slice() {
            [one] => {
                let _ = write!(self.out, " : {one}");
            }
            many => {
                let types: Vec<String> = many.iter().map(TensorType::to_string).collect();
                let _ = write!(self.out, " : ({})", types.join(", "));
            }
        }
        if let Some(name) = &node.name {
            let _ = write!(self.out, " {}", quote(name));
        }
        let loc = self.loc(&node.loc);
        self.out.push_str(&loc);
    }

    fn region(&mut self, func: &Func) {
        if !func.name.is_empty() {
            let _ = write!(self.out, "@{}", sigil_name(&func.name));
        }
        self.signature_and_body(func);
    }

    /// ` key = value`
    fn attribute(&mut self, attribute: &Attribute<'_>) {
        self.out.push(' ');
        match attribute.value {
            AttributeValue::Flag(_) => return self.out.push_str(attribute.name),
            AttributeValue::Tensor(t) => {
                let text = if t.rank() == 0 { element(t, 0) } else { dense(t, self.options) };
                return self.out.push_str(&text);
            }
            _ => {}
        }
        let _ = write!(self.out, "{} = ", attribute.name);
        match attribute.value {
            AttributeValue::Function(f) => self.region(f),
            AttributeValue::Functions(functions) => {
                self.out.push('[');
                for (i, f) in functions.iter().enumerate() {
                    self.out.push_str(if i > 0 { ", " } else { "" });
                    self.region(f);
                }
                self.out.push(']');
            }
            value => self.out.push_str(&plain(value)),
        }
    }
}

/// The text of a value that is no function.
fn plain(value: AttributeValue<'_>) -> String {
    match value {
        AttributeValue::Int(n) => n.to_string(),
        AttributeValue::Axes(axes) => list(axes),
        AttributeValue::AxesPair([a, b]) => format!("{} x {}", list(a), list(b)),
        AttributeValue::Ints(ints) => list(ints),
        AttributeValue::Sizes(sizes) => list(sizes),
        AttributeValue::Bounds { start, limit, strides } => list(bounds(start, limit, strides)),
        AttributeValue::Windows(windows) => list(windows.iter().map(window_dim)),
        AttributeValue::Labels(all) => {
            let [input, kernel, output] = [0, 1, 2].map(|i| labels(LABELS[i], &all[i]));
            format!("{input} x {kernel} -> {output}")
        }
        AttributeValue::Flag(on) => on.to_string(),
        AttributeValue::Word(word) => word.to_string(),
        AttributeValue::DType(dtype) => dtype.to_string(),
        AttributeValue::Type(ty) => ty.to_string(),
        AttributeValue::String(s) => quote(s),
        AttributeValue::Tensor(_) | AttributeValue::Function(_) | AttributeValue::Functions(_) => String::new(),
    }
}

fn output(func: &Func, index: usize) -> String {
    let o = &func.outputs[index];
    let ty = (func.nodes().get(o.value.node.index()))
        .and_then(|n| n.types.get(o.value.result as usize))
        .map_or_else(|| "?".to_string(), TensorType::to_string);
    match o.kind {
        OutputKind::Fetch if o.name.is_empty() => ty,
        OutputKind::Fetch if is_identifier(&o.name) => format!("{}: {ty}", o.name),
        OutputKind::Fetch => format!("{}: {ty}", quote(&o.name)),
        OutputKind::Update(i) => {
            let variable = func.inputs.get(i).map_or("?", |i| i.name.as_str());
            let alias = if o.name == variable { String::new() } else { format!(" as {}", quote(&o.name)) };
            format!("update %{}{alias}: {ty}", sigil_name(variable))
        }
    }
}

fn initializer(init: &Initializer, options: &PrintOptions) -> String {
    match init {
        Initializer::Zeros => String::new(),
        Initializer::Constant(v) => format!(" = constant({})", f64_text(*v)),
        Initializer::Uniform { low, high, seed } => {
            format!(" = uniform({}, {}, seed = {seed})", f64_text(*low), f64_text(*high))
        }
        Initializer::Normal { std, seed } => format!(" = normal({}, seed = {seed})", f64_text(*std)),
        Initializer::TruncatedNormal { std, seed } => {
            format!(" = truncated_normal({}, seed = {seed})", f64_text(*std))
        }
        Initializer::Value(t) => format!(" = {}", dense(t, options)),
    }
}

/// `dense<...>`: one element for all, the elements, or the bytes.
fn dense(t: &Tensor, options: &PrintOptions) -> String {
    let n = t.len();
    let size = t.dtype().size();
    if n == 0 {
        return "dense<[]>".into();
    }
    if t.bytes().chunks_exact(size).all(|c| c == &t.bytes()[..size]) {
        return format!("dense<{}>", element(t, 0));
    }
    if options.elide_above.is_some_and(|limit| n > limit) {
        return "dense<...>".into();
    }
    if n > SHORT {
        return format!("dense<\"{}\">", hex_bytes(t.bytes()));
    }
    let mut out = String::from("dense<");
    nested(&mut out, t, 0, &mut 0);
    out.push('>');
    out
}

fn nested(out: &mut String, t: &Tensor, depth: usize, next: &mut usize) {
    if depth == t.rank() {
        out.push_str(&element(t, *next));
        *next += 1;
        return;
    }
    out.push('[');
    for i in 0..t.shape()[depth] {
        out.push_str(if i > 0 { ", " } else { "" });
        nested(out, t, depth + 1, next);
    }
    out.push(']');
}

fn bounds(start: &[Dim], limit: &[Dim], strides: &[i64]) -> Vec<String> {
    (start.iter().zip(limit).zip(strides))
        .map(|((s, l), stride)| if *stride == 1 { format!("{s}:{l}") } else { format!("{s}:{l}:{stride}") })
        .collect()
}

/// `{size = 3, stride = 2}`: what differs from a trivial window.
fn window_dim(w: &WindowDim) -> String {
    let mut parts = Vec::new();
    let numbers = [("size", w.size), ("stride", w.stride)];
    parts.extend(numbers.iter().filter(|(_, n)| *n != 1).map(|(k, n)| format!("{k} = {n}")));
    if (w.pad_low, w.pad_high) != (0, 0) {
        parts.push(format!("pad = [{}, {}]", w.pad_low, w.pad_high));
    }
    let numbers = [("base_dilation", w.base_dilation), ("window_dilation", w.window_dilation)];
    parts.extend(numbers.iter().filter(|(_, n)| *n != 1).map(|(k, n)| format!("{k} = {n}")));
    if w.reversed {
        parts.push("reversed".into());
    }
    format!("{{{}}}", parts.join(", "))
}

/// Dimension numbers as labels in place: `[b, 0, 1, f]`.
fn labels(names: [&str; 2], l: &Labels<&[usize]>) -> String {
    let mut all = vec!["?".to_string(); l.spatial.len() + 2];
    let numbered = l.spatial.iter().enumerate().map(|(i, d)| (*d, i.to_string()));
    for (d, label) in l.named.into_iter().zip(names.map(str::to_string)).chain(numbered) {
        if let Some(slot) = all.get_mut(d) {
            *slot = label;
        }
    }
    list(all)
}
