//! `grad`: the gradients of the float outputs with respect to the float inputs, given cotangents as further inputs.

use super::{function, problems};
use crate::file::TestFile;
use crate::{Outcome, Problem};
use kiln_ir::{DType, Diagnostics, Func, InputKind, Loc, Output, OutputKind, UnusedInputs, Value, text};

pub(super) fn run(file: &TestFile) -> Result<Outcome, String> {
    let gradients = function(file).and_then(|f| with_gradients(f).map_err(problems));
    Ok(gradients.and_then(|f| match kiln_ir::verify::verify(&f) {
        Ok(_) => Ok(text::print(&f)),
        Err(d) => Err(vec![Problem { line: 0, text: format!("the gradient is no function: {d}") }]),
    }))
}

fn with_gradients(mut func: Func) -> Result<Func, Diagnostics> {
    let smooth = |dtype: DType| dtype.is_float() || dtype.is_complex();
    let wrt: Vec<(String, Value)> =
        (func.inputs.iter()).filter(|i| smooth(i.ty.dtype)).map(|i| (format!("d_{}", i.name), i.node.into())).collect();
    let outputs: Vec<(String, Value)> = (func.outputs.iter())
        .filter(|o| smooth(func.ty(o.value).dtype))
        .map(|o| (format!("ct_{}", o.name), o.value))
        .collect();
    let pairs: Vec<(Value, Value)> = outputs
        .into_iter()
        .map(|(name, y)| {
            let ty = func.ty(y).clone();
            (y, func.add_input(name, ty, InputKind::Feed, Loc::UNKNOWN))
        })
        .collect();
    let values: Vec<Value> = wrt.iter().map(|w| w.1).collect();
    let found = kiln_autodiff::vjp(&mut func, &pairs, &values)?;
    let given = wrt.into_iter().zip(found).filter_map(|((name, _), value)| Some((name, value?)));
    let fetches: Vec<Output> = given.map(|(name, value)| Output { name, value, kind: OutputKind::Fetch }).collect();
    Ok(func.with_outputs(fetches, UnusedInputs::Keep))
}
