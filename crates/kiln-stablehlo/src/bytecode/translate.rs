//! Operators of VHLO as StableHLO's: names without versions, attributes put together as StableHLO has them.

use super::values::as_list;
use crate::ast::{Attr, Operation, Type};
use std::collections::BTreeMap;

type Attrs = BTreeMap<String, Attr>;

/// The operator of this name (`add_v1`) in StableHLO, with its attributes; what is wrong with them.
pub(super) fn translate(op: &mut Operation, name: &str, in_function: bool) -> Result<(), String> {
    let short = without_version(name);
    op.name = match short {
        "func" | "call" => format!("func.{short}"),
        "return" if in_function => "func.return".into(),
        other => format!("stablehlo.{other}"),
    };
    let attrs = &mut op.attrs;
    if short != "constant" {
        for value in attrs.values_mut() {
            *value = as_list(std::mem::replace(value, Attr::Unit));
        }
    }
    attrs.remove("result_accuracy");
    match short {
        "call" => symbol(attrs, "callee"),
        "composite" => symbol(attrs, "decomposition"),
        "custom_call" => {
            if let Some(Attr::List(list)) = attrs.get_mut("called_computations") {
                list.iter_mut().for_each(to_symbol);
            }
        }
        "compare" if matches!(attrs.get("compare_type"), Some(Attr::Word(w)) if w == "NOTYPE") => {
            attrs.remove("compare_type");
        }
        "dot_general" => {
            let dims = [
                "lhs_batching_dimensions",
                "rhs_batching_dimensions",
                "lhs_contracting_dimensions",
                "rhs_contracting_dimensions",
            ];
            gathered(attrs, "dot_dimension_numbers", &dims);
            algorithm(attrs);
        }
        "gather" | "dynamic_gather" => {
            let dims = [
                "offset_dims",
                "collapsed_slice_dims",
                "operand_batching_dims",
                "start_indices_batching_dims",
                "start_index_map",
                "index_vector_dim",
            ];
            gathered(attrs, "dimension_numbers", &dims);
        }
        "scatter" => {
            let dims = [
                "update_window_dims",
                "inserted_window_dims",
                "input_batching_dims",
                "scatter_indices_batching_dims",
                "scatter_dims_to_operand_dims",
                "index_vector_dim",
            ];
            gathered(attrs, "scatter_dimension_numbers", &dims);
        }
        "convolution" | "dynamic_conv" => {
            if name == "dynamic_conv_v1" {
                // Superseded by the operand.
                attrs.remove("padding");
            }
            convolution(attrs)?;
        }
        _ => {}
    }
    Ok(())
}

/// `add` of `add_v1`.
fn without_version(name: &str) -> &str {
    match name.rsplit_once("_v") {
        Some((short, version)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => short,
        _ => name,
    }
}

fn to_symbol(attr: &mut Attr) {
    if let Attr::Str(name) = attr {
        *attr = Attr::Symbol(std::mem::take(name));
    }
}

fn symbol(attrs: &mut Attrs, key: &str) {
    if let Some(attr) = attrs.get_mut(key) {
        to_symbol(attr);
    }
}

/// Moves attributes into the fields of one.
fn gathered(attrs: &mut Attrs, key: &str, fields: &[&str]) {
    let taken = fields.iter().filter_map(|f| Some(((*f).to_owned(), attrs.remove(*f)?))).collect();
    attrs.insert(key.into(), Attr::Dict(taken));
}

/// The algorithm of a dot, whose fields are of type none where there is none.
fn algorithm(attrs: &mut Attrs) {
    let fields = [
        "lhs_precision_type",
        "rhs_precision_type",
        "accumulation_type",
        "lhs_component_count",
        "rhs_component_count",
        "num_primitive_operations",
        "allow_imprecise_accumulation",
    ];
    gathered(attrs, "algorithm", &fields);
    let none = |a: &Attr| matches!(a, Attr::Type(Type::Other(name)) if name == "none");
    if matches!(attrs.get("algorithm"), Some(Attr::Dict(d)) if d.values().all(none)) {
        attrs.remove("algorithm");
    }
}

/// The nine numbers and lists of a convolution's dimensions as three lists of words (`[b, 0, 1, f]`).
fn convolution(attrs: &mut Attrs) -> Result<(), String> {
    let mut parts = BTreeMap::new();
    for (part, first, second) in [
        ("input", ("batch", "b"), ("feature", "f")),
        ("kernel", ("input_feature", "i"), ("output_feature", "o")),
        ("output", ("batch", "b"), ("feature", "f")),
    ] {
        let spatial = attrs.remove(&format!("{part}_spatial_dimensions")).and_then(|a| a.as_ints()).unwrap_or_default();
        let mut places: Vec<(i64, String)> = spatial.into_iter().zip((0..).map(|i: usize| i.to_string())).collect();
        for (name, word) in [first, second] {
            let key = format!("{part}_{name}_dimension");
            let place = attrs.remove(&key).and_then(|a| a.as_int());
            places.push((place.ok_or(format!("attribute `{key}` is missing"))?, word.to_owned()));
        }
        places.sort_unstable();
        if places.iter().zip(0..).any(|((place, _), at)| *place != at) {
            return Err(format!("the dimensions of the convolution's {part} are no permutation"));
        }
        parts.insert(part.to_owned(), Attr::List(places.into_iter().map(|(_, word)| Attr::Word(word)).collect()));
    }
    attrs.insert("dimension_numbers".into(), Attr::Dict(parts));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_off() {
        assert_eq!(without_version("add_v1"), "add");
        assert_eq!(without_version("cross-replica-sum_v12"), "cross-replica-sum");
        assert_eq!(without_version("a_vb"), "a_vb");
        assert_eq!(without_version("a_v"), "a_v");
    }

    #[test]
    fn dimensions_of_a_convolution_are_words() {
        let mut attrs = Attrs::new();
        for (part, one, two) in [
            ("input", "batch", "feature"),
            ("kernel", "input_feature", "output_feature"),
            ("output", "batch", "feature"),
        ] {
            attrs.insert(format!("{part}_{one}_dimension"), Attr::Int(3));
            attrs.insert(format!("{part}_{two}_dimension"), Attr::Int(0));
            attrs.insert(format!("{part}_spatial_dimensions"), Attr::List(vec![Attr::Int(2), Attr::Int(1)]));
        }
        let mut twice = attrs.clone();
        convolution(&mut attrs).expect("a permutation");
        let Some(Attr::Dict(parts)) = attrs.get("dimension_numbers") else { panic!("no dimension numbers") };
        let words = |w: &[&str]| Attr::List(w.iter().map(|w| Attr::Word((*w).to_owned())).collect());
        assert_eq!(parts["input"], words(&["f", "1", "0", "b"]));
        assert_eq!(parts["kernel"], words(&["o", "1", "0", "i"]));
        twice.insert("output_batch_dimension".into(), Attr::Int(0));
        assert!(convolution(&mut twice).is_err());
    }
}
