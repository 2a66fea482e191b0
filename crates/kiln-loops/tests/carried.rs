//! Values carried through serial loops: text, verifier, interpreter, simplification, analyses.

use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType};
use kiln_loops::interp::{InterpError, run};
use kiln_loops::simplify::simplify;
use kiln_loops::text::{parse, print};
use kiln_loops::verify::verify;
use kiln_loops::{Access, Index, Kernel, KernelBuilder, LoopKind, Stmt, analysis, math};

/// The n-th pair of neighbouring Fibonacci numbers modulo a prime, of each element of a vector; the values swap places.
const FIBONACCI: &str = r#"kernel "fibonacci" {
  param p0 "x": i32[8] read
  param p1 "a": i32[8] write
  param p2 "b": i32[8] write
  axes 2
  vector i0 < 8 {
    %0: i32 = load p0[i0]
    %1: i32 = const 1
    %2: i32 = const 1009
    serial i1 < 7 carry %3: i32 = %0, %4: i32 = %1 {
      %5: i32 = add %3, %4
      %6: i32 = remainder %5, %2
    } yield %7: i32 = %4, %8: i32 = %6
    store p1[i0] = %7
    store p2[i0] = %8
  }
}
"#;

/// First position of the largest element, as a serial loop with a reduction beside carried values of three types.
const ARGMAX: &str = r#"kernel "argmax" {
  param p0 "x": f32[6] read
  param p1 "at": i64[1] write
  param p2 "any": bool[1] write
  param p3 "sum": f32[1] write
  axes 1
  %0: f32 = const 0xff800000
  %1: i64 = const 0
  %2: bool = const false
  %3: f32 = const 0.0
  serial i0 < 6 carry %4: f32 = %0, %5: i64 = %1, %6: bool = %2 {
    %7: f32 = load p0[i0]
    %8: bool = compare GT %7, %4
    %9: f32 = select %8, %7, %4
    %10: i64 = axis i0
    %11: i64 = select %8, %10, %5
    %12: bool = or %6, %8
  } reduce %13: f32 = add(%3, %7) yield %14: f32 = %9, %15: i64 = %11, %16: bool = %12
  store p1[0] = %15
  store p2[0] = %16
  store p3[0] = %13
}
"#;

fn kernel(text: &str) -> Kernel {
    parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn i32s(v: &[i32]) -> Vec<u8> {
    v.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn fibonacci(k: &Kernel) -> Vec<Vec<u8>> {
    let mut buffers = vec![i32s(&[0, 1, 2, 3, 4, 5, 500, -3]), vec![0; 32], vec![0; 32]];
    run(k, &mut buffers).expect("it runs");
    buffers
}

fn argmax(k: &Kernel) -> Vec<Vec<u8>> {
    let x: Vec<u8> = [1.0f32, -2.0, 7.5, 7.5, 0.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut buffers = vec![x, vec![0; 8], vec![0], vec![0; 4]];
    run(k, &mut buffers).expect("it runs");
    buffers
}

#[test]
fn text_round_trips() {
    for text in [FIBONACCI, ARGMAX] {
        let k = kernel(text);
        verify(&k).expect("it verifies");
        assert_eq!(print(&k), text);
    }
}

#[test]
fn parse_errors() {
    let cases = [
        (
            "kernel \"a\" {\n %0: f32 = const 1.0\n serial i0 < 2 carry %1: f32 = %0 {\n }\n}",
            "5:1: the loop carries 1 values but yields 0",
        ),
        ("kernel \"a\" {\n serial i0 < 2 carry {\n }\n}", "2:22: expected a variable, found `{`"),
        (
            "kernel \"a\" {\n %0: f32 = const 1.0\n serial i0 < 2 carry %0: f32 = %0 {\n }\n}",
            "3:22: %0 is defined twice",
        ),
    ];
    for (text, e) in cases {
        assert_eq!(parse(text).expect_err("it is wrong").to_string(), e);
    }
}

#[test]
fn interpreter_hands_values_on() {
    let buffers = fibonacci(&kernel(FIBONACCI));
    let reference = |x: i32| (0..7).fold((x, 1i32), |(a, b), _| (b, (a + b) % 1009));
    let (a, b): (Vec<i32>, Vec<i32>) = [0, 1, 2, 3, 4, 5, 500, -3].into_iter().map(reference).unzip();
    assert_eq!(buffers[1..], [i32s(&a), i32s(&b)]);
    let buffers = argmax(&kernel(ARGMAX));
    assert_eq!(buffers[1], 2i64.to_le_bytes());
    assert_eq!(buffers[2], [1]);
    assert_eq!(buffers[3], 17.0f32.to_le_bytes());
}

#[test]
fn no_iteration_gives_the_start() {
    let k = kernel(&FIBONACCI.replace("i1 < 7", "i1 < 0"));
    let buffers = fibonacci(&k);
    assert_eq!(buffers[1], buffers[0]);
    let mut simple = k.clone();
    simplify(&mut simple);
    verify(&simple).expect("it verifies");
    assert_eq!(fibonacci(&simple), buffers);
    assert!(!print(&simple).contains("serial"));
}

#[test]
fn verifier_rule_10() {
    let wrong = |text: &str, rule: u8, part: &str| {
        let errors = verify(&kernel(text)).expect_err("the kernel is wrong");
        assert!(errors.iter().any(|e| e.rule == rule && e.message.contains(part)), "{errors:?}");
    };
    wrong(&ARGMAX.replace("serial", "vector"), 10, "not serial");
    wrong(&ARGMAX.replace("%15: i64 = %11", "%15: i64 = %9"), 10, "of i64 first and %9 of f32 next");
    wrong(&ARGMAX.replace("%14: f32 = %9", "%14: i32 = %9"), 1, "declared i32 but defined as f32");
    wrong(&ARGMAX.replace("store p1[0] = %15", "store p1[0] = %5"), 1, "outside of its scope");
    wrong(&ARGMAX.replace("%4: f32 = %0", "%4: f32 = %7"), 1, "used before");
    let half = "kernel \"h\" {\n param p0 \"x\": f16[1] read\n axes 1\n %0: f16 = load p0[0]\n serial i0 < 2 carry %1: f16 = %0 {\n } yield %2: f16 = %1\n}";
    wrong(half, 10, "carry it as f32");
    // A condition that a carried value makes different between lanes, found only on the second look at the body.
    let text = r#"kernel "k" {
  param p0 "x": i32[8] read
  param p1 "y": i32[8] write
  axes 2
  vector i0 < 8 {
    %0: i32 = const 0
    serial i1 < 3 carry %1: i32 = %0, %2: i32 = %0 {
      %3: bool = compare EQ %1, %0
      if %3 {
        store p1[i0] = %2
      }
      %4: i32 = load p0[i0]
    } yield %5: i32 = %2, %6: i32 = %4
  }
}
"#;
    wrong(text, 7, "differs between lanes");
}

#[test]
fn math_expansion_reaches_carried_values() {
    // A product of bools, a rounded sum of halves: the body is rewritten, and what is handed on follows.
    let mut b = KernelBuilder::new("k");
    let x = b.param("x", DType::F32, 5, Access::Read);
    let y = b.param("y", DType::F32, 1, Access::Write);
    let flag = b.param("flag", DType::Bool, 1, Access::Write);
    let (zero, yes) = (b.constant(DType::F32, 0.0), b.constant(DType::Bool, 1.0));
    let last = b.carry_loop(5, &[zero, yes], |b, i, carried| {
        let v = b.load(x, Index::constant(0).plus_axis(i, 1));
        let e = b.unary(kiln_ir::UnaryOp::Exponential, v);
        let sum = b.binary(BinaryOp::Add, carried[0], e);
        let narrow = b.convert(DType::BF16, sum);
        let wide = b.convert(DType::F32, narrow);
        let up = b.compare(CompareDirection::GT, v, carried[0]);
        vec![wide, b.binary(BinaryOp::Multiply, carried[1], up)]
    });
    b.store(y, Index::constant(0), last[0]);
    b.store(flag, Index::constant(0), last[1]);
    let k = b.finish();
    verify(&k).expect("it verifies");
    let mut expanded = k.clone();
    math::expand(&mut expanded);
    verify(&expanded).expect("it verifies expanded");
    simplify(&mut expanded);
    verify(&expanded).expect("it verifies simplified");
    let x = [0.5f32, 1.0, -1.0, 2.0, 0.25];
    let run_it = |k: &Kernel| {
        let bytes: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut buffers = vec![bytes, vec![0; 4], vec![0]];
        run(k, &mut buffers).expect("it runs");
        buffers
    };
    let buffers = run_it(&k);
    assert_eq!(buffers, run_it(&expanded));
    let sum = x.iter().fold(0f32, |s, v| half::bf16::from_f32(s + v.exp()).to_f32());
    assert_eq!(buffers[1], sum.to_le_bytes());
    assert_eq!(buffers[2], [0]);
}

#[test]
fn simplify_keeps_what_is_needed_only() {
    // %3 keeps itself alive only; %4 is used through %5; %6 never changes.
    let text = r#"kernel "k" {
  param p0 "x": i32[4] read
  param p1 "y": i32[1] write
  axes 2
  %0: i32 = const 1
  %1: i32 = const 2
  %2: i32 = load p0[3]
  serial i0 < 4 carry %3: i32 = %0, %4: i32 = %0, %5: i32 = %1, %6: i32 = %2 {
    %7: i32 = add %3, %3
    %8: i32 = load p0[i0]
    %9: i32 = add %8, %6
    %10: i32 = multiply %5, %4
  } yield %11: i32 = %7, %12: i32 = %9, %13: i32 = %10, %14: i32 = %6
  serial i1 < 1 carry %15: i32 = %13, %16: i32 = %14 {
    %17: i32 = add %15, %16
  } yield %18: i32 = %16, %19: i32 = %17
  store p1[0] = %19
}
"#;
    let mut k = kernel(text);
    verify(&k).expect("it verifies");
    let start = vec![i32s(&[3, 1, 4, 1]), vec![0; 4]];
    let (mut before, mut after) = (start.clone(), start);
    run(&k, &mut before).expect("before");
    simplify(&mut k);
    verify(&k).expect("simplified");
    run(&k, &mut after).expect("after");
    assert_eq!(before, after);
    let text = print(&k);
    let head = "serial i0 < 4 carry %4: i32 = %0, %5: i32 = %1 {";
    assert!(text.contains(head) && !text.contains("i1 <") && !text.contains("%7: i32 = "), "{text}");
    simplify(&mut k);
    assert_eq!(print(&k), text, "simplifying twice changes nothing");
    // Without the store nothing stays.
    let mut k = kernel(FIBONACCI);
    k.body.clear();
    k.body = kernel(ARGMAX).body;
    k.body.retain(|s| !matches!(s, Stmt::Store { .. }));
    k.vars = kernel(ARGMAX).vars;
    simplify(&mut k);
    assert!(k.body.is_empty(), "{}", print(&k));
}

#[test]
fn analyses_follow_carried_values() {
    let k = kernel(FIBONACCI);
    let Stmt::Loop(l) = &k.body[0] else { panic!("a loop") };
    let lanes = analysis::Lanes::of(&k, l);
    // Everything that the loaded start flows into, %4 (through %6) included.
    let varying: Vec<u32> = (0..9).filter(|v| lanes.varies(kiln_loops::Var(*v))).collect();
    assert_eq!(varying, [0, 3, 4, 5, 6, 7, 8]);
    assert_eq!(analysis::cost(&k).ops["remainder"], 56);
}

#[test]
fn undefined_next_is_an_error() {
    // The verifier refuses it; the interpreter says so, too.
    let k = kernel(&ARGMAX.replace("yield %14: f32 = %9", "yield %14: f32 = %14"));
    assert!(verify(&k).is_err());
    let mut buffers = vec![vec![0; 24], vec![0; 8], vec![0], vec![0; 4]];
    assert!(matches!(run(&k, &mut buffers), Err(InterpError::Undefined(_))));
}

#[test]
fn builder_makes_serial_loops() {
    let mut b = KernelBuilder::new("k");
    let y = b.param("y", DType::I64, 1, Access::Write);
    let one = b.const_i64(1);
    let results = b.for_loop(5, LoopKind::Serial, |b, i| {
        let acc = b.carry(one);
        let at = b.axis(i);
        let next = b.binary(BinaryOp::Add, at, one);
        let next = b.binary(BinaryOp::Multiply, acc, next);
        b.carry_next(acc, next)
    });
    b.store(y, Index::constant(0), results);
    let k = b.finish();
    verify(&k).expect("it verifies");
    let mut buffers = vec![vec![0; 8]];
    run(&k, &mut buffers).expect("it runs");
    assert_eq!(buffers[0], 120i64.to_le_bytes());
}
