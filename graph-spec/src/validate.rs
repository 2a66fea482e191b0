//! What a valid table satisfies.

use crate::attribute::{Attribute, AttributeType, Default};
use crate::expr::{Expr, Variable};
use crate::{Accuracy, Class, Cost, Operator, Spec, dtypes_of};
use std::collections::BTreeSet;

/// Facts without an argument.
const PLAIN_FACTS: [&str; 8] =
    ["commutative", "associative", "associative(int)", "idempotent", "involution", "monotone", "odd", "even"];
/// Facts with one.
const FACTS: [&str; 3] = ["identity", "absorbing", "range"];
/// Values that identity and absorbing elements may have.
const ELEMENTS: [&str; 6] = ["0", "-0", "1", "all ones", "lowest", "highest"];

/// Everything that is wrong with the table.
pub fn problems(spec: &Spec) -> Vec<String> {
    let mut all = Vec::new();
    for (name, op) in spec.ops() {
        all.extend(operator(name, op).into_iter().map(|p| format!("{name}: {p}")));
        all.extend(attributes(spec, &op.attributes).into_iter().map(|p| format!("{name}: {p}")));
        let mut names = BTreeSet::new();
        let twice = spec.attributes(op).into_iter().filter(|a| !names.insert(&a.name));
        all.extend(twice.map(|a| format!("{name}: attribute {} twice", a.name)));
    }
    for (name, record) in spec.records() {
        all.extend(attributes(spec, &record.attributes).into_iter().map(|p| format!("{name}: {p}")));
    }
    for (name, words) in spec.enums() {
        let known = |of: &Option<String>| of.as_ref().is_none_or(|of| of != name && !spec.words(of).is_empty());
        all.extend(
            words.values.iter().filter(|w| !known(&w.of)).map(|w| format!("{name}: unknown enum of {}", w.name)),
        );
    }
    all
}

/// What is wrong with the attributes of an operator or record.
fn attributes(spec: &Spec, attributes: &[Attribute]) -> Vec<String> {
    let mut p = Vec::new();
    for (i, a) in attributes.iter().enumerate() {
        let mut check = |ok: bool, text: &str| {
            if !ok {
                p.push(format!("attribute {}: {text}", a.name));
            }
        };
        check(a.fields().len() == a.ty.fields(), "one field per part of the type");
        let record = matches!(a.ty, AttributeType::Record(_));
        check(record || !a.doc.is_empty(), "no doc");
        let known = match &a.ty {
            AttributeType::Enum(name) => !spec.words(name).is_empty(),
            AttributeType::Record(name) => spec.record(name).is_some(),
            _ => true,
        };
        check(known, "unknown enum or record");
        let default = match (&a.default, &a.ty) {
            (None, _) | (Some(Default::None), AttributeType::DType | AttributeType::Function) => true,
            (Some(Default::Empty), AttributeType::Axes | AttributeType::AxesPair) => true,
            (Some(Default::Number(_)), AttributeType::Int) => true,
            (Some(Default::Zeros(like)), AttributeType::Ints) => attributes[..i].iter().any(|b| b.name == *like),
            _ => false,
        };
        check(default, "its type has no such default");
        let annotation = matches!(a.ty, AttributeType::Type | AttributeType::Shape | AttributeType::DType);
        check(a.annotated.is_none() || annotation, "no type of a result says it");
        let word = |w: &String| matches!(&a.ty, AttributeType::Enum(name) if spec.words(name).contains(&w.as_str()));
        check(a.fixed.as_ref().is_none_or(word), "it is fixed to an unknown word");
        let last = !a.ty.holds_functions() || attributes[i..].iter().all(|b| b.ty.holds_functions());
        check(last, "functions come last");
    }
    p
}

/// Reads an entry of `numeric`.
pub fn accuracy(text: &str) -> Option<Accuracy> {
    Some(match text {
        "exact" => Accuracy::Exact,
        "rounded" => Accuracy::Rounded,
        "via f32" => Accuracy::ViaF32,
        "reduction" => Accuracy::Reduction,
        "as the body" | "as the branch" => Accuracy::AsNested,
        other => match other.strip_suffix("ulp norm") {
            Some(n) => Accuracy::NormUlp(n.parse().ok()?),
            None => Accuracy::Ulp(other.strip_suffix("ulp")?.parse().ok()?),
        },
    })
}

fn operator(name: &str, op: &Operator) -> Vec<String> {
    let mut p = Vec::new();
    let mut check = |ok: bool, text: String| {
        if !ok {
            p.push(text);
        }
    };
    check(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "bad name".into());
    check(op.doc.ends_with('.'), "the doc is a sentence".into());
    let mut labels = BTreeSet::new();
    for c in &op.constraints {
        check(labels.insert(&c.label), format!("label {} twice", c.label));
        let number = c.label.strip_prefix(['C', 'I', 'R']).and_then(|n| n.parse::<u32>().ok());
        check(number.is_some() && c.label != "I0", format!("bad label {}", c.label));
    }
    for fact in &op.facts {
        let argument = fact.split_once('(').map(|(f, a)| (f, a.split(')').next().unwrap_or("")));
        let known = PLAIN_FACTS.contains(&fact.as_str())
            || argument.is_some_and(|(f, a)| FACTS.contains(&f) && (f == "range" || ELEMENTS.contains(&a)));
        check(known, format!("unknown fact {fact}"));
    }
    for (key, value) in &op.numeric {
        check(dtypes_of(key).is_some(), format!("unknown dtype {key}"));
        check(accuracy(value).is_some(), format!("unknown accuracy {value}"));
    }
    check(!op.numeric.is_empty(), "no accuracy".into());
    match op.class {
        Class::Unary | Class::Binary => elementwise(op, &mut check),
        _ => structural(op, &mut check),
    }
    p
}

fn elementwise(op: &Operator, check: &mut impl FnMut(bool, String)) {
    let arity = op.arity().unwrap_or(0);
    let classes = op.type_classes();
    check(!classes.is_empty() && classes.iter().all(|c| dtypes_of(c).is_some()), format!("bad types {:?}", op.types));
    for dtype in classes.iter().filter_map(|c| dtypes_of(c)).flatten() {
        check(op.accuracy(dtype).is_some(), format!("no accuracy for {dtype}"));
    }
    check(op.result.as_deref().is_none_or(|r| crate::DTYPES.contains(&r)), "bad result type".into());
    check(
        op.operands.is_empty() && op.attributes.is_empty() && op.gradient.is_none(),
        "fields of other classes".into(),
    );
    match op.scalar.as_deref().map(Expr::parse) {
        Some(Ok(e)) => {
            let uses = |v| e.uses(v);
            check(
                uses(Variable::X) && uses(Variable::Y) == (arity == 2) && !uses(Variable::R) && !uses(Variable::T),
                "`scalar` of x, y".into(),
            );
        }
        Some(Err(e)) => check(false, format!("scalar: {e}")),
        None => check(false, "no `scalar`".into()),
    }
    check(op.deriv.is_empty() || op.deriv.len() == arity, "one derivative per operand".into());
    for d in &op.deriv {
        match Expr::parse(d) {
            Ok(e) => check(e.uses(Variable::T) || e == Expr::Number(0.0), format!("deriv: `{d}` makes nothing of t")),
            Err(e) => check(false, format!("deriv: {e}")),
        }
    }
    match &op.cost {
        Some(Cost::Any(_)) => {}
        Some(Cost::ByType(by)) => {
            check(by.contains_key("any") && by.keys().all(|k| dtypes_of(k).is_some()), "bad `cost`".into());
        }
        None => check(false, "no `cost`".into()),
    }
    check(op.builder.is_some(), "no `builder`: how is it written?".into());
    let dialect = |n: &String| n.starts_with("stablehlo.") || n.starts_with("chlo.");
    check(op.stablehlo.iter().flatten().all(dialect), "names in `stablehlo` begin with their dialect".into());
    match &op.example {
        None => check(false, "no example".into()),
        Some(e) => {
            let n = e.inputs_data.first().map_or(0, Vec::len);
            let fits = e.inputs_data.len() == arity && e.outputs_data.len() == 1;
            let even = e.inputs_data.iter().chain(&e.outputs_data).all(|d| d.len() == n);
            check(fits && even && e.op.is_none(), "the example does not fit".into());
        }
    }
}

fn structural(op: &Operator, check: &mut impl FnMut(bool, String)) {
    let none = op.scalar.is_none()
        && op.cost.is_none()
        && op.builder.is_none()
        && op.stablehlo.is_none()
        && op.deriv.is_empty()
        && op.types.is_none()
        && op.result.is_none();
    check(none, "fields of elementwise operators".into());
    check(op.gradient.is_some() && op.results.is_some(), "`gradient` and `results` are needed".into());
    for o in &op.operands {
        let types = o.types.split('|').map(str::trim);
        let fine = types.clone().all(|t| dtypes_of(t.split('[').next().unwrap_or("")).is_some());
        check(fine, format!("bad types of operand {}", o.name));
    }
    if let Some(e) = &op.example {
        check(e.op.is_some() && e.inputs.len() == e.inputs_data.len(), "the example does not fit".into());
        check(e.outputs_data.len() == 1, "examples have one result".into());
    }
}
