//! The operator table and the IR describe the same operators.

use kiln_ir::op::{ArgKind, CompareDirection, FftKind, Reducer, RngAlgorithm, ScatterUpdate, TransposeKind, Word};
use kiln_ir::text::{parse, parse_all, print};
use kiln_ir::{BinaryOp, DType, Func, Op, OpKind, Tensor, UnaryOp};
use kiln_spec::attribute::Default;
use kiln_spec::{Accuracy, AttributeType};
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
fn kinds_are_what_the_table_lists() {
    let spec = kiln_spec::load();
    let listed: Vec<&str> = spec.ops().map(|(name, _)| name).collect();
    assert_eq!(OpKind::ALL.iter().map(|k| k.name()).collect::<Vec<_>>(), listed);
    for kind in OpKind::ALL {
        let op = spec.op(kind.name()).expect("listed");
        assert_eq!(OpKind::from_name(kind.name()), Some(*kind));
        assert_eq!(format!("{:?}", kind.class()), format!("{:?}", op.class), "{kind:?}");
        assert_eq!(format!("{:?}", kind.effects()), format!("{:?}", op.effects), "{kind:?}");
        assert_eq!(kind.operand_names(), op.operand_names(), "{kind:?}");
    }
    assert_eq!(OpKind::from_name("frobnicate"), None);
    UnaryOp::ALL.iter().for_each(|u| assert_eq!(u.name(), Op::Unary(*u).name()));
    BinaryOp::ALL.iter().for_each(|b| assert_eq!(b.name(), Op::Binary(*b).name()));
}

#[test]
fn words_are_what_the_table_lists() {
    fn words<T: Word>(name: &str, seen: &mut BTreeSet<String>) {
        let ours: Vec<&str> = T::WORDS.iter().map(|w| w.word()).collect();
        assert_eq!(ours, kiln_spec::load().words(name), "{name}");
        seen.insert(name.to_string());
    }
    let mut seen = BTreeSet::new();
    words::<CompareDirection>("CompareDirection", &mut seen);
    words::<Reducer>("Reducer", &mut seen);
    words::<ScatterUpdate>("ScatterUpdate", &mut seen);
    words::<ArgKind>("ArgKind", &mut seen);
    words::<RngAlgorithm>("RngAlgorithm", &mut seen);
    words::<FftKind>("FftKind", &mut seen);
    words::<TransposeKind>("TransposeKind", &mut seen);
    assert_eq!(seen, kiln_spec::load().enums().map(|(name, _)| name.to_string()).collect());
}

/// Every operator of a function, nested ones too.
fn ops(f: &Func, visit: &mut impl FnMut(&Op)) {
    for n in f.nodes() {
        visit(&n.op);
        n.op.regions().into_iter().for_each(|r| ops(r, visit));
    }
}

/// In the order of the table, and written unless the table says where else they stand.
#[test]
fn attributes_are_those_of_the_table() {
    let spec = kiln_spec::load();
    for f in parse_all("", include_str!("../../../tests/filetests/files/roundtrip/all_ops.kir")).expect("parses") {
        ops(&f, &mut |op| {
            let entry = spec.op(op.name()).expect("listed");
            let mut listed: Vec<_> = spec.attributes(entry);
            listed.retain(|a| a.fixed.is_none());
            let mut functions = 0;
            op.attributes(&mut |a| {
                // Only what is there is shown.
                while listed.first().is_some_and(|l| l.name != a.name && l.default == Some(Default::None)) {
                    listed.remove(0);
                }
                let entry = listed.remove(0);
                assert_eq!(a.name, entry.name, "{}", op.name());
                assert_eq!(a.counts, !entry.inert, "{}.{}", op.name(), a.name);
                let somewhere_else = entry.annotated.is_some() || entry.default.is_some();
                assert!(a.written || somewhere_else, "{}.{}", op.name(), a.name);
                assert!(!(a.written && entry.annotated.is_some()), "{}.{}", op.name(), a.name);
                functions += usize::from(entry.ty == AttributeType::Function);
            });
            assert!(listed.iter().all(|l| l.default == Some(Default::None)), "{}: {listed:?}", op.name());
            assert!(op.regions().len() >= functions);
            let mut copy = op.clone();
            assert_eq!(copy.regions_mut().len(), op.regions().len());
            let mut dims = Vec::new();
            copy.for_each_dim(&mut |d| dims.push(d.clone()));
            assert!(op.dims().into_iter().eq(&dims), "{}", op.name());
        });
    }
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
        assert_eq!(b.is_idempotent(), op.has("idempotent"));
        for dtype in b.operand_types().iter() {
            let listed = match op.fact_types("absorbing") {
                None => op.fact_argument("absorbing").is_some(),
                Some("bool") => dtype == DType::Bool,
                Some(_) => dtype == DType::Bool || dtype.is_int(),
            };
            assert_eq!(b.absorbing(dtype).is_some(), listed, "{} on {dtype}", b.name());
        }
    }
    for u in UnaryOp::ALL {
        let op = spec.op(u.name()).expect("listed");
        assert_eq!(u.is_even(), op.has("even"));
        assert_eq!(u.is_involution(), op.has("involution"));
        assert_eq!(u.is_idempotent(), op.has("idempotent"));
    }
}

/// What costs, rounding and bounds say is what the table says.
#[test]
fn generated_numbers_say_what_the_table_says() {
    let spec = kiln_spec::load();
    let unary = UnaryOp::ALL.iter().map(|u| {
        let cost: fn(&UnaryOp, DType) -> u32 = |u, d| u.cost(d);
        (u.name(), DType::ALL.map(|d| cost(u, d)), u.flops(), u.ulps(), u.rounds_half(), u.stablehlo_names())
    });
    let binary = BinaryOp::ALL
        .iter()
        .map(|b| (b.name(), DType::ALL.map(|d| b.cost(d)), b.flops(), b.ulps(), b.rounds_half(), b.stablehlo_names()));
    for (name, costs, flops, ulps, rounds, names) in unary.chain(binary) {
        let op = spec.op(name).expect("listed");
        for (dtype, cost) in DType::ALL.into_iter().zip(costs) {
            assert_eq!(cost, op.cost_on(dtype.name()), "{name} on {dtype}");
        }
        assert_eq!(flops, u64::from(op.flops), "{name}");
        assert_eq!(matches!(op.accuracy("f32"), Some(Accuracy::Ulp(n)) if n == ulps), ulps != 0, "{name}");
        assert_eq!(rounds, op.accuracy("f16").is_some_and(|a| a != Accuracy::Exact), "{name}");
        assert_eq!(names, op.stablehlo_names(name), "{name}");
    }
}

/// The neutral element and the absorbing one do what their names say, by the meaning that the table gives.
#[test]
fn special_elements_are_neutral_or_absorbing() {
    for reducer in Reducer::ALL {
        let op = reducer.binary();
        for dtype in op.operand_types().iter().filter(|d| !d.is_complex()) {
            let e = reducer.identity(dtype).expect("defined");
            assert_eq!((e.dtype(), e.rank()), (dtype, 0));
            let zero = reducer.start(dtype).expect("defined");
            assert!(zero == e || (reducer == Reducer::Add && dtype.is_float()), "{reducer:?} on {dtype}");
        }
        assert_eq!(reducer.identity(DType::F32).is_some(), op.operand_types().contains(DType::F32));
    }
    assert_eq!(Reducer::Add.identity(DType::F32), Some(Tensor::scalar(-0.0f32)));
    assert_eq!(Reducer::Minimum.identity(DType::U64), Some(Tensor::scalar(u64::MAX)));
    assert_eq!(Reducer::Maximum.identity(DType::I64), Some(Tensor::scalar(i64::MIN)));
    assert_eq!(Reducer::Maximum.identity(DType::Bool), Some(Tensor::scalar(false)));
    assert_eq!(Reducer::And.identity(DType::I16), Some(Tensor::scalar(-1i16)));
    assert_eq!(Reducer::And.identity(DType::U16), Some(Tensor::scalar(u16::MAX)));
    assert_eq!(Reducer::And.identity(DType::U4).map(|t| t.bytes().to_vec()), Some(vec![15]));
    assert_eq!(Reducer::Maximum.identity(DType::F16), Some(Tensor::scalar(half::f16::NEG_INFINITY)));
}
