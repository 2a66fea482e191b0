//! Programs that go on for ever. What others are refused for is in the file tests.

mod common;

use common::evaluate;

/// What a program that is wrong is answered with, and where.
#[track_caller]
fn refused(text: &str, place: &str, words: &str) {
    let e = evaluate("bad.mlir", text).expect_err("the program is wrong");
    assert!(e.contains(place) && e.contains(words), "{e}");
}

#[test]
fn files_end() {
    refused("module {\n  func.func @f() {", "bad.mlir:2", "the end of the text");
    refused("func.func @f() {\n ^a:\n  cf.br ^b\n ^b:\n  return\n}", "bad.mlir:3", "");
}

#[test]
fn calls_are_bounded() {
    let mut text = String::from("func.func @main() {\n  call @f0() : () -> ()\n  return\n}\n");
    for i in 0..40 {
        let next = format!("call @f{}() : () -> ()", i + 1);
        text += &format!("func.func private @f{i}() {{\n  {next}\n  {next}\n  return\n}}\n");
    }
    text += "func.func private @f40() {\n  return\n}\n";
    refused(&text, "bad.mlir", "operations");
    refused("func.func @main() {\n  call @main() : () -> ()\n  return\n}", "bad.mlir", "deep");
}

#[test]
fn nesting_is_bounded() {
    let brackets = "[".repeat(100_000);
    refused(
        &format!("func.func @f() {{\n %x = stablehlo.constant dense<{brackets}> : tensor<i32>\n}}"),
        "bad.mlir:2",
        "deep",
    );
    let tuples = "tuple<".repeat(100_000);
    refused(&format!("func.func @f(%x: {tuples}) {{}}"), "bad.mlir:1", "deep");
    let regions = "\"a.b\"() ({\n".repeat(100_000);
    refused(&format!("func.func @f() {{\n{regions}"), "bad.mlir", "deep");
}
