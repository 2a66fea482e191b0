//! What holds of all PTX; the text of single kernels is in the file tests (`emit=ptx.sm_80`).

use kiln_gpu::{PtxError, PtxTarget, lower, module};
use kiln_loops::text::parse;
use kiln_loops::{Access, Index, Kernel, KernelBuilder, LoopKind, Verified};

fn kernel(name: &str) -> Verified<Kernel> {
    let path = format!("../../tests/filetests/files/{name}.kl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    Verified::new(parse(&text).unwrap_or_else(|e| panic!("{path}:{e}"))).unwrap_or_else(|e| panic!("{path}: {}", e[0]))
}

#[test]
fn header_names_the_lowest_version() {
    for (sm, first) in [(80, ".version 7.0\n.target sm_80\n"), (90, ".version 7.8\n.target sm_90\n")] {
        let (text, _) = module(&[kernel("emit/gelu")], &PtxTarget { sm }).expect("it lowers");
        assert!(text.starts_with(first), "{text}");
    }
}

#[test]
fn every_operator_lowers() {
    let k = kernel("../../../crates/kiln-gpu/tests/golden/operators");
    let text = lower(&k, &PtxTarget { sm: 80 }).expect("it lowers").text;
    assert_eq!(text, lower(&k, &PtxTarget { sm: 80 }).expect("it lowers").text, "the same text every time");
    for instruction in ["max.NaN.f32", "cvt.rzi.s64.f64", "div.rn.f32", "sqrt.rn.f64", "popc.b64", "fma.rn.f32"] {
        assert!(text.contains(instruction), "{instruction}");
    }
    assert!(!text.contains(".approx") && !text.contains(".ftz"), "only exact instructions");
}

#[test]
fn carried_values_change_places_at_once() {
    let text = lower(&kernel("emit/carried"), &PtxTarget { sm: 80 }).expect("it lowers").text;
    // The two that exchange places go through copies; each has one register for all iterations.
    let moves: Vec<&str> = text.lines().map(str::trim).filter(|l| l.starts_with("mov.b32 %r")).collect();
    let pairs: Vec<(&str, &str)> =
        moves.iter().filter_map(|l| l["mov.b32 ".len()..l.len() - 1].split_once(", ")).collect();
    let last = &pairs[pairs.len() - 4..];
    assert_eq!((last[0].1, last[1].1), (last[3].0, last[2].0), "{moves:?}");
    assert_eq!((last[0].0, last[1].0), (last[2].1, last[3].1), "{moves:?}");
    assert!(text.contains("mov.pred") && text.contains("mov.f32") && text.contains("mov.b64"), "{text}");
}

#[test]
fn kernels_with_nested_functions_lower() {
    let mut seen = 0;
    for (path, text) in kiln_testing::golden::lowered_kernels() {
        let k = parse(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
        let k = Verified::new(k).unwrap_or_else(|e| panic!("{path}: {}", e[0]));
        let text = lower(&k, &PtxTarget { sm: 80 }).unwrap_or_else(|e| panic!("{path:?}: {e}")).text;
        // Every register that is read is written somewhere.
        let words = |line: &str| -> Vec<String> {
            let split = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '%' || c == '_' || c == '.'));
            split
                .filter(|w| w.starts_with('%') && w.ends_with(|c: char| c.is_ascii_digit()))
                .map(str::to_owned)
                .collect()
        };
        let lines = || text.lines().map(str::trim).filter(|l| !l.starts_with('.'));
        let written: std::collections::BTreeSet<String> = lines()
            .filter(|l| !l.starts_with("st.") && !l.starts_with('@'))
            .filter_map(|l| words(l).into_iter().next())
            .collect();
        for line in lines() {
            for w in words(line) {
                assert!(written.contains(&w), "{path:?}: {w} in {line}");
            }
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen} kernels");
}

#[test]
fn equal_names_are_numbered() {
    let (text, lowered) =
        module(&[kernel("emit/total"), kernel("emit/total")], &PtxTarget { sm: 80 }).expect("they lower");
    let names: Vec<&str> = lowered.iter().map(|k| k.entry.as_str()).collect();
    assert_eq!(names, ["k_9_total", "k_9_total_2"]);
    assert!(text.contains(".visible .entry k_9_total_2("));
}

#[test]
fn errors_say_what_is_missing() {
    let k = kernel("emit/gelu");
    assert_eq!(lower(&k, &PtxTarget { sm: 70 }), Err(PtxError::UnknownTarget(70)));
    let mut wrong = k.into_inner();
    wrong.params[0].len = 5;
    assert_eq!(Verified::new(wrong).expect_err("an index outside of the buffer")[0].rule, 4);
    let mut large = kernel("emit/softmax").into_inner();
    large.locals[0].len = 100_000;
    let error = lower(&Verified::new(large).expect("it verifies"), &PtxTarget { sm: 80 })
        .expect_err("too much scratch")
        .to_string();
    assert_eq!(error, "kernel `softmax` needs 400032 bytes of scratch, 49152 are available");
    let mut b = KernelBuilder::new("long");
    let n = 1 << 40;
    let x = b.param("x", kiln_ir::DType::U8, n, Access::Write);
    b.for_loop(n, LoopKind::Vector, |b, i| {
        let v = b.constant(kiln_ir::DType::U8, 1.0);
        b.store(x, Index::constant(0).plus_axis(i, 1), v);
    });
    let long = Verified::new(b.finish()).expect("it verifies");
    assert!(matches!(lower(&long, &PtxTarget { sm: 80 }), Err(PtxError::LoopTooLong { .. })));
}
