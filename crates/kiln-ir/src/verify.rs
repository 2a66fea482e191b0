//! The verifier: what every function must satisfy. It collects all errors.
//!
//! | code | rule |
//! | --- | --- |
//! | `verify.V1` | operands are results of nodes with smaller ids |
//! | `verify.V2` | result types are those that inference gives (its own errors keep their `op.Cn` codes) |
//! | `verify.V3` | every input has exactly one `parameter` node, of its type, and every `parameter` node belongs to an input |
//! | `verify.V4` | names of inputs are unique; names of fetches are unique or empty (in nested functions outputs go by position) |
//! | `verify.V5` | outputs are results of existing nodes |
//! | `verify.V6` | an update belongs to a variable, has its type, and there is at most one for each |
//! | `verify.V7` | variables have fixed sizes; initial values have the variable's type; random ones are floats with sane bounds |
//! | `verify.V8` | nested functions take feeds and give fetches only |
//! | `verify.V9` | functions are nested at most [`MAX_DEPTH`] deep |
//! | `verify.V10` | dimension names are identifiers (`[A-Za-z_][A-Za-z0-9_]*`) and sizes of inputs are countable |
//!
//! Nested functions satisfy the same rules.

use crate::diag::{Diagnostic, Diagnostics};
use crate::dim::{Dim, is_identifier};
use crate::func::{Func, Input, InputKind, Node, NodeId, OutputKind, Value};
use crate::infer;
use crate::init::Initializer;
use crate::op::Op;
use crate::shape::TensorType;
use smallvec::SmallVec;
use std::collections::BTreeSet;

/// How deep functions may be nested.
pub const MAX_DEPTH: usize = 64;

/// Checks every rule of this module.
///
/// # Errors
/// All violations, in the order of inputs, nodes, outputs.
pub fn verify(func: &Func) -> Result<(), Diagnostics> {
    let mut v = Verifier { func, depth: 0, errors: Vec::new() };
    v.run();
    if v.errors.is_empty() { Ok(()) } else { Err(Diagnostics(v.errors)) }
}

struct Verifier<'a> {
    func: &'a Func,
    depth: usize,
    errors: Vec<Diagnostic>,
}

impl Verifier<'_> {
    fn run(&mut self) {
        self.inputs();
        for (id, node) in self.func.iter() {
            self.node(id, node);
        }
        self.outputs();
    }

    fn fail(&mut self, rule: &str, message: impl Into<String>) -> &mut Diagnostic {
        self.errors.push(Diagnostic::new(format!("verify.{rule}"), message));
        self.errors.last_mut().expect("just pushed")
    }

    fn inputs(&mut self) {
        let mut names = BTreeSet::new();
        for (index, input) in self.func.inputs.iter().enumerate() {
            let quoted = format!("input {:?}", input.name);
            if !names.insert(input.name.as_str()) {
                self.fail("V4", format!("{quoted} is declared twice")).loc = input.loc.clone();
            }
            if self.depth > 0 && input.kind != InputKind::Feed {
                self.fail("V8", format!("{quoted} of a nested function is a variable")).loc = input.loc.clone();
            }
            let parameter = self.func.nodes().get(input.node.index());
            if !parameter.is_some_and(|n| matches!(n.op, Op::Parameter(i) if i as usize == index)) {
                self.fail("V3", format!("{quoted} has no `parameter` node")).loc = input.loc.clone();
            }
            self.input_type(&quoted, input);
            self.variable(&quoted, input);
        }
    }

    fn input_type(&mut self, quoted: &str, input: &Input) {
        if let Some(s) = input.ty.shape.iter().flat_map(Dim::symbols).find(|s| !is_identifier(s)) {
            let d = self.fail("V10", format!("`{s}` is no name for a dimension"));
            d.loc = input.loc.clone();
            d.help = Some("use letters, digits and underscores, not starting with a digit".into());
        }
        let countable = input.ty.shape.is_symbolic() || input.ty.num_bytes().is_some_and(|n| n <= isize::MAX as usize);
        let negative = input.ty.shape.iter().any(|d| d.as_const().is_some_and(|n| n < 0));
        if !countable || negative {
            self.fail("V10", format!("{quoted} cannot have type {}", input.ty)).loc = input.loc.clone();
        }
    }

    fn variable(&mut self, quoted: &str, input: &Input) {
        let InputKind::Variable(init) = &input.kind else { return };
        if input.ty.shape.is_symbolic() {
            let d = self.fail("V7", format!("variable {:?} has a size that is not fixed", input.name));
            d.loc = input.loc.clone();
            d.label = format!("type {}", input.ty);
        }
        if let Some(problem) = initializer_problem(init, &input.ty) {
            let d = self.fail("V7", format!("{quoted} cannot start like this"));
            d.loc = input.loc.clone();
            d.label = problem;
        }
    }

    fn node(&mut self, id: NodeId, node: &Node) {
        let mut operands_fine = true;
        for (i, v) in node.operands.iter().enumerate() {
            let exists = v.node < id && (v.result as usize) < self.func.node(v.node).types.len();
            if !exists {
                operands_fine = false;
                let d = self.fail("V1", format!("operand {i} of `{}` is not computed before it", node.op.name()));
                d.loc = node.loc.clone();
                d.label = format!("node {} uses result {} of node {}", id.0, v.result, v.node.0);
            }
        }
        self.regions(node);
        if let Op::Parameter(index) = node.op {
            self.parameter(id, node, index as usize);
        } else if operands_fine {
            self.types(node);
        }
    }

    fn parameter(&mut self, id: NodeId, node: &Node, index: usize) {
        let input = self.func.inputs.get(index);
        let fine = input.is_some_and(|i| i.node == id && node.types.as_slice() == std::slice::from_ref(&i.ty));
        if !fine || !node.operands.is_empty() {
            let found: Vec<String> = node.types.iter().map(TensorType::to_string).collect();
            let label = match input {
                Some(i) => format!("input {:?} is {}, the node gives {}", i.name, i.ty, found.join(", ")),
                None => format!("the function has {} inputs", self.func.inputs.len()),
            };
            let d = self.fail("V3", format!("the `parameter` of index {index} does not match its input"));
            d.loc = node.loc.clone();
            d.label = label;
        }
    }

    fn types(&mut self, node: &Node) {
        let operands: SmallVec<[&TensorType; 4]> = node.operands.iter().map(|v| self.func.ty(*v)).collect();
        match infer::result_types(&node.op, &operands) {
            Err(d) => self.errors.push(self.func.explain(d, &node.op, &node.operands).at(&node.loc)),
            Ok(types) if types.as_slice() != node.types.as_slice() => {
                let list = |t: &[TensorType]| t.iter().map(TensorType::to_string).collect::<Vec<_>>().join(", ");
                let label = format!("inferred {}, the node says {}", list(&types), list(&node.types));
                let d = self.fail("V2", format!("`{}` has other result types", node.op.name()));
                d.loc = node.loc.clone();
                d.label = label;
            }
            Ok(_) => {}
        }
    }

    fn regions(&mut self, node: &Node) {
        let regions = node.op.regions();
        if !regions.is_empty() && self.depth >= MAX_DEPTH {
            let d = self.fail("V9", format!("functions are nested more than {MAX_DEPTH} deep"));
            d.loc = node.loc.clone();
            return;
        }
        for (i, func) in regions.into_iter().enumerate() {
            let mut inner = Verifier { func, depth: self.depth + 1, errors: Vec::new() };
            inner.run();
            let place = format!("nested function {i} of `{}` at {}", node.op.name(), node.loc);
            self.errors.extend(inner.errors.into_iter().map(|d| d.at(&node.loc).note("in", place.clone())));
        }
    }

    fn outputs(&mut self) {
        let (mut fetches, mut updated) = (BTreeSet::new(), BTreeSet::new());
        for (index, out) in self.func.outputs.iter().enumerate() {
            let ty = type_of(self.func, out.value).cloned();
            if ty.is_none() {
                let text = format!("result {} of node {} does not exist", out.value.result, out.value.node.0);
                self.fail("V5", format!("output {index} ({:?}) is no value", out.name)).label = text;
            }
            match out.kind {
                OutputKind::Fetch if self.depth == 0 && !out.name.is_empty() && !fetches.insert(out.name.as_str()) => {
                    self.fail("V4", format!("two fetches are named {:?}", out.name));
                }
                OutputKind::Fetch => {}
                OutputKind::Update(_) if self.depth > 0 => {
                    self.fail("V8", format!("output {:?} of a nested function is an update", out.name));
                }
                OutputKind::Update(i) => {
                    if !updated.insert(i) {
                        self.fail("V6", format!("input {i} is updated twice"));
                    }
                    self.update(i, ty);
                }
            }
        }
    }

    fn update(&mut self, index: usize, ty: Option<TensorType>) {
        match self.func.inputs.get(index) {
            Some(Input { kind: InputKind::Variable(_), ty: expected, name, loc, .. }) => {
                if let Some(found) = ty.filter(|t| t != expected) {
                    let d = self.fail("V6", format!("the update of variable {name:?} has another type"));
                    d.loc = loc.clone();
                    d.label = format!("the variable is {expected}, the update is {found}");
                }
            }
            Some(Input { kind: InputKind::Feed, name, loc, .. }) => {
                let d = self.fail("V6", format!("input {name:?} is updated but is no variable"));
                d.loc = loc.clone();
            }
            None => {
                let count = self.func.inputs.len();
                self.fail("V6", format!("input {index} is updated but there are {count} inputs"));
            }
        }
    }
}

fn type_of(func: &Func, v: Value) -> Option<&TensorType> {
    func.nodes().get(v.node.index())?.types.get(v.result as usize)
}

fn initializer_problem(init: &Initializer, ty: &TensorType) -> Option<String> {
    let float = |ok: bool, text: &str| match (ty.dtype.is_float(), ok) {
        (false, _) => Some(format!("random values are floats, the variable is {ty}")),
        (true, false) => Some(text.to_string()),
        (true, true) => None,
    };
    match init {
        Initializer::Zeros | Initializer::Constant(_) => None,
        Initializer::Uniform { low, high, .. } => {
            float(low.is_finite() && high.is_finite() && low <= high, "the bounds must be finite and in order")
        }
        Initializer::Normal { std, .. } | Initializer::TruncatedNormal { std, .. } => {
            float(std.is_finite() && *std >= 0.0, "the standard deviation must be finite and not negative")
        }
        Initializer::Value(t) => (t.ty() != *ty).then(|| format!("the value is {}, the variable is {ty}", t.ty())),
    }
}
