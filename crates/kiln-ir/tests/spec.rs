//! The operator table and the IR describe the same operators.

use kiln_ir::text::{parse, parse_all, print};
use kiln_ir::{BinaryOp, DType, Func, UnaryOp};
use std::collections::BTreeSet;

fn names(f: &Func, out: &mut BTreeSet<String>) {
    for n in f.nodes() {
        out.insert(n.op.name().to_string());
        n.op.regions().into_iter().for_each(|r| names(r, out));
    }
}

#[test]
fn the_table_lists_every_operator() {
    let mut ours = BTreeSet::new();
    parse_all("", include_str!("../../../tests/filetests/files/roundtrip/all_ops.kir"))
        .expect("parses")
        .iter()
        .for_each(|f| names(f, &mut ours));
    let listed: BTreeSet<String> = kiln_spec::load().ops().map(|(name, _)| name.to_string()).collect();
    assert_eq!(ours, listed);
}

#[test]
fn every_example_is_a_valid_function_of_its_operator() {
    for (name, op) in kiln_spec::load().ops() {
        let Some(text) = op.example_function(name) else {
            assert!(op.example.is_none(), "{name}: the example gives no function");
            continue;
        };
        let f = parse(&text).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
        assert!(f.nodes().iter().any(|n| n.op.name() == name), "{name}: {text}");
        assert_eq!(parse(&print(&f)).expect("parses back"), f);
    }
}

#[test]
fn generated_tables_say_what_the_table_says() {
    let spec = kiln_spec::load();
    let scalar = (UnaryOp::ALL.iter().map(|u| (u.name(), u.operand_types(), u.result_dtype())))
        .chain(BinaryOp::ALL.iter().map(|b| (b.name(), b.operand_types(), b.result_dtype())));
    for (name, types, result) in scalar {
        let op = spec.op(name).expect("listed");
        for dtype in DType::ALL {
            let listed =
                op.type_classes().iter().filter_map(|c| kiln_spec::dtypes_of(c)).any(|d| d.contains(&dtype.name()));
            assert_eq!(types.contains(dtype), listed, "{name} on {dtype}");
            assert!(!listed || op.accuracy(dtype.name()).is_some(), "{name} on {dtype} has no accuracy");
        }
        assert_eq!(result.map(DType::name), op.result.as_deref());
    }
    for b in BinaryOp::ALL {
        let op = spec.op(b.name()).expect("listed");
        assert_eq!(b.is_commutative(), op.has("commutative"));
        assert_eq!(b.associative_types().contains(DType::F32), op.has("associative"));
        assert_eq!(b.identity().is_some(), op.fact_argument("identity").is_some());
    }
}
