//! The text form: round trips, errors, robustness.

use kiln_ir::text::{PrintOptions, parse, parse_all, print, print_with};
use kiln_ir::{
    BinaryOp, DType, Func, Initializer, InputKind, Loc, Op, Output, OutputKind, Tensor, TensorType, UnaryOp,
};

const ALL: &str = include_str!("../../../tests/filetests/files/roundtrip/all_ops.kir");

/// Names of all operators that occur in the sample, nested ones too.
fn names(f: &Func, out: &mut std::collections::BTreeSet<String>) {
    for n in f.nodes() {
        out.insert(n.op.name().to_string());
        n.op.regions().into_iter().for_each(|r| names(r, out));
    }
}

#[test]
fn the_sample_is_complete() {
    let mut seen = std::collections::BTreeSet::new();
    parse_all("", ALL).expect("parses").iter().for_each(|f| names(f, &mut seen));
    let scalar = UnaryOp::ALL.iter().map(|u| u.name()).chain(BinaryOp::ALL.iter().map(|b| b.name()));
    let rest = "parameter constant iota compare select clamp convert bitcast_convert get_dimension_size broadcast_in_dim \
        reshape transpose reverse slice dynamic_slice dynamic_update_slice concatenate pad dot_general reduce argmin argmax \
        convolution reduce_window select_and_scatter gather scatter while if case rng_bit_generator optimization_barrier \
        composite";
    for name in scalar.chain(rest.split_whitespace()) {
        assert!(seen.contains(name), "{name} is missing");
    }
}

#[test]
fn late_parameters_names_and_locations_round_trip() {
    let mut f = Func::new("odd name!");
    let ty = TensorType::new(DType::F32, [2]);
    let loc = Loc::new("src/a \"b\".rs", 3, 9);
    let c = f.constant(Tensor::from_vec([2], vec![1.0f32, 2.0]).expect("two"), loc.clone());
    let y = f.add_input("w/kernel:0", ty.clone(), InputKind::Variable(Initializer::Normal { std: 0.02, seed: 9 }), loc);
    let s = f.push1(Op::Binary(BinaryOp::Add), &[c, y], Loc::UNKNOWN).expect("types fit");
    f.node_mut(s.node).name = Some("a\n\"b\"\u{1}\\".into());
    let x = f.add_input("x", ty.clone(), InputKind::Feed, Loc::new("x.rs", 1, 1));
    let t = f.push1(Op::Binary(BinaryOp::Add), &[s, x], Loc::UNKNOWN).expect("types fit");
    f.add_output("", t);
    f.outputs.push(Output { name: "new".into(), value: t, kind: OutputKind::Update(0) });
    let text = print_with(&f, &PrintOptions { locations: true, elide_above: None });
    assert_eq!(parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}")), f, "{text}");
}

#[test]
fn initial_values_round_trip() {
    for init in [
        Initializer::Zeros,
        Initializer::Constant(-0.0),
        Initializer::Constant(f64::INFINITY),
        Initializer::Uniform { low: -1e-9, high: 0.1, seed: u64::MAX },
        Initializer::TruncatedNormal { std: 1.5, seed: 0 },
        Initializer::Value(Tensor::from_vec([1, 2], vec![1.0f32, f32::NAN]).expect("two")),
    ] {
        let mut f = Func::new("f");
        let ty = TensorType::new(DType::F32, [1, 2]);
        let w = f.add_input("w", ty, InputKind::Variable(init), Loc::UNKNOWN);
        f.add_output("y", w);
        assert_eq!(parse(&print(&f)).expect("parses"), f);
    }
}

#[test]
fn every_element_of_small_types_round_trips() {
    let f16s: Vec<half::f16> = (0..=u16::MAX).map(half::f16::from_bits).collect();
    let bf16s: Vec<half::bf16> = (0..=u16::MAX).map(half::bf16::from_bits).collect();
    // Rows short enough to be written as decimals.
    let tensors = f16s
        .chunks(32)
        .step_by(61)
        .map(|c| Tensor::from_slice([32], c).expect("32"))
        .chain(bf16s.chunks(32).step_by(61).map(|c| Tensor::from_slice([32], c).expect("32")));
    for t in tensors {
        let mut f = Func::new("f");
        let v = f.constant(t, Loc::UNKNOWN);
        f.add_output("", v);
        assert_eq!(parse(&print(&f)).expect("parses"), f, "{}", print(&f));
    }
}

#[test]
fn floats_round_trip_to_the_bit() {
    let mut bits = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..200 {
        let mut next = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bits
        };
        let d: Vec<f64> = (0..8).map(|_| f64::from_bits(next())).collect();
        let s: Vec<f32> = (0..8).map(|_| f32::from_bits((next() >> 32) as u32)).collect();
        let mut f = Func::new("f");
        let a = f.constant(Tensor::from_vec([8], d).expect("8"), Loc::UNKNOWN);
        f.constant(Tensor::from_vec([8], s).expect("8"), Loc::UNKNOWN);
        f.add_output("", a);
        assert_eq!(parse(&print(&f)).expect("parses"), f);
    }
}

#[test]
fn errors_say_where() {
    let cases = [
        ("func @f() -> () {", "text.syntax", 1, 18, "expected a statement"),
        ("func @f(%x: f33[2]) -> () { return }", "text.syntax", 1, 13, "unknown dtype `f33`"),
        ("func @f(%x: f32[2]) -> () {\n  %0 = add %x, %y : f32[2]\n return }", "text.syntax", 2, 16, "not defined"),
        ("func @f(%x: f32[2]) -> () {\n  %0 = frob %x : f32[2]\n return }", "text.syntax", 2, 8, "unknown operator"),
        ("func @f(%x: f32[2]) -> () {\n  %0 = negate %x : f32[3]\n return }", "text.type", 2, 8, "annotated"),
        ("func @f(%x: f32[2]) -> (y: f32[3]) {\n  return %x\n}", "text.type", 2, 10, "another type"),
        ("func @f(%x: f32[2]) -> () { return } x", "text.syntax", 1, 38, "the end of the text"),
        ("func @f(%x: f32[2] at 1) -> () { return }", "text.syntax", 1, 41, "was not reached"),
        ("func @f() -> () { %0 = constant dense<[1, [2]]> : i32[2] return }", "text.syntax", 1, 44, "different depths"),
        ("func @f() -> () { %0 = constant 300 : u8[] return }", "text.literal", 1, 33, "`300` is no u8"),
        ("func @f() -> () { %0 = constant dense<[1]> : u8[2] return }", "text.literal", 1, 33, "shape [1]"),
        ("func @f() -> () { %0 = constant dense<0> : u8[9999999999999] return }", "text.literal", 1, 33, "more than"),
        (
            "func @f(%x: f32[9223372036854775807*n+9223372036854775807*n]) -> () { return }",
            "text.syntax",
            1,
            60,
            "overflows",
        ),
        (
            "func @f(%x: f32[2]) -> () { %0 = reverse %x, dims = [0], frob = 1 : f32[2] return }",
            "text.syntax",
            1,
            34,
            "`frob`",
        ),
        ("func @f(%x: f32[2]) -> () { %0 = reverse %x : f32[2] return }", "text.syntax", 1, 34, "`dims` is missing"),
        ("func @f(%x: f32[2], %x: f32[2]) -> () { return }", "verify.V4", 0, 0, "twice"),
        ("func @f(%x: f32[2]) -> () { %x = negate %x : f32[2] return }", "text.syntax", 1, 29, "defined twice"),
        ("func @f(%x: f32[2]) -> (update %x: f32[2]) { return %x }", "verify.V6", 0, 0, "no variable"),
        ("func @f(%s: \"f32[2]) -> () { return }", "text.syntax", 1, 13, "does not end"),
        ("func @f(%s: ä) -> () { return }", "text.syntax", 1, 13, "unexpected character"),
    ];
    for (text, code, line, column, message) in cases {
        let d = parse(text).expect_err(text).0.remove(0);
        assert_eq!(d.code, code, "{text}\n{d}");
        assert!(d.message.contains(message), "{text}\n{d}");
        assert_eq!((d.loc.line().unwrap_or(0), d.loc.column().unwrap_or(0)), (line, column), "{text}\n{d}");
    }
}

#[test]
fn a_syntax_error_shows_the_line() {
    let text = "func @f(%x: f32[2]) -> (f32[2]) {\n  %0 = add %x %x : f32[2]\n  return %0\n}\n";
    let d = parse(text).expect_err("no comma");
    assert_eq!(
        d.to_string(),
        "error[text.syntax]: expected `,`, found `%x`\n  --> <text>:2:15\n   |   %0 = add %x %x : f32[2]\n   |               ^"
    );
}

#[test]
fn all_constraint_errors_are_reported() {
    let text =
        "func @f(%x: f32[2], %y: f32[3]) -> () {\n  %0 = add %x, %y : f32[2]\n  %1 = not %0 : f32[2]\n  return\n}\n";
    let codes: Vec<String> = parse(text).expect_err("two errors").0.into_iter().map(|d| d.code).collect();
    assert_eq!(codes, ["add.C1", "not.I1"]);
}

#[test]
fn deep_nesting_is_an_error() {
    let mut text = String::from("func @f(%x: f32[]) -> (f32[]) {");
    for _ in 0..2000 {
        text.push_str("%0 = composite %x, name = \"c\", body = (%x: f32[]) -> (f32[]) {");
    }
    assert!(parse(&text).expect_err("too deep").to_string().contains("nested more than"));
    let lists = format!("func @f() -> () {{ %0 = constant dense<{}", "[".repeat(100_000));
    assert!(parse(&lists).expect_err("too deep").to_string().contains("nested more than"));
}

#[test]
fn repetition_is_bounded() {
    let long = |piece: &str| piece.repeat(200_000);
    let cases = [
        (format!("func @f(%x: f32[n{}]) -> () {{ return }}", long("+n")), "terms"),
        (format!("func @f() -> () {{ %0 = frob a = 1{} : f32[] return }}", long(", a = 1")), "given twice"),
        (
            format!("func @f(%x: f32[]) -> () {{ %0 = reverse %x, dims = [0{}] : f32[] return }}", long(", 0")),
            "entries",
        ),
        (format!("func @f(%x: f32[2{}]) -> () {{ return }}", long(", 2")), "dimensions"),
        (format!("func @f(%x: f32[]) -> () {{ %0 = reverse %x, dims = {} : f32[] return }}", long("[")), "expected"),
    ];
    for (text, message) in cases {
        let e = parse(&text).expect_err("too much").to_string();
        assert!(e.contains(message), "{e}");
    }
}

/// Changes, removes, duplicates and joins pieces of valid text: whatever comes out, parsing gives a function or errors.
#[test]
fn mutated_text_never_panics() {
    let mut state = 0x1234_5678_9abc_def0u64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let funcs: Vec<String> = parse_all("", ALL).expect("parses").iter().map(print).collect();
    let pieces = [
        "-1",
        "0",
        "9223372036854775807",
        "-9223372036854775808",
        "*",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "%0",
        "%x",
        "n",
        "x",
        "->",
        "\"",
        "f32[]",
        "bool[2]",
        "dense<",
        "99999999999",
        "1e999",
        "nan",
        "0x",
        "#1",
        "\\",
        "é",
        "at 3",
    ];
    let mut accepted = 0;
    for round in 0..6000 {
        let mut text: Vec<char> = funcs[round % funcs.len()].chars().collect();
        for _ in 0..1 + random(3) {
            let (at, len) = (random(text.len()), random(6));
            let end = (at + len).min(text.len());
            match random(4) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..end, pieces[random(pieces.len())].chars())),
                2 => {
                    let from = random(text.len());
                    let copy = text[from..(from + 12).min(text.len())].to_vec();
                    text.splice(at..at, copy);
                }
                _ => text[at] = char::from(b' ' + random(95) as u8),
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(f) = parse(&text) {
            accepted += 1;
            assert_eq!(parse(&print(&f)).unwrap_or_else(|e| panic!("{e}\n{}", print(&f))), without_locations(f));
        }
    }
    assert!(accepted > 50, "only {accepted} mutants were accepted: the mutations are too coarse to test much");
}

fn without_locations(mut f: Func) -> Func {
    f.inputs.iter_mut().for_each(|i| i.loc = Loc::UNKNOWN);
    for i in 0..f.nodes().len() {
        let node = f.node_mut(kiln_ir::NodeId(i as u32));
        node.loc = Loc::UNKNOWN;
        for r in node.op.regions_mut() {
            *r = without_locations(std::mem::take(r));
        }
    }
    f
}
