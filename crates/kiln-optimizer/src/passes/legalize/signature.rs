//! Functions with their inputs and outputs.

use super::build::{Build, internal};
use super::{Class, Rep, Reps, Site, class, storage};
use crate::context::Cx;
use kiln_ir::{
    DType, Diagnostic, Dim, Func, Initializer, Input, InputKind, NodeId, Op, Output, OutputKind, Tensor, TensorType,
};
use smallvec::SmallVec;
use std::collections::BTreeSet;

/// The stored type of an input or output of the function itself.
fn stored_type(ty: &TensorType) -> TensorType {
    let mut stored = ty.with_dtype(storage(ty.dtype));
    if ty.dtype.is_complex() {
        stored.shape.push(Dim::Const(2));
    }
    stored
}

/// The function with every input and output as it is stored.
pub(super) fn legalize_top(old: &Func, cx: &mut Cx) -> Result<Func, Diagnostic> {
    let mut b = Build::new(old.name.clone());
    let mut params: Vec<Rep> = Vec::with_capacity(old.inputs.len());
    for input in &old.inputs {
        b.loc = input.loc.clone();
        let kind = match &input.kind {
            InputKind::Feed => InputKind::Feed,
            InputKind::Variable(init) => InputKind::Variable(initializer(init, &input.ty)?),
        };
        let v = b.f.add_input(input.name.clone(), stored_type(&input.ty), kind, input.loc.clone());
        params.push(Rep::One(v));
    }
    for (rep, input) in params.iter_mut().zip(&old.inputs) {
        if input.ty.dtype.is_complex() {
            b.loc = input.loc.clone();
            *rep = Rep::Pair(b.split(rep.one())?);
        }
    }
    let map = walk(&mut b, old, &params, cx)?;
    for output in &old.outputs {
        let value = match map[output.value.node.index()][output.value.result as usize] {
            Rep::One(v) => v,
            Rep::Pair(pair) => {
                b.loc = old.node(output.value.node).loc.clone();
                b.join(pair)?
            }
        };
        b.f.outputs.push(Output { name: output.name.clone(), value, kind: output.kind.clone() });
    }
    Ok(b.f)
}

/// In which order a nested function takes the parts of its parameters.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// All parts of one after all of the one before.
    Natural,
    /// Comparators of this many operands: pairs of equal parts.
    Pairs(usize),
    /// As `Natural`, but the parts of a c64 are the halves of one u64.
    Packed,
}

/// A nested function, whose complex parameters and results are two each.
pub(super) fn legalize_nested(old: &Func, order: Order, cx: &mut Cx) -> Result<Func, Diagnostic> {
    let mut b = Build::new(old.name.clone());
    let mut names = Names(old.inputs.iter().map(|i| i.name.clone()).collect());
    let mut params: Vec<Option<Rep>> = vec![None; old.inputs.len()];
    let paired = match order {
        Order::Natural | Order::Packed => 0,
        Order::Pairs(n) => 2 * n,
    };
    for i in (0..paired).step_by(2) {
        let (x, y) = (&old.inputs[i], &old.inputs[i + 1]);
        let (p, q) = if x.ty.dtype.is_complex() {
            let re = [names.part(&mut b, x, ".re"), names.part(&mut b, y, ".re")];
            let im = [names.part(&mut b, x, ".im"), names.part(&mut b, y, ".im")];
            (Rep::Pair([re[0], im[0]]), Rep::Pair([re[1], im[1]]))
        } else {
            (Rep::One(names.whole(&mut b, x)), Rep::One(names.whole(&mut b, y)))
        };
        (params[i], params[i + 1]) = (Some(p), Some(q));
    }
    let packed = matches!(order, Order::Packed);
    for (x, param) in old.inputs.iter().zip(&mut params).skip(paired) {
        *param = Some(match x.ty.dtype {
            DType::C64 if packed => {
                let ty = x.ty.with_dtype(DType::U64);
                let v = b.f.add_input(x.name.clone(), ty, InputKind::Feed, x.loc.clone());
                Rep::Pair(b.unpack_c64(v)?)
            }
            d if d.is_complex() => Rep::Pair([names.part(&mut b, x, ".re"), names.part(&mut b, x, ".im")]),
            _ => Rep::One(names.whole(&mut b, x)),
        });
    }
    let params: Option<Vec<Rep>> = params.into_iter().collect();
    let map = walk(&mut b, old, &params.ok_or_else(|| internal("a parameter has no place"))?, cx)?;
    let mut names = Names(old.outputs.iter().map(|o| o.name.clone()).collect());
    for output in &old.outputs {
        match map[output.value.node.index()][output.value.result as usize] {
            Rep::One(v) => b.f.outputs.push(Output { value: v, ..output.clone() }),
            Rep::Pair(pair) if packed => {
                let value = b.pack_c64(pair)?;
                b.f.outputs.push(Output { value, ..output.clone() });
            }
            Rep::Pair(pair) => {
                for (value, suffix) in pair.into_iter().zip([".re", ".im"]) {
                    let name = names.unique(&output.name, suffix);
                    b.f.outputs.push(Output { name, value, kind: OutputKind::Fetch });
                }
            }
        }
    }
    Ok(b.f)
}

/// Names in use.
struct Names(BTreeSet<String>);

impl Names {
    fn unique(&mut self, name: &str, suffix: &str) -> String {
        let mut name = format!("{name}{suffix}");
        while !self.0.insert(name.clone()) {
            name.push('\'');
        }
        name
    }
    fn part(&mut self, b: &mut Build, input: &Input, suffix: &str) -> kiln_ir::Value {
        let ty = input.ty.with_dtype(storage(input.ty.dtype));
        let name = self.unique(&input.name, suffix);
        b.f.add_input(name, ty, InputKind::Feed, input.loc.clone())
    }
    fn whole(&mut self, b: &mut Build, input: &Input) -> kiln_ir::Value {
        let ty = input.ty.with_dtype(storage(input.ty.dtype));
        b.f.add_input(input.name.clone(), ty, InputKind::Feed, input.loc.clone())
    }
}

/// Legalizes the nodes; gives what stands for each result of each.
fn walk(b: &mut Build, old: &Func, params: &[Rep], cx: &mut Cx) -> Result<Vec<Reps>, Diagnostic> {
    let mut map: Vec<Reps> = Vec::with_capacity(old.nodes().len());
    for node in old.nodes() {
        cx.work += 1;
        if let Op::Parameter(i) = node.op {
            map.push([params[i as usize]].into());
            continue;
        }
        b.loc = node.loc.clone();
        let first_new = b.f.nodes().len();
        let site = Site {
            node,
            args: node.operands.iter().map(|v| map[v.node.index()][v.result as usize]).collect(),
            types: node.operands.iter().map(|v| old.ty(*v)).collect(),
        };
        let reps = b.node(&site, cx).map_err(|d| d.at(&node.loc))?;
        if let Some(name) = &node.name {
            hand_on_name(&mut b.f, name, &reps, first_new);
        }
        map.push(reps);
    }
    Ok(map)
}

fn hand_on_name(f: &mut Func, name: &std::sync::Arc<str>, reps: &Reps, first_new: usize) {
    let mut give = |id: NodeId, name: std::sync::Arc<str>| {
        if id.index() >= first_new {
            f.node_mut(id).name.get_or_insert(name);
        }
    };
    match reps.first() {
        Some(Rep::One(v)) => give(v.node, name.clone()),
        Some(Rep::Pair([re, im])) if re.node != im.node => {
            give(re.node, format!("{name}.re").into());
            give(im.node, format!("{name}.im").into());
        }
        Some(Rep::Pair([re, _])) => give(re.node, name.clone()),
        None => {}
    }
}

/// An initializer in the stored form.
fn initializer(init: &Initializer, ty: &TensorType) -> Result<Initializer, Diagnostic> {
    let stored = stored_type(ty);
    let sizes: Option<SmallVec<[usize; 4]>> = stored.shape.as_sizes();
    let problem = |e: kiln_ir::TensorError| internal(e.to_string());
    let of_bytes = |bytes: &[u8]| -> Result<Initializer, Diagnostic> {
        let sizes = sizes.as_ref().ok_or_else(|| internal("a variable of unknown size"))?;
        Tensor::from_bytes(stored.dtype, sizes, bytes).map(Initializer::Value).map_err(problem)
    };
    match (init, class(ty.dtype)) {
        (_, Class::Legal) | (Initializer::Zeros, _) => Ok(init.clone()),
        (Initializer::Value(t), _) => of_bytes(t.bytes()),
        (Initializer::Constant(c), Class::Complex) => {
            let one = Tensor::scalar_of(ty.dtype, *c);
            let count = ty.shape.num_elements().ok_or_else(|| internal("a variable of unknown size"))?;
            of_bytes(&one.bytes().repeat(count))
        }
        (Initializer::Constant(c), Class::Narrow | Class::Mini(_)) => {
            let byte = Tensor::scalar_of(ty.dtype, *c).bytes()[0];
            let value = if ty.dtype.is_signed_int() { f64::from(byte as i8) } else { f64::from(byte) };
            Ok(Initializer::Constant(value))
        }
        (
            Initializer::Uniform { .. } | Initializer::Normal { .. } | Initializer::TruncatedNormal { .. },
            Class::Complex | Class::Narrow | Class::Mini(_),
        ) => Err(Diagnostic::new(
            "optimize.legalize",
            format!("a variable of type {ty} cannot start with random values"),
        )
        .help("start it with a value, or keep it in f32")),
    }
}
