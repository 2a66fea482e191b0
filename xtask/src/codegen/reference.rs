//! The operator reference, for people.

use kiln_spec::{Accuracy, Attribute, AttributeType, Class, DTYPES, Operator, Spec};
use std::fmt::Write as _;

/// The heading of a class.
fn title(class: Class) -> &'static str {
    match class {
        Class::Source => "Sources",
        Class::Unary => "Elementwise operators of one operand",
        Class::Binary => "Elementwise operators of two operands",
        Class::Elementwise => "Other elementwise operators",
        Class::Movement => "Data movement",
        Class::Contraction => "Contractions",
        Class::Reduction => "Reductions and windows",
        Class::Indexing => "Indexing",
        Class::Control => "Control flow",
        Class::Random => "Random numbers",
        Class::Barrier => "Barriers",
    }
}

/// The operator reference, for people.
pub fn generate(spec: &Spec) -> String {
    let mut out = String::from(
        "# Operator reference\n\n\
         <!-- Derived from graph-spec/ops.toml by `cargo xtask codegen`. Do not edit. -->\n\n\
         Operators follow StableHLO in name and meaning. Constraints carry labels that begin the codes of diagnostics, such as\n\
         `slice.C3`; every operator also has `I0` (number of operands), `D1` (a size that is not linear in the named dimensions),\n\
         `D2` (a size that is negative or too large) and `D3` (a name that is no identifier). Accuracy is explained in\n\
         [numerics](../graph-spec/numerics.md), the text form in [grammar](../graph-spec/grammar.md).\n\n",
    );
    for class in Class::ALL {
        let links: Vec<String> = spec.of_class(class).map(|(name, _)| format!("[{name}](#{name})")).collect();
        let _ = writeln!(out, "- {}: {}", title(class), links.join(", "));
    }
    for class in Class::ALL {
        let _ = writeln!(out, "\n## {}", title(class));
        for (name, op) in spec.of_class(class) {
            let _ = writeln!(out, "\n### {name}\n\n{}\n", op.doc);
            entry(&mut out, spec, name, op);
        }
    }
    out
}

fn entry(out: &mut String, spec: &Spec, name: &str, op: &Operator) {
    if let Some(types) = &op.types {
        let result = op.result.as_ref().map(|r| format!("; result `{r}`")).unwrap_or_default();
        let _ = writeln!(out, "- Types: `{types}`{result}");
    }
    if !op.operands.is_empty() {
        let operands: Vec<String> = op.operands.iter().map(|o| format!("`{}`: {}", o.name, o.types)).collect();
        let _ = writeln!(out, "- Operands: {}", operands.join("; "));
    }
    for a in spec.attributes(op).into_iter().filter(|a| a.fixed.is_none()) {
        let _ = writeln!(out, "- Attribute `{}` ({}): {}", a.name, form(spec, a), a.doc);
    }
    if let Some(results) = &op.results {
        let _ = writeln!(out, "- Results: {results}");
    }
    if let Some(scalar) = &op.scalar {
        let _ = writeln!(out, "- Meaning: `{scalar}`");
    }
    match (&op.gradient, op.deriv.as_slice()) {
        (Some(text), _) => {
            let _ = writeln!(out, "- Derivative: {text}");
        }
        (None, []) => out.push_str("- Derivative: none\n"),
        (None, exprs) => {
            let exprs: Vec<String> = exprs.iter().map(|e| format!("`{e}`")).collect();
            let _ = writeln!(out, "- Derivative: {}", exprs.join(", "));
        }
    }
    let _ = writeln!(out, "- Accuracy: {}", accuracies(op));
    if let Some(builder) = &op.builder {
        let _ = writeln!(out, "- Builder: `{builder}`");
    }
    if !op.facts.is_empty() {
        let _ = writeln!(out, "- Facts: {}", op.facts.join(", "));
    }
    for c in &op.constraints {
        let _ = writeln!(out, "- `{name}.{}`: {}", c.label, c.text.replace('|', "\\|"));
    }
    if let Some(text) = op.example_function(name) {
        let data = |d: &[Vec<kiln_spec::Number>]| {
            let one = |v: &Vec<kiln_spec::Number>| {
                format!("[{}]", v.iter().map(|n| n.0.to_string()).collect::<Vec<_>>().join(", "))
            };
            d.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let e = op.example.as_ref().expect("it has an example function");
        let _ = writeln!(out, "\n```text\n{text}```\n");
        match e.inputs_data.as_slice() {
            [] => {
                let _ = writeln!(out, "gives {}.", data(&e.outputs_data));
            }
            inputs => {
                let _ = writeln!(out, "{} gives {}.", data(inputs), data(&e.outputs_data));
            }
        }
    }
}

/// What an attribute may be: `axes, [] if left out`.
fn form(spec: &Spec, a: &Attribute) -> String {
    let ty = match &a.ty {
        AttributeType::Enum(name) => spec.words(name).join(" | "),
        ty => ty.to_string(),
    };
    match (&a.default, a.annotated) {
        (Some(default), _) => format!("{ty}, {default} if left out"),
        (None, Some(_)) => format!("{ty}, as the result's type says"),
        (None, None) => ty,
    }
}

/// `f32, f64: 2 ulp; f16, bf16: via f32`
fn accuracies(op: &Operator) -> String {
    let text = |a: Accuracy| match a {
        Accuracy::Exact => "exact".to_string(),
        Accuracy::Rounded => "correctly rounded".to_string(),
        Accuracy::Ulp(n) => format!("{n} ulp"),
        Accuracy::ViaF32 => "via f32".to_string(),
        Accuracy::Reduction => "reduction bound".to_string(),
        Accuracy::NormUlp(n) => format!("{n} ULP of the larger part"),
        Accuracy::AsNested => "as the nested functions".to_string(),
    };
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    let defined = |d: &str| {
        op.type_classes().is_empty()
            || op.type_classes().iter().any(|c| kiln_spec::dtypes_of(c).is_some_and(|all| all.contains(&d)))
    };
    for d in DTYPES.into_iter().filter(|d| defined(d)) {
        let Some(a) = op.accuracy(d) else { continue };
        match groups.iter_mut().find(|(t, _)| *t == text(a)) {
            Some((_, members)) => members.push(d),
            None => groups.push((text(a), vec![d])),
        }
    }
    match groups.as_slice() {
        [(one, _)] => one.clone(),
        many => many.iter().map(|(t, d)| format!("{t} ({})", d.join(", "))).collect::<Vec<_>>().join("; "),
    }
}
