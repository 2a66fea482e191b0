//! From parsed operations to a graph, through the builder: captures of regions and shape rules come with it.

mod attributes;
mod bits;
mod checks;
mod chlo;
mod control;
mod custom_call;
mod data;
mod dispatch;
mod dynamic;
mod elementwise;
mod generic;
mod lift;
mod linalg;
mod literal;
mod norm;
mod quantized;
mod ragged;
mod random;
mod scan;
mod scatter;
mod sizes;
mod sort;
mod windows;

pub use checks::{Check, CheckKind};
pub use custom_call::{BuildOptions, CustomCall, Handler};

use crate::ast::{Block, Module, Operation, Place, Type, ValueRef};
use crate::error::Error;
use kiln_builder::{Expr, Graph, Shape};
use kiln_import::KnownSizes;
use kiln_import::limits::{MAX_ELEMENTS, bounded};
use kiln_ir::{DType, Func, Loc};
use std::collections::HashMap;

/// Deepest nesting of calls and regions.
const MAX_DEPTH: usize = 64;
/// Most operations that a program may come to when its calls are inlined and its regions applied, and how many more than it
/// has written down where that is more.
const MAX_OPERATIONS: usize = 1 << 18;
const MAX_INLINED: usize = 16;
/// Most nodes that all of them may come to, and how many more than operations written down where that is more.
const MAX_NODES: usize = 1 << 19;
const MAX_MADE_OF: usize = 64;
/// Most tensors of a tuple, those of tuples inside of it included.
const MAX_LEAVES: usize = 1 << 14;

/// A function of a module as a graph.
#[derive(Clone, Debug)]
pub struct Program {
    /// The graph. Outputs are the function's results, then the operands of the checks.
    pub func: Func,
    /// Number of outputs that are the function's results.
    pub results: usize,
    /// What the module's `check` operations ask of further outputs.
    pub checks: Vec<Check>,
}

/// Records the function of this name (`main`, or the only one when `name` is empty).
///
/// # Errors
/// An operator, type or attribute that is not supported, named with its line; operators that do not fit together.
pub fn build(module: &Module, name: &str) -> Result<Program, Error> {
    build_with(module, name, &BuildOptions::new())
}

/// [`build`] with handlers of custom calls.
///
/// # Errors
/// As [`build`]; a custom call without a handler, or whose handler refuses it.
pub fn build_with(module: &Module, name: &str, options: &BuildOptions) -> Result<Program, Error> {
    let place = |line| format!("{}:{line}:1", module.file);
    let function = match name {
        "" => module.functions.first(),
        name => module.functions.iter().find(|f| f.name == name),
    };
    let Some(function) = function else {
        return Err(Error::Syntax { place: place(1), message: format!("there is no function @{name}") });
    };
    let graph = Graph::new(if function.name.is_empty() { "main" } else { &function.name });
    let written_down: usize = module.functions.iter().map(|f| written(&f.body)).sum();
    let mut b = Builder {
        module,
        options,
        graph,
        depth: 0,
        built: 0,
        nodes: MAX_NODES.max(MAX_MADE_OF * written_down),
        functions: module.functions.iter().enumerate().rev().map(|(i, f)| (f.name.as_str(), i)).collect(),
        most: MAX_OPERATIONS.max(MAX_INLINED * written_down),
        known_sizes: KnownSizes::default(),
        lift: None,
        random: None,
        checks: Vec::new(),
        checked: Vec::new(),
    };
    let mut args = Vec::new();
    for (i, (_, ty)) in function.body.args.iter().enumerate() {
        let (ty, quantization) = b.argument_type(ty);
        let (dtype, shape) = b.tensor_type(&ty, &function.place)?;
        let value = b.graph.placeholder_dyn(&format!("a{i}"), dtype, shape);
        args.push(match quantization {
            Some(q) => Slot::Quantized(value, q),
            None => Slot::One(value),
        });
    }
    let results = b.block(&function.body, args, &Scope::default())?;
    let mut spec = b.graph.function([]);
    let results: Vec<Expr> = results.into_iter().flat_map(Slot::leaves).collect();
    for (i, e) in results.iter().enumerate() {
        spec = spec.named(&format!("r{i}"), e);
    }
    for (i, e) in b.checked.iter().enumerate() {
        spec = spec.named(&format!("check{i}"), e);
    }
    let func = spec.finish().map_err(Error::Graph)?;
    Ok(Program { func, results: results.len(), checks: b.checks })
}

/// A value of the text: a tensor or a tuple of them.
#[derive(Clone, Debug)]
enum Slot {
    One(Expr),
    /// The integers of a quantized tensor.
    Quantized(Expr, std::rc::Rc<kiln_import::Quantization>),
    Tuple(Vec<Slot>),
}

impl Slot {
    fn leaves(self) -> Vec<Expr> {
        match self {
            Slot::One(e) | Slot::Quantized(e, _) => vec![e],
            Slot::Tuple(list) => list.into_iter().flat_map(Slot::leaves).collect(),
        }
    }

    /// The number of tensors.
    fn size(&self) -> usize {
        match self {
            Slot::One(_) | Slot::Quantized(..) => 1,
            Slot::Tuple(list) => 1 + list.iter().map(Slot::size).sum::<usize>(),
        }
    }
}

/// Values by name, as seen inside a block: its own, and those of the blocks around it.
#[derive(Default)]
struct Scope<'o> {
    own: HashMap<ValueRef, Slot>,
    outer: Option<&'o Scope<'o>>,
}

impl Scope<'_> {
    fn get(&self, name: &ValueRef) -> Option<&Slot> {
        let mut scope = self;
        loop {
            match (scope.own.get(name), scope.outer) {
                (Some(slot), _) => return Some(slot),
                (None, Some(outer)) => scope = outer,
                (None, None) => return None,
            }
        }
    }

    fn insert(&mut self, name: ValueRef, slot: Slot) {
        self.own.insert(name, slot);
    }
}

/// The operations of a block and of all inside of it.
fn written(block: &Block) -> usize {
    block.ops.iter().map(|op| 1 + op.regions.iter().map(written).sum::<usize>()).sum()
}

struct Builder<'m> {
    module: &'m Module,
    options: &'m BuildOptions,
    graph: Graph,
    depth: usize,
    /// Operations recorded so far.
    built: usize,
    /// The module's functions by name, the first of each.
    functions: HashMap<&'m str, usize>,
    /// The most that may be recorded.
    most: usize,
    /// Nodes that may still be made.
    nodes: usize,
    /// Computes sizes that are operands.
    known_sizes: KnownSizes,
    /// The shape of the tensors that a region written for scalars is applied to at present.
    lift: Option<Shape>,
    /// Where `rng` draws from.
    random: Option<std::rc::Rc<kiln_builder::Rng>>,
    checks: Vec<Check>,
    /// Values that the checks look at.
    checked: Vec<Expr>,
}

/// The place as a node's provenance; a byte of a binary file is none that can be shown.
fn loc(place: &Place) -> Loc {
    Loc::new(place.file.clone(), place.line, place.column)
}

type Built<T> = Result<T, Error>;

impl Builder<'_> {
    fn place(&self, op: &Operation) -> String {
        op.place.to_string()
    }

    fn unsupported<T>(&self, op: &Operation, what: impl Into<String>) -> Built<T> {
        Err(Error::Unsupported { place: self.place(op), what: format!("{}: {}", op.name, what.into()) })
    }

    fn malformed<T>(&self, op: &Operation, what: impl Into<String>) -> Built<T> {
        Err(Error::Syntax { place: self.place(op), message: format!("{}: {}", op.name, what.into()) })
    }

    /// Element type and shape of a tensor type.
    fn tensor_type(&self, ty: &Type, place: &Place) -> Built<(DType, Shape)> {
        let place = || place.to_string();
        let Type::Tensor { dims, element } = ty else {
            return Err(Error::Unsupported { place: place(), what: format!("type {ty:?}") });
        };
        let dtype = match element {
            crate::ast::Element::Known(d) => *d,
            crate::ast::Element::Unknown(name) => {
                return Err(Error::Unsupported { place: place(), what: format!("element type {name}") });
            }
        };
        let sizes: Option<Vec<i64>> = dims.iter().copied().collect();
        if let Some(sizes) = &sizes
            && !bounded(sizes.iter().map(|&n| Some(n)))
        {
            return Err(Error::Unsupported {
                place: place(),
                what: format!("a value of more than {MAX_ELEMENTS} elements"),
            });
        }
        match sizes {
            Some(sizes) => Ok((dtype, sizes.into_iter().map(kiln_ir::Dim::Const).collect())),
            None => Err(Error::Unsupported { place: place(), what: "a dimension of unknown size".into() }),
        }
    }

    /// Element type of a result, whose sizes may be unknown.
    fn result_dtype(&self, op: &Operation, i: usize) -> Built<DType> {
        match op.result_types.get(i) {
            Some(Type::Tensor { element: crate::ast::Element::Known(d), .. }) => Ok(*d),
            Some(ty) => self.tensor_type(ty, &op.place).map(|(d, _)| d),
            None => self.malformed(op, "the type of a result is missing"),
        }
    }

    fn result_type(&self, op: &Operation, i: usize) -> Built<(DType, Shape)> {
        match op.result_types.get(i) {
            Some(ty) => self.tensor_type(ty, &op.place),
            None => self.malformed(op, "the type of a result is missing"),
        }
    }

    /// Runs the operations of a block and gives what it returns. `outer` is what a region sees of its surroundings.
    fn block(&mut self, block: &Block, args: Vec<Slot>, outer: &Scope) -> Built<Vec<Slot>> {
        if self.depth >= MAX_DEPTH {
            let place = format!("{}:1:1", self.module.file);
            return Err(Error::Unsupported {
                place,
                what: format!("calls or regions nested more than {MAX_DEPTH} deep"),
            });
        }
        self.depth += 1;
        if block.args.len() != args.len() {
            let (wanted, found) = (block.args.len(), args.len());
            return Err(self.at_block(block, format!("the block takes {wanted} values, not {found}")));
        }
        let mut scope = Scope { own: HashMap::new(), outer: Some(outer) };
        for ((name, _), value) in block.args.iter().zip(args) {
            scope.insert(ValueRef { name: name.clone(), index: 0 }, value);
        }
        let mut returned = Vec::new();
        for op in &block.ops {
            let operands = op
                .operands
                .iter()
                .map(|r| match scope.get(r) {
                    Some(slot) => Ok(slot.clone()),
                    None => self.malformed(op, format!("%{} is not defined", r.name)),
                })
                .collect::<Built<Vec<_>>>()?;
            let _line = self.graph.at(loc(&op.place));
            if op.name == "return" || op.name.ends_with(".return") {
                returned = operands;
                break;
            }
            self.built += 1;
            if self.built > self.most {
                let limit = format!("a program of more than {} operations, calls inlined", self.most);
                return Err(Error::Unsupported { place: self.place(op), what: limit });
            }
            let before = self.graph.open_nodes();
            let results = self.operation(op, operands, &scope)?;
            // Those of regions inside were counted there.
            let made = self.graph.open_nodes().saturating_sub(before);
            let Some(left) = self.nodes.checked_sub(made) else {
                return self.unsupported(op, "a program of too many nodes for what is written");
            };
            self.nodes = left;
            let too_large = |e: &Expr| !bounded(e.shape().iter().map(|d| d.as_const()));
            if results.iter().any(|r| matches!(r, Slot::One(e) | Slot::Quantized(e, _) if too_large(e))) {
                return self.unsupported(op, format!("a value of more than {MAX_ELEMENTS} elements"));
            }
            let named: usize = op.results.iter().map(|(_, count)| count).sum();
            if named > results.len() {
                return self.malformed(op, format!("{named} results are named, there are {}", results.len()));
            }
            let names = op.results.iter().flat_map(|(n, count)| (0..*count).map(move |i| (n, i)));
            for ((name, index), value) in names.zip(results) {
                scope.insert(ValueRef { name: name.clone(), index }, value);
            }
        }
        self.depth -= 1;
        Ok(returned)
    }

    /// An error about a block, at its first operation.
    fn at_block(&self, block: &Block, message: String) -> Error {
        let place = block.ops.first().map_or_else(|| format!("{}:1:1", self.module.file), |o| self.place(o));
        Error::Syntax { place, message }
    }

    fn operation(&mut self, op: &Operation, operands: Vec<Slot>, scope: &Scope) -> Built<Vec<Slot>> {
        match op.name.as_str() {
            "stablehlo.tuple" => {
                let tuple = Slot::Tuple(operands);
                if tuple.size() > MAX_LEAVES {
                    return self.unsupported(op, format!("a tuple of more than {MAX_LEAVES} values"));
                }
                return Ok(vec![tuple]);
            }
            "stablehlo.get_tuple_element" => {
                let index = op.attrs.get("index").and_then(|a| a.as_ints()).and_then(|v| v.first().copied());
                let element = match (operands.first(), index) {
                    (Some(Slot::Tuple(list)), Some(i)) => usize::try_from(i).ok().and_then(|i| list.get(i).cloned()),
                    _ => None,
                };
                return match element {
                    Some(e) => Ok(vec![e]),
                    None => self.malformed(op, "no such element of the tuple"),
                };
            }
            // Where a value lies does not change it; nor does a cast between the types of VHLO and other dialects.
            "sdy.sharding_constraint" | "sdy.reshard" | "builtin.unrealized_conversion_cast" => return Ok(operands),
            "call" | "func.call" => {
                let callee = op.attrs.get("callee").and_then(|a| a.as_str()).unwrap_or_default();
                return self.call(op, callee, operands);
            }
            "stablehlo.composite" => {
                let callee = op.attrs.get("decomposition").and_then(|a| a.as_str()).unwrap_or_default();
                return self.call(op, callee, operands);
            }
            _ => {}
        }
        if let Some(results) = self.quantized(op, &operands, scope)? {
            return Ok(results);
        }
        let values = operands
            .into_iter()
            .map(|slot| match slot {
                Slot::One(e) | Slot::Quantized(e, _) => Ok(e),
                Slot::Tuple(_) => self.unsupported(op, "a tuple as operand"),
            })
            .collect::<Built<Vec<Expr>>>()?;
        if op.name == "stablehlo.custom_call" {
            return self.custom_call(op, values, scope);
        }
        if op.name.starts_with("check.") {
            self.check(op, &values)?;
            return Ok(Vec::new());
        }
        let results = self.compute(op, &values, scope)?;
        Ok(results.into_iter().map(Slot::One).collect())
    }

    fn call(&mut self, op: &Operation, callee: &str, operands: Vec<Slot>) -> Built<Vec<Slot>> {
        let module = self.module;
        let Some(f) = self.functions.get(callee).map(|&i| &module.functions[i]) else {
            return self.malformed(op, format!("there is no function @{callee}"));
        };
        if f.body.ops.is_empty() {
            return self.unsupported(op, format!("@{callee} has no body"));
        }
        if f.body.args.len() != operands.len() {
            let (wanted, found) = (f.body.args.len(), operands.len());
            return self.malformed(op, format!("@{callee} takes {wanted} values, not {found}"));
        }
        self.block(&f.body, operands, &Scope::default())
    }

    fn operands<const N: usize>(&self, op: &Operation, x: &[Expr]) -> Built<[Expr; N]> {
        match <[Expr; N]>::try_from(x.to_vec()) {
            Ok(list) => Ok(list),
            Err(list) => self.malformed(op, format!("expected {N} operands, found {}", list.len())),
        }
    }
}
