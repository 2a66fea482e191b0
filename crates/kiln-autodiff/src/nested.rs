//! Nested functions: making them, and differentiating what they compute.

use crate::emit::{Emit, Res};
use crate::{Derivatives, forward, reverse};
use kiln_ir::op::CompareDirection;
use kiln_ir::{Func, InputKind, Loc, NodeId, Op, TensorType, Value};

/// A nested function with parameters of these types, without outputs yet.
pub(crate) fn nested(name: &str, params: impl IntoIterator<Item = TensorType>, loc: &Loc) -> (Func, Vec<Value>) {
    let mut f = Func::new(name);
    let values = params
        .into_iter()
        .enumerate()
        .map(|(i, ty)| f.add_input(format!("p{i}"), ty, InputKind::Feed, loc.clone()))
        .collect();
    (f, values)
}

/// Declares the outputs of a nested function.
pub(crate) fn give(f: &mut Func, outputs: impl IntoIterator<Item = Value>) {
    for (i, v) in outputs.into_iter().enumerate() {
        f.add_output(format!("r{i}"), v);
    }
}

/// The condition of a loop with states of these types that goes on while state `i` is less than state `bound`.
pub(crate) fn while_less(types: &[TensorType], i: usize, bound: usize, loc: &Loc) -> Res<Func> {
    let (mut f, state) = nested("cond", types.iter().cloned(), loc);
    let more = f.push1(Op::Compare(CompareDirection::LT), &[state[i], state[bound]], loc.clone())?;
    give(&mut f, [more]);
    Ok(f)
}

/// The condition of a loop for one whose state has these types: its own are those from `first` on.
pub(crate) fn cond_among(cond: &Func, types: &[TensorType], first: usize, loc: &Loc) -> Func {
    let (mut f, state) = nested("cond", types.iter().cloned(), loc);
    let test = f.inline(cond, &state[first..first + cond.inputs.len()]);
    give(&mut f, test);
    f
}

/// Which way derivatives go.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// From cotangents of results to those of arguments.
    Reverse,
    /// From tangents of arguments to those of results.
    Forward,
}

/// Appends to a nested function, which computes `results` from `args`, the derivatives of those arguments (in forward mode:
/// results) that are `wanted`, zeros where there are none. `given` are those of results (arguments). Also gives the loops that
/// were built again.
pub(crate) fn gradient(
    f: &mut Func,
    mode: Mode,
    (args, results): (&[Value], &[Value]),
    given: impl IntoIterator<Item = (usize, Value)>,
    wanted: &[usize],
    loc: &Loc,
) -> Res<(Vec<Value>, Vec<(NodeId, NodeId)>)> {
    let (seeded, asked) = match mode {
        Mode::Reverse => (results, args),
        Mode::Forward => (args, results),
    };
    let seeds: Vec<(Value, Value)> = given.into_iter().map(|(i, derivative)| (seeded[i], derivative)).collect();
    let asked: Vec<Value> = wanted.iter().map(|&i| asked[i]).collect();
    let Derivatives { values, replaced } = match mode {
        Mode::Reverse => reverse::walk(f, 0, &seeds, &asked)?,
        Mode::Forward => forward::walk(f, 0, &asked, &seeds)?,
    };
    let mut e = Emit { f, loc: loc.clone() };
    let filled = asked.iter().zip(values).map(|(v, derivative)| match derivative {
        Some(derivative) => Ok(derivative),
        None => e.zeros_like(*v),
    });
    Ok((filled.collect::<Res<_>>()?, replaced))
}
