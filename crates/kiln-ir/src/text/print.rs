//! Printing. Any function prints; what verifies also parses back to an equal function.

use super::PrintOptions;
use super::literal::{element, f64_text, hex_bytes, quote, sigil_name};
use crate::dim::Dim;
use crate::func::{Func, Input, InputKind, Node, NodeId, OutputKind, Value};
use crate::init::Initializer;
use crate::loc::Loc;
use crate::op::{ConvDims, DotDims, GatherDims, Op, ScatterDims, ScatterUpdate, Window, WindowDim};
use crate::shape::TensorType;
use crate::tensor::Tensor;
use crate::verify::is_identifier;
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

/// `, key = [1, 2]`
fn listed<T: Display>(out: &mut String, key: &str, items: impl IntoIterator<Item = T>) {
    let _ = write!(out, ", {key} = {}", list(items));
}

/// `, lower` where it holds.
fn flag(out: &mut String, on: bool, key: &str) {
    if on {
        let _ = write!(out, ", {key}");
    }
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
        let operands: Vec<String> = node.operands.iter().map(|v| reference(func, names, *v)).collect();
        let mut attrs = String::new();
        self.attributes(&node.op, &mut attrs);
        if operands.is_empty() {
            // The first attribute needs no comma.
            let attrs = attrs.strip_prefix(',').unwrap_or(&attrs);
            self.out.push_str(attrs);
        } else {
            let _ = write!(self.out, " {}{attrs}", operands.join(", "));
        }
        self.regions(&node.op, operands.is_empty() && attrs.is_empty());
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

    /// Nested functions, as attributes after all others.
    fn regions(&mut self, op: &Op, mut first: bool) {
        let keys: &[&str] = match op {
            Op::While { .. } => &["cond", "body"],
            Op::GenericReduce { .. } | Op::GenericReduceWindow { .. } | Op::GenericScatter { .. } => &["body"],
            Op::GenericSelectAndScatter { .. } => &["select", "scatter"],
            Op::Sort { .. } => &["comparator"],
            Op::If { .. } => &["on_true", "on_false"],
            Op::Composite { .. } => &["body", "vjp"],
            Op::Case { branches } => {
                self.out.push_str(if first { " branches = [" } else { ", branches = [" });
                for (i, b) in branches.iter().enumerate() {
                    self.out.push_str(if i > 0 { ", " } else { "" });
                    self.region(b);
                }
                self.out.push(']');
                return;
            }
            _ => return,
        };
        for (key, func) in keys.iter().zip(op.regions()) {
            let _ = write!(self.out, "{} {key} = ", if first { "" } else { "," });
            first = false;
            self.region(func);
        }
    }

    fn region(&mut self, func: &Func) {
        if !func.name.is_empty() {
            let _ = write!(self.out, "@{}", sigil_name(&func.name));
        }
        self.signature_and_body(func);
    }

    fn attributes(&self, op: &Op, out: &mut String) {
        match op {
            Op::Constant(t) => {
                let _ = write!(out, " {}", if t.rank() == 0 { element(t, 0) } else { dense(t, self.options) });
            }
            Op::Iota { dim, .. } | Op::GetDimensionSize(dim) | Op::Concatenate(dim) => {
                let _ = write!(out, ", dim = {dim}");
            }
            Op::Compare(direction) => {
                let _ = write!(out, ", direction = {direction:?}");
            }
            Op::BroadcastInDim { dims, .. } | Op::Reverse(dims) => listed(out, "dims", dims),
            Op::Transpose(permutation) => listed(out, "permutation", permutation),
            Op::Slice { start, limit, strides } => listed(out, "bounds", bounds(start, limit, strides)),
            Op::Pad { low, high, interior } => {
                listed(out, "low", low);
                listed(out, "high", high);
                if interior.iter().any(|n| *n != 0) {
                    listed(out, "interior", interior);
                }
            }
            Op::DotGeneral(d) => dot(out, d),
            Op::Reduce { axes, reducer } => {
                let _ = write!(out, ", reducer = {}", reducer.name());
                listed(out, "axes", axes);
            }
            Op::ArgReduce { axis, .. } => {
                let _ = write!(out, ", axis = {axis}");
            }
            Op::Convolution(c) => convolution(out, c),
            Op::ReduceWindow { window: w, reducer } => {
                let _ = write!(out, ", reducer = {}{}", reducer.name(), window(w));
            }
            Op::SelectAndScatter { window: w, select, scatter } => {
                let _ = write!(out, ", select = {select:?}, scatter = {}{}", scatter.name(), window(w));
            }
            Op::Gather(g) => gather(out, g),
            Op::Scatter { dims, update } => {
                let name = match update {
                    ScatterUpdate::Assign => "assign",
                    ScatterUpdate::Combine(reducer) => reducer.name(),
                };
                let _ = write!(out, ", update = {name}");
                scatter(out, dims);
            }
            Op::GenericScatter { dims, .. } => scatter(out, dims),
            Op::GenericReduce { axes, .. } => listed(out, "axes", axes),
            Op::GenericReduceWindow { window: w, .. } | Op::GenericSelectAndScatter { window: w, .. } => {
                out.push_str(&window(w));
            }
            Op::Sort { dim, stable, .. } => {
                let _ = write!(out, ", dim = {dim}");
                flag(out, *stable, "stable");
            }
            Op::Fft { kind, length, interleaved } => {
                let _ = write!(out, ", kind = {}", kind.name());
                listed(out, "length", length);
                flag(out, *interleaved, "interleaved");
            }
            Op::Cholesky { lower, interleaved } => {
                flag(out, *lower, "lower");
                flag(out, *interleaved, "interleaved");
            }
            Op::TriangularSolve { left_side, lower, unit_diagonal, transpose_a, interleaved } => {
                let _ = write!(out, ", transpose_a = {}", transpose_a.name());
                flag(out, *left_side, "left_side");
                flag(out, *lower, "lower");
                flag(out, *unit_diagonal, "unit_diagonal");
                flag(out, *interleaved, "interleaved");
            }
            Op::ReducePrecision { exponent_bits, mantissa_bits } => {
                let _ = write!(out, ", exponent_bits = {exponent_bits}, mantissa_bits = {mantissa_bits}");
            }
            Op::RngBitGenerator { algorithm, .. } => {
                let _ = write!(out, ", algorithm = {}", algorithm.name());
            }
            Op::Composite { name, .. } => {
                let _ = write!(out, ", name = {}", quote(name));
            }
            Op::Parameter(_)
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Select
            | Op::Clamp
            | Op::Convert(_)
            | Op::BitcastConvert(_)
            | Op::Complex
            | Op::Real
            | Op::Imag
            | Op::Reshape(_)
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::OptimizationBarrier
            | Op::While { .. }
            | Op::If { .. }
            | Op::Case { .. } => {}
        }
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

fn dot(out: &mut String, d: &DotDims) {
    if !(d.lhs_batch.is_empty() && d.rhs_batch.is_empty()) {
        let _ = write!(out, ", batch = {} x {}", list(&d.lhs_batch), list(&d.rhs_batch));
    }
    let _ = write!(out, ", contract = {} x {}", list(&d.lhs_contract), list(&d.rhs_contract));
    if let Some(dtype) = d.result {
        let _ = write!(out, ", result = {dtype}");
    }
}

/// `, window = [{size = 3, stride = 2}, {}]`: what differs from a trivial window.
fn window(w: &Window) -> String {
    format!(", window = {}", list(w.dims.iter().map(window_dim)))
}

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
fn labels(rank: usize, named: [(usize, &str); 2], spatial: &[usize]) -> String {
    let mut all = vec!["?".to_string(); rank];
    let numbered = spatial.iter().enumerate().map(|(i, d)| (*d, i.to_string()));
    for (d, label) in named.into_iter().map(|(d, l)| (d, l.to_string())).chain(numbered) {
        if let Some(slot) = all.get_mut(d) {
            *slot = label;
        }
    }
    list(all)
}

fn convolution(out: &mut String, c: &ConvDims) {
    let rank = c.window.len() + 2;
    let _ = write!(
        out,
        ", dims = {} x {} -> {}{}",
        labels(rank, [(c.input_batch, "b"), (c.input_feature, "f")], &c.input_spatial),
        labels(rank, [(c.kernel_input_feature, "i"), (c.kernel_output_feature, "o")], &c.kernel_spatial),
        labels(rank, [(c.output_batch, "b"), (c.output_feature, "f")], &c.output_spatial),
        window(&Window { dims: c.window.clone() })
    );
    if c.feature_group_count != 1 {
        let _ = write!(out, ", feature_group_count = {}", c.feature_group_count);
    }
    if c.batch_group_count != 1 {
        let _ = write!(out, ", batch_group_count = {}", c.batch_group_count);
    }
}

fn gather(out: &mut String, g: &GatherDims) {
    listed(out, "offset_dims", &g.offset_dims);
    listed(out, "collapsed_slice_dims", &g.collapsed_slice_dims);
    if !(g.operand_batching_dims.is_empty() && g.start_indices_batching_dims.is_empty()) {
        listed(out, "operand_batching_dims", &g.operand_batching_dims);
        listed(out, "start_indices_batching_dims", &g.start_indices_batching_dims);
    }
    listed(out, "start_index_map", &g.start_index_map);
    let _ = write!(out, ", index_vector_dim = {}", g.index_vector_dim);
    listed(out, "slice_sizes", g.slice_sizes.iter());
    if g.indices_are_sorted {
        out.push_str(", indices_are_sorted");
    }
}

fn scatter(out: &mut String, s: &ScatterDims) {
    listed(out, "update_window_dims", &s.update_window_dims);
    listed(out, "inserted_window_dims", &s.inserted_window_dims);
    if !(s.input_batching_dims.is_empty() && s.scatter_indices_batching_dims.is_empty()) {
        listed(out, "input_batching_dims", &s.input_batching_dims);
        listed(out, "scatter_indices_batching_dims", &s.scatter_indices_batching_dims);
    }
    listed(out, "scatter_dims_to_operand_dims", &s.scatter_dims_to_operand_dims);
    let _ = write!(out, ", index_vector_dim = {}", s.index_vector_dim);
    if s.indices_are_sorted {
        out.push_str(", indices_are_sorted");
    }
    if s.unique_indices {
        out.push_str(", unique_indices");
    }
}
