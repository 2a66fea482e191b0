//! Verifier, text form, simplification and analyses on whole kernels.

use kiln_ir::DType;
use kiln_loops::analysis::{self, Lanes, Pattern};
use kiln_loops::interp::{InterpError, InterpOptions, run, run_with};
use kiln_loops::simplify::simplify;
use kiln_loops::text::{parse, print};
use kiln_loops::verify::verify;
use kiln_loops::{Expr, Kernel, LoopKind, Stmt};

const SOFTMAX: &str = r#"kernel "softmax \"rows\"" {
  param p0 "x": f32[12] read
  param p1 "y": f32[12] readwrite
  axes 4
  parallel i0 < 3 {
    %0: f32 = const 0xff800000
    vector i1 < 4 {
      %1: f32 = load p0[4*i0 + i1]
    } reduce %2: f32 = maximum(%0, %1)
    %3: f32 = const 0.0
    vector i2 < 4 {
      %4: f32 = load p0[4*i0 + i2]
      %5: f32 = subtract %4, %2
      %6: f32 = exponential %5
      store p1[4*i0 + i2] = %6
    } reduce %7: f32 = add(%3, %6)
    vector i3 < 4 {
      %8: f32 = load p1[4*i0 + i3]
      %9: f32 = divide %8, %7
      store p1[4*i0 + i3] = %9
    }
  }
}
"#;

const GATHER: &str = r#"kernel "gather" {
  param p0 "table": f64[40] read
  param p1 "ids": i32[8] read
  param p2 "y": f64[8] write
  local l0: f64[8]
  axes 3
  unused %17: bool
  serial i0 < 8 {
    %0: i32 = load p1[i0]
    %1: i64 = convert %0
    %2: i64 = axis i0
    %3: bool = compare LT %1, %2
    %4: i64 = select %3, %1, %2
    %5: f64 = load p0[-1*i0 + 5*%4 + 7]
    %6: f64 = fma %5, %5, %5
    %7: u64 = bitcast %6
    %8: f64 = bitcast %7
    store l0[i0] = %8
  }
  serial i1 < 8 {
    %9: f64 = load l0[-1*i1 + 7]
    %10: bool = const true
    if %10 {
      store p2[i1] = %9
    }
    %11: i8 = const -3
    %12: f64 = const -0.0
    %13: f64 = const 1e300
    %14: f32 = const 1.1754944e-38
    serial i2 < 2 {
    } reduce %15: i8 = add(%11, %11), %16: f64 = minimum(%12, %13)
  }
}
"#;

fn kernel(text: &str) -> Kernel {
    parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn messages(text: &str) -> Vec<(u8, String)> {
    verify(&kernel(text)).expect_err("the kernel is wrong").into_iter().map(|e| (e.rule, e.message)).collect()
}

#[test]
fn text_round_trips() {
    for text in [SOFTMAX, GATHER] {
        let k = kernel(text);
        let printed = print(&k);
        assert_eq!(parse(&printed).expect("it parses again"), k, "{printed}");
    }
    assert_eq!(print(&kernel(SOFTMAX)), SOFTMAX);
    let mut k = kernel(SOFTMAX);
    kiln_loops::math::expand(&mut k);
    verify(&k).expect("expanded");
    let printed = print(&k);
    assert_eq!(parse(&printed).expect("it parses again"), k, "{printed}");
}

#[test]
fn parse_errors_name_the_place() {
    let cases = [
        ("kernel \"a\" {\n  %0: f32 = tanj %1\n}", "2:13: unknown operator `tanj`"),
        ("kernel \"a\" {\n  %0: f99 = const 1\n}", "2:7: expected a dtype, found `f99`"),
        ("kernel \"a\" {\n  %0: i8 = const 300\n}", "2:18: expected a literal of type i8, found `300`"),
        (
            "kernel \"a\" {\n  %4000000000: i8 = const 3\n}",
            "2:3: the number of `%4000000000` is too large for this text",
        ),
        ("kernel \"a\" {\n  store p0[i0 +] = %0\n}", "2:16: expected an axis, a variable or a number, found `]`"),
        ("kernel \"a\" {", "1:13: expected a statement or `}`, found the end of the text"),
        (
            "kernel \"a\" {\n serial i0 < 4 {\n } reduce %0: f32 = mean(%1, %1)\n}",
            "3:21: expected a combiner such as `add`, found `mean`",
        ),
        ("kernel \"a\" {\n  $\n}", "2:3: unexpected character '$'"),
        ("kernel \"a", "1:8: the string is never closed"),
        ("kernel \"a\" {\n  %1: bool = const true\n}", "3:2: %0 is neither defined nor listed as unused"),
        ("kernel \"a\" {\n  %0: bool = const true\n  %0: bool = const true\n}", "3:3: %0 is defined twice"),
    ];
    for (text, e) in cases {
        assert_eq!(parse(text).expect_err("it is wrong").to_string(), e);
    }
    let deep = format!("kernel \"a\" {{{}", "if %0 {".repeat(5000));
    assert!(parse(&deep).expect_err("it is wrong").message.contains("deeper"));
}

#[test]
fn verifier_accepts_good_kernels() {
    verify(&kernel(SOFTMAX)).expect("softmax");
    verify(&kernel(GATHER)).expect("gather");
}

#[test]
fn verifier_finds_each_rule_broken() {
    let cases: [(u8, &str, &str); 16] = [
        (1, "%0: f32 = negate %1\n %1: f32 = const 1.0", "used before"),
        (1, "serial i0 < 2 {\n %0: f32 = const 1.0\n }\n %1: f32 = negate %0", "outside of its scope"),
        (1, "%0: i32 = const 1\n %1: f32 = negate %0", "declared f32 but defined as i32"),
        (2, "%0: f32 = load x[0]\n %1: bool = const true\n %2: f32 = add %0, %1", "operands of one type"),
        (2, "%0: f16 = load h[0]\n %1: f16 = add %0, %0", "add does not take f16"),
        (2, "%0: f32 = load x[0]\n %1: f64 = bitcast %0", "changes the width"),
        (3, "serial i0 < 2 {\n }\n serial i0 < 2 {\n }", "two loops"),
        (3, "%0: i64 = axis i0\n serial i0 < 2 {\n }", "outside of its loop"),
        (4, "serial i0 < 9 {\n %0: f32 = load x[i0]\n }", "reaches from 0 to 8"),
        (4, "serial i0 < 4 {\n %0: f32 = load x[2*i0 + 2]\n }", "reaches from 2 to 8"),
        (5, "%0: f32 = load x[0]\n store x[0] = %0", "access is Read"),
        (5, "%0: f32 = load y[0]", "access is Write"),
        (6, "parallel i0 < 2 {\n }\n %0: f32 = const 1.0", "not the only"),
        (7, "vector i0 < 2 {\n vector i1 < 2 {\n }\n }", "inside of another"),
        (
            7,
            "vector i0 < 2 {\n %0: i64 = axis i0\n %1: bool = compare EQ %0, %0\n if %1 {\n }\n }",
            "differs between lanes",
        ),
        (8, "%0: f32 = const 1.0\n vector i0 < 2 {\n store y[3] = %0\n }", "the same element"),
    ];
    for (rule, body, message) in cases {
        let body = body.replace(" x[", " p0[").replace(" y[", " p1[").replace(" h[", " p2[");
        let head =
            "param p0 \"x\": f32[8] read\n param p1 \"y\": f32[8] write\n param p2 \"h\": f16[8] read\n axes 2\n";
        let found = messages(&format!("kernel \"k\" {{\n {head} {body}\n}}"));
        assert!(found.iter().any(|(r, m)| *r == rule && m.contains(message)), "rule {rule}, {message}: {found:?}");
    }
    let many = messages("kernel \"k\" {\n axes 0\n %0: f32 = negate %0\n store p3[0] = %0\n}");
    assert!(many.len() >= 2, "every error is collected: {many:?}");
}

fn f32s(v: &[f32]) -> Vec<u8> {
    v.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn softmax(k: &Kernel) -> Vec<u8> {
    let x: Vec<f32> = (0..12).map(|i| (i * i % 7) as f32 - 2.0).collect();
    let mut buffers = vec![f32s(&x), vec![0; 48]];
    run(k, &mut buffers).expect("softmax runs");
    buffers.swap_remove(1)
}

#[test]
fn interpreter_computes_softmax() {
    let y = softmax(&kernel(SOFTMAX));
    let y: Vec<f32> = y.chunks(4).map(|c| f32::from_le_bytes(c.try_into().expect("4 bytes"))).collect();
    for row in y.chunks(4) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{row:?}");
    }
    // Row 0 is -2, -1, 2, 0.
    let e: Vec<f64> = [-2f64, -1.0, 2.0, 0.0].iter().map(|v| v.exp()).collect();
    let sum: f64 = e.iter().sum();
    for (a, b) in y.iter().zip(e) {
        assert!((f64::from(*a) - b / sum).abs() < 1e-7);
    }
}

#[test]
fn interpreter_reports_bad_accesses() {
    let k =
        kernel("kernel \"k\" {\n param p0 \"y\": f32[2] write\n axes 0\n %0: f32 = const 1.0\n store p0[1] = %0\n}");
    let error = run(&k, &mut [vec![0; 8]]).expect_err("an element is missing");
    assert_eq!(error, InterpError::NotStored { buffer: "y".into(), index: 0 });
    let k = kernel("kernel \"k\" {\n local l0: f32[2]\n axes 0\n %0: f32 = load l0[1]\n}");
    assert!(matches!(run(&k, &mut []), Err(InterpError::Uninitialized { index: 1, .. })));
    let k =
        kernel("kernel \"k\" {\n param p0 \"x\": f32[2] read\n axes 0\n %0: i64 = const -1\n %1: f32 = load p0[%0]\n}");
    assert!(matches!(run(&k, &mut [vec![0; 8]]), Err(InterpError::OutOfBounds { index: -1, len: 2, .. })));
    assert!(matches!(run(&k, &mut [vec![0; 7]]), Err(InterpError::Buffers(_))));
    assert!(matches!(run(&k, &mut []), Err(InterpError::Buffers(_))));
}

#[test]
fn interpreter_runs_in_place() {
    let k = kernel(
        "kernel \"k\" {\n param p0 \"x\": f32[3] read\n param p1 \"y\": f32[3] write\n axes 1\n vector i0 < 3 {
         %0: f32 = load p0[i0]\n %1: f32 = add %0, %0\n store p1[i0] = %1\n }\n}",
    );
    for reverse in [false, true] {
        let mut buffers = vec![f32s(&[1.0, 2.0, 3.0])];
        run_with(&k, &mut buffers, &[0, 0], InterpOptions { reverse, ..Default::default() }).expect("it runs");
        assert_eq!(buffers[0], f32s(&[2.0, 4.0, 6.0]));
    }
}

const MESSY: &str = r#"kernel "messy" {
  param p0 "x": f32[32] read
  param p1 "b": f32[4] read
  param p2 "y": f32[32] write
  param p3 "s": f32[8] write
  axes 7
  parallel i0 < 8 {
    %0: f32 = const 0.0
    vector i1 < 4 {
      %1: f32 = load p1[3]
      %2: f32 = tanh %1
      %3: f32 = load p0[4*i0 + i1]
      %4: f32 = load p0[4*i0 + i1]
      %5: f32 = add %3, %4
      %6: f32 = multiply %5, %2
      %7: f32 = sine %6
      store p2[4*i0 + i1] = %6
    } reduce %8: f32 = add(%0, %6), %9: f32 = maximum(%0, %7)
    serial i2 < 0 {
      %10: f32 = const 1.0
    } reduce %11: f32 = add(%8, %10)
    serial i3 < 1 {
      %12: i64 = axis i3
      %13: f32 = load p1[2*i3 + %12 + 1]
    } reduce %14: f32 = add(%11, %13)
    serial i4 < 5 {
      %15: f32 = cosine %14
    }
    %16: bool = const true
    if %16 {
      %17: f32 = cosine %14
      store p3[i0] = %14
    }
  }
}
"#;

#[test]
fn simplify_keeps_the_meaning_and_drops_the_rest() {
    let mut k = kernel(MESSY);
    verify(&k).expect("messy");
    let inputs = || {
        let x: Vec<f32> = (0..32).map(|i| i as f32 / 8.0).collect();
        vec![f32s(&x), f32s(&[0.5, 1.5, 2.5, 3.5]), vec![0; 128], vec![0; 32]]
    };
    let mut before = inputs();
    run(&k, &mut before).expect("before");
    simplify(&mut k);
    verify(&k).expect("simplified");
    let mut after = inputs();
    run(&k, &mut after).expect("after");
    assert_eq!(before, after);
    let expected = r#"kernel "messy" {
  param p0 "x": f32[32] read
  param p1 "b": f32[4] read
  param p2 "y": f32[32] write
  param p3 "s": f32[8] write
  axes 7
"#;
    let text = print(&k);
    assert!(text.starts_with(expected), "{text}");
    let body: Vec<&str> = text.lines().skip_while(|l| !l.contains("parallel")).map(str::trim).collect();
    assert_eq!(
        body,
        [
            "parallel i0 < 8 {",
            "%0: f32 = const 0.0",
            "%1: f32 = load p1[3]",
            "%2: f32 = tanh %1",
            "vector i1 < 4 {",
            "%3: f32 = load p0[4*i0 + i1]",
            "%5: f32 = add %3, %3",
            "%6: f32 = multiply %5, %2",
            "store p2[4*i0 + i1] = %6",
            "} reduce %8: f32 = add(%0, %6)",
            "%13: f32 = load p1[1]",
            "%14: f32 = add %8, %13",
            "%16: bool = const true",
            "if %16 {",
            "store p3[i0] = %14",
            "}",
            "}",
            "}",
        ]
    );
    let again = print(&k);
    simplify(&mut k);
    assert_eq!(print(&k), again, "simplifying twice changes nothing");
}

#[test]
fn simplify_shares_work_of_expansions() {
    let mut k = kernel(SOFTMAX);
    let expected = softmax(&k);
    kiln_loops::math::expand(&mut k);
    simplify(&mut k);
    verify(&k).expect("simplified");
    assert_eq!(softmax(&k), expected);
}

/// How each load and store moves along the innermost vector loop, or the innermost loop when there is none.
fn patterns(body: &[Stmt], k: &Kernel, lanes: Option<&Lanes>) -> Vec<Pattern> {
    let mut found = vec![];
    for s in body {
        match s {
            Stmt::Let { expr: Expr::Load { index, .. }, .. } | Stmt::Store { index, .. } => {
                found.push(lanes.map_or(Pattern::Uniform, |l| l.pattern(index)));
            }
            Stmt::Let { .. } => {}
            Stmt::If { then, .. } => found.extend(patterns(then, k, lanes)),
            Stmt::Loop(l) => {
                let inner = Lanes::of(k, l);
                let outer = lanes.filter(|_| l.kind == LoopKind::Serial);
                found.extend(patterns(&l.body, k, Some(outer.unwrap_or(&inner))));
            }
        }
    }
    found
}

#[test]
fn analyses() {
    let k = kernel(SOFTMAX);
    let c = analysis::cost(&k);
    assert_eq!((c.bytes_read, c.bytes_written), (96, 48));
    assert_eq!(c.ops["exponential"], 12);
    assert_eq!(c.ops["load"], 36);
    assert_eq!(c.ops["maximum"], 12);
    assert_eq!(patterns(&k.body, &k, None), [Pattern::Contiguous; 5]);
    let k = kernel(GATHER);
    // A variable of the body takes part in the index.
    assert_eq!(patterns(&k.body, &k, None)[..2], [Pattern::Contiguous, Pattern::Gather]);
    assert_eq!(analysis::cost(&k).ops["fma"], 8);
    let k = kernel(
        "kernel \"k\" {\n param p0 \"x\": f32[64] read\n param p1 \"i\": i64[8] read\n axes 1\n vector i0 < 8 {
         %0: i64 = load p1[i0]\n %1: f32 = load p0[%0]\n %2: f32 = load p0[8*i0]\n %3: f32 = load p0[5]\n }\n}",
    );
    assert_eq!(
        patterns(&k.body, &k, None),
        [Pattern::Contiguous, Pattern::Gather, Pattern::Strided(8), Pattern::Uniform]
    );
    let lanes = match &k.body[0] {
        Stmt::Loop(l) => analysis::Lanes::of(&k, l),
        other => panic!("a loop, not {other:?}"),
    };
    let varying: Vec<bool> = (0..4).map(|v| lanes.varies(kiln_loops::Var(v))).collect();
    assert_eq!(varying, [true, true, true, false]);
    assert_eq!(k.vars[0], DType::I64);
}
