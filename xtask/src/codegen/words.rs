//! The words that attributes may be.

use super::camel;
use kiln_spec::{Spec, Words};
use std::fmt::Write as _;

/// Rust code of the enums.
pub fn generate(spec: &Spec) -> String {
    let mut out = String::from(
        "//! Attributes that are one word of a few. Derived from `graph-spec/ops.toml`.\n\n\
         use crate::op::Word;\nuse serde::{Deserialize, Serialize};\n\n",
    );
    for (name, words) in spec.enums() {
        enumeration(&mut out, spec, name, words);
    }
    out
}

fn enumeration(out: &mut String, spec: &Spec, name: &str, words: &Words) {
    let derives = "Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize";
    let _ = writeln!(out, "/// {}\n#[derive({derives})]\npub enum {name} {{", words.doc);
    for word in &words.values {
        let payload = word.of.as_ref().map_or(String::new(), |of| format!("({of})"));
        let _ = writeln!(out, "/// {}\n{}{payload},", word.doc, camel(&word.name));
    }
    let all = values(spec, name);
    let _ = writeln!(
        out,
        "}}\n\nimpl {name} {{\n/// Every value.\npub const ALL: [{name}; {}] = [{}];\n",
        all.len(),
        all.join(", ")
    );
    out.push_str("/// The word in the text form.\npub const fn name(self) -> &'static str {\nmatch self {\n");
    for word in &words.values {
        let variant = camel(&word.name);
        let _ = match word.of {
            Some(_) => writeln!(out, "{name}::{variant}(word) => word.name(),"),
            None => writeln!(out, "{name}::{variant} => \"{}\",", word.name),
        };
    }
    let _ = writeln!(
        out,
        "}}\n}}\n}}\n\nimpl Word for {name} {{\nconst WHAT: &'static str = \"{}\";\nconst WORDS: &'static [{name}] = &{name}::ALL;\n\
         fn word(self) -> &'static str {{\nself.name()\n}}\n}}\n",
        words.what
    );
}

/// Every value as an expression.
fn values(spec: &Spec, name: &str) -> Vec<String> {
    let words = spec.enums().find(|(n, _)| *n == name).map_or(&[][..], |(_, w)| &w.values);
    let value = |w: &kiln_spec::attribute::Word| match &w.of {
        Some(of) => values(spec, of).into_iter().map(|v| format!("{name}::{}({v})", camel(&w.name))).collect(),
        None => vec![format!("{name}::{}", camel(&w.name))],
    };
    words.iter().flat_map(value).collect()
}
