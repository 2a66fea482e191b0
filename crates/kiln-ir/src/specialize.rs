//! Binding named dimensions to sizes.

use crate::diag::{Diagnostic, Diagnostics};
use crate::dim::{Dim, DimEnv};
use crate::func::{Func, Input, Node};
use crate::infer;
use crate::op::Op;
use crate::shape::{Shape, TensorType};
use crate::stage::Verified;
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Finds the sizes of named dimensions from the actual shapes of inputs (name and declared type of each).
///
/// A dimension that is a linear expression of one unknown is solved for it; expressions of several wait until the others are
/// known. Sizes must be whole and not negative.
///
/// # Errors
/// All contradictions: `bind.C1` number or rank, `bind.C2` a fixed size differs, `bind.C3` a symbol has two sizes,
/// `bind.C4` an expression has no whole solution, `bind.C5` a symbol cannot be determined.
///
/// # Example
/// ```
/// use kiln_ir::{DType, TensorType, dims, specialize::bind_dims};
/// let x = TensorType::new(DType::F32, dims!["batch", 784]);
/// let env = bind_dims(&[("x", &x)], &[&[32, 784]])?;
/// assert_eq!(env["batch"], 32);
/// # Ok::<(), kiln_ir::Diagnostics>(())
/// ```
pub fn bind_dims(inputs: &[(&str, &TensorType)], shapes: &[&[usize]]) -> Result<DimEnv, Diagnostics> {
    let mut b = Binder::default();
    if inputs.len() != shapes.len() {
        let text = format!("expected {} shapes, found {}", inputs.len(), shapes.len());
        return Err(Diagnostic::new("bind.C1", text).into());
    }
    for (input, (&(name, ty), &shape)) in inputs.iter().zip(shapes).enumerate() {
        if ty.rank() != shape.len() {
            b.errors.push(
                Diagnostic::new("bind.C1", format!("\"{name}\" has the wrong number of dimensions"))
                    .label(format!("expected {ty}, found {shape:?}")),
            );
            continue;
        }
        for (dim, (declared, &size)) in ty.shape.iter().zip(shape).enumerate() {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            b.pending.push(Equation { input, name: name.to_string(), dim, declared: declared.clone(), size });
        }
    }
    while b.pass() {}
    b.leftovers();
    if b.errors.is_empty() { Ok(b.env) } else { Err(Diagnostics(b.errors)) }
}

/// `declared = size` for one dimension of one input.
struct Equation {
    input: usize,
    name: String,
    dim: usize,
    declared: Dim,
    size: i64,
}

#[derive(Default)]
struct Binder {
    env: DimEnv,
    /// The input that determined a symbol.
    origin: BTreeMap<Arc<str>, String>,
    pending: Vec<Equation>,
    errors: Vec<Diagnostic>,
}

impl Binder {
    /// Solves what can be solved; true when something was.
    fn pass(&mut self) -> bool {
        let before = self.pending.len();
        for eq in std::mem::take(&mut self.pending) {
            match eq.declared.checked_substitute(&self.env) {
                None => self.errors.push(Diagnostic::new("bind.C4", format!("`{}` overflows", eq.declared))),
                Some(Dim::Const(n)) => self.compare(&eq, n),
                Some(Dim::Expr(e)) => match e.terms() {
                    [(symbol, coefficient)] => self.solve(&eq, symbol, *coefficient, e.constant()),
                    _ => self.pending.push(eq),
                },
            }
        }
        self.pending.len() < before && !self.pending.is_empty()
    }

    fn compare(&mut self, eq: &Equation, expected: i64) {
        if expected == eq.size {
            return;
        }
        let Equation { name, dim, declared, size, .. } = eq;
        self.errors.push(match (declared, declared.as_symbol()) {
            (Dim::Const(_), _) => Diagnostic::new("bind.C2", format!("\"{name}\" has the wrong size in dim {dim}"))
                .label(format!("expected {expected}, found {size}")),
            (_, Some(symbol)) => {
                let first = &self.origin[symbol];
                Diagnostic::new("bind.C3", format!("`{symbol}` is {expected} in \"{first}\" but {size} in \"{name}\""))
                    .label(format!("dim {dim} of \"{name}\""))
            }
            (_, None) => {
                let symbols: Vec<String> = (declared.symbols())
                    .map(|s| format!("`{s}` is {} in \"{}\"", self.env[s], self.origin[s]))
                    .collect();
                Diagnostic::new("bind.C3", format!("`{declared}` is {size} in \"{name}\" but must be {expected}"))
                    .label(format!("dim {dim} of \"{name}\""))
                    .note("because", symbols.join(", "))
            }
        });
    }

    fn solve(&mut self, eq: &Equation, symbol: &Arc<str>, coefficient: i64, constant: i64) {
        let rest = i128::from(eq.size) - i128::from(constant);
        let quotient = rest / i128::from(coefficient);
        match i64::try_from(quotient) {
            Ok(n) if quotient * i128::from(coefficient) == rest && n >= 0 => {
                self.env.insert(symbol.clone(), n);
                self.origin.insert(symbol.clone(), eq.name.clone());
            }
            _ => self.errors.push(
                Diagnostic::new("bind.C4", format!("no size of `{symbol}` makes `{}` {}", eq.declared, eq.size))
                    .label(format!("dim {} of \"{}\" has size {}", eq.dim, eq.name, eq.size)),
            ),
        }
    }

    fn leftovers(&mut self) {
        for eq in std::mem::take(&mut self.pending) {
            let free: Vec<String> =
                eq.declared.symbols().filter(|s| !self.env.contains_key(*s)).map(|s| format!("`{s}`")).collect();
            self.errors.push(
                Diagnostic::new("bind.C5", format!("{} cannot be determined from the inputs", free.join(", ")))
                    .label(format!("dim {} of \"{}\" (input {}) is {}", eq.dim, eq.name, eq.input, eq.declared))
                    .help("give one of them a size"),
            );
        }
    }
}

/// The function for these sizes of its named dimensions: they are replaced in every type, attribute and nested function,
/// every operator's constraints are checked again, and `get_dimension_size` becomes a constant.
///
/// # Errors
/// `specialize.C1` when a symbol has no size, `specialize.C2` when a symbol or a type gets an impossible size, and every operator's
/// constraint that the sizes violate.
pub fn specialize<F: Borrow<Func>>(func: &Verified<F>, env: &DimEnv) -> Result<Verified, Diagnostics> {
    let free: Vec<Diagnostic> = (func.symbols().iter().filter(|s| !env.contains_key(*s)))
        .map(|s| {
            Diagnostic::new("specialize.C1", format!("the named dimension `{s}` has no size"))
                .help("it must follow from the shape of an input, or be given")
        })
        .collect();
    if !free.is_empty() {
        return Err(Diagnostics(free));
    }
    let negative: Vec<Diagnostic> = (env.iter().filter(|(_, n)| **n < 0))
        .map(|(s, n)| Diagnostic::new("specialize.C2", format!("the named dimension `{s}` cannot have size {n}")))
        .collect();
    if !negative.is_empty() {
        return Err(Diagnostics(negative));
    }
    let mut errors = Vec::new();
    let new = specialize_into(func, env, &mut errors);
    if errors.is_empty() { Ok(Verified::by_construction(new)) } else { Err(Diagnostics(errors)) }
}

fn specialize_into(func: &Func, env: &DimEnv, errors: &mut Vec<Diagnostic>) -> Func {
    let mut new = Func::new(func.name.clone());
    new.reserve(func.nodes().len());
    let subst_type = |t: &TensorType, errors: &mut Vec<Diagnostic>, loc: &crate::Loc| {
        let mut overflow = false;
        let t = TensorType { dtype: t.dtype, shape: substitute(&t.shape, env, &mut overflow) };
        if overflow || t.shape.as_sizes().is_none() || t.num_bytes().is_none_or(|n| n > isize::MAX as usize) {
            errors.push(Diagnostic::new("specialize.C2", format!("no tensor can have type {t}")).at(loc));
        }
        t
    };
    for (_, node) in func.iter() {
        let mut op = node.op.clone();
        let mut overflow = false;
        op.for_each_dim(&mut |d| {
            if let Some(n) = d.checked_substitute(env) {
                *d = n;
            } else {
                overflow = true;
            }
        });
        if overflow {
            errors.push(Diagnostic::new(format!("{}.D2", op.name()), "a size overflows").at(&node.loc));
        }
        for region in op.regions_mut() {
            *region = specialize_into(region, env, errors);
        }
        let types = if let Op::Parameter(i) = op {
            let ty = func.inputs.get(i as usize).map_or(&node.types[0], |input| &input.ty);
            smallvec![subst_type(ty, errors, &node.loc)]
        } else {
            infer_again(&mut op, node, &new, env, errors)
        };
        // A size that became a constant needs its operand no more.
        let operands = if matches!(op, Op::Constant(_)) { SmallVec::new() } else { node.operands.clone() };
        new.push_raw(Node { op, operands, types, loc: node.loc.clone(), name: node.name.clone() });
    }
    new.inputs = (func.inputs.iter()).map(|i| Input { ty: new.ty(i.node.into()).clone(), ..i.clone() }).collect();
    new.outputs = func.outputs.clone();
    new
}

/// Result types for the new sizes; `get_dimension_size` turns into a constant.
fn infer_again(
    op: &mut Op,
    node: &Node,
    new: &Func,
    env: &DimEnv,
    errors: &mut Vec<Diagnostic>,
) -> SmallVec<[TensorType; 1]> {
    let operands: SmallVec<[&TensorType; 4]> = node.operands.iter().map(|v| new.ty(*v)).collect();
    match infer::result_types(op, &operands) {
        Ok(types) => {
            if let Op::GetDimensionSize(dim) = op
                && let Some(n) = operands[0].shape[*dim].as_const().and_then(|n| i32::try_from(n).ok())
            {
                *op = Op::Constant(Tensor::scalar(n));
            }
            types
        }
        Err(d) => {
            let sizes: Vec<String> = env.iter().map(|(s, n)| format!("{s} = {n}")).collect();
            let d = new.explain(d, op, &node.operands).at(&node.loc);
            errors.push(if sizes.is_empty() { d } else { d.note("sizes", sizes.join(", ")) });
            node.types.iter().map(|t| TensorType { dtype: t.dtype, shape: t.shape.substitute(env) }).collect()
        }
    }
}

fn substitute(shape: &Shape, env: &DimEnv, overflow: &mut bool) -> Shape {
    shape
        .iter()
        .map(|d| {
            d.checked_substitute(env).unwrap_or_else(|| {
                *overflow = true;
                d.clone()
            })
        })
        .collect()
}

impl Func {
    /// Every named dimension that occurs in types, attributes and nested functions.
    pub fn symbols(&self) -> BTreeSet<Arc<str>> {
        let mut set = BTreeSet::new();
        self.collect_symbols(&mut set);
        set
    }

    fn collect_symbols(&self, set: &mut BTreeSet<Arc<str>>) {
        let mut add = |d: &Dim| set.extend(d.symbols().cloned());
        self.inputs.iter().flat_map(|i| i.ty.shape.iter()).for_each(&mut add);
        for node in self.nodes() {
            node.types.iter().flat_map(|t| t.shape.iter()).for_each(&mut add);
            node.op.dims().into_iter().for_each(&mut add);
        }
        for node in self.nodes() {
            node.op.regions().into_iter().for_each(|r| r.collect_symbols(set));
        }
    }
}
