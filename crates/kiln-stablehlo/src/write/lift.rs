//! Taking weights out of a program.

use kiln_ir::{Func, Initializer, InputKind, Node, Op, Output, Value};
use std::collections::BTreeSet;

/// The same function with its literals of at least `min_bytes` bytes as variables that start with their values.
///
/// In StableHLO text these become arguments of `@main`, after the function's own, instead of megabytes of hexadecimal digits.
/// Literals inside nested functions stay.
///
/// ```
/// use kiln_ir::{Loc, Func, Tensor};
/// let mut f = Func::new("weights");
/// let w = f.constant(Tensor::from_vec([4], vec![1.0f32, 2.0, 3.0, 4.0])?, Loc::UNKNOWN);
/// f.add_output("w", w);
/// assert_eq!(kiln_stablehlo::lift_constants(&f, 16).inputs.len(), 1);
/// assert_eq!(kiln_stablehlo::lift_constants(&f, 17).inputs.len(), 0);
/// # Ok::<(), kiln_ir::TensorError>(())
/// ```
pub fn lift_constants(func: &Func, min_bytes: usize) -> Func {
    let mut out = Func::new(func.name.clone());
    let mut map: Vec<Option<Value>> = vec![None; func.nodes().len()];
    let mut names: BTreeSet<String> = func.inputs.iter().map(|i| i.name.clone()).collect();
    for input in &func.inputs {
        let value = out.add_input(input.name.clone(), input.ty.clone(), input.kind.clone(), input.loc.clone());
        map[input.node.index()] = Some(value);
    }
    for (id, node) in func.iter() {
        let Op::Constant(t) = &node.op else { continue };
        if t.bytes().len() < min_bytes {
            continue;
        }
        let base = node.name.as_deref().unwrap_or("constant").to_owned();
        let numbered = (1..).map(|i| format!("{base}_{i}"));
        let name = std::iter::once(base.clone()).chain(numbered).find(|n| !names.contains(n)).unwrap_or(base);
        names.insert(name.clone());
        let kind = InputKind::Variable(Initializer::Value(t.clone()));
        map[id.index()] = Some(out.add_input(name, t.ty(), kind, node.loc.clone()));
    }
    let renamed = |map: &[Option<Value>], v: Value| {
        let first = map[v.node.index()].expect("operands come before their users");
        Value { node: first.node, result: v.result }
    };
    for (id, node) in func.iter() {
        if map[id.index()].is_none() {
            let operands = node.operands.iter().map(|v| renamed(&map, *v)).collect();
            map[id.index()] = Some(out.push_raw(Node { operands, ..node.clone() }).into());
        }
    }
    let output = |o: &Output| Output { value: renamed(&map, o.value), ..o.clone() };
    out.outputs = func.outputs.iter().map(output).collect();
    out
}
