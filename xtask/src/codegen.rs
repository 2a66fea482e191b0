//! Everything that is derived from the operator table: `cargo xtask codegen`.

use kiln_spec::{Accuracy, Class, DTYPES, Operator, Spec};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Writes the derived files, or (`check`) compares them with what is there.
///
/// # Errors
/// What could not be written, or which files differ.
pub fn codegen(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no root")?;
    let mut stale = Vec::new();
    for (path, text) in outputs(root)? {
        // A checkout may have other line ends.
        let found = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if found == text {
            continue;
        }
        if check {
            stale.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
        } else {
            std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(format!("out of date, run `cargo xtask codegen`: {}", stale.join(", "))) }
}

fn outputs(root: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let spec = kiln_spec::load();
    Ok(vec![
        (root.join("crates/kiln-ir/src/generated/scalar_ops.rs"), rustfmt(root, &scalar_ops(&spec))?),
        (root.join("docs/operators.md"), reference(&spec)),
    ])
}

fn rustfmt(root: &Path, source: &str) -> Result<String, String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("rustfmt: {e}"))?;
    let mut stdin = child.stdin.take().ok_or("rustfmt takes no input")?;
    stdin.write_all(source.as_bytes()).map_err(|e| format!("rustfmt: {e}"))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(|e| format!("rustfmt: {e}"))?;
    if !output.status.success() {
        return Err(format!("rustfmt failed on generated code: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("rustfmt: {e}"))
}

/// `log_plus_one` as `LogPlusOne`.
fn camel(name: &str) -> String {
    let word = |w: &str| w[..1].to_uppercase() + &w[1..];
    name.split('_').filter(|w| !w.is_empty()).map(word).collect()
}

/// Rust code of the elementwise operators and their tables.
fn scalar_ops(spec: &Spec) -> String {
    let mut out = String::from(
        "//! Elementwise operators and what is known of them. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::dtype::{DType, DTypeSet};\nuse serde::{Deserialize, Serialize};\n\n\
         /// A special element of a dtype.\n\
         #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]\npub enum SpecialElement {\n\
         /// 0 or false. As the identity of a float sum it turns -0 into +0; only -0 keeps every bit.\nZero,\n\
         /// 1 or true.\nOne,\n\
         /// Every bit one: -1, the largest unsigned integer, true.\nAllOnes,\n\
         /// The smallest value: -infinity, the smallest integer, false.\nLowest,\n\
         /// The largest value: infinity, the largest integer, true.\nHighest,\n}\n\n",
    );
    for (class, name, doc) in [
        (Class::Unary, "UnaryOp", "Elementwise operators of one operand."),
        (Class::Binary, "BinaryOp", "Elementwise operators of two operands of the same type."),
    ] {
        let ops: Vec<(&str, &Operator)> = spec.of_class(class).collect();
        enumeration(&mut out, name, doc, &ops);
        let _ = writeln!(out, "impl {name} {{");
        names(&mut out, name, &ops);
        let types = |o: &Operator| type_set(o);
        table(&mut out, name, &ops, "operand_types", "DTypeSet", "The element types that operands may have.", types);
        let result = |o: &Operator| o.result.as_deref().map_or("None".into(), |r| format!("Some(DType::{})", dtype(r)));
        let doc = "The element type of the result, if it is not that of the operands.";
        table(&mut out, name, &ops, "result_dtype", "Option<DType>", doc, result);
        facts(&mut out, class, name, &ops);
        out.push_str("}\n\n");
    }
    out
}

fn enumeration(out: &mut String, name: &str, doc: &str, ops: &[(&str, &Operator)]) {
    let _ = writeln!(
        out,
        "/// {doc}\n#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]\n\
         #[repr(u8)]\npub enum {name} {{"
    );
    for (op, entry) in ops {
        let _ = writeln!(out, "/// `{op}`: {}\n{},", entry.doc, camel(op));
    }
    out.push_str("}\n\n");
}

fn names(out: &mut String, name: &str, ops: &[(&str, &Operator)]) {
    let all: Vec<String> = ops.iter().map(|(op, _)| format!("{name}::{}", camel(op))).collect();
    let _ = writeln!(
        out,
        "/// Every operator, in declaration order.\npub const ALL: &'static [{name}] = &[{}];\n",
        all.join(", ")
    );
    let _ = writeln!(out, "/// The StableHLO name.\npub const fn name(self) -> &'static str {{\nmatch self {{");
    for (op, _) in ops {
        let _ = writeln!(out, "{name}::{} => \"{op}\",", camel(op));
    }
    out.push_str("}\n}\n\n");
}

/// A method that gives a value per operator; operators of one value share an arm.
fn table(
    out: &mut String,
    name: &str,
    ops: &[(&str, &Operator)],
    method: &str,
    ty: &str,
    doc: &str,
    value: impl Fn(&Operator) -> String,
) {
    let _ = writeln!(out, "/// {doc}\npub const fn {method}(self) -> {ty} {{\nmatch self {{");
    let mut arms: Vec<(String, Vec<String>)> = Vec::new();
    for (op, entry) in ops {
        let (v, pattern) = (value(entry), format!("{name}::{}", camel(op)));
        match arms.iter_mut().find(|(w, _)| *w == v) {
            Some((_, patterns)) => patterns.push(pattern),
            None => arms.push((v, vec![pattern])),
        }
    }
    for (v, patterns) in arms {
        let _ = writeln!(out, "{} => {v},", patterns.join(" | "));
    }
    out.push_str("}\n}\n\n");
}

fn facts(out: &mut String, class: Class, name: &str, ops: &[(&str, &Operator)]) {
    let mut flag = |method: &str, fact: &'static str, doc: &str| {
        let with: Vec<String> =
            ops.iter().filter(|(_, o)| o.has(fact)).map(|(op, _)| format!("{name}::{}", camel(op))).collect();
        let body = if with.is_empty() { "false".into() } else { format!("matches!(self, {})", with.join(" | ")) };
        let _ = writeln!(out, "/// {doc}\npub const fn {method}(self) -> bool {{\n{body}\n}}\n");
    };
    if class == Class::Unary {
        flag("is_odd", "odd", "`f(-x)` is `-f(x)`, bit for bit (NaN aside).");
        flag("is_even", "even", "`f(-x)` is `f(x)`, bit for bit.");
        flag("is_involution", "involution", "`f(f(x))` is `x`, bit for bit.");
        flag("is_idempotent", "idempotent", "`f(f(x))` is `f(x)`, bit for bit.");
        flag(
            "is_monotone",
            "monotone",
            "`x <= y` implies `f(x) <= f(y)` for the exact results, where both are defined.",
        );
        return;
    }
    flag("is_commutative", "commutative", "`f(x, y)` is `f(y, x)`, bit for bit (NaN payloads aside).");
    flag("is_idempotent", "idempotent", "`f(x, x)` is `x`, bit for bit.");
    let associative = |o: &Operator| match (o.has("associative"), o.has("associative(int)")) {
        (true, _) => "DTypeSet::ALL".to_string(),
        (false, true) => "DTypeSet::BOOL.or(DTypeSet::INT)".to_string(),
        (false, false) => "DTypeSet::of(&[])".to_string(),
    };
    let doc = "The element types on which `f(f(x, y), z)` is `f(x, f(y, z))`, bit for bit.";
    table(out, name, ops, "associative_types", "DTypeSet", doc, associative);
    let element = |fact: &'static str| {
        move |o: &Operator| match o.fact_argument(fact) {
            Some(v) => format!("Some(SpecialElement::{})", element(v)),
            None => "None".to_string(),
        }
    };
    let doc = "The element `e` for which `f(x, e)` and `f(e, x)` are `x`, if there is one.";
    table(out, name, ops, "identity", "Option<SpecialElement>", doc, element("identity"));
    let doc = "The element `e` for which `f(x, e)` and `f(e, x)` are `e` on bool and ints, if there is one.";
    table(out, name, ops, "absorbing", "Option<SpecialElement>", doc, element("absorbing"));
}

fn element(text: &str) -> &'static str {
    match text {
        "0" => "Zero",
        "1" => "One",
        "all ones" => "AllOnes",
        "lowest" => "Lowest",
        _ => "Highest",
    }
}

fn dtype(name: &str) -> String {
    if name == "bool" { "Bool".into() } else { name.to_uppercase() }
}

fn type_set(op: &Operator) -> String {
    let constant = |class: &str| match class {
        "any" => "DTypeSet::ALL".to_string(),
        "bool" | "signed" | "unsigned" | "int" | "float" | "complex" => format!("DTypeSet::{}", class.to_uppercase()),
        other => format!("DTypeSet::of(&[DType::{}])", dtype(other)),
    };
    let sets: Vec<String> = op.type_classes().into_iter().map(constant).collect();
    sets.into_iter().reduce(|a, b| format!("{a}.or({b})")).unwrap_or_else(|| "DTypeSet::of(&[])".into())
}

const CLASSES: [(Class, &str); 11] = [
    (Class::Source, "Sources"),
    (Class::Unary, "Elementwise operators of one operand"),
    (Class::Binary, "Elementwise operators of two operands"),
    (Class::Elementwise, "Other elementwise operators"),
    (Class::Movement, "Data movement"),
    (Class::Contraction, "Contractions"),
    (Class::Reduction, "Reductions and windows"),
    (Class::Indexing, "Indexing"),
    (Class::Control, "Control flow"),
    (Class::Random, "Random numbers"),
    (Class::Barrier, "Barriers"),
];

/// The operator reference, for people.
fn reference(spec: &Spec) -> String {
    let mut out = String::from(
        "# Operator reference\n\n\
         <!-- Derived from graph-spec/ops.toml by `cargo xtask codegen`. Do not edit. -->\n\n\
         Operators follow StableHLO in name and meaning. Constraints carry labels that begin the codes of diagnostics, such as\n\
         `slice.C3`; every operator also has `I0` (number of operands), `D1` (a size that is not linear in the named dimensions),\n\
         `D2` (a size that is negative or too large) and `D3` (a name that is no identifier). Accuracy is explained in\n\
         [numerics](../graph-spec/numerics.md), the text form in [grammar](../graph-spec/grammar.md).\n\n",
    );
    for (class, title) in CLASSES {
        let links: Vec<String> = spec.of_class(class).map(|(name, _)| format!("[{name}](#{name})")).collect();
        let _ = writeln!(out, "- {title}: {}", links.join(", "));
    }
    for (class, title) in CLASSES {
        let _ = writeln!(out, "\n## {title}");
        for (name, op) in spec.of_class(class) {
            let _ = writeln!(out, "\n### {name}\n\n{}\n", op.doc);
            entry(&mut out, name, op);
        }
    }
    out
}

fn entry(out: &mut String, name: &str, op: &Operator) {
    if let Some(types) = &op.types {
        let result = op.result.as_ref().map(|r| format!("; result `{r}`")).unwrap_or_default();
        let _ = writeln!(out, "- Types: `{types}`{result}");
    }
    if !op.operands.is_empty() {
        let operands: Vec<String> = op.operands.iter().map(|o| format!("`{}`: {}", o.name, o.types)).collect();
        let _ = writeln!(out, "- Operands: {}", operands.join("; "));
    }
    for a in &op.attributes {
        let _ = writeln!(out, "- Attribute `{}` ({}): {}", a.name, a.ty, a.doc);
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

#[cfg(test)]
mod tests {
    /// What is committed is what the table gives.
    #[test]
    fn generated_files_are_current() {
        if let Err(e) = super::codegen(true) {
            panic!("{e}");
        }
    }

    #[test]
    fn names_become_variants() {
        assert_eq!(super::camel("log_plus_one"), "LogPlusOne");
        assert_eq!(super::camel("atan2"), "Atan2");
    }
}
