//! How operands are described in diagnostics.

use kiln_ir::{Diagnostic, Func, InputKind, Loc, Op, Value};

/// File and line, as `src/model.rs:40`.
pub(crate) fn line_of(loc: &Loc) -> String {
    match (loc.file(), loc.line()) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => loc.to_string(),
    }
}

/// What a value is, its type, and where it was made: `variable "w2" f32[256, 10] from src/model.rs:33`.
pub(crate) fn describe(func: &Func, v: Value) -> String {
    let node = func.node(v.node);
    let what = match (&node.op, &node.name) {
        (Op::Parameter(i), name) => {
            let kind = match func.inputs.get(*i as usize).map(|i| &i.kind) {
                Some(InputKind::Variable(_)) => "variable ",
                Some(InputKind::Feed) | None => "",
            };
            format!("{kind}\"{}\"", name.as_deref().unwrap_or("parameter"))
        }
        (op, Some(name)) => format!("\"{name}\" ({})", op.name()),
        (op, None) => format!("\"{}\"", op.name()),
    };
    format!("{what} {} from {}", func.ty(v), line_of(&node.loc))
}

/// Adds a note for every operand: `left` and `right` for two, otherwise numbered.
pub(crate) fn add_operand_notes(mut d: Diagnostic, func: &Func, operands: &[Value]) -> Diagnostic {
    for (i, v) in operands.iter().enumerate() {
        let key = match (operands.len(), i) {
            (1, _) => "operand".to_owned(),
            (2, 0) => "left".to_owned(),
            (2, _) => "right".to_owned(),
            (_, i) => format!("operand {i}"),
        };
        d = d.note(key, describe(func, *v));
    }
    d
}
