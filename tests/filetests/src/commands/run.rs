//! `interpret` and `run`: the outputs for the inputs that the file gives. A file may name both, which then have to agree.

use super::function;
use crate::file::TestFile;
use crate::{Outcome, Problem};
use kiln::prelude::*;
use kiln_ir::{Func, Loc, Tensor, text};

/// By the reference interpreter.
pub(super) fn interpret(file: &TestFile) -> Result<Outcome, String> {
    with_inputs(file, |func, inputs| kiln_interp::eval(func, inputs).map_err(|e| e.to_string()))
}

/// By compiled code, on one thread.
pub(super) fn compiled(file: &TestFile) -> Result<Outcome, String> {
    with_inputs(file, |func, inputs| {
        let exe = Compiler::cpu().threads(1).compile_func(func.clone()).map_err(|e| e.to_string())?;
        let feeds: Vec<(&str, &Tensor)> = func.inputs.iter().map(|i| i.name.as_str()).zip(inputs).collect();
        exe.run(&feeds).map(Outputs::into_vec).map_err(|e| e.to_string())
    })
}

fn with_inputs(
    file: &TestFile,
    evaluate: impl Fn(&Func, &[Tensor]) -> Result<Vec<Tensor>, String>,
) -> Result<Outcome, String> {
    let func = match function(file) {
        Ok(f) => f,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let mut inputs = Vec::new();
    for input in &func.inputs {
        let given = file.inputs.iter().find(|(name, _)| *name == input.name);
        let (_, text) = given.ok_or_else(|| format!("there is no line `// in {} = ...`", input.name))?;
        inputs.push(literal(text)?);
    }
    if file.inputs.len() != inputs.len() {
        return Err("a line `// in ...` names no input".into());
    }
    let outputs = evaluate(&func, &inputs).map_err(|text| vec![Problem { line: 0, text }]);
    Ok(outputs.map(|outputs| {
        let name = |i: usize| Some(func.outputs[i].name.as_str()).filter(|n| !n.is_empty());
        let lines = outputs.iter().enumerate();
        lines.map(|(i, t)| format!("{} = {}\n", name(i).unwrap_or("result"), printed(t))).collect()
    }))
}

/// A tensor from `LITERAL : TYPE`, as constants are written.
fn literal(text: &str) -> Result<Tensor, String> {
    let ty = text.rsplit_once(" : ").ok_or("an input is written `LITERAL : TYPE`")?.1;
    let text = format!("func @v() -> ({ty}) {{\n  %0 = constant {text}\n  return %0\n}}\n");
    let func = kiln_ir::text::parse(&text).map_err(|d| d.to_string())?;
    let values = kiln_interp::eval(&func, &[]).map_err(|e| e.to_string())?;
    values.into_iter().next().ok_or_else(|| "an input has one value".to_owned())
}

fn printed(value: &Tensor) -> String {
    let mut func = Func::new("v");
    let v = func.constant(value.clone(), Loc::UNKNOWN);
    func.add_output("v", v);
    let text = text::print(&func);
    let line = text.lines().find_map(|l| l.trim().split_once(" = constant ")).map(|(_, literal)| literal.to_owned());
    line.unwrap_or_default()
}
