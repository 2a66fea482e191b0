//! How diagnostics look.

use kiln_ir::diag::render;
use kiln_ir::op::DotDims;
use kiln_ir::{DType, Diagnostics, Func, Initializer, InputKind, Loc, Op, TensorType, dims};

fn mismatch() -> (Diagnostics, Loc) {
    let mut f = Func::new("f");
    let at = |line| Loc::new("src/model.rs", line, 13);
    let x = f.add_input("x", TensorType::new(DType::F32, dims!["batch", 128]), InputKind::Feed, at(40));
    let variable = InputKind::Variable(Initializer::Zeros);
    let w = f.add_input("w2", TensorType::new(DType::F32, [256, 10]), variable, at(33));
    let here = Loc::caller();
    let dims =
        DotDims { lhs_contract: [1].as_slice().into(), rhs_contract: [0].as_slice().into(), ..DotDims::default() };
    let d = f.push1(Op::DotGeneral(dims), &[x, w], here.clone()).expect_err("128 is not 256");
    (d.into(), here)
}

#[test]
fn display_reads_no_file() {
    let (d, here) = mismatch();
    let expected = "error[dot_general.C10]: contracting dimensions differ
  --> HERE
   | left has size 128 in dim 1, right has size 256 in dim 0
   = left: input \"x\" f32[batch, 128] from src/model.rs:40:13
   = right: variable \"w2\" f32[256, 10] from src/model.rs:33:13
   = help: transpose or reshape one side, or check the sizes";
    assert_eq!(d.to_string(), expected.replace("HERE", &here.to_string()));
}

#[test]
fn render_shows_the_source_line() {
    let (d, here) = mismatch();
    let text = render(&d);
    let lines: Vec<&str> = text.lines().collect();
    let number = here.line().expect("known").to_string();
    assert_eq!(lines[0], "error[dot_general.C10]: contracting dimensions differ");
    assert!(lines[3].starts_with(&format!("{number} |     let here = Loc::caller();")), "{text}");
    assert_eq!(lines[4].find('^'), lines[3].find("Loc::caller"), "{text}");
    assert!(lines[4].contains("^^^ left has size 128"), "{text}");
    assert!(lines[6].trim_start().starts_with("= right: variable \"w2\""), "{text}");
}

#[test]
fn render_without_the_file_is_display() {
    let d: Diagnostics =
        kiln_ir::Diagnostic::new("add.C1", "shapes differ").at(&Loc::new("no/such/file.rs", 1, 1)).into();
    assert_eq!(render(&d), d.to_string());
    let unknown: Diagnostics = kiln_ir::Diagnostic::new("add.C1", "shapes differ").into();
    assert_eq!(render(&unknown), "error[add.C1]: shapes differ");
}
